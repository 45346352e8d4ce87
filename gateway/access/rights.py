"""What somebody who was vouched for elsewhere may manage: groups and claims made into permissions. Pure.

Rule: nothing by default; each right whose group or claim is there adds what it says. What the provider said
is kept with the session, as far as the configuration asks for it, and made into permissions at each request:
so that they are those of the configuration in force, and whoever is left with none is out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.access.permits import Actor
from gateway.config import Oidc, Right

_MOST = 200  # groups or ids that are looked at
_LONGEST = 1_000  # characters of one

Claims = Mapping[str, tuple[str, ...]]


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


def asked_of(config: Oidc, claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of all that a provider said the part that decides, and no more of it than is looked at."""
    names = (config.groups, *config.ids, *(right.claim for right in config.rights if right.claim is not None))
    return {name: texts_of(claims[name]) for name in names if name in claims}


def entitled(config: Oidc, name: str, claims: Claims) -> Actor | None:
    """Who this is by the configuration; None for somebody without any right."""
    may = permissions(config.rights, claims.get(config.groups, ()), claims)
    ids = tuple(dict.fromkeys(one for claim in config.ids for one in claims.get(claim, ())))
    return Actor(name, may, ids, "oidc") if may else None


def texts_of(claim: Any) -> tuple[str, ...]:
    """The texts in a claim: one, or a list of them; truth values and numbers as JSON writes them."""
    values = claim if isinstance(claim, (list, tuple)) else [claim]
    found = []
    for value in values[:_MOST]:
        if isinstance(value, bool):
            found.append("true" if value else "false")
        elif isinstance(value, (str, int)):
            found.append(str(value))
    return tuple(one for one in found if one and len(one) <= _LONGEST)


def split_groups(header: str) -> tuple[str, ...]:
    """Groups as SSO proxies write them into one header."""
    return tuple(one for one in (part.strip() for part in header.replace("|", ",").split(",")) if one)[:_MOST]
