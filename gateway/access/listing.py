"""Finding links among many: filter, search, sort and page. Pure.

Rule: a page begins behind the link its cursor names, by the values it was sorted by, so that a link made
or deleted meanwhile neither repeats nor hides another one. Without a limit a sorted value stands last.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gateway.links.rules import State
from gateway.store.links import Seen

SORTS = ("name", "created_at", "expires_at", "clicks", "item", "state")
MAX_PAGE = 500
MAX_QUERY = 200  # characters

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LinkQuery:
    """`sort` is one of SORTS, with `-` before it for the other direction; `cursor` comes from a page before."""

    server: str | None = None
    item: str | None = None
    state: State | None = None
    q: str = ""
    sort: str = "-created_at"
    limit: int = 100
    cursor: str | None = None


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
    links: Iterable[Seen], query: LinkQuery, *, visible: Callable[[Seen], bool], state_of: Callable[[Seen], State]
) -> Found:
    """Raises BadCursor."""
    words = query.q.casefold().split()
    descending, by = query.sort.startswith("-"), query.sort.removeprefix("-")
    kept: list[tuple[Key, Seen]] = []
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
        state = state_of(one)
        if query.state is not None and state is not query.state:
            continue
        kept.append((_key(one, by, state, descending), one))
    kept.sort(key=lambda pair: pair[0])
    start = 0
    if query.cursor is not None:
        after = _read_cursor(query.cursor, query.sort)
        try:
            start = sum(1 for key, _ in kept if key <= after)
        except TypeError as error:
            raise BadCursor("a cursor of another listing") from error
    page = kept[start : start + query.limit]
    more = start + query.limit < len(kept)
    following = _cursor(query.sort, page[-1][0]) if more and page else None
    return Found(tuple(one for _, one in page), following, len(kept))


def _mentions(one: Seen, words: list[str]) -> bool:
    link = one.link
    text = "\n".join((link.name, link.title or "", link.item, link.server, link.created_by)).casefold()
    return all(word in text or word == link.id.casefold() for word in words)


def _key(one: Seen, by: str, state: State, descending: bool) -> Key:
    """Compares as the direction wants it; the id makes it unique. Only what JSON can hold."""
    link = one.link
    if by in ("name", "item", "state"):
        text = {"name": link.name, "item": f"{link.server} {link.item}", "state": str(state)}[by].casefold()
        value: Any = [-ord(char) for char in text] + [1] if descending else [ord(char) for char in text]
        return (0, value, link.id)
    number = {"created_at": link.created_at, "expires_at": link.expires_at, "clicks": link.clicks_used}[by]
    if number is None:
        return (1, 0, link.id)
    return (0, -number if descending else number, link.id)


def _cursor(sort: str, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort, *key], separators=(",", ":")).encode()).decode().rstrip("=")


def _read_cursor(text: str, sort: str) -> Key:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BadCursor("not a cursor") from error
    if not isinstance(found, list) or len(found) != 4 or found[0] != sort:
        raise BadCursor("a cursor of another listing")
    return tuple(found[1:])
