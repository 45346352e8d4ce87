"""A MediaMTX written from its public source (bluenviron/mediamtx, August 2026) and compared with one that ran: HLS,
WebRTC reading and the API, each on a port of its own, and a real picture by WebRTC.

    python fake_mediamtx.py mediamtx.json

It reads the part of the real one's configuration that the tests write. A path is published while a file of its name
lies in the folder `published` beside it: there is nobody who could send a stream here.

What misleads, with the place it comes from:
- HLS takes the path of a request apart as a file name, after decoding: `/cam1/..%2fcam2%2findex.m3u8` is cam2
  (internal/servers/hls/http_server.go)
- the first answer leads to itself with `cookieCheck=1`; without a cookie the session is in the query of all that
  playlists name, and nothing else of the query is asked about (internal/servers/hls/session.go)
- PATCH and DELETE of a session ask for no name and no password, the secret in the path is all; and they don't look
  whether the path before it is the session's (internal/servers/webrtc/http_server.go)
- what is not published: 404 for `whep`, whoever asks
"""

from __future__ import annotations

import asyncio
import base64
import json
import posixpath
import re
import sys
import uuid
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import web
from aiortc import (  # type: ignore[import-not-found,unused-ignore]  # of tests/media-servers.lock
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from av import VideoFrame  # type: ignore[import-not-found,unused-ignore]

CLIP = Path(__file__).parents[2] / "gateway" / "demo" / "clip" / "aurora" / "v1"
PREFIX = "0123456789ab"
FILE = re.compile(rf"{PREFIX}_main_(init|seg(\d+))\.mp4")


class Picture(VideoStreamTrack):  # type: ignore[misc,unused-ignore]
    """A small grey one that changes all the time."""

    async def recv(self) -> Any:
        pts, base = await self.next_timestamp()
        frame = VideoFrame(160, 90, "yuv420p")
        for number, plane in enumerate(frame.planes):
            plane.update(bytes([(pts // 900) % 256 if number == 0 else 128]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, Fraction(base)
        return frame


@dataclass
class Mediamtx:
    config: dict[str, Any]
    published: Path
    sessions: dict[str, Any] = field(default_factory=dict)
    hls_sessions: dict[str, str] = field(default_factory=dict)

    def live(self, name: str) -> bool:
        return name in self.config["paths"] and (self.published / name).is_file()

    def may(self, request: web.Request, action: str) -> None:
        """Basic, by the users of the configuration (internal/auth/manager.go)."""
        sort, _, said = request.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(said).decode().partition(":") if sort == "Basic" else ("", "", "")
        for one in self.config["authInternalUsers"]:
            known = (one["user"], one["pass"]) == (user, password)
            if known and any(may["action"] == action for may in one["permissions"]):
                return
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="mediamtx"'})

    async def hls(self, request: web.Request) -> web.StreamResponse:
        path = unquote(request.raw_path.partition("?")[0]).removeprefix("/")
        if path.endswith("hls.min.js"):
            return web.Response(text="/* hls.js */", content_type="application/javascript")
        folder, name = posixpath.split(path)
        folder = posixpath.normpath(folder)
        if not folder or request.method != "GET":
            return web.Response(status=404)
        if not name:
            return web.Response(text=f"<!doctype html><title>{folder}</title>", content_type="text/html")
        if name == "index.m3u8":
            self.may(request, "read")
            if request.query.get("cookieCheck") != "1":
                here = f"/{quote(folder)}/index.m3u8?cookieCheck=1"
                said = "cookieCheck=1; HttpOnly; Secure; SameSite=None; Partitioned"
                return web.Response(status=302, headers={"Location": here, "Set-Cookie": said})
            if not self.live(folder):
                return web.Response(status=404)
            session = str(uuid.uuid4())
            self.hls_sessions[session] = folder
            return self._list(f"#EXT-X-STREAM-INF:BANDWIDTH=200000\nmain_stream.m3u8?session={session}\n")
        session = request.query.get("session", "")
        if self.hls_sessions.get(session) != folder:
            return web.Response(status=401)
        if name == "main_stream.m3u8":
            text = (CLIP / "index.m3u8").read_text().replace("#EXT-X-ENDLIST", "")
            text = re.sub(r"(init|seg)-?(\d*)\.(mp4|m4s)", rf"{PREFIX}_main_\1\2.mp4?session={session}", text)
            return self._list(text.partition("\n")[2])
        found = FILE.fullmatch(name)
        file = CLIP / ("init.mp4" if found and found[1] == "init" else f"seg-{found[2]}.m4s" if found else "none")
        return (
            web.FileResponse(file, headers={"Content-Type": "video/mp4"})
            if file.is_file()
            else web.Response(status=404)
        )

    def _list(self, text: str) -> web.Response:
        return web.Response(text=f"#EXTM3U\n{text}", content_type="application/vnd.apple.mpegurl")

    async def webrtc(self, request: web.Request) -> web.StreamResponse:
        path = unquote(request.raw_path.partition("?")[0])
        if found := re.fullmatch(r"/(.+?)/(whip|whep)/([0-9a-f-]{36})", path):
            if found[3] not in self.sessions:
                return web.Response(status=404)
            if request.method == "DELETE":
                await self._end(found[3])
            return web.Response(status=200 if request.method == "DELETE" else 204)
        found = re.fullmatch(r"/(.+?)/(whip|whep|publish|publisher\.js|reader\.js|)", path)
        if found is None or "." in found[1]:
            return web.Response(status=404)
        name, what = found[1], found[2]
        self.may(request, "publish" if what in ("whip", "publish") else "read")
        if what != "whep":
            return web.Response(text="", content_type="text/html")
        if request.method == "OPTIONS":
            return web.Response(status=204)
        if request.method != "POST" or request.content_type != "application/sdp":
            return web.Response(status=400)
        if not self.live(name):
            return web.json_response({"error": f"no stream is available on path '{name}'"}, status=404)
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            await pc.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
            pc.addTrack(Picture())
            await pc.setLocalDescription(await pc.createAnswer())
        except Exception:  # whatever aiortc makes of a text that is no offer
            await pc.close()
            return web.Response(status=400)
        secret = str(uuid.uuid4())
        self.sessions[secret] = pc
        headers = {
            "Location": f"/{quote(name)}/whep/{secret}", "ID": str(uuid.uuid4()), "ETag": "*",
            "Content-Type": "application/sdp",
        }  # fmt: skip
        return web.Response(status=201, body=pc.localDescription.sdp.encode(), headers=headers)

    async def _end(self, secret: str) -> None:
        await self.sessions.pop(secret).close()

    async def api(self, request: web.Request) -> web.StreamResponse:
        self.may(request, "api")
        path = unquote(request.raw_path.partition("?")[0])
        if found := re.fullmatch(r"/v3/paths/get/(.+)", path):
            if found[1] not in self.config["paths"]:
                return web.json_response({"error": "path not found"}, status=404)
            return web.json_response({"name": found[1], "ready": self.live(found[1])})
        if path == "/v3/webrtcsessions/list":
            return web.json_response({"itemCount": len(self.sessions), "items": []})
        return web.json_response({"error": "not found"}, status=404)


async def main(config: Path) -> None:
    said = json.loads(config.read_text())
    server = Mediamtx(said, config.parent / "published")
    for where, handler in (("hls", server.hls), ("webrtc", server.webrtc), ("api", server.api)):
        application = web.Application()
        application.router.add_route("*", "/{anything:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        host, _, port = said[f"{where}Address"].rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
