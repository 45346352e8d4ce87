"""A media server of items that have owners, and a policy for it: what managing is tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

POLICY = """
server: Village cinema
item:
  id: "[a-z0-9]{6,32}"
  resolve:
    - request: GET /api/items/{id}
      id: $.id
      gone: [404]
      vars: {title: $.title, owner: $.owner}
  kind: {$.type: {Movie: video, Folder: channel}}
patterns: {file: "[A-Za-z0-9_-]+[.][a-z0-9]{1,8}"}
kinds:
  video:
    page_urls: ["/media/{id}", "/web/#/details?id={id}&*"]
    open: /media/{id}
    allow:
      - page GET /media/{id}
      - GET /hls/{id}/{file}
  channel: {guest_access: false}
"""


class Library:
    """A media server's items: `owners` by id, `gone` ids, and folders, whose ids begin so."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.gone: set[str] = set()
        self.broken = False
        self.port = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if self.broken:
            return web.Response(status=500)
        item = request.path.rpartition("/")[2]
        if request.path.startswith("/api/items/"):
            if item in self.gone:
                return web.Response(status=404)
            kind = "Folder" if item.startswith("folder") else "Movie"
            return web.json_response(
                {"id": item, "title": f"Film {item}", "owner": self.owners.get(item, "nobody"), "type": kind}
            )
        if request.path.startswith("/media/"):
            return web.Response(text=f"<title>{item}</title>", content_type="text/html")
        return web.Response(body=b"media", content_type="video/mp2t")


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    library = Library()
    runner = web.ServerRunner(web.Server(library.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    library.port = runner.addresses[0][1]
    yield library
    await runner.cleanup()
