"""What every request must keep to, before Gradio sees it: an ASGI middleware."""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from fashion_model.web.payloads import MAX_FILE_BYTES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_UPLOAD_BYTES = 100 * 1024 * 1024  # of all files in one request
MAX_CALL_BYTES = MAX_FILE_BYTES * 4 // 3 + 64 * 1024  # a picture as a data URL, and what is around
MAX_OTHER_BYTES = 2 * 1024 * 1024  # a drawing has 1 MB at most
MAX_HELD_BYTES = 256 * 1024 * 1024  # bodies in memory at the same time
MAX_POSTS = 256  # at the same time
MAX_VALUES = 10_000  # in a JSON body: three bytes of "[]," become a hundred in memory

BUSY = "The server is busy: too many are asking at once. Try again in a few seconds."
ENDING = "The server is shutting down. Try again in a minute."
MUDDLED = "The server cannot make sense of this request. /gradio_api/info tells what it takes."
# Gradio's routes for what this app does not have: recordings, streams, proxies, shared links.
CLOSED = ("process_recording", "stream", "proxy", "deep_link", "vibe", "undo-vibe", "run-history")
QUEUED = ("/call/", "/queue/join", "/mcp")


class TooLargeError(Exception):
    """A body beyond its limit."""


def most(path: str) -> int:
    """Bytes that the body of a request to path may have."""
    if path.rstrip("/").endswith("/upload"):
        return MAX_UPLOAD_BYTES
    return MAX_CALL_BYTES if any(part in path for part in QUEUED) else MAX_OTHER_BYTES


class Limits:
    """Answers in JSON what may not go on: 413 too large, 503 busy, 404 closed, 400 muddled."""

    ending = False  # set for all when the server is told to end

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.posts = 0
        self.held = 0  # bytes

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
        upload = most(scope["path"]) == MAX_UPLOAD_BYTES
        if Limits.ending and upload:
            await refuse(send, 503, ENDING)
            return
        if self.posts >= MAX_POSTS or self.held >= MAX_HELD_BYTES:
            await refuse(send, 503, BUSY)
            return
        self.posts += 1
        held = 0
        try:
            if upload:  # Gradio writes it to a file as it comes
                await self.guarded(scope, Counted(receive, MAX_UPLOAD_BYTES), send)
                return
            body = bytearray()
            counted = Counted(receive, most(scope["path"]))
            more = True
            while more:
                message = await counted()
                if message["type"] != "http.request":
                    return  # the client went away
                body += message.get("body", b"")
                more = message.get("more_body", False)
                self.held += len(body) - held
                held = len(body)
            if not multipart(scope) and sum(map(body.count, (b"[", b"{", b","))) > MAX_VALUES:
                await refuse(send, 413, f"This is too much: send {MAX_VALUES:,} values at most.")
                return
            await self.guarded(scope, Replayed(bytes(body), receive), send)
        except TooLargeError as error:
            await refuse(send, 413, str(error))
        finally:
            self.posts -= 1
            self.held -= held

    async def guarded(self, scope: Message, receive: Receive, send: Send) -> None:
        """The app's answer; a failure of Gradio's routes becomes a plain sentence."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except TooLargeError:
            if not started:
                raise
        except ClientDisconnect:
            return
        except Exception:
            logging.getLogger("uvicorn.error").exception("failed on %s", scope["path"])
            if started:
                raise
            await refuse(send, 400, MUDDLED)


class Counted:
    """receive, until more than `limit` bytes came: then drops the rest and raises TooLargeError.

    Dropped rather than left, for a client reads no answer while it is still sending.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self.receive = receive
        self.limit = limit
        self.seen = 0

    async def __call__(self) -> Message:
        message = await self.receive()
        self.seen += len(message.get("body", b""))
        if self.seen <= self.limit:
            return message
        while message.get("more_body", False) and self.seen < 2 * MAX_UPLOAD_BYTES:
            message = await self.receive()
            self.seen += len(message.get("body", b""))
        raise TooLargeError(f"This is too large: send {self.limit >> 20} MB at most.")


class Replayed:
    """receive for a body that was read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.first: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self.receive = receive

    async def __call__(self) -> Message:
        first, self.first = self.first, None
        return first or await self.receive()


def multipart(scope: Message) -> bool:
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
