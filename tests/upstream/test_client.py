"""The client towards a media server: what leaves, what comes back, what happens when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import WSMsgType

from gateway.config import Origin, Timeouts
from gateway.errors import UpstreamDown, UpstreamSlow
from gateway.upstream.client import AnswerTooLarge, HttpUpstream, UpstreamRefusedUpgrade
from tests.wire import Call, Script, WireServer

QUICK = Timeouts(connect=timedelta(seconds=1), answer=timedelta(seconds=0.3), idle=timedelta(seconds=0.3))

PATIENT = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=5), idle=timedelta(seconds=5))


@asynccontextmanager
async def reached(script: Script, timeouts: Timeouts = QUICK) -> AsyncIterator[tuple[HttpUpstream, WireServer]]:
    async with WireServer(script) as server:
        upstream = HttpUpstream(Origin("http", "127.0.0.1", server.port), timeouts)
        try:
            yield upstream, server
        finally:
            await upstream.close()


async def ok(call: Call) -> None:
    await call.answer(b"ok")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a/b/",
        "/100%25.ts",
        "/%E2%82%AC/%C3%BC.mp4",
        "/a'b(c)!$&+,=:@~-._*",
        "/x?a=&b=",
        "/x?a",
        "/x?u=http://h/a/../b?c&d=%26%3D%2B+",
        "/x?q=%22%7C%5E%60%7B%7D|",
        "/x?a=1&a=2&a=1",
        "/x?path=../../etc",
        "/x%20y%22z",
    ],
)
async def test_the_target_is_sent_byte_for_byte(target: str) -> None:
    async with reached(ok) as (upstream, server):
        async with upstream.request("GET", target, [("Host", "media")]) as answer:
            assert await answer.read(10) == b"ok"
        assert server.calls[0].line == f"GET {target} HTTP/1.1"


async def test_only_the_headers_given_are_sent() -> None:
    async with reached(ok) as (upstream, server):
        async with upstream.request("GET", "/", [("Host", "media"), ("Range", "bytes=0-")]) as answer:
            assert answer.status == 200
        assert server.calls[0].headers == [("Host", "media"), ("Range", "bytes=0-")]
        async with upstream.request("POST", "/", [("Host", "media")]):
            pass
        assert server.calls[1].headers == [("Host", "media"), ("Content-Length", "0")]


@pytest.mark.parametrize("target", ["@evil/", "//evil/", "", "evil", ":80/"])
async def test_nothing_but_a_path_is_a_target(target: str) -> None:
    async with reached(ok) as (upstream, _):
        with pytest.raises(ValueError, match="one slash"):
            upstream.request("GET", target, [])


async def test_redirects_cookies_and_packing_are_left_to_others() -> None:
    async def script(call: Call) -> None:
        await call.answer(
            b"\x1f\x8bnot gzip",
            status="302 Found",
            headers="Location: /other\r\nSet-Cookie: sid=1\r\nContent-Encoding: gzip\r\n",
        )

    async with reached(script) as (upstream, server):
        for _ in range(2):
            async with upstream.request("GET", "/", [("Host", "m")]) as answer:
                assert (answer.status, await answer.read(100)) == (302, b"\x1f\x8bnot gzip")
        assert [call.header("Cookie") for call in server.calls] == [None, None]


async def test_no_connection_is_down() -> None:
    async with reached(ok) as (upstream, server):
        pass
    upstream = HttpUpstream(Origin("http", "127.0.0.1", server.port), QUICK)
    with pytest.raises(UpstreamDown):
        async with upstream.request("GET", "/", []):
            pass
    await upstream.close()


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-OpenSSH\r\n"])
async def test_a_connection_that_breaks_before_the_head_is_down_and_not_asked_again(before: bytes) -> None:
    async def script(call: Call) -> None:
        await call.say(before)
        call.writer.close()

    async with reached(script) as (upstream, server):
        with pytest.raises(UpstreamDown):
            async with upstream.request("GET", "/", []):
                pass
        assert len(server.calls) == 1


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_no_head_within_the_deadline_is_slow(before: bytes) -> None:
    async def script(call: Call) -> None:
        await call.say(before)
        await call.gone()

    async with reached(script) as (upstream, server):
        with pytest.raises(UpstreamSlow):
            async with upstream.request("GET", "/", []):
                pass
        await asyncio.sleep(0.05)
        assert server.lost + len(server.calls) >= 1


async def test_a_trickled_head_is_slow() -> None:
    async def script(call: Call) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
            await call.say(bytes((byte,)))
            await asyncio.sleep(0.05)

    async with reached(script) as (upstream, _):
        with pytest.raises(UpstreamSlow):
            async with upstream.request("GET", "/", []):
                pass


@pytest.mark.parametrize(("method", "asked"), [("GET", 3), ("HEAD", 3), ("POST", 2), ("DELETE", 2), ("PUT", 2)])
async def test_get_is_asked_again_when_a_kept_connection_was_dead(method: str, asked: int) -> None:
    count = 0

    async def script(call: Call) -> None:
        nonlocal count
        count += 1
        if count == 2:
            call.writer.close()  # as a server does whose patience ends just now
        else:
            await call.answer(b"" if method == "HEAD" else b"ok")

    async with reached(script) as (upstream, server):
        async with upstream.request(method, "/", [("Host", "m")]) as answer:
            await answer.read(10)
        if asked == 3:
            async with upstream.request(method, "/", [("Host", "m")]) as answer:
                assert answer.status == 200
        else:
            with pytest.raises(UpstreamDown):
                async with upstream.request(method, "/", [("Host", "m")]):
                    pass
        assert len(server.calls) == asked


async def test_a_second_dead_connection_is_down() -> None:
    count = 0

    async def script(call: Call) -> None:
        nonlocal count
        count += 1
        if count > 1:
            call.writer.close()
        else:
            await call.answer(b"ok")

    async with reached(script) as (upstream, server):
        async with upstream.request("GET", "/", [("Host", "m")]) as answer:
            await answer.read(10)
        with pytest.raises(UpstreamDown):
            async with upstream.request("GET", "/", [("Host", "m")]):
                pass
        assert len(server.calls) == 3


@pytest.mark.parametrize("status", ["200 OK", "304 Not Modified", "204 No Content"])
@pytest.mark.parametrize(
    "unasked", [b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother", b"HTTP/1.1 200 OK\r\nX: ", b"x"]
)
@pytest.mark.parametrize("later", [False, True])
async def test_what_nobody_asked_for_is_nobodys_answer(status: str, unasked: bytes, later: bool) -> None:
    """A server that sends a body with a 304, or one answer too many, must not shift the answers of the guests after."""
    count = 0
    said = asyncio.Event()

    async def script(call: Call) -> None:
        nonlocal count
        count += 1
        if count > 1:
            await call.answer(b"right")
            return
        body = b"ok" if status == "200 OK" else b""
        whole = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        await call.say(whole if later else whole + unasked)
        if later:
            await first_read.wait()
            await call.say(unasked)
        said.set()

    first_read = asyncio.Event()
    async with reached(script, PATIENT) as (upstream, server):
        try:
            async with upstream.request("GET", "/", [("Host", "m")]) as answer:
                assert answer.status == int(status[:3])
                await answer.read(10)
        except UpstreamDown:
            assert not later  # what is no HTTP spoils the answer that it came with
        first_read.set()
        await said.wait()
        await asyncio.sleep(0.1)
        async with upstream.request("GET", "/", [("Host", "m")]) as answer:
            assert "X" not in answer.headers
            assert await answer.read(10) == b"right"
        if later:
            assert server.connections == 2


class TestBodies:
    @pytest.mark.parametrize(
        "head",
        [
            "Content-Length: 100\r\n\r\nshort",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
            "Transfer-Encoding: chunked\r\n\r\n64\r\nshort",
        ],
    )
    async def test_a_body_that_breaks_off_is_down(self, head: str) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\n" + head)
            call.writer.close()

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            with pytest.raises(UpstreamDown):
                await answer.read(1000)

    async def test_a_body_without_length_ends_with_the_connection(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\n\r\nall")
            call.writer.close()

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            assert await answer.read(1000) == b"all"

    async def test_a_body_without_length_that_is_reset_is_down(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\n\r\nsome")
            await asyncio.sleep(0.1)
            import socket
            import struct

            raw = call.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            call.reset()

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            with pytest.raises(UpstreamDown):
                await answer.read(1000)

    async def test_a_body_that_stalls_is_slow(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            await call.gone()

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            with pytest.raises(UpstreamSlow):
                await answer.read(1000)

    async def test_a_body_may_last_longer_than_every_deadline(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            for _ in range(10):
                await asyncio.sleep(0.1)
                await call.say("x")

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            assert await answer.read(10) == b"x" * 10

    async def test_a_reader_who_pauses_does_not_make_the_server_slow(self) -> None:
        async def script(call: Call) -> None:
            await call.answer(b"x" * 4_000_000)

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            size = 0
            async for chunk in answer.chunks():
                if not size:
                    await asyncio.sleep(1)
                size += len(chunk)
            assert size == 4_000_000

    async def test_too_large_is_said_before_it_is_read(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            await call.gone()

        async with reached(script) as (upstream, _), upstream.request("GET", "/", []) as answer:
            with pytest.raises(AnswerTooLarge):
                await answer.read(1000)

    async def test_leaving_early_stops_the_server(self) -> None:
        stopped = asyncio.Event()

        async def script(call: Call) -> None:
            try:
                await call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    await call.say(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            finally:
                stopped.set()

        async with reached(script) as (upstream, _):
            async with upstream.request("GET", "/", []) as answer:
                async for _ in answer.chunks():
                    break
            await asyncio.wait_for(stopped.wait(), 1)

    async def test_a_switch_of_protocols_nobody_asked_for_is_down(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")
            await call.gone()

        async with reached(script) as (upstream, _):
            with pytest.raises(UpstreamDown):
                async with upstream.request("GET", "/", []):
                    pass


async def test_many_requests_run_at_once() -> None:
    begun = 0
    everybody = asyncio.Event()

    async def script(call: Call) -> None:
        nonlocal begun
        begun += 1
        if begun == 150:
            everybody.set()
        await everybody.wait()
        await call.answer(b"ok")

    async with reached(script, Timeouts()) as (upstream, _):

        async def one() -> bytes:
            async with upstream.request("GET", "/", []) as answer:
                return await answer.read(10)

        assert await asyncio.gather(*(one() for _ in range(150))) == [b"ok"] * 150


class TestWebsockets:
    @pytest.mark.parametrize("status", ["403 Forbidden", "200 OK", "302 Found"])
    async def test_a_refusal_tells_its_status(self, status: str) -> None:
        async def script(call: Call) -> None:
            await call.answer(b"no", status=status)

        async with reached(script) as (upstream, server):
            with pytest.raises(UpstreamRefusedUpgrade) as caught:
                async with upstream.websocket("/ws", [("Host", "m")]):
                    pass
            assert caught.value.status == int(status[:3])
            assert server.calls[0].header("Sec-WebSocket-Protocol") is None
            assert server.calls[0].header("Sec-WebSocket-Extensions") is None

    async def test_no_answer_is_slow(self) -> None:
        async def script(call: Call) -> None:
            await call.gone()

        async with reached(script) as (upstream, _):
            with pytest.raises(UpstreamSlow):
                async with upstream.websocket("/ws", []):
                    pass

    async def test_a_wrong_proof_is_refused(self) -> None:
        async def script(call: Call) -> None:
            await call.say(
                "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
            )
            await call.gone()

        async with reached(script) as (upstream, _):
            with pytest.raises(UpstreamRefusedUpgrade):
                async with upstream.websocket("/ws", []):
                    pass

    async def test_silence_is_no_reason_to_end_it(self) -> None:
        async def script(call: Call) -> None:
            import base64
            import hashlib

            key = (call.header("Sec-WebSocket-Key") or "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            await call.say(
                f"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {proof}\r\n\r\n"
            )
            await asyncio.sleep(0.8)
            await call.say(b"\x81\x02hi")
            await call.gone()

        async with reached(script) as (upstream, _), upstream.websocket("/ws", [("Host", "m")]) as socket:
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.TEXT, "hi")
