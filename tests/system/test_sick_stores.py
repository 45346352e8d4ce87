"""A store that is slow, emptied, read-only, full or evicts: what goes on, what is refused, how soon it is said.

`expected`: the status of a stranger who opens the link, who posts its form, of a page of who is in, and of a
stream on a worker that does not know the guest. A stream that runs goes on in every case.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreDown
from tests.running import Running, free_port
from tests.slow_store import SlowStore
from tests.system.stage import (
    ENDLESS,
    ITEM,
    PAGE,
    STREAM,
    Guest,
    Media,
    clicks,
    path_of,
    records,
    running_worker,
    separate_store,
    store_line,
    until,
    write_config,
)

PATIENCE = 2.5  # a second, and what a busy test machine adds


async def config_set(running: Running, name: str, value: str) -> None:
    await records(running).store.run(lambda client: client.config_set(name, value))


@asynccontextmanager
async def setting(running: Running, name: str, sick: str, well: str) -> AsyncIterator[None]:
    await config_set(running, name, sick)
    try:
        yield
    finally:
        await config_set(running, name, well)


@asynccontextmanager
async def replica(running: Running) -> AsyncIterator[None]:
    """Of a master that is not there; it goes on to answer from what it has."""
    run = records(running).store.run
    await run(lambda client: client.execute_command("REPLICAOF", "127.0.0.1", "1"))
    try:
        yield
    finally:
        await run(lambda client: client.execute_command("REPLICAOF", "NO", "ONE"))


@asynccontextmanager
async def emptied(running: Running) -> AsyncIterator[None]:
    """Everything is lost, and comes back (as from a backup of the store itself)."""
    run = records(running).store.run
    kept: dict[str, Any] = {}

    async def take(client: Any) -> None:
        for key in await client.keys("*"):
            kept[key] = await raw.dump(key)

    from redis.asyncio import Redis

    raw = Redis(unix_socket_path=running.config.store.removeprefix("unix://"))
    await run(take)
    await run(lambda client: client.flushall())
    try:
        yield
    finally:
        for key, content in kept.items():
            await raw.restore(key, 0, content, replace=True)
        await raw.aclose()


Sick = Callable[[Running], AbstractAsyncContextManager[None]]
CASES: dict[str, tuple[Sick, tuple[int, int, int, int]]] = {
    "read_only": (lambda running: setting(running, "min-replicas-to-write", "1", "0"), (200, 503, 200, 200)),
    "replica": (replica, (200, 503, 200, 200)),
    "full": (lambda running: setting(running, "maxmemory", "1", "0"), (200, 503, 200, 200)),
    "emptied": (emptied, (503, 503, 503, 503)),
}


async def within_a_second(asking: Any) -> int:
    began = time.monotonic()
    answer = await asking
    assert time.monotonic() - began < PATIENCE
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) > 0
    status: int = answer.status
    return status


@pytest.mark.parametrize("case", CASES)
async def test_nobody_passes_unchecked_and_nobody_is_cut(tmp_path: Path, media: Media, case: str) -> None:
    sick, expected = CASES[case]
    async with separate_store(tmp_path) as store:
        write_config(tmp_path, media, extra=store_line(store))
        async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
            link = await running.make_link(ITEM, clicks=3)
            guest = await Guest(running.port).enter(link)
            elsewhere = Guest(other.port, guest.host, dict(guest.jar))
            stranger = Guest(running.port)
            form = await stranger.form(link)
            async with guest.streaming() as stream, guest.talking() as socket:
                async with sick(running):
                    await asyncio.sleep(0.7)  # a look at the clocks
                    found = (
                        await within_a_second(Guest(running.port).get(path_of(link))),
                        await within_a_second(stranger.post(link, form)),
                        await within_a_second(guest.get(PAGE)),
                        await within_a_second(elsewhere.get(STREAM)),
                    )
                    assert found == expected
                    assert await within_a_second(guest.get(STREAM)) == 200
                    assert await within_a_second(guest.leave()) == 503
                    with pytest.raises(StoreDown):
                        await running.delete(link)
                    assert await stream.flows(1)
                    await socket.send_str("on")
                    assert await socket.receive_str(timeout=2) == "you said on"
                assert await stream.flows()
            await until("works again", lambda: works(elsewhere))
            assert await guest.status(PAGE) == 200
            assert (await stranger.post(link, form)).status == 303
            assert await clicks(running, link) == 2


async def test_a_store_that_comes_back_empty_admits_nobody_and_says_so(tmp_path: Path, media: Media) -> None:
    async with separate_store(tmp_path) as store:
        write_config(tmp_path, media, extra=store_line(store))
        async with running_worker(tmp_path, store_grace=6) as running:
            link = await running.make_link(ITEM)
            guest = await Guest(running.port).enter(link)
            async with guest.streaming() as stream:
                await store.stop()
                for one in (tmp_path / "store").glob("appendonlydir/*"):
                    one.unlink()
                await store.start(alone=True)
                await until("noticed", lambda: "the store has lost its data" in running.gateway.problems())
                assert await Guest(running.port).status(path_of(link)) == 503
                assert await guest.status(PAGE) == 503
                assert await guest.status(STREAM) == 200
                assert await stream.flows(1)
                ready = await guest.get("/_gateway/health/ready")
                assert (ready.status, b"lost its data" in ready.body) == (503, True)
                assert await stream.ended(12) < 12
            assert await guest.status(STREAM) == 503
            await records(running).prepare()  # as any command does: an empty store it is
            await until("ready", lambda: not running.gateway.problems())
            assert await Guest(running.port).status(path_of(link)) == 404
            assert await guest.status(STREAM) == 403
            await running.make_link(ITEM)


async def test_a_slow_store_makes_nobody_wait_long(tmp_path: Path, media: Media) -> None:
    """0.4 s for each command: whatever a door asks, an answer comes in about a second; and no click is lost."""
    async with separate_store(tmp_path) as store, SlowStore(store.socket).running() as slow:
        write_config(tmp_path, media, extra=f"store: {slow.url}\n")
        async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
            link = await running.make_link(ITEM, clicks=3)
            guest = await Guest(running.port).enter(link)
            elsewhere = Guest(other.port, guest.host, dict(guest.jar))
            stranger = Guest(running.port)
            form = await stranger.form(link)
            # So that the connections are there: making one takes several commands.
            await asyncio.gather(
                *(Guest(port).status(path_of(link)) for _ in range(9) for port in (running.port, other.port))
            )
            async with guest.streaming() as stream:
                slow.delay = 0.4
                for _ in range(3):
                    for asking in (
                        stranger.get(path_of(link)),
                        stranger.post(link, form),
                        guest.get(PAGE),
                        guest.get(path_of(link)),
                        elsewhere.get(STREAM),
                    ):
                        assert await within_a_second(asking) in (200, 303, 503)
                    assert await within_a_second(guest.get(STREAM)) == 200
                crowd = await asyncio.gather(
                    *(within_a_second(Guest(running.port).get(path_of(link))) for _ in range(20))
                )
                assert set(crowd) <= {200, 503}
                assert await stream.flows(1)
                slow.delay = 0.0
                assert await stream.flows()
            await until("works again", lambda: works(elsewhere))
            assert (await stranger.post(link, form)).status == 303
            assert await clicks(running, link) == 2


@pytest.mark.parametrize("lost", ["item", "links", "link:*", "guest:*", "grant:*", "form:*", "live:*"])
async def test_a_store_that_evicts_opens_nothing(tmp_path: Path, media: Media, lost: str) -> None:
    """Whatever is missing, nobody gets in who could not, and no more guests than there are clicks."""
    write_config(tmp_path, media)
    async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
        link = await running.make_link(ITEM, clicks=2)
        guest = await Guest(running.port).enter(link)
        elsewhere = Guest(other.port, guest.host, dict(guest.jar))
        strangers = [Guest(running.port) for _ in range(3)]
        forms = [await one.form(link) for one in strangers]

        async def evict(client: Any) -> None:
            for key in await client.keys(f"gw:{{*}}:{lost}"):
                await client.delete(key)

        await records(running).store.run(evict)
        posted = [(await one.post(link, form)).status for one, form in zip(strangers, forms, strict=True)]
        closed = {"item": [410] * 3, "link:*": [404] * 3}
        assert posted == closed.get(lost, [303, 410, 410])
        gone = lost in ("item", "link:*", "guest:*", "grant:*")
        assert await elsewhere.status(PAGE) == (410 if lost == "item" else 403 if gone else 200)
        assert await elsewhere.status(ENDLESS.replace(ITEM, "xyz789")) == 403
        if gone:
            assert await elsewhere.status(STREAM) == 403


async def works(guest: Guest) -> bool:
    return await guest.status(STREAM) == 200
