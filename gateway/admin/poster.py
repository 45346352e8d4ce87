"""`{own}/manage/poster?server=&item=`: the item's picture, for our own pages alone."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.access.managing import ManagerDesk
from gateway.admin.session import Desk, ours
from gateway.reasons import Reason
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse


@dataclass(frozen=True, slots=True)
class PosterDoor:
    desk: Desk
    items: ManagerDesk

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        request = visit.request
        if request.method not in ("GET", "HEAD"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        if not ours(request):
            return refuse(visit, Reason.CROSS_SITE, detail="a picture for our own pages")
        found = await self.desk.who(visit)
        if found is None:
            return refuse(visit, Reason.NOT_SIGNED_IN)
        asked = dict(parse_qsl(visit.target.query))
        poster = await self.items.poster(found[0].actor, asked.get("server", ""), asked.get("item", ""))
        if poster is None:
            return refuse(visit, Reason.NOT_FOUND)
        return web.Response(
            body=poster.body,
            headers={
                **common_headers(),
                "Cache-Control": "private, max-age=300",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Content-Type": poster.content_type,
            },
        )
