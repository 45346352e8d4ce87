"""What managers are shown: links and guests with what is computed about them, and refusals.

The JSON here is the API's and that of `--json`: one shape for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.ceilings import Ceilings
from gateway.config import GuestForm
from gateway.links.events import Event
from gateway.links.records import Guest, Item, Link
from gateway.links.rules import State
from gateway.store.wrong_tries import NO_MISSES, Misses


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
    be opened; `viewers` were active within the last minute and a half; `breaks`: fields in which it goes beyond
    ceilings that are younger than it is; `misses`: wrong PINs and addresses of late."""

    link: Link
    item: Item | None
    state: State
    viewers: int
    url: str | None = field(repr=False)
    breaks: tuple[str, ...] = ()
    misses: Misses = NO_MISSES


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
        "starts_at": rfc3339(link.starts_at),
        "expires_at": rfc3339(link.expires_at),
        "created_by": link.created_by,
        "enabled": link.enabled,
        "viewers": {"limit": link.viewers_limit, "now": view.viewers},
        "pin": link.pin is not None,
        "emails": list(link.emails) or None,
        "wrong_tries": view.misses.tries,
        "version": link.version,
    }


def ceilings_json(ceilings: Ceilings) -> dict[str, Any]:
    """What links of an item must keep to, as the API shows it."""
    return {
        "default_days": ceilings.days,
        "max_days": ceilings.max_days,
        "max_clicks": ceilings.max_clicks,
        "require": list(ceilings.require),
    }


def rfc3339(moment: int | None) -> str | None:
    """Milliseconds since 1970 as a UTC time with Z; None stays None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


GUEST_COLUMNS = ("id", "link", "server", "item", "name", "email", "first_seen", "last_seen", "watched_s", "present")
"""Of a table of guests, in the order a spreadsheet shows them; what they answered comes behind, see
`guest_table`."""


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
        "fields": dict(guest.fields),
        "consent": None
        if guest.consent_version is None
        else {"version": guest.consent_version, "at": rfc3339(guest.consent_at)},
        "first_seen": rfc3339(guest.first_seen),
        "last_seen": rfc3339(guest.last_seen),
        "watched_s": view.watched_s,
        "present": view.present,
    }


def guest_table(
    columns: Sequence[str], guests: Sequence[Mapping[str, Any]], form: GuestForm
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The head and the rows of a table of guests as `guest_json` shows them. Each field of the form has a column of
    its own, and so has one that has left the form as long as somebody's answer to it is kept."""
    asked = [one.name for one in form.fields]
    kept = {name for guest in guests for name in guest["fields"]}
    names = (*asked, *sorted(kept.difference(asked)))
    agreed = form.consent is not None or any(guest["consent"] for guest in guests)
    rows = []
    for guest in guests:
        consent = guest["consent"] or {}
        answers = {f"fields.{name}": value for name, value in guest["fields"].items()}
        rows.append({**guest, **answers, "consent_version": consent.get("version"), "consent_at": consent.get("at")})
    head = (*columns, *(("consent_version", "consent_at") if agreed else ()), *(f"fields.{name}" for name in names))
    return head, rows


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


def differences(before: Link, after: Link) -> dict[str, str]:
    """Which fields differ, and what they are now; of a PIN and of addresses only that they have been changed."""
    names = ("name", "clicks_limit", "expires_at", "starts_at", "viewers_limit", "enabled", "pin", "emails")
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return {name: _told(name, new) for name, old, new in pairs if old != new}


def _told(name: str, value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return "1 entry" if len(value) == 1 else f"{len(value)} entries"
    if name in ("expires_at", "starts_at") and isinstance(value, int):
        return rfc3339(value) or ""
    return "set" if name == "pin" else str(value)
