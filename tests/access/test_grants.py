"""What two workers on one store know of a grant, and how soon both hear of its end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.access.authorize import Allowed
from gateway.access.live import LiveGrant
from gateway.access.outcome import Denied
from gateway.errors import StoreDown
from gateway.links.ids import new_grant_id, new_guest_id
from gateway.reasons import Reason
from gateway.store.client import Store
from tests.access.world import LEAVE_AFTER, Worker, World, make_world, until


class Stream:
    """Something a guest has open."""

    def __init__(self, stack: AsyncExitStack, live: LiveGrant) -> None:
        self.cut = asyncio.Event()
        self._stack = AsyncExitStack()
        self._stack.enter_context(live.holding(self.cut.set))
        stack.push_async_callback(self.close)

    async def close(self) -> None:
        await self._stack.aclose()


class Two:
    """Two workers, one admission, and that guest's streams on both."""

    def __init__(self, world: World, workers: tuple[Worker, Worker], stack: AsyncExitStack) -> None:
        self.world, self.workers, self._stack = world, workers, stack
        self.link = self.grant = self.token = ""

    async def admit(self, **options: Any) -> None:
        view, self.token = await self.world.link(**options)
        self.link, self.grant = view.link.id, (await self.workers[0].admitted(self.token)).grant_ids[0]

    async def stream(self, number: int) -> Stream:
        return Stream(self._stack, (await self.allowed(number)).live)

    async def allowed(self, number: int) -> Allowed:
        done = await self.workers[number].stream(self.grant)
        assert isinstance(done, Allowed), done
        return done

    async def reason(self, number: int) -> Reason | None:
        done = await self.workers[number].stream(self.grant)
        return done.reason if isinstance(done, Denied) else None


async def two(store: Store, stack: AsyncExitStack, **options: Any) -> Two:
    world = await make_world(store, **options)
    workers = [await stack.enter_async_context(world.worker()) for _ in range(2)]
    return Two(world, (workers[0], workers[1]), stack)


@pytest.fixture
async def stack() -> Any:
    async with AsyncExitStack() as stack:
        yield stack


async def test_a_grant_made_by_one_worker_is_known_to_the_other(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    table = both.workers[1].table
    assert table.known((both.grant,)) is None
    assert [live.grant.id for live in await table.load((both.grant,))] == [both.grant]
    known = table.known((both.grant,))
    assert known is not None
    assert known[0].guest.name == "Ada"


async def test_known_and_ended_grants_cost_no_call_to_the_store(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    gone = new_grant_id(new_guest_id("a" * 11))
    await both.workers[1].stream(both.grant, gone)
    before = await store.run(lambda client: client.info("commandstats"))
    for _ in range(50):
        assert isinstance(await both.workers[1].stream(both.grant), Allowed)
        assert isinstance(await both.workers[1].stream(gone), Denied)
    after = await store.run(lambda client: client.info("commandstats"))
    assert before["cmdstat_hgetall"]["calls"] == after["cmdstat_hgetall"]["calls"]


async def test_many_requests_for_an_unknown_grant_ask_once(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    before = (await store.run(lambda client: client.info("commandstats")))["cmdstat_hgetall"]["calls"]
    done = await asyncio.gather(*(both.workers[1].stream(both.grant) for _ in range(100)))
    assert all(isinstance(one, Allowed) for one in done)
    after = (await store.run(lambda client: client.info("commandstats")))["cmdstat_hgetall"]["calls"]
    assert after - before == 4  # grant, guest, link, item


@pytest.mark.parametrize("on_revoke", ["drain", "cut"])
async def test_the_end_of_a_grant_is_heard_everywhere_and_final(
    store: Store, stack: AsyncExitStack, on_revoke: str
) -> None:
    both = await two(store, stack, on_revoke=on_revoke)
    await both.admit()
    streams = [await both.stream(0), await both.stream(1)]
    await both.workers[0].table.end(both.grant, "removed")
    for stream in streams:
        await asyncio.wait_for(stream.cut.wait(), 2)
    assert await both.reason(0) is Reason.GRANT_ENDED
    assert await both.reason(1) is Reason.GRANT_ENDED
    async with both.world.worker() as third:
        assert isinstance(await third.stream(both.grant), Denied)


@pytest.mark.parametrize("how", ["disable", "delete", "access"])
async def test_cut_ends_streams_on_every_worker_within_two_seconds(
    store: Store, stack: AsyncExitStack, how: str
) -> None:
    both = await two(store, stack, on_revoke="cut")
    await both.admit()
    streams = [await both.stream(0), await both.stream(1)]
    desk = both.world.desk
    await {
        "disable": lambda: desk.disable(both.link),
        "delete": lambda: desk.delete(both.link),
        "access": lambda: desk.set_access("tv", "film1", False),
    }[how]()
    async with asyncio.timeout(2):
        await asyncio.gather(*(stream.cut.wait() for stream in streams))
    await desk.enable(both.link)
    await desk.set_access("tv", "film1", True)
    for number in (0, 1):
        assert await both.reason(number) is Reason.GRANT_ENDED


async def test_cut_at_the_links_last_moment(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack, on_revoke="cut")
    await both.admit(days=1)
    stream = await both.stream(1)
    with both.world.clock.put_forward(seconds=86_401):
        await asyncio.wait_for(stream.cut.wait(), 2)
        assert await both.reason(1) is Reason.GRANT_ENDED


async def test_drain_leaves_streams_until_a_page_is_opened(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    streams = [await both.stream(0), await both.stream(1)]
    await both.world.desk.disable(both.link)
    await asyncio.sleep(0.8)
    for number in (0, 1):
        assert await both.reason(number) is None
        assert not streams[number].cut.is_set()
    page = await both.workers[0].ask("/watch/film1", both.grant)
    assert isinstance(page, Denied)
    assert page.reason is Reason.ACCESS_OFF
    async with asyncio.timeout(2):
        await asyncio.gather(*(stream.cut.wait() for stream in streams))
    await both.world.desk.enable(both.link)
    for number in (0, 1):
        assert await both.reason(number) is Reason.GRANT_ENDED


async def test_used_up_is_nothing_to_those_inside(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack, on_revoke="cut")
    await both.admit(clicks=1)
    assert isinstance(await both.workers[1].ask("/watch/film1", both.grant), Allowed)
    await asyncio.sleep(0.6)
    assert await both.reason(0) is None


async def test_left_for_leave_after_ends_also_before_the_sweeper_runs(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    await both.allowed(1)
    await both.world.desk.disable(both.link)
    await asyncio.sleep(0.3)
    with both.world.clock.put_forward(seconds=LEAVE_AFTER + 0.1):
        # At once: no sweeper has run since.
        assert await both.reason(1) is Reason.GRANT_ENDED
        await until(lambda: not both.workers[0].table.holds(both.grant))
        assert await both.reason(0) is Reason.GRANT_ENDED


async def test_an_open_link_has_no_leave_after(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    with both.world.clock.put_forward(seconds=3 * LEAVE_AFTER):
        await asyncio.sleep(0.6)
        assert await both.reason(0) is None


async def test_who_is_active_on_one_worker_is_not_gone_for_the_other(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    await both.allowed(1)
    await both.world.desk.disable(both.link)
    for _ in range(int(2.5 * LEAVE_AFTER / 0.2)):
        await asyncio.sleep(0.2)
        assert await both.reason(0) is None
    # Idle on worker 1 for more than leave_after, but not on worker 0.
    assert await both.reason(1) is None


async def test_something_open_keeps_a_grant_on_every_worker(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    await both.allowed(1)
    stream = await both.stream(0)
    await both.world.desk.disable(both.link)
    await asyncio.sleep(2 * LEAVE_AFTER + 0.3)
    assert not stream.cut.is_set()
    assert await both.reason(1) is None
    await stream.close()
    await asyncio.sleep(LEAVE_AFTER + 1)
    assert await both.reason(0) is Reason.GRANT_ENDED
    assert await both.reason(1) is Reason.GRANT_ENDED


async def test_nothing_outlives_max_age(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    stream = await both.stream(1)
    with both.world.clock.put_forward(seconds=12 * 3600 + 1):
        assert await both.reason(0) is Reason.GRANT_ENDED
        await asyncio.wait_for(stream.cut.wait(), 2)
    await asyncio.sleep(0.8)
    assert await both.reason(1) is Reason.GRANT_ENDED


async def test_a_stream_opened_after_the_end_is_cut_at_once(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    live = (await both.allowed(0)).live
    await both.workers[0].table.end(live, "removed")
    assert Stream(stack, live).cut.is_set()


async def test_a_stream_that_fails_to_be_cut_keeps_no_other_open(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    live = (await both.allowed(0)).live

    def broken() -> None:
        raise RuntimeError

    stack.enter_context(live.holding(broken))
    other = Stream(stack, live)
    await both.workers[0].table.end(live, "removed")
    assert other.cut.is_set()


async def test_ended_while_the_channel_was_lost_is_noticed_when_it_is_back(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    stream = await both.stream(1)
    await store.run(lambda client: client.execute_command("CLIENT", "KILL", "TYPE", "pubsub"))
    await both.workers[0].table.end(both.grant, "removed")
    await asyncio.wait_for(stream.cut.wait(), 2)


async def test_a_store_that_lost_everything_is_a_dead_one_until_somebody_fills_it(
    store: Store, stack: AsyncExitStack
) -> None:
    both = await two(store, stack)
    await both.admit()
    await store.run(lambda client: client.flushall())
    await store.run(lambda client: client.execute_command("CLIENT", "KILL", "TYPE", "pubsub"))
    await until(lambda: both.workers[0].table.store_lost)
    for _ in range(10):
        assert await both.reason(0) is None  # known here: goes on for the grace
        await asyncio.sleep(0.05)
    with pytest.raises(StoreDown, match="lost its data"):
        await both.reason(1)
    with pytest.raises(StoreDown, match="lost its data"):
        await both.workers[0].ask("/watch/film1", both.grant)
    await both.workers[0].links.prepare()
    await until(lambda: not both.workers[0].table.holds(both.grant))
    assert await both.reason(0) is Reason.GRANT_ENDED


@pytest.mark.parametrize("on_revoke", ["cut", "drain"])
async def test_an_emptied_store_is_trusted_no_longer_than_a_dead_one(
    store: Store, stack: AsyncExitStack, on_revoke: str
) -> None:
    """Nobody says so on the change channel, and its connection lives."""
    world = await make_world(store, on_revoke=on_revoke, grace=2 if on_revoke == "drain" else 600)
    _, token = await world.link()
    worker = await stack.enter_async_context(world.worker())
    grant = (await worker.admitted(token)).grant_ids[0]
    await store.run(lambda client: client.flushall())
    assert isinstance(await worker.stream(grant), Allowed)
    await until(lambda: not worker.table.known((grant,)), seconds=8)
    with pytest.raises(StoreDown):
        await worker.stream(grant)


async def test_unknown_grants_need_the_store(store: Store, stack: AsyncExitStack) -> None:
    both = await two(store, stack)
    await both.admit()
    down = Store("unix:///nowhere/at/all.sock")
    both.workers[1].links.guests._store = down
    with pytest.raises(StoreDown):
        await both.workers[1].stream(both.grant)
    both.workers[0].links.guests._store = down
    assert await both.reason(0) is None  # known here
    assert await both.workers[0].stream(new_grant_id(new_guest_id("b" * 11)), both.grant) is not None
    with pytest.raises(StoreDown):
        await both.workers[0].ask("/watch/film1", both.grant)
    both.workers[0].links.guests._store = both.workers[1].links.guests._store = store
    await down.close()
