"""Live items before, during and after: who waits, what the page may say, and how often the server is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.access.admit import Entrance
from gateway.access.authorize import Allowed
from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.access.seats import LIFE, Seats
from gateway.errors import BadFile, UpstreamDown
from gateway.links.records import Item, Link
from gateway.links.rules import has_begun
from gateway.policy.load import load_policy_text
from gateway.reasons import Reason
from gateway.store.client import Store
from tests.access import world as of_world
from tests.access.world import Worker, World, make_world


@pytest.fixture
def live_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing but 404 before, in between and afterwards."""
    asked = "- request: GET /api/{id}\n"
    assert asked in of_world.POLICY
    monkeypatch.setattr(of_world, "POLICY", of_world.POLICY.replace(asked, f"{asked}      not_started: [404]\n"))


@pytest.fixture
async def world(live_policy: None, store: Store) -> World:
    return await make_world(store)


@pytest.fixture
async def worker(world: World) -> AsyncIterator[Worker]:
    async with world.worker() as worker:
        yield worker


def waits(outcome: object) -> Denied:
    """A refusal with what a page needs to wait."""
    assert isinstance(outcome, Denied), outcome
    assert outcome.seat
    assert outcome.wait
    return outcome


async def test_who_comes_before_the_start_fills_in_waits_and_comes_in(world: World, worker: Worker) -> None:
    world.media.states["film1"] = "not_started"
    made, token = await world.link(clicks=1, pin="2468", kind="video")
    entrance = await worker.door.look(token, worker.server)
    assert isinstance(entrance, Entrance)
    assert (entrance.awaits, entrance.full) == (Reason.NOT_STARTED, False)
    wrong = await worker.post(token, pin="1357")
    assert isinstance(wrong, Denied)
    assert (wrong.reason, wrong.seat) == (Reason.NOT_INVITED, "")
    waiting = waits(await worker.post(token, pin="2468"))
    assert waiting.reason is Reason.NOT_STARTED
    seats = Seats(worker.links, world.servers, world.clock, resolve=world.media.resolve)
    assert await seats.free(waiting.seat) is False
    world.media.states.clear()
    world.clock.ahead += 3_000
    assert await seats.free(waiting.seat) is True
    # Whoever has shown the PIN once does not show it again.
    assert isinstance(await worker.post(token, ticket=waiting.ticket), Admitted)
    view = await world.desk.get(made.link.id)
    assert view.link.clicks_used == 1  # type: ignore[union-attr]


async def test_afterwards_nobody_is_told_that_it_has_not_begun(world: World, worker: Worker) -> None:
    world.media.states["film1"] = "not_started"
    _, token = await world.link(kind="video")
    assert waits(await worker.post(token)).reason is Reason.NOT_STARTED
    world.media.states.clear()
    inside = await worker.admitted(token)
    world.media.states["film1"] = "not_started"
    assert waits(await worker.post(token, name="Bob")).reason is Reason.NOT_LIVE
    looked = await worker.door.look(token, worker.server)
    assert isinstance(looked, Entrance)
    assert looked.awaits is Reason.NOT_LIVE
    page = waits(await worker.ask("/watch/film1", *inside.grant_ids))
    assert page.reason is Reason.NOT_LIVE
    assert worker.table.holds(inside.live.grant.id), "a break ends nobody's grant"
    assert waits(await worker.door.come_back(token, worker.server, inside.grant_ids)).reason is Reason.NOT_LIVE
    async with world.worker() as other:
        assert waits(await other.post(token, name="Eve")).reason is Reason.NOT_LIVE
    # A link made now invites to what comes next.
    world.clock.ahead += 1
    _, fresh = await world.link(name="Tomorrow", kind="video")
    assert waits(await worker.post(fresh)).reason is Reason.NOT_STARTED
    # And it goes on where it was.
    world.media.states.clear()
    assert isinstance(await worker.ask("/watch/film1", *inside.grant_ids), Allowed)
    assert isinstance(await worker.door.come_back(token, worker.server, inside.grant_ids), Admitted)


async def test_a_server_may_say_that_it_was_on_the_air_when_nobody_looked(world: World, worker: Worker) -> None:
    world.media.states["film1"] = "not_started"
    world.media.was_live = world.clock() - 60_000
    _, token = await world.link(kind="video")
    assert waits(await worker.post(token)).reason is Reason.NOT_STARTED
    looked = await worker.door.look(token, worker.server)
    assert isinstance(looked, Entrance)
    assert looked.awaits is Reason.NOT_STARTED
    world.media.was_live = world.clock() + 60_000
    world.clock.ahead += 120_000
    assert waits(await worker.post(token)).reason is Reason.NOT_LIVE
    looked = await worker.door.look(token, worker.server)
    assert isinstance(looked, Entrance)
    assert looked.awaits is Reason.NOT_LIVE
    world.media.states.clear()
    assert isinstance(await worker.post(token), Admitted)


async def test_what_was_on_the_air_when_the_link_was_made_has_begun(world: World, worker: Worker) -> None:
    _, token = await world.link()
    world.media.states["film1"] = "not_started"
    assert waits(await worker.post(token)).reason is Reason.NOT_LIVE


async def test_gone_and_over_are_what_the_server_says(world: World, worker: Worker) -> None:
    _, token = await world.link()
    inside = await worker.admitted(token)
    for state, expected in (("ended", Reason.MEDIA_ENDED), ("gone", Reason.MEDIA_GONE)):
        world.media.states["film1"] = state
        for outcome in (
            await worker.post(token, name="Bob"),
            await worker.door.look(token, worker.server),
            await worker.ask("/watch/film1", *inside.grant_ids),
        ):
            assert isinstance(outcome, Denied)
            assert (outcome.reason, outcome.seat) == (expected, "")
    assert not worker.table.holds(inside.live.grant.id)


async def test_many_who_wait_are_one_question_in_a_while(world: World, worker: Worker) -> None:
    world.media.states["film1"] = "not_started"
    made, token = await world.link(kind="video")
    shown = waits(await worker.post(token)).seat
    seats = Seats(worker.links, world.servers, world.clock, resolve=world.media.resolve)
    before = world.media.asked
    assert set(await asyncio.gather(*(seats.free(shown) for _ in range(200)))) == {False}
    assert await seats.free(shown) is False
    assert world.media.asked == before + 1
    world.clock.ahead += 3_000
    world.media.failure = UpstreamDown("away")
    assert await seats.free(shown) is False, "a server that is down says nothing new"
    world.media.failure = None
    # Whatever else there is to say, the page at the door says it.
    world.clock.ahead += 3_000
    await world.desk.disable(made.link.id)
    assert await seats.free(shown) is True


async def test_a_pass_for_a_seat_is_none_for_a_beginning_and_gets_old(world: World, worker: Worker) -> None:
    world.media.states["film1"] = "not_started"
    _, token = await world.link(kind="video")
    shown = waits(await worker.post(token)).seat
    seats = Seats(worker.links, world.servers, world.clock, resolve=world.media.resolve)
    assert await seats.free(shown[:-1] + ("A" if shown[-1] != "A" else "B")) is None
    world.clock.ahead += LIFE + 1
    assert await seats.free(shown) is None


def test_a_link_that_opens_later_invites_to_what_comes_then() -> None:
    link = Link("l", "tv", "x", "live", None, "A", None, 0, 1_000, "test", None, True, None, 1)
    item = Item("tv", "x", "live", None, access=True)
    assert not has_begun(link, item)
    assert not has_begun(link, replace(item, live_at=999))
    assert has_begun(link, replace(item, live_at=1_000))
    assert not has_begun(replace(link, starts_at=5_000), replace(item, live_at=4_999))
    assert has_begun(replace(link, starts_at=5_000), replace(item, live_at=5_000))


def test_a_status_says_one_thing() -> None:
    text = of_world.POLICY.replace("ON_REVOKE", "drain")
    asked = "- request: GET /api/{id}\n"
    begins = load_policy_text(text.replace(asked, f"{asked}      not_started: [404]\n"), name="t")
    (step,) = begins.item.steps
    assert [one.status for one in step.gone] == [410]
    for key in ("gone", "ended"):
        twice = f"{asked}      not_started: [404]\n      {key}: [404]\n"
        with pytest.raises(BadFile, match=f"404 stands under {key} too"):
            load_policy_text(text.replace(asked, twice), name="t")
