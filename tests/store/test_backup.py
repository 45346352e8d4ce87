"""Backing up a store in use and putting links back: each item in one step, and nothing lost for it."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import StoreTooNew
from gateway.links.ids import ItemKey, new_link_id, new_token
from gateway.links.keys import Keys
from gateway.links.records import SCHEMA, Item, Link
from gateway.store import names
from gateway.store.backup import Restored, Wish, look, restore, saved_items
from gateway.store.backup_file import BackupWriter, SavedItem, read_backup
from gateway.store.changes import ChangeChannel
from gateway.store.client import Store
from gateway.store.embedded import EmbeddedStore
from gateway.store.links import LinkStore
from tests.access.world import make_world, until
from tests.store_fixtures import KEYS, RETENTION

NOW = time.time_ns() // 1_000_000
KEY = ItemKey("tv", "film1")
ITEM = Item(server="tv", item="film1", kind="video", title="Ein Film", access=None)


async def made(links: LinkStore, *, item: str = "film1", now: int = NOW) -> tuple[str, str]:
    """A new link; its token and id."""
    token, slot = new_token(), ItemKey("tv", item).slot
    link = Link(
        id=new_link_id(slot), server="tv", item=item, kind="video", title="Ein Film", name="Friends", clicks_limit=5,
        clicks_used=0, created_at=now, created_by="alice", expires_at=NOW + 10**9, enabled=True, deleted_at=None,
        version=1, sealed=links.keys.seal(token),
    )  # fmt: skip
    kept = Item(server="tv", item=item, kind="video", title="Ein Film", access=None)
    assert (await links.create(link, kept, token, allowed=100, now=now)).outcome == "ok"
    return token, link.id


async def backup_of(links: LinkStore) -> tuple[SavedItem, ...]:
    """By way of a file."""
    to = io.BytesIO()
    writer = BackupWriter(to, links.keys, created="2026-11-24T10:00:00Z", gateway="0.1.0")
    async for one in saved_items(links):
        writer.add(one)
    writer.end()
    return read_backup(to.getvalue()).items


async def put_back(links: LinkStore, saved: tuple[SavedItem, ...], wish: Wish = Wish(), now: int = NOW) -> Restored:  # noqa: B008
    looked = await look(links, saved, wish, now=now)
    done = await restore(links, looked, wish, now=now)
    assert [(one.item, one.links) for one in looked] == [(one.item, one.links) for one in done]
    return next(one for one in done if one.saved.slot == KEY.slot)


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[LinkStore]:
    """Another, empty store with the same keys."""
    server = EmbeddedStore(tmp_path / "other")
    await server.start(alone=True)
    store = Store(f"unix://{server.socket}")
    links = LinkStore(store, KEYS, retention=RETENTION)
    await links.prepare()
    yield links
    await store.close()
    await server.stop()


async def everything(links: LinkStore) -> dict[str, object]:
    """All that lies in the store but the order of sets and the sealing's random part."""
    found: dict[str, object] = {}
    for key in sorted(await links.store.run(lambda client: client.keys("*"))):
        kind = await links.store.run(lambda client, key=key: client.type(key))
        read = {"hash": "hgetall", "string": "get", "set": "smembers"}.get(kind)
        if read is not None:
            found[key] = await links.store.run(lambda client, key=key, read=read: getattr(client, read)(key))
        else:
            found[key] = await links.store.run(lambda client, key=key: client.zrange(key, 0, -1, withscores=True))
        if isinstance(found[key], dict):
            found[key].pop("sealed", None)  # type: ignore[attr-defined]
    return found


async def test_an_empty_store_becomes_what_was_backed_up(links: LinkStore, other: LinkStore) -> None:
    token, identifier = await made(links)
    await links.store.run(lambda client: client.hincrby(names.link(identifier), "clicks_used", 3))
    await links.store.run(lambda client: client.hset(names.link(identifier), "pin", "a field of somebody else"))
    await links.edit((await made(links, now=NOW + 1))[1], {"enabled": False, "expires_at": None})
    gone, gone_id = await made(links, now=NOW + 2)
    await links.delete(gone_id, now=NOW + 3)
    await made(links, item="film2")
    await links.set_access(Item("tv", "film2", "video", None, None), False)
    await links.set_access(Item("tv", "film3", "video", "Nur ein Schalter", None), True)

    saved = await backup_of(links)
    done = await put_back(other, saved)
    assert await everything(other) == await everything(links)
    seen = await other.find(token)
    assert seen is not None
    assert (seen.link.clicks_used, seen.viewers) == (3, 0)
    assert KEYS.unseal(seen.link.sealed) == token
    deleted = await other.find(gone)
    assert deleted is not None
    assert deleted.link.deleted_at == NOW + 3
    for name in (names.link(gone_id), names.token(KEYS.fingerprint(gone))):
        assert 0 < await other.store.run(lambda client, name=name: client.pttl(name)) <= RETENTION
    assert (done.item, set(done.links.values())) == ("new", {"new"})
    again = await put_back(other, saved)
    assert (again.item, set(again.links.values())) == ("same", {"same"})


async def test_a_link_deleted_too_long_ago_is_forgotten(links: LinkStore, other: LinkStore) -> None:
    token, identifier = await made(links)
    await links.delete(identifier, now=NOW)
    done = await put_back(other, await backup_of(links), now=NOW + RETENTION + 1)
    assert done.links == {identifier: "over"}
    assert await other.find(token) is None
    assert await other.store.run(lambda client: client.keys("gw:token:*")) == []


async def test_guests_and_grants_stay_where_they_are(links: LinkStore, store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link()
    async with world.worker() as worker:
        await worker.admitted(token, name="Zebulon Quartermain", email="zebulon@example.org")
    saved = await backup_of(links)
    assert b"Zebulon" not in repr(saved).encode()
    assert saved[0].links[0]["clicks_used"] == "1"
    assert set(saved[0].links[0]) >= {"id", "sealed"}


@pytest.mark.parametrize("wish", [Wish(), Wish(replace=True)], ids=["merge", "replace"])
async def test_used_clicks_only_rise(links: LinkStore, wish: Wish) -> None:
    _, identifier = await made(links)
    name = names.link(identifier)
    await links.store.run(lambda client: client.hset(name, "clicks_used", "2"))
    saved = await backup_of(links)
    for before, differs, after in (
        ("4", False, "4"),
        ("1", False, "2"),
        ("4", True, "4"),
        ("1", True, "2"),
        ("10", True, "10"),
    ):
        await links.store.run(lambda client, before=before: client.hset(name, "clicks_used", before))
        if differs:
            await links.edit(identifier, {"name": "Other"})
        version = (await links.get(identifier)).link.version  # type: ignore[union-attr]
        done = await put_back(links, saved, wish)
        seen = await links.get(identifier)
        assert seen is not None
        assert str(seen.link.clicks_used) == after
        assert done.links[identifier] == ("differs" if differs else "raised" if before == "1" else "same")
        if wish.replace:
            assert (seen.link.name, seen.link.version > version) == ("Friends", differs or before == "1")
        elif differs:
            assert seen.link.name == "Other"


async def test_of_two_that_differ_one_is_taken_as_was_asked(links: LinkStore) -> None:
    token, identifier = await made(links)
    saved = await backup_of(links)
    await links.edit(identifier, {"expires_at": None, "enabled": False, "name": "Neu"})
    await links.set_access(ITEM, False)
    kept = await put_back(links, saved)
    assert (kept.item, kept.links) == ("differs", {identifier: "differs"})
    seen = await links.find(token)
    assert seen is not None
    assert seen.item is not None
    assert (seen.item.access, seen.link.enabled, seen.link.name, seen.link.expires_at) == (False, False, "Neu", None)
    taken = await put_back(links, saved, Wish(replace=True))
    assert (taken.item, taken.links) == ("differs", {identifier: "differs"})
    seen = await links.find(token)
    assert seen is not None
    assert seen.item is not None
    assert (seen.item.access, seen.link.enabled, seen.link.name) == (True, True, "Friends")
    assert seen.link.expires_at == NOW + 10**9


async def test_a_limit_set_since_is_lifted_by_replace_alone(links: LinkStore) -> None:
    _, identifier = await made(links)
    await links.edit(identifier, {"clicks_limit": None})
    saved = await backup_of(links)
    await links.edit(identifier, {"clicks_limit": 1})
    for wish, limit in ((Wish(), 1), (Wish(replace=True), None)):
        await put_back(links, saved, wish)
        assert (await links.get(identifier)).link.clicks_limit == limit  # type: ignore[union-attr]


@pytest.mark.parametrize("wish", [Wish(), Wish(replace=True)], ids=["merge", "replace"])
async def test_what_was_deleted_since_stays_deleted_unless_told(links: LinkStore, store: Store, wish: Wish) -> None:
    token, identifier = await made(links)
    saved = await backup_of(links)
    await store.run(lambda client: client.hset(names.link(identifier), "clicks_used", "4"))
    await links.delete(identifier, now=NOW)
    done = await put_back(links, saved, wish)
    assert done.links == {identifier: "deleted"}
    assert (await links.find(token)).link.deleted_at == NOW  # type: ignore[union-attr]
    assert 0 < await store.run(lambda client: client.pttl(names.token(KEYS.fingerprint(token)))) <= RETENTION

    done = await put_back(links, saved, Wish(replace=wish.replace, revive=True))
    assert done.links == {identifier: "revived"}
    seen = await links.find(token)
    assert seen is not None
    assert (seen.link.deleted_at, seen.link.clicks_used) == (None, 4)
    for name in (names.link(identifier), names.token(KEYS.fingerprint(token))):
        assert await store.run(lambda client, name=name: client.pttl(name)) == -1
    assert [one.link.id for one in await links.of_items([KEY.slot], now=NOW)] == [identifier]
    assert await store.run(lambda client: client.zcard(names.deleted(KEY.slot))) == 0


async def test_a_link_made_since_stays(links: LinkStore) -> None:
    await made(links)
    saved = await backup_of(links)
    token, _ = await made(links)
    await put_back(links, saved, Wish(replace=True, revive=True))
    assert await links.find(token) is not None


async def test_workers_hear_of_what_is_restored_and_of_nothing_else(links: LinkStore) -> None:
    _, identifier = await made(links)
    saved = await backup_of(links)
    heard: list[object] = []
    connected: list[float] = []
    task = asyncio.create_task(ChangeChannel(links.store).run(heard.append, connected.append))
    await until(lambda: bool(connected))
    await put_back(links, saved)
    await links.edit(identifier, {"name": "Neu"})
    await until(lambda: len(heard) == 1)
    await put_back(links, saved, Wish(replace=True))
    await until(lambda: len(heard) == 2)
    assert (heard[1].kind, heard[1].id) == ("item", KEY.slot)  # type: ignore[attr-defined]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_item_is_read_at_one_moment_while_guests_come(links: LinkStore, store: Store) -> None:
    """Links made, deleted, switched and clicked meanwhile: what a backup says of an item was once so."""
    world = await make_world(store)
    _, token = await world.link(clicks=300)
    stop = asyncio.Event()
    states: set[tuple[int, int]] = set()

    async def churn() -> None:
        while not stop.is_set():
            _, identifier = await made(links)
            await links.delete(identifier, now=NOW)

    async with world.worker() as worker:

        async def guests() -> int:
            count = 0
            while not stop.is_set():
                await worker.admitted(token, name=f"Guest {count}")
                count += 1
            return count

        tasks = [asyncio.create_task(churn()), asyncio.create_task(guests()), asyncio.create_task(guests())]
        last = 0
        for _ in range(30):
            (saved,) = await backup_of(links)
            live = {record["id"] for record in saved.links}
            gone = {record["id"] for record in saved.deleted}
            assert not live & gone
            assert 1 <= len(live) <= 2
            states.add((len(live), len(gone)))
            used = next(int(one["clicks_used"]) for one in saved.links if one.get("clicks_limit") == "300")
            assert last <= used <= 300
            last = used
        stop.set()
        _, *admitted = await asyncio.gather(*tasks)
    (saved,) = await backup_of(links)
    assert sum(admitted) == next(int(one["clicks_used"]) for one in saved.links) > 0
    assert len(states) > 5


async def test_links_of_a_rotated_key_are_sealed_with_the_newest(store: Store, other: LinkStore) -> None:
    old = Keys.derive([b"o" * 32])
    before = LinkStore(store, old, retention=RETENTION)
    await before.prepare()
    token, identifier = await made(before)
    saved = await backup_of(before)
    both = LinkStore(other.store, Keys.derive([b"n" * 32, b"o" * 32]), retention=RETENTION)
    await put_back(both, saved)
    after = LinkStore(other.store, Keys.derive([b"n" * 32]), retention=RETENTION)
    seen = await after.find(token)
    assert seen is not None
    assert after.keys.unseal(seen.link.sealed) == token
    await other.store.run(lambda client: client.flushall())
    await after.prepare()
    done = await put_back(after, saved)
    assert done.unopened == (identifier,)
    assert await after.find(token) is None


async def test_newer_records_are_neither_backed_up_nor_overwritten(links: LinkStore, store: Store) -> None:
    _, identifier = await made(links)
    saved = await backup_of(links)
    for name in (names.link(identifier), names.item(KEY.slot)):
        await store.run(lambda client, name=name: client.hset(name, "v", str(SCHEMA + 1)))
        with pytest.raises(StoreTooNew):
            await backup_of(links)
        for wish in (Wish(), Wish(replace=True, revive=True)):
            with pytest.raises(StoreTooNew):
                await look(links, saved, wish, now=NOW)
        await store.run(lambda client, name=name: client.hset(name, "v", "1"))


async def test_ten_thousand_links_in_seconds(links: LinkStore, other: LinkStore) -> None:
    slots = []
    for number in range(3_400):
        item = f"film{number}"
        slot = ItemKey("tv", item).slot
        ids = [f"{slot}{one:08}" for one in range(3)]
        slots.append((item, slot, ids, [f"{number:018}{one:04}" for one in range(3)]))
    for at in range(0, len(slots), 200):

        def fill(pipe: object, part: object = slots[at : at + 200]) -> None:
            for item, slot, ids, tokens in part:  # type: ignore[attr-defined]
                pipe.sadd(names.ITEMS, slot)  # type: ignore[attr-defined]
                record = {"v": "1", "server": "tv", "item": item, "kind": "video", "access": "1"}
                pipe.hset(names.item(slot), mapping=record)  # type: ignore[attr-defined]
                for one, token in zip(ids, tokens, strict=True):
                    more = {"id": one, "name": "Friends", "created_at": "1000", "created_by": "alice", "enabled": "1"}
                    more |= {"version": "1", "sealed": KEYS.seal(token).decode(), "clicks_used": "0"}
                    pipe.hset(names.link(one), mapping={**record, **more})  # type: ignore[attr-defined]
                    pipe.zadd(names.links(slot), {one: 1000})  # type: ignore[attr-defined]

        await links.store.pipeline(fill)
    began = time.monotonic()
    saved = await backup_of(links)
    backed_up = time.monotonic() - began
    assert sum(len(one.links) for one in saved) == 10_200
    began = time.monotonic()
    await restore(other, await look(other, saved, Wish(), now=NOW), Wish(), now=NOW)
    restored = time.monotonic() - began
    print(f"10,200 links: backup {backed_up:.1f} s, restore {restored:.1f} s")
    assert await other.link_id(slots[-1][3][2]) == slots[-1][2][2]
    assert backed_up < 20  # 2 s on two idle cores
    assert restored < 40  # 5 s
