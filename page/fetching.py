"""Bounds for the pictures that Gradio fetches when a caller names an address on the web."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import safehttpx
from gradio import processing_utils

from page.payloads import MAX_FILE_BYTES

MAX_SECONDS = 15


class FetchError(ValueError):
    """What was fetched is too large or comes too slowly."""


class Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen, start = 0, time.monotonic()
        async for part in self.stream:
            seen += len(part)
            if seen > MAX_FILE_BYTES or time.monotonic() - start > MAX_SECONDS:
                raise FetchError("too large or too slow")
            yield part

    async def aclose(self) -> None:
        await self.stream.aclose()


class BoundedTransport(safehttpx.AsyncSecureTransport):
    """Gradio's transport to a public address, for MAX_FILE_BYTES and MAX_SECONDS at most."""

    async def handle_async_request(self, request: httpx.Request) -> Any:
        # Packed, a kilobyte can become a megabyte after it was counted.
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchError("packed")
        response.stream = Bounded(response.stream)
        return response


async def nowhere(_hostname: str) -> list[str]:
    return []


def bound() -> None:
    """Set these bounds in Gradio, for all addresses; and ask nobody else for a host's address."""
    safehttpx.AsyncSecureTransport = BoundedTransport
    safehttpx.async_resolve_hostname_google = nowhere
    processing_utils.PUBLIC_HOSTNAME_WHITELIST = []
