"""`{own}/manage/record`: what was done, by whom, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.access.issue import IssueRefused
from gateway.access.managing import AuditQuery, ManagerDesk
from gateway.access.signing_in import SignedIn
from gateway.access.views import rfc3339
from gateway.admin.pages import manage_page
from gateway.admin.session import Desk, see_other
from gateway.links.events import Action
from gateway.web.manage_visit import ManageVisit

PAGE = 100


@dataclass(frozen=True, slots=True)
class RecordDoor:
    desk: Desk
    items: ManagerDesk

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        return await self.desk.page(visit, self._show)

    async def _show(self, visit: ManageVisit, signed_in: SignedIn) -> web.Response:
        asked = {name: value for name, value in parse_qsl(visit.target.query) if value}
        action = asked.get("action", "")
        query = AuditQuery(
            server=asked.get("server"),
            item=asked.get("item"),
            link=asked.get("link"),
            who=asked.get("who"),
            action=Action(action) if action in [str(one) for one in Action] else None,
            limit=PAGE,
            cursor=asked.get("cursor"),
        )
        found = await self.items.audit(signed_in.actor, query)
        address = f"{self.desk.home}/record"
        if isinstance(found, IssueRefused):
            return see_other(address)
        return manage_page(
            visit,
            "manage_record.html",
            home=self.desk.home,
            here="record",
            signed_in=signed_in,
            found=found,
            query=query,
            actions=tuple(Action),
            following=f"{address}?{urlencode({**asked, 'cursor': found.next})}" if found.next else "",
            rfc3339=rfc3339,
        )
