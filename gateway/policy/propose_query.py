"""Queries of a proposal: what holds the id is pinned, what varies is typed, what may open something is not written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.policy.har import looks_secret, sounds_secret
from gateway.policy.sorting import Own, looks_random

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_WORD = re.compile(r"[A-Za-z0-9._~-]{1,60}")
_NUMBER = re.compile(r"[0-9]{1,9}([.][0-9]{1,9})?")


@dataclass(slots=True)
class Patterns:
    """`patterns` of the policy, as they come to be needed."""

    texts: dict[str, str] = field(default_factory=dict)

    def named(self, name: str, text: str) -> str:
        """The name of this pattern; `name` where it is free."""
        for known, pattern in self.texts.items():
            if pattern == text:
                return known
        number = 2
        free = name
        while free in self.texts:
            free, number = f"{name}{number}", number + 1
        self.texts[free] = text
        return free


def plain(one: Own, item: str) -> bool:
    """Whether its query can be written as a rule."""
    names = [name for name, _ in one.pairs]
    return len(set(names)) == len(names) and all(
        _NAME.fullmatch(name)
        and not (looks_random(name) or looks_secret(name))
        and (value is None or value == item or sounds_secret(name) or _WORD.fullmatch(value))
        for name, value in one.pairs
    )


def query_names(one: Own, item: str) -> str:
    return "&".join(sorted(f"{name}={{id}}" if value == item else name for name, value in one.pairs))


def query(
    members: Sequence[Own], item: str, patterns: Patterns, by_hand: list[str], *, shared: bool = False
) -> str | None:
    """One query for all members, who have the same names. None where a value could be an item's id, or a secret.
    `shared`: the file is the same for every item, and the value a version of it."""
    values: dict[str, list[str | None]] = {}
    for one in members:
        for name, value in one.pairs:
            values.setdefault(name, []).append(value)
    pieces = []
    for name, found in values.items():
        texts = {value for value in found if value is not None}
        if texts == {item}:
            pieces.append(f"{name}={{id}}")
        elif sounds_secret(name) and not (len(name) == 1 and None not in found and all(map(_is_number, texts))):
            by_hand.append(f"the query name {name} sounds like a credential: put it in upstream.headers or .query")
            pieces.append(f"{name}=*")
        elif None in found:
            pieces.append(f"{name}=*")
        elif all(re.fullmatch(r"[0-9]{1,18}", text) for text in texts):
            pieces.append(f"{name}={{{patterns.named('number', '[0-9]{1,18}')}}}?")
        elif all(map(_is_number, texts)):
            pieces.append(f"{name}={{{patterns.named('decimal', '[0-9]{1,9}([.][0-9]{1,9})?')}}}?")
        elif any(looks_random(text) or looks_secret(text) for text in texts):
            if not shared:
                return None
            pieces.append(f"{name}=*")
        elif len(texts) == 1:
            pieces.append(f"{name}={next(iter(texts))}")
        else:
            return None
    return "?" + "&".join(pieces) if pieces else ""


def _is_number(text: str) -> bool:
    """A place in a film: `?t=12.5` opens nothing, whatever its name sounds like."""
    return bool(_NUMBER.fullmatch(text))
