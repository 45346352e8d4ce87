"""`{own}/manage/links`: all links this manager may see; search, sort, filter, and change several at once.

Rule: what is done to several is done to each by itself; what was refused is said with the link's name, and
the others are done all the same. Days may be too many for one server and not for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.access.issue import IssueRefused
from gateway.access.listing import LinkQuery, is_sort
from gateway.access.managing import ManagerDesk
from gateway.access.signing_in import SignedIn
from gateway.access.views import rfc3339
from gateway.admin import typed
from gateway.admin.pages import SCRIPTS, manage_page
from gateway.admin.session import Desk, see_other
from gateway.ceilings import MAX_DAYS
from gateway.links.ids import is_link_id
from gateway.links.rules import State
from gateway.web.manage_visit import ManageVisit

PAGE = 50
SORT = "-created_at"
_TICKED = "link-"
_STATES = tuple(state for state in State if state is not State.DELETED)


@dataclass(frozen=True, slots=True)
class LinksDoor:
    desk: Desk
    items: ManagerDesk

    @property
    def address(self) -> str:
        return f"{self.desk.home}/links"

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        return await self.desk.page(visit, self._show, self._change)

    async def _show(
        self,
        visit: ManageVisit,
        signed_in: SignedIn,
        *,
        refused: Mapping[str, str] | None = None,
        days_wrong: bool = False,
    ) -> web.Response:
        asked = dict(parse_qsl(visit.target.query))
        query = _query(asked)
        found = await self.items.find(signed_in.actor, query)
        if isinstance(found, IssueRefused):
            # A cursor of another listing: begin at its beginning.
            return see_other(self._to(asked, cursor=None))
        return manage_page(
            visit,
            "manage_links.html",
            home=self.desk.home,
            here="links",
            signed_in=signed_in,
            policy=SCRIPTS,
            status=400 if days_wrong else 409 if refused else 200,
            found=found,
            query=query,
            states=_STATES,
            sorted_by=lambda name: self._to(
                asked, sort=f"-{name}" if query.sort == name else name, cursor=None, done=None
            ),
            following=self._to(asked, cursor=found.next, done=None) if found.next else "",
            first=self._to(asked, cursor=None, done=None) if query.cursor else "",
            here_address=self._to(asked, done=None),
            done=asked.get("done", "") if asked.get("done", "").isdecimal() else "",
            refused=refused or {},
            days_wrong=days_wrong,
            beyond=await self.items.beyond(signed_in.actor),
            show_beyond=self._to(asked, breaks="1", state=None, q=None, cursor=None, done=None),
            rfc3339=rfc3339,
        )

    async def _change(self, visit: ManageVisit, signed_in: SignedIn, fields: Mapping[str, str]) -> web.Response:
        ticked = [name.removeprefix(_TICKED) for name in fields if name.startswith(_TICKED)]
        act = fields.get("act", "")
        changes: dict[str, object] | None = None
        if act in ("enable", "disable"):
            changes = {"enabled": act == "enable"}
        elif act == "extend":
            days = typed.limit(fields.get("days", ""))
            if not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
                return await self._show(visit, signed_in, days_wrong=True)
            changes = {"days": days}
        refused: dict[str, str] = {}
        for link in ticked if changes is not None else ():
            if not is_link_id(link):
                continue
            assert changes is not None
            outcome = await self.items.edit(signed_in.actor, link, changes)
            if isinstance(outcome, IssueRefused):
                refused[link] = outcome.errors.get("days", "")
        if refused:
            return await self._show(visit, signed_in, refused=refused)
        return see_other(self._to(dict(parse_qsl(visit.target.query)), done=str(len(ticked))))

    def _to(self, asked: Mapping[str, str], **changed: str | None) -> str:
        kept = {name: value for name, value in {**asked, **changed}.items() if value}
        return self.address + (f"?{urlencode(kept)}" if kept else "")


def _query(asked: Mapping[str, str]) -> LinkQuery:
    """What cannot be asked is left out: an address typed by hand shows something all the same."""
    state, sort = asked.get("state", ""), asked.get("sort", "")
    return LinkQuery(
        server=asked.get("server") or None,
        state=State(state) if state in [str(one) for one in _STATES] else None,
        q=asked.get("q", "")[:200],
        sort=sort if is_sort(sort) else SORT,
        limit=PAGE,
        cursor=asked.get("cursor") or None,
        breaks=True if asked.get("breaks") else None,
    )
