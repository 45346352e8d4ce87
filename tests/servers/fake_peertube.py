"""A PeerTube written from its public source, not from any policy: what it answers, and how it misleads.

    fake = FakePeerTube(folder, clips)              everything on one address
    async with fake.running() as url: ...

`base="https://tube.example.org"` makes it name itself as configured there, as every real instance does, wherever it
is reached. `fake.bucket` is the object storage beside it, on a port and with a log of its own.

Sources are named where a behaviour comes from, all in Chocobozzz/PeerTube. Routes stand in the order of
`server/server.ts`; that the last one answers everything is the reason a 200 proves nothing.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import web

from tests.servers import express
from tests.servers.asked import Asked, Fake, send_file
from tests.servers.peertube_answers import Answers, listed, problem
from tests.servers.peertube_library import INTERNAL, PASSWORD, PRIVATE, UNLISTED, Library, Video
from tests.servers.peertube_sockets import sockets

PAGES = Path(__file__).parent / "pages"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
RIGHTS_KEPT = 10.0  # seconds: constants.ts, LRU_CACHE.STATIC_VIDEO_FILES_RIGHTS_CHECK
HLS, PRIVATE_HLS = "/static/streaming-playlists/hls", "/static/streaming-playlists/hls/private"


class Bucket(Fake):
    """S3-like: what lies in it is open to whoever knows the name, listings are not."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        answer = express.static(request, self.folder, asked.path, asked.path)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer


class FakePeerTube(Fake):
    """`accounts`: bearer tokens and who they are; the owner sees private videos, any user internal ones."""

    def __init__(
        self,
        folder: Path,
        clips: Path,
        *,
        base: str | None = None,
        private_files_require_auth: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.library = Library(folder, clips)
        self.bucket = Bucket(folder / "bucket")
        self.accounts = {secrets.token_hex(16): name for name in ("owner", "user")}
        self.tokens: dict[str, Video] = {}  # videoFileToken -> its one video
        self.viewed: list[tuple[str, dict[str, object]]] = []
        self._base, self._clock = base, clock
        self._guarded = private_files_require_auth
        self._rights: dict[str, tuple[float, bool]] = {}
        self.say: Answers

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with self.bucket.running() as bucket, super().running() as url:
            self.say = Answers(self.library, self._base or url, bucket)
            self.library.finish(self.say.base)
            yield url

    def bearer(self, name: str) -> str:
        """What a client of this account sends as Authorization."""
        return "Bearer " + next(token for token, who in self.accounts.items() if who == name)

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        path = asked.path
        try:
            answer = await self._route(request, asked, path)
        except express.BadEscape:
            answer = web.Response(status=400)
        if not answer.prepared and path.lower().startswith(("/static", "/lazy-static", "/download", "/object-storage")):
            answer.headers["Access-Control-Allow-Origin"] = "*"  # static.ts: other instances must reach these
        return answer

    async def _route(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        if (socket := await sockets(request, path, self.library)) is not None:
            return socket
        for routes in (self._api, self._activity, self._static, self._download, self._proxied):
            if (answer := await routes(request, asked, path)) is not None:
                return answer
        return self._lazy(path) or self._client(request, asked, path)

    # --- /api/v1: server/core/controllers/api/

    async def _api(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse | None:
        if express.mounted(path, "/api/v1") is None:
            return None
        method = request.method
        if (video := express.route(path, r"/api/v1/videos/([^/]+)(/[a-z-]+(?:/allowed)?)?")) and video[0] != "live":
            return self._of_video(request, asked, video[0], video[1] if len(video) > 1 else "")
        if video := express.route(path, r"/api/v1/videos/live/([^/]+)"):
            found = self.library.find(video[0])
            if found is None or not found.live:
                return problem(404, "Live not found")
            return web.json_response(self.say.live(managed=self._who(request) == "owner"))
        if video := express.route(path, r"/api/v1/player-settings/videos/([^/]+)"):
            return web.json_response({"theme": "instance-default"})
        if express.route(path, "/api/v1/videos") is not None:
            open_ones = [one for one in self.library.videos if one.privacy == 1 and one.state == 1]
            return listed([self.say.summary(one) for one in open_ones])
        if express.route(path, "/api/v1/search/videos") is not None:
            wanted = dict(parse_qsl(asked.query)).get("search", "").lower()
            return listed([self.say.summary(one) for one in self.library.videos if wanted in one.name.lower()])
        if playlist := express.route(path, r"/api/v1/video-playlists/([^/]+)(/videos)?"):
            return self._playlist(playlist[0], whole=len(playlist) > 1)
        if express.route(path, "/api/v1/config") is not None:
            return web.json_response(self.say.config())
        if express.route(path, "/api/v1/oauth-clients/local") is not None:
            return web.json_response({"client_id": "fake-client", "client_secret": "fake-client-secret"})
        if express.route(path, "/api/v1/users/token") is not None and method == "POST":
            who = dict(parse_qsl(asked.body.decode())).get("username")
            token = next((token for token, name in self.accounts.items() if name == who), None)
            if token is None:
                return problem(400, "Invalid grant: user credentials are invalid", "invalid_grant")
            return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 86400})
        if express.route(path, "/api/v1/users/me") is not None:
            name = self._who(request)
            return web.json_response({"username": name}) if name else problem(401, "Unauthenticated", "missing_token")
        if method == "POST" and express.route(path, "/api/v1/(?:server/logs/client|metrics/playback)") is not None:
            return web.Response(status=204)
        return web.json_response(None, status=400)  # apiRouter's last word: badRequest

    def _of_video(self, request: web.Request, asked: Asked, said: str, part: str) -> web.StreamResponse:
        part = part.lower()
        video = self.library.find(said)
        if not re.fullmatch(rf"\d+|{UUID}|[1-9A-HJ-NP-Za-km-z]{{1,22}}", said, re.IGNORECASE):
            return problem(400, "Incorrect request parameters: id")
        if video is None:
            return problem(404, "Video not found")
        if part == "/embed-privacy/allowed":
            return web.json_response({"domainAllowed": True})
        if (refused := self._shut(request, video, said)) is not None:
            return refused
        if part in ("/views", "/watching") and request.method in ("POST", "PUT"):
            self.viewed.append((video.uuid, json.loads(asked.body or b"{}")))
            return web.Response(status=204)
        if part == "/token" and request.method == "POST":
            # middlewares/validators/videos/video-token.ts: only a password goes without an account
            if video.privacy != PASSWORD and self._who(request) is None:
                return problem(401, "Not authenticated")
            token = secrets.token_urlsafe(24)
            self.tokens[token] = video
            return web.json_response({"files": {"token": token, "expires": "2030-01-01T00:00:00.000Z"}})
        if request.method in ("PUT", "DELETE") and part == "":
            return web.Response(status=204) if self._who(request) == "owner" else problem(401, "Unauthenticated")
        answers = {
            "": lambda: web.json_response(
                self.say.video(video) | ({"userHistory": {"currentTime": 7}} if self._who(request) else {})
            ),
            "/captions": lambda: self.say.captions(video),
            "/chapters": lambda: web.json_response({"chapters": [{"timecode": 0, "title": "Start"}]}),
            "/storyboards": lambda: self.say.storyboards(video),
            "/description": lambda: web.json_response({"description": "Told at length"}),
            "/comment-threads": lambda: listed(
                [{"id": 1, "text": "What people said", "account": {"name": "somebody"}}]
            ),
        }
        if part in answers and request.method in ("GET", "HEAD"):
            return answers[part]()
        return web.json_response(None, status=400)

    def _shut(
        self, request: web.Request, video: Video, said: str, *, token: Video | None = None
    ) -> web.Response | None:
        """Why this caller may not see the video: `middlewares/validators/shared/videos.ts`, checkCanSeeVideo.

        `said` is the id as it was spelt: unlisted ones open by uuid, and by number for accounts alone. `token`: the
        video of a file token that came along.
        """
        who = self._who(request)
        if video.privacy in (PRIVATE, INTERNAL) or (video.privacy == UNLISTED and said.isdigit()):
            if token is video:
                return None
            if who is None:
                return problem(401, "Unauthenticated", "missing_token")
            if video.privacy == INTERNAL or who == "owner":
                return None
            return problem(403, "Cannot fetch information of private/internal/blocked video")
        if video.privacy == PASSWORD:
            password = request.headers.get("x-peertube-video-password")
            if password is not None:
                if password == video.password:
                    return None
                return problem(
                    403, "Incorrect video password. Access to the video is denied", "incorrect_video_password"
                )
            if token is video or who == "owner":
                return None
            detail = "Please provide a password to access this password protected video"
            return problem(403 if who else 401, detail, "video_requires_password")
        return None

    def _who(self, request: web.Request) -> str | None:
        return self.accounts.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def _playlist(self, said: str, *, whole: bool) -> web.Response:
        if said != self.library.playlist:
            return problem(404, "Video playlist not found")
        held = [self.library.film, self.library.other]
        if whole:
            return listed([{"id": n, "position": n, "video": self.say.summary(one)} for n, one in enumerate(held, 1)])
        return web.json_response({"id": 1, "uuid": said, "displayName": "A playlist", "videosLength": len(held)})

    # --- ActivityPub: the same addresses say something else to who asks for it (controllers/activitypub/client.ts)

    async def _activity(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse | None:
        wanted = request.headers.get("Accept", "")
        if not re.search(r"application/(activity\+json|ld\+json)", wanted):
            return None
        found = express.route(path, r"/(?:videos/watch|w)/([^/]+)")
        video = self.library.find(found[0]) if found else None
        return self.say.activity(video) if video is not None and not video.shut else None

    # --- server/core/controllers/static.ts, middlewares/validators/static.ts

    async def _static(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse | None:
        folder = self.library.folder
        for mount in ("/static/web-videos/private", "/static/webseed/private"):
            if (rest := express.mounted(path, mount)) is not None:
                name = rest.rpartition("/")[2]
                if (refused := self._guard(request, self.library.of_file(name), asked.target)) is not None:
                    return refused
                return express.static(request, folder / "web-videos/private", rest, path)
        for mount in ("/static/web-videos", "/static/webseed"):
            if (rest := express.mounted(path, mount)) is not None:
                return express.static(request, folder / "web-videos", rest, path)
        if (rest := express.mounted(path, "/static/redundancy")) is not None:
            return express.static(request, folder / "redundancy", rest, path)
        # The guard is a route of its own, before the folder it guards. What it does not recognise falls to the
        # public folder, which holds the private one: `hls//private/...`, `hls/%70rivate/...`, `hls/x/../private/...`
        if (private := express.use(path, rf"{PRIVATE_HLS}/([^/]+?)/([^/]+?)")) is not None:
            return self._private_hls(request, asked, *private)
        if (rest := express.mounted(path, HLS)) is not None:
            return express.static(request, folder / "hls", rest, path)
        return None

    def _private_hls(self, request: web.Request, asked: Asked, said: str, name: str) -> web.StreamResponse:
        if not re.fullmatch(UUID, said, re.IGNORECASE) or not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9]{1,8}", name):
            return problem(400, "Incorrect request parameters")
        if (refused := self._guard(request, self.library.find(said), said)) is not None:
            return refused
        return self._playlist_or_file(asked, self.library.folder / "hls/private" / said / name)

    def _playlist_or_file(self, asked: Asked, file: Path) -> web.StreamResponse:
        if not file.is_file():
            return problem(404, "File not found")
        if file.suffix != ".m3u8":
            return send_file(file)
        text, query = file.read_text(), dict(parse_qsl(asked.query))
        if query.get("reinjectVideoFileToken") == "true":
            # server/core/lib/hls.ts, injectQueryToPlaylistUrls: the token comes back behind every such ending
            again = f"?videoFileToken={query.get('videoFileToken', '')}"
            again += "&reinjectVideoFileToken=true" if file.name.endswith("master.m3u8") else ""
            text = re.sub(r"\.(m3u8|ts|mp4)", lambda ending: f"{ending[0]}{again}", text)
        return web.Response(text=text, content_type="application/x-mpegurl", charset="utf-8")

    def _guard(self, request: web.Request, video: Video | None, key: str) -> web.Response | None:
        """Password header, else token of the query, else bearer; the verdict stands for ten seconds."""
        if not self._guarded:
            return None
        said = request.headers.get("x-peertube-video-password") or request.query.get("videoFileToken")
        said = said or request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not said:
            return problem(
                403, "Video password header, video file token query parameter and bearer token are all missing"
            )
        since, allowed = self._rights.get(f"{said}-{key}", (0.0, False))
        if f"{said}-{key}" not in self._rights or self._clock() - since > RIGHTS_KEPT:
            token = self.tokens.get(request.query.get("videoFileToken", ""))
            wrong = "videoFileToken" in request.query and token is not video  # even beside a good password
            allowed = video is not None and not wrong and self._shut(request, video, "", token=token) is None
            self._rights[f"{said}-{key}"] = (self._clock(), allowed)
        return None if allowed else web.Response(status=403, text="Forbidden")

    # --- server/core/controllers/download.ts: files as attachments, by the video's id

    async def _download(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse | None:
        if torrent := express.use(path, "/download/torrents/([^/]+?)"):
            file = self.library.folder / "torrents" / torrent[0]
            return (
                send_file(file) if "/" not in torrent[0] and file.is_file() else problem(404, "Torrent file not found")
            )
        hls = express.use(path, r"/download/streaming-playlists/hls/videos/([^/]+?)-([0-9]+)-fragmented\.[^/]+?")
        found = hls or express.use(path, r"/download/web-videos/([^/]+?)-([0-9]+)\.[^/]+?")
        made = express.use(path, r"/download/videos/generate/([^/.]+)(?:\.mp4|\.m4a)?")
        if not (found or made):
            return None
        video = self.library.find((found or made or [""])[0])
        if video is None:
            return problem(404, "Video not found")
        token = self.tokens.get(request.query.get("videoFileToken", ""))
        if (refused := self._shut(request, video, "", token=token)) is not None:
            return refused
        if made:
            ids = asked.query.replace("videoFileIds[]=", "videoFileIds=")
            numbers = {int(value) for key, value in parse_qsl(ids) if key == "videoFileIds" and value.isdigit()}
            names = [one for one in video.web.values() if self.library.file_ids[one] in numbers]
            name, folder = (names[0] if names else None), self.library.web_folder(video)
        else:
            assert found is not None
            names_by_height = video.fragmented if hls else video.web
            name = names_by_height.get(int(found[1]))
            folder = self.library.hls_folder(video) if hls else self.library.web_folder(video)
        if name is None:
            return problem(404, "Video file not found")
        if video.where == "bucket" and not made:
            signed = f"{self.say.bucket}/{folder.removeprefix('bucket/')}/{name}?X-Amz-Signature={secrets.token_hex(8)}"
            return web.Response(status=302, headers={"Location": signed})
        return send_file(
            self.library.folder / folder / name, Content_Disposition=f'attachment; filename="{video.name}.mp4"'
        )

    # --- server/core/controllers/object-storage-proxy.ts

    async def _proxied(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse | None:
        folder = self.library.folder / "bucket"
        if found := express.route(path, "/object-storage-proxy/(?:web-videos|webseed)/private/([^/]+)"):
            refused = self._guard(request, self.library.of_file(found[0]), asked.target)
            file = folder / "web-videos/private" / found[0]
            return refused or (send_file(file) if "/" not in found[0] and file.is_file() else problem(404, "Not found"))
        if found := express.route(path, "/object-storage-proxy/streaming-playlists/hls/private/([^/]+)/([^/]+)"):
            if not re.fullmatch(UUID, found[0], re.IGNORECASE) or not re.fullmatch(
                r"[a-z0-9-]+\.[a-z0-9]{1,8}", found[1]
            ):
                return problem(400, "Incorrect request parameters")
            refused = self._guard(request, self.library.find(found[0]), found[0])
            return refused or self._playlist_or_file(asked, folder / "hls/private" / found[0] / found[1])
        return None

    # --- server/core/controllers/lazy-static.ts: by name alone, any method, deeper paths too

    def _lazy(self, path: str) -> web.StreamResponse | None:
        found = express.use(
            path, "/lazy-static/(thumbnails|previews|storyboards|video-captions|avatars|torrents)/([^/]+?)"
        )
        if found is None:
            return None
        file = self.library.folder / found[0].lower() / found[1]
        return send_file(file) if "/" not in found[1] and file.is_file() else web.Response(status=404)

    # --- server/core/controllers/client.ts: pages, and the page for all the rest

    def _client(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        if embedded := express.use(path, "/videos/embed/([^/]+?)"):
            return self._embed(self.library.find(embedded[0]))
        if express.use(path, "/video-playlists/embed/([^/]+?)"):
            return self._embed(None)
        if found := express.use(path, "/(?:w|videos/watch)/([^/]+?)"):
            # lib/html/shared/video-html.ts: 404 with the same page where there is none or it is private
            video = (
                self.library.find(found[0].partition(";threadId")[0]) if found[0].lower() != "p" else self.library.film
            )
            return self._index(video.name if video else "", 404 if video is None or video.shut else 200)
        if path == "/plugins/global.css":
            return web.Response(text="", content_type="text/css")
        if (rest := express.mounted(path, "/client")) is not None:
            if rest == "/standalone/videos/assets/embed.js":
                return send_file(PAGES / "peertube-embed.js")
            if rest == "/assets/images/favicon.png":
                return send_file(self.library.folder / "avatars" / self.library.avatar)
            if re.fullmatch(r"/locales/[a-zA-Z-]+/(server|player)\.json", rest):
                return web.json_response({})
            return web.Response(status=404)
        if re.search(r"\*/\*|text/html|application/json", request.headers.get("Accept", "*/*")):
            return self._index("")
        return web.Response(status=406)  # lib/html/client-html.ts, serveIndexHTML

    def _index(self, title: str, status: int = 200) -> web.Response:
        head = f"<head><title>{title or 'PeerTube'}</title></head>"
        text = f"<!doctype html><html>{head}<body><my-app></my-app></body></html>"
        return web.Response(text=text, content_type="text/html", status=status)

    def _embed(self, video: Video | None) -> web.Response:
        """The same shell for every id; an open video's name is put in."""
        known = video is not None and not video.shut
        page = (PAGES / "peertube-embed.html").read_text()
        page = page.replace("@TITLE@", video.name if known and video else "PeerTube")
        page = page.replace("@TAGS@", f"{self.say.base}/videos/watch/{video.uuid}" if known and video else "")
        page = page.replace("@CONFIG@", json.dumps(json.dumps(self.say.config())).replace("<", "\\u003c"))
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "public, max-age=0"})
