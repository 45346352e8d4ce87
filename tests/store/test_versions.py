"""A newer version reads what an older one wrote, an older one refuses what a newer one wrote.

`schemas/N.json` and `schemas/N.backup` are what version N of the schema left in a store and in a file. They
are never changed: whoever raises SCHEMA adds the next pair and the step to gateway/store/upgrade.py.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreDown, StoreTooNew
from gateway.links.events import Action
from gateway.links.ids import ItemKey
from gateway.links.records import SCHEMA, Grant, Guest, Item, Link
from gateway.store import names, records, upgrade
from gateway.store.audit import AuditTrail
from gateway.store.backup import Wish, look, restore
from gateway.store.backup_file import read_backup
from gateway.store.client import Store
from gateway.store.guests import Active
from gateway.store.links import LinkStore
from gateway.store.upgrade import STEPS, upgraded
from tests.store_fixtures import KEYS

SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = range(1, SCHEMA + 1)
NOW = 1_800_000_000_000
SLOT = ItemKey("tv", "film1").slot
FIRST, SECOND, THIRD = (f"{SLOT}Link{number:04}" for number in (1, 2, 3))
TOKENS = [letter * 22 for letter in "abc"]
GUEST, GONE = f"{SLOT}Guest000000", f"{SLOT}Guest000001"
GRANT, ENDED = f"{GUEST}Gran00", f"{GONE}Gran01"

ITEM = Item("tv", "film1", "video", "Ein Film", access=True, version=1, owners=("u7", "u8"))
LINK = Link(
    id=FIRST, server="tv", item="film1", kind="video", title="Ein Film", name="Friends", clicks_limit=5, clicks_used=2,
    created_at=NOW + 1, created_by="alice", expires_at=NOW + 10**9, enabled=True, deleted_at=None, version=1,
)  # fmt: skip
ADA = Guest(GUEST, FIRST, "Ada Guest", "g0@example.org", first_seen=NOW + 1000, last_seen=NOW + 5000)
GRANTED = Grant(
    id=GRANT, link=FIRST, guest=GUEST, server="tv", item="film1", kind="video",
    variables={"title": ("Ein Film",), "source": ("a", "b")},
    created_at=NOW + 1000, ends_at=NOW + 43_200_000, last_seen=NOW + 5000,
)  # fmt: skip


async def fill(store: Store, version: int) -> None:
    """What a gateway of that schema left behind."""

    async def write(client: Any) -> None:
        for key, entry in json.loads((SCHEMAS / f"{version}.json").read_text()).items():
            value = entry["value"]
            if entry["type"] == "hash":
                await client.hset(key, mapping=value)
            elif entry["type"] == "zset":
                await client.zadd(key, value)
            elif entry["type"] == "set":
                await client.sadd(key, *value)
            elif entry["type"] == "stream":
                for line in value:
                    await client.xadd(key, line)
            elif entry["type"] == "bits":
                for bit in value:
                    await client.setbit(key, bit, 1)
            else:
                await client.set(key, value)

    await store.run(lambda client: client.flushall())
    await store.run(write)


@pytest.fixture(params=VERSIONS)
async def old(request: pytest.FixtureRequest, links: LinkStore) -> LinkStore:
    await fill(links.store, request.param)
    await links.prepare()
    return links


@pytest.mark.parametrize("version", VERSIONS)
def test_each_schema_has_its_frozen_records(version: int) -> None:
    assert (SCHEMAS / f"{version}.json").is_file()
    assert (SCHEMAS / f"{version}.backup").is_file()
    assert version == SCHEMA or version in STEPS


async def test_old_records_are_read_as_they_were_meant(old: LinkStore) -> None:
    seen = [await old.find(token) for token in TOKENS]
    assert [one.link.id for one in seen if one] == [FIRST, SECOND, THIRD]
    first, second, third = (one for one in seen if one)
    assert replace(first.link, sealed=b"") == LINK
    assert first.item == ITEM
    assert old.keys.unseal(first.link.sealed) == TOKENS[0]
    assert (second.link.name, second.link.title, second.link.enabled) == ("Кино \u200d клуб", None, False)
    assert third.link.deleted_at == NOW + 100
    if await old.store.run(lambda client: client.hget(LINK_KEY, "v")) != "1":
        assert (second.link.starts_at, second.link.viewers_limit, second.link.pin) == (NOW + 10, 3, "$argon2id$…")
        assert second.link.emails == ("anna@example.org", "@bücher.example")
    assert await old.item(ItemKey("tv", "film2").slot) == Item("tv", "film2", "live", None, access=False, version=1)
    visitors = await old.guests.visitors([GUEST, GONE])
    assert (visitors[GUEST].guest, visitors[GUEST].grant) == (ADA, GRANT)
    assert (visitors[GONE].guest.gone_at, visitors[GONE].guest.shared_device) == (NOW + 6000, True)
    grants = await old.guests.grants([GRANT, ENDED])
    assert grants[GRANT] == (GRANTED, ADA)
    assert (grants[ENDED][0].ended_at, grants[ENDED][0].end_reason) == (NOW + 6000, "left")
    assert await old.guests.used_form(FIRST, "form0") == ("digest0", GRANT)
    events = [event async for event in AuditTrail(old.store).backwards()]
    assert [(event.action, event.link, event.detail) for event in events] == [
        (Action.LINK_CREATED, FIRST, {"name": "Friends"})
    ]


async def test_old_records_can_be_used_and_changed(old: LinkStore) -> None:
    fresh = replace(GRANTED, id=f"{GUEST}Gran09")
    back = await old.guests.come_back(fresh, named=GRANT, server_open=True, now=NOW + 7000)
    assert back.outcome == "live"
    guest = replace(ADA, id=f"{SLOT}Guest000009", name="New")
    grant = replace(GRANTED, id=f"{guest.id}Gran09", guest=guest.id)
    for form, outcome in (("form9", "admitted"), ("form9", "again"), ("form0", "stale")):
        done = await old.guests.admit(guest, grant, form=form, digest="d", server_open=True, now=NOW + 7000)
        assert done.outcome == outcome
    assert (await old.find(TOKENS[0])).link.clicks_used == 3  # type: ignore[union-attr]
    assert await old.guests.touch([Active(GRANT, FIRST, NOW + 8000, (3,))]) == set()
    await old.guests.renew(GRANT, {"title": ("Anders",)})
    await old.guests.end(GRANT, FIRST, "left", now=NOW + 9000)
    await old.guests.leave(ADA, [GRANT], "left", now=NOW + 9000)
    await old.guests.agree(GONE, "2026-11", now=NOW)
    assert (await old.guests.visitors([GONE]))[GONE].guest.consent_version is None
    await old.guests.erase(GUEST)
    record = (await old.guests.grants([GRANT]))[GRANT]
    assert (record[0].variables, record[0].ended_at, record[1].name) == ({"title": ("Anders",)}, NOW + 9000, "")
    assert (await old.edit(FIRST, {"name": "Neu"}, version=1)).outcome == "ok"
    await old.describe(replace(ITEM, title="Anders"))
    assert (await old.set_access(ITEM, False)).title == "Anders"
    assert (await old.delete(FIRST, now=NOW + 9000)).outcome == "ok"


@pytest.mark.parametrize("version", VERSIONS)
async def test_old_backups_are_restored(links: LinkStore, version: int) -> None:
    backup = read_backup((SCHEMAS / f"{version}.backup").read_bytes())
    assert links.keys.check_backup(backup.digest, backup.signature)
    looked = await look(links, backup.items, Wish(), now=NOW + 1000)
    await restore(links, looked, Wish(), now=NOW + 1000)
    seen = [await links.find(token) for token in TOKENS]
    assert replace(seen[0].link, sealed=b"") == LINK  # type: ignore[union-attr]
    assert seen[0].item == ITEM  # type: ignore[union-attr]
    assert seen[2].link.deleted_at == NOW + 100  # type: ignore[union-attr]
    if version > 1:
        second = seen[1].link  # type: ignore[union-attr]
        assert (second.starts_at, second.viewers_limit, second.pin) == (NOW + 10, 3, "$argon2id$…")
        assert second.emails == ("anna@example.org", "@bücher.example")


# --- newer ----------------------------------------------------------------------------------------

ITEM_KEY, LINK_KEY, GUEST_KEY, GRANT_KEY = names.item(SLOT), names.link(FIRST), names.guest(GUEST), names.grant(GRANT)
FORM_KEY = names.form(SLOT, "form0")
NEW = replace(ADA, id=f"{SLOT}Guest000009")
NEW_GRANT = replace(GRANTED, id=f"{NEW.id}Gran09", guest=NEW.id)
FRESH = replace(GRANTED, id=f"{GUEST}Gran09")
OTHER = replace(LINK, id=f"{SLOT}Link0009")
Ask = Callable[[LinkStore], Awaitable[object]]

REFUSED: dict[str, tuple[list[str], Ask]] = {
    "find": ([LINK_KEY, ITEM_KEY], lambda links: links.find(TOKENS[0])),
    "get": ([LINK_KEY, ITEM_KEY], lambda links: links.get(FIRST, since=0)),
    "list": ([LINK_KEY, ITEM_KEY], lambda links: links.of_items([SLOT], now=NOW)),
    "item": ([ITEM_KEY], lambda links: links.item(SLOT)),
    "create": ([ITEM_KEY], lambda links: links.create(OTHER, ITEM, "n" * 22, allowed=9, now=NOW)),
    "edit": ([LINK_KEY], lambda links: links.edit(FIRST, {"name": "x"})),
    "opened": ([LINK_KEY], lambda links: links.opened(FIRST, now=NOW)),
    "delete": ([LINK_KEY], lambda links: links.delete(FIRST, now=NOW)),
    "set_access": ([ITEM_KEY], lambda links: links.set_access(ITEM, False)),
    "describe": ([ITEM_KEY], lambda links: links.describe(ITEM)),
    "seen_live": ([ITEM_KEY], lambda links: links.seen_live(ITEM, now=NOW)),
    "used_form": ([FORM_KEY], lambda links: links.guests.used_form(FIRST, "form0")),
    "admit": (
        [LINK_KEY, ITEM_KEY, FORM_KEY],
        lambda links: links.guests.admit(NEW, NEW_GRANT, form="form0", digest="digest0", server_open=True, now=NOW),
    ),
    "come_back": (
        [LINK_KEY, ITEM_KEY, GUEST_KEY, GRANT_KEY],
        lambda links: links.guests.come_back(FRESH, named=GRANT, server_open=True, now=NOW + 7000),
    ),
    "take_seat": ([GRANT_KEY], lambda links: links.guests.take_seat(GRANTED, 3, now=NOW)),
    "visitors": ([GUEST_KEY], lambda links: links.guests.visitors([GUEST])),
    "grants": ([GUEST_KEY, GRANT_KEY], lambda links: links.guests.grants([GRANT])),
    "of_item": ([GUEST_KEY], lambda links: links.guests.of_item(SLOT)),
    "end": ([GRANT_KEY], lambda links: links.guests.end(GRANT, FIRST, "left", now=NOW)),
    "leave": ([GUEST_KEY, GRANT_KEY], lambda links: links.guests.leave(ADA, [GRANT], "left", now=NOW)),
    "renew": ([GRANT_KEY], lambda links: links.guests.renew(GRANT, {})),
    "bring": ([GRANT_KEY], lambda links: links.guests.bring(GRANT, {"session": ("s1",)})),
    "claim_renewal": ([GRANT_KEY], lambda links: links.guests.claim_renewal(GRANT, seen=None, at=NOW)),
    "agree": ([GUEST_KEY], lambda links: links.guests.agree(GUEST, "2026-11", now=NOW)),
    "erase": ([GUEST_KEY], lambda links: links.guests.erase(GUEST)),
    "prepare": ([names.META], lambda links: links.prepare()),
}  # fmt: skip
CASES = [(what, key) for what, (keys, _) in REFUSED.items() for key in keys]


@pytest.mark.parametrize(
    ("what", "key"), CASES, ids=[f"{what}-{key.split(':')[2 if '{' in key else 1]}" for what, key in CASES]
)
async def test_each_script_and_reader_refuses_a_newer_record_and_changes_nothing(
    links: LinkStore, what: str, key: str
) -> None:
    await fill(links.store, SCHEMA)
    await links.store.run(lambda client: client.hset(key, "v", str(SCHEMA + 1)))
    before = await state(links)
    with pytest.raises(StoreTooNew, match="later version"):
        await REFUSED[what][1](links)
    assert await state(links) == before


async def state(links: LinkStore) -> dict[str, object]:
    """Everything of the item, as texts."""
    found: dict[str, object] = {}
    for key in sorted(await links.store.run(lambda client: client.keys("gw:{*"))):
        kind = await links.store.run(lambda client, key=key: client.type(key))
        if kind == "hash":
            found[key] = await links.store.run(lambda client, key=key: client.hgetall(key))
        elif kind == "zset":
            found[key] = await links.store.run(lambda client, key=key: client.zrange(key, 0, -1, withscores=True))
    return found


@pytest.mark.parametrize("key", [GUEST_KEY, GRANT_KEY])
async def test_activity_is_not_noted_on_a_newer_record_and_ends_nothing(links: LinkStore, key: str) -> None:
    await fill(links.store, SCHEMA)
    await links.store.run(lambda client: client.hset(key, "v", str(SCHEMA + 1)))
    before = await state(links)
    assert await links.guests.touch([Active(GRANT, FIRST, NOW + 8000, (3,))]) == set()
    assert await state(links) == before


def test_every_script_is_among_them() -> None:
    scripts = {path.stem for path in (Path(records.__file__).parent / "lua").glob("*.lua")}
    named = {
        "create": "create_link", "edit": "edit_link", "delete": "delete_link", "end": "end_grant",
        "erase": "erase_guest", "opened": "open_link", "describe": "describe_item", "come_back": "return_guest",
    }  # fmt: skip
    # Above, below, in test_backup.py; counts alone have no schema.
    elsewhere = {"cast_address", "touch", "raise_schema", "read_item", "restore_item", "wrong_tries"}
    # Queues of notices hold no records; who reads a newer line of the audit log stops, in test_notices.py.
    elsewhere |= {"hold_notices", "queue_notices", "take_notices", "settle_notice"}
    # Nor does what is to be released; a job that can't be read is left alone, in test_releases.py.
    elsewhere |= {"add_release", "capture_release", "watch_release", "take_releases", "settle_release"}
    assert scripts - {named.get(what, what) for what in REFUSED} == elsewhere


async def test_a_token_that_leads_to_something_new_is_not_guessed_at(links: LinkStore) -> None:
    await fill(links.store, SCHEMA)
    await links.store.run(lambda client: client.set(names.token(KEYS.fingerprint(TOKENS[0])), '{"link": "…"}'))
    with pytest.raises(StoreTooNew):
        await links.find(TOKENS[0])


async def test_a_newer_line_of_the_audit_log_is_not_guessed_at(links: LinkStore) -> None:
    await links.store.run(lambda client: client.xadd(names.AUDIT, {"v": str(SCHEMA + 1), "what": "new"}))
    with pytest.raises(StoreTooNew):
        _ = [event async for event in AuditTrail(links.store).backwards()]


# --- the next schema ------------------------------------------------------------------------------


def step(kind: str, found: dict[str, str]) -> dict[str, str]:
    """As the next version might have it: names in capitals, of links alone."""
    return {**found, "name": found["name"].upper()} if kind == "link" else found


def test_steps_are_taken_one_after_the_other() -> None:
    steps = {1: step, 2: lambda kind, found: {**found, "name": f"{kind} {found['name']}"}}
    assert upgraded("link", {"v": "1", "name": "a"}, steps=steps) == {"v": "3", "name": "link A"}
    assert upgraded("link", {"v": "2", "name": "a"}, steps=steps) == {"v": "3", "name": "link a"}
    assert upgraded("link", {"v": "3", "name": "a"}, steps=steps) == {"v": "3", "name": "a"}
    assert upgraded("link", {"v": "4", "name": "a"}, steps=steps) == {"v": "4", "name": "a"}
    with pytest.raises(StoreDown, match="schema 0"):
        upgraded("link", {"v": "0"}, steps=steps)


async def test_the_next_version_reads_todays_records_and_marks_the_store(
    links: LinkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(links.store, SCHEMA)
    with monkeypatch.context() as later:
        for module in (records, upgrade, __import__("gateway.store.links", fromlist=["x"])):
            later.setattr(module, "SCHEMA", SCHEMA + 1)
        later.setattr(upgrade, "STEPS", {**STEPS, SCHEMA: step})
        await links.prepare()
        seen = await links.find(TOKENS[0])
        assert seen is not None
        assert (seen.link.name, seen.item) == ("FRIENDS", ITEM)
        await links.edit(FIRST, {"name": "Neu"})
    with pytest.raises(StoreTooNew, match="the store was written by a later version"):
        await links.prepare()
    assert (await links.store.script("raise_schema", [names.META], [SCHEMA]))[0] == "newer"
