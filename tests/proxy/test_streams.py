"""Streams: long, slow, left, cut, and what they cost us."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress

from gateway.config import Timeouts
from tests.proxy.conftest import IN, opened
from tests.wire import Call


class Endless:
    """A server that sends for as long as somebody takes it; `sent` counts bytes, `stopped` the end."""

    def __init__(self, *, limit: int = 1 << 60) -> None:
        self.sent = 0
        self.limit = limit
        self.stopped = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        try:
            await call.say("HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n")
            while self.sent < self.limit:
                await call.say(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                self.sent += 65_536
        finally:
            self.stopped.set()


async def test_a_film_may_last_longer_than_every_deadline() -> None:
    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
        for _ in range(12):
            await asyncio.sleep(0.1)
            await call.say("x")

    async with opened(script) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x.ts", IN)).body == b"x" * 12


async def test_a_paused_guest_is_no_slow_server_and_gets_everything() -> None:
    size = 30_000_000

    async def script(call: Call) -> None:
        await call.answer(b"x" * size)

    async with opened(script) as stage, stage.client() as guest:
        await guest.ask("GET /v/abc/x.ts", IN)
        await asyncio.sleep(1.2)  # three times the idle deadline
        assert len((await guest.reply()).body) == size


async def test_a_guest_who_does_not_take_holds_the_server_back() -> None:
    media = Endless(limit=200_000_000)
    async with opened(media) as stage, stage.client() as guest:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await guest.ask("GET /v/abc/x.ts", IN)
        await asyncio.sleep(0.7)
        held = media.sent
        await asyncio.sleep(0.3)
        # What is on the way lies in socket buffers on both sides, not in us.
        assert media.sent == held < 30_000_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # kB


async def test_a_guest_who_leaves_stops_the_server() -> None:
    media = Endless()
    async with opened(media) as stage:
        async with stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            await guest.reader.readexactly(100_000)
        await asyncio.wait_for(media.stopped.wait(), 1)
        await asyncio.sleep(0.05)
        assert stage.live.held == 0
        assert stage.number("gateway_open_streams") == 0
        assert stage.number("gateway_broken_answers_total") == 0


async def test_a_guest_who_leaves_before_the_head_stops_the_server() -> None:
    stopped = asyncio.Event()

    async def script(call: Call) -> None:
        await call.gone()
        stopped.set()

    async with opened(script, timeouts=Timeouts()) as stage:
        async with stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            await asyncio.sleep(0.1)
        await asyncio.wait_for(stopped.wait(), 1)


async def test_a_guest_who_leaves_a_silent_stream_stops_the_server() -> None:
    stopped = asyncio.Event()

    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await call.gone()
        stopped.set()

    async with opened(script, timeouts=Timeouts()) as stage:
        async with stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            await guest.head()
        await asyncio.wait_for(stopped.wait(), 1)


class TestTheGrantEnds:
    async def test_a_stream_is_cut_and_the_server_stops(self) -> None:
        media = Endless()
        async with opened(media) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            await guest.reader.readexactly(100_000)
            stage.live.end()
            rest = b""
            with suppress(ConnectionError):
                while piece := await guest.reader.read(1 << 20):
                    rest = piece
            assert not rest.endswith(b"\r\n0\r\n\r\n"), "a clean end"
            await asyncio.wait_for(media.stopped.wait(), 1)
            assert stage.last.detail == "cut: the grant ended"
            assert stage.number("gateway_cut_total") == 1

    async def test_a_paused_stream_is_cut(self) -> None:
        media = Endless()
        async with opened(media) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            await asyncio.sleep(0.5)
            stage.live.end()
            await asyncio.wait_for(media.stopped.wait(), 1)

    async def test_a_request_that_waits_for_the_server_is_refused(self) -> None:
        async def script(call: Call) -> None:
            await call.gone()

        async with opened(script) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            await asyncio.sleep(0.1)
            stage.live.end()
            assert (await guest.reply()).status == 403
            assert str(stage.last.reason) == "grant_ended"
            # and the connection serves on
            await guest.ask("GET /nothing", IN)
            assert (await guest.reply()).status == 403


async def test_bytes_behind_an_upgrade_that_was_not_made_are_no_request() -> None:
    async def script(call: Call) -> None:
        await call.answer(b"plain")

    async with opened(script) as stage, stage.client() as guest:
        second = f"GET /v/abc/second.ts HTTP/1.1\r\nHost: gateway.test\r\n{IN}\r\n"
        await guest.send(
            f"GET /v/abc/first.ts HTTP/1.1\r\nHost: gateway.test\r\n{IN}Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n{second}"
        )
        reply = await guest.reply()
        assert (reply.status, reply.body, reply.header("Connection")) == (200, b"plain", "close")
        assert await guest.closed()
        assert stage.call.target == "/v/abc/first.ts"
        assert stage.call.header("Upgrade") is None
        assert len(stage.visits) == 1


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async def script(call: Call) -> None:
        await call.answer(call.target.encode())

    async with opened(script) as stage, stage.client() as guest:
        for name in ("a", "b", "c"):
            await guest.ask(f"GET /v/abc/{name}", IN)
        assert [(await guest.reply()).body for _ in range(3)] == [b"/v/abc/a", b"/v/abc/b", b"/v/abc/c"]
