"""What managers type into forms, made into what the desk takes. Pure.

Rule: nothing is repaired: a text that is no number goes on as it is, and the desk says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.links.invitation import clean_list

_WHOLE = re.compile(r"[0-9]{1,12}")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?")
_ZONE = re.compile(r"-?[0-9]{1,3}")
_BETWEEN = re.compile(r"[\s,;]+")


def limit(text: str) -> int | str | None:
    """A limit's field: empty lifts it."""
    text = text.strip()
    if not text:
        return None
    return int(text) if _WHOLE.fullmatch(text) else text


def new_link(fields: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": fields.get("name", ""),
        "clicks": limit(fields.get("clicks", "")),
        "days": limit(fields.get("days", "")),
        **_options(fields),
    }


def changed_link(fields: Mapping[str, str]) -> dict[str, object]:
    """Days are changed only where something is typed, since they count from now; `lift` lifts them. Of two
    that were said at once the narrower counts."""
    found: dict[str, object] = {
        "name": fields.get("name", ""),
        "clicks": limit(fields.get("clicks", "")),
        **_options(fields),
    }
    if fields.get("days", "").strip():
        found["days"] = limit(fields["days"])
    elif "lift" in fields:
        found["days"] = None
    return found


def _options(fields: Mapping[str, str]) -> dict[str, object]:
    """What a form without these fields does not say, stays. A PIN is never shown again: an empty field keeps it,
    `no_pin` takes it away, unless another one is typed."""
    found: dict[str, object] = {}
    if "starts_at" in fields:
        found["starts_at"] = moment(fields["starts_at"], fields.get("zone", ""))
    if "viewers" in fields:
        found["viewers"] = limit(fields["viewers"])
    if fields.get("pin", "").strip():
        found["pin"] = fields["pin"]
    elif "no_pin" in fields:
        found["pin"] = None
    if "emails" in fields:
        found["emails"] = _entries(fields)
    return found


def odd_entries(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Of a list of addresses and domains what is neither; the first few, cut to a length that can be shown."""
    return tuple(one[:60] for one in clean_list(_entries(fields))[1][:5])


def _entries(fields: Mapping[str, str]) -> list[str]:
    return [one for one in _BETWEEN.split(fields.get("emails", "")) if one]


def moment(text: str, zone: str) -> str | None:
    """A browser's date and time, and minutes east of UTC where a script could tell; else it is UTC."""
    text = text.strip()
    if not text or not _LOCAL.fullmatch(text):
        return text or None
    minutes = int(zone) if _ZONE.fullmatch(zone) else 0
    hours, rest = divmod(abs(minutes), 60)
    return f"{text}{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def version(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None
