"""A Navidrome 0.63: its share pages and streams, and as much of its API as shows what must not be reached.

Read from `navidrome/navidrome` at 295886cb and compared with that server running, see README.md.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.asked import Asked, Fake, Refused, origin_form, send_file
from tests.servers.go_target import read_query, route_path
from tests.servers.navidrome_api import Accounts, Call, login
from tests.servers.navidrome_library import Library, Share, Signer
from tests.servers.navidrome_page import ASSETS, SCRIPT, write_page

# server/middlewares.go (secureMiddleware, corsHandler): on every answer, the page cannot stand in a frame.
_HEADERS = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"}


@dataclass
class FakeNavidrome(Fake):
    library: Library
    base: str = ""  # BaseUrl: a path before all others
    share_url: str = ""  # ShareURL: what absolute addresses begin with, instead of Host and X-Forwarded-Host
    trusts_gateway: bool = False  # ExtAuth.TrustedSources holds the caller's address
    user_header: str = "Remote-User"
    checks_share: bool = True  # since 0.63 a stream asks whether the share is there and holds the track
    public: Signer = field(default_factory=Signer, init=False)
    accounts: Accounts = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.library, self.trusts_gateway, self.user_header)

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        try:
            answered = await self._route(request, asked)
        except Refused as refused:
            answered = web.Response(status=refused.status, text=refused.text + "\n" if refused.text else "")
        answered.headers.update(_HEADERS)
        return answered

    async def _route(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        raw, _, query = origin_form(asked.target).partition("?")
        path = route_path(raw)
        if path is None:
            raise Refused(400, "Bad Request")
        call = Call(request, read_query(query), asked.body)
        if path.lower() == "/ping" and request.method in ("GET", "HEAD"):  # chi's Heartbeat looks without case
            return web.Response(text=".")
        if path.endswith("/robots.txt"):
            return self._asset("robots.txt")
        if self.base:
            if not path.startswith(f"{self.base}/"):
                return _redirect(f"{self.base}/app/")
            path = path.removeprefix(self.base)
        if path == "/share" or path.startswith("/share/"):
            return await self._share_routes(call, path.removeprefix("/share").removeprefix("/"))
        if path.startswith("/api/"):
            return self.accounts.api(call, path.removeprefix("/api/"))
        if path.startswith("/rest/"):
            return self.accounts.rest(call, path.removeprefix("/rest/").removesuffix(".view"))
        if path in ("/auth/login", "/auth/createAdmin"):
            return self.accounts.sign_in(call, first_admin=path.endswith("createAdmin"))
        if path in ("/app", "/app/"):
            return self._page(call, None)
        if path.startswith("/app/"):
            return self._asset(path.removeprefix("/app/"))
        return _redirect(f"{self.base}/app/")

    # --- /share -------------------------------------------------------------------------------------------

    async def _share_routes(self, call: Call, rest: str) -> web.StreamResponse:
        """server/public/public.go. All of them are HandleFunc: any method is as good as GET."""
        for pattern, handler in self._patterns:
            found = re.fullmatch(pattern, rest)
            if found:
                # server/middlewares.go, URLParamsMiddleware: what the route holds is APPENDED to the client's own
                # query as `:id`, and the handlers ask for the first. So `?:id=other` (`%3Aid=`) wins over the path.
                if found.groups():
                    call.query.append((":id", found[1]))
                return await handler(self, call)
        return self._asset(rest)

    async def _image(self, call: Call) -> web.StreamResponse:
        """server/public/handle_images.go: the signature is the whole check, no share is looked at.

        A track's token works too. It has no `sid` that is compared: the picture stays open when the share is gone.
        """
        claims = self.public.read(call.param(":id")) if call.param(":id") else None
        if claims is None or not claims.get("id"):
            raise Refused(400, "invalid request" if call.param(":id") else "invalid id")
        wanted = str(claims["id"])
        for song in self.library.songs:
            if wanted == song.id or wanted.startswith(f"al-{song.album_id}") or wanted == f"mf-{song.id}":
                hashed = "_" in wanted
                cache = "public, max-age=31536000, immutable" if hashed else "public, no-cache"
                return web.Response(
                    body=song.cover.read_bytes(), headers={"Cache-Control": cache, "Content-Type": "image/jpeg"}
                )
        raise Refused(404, "Artwork not found")

    async def _stream(self, call: Call) -> web.StreamResponse:
        """server/public/handle_streams.go."""
        claims = self.public.read(call.param(":id"))
        if claims is None or not claims.get("id") or not claims.get("sid"):
            raise Refused(400, "invalid request")
        song = self.library.song(str(claims["id"]))
        if self.checks_share:
            share = self.library.share(str(claims["sid"]))
            if share is None:
                raise Refused(404, "Share not found")
            if share.expired:
                raise Refused(410, "Share not available anymore")
            if song is not None and song not in share.songs:
                song = None
        if song is None:
            raise Refused(404, "not found")
        headers = {**_HEADERS, "X-Content-Duration": str(song.seconds)}
        if not claims.get("f"):
            return send_file(song.file, X_Content_Duration=str(song.seconds))
        # core/stream: a transcode has no length and no ranges.
        answer = web.StreamResponse(headers={**headers, "Accept-Ranges": "none", "Content-Type": "audio/mpeg"})
        await answer.prepare(call.request)
        if call.request.method != "HEAD":
            await answer.write(song.file.read_bytes())
        await answer.write_eof()
        return answer

    async def _download(self, call: Call) -> web.StreamResponse:
        """server/public/handle_downloads.go."""
        share = self._load(call)
        if not share.downloadable:
            raise Refused(403, "This share is not downloadable")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for song in share.songs:
                archive.write(song.file, f"{song.artist}/{song.title}.mp3")
        name = share.description or share.id
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "Content-Type": "application/zip"}
        return web.Response(body=packed.getvalue(), headers=headers)

    async def _m3u(self, call: Call) -> web.StreamResponse:
        """server/public/handle_shares.go. Absolute addresses; the type is lost because the status was written first."""
        share = self._load(call)
        lines = ["#EXTM3U", f"#PLAYLIST:{share.description}"]
        for song in share.songs:
            lines += [
                f"#EXTINF:{song.seconds},{song.artist} - {song.title}",
                self._absolute(call, f"s/{self.token(share, song.id)}"),
            ]
        return web.Response(text="\n".join([*lines, ""]))

    async def _share_page(self, call: Call) -> web.StreamResponse:
        """server/public/handle_shares.go: a file of the bundle first, then a share."""
        wanted = call.param(":id")
        if not wanted:
            raise Refused(400, "missing parameter: ':id'")
        if wanted in ASSETS or wanted in ("index.html", "assets"):
            below = origin_form(call.request.raw_path).partition("?")[0].removeprefix(f"{self.base}/share/")
            return _redirect("./?%3Aid=index.html", 301) if below == "index.html" else self._asset(below)
        return self._page(call, self._load(call))

    _patterns: tuple[tuple[str, Callable[[FakeNavidrome, Call], Awaitable[web.StreamResponse]]], ...] = field(
        default=(
            (r"img/([^/]+)", _image),
            (r"s/([^/]+)", _stream),
            (r"d/([^/]+)", _download),
            (r"([^/]+)/m3u", _m3u),
            (r"([^/]+)", _share_page),
            (r"", _share_page),
        ),
        init=False,
        repr=False,
    )

    def _load(self, call: Call) -> Share:
        """core/share.go: loading counts as a visit."""
        share = self.library.share(call.param(":id"))
        if share is None:
            raise Refused(404, "Share not found")
        if share.expired:
            raise Refused(410, "Share not available anymore")
        share.visits += 1
        return share

    def token(self, share: Share, song_id: str) -> str:
        """What stands for a track on a share's page."""
        claims: dict[str, Any] = {"id": song_id, "sid": share.id, "exp": int(share.expires)}
        if share.format:
            claims["f"] = share.format
        return self.public.sign(claims)

    def cover_token(self, share: Share) -> str:
        """core/publicurl: the id of the artwork and nothing else; it never ends and belongs to no share."""
        return self.public.sign({"id": f"al-{share.songs[0].album_id}_cefe83400cfe4917"})

    def _absolute(self, call: Call, below_share: str) -> str:
        """server/middlewares.go, serverAddressMiddleware: X-Forwarded-Host and -Proto are believed from anybody."""
        headers = call.request.headers
        host = headers.get("X-Forwarded-Host", "").split(",")[0] or headers.get("Host", "")
        scheme = headers.get("X-Forwarded-Proto") or headers.get("X-Forwarded-Scheme") or "http"
        return f"{self.share_url or f'{scheme}://{host}{self.base}'}/share/{below_share}"

    def _page(self, call: Call, share: Share | None) -> web.Response:
        """server/serve_index.go: state as JSON in a string in JavaScript, metadata as Open Graph."""
        config: dict[str, Any] = {
            "version": "0.63.2",
            "firstTime": not self.library.users,
            "baseURL": self.base,
            "shareURL": self.share_url,
            "enableSharing": True,
            "enableDownloads": True,
            "separator": "/",
        }
        # server/auth.go, handleLoginFromHeaders: whoever a trusted proxy names is signed in, and made when unknown
        # (the first one as admin). The page then holds what /rest takes for that user's password.
        named = self.accounts.named_by_header(call)
        if named:
            config["auth"] = login(self.accounts.user_for(named))
        shown = url = title = image = ""
        if share is not None:
            url = self._absolute(call, share.id)
            title = share.description or share.songs[0].title
            image = self._absolute(call, f"img/{self.cover_token(share)}") + "?size=300"
            shown = json.dumps(self._shown(share), separators=(",", ":"))
        text = write_page(config, shown, url=url, title=title, image=image)
        headers = {"Cache-Control": "no-store, no-cache, must-revalidate", "Content-Type": "text/html"}
        return web.Response(body=text.encode(), headers=headers)

    def _shown(self, share: Share) -> dict[str, Any]:
        tracks = [
            {
                "id": self.token(share, song.id), "title": song.title, "artist": song.artist, "album": song.album,
                "updatedAt": "2026-08-21T20:27:42.5Z", "duration": song.seconds,
            }
            for song in share.songs
        ]  # fmt: skip
        both = {"description": share.description, "downloadable": share.downloadable}
        return {"id": share.id, **both, "tracks": tracks}

    def _asset(self, name: str) -> web.StreamResponse:
        kind = ASSETS.get(name)
        if kind is None:
            raise Refused(404, "404 page not found")
        text = {"text/javascript": SCRIPT, "application/manifest+json": "{}"}.get(kind, "")
        return web.Response(body=text.encode(), headers={"Content-Type": kind})


def _redirect(where: str, status: int = 302) -> web.Response:
    return web.Response(status=status, headers={"Location": where})
