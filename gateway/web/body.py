"""Bodies nobody wants, and the word a polite client waits for before it sends one."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http import HttpVersion11

DRAIN_SECONDS = 10.0


def invite(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue` (aiohttp's low-level server does not): the body is welcome."""
    if (
        request.version == HttpVersion11
        and request.headers.get("Expect", "").lower() == "100-continue"
        and request.transport is not None
        and request.can_read_body
    ):
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def taken(request: web.BaseRequest, limit: int) -> bytes | None:
    """A whole body; None when it is longer than `limit`, slow or broken: the connection can't be used again."""
    if not request.can_read_body:
        return b""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limit:
        return None
    invite(request)
    body = bytearray()
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while not request.content.at_eof():
                body += await request.content.readany()
                if len(body) > limit:
                    return None
    except (TimeoutError, ConnectionError, web.RequestPayloadError):
        return None
    return bytes(body)


async def drained(request: web.BaseRequest, limit: int) -> bool:
    """Read a body away. False when it is longer than `limit`, slow or broken: the connection can't be
    used again, since its next bytes belong to this body."""
    if not request.can_read_body:
        return True
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limit:
        return False
    invite(request)
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while not request.content.at_eof():
                size += len(await request.content.readany())
                if size > limit:
                    return False
    except (TimeoutError, ConnectionError, web.RequestPayloadError):
        return False
    return True
