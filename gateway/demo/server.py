"""The demo's media server: two items in a folder, open to whoever reaches its port.

It stands in for nginx in front of a folder of HLS items, and does as nginx does: ranges, HEAD,
conditional requests, 404 for all else, no idea of who is asking. That it is open is the point.
"""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

CLIP = Path(__file__).parent / "clip"
SHARED, PRIVATE = "aurora", "nocturne"  # the item the demo's link is for, and the one it is not for

# By name, because the system's own table (mimetypes) knows half of them, and differs between systems.
TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt; charset=utf-8",
    ".jpg": "image/jpeg",
}


@dataclass(frozen=True, slots=True)
class DemoServer:
    """Serves the files below `/hls/`, and a list of the items at `/`."""

    files: Mapping[str, Path]  # by path below /hls/; a request chooses a key, never a path

    async def index(self, request: web.Request) -> web.Response:
        items = "\n".join(
            f'<li><a href="/hls/{name}/master.m3u8"><img src="/hls/{name}/poster.jpg" alt="" width="320"><br>'
            f"{html.escape(name)}</a></li>"
            for name in (SHARED, PRIVATE)
        )
        page = (
            "<!doctype html><html lang='en'><meta charset='utf-8'><title>Demo media server</title>"
            "<h1>Demo media server</h1><p>Everything here is open to everybody who reaches this port.</p>"
            f"<ul>\n{items}\n</ul></html>"
        )
        return web.Response(text=page, content_type="text/html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        path = self.files.get(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Content-Type": TYPES[path.suffix]})

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/", self.index)
        application.router.add_get("/hls/{path:.+}", self.file)
        return application


def read_folder(folder: Path = CLIP) -> dict[str, Path]:
    """Every media file below `folder`, by its path there."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in TYPES}


@asynccontextmanager
async def serving(port: int, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Runs until left; gives the port, which differs from the one asked for when that is 0. Raises OSError."""
    runner = web.AppRunner(DemoServer(read_folder()).application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
