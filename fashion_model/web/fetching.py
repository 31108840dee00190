"""Bounds for the pictures that Gradio fetches when a caller names an address on the web."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from math import inf
from typing import Any

import httpx
import safehttpx
from gradio import processing_utils

from fashion_model.web.payloads import MAX_FILE_BYTES

MAX_SECONDS = 10  # from the look for the host's address to the last byte, with all redirects
MAX_CALL_SECONDS = 30  # for all addresses of one call, which Gradio fetches one after the other
# What Python counts as global and may be inside: addresses with one of IPv4 in them, and some
# that clouds use for themselves
INSIDE = [
    ip_network(text)
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
        *("192.0.0.0/24", "168.63.129.16/32"),
    )
]
deadline: ContextVar[float] = ContextVar("deadline", default=inf)  # of this call, by the loop


class FetchError(ValueError):
    """A picture cannot be fetched: it is too large, packed, late, not there or inside."""


class Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for part in self.stream:
            seen += len(part)
            if seen > MAX_FILE_BYTES:
                raise FetchError("too large")
            yield part

    async def aclose(self) -> None:
        await self.stream.aclose()


class BoundedTransport(safehttpx.AsyncSecureTransport):
    """Gradio's transport to a public address, for MAX_FILE_BYTES at most."""

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


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet can reach."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if any(ip in network for network in INSIDE):
        return False
    if isinstance(ip, IPv6Address) and (ip.ipv4_mapped or ip.is_site_local):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def addresses(value: Any) -> int:
    """How many addresses of the web Gradio would fetch for value, at most."""
    if isinstance(value, dict):
        named = any(str(value.get(k)).startswith(("http://", "https://")) for k in ("path", "url"))
        return named + sum(map(addresses, value.values()))
    return sum(map(addresses, value)) if isinstance(value, list) else 0


def begin_call() -> None:
    """Start the clock of a call's fetches, which runs in the task that this is called in."""
    deadline.set(asyncio.get_running_loop().time() + MAX_CALL_SECONDS)


def in_time(get: Callable[[str], Awaitable[httpx.Response]]) -> Any:
    """get, given up after MAX_SECONDS: httpx has limits for each read alone."""

    @wraps(get)
    async def timed(url: str) -> httpx.Response:
        end = asyncio.get_running_loop().time() + MAX_SECONDS
        async with asyncio.timeout_at(min(end, deadline.get())):
            return await get(url)

    return timed


def told_apart(download: Callable[..., Awaitable[str]]) -> Any:
    """download, whose failures are FetchErrors, but for those of this machine's own disk."""

    @wraps(download)
    async def downloaded(url: str, cache_dir: str) -> str:
        try:
            return await download(url, cache_dir)
        except TimeoutError as error:  # an OSError too
            raise FetchError("late") from error
        except OSError:
            raise
        except Exception as error:  # Gradio raises a bare one for a status that is not 200
            raise FetchError(str(error)) from error

    return downloaded


def bound() -> None:
    """Set these bounds in Gradio, for all addresses; and ask nobody else for a host's address."""
    safehttpx.AsyncSecureTransport = BoundedTransport
    safehttpx.async_resolve_hostname_google = nowhere
    safehttpx.is_public_ip = is_public
    processing_utils.PUBLIC_HOSTNAME_WHITELIST = []
    get, download = "async_ssrf_protected_get", "async_ssrf_protected_download"
    setattr(processing_utils, get, in_time(getattr(processing_utils, get)))
    setattr(processing_utils, download, told_apart(getattr(processing_utils, download)))
