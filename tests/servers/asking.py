"""A client that sends a target exactly as it is written, and pages that hold a client package."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from json import dumps, loads
from typing import Any

from aiohttp import web

from tests.servers.asked import on_a_port


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    headers: dict[str, str]  # names in small letters; of several, the last
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return loads(self.body)


async def ask(
    url: str, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Said:
    """`target` goes on the request line untouched, which no HTTP library promises."""
    host = url.partition("://")[2]
    name, port = host.split(":")
    reader, writer = await asyncio.open_connection(name, int(port), limit=1 << 22)
    lines = {"Host": host, "Connection": "close", **(headers or {})}
    if body or method in ("POST", "PUT"):
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
    writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
    await writer.drain()
    try:
        async with asyncio.timeout(20):
            start = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            found = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in start[1:-2])}
            if method == "HEAD" or start[0].split(" ")[1] in ("204", "304"):
                return Said(int(start[0].split(" ")[1]), found, b"")
            if "content-length" in found:
                data = await reader.readexactly(int(found["content-length"]))
            else:
                data = await reader.read()
    finally:
        writer.close()
    return Said(int(start[0].split(" ")[1]), found, data)


async def tell(
    url: str, target: str, value: Any, *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> Said:
    """The same with `value` as JSON."""
    both = {"Content-Type": "application/json", **(headers or {})}
    return await ask(url, target, method=method, headers=both, body=dumps(value).encode())


def stamped(body: bytes) -> str | None:
    """Which item these bytes belong to (see clips.stamp)."""
    found = body.rpartition(b"item:")
    return found[2].split(b"\n")[0].decode() if found[1] else None


@asynccontextmanager
async def holding(files: Mapping[str, tuple[str, str]]) -> AsyncIterator[str]:
    """A site of somebody else's that holds these pages: path -> type and text."""

    async def answer(request: web.Request) -> web.Response:
        if request.path not in files:
            raise web.HTTPNotFound
        kind, text = files[request.path]
        return web.Response(text=text, content_type=kind)

    application = web.Application()
    application.router.add_get("/{anything:.*}", answer)
    async with on_a_port(application) as url:
        yield url
