"""Bodies on their way to the server, and answers of the gateway's own."""

from __future__ import annotations

import json

import pytest

from tests.proxy.conftest import IN, opened
from tests.wire import Call

POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
patterns: {file: "[^/]{1,99}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - {request: "POST /json/{id}", json: {item: "{id}", text: string}, max: 1KiB}
      - {request: "POST /two/{id}", json: {op: seek, to: number}}
      - {request: "POST /two/{id}", json: {op: say, text: string}}
      - {request: "PUT,POST /raw/{id}", body: {type: application/sdp, max: 100}}
      - {request: "POST /either/{id}", json: {a: string}}
      - POST /either/{id}
      - {request: "GET,POST /own/{id}", answer: {json: {item: "{id}", ok: true}}}
      - {request: "GET /own/{id}/x", answer: {xml: "<item>{id}</item>"}}
      - {request: "POST /none/{id}", answer: {status: 204}}
"""

bodies: list[bytes] = []


async def keep(call: Call) -> None:
    length = int(call.header("Content-Length") or 0)
    assert call.header("Transfer-Encoding") is None
    bodies.append(await call.reader.readexactly(length))
    await call.answer(b"ok")


@pytest.fixture(autouse=True)
def no_bodies() -> None:
    bodies.clear()


def with_length(body: bytes, kind: str = "application/json") -> str:
    return f"{IN}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"


async def test_json_is_written_anew_with_its_own_type_and_length() -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        body = b'{"item": "xyz",  "text": "hi", "admin": true}'
        assert (await guest.get("POST /json/abc", with_length(body, "text/plain;charset=UTF-8"), body)).status == 200
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        more = IN + "Transfer-Encoding: chunked\r\n"
        assert (await guest.get("POST /json/abc", more, chunked)).status == 200
        assert bodies == [b'{"item":"abc","text":"hi"}'] * 2
        for call in stage.upstream.calls:
            assert [value for name, value in call.headers if name == "Content-Type"] == ["application/json"]


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b"", ""), (b"{}", ""), (b'{"text": 1}', ""), (b'{"text": "a", "text": "b"}', ""),
        (b'{"text": "a", "Item": "xyz"}', ""), (b'{"text": "a"}', "Content-Encoding: gzip\r\n"), (b"\x1f\x8b\x08", ""),
        (b"text=a", ""), (b'{"text": "a"}{"item": "xyz"}', ""),
    ],
)  # fmt: skip
async def test_another_body_is_refused_and_nothing_sent(body: bytes, more: str) -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("POST /json/abc", with_length(body) + more, body)
        assert (reply.status, str(stage.last.reason)) == (400, "body_refused")
        assert stage.upstream.calls == []


async def test_too_large_is_said_before_it_has_come() -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("POST /json/abc", IN + "Content-Length: 1025\r\n")
        assert (reply.status, reply.header("Connection")) == (413, "close")
        assert stage.upstream.calls == []
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        chunk = b"800\r\n" + b" " * 0x800 + b"\r\n"
        reply = await guest.get("POST /json/abc", IN + "Transfer-Encoding: chunked\r\n", chunk)
        assert (reply.status, str(stage.last.reason)) == (413, "body_too_large")
        assert stage.upstream.calls == []


async def test_rules_with_other_bodies_stand_beside_each_other() -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        for body in (b'{"to": 5}', b'{"text": "x"}'):
            assert (await guest.get("POST /two/abc", with_length(body), body)).status == 200
        assert [json.loads(body) for body in bodies] == [{"op": "seek", "to": 5}, {"op": "say", "text": "x"}]
        assert (await guest.get("POST /two/abc", with_length(b"{}"), b"{}")).status == 400


async def test_a_rule_without_body_takes_the_request_without_it() -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        for body in (b'{"a": "x"}', b'{"b": "x"}'):
            assert (await guest.get("POST /either/abc", with_length(body), body)).status == 200
        assert bodies == [b'{"a":"x"}', b""]


async def test_a_raw_body_passes_as_it_comes() -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        body = b"v=0\r\no=- 1 1\r\n\xff"
        reply = await guest.get("PUT /raw/abc", with_length(body, "Application/SDP; charset=x"), body)
        assert reply.status == 200
        assert bodies == [body]
        assert stage.call.header("Content-Type") == "application/sdp"
        for kind in ("application/json", "text/plain", ""):
            async with stage.client() as another:
                assert (await another.get("POST /raw/abc", with_length(body, kind), body)).status == 400
        assert len(stage.upstream.calls) == 1


async def test_the_gateway_answers_in_the_servers_place() -> None:
    async with opened(keep, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("GET /own/abc", IN)
        assert (reply.status, json.loads(reply.body)) == (200, {"item": "abc", "ok": True})
        assert (reply.header("Content-Type"), reply.header("Cache-Control")) == ("application/json", "no-store")
        assert reply.header("Content-Security-Policy") == "sandbox"
        marked = await guest.get("GET /own/abc/x", IN)
        assert (marked.status, marked.body, marked.header("Content-Type")) == (
            200, b"<item>abc</item>", "application/xml",
        )  # fmt: skip
        assert marked.header("Content-Security-Policy") == "sandbox"
        body = b"anything"
        assert (await guest.get("POST /none/abc", with_length(body), body)).status == 204
        assert (await guest.get("POST /own/abc", with_length(body), body)).status == 200
        head = await guest.get("HEAD /own/abc", IN)
        assert (head.status, head.body) == (200, b"")
        assert (await guest.get("GET /own/xyz", IN)).status == 403
        assert (await guest.get("GET /own/abc")).status == 403
        assert stage.upstream.calls == []
