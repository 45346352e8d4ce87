"""What managers type into forms, made into what the desk takes. Pure.

Rule: nothing is repaired: a text that is no number goes on as it is, and the desk says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
    """Days are changed only where something is typed, since they count from now; `lift` lifts them."""
    found: dict[str, object] = {
        "name": fields.get("name", ""),
        "clicks": limit(fields.get("clicks", "")),
        **_options(fields),
    }
    if "lift" in fields:
        found["days"] = None
    elif fields.get("days", "").strip():
        found["days"] = limit(fields["days"])
    return found


def _options(fields: Mapping[str, str]) -> dict[str, object]:
    """What a form without these fields does not say, stays. A PIN is never shown again: an empty field keeps it,
    `no_pin` takes it away."""
    found: dict[str, object] = {}
    if "starts_at" in fields:
        found["starts_at"] = moment(fields["starts_at"], fields.get("zone", ""))
    if "viewers" in fields:
        found["viewers"] = limit(fields["viewers"])
    if "no_pin" in fields:
        found["pin"] = None
    elif fields.get("pin", "").strip():
        found["pin"] = fields["pin"]
    if "emails" in fields:
        found["emails"] = [one for one in _BETWEEN.split(fields["emails"]) if one]
    return found


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
