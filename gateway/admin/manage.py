"""`{own}/manage`: which item? By the address of its page, pasted or brought along as `?url=`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.access.managing import ManagerDesk
from gateway.access.signing_in import SignedIn
from gateway.admin.pages import manage_page
from gateway.admin.session import Desk
from gateway.web.manage_visit import ManageVisit


@dataclass(frozen=True, slots=True)
class ManageDoor:
    desk: Desk
    items: ManagerDesk

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        return await self.desk.page(visit, self._show)

    async def _show(self, visit: ManageVisit, signed_in: SignedIn) -> web.Response:
        asked = dict(parse_qsl(visit.target.query))
        return manage_page(
            visit,
            "manage_home.html",
            home=self.desk.home,
            here="item",
            signed_in=signed_in,
            url=asked.get("url", ""),
            unknown="url" in asked,
        )
