# ruff: noqa: E501  # heads of messages are read best as they are
"""Websockets through the door: the server first, then as if we were not there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import resource
import socket
import struct

import pytest

from tests.proxy.conftest import IN, Stage, opened
from tests.wire import Call, WireClient

KEY = base64.b64encode(b"0123456789abcdef").decode()
WHOLE = f"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, data: bytes = b"", *, masked: bool = True) -> bytes:
    size = len(data)
    mark = 0x80 if masked else 0
    if size < 126:
        head = bytes((0x80 | opcode, mark | size))
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | opcode, mark | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, mark | 127, size)
    # A mask of zeros is a mask.
    return head + (b"\0\0\0\0" if masked else b"") + data


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if second & 0x80 else b""
    data = await reader.readexactly(size)
    if mask:
        data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    assert first & 0x70 == 0, "no extension was agreed on"
    return first & 0x0F, data


async def accept(call: Call) -> None:
    key = (call.header("Sec-WebSocket-Key") or "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    await call.say(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {proof}\r\n"
        "Set-Cookie: sid=1\r\n\r\n"
    )


async def echo(call: Call) -> None:
    """Says each message back; a close is answered with the same code."""
    await accept(call)
    while True:
        opcode, data = await read_frame(call.reader)
        await call.say(frame(PONG if opcode == PING else opcode, data, masked=False))
        if opcode == CLOSE:
            return


async def join(guest: WireClient, headers: str = WHOLE) -> None:
    await guest.ask("GET /ws/abc", IN + headers)
    reply = await guest.head()
    assert reply.status == 101
    proof = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    assert reply.header("Sec-WebSocket-Accept") == proof
    assert reply.all("Sec-WebSocket-Protocol") == reply.all("Sec-WebSocket-Extensions") == reply.all("Set-Cookie") == []


async def settled(stage: Stage) -> None:
    """Until nothing is open any more."""
    async with asyncio.timeout(3):
        while stage.live.held:
            await asyncio.sleep(0.01)


class TestHandshake:
    async def test_a_whole_one_is_joined(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            offered = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://gateway.test\r\n"
            await join(guest, WHOLE + offered)
            for name in ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Origin", "Cookie"):
                assert stage.call.header(name) is None
            assert stage.call.header("Sec-WebSocket-Key") != KEY
            assert stage.call.header("X-Forwarded-For") == "198.51.100.7"
            await guest.send(frame(TEXT, "grüße".encode()))
            assert await read_frame(guest.reader) == (TEXT, "grüße".encode())

    @pytest.mark.parametrize(
        ("line", "headers"),
        [
            ("GET /ws/abc", WHOLE.replace("13", "8")),
            ("GET /ws/abc", WHOLE.replace(KEY, "c2hvcnQ=")),
            ("GET /ws/abc", WHOLE.replace(KEY, KEY[:-2] + "!!")),
            ("GET /ws/abc", WHOLE.replace(KEY, "")),
            ("GET /ws/abc", WHOLE + f"Sec-WebSocket-Key: {KEY}\r\n"),
            ("GET /ws/abc", WHOLE + "Sec-WebSocket-Version: 13\r\n"),
            ("GET /ws/abc", WHOLE.replace("keep-alive, Upgrade", "keep-alive")),
            ("GET /ws/abc", WHOLE.replace("Upgrade: websocket", "Upgrade: websocket, h2c")),
            ("GET /ws/abc", WHOLE.replace("Upgrade: websocket\r\n", "")),
            ("POST /ws/abc", WHOLE),
        ],
    )
    async def test_an_incomplete_one_is_refused_before_the_server_is_asked(self, line: str, headers: str) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            assert (await guest.get(line, IN + headers)).status == 400
            assert str(stage.last.reason) == "bad_handshake"
            assert await guest.closed()
            assert stage.upstream.calls == []

    async def test_http_1_0_can_not_shake_hands(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await guest.send(f"GET /ws/abc HTTP/1.0\r\nHost: gateway.test\r\n{IN}{WHOLE}\r\n")
            assert (await guest.reply()).status == 400
            assert stage.upstream.calls == []

    async def test_with_a_body_it_is_refused(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            assert (await guest.get("GET /ws/abc", IN + WHOLE + "Content-Length: 3\r\n", b"abc")).status == 400
            assert stage.upstream.calls == []

    @pytest.mark.parametrize(
        "sign", ["Origin: http://evil.test\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
    )
    async def test_other_sites_may_not(self, sign: str) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            assert (await guest.get("GET /ws/abc", IN + WHOLE + sign)).status == 403
            assert str(stage.last.reason) == "cross_site"
            assert stage.upstream.calls == []

    async def test_without_a_session_or_on_another_item_it_is_refused(self) -> None:
        async with opened(echo) as stage:
            async with stage.client() as guest:
                assert (await guest.get("GET /ws/abc", WHOLE)).status == 403
            async with stage.client() as guest:
                assert (await guest.get("GET /ws/xyz", IN + WHOLE)).status == 403
                assert await guest.closed()
            assert stage.upstream.calls == []

    async def test_a_plain_get_never_gets_a_websocket_rule(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            assert (await guest.get("GET /ws/abc", IN)).status == 403
            assert stage.upstream.calls == []

    async def test_a_path_may_be_both(self) -> None:
        async def script(call: Call) -> None:
            if call.header("Upgrade"):
                await echo(call)
            else:
                await call.answer(b"plain")

        async with opened(script) as stage:
            async with stage.client() as guest:
                assert (await guest.get("GET /both/abc", IN)).body == b"plain"
            async with stage.client() as guest:
                await guest.ask("GET /both/abc", IN + WHOLE)
                assert (await guest.head()).status == 101


class TestTheServerRefuses:
    @pytest.mark.parametrize("status", ["403 Forbidden", "200 OK", "426 Upgrade Required"])
    async def test_nothing_of_the_guests_goes_there_and_nothing_behind_is_read(self, status: str) -> None:
        async def script(call: Call) -> None:
            await asyncio.sleep(0.1)
            await call.answer(b"no", status=status)

        async with opened(script) as stage, stage.client() as guest:
            smuggled = f"GET /v/abc/x HTTP/1.1\r\nHost: gateway.test\r\n{IN}\r\n"
            await guest.ask("GET /ws/abc", IN + WHOLE, smuggled.encode())
            assert (await guest.reply()).status == 502
            assert await guest.closed()
            assert len(stage.upstream.calls) == len(stage.visits) == 1

    async def test_hung(self) -> None:
        async def script(call: Call) -> None:
            await call.gone()

        async with opened(script) as stage, stage.client() as guest:
            await guest.ask("GET /ws/abc", IN + WHOLE)
            assert (await guest.reply()).status == 504

    async def test_a_grant_that_ends_meanwhile_opens_nothing(self) -> None:
        asked, stopped = asyncio.Event(), asyncio.Event()

        async def script(call: Call) -> None:
            asked.set()
            await call.gone()
            stopped.set()

        async with opened(script) as stage, stage.client() as guest:
            await guest.ask("GET /ws/abc", IN + WHOLE)
            await asyncio.wait_for(asked.wait(), 5)
            stage.live.end()
            assert (await guest.reply()).status == 403
            assert await guest.closed(), "what follows an upgrade that was not made is no request"
            await asyncio.wait_for(stopped.wait(), 1)
            await settled(stage)

    async def test_a_guest_who_leaves_meanwhile_stops_the_asking(self) -> None:
        stopped = asyncio.Event()

        async def script(call: Call) -> None:
            await call.gone()
            stopped.set()

        async with opened(script) as stage:
            async with stage.client() as guest:
                await guest.ask("GET /ws/abc", IN + WHOLE)
                await asyncio.sleep(0.1)
            await asyncio.wait_for(stopped.wait(), 0.25)


class TestTalk:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 70_000, 5_000_000])
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    async def test_messages_pass_whole(self, opcode: int, size: int) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await guest.send(frame(opcode, b"a" * size))
            assert await read_frame(guest.reader) == (opcode, b"a" * size)

    async def test_pings_pass_through(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await guest.send(frame(PING, b"are you there"))
            assert await read_frame(guest.reader) == (PONG, b"are you there")

    async def test_pieces_become_one_message(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await guest.send(b"\x01\x83\0\0\0\0one" + frame(PING) + b"\x80\x83\0\0\0\0two")
            assert sorted([await read_frame(guest.reader), await read_frame(guest.reader)]) == [
                (TEXT, b"onetwo"),
                (PONG, b""),
            ]

    async def test_first_words_of_either_side_are_not_lost(self) -> None:
        async def script(call: Call) -> None:
            await accept(call)
            await call.say(frame(TEXT, b"welcome", masked=False))
            assert await read_frame(call.reader) == (TEXT, b"eager")
            await call.say(frame(TEXT, b"heard", masked=False))
            await call.gone()

        async with opened(script) as stage, stage.client() as guest:
            await guest.ask("GET /ws/abc", IN + WHOLE, frame(TEXT, b"eager"))
            assert (await guest.head()).status == 101
            assert await read_frame(guest.reader) == (TEXT, b"welcome")
            assert await read_frame(guest.reader) == (TEXT, b"heard")

    async def test_a_guest_who_does_not_take_holds_the_server_back(self) -> None:
        sent = 0

        async def script(call: Call) -> None:
            nonlocal sent
            await accept(call)
            while sent < 200_000_000:
                await call.say(frame(BINARY, b"x" * 100_000, masked=False))
                sent += 100_000

        async with opened(script) as stage, stage.client() as guest:
            await join(guest)
            await asyncio.sleep(0.6)
            held = sent
            await asyncio.sleep(0.2)
            assert sent == held < 40_000_000

    @pytest.mark.parametrize("opcode", [BINARY, PING])
    async def test_a_server_that_does_not_take_holds_the_guest_back(self, opcode: int) -> None:
        over, sent = asyncio.Event(), 0

        async def script(call: Call) -> None:
            await accept(call)
            await over.wait()

        async def flood(guest: WireClient) -> None:
            nonlocal sent
            piece = frame(opcode, b"x" * 120) * 800
            while sent < 200_000_000:
                await guest.send(piece)
                sent += len(piece)

        async with opened(script) as stage, stage.client() as guest:
            await join(guest)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            task = asyncio.create_task(flood(guest))
            held = -1
            while sent != held:
                held = sent
                await asyncio.sleep(0.3)
            assert sent < 60_000_000
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB
            # Nor does it keep the grant's end waiting.
            stage.live.end()
            await settled(stage)
            over.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def test_silence_is_no_reason_to_end(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await asyncio.sleep(1)  # more than each deadline towards the server
            await guest.send(frame(TEXT, b"still here"))
            assert await read_frame(guest.reader) == (TEXT, b"still here")

    async def test_a_text_with_a_credential_ends_it(self) -> None:
        part = 'upstream: {headers: {X-Key: "topsecretkey"}}\n'

        async def script(call: Call) -> None:
            assert call.header("X-Key") == "topsecretkey"
            await accept(call)
            await call.say(frame(TEXT, b'{"k": "topsecretkey"}', masked=False))
            await call.gone()

        async with opened(script, upstream_part=part) as stage, stage.client() as guest:
            await join(guest)
            opcode, data = await read_frame(guest.reader)
            assert (opcode, data) == (CLOSE, struct.pack("!H", 1011))


class TestEnd:
    @pytest.mark.parametrize(
        ("sent", "seen"),
        [
            (struct.pack("!H", 1000), struct.pack("!H", 1000)),
            (struct.pack("!H", 4321) + b"bye", struct.pack("!H", 4321) + b"bye"),
            (struct.pack("!H", 3000), struct.pack("!H", 3000)),
            (struct.pack("!H", 1001), struct.pack("!H", 1001)),
            (b"", struct.pack("!H", 1000)),
        ],
    )
    async def test_the_codes_of_a_close_pass(self, sent: bytes, seen: bytes) -> None:
        heard = asyncio.get_running_loop().create_future()

        async def listen(call: Call) -> None:
            await accept(call)
            opcode, data = await read_frame(call.reader)
            heard.set_result((opcode, data))
            await call.say(frame(CLOSE, data, masked=False))

        async with opened(listen) as stage, stage.client() as guest:
            await join(guest)
            await guest.send(frame(CLOSE, sent))
            assert await asyncio.wait_for(heard, 2) == (CLOSE, seen)
            assert (await read_frame(guest.reader))[0] == CLOSE
            assert await guest.closed()
            await settled(stage)

        async def speak(call: Call) -> None:
            await accept(call)
            await call.say(frame(CLOSE, sent, masked=False))
            await call.gone()

        async with opened(speak) as stage, stage.client() as guest:
            await join(guest)
            assert await read_frame(guest.reader) == (CLOSE, seen)
            await guest.send(frame(CLOSE, seen))
            assert await guest.closed()
            await settled(stage)
            assert stage.number("gateway_open_websockets") == 0

    async def test_a_server_that_is_lost_is_lost_for_the_guest_too(self) -> None:
        async def script(call: Call) -> None:
            await accept(call)
            call.reset()

        async with opened(script) as stage, stage.client() as guest:
            await join(guest)
            assert await guest.closed()
            await settled(stage)

    async def test_a_guest_who_is_lost_is_lost_for_the_server_too(self) -> None:
        heard = asyncio.get_running_loop().create_future()

        async def script(call: Call) -> None:
            await accept(call)
            try:
                heard.set_result(await call.reader.read(100))
            except ConnectionError:
                heard.set_result(b"")

        async with opened(script) as stage:
            async with stage.client() as guest:
                await join(guest)
                raw = guest.writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                guest.writer.transport.abort()
            assert await asyncio.wait_for(heard, 2) == b""
            await settled(stage)

    @pytest.mark.parametrize(
        "bad", [b"\xc1\x80\0\0\0\0", b"\x83\x80\0\0\0\0", b"\x81\x02\xff\xff", frame(TEXT, b"\xff\xfe")]
    )
    async def test_a_guest_who_breaks_the_protocol_is_closed(self, bad: bytes) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await guest.send(bad)
            opcode, data = await read_frame(guest.reader)
            assert opcode == CLOSE
            assert struct.unpack("!H", data[:2])[0] in (1002, 1007)
            await guest.send(frame(CLOSE, data))
            await settled(stage)

    async def test_too_large_a_message_ends_it(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await guest.send(struct.pack("!BBQ", 0x82, 0x80 | 127, 17 * 1024 * 1024) + b"\0\0\0\0")
            assert await read_frame(guest.reader) == (CLOSE, struct.pack("!H", 1009))
            await guest.send(frame(CLOSE, struct.pack("!H", 1009)))
            await settled(stage)

    async def test_the_end_of_the_grant_closes_both_sides(self) -> None:
        heard = asyncio.get_running_loop().create_future()

        async def script(call: Call) -> None:
            await accept(call)
            heard.set_result(await read_frame(call.reader))
            await call.gone()

        async with opened(script) as stage, stage.client() as guest:
            await join(guest)
            stage.live.end()
            assert await asyncio.wait_for(read_frame(guest.reader), 1) == (CLOSE, struct.pack("!H", 1008))
            assert await asyncio.wait_for(heard, 1) == (CLOSE, struct.pack("!H", 1001))
            assert await guest.closed()
            await settled(stage)
            assert stage.last.detail == "cut: the grant ended"

    async def test_a_guest_who_does_not_listen_can_not_hold_it_open(self) -> None:
        async def script(call: Call) -> None:
            await accept(call)
            while True:
                await call.say(frame(BINARY, b"x" * 100_000, masked=False))

        async with opened(script) as stage, stage.client() as guest:
            await join(guest)
            await asyncio.sleep(0.3)
            stage.live.end()
            await settled(stage)

    async def test_the_gateway_goes_away(self) -> None:
        async with opened(echo) as stage, stage.client() as guest:
            await join(guest)
            await stage.door.close()
            assert await asyncio.wait_for(read_frame(guest.reader), 1) == (CLOSE, struct.pack("!H", 1001))
            await settled(stage)
