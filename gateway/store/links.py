"""Items and their links in the store: what managers make and change. Guests are in `store.guests`.

Rule: what must be one step is one script; what a script saw is returned as a value, and `links.rules`
says what it means.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.errors import BadSecret, StoreTooNew
from gateway.links.ids import LINK_LENGTH, ItemKey, is_link_id, slot_of
from gateway.links.keys import Keys, Unsealable
from gateway.links.records import SCHEMA, Item, Link
from gateway.store import names
from gateway.store.client import Store
from gateway.store.guests import PRESENT, GuestStore
from gateway.store.records import (
    check_version,
    emails_text,
    flat,
    item_hash,
    link_hash,
    owners_text,
    read_item,
    read_link,
    to_hash,
    unflat,
)
from gateway.store.wrong_tries import FIELDS, NO_MISSES, Misses, misses

_log = logging.getLogger("gateway.store")

_OLD_KEY_LIFE = 86_400_000  # ms a token is still found by its former fingerprint after a rotation
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A link with its item's switch, how many of its guests were active just now, and its wrong tries."""

    link: Link
    item: Item | None
    viewers: int = 0
    misses: Misses = NO_MISSES


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a change: ok, missing, deleted, changed (by somebody else), off, full or exists."""

    outcome: str
    link: Link | None = None
    item: Item | None = None


class LinkStore:
    """`retention` in ms: how long guests and deleted links are kept. `prepare` comes first."""

    def __init__(self, store: Store, keys: Keys, *, retention: int) -> None:
        self.store = store
        self.keys = keys
        self.guests = GuestStore(store, retention=retention)
        self.retention = retention

    def keep_for(self, retention: int) -> None:
        """Another time (ms) for which guests and deleted links are kept; for what ends from now on."""
        self.retention = retention
        self.guests.keep_for(retention)

    async def prepare(self) -> None:
        """Check schema and key, and re-key after a rotation. Raises StoreTooNew, BadSecret, StoreDown."""
        fresh = to_hash(key=self.keys.id)

        async def ask(client: Any) -> dict[str, str]:
            # Field by field: of two gateways that start at once the first decides.
            for name, value in fresh.items():
                await client.hsetnx(names.META, name, value)
            found: dict[str, str] = await client.hgetall(names.META)
            return found

        found = await self.store.run(ask)
        check_version(found, "the store")
        if int(found["v"]) < SCHEMA:
            # From now on older versions say at their start that they can't read it all.
            self._changed((await self.store.script("raise_schema", [names.META], [SCHEMA]))[0], None)
        if found["key"] == self.keys.id:
            return
        if found["key"] not in self.keys.ids:
            raise BadSecret(
                f"the store's links belong to another key (its id is {found['key']}, ours {self.keys.id}): "
                "put the secret they were made with back, or behind the new one in secrets:"
            )
        await self._rekey()
        await self.store.run(lambda client: client.hset(names.META, "key", self.keys.id))

    async def link_id(self, token: str) -> str | None:
        """The link of this token, by whichever of our keys its fingerprint was made."""
        keys = [names.token(fingerprint) for fingerprint in self.keys.fingerprints(token)]
        answers: list[str | None] = await self.store.pipeline(lambda pipe: [pipe.get(key) for key in keys])
        found = next((answer for answer in answers if answer is not None), None)
        if found is not None and not is_link_id(found):
            raise StoreTooNew("what a token leads to was not written by this version")
        return found

    async def find(self, token: str, *, since: int | None = None) -> Seen | None:
        """`since` as in `get`. A token that leads nowhere asks the store as often as one that leads somewhere: how
        long the answer takes tells no more than the answer."""
        identifier = await self.link_id(token)
        return await self.get(identifier or self.keys.fingerprint(token)[:LINK_LENGTH], since=since)

    async def get(self, identifier: str, *, since: int | None = None) -> Seen | None:
        """The link; with `since` (ms) also how many grants were active from then on, and its wrong tries."""
        slot = slot_of(identifier)

        def ask(pipe: Any) -> None:
            pipe.hgetall(names.link(identifier))
            pipe.hgetall(names.item(slot))
            if since is not None:
                pipe.zcount(names.live(identifier), since, "+inf")
                pipe.hmget(names.wrong(identifier), FIELDS)
            # With the rest: what is not there must not take longer to be told than what is. After it: a
            # store may be emptied in between.
            pipe.exists(names.META)

        *found, mark = await self._pipe(ask)
        link = read_link(found[0])
        if link is None:
            self.store.check_mark(mark)
        if link is None or since is None:
            return None if link is None else Seen(link, read_item(found[1]))
        return Seen(link, read_item(found[1]), found[2], misses(found[3], since + PRESENT))

    async def many(self, identifiers: Sequence[str]) -> list[Seen]:
        """The links that are there, in this order."""

        def ask(pipe: Any) -> None:
            for identifier in identifiers:
                pipe.hgetall(names.link(identifier))
                pipe.hgetall(names.item(slot_of(identifier)))

        found = await self._pipe(ask)
        pairs = [(read_link(one), read_item(two)) for one, two in zip(found[::2], found[1::2], strict=True)]
        if any(link is None for link, _ in pairs):
            await self.store.intact()
        return [Seen(link, item) for link, item in pairs if link is not None]

    async def item(self, slot: str) -> Item | None:
        found: dict[str, str] = await self.store.run(lambda client: client.hgetall(names.item(slot)))
        return read_item(found)

    async def slots(self) -> list[str]:
        """Of every item that ever had a link; stale ones among them."""
        found: set[str] = await self.store.run(lambda client: client.smembers(names.ITEMS))
        if not found:
            await self.store.intact()
        return sorted(found)

    async def of_items(self, slots: Sequence[str], *, now: int, count: bool = True) -> list[Seen]:
        """The links of these items that are not deleted, oldest first within an item; `count`: with their viewers."""
        listed = await self._pipe_each(slots, lambda pipe, slot: pipe.zrange(names.links(slot), 0, -1))
        identifiers = [identifier for found in listed for identifier in found]
        seen = await self._in_parts(identifiers, self.many)
        return await self.counted(seen, now=now) if count else seen

    async def counted(self, seen: Sequence[Seen], *, now: int) -> list[Seen]:
        """The same with how many of their guests are active just now, and with their wrong tries."""
        ids = [one.link.id for one in seen]
        counts = await self._pipe_each(ids, lambda pipe, name: pipe.zcount(names.live(name), now - PRESENT, "+inf"))
        wrong = await self._pipe_each(ids, lambda pipe, name: pipe.hmget(names.wrong(name), FIELDS))
        return [
            Seen(one.link, one.item, count, misses(found, now))
            for one, count, found in zip(seen, counts, wrong, strict=True)
        ]

    async def create(self, link: Link, item: Item, token: str, *, allowed: int, now: int) -> Changed:
        """Write a new link; `allowed` is how many an item may have. ok, off, full."""
        slot = ItemKey(link.server, link.item).slot
        # Both lie in other slots of a cluster, so they come first: without a link they mean nothing.
        entry = names.token(self.keys.fingerprint(token))
        await self.store.run(lambda client: client.sadd(names.ITEMS, slot))
        await self.store.run(lambda client: client.set(entry, link.id))
        found = await self.store.script(
            "create_link",
            [names.item(slot), names.links(slot), names.link(link.id), names.deleted(slot)],
            [SCHEMA, now, allowed, link.id, now - self.retention, *flat(item_hash(item)), *flat(link_hash(link))],
        )
        outcome, now_item = found[0], read_item(unflat(found[1]))
        if outcome in ("ok", "exists"):  # exists: the answer to our first try was lost
            return Changed("ok", link, now_item)
        with contextlib.suppress(Exception):
            await self.store.run(lambda client: client.delete(entry))
        return self._changed(outcome, None, now_item)

    async def edit(
        self,
        identifier: str,
        fields: Mapping[str, str | int | bool | tuple[str, ...] | None],
        *,
        version: int | None = None,
    ) -> Changed:
        """Set fields, None removes one. ok, missing, deleted, changed."""
        texts = to_hash(
            **{name: emails_text(value) if isinstance(value, tuple) else value for name, value in fields.items()}
        )
        del texts["v"]
        removed = [name for name, value in fields.items() if value is None]
        found = await self.store.script(
            "edit_link",
            [names.link(identifier)],
            [SCHEMA, identifier, "" if version is None else version, *flat(texts), *removed],
        )
        return self._changed(found[0], found[1])

    async def opened(self, identifier: str, *, now: int) -> bool:
        """Note that somebody opened the link; whether they were the first."""
        found = await self.store.script("open_link", [names.link(identifier)], [SCHEMA, now])
        self._changed(found[0], None)
        return bool(found[0] == "ok")

    async def delete(self, identifier: str, *, now: int, version: int | None = None) -> Changed:
        slot = slot_of(identifier)
        found = await self.store.script(
            "delete_link",
            [names.link(identifier), names.links(slot), names.deleted(slot)],
            [SCHEMA, now, identifier, "" if version is None else version, self.retention],
        )
        done = self._changed(found[0], found[1])
        if done.outcome == "ok" and done.link is not None:
            # Its address answers "no longer valid" for as long as the record is there to say so.
            with contextlib.suppress(Unsealable):
                for fingerprint in self.keys.fingerprints(self.keys.unseal(done.link.sealed)):
                    name = names.token(fingerprint)
                    await self.store.run(lambda client, name=name: client.pexpire(name, self.retention))  # type: ignore[misc]
        return done

    async def set_access(self, item: Item, enabled: bool) -> Item:
        """Turn the switch; an item without a record gets one."""
        slot = ItemKey(item.server, item.item).slot
        await self.store.run(lambda client: client.sadd(names.ITEMS, slot))
        found = await self.store.script(
            "set_access", [names.item(slot)], [SCHEMA, slot, int(enabled), *flat(item_hash(item))]
        )
        now_item = self._changed(found[0], None, read_item(unflat(found[1]))).item
        assert now_item is not None
        return now_item

    async def describe(self, item: Item) -> None:
        """Keep title and owners as the media server says them now; without a record nothing is kept."""
        slot = ItemKey(item.server, item.item).slot
        found = await self.store.script(
            "describe_item", [names.item(slot)], [SCHEMA, item.title or "", owners_text(item.owners) or ""]
        )
        self._changed(found[0], None)

    async def seen_live(self, item: Item, *, now: int) -> None:
        """Note that a live item is on the air; without a record nothing is kept."""
        slot = ItemKey(item.server, item.item).slot
        self._changed((await self.store.script("seen_live", [names.item(slot)], [SCHEMA, now]))[0], None)

    async def _rekey(self) -> None:
        """Seal every token anew and let it be found by its new fingerprint; harmless when done again."""
        slots = await self.slots()
        listed = await self._pipe_each(slots, lambda pipe, slot: pipe.zrange(names.links(slot), 0, -1))
        gone = await self._pipe_each(slots, lambda pipe, slot: pipe.zrange(names.deleted(slot), 0, -1))
        identifiers = [identifier for found in (*listed, *gone) for identifier in found]
        for seen in await self._in_parts(identifiers, self.many):
            try:
                token = self.keys.unseal(seen.link.sealed)
            except Unsealable:
                _log.error("the token of link %s can't be opened; its address can't be shown again", seen.link.id)
                continue
            await self._rekey_one(seen.link, token)

    async def _rekey_one(self, link: Link, token: str) -> None:
        new, *old = (names.token(fingerprint) for fingerprint in self.keys.fingerprints(token))
        life: int = await self.store.run(lambda client: client.pttl(names.link(link.id)))

        async def write(client: Any) -> None:
            await client.set(new, link.id, px=life if life > 0 else None)
            await client.hset(names.link(link.id), "sealed", self.keys.seal(token).decode())
            for name in old:
                await client.pexpire(name, _OLD_KEY_LIFE)

        await self.store.run(write)

    def _changed(self, outcome: str, link: list[str] | None, item: Item | None = None) -> Changed:
        if outcome == "newer":
            raise StoreTooNew("a link or item was written by a later version of this program")
        return Changed(outcome, read_link(unflat(link)) if link else None, item)

    async def _pipe(self, ask: Callable[[Any], None]) -> list[Any]:
        return await self.store.pipeline(ask)

    async def _pipe_each(self, each: Sequence[str], ask: Callable[[Any, str], Any]) -> list[Any]:
        async def part(some: Sequence[str]) -> list[Any]:
            def fill(pipe: Any) -> None:
                for one in some:
                    ask(pipe, one)

            return await self._pipe(fill)

        return await self._in_parts(each, part)

    async def _in_parts(self, each: Sequence[str], ask: Callable[[Sequence[str]], Awaitable[list[T]]]) -> list[T]:
        """So that no single call takes longer than the store is given."""
        found: list[T] = []
        for at in range(0, len(each), 200):
            found += await ask(each[at : at + 200])
        return found
