"""A go2rtc written from its public source (AlexxIT/go2rtc v1.9.14) and compared with one that ran: the HTTP API as far
as it plays and as far as it misleads.

    python fake_go2rtc.py go2rtc.json

It reads the part of the real one's configuration that the tests write. To a stream without a source somebody sends
while a file of its name lies in the folder `published` beside it. What is played is the demo's clip, over and over.

What misleads, with the place it comes from:
- what is no name of a stream, but looks like an address, is opened: by the websocket, `stream.mp4` and `frame.jpeg`,
  whoever asks; beside `name=` it becomes that stream's source (internal/streams/streams.go, GetOrPatch and Patch)
- `/api/streams` without `src`, or with it spelt in another case, tells all streams with their sources (streams/api.go)
- any method begins a session of HLS; its id says nothing of the stream, and whoever has it gets the pieces, the next
  ones whatever number is asked for (internal/hls/hls.go, session.go)
- a source that can't be reached: HLS answers 200 with nothing, the others tell the address (hls.go, mp4.go, ws.go)
- of a key in a message the last counts, in any case; what follows the first value of a frame does not (api/ws/ws.go)
- the password is not asked for on loopback, unless `local_auth` says so (internal/api/api.go)
- ServeMux leads `//` and `/../` elsewhere by 307, and the files of the page are found by the tidied decoded path
"""

from __future__ import annotations

import asyncio
import base64
import json
import posixpath
import re
import secrets
import string
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit

from aiohttp import WSMsgType, web

CLIP = Path(__file__).parents[2] / "gateway" / "demo" / "clip" / "aurora" / "v1"
PAGES = Path(__file__).parent / "pages" / "go2rtc"
CODECS = "avc1.42c01e,mp4a.40.2"
SCHEMES = {"rtsp", "rtsps", "rtmp", "http", "https", "tcp", "ffmpeg", "onvif", "webrtc", "exec", "echo", "expr"}
INSECURE = {"exec", "echo", "expr"}
KEEP = 5.0  # seconds a session lives without a piece being asked for
TYPES = {".html": "text/html", ".js": "text/javascript"}


def query_of(target: str) -> dict[str, list[str]]:
    """As Go reads one: a pair with a semicolon is none."""
    found: dict[str, list[str]] = {}
    for pair in target.partition("?")[2].split("&"):
        if pair and ";" not in pair:
            name, _, value = pair.partition("=")
            found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


@dataclass
class Session:
    """Of HLS: where it is in the clip, and since when nobody asked."""

    piece: int = 0
    number: int = 0
    asked: float = field(default_factory=time.monotonic)


class Unreachable(Exception):
    """A source can't be opened; the text is what the real one tells."""


@dataclass
class Go2rtc:
    config: dict[str, Any]
    published: Path
    streams: dict[str, list[str]] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    consumers: int = 0

    def __post_init__(self) -> None:
        self.pieces = [file.read_bytes() for file in sorted(CLIP.glob("seg-*.m4s"))]
        self.init = (CLIP / "init.mp4").read_bytes()
        for name, source in self.config["streams"].items():
            self.streams[name] = [source] if source else []

    def allowed(self, request: web.Request) -> None:
        said = self.config["api"]
        if not said.get("username") or not (said.get("local_auth") or not str(request.remote).startswith("127.")):
            return
        sort, _, token = request.headers.get("Authorization", "").partition(" ")
        wanted = f"{said['username']}:{said['password']}"
        if sort != "Basic" or base64.b64decode(token).decode() != wanted:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="go2rtc"'})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.allowed(request)
        raw, mark, query = request.raw_path.partition("?")
        clean = posixpath.normpath(re.sub("/+", "/", raw)) + ("/" if raw.endswith("/") and raw.strip("/") else "")
        if clean != raw:
            return web.Response(status=307, headers={"Location": clean + mark + query})
        asked = query_of(request.raw_path)
        # A slash that is written encoded parts nothing here.
        path = "/".join(unquote(one) if "%2f" not in one.lower() else one for one in raw.split("/"))
        door = self.doors().get(path)
        if door is None:
            return self.file(raw) if not path.startswith("/api/") else web.Response(status=404)
        only = self.config["api"].get("allow_paths")
        if only is not None and path not in only:
            return web.Response(status=404)
        return await door(request, asked)

    def doors(self) -> dict[str, Any]:
        return {
            "/api": self.told, "/api/config": self.told, "/api/log": self.told, "/api/stack": self.told,
            "/api/schemes": self.told, "/api/preload": self.told, "/api/streams.dot": self.told,
            "/api/streams": self.of_streams, "/api/ws": self.socket,
            "/api/stream.m3u8": self.begin, "/api/hls/playlist.m3u8": self.playlist,
            "/api/hls/init.mp4": self.first, "/api/hls/segment.m4s": self.piece,
            "/api/stream.mp4": self.picture, "/api/frame.jpeg": self.picture,
        }  # fmt: skip

    def file(self, raw: str) -> web.StreamResponse:
        name = posixpath.normpath("/" + unquote(raw))
        file = PAGES / name.lstrip("/")
        if name == "/":
            return web.Response(text="<!doctype html><title>go2rtc</title>", content_type="text/html")
        if not file.is_file():
            return web.Response(status=404)
        return web.Response(body=file.read_bytes(), content_type=TYPES[file.suffix])

    async def told(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        return web.json_response({"config": self.config})

    def producers(self, name: str) -> list[dict[str, str]] | None:
        """None before anybody ever sent, and an empty list when they went."""
        known = [{"url": one} for one in self.streams[name]]
        if (self.published / name).is_file():
            known.append({"format_name": "rtsp", "remote_addr": "192.0.2.7:50000", "user_agent": "Lavf"})
        return known or ([] if (self.published / f"{name}.was").is_file() else None)

    async def of_streams(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        source = asked.get("src", [""])[0]
        if not source and request.method != "POST":
            everything = {name: {"producers": self.producers(name), "consumers": None} for name in self.streams}
            return web.json_response(everything)
        if request.method == "DELETE":
            self.streams.pop(source, None)
            return web.Response()
        if request.method in ("PUT", "PATCH"):
            self.streams[asked.get("name", [source])[0]] = asked["src"]
            return web.Response()
        if request.method != "GET" or source not in self.streams:
            return web.Response(status=404 if request.method == "GET" else 400, text="\n")
        return web.json_response({"producers": self.producers(source), "consumers": None})

    def get_or_patch(self, asked: dict[str, list[str]]) -> str | None:
        source = asked.get("src", [""])[0]
        if source in self.streams:
            return source
        name = asked.get("name", [source])[0]
        scheme, colon, _ = source.partition(":")
        if not colon or scheme not in SCHEMES or scheme in INSECURE or re.search(r"\s", source):
            return None
        self.streams[name] = [source]
        return name

    async def opened(self, name: str) -> None:
        """Its source is connected to, when there is one and nobody sends."""
        if (self.published / name).is_file():
            return
        for source in self.streams[name]:
            parts = urlsplit(source)
            try:
                _, writer = await asyncio.wait_for(
                    asyncio.open_connection(parts.hostname, parts.port or 554), timeout=5
                )
            except (OSError, TimeoutError):
                raise Unreachable(f"dial tcp {parts.hostname}:{parts.port}: connect: connection refused") from None
            writer.write(f"DESCRIBE {source} RTSP/1.0\r\n\r\n".encode())
            writer.close()
            raise Unreachable("EOF")
        raise Unreachable("unknown error")

    async def begin(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return self.listed("")
        name = asked.get("src", [""])[0]
        if name not in self.streams:
            return web.Response(status=404, text="stream not found\n")
        try:
            await self.opened(name)
        except Unreachable:
            return self.listed("")
        session = self.new_session()
        return self.listed(
            f'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=192000,CODECS="{CODECS}"\nhls/playlist.m3u8?id={session}'
        )

    def new_session(self) -> str:
        name = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))
        self.sessions[name] = Session()
        return name

    def listed(self, text: str) -> web.Response:
        said = {"Content-Type": "application/vnd.apple.mpegurl", "Access-Control-Allow-Origin": "*"}
        return web.Response(body=text.encode(), headers=said)

    def session(self, asked: dict[str, list[str]]) -> tuple[str, Session]:
        name = asked.get("id", [""])[0]
        found = self.sessions.get(name)
        if found is None or time.monotonic() - found.asked > KEEP:
            raise web.HTTPNotFound
        return name, found

    async def playlist(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        name, found = self.session(asked)
        pieces = "".join(f"\n#EXTINF:2.000,\nsegment.m4s?id={name}&n={found.number + one}" for one in (0, 1))
        return self.listed(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n"
            f'#EXT-X-MEDIA-SEQUENCE:{found.number}\n#EXT-X-MAP:URI="init.mp4?id={name}"{pieces}'
        )

    async def first(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        self.session(asked)
        return web.Response(body=self.init, content_type="video/mp4")

    async def piece(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        _, found = self.session(asked)
        found.asked = time.monotonic()
        found.number += 1
        found.piece = min(found.piece + 1, len(self.pieces))
        return web.Response(body=self.pieces[found.piece - 1], content_type="video/iso.segment")

    async def picture(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        name = self.get_or_patch(asked)
        if name is None:
            return web.Response(status=404, text="stream not found\n")
        try:
            await self.opened(name)
        except Unreachable as why:
            return web.Response(status=500, text=f"streams: {why}\n")
        return web.Response(body=self.init + self.pieces[0], content_type="video/mp4")

    async def socket(self, request: web.Request, asked: dict[str, list[str]]) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        playing: list[asyncio.Task[None]] = []
        try:
            async for frame in socket:
                if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                said = self.read(frame.data)
                playing.append(asyncio.create_task(self.answer(socket, asked, said)))
        except ValueError:
            await socket.close()
        finally:
            for one in playing:
                one.cancel()
        return socket

    def read(self, data: str | bytes) -> dict[str, Any]:
        """The first value of a frame, as Go takes it into its fields."""
        text = data if isinstance(data, str) else data.decode()
        found: dict[str, Any] = {}

        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            return {key.lower(): value for key, value in items}

        value, _ = json.JSONDecoder(object_pairs_hook=pairs).raw_decode(text.lstrip())
        if not isinstance(value, dict):
            raise ValueError("no object")
        found.update(value)
        return found

    async def answer(self, socket: web.WebSocketResponse, asked: dict[str, list[str]], said: dict[str, Any]) -> None:
        sort = said.get("type")
        if sort not in ("mse", "mp4", "mjpeg", "hls", "webrtc", "webrtc/offer"):
            return
        name = self.get_or_patch(asked)
        try:
            if name is None:
                raise Unreachable("stream not found")
            await self.opened(name)
            if sort == "mjpeg":
                raise Unreachable("streams: codecs not matched: video:H264 => video:JPEG")
        except Unreachable as why:
            await socket.send_json({"type": "error", "value": f"{sort}: {why}"})
            return
        if sort == "hls":
            await socket.send_json({"type": "hls", "value": f"#EXTM3U\nhls/playlist.m3u8?id={self.new_session()}"})
            return
        if sort.startswith("webrtc"):
            await socket.send_json({"type": "webrtc/answer", "value": "v=0\r\n"})
            return
        await socket.send_json({"type": "mse", "value": f'video/mp4; codecs="{CODECS}"'})
        await socket.send_bytes(self.init)
        for piece in self.pieces:
            await socket.send_bytes(piece)
            await asyncio.sleep(1.5)


async def main(config: Path) -> None:
    said = json.loads(config.read_text())
    server = Go2rtc(said, config.parent / "published")
    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    host, _, port = said["api"]["listen"].rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
