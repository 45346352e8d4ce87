"""`POST {own}/seat`: whether a seat is free, for the page of a guest who waits for one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.access.seats import Seats
from gateway.reasons import Reason
from gateway.web.form import read_form
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse
from gateway.web.same_origin import foreign
from gateway.web.visit import Visit


@dataclass(frozen=True, slots=True)
class SeatDoor:
    seats: Seats
    form_limit: int

    async def handle(self, visit: Visit) -> web.StreamResponse:
        if visit.request.method != "POST":
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        elsewhere = foreign(visit.request.headers, visit.server.config.public, accept_null=True)
        if elsewhere is not None:
            return refuse(visit, Reason.CROSS_SITE, detail=elsewhere)
        fields = await read_form(visit.request, self.form_limit)
        if isinstance(fields, Denied):
            return refuse(visit, fields.reason, detail=fields.detail)
        free = await self.seats.free(fields.get("seat", ""))
        if free is None:
            return refuse(visit, Reason.FORM_STALE, detail="no pass of a page that waits")
        return web.Response(
            body=json.dumps({"free": free}).encode(),
            headers={**common_headers(), "Content-Type": "application/json"},
        )
