"""What somebody who was vouched for elsewhere may manage: groups and claims made into permissions. Pure.

Rule: nothing by default; each right whose group or claim is there adds what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.config import Right

_MOST = 200  # groups or ids that are looked at


def permissions(
    rights: Sequence[Right], groups: Sequence[str], claims: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for right in rights:
        if right.group is not None:
            good = right.group in groups
        else:
            good = right.claim is not None and right.value in texts_of((claims or {}).get(right.claim))
        if good:
            found |= dict.fromkeys(right.may)
    return tuple(found)


def texts_of(claim: Any) -> tuple[str, ...]:
    """The texts in a claim: one, or a list of them; truth values and numbers as JSON writes them."""
    values = claim if isinstance(claim, list) else [claim]
    found = []
    for value in values[:_MOST]:
        if isinstance(value, bool):
            found.append("true" if value else "false")
        elif isinstance(value, (str, int)):
            found.append(str(value))
    return tuple(one for one in found if one)


def split_groups(header: str) -> tuple[str, ...]:
    """Groups as SSO proxies write them into one header."""
    return tuple(one for one in (part.strip() for part in header.replace("|", ",").split(",")) if one)[:_MOST]
