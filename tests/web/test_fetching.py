"""What is fetched from the web: from which hosts, how much, and in what time."""

import asyncio

import httpx
import pytest

from fashion_model.web import fetching
from fashion_model.web.fetching import is_public

PUBLIC = "8.8.8.8 93.184.215.14 2606:4700::6810:84e5"
INSIDE = """127.0.0.1 10.1.2.3 192.168.0.9 172.16.0.1 169.254.169.254 100.64.0.1 100.100.100.200
192.0.0.192 0.0.0.0 224.0.0.1 240.0.0.1 ::1 :: fe80::1 fc00::1 fec0::1 ff02::1 ::ffff:10.0.0.1
2002:7f00:1:: 64:ff9b::7f00:1 64:ff9b:1::a00:1 2001:0:7f00:1::1 168.63.129.16"""

CLIENT = httpx.AsyncClient  # that of httpx itself: fetched replaces it
PACKED = {"content-encoding": "br"}


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize("address", INSIDE.split())
def test_addresses_inside(address):
    assert not is_public(address)


def fetched(monkeypatch, handle, url="http://example.org/a.png", seconds=5.0):
    """What _fetch_in_time makes of a web that handle answers for; every host is public."""

    async def getaddrinfo(_loop, host, port, **_):
        return [(0, 0, 0, "", ("10.0.0.1" if host == "inside.org" else "93.184.215.14", port))]

    monkeypatch.setattr(
        httpx, "AsyncClient", lambda **_: CLIENT(transport=httpx.MockTransport(handle))
    )
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asyncio.run(fetching._fetch_in_time(url, seconds))


def test_the_address_that_was_checked_is_the_one_that_is_asked(monkeypatch):
    asked = []

    def handle(request):
        asked.append(
            (str(request.url), request.headers["host"], request.extensions["sni_hostname"])
        )
        return httpx.Response(200, content=b"picture")

    assert fetched(monkeypatch, handle, "https://me:word@example.org:8443/a?b=c") == b"picture"
    assert asked == [("https://93.184.215.14:8443/a?b=c", "example.org:8443", "example.org")]


def test_redirects_are_followed_and_checked(monkeypatch):
    def handle(request):
        location = {"/a.png": "/b.png", "/b.png": "http://inside.org/"}.get(request.url.path)
        return httpx.Response(302, headers={"location": location})

    with pytest.raises(ValueError, match="inside"):
        fetched(monkeypatch, handle)
    with pytest.raises(ValueError, match="redirects"):
        fetched(monkeypatch, lambda _: httpx.Response(302, headers={"location": "/a.png"}))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "http://", "http://inside.org/"]
)
def test_what_is_no_public_address_is_not_asked(monkeypatch, url):
    with pytest.raises(ValueError):
        fetched(monkeypatch, lambda _: pytest.fail("asked"), url)


def test_what_is_large_packed_gone_or_late(monkeypatch):
    async def endless():
        while True:
            yield bytes(1_000_000)

    with pytest.raises(ValueError, match="large"):
        fetched(monkeypatch, lambda _: httpx.Response(200, content=endless()))
    for response in ({"status_code": 404}, {"status_code": 200, "headers": PACKED}):
        with pytest.raises(ValueError, match="packed"):
            fetched(monkeypatch, lambda _, response=response: httpx.Response(**response))

    async def late(_):
        await asyncio.sleep(9)

    with pytest.raises(TimeoutError):
        fetched(monkeypatch, late, seconds=0.05)
