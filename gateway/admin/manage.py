"""`{own}/manage`: "Manage guest access" of one item, the window of the article this grew from.

    ?url=ADDRESS              pasted, or brought along by the media server's menu or the bookmarklet
    ?server=S&item=I          the window: switch, links; `view` opens one thing in it (new, edit, delete, qr)

Rule: everything is a plain form that works without scripts; after each change the browser is led back to
the window, so that a reload changes nothing. What somebody else did meanwhile is said, never overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import segno
from aiohttp import web

from gateway.access.issue import IssueRefused
from gateway.access.managing import AccessView, ManagerDesk
from gateway.access.signing_in import SignedIn
from gateway.access.views import LinkView, rfc3339
from gateway.admin import typed
from gateway.admin.pages import SCRIPTS, manage_page
from gateway.admin.session import Desk, see_other
from gateway.reasons import Reason
from gateway.web.manage_visit import ManageVisit

_VIEWS = frozenset({"new", "edit", "delete", "qr"})
_DONE = frozenset({"created", "saved", "deleted", "enabled", "disabled", "access_on", "access_off"})


@dataclass(frozen=True, slots=True)
class Place:
    """Which item's window."""

    server: str
    item: str
    kind: str | None

    def address(self, home: str, **more: str) -> str:
        query = {"server": self.server, "item": self.item, **({"kind": self.kind} if self.kind else {}), **more}
        return f"{home}?{urlencode(query)}"


@dataclass(frozen=True, slots=True)
class Opened:
    """What is open in the window: a view with the link it is about, and what was typed in it."""

    view: str = ""
    link: LinkView | None = None
    fields: Mapping[str, str] | None = None
    errors: Mapping[str, str] | None = None
    trouble: str = ""  # a key below manage.trouble
    odd: tuple[str, ...] = ()  # of what was typed as a list of addresses, what is none; the first few


@dataclass(frozen=True, slots=True)
class ManageDoor:
    desk: Desk
    items: ManagerDesk

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        return await self.desk.page(visit, self._show, self._change)

    async def _show(self, visit: ManageVisit, signed_in: SignedIn) -> web.Response:
        asked = dict(parse_qsl(visit.target.query))
        if asked.get("server") and asked.get("item"):
            place = Place(asked["server"], asked["item"], asked.get("kind") or None)
            return await self._window(visit, signed_in, place, await self._opened(signed_in, place, asked), asked)
        if "url" not in asked:
            return self._home(visit, signed_in)
        found = self.items.recognise(signed_in.actor, asked["url"])
        if isinstance(found, IssueRefused):
            visit.reason, visit.detail = Reason.CHANGE_REFUSED, found.text
            return self._home(visit, signed_in, url=asked["url"][:2_000], unknown=True)
        return see_other(Place(found.server, found.item, found.kind).address(self.desk.home))

    async def _opened(self, signed_in: SignedIn, place: Place, asked: Mapping[str, str]) -> Opened:
        view = asked.get("view", "")
        if view not in _VIEWS:
            return Opened()
        if view == "new":
            return Opened("new")
        link = await self.items.get(signed_in.actor, asked.get("link", ""))
        if isinstance(link, IssueRefused) or (link.link.server, link.link.item) != (place.server, place.item):
            return Opened(trouble="gone")
        return Opened(view, link)

    async def _change(self, visit: ManageVisit, signed_in: SignedIn, fields: Mapping[str, str]) -> web.Response:
        place = Place(fields.get("server", ""), fields.get("item", ""), fields.get("kind") or None)
        done = await self._act(signed_in, place, fields)
        if isinstance(done, str):
            return see_other(place.address(self.desk.home, done=done))
        refused, opened = done
        visit.reason, visit.detail = Reason.CHANGE_REFUSED, refused.text
        return await self._window(visit, signed_in, place, opened, {}, refused=refused)

    async def _act(
        self, signed_in: SignedIn, place: Place, fields: Mapping[str, str]
    ) -> str | tuple[IssueRefused, Opened]:
        """What was done, or why not and what is to be shown open."""
        actor, act, link = signed_in.actor, fields.get("act", ""), fields.get("link", "")
        outcome: object
        if act in ("access_on", "access_off"):
            outcome = await self.items.set_access(actor, place.server, place.item, act == "access_on", kind=place.kind)
        elif act == "create":
            outcome = await self.items.create(actor, place.server, place.item, typed.new_link(fields), kind=place.kind)
        elif act == "save":
            outcome = await self.items.edit(
                actor, link, typed.changed_link(fields), version=typed.version(fields.get("version", ""))
            )
        elif act in ("enable", "disable"):
            outcome = await self.items.edit(actor, link, {"enabled": act == "enable"})
        elif act == "delete":
            outcome = await self.items.delete(actor, link, version=typed.version(fields.get("version", "")))
        else:
            outcome = IssueRefused(400, "not something that can be done here")
        if not isinstance(outcome, IssueRefused):
            past = {"create": "created", "save": "saved", "enable": "enabled", "disable": "disabled"}
            return past.get(act, "deleted" if act == "delete" else act)
        return outcome, await self._after(signed_in, act, link, fields, outcome)

    async def _after(
        self, signed_in: SignedIn, act: str, link: str, fields: Mapping[str, str], refused: IssueRefused
    ) -> Opened:
        if refused.status in (404, 410) and act in ("save", "delete", "enable", "disable"):
            return Opened(trouble="gone")
        if refused.status == 412:
            now = await self.items.get(signed_in.actor, link)
            view = "delete" if act == "delete" else "edit"
            return Opened(trouble="gone") if isinstance(now, IssueRefused) else Opened(view, now, trouble="changed")
        if act == "create":
            return Opened("new", fields=fields, errors=refused.errors, odd=typed.odd_entries(fields))
        if act == "save":
            now = await self.items.get(signed_in.actor, link)
            if not isinstance(now, IssueRefused):
                return Opened("edit", now, fields, refused.errors, odd=typed.odd_entries(fields))
        return Opened()

    async def _window(
        self,
        visit: ManageVisit,
        signed_in: SignedIn,
        place: Place,
        opened: Opened,
        asked: Mapping[str, str],
        *,
        refused: IssueRefused | None = None,
    ) -> web.Response:
        found = await self.items.access(signed_in.actor, place.server, place.item, kind=place.kind)
        if isinstance(found, IssueRefused):
            reason = Reason.NOT_PERMITTED if found.status == 403 else Reason.CHANGE_REFUSED
            visit.reason, visit.detail = reason, found.text
            return self._page(
                visit,
                signed_in,
                "manage_closed.html",
                status=found.status,
                why=_why(found),
                text=found.text,
                again=None if asked else place.address(self.desk.home),
            )
        if asked.get("item") not in (None, found.item.item):
            return see_other(Place(place.server, found.item.item, place.kind).address(self.desk.home))
        done = asked.get("done", "")
        return self._page(
            visit,
            signed_in,
            "manage_item.html",
            status=refused.status if refused else 200,
            access=found,
            place=place,
            here_address=place.address(self.desk.home),
            opened=opened,
            refused=refused if refused and not refused.errors and not opened.trouble else None,
            done=done if done in _DONE else "",
            full=len(found.links) >= found.allowed,
            qr=_qr(opened),
            poster=self._poster(found),
            again=None if asked else _again(place, opened, self.desk.home),
            rfc3339=rfc3339,
            local_time=_local_time,
        )

    def _poster(self, found: AccessView) -> str:
        query = urlencode({"server": found.item.server, "item": found.item.item})
        return f"{self.desk.home}/poster?{query}" if self.items.has_poster(found.item) else ""

    def _home(self, visit: ManageVisit, signed_in: SignedIn, *, url: str = "", unknown: bool = False) -> web.Response:
        return self._page(
            visit,
            signed_in,
            "manage_home.html",
            status=404 if unknown else 200,
            url=url,
            unknown=unknown,
            bookmarklet=self.bookmarklet,
        )

    @property
    def bookmarklet(self) -> str:
        """For the bookmarks' bar: on a media page it leads to the window of that item."""
        address = f"{self.desk.origin}{self.desk.home}?url="
        return f"javascript:location.href={json.dumps(address)}+encodeURIComponent(location.href)"

    def _page(
        self, visit: ManageVisit, signed_in: SignedIn, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        return manage_page(
            visit,
            template,
            status=status,
            home=self.desk.home,
            here="item",
            signed_in=signed_in,
            policy=SCRIPTS,
            **values,
        )


def _again(place: Place, opened: Opened, home: str) -> str:
    """Where a GET shows the window that a post has opened."""
    link = {"link": opened.link.link.id} if opened.link is not None else {}
    return place.address(home, view=opened.view, **link) if opened.view else place.address(home)


def _local_time(moment: int) -> str:
    """As a browser's field for date and time takes it, in UTC: a script of the page turns it into the manager's
    own zone."""
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def _why(refused: IssueRefused) -> str:
    """The key of what is said about an item that can't be managed."""
    return {403: "not_permitted", 410: "gone", 502: "unreachable", 409: "closed"}.get(refused.status, "unknown")


def _qr(opened: Opened) -> str:
    """The link's address as an inline SVG; "" where none is shown."""
    if opened.view != "qr" or opened.link is None or opened.link.url is None:
        return ""
    return str(segno.make(opened.link.url, error="m").svg_inline(scale=6, border=4, svgclass="qr", lineclass=None))
