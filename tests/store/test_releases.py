"""What is to be released, as it lies in the store: taken by one, lost by nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.store import names
from gateway.store.client import Store
from gateway.store.releases import HIDDEN, LOOK, Release, ReleaseStore

NOW = 1_700_000_000_000
JOB = Release("grant1", "link1", "guest1", "tv", "abc123", "video", {"play": ("p1", "Ü")})


async def test_a_job_comes_back_as_it_was_and_is_looked_at_in_its_time(store: Store) -> None:
    releases = ReleaseStore(store)
    await releases.watch(JOB, now=NOW)
    assert await releases.to_look_at(now=NOW + LOOK - 1) == []
    assert await releases.to_look_at(now=NOW + LOOK) == [JOB]
    assert await releases.to_look_at(now=NOW + LOOK) == []
    assert await releases.to_look_at(now=NOW + 2 * LOOK) == [JOB]


async def test_a_word_of_the_end_brings_the_look_forward_and_makes_no_job(store: Store) -> None:
    releases = ReleaseStore(store)
    await releases.watch(JOB, now=NOW)
    await releases.hasten(["grant1", "another"], now=NOW + 1)
    assert await releases.to_look_at(now=NOW + 1) == [JOB]
    # And never puts it off.
    await releases.hasten(["grant1"], now=NOW + 9 * LOOK)
    assert await releases.to_look_at(now=NOW + 1 + LOOK) == [JOB]


async def test_many_who_hear_of_the_end_release_once(store: Store) -> None:
    releases = ReleaseStore(store)
    await releases.watch(JOB, now=NOW)
    await asyncio.gather(*(releases.over(JOB, now=NOW + n) for n in range(5)))
    taken = await asyncio.gather(*(releases.due(now=NOW + 9) for _ in range(5)))
    assert sorted(map(len, taken)) == [0, 0, 0, 0, 1]
    # A late word, while somebody is at it.
    await releases.over(JOB, now=NOW + 10)
    await releases.hasten(["grant1"], now=NOW + 10)
    assert await releases.due(now=NOW + 11) == []
    assert await releases.to_look_at(now=NOW + 11) == []
    await releases.done(JOB)
    await releases.over(JOB, now=NOW + 12)
    assert await releases.due(now=NOW + 10 * HIDDEN) == []
    assert await store.run(lambda client: client.exists(names.RELEASES_JOBS)) == 0


async def test_who_takes_one_and_dies_leaves_it_to_the_next(store: Store) -> None:
    releases = ReleaseStore(store)
    await releases.watch(JOB, now=NOW)
    await releases.over(JOB, now=NOW)
    assert await releases.due(now=NOW) == [JOB]
    assert await releases.due(now=NOW + HIDDEN - 1) == []
    assert await releases.due(now=NOW + HIDDEN) == [JOB]


async def test_a_failure_is_counted_and_what_was_done_is_kept(store: Store) -> None:
    releases = ReleaseStore(store)
    await releases.watch(JOB, now=NOW)
    await releases.over(JOB, now=NOW)
    (job,) = await releases.due(now=NOW)
    await releases.retry(replace(job, done=1), at=NOW + 500)
    assert await releases.due(now=NOW + 499) == []
    assert await releases.due(now=NOW + 500) == [replace(JOB, done=1, tries=1)]
    # Not once it is done.
    await releases.done(JOB)
    await releases.retry(JOB, at=NOW + 500)
    assert await releases.due(now=NOW + 10 * HIDDEN) == []


async def test_a_job_that_cannot_be_read_holds_up_no_other(store: Store) -> None:
    releases = ReleaseStore(store)
    await releases.watch(replace(JOB, grant="grant0"), now=NOW)
    await releases.watch(JOB, now=NOW)
    await store.run(lambda client: client.hset(names.RELEASES_JOBS, "grant0", '{"later": 1}'))
    assert await releases.to_look_at(now=NOW + LOOK) == [JOB]
    assert await store.run(lambda client: client.hexists(names.RELEASES_JOBS, "grant0"))
