"""What a notice says. The same keys in each, null where they mean nothing.

Rule: never a link's token or address, and of a guest the id alone; their own words are added when it is sent
(`with_guest`), for webhooks that ask for them, and so are never there of somebody who has been erased meanwhile.
"""

from __future__ import annotations

import json
from typing import Any

from gateway.access.views import rfc3339
from gateway.config import NoticeEvent
from gateway.links.records import Guest, Item, Link
from gateway.links.rules import State

TEST = "test"


def payload(
    event: NoticeEvent | str,
    identifier: str,
    at: int,
    *,
    server: str | None = None,
    item: str | None = None,
    kept: Item | None = None,
    link: Link | None = None,
    state: State | None = None,
    guest: str | None = None,
) -> str:
    """As JSON. `kept` is the item's record, `state` the link's."""
    found: dict[str, Any] = {
        "event": str(event),
        "id": identifier,
        "time": rfc3339(at),
        "server": server,
        "item": item,
        "title": (kept.title if kept is not None else None) or (link.title if link is not None else None),
        "link": None if link is None else _link(link, state),
        "guest": None if guest is None else {"id": guest},
    }
    return json.dumps(found, ensure_ascii=False)


def _link(link: Link, state: State | None) -> dict[str, Any]:
    return {
        "id": link.id,
        "name": link.name,
        "state": None if state is None else str(state),
        "clicks": {"limit": link.clicks_limit, "used": link.clicks_used},
        "expires_at": rfc3339(link.expires_at),
    }


def guest_of_body(body: str) -> str | None:
    """The id of the guest a notice is about."""
    guest = json.loads(body)["guest"]
    return None if guest is None else str(guest["id"])


def with_guest(body: str, guest: Guest) -> str:
    found = json.loads(body)
    found["guest"] |= {"name": guest.name or None, "email": guest.email or None, "fields": dict(guest.fields)}
    return json.dumps(found, ensure_ascii=False)
