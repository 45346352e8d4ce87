"""`drop` and `replace`: what of an answer is changed before a guest has it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from gateway.policy.jsonpath import parse_answer_path
from gateway.proxy.rewriting import FlowingWords, Rewriter, Unreadable
from tests.policy.test_document import HEAD, KINDS, faults
from tests.proxy.conftest import IN, opened
from tests.wire import Call, Script

POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
patterns: {file: "[^/]{1,99}"}
drop: [$.tracker, "$.files[*].token"]
replace: {"wss://old.test/": "{public_ws}/", "old.test": "new.test", "NAME-ID": "{id}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /v/{id}/{file}
      - POST /v/{id}/{file}
"""


def rewriter(*paths: str, **words: str) -> Rewriter:
    return Rewriter(tuple(parse_answer_path(path) for path in paths), words)


@pytest.mark.parametrize(
    ("path", "came", "wanted"),
    [
        ("$.a", '{"a": 1, "b": 2}', {"b": 2}),
        ("$.a.b", '{"a": {"b": 1, "c": 2}}', {"a": {"c": 2}}),
        ("$.l[*].t", '{"l": [{"t": 1, "u": 2}, 5, {"t": 3}]}', {"l": [{"u": 2}, 5, {}]}),
        ("$[*].t", '[{"t": 1}]', [{}]),
        ("$.l[0]", '{"l": [1, 2]}', {"l": [2]}),
        ("$.l[*]", '{"l": [1, 2]}', {"l": []}),
        ("$.*.t", '{"x": {"t": 1}, "y": {"t": 2, "z": 3}}', {"x": {}, "y": {"z": 3}}),
        ("$.a", '{"b": "\\u00e4"}', {"b": "\u00e4"}),
        ("$.a.b", '{"a": {"b": 1}, "a": {"c": 2}}', {"a": {"c": 2}}),
        ("$.a", '\ufeff{"a": 1}', {}),
    ],
)
def test_fields_are_dropped(path: str, came: str, wanted: Any) -> None:
    for kind in ("application/json; charset=utf-8", "text/plain", ""):
        changed = rewriter(path).rewritten(came.encode(), kind)
        assert json.loads(changed) == wanted
        assert changed.count(b'"b": 1') == 0


@pytest.mark.parametrize("came", [b"{", b'{"a": "\xff"}', '{"a": 1}'.encode("utf-16"), b"[" * 100_000, b"{} {}"])
def test_json_that_is_none_is_not_delivered(came: bytes) -> None:
    with pytest.raises(Unreadable):
        rewriter("$.a").rewritten(came, "application/json")


def test_other_texts_stay_as_they_are() -> None:
    assert rewriter("$.a").rewritten(b"{not json", "text/plain") == b"{not json"
    assert rewriter("$.a").rewritten(b"", "application/json") == b""


def test_words_are_exchanged_once_and_encoded_for_where_they_stand() -> None:
    change = rewriter(one="two", two='a"<b', onetwo="x")
    assert change.rewritten(b"one two onetwo", "text/plain") == b'two a"<b x'
    assert change.rewritten(b"<p>two", "text/html") == b"<p>a&quot;&lt;b"
    assert change.rewritten(b'"two"', "application/json") == b'"a\\"\\u003cb"'


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
def test_words_are_exchanged_alike_however_the_text_comes(size: int) -> None:
    change = rewriter(**{"one": "two", "two": "one", "onetwo": "x", "a/b": "", "aaa": "b"})
    text = rb"one two onetwo onetw a/b a\/b aaaa aa on" + b"one" * 9 + b"aaonetwaaaonetwo" + b"a"
    words = change.flowing("text/plain")
    assert words is not None
    flow = FlowingWords(words)
    came = [flow.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert b"".join(came) + flow.finish() == change.rewritten(text, "text/plain")


async def serve(kind: str, body: bytes, more: str = "") -> Script:
    async def script(call: Call) -> None:
        await call.answer(b"" if call.line.startswith("HEAD") else body, headers=f"Content-Type: {kind}\r\n{more}")

    return script


async def test_an_answer_is_changed_and_has_its_own_length() -> None:
    body = b'{"tracker": "x", "files": [{"token": "t", "url": "wss:\\/\\/old.test\\/ws"}], "id": "NAME-ID"}'
    script = await serve("application/json", body, 'ETag: "e"\r\nLast-Modified: x\r\nContent-MD5: x\r\n')
    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        stage.live.scope.variables["public_url"] = ("http://gateway.test",)
        asked = 'Range: bytes=0-5\r\nIf-None-Match: "e"\r\nIf-Modified-Since: x\r\nAccept-Encoding: gzip\r\n'
        reply = await guest.get("GET /v/abc/x.json", IN + asked)
        assert reply.status == 200
        assert json.loads(reply.body) == {"files": [{"url": "ws://gateway.test/ws"}], "id": "abc"}
        assert reply.header("Content-Length") == str(len(reply.body))
        for name in ("ETag", "Last-Modified", "Content-MD5", "Accept-Ranges"):
            assert reply.header(name) is None
        for name in ("Range", "If-None-Match", "If-Modified-Since"):
            assert stage.call.header(name) is None
        assert stage.call.header("Accept-Encoding") == "identity"


async def test_a_part_of_a_text_is_asked_for_again_whole() -> None:
    async def script(call: Call) -> None:
        part = call.header("Range") is not None
        more = "Content-Type: application/json\r\n" + ("Content-Range: bytes 0-3/18\r\n" if part else "")
        body = b'{"tracker": "x"}  '
        await call.answer(body[:4] if part else body, status="206 Partial Content" if part else "200 OK", headers=more)

    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/odd", IN + "Range: bytes=0-3\r\n")
        assert (reply.status, reply.body, reply.header("Content-Range")) == (200, b"{}", None)
        assert len(stage.upstream.calls) == 2


async def test_media_flows_untouched() -> None:
    script = await serve("video/mp2t", b"wss://old.test/ \xff{")
    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.ts", IN + "Range: bytes=0-5\r\n")
        assert reply.body == b"wss://old.test/ \xff{"
        assert stage.call.header("Range") == "bytes=0-5"


async def test_the_length_of_another_text_is_not_told() -> None:
    script = await serve("application/json", b"")
    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("HEAD /v/abc/x.json", IN)
        assert (reply.status, reply.header("Content-Length")) == (200, None)


@pytest.mark.parametrize(
    ("kind", "body", "more", "reason"),
    [
        ("application/json", b"{nonsense", "", "answer_unreadable"),
        ("application/json", b"\x1f\x8b", "Content-Encoding: gzip\r\n", "answer_unreadable"),
        ("text/plain", b"x" * (16 * 1024 * 1024 + 1), "", "answer_too_large"),
    ],
)
async def test_what_can_not_be_changed_is_not_delivered(kind: str, body: bytes, more: str, reason: str) -> None:
    async with opened(await serve(kind, body, more), policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("POST /v/abc/x", IN)
        assert (reply.status, str(stage.last.reason)) == (502, reason)
        assert body not in reply.body


async def test_events_are_changed_as_they_flow() -> None:
    go = asyncio.Event()

    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        await call.say(b': hi old.test\n\nid: 1\ndata: {"tracker": 1,\ndata: "a": "old.te')
        await go.wait()
        await call.say(b'st"}\n\ndata: plain\n\n')
        call.writer.close()

    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        await guest.ask("GET /v/abc/events", IN + "Connection: close\r\n")
        reply = await guest.head()
        assert reply.header("Content-Type") == "text/event-stream"
        first = await asyncio.wait_for(guest.reader.readuntil(b"\n\n"), 5)
        assert b": hi new.test\n\n" in first
        go.set()
        rest = await asyncio.wait_for(guest.reader.read(), 5)
        assert b'id: 1\ndata: {"a":"new.test"}\n\n' in rest
        assert b"tracker" not in rest
        assert b"data: plain\n\n" in rest


async def test_lines_of_json_are_changed_as_they_flow() -> None:
    script = await serve("application/x-ndjson", b'{"tracker": 1, "a": 2}\n\n{"tracker": 3}')
    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/lines", IN)
        assert reply.body == b'{"a":2}\n\n{}'


async def test_a_line_that_can_not_be_changed_ends_the_stream() -> None:
    script = await serve("application/x-ndjson", b'{"a": 1}\n{"tracker": \n{"b": 2}\n')
    async with opened(script, policy_text=POLICY) as stage, stage.client() as guest:
        await guest.ask("GET /v/abc/lines", IN)
        rest = b""
        with suppress(ConnectionError):
            rest = await asyncio.wait_for(guest.reader.read(), 5)
        assert b"tracker" not in rest
        assert b'"b"' not in rest


async def test_a_credential_is_searched_for_in_what_is_delivered() -> None:
    part = "upstream: {headers: {X-Key: secret-secret}}\n"
    for body, status in ((b'{"tracker": "secret-secret"}', 200), (b'{"a": "secret-secret"}', 502)):
        script = await serve("application/json", body)
        async with opened(script, policy_text=POLICY, upstream_part=part) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.json", IN)
            assert reply.status == status
            assert b"secret" not in reply.body


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("drop: [trackers]\n", "p.yaml:4:8: drop: a path into an answer begins with $"),
        ("drop: [$]\n", "p.yaml:4:8: drop: names a field of JSON"),
        ("drop: [/a/b]\n", "p.yaml:4:8: drop: names a field of JSON"),
        ("drop: $.a\n", "p.yaml:4:7: must be a list"),
        ("replace: {ab: x}\n", "p.yaml:4:11: replace: a text of at least 3 characters"),
        ("replace: {abc: '{publik_ws}'}\n", "unknown name {publik_ws}"),
        ("replace: {abc: '{guest.name}'}\n", "a guest's own words"),
        ("replace: {abc: 5}\n", "must be text"),
        ("dorp: []\n", "dorp: unknown key (did you mean drop?)"),
    ],
)
def test_faults(text: str, wanted: str) -> None:
    found = faults(HEAD + KINDS + text)
    assert any(wanted in fault for fault in found), found


async def test_a_text_longer_than_can_be_held_is_changed_as_it_comes() -> None:
    """Only where nothing is dropped, and no credential could be in it."""
    body = (b"x" * 1023 + b"\n") * 17_000 + b"at old.test and wss://old.test/ of NAME-ID"
    script = await serve("image/svg+xml", body)
    wordy = POLICY.replace('drop: [$.tracker, "$.files[*].token"]\n', "")
    async with opened(script, policy_text=wordy) as stage, stage.client() as guest:
        stage.live.scope.variables["public_url"] = ("http://gateway.test",)
        reply = await guest.get("GET /v/abc/x.svg", IN)
        assert reply.status == 200
        assert reply.body.endswith(b"\nat new.test and ws://gateway.test/ of abc")
        assert len(reply.body) > 17_000_000
    for more in ('upstream: {headers: {X-Key: "topsecretkey"}}\n', "drop: [$.x]\n"):
        async with opened(script, policy_text=wordy + more) as stage, stage.client() as guest:
            assert (await guest.get("GET /v/abc/x.svg", IN)).status == 502
