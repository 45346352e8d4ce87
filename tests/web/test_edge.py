"""The edge against raw sockets: late heads, refused heads, and what an answer says about us."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

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
