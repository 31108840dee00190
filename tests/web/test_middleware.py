"""What stands between the network and Gradio."""

import asyncio
import gc
import json

import pytest

from fashion_model.web import middleware
from fashion_model.web.middleware import PageAddress, RequestLimits, page_root


def post(app, path, *parts, headers=()):
    """(status, body) of a POST whose body comes in parts."""
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "POST", "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def echo(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("path", ["/gradio_api/call/predict", "/gradio_api/upload", "/x"])
def test_a_small_body_arrives_as_it_was(path):
    assert post(RequestLimits(echo), path, b"ab", b"c") == (200, b"abc")


@pytest.mark.parametrize(
    ("path", "megabytes"), [("/gradio_api/component_server", 2), ("/gradio_api/call/predict", 26)]
)
def test_a_large_body_is_refused_once_all_of_it_came(path, megabytes):
    part = bytes(1024 * 1024)
    status, body = post(RequestLimits(echo), path, *[part] * (megabytes + 1))
    assert (status, json.loads(body)) == (
        413,
        {"detail": f"This is too large: send {megabytes} MB at most."},
    )
    length = [(b"content-length", b"%d" % ((megabytes + 1) << 20))]
    status, body = post(RequestLimits(echo), path, *[part] * (megabytes + 1), headers=length)
    assert (status, b"at most" in body) == (413, True)


def held_bytes():
    return sum(body.size for body in middleware.HELD)


def test_bytes_count_until_nobody_holds_the_request(monkeypatch):
    kept = []

    async def queue(scope, receive, send):
        kept.append(scope)
        await echo(scope, receive, send)

    gc.collect()
    before, app = held_bytes(), RequestLimits(queue)
    monkeypatch.setattr(middleware, "MAX_HELD_BYTES", before + 100)
    assert post(app, "/gradio_api/call/predict", bytes(60))[0] == 200
    assert post(app, "/gradio_api/call/predict", bytes(60))[0] == 200
    assert held_bytes() == before + 120
    assert post(app, "/gradio_api/call/predict", b"x")[0] == 503
    kept.clear()
    gc.collect()
    assert held_bytes() == before
    assert post(app, "/gradio_api/call/predict", b"x")[0] == 200


def test_too_many_values_and_closed_routes():
    app = RequestLimits(echo)
    assert post(app, "/gradio_api/call/predict", b"[]," * 9000)[0] == 413
    assert post(app, "/gradio_api/deep_link")[0] == 404


# The address of the page


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
