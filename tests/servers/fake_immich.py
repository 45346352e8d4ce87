"""An Immich 2 and 3: one asset through a shared link, and what the same key reaches besides.

Read from `immich-app/immich`, single files of v1.106 to v3 (paths in comments are of that repository); the repository
is too large to look at whole, and the server was not run: it wants PostgreSQL with an extension of its own.
"""

from __future__ import annotations

import email
import io
import json
import re
import secrets
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from tests.servers import express
from tests.servers.asked import Asked, Fake, origin_form, wants_websocket
from tests.servers.immich_answers import asset_shown, hls_main, hls_variant, link_shown, page, playlist, problem, send
from tests.servers.immich_callers import Caller, Problem, allow, find_caller, first, may, need
from tests.servers.immich_library import Asset, HlsSession, Library, SharedLink

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_PIECE = re.compile(r"init\.mp4|seg_([0-9]+)\.m4s")
X = "([^/]+)"


@dataclass
class Call:
    request: web.Request
    asked: Asked
    query: str
    caller: Caller
    names: list[str]  # the route's variables, decoded

    def uuid(self, place: int = 0) -> str:
        """The validation of every `:id`; any case will do."""
        if not _UUID.fullmatch(self.names[place]):
            raise Problem(400, "id must be a UUID")
        return self.names[place].lower()

    @property
    def json(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.asked.body or b"{}"))
        except ValueError:
            raise Problem(400, "Unexpected token in JSON") from None


@dataclass
class FakeImmich(Fake):
    library: Library
    checks_password: bool = False  # True: what one would expect of a link with a password
    replace: bool = True  # PUT /assets/{id}/original: gone in v3
    realtime: bool = True  # HLS, v3, alpha
    uploaded: list[bytes] = field(default_factory=list, init=False)  # bytes that came in, none is kept as a file
    sockets: int = field(default=0, init=False)

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        target = origin_form(asked.target)
        path, _, query = target.partition("?")
        try:
            if express.mounted(path, "/api/socket.io") is not None:
                return await self._socket(request)
            below = express.mounted(path, "/api")
            if below is None:
                return self._page(path)
            return self._route(request, asked, below, query)
        except express.BadEscape:
            return problem(400, "Failed to decode param")
        except Problem as said:
            return problem(said.status, said.message)

    def _route(self, request: web.Request, asked: Asked, path: str, query: str) -> web.StreamResponse:
        known = False
        for method, pattern, permission, shared, handler in _ROUTES:
            names = express.route(path, pattern)
            if names is None or (pattern.endswith("/original") and method == "PUT" and not self.replace):
                continue
            known = True
            if method != request.method and not (method == "GET" and request.method == "HEAD"):
                continue
            if permission is None:
                nobody = Caller(self.library.users[0])
                return handler(self, Call(request, asked, query, nobody, names))
            caller = find_caller(request, query, self.library)
            allow(caller, permission, shared=shared)
            if self.checks_password and caller.link and caller.link.password and "/login" not in path:
                self._ask_password(request, caller.link)
            return handler(self, Call(request, asked, query, caller, names))
        raise Problem(404, f"Cannot {request.method} {'/api' + path}" if not known else "Not Found")

    def _ask_password(self, request: web.Request, link: SharedLink) -> None:
        tokens = request.cookies.get("immich_shared_link_token", "").split(",")
        if link.password and link.token not in tokens:
            raise Problem(401, "Password required")

    def _page(self, path: str) -> web.Response:
        """The web client answers everything else; a share's page says the key in its Open Graph picture."""
        found = express.route(path, f"/(?:share|s)/{X}(?:/.*)?")
        link = None
        if found:
            by_slug = path.lower().startswith("/s/")
            slugs = (link for link in self.library.links if link.slug == found[0])
            link = next(slugs, None) if by_slug else self.library.link_by_key(found[0])
        shown = link if link and not link.over and not link.password else None
        return web.Response(text=page(shown, self.url), content_type="text/html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """`server/src/repositories/websocket.repository.ts`: a session or an API key, of whatever permission."""
        caller = find_caller(request, "", self.library)
        allow(caller, "", shared=False)
        if not wants_websocket(request):
            return web.Response(text='0{"sid":"x","upgrades":["websocket"]}')
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets += 1
        await socket.send_str("42" + json.dumps(["on_upload_success", asset_shown(self.library.assets[0])]))
        async for _ in socket:
            pass
        return socket

    # --- shared links -------------------------------------------------------------------------------------

    def my_link(self, call: Call) -> web.Response:
        """`shared-link.service.ts`, getMine: the one place where the password is asked for."""
        link = _link(call)
        self._ask_password(call.request, link)
        return web.json_response(link_shown(link))

    def link_login(self, call: Call) -> web.Response:
        link = _link(call)
        if not link.password:
            raise Problem(400, "Shared link is not password protected")
        if call.json.get("password") != link.password:
            raise Problem(401, "Invalid password")
        answer = web.json_response(link_shown(link), status=201)
        answer.set_cookie("immich_shared_link_token", link.token, httponly=True, samesite="Lax", path="/")
        return answer

    def add_to_link(self, call: Call) -> web.Response:
        """addAssets: ANY link of the caller's user, and whatever that user owns, also for a caller with a share key."""
        link = self._a_link(call)
        results: list[dict[str, Any]] = []
        for asset_id in call.json.get("assetIds", []):
            asset = self.library.asset(asset_id)
            if asset in link.assets:
                results.append({"assetId": asset_id, "success": False, "error": "duplicate"})
            elif asset is None or not may(call.caller, "asset.share", asset):
                results.append({"assetId": asset_id, "success": False, "error": "no_permission"})
            else:
                link.assets.append(asset)
                results.append({"assetId": asset_id, "success": True})
        return web.json_response(results)

    def remove_from_link(self, call: Call) -> web.Response:
        link = self._a_link(call)
        asked = call.json.get("assetIds", [])
        here = {asset.id for asset in link.assets}
        link.assets = [asset for asset in link.assets if asset.id not in asked]
        return web.json_response([{"assetId": asset_id, "success": asset_id in here} for asset_id in asked])

    def _a_link(self, call: Call) -> SharedLink:
        wanted = call.uuid()
        found = (link for link in self.library.links if link.id == wanted and link.owner is call.caller.user)
        link = next(found, None)
        if link is None:
            raise Problem(400, "Shared link not found")
        return link

    def make_link(self, call: Call) -> web.Response:
        said, user = call.json, call.caller.user
        assets = [need(self.library, call.caller, "asset.share", one) for one in said.get("assetIds", [])]
        link = SharedLink(user, assets, slug=said.get("slug") or "", password=said.get("password") or "")
        link.allow_upload = said.get("allowUpload", True)
        link.show_metadata = said.get("showMetadata", True)
        link.allow_download = link.show_metadata and said.get("allowDownload", True)
        self.library.links.append(link)
        return web.json_response(link_shown(link), status=201)

    # --- assets -------------------------------------------------------------------------------------------

    def one_asset(self, call: Call) -> web.Response:
        asset = need(self.library, call.caller, "asset.read", call.uuid())
        bare = call.caller.link is not None and not call.caller.link.show_metadata
        return web.json_response(asset_shown(asset, bare=bare))

    def thumbnail(self, call: Call) -> web.StreamResponse:
        """`asset-media.service.ts`, viewThumbnail. `fullsize` of a picture is sent to `original`, query and all."""
        asset = need(self.library, call.caller, "asset.view", call.uuid())
        size = first(call.query, "size") or "thumbnail"
        if size not in ("thumbnail", "preview", "fullsize"):
            raise Problem(400, "size must be one of the following values: fullsize, preview, thumbnail")
        if size == "fullsize":
            rest = [(name, value) for name, value in parse_qsl(call.query) if name != "size"]
            if asset.type == "IMAGE":
                return web.Response(status=302, headers={"Location": "original?" + urlencode(rest)})
            path = origin_form(call.asked.target).partition("?")[0]
            return web.Response(status=302, headers={"Location": f"{path}?{urlencode([*rest, ('size', 'preview')])}"})
        return send(asset.preview, f"{Path(asset.name).stem}_{size}.jpeg")

    def original(self, call: Call) -> web.StreamResponse:
        asset = need(self.library, call.caller, "asset.download", call.uuid())
        return send(asset.file, asset.name)

    def playback(self, call: Call) -> web.StreamResponse:
        asset = need(self.library, call.caller, "asset.view", call.uuid())
        if asset.type != "VIDEO":
            raise Problem(400, "Asset is not a video")
        return send(asset.file, "")

    def upload(self, call: Call) -> web.Response:
        """A share key is enough as long as the link allows it, which it does unless its owner said no."""
        link = call.caller.link
        if link is not None and not link.allow_upload:
            raise Problem(401, "Unauthorized")
        self.uploaded.append(_uploaded_file(call))
        like = self.library.named("picture.jpg")
        asset = Asset("uploaded.jpg", call.caller.user, like.file, like.preview)
        self.library.assets.append(asset)
        if link is not None:
            (link.album.assets if link.album else link.assets).append(asset)
        return web.json_response({"id": asset.id, "status": "created"}, status=201)

    def replace_original(self, call: Call) -> web.Response:
        """`asset-media.service.ts`, replaceAsset: the route takes a share key, the right to update is the owner's."""
        asset = self.library.asset(call.uuid())
        if call.caller.link is not None or asset is None or asset.owner is not call.caller.user:
            raise Problem(400, "Not found or no asset.update access")
        self.uploaded.append(_uploaded_file(call))
        return web.json_response({"id": asset.id, "status": "replaced"})

    def delete_assets(self, call: Call) -> web.Response:
        for asset_id in call.json.get("ids", []):
            self.library.assets.remove(need(self.library, call.caller, "asset.delete", asset_id))
        return web.Response(status=204)

    def archive(self, call: Call) -> web.Response:
        """`download.service.ts`: the same right as for one original, for as many as are named."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for asset_id in call.json.get("assetIds", []):
                asset = need(self.library, call.caller, "asset.download", asset_id)
                archive.write(asset.file, asset.name)
        return web.Response(body=packed.getvalue(), content_type="application/octet-stream")

    def album(self, call: Call) -> web.Response:
        wanted = call.uuid()
        album = next((album for album in self.library.albums if album.id == wanted), None)
        link = call.caller.link
        if album is None or (link.album is not album if link else album.owner is not call.caller.user):
            raise Problem(400, "Not found or no album.read access")
        shown = [asset_shown(asset) for asset in album.assets]
        return web.json_response({"id": album.id, "albumName": album.name, "assets": shown, "ownerId": album.owner.id})

    # --- video in pieces ----------------------------------------------------------------------------------

    def hls(self, call: Call) -> web.Response:
        """`hls.service.ts`, getMainPlaylist: each request for it starts a session."""
        asset = need(self.library, call.caller, "asset.view", call.uuid())
        if not self.realtime:
            raise Problem(400, "Real-time transcoding is not enabled")
        if asset.folder is None:
            raise Problem(404, "Asset metadata is not yet ready for streaming")
        session = HlsSession(asset)
        self.library.streams[session.id] = session
        return playlist(hls_main(session.id))

    def hls_variant(self, call: Call) -> web.Response:
        """Here the session has to be one of this asset."""
        asset = need(self.library, call.caller, "asset.view", call.uuid())
        session = self.library.streams.get(call.uuid(1))
        if session is None or session.asset is not asset or call.names[2] not in ("0", "1"):
            raise Problem(404, "Asset not found or metadata not yet ready for streaming")
        return playlist(hls_variant())

    def hls_piece(self, call: Call) -> web.StreamResponse:
        """getSegment: the asset in the path is asked about, and then the pieces of whatever the SESSION plays are sent,

        as long as both have one owner.
        """
        need(self.library, call.caller, "asset.view", call.uuid())
        found = _PIECE.fullmatch(call.names[3])
        if found is None or call.names[2] not in ("0", "1"):
            raise Problem(400, "filename must match")
        session = self.library.streams.get(call.uuid(1))
        if session is None or session.asset.owner is not call.caller.user or session.asset.folder is None:
            raise Problem(404, "Session not found")
        name = "init.mp4" if found[1] is None else f"{int(found[1])}.mp4"
        path = session.asset.folder / ("low", "high")[int(call.names[2])] / name
        if not path.is_file():
            raise Problem(404, "Not Found")
        return send(path, "", content_type="video/mp4")

    def hls_end(self, call: Call) -> web.Response:
        """endSession: anybody's."""
        need(self.library, call.caller, "asset.view", call.uuid())
        self.library.streams.pop(call.uuid(1), None)
        return web.Response(status=204)

    # --- the owner's side ---------------------------------------------------------------------------------

    def sign_in(self, call: Call) -> web.Response:
        said = call.json
        user = next((user for user in self.library.users if user.email == said.get("email")), None)
        if user is None or user.password != said.get("password"):
            raise Problem(401, "Incorrect email or password")
        token = secrets.token_urlsafe(32)
        self.library.sessions[token] = user
        answer = web.json_response({"accessToken": token, "userId": user.id, "userEmail": user.email}, status=201)
        for name, value in (("immich_access_token", token), ("immich_auth_type", "password")):
            answer.set_cookie(name, value, httponly=True, samesite="Lax", path="/", max_age=34_560_000)
        return answer

    def me(self, call: Call) -> web.Response:
        user = call.caller.user
        return web.json_response({"id": user.id, "email": user.email, "name": user.name})

    def search(self, call: Call) -> web.Response:
        found = [asset_shown(asset) for asset in self.library.assets if asset.owner is call.caller.user]
        return web.json_response({"assets": {"items": found, "total": len(found)}})

    def all_links(self, call: Call) -> web.Response:
        return web.json_response([link_shown(link) for link in self.library.links if link.owner is call.caller.user])

    def timeline(self, call: Call) -> web.Response:
        if call.caller.link is not None and call.caller.link.album is None:
            raise Problem(400, "Not found or no timeline.read access")
        return web.json_response([{"timeBucket": "2026-11-01", "count": len(self.library.assets)}])

    def open_info(self, call: Call) -> web.Response:
        return web.json_response({"res": "pong", "major": 2, "minor": 7, "patch": 5, "externalDomain": self.url})


Handler = Callable[[FakeImmich, Call], web.StreamResponse]
# method, path below /api, permission (None: open), for share keys, handler. `server/src/controllers/*.ts`.
_ROUTES: tuple[tuple[str, str, str | None, bool, Handler], ...] = (
    ("GET", "/server/(?:ping|version|config|features)", None, True, FakeImmich.open_info),
    ("POST", "/auth/login", None, True, FakeImmich.sign_in),
    ("GET", "/users/me", "user.read", False, FakeImmich.me),
    ("POST", "/search/metadata", "asset.read", False, FakeImmich.search),
    ("GET", "/timeline/buckets", "asset.read", True, FakeImmich.timeline),
    ("GET", "/shared-links/me", "all", True, FakeImmich.my_link),
    ("POST", "/shared-links/login", "all", True, FakeImmich.link_login),
    ("GET", "/shared-links", "sharedLink.read", False, FakeImmich.all_links),
    ("POST", "/shared-links", "sharedLink.create", False, FakeImmich.make_link),
    ("PUT", f"/shared-links/{X}/assets", "all", True, FakeImmich.add_to_link),
    ("DELETE", f"/shared-links/{X}/assets", "all", True, FakeImmich.remove_from_link),
    ("GET", f"/albums/{X}", "album.read", True, FakeImmich.album),
    ("POST", "/download/archive", "asset.download", True, FakeImmich.archive),
    ("POST", "/assets", "asset.upload", True, FakeImmich.upload),
    ("DELETE", "/assets", "asset.delete", False, FakeImmich.delete_assets),
    ("GET", f"/assets/{X}", "asset.read", True, FakeImmich.one_asset),
    ("GET", f"/assets/{X}/thumbnail", "asset.view", True, FakeImmich.thumbnail),
    ("GET", f"/assets/{X}/original", "asset.download", True, FakeImmich.original),
    ("PUT", f"/assets/{X}/original", "asset.update", True, FakeImmich.replace_original),
    ("GET", f"/assets/{X}/video/playback", "asset.view", True, FakeImmich.playback),
    ("GET", f"/assets/{X}/video/stream/main\\.m3u8", "asset.view", True, FakeImmich.hls),
    ("GET", f"/assets/{X}/video/stream/{X}/{X}/playlist\\.m3u8", "asset.view", True, FakeImmich.hls_variant),
    ("GET", f"/assets/{X}/video/stream/{X}/{X}/{X}", "asset.view", True, FakeImmich.hls_piece),
    ("DELETE", f"/assets/{X}/video/stream/{X}", "asset.view", True, FakeImmich.hls_end),
)


def _link(call: Call) -> SharedLink:
    if call.caller.link is None:
        raise Problem(403, "Forbidden")
    return call.caller.link


def _uploaded_file(call: Call) -> bytes:
    """Part `assetData` of the form."""
    head = f"Content-Type: {call.request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    for part in email.message_from_bytes(head + call.asked.body).walk():
        data = part.get_payload(decode=True)
        if part.get_param("name", header="content-disposition") == "assetData" and isinstance(data, bytes) and data:
            return data
    raise Problem(400, "Field assetData should not be empty")
