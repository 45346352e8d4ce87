"""Items and links in the real store."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.errors import BadSecret, StoreTooNew
from gateway.links.ids import ItemKey, new_link_id, new_token
from gateway.links.keys import Keys
from gateway.links.records import SCHEMA, Item, Link
from gateway.store import names
from gateway.store.client import Store
from gateway.store.links import Changed, LinkStore
from tests.store_fixtures import KEYS, RETENTION

NOW = time.time_ns() // 1_000_000
KEY = ItemKey("tv", "film1")
ITEM = Item(server="tv", item="film1", kind="video", title="Ein Film", access=None)


def link(token: str, *, keys: Keys = KEYS, name: str = "Friends", limit: int | None = None) -> Link:
    return Link(
        id=new_link_id(KEY.slot),
        server="tv",
        item="film1",
        kind="video",
        title="Ein Film",
        name=name,
        clicks_limit=limit,
        clicks_used=0,
        created_at=NOW,
        created_by="alice",
        expires_at=None,
        enabled=True,
        deleted_at=None,
        version=1,
        sealed=keys.seal(token),
    )


async def made(links: LinkStore, *, allowed: int = 3) -> tuple[str, Changed]:
    token = new_token()
    return token, await links.create(link(token), ITEM, token, allowed=allowed, now=NOW)


async def test_a_link_is_found_by_its_token_and_turns_its_item_on(links: LinkStore) -> None:
    token, done = await made(links)
    assert done.outcome == "ok"
    seen = await links.find(token)
    assert seen is not None
    assert seen.link == done.link
    assert seen.item is not None
    assert seen.item.access is True
    assert KEYS.unseal(seen.link.sealed) == token
    assert await links.find(new_token()) is None


async def test_the_store_holds_no_token(links: LinkStore, store: Store) -> None:
    token, _ = await made(links)
    texts = []
    for key in await store.run(lambda client: client.keys("*")):
        kind = await store.run(lambda client, key=key: client.type(key))
        read = {"hash": "hgetall", "string": "get", "set": "smembers"}.get(kind)
        texts.append(
            f"{key} {await store.run(lambda client, key=key, read=read: getattr(client, read)(key)) if read else ''}"
        )
    assert len(texts) >= 5
    assert token not in "\n".join(texts)


async def test_three_links_whatever_the_concurrency_and_deleted_ones_do_not_count(links: LinkStore) -> None:
    done = [one for _, one in await asyncio.gather(*(made(links) for _ in range(20)))]
    assert sorted(one.outcome for one in done) == ["full"] * 17 + ["ok"] * 3
    first = next(one.link for one in done if one.link)
    assert (await links.delete(first.id, now=NOW)).outcome == "ok"
    assert (await made(links))[1].outcome == "ok"
    assert (await made(links))[1].outcome == "full"


async def test_a_refused_link_leaves_no_way_in(links: LinkStore, store: Store) -> None:
    token, done = await made(links, allowed=0)
    assert done.outcome == "full"
    assert await links.link_id(token) is None


async def test_off_outlasts_the_making_of_links(links: LinkStore) -> None:
    await made(links)
    item = await links.set_access(ITEM, False)
    assert item.access is False
    assert (await made(links))[1].outcome == "off"
    assert (await links.set_access(ITEM, True)).version == item.version + 1
    assert (await made(links))[1].outcome == "ok"


async def test_an_edit_checks_the_version_and_removes_what_is_none(links: LinkStore) -> None:
    _, done = await made(links)
    assert done.link is not None
    first = await links.edit(done.link.id, {"clicks_limit": 5, "expires_at": NOW + 5}, version=1)
    assert first.link is not None
    assert (first.link.clicks_limit, first.link.expires_at, first.link.version) == (5, NOW + 5, 2)
    assert (await links.edit(done.link.id, {"name": "x"}, version=1)).outcome == "changed"
    second = await links.edit(done.link.id, {"clicks_limit": None, "enabled": False, "name": "Neu"}, version=2)
    assert second.link == replace(first.link, clicks_limit=None, enabled=False, name="Neu", version=3)
    assert (await links.edit(new_link_id(KEY.slot), {"name": "x"})).outcome == "missing"


async def test_a_deleted_link_answers_for_a_while_and_stays_deleted(links: LinkStore, store: Store) -> None:
    token, done = await made(links)
    assert done.link is not None
    await links.delete(done.link.id, now=NOW)
    seen = await links.find(token)
    assert seen is not None
    assert seen.link.deleted_at == NOW
    assert (await links.edit(done.link.id, {"name": "x"})).outcome == "deleted"
    assert (await links.delete(done.link.id, now=NOW)).outcome == "deleted"
    assert await links.of_items([KEY.slot], now=NOW) == []
    for name in (names.link(done.link.id), names.token(KEYS.fingerprint(token))):
        life = await store.run(lambda client, name=name: client.pttl(name))
        assert 0 < life <= RETENTION


async def test_unknown_fields_stay_and_newer_records_are_refused(links: LinkStore, store: Store) -> None:
    token, done = await made(links)
    assert done.link is not None
    name = names.link(done.link.id)
    await store.run(lambda client: client.hset(name, "seats", "4"))
    await links.edit(done.link.id, {"name": "Neu"})
    assert await store.run(lambda client: client.hget(name, "seats")) == "4"
    await store.run(lambda client: client.hset(name, "v", str(SCHEMA + 1)))
    for ask in (
        lambda: links.find(token),
        lambda: links.edit(done.link.id, {"name": "x"}),
        lambda: links.delete(done.link.id, now=NOW),
    ):
        with pytest.raises(StoreTooNew):
            await ask()
    await store.run(lambda client: client.hset(names.META, "v", str(SCHEMA + 1)))
    with pytest.raises(StoreTooNew):
        await links.prepare()


async def test_another_key_refuses_to_start(links: LinkStore, store: Store) -> None:
    with pytest.raises(BadSecret, match="another key"):
        await LinkStore(store, Keys.derive([b"x" * 32]), retention=RETENTION).prepare()


async def test_rotation_seals_anew_and_can_be_done_twice(store: Store) -> None:
    old, both, new = (Keys.derive(of) for of in ([b"o" * 32], [b"n" * 32, b"o" * 32], [b"n" * 32]))
    before = LinkStore(store, old, retention=RETENTION)
    await before.prepare()
    tokens = [new_token() for _ in range(3)]
    for token in tokens:
        await before.create(link(token, keys=old), ITEM, token, allowed=3, now=NOW)
    gone = await before.find(tokens[2])
    assert gone is not None
    await before.delete(gone.link.id, now=NOW)

    await LinkStore(store, both, retention=RETENTION).prepare()
    await store.run(lambda client: client.hset(names.META, "key", old.id))  # killed before it was noted
    await LinkStore(store, both, retention=RETENTION).prepare()

    after = LinkStore(store, new, retention=RETENTION)
    await after.prepare()
    for token in tokens:
        seen = await after.find(token)
        assert seen is not None
        assert new.unseal(seen.link.sealed) == token
    life = await store.run(lambda client: client.pttl(names.token(new.fingerprint(tokens[2]))))
    assert 0 < life <= RETENTION
    assert await store.run(lambda client: client.pttl(names.token(new.fingerprint(tokens[0])))) == -1
    with pytest.raises(BadSecret):
        await before.prepare()


async def test_all_keys_of_an_item_share_one_slot_of_a_cluster() -> None:
    from redis.crc import key_slot

    from gateway.links.ids import new_grant_id, new_guest_id

    guest = new_guest_id(KEY.slot)
    grant, link_id = new_grant_id(guest), new_link_id(KEY.slot)
    keys = [
        names.item(KEY.slot), names.links(KEY.slot), names.deleted(KEY.slot), names.guests(KEY.slot),
        names.link(link_id), names.live(link_id), names.form(KEY.slot, "f"), names.guest(grant), names.grant(grant),
    ]  # fmt: skip
    assert len({key_slot(key.encode()) for key in keys}) == 1
    assert names.guest(grant) == names.guest(guest)
