"""Who waits for a password to be checked, and who goes first."""

from __future__ import annotations

import asyncio

from gateway.access.turns import Turns


async def test_one_at_a_time_and_known_browsers_before_strangers() -> None:
    turns, order, at_work, begun = Turns(9), [], 0, asyncio.Event()

    async def check(who: str, *, known: bool) -> None:
        nonlocal at_work
        async with turns.take(known=known):
            at_work += 1
            assert at_work == 1
            order.append(who)
            await begun.wait()
            at_work -= 1

    async with asyncio.TaskGroup() as group:
        for who in ("s1", "s2", "s3"):
            group.create_task(check(who, known=False))
        await asyncio.sleep(0)
        for who in ("k1", "k2"):
            group.create_task(check(who, known=True))
        await asyncio.sleep(0)
        begun.set()
    assert order == ["s1", "k1", "k2", "s2", "s3"]


async def test_a_line_has_an_end_and_the_other_one_its_own() -> None:
    turns, release = Turns(2), asyncio.Event()

    async def check() -> None:
        async with turns.take(known=False):
            await release.wait()

    tasks = [asyncio.create_task(check()) for _ in range(3)]  # one at work, two waiting
    await asyncio.sleep(0)
    assert turns.full(known=False)
    assert not turns.full(known=True)
    release.set()
    await asyncio.gather(*tasks)
    assert not turns.full(known=False)


async def test_who_gives_up_takes_no_turn_along() -> None:
    turns, release, done = Turns(9), asyncio.Event(), []

    async def check(who: int) -> None:
        async with turns.take(known=False):
            await release.wait()
            done.append(who)

    tasks = [asyncio.create_task(check(n)) for n in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()  # waiting
    tasks[0].cancel()  # at work; the turn is the third one's at this moment
    await asyncio.sleep(0)
    tasks[2].cancel()
    release.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert done == [3]


async def test_strangers_rest_and_known_browsers_do_not() -> None:
    turns, loop = Turns(9), asyncio.get_running_loop()
    async with turns.take(known=False):
        turns.rest(0.3)
    begun = loop.time()
    stranger = asyncio.create_task(_taken(turns, known=False))
    await asyncio.sleep(0)
    await _taken(turns, known=True)
    assert not stranger.done()
    async with asyncio.timeout(10):
        await stranger
    assert loop.time() - begun >= 0.29


async def _taken(turns: Turns, *, known: bool) -> None:
    async with turns.take(known=known):
        pass
