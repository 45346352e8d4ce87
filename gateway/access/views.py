"""What managers are shown: links and guests with what is computed about them, and refusals.

The JSON here is the API's and that of `--json`: one shape for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.links.events import Event
from gateway.links.records import Guest, Item, Link
from gateway.links.rules import State


@dataclass(frozen=True, slots=True)
class IssueRefused:
    """`status` is the HTTP status it amounts to; `errors` maps a field to a sentence."""

    status: int
    text: str
    errors: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "; ".join([self.text, *(f"{name}: {fault}" for name, fault in self.errors.items())])


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link as managers see it. `url` is None when its server has left config.yaml or its token can't
    be opened; `viewers` were active within the last minute and a half."""

    link: Link
    item: Item | None
    state: State
    viewers: int
    url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkPage:
    """Some of many; `next` is the cursor of those after them, `total` counts all."""

    links: tuple[LinkView, ...]
    next: str | None
    total: int


@dataclass(frozen=True, slots=True)
class GuestView:
    """`watched_s`: seconds in which something was watched, counted in slots of 30; `present`: just now."""

    guest: Guest
    server: str
    item: str
    watched_s: int = 0
    present: bool = False


def link_json(view: LinkView) -> dict[str, Any]:
    """A link as the API and `--json` show it."""
    link = view.link
    return {
        "id": link.id,
        "server": link.server,
        "item": link.item,
        "kind": link.kind,
        "title": link.title,
        "name": link.name,
        "url": view.url,
        "state": str(view.state),
        "clicks": {"limit": link.clicks_limit, "used": link.clicks_used},
        "created_at": rfc3339(link.created_at),
        "starts_at": None,
        "expires_at": rfc3339(link.expires_at),
        "created_by": link.created_by,
        "enabled": link.enabled,
        "viewers": {"limit": None, "now": view.viewers},
        "pin": False,
        "version": link.version,
    }


def rfc3339(moment: int | None) -> str | None:
    """Milliseconds since 1970 as a UTC time with Z; None stays None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


GUEST_COLUMNS = ("id", "link", "server", "item", "name", "email", "first_seen", "last_seen", "watched_s", "present")
"""Of a table of guests, in the order a spreadsheet shows them."""


def guest_json(view: GuestView) -> dict[str, Any]:
    """A guest as the API and `--json` show it."""
    guest = view.guest
    return {
        "id": guest.id,
        "link": guest.link,
        "server": view.server,
        "item": view.item,
        "name": guest.name,
        "email": guest.email,
        "fields": {},
        "first_seen": rfc3339(guest.first_seen),
        "last_seen": rfc3339(guest.last_seen),
        "watched_s": view.watched_s,
        "present": view.present,
    }


def event_json(event: Event) -> dict[str, Any]:
    """A line of the audit log."""
    return {
        "id": event.id,
        "at": rfc3339(event.at),
        "who": event.who,
        "action": str(event.action),
        "server": event.server,
        "item": event.item,
        "link": event.link,
        "guest": event.guest,
        "detail": dict(event.detail),
    }
