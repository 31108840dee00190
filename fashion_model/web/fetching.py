"""Callers' pictures, of which those on the web are fetched, within bounds, from public hosts."""

import asyncio
import math
import socket
import time
from ipaddress import ip_address, ip_network
from typing import Any

import httpx
from anyio import from_thread

from fashion_model import InputError
from fashion_model.web.serialization import MAX_FILE_BYTES, picture_bytes, web_address

MAX_SECONDS = 10  # from the look for the host's address to the last byte, with all redirects
MAX_CALL_SECONDS = 30  # for all addresses of one call, which are fetched one after the other
MAX_REDIRECTS = 5
GLOBAL = ip_network("2000::/3")  # all of IPv6 that is given out
# What Python counts as global and may be inside: addresses with one of IPv4 in them, and some
# that clouds use for themselves
INSIDE = [*map(ip_network, ("2001::/32", "2002::/16", "192.0.0.0/24", "168.63.129.16/32"))]


def is_public(address: str) -> bool:
    """Whether an IP address is one that the whole internet can reach."""
    ip = ip_address(address)
    if (ip.version == 6 and ip not in GLOBAL) or any(ip in network for network in INSIDE):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def fetch(image: Any, deadline: float = math.inf) -> bytes:
    """A caller's picture, see serialization.picture_bytes, or the one at the address that it is.

    Called in a thread of the server. deadline: of the call, as time.monotonic has it. Raises
    InputError, also where what is fetched is too large, packed, late, not there or inside.
    """
    address = web_address(image)
    if address is None:
        return picture_bytes(image)
    try:
        seconds = min(MAX_SECONDS, deadline - time.monotonic())
        return from_thread.run(_fetch_in_time, address, seconds)
    except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(
            f"The picture cannot be fetched. The address must be public, answer at once, and hold "
            f"{MAX_FILE_BYTES >> 20} MB at most: check it, or send the file itself.",
            key="fetch",
        ) from error


async def _fetch_in_time(url: str, seconds: float) -> bytes:
    body, target = bytearray(), httpx.URL(url)
    # httpx limits each read alone. A proxy from the environment would be asked for hosts inside.
    async with asyncio.timeout(seconds), httpx.AsyncClient(trust_env=False) as client:
        for _ in range(MAX_REDIRECTS + 1):
            response = await client.send(await _pinned(client, target), stream=True)
            if response.has_redirect_location:
                target = target.join(response.headers["location"])
                await response.aclose()
                continue
            packed = response.headers.get("content-encoding", "identity") != "identity"
            if packed or response.status_code != 200:
                raise ValueError("not there, or packed")
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_FILE_BYTES:
                    raise ValueError("too large")
            return bytes(body)
    raise ValueError("too many redirects")


async def _pinned(client: httpx.AsyncClient, url: httpx.URL) -> httpx.Request:
    """A request to the IP address that was found public: a second look could find another."""
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("no address on the web")
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
    addresses = [entry[4][0] for entry in found]
    if not addresses or not all(map(is_public, addresses)):
        raise ValueError("an address inside")
    return client.build_request(
        "GET",
        url.copy_with(host=addresses[0], userinfo=b""),
        # Packed, a kilobyte can become a megabyte after it was counted.
        headers={"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"},
        extensions={"sni_hostname": url.host},  # whose certificate is asked for
    )
