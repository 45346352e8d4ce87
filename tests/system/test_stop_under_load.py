"""SIGTERM while guests ask without pause: what was begun is answered, what was not is refused at the door."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.running import ask
from tests.system.load import Load
from tests.system.processes import alive, make_link, served
from tests.system.stage import PAGE, STREAM, Guest, Media, path_of, until, write_config
from tests.wire import WireClient

WORKERS = pytest.mark.parametrize("workers", [1, 2])


@WORKERS
async def test_no_short_request_is_lost(tmp_path: Path, media: Media, workers: int) -> None:
    port = write_config(tmp_path, media, extra="log: {access: off}\n")
    async with served(tmp_path, port, workers=workers) as gateway:
        guest = await Guest(port).enter((await make_link(tmp_path))["url"])
        loads = [Load(port, guest.cookie, path, kept) for path in (STREAM, PAGE) for kept in (True, False, False)]
        running = [asyncio.create_task(one.run()) for one in loads]
        await until("all of them ask", lambda: min(one.outcomes[200] for one in loads) >= 3, 20)
        assert await gateway.stop() == 0
        await asyncio.wait(running, timeout=30)
        outcomes = sum((one.outcomes for one in loads), Counter())
        # All asked until the door was closed, and heard a whole answer to everything before.
        assert outcomes == {200: outcomes[200], "refused": len(loads)}, [one.lost for one in loads]
        assert "Traceback" not in gateway.said


@WORKERS
async def test_streams_end_politely_and_in_time(tmp_path: Path, media: Media, workers: int) -> None:
    port = write_config(tmp_path, media)
    async with served(tmp_path, port, workers=workers, patience=1.5) as gateway:
        guest = await Guest(port).enter((await make_link(tmp_path))["url"])
        everyone = gateway.everyone()
        async with guest.streaming() as stream, guest.talking() as talk:
            gateway.process.send_signal(signal.SIGTERM)
            assert (await talk.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
            assert talk.close_code == 1001
            assert await stream.flows(0.3)  # its time begins only now
            took = await stream.ended(within=15)
            assert took < 15
        assert await asyncio.wait_for(gateway.process.wait(), 15) == 0
        assert [pid for pid in everyone if alive(pid)] == []
        assert "cut: the gateway stops" in gateway.said
        assert "Traceback" not in gateway.said


async def test_a_form_that_is_still_arriving_is_taken(tmp_path: Path, media: Media) -> None:
    from urllib.parse import urlencode

    port = write_config(tmp_path, media)
    async with served(tmp_path, port, workers=1) as gateway:
        link = (await make_link(tmp_path))["url"]
        guest = Guest(port)
        body = urlencode({"name": "Ada", "email": "ada@example.org", "form": await guest.form(link)}).encode()
        async with WireClient(port, f"127.0.0.1:{port}") as client:
            await client.ask(
                f"POST {path_of(link)}",
                f"Cookie: {guest.cookie}\r\nOrigin: http://127.0.0.1:{port}\r\nAccept: text/html\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n",
            )
            client.writer.write(body[:10])
            await client.writer.drain()
            await asyncio.sleep(0.2)
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(1.5)
            client.writer.write(body[10:])
            head = await asyncio.wait_for(client.head(), 10)
            assert head.status == 303
        assert await asyncio.wait_for(gateway.process.wait(), 15) == 0


async def test_ready_says_so_and_kept_connections_hear_it(tmp_path: Path, media: Media) -> None:
    port = write_config(tmp_path, media)
    async with served(tmp_path, port, workers=1) as gateway, WireClient(port, f"127.0.0.1:{port}") as client:
        assert (await ask(port, "GET /_gateway/health/ready")).status == 200
        gateway.process.send_signal(signal.SIGTERM)
        await client.ask("GET /_gateway/health/ready", "")
        head = await asyncio.wait_for(client.head(), 5)
        if head.status == 503:  # else it was faster than the signal
            assert head.header("Connection") == "close"
        assert await asyncio.wait_for(gateway.process.wait(), 15) == 0
