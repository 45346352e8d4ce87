"""Rules whose path could mean a file of another item: what follows {id} may be the rest of a longer id. Pure."""

from __future__ import annotations

from gateway.policy.pattern import Pattern
from gateway.policy.template import Hole, Part, Some, Text, Variable


def neighbours(parts: tuple[Part, ...], item: Pattern) -> str | None:
    """A warning, or None. `item`: what ids look like."""
    item_at = max((index for index, part in enumerate(parts) if part == Variable("id")), default=None)
    if item_at is None:
        return None
    between = ""
    for part in parts[item_at + 1 :]:
        if isinstance(part, Text):
            between += part.text
        elif isinstance(part, Some):
            star = "**" if part.across else "*"
            return f"{star} follows {{id}}: files of another item may match; name them by a pattern"
        elif isinstance(part, Hole) and "/" not in between:
            # What the hole can't hold shows where it begins: `camA-1-2` is no number 2 of `camA`.
            told = any(not part.pattern.can_hold(character) for character in between)
            if told or not all(item.can_hold(character) for character in between):
                return None
            return (
                f"{{{part.name}}} follows {{id}} in one segment and an id may hold {between!r}: "
                "files of an item whose id begins alike may match"
            )
    return None
