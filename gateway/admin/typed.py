"""What managers type into forms, made into what the desk takes. Pure.

Rule: nothing is repaired: a text that is no number goes on as it is, and the desk says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_WHOLE = re.compile(r"[0-9]{1,12}")


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
    }


def changed_link(fields: Mapping[str, str]) -> dict[str, object]:
    """Days are changed only where something is typed, since they count from now; `lift` lifts them."""
    found: dict[str, object] = {"name": fields.get("name", ""), "clicks": limit(fields.get("clicks", ""))}
    if "lift" in fields:
        found["days"] = None
    elif fields.get("days", "").strip():
        found["days"] = limit(fields["days"])
    return found


def version(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None
