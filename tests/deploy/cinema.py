"""A media server that guards itself: each request needs an account's cookie or the gateway's credential.

What it says, and when, is the test's to decide: endless answers and slow files hand out one piece at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

ITEM, OTHER = "abc123", "xyz789"
PAGE, FILE, ENDLESS, SLOW, SOCKET = (
    f"/media/{ITEM}", f"/hls/{ITEM}/film.mp4", f"/endless/{ITEM}", f"/slow/{ITEM}", f"/ws/{ITEM}",
)  # fmt: skip
FILM = bytes(range(256)) * 40
CREDENTIAL = "credential-of-the-cinema"
ACCOUNT = "account=alice"

POLICY = f"""
server: Village cinema
protects_itself: true
item:
  id: "[a-z0-9]{{6,32}}"
  resolve: [{{request: "GET /api/items/{{id}}", id: $.id, gone: [404]}}]
patterns: {{file: "[A-Za-z0-9_-]+[.][a-z0-9]{{1,8}}"}}
kinds:
  video:
    open: /media/{{id}}
    allow:
      - page GET /media/{{id}}
      - GET /hls/{{id}}/{{file}}
      - GET /endless/{{id}}
      - GET /slow/{{id}}
      - WS /ws/{{id}}
upstream: {{headers: {{Authorization: "Bearer {CREDENTIAL}"}}}}
"""


@dataclass
class Cinema:
    """`said` is what the endless answer and the slow file give out, each piece when it is put there."""

    port: int = 0
    said: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    open: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def last(self, path: str) -> dict[str, str]:
        """The headers of the last request for a path, names in lower case."""
        return next(headers for asked, headers in reversed(self.asked) if asked.partition("?")[0] == path)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.raw_path, {name.lower(): value for name, value in request.headers.items()}))
        account = ACCOUNT in request.headers.get("Cookie", "").split("; ")
        if not account and request.headers.get("Authorization") != f"Bearer {CREDENTIAL}":
            return web.Response(status=401, text="the cinema wants a login")
        kind, _, item = request.path.strip("/").partition("/")
        if kind == "api":
            return web.json_response({"id": item.rpartition("/")[2]})
        if kind == "media":
            return web.Response(text=f"<title>page of {item}</title>", content_type="text/html")
        if kind == "hls":
            return film(request)
        if kind == "ws":
            return await self.talk(request)
        if kind in ("endless", "slow"):
            return await self.pieces(request, length=len(FILM) if kind == "slow" else None)
        return web.Response(text=f"{request.method} {request.raw_path}")

    async def pieces(self, request: web.BaseRequest, *, length: int | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        response.content_length = length
        await response.prepare(request)
        self.open += 1
        try:
            while True:
                await response.write(await self.said.get())
        finally:
            self.open -= 1

    async def talk(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open += 1
        async for message in socket:
            await socket.send_str(f"you said {message.data}")
        self.open -= 1
        return socket


def film(request: web.BaseRequest) -> web.Response:
    """The film, whole or the part that Range asks for; packed when the asker takes that, by the film's own hand."""
    headers = {"Content-Type": "video/mp4", "Accept-Ranges": "bytes", "ETag": '"film-1"'}
    wanted = request.http_range
    if wanted.start is None:
        return web.Response(body=FILM, headers=headers)
    if wanted.start >= len(FILM):
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(FILM)}"})
    part = FILM[wanted]
    first = wanted.start if wanted.start >= 0 else len(FILM) + wanted.start
    headers["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(FILM)}"
    return web.Response(status=206, body=part, headers=headers)


@asynccontextmanager
async def cinema() -> AsyncIterator[Cinema]:
    one = Cinema()
    runner = web.ServerRunner(web.Server(one.answer, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.port = runner.addresses[0][1]
    try:
        yield one
    finally:
        await runner.cleanup()
