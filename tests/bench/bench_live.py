"""Live at its full size: 200 guests on one stream for a minute, 500 idle websockets, 200 slow readers.

    ./gw bench tests/bench/bench_live.py

Printed: late segments and stalls, times of playlists and segments, CPU a guest, memory of each process at the
beginning, in the middle and at the end; the same viewers at nginx directly, in the same run; and the load average, for
other work on the machine is in these numbers. GUESTS, SOCKETS and SECONDS in the environment make it smaller.

The viewers run in this process (tests/live_load.py), so what the machine has left for the gateway is less than all.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.bench.bench_stream_path import cpu_seconds
from tests.live_load import LiveFolder, Viewer, Watched, percentiles
from tests.long_lived import LongLived, Owner, Slow, Talk
from tests.nginx import folder, nginx
from tests.running import enter, free_port
from tests.system.processes import Served, children, command, make_link, served

GUESTS = int(os.environ.get("GUESTS", "200"))
SOCKETS = int(os.environ.get("SOCKETS", "500"))
SECONDS = float(os.environ.get("SECONDS", "60"))
DURATION, SIZE = 2.0, 375_000  # of a segment: 1.5 Mbit/s

FOLLOWED = """
server: A live stream whose playlist is rewritten for each guest
item: {id: "[A-Za-z0-9]+"}
kinds:
  live:
    player: {src: "/hls/{id}.m3u8"}
    allow:
      - request: GET /hls/{id}.m3u8
        follow: {as: hls, to: ["/hls/*"]}
"""

pytestmark = pytest.mark.timeout(900)


def rss(pid: int) -> float:
    """MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def memory(gateway: Served) -> str:
    return ", ".join(f"{kind(pid)} {rss(pid):.0f}" for pid in gateway.everyone()) + " MB"


def kind(pid: int) -> str:
    words = command(pid)
    return "worker" if "gateway.workers" in words else "gateway" if "-m gateway" in words else "store"


def cpu_of(pids: list[int]) -> dict[int, float]:
    return {pid: cpu_seconds(pid) for pid in pids}


def waited(pids: list[int]) -> float:
    """Seconds in which they could have run and the processor was somebody else's."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e9


async def watching(port: int, path: str, cookies: list[str], seconds: float) -> Watched:
    """All of them, begun over the time of one segment."""
    seen = Watched()
    end = time.monotonic() + seconds

    async def one(place: int, cookie: str) -> None:
        await asyncio.sleep(DURATION * place / len(cookies))
        await Viewer(port, path, cookie, seen).watch(end)

    await asyncio.gather(*(one(place, cookie) for place, cookie in enumerate(cookies)))
    return seen


@pytest.mark.parametrize("policy", ["nginx-rtmp", "./policy.yaml"], ids=["by rules", "followed"])
async def test_two_hundred_guests_on_one_live_stream(tmp_path: Path, policy: str) -> None:
    live = LiveFolder(tmp_path / "hls", "camA", DURATION, SIZE)
    live.prepare()
    port = free_port()
    async with nginx(tmp_path / "origin", folder(live.root, "/hls")) as origin:
        (tmp_path / "config.yaml").write_text(
            f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\ndata_dir: data\n"
            f"servers: [{{name: tv, upstream: 'http://127.0.0.1:{origin}', policy: {policy}}}]\n"
        )
        (tmp_path / "policy.yaml").write_text(FOLLOWED)
        advancing = asyncio.create_task(live.run())
        try:
            async with served(tmp_path, port, workers=2) as gateway:
                link = (await make_link(tmp_path, item="camA"))["url"]
                began = time.monotonic()
                cookies = [(await enter(port, link))[0] for _ in range(GUESTS)]
                assert all(cookies)
                print(f"\n{GUESTS} admissions in {time.monotonic() - began:.1f} s")
                pids = gateway.everyone()
                before, own, stood = cpu_of(pids), time.process_time(), waited([*pids, os.getpid()])
                print(f"begin:  {memory(gateway)}; load average {os.getloadavg()[0]:.1f}")
                task = asyncio.create_task(watching(port, "/hls/camA.m3u8", cookies, SECONDS))
                await asyncio.sleep(SECONDS / 2)
                print(f"middle: {memory(gateway)}; load average {os.getloadavg()[0]:.1f}")
                seen = await task
                print(f"end:    {memory(gateway)}; load average {os.getloadavg()[0]:.1f}")
                spent = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
                ours = sum(spent.values())
                told = ", ".join(f"{kind(pid)} {spent[pid] / SECONDS:.0%}" for pid in pids)
                print(f"gateway: {seen.said()}")
                print(
                    f"  CPU {told} of a core; {ours / SECONDS / GUESTS * 1000:.2f} ms a second and guest; "
                    f"the viewers themselves {(time.process_time() - own) / SECONDS:.0%}; "
                    f"all of them waited {waited([*pids, os.getpid()]) - stood:.1f} s for a processor"
                )
                assert "Traceback" not in gateway.said
            master = int((tmp_path / "origin" / "nginx.pid").read_text())
            (worker,) = children(master)
            start = cpu_seconds(worker)
            peer = await watching(origin, "/hls/camA.m3u8", [""] * GUESTS, SECONDS)
            theirs = cpu_seconds(worker) - start
        finally:
            advancing.cancel()
            await advancing
    print(f"nginx directly: {peer.said()}")
    print(f"  CPU {theirs / SECONDS / GUESTS * 1000:.2f} ms a second and guest; ratio {ours / theirs:.1f}")
    assert not seen.refused
    assert seen.late == 0
    assert seen.stalls == 0


async def test_idle_websockets_and_slow_readers(tmp_path: Path) -> None:
    async with LongLived() as media:
        owner = Owner.of(tmp_path, upstream=f"http://127.0.0.1:{media.port}")
        port = owner.port
        async with served(tmp_path, port, workers=2) as gateway:
            room, film = [await owner.link(item) for item in ("room1", "film1")]
            guests = [(await enter(port, room))[0] for _ in range(SOCKETS)]
            readers = [(await enter(port, film))[0] for _ in range(GUESTS)]
            print(f"\nadmitted: {memory(gateway)}; load average {os.getloadavg()[0]:.1f}")
            before = sum(rss(pid) for pid in gateway.workers())
            talks = [await Talk.open(port, "/ws/room1", cookie) for cookie in guests]
            held = sum(rss(pid) for pid in gateway.workers())
            print(f"{SOCKETS} websockets: {memory(gateway)}; {(held - before) / SOCKETS * 1024:.0f} kB each")
            spent = cpu_of(gateway.workers())
            await asyncio.sleep(SECONDS)
            idle = sum(cpu_seconds(pid) - was for pid, was in spent.items()) / SECONDS
            lost = [talk for talk in talks if talk.ended is not None]
            print(f"after {SECONDS:.0f} s: {memory(gateway)}; {len(lost)} lost, CPU {idle:.1%} of a core")

            slow = [Slow(port, "/endless/film1", cookie) for cookie in readers]
            tasks = [asyncio.create_task(one.run()) for one in slow]
            began, sent = time.monotonic(), 0
            told = []
            while time.monotonic() - began < SECONDS:
                await asyncio.sleep(SECONDS / 4)
                told.append(f"{sum(rss(pid) for pid in gateway.workers()):.0f}")
                sent = media.sent
            took = sum(one.took for one in slow)
            print(
                f"{GUESTS} slow readers: workers {' '.join(told)} MB; {media.streams} open, {took / 1e6:.0f} MB taken "
                f"of {sent / 1e6:.0f} MB sent by the server"
            )
            cut_at = await owner.turns_off("room1")
            while any(talk.ended is None for talk in talks) and time.monotonic() - cut_at < 10:
                await asyncio.sleep(0.02)
            ends = [(talk.ended or time.monotonic()) - cut_at for talk in talks]
            print(f"websockets cut after {percentiles(ends)}; codes {Counter(talk.code for talk in talks)}")
            cut_at = await owner.turns_off("film1")
            while media.streams and time.monotonic() - cut_at < 10:
                await asyncio.sleep(0.02)
            bodies = time.monotonic() - cut_at
            print(f"bodies cut after {bodies * 1000:.0f} ms; {memory(gateway)}")
            # All come back at once, as a page does that lost its websocket.
            began, before_cpu = time.monotonic(), cpu_of(gateway.everyone())
            refused = await asyncio.gather(*(again(port, cookie) for cookie in guests))
            busy = sum(cpu_seconds(pid) - was for pid, was in before_cpu.items())
            print(
                f"{len(refused)} at once after that: {Counter(refused)} in {time.monotonic() - began:.2f} s, "
                f"CPU {busy / len(refused) * 1000:.2f} ms each"
            )
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert "Traceback" not in gateway.said
    assert not lost
    assert max(ends) < 2
    assert bodies < 2
    assert set(refused) <= {403, LOST}


LOST = 0  # closed without an answer: more at once from one address than `limits.connections_per_address`


async def again(port: int, cookie: str) -> int:
    try:
        (await Talk.open(port, "/ws/room1", cookie)).close()
    except ConnectionRefusedError as refused:
        return int(refused.args[0])
    except ConnectionResetError:
        return LOST
    return 101
