"""What every request must keep to."""

import asyncio
import gc
import json

import pytest

from fashion_model.web import limits
from fashion_model.web.limits import RequestLimits


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


def test_bytes_count_until_nobody_holds_the_request(monkeypatch):
    kept = []

    async def queue(scope, receive, send):
        kept.append(scope)
        await echo(scope, receive, send)

    app = RequestLimits(queue)
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", 100)
    assert post(app, "/gradio_api/call/predict", bytes(60))[0] == 200
    assert post(app, "/gradio_api/call/predict", bytes(60))[0] == 200
    assert app.held == 120
    assert post(app, "/gradio_api/call/predict", b"x")[0] == 503
    kept.clear()
    gc.collect()
    assert app.held == 0
    assert post(app, "/gradio_api/call/predict", b"x")[0] == 200


def test_too_many_values_closed_routes_and_failures():
    app = RequestLimits(echo)
    assert post(app, "/gradio_api/call/predict", b"[]," * 9000)[0] == 413
    assert post(app, "/gradio_api/deep_link")[0] == 404

    async def broken(scope, receive, send):
        raise KeyError("secret")

    status, body = post(RequestLimits(broken), "/gradio_api/call/predict", b"{}")
    assert (status, b"secret" in body) == (400, False)


def test_it_tidies_now_and_then(monkeypatch):
    calls = []
    monkeypatch.setattr(limits, "TIDY_POSTS", 3)
    app = RequestLimits(echo, tidy=lambda: calls.append(1))
    for _ in range(7):
        post(app, "/x", b"{}")
    assert len(calls) == 2
