"""`send` and paths without case, as the server gets them."""

from __future__ import annotations

from tests.proxy.conftest import IN, opened
from tests.proxy.test_door import ok
from tests.wire import Call

POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
paths: {ignore_case: true}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - request: GET /Stream/{id}/main.m3u8?a=*
        send:
          query: {Source: "{id}", debug: null}
          headers: {User-Agent: gateway, accept-language: null, X-Item: "{id}"}
      - request: WS /ws/{id}
        send: {query: {room: "{id}"}}
"""


async def test_the_server_gets_the_policys_words_once() -> None:
    async with opened(ok, policy_text=POLICY) as stage, stage.client() as guest:
        asked = "GET /stream/abc/MAIN.m3u8?Source=xyz&a=1&Source=xyz&debug=1"
        headers = "User-Agent: evil\r\nAccept-Language: de\r\nX-Item: xyz\r\nX_Item: xyz\r\nAccept: */*\r\n"
        assert (await guest.get(asked, IN + headers)).status == 200
        assert stage.call.line == "GET /Stream/abc/main.m3u8?a=1&Source=abc HTTP/1.1"
        names = [name.lower() for name, _ in stage.call.headers]
        assert len(names) == len(set(names))
        assert dict(stage.call.headers) | {"User-Agent": "gateway", "X-Item": "abc"} == dict(stage.call.headers)
        assert "accept-language" not in names
        assert "accept" in names


async def test_credentials_follow_what_the_rule_sets() -> None:
    part = "upstream: {query: {api_key: secret-secret}}\n"
    async with opened(ok, policy_text=POLICY, upstream_part=part) as stage, stage.client() as guest:
        await guest.get("GET /Stream/abc/main.m3u8", IN)
        assert stage.call.line == "GET /Stream/abc/main.m3u8?Source=abc&api_key=secret-secret HTTP/1.1"


async def test_a_relative_redirect_counts_from_what_was_sent() -> None:
    async def away(call: Call) -> None:
        await call.answer(b"", status="302 Found", headers="Location: main.m3u8?a=2\r\n")

    async with opened(away, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("GET /STREAM/abc/main.m3u8?Source=1", IN)
        assert reply.header("Location") == "/Stream/abc/main.m3u8?a=2"


async def test_a_websocket_is_asked_for_with_them_too() -> None:
    async with opened(ok, policy_text=POLICY) as stage, stage.client() as guest:
        handshake = (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        await guest.get("GET /WS/abc?room=xyz", IN + handshake)
        assert stage.call.line == "GET /ws/abc?room=abc HTTP/1.1"
