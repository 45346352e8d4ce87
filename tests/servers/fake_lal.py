"""A lal (lalserver) written from its public source (q191201771/lal v0.37.4) and compared with one that ran: HTTP-FLV,
HLS and its API, each on the port it has there.

    python fake_lal.py lalserver.json

It reads the part of the real one's configuration that the tests write. Somebody publishes a stream while a file of its
name lies in the folder `published` beside it. FLV is made by ffmpeg, with the stream's name as its title; a piece of
HLS says its stream's name and is nothing to look at.

What misleads, with the place it comes from:
- a stream is the last part of the decoded path, whatever stands before it and whatever the method is; a websocket
  plays it as well (pkg/logic/http_server_handler.go, pkg/base/url.go)
- of HLS: the part before `playlist.m3u8` and `record.m3u8`, else the last one without `.m3u8`, or of a piece without
  its last two numbers (pkg/hls/path_strategy.go)
- MPEG-TS plays wherever FLV does, also with `httpts` off (pkg/logic/server_manager__.go: one handler for both)
- where HLS is off, `/hls/cam-1-2.ts` is the stream `cam-1-2` as MPEG-TS, for as long as it runs
  (pkg/logic/http_server_handler.go)
- one that nobody publishes: FLV begins and then nothing comes; and it is known to the API from then on, with an empty
  `pub` (pkg/logic/group_manager.go, http_api.go)
- the secret of a stream lets play and publish. A wrong one: a playlist with nothing in it, or no answer at all;
  pieces are never asked for one (pkg/logic/simple_auth.go)
- `sub_session_hash_key`: a redirect that repeats the whole query, and the session in what the playlist names; a
  session that is none is taken as well (pkg/hls/server_handler.go)
- ServeMux leads to the tidied decoded path by 301: `/live/camA%2f..%2fcamB.flv` to camB (its go.mod says Go 1.18, and
  so Go's later, stricter reading is off); on the API all methods do all
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import posixpath
import re
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from aiohttp import web

HEADER = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
EMPTY = {"session_id": "", "protocol": "", "base_type": "", "remote_addr": ""}


@dataclass
class Lal:
    config: dict[str, Any]
    published: Path
    waiting: dict[str, int] = field(default_factory=dict)

    def live(self, name: str) -> bool:
        return "/" not in name and (self.published / name).is_file()

    def may(self, name: str, query: str, what: str) -> bool:
        said = self.config.get("simple_auth", {})
        if not said.get(what):
            return True
        given = parse_qs(query).get("lal_secret", [""])[0].lower()
        own = hashlib.md5(f"{said['key']}{name}".encode(), usedforsecurity=False).hexdigest()
        return bool(given) and given in (own, said.get("dangerous_lal_secret") or own)

    async def media(self, request: web.Request) -> web.StreamResponse:
        raw, mark, query = request.raw_path.partition("?")
        path = unquote(raw)
        clean = posixpath.normpath(re.sub("/+", "/", path)) + ("/" if path.endswith("/") and path.strip("/") else "")
        if clean != path:
            return web.Response(status=301, headers={"Location": quote(clean) + mark + query})
        if self.config["hls"]["enable"] and raw.startswith("/hls/"):
            return self.hls(path, query)
        name, dot, sort = path.rpartition("/")[2].rpartition(".")
        if not dot or sort not in ("flv", "ts") or not self.may(name, query, "sub_httpflv_enable"):
            return self.cut_off(request)
        return await self.endless(request, name, sort)

    def cut_off(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def hls(self, path: str, query: str) -> web.StreamResponse:
        *before, last = path.split("/")
        name, dot, sort = last.rpartition(".")
        if not dot or sort not in ("m3u8", "ts"):
            return web.Response(status=302)
        if sort == "ts":
            found = re.fullmatch(r"(.*)-(\d*)-(\d*)", name)
            stream = found[1] if found else ""
            if found is None or not self.live(stream) or not found[2]:
                return web.Response(status=404)
            return self.answer(b"G" * 188 + stream.encode(), "video/mp2t")
        stream = before[-1] if last in ("playlist.m3u8", "record.m3u8") else name
        if not self.may(stream, query, "hls_m3u8_enable"):
            return web.Response()
        session = parse_qs(query).get("session_id", [""])[0]
        if self.config["hls"].get("sub_session_hash_key") and not session:
            more = f"{query}&" if query else ""
            return web.Response(status=302, headers={"Location": f"{path}?{more}session_id={secrets.token_hex(16)}"})
        if not self.live(stream):
            return web.Response(status=404)
        return self.answer(self.playlist(stream, session, whole=last == "record.m3u8"), "application/x-mpegurl")

    def playlist(self, stream: str, session: str, *, whole: bool) -> bytes:
        began = int((self.published / stream).stat().st_mtime)
        number = int(time.time()) - began
        more = f"?session_id={session}" if session else ""
        pieces = "".join(
            f"#EXTINF:1.000,\n{stream}-{(began + one) * 1000 + 3}-{one}.ts{more}\n"
            for one in range(0 if whole else max(0, number - 6), number + 1)
        )
        text = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{max(0, number - 6)}\n\n"
        return (text + pieces + ("#EXT-X-ENDLIST\n" if whole else "")).encode()

    def answer(self, body: bytes, sort: str) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": sort, "Access-Control-Allow-Origin": "*"})

    async def endless(self, request: web.Request, name: str, sort: str) -> web.StreamResponse:
        answer: web.StreamResponse | web.WebSocketResponse
        if request.headers.get("Upgrade") == "websocket":
            answer = web.WebSocketResponse()
        else:
            answer = web.StreamResponse(headers={"Content-Type": {"flv": "video/x-flv", "ts": "video/mp2t"}[sort]})
        await answer.prepare(request)
        send = answer.send_bytes if isinstance(answer, web.WebSocketResponse) else answer.write
        self.waiting[name] = self.waiting.get(name, 0) + 1
        try:
            if self.live(name):
                await self.film(name, sort, send)
            else:
                await send(HEADER)
            await asyncio.sleep(15)  # and then the real one ends it
        finally:
            self.waiting[name] -= 1
        return answer

    async def film(self, name: str, sort: str, send: Any) -> None:
        """A picture and a tone in real time, until nobody publishes any more."""
        process = await asyncio.create_subprocess_exec(
            "ffmpeg", "-loglevel", "quiet", "-nostdin", "-re",
            "-f", "lavfi", "-i", "testsrc=size=160x90:rate=10", "-f", "lavfi", "-i", "sine=frequency=330",
            "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10",
            "-c:a", "aac", "-b:a", "32k", "-metadata", f"title={name}", "-t", "150",
            "-f", {"flv": "flv", "ts": "mpegts"}[sort], "-flush_packets", "1", "-",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            while self.live(name) and (piece := await process.stdout.read(65_536)):
                await send(piece)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def api(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/api/stat/group":
            name = request.query.get("stream_name", "")
            if not name:
                return web.json_response({"error_code": 1002, "desp": "param missing", "data": None})
            return web.json_response(self.told(name))
        if path == "/api/stat/all_group":
            groups = [self.told(file.name)["data"] for file in self.published.iterdir()]
            return web.json_response({"error_code": 0, "desp": "succ", "data": {"groups": groups}})
        if path == "/api/stat/lal_info":
            return web.json_response({"error_code": 0, "data": {"server_id": "1", "bin_info": "fake"}})
        if path == "/lal.html":
            return web.Response(text="<!doctype html><title>lal</title>", content_type="text/html")
        if path.startswith("/api/ctrl/"):
            return web.json_response({"error_code": 1002, "desp": "param missing"})
        return web.json_response({"error_code": 1005, "desp": "page not found"}, status=404)

    def told(self, name: str) -> dict[str, Any]:
        if not self.live(name) and not self.waiting.get(name):
            return {"error_code": 1001, "desp": "group not found", "data": None}
        pub = {**EMPTY, "session_id": "RTMPPUBSUB1", "protocol": "RTMP"} if self.live(name) else EMPTY
        data = {"stream_name": name, "app_name": "live", "pub": pub, "pull": EMPTY, "subs": None}
        return {"error_code": 0, "desp": "succ", "data": data}


async def main(config: Path) -> None:
    said = json.loads(config.read_text())
    server = Lal(said, config.parent / "published")
    for where, handler in (
        (said["default_http"]["http_listen_addr"], server.media),
        (said["http_api"]["addr"], server.api),
    ):
        application = web.Application()
        application.router.add_route("*", "/{anything:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        host, _, port = where.rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
