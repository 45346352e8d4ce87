"""Many at once on live media, for long: `./gw bench tests/bench/bench_live.py` measures it at its full size."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.live_load import LiveFolder, Viewer, Watched
from tests.long_lived import LongLived, Owner, Slow, Talk
from tests.nginx import folder, nginx
from tests.running import ask, enter
from tests.system.processes import resident, served
from tests.system.stage import running_worker, until
from tests.system.test_workers import accepted

VIEWERS, TALKS, READERS = 20, 40, 10
SECONDS, DURATION = 3.0, 2.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")


async def test_viewers_websockets_and_slow_readers_at_once_and_all_cut_when_turned_off(tmp_path: Path) -> None:
    live = LiveFolder(tmp_path / "hls", "cam1", DURATION, 300_000)
    live.prepare()
    async with LongLived() as media:
        pass_on = f"location / {{ proxy_pass http://127.0.0.1:{media.port}; {_AS_IT_COMES} }}"
        async with nginx(tmp_path / "origin", folder(live.root, "/hls") + pass_on) as origin:
            owner = Owner.of(tmp_path, upstream=f"http://127.0.0.1:{origin}")
            moving = asyncio.create_task(live.run())
            async with served(tmp_path, owner.port, workers=2) as gateway:
                link = await owner.link("cam1")
                cookies = [(await enter(owner.port, link))[0] for _ in range(VIEWERS)]
                assert all(cookies)
                workers = gateway.workers()
                before = [resident(pid) for pid in workers]
                talks = [await Talk.open(owner.port, "/ws/cam1", cookies[n % VIEWERS]) for n in range(TALKS)]
                slow = [Slow(owner.port, "/endless/cam1", cookie) for cookie in cookies[:READERS]]
                tasks = [asyncio.create_task(one.run()) for one in slow]
                seen = Watched()
                end = time.monotonic() + SECONDS
                await asyncio.gather(
                    *(Viewer(owner.port, "/hls/cam1.m3u8", cookie, seen).watch(end) for cookie in cookies)
                )
                assert not seen.refused
                assert len(seen.segments) > 3 * VIEWERS
                assert not seen.stalls
                # Nobody who is idle or slow was dropped, and what they do not take is not kept here.
                assert not [talk for talk in talks if talk.ended is not None]
                assert media.streams == READERS
                assert all(one.took for one in slow)
                grown = [resident(pid) - was for pid, was in zip(workers, before, strict=True)]
                assert max(grown) < 40_000, "kB"

                assert all(accepted(pid, owner.port) for pid in workers), "every worker has something to cut"
                began = await owner.turns_off("cam1")
                await until("all cut", lambda: not media.streams and all(talk.ended is not None for talk in talks))
                assert time.monotonic() - began < 2
                assert {talk.code for talk in talks} == {1008}
                await until("the server is let go", lambda: not media.talks)
                # All of them come back at once, as pages do that lost their websocket.
                refused = await asyncio.gather(*(_again(owner.port, cookie) for cookie in cookies * 5))
                assert set(refused) == {403}
                assert media.talks == 0
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert await gateway.stop() == 0
                assert "Traceback" not in gateway.said
            moving.cancel()
            await moving


_AS_IT_COMES = (
    "proxy_http_version 1.1; proxy_buffering off; proxy_set_header Upgrade $http_upgrade; "
    "proxy_set_header Connection upgrade;"
)


async def _again(port: int, cookie: str) -> int:
    try:
        (await Talk.open(port, "/ws/cam1", cookie)).close()
    except ConnectionRefusedError as refused:
        return int(refused.args[0])
    return 101


async def test_one_guest_alone_does_not_take_everybodys_places(tmp_path: Path) -> None:
    """Of long polls, websockets and endless bodies together; others are served, and he again when he has let go."""
    async with LongLived() as media:
        owner = Owner.of(tmp_path, upstream=f"http://127.0.0.1:{media.port}")
        with (tmp_path / "config.yaml").open("a") as file:
            file.write("limits: {connections_per_guest: 8}\n")
        async with running_worker(tmp_path):
            link = await owner.link("cam1")
            greedy, other = [(await enter(owner.port, link))[0] for _ in range(2)]
            talks = [await Talk.open(owner.port, "/ws/cam1", greedy) for _ in range(4)]
            bodies = [asyncio.create_task(Slow(owner.port, "/endless/cam1", greedy).run()) for _ in range(4)]
            await until("they are open", lambda: media.streams == 4)
            with pytest.raises(ConnectionRefusedError, match="503"):
                await Talk.open(owner.port, "/ws/cam1", greedy)
            refused = await ask(owner.port, "GET /endless/cam1", cookie=greedy)
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            talks.append(await Talk.open(owner.port, "/ws/cam1", other))
            talks[0].close()
            await until("one is free", lambda: media.talks == 4)
            talks.append(await Talk.open(owner.port, "/ws/cam1", greedy))
            for body in bodies:
                body.cancel()
            await asyncio.gather(*bodies, return_exceptions=True)
            for talk in talks:
                talk.close()
