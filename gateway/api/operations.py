"""What the API can do: one row an operation, with what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.access.issue import IssueRefused
from gateway.access.listing import MAX_CURSOR, LinkQuery
from gateway.access.managing import AccessView, AuditQuery, ManagerDesk
from gateway.access.permits import Actor
from gateway.access.spreadsheet import csv_text
from gateway.access.views import GUEST_COLUMNS, ceilings_json, event_json, guest_json, guest_table, link_json
from gateway.api import models
from gateway.api.answers import answer, link_answer
from gateway.api.schema import Schema
from gateway.links.events import Action
from gateway.links.rules import State
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers

Answered = web.StreamResponse | IssueRefused


@dataclass(frozen=True, slots=True)
class Call:
    """One call, all of it read and found to fit. `id` is the path's parameter, `base` the API's own path."""

    visit: ManageVisit
    desk: ManagerDesk
    actor: Actor
    id: str
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    version: int | None
    base: str


@dataclass(frozen=True, slots=True)
class Operation:
    """`refusals` are the statuses of what may be refused beyond 400, 401 and 503, with when."""

    method: str
    path: str
    summary: str
    act: Callable[[Call], Awaitable[Answered]]
    status: int
    answers: str | None  # the schema's name
    query: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    body: Schema | None = None
    body_name: str = ""
    versioned: bool = False
    csv: bool = False
    refusals: Mapping[int, str] = field(default_factory=dict)


async def _get_access(call: Call) -> Answered:
    missing = {name: "is missing" for name in ("server", "item") if name not in call.query}
    if missing:
        return IssueRefused(400, "that can't be done as written", missing)
    found = await call.desk.access(call.actor, call.query["server"], call.query["item"], kind=call.query.get("kind"))
    return found if isinstance(found, IssueRefused) else answer(_access_json(found))


async def _put_access(call: Call) -> Answered:
    body = call.body
    done = await call.desk.set_access(call.actor, body["server"], body["item"], body["enabled"], kind=body.get("kind"))
    return done if isinstance(done, IssueRefused) else answer(_access_json(done))


async def _create_link(call: Call) -> Answered:
    body = dict(call.body)
    server, item, kind = body.pop("server"), body.pop("item"), body.pop("kind", None)
    made = await call.desk.create(call.actor, server, item, body, kind=kind)
    if isinstance(made, IssueRefused):
        return made
    return link_answer(made, status=201, headers={"Location": f"{call.base}/links/{made.link.id}"})


async def _list_links(call: Call) -> Answered:
    query = call.query
    found = await call.desk.find(
        call.actor,
        LinkQuery(
            server=query.get("server"),
            item=query.get("item"),
            state=State(query["state"]) if "state" in query else None,
            q=query.get("q", ""),
            sort=query.get("sort", "-created_at"),
            limit=query.get("limit", 100),
            cursor=query.get("cursor"),
            breaks=query.get("breaks"),
        ),
    )
    if isinstance(found, IssueRefused):
        return found
    more = {"next": found.next} if found.next else {}
    return answer({"links": [link_json(view) for view in found.links], "total": found.total, **more})


async def _get_link(call: Call) -> Answered:
    found = await call.desk.get(call.actor, call.id)
    return found if isinstance(found, IssueRefused) else link_answer(found)


async def _patch_link(call: Call) -> Answered:
    done = await call.desk.edit(call.actor, call.id, call.body, version=call.version)
    return done if isinstance(done, IssueRefused) else link_answer(done)


async def _delete_link(call: Call) -> Answered:
    done = await call.desk.delete(call.actor, call.id, version=call.version)
    return done if isinstance(done, IssueRefused) else web.Response(status=204, headers=common_headers())


async def _list_guests(call: Call) -> Answered:
    query = call.query
    found = await call.desk.guests(call.actor, query.get("server"), query.get("item"), query.get("link"))
    if isinstance(found, IssueRefused):
        return found
    if "present" in query:
        found = [one for one in found if one.present is query["present"]]
    rows = [guest_json(one) for one in sorted(found, key=lambda one: (one.guest.first_seen, one.guest.id))]
    if "text/csv" not in call.visit.request.headers.get("Accept", "").lower():
        return answer({"guests": rows})
    await call.desk.exported(call.actor, {"guests": str(len(rows)), "format": "csv"})
    return web.Response(
        body=csv_text(*guest_table(GUEST_COLUMNS, rows, call.desk.form)).encode(),
        headers={
            **common_headers(),
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="guests.csv"',
        },
    )


async def _delete_guest(call: Call) -> Answered:
    done = await call.desk.remove(call.actor, call.id, erase=call.query.get("erase", False))
    return done if isinstance(done, IssueRefused) else web.Response(status=204, headers=common_headers())


async def _audit(call: Call) -> Answered:
    query = dict(call.query)
    if "action" in query:
        query["action"] = Action(query["action"])
    found = await call.desk.audit(call.actor, AuditQuery(**query))
    if isinstance(found, IssueRefused):
        return found
    more = {"next": found.next} if found.next else {}
    return answer({"events": [event_json(event) for event in found.events], **more})


def _access_json(view: AccessView) -> dict[str, Any]:
    item = view.item
    return {
        "server": item.server,
        "item": item.item,
        "kind": item.kind,
        "title": item.title,
        "enabled": view.enabled,
        "links": [link_json(link) for link in view.links],
        "links_allowed": view.allowed,
        "ceilings": ceilings_json(view.ceilings),
    }


_PLACE: dict[str, Schema] = {"server": models.SERVER, "item": models.ITEM}
_FORBIDDEN = {403: "The item is not among what this manager may manage."}
_UNKNOWN = {404: "There is none with this id, or this manager may not see it."}
_ITEM_REFUSALS = {
    **_FORBIDDEN,
    404: "There is no such server.",
    409: "The item's kind or its server is closed to guests.",
    410: "The media server says that the item is gone.",
    502: "The media server could not be asked.",
}
_CHANGED = {412: "Somebody else has changed it since: the version in If-Match is not its version now."}
_DELETED = {410: "It has been deleted."}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/access",
        "An item's switch and its links",
        _get_access,
        200,
        "Access",
        {**_PLACE, "kind": models.SHORT},
        required=("server", "item"),
        refusals=_ITEM_REFUSALS,
    ),
    Operation(
        "PUT",
        "/access",
        "Turn an item's guest access on or off",
        _put_access,
        200,
        "Access",
        body=models.ACCESS_PUT,
        body_name="AccessPut",
        refusals=_ITEM_REFUSALS,
    ),
    Operation(
        "POST",
        "/links",
        "Create a guest link. The first link of an item turns its guest access on",
        _create_link,
        201,
        "Link",
        body=models.LINK_CREATE,
        body_name="LinkCreate",
        refusals={
            **_ITEM_REFUSALS,
            409: "Guest access was turned off, the item has all links it may, or has no guests.",
        },
    ),
    Operation(
        "GET",
        "/links",
        "Links this manager may see",
        _list_links,
        200,
        "Links",
        {
            **_PLACE,
            "state": models.STATE,
            "q": {**models.SHORT, "minLength": 0},
            "breaks": models.BREAKS,
            "sort": models.SORT,
            "limit": models.LIMIT,
            "cursor": {**models.SHORT, "maxLength": MAX_CURSOR},
        },
    ),
    Operation("GET", "/links/{id}", "One link", _get_link, 200, "Link", refusals=_UNKNOWN),
    Operation(
        "PATCH",
        "/links/{id}",
        "Change a link: what is not named stays, null lifts a limit, days count from now",
        _patch_link,
        200,
        "Link",
        body=models.LINK_PATCH,
        body_name="LinkPatch",
        versioned=True,
        refusals={**_UNKNOWN, **_DELETED, **_CHANGED, 502: "The media server could not be asked whose it is."},
    ),
    Operation(
        "DELETE",
        "/links/{id}",
        "Delete a link for good",
        _delete_link,
        204,
        None,
        versioned=True,
        refusals={**_UNKNOWN, **_DELETED, **_CHANGED},
    ),
    Operation(
        "GET",
        "/guests",
        "Who came; as CSV for Accept: text/csv",
        _list_guests,
        200,
        "Guests",
        {**_PLACE, "link": models.SHORT, "present": models.BOOLEAN},
        csv=True,
        refusals=_UNKNOWN,
    ),
    Operation(
        "DELETE",
        "/guests/{id}",
        "Remove a guest: all they have open ends now. erase=true: name and address are kept no longer",
        _delete_guest,
        204,
        None,
        {"erase": models.BOOLEAN},
        refusals=_UNKNOWN,
    ),
    Operation(
        "GET",
        "/audit",
        "Who did what, newest first",
        _audit,
        200,
        "Audit",
        {
            **_PLACE,
            "link": models.SHORT,
            "guest": models.SHORT,
            "who": models.SHORT,
            "action": models.ACTION,
            "limit": models.LIMIT,
            "cursor": models.EVENT_CURSOR,
        },
    ),
)
