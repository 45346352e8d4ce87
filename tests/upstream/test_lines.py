"""Connections to a media server, by themselves."""

from __future__ import annotations

import asyncio

from aiohttp.client_exceptions import SocketTimeoutError

from gateway.upstream.lines import Line
from tests.wire import Call, WireServer


async def test_silence_counts_from_the_head_on_and_not_while_we_do_not_read() -> None:
    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await call.gone()

    loop = asyncio.get_running_loop()
    async with WireServer(script) as server:
        transport, line = await loop.create_connection(lambda: Line(loop=loop), "127.0.0.1", server.port)
        line.set_response_params()
        transport.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(line.read(), 5)
        line.pause_reading()
        line.begun(0.05)
        await asyncio.sleep(0.2)
        assert line.exception() is None, "a paused guest holds us back"
        line.resume_reading()
        async with asyncio.timeout(5):
            while line.exception() is None:
                await asyncio.sleep(0.01)
        assert isinstance(line.exception(), SocketTimeoutError)
        transport.close()
