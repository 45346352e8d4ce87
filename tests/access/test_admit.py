"""Coming in, coming back, leaving: on the real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.access.admit import Entrance
from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.errors import UpstreamDown, UpstreamSlow
from gateway.links.ids import guest_of, new_token
from gateway.reasons import Reason
from gateway.store.client import Store
from tests.access.world import COOKIE, Worker, World, make_world


@pytest.fixture
async def world(store: Store) -> World:
    return await make_world(store)


@pytest.fixture
async def worker(world: World) -> AsyncIterator[Worker]:
    async with world.worker() as worker:
        yield worker


async def used(world: World, link: str) -> int:
    view: Any = await world.desk.get(link)
    return int(view.link.clicks_used)


def reason(outcome: object) -> Reason:
    assert isinstance(outcome, Denied), outcome
    return outcome.reason


async def test_looking_uses_no_click_and_posting_one(world: World, worker: Worker) -> None:
    view, token = await world.link(clicks=2)
    entrance = await worker.door.look(token, worker.server)
    assert isinstance(entrance, Entrance)
    assert entrance.link.title == "Ein Film"
    assert await used(world, view.link.id) == 0
    done = await worker.admitted(token, name="  Ada\u202e L. ")
    assert await used(world, view.link.id) == 1
    assert done.location == "/watch/film1"
    assert done.grant_ids == (done.live.grant.id,)
    assert done.persistent
    assert (done.live.guest.name, done.live.guest.email) == ("Ada L.", "ada@example.org")
    guests: Any = await world.desk.guests("tv", "film1")
    assert [one.guest for one in guests] == [done.live.guest]


async def test_ten_clicks_admit_ten_of_a_thousand(world: World, worker: Worker) -> None:
    view, token = await world.link(clicks=10)
    done = await asyncio.gather(*(worker.post(token, name=f"Guest {n}") for n in range(1000)))
    assert sum(isinstance(one, Admitted) for one in done) == 10
    assert {one.reason for one in done if isinstance(one, Denied)} == {Reason.LINK_USED_UP}
    assert await used(world, view.link.id) == 10
    assert len(await world.desk.guests("tv", "film1")) == 10  # type: ignore[arg-type]


async def test_the_same_form_twice_is_the_same_admission_even_at_once(world: World, worker: Worker) -> None:
    view, token = await world.link(clicks=1)
    form = worker.door.new_form(token, COOKIE, world.clock())
    done = await asyncio.gather(*(worker.admitted(token, form=form) for _ in range(20)))
    assert len({one.live.grant.id for one in done}) == 1
    later = await worker.admitted(token, form=form, email=" ada@EXAMPLE.org ")
    assert later.grant_ids == done[0].grant_ids
    assert await used(world, view.link.id) == 1
    for other in ({"name": "Eve"}, {"email": "eve@example.org"}):
        assert reason(await worker.post(token, form=form, **other)) is Reason.FORM_STALE


async def test_another_worker_recognises_the_form_too(world: World, worker: Worker) -> None:
    _, token = await world.link(clicks=1)
    form = worker.door.new_form(token, COOKIE, world.clock())
    async with world.worker() as second:
        one, two = await asyncio.gather(worker.admitted(token, form=form), second.admitted(token, form=form))
    assert one.grant_ids == two.grant_ids


async def test_a_form_is_for_one_browser_and_ten_minutes(world: World, worker: Worker) -> None:
    view, token = await world.link()
    form = worker.door.new_form(token, COOKIE, world.clock())
    assert reason(await worker.post(token, form=form, cookie=None)) is Reason.COOKIES_NEEDED
    assert reason(await worker.post(token, form=form, cookie="d" * 22)) is Reason.COOKIES_NEEDED
    with world.clock.put_forward(seconds=601):
        assert reason(await worker.post(token, form=form)) is Reason.FORM_STALE
    assert reason(await worker.post(token, form="")) is Reason.FORM_STALE
    assert await used(world, view.link.id) == 0


async def test_what_was_typed_is_told_field_by_field(world: World, worker: Worker) -> None:
    view, token = await world.link()
    both = await worker.post(token, name=" \u200b ", email="nobody")
    assert isinstance(both, Denied)
    assert (both.reason, set(both.errors)) == (Reason.FORM_INVALID, {"name", "email"})
    one = await worker.post(token, email='"a b"@example.org')
    assert isinstance(one, Denied)
    assert set(one.errors) == {"email"}
    assert "ada" not in one.detail.lower()
    assert await used(world, view.link.id) == 0


async def test_media_gone_or_server_down_uses_no_click(world: World, worker: Worker) -> None:
    view, token = await world.link()
    for failure, expected in ((UpstreamDown(), Reason.UPSTREAM_DOWN), (UpstreamSlow(), Reason.UPSTREAM_SLOW)):
        world.media.failure = failure
        assert reason(await worker.post(token)) is expected
        assert reason(await worker.door.look(token, worker.server)) is expected
        # What was typed wrong comes back all the same.
        assert isinstance(await worker.door.look(token, worker.server, ask=False), Entrance)
    world.media.failure = None
    for state, expected in (("gone", Reason.MEDIA_GONE), ("ended", Reason.MEDIA_ENDED)):
        world.media.states["film1"] = state
        assert reason(await worker.post(token)) is expected
        assert reason(await worker.door.look(token, worker.server)) is expected
    world.media.states.clear()
    world.media.names["film1"] = "film2"
    assert reason(await worker.post(token)) is Reason.MEDIA_GONE
    assert await used(world, view.link.id) == 0


async def test_a_link_that_is_closed_says_why(world: World, worker: Worker) -> None:
    view, token = await world.link(days=1, clicks=1)
    with world.clock.put_forward(seconds=86_401):
        assert reason(await worker.post(token)) is Reason.LINK_EXPIRED
    await world.desk.disable(view.link.id)
    assert reason(await worker.post(token)) is Reason.ACCESS_OFF
    await world.desk.enable(view.link.id)
    await world.desk.set_access("tv", "film1", False)
    assert reason(await worker.post(token)) is Reason.ACCESS_OFF
    await world.desk.set_access("tv", "film1", True)
    await worker.admitted(token)
    assert reason(await worker.post(token, name="Eve")) is Reason.LINK_USED_UP
    assert reason(await worker.door.look(token, worker.server)) is Reason.LINK_USED_UP
    await world.desk.delete(view.link.id)
    assert reason(await worker.post(token)) is Reason.LINK_DELETED
    assert reason(await worker.door.look(token, worker.server)) is Reason.LINK_DELETED
    assert reason(await worker.door.look(new_token(), worker.server)) is Reason.LINK_UNKNOWN


async def test_a_link_exists_on_its_own_host_only(world: World, worker: Worker) -> None:
    _, token = await world.link()
    radio = world.servers.named("radio")
    assert radio is not None
    assert reason(await worker.door.look(token, radio)) is Reason.LINK_UNKNOWN
    assert await worker.door.come_back(token, radio, (await worker.admitted(token)).grant_ids) is None


async def test_the_operators_switch_closes_all_links(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link()
    closed = await make_world(store, access=False)
    async with closed.worker() as worker:
        assert reason(await worker.post(token)) is Reason.ACCESS_OFF


async def test_coming_back_uses_no_click_and_the_same_grant(world: World, worker: Worker) -> None:
    view, token = await world.link(clicks=1)
    first = await worker.admitted(token)
    again = await worker.door.come_back(token, worker.server, first.grant_ids)
    assert isinstance(again, Admitted)
    assert again.grant_ids == first.grant_ids
    assert again.live is first.live
    assert await used(world, view.link.id) == 1
    assert await worker.door.come_back(token, worker.server, ()) is None
    _, other = await world.link(item="film2")
    assert await worker.door.come_back(other, worker.server, first.grant_ids) is None


async def test_a_fresh_grant_where_none_is_live_the_same_in_all_tabs(world: World, worker: Worker) -> None:
    _, token = await world.link()
    first = await worker.admitted(token)
    await worker.table.end(first.live, "test")
    tabs = await asyncio.gather(*(worker.door.come_back(token, worker.server, first.grant_ids) for _ in range(8)))
    ids = {tab.grant_ids for tab in tabs if isinstance(tab, Admitted)}
    assert len(ids) == 1
    assert len(tabs) == sum(isinstance(tab, Admitted) for tab in tabs)
    fresh = ids.pop()
    assert len(fresh) == 1
    assert fresh != first.grant_ids
    assert guest_of(fresh[0]) == guest_of(first.grant_ids[0])
    assert reason(await worker.stream(*first.grant_ids)) is Reason.GRANT_ENDED


async def test_coming_back_to_a_closed_link_ends_the_grant_for_good(world: World, worker: Worker) -> None:
    view, token = await world.link()
    first = await worker.admitted(token)
    await world.desk.disable(view.link.id)
    assert reason(await worker.door.come_back(token, worker.server, first.grant_ids)) is Reason.ACCESS_OFF
    assert first.live.ended is not None
    await world.desk.enable(view.link.id)
    assert reason(await worker.stream(*first.grant_ids)) is Reason.GRANT_ENDED
    again = await worker.door.come_back(token, worker.server, first.grant_ids)
    assert isinstance(again, Admitted)
    assert again.grant_ids != first.grant_ids


async def test_recognised_for_ninety_days(world: World, worker: Worker) -> None:
    _, token = await world.link()
    first = await worker.admitted(token)
    with world.clock.put_forward(seconds=89 * 86_400):
        assert isinstance(await worker.door.come_back(token, worker.server, first.grant_ids), Admitted)
    with world.clock.put_forward(seconds=90 * 86_400 + 1):
        assert await worker.door.come_back(token, worker.server, first.grant_ids) is None


async def test_two_links_in_one_browser_latest_admission_last(world: World, worker: Worker) -> None:
    (_, one), (_, two) = await world.link(), await world.link(item="film2")
    first = await worker.admitted(one)
    second = await worker.admitted(two, ids=first.grant_ids)
    assert second.grant_ids == (*first.grant_ids, second.live.grant.id)
    back = await worker.door.come_back(one, worker.server, second.grant_ids)
    assert isinstance(back, Admitted)
    assert back.grant_ids == second.grant_ids


async def test_a_second_tabs_form_from_a_browser_that_is_in_uses_no_click(world: World, worker: Worker) -> None:
    view, token = await world.link(clicks=1)
    forms = [worker.door.new_form(token, COOKIE, world.clock()) for _ in range(3)]
    first = await worker.admitted(token, form=forms[0])
    second = await worker.admitted(token, form=forms[1], name=" Ada ", ids=first.grant_ids)
    assert second.grant_ids == first.grant_ids
    assert await used(world, view.link.id) == 1
    # Who says to be somebody else, or on somebody else's device, is another guest.
    for other in ({"name": "Eve"}, {"email": "eve@example.org"}, {"shared": True}):
        denied = await worker.post(token, form=forms[2], ids=first.grant_ids, **other)
        assert reason(denied) is Reason.LINK_USED_UP
    await worker.door.leave(first.grant_ids)
    assert reason(await worker.post(token, form=forms[2], ids=first.grant_ids)) is Reason.LINK_USED_UP
    _, another = await world.link(item="film2")
    assert (await worker.admitted(another, ids=first.grant_ids)).live.guest.id != first.live.guest.id


async def test_twenty_grants_the_oldest_goes(world: World, worker: Worker) -> None:
    _, token = await world.link()
    ids: tuple[str, ...] = ()
    for n in range(22):
        ids = (await worker.admitted(token, name=f"Ada {n}", ids=ids)).grant_ids
    assert len(ids) == 20


async def test_not_my_device_keeps_the_cookie_with_the_browser(world: World, worker: Worker) -> None:
    (_, one), (_, two) = await world.link(), await world.link(item="film2")
    first = await worker.admitted(one, shared=True)
    assert not first.persistent
    second = await worker.admitted(two, ids=first.grant_ids)
    assert not second.persistent
    rest = await worker.door.leave(second.grant_ids, first.live.grant.id)
    back = await worker.door.come_back(two, worker.server, rest)
    assert isinstance(back, Admitted)
    assert back.persistent


async def test_leaving_ends_recognition_too(world: World, worker: Worker) -> None:
    (_, one), (_, two) = await world.link(), await world.link(item="film2")
    form = worker.door.new_form(one, COOKIE, world.clock())
    first = await worker.admitted(one, form=form)
    both = (await worker.admitted(two, ids=first.grant_ids)).grant_ids
    assert await worker.door.leave(both, "no such grant") == both
    rest = await worker.door.leave(both, first.live.grant.id)
    assert rest == both[1:]
    views: Any = await world.desk.list("tv", "film1")
    assert [view.viewers for view in views] == [0]
    assert first.live.ended == "left"
    assert await worker.door.come_back(one, worker.server, both) is None
    assert reason(await worker.post(one, form=form)) is Reason.FORM_STALE
    assert await worker.door.leave(rest) == ()
    assert reason(await worker.stream(*both)) is Reason.GRANT_ENDED


async def test_new_variables_of_the_media_server_reach_the_grant(world: World, worker: Worker) -> None:
    _, token = await world.link()
    first = await worker.admitted(token)
    assert not isinstance(await worker.ask("/key/p1", *first.grant_ids), Denied)
    async with world.worker() as second:
        assert not isinstance(await second.ask("/key/p1", *first.grant_ids), Denied)
        world.media.variables["play"] = ("p2",)
        await worker.door.come_back(token, worker.server, first.grant_ids)
        assert not isinstance(await worker.ask("/key/p2", *first.grant_ids), Denied)
        await asyncio.sleep(0.2)
        assert not isinstance(await second.ask("/key/p2", *first.grant_ids), Denied)
        assert reason(await second.ask("/key/p1", *first.grant_ids)) is Reason.NO_RULE
