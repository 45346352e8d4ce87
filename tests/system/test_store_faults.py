"""A store that hangs: nothing passes unchecked, nobody waits long, who is known goes on for the grace."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.running import Running, free_port
from tests.system.stage import (
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


@asynccontextmanager
async def hung(running: Running) -> AsyncIterator[None]:
    """Inside, the store's process is stopped: connections stay, answers don't come."""
    pid = int((await records(running).store.run(lambda client: client.info("server")))["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def quickly(guest: Guest, line: str, status: int = 503) -> None:
    began = time.monotonic()
    answer = await guest.ask(line)
    assert answer.status == status, answer
    assert time.monotonic() - began < 1.3
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0


async def test_a_hung_store_is_noticed_within_a_second_and_recovers(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
        link = await running.make_link(ITEM, clicks=3)
        guest = await Guest(running.port).enter(link)
        unknown = Guest(other.port, guest.host, dict(guest.jar))
        stranger = Guest(running.port)
        form = await stranger.form(link)
        async with guest.streaming() as stream, guest.talking() as socket:
            async with hung(running):
                await quickly(stranger, f"GET {path_of(link)}")
                await quickly(unknown, f"GET {STREAM}")
                await quickly(guest, f"GET {PAGE}")
                began = time.monotonic()
                posts = await asyncio.gather(
                    *(Guest(running.port, jar=dict(stranger.jar)).post(link, form) for _ in range(40))
                )
                assert {answer.status for answer in posts} == {503}
                assert time.monotonic() - began < 3
                await quickly(guest, f"GET {STREAM}", 200)
                assert await stream.flows(1)
                await socket.send_str("on")
                assert await socket.receive_str(timeout=2) == "you said on"
            assert await stream.flows()
        await until("works again", lambda: works(unknown))
        assert await guest.status(PAGE) == 200
        # What hung was answered with 503 and perhaps counted; posted again the form is one click in any case.
        assert (await stranger.post(link, form)).status == 303
        assert await clicks(running, link) == 2


async def test_after_the_grace_streams_end_with_503(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path, store_grace=2.5) as running:
        guest = await Guest(running.port).enter(await running.make_link(ITEM))
        async with guest.streaming() as stream, hung(running):
            assert await stream.flows(1)
            assert await guest.status(STREAM) == 200
            assert await stream.ended(5) < 4.5
            await quickly(guest, f"GET {STREAM}")
        await until("works again", lambda: works(guest))


async def test_cut_trusts_a_silent_channel_for_five_seconds(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media, on_revoke="cut")
    async with running_worker(tmp_path) as running:
        guest = await Guest(running.port).enter(await running.make_link(ITEM))
        async with guest.streaming() as stream, hung(running):
            assert await stream.flows(2)
            assert await stream.ended(5) < 5
            await quickly(guest, f"GET {STREAM}")
        await until("works again", lambda: works(guest))


async def test_what_was_turned_off_while_a_worker_was_deaf_is_off_when_it_hears_again(
    tmp_path: Path, media: Media
) -> None:
    async with separate_store(tmp_path) as store:
        write_config(tmp_path, media, on_revoke="cut", extra=store_line(store))
        async with running_worker(tmp_path) as running:
            guest = await Guest(running.port).enter(await running.make_link(ITEM))
            async with guest.streaming() as stream:
                name = (await running.desk.list("tv"))[0].link.id  # type: ignore[index]
                store_at = records(running)
                slot = name[:11]
                await store.stop()
                assert await stream.flows(0.5)
                await store.start(alone=True)
                # Written without a word on the channel, as if it had been said while nobody listened.
                await until("the store is back", lambda: write(store_at, f"gw:{{{slot}}}:item", "access", "0"))
                assert await stream.ended(4) < 4
            assert await guest.status(STREAM) == 403


async def write(store: object, key: str, field: str, value: str) -> bool:
    try:
        await store.store.run(lambda client: client.hset(key, field, value))  # type: ignore[attr-defined]
    except Exception:
        return False
    return True


async def works(guest: Guest) -> bool:
    return await guest.status(STREAM) == 200
