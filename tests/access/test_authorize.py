"""Which grant answers for a request, and with which reason."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.access.authorize import Allowed
from gateway.access.outcome import Denied
from gateway.errors import UpstreamDown, UpstreamSlow
from gateway.reasons import Reason
from gateway.store.client import Store
from tests.access.world import Worker, World, make_world


@pytest.fixture
async def world(store: Store) -> World:
    return await make_world(store, leave_after=900)


@pytest.fixture
async def worker(world: World) -> AsyncIterator[Worker]:
    async with world.worker() as worker:
        yield worker


def reason(outcome: object) -> Reason:
    assert isinstance(outcome, Denied), outcome
    return outcome.reason


async def test_nothing_without_a_session(worker: Worker) -> None:
    assert reason(await worker.ask("/hls/film1/seg1.ts")) is Reason.NO_SESSION


async def test_one_item_and_nothing_else(world: World, worker: Worker) -> None:
    _, token = await world.link()
    ids = (await worker.admitted(token)).grant_ids
    assert isinstance(await worker.ask("/hls/film1/seg1.ts", *ids), Allowed)
    assert isinstance(await worker.ask("/hls/film1/seg1.ts", *ids, method="HEAD"), Allowed)
    assert reason(await worker.ask("/hls/film2/seg1.ts", *ids)) is Reason.NO_RULE
    assert reason(await worker.ask("/admin", *ids)) is Reason.NO_RULE
    assert reason(await worker.ask("/hls/film1/seg1.ts", *ids, method="POST")) is Reason.METHOD_REFUSED
    assert reason(await worker.ask("/hls/film1/seg1.ts?id=film2", *ids)) is Reason.QUERY_REFUSED


async def test_a_grant_is_for_its_own_server(world: World, worker: Worker) -> None:
    _, token = await world.link()
    ids = (await worker.admitted(token)).grant_ids
    radio = world.servers.named("radio")
    assert radio is not None
    assert reason(await worker.ask("/hls/film1/seg1.ts", *ids, server=radio)) is Reason.NO_SESSION


async def test_the_latest_admission_that_allows_it_answers(world: World, worker: Worker) -> None:
    (_, one), (_, two) = await world.link(), await world.link()
    first = await worker.admitted(one, name="First")
    both = (await worker.admitted(two, name="Second", ids=first.grant_ids)).grant_ids
    done = await worker.ask("/hls/film1/seg1.ts", *both)
    assert isinstance(done, Allowed)
    assert done.live.guest.name == "Second"
    _, other = await world.link(item="film2")
    three = (await worker.admitted(other, name="Third", ids=both)).grant_ids
    done = await worker.ask("/hls/film1/seg1.ts", *three)
    assert isinstance(done, Allowed)
    assert done.live.guest.name == "Second"


async def test_a_page_falls_back_to_another_grant_of_the_item(world: World, worker: Worker) -> None:
    (_, one), (view, two) = await world.link(), await world.link()
    first = await worker.admitted(one, name="First")
    both = (await worker.admitted(two, name="Second", ids=first.grant_ids)).grant_ids
    await world.desk.disable(view.link.id)
    done = await worker.ask("/watch/film1", *both)
    assert isinstance(done, Allowed)
    assert done.live.guest.name == "First"


async def test_a_page_asks_the_media_server(world: World, worker: Worker) -> None:
    _, token = await world.link()
    admitted = await worker.admitted(token)
    ids = admitted.grant_ids
    asked = world.media.asked
    assert isinstance(await worker.ask("/watch/film1", *ids), Allowed)
    assert world.media.asked == asked + 1
    for failure, expected in ((UpstreamDown(), Reason.UPSTREAM_DOWN), (UpstreamSlow(), Reason.UPSTREAM_SLOW)):
        world.media.failure = failure
        assert reason(await worker.ask("/watch/film1", *ids)) is expected
        assert isinstance(await worker.ask("/hls/film1/seg1.ts", *ids), Allowed)  # the grant is kept
    world.media.failure = None
    world.media.states["film1"] = "gone"
    assert reason(await worker.ask("/watch/film1", *ids)) is Reason.MEDIA_GONE
    assert reason(await worker.ask("/hls/film1/seg1.ts", *ids)) is Reason.GRANT_ENDED
    world.media.states.clear()
    assert reason(await worker.ask("/watch/film1", *ids)) is Reason.GRANT_ENDED


@pytest.mark.parametrize(
    ("close", "expected"),
    [("disable", Reason.ACCESS_OFF), ("delete", Reason.LINK_DELETED), ("expire", Reason.LINK_EXPIRED)],
)
async def test_a_page_of_a_closed_link_ends_the_grant(
    world: World, worker: Worker, close: str, expected: Reason
) -> None:
    view, token = await world.link(days=1)
    with world.clock.put_forward(seconds=86_395):
        ids = (await worker.admitted(token)).grant_ids
        if close != "expire":
            await getattr(world.desk, close)(view.link.id)
        with world.clock.put_forward(seconds=10):
            assert reason(await worker.ask("/watch/film1", *ids)) is expected
            assert reason(await worker.ask("/hls/film1/seg1.ts", *ids)) is Reason.GRANT_ENDED
    records = await worker.links.guests.grants(ids)
    assert records[ids[0]][0].end_reason == str(expected)
