"""The edge against raw sockets: late heads, refused heads, and what an answer says about us."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway.web.crowd import Crowd
from gateway.web.edge import EdgeServer, c_parser_loaded


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def hello(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/broken":
            raise RuntimeError("a secret detail")
        return web.Response(text="hello", headers={"Server": "x"})

    runner = web.ServerRunner(EdgeServer(hello, head_seconds=0.4))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_silent_or_trickling_head_is_cut(port: int) -> None:
    async def hold(trickle: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in trickle:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.1)
            assert await reader.read() == b""
        writer.close()
        return time.monotonic() - began

    took = await asyncio.gather(hold(b""), hold(b"GET / HT"), hold(b"GET / HTTP/1.1\r\nHost: a"))
    assert max(took) < 3


async def test_a_second_head_that_trickles_is_cut_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(0.6)  # idle between requests is fine
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"hello")
    writer.write(b"GE")
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_refused_heads_and_broken_handlers_say_nothing(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await asyncio.wait_for(reader.read(), 3)
    assert answer.split(b" ")[1] == (b"500" if b"broken" in head else b"400")
    assert b"aiohttp" not in answer
    assert b"Python" not in answer
    assert b"secret" not in answer
    assert len(answer.partition(b"\r\n\r\n")[2]) < 40
    writer.close()


def test_the_c_parser_is_there() -> None:
    assert c_parser_loaded()


async def test_the_one_that_waits_longest_gives_way_and_workers_do_not() -> None:
    """Three strangers at most: silent ones are closed for new ones, a request at work is not."""
    release = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/slow":
            await release.wait()
        return web.Response(text="hello")

    server = EdgeServer(slow, crowd=Crowd(connections=10, per_address=3))
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(opened[0][0].read(), 2) == b""  # the oldest silent one
    for _, other in (*opened[1:], (reader, writer)):
        other.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.1)
    late, late_writer = await asyncio.open_connection("127.0.0.1", port)
    answer = await asyncio.wait_for(late.read(), 2)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in answer
    release.set()
    assert b"hello" in await asyncio.wait_for(reader.readuntil(b"hello"), 2)
    for _, one in (*opened, (reader, writer), (late, late_writer)):
        one.close()
    await runner.cleanup()
    assert len(server.crowd) == 0


async def test_connections_with_a_session_do_not_count() -> None:
    class One:
        waiting = False

        def give_way(self) -> None:
            raise AssertionError

    crowd = Crowd(connections=5, per_address=2)
    guests = [One() for _ in range(5)]
    for guest in guests[:4]:
        assert crowd.enter(guest, "10.0.0.1")
        crowd.vouch(guest)
    assert crowd.enter(guests[4], "10.0.0.1")
    assert not crowd.enter(One(), "10.0.0.2")  # the total
    crowd.leave(guests[0])
    assert crowd.enter(One(), "10.0.0.1")
