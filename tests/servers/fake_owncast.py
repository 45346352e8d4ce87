"""An Owncast written from its public source (owncast/owncast, main of 2026) and compared with a 0.1.3 that ran: the
stream as HLS, the status, the chat with its page, and the doors of the admin.

    python fake_owncast.py -webserverport 8080 -adminpassword …

It takes the arguments of the real one that the tests write. It is online while a file `published` lies where it was
started: there is nobody who could send a stream here. What is published it makes itself with ffmpeg.

What misleads, with the place it comes from:
- whoever registers has a name and a token of their own; in newer ones the header X-Forwarded-User wins over the name
  in the body, in 0.1.3 it was the other way round (webserver/handlers/chat.go). See fake_owncast_chat.py
- any method is answered like any other, on nearly every path (webserver/router/router.go: HandleFunc)
- pages are files whose path is cleaned, so `/x/../admin/` shows the admin's page to who is no admin
  (webserver/handlers/index.go: serveWeb); what stands there asks for a password later
- `/api/config` names another host for the chat, and so does `/`, in a script (webserver/handlers/config.go, index.go)
- `/` in the hands of a player is a redirect to the stream (webserver/handlers/index.go: IsUserAgentAPlayer)
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import shutil
import signal
import sys
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.servers.asked import Asked, Fake, Refused, send_file, wants_websocket
from tests.servers.fake_owncast_chat import Chat, User
from tests.servers.go_target import first, read_query, route_path, unescape

PAGES = Path(__file__).parent / "pages" / "owncast"
STREAM = (
    *("-re", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=10", "-f", "lavfi", "-i", "sine=frequency=330"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac", "-b:a", "32k"),
    *("-t", "150", "-f", "hls", "-hls_time", "1", "-hls_list_size", "6", "-hls_flags", "delete_segments+omit_endlist"),
)  # fmt: skip
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="#65e"/></svg>'


async def stopped(encoder: asyncio.subprocess.Process | None) -> None:
    if encoder is not None and encoder.returncode is None:
        encoder.kill()
        await encoder.wait()


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class FakeOwncast(Fake):
    password: str = ""
    home: Path = field(default_factory=Path.cwd)
    name: str = "New Owncast Server"
    override: str = ""
    chat: Chat = field(default_factory=Chat)

    @property
    def hls(self) -> Path:
        return self.home / "data" / "hls"

    # --- the stream ---

    async def watch(self) -> None:
        """Goes online and offline with the file `published` (core/streamState.go), until cancelled."""
        encoder: asyncio.subprocess.Process | None = None
        try:
            while True:
                await asyncio.sleep(0.1)
                wanted = (self.home / "published").is_file()
                if wanted == self.chat.online:
                    continue
                self.chat.online = wanted
                self.chat.connected, self.chat.disconnected = (now(), None) if wanted else (None, now())
                if wanted:
                    encoder = await self._encode()
                else:
                    await stopped(encoder)
                    with (self.hls / "0" / "stream.m3u8").open("a") as playlist:
                        playlist.write("#EXT-X-ENDLIST\n")
        finally:
            await stopped(encoder)

    async def _encode(self) -> asyncio.subprocess.Process:
        shutil.rmtree(self.hls, ignore_errors=True)
        (self.hls / "0").mkdir(parents=True)
        (self.hls / "stream.m3u8").write_text(
            "#EXTM3U\n#EXT-X-VERSION:6\n"
            '#EXT-X-STREAM-INF:BANDWIDTH=200000,RESOLUTION=160x90,CODECS="avc1.64000a,mp4a.40.2"\n0/stream.m3u8\n'
        )
        folder = self.hls / "0"
        names = folder / "stream-tB9xk_-g-%d.ts"
        return await asyncio.create_subprocess_exec(
            "ffmpeg", "-loglevel", "error", "-nostdin", *STREAM, "-hls_segment_filename", str(names),
            str(folder / "stream.m3u8"), stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    # --- requests ---

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        routed, path = route_path(asked.path), unescape(asked.path)
        if routed is None or path is None:
            raise Refused(400)
        query = read_query(asked.query)
        if path == "/debug/vars":
            raise Refused(404)
        if path.rstrip("/") == "/embed/chat":
            return web.Response(status=307, headers={"Location": "/embed/chat/readonly"})
        if routed == "/ws":
            return await self._talk(request, asked, first(query, "accessToken"))
        if routed.startswith("/hls/"):
            return self._stream(path)
        if routed.startswith("/api/"):
            return await self._api(routed, asked, query)
        if routed.startswith("/admin/"):
            self._only_admin(asked)
        if routed in ("/thumbnail.jpg", "/logo", "/logo/external", "/favicon.ico", "/preview.gif"):
            return web.Response(body=PICTURE, content_type="image/svg+xml")
        if routed.startswith(("/federation/", "/.well-known/", "/nodeinfo/")):
            return web.json_response({"federation": True})
        if routed == "/customjavascript":
            return web.Response(text="/* the admin's own */", content_type="text/javascript")
        return self._page(path, asked)

    def _stream(self, path: str) -> web.StreamResponse:
        """webserver/handlers/hls.go: HandleHLSRequest."""
        relative = path.removeprefix("/hls/")
        local = not posixpath.normpath(relative).startswith("..") and not relative.startswith("/")
        file = self.hls / relative
        if file.suffix not in (".m3u8", ".ts") or not local or not file.is_file():
            raise Refused(404)
        own = "*" if file.suffix == ".ts" else "no-cache"
        sort = "video/mp2t" if file.suffix == ".ts" else "application/x-mpegURL"
        return send_file(file, Content_Type=sort, Cache_Control="public, max-age=7" if own == "*" else own)

    def _page(self, path: str, asked: Asked) -> web.StreamResponse:
        """webserver/handlers/index.go; the rest is Go's FileServer on files that lie in the program."""
        if path == "/" and "VLC" in (asked.header("User-Agent") or ""):
            return web.Response(status=307, headers={"Location": "/hls/stream.m3u8"})
        headers = {
            "Content-Security-Policy": "script-src 'nonce-aB1cD' 'self'; worker-src 'self' blob:",
            "Access-Control-Allow-Origin": "*",
        }
        if path == "/" or path.endswith("/index.html"):
            hydrated = json.dumps(json.dumps(self._config()))
            page = f"<!doctype html><script nonce=aB1cD>window.configHydration = {hydrated}</script>"
            return web.Response(text=page, content_type="text/html", headers=headers)
        clean = posixpath.normpath(f"/{path}")
        file = PAGES / clean.lstrip("/")
        if file.is_dir():
            if not path.endswith("/"):
                return web.Response(status=301, headers={"Location": f"{posixpath.basename(clean)}/"})
            file = file / "index.html"
        if not file.is_file():
            raise Refused(404, "404 page not found\n")
        return send_file(file, **{name.replace("-", "_"): value for name, value in headers.items()})

    async def _talk(self, request: web.Request, asked: Asked, token: str) -> web.StreamResponse:
        """services/chat/server.go: HandleClientConnection. Whatever goes wrong before the upgrade is a plain 200."""
        if self.chat.disabled:
            return web.Response(text="CHAT_DISABLED")
        if self._address(asked) in self.chat.banned:
            raise Refused(403)
        if not wants_websocket(request):
            raise Refused(400, "Bad Request\n")
        return await self.chat.talk(request, token)

    def _address(self, asked: Asked) -> str:
        """utils/clientId.go: the first that X-Forwarded-For names, whoever says so."""
        return (asked.header("X-Forwarded-For") or "127.0.0.1").split(", ")[0]

    def _only_admin(self, asked: Asked) -> None:
        known = "Basic " + b64encode(f"admin:{self.password}".encode()).decode()
        if asked.header("Authorization") != known:
            raise Refused(401, "Unauthorized\n")

    async def _api(self, path: str, asked: Asked, query: list[tuple[str, str]]) -> web.StreamResponse:
        cors = {"Access-Control-Allow-Origin": "*"}
        if path == "/api/status":
            return web.json_response({
                "serverTime": now(), "lastConnectTime": self.chat.connected,
                "lastDisconnectTime": self.chat.disconnected, "versionNumber": "0.2.5", "streamTitle": "",
                "online": self.chat.online,
            })  # fmt: skip
        if path == "/api/config":
            return web.json_response(self._config(), headers=cors)
        if path == "/api/emoji":
            return web.json_response([{"name": "wave", "url": "/img/emoji/wave.svg"}])
        if path == "/api/chat/register":
            return self._register(asked)
        if path == "/api/chat":
            self._member(query)
            return web.json_response(self.chat.history, headers=cors)
        if path.startswith("/api/admin/"):
            self._only_admin(asked)
            return web.json_response(self._administer(path.removeprefix("/api/admin/"), _body(asked)))
        if path in ("/api/chat/messagevisibility", "/api/chat/users/setenabled") or path.startswith("/api/moderation/"):
            if not self._member(query).moderator:
                raise Refused(401, "unauthorized")
            if path.endswith("setenabled"):
                self.chat.enable(_body(asked)["userId"], _body(asked)["enabled"])
            return web.json_response({"success": True})
        if path.startswith(("/api/integrations/", "/api/auth/")):
            raise Refused(401, "unauthorized")
        if path in ("/api/followers", "/api/remotefollow", "/api/socialplatforms", "/api/video/variants"):
            return web.json_response([])
        if path in ("/api/ping", "/api/metrics/playback", "/api/notifications/register"):
            return web.json_response({"success": True})
        raise Refused(404)

    def _member(self, query: list[tuple[str, str]]) -> User:
        """webserver/router/middleware/auth.go: RequireUserAccessToken."""
        user = self.chat.users.get(first(query, "accessToken"))
        if user is None or user.disabled:
            raise Refused(401, "unauthorized")
        return user

    def _register(self, asked: Asked) -> web.Response:
        if asked.method == "OPTIONS":
            return web.Response(status=204)
        said = _body(asked).get("displayName")
        token, user = self.chat.register(asked.header("X-Forwarded-User") or (said if isinstance(said, str) else ""))
        if user is None:
            return web.json_response({"success": False, "message": "display name cannot be empty"}, status=400)
        answer = web.json_response({"id": user.id, "accessToken": token, "displayName": user.name})
        answer.headers["Set-Cookie"] = f"owncast_chat_token={token}; Path=/; HttpOnly; SameSite=Lax"
        return answer

    def _config(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "name": self.name, "summary": "", "streamTitle": "", "logo": "/logo", "version": "Owncast v0.2.5",
            "extraPageContent": "", "tags": [], "socialHandles": [], "externalActions": [],
            "maxSocketPayloadSize": 2048, "chatDisabled": self.chat.disabled,
            "notifications": {"browser": {"enabled": False}}, "federation": {"enabled": False},
            "authentication": {"indieAuthEnabled": False}, "appearanceVariables": {},
        }  # fmt: skip
        return found | ({"socketHostOverride": self.override} if self.override else {})

    def _administer(self, what: str, said: dict[str, Any]) -> Any:
        """What the tests, as the admin, change and look at."""
        if what == "config/name":
            self.name = said["value"]
        elif what == "config/sockethostoverride":
            self.override = said["value"]
        elif what == "config/chat/disable":
            self.chat.disabled = said["value"]
        elif what == "chat/users/setmoderator":
            self.chat.find(said["userId"]).moderator = said["isModerator"]
        elif what == "chat/users/setenabled":
            self.chat.enable(said["userId"], said["enabled"])
        elif what == "chat/users/ipbans/create":
            self.chat.banned.add(said["value"])
        elif what == "chat/users/ipbans/remove":
            self.chat.banned.discard(said["value"])
        elif what == "chat/clients":
            return [{"user": one.user.said(), "ipAddress": ""} for one in self.chat.clients]
        elif what == "chat/messages":
            return self.chat.history
        return {"success": True, "message": "changed"}


def _body(asked: Asked) -> dict[str, Any]:
    """A body that can't be read is none (webserver/handlers/chat.go); keys in any case, the last one counts."""
    try:
        pairs = json.loads(asked.body, object_pairs_hook=list)
    except ValueError:
        return {}
    known = {"displayname": "displayName", "userid": "userId", "ismoderator": "isModerator"}
    return {known.get(key.lower(), key.lower()): value for key, value in pairs} if isinstance(pairs, list) else {}


async def main(words: list[str]) -> None:
    said = dict(zip(words[::2], words[1::2], strict=True))
    fake = FakeOwncast(password=said["-adminpassword"])
    fake.chat.began = time.monotonic()
    runner = web.AppRunner(fake.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, said.get("-webserverip", "127.0.0.1"), int(said["-webserverport"])).start()
    watching = asyncio.create_task(fake.watch())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, watching.cancel)
    with suppress(asyncio.CancelledError):
        await watching


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
