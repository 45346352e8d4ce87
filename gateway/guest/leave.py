"""`{own}/leave`: a guest goes. POST ends the grants; GET asks first, for media servers whose own pages
have no button for it."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.access.admit import Doorkeeper
from gateway.access.grants import GrantTable
from gateway.access.outcome import Denied
from gateway.guest.remembered import forget
from gateway.reasons import Reason
from gateway.web.form import read_form
from gateway.web.refuse import refuse
from gateway.web.same_origin import foreign
from gateway.web.session import SessionCookie
from gateway.web.visit import Visit

_LEFT = "left"  # the query under which somebody who has left reads that once more, in another language


@dataclass(frozen=True, slots=True)
class LeaveDoor:
    """`form_limit` is in bytes."""

    doorkeeper: Doorkeeper
    grants: GrantTable
    sessions: SessionCookie
    form_limit: int

    async def handle(self, visit: Visit) -> web.StreamResponse:
        if visit.request.method in ("GET", "HEAD"):
            if self.sessions.grant_ids(visit.request):
                return self._page(visit, "ask")
            return self._page(visit, "left" if visit.target.query == _LEFT else "none")
        if visit.request.method == "POST":
            return await self._leave(visit)
        return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD, POST"})

    async def _leave(self, visit: Visit) -> web.StreamResponse:
        elsewhere = foreign(visit.request.headers, visit.server.config.public)
        if elsewhere is not None:
            return refuse(visit, Reason.CROSS_SITE, detail=elsewhere)
        fields = await read_form(visit.request, self.form_limit)
        if isinstance(fields, Denied):
            return refuse(visit, fields.reason, detail=fields.detail)
        grant_ids = self.sessions.grant_ids(visit.request)
        if not grant_ids:
            return self._page(visit, "none")
        remaining = await self.doorkeeper.leave(grant_ids, fields.get("grant"))
        response = self._page(visit, "left")
        if remaining:
            others = self.grants.known(remaining) or await self.grants.load(remaining)
            # A guest we can't ask (the grant is over, the browser still known) may be one who said "not my device".
            safe = len(others) == len(remaining) and not any(live.guest.shared_device for live in others)
            self.sessions.write(visit.request, response, remaining, persistent=safe)
        else:
            self.sessions.clear(visit.request, response)
            forget(response, visit.server.config.public)  # the page says that this device forgets
        return response

    def _page(self, visit: Visit, step: str) -> web.Response:
        again, policy = None, None
        if step == "left":
            again = f"{visit.target.path}?{_LEFT}"
            # A script that has this browser forget where its guest was (static/position.js), and no other.
            policy = {"script-src": "'self'"}
        return visit.pages.respond(visit.request, "leave.html", step=step, again=again, policy=policy)
