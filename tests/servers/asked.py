"""What the fakes of this package share: a log of every request, files with ranges, a port of their own.

    class FakeThing(Fake):
        async def answer(self, request, asked): ...

    async with fake.running() as url:        "http://127.0.0.1:<port>"
        ...
    assert fake.asked == []                  nothing was sent upstream

Targets are kept as they stood on the request line: which spellings a gateway sends is what tests look at.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "application/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".xml": "text/xml",
    ".svg": "image/svg+xml",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
    ".ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".vtt": "text/vtt; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    target: str  # raw: path and query, nothing decoded
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """Its value; several are joined as HTTP reads them."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found) if found else None


class Refused(Exception):
    """Raised anywhere in a fake: this is the answer."""

    def __init__(self, status: int, text: str = "", content_type: str = "text/plain") -> None:
        super().__init__(f"{status} {text}")
        self.status, self.text, self.content_type = status, text, content_type


@dataclass
class Fake:
    """A server in the test's own process. `asked` is the log, oldest first; tests may clear it."""

    asked: list[Asked] = field(default_factory=list, init=False)
    url: str = field(default="", init=False)  # while it is running

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        raise NotImplementedError

    @property
    def targets(self) -> list[str]:
        return [f"{one.method} {one.target}" for one in self.asked]

    def application(self) -> web.Application:
        # One route for everything: aiohttp's own decoding and its own 404 stay out of the way.
        application = web.Application(client_max_size=1 << 22)
        application.router.add_route("*", "/{anything:.*}", self._handle)
        return application

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with on_a_port(self.application()) as url:
            self.url = url
            yield url

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = b"" if _is_upgrade(request) else await request.read()
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
        asked = Asked(request.method, request.raw_path, headers, body)
        self.asked.append(asked)
        try:
            return await self.answer(request, asked)
        except Refused as refused:
            return web.Response(status=refused.status, text=refused.text, content_type=refused.content_type)


def _is_upgrade(request: web.Request) -> bool:
    return "upgrade" in request.headers.get("Connection", "").lower()


def wants_websocket(request: web.Request) -> bool:
    return _is_upgrade(request) and request.headers.get("Upgrade", "").lower() == "websocket"


@asynccontextmanager
async def on_a_port(application: web.Application) -> AsyncIterator[str]:
    """Serves on a free loopback port until left."""
    # Tests that leave a stream half read must not wait for it.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def origin_form(target: str) -> str:
    """Path and query of a target that names the server as well (`GET http://host/path`): servers take both."""
    found = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?]*", target)
    return (target[found.end() :] or "/") if found else target


def send_file(path: Path, **headers: str) -> web.StreamResponse:
    """A file with ranges and conditional requests, as static servers send it. Names use `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.FileResponse(path, headers={"Content-Type": TYPES.get(path.suffix, "application/octet-stream"), **named})
