"""At which address the page is, found out from what its browser asks."""

import asyncio

import pytest

from fashion_model.web.proxy import PageAddress, page_root


@pytest.mark.parametrize(
    ("referer", "root"),
    [
        ("http://host/sub/?__theme=dark", "http://host/sub"),
        ("https://host:8443/", "https://host:8443"),
        ("", ""),
        ("about:client", ""),
    ],
)
def test_the_address_of_the_page(referer, root):
    assert page_root(referer) == root


def run(path, method, headers):
    """(the headers that the app gets, what is sent) of a request."""
    got, sent = {}, []

    async def app(scope, _receive, send):
        got.update(scope["headers"])
        body = b"<html><head></head></html>"
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(body)), (b"x", b"y")],
            }
        )
        await send({"type": "http.response.body", "body": body[:9], "more_body": True})
        await send({"type": "http.response.body", "body": body[9:]})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": headers}
    asyncio.run(PageAddress(app)(scope, None, send))
    return got, sent


def test_the_page_says_its_own_address_to_gradio_s_client():
    _, (start, body) = run("/", "GET", [])
    assert dict(start["headers"])[b"content-length"] == b"%d" % len(body["body"])
    assert b"gradio_config.root = " in body["body"]
    _, sent = run("/config", "GET", [])
    assert b"script" not in b"".join(message.get("body", b"") for message in sent)


def test_only_the_page_s_own_questions_are_told_its_address(monkeypatch):
    monkeypatch.delenv("GRADIO_ROOT_PATH", raising=False)
    referer = (b"referer", b"http://host/sub/")
    assert run("/gradio_api/queue/join", "POST", [referer])[0][b"x-gradio-server"] == (
        b"http://host/sub"
    )
    assert b"x-gradio-server" not in run("/config", "GET", [referer])[0]
    forwarded = [referer, (b"x-forwarded-host", b"host")]  # which says nothing of the path
    got = run("/gradio_api/queue/join", "POST", forwarded)[0]
    assert got == dict([referer, (b"x-gradio-server", b"http://host/sub")])
    embedded = [referer, (b"sec-fetch-site", b"cross-site")]
    assert b"x-gradio-server" not in run("/gradio_api/queue/join", "POST", embedded)[0]
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/sub")
    assert b"x-gradio-server" not in run("/gradio_api/queue/join", "POST", [referer])[0]
