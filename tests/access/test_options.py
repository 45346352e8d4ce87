"""What owners set on a link besides clicks and days: a start, a PIN, a list of addresses, seats."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from gateway.access.authorize import Allowed
from gateway.access.conditions import Conditions, TryLimits
from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.access.seats import Seats
from gateway.access.views import rfc3339
from gateway.links.events import Action
from gateway.links.rules import State
from gateway.reasons import Reason
from gateway.store.audit import AuditTrail
from gateway.store.client import Store
from gateway.store.wrong_tries import Misses, WrongTries
from tests.access.world import COOKIE, make_world, until

HOUR = 3_600_000  # ms


def reason_of(outcome: object) -> Reason:
    assert isinstance(outcome, Denied), outcome
    return outcome.reason


# --- start ------------------------------------------------------------------------------------------


async def test_nobody_comes_in_before_the_start_and_everybody_after_it(store: Store) -> None:
    world = await make_world(store)
    starts = world.clock() + HOUR
    made, token = await world.link(starts_at=rfc3339(starts), days=2)
    assert made.state is State.SCHEDULED
    async with world.worker() as worker:
        looked = await worker.door.look(token, worker.server)
        assert isinstance(looked, Denied)
        assert (looked.reason, looked.starts_at) == (Reason.NOT_OPEN_YET, starts // 1000 * 1000)
        posted = await worker.post(token)
        assert isinstance(posted, Denied)
        assert (posted.reason, posted.starts_at) == (Reason.NOT_OPEN_YET, looked.starts_at)
        world.clock.ahead += HOUR
        await worker.admitted(token)
        assert (await world.desk.get(made.link.id)).state is State.ACTIVE  # type: ignore[union-attr]


@pytest.mark.parametrize("on_revoke", ["drain", "cut"])
async def test_a_start_that_is_put_off_closes_the_door_behind_those_who_are_in(store: Store, on_revoke: str) -> None:
    world = await make_world(store, on_revoke=on_revoke)
    made, token = await world.link()
    async with world.worker() as worker:
        done = await worker.admitted(token)
        await world.desk.edit(made.link.id, {"starts_at": rfc3339(world.clock() + HOUR)})
        if on_revoke == "cut":
            await until(lambda: not worker.table.holds(done.live.grant.id))
        else:
            assert isinstance(await worker.stream(*done.grant_ids), Allowed)
            page = await worker.ask("/watch/film1", *done.grant_ids)
            assert isinstance(page, Denied)
            assert page.reason is Reason.NOT_OPEN_YET
            assert page.starts_at is not None
        back = await worker.door.come_back(token, worker.server, done.grant_ids)
        assert reason_of(back) is Reason.NOT_OPEN_YET
        world.clock.ahead += HOUR
        back = await worker.door.come_back(token, worker.server, done.grant_ids)
        assert isinstance(back, Admitted)
        assert back.live.guest.id == done.live.guest.id


async def test_used_up_comes_before_scheduled(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(clicks=1)
    async with world.worker() as worker:
        await worker.admitted(token)
        edited = await world.desk.edit(made.link.id, {"starts_at": rfc3339(world.clock() + HOUR)})
        assert edited.state is State.USED_UP  # type: ignore[union-attr]
        assert reason_of(await worker.door.look(token, worker.server)) is Reason.LINK_USED_UP


# --- PIN and addresses ------------------------------------------------------------------------------


async def test_only_the_right_pin_comes_in_and_a_wrong_one_uses_no_click(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(pin="2468", clicks=2)
    async with world.worker() as worker:
        for wrong in ("", "2469", "24 68", "２４６９", "2468\x00", "x" * 10_000):
            assert reason_of(await worker.post(token, pin=wrong)) is Reason.NOT_INVITED
        await worker.admitted(token, pin="２４６８ ")
        seen = await world.desk.get(made.link.id)
        assert seen.link.clicks_used == 1  # type: ignore[union-attr]
        kept = await store.run(lambda client: client.hgetall(f"gw:{{{made.link.id[:11]}}}:link:{made.link.id}"))
        assert kept["pin"].startswith("$argon2id$")
        assert "2468" not in str({name: text for name, text in kept.items() if name != "sealed"})


async def test_a_list_admits_its_addresses_and_domains(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(emails=["Anna@Example.org", "@club.example"])
    async with world.worker() as worker:
        for refused in ("ben@example.org", "anna@club.example.evil.org", "anna@sub.club.example"):
            assert reason_of(await worker.post(token, email=refused)) is Reason.NOT_INVITED
        for odd in ("anna@example.org@club.example", '"anna@club.example"@evil.org', "anna@club.example\n@evil.org"):
            assert reason_of(await worker.post(token, email=odd)) in (Reason.NOT_INVITED, Reason.FORM_INVALID)
        await worker.admitted(token, email="anna@EXAMPLE.org")
        await worker.admitted(token, email="whoever@Club.example")


async def test_whichever_is_wrong_the_answer_is_the_same(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(pin="2468", emails=["@example.org"])
    async with world.worker() as worker:
        answers = [
            await worker.post(token, email=email, pin=pin)
            for email, pin in (("ada@example.org", "0000"), ("ada@evil.org", "2468"), ("ada@evil.org", "0000"))
        ]
        assert all(answer == answers[0] for answer in answers)
        assert isinstance(answers[0], Denied)
        assert answers[0].errors == {"pin": "entry.error.pin_or_address"}


async def test_a_pin_cant_be_guessed_from_one_address_nor_from_many(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(pin="0007")
    _, other = await world.link(pin="0007")
    async with world.worker() as one, world.worker() as two:
        told: Counter[Reason] = Counter()
        for number in range(40):
            worker = (one, two)[number % 2]
            told[reason_of(await worker.post(token, pin=f"{1000 + number}", source="192.0.2.1"))] += 1
        assert told == {Reason.NOT_INVITED: 20, Reason.TOO_MANY_WRONG: 20}
        refused = await one.post(token, pin="0007", source="192.0.2.1")  # the right one is not even looked at
        assert reason_of(refused) is Reason.TOO_MANY_WRONG
        assert isinstance(refused, Denied)
        assert 100 <= refused.wait <= 400
        await one.admitted(other, pin="0007", source="192.0.2.1")  # another link is another count
        for number in range(200):
            told[reason_of(await one.post(token, pin=f"{2000 + number}", source=f"198.51.100.{number}"))] += 1
        assert told[Reason.NOT_INVITED] == 60
        assert reason_of(await two.post(token, pin="0007", source="203.0.113.9")) is Reason.TOO_MANY_WRONG
        world.clock.ahead += HOUR // 10
        await two.admitted(token, pin="0007", source="203.0.113.9")


async def test_guesses_at_the_same_moment_are_counted_as_well(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(pin="0007")
    async with world.worker() as one, world.worker() as two:
        posts = [(one, two)[number % 2].post(token, pin=f"{1000 + number}", source="192.0.2.1") for number in range(60)]
        told = Counter(map(reason_of, await asyncio.gather(*posts)))
        assert told[Reason.NOT_INVITED] == 20
        assert sum(told.values()) == 60


async def test_a_hall_that_types_the_pin_comes_in_at_once(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(pin="2468")
    async with world.worker() as worker:
        posts = [
            worker.post(token, name=f"Guest {number}", pin="2468" if number % 20 else "1357", source="192.0.2.1")
            for number in range(300)
        ]
        told = Counter(type(outcome) for outcome in await asyncio.gather(*posts))
        assert told == {Admitted: 285, Denied: 15}


async def test_another_pin_keeps_those_in_who_are_in(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(pin="2468")
    async with world.worker() as worker:
        done = await worker.admitted(token, pin="2468")
        await world.desk.edit(made.link.id, {"pin": "9999"})
        assert isinstance(await worker.ask("/watch/film1", *done.grant_ids), Allowed)
        assert isinstance(await worker.door.come_back(token, worker.server, done.grant_ids), Admitted)
        assert reason_of(await worker.post(token, name="New", pin="2468")) is Reason.NOT_INVITED
        await worker.admitted(token, name="New", pin="9999")


async def test_a_pin_that_is_set_while_somebody_is_admitted_counts(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(clicks=1)
    async with world.worker() as worker:
        asked = world.media.resolve

        async def resolve(*arguments):  # type: ignore[no-untyped-def]
            await world.desk.edit(made.link.id, {"pin": "2468"})
            return await asked(*arguments)

        worker.door._resolve = resolve
        assert reason_of(await worker.post(token)) is Reason.NOT_INVITED
        assert (await world.desk.get(made.link.id)).link.clicks_used == 0  # type: ignore[union-attr]


async def test_limits_of_tries_are_the_operators(store: Store) -> None:
    world = await make_world(store)
    made, _ = await world.link(pin="2468")
    conditions = Conditions(WrongTries(store), world.clock, TryLimits(at_link=9, from_source=3))
    found = [await conditions.met(made.link, "0000", "a@b.org", "192.0.2.1") for _ in range(4)]
    assert [one.reason for one in found if one] == [Reason.NOT_INVITED] * 3 + [Reason.TOO_MANY_WRONG]
    conditions.allow(TryLimits(at_link=90, from_source=30))
    assert reason_of(await conditions.met(made.link, "0000", "a@b.org", "192.0.2.1")) is Reason.NOT_INVITED


# --- seats ------------------------------------------------------------------------------------------


async def test_the_third_of_two_waits_until_one_leaves(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(viewers=2, clicks=9)
    async with world.worker() as worker:
        one, _ = await worker.admitted(token, name="One"), await worker.admitted(token, name="Two")
        looked = await worker.door.look(token, worker.server)
        assert not isinstance(looked, Denied)
        assert looked.full
        third = await worker.post(token, name="Three")
        assert reason_of(third) is Reason.FULL
        assert isinstance(third, Denied)
        seats = Seats(worker.links, world.servers, world.clock)
        assert await seats.free(third.seat) is False
        await worker.door.leave(one.grant_ids)
        assert await seats.free(third.seat) is True
        await worker.admitted(token, name="Three")
        view = await world.desk.get(made.link.id)
        assert (view.viewers, view.link.clicks_used) == (2, 3)  # type: ignore[union-attr]


async def test_n_seats_admit_n_of_many_who_come_at_once(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(viewers=5)
    async with world.worker() as one, world.worker() as two:
        posts = [(one, two)[number % 2].post(token, name=f"Guest {number}") for number in range(60)]
        told = Counter(type(outcome) for outcome in await asyncio.gather(*posts))
        assert told == {Admitted: 5, Denied: 55}
        assert (await world.desk.get(made.link.id)).link.clicks_used == 5  # type: ignore[union-attr]


async def test_a_seat_of_somebody_who_has_gone_is_free_after_a_while(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(viewers=1)
    async with world.worker() as worker:
        await worker.admitted(token, name="One")  # and never asks for anything again
        assert reason_of(await worker.post(token, name="Two")) is Reason.FULL
        world.clock.ahead += 89_000
        assert reason_of(await worker.post(token, name="Two")) is Reason.FULL
        world.clock.ahead += 2_000
        await worker.admitted(token, name="Two")


async def test_who_watches_keeps_the_seat(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(viewers=1)
    async with world.worker() as worker:
        done = await worker.admitted(token, name="One")
        for _ in range(4):
            world.clock.ahead += 60_000
            assert isinstance(await worker.stream(*done.grant_ids), Allowed)
            await until(lambda: done.live.noted == done.live.last_seen)
            assert reason_of(await worker.post(token, name="Two")) is Reason.FULL
        assert isinstance(await worker.ask("/watch/film1", *done.grant_ids), Allowed)
        assert isinstance(await worker.door.come_back(token, worker.server, done.grant_ids), Admitted)


async def test_who_stayed_away_waits_as_the_newest(store: Store) -> None:
    world = await make_world(store, leave_after=900)
    _, token = await world.link(viewers=1)
    async with world.worker() as worker:
        away = await worker.admitted(token, name="Away")
        world.clock.ahead += 100_000
        await worker.admitted(token, name="Here")
        page = await worker.ask("/watch/film1", *away.grant_ids)
        assert reason_of(page) is Reason.FULL
        assert isinstance(page, Denied)
        assert await Seats(worker.links, world.servers, world.clock).free(page.seat) is False
        back = await worker.door.come_back(token, worker.server, away.grant_ids)
        assert reason_of(back) is Reason.FULL
        world.clock.ahead += 100_000
        assert isinstance(await worker.ask("/watch/film1", *away.grant_ids), Allowed)


async def test_a_stream_that_goes_on_after_its_seat_was_given_away_ends(store: Store) -> None:
    world = await make_world(store, leave_after=900)
    _, token = await world.link(viewers=1)
    async with world.worker() as worker, world.worker() as other:
        away = await worker.admitted(token, name="Away")
        world.clock.ahead += 100_000
        await other.admitted(token, name="Here")
        await worker.stream(*away.grant_ids)  # a paused player goes on
        await until(lambda: not worker.table.holds(away.live.grant.id))
        assert reason_of(await other.stream(*away.grant_ids)) is Reason.GRANT_ENDED
        back = await worker.door.come_back(token, worker.server, away.grant_ids)
        assert reason_of(back) is Reason.FULL
        world.clock.ahead += 100_000
        assert isinstance(await worker.door.come_back(token, worker.server, away.grant_ids), Admitted)


async def test_fewer_seats_than_guests_turn_nobody_out(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(viewers=3)
    async with world.worker() as worker:
        inside = [await worker.admitted(token, name=f"Guest {number}") for number in range(3)]
        await world.desk.edit(made.link.id, {"viewers": 1})
        for done in inside:
            assert isinstance(await worker.ask("/watch/film1", *done.grant_ids), Allowed)
        assert reason_of(await worker.post(token, name="New")) is Reason.FULL


async def test_a_ticket_stands_for_a_pin_while_somebody_waits_and_for_nothing_else(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(pin="2468", viewers=1)
    other, elsewhere = await world.link(pin="2468", viewers=1)
    async with world.worker() as worker:
        inside = await worker.admitted(token, pin="2468", name="One")
        waits = await worker.post(token, pin="2468", name="Two")
        assert isinstance(waits, Denied)
        assert waits.ticket
        assert reason_of(await worker.post(token, name="Two", ticket=waits.ticket)) is Reason.FULL
        await worker.door.leave(inside.grant_ids)
        for refused in (
            {"ticket": waits.ticket, "email": "other@example.org"},
            {"ticket": waits.ticket[:-2] + "AA"},
            {"ticket": worker.door.new_form(token, "c" * 22, world.clock())},
            {"ticket": waits.seat.partition(".")[2]},
        ):
            assert reason_of(await worker.post(token, name="Two", **refused)) is Reason.NOT_INVITED
        assert reason_of(await worker.post(elsewhere, name="Two", ticket=waits.ticket)) is Reason.NOT_INVITED
        # A form is not a ticket, and a ticket is no form.
        told = await worker.post(token, name="Two", pin="2468", form=waits.ticket)
        assert reason_of(told) is Reason.COOKIES_NEEDED
        await world.desk.edit(made.link.id, {"pin": "9999"})
        assert reason_of(await worker.post(token, name="Two", ticket=waits.ticket)) is Reason.NOT_INVITED
        await world.desk.edit(made.link.id, {"pin": None})
        await worker.admitted(token, name="Two", ticket=waits.ticket)
        assert other.link.id != made.link.id


async def test_a_pass_for_seats_is_for_one_link_and_for_a_while(store: Store) -> None:
    world = await make_world(store)
    _, token = await world.link(viewers=1)
    other, _ = await world.link(viewers=1)
    async with world.worker() as worker:
        await worker.admitted(token)
        waits = await worker.post(token, name="Two")
        assert isinstance(waits, Denied)
        seats = Seats(worker.links, world.servers, world.clock)
        for wrong in ("", "x", f"{other.link.id}.{waits.seat.partition('.')[2]}", waits.ticket, waits.seat + "A"):
            assert await seats.free(wrong) is None
        world.clock.ahead += 700_000
        assert await seats.free(waits.seat) is None


@pytest.mark.parametrize("why", ["off", "used_up", "put_off", "deleted"])
async def test_who_waits_in_vain_is_sent_to_the_door(store: Store, why: str) -> None:
    world = await make_world(store)
    made, token = await world.link(viewers=1, clicks=9, days=1)
    async with world.worker() as worker:
        inside = await worker.admitted(token)
        waits = await worker.post(token, name="Two")
        assert isinstance(waits, Denied)
        seats = Seats(worker.links, world.servers, world.clock)
        assert await seats.free(waits.seat) is False
        if why == "off":
            await world.desk.disable(made.link.id)
        elif why == "used_up":
            await world.desk.edit(made.link.id, {"clicks": 1})
        elif why == "deleted":
            await world.desk.delete(made.link.id)
        else:
            await world.desk.edit(made.link.id, {"starts_at": rfc3339(world.clock() + HOUR)})
        assert await seats.free(waits.seat) is True
        assert reason_of(await worker.post(token, name="Two")) is not Reason.FULL
        assert inside.live.ended is None


async def test_a_guest_of_a_used_up_link_goes_on_waiting_for_a_seat(store: Store) -> None:
    world = await make_world(store, leave_after=900)
    _, token = await world.link(viewers=1, clicks=2)
    async with world.worker() as worker:
        away = await worker.admitted(token, name="Away")
        world.clock.ahead += 100_000
        here = await worker.admitted(token, name="Here")
        page = await worker.ask("/watch/film1", *away.grant_ids)
        back = await worker.door.come_back(token, worker.server, away.grant_ids)
        seats = Seats(worker.links, world.servers, world.clock)
        for waits in (page, back):
            assert isinstance(waits, Denied)
            assert await seats.free(waits.seat) is False
        await worker.door.leave(here.grant_ids)
        assert await seats.free(page.seat) is True  # type: ignore[union-attr]


async def test_who_waits_for_long_goes_on_waiting_without_another_word(store: Store) -> None:
    world = await make_world(store, leave_after=3_600)
    _, token = await world.link(viewers=1, pin="2468")
    async with world.worker() as worker:
        inside = await worker.admitted(token, pin="2468")
        form = worker.door.new_form(token, COOKIE, world.clock())
        waits = await worker.post(token, name="Two", pin="2468", form=form)
        seats = Seats(worker.links, world.servers, world.clock)
        for _ in range(3):  # as the page does: ask, and send form and ticket again when the pass is over
            assert isinstance(waits, Denied)
            form = worker.door.new_form(token, COOKIE, world.clock())
            for _ in range(20):
                world.clock.ahead += 60_000
                assert isinstance(await worker.stream(*inside.grant_ids), Allowed)
                await until(lambda: inside.live.noted == inside.live.last_seen)
                if await seats.free(waits.seat) is None:
                    break
            else:
                raise AssertionError("the pass never ends")
            waits = await worker.post(token, name="Two", form=form, ticket=waits.ticket)
            assert reason_of(waits) is Reason.FULL
        await worker.door.leave(inside.grant_ids)
        form = worker.door.new_form(token, COOKIE, world.clock())
        assert isinstance(waits, Denied)
        await worker.admitted(token, name="Two", form=form, ticket=waits.ticket)


async def test_a_right_pin_is_not_told_by_how_long_the_refusal_takes(store: Store, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    world = await make_world(store)
    _, token = await world.link(pin="2468", emails=["@example.org"])
    checked: list[bytes] = []

    def fits(hashed: str, typed: bytes) -> bool:
        checked.append(typed)
        return typed == b"2468"

    monkeypatch.setattr("gateway.access.conditions.fits", fits)
    async with world.worker() as worker:
        for name in ("One", "Two"):
            await worker.admitted(token, name=name, pin="2468")
        assert checked == [b"2468"]  # known to be right from then on
        for pin in ("2468", "1357", "2468"):
            assert reason_of(await worker.post(token, pin=pin, email="ada@evil.org")) is Reason.NOT_INVITED
        assert checked[1:] == [b"2468", b"1357", b"2468"]


async def test_the_owner_hears_once_an_hour_that_somebody_guesses(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(pin="0007")
    trail = AuditTrail(store)
    async with world.worker() as worker:
        worker.door._conditions = Conditions(WrongTries(store), world.clock, trail=trail)

        async def told() -> list[tuple[str, str | None, dict[str, str]]]:
            lines = [one async for one in trail.backwards() if one.action is Action.WRONG_TRIES]
            return [(one.who, one.link, dict(one.detail)) for one in reversed(lines)]

        for number in range(14):
            await worker.post(token, pin=f"{1000 + number}", source="192.0.2.1")
        assert await told() == []
        seen = await world.desk.get(made.link.id)
        assert 12 <= seen.misses.tries <= 14  # type: ignore[union-attr]
        for number in range(100):
            await worker.post(token, pin=f"{2000 + number}", source=f"198.51.100.{number}")
        ((who, link, detail),) = await told()
        assert (who, link, 15 <= int(detail["tries"]) <= 17) == ("gateway", made.link.id, True)
        (seen,) = await world.desk.list("tv", "film1")  # type: ignore[misc]
        assert (seen.misses.turns_away, 58 <= seen.misses.tries <= 61) == (True, True)
        world.clock.ahead += HOUR
        await worker.admitted(token, pin="0007", source="192.0.2.9")
        assert (await world.desk.get(made.link.id)).misses == Misses()  # type: ignore[union-attr]
        for number in range(20):
            await worker.post(token, pin=f"{3000 + number}", source="192.0.2.1")
        assert len(await told()) == 2


async def test_a_hall_that_mistypes_is_no_guessing(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(pin="2468")
    trail = AuditTrail(store)
    async with world.worker() as worker:
        worker.door._conditions = Conditions(WrongTries(store), world.clock, trail=trail)
        for number in range(120):
            await worker.post(token, name=f"G {number}", pin="2468" if number % 10 else "1357", source="192.0.2.1")
        assert not [one async for one in trail.backwards()]
        assert (await world.desk.get(made.link.id)).misses.tries <= 1  # type: ignore[union-attr]


async def test_who_leaves_while_the_pin_is_checked_has_tried(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A right one is answered at once where it is known; who takes no longer wait than that for a no must not have
    tried for nothing."""
    checking, done = threading.Semaphore(0), threading.Event()

    def long_check(*_: object) -> bool:
        checking.release()
        done.wait(30)
        return False

    monkeypatch.setattr("gateway.access.conditions.fits", long_check)
    world = await make_world(store)
    made, token = await world.link(pin="0007")
    async with world.worker() as worker:
        for number in range(4):
            task = asyncio.create_task(worker.post(token, pin=f"{1000 + number}", source="192.0.2.1"))
            assert await asyncio.to_thread(checking.acquire, timeout=30)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        done.set()
        assert (await world.desk.get(made.link.id)).misses.tries == 4  # type: ignore[union-attr]


async def test_a_right_pin_leaves_no_trace_of_itself(store: Store) -> None:
    world = await make_world(store)
    made, token = await world.link(pin="0007")
    async with world.worker() as worker:
        for number in range(30):
            await worker.admitted(token, name=f"G {number}", pin="0007", source="192.0.2.1")
        assert (await world.desk.get(made.link.id)).misses.tries == 0  # type: ignore[union-attr]


async def test_two_changes_at_once_make_no_link_that_never_opens(store: Store) -> None:
    world = await make_world(store)
    made, _ = await world.link(days=30)
    for _ in range(10):
        await world.desk.edit(made.link.id, {"starts_at": None, "days": 30})
        late = {"starts_at": rfc3339(world.clock() + 240 * HOUR)}
        told = await asyncio.gather(
            world.desk.edit(made.link.id, {"days": 2}),
            world.desk.edit(made.link.id, late),
            world.desk.edit(made.link.id, {"name": "x"}),
        )
        seen = (await world.desk.get(made.link.id)).link  # type: ignore[union-attr]
        assert seen.starts_at is None or seen.starts_at < seen.expires_at
        assert sorted(getattr(one, "status", 200) for one in told) == [200, 200, 400]
