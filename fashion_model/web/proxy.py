"""Behind a proxy that hides the address in the visitor's browser: found out from the request.

With GRADIO_ROOT_PATH, Gradio knows it; with X-Forwarded-Host alone, it lacks the path.
"""

import gzip
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx

Message = MutableMapping[str, Any]
SCRIPT = Path(__file__).with_name("static") / "page_root.js"


class PageAddress:
    """Tells Gradio at which address its page is: its browser's half by a script in the page, and
    its server's half, which names files by that address, from the Referer of what the page asks.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.script = f"<script>{SCRIPT.read_text(encoding='utf-8')}</script></head>".encode()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.endswith("/queue/join"):
            headers = dict(scope["headers"])
            own = headers.get(b"sec-fetch-site", b"same-origin") == b"same-origin"
            if own and not os.environ.get("GRADIO_ROOT_PATH"):
                root = page_root(headers.get(b"referer", b"").decode("latin-1"))
                if root:
                    replaced = (b"x-gradio-server", b"x-forwarded-host")
                    kept = [(k, v) for k, v in scope["headers"] if k not in replaced]
                    added = (b"x-gradio-server", root.encode("latin-1"))
                    scope = {**scope, "headers": [*kept, added]}
        elif scope["type"] == "http" and scope["method"] == "GET" and path == "/":
            zipped = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
            send = WithScript(self.script, send, zipped)
        await self.app(scope, receive, send)


class WithScript:
    """send for an HTML page, which gets script at the end of its head: Gradio's own option "head"
    comes only after its client has asked where the server is. zipped: a third of the bytes."""

    def __init__(
        self, script: bytes, send: Callable[[Message], Awaitable[None]], zipped: bool
    ) -> None:
        self.script, self.send, self.zipped = script, send, zipped
        self.start: Message = {}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = self.body.replace(b"</head>", self.script, 1)
        kept = [(k, v) for k, v in self.start["headers"] if k != b"content-length"]
        if self.zipped:
            body = gzip.compress(body, compresslevel=5)
            kept.append((b"content-encoding", b"gzip"))
        headers = [*kept, (b"vary", b"accept-encoding"), (b"content-length", b"%d" % len(body))]
        await self.send({**self.start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def page_root(referer: str) -> str:
    """The page's address without its query and last slash; "" where it is none."""
    try:
        url = httpx.URL(referer)
    except httpx.InvalidURL:
        return ""
    if url.scheme not in ("http", "https") or not url.host:
        return ""
    return str(url.copy_with(query=None, fragment=None)).rstrip("/")
