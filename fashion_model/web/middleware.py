"""What stands between the network and Gradio: every request's limits, and the page's address."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakSet

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fashion_model.web.serialization import MAX_FILE_BYTES

MAX_UPLOAD_BYTES = 100 * 1024 * 1024  # of all files in one request
MAX_CALL_BYTES = MAX_FILE_BYTES * 4 // 3 + 64 * 1024  # a picture as a data URL, and what is around
MAX_OTHER_BYTES = 2 * 1024 * 1024  # a drawing has 10,000
MAX_HELD_BYTES = 256 * 1024 * 1024  # of bodies in memory, until their questions are answered
MAX_POSTS = 256  # at the same time
MAX_VALUES = 10_000  # in a JSON body: three bytes of "[]," become a hundred in memory

BUSY = "The server is busy: too many are asking at once. Try again in a few seconds."
MALFORMED = "The server cannot make sense of this request. /gradio_api/info tells what it takes."
# Gradio's routes for what this app does not have: recordings, streams, proxies, shared links.
CLOSED = ("process_recording", "stream", "proxy", "deep_link", "vibe", "undo-vibe", "run-history")
QUEUED = ("/call/", "/queue/join", "/mcp")
PAGE_ROOT = Path(__file__).with_name("static") / "page_root.js"


class Body:
    """Its bytes count as held while anybody holds this: Gradio's queue, with a request's scope,
    until the question is answered, cancelled or given up. values: in its JSON, about."""

    size = values = 0
    more, refused = True, False  # whether more of it comes, and whether it may not go on


HELD: WeakSet[Body] = WeakSet()  # all but uploads


class RequestLimits:
    """Answers in JSON what may not go on: 413 too large, 503 busy, 404 closed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.posts = asyncio.Semaphore(MAX_POSTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, api, name = scope.get("path", "").rpartition("/gradio_api/")
        if api and name.startswith(CLOSED):
            await error_response(404, "There is no such thing here.")(scope, receive, send)
        elif scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif self.posts.locked() or sum(body.size for body in HELD) >= MAX_HELD_BYTES:
            await error_response(503, BUSY)(scope, receive, send)
        else:
            async with self.posts:
                await self.post(scope, receive, send)

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_upload = scope["path"].rstrip("/").endswith("/upload")  # written as it comes
        queued = any(part in scope["path"] for part in QUEUED)
        limit = MAX_UPLOAD_BYTES if is_upload else MAX_CALL_BYTES if queued else MAX_OTHER_BYTES
        body = scope["fashion.body"] = Body()
        if not is_upload:
            HELD.add(body)

        async def receive_counted() -> Message:
            message = await receive()
            part, body.more = message.get("body", b""), message.get("more_body", False)
            body.size += len(part)
            body.values += 0 if is_upload else sum(map(part.count, (b"[", b"{", b",")))
            if body.size > limit or body.values > MAX_VALUES:
                body.refused = True
                raise HTTPException(413)
            return message

        async def send_unless_refused(message: Message) -> None:
            body.refused |= message.get("status") == 413
            if not body.refused:
                await send(message)

        with suppress(HTTPException):
            await self.app(scope, receive_counted, send_unless_refused)
        if body.refused:
            while body.more:  # a client reads no answer while it is still sending
                body.more = (await receive()).get("more_body", False)
            each = f", and {MAX_FILE_BYTES >> 20} MB in one picture" if is_upload else ""
            text = f"This is too large: send {limit >> 20} MB at most{each}."
            if body.values > MAX_VALUES:
                text = f"This is too much: send {MAX_VALUES:,} values at most."
            await error_response(413, text)(scope, receive, send)


class PageAddress:
    """Tells Gradio at which address its page is, which a proxy may hide: its browser's half by a
    script in the page, its server's half, which names files by that address, from the Referer of
    what the page asks. With GRADIO_ROOT_PATH, Gradio knows it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.page = GZipMiddleware(BaseHTTPMiddleware(app, with_script), compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_page = scope["type"] == "http" and scope["method"] == "GET" and path == "/"
        if scope["type"] == "http" and path.endswith("/queue/join"):
            headers = MutableHeaders(scope=scope)
            root = page_root(headers.get("referer", ""))
            same = headers.get("sec-fetch-site", "same-origin") == "same-origin"
            if root and same and not os.environ.get("GRADIO_ROOT_PATH"):
                headers["x-gradio-server"] = root
                del headers["x-forwarded-host"]
        await (self.page if is_page else self.app)(scope, receive, send)


async def with_script(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """The page with PAGE_ROOT in its head: Gradio's own option "head" comes too late for it."""
    response = await call_next(request)
    page = b"".join([part async for part in response.body_iterator])
    script = f"<script>{PAGE_ROOT.read_text(encoding='utf-8')}</script></head>".encode()
    del response.headers["content-length"]
    return Response(page.replace(b"</head>", script, 1), response.status_code, response.headers)


def page_root(referer: str) -> str:
    """The page's address without its query and last slash; "" where it is none."""
    url = urlsplit(referer)._replace(query="", fragment="")
    return url.geturl().rstrip("/") if url.scheme in ("http", "https") and url.netloc else ""


def error_response(status: int, text: str) -> JSONResponse:
    return JSONResponse({"detail": text}, status, {"Retry-After": "5"} if status == 503 else None)


async def handle_error(_request: Request, error: Exception) -> Response:
    """The answer where Gradio's queue is full (503), or where a route of its fails."""
    full = getattr(error, "status_code", None) == 503
    return error_response(503, BUSY) if full else error_response(400, MALFORMED)


APP_OPTIONS = {
    "middleware": [Middleware(RequestLimits), Middleware(PageAddress)],
    # Who disconnects reads no answer, and is no failure to log.
    "exception_handlers": dict.fromkeys((503, ClientDisconnect, Exception), handle_error),
}
