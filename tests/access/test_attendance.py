"""Minutes watched: distinct half minutes, from all workers, without a store call for each request."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.access.issue import GuestView
from gateway.access.live import LiveGrant
from gateway.links.attendance import SLOT, offset, slot_at, watched_seconds
from gateway.store.client import Store
from tests.access.world import World, make_world, until


@pytest.fixture
async def world(store: Store) -> World:
    return await make_world(store, leave_after=600)


async def seen(world: World) -> GuestView:
    (view,) = await world.desk.guests("tv")  # type: ignore[misc]
    assert isinstance(view, GuestView)
    return view


async def said(*lives: LiveGrant) -> None:
    await until(lambda: not any(live.unsaid for live in lives))


def test_slots_are_counted_from_the_admission() -> None:
    assert offset(slot_at(90_000), 31_000) == 2
    assert offset(slot_at(29_000), 31_000) is None  # before it: a clock that was put back
    assert offset(10**9, 31_000) is None
    assert watched_seconds(3) == 90


async def test_a_pause_is_not_watched_and_a_seek_counts_once(world: World) -> None:
    _, token = await world.link()
    async with world.worker() as worker:
        live = (await worker.admitted(token)).live
        for _ in range(5):
            live.watch()
        await said(live)
        assert (await seen(world)).watched_s == 30
        with world.clock.put_forward(seconds=10 * SLOT / 1000):  # five minutes' pause
            live.watch()
            await said(live)
            assert (await seen(world)).watched_s == 60


async def test_two_workers_and_tabs_count_a_half_minute_once(world: World) -> None:
    _, token = await world.link()
    async with world.worker() as one, world.worker() as two:
        admitted = await one.admitted(token)
        (other,) = await two.table.load(admitted.grant_ids)
        admitted.live.watch()
        other.watch()
        await said(admitted.live, other)
        found = await seen(world)
        # Whoever was slow enough to cross into the next half minute has watched in both.
        assert found.watched_s in (30, 60)
        assert found.present is True


async def test_a_worker_that_is_killed_takes_at_most_one_slot_along(world: World) -> None:
    _, token = await world.link()
    async with world.worker() as doomed:
        admitted = await doomed.admitted(token)
        for minute in range(4):
            with world.clock.put_forward(seconds=60 * minute):
                admitted.live.watch()
                await said(admitted.live)
        admitted.live.unsaid.add(slot_at(world.clock()) + 100)  # what it had not told yet
        # Its end here is as sudden as a kill: its tasks are cancelled in the middle.
    assert (await seen(world)).watched_s in (120, 150)


async def test_watching_costs_no_store_call_within_a_slot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = await world.link()
    async with world.worker() as worker:
        live = (await worker.admitted(token)).live
        live.watch()
        await said(live)
        calls: list[str] = []
        script = world.store.script

        async def counted(name: str, *args: Any) -> Any:
            calls.append(name)
            return await script(name, *args)

        monkeypatch.setattr(world.store, "script", counted)
        now = world.clock()
        monkeypatch.setattr(live, "_clock", lambda: now)
        for _ in range(1_000):
            live.watch()
        assert "touch" not in calls
        assert not live.unsaid


async def test_a_guest_who_left_is_not_present_and_keeps_the_minutes(world: World) -> None:
    _, token = await world.link()
    async with world.worker() as worker:
        admitted = await worker.admitted(token)
        admitted.live.watch()
        await said(admitted.live)
        await worker.door.leave(admitted.grant_ids)
        found = await seen(world)
        assert (found.watched_s, found.present) == (30, False)


async def test_an_open_websocket_is_watched_time_and_an_open_stream_alone_is_not(world: World) -> None:
    _, token = await world.link()
    async with world.worker() as worker:
        live = (await worker.admitted(token)).live
        # A paused film: nothing is taken.
        with live.holding(lambda: None), world.clock.put_forward(seconds=60):
            live.tick()
        assert not live.unsaid
        with live.talking(), world.clock.put_forward(seconds=90):
            live.tick()
            await said(live)
        assert (await seen(world)).watched_s == 60
