"""What of a guest's words on a websocket reaches the server, and which subprotocol is spoken."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest

from tests.proxy.conftest import IN, Stage, opened
from tests.proxy.test_websocket import BINARY, CLOSE, PING, PONG, TEXT, WHOLE, frame, read_frame
from tests.wire import Call, WireClient

POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - request: WS /ws/{id}
        protocol: chat.v1
        messages: [{type: CHAT, room: "{id}", body: string}]
      - request: WS /both/{id}
        messages: [{type: CHAT, body: string}]
        binary: true
      - request: WS /open/{id}
        protocol: chat.v1
      - {request: "WS /two/{id}", messages: [{type: CHAT, body: string}]}
      - {request: "WS /two/{id}", messages: [{type: JOIN, room: "{id}"}]}
      - {request: "WS /two/{id}", messages: [{type: KICK}], protocol: other}
      - {request: "WS /all/{id}", messages: [{type: CHAT, body: string}]}
      - WS /all/{id}
"""


def server(chosen: str = "") -> object:
    async def echo(call: Call) -> None:
        key = (call.header("Sec-WebSocket-Key") or "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        await call.say(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {proof}\r\n{chosen}\r\n"
        )
        while True:
            opcode, data = await read_frame(call.reader)
            await call.say(frame(PONG if opcode == PING else opcode, data, masked=False))
            if opcode == CLOSE:
                return

    return echo


async def joined(stage: Stage, guest: WireClient, path: str, offered: str = "") -> list[str]:
    await guest.ask(f"GET {path}", IN + WHOLE + offered)
    reply = await guest.head()
    assert reply.status == 101
    return reply.all("Sec-WebSocket-Protocol")


async def test_frames_are_written_anew_and_all_others_dropped_and_counted() -> None:
    async with opened(server(), policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        await joined(stage, guest, "/ws/abc")
        for said in (
            b'{"type": "KICK", "room": "abc"}', b"hello", b'{"type": "CHAT", "type": "KICK", "body": "x"}',
            b'{"type": "CHAT", "Room": "xyz", "body": "x"}', b'{"type": "CHAT"}',
        ):  # fmt: skip
            await guest.send(frame(TEXT, said))
        await guest.send(frame(BINARY, b'{"type": "CHAT", "body": "x"}'))
        # In two pieces, with a ping between them.
        await guest.send(b"\x01" + frame(TEXT, b'{"type": "CHAT", "room": "xyz", ')[1:])
        await guest.send(frame(PING, b"?"))
        await guest.send(frame(0, b'"body": "hi", "admin": true}'))
        assert await read_frame(guest.reader) == (PONG, b"?")
        assert await read_frame(guest.reader) == (TEXT, b'{"type":"CHAT","room":"abc","body":"hi"}')
        assert stage.number("gateway_dropped_messages_total") == 6


async def test_rules_for_the_same_websocket_add_up() -> None:
    async with opened(server(), policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        await joined(stage, guest, "/two/abc")
        for said in (b'{"type": "KICK"}', b'{"type": "JOIN", "room": "xyz"}', b'{"type": "CHAT", "body": "x"}'):
            await guest.send(frame(TEXT, said))
        assert await read_frame(guest.reader) == (TEXT, b'{"type":"JOIN","room":"abc"}')
        assert await read_frame(guest.reader) == (TEXT, b'{"type":"CHAT","body":"x"}')
    async with opened(server(), policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        await joined(stage, guest, "/all/abc")
        await guest.send(frame(TEXT, b"anything"))
        assert await read_frame(guest.reader) == (TEXT, b"anything")


async def test_binary_frames_pass_where_the_rule_says_so() -> None:
    async with opened(server(), policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        await joined(stage, guest, "/both/abc")
        await guest.send(frame(TEXT, b"no") + frame(BINARY, b"\0\1"))
        assert await read_frame(guest.reader) == (BINARY, b"\0\1")


async def test_without_messages_frames_pass_as_they_are() -> None:
    async with opened(server(), policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        await joined(stage, guest, "/open/abc")
        await guest.send(frame(TEXT, b"anything"))
        assert await read_frame(guest.reader) == (TEXT, b"anything")


@pytest.mark.parametrize(
    ("offered", "chosen", "told"),
    [
        ("Sec-WebSocket-Protocol: evil, chat.v1\r\n", "Sec-WebSocket-Protocol: chat.v1\r\n", ["chat.v1"]),
        ("Sec-WebSocket-Protocol: evil\r\n", "Sec-WebSocket-Protocol: chat.v1\r\n", []),
        ("", "Sec-WebSocket-Protocol: chat.v1\r\n", []),
        ("Sec-WebSocket-Protocol: chat.v1\r\n", "", []),
    ],
)
async def test_the_subprotocol_is_the_policys(offered: str, chosen: str, told: list[str]) -> None:
    async with opened(server(chosen), policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        assert await joined(stage, guest, "/open/abc", offered) == told
        assert stage.call.header("Sec-WebSocket-Protocol") == "chat.v1"


@pytest.mark.parametrize("chosen", ["evil", "chat.v1, evil", "CHAT.V1", ""])
async def test_a_server_that_chooses_another_is_refused(chosen: str) -> None:
    script = server(f"Sec-WebSocket-Protocol: {chosen}\r\n")
    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            assert (await guest.get("GET /open/abc", IN + WHOLE)).status == 502
