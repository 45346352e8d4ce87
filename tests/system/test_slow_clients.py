"""Two hundred connections that trickle their heads and two hundred that trickle their bodies, at the real
deadlines and default limits, on every listener of a real process: all are closed in time, and others, from the
same addresses too, are served meanwhile as if nobody else were there."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.running import free_port
from tests.system.processes import make_link, served
from tests.system.stage import STREAM, Guest, Media, path_of, write_config

MANY, FEW = 200, 20
HEADS_FROM, BODIES_FROM = "127.0.0.3", "127.0.0.2"
HEADS_WITHIN, BODIES_WITHIN = 12.0, 22.0


async def test_trickling_heads_and_bodies_are_closed_in_time_and_others_are_served(
    tmp_path: Path, media: Media
) -> None:
    manage, admin = free_port(), free_port()
    port = write_config(
        tmp_path,
        media,
        limits="guesses_per_address: 100000",
        extra=f"manage: {{listen: 127.0.0.1:{manage}, url: http://127.0.0.1:{manage}}}\n"
        f"admin_listen: 127.0.0.1:{admin}\n",
    )
    async with served(tmp_path, port, workers=1):
        link = (await make_link(tmp_path))["url"]
        guest = await Guest(port).enter(link)
        host = f"Host: 127.0.0.1:{port}\r\n"
        form = f"{host}Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://127.0.0.1:{port}\r\n"
        posts = [
            (port, f"POST {path_of(link)} HTTP/1.1\r\n{form}Content-Length: 5000\r\n\r\n", b"a"),
            (port, f"POST {path_of(link)} HTTP/1.1\r\n{form}Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
            (port, f"POST /_gateway/leave HTTP/1.1\r\n{form}Content-Length: 5000\r\n\r\n", b"a"),
            (
                port,
                f"POST /api/progress/abc123 HTTP/1.1\r\n{form}Cookie: {guest.cookie}\r\nContent-Length: 5000\r\n\r\n",
                b"a",
            ),
        ]
        others = [
            (one, f"POST /_gateway/x HTTP/1.1\r\nHost: 127.0.0.1:{one}\r\nContent-Length: 5000\r\n\r\n", b"a")
            for one in (manage, admin)
        ]
        heads = [(one, f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{one}\r\nX: ", b"a") for one in (port, manage, admin)]
        slow_heads = [heads[0]] * (MANY - 2) + [(port, "", b"G"), (port, "", b"")] + heads[1:] * FEW
        slow_bodies = posts * (MANY // len(posts)) + others * FEW

        async with asyncio.TaskGroup() as group:
            late = [group.create_task(trickle(HEADS_FROM, *one)) for one in slow_heads]
            later = [group.create_task(trickle(BODIES_FROM, *one)) for one in slow_bodies]
            await asyncio.sleep(1)
            waits: dict[str, list[float]] = {}
            while not all(task.done() for task in (*late, *later)):
                for address in (HEADS_FROM, BODIES_FROM, "127.0.0.4"):
                    for path in (path_of(link), STREAM):
                        waits.setdefault(address, []).append(await quickly(address, guest, path))
                await asyncio.sleep(0.5)
        took = [task.result() for task in late], [task.result() for task in later]
        print(f"\nheads closed after {max(took[0]):.1f} s, bodies after {max(took[1]):.1f} s at the latest")
        for address, seconds in waits.items():
            usual = statistics.median(seconds) * 1000
            print(f"{address}: {len(seconds)} requests, {usual:.1f} ms, at most {max(seconds):.2f} s")
        assert max(took[0]) < HEADS_WITHIN
        assert max(took[1]) < BODIES_WITHIN
        assert all(max(seconds) < 4 for seconds in waits.values())
        assert (await Guest(port).get("/_gateway/health/ready")).status == 200


@contextlib.asynccontextmanager
async def connected(address: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


async def trickle(address: str, port: int, head: str, piece: bytes) -> float:
    """Send a beginning and then a piece every half second; how long it took until the other side had closed."""
    async with connected(address, port) as (reader, writer):
        began = time.monotonic()
        ended = asyncio.create_task(closed(reader))
        writer.write(head.encode())
        while not ended.done():
            with contextlib.suppress(ConnectionError):
                writer.write(piece)
                await writer.drain()
            await asyncio.wait([ended], timeout=0.5)
            assert time.monotonic() - began < 60
        return time.monotonic() - began


async def closed(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(65_536):
            pass


async def quickly(address: str, guest: Guest, path: str) -> float:
    began = time.monotonic()
    async with connected(address, guest.port) as (reader, writer):
        cookie = f"Cookie: {guest.cookie}\r\n" if path == STREAM else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {guest.host}\r\n{cookie}Connection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:300]
    return time.monotonic() - began
