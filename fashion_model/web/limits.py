"""What every request must keep to, before Gradio sees it: an ASGI middleware."""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from fashion_model.web.serialization import MAX_FILE_BYTES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_UPLOAD_BYTES = 100 * 1024 * 1024  # of all files in one request
MAX_CALL_BYTES = MAX_FILE_BYTES * 4 // 3 + 64 * 1024  # a picture as a data URL, and what is around
MAX_OTHER_BYTES = 2 * 1024 * 1024  # a drawing has 1 MB at most
MAX_HELD_BYTES = 256 * 1024 * 1024  # of bodies in memory, until their questions are answered
MAX_POSTS = 256  # at the same time
MAX_VALUES = 10_000  # in a JSON body: three bytes of "[]," become a hundred in memory
TIDY_POSTS = 1000  # between two calls of tidy

BUSY = "The server is busy: too many are asking at once. Try again in a few seconds."
ENDING = "The server is shutting down. Try again in a minute."
MUDDLED = "The server cannot make sense of this request. /gradio_api/info tells what it takes."
# Gradio's routes for what this app does not have: recordings, streams, proxies, shared links.
CLOSED = ("process_recording", "stream", "proxy", "deep_link", "vibe", "undo-vibe", "run-history")
QUEUED = ("/call/", "/queue/join", "/mcp")


def max_bytes(path: str) -> int:
    """Bytes that the body of a request to path may have."""
    if path.rstrip("/").endswith("/upload"):
        return MAX_UPLOAD_BYTES
    return MAX_CALL_BYTES if any(part in path for part in QUEUED) else MAX_OTHER_BYTES


class HeldBytes:
    """Bytes of a body that count as held while anybody holds this: Gradio's queue, with a request's
    scope, until the question is answered, cancelled or given up."""

    def __init__(self, limits: "RequestLimits", count: int) -> None:
        self.limits, self.count = limits, count
        limits.held += count

    def __del__(self) -> None:
        self.limits.held -= self.count


class RequestLimits:
    """Answers in JSON what may not go on: 413 too large, 503 busy, 404 closed, 400 muddled.

    tidy: called in the event loop after every TIDY_POSTS.
    """

    ending = False  # set for all when the server is told to end

    def __init__(self, app: App, tidy: Callable[[], None] = lambda: None) -> None:
        self.app = app
        self.tidy = tidy
        self.posts = 0  # under way
        self.count = 0  # so far
        self.held = 0  # bytes
        self.limited = {
            MAX_UPLOAD_BYTES: RequestBodyLimitMiddleware(self.guarded, MAX_UPLOAD_BYTES),
            MAX_CALL_BYTES: RequestBodyLimitMiddleware(self.held_body, MAX_CALL_BYTES),
            MAX_OTHER_BYTES: RequestBodyLimitMiddleware(self.held_body, MAX_OTHER_BYTES),
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path.rpartition("/gradio_api/")[2].startswith(CLOSED) and "/gradio_api/" in path:
            await refuse(send, 404, "There is no such thing here.")
        elif scope["method"] == "POST":
            await self.post(scope, receive, send)
        else:
            await self.guarded(scope, receive, send)

    async def post(self, scope: Message, receive: Receive, send: Send) -> None:
        limit = max_bytes(scope["path"])
        if RequestLimits.ending and limit == MAX_UPLOAD_BYTES:
            await refuse(send, 503, ENDING)
            return
        if self.posts >= MAX_POSTS or self.held >= MAX_HELD_BYTES:
            await refuse(send, 503, BUSY)
            return
        self.count += 1
        if self.count % TIDY_POSTS == 0:
            self.tidy()
        self.posts += 1
        try:
            await self.limited[limit](scope, receive, TooLarge(limit, receive, send))
        finally:
            self.posts -= 1

    async def held_body(self, scope: Message, receive: Receive, send: Send) -> None:
        """The app's answer to a body that fits in memory, and is in it, once."""
        parts: list[HeldBytes] = []
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client went away
            part = message.get("body", b"")
            body += part
            parts.append(HeldBytes(self, len(part)))
            more = message.get("more_body", False)
        if not is_multipart(scope) and sum(map(body.count, (b"[", b"{", b","))) > MAX_VALUES:
            await refuse(send, 413, f"This is too much: send {MAX_VALUES:,} values at most.")
            return
        scope["fashion.held"] = HeldBytes(self, len(body))
        parts.clear()
        message = {"type": "http.request", "body": bytes(body), "more_body": False}
        await self.guarded(scope, Replayed(message, receive), send)

    async def guarded(self, scope: Message, receive: Receive, send: Send) -> None:
        """The app's answer; a failure of Gradio's routes becomes a plain sentence."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except ClientDisconnect:
            return
        except Exception as error:
            if getattr(error, "status_code", None) == 413:
                raise  # Starlette's middleware answers it
            logging.getLogger("uvicorn.error").exception("failed on %s", scope["path"])
            if started:
                raise
            await refuse(send, 400, MUDDLED)


class TooLarge:
    """send, which says in our words that a body is beyond its limit, once all of it came.

    The rest is dropped rather than left: a client reads no answer while it is still sending.
    """

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self.limit, self.receive, self.send = limit, receive, send
        self.refused = False

    async def __call__(self, message: Message) -> None:
        plain = (b"content-type", b"text/plain; charset=utf-8") in message.get("headers", ())
        if message.get("status") == 413 and plain:
            self.refused = True
            dropped, more = 0, True
            while more and dropped < 2 * MAX_UPLOAD_BYTES:
                part = await self.receive()
                dropped += len(part.get("body", b""))
                more = part.get("more_body", False)
            text = f"This is too large: send {self.limit >> 20} MB at most."
            if self.limit == MAX_UPLOAD_BYTES:
                text = f"{text[:-1]}, and {MAX_FILE_BYTES >> 20} MB in one picture."
            await refuse(self.send, 413, text)
        elif not self.refused:
            await self.send(message)


class Replayed:
    """receive for a body that was read already."""

    def __init__(self, first: Message, receive: Receive) -> None:
        self.first: Message | None = first
        self.receive = receive

    async def __call__(self) -> Message:
        first, self.first = self.first, None
        return first or await self.receive()


def is_multipart(scope: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"multipart/")
        for name, value in scope["headers"]
    )


async def refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"detail": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def busy(_request: Any, _error: Exception) -> JSONResponse:
    """The answer to HTTP 503, which Gradio raises where its queue is full."""
    return JSONResponse({"detail": BUSY}, 503, {"Retry-After": "5"})
