"""Finding links among many: filter, search, sort and page. Pure.

Rule: a page begins behind the link its cursor names, by the values it was sorted by, so that a link made
or deleted meanwhile neither repeats nor hides another one. Without a limit a sorted value stands last.
"""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gateway.links.rules import State
from gateway.store.links import Seen

SORTS = ("name", "created_at", "expires_at", "clicks", "item", "state")
MAX_PAGE = 500
MAX_QUERY = 200  # characters
MAX_CURSOR = 2_000  # characters; it must fit in a request's line together with the rest
_TEXTS = ("name", "item", "state")
_COMPARED = 200  # characters of a text; some servers' ids are much longer

Key = tuple[Any, ...]
Value = str | int | None


@dataclass(frozen=True, slots=True)
class LinkQuery:
    """`sort` is one of SORTS, with `-` before it for the other direction; `cursor` comes from a page before.
    `breaks`: only links that go beyond the ceilings, or only others."""

    server: str | None = None
    item: str | None = None
    state: State | None = None
    q: str = ""
    sort: str = "-created_at"
    limit: int = 100
    cursor: str | None = None
    breaks: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of them; `next` is the cursor of the page after it, None at the end; `total` counts all pages."""

    seen: tuple[Seen, ...]
    next: str | None
    total: int


class BadCursor(ValueError):
    """Not a cursor of this listing."""


def is_sort(text: str) -> bool:
    return text.removeprefix("-") in SORTS


def select(
    links: Iterable[Seen],
    query: LinkQuery,
    *,
    visible: Callable[[Seen], bool],
    state_of: Callable[[Seen], State],
    breaks: Callable[[Seen], bool] = lambda _: False,
) -> Found:
    """Raises BadCursor."""
    words = query.q.casefold().split()
    descending, by = query.sort.startswith("-"), query.sort.removeprefix("-")
    kept: list[tuple[Key, Value, Seen]] = []
    for one in links:
        link = one.link
        if link.deleted_at is not None:
            continue
        if query.server is not None and link.server != query.server:
            continue
        if query.item is not None and link.item != query.item:
            continue
        if words and not _mentions(one, words):
            continue
        if not visible(one):
            continue
        if query.breaks is not None and breaks(one) is not query.breaks:
            continue
        state = state_of(one)
        if query.state is not None and state is not query.state:
            continue
        value = _value(one, by, state)
        kept.append((_key(value, link.id, descending), value, one))
    kept.sort(key=_first)
    start = 0
    if query.cursor is not None:
        start = bisect_right(kept, _read_cursor(query.cursor, query.sort), key=_first)
    page = kept[start : start + query.limit]
    following = None
    if page and start + query.limit < len(kept):
        _, value, last = page[-1]
        following = _cursor(query.sort, value, last.link.id)
    return Found(tuple(one for _, _, one in page), following, len(kept))


def _first(entry: tuple[Key, Value, Seen]) -> Key:
    return entry[0]


def _mentions(one: Seen, words: list[str]) -> bool:
    link = one.link
    text = "\n".join((link.name, link.title or "", link.item, link.server, link.created_by)).casefold()
    return all(word in text or word == link.id.casefold() for word in words)


def _value(one: Seen, by: str, state: State) -> Value:
    """What it is sorted by: a text, a number, or None, which stands last."""
    link = one.link
    if by in _TEXTS:
        text = {"name": link.name, "item": f"{link.server} {link.item}", "state": str(state)}[by]
        return text.casefold()[:_COMPARED]
    return {"created_at": link.created_at, "expires_at": link.expires_at, "clicks": link.clicks_used}[by]


def _key(value: Value, identifier: str, descending: bool) -> Key:
    """Compares as the direction wants it; the id makes it unique."""
    if value is None:
        return (1, 0, identifier)
    if isinstance(value, str):
        # Behind its end a shorter text has something that comes after every character.
        return (0, [*(-ord(char) for char in value), 1] if descending else value, identifier)
    return (0, -value if descending else value, identifier)


def _cursor(sort: str, value: Value, identifier: str) -> str:
    text = json.dumps([sort, value, identifier], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str, sort: str) -> Key:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadCursor("not a cursor") from error
    if not isinstance(found, list) or len(found) != 3 or found[0] != sort or not isinstance(found[2], str):
        raise BadCursor("a cursor of another listing")
    value = found[1]
    texts = sort.removeprefix("-") in _TEXTS
    if not isinstance(value, str) if texts else isinstance(value, bool) or not isinstance(value, int | None):
        raise BadCursor("a cursor of another listing")
    return _key(value, found[2], sort.startswith("-"))
