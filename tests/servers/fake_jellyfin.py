"""A Jellyfin 10.11, or with `legacy=False` a 12: playback of one item, and what lies beside it.

Read from `jellyfin/jellyfin` at c3ed1407 (12.0 rc) and tag v10.11.9; paths in comments are of that repository. Not run:
the server needs .NET packages. "open" in the table of routes is the server's own: no attribute asks for a token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from re import Match

from aiohttp import web

from tests.servers import jellyfin_items as items
from tests.servers import jellyfin_playback as playback
from tests.servers.asked import Asked, Fake, Refused, origin_form, wants_websocket
from tests.servers.aspnet_target import BadRequest, read_path, read_query
from tests.servers.jellyfin_call import Call
from tests.servers.jellyfin_callers import find_caller
from tests.servers.jellyfin_library import Library
from tests.servers.jellyfin_streams import Streams

Handler = Callable[[Call], web.StreamResponse]
ID = r"(?P<id>[^/]+)"
FILM = rf"/(?P<what>Videos|Audio)/{ID}"
BESIDE = "(?:Similar|Ancestors|ThemeMedia|ThemeSongs|ThemeVideos|Collections)"
PART = r"(?P<source>[^/]+)/Subtitles/(?P<index>[^/]+)"

# method(s), path, who: open, user, admin, download. `Jellyfin.Api/Controllers/*.cs`.
ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("GET", "/System/Info/Public", "open", items.public_info),
    ("GET POST", "/System/Ping", "open", items.ping),
    ("GET", "/health", "open", items.health),
    ("GET", "/Branding/Configuration", "open", items.branding),
    ("GET", "/web(?:/.*)?", "open", items.web_client),
    ("POST", "/Users/AuthenticateByName", "open", items.sign_in),
    ("GET", "/Users/Me", "user", items.me),
    ("GET", "/Users", "user", items.users),
    ("POST", "/Sessions/Logout", "user", items.sign_out),
    ("GET", "/System/Info", "admin", items.system_info),
    ("GET", "/Auth/Keys", "admin", items.keys),
    ("GET", "/Sessions", "user", items.sessions),
    ("POST", "/Sessions/Playing(?:/Progress|/Stopped|/Ping)?", "user", items.telemetry),
    ("GET", "/Items", "user", items.list_items),
    ("GET", f"/Items/{ID}/{BESIDE}", "user", items.list_items),
    ("DELETE", "/Items", "user", items.delete_items),
    ("GET", f"(?:/Users/(?P<user>[^/]+))?/Items/{ID}", "user", items.one_item),
    ("DELETE", f"/Items/{ID}", "user", items.delete_items),
    ("GET", f"/Items/{ID}/Download", "download", items.download),
    ("GET", f"/Items/{ID}/File", "user", items.whole_file),
    ("GET HEAD", f"/Items/{ID}/Images/(?P<kind>[A-Za-z]+)(?:/(?P<number>[0-9]+))?", "open", items.image),
    ("POST", f"/Items/{ID}/Images/.*", "admin", items.image),
    ("GET", f"/MediaSegments/{ID}", "user", items.media_segments),
    ("GET POST", f"/Items/{ID}/PlaybackInfo", "user", playback.playback_info),
    ("POST", "/LiveStreams/Open", "user", playback.open_live),
    ("POST", "/LiveStreams/Close", "user", playback.close_live),
    ("GET", "/Playback/BitrateTest", "user", playback.bitrate_test),
    ("GET", "/FallbackFont/Fonts(?:/[^/]+)?", "user", items.fonts),
    ("DELETE", "/Videos/ActiveEncodings", "user", playback.end_transcode),
    # The item in the path means nothing to the next three: they serve files of the transcode folder by name.
    ("GET", f"/Videos/{ID}/hls/(?P<list>[^/]+)/stream\\.m3u8", "user", playback.old_playlist),
    ("GET", f"/Videos/{ID}/hls/(?P<list>[^/]+)/(?P<file>[^/]+)", "open", playback.old_segment),
    ("GET", f"/Audio/{ID}/hls/(?P<name>[^/]+)/stream\\.(?P<kind>mp3|aac)", "open", playback.old_segment),
    ("GET HEAD", f"{FILM}/stream(?:\\.(?P<kind>[^/]+))?", "open", playback.progressive),
    ("GET HEAD", f"{FILM}/master\\.m3u8", "user", playback.master),
    ("GET", f"{FILM}/main\\.m3u8", "user", playback.main),
    ("GET", f"/Videos/{ID}/live\\.m3u8", "user", playback.live),
    ("GET", f"{FILM}/hls1/(?P<list>[^/]+)/(?P<n>[^/]+)\\.(?P<kind>[^/.]+)", "user", playback.segment),
    ("GET HEAD", f"/Audio/{ID}/universal", "user", playback.universal),
    ("GET", f"/Audio/{ID}/Lyrics", "user", items.lyrics),
    ("GET", f"/Videos/{ID}/{PART}/subtitles\\.m3u8", "user", playback.subtitle_playlist),
    ("GET", f"/Videos/{ID}/{PART}(?:/(?P<ticks>[^/]+))?/Stream\\.(?P<kind>[^/]+)", "open", playback.subtitle),
    ("POST", f"/Videos/{ID}/Subtitles", "admin", items.telemetry),
    ("GET", f"/Videos/{ID}/(?P<source>[^/]+)/Attachments/(?P<index>[^/]+)", "open", playback.attachment),
    ("GET", f"/Videos/{ID}/Trickplay/(?P<width>[^/]+)/tiles\\.m3u8", "user", playback.tiles),
    ("GET", f"/Videos/{ID}/Trickplay/(?P<width>[^/]+)/(?P<n>[^/]+)\\.jpg", "user", playback.tile),
    ("GET", f"/Videos/{ID}/AdditionalParts", "user", items.list_items),
    ("POST", "/Videos/MergeVersions", "admin", items.telemetry),
)  # fmt: skip
_COMPILED = tuple(
    (methods.split(), re.compile(path, re.IGNORECASE), who, handler) for methods, path, who, handler in ROUTES
)


@dataclass
class FakeJellyfin(Fake):
    library: Library
    base: str = ""  # Network → BaseUrl
    legacy: bool = True  # EnableLegacyAuthorization, and the prefixes /emby and /mediabrowser: 10.11
    local: bool = True  # a caller on the server's own network is never offered more than one quality
    streams: Streams = field(init=False)
    sockets: list[str] = field(default_factory=list, init=False)  # paths that became a session's socket

    def __post_init__(self) -> None:
        self.streams = Streams(self.library)

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        try:
            answer = await self._answer(request, asked)
        except Refused as refused:
            answer = web.Response(status=refused.status, text=refused.text, content_type=refused.content_type)
        if "Origin" in request.headers and not answer.prepared:
            # Jellyfin.Server/Configuration/CorsPolicyProvider.cs: as it comes, any page may read every answer
            answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    async def _answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        raw, _, text = origin_form(asked.target).partition("?")
        try:
            path = read_path(raw)
        except BadRequest:
            raise Refused(400) from None
        below = self._below_base(path)
        if below is None:
            # Jellyfin.Api/Middleware/BaseUrlRedirectionMiddleware.cs
            where = f"{self.base}/health" if path.lower().rstrip("/") == "/health" else f"{self.base}/web/"
            return web.Response(status=302, headers={"Location": where})
        query = read_query(text)
        call = Call(self, request, asked, query, find_caller(asked, query, self.library, legacy=self.legacy), {})
        found, handler = self._route(call, below)
        if wants_websocket(request):
            return await self._socket(call, below)
        if found is None or handler is None:
            raise Refused(404)
        call.path = {name: value for name, value in found.groupdict().items() if value is not None}
        return handler(call)

    def _below_base(self, path: str) -> str | None:
        """The path inside; None where the server sends elsewhere."""
        if not path.lower().startswith(self.base.lower()) or path[len(self.base) :] in ("", "/"):
            return None
        below = path[len(self.base) :]
        if not below.startswith("/"):
            return None
        if self.legacy:
            # v10.11: Jellyfin.Api/Middleware/LegacyEmbyRouteRewriteMiddleware.cs; the prefix goes, once
            below = re.sub(r"^/(emby|mediabrowser)(?=/)", "", below, count=1, flags=re.IGNORECASE)
        return below

    def _route(self, call: Call, path: str) -> tuple[Match[str] | None, Handler | None]:
        """The endpoint, after its policy said yes. Segments may not be empty, a slash at the end does not matter."""
        path = path.removesuffix("/") if len(path) > 1 else path
        other_method = False
        for methods, pattern, who, handler in _COMPILED:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if call.request.method not in methods:
                other_method = True
                continue
            if who != "open":
                if not call.caller.known:
                    raise Refused(401)
                may = call.caller.admin or (who == "download" and call.caller.user and call.caller.user.may_download)
                if who != "user" and not may:
                    raise Refused(403)
            return found, handler
        if other_method:
            raise Refused(405)
        return None, None

    async def _socket(self, call: Call, path: str) -> web.StreamResponse:
        """Jellyfin.Api/Middleware/WebSocketHandlerMiddleware.cs: no path is asked for, a token is enough."""
        if not call.caller.known:
            raise Refused(403, "Error processing request.")
        socket = web.WebSocketResponse()
        await socket.prepare(call.request)
        self.sockets.append(path)
        await socket.send_json({"MessageType": "ForceKeepAlive", "Data": 60})
        await socket.send_json({"MessageType": "Sessions", "Data": items.session_list(self.library)})
        async for _ in socket:
            pass
        return socket
