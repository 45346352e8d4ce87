"""The recordings of a BigBlueButton server: open folders behind nginx, a player that is a page of scripts, an API.

    fake = FakeBbbRecordings(folder, clips)
    async with fake.running() as url: ...        fake.secret signs calls of the API (bbb_api.signed)

Nothing asks who is there: who knows a recording's id has it, whatever `gl-listed` says. `app`: a folder with a real
build of bbb-playback in place of the small page of pages/.

Locations: bigbluebutton/bigbluebutton record-and-playback/{presentation,video,podcast,notes,screenshare}/scripts/
*.nginx and bigbluebutton/bbb-playback playback.nginx.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.servers import bbb_api
from tests.servers.asked import Asked, Fake
from tests.servers.bbb_library import Library
from tests.servers.nginx_paths import folder, page, tidied

PAGES = Path(__file__).parent / "pages"
PLAYER = "/playback/presentation/2.3"


class FakeBbbRecordings(Fake):
    def __init__(self, root: Path, clips: Path, *, base: str | None = None, app: Path | None = None) -> None:
        super().__init__()
        self.library = Library(root, clips)
        self.secret = secrets.token_hex(20)
        self.base = base or ""
        self.root, self._app = root, app

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with super().running() as url:
            self.base = self.base or url
            self.library.lay(self.base)
            yield url

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        path = tidied(asked.path)
        if path is None:
            return web.Response(status=400)
        if call := re.fullmatch(r"/bigbluebutton/api(?:/(\w*))?/?", path):
            query = asked.query
            if request.method == "POST" and "form-urlencoded" in request.headers.get("Content-Type", ""):
                query = "&".join(one for one in (query, asked.body.decode()) if one)
            return bbb_api.answer(self.library, self.base, self.secret, call[1] or "", query)
        if old := re.match(r"/playback/presentation/(?:2\.0|0\.9\.0)/playback\.html", path):
            return self._redirected(asked, old[0])
        if path.startswith(PLAYER):  # no slash in the location: `2.3anything` is in it too
            return self._player(request, path.removeprefix(PLAYER))
        published = self.root / "published"
        # Prefixes without a slash at their end. `root` puts the whole path behind the folder, `alias` the rest of it:
        # /presentation_export/... is served by the location of /presentation.
        for prefix in ("/presentation", "/podcast", "/notes"):
            if path.startswith(prefix):
                return folder(request, published / path.lstrip("/"), path)
        for prefix, to in (("/playback/video/", "video/"), ("/recording/screenshare", "screenshare")):
            if path.startswith(prefix):
                return folder(request, Path(f"{published}/{to}{path.removeprefix(prefix)}"), path)
        return web.Response(status=404)

    def _redirected(self, asked: Asked, path: str) -> web.StreamResponse:
        """The README of bbb-playback: `$arg_meetingId` is the first of that name, in any case."""
        found = re.search(r"(?:^|&)meetingid=([^&]*)", asked.query, re.IGNORECASE)
        host = asked.header("Host") or ""
        target = f"http://{host}{PLAYER}/{found[1] if found else ''}?{asked.query}"
        return web.Response(status=301, headers={"Location": target})

    def _player(self, request: web.Request, rest: str) -> web.StreamResponse:
        """`try_files $uri /playback/presentation/2.3/index.html`: every path that is no file is the page, with 200."""
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405)
        if self._app is not None:
            file = self._app / rest.lstrip("/")
            return page(file if rest.startswith("/") and file.is_file() else self._app / "index.html")
        own = {
            "/static/js/main.0fa4e51c.js": "bbb-playback.js",
            "/static/css/main.0fa4e51c.css": "bbb-playback.css",
            "/index.html": "bbb-playback.html",
        }
        return page(PAGES / own.get(rest, "bbb-playback.html"))
