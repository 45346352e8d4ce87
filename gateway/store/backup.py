"""Reading all items with their links out of a store that is in use, and putting them back into one.

Rule: each item is read in one atomic step, and written in one. What the store knows is never lost for a
backup: used clicks only rise, a link that was deleted since stays deleted unless that is asked for, and
links that the backup does not know stay. Guests, grants and sessions are neither read nor written.

Why not one step for all items: they lie on several nodes of a cluster, and nobody could be admitted
while ten thousand links are read. What a link needs to be good lies with its item.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gateway.errors import StoreDown, StoreTooNew
from gateway.links.keys import Keys, Unsealable
from gateway.links.records import SCHEMA
from gateway.store import names
from gateway.store.backup_file import SavedItem
from gateway.store.links import LinkStore
from gateway.store.records import Hash, flat, unflat

AT_ONCE = 8  # calls: guests use the same store
_PART = 200
_TRIES = 50
T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Wish:
    """How to restore. `replace`: of two that differ take the backup's; `revive`: also links that were deleted
    since."""

    replace: bool = False
    revive: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of an item (new, same, differs) and of its links by id (new, same, raised, differs, deleted,
    revived, over), see lua/restore_item.lua. `unopened`: links whose token no key of ours opens."""

    saved: SavedItem
    item: str
    links: dict[str, str]
    unopened: tuple[str, ...] = ()


async def saved_items(links: LinkStore) -> AsyncIterator[SavedItem]:
    """Every item that has a switch or links, by slot. Raises StoreDown, StoreTooNew."""
    slots = await links.slots()
    for at in range(0, len(slots), _PART):
        for one in await _each(slots[at : at + _PART], lambda slot: _read(links, slot)):
            if one.item or one.links or one.deleted:
                yield one


async def look(links: LinkStore, saved: Sequence[SavedItem], wish: Wish, *, now: int) -> list[Restored]:
    """What would become of each, in the order given. Raises StoreDown, StoreTooNew."""
    return await _each(saved, lambda one: _ask(links, one, wish, now, write=False))


async def restore(links: LinkStore, looked: Sequence[Restored], wish: Wish, *, now: int) -> list[Restored]:
    """Put back what was looked at. Raises StoreDown, StoreTooNew; done again it goes on where it stopped."""
    opened = [_sealed_anew(links.keys, one) for one in looked]
    tokens = [token for _, found in opened for token in found]
    await _make_findable(links, tokens, [one.saved.slot for one in looked], now)

    async def write(one: tuple[Restored, list[_Token]]) -> Restored:
        done = await _ask(links, one[0].saved, wish, now, write=True)
        for token in one[1]:
            if done.links[token.link] not in ("new", "revived"):
                # Deleted between the look and now: its address is to be forgotten with its record.
                name = names.token(links.keys.fingerprint(token.text))
                await links.store.run(lambda client, name=name: client.pexpire(name, links.retention))  # type: ignore[misc]
        return replace(done, unopened=one[0].unopened)

    return await _each(opened, write)


@dataclass(frozen=True, slots=True)
class _Token:
    link: str
    text: str
    deleted_at: int | None


def _sealed_anew(keys: Keys, looked: Restored) -> tuple[Restored, list[_Token]]:
    """The item with the tokens that will be written sealed by our newest key, and these tokens."""
    tokens: list[_Token] = []
    unopened: list[str] = []

    def anew(record: Hash) -> Hash:
        if looked.links[record["id"]] not in ("new", "revived"):
            return record
        try:
            token = keys.unseal(record.get("sealed", "").encode())
        except Unsealable:
            unopened.append(record["id"])
            return record
        deleted = record.get("deleted_at")
        tokens.append(_Token(record["id"], token, None if deleted is None else int(deleted)))
        return {**record, "sealed": keys.seal(token).decode()}

    saved = looked.saved
    sealed = replace(saved, links=tuple(map(anew, saved.links)), deleted=tuple(map(anew, saved.deleted)))
    return replace(looked, saved=sealed, unopened=tuple(unopened)), tokens


async def _make_findable(links: LinkStore, tokens: Sequence[_Token], slots: Sequence[str], now: int) -> None:
    """Both lie in other slots of a cluster, so they come first: without a link they mean nothing."""
    for at in range(0, len(slots), _PART):
        await links.store.run(lambda client, at=at: client.sadd(names.ITEMS, *slots[at : at + _PART]))  # type: ignore[misc]
    for at in range(0, len(tokens), _PART):

        def fill(pipe: Any, part: Sequence[_Token] = tokens[at : at + _PART]) -> None:
            for token in part:
                life = None if token.deleted_at is None else max(1, token.deleted_at + links.retention - now)
                pipe.set(names.token(links.keys.fingerprint(token.text)), token.link, px=life)

        await links.store.pipeline(fill)


async def _read(links: LinkStore, slot: str) -> SavedItem:
    def ask(pipe: Any) -> None:
        pipe.zrange(names.links(slot), 0, -1)
        pipe.zrange(names.deleted(slot), 0, -1)

    for _ in range(_TRIES):
        live, gone = await links.store.pipeline(ask)
        keys = [names.item(slot), names.links(slot), names.deleted(slot), *map(names.link, (*live, *gone))]
        found = await links.store.script("read_item", keys, [SCHEMA, len(live), len(gone), *live, *gone])
        if found[0] == "newer":
            raise StoreTooNew("a link or item was written by a later version of this program")
        if found[0] == "ok":
            records = [unflat(one) for one in found[2]] if found[2] else []
            # A record that has expired leaves its name behind for a while.
            kept = tuple(one for one in records[: len(live)] if one)
            return SavedItem(slot, unflat(found[1]), kept, tuple(one for one in records[len(live) :] if one))
    raise StoreDown(f"the links of an item ({slot}) changed each time they were read")


async def _ask(links: LinkStore, saved: SavedItem, wish: Wish, now: int, *, write: bool) -> Restored:
    records = (*saved.links, *saved.deleted)
    words: list[str | int] = []
    for one in records:
        deleted = one.get("deleted_at")
        words += [one["id"], "" if deleted is None else int(deleted) + links.retention - now, *flat(one)]
    found = await links.store.script(
        "restore_item",
        [names.item(saved.slot), names.links(saved.slot), names.deleted(saved.slot)]
        + [names.link(one["id"]) for one in records],
        [
            SCHEMA,
            saved.slot,
            int(write),
            int(wish.replace),
            int(wish.revive),
            *flat(saved.item),
            len(records),
            *words,
        ],
    )
    if found[0] == "newer":
        raise StoreTooNew("a link or item in the store was written by a later version of this program")
    return Restored(saved, found[1], dict(zip((one["id"] for one in records), found[2], strict=True)))


async def _each(many: Sequence[T], do: Callable[[T], Awaitable[S]]) -> list[S]:
    """The answers in this order, asked for a few at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(of: T) -> S:
        async with slots:
            return await do(of)

    tasks = [asyncio.ensure_future(one(of)) for of in many]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
