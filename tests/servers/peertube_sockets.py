"""The fake PeerTube's sockets: server/core/lib/peertube-socket.ts and server/core/controllers/tracker.ts.

Nobody is asked who they are, and none of this is bound to one video.
"""

from __future__ import annotations

import json
import re
import secrets

from aiohttp import WSMsgType, web

from tests.servers.asked import wants_websocket
from tests.servers.peertube_library import Library

_FOLLOW = r'42/live-videos,\["subscribe",\{"videoId":(\d+)\}\]'


async def sockets(request: web.Request, path: str, library: Library) -> web.StreamResponse | None:
    if path.startswith("/socket.io/"):
        return await _socket_io(request, library)
    if path == "/tracker/socket" and wants_websocket(request):
        # Peers of one film learn each other's addresses here.
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(json.dumps({"action": "announce", "peers": ["198.51.100.7"]}))
        return socket
    if path == "/tracker/announce":
        return web.Response(text="d8:intervali900e5:peers0:e")
    return None


async def _socket_io(request: web.Request, library: Library) -> web.StreamResponse:
    """Engine.IO 4. `/live-videos` follows any numeric id; `/runners` is behind the same address."""
    opening = json.dumps({"sid": secrets.token_hex(8), "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000})
    if not wants_websocket(request):
        return web.Response(text="0" + opening)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("0" + opening)
    async for message in socket:
        text = message.data if message.type is WSMsgType.TEXT else ""
        if joined := re.fullmatch(r"40(/live-videos|/runners),.*", text):
            await socket.send_str(f'40{joined[1]},{{"sid":"{secrets.token_hex(8)}"}}')
        elif text.startswith("40/user-notifications"):  # the one that wants a token
            await socket.send_str('44/user-notifications,{"message":"invalid_token"}')
        elif (followed := re.fullmatch(_FOLLOW, text)) and (video := library.find(followed[1])):
            change = json.dumps(["state-change", {"id": video.number, "state": video.state}])
            await socket.send_str(f"42/live-videos,{change}")
    return socket
