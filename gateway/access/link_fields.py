"""What managers may say of a link, read: the one place for pages, API and command line. Pure.

Rule: every fault is found at once, by field, and nothing is repaired but spelling. A PIN comes out as it is
to be typed; who keeps it, keeps its hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.access.views import IssueRefused
from gateway.ceilings import MAX_CLICKS, MAX_DAYS
from gateway.links.invitation import MAX_ENTRIES, PIN_LENGTHS, clean_list, clean_pin
from gateway.links.text import MAX_LENGTH, clean

MAX_VIEWERS = MAX_CLICKS
DAY = 86_400_000  # ms
LINK_FIELDS = ("name", "clicks", "days", "starts_at", "viewers", "pin", "emails")
EDITABLE = (*LINK_FIELDS, "enabled")

# RFC 3339 with its zone; seconds may be left out, as a browser's field leaves them.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FARTHEST = MAX_DAYS * DAY  # ms from now


@dataclass(frozen=True, slots=True)
class LinkFields:
    """What was said, by the names of the record. A limit that is None is lifted."""

    values: Mapping[str, str | int | bool | tuple[str, ...] | None]
    pin: str | None = field(default=None, repr=False)  # to be hashed; `values` has no "pin" then


@dataclass(slots=True)
class _Reader:
    now: int
    faults: dict[str, str] = field(default_factory=dict)

    def name(self, value: object) -> str:
        kept = clean(value) if isinstance(value, str) else None
        if kept is None:
            self.faults["name"] = f"must be 1 to {MAX_LENGTH} characters"
        return kept or ""

    def whole(self, name: str, value: object, most: int) -> int | None:
        """None (no limit) or a whole number; True and 1.0 are somebody's mistake."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            self.faults[name] = f"must be a whole number from 1 to {most}, or nothing for no limit"
            return None
        return value

    def moment(self, name: str, value: object) -> int | None:
        if value is None:
            return None
        found = parse_moment(value) if isinstance(value, str) else None
        if found is None or abs(found - self.now) > _FARTHEST:
            self.faults[name] = "must be a date and time with its zone, such as 2026-12-01T18:00:00+01:00"
            return None
        return found

    def pin(self, value: object) -> str | None:
        if value is None:
            return None
        kept = clean_pin(value) if isinstance(value, str) else None
        if kept is None:
            shortest, longest = PIN_LENGTHS
            self.faults["pin"] = f"must be {shortest} to {longest} characters without spaces"
        return kept

    def emails(self, value: object) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            self.faults["emails"] = "must be a list of addresses and domains"
            return None
        if len(value) > MAX_ENTRIES:
            self.faults["emails"] = f"may hold {MAX_ENTRIES} entries"
            return None
        kept, wrong = clean_list(value)
        if wrong:
            shown = ", ".join(one[:60] or "nothing" for one in wrong[:3]) + (", …" if len(wrong) > 3 else "")
            self.faults["emails"] = f"must be addresses (anna@example.org) or domains (@example.org); not: {shown}"
        return kept or None  # a list that holds nothing keeps nobody out, as none at all


def read_new(said: Mapping[str, object], *, now: int) -> tuple[LinkFields, dict[str, str]]:
    """The fields of a link that is to be made, all of them, and what is wrong with them."""
    return _read({**dict.fromkeys(LINK_FIELDS), **said}, now=now)


def read_changes(said: Mapping[str, object], *, now: int) -> tuple[LinkFields, dict[str, str]]:
    """Those that are named; `days` count from now."""
    return _read(said, now=now)


def _read(said: Mapping[str, object], *, now: int) -> tuple[LinkFields, dict[str, str]]:
    reader = _Reader(now)
    values: dict[str, str | int | bool | tuple[str, ...] | None] = {}
    pin = None
    for name, value in said.items():
        if name == "name":
            values["name"] = reader.name(value)
        elif name == "clicks":
            values["clicks_limit"] = reader.whole("clicks", value, MAX_CLICKS)
        elif name == "days":
            lasting = reader.whole("days", value, MAX_DAYS)
            values["expires_at"] = None if lasting is None else now + lasting * DAY
        elif name == "starts_at":
            values["starts_at"] = reader.moment("starts_at", value)
        elif name == "viewers":
            values["viewers_limit"] = reader.whole("viewers", value, MAX_VIEWERS)
        elif name == "pin":
            pin = reader.pin(value)
            if pin is None:
                values["pin"] = None
        elif name == "emails":
            values["emails"] = reader.emails(value)
        elif name == "enabled":
            if isinstance(value, bool):
                values["enabled"] = value
            else:
                reader.faults["enabled"] = "must be true or false"
        else:
            reader.faults[name] = f"can't be changed; these can: {', '.join(EDITABLE)}"
    return LinkFields(values, pin), reader.faults


def never_open(starts_at: int | None, expires_at: int | None) -> bool:
    """Whether a link would end before it begins."""
    return starts_at is not None and expires_at is not None and starts_at >= expires_at


NEVER_OPEN = {"starts_at": "must be before the link ends"}


def refusal(faults: Mapping[str, str]) -> IssueRefused | None:
    return IssueRefused(400, "that can't be done as written", dict(faults)) if faults else None


def parse_moment(text: str) -> int | None:
    """Milliseconds since 1970 of an RFC 3339 time, or None."""
    if not _MOMENT.fullmatch(text.strip()):
        return None
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        return round(moment.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
