"""`{own}/manage/guests`: who is here and who came; removing and erasing; tables to take along.

Rule: a page shows the latest guests and says how many there are; the files hold all. A file with names in
it is an event of the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.access.issue import IssueRefused
from gateway.access.managing import ManagerDesk
from gateway.access.signing_in import SignedIn
from gateway.access.spreadsheet import csv_text
from gateway.access.views import GUEST_COLUMNS, GuestView, LinkView, guest_json, guest_table, rfc3339
from gateway.admin.pages import SCRIPTS, manage_page
from gateway.admin.session import Desk, ours, see_other
from gateway.config import GuestForm
from gateway.links.ids import is_link_id
from gateway.links.records import Guest
from gateway.reasons import Reason
from gateway.web.i18n import Locale
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse

SHOWN = 200
_FILTERS = ("server", "item", "link", "q", "present")
_VIEWS = frozenset({"remove", "erase"})
_ACTS = frozenset({*_VIEWS, "erase_person"})


@dataclass(frozen=True, slots=True)
class GuestsDoor:
    desk: Desk
    items: ManagerDesk

    @property
    def address(self) -> str:
        return f"{self.desk.home}/guests"

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        return await self.desk.page(visit, self._show, self._change)

    async def export(self, visit: ManageVisit) -> web.StreamResponse:
        """`/export?format=csv|json`, with the filters of the page. A page elsewhere can't make a manager's browser
        take a file along."""
        if not ours(visit.request, typed=True):
            return refuse(visit, Reason.CROSS_SITE, detail="a file for our own pages")
        return await self.desk.page(visit, self._file)

    async def live(self, visit: ManageVisit) -> web.StreamResponse:
        """`/live`: numbers for the pages that are open; asked by our own script and by nobody else."""
        request = visit.request
        if request.method != "GET":
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
        if not ours(request):
            return refuse(visit, Reason.CROSS_SITE, detail="numbers for our own pages")
        who = await self.desk.who(visit)
        if who is None:
            return refuse(visit, Reason.NOT_SIGNED_IN)
        found = await self._found(who[0], _filters(visit))
        if isinstance(found, IssueRefused):
            return refuse(visit, Reason.CHANGE_REFUSED, detail=found.text)
        numbers = {
            "present": sum(one.present for one in found),
            "guests": {one.guest.id: {"watched": one.watched_s // 60, "present": one.present} for one in found[:SHOWN]},
            "total": len(found),
        }
        return web.Response(
            body=json.dumps(numbers).encode(), headers={**common_headers(), "Content-Type": "application/json"}
        )

    async def _show(
        self,
        visit: ManageVisit,
        signed_in: SignedIn,
        *,
        trouble: str = "",
    ) -> web.Response:
        asked = dict(parse_qsl(visit.target.query))
        filters = _filters(visit)
        found = await self._found(signed_in, filters)
        if isinstance(found, IssueRefused):
            visit.reason, visit.detail = Reason.CHANGE_REFUSED, found.text
            found, trouble = [], "gone"
        view, guest = asked.get("view", ""), asked.get("guest", "")
        about = next((one for one in found if one.guest.id == guest), None)
        links = await self._link_names(signed_in, found[:SHOWN])
        locale = visit.pages.locale(visit.request)
        return manage_page(
            visit,
            "manage_guests.html",
            home=self.desk.home,
            here="guests",
            signed_in=signed_in,
            policy={**SCRIPTS, "connect-src": "'self'"},
            status=400 if trouble == "email" else 404 if trouble == "gone" else 200,
            guests=found[:SHOWN],
            total=len(found),
            present=sum(one.present for one in found),
            links=links,
            answers={one.guest.id: _answers(one.guest, self.items.form, locale) for one in found[:SHOWN]},
            filters=filters,
            here_address=self._to(filters),
            export=f"{self.address}/export?{urlencode(filters)}",
            live=f"{self.address}/live?{urlencode(filters)}",
            view=view if view in _VIEWS and about is not None else "",
            about=about,
            trouble=trouble,
            done=asked.get("done", "") if asked.get("done") in ("removed", "erased") else "",
            lists=await self._lists(signed_in, asked.get("lists", "")),
            count=int(asked["count"]) if asked.get("count", "").isdecimal() and len(asked["count"]) < 9 else 0,
            rfc3339=rfc3339,
        )

    async def _change(self, visit: ManageVisit, signed_in: SignedIn, fields: Mapping[str, str]) -> web.Response:
        act, filters = fields.get("act", ""), _filters(visit)
        if act not in _ACTS:
            return await self._show(visit, signed_in)
        if act == "erase_person":
            count = await self.items.erase(signed_in.actor, fields.get("email", ""))
            if isinstance(count, IssueRefused):
                visit.reason, visit.detail = Reason.CHANGE_REFUSED, count.text
                return await self._show(visit, signed_in, trouble="email")
            return see_other(self._to({**filters, **await self._erased(signed_in, fields.get("email", ""), count)}))
        outcome = await self.items.remove(signed_in.actor, fields.get("guest", ""), erase=act == "erase")
        if isinstance(outcome, IssueRefused):
            visit.reason, visit.detail = Reason.CHANGE_REFUSED, outcome.text
            return await self._show(visit, signed_in, trouble="gone")
        if act == "erase":
            return see_other(self._to({**filters, **await self._erased(signed_in, outcome.guest.email, 1)}))
        return see_other(self._to({**filters, "done": "removed", "count": "1"}))

    async def _erased(self, signed_in: SignedIn, email: str, count: int) -> dict[str, str]:
        """What the page after an erasure is asked for: never by the address itself, which would stand in a URL."""
        naming = [one.link.id for one in await self.items.naming(signed_in.actor, email)]
        return {"done": "erased", "count": str(count), **({"lists": " ".join(naming[:SHOWN])} if naming else {})}

    async def _file(self, visit: ManageVisit, signed_in: SignedIn) -> web.Response:
        found = await self._found(signed_in, _filters(visit))
        if isinstance(found, IssueRefused):
            return refuse(visit, Reason.CHANGE_REFUSED, detail=found.text)
        rows = [guest_json(one) for one in found]
        form = "json" if ("format", "json") in parse_qsl(visit.target.query) else "csv"
        await self.items.exported(signed_in.actor, {"guests": str(len(rows)), "format": form})
        if form == "json":
            body, kind = json.dumps(rows, ensure_ascii=False, indent=2).encode(), "application/json"
        else:
            # With a mark of UTF-8, without which spreadsheets take it for something older.
            body, kind = (
                b"\xef\xbb\xbf" + csv_text(*guest_table(GUEST_COLUMNS, rows, self.items.form)).encode(),
                "text/csv; charset=utf-8",
            )
        return web.Response(
            body=body,
            headers={
                **common_headers(),
                "Content-Type": kind,
                "Content-Disposition": f'attachment; filename="guests.{form}"',
            },
        )

    async def _found(self, signed_in: SignedIn, filters: Mapping[str, str]) -> list[GuestView] | IssueRefused:
        """Those present first, then the latest."""
        found = await self.items.guests(
            signed_in.actor, filters.get("server"), filters.get("item"), filters.get("link")
        )
        if isinstance(found, IssueRefused):
            return found
        words = filters.get("q", "").casefold().split()
        kept = [
            one
            for one in found
            if (not filters.get("present") or one.present) and all(word in _searched(one) for word in words)
        ]
        return sorted(kept, key=lambda one: (one.present, one.guest.last_seen, one.guest.id), reverse=True)

    async def _link_names(self, signed_in: SignedIn, guests: list[GuestView]) -> dict[str, str]:
        names: dict[str, str] = {}
        for link in dict.fromkeys(one.guest.link for one in guests):
            view = await self.items.get(signed_in.actor, link)
            names[link] = "" if isinstance(view, IssueRefused) else view.link.name
        return names

    async def _lists(self, signed_in: SignedIn, asked: str) -> list[LinkView]:
        """Links on whose list somebody stands who has been erased."""
        views = [await self.items.get(signed_in.actor, one) for one in asked.split()[:SHOWN] if is_link_id(one)]
        return [one for one in views if not isinstance(one, IssueRefused)]

    def _to(self, query: Mapping[str, str]) -> str:
        return self.address + (f"?{urlencode(query)}" if query else "")


def _searched(one: GuestView) -> str:
    guest = one.guest
    said = [value for value in guest.fields.values() if isinstance(value, str)]
    return "\n".join((guest.name, guest.email, one.item, *said)).casefold()


def _answers(guest: Guest, form: GuestForm, locale: Locale) -> list[tuple[str, str]]:
    """What they were asked and what they answered, in the manager's language; fields that have left the form
    under their name."""
    order = {one.name: number for number, one in enumerate(form.fields)}
    found = []
    for name, value in sorted(guest.fields.items(), key=lambda one: (order.get(one[0], len(order)), one[0])):
        asked = form.named(name)
        if isinstance(value, bool):
            said = locale.t("manage.guests.yes") if value else locale.t("manage.guests.no")
        else:
            options = asked.options if asked is not None else ()
            said = next((one.said(locale.language)[0] for one in options if one.plain == value), value)
        found.append((asked.label.said(locale.language)[0] if asked is not None else name, said))
    if guest.consent_version is not None and guest.consent_at is not None:
        agreed = locale.t("manage.guests.consented", version=guest.consent_version, date=locale.date(guest.consent_at))
        found.append((locale.t("manage.guests.consent"), agreed))
    return found


def _filters(visit: ManageVisit) -> dict[str, str]:
    asked = dict(parse_qsl(visit.target.query))
    return {name: asked[name][:2_000] for name in _FILTERS if asked.get(name)}
