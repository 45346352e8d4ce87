"""A live channel with a window to go back in and a chat page of its own, and a guest's browser at its player page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import WSMsgType, web
from playwright.async_api import BrowserContext

from tests.browser.cinema import Seat
from tests.policies.live_servers import PICTURE, stopped
from tests.running import free_port, running_gateway
from tests.system_parts import need

POLICY = """
server: A channel
item: {id: "[a-z0-9]{3,20}"}
patterns: {file: "[a-z0-9]{1,30}[.]ts"}
kinds:
  live:
    player: {src: "/hls/{id}/index.m3u8", chat: "/embed/chat/readwrite"}
    allow: ["GET /hls/{id}/index.m3u8", "GET /hls/{id}/{file}"]
    interactions:
      chat: ["page GET /embed/chat/readwrite", "GET /embed/chat.js", "WS /ws"]
guest_access: {on_revoke: cut, interactions: [ON]}
"""
CHAT = """<!doctype html><meta charset="utf-8"><title>Chat</title><ul></ul>
<form><input aria-label="Message"><button>Send</button></form><script src="/embed/chat.js"></script>"""
SCRIPT = """
const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
const [list, form, input] = ["ul", "form", "input"].map((name) => document.querySelector(name));
socket.onmessage = ({data}) => { list.append(Object.assign(document.createElement("li"), {textContent: data})); };
form.onsubmit = (event) => { event.preventDefault(); socket.send(input.value); input.value = ""; };
"""
_LONGEST = "120"  # seconds that it is on air, whatever happens to its test


@dataclass
class Channel:
    """`folder`: what is on air. `status`: how its chat page answers. `talks`: how often the chat was entered."""

    folder: Path
    status: int = 200
    talks: int = 0
    said: list[str] = field(default_factory=list)

    async def file(self, request: web.Request) -> web.StreamResponse:
        place = self.folder / request.match_info["file"]
        if not place.is_file():
            return web.Response(status=404)
        kind = "application/vnd.apple.mpegurl" if place.suffix == ".m3u8" else "video/mp2t"
        return web.Response(
            body=place.read_bytes(),
            headers={"Content-Type": kind, "Cache-Control": "no-cache", "X-Frame-Options": "DENY"},
        )

    async def chat(self, request: web.Request) -> web.Response:
        headers = {"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'"}
        return web.Response(status=self.status, text=CHAT, content_type="text/html", headers=headers)

    async def script(self, request: web.Request) -> web.Response:
        return web.Response(text=SCRIPT, content_type="text/javascript")

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.talks += 1
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.said.append(message.data)
                await socket.send_str(f"heard {message.data}")
        return socket


async def _ffmpeg(folder: Path, seconds: str, flags: str, *before: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        str(need("ffmpeg")), "-loglevel", "error", "-nostdin", *before, *PICTURE, "-t", seconds, "-f", "hls",
        *("-hls_time", "1", "-hls_list_size", "40", "-hls_flags", flags), str(folder / "index.m3u8"),
        stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


@asynccontextmanager
async def channel(folder: Path) -> AsyncIterator[tuple[Channel, int]]:
    """On air for half a minute already when it is entered; with its port."""
    folder.mkdir()
    assert await (await _ffmpeg(folder, "30", "omit_endlist")).wait() == 0
    sender = await _ffmpeg(folder, _LONGEST, "append_list+delete_segments+omit_endlist", "-re")
    found = Channel(folder)
    app = web.Application()
    app.router.add_get("/hls/one/{file}", found.file)
    app.router.add_get("/embed/chat/readwrite", found.chat)
    app.router.add_get("/embed/chat.js", found.script)
    app.router.add_get("/ws", found.talk)
    runner, port = web.AppRunner(app, shutdown_timeout=0.1), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield found, port
    finally:
        await stopped(sender)
        await runner.cleanup()


@asynccontextmanager
async def on_air(
    tmp_path: Path, context: BrowserContext, *, on: str = "chat", policy: str = POLICY
) -> AsyncIterator[tuple[Seat, Channel]]:
    async with (
        channel(tmp_path / "air") as (found, port),
        running_gateway(tmp_path, policy.replace("ON]", f"{on}]"), port) as running,
    ):
        seat = Seat(running, await context.new_page(), await running.make_link("one"))
        await seat.come()
        yield seat, found
