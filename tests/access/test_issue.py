"""Making, changing and deleting links."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.access.issue import IssueRefused, LinkView, link_json, rfc3339
from gateway.errors import UpstreamDown
from gateway.links.ids import new_link_id
from gateway.links.rules import State
from gateway.store.client import Store
from tests.access.world import World, make_world


@pytest.fixture
async def world(store: Store) -> World:
    return await make_world(store)


def refused(answer: object) -> IssueRefused:
    assert isinstance(answer, IssueRefused), answer
    return answer


def good(answer: object) -> LinkView:
    assert isinstance(answer, LinkView), answer
    return answer


async def test_a_link_as_the_api_shows_it(world: World) -> None:
    view, token = await world.link(name=" Für\u202e Freunde ", clicks=5, days=2)
    shown = link_json(view)
    created = view.link.created_at
    assert shown == {
        "id": view.link.id,
        "server": "tv",
        "item": "film1",
        "kind": "video",
        "title": "Ein Film",
        "name": "Für Freunde",
        "url": f"https://tv.example.org/g/{token}",
        "state": "active",
        "clicks": {"limit": 5, "used": 0},
        "created_at": rfc3339(created),
        "starts_at": None,
        "expires_at": rfc3339(created + 2 * 86_400_000),
        "created_by": "test",
        "enabled": True,
        "viewers": {"limit": None, "now": 0},
        "pin": False,
        "emails": None,
        "wrong_tries": 0,
        "version": 1,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(shown["created_at"]))
    assert token not in repr(view)


async def test_every_fault_at_once(world: World) -> None:
    done = refused(await world.desk.create("tv", "film1", name=" ", clicks=0, days=1.5, kind="film", by="test"))
    assert done.status == 400
    assert set(done.errors) == {"name", "clicks", "days", "kind"}
    assert world.media.asked == 0


@pytest.mark.parametrize("value", [0, -1, True, 1.0, 2.5, "3", 10**12])
async def test_limits_are_whole_and_positive(world: World, value: object) -> None:
    for name in ("clicks", "days"):
        given: Mapping[str, object] = {name: value}
        assert set(refused(await world.desk.create("tv", "film1", name="x", by="test", **given)).errors) == {name}
    view, _ = await world.link()
    for name in ("clicks", "days"):
        assert set(refused(await world.desk.edit(view.link.id, {name: value})).errors) == {name}


async def test_the_servers_spelling_of_an_id_replaces_what_was_typed(world: World) -> None:
    world.media.names["short"] = "film1"
    view, _ = await world.link(item="short")
    assert view.link.item == "film1"
    listed: Any = await world.desk.list("tv", "short")
    assert [one.link.id for one in listed] == [view.link.id]
    pasted, _ = await world.link(item="https://media.example.org/watch/film1?t=3")
    assert (pasted.link.item, pasted.link.kind) == ("film1", "video")


async def test_gone_and_unreachable_items_get_no_link(world: World) -> None:
    world.media.states["film1"] = "gone"
    assert refused(await world.desk.create("tv", "film1", name="x", by="test")).status == 410
    world.media.states["film1"] = "not_started"
    assert good(await world.desk.create("tv", "film1", name="x", by="test", kind="live")).link.kind == "live"
    world.media.failure = UpstreamDown("refused")
    assert refused(await world.desk.create("tv", "film1", name="x", by="test")).status == 502
    assert refused(await world.desk.create("nowhere", "film1", name="x", by="test")).status == 400


async def test_the_kind(world: World) -> None:
    world.media.kind = None
    needed = refused(await world.desk.create("tv", "film1", name="x", by="test"))
    assert (needed.status, set(needed.errors)) == (400, {"kind"})
    assert good(await world.desk.create("tv", "film1", name="x", by="test", kind="live")).link.kind == "live"
    world.media.kind = "video"
    assert refused(await world.desk.create("tv", "film2", name="x", by="test", kind="live")).status == 400
    world.media.kind = "channel"
    assert refused(await world.desk.create("tv", "film3", name="x", by="test")).status == 409


async def test_three_links_also_when_made_at_once(world: World) -> None:
    done = await asyncio.gather(*(world.desk.create("tv", "film1", name="x", by="test") for _ in range(10)))
    assert (
        sorted(refused(one).status if isinstance(one, IssueRefused) else 201 for one in done) == [201] * 3 + [409] * 7
    )
    views: Any = await world.desk.list("tv", "film1")
    await world.desk.delete(views[0].link.id)
    assert (await world.link())[0].state is State.ACTIVE


async def test_access_off_is_a_managers_word(world: World) -> None:
    first, _ = await world.link()
    world.media.failure = UpstreamDown()  # turning off must work all the same
    item: Any = await world.desk.set_access("tv", "film1", False)
    assert item.access is False
    world.media.failure = None
    assert refused(await world.desk.create("tv", "film1", name="x", by="test")).status == 409
    assert good(await world.desk.get(first.link.id)).state is State.OFF
    await world.desk.set_access("tv", "film1", True)
    assert good(await world.desk.get(first.link.id)).state is State.ACTIVE
    never: Any = await world.desk.set_access("tv", "film9", False)
    assert never.access is False
    assert refused(await world.desk.create("tv", "film9", name="x", by="test")).status == 409


async def test_a_server_that_is_closed_to_guests(store: Store) -> None:
    closed = await make_world(store, access=False)
    assert refused(await closed.desk.create("tv", "film1", name="x", by="test")).status == 409


async def test_editing(world: World) -> None:
    view, token = await world.link(clicks=5, days=2)
    link = view.link.id
    world.clock.ahead += 3_600_000
    changed = good(await world.desk.edit(link, {"name": "Neu", "days": 1, "clicks": 2}, version=1))
    assert (changed.link.name, changed.link.clicks_limit, changed.link.version) == ("Neu", 2, 2)
    assert changed.link.expires_at is not None
    assert abs(changed.link.expires_at - (world.clock() + 86_400_000)) < 2_000
    assert refused(await world.desk.edit(link, {"name": "x"}, version=1)).status == 412
    lifted = good(await world.desk.edit(link, {"clicks": None, "days": None}))
    assert (lifted.link.clicks_limit, lifted.link.expires_at) == (None, None)
    assert refused(await world.desk.edit(link, {"name": None})).status == 400
    assert refused(await world.desk.edit(link, {"enabled": 1, "colour": "red"})).errors.keys() == {"enabled", "colour"}
    assert good(await world.desk.disable(link)).state is State.OFF
    assert good(await world.desk.enable(link)).url == f"https://tv.example.org/g/{token}"


async def test_clicks_below_what_is_used(world: World) -> None:
    view, token = await world.link()
    async with world.worker() as worker:
        for n in range(3):
            await worker.admitted(token, name=f"Guest {n}")
    seen = good(await world.desk.edit(view.link.id, {"clicks": 2}))
    assert (seen.state, seen.link.clicks_used) == (State.USED_UP, 3)
    assert seen.viewers == 3


async def test_deleted_is_for_good(world: World) -> None:
    view, _ = await world.link()
    assert good(await world.desk.delete(view.link.id)).state is State.DELETED
    for again in (world.desk.delete(view.link.id), world.desk.enable(view.link.id)):
        assert refused(await again).status == 410
    assert await world.desk.list() == []


@pytest.mark.parametrize(
    "link", ["nonsense", "", "x" * 19, new_link_id("a" * 11)], ids=["nonsense", "none", "x", "new"]
)
async def test_no_such_link(world: World, link: str) -> None:
    for done in (
        await world.desk.get(link),
        await world.desk.edit(link, {"name": "x"}),
        await world.desk.edit(link, {}),
        await world.desk.delete(link),
    ):
        assert refused(done).status == 404


async def test_lists(world: World) -> None:
    (one, _), (two, _) = await world.link(), await world.link(item="film2")
    radio = good(await world.desk.create("radio", "show1", name="x", by="test"))

    async def ids(*where: str) -> set[str]:
        found: Any = await world.desk.list(*where)
        return {view.link.id for view in found}

    assert await ids() == {one.link.id, two.link.id, radio.link.id}
    assert await ids("tv") == {one.link.id, two.link.id}
    assert await ids("tv", "film2") == {two.link.id}
    assert await ids("tv", "film3") == set()
    assert refused(await world.desk.list("nowhere")).status == 404


async def test_guests_of_a_deleted_link_are_still_listed(world: World) -> None:
    view, token = await world.link()
    other, _ = await world.link()
    async with world.worker() as worker:
        done = await worker.admitted(token)
    await world.desk.delete(view.link.id)
    for where in (("tv", "film1", None), (None, None, view.link.id), (None, None, None)):
        found: Any = await world.desk.guests(*where)
        assert [one.guest.id for one in found] == [done.live.guest.id]
    assert await world.desk.guests(link=other.link.id) == []
    assert await world.desk.guests("radio") == []
