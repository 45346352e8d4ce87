"""`{own}/back`: to the media of this browser's latest live grant.

Why it exists: the entry page gives its place in the history this address when its form is sent, so that
no script of the media server learns the link from the way back (see static/entry.js).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.access.grants import GrantTable
from gateway.access.servers import MediaServer
from gateway.reasons import Reason
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse
from gateway.web.session import SessionCookie
from gateway.web.visit import Visit


@dataclass(frozen=True, slots=True)
class BackDoor:
    """`way_back`: where the media of one of these grants is, if this worker knows one that lives."""

    grants: GrantTable
    sessions: SessionCookie
    way_back: Callable[[MediaServer, tuple[str, ...]], str | None]

    async def handle(self, visit: Visit) -> web.StreamResponse:
        if visit.request.method not in ("GET", "HEAD"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        name, grant_ids = visit.server.config.name, self.sessions.grant_ids(visit.request)
        if grant_ids and self.grants.known(grant_ids, server=name) is None:
            await self.grants.load(grant_ids, server=name)
        back = self.way_back(visit.server, grant_ids) if grant_ids else None
        if back is None:
            return refuse(visit, Reason.NO_SESSION)
        return web.Response(status=303, headers={**common_headers(), "Location": back})
