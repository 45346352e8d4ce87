"""What a guest may say on a websocket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.explain import explain
from gateway.policy.load import load_policy_text
from gateway.policy.messages import Messages
from tests.policy.test_document import HEAD, faults
from tests.policy.test_shapes import anything

POLICY = """
server: x
item: {id: "[a-z0-9]+"}
kinds:
  video:
    open: /m/{id}
    allow:
      - page GET /m/{id}
      - request: WS /ws/{id}
        protocol: chat.v1
        messages:
          - {type: CHAT, role: viewer, body: string, max: 100}
          - {type: JOIN, room: "{id}", name: "{guest.name}"}
          - {op: [ping, pong], at: "number?"}
"""
VALUES = {"id": ("abc",), "guest.name": ("Ada",)}


def rules() -> Messages:
    found = load_policy_text(POLICY).kinds["video"].rules[1].messages
    assert found is not None
    return found


MESSAGES = rules()


def sent(text: str) -> Any:
    written = MESSAGES.written(text, VALUES)
    return None if written is None else json.loads(written)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"type": "CHAT", "body": "hi"}, {"type": "CHAT", "role": "viewer", "body": "hi"}),
        ({"type": "CHAT", "role": "admin", "body": "hi", "to": "x"}, {"type": "CHAT", "role": "viewer", "body": "hi"}),
        ({"type": "JOIN", "room": "xyz", "name": "Eve"}, {"type": "JOIN", "room": "abc", "name": "Ada"}),
        ({"type": "JOIN"}, {"type": "JOIN", "room": "abc", "name": "Ada"}),
        ({"op": "ping", "at": 5}, {"op": "ping", "at": 5}),
        ({"op": "pong", "type": "KICK"}, {"op": "pong"}),
    ],
)
def test_a_message_is_written_anew(said: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert sent(json.dumps(said)) == wanted


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "KICK", "body": "hi"}', '{"body": "hi"}', '{"type": "chat", "body": "hi"}',
        '{"Type": "CHAT", "body": "hi"}',
        '{"type": "CHAT", "Type": "KICK", "body": "hi"}', '{"type": "CHAT", "type": "KICK", "body": "hi"}',
        '{"type": "KICK", "type": "CHAT", "body": "hi"}', '{"type": "CHAT", "body": "a", "BODY": "b"}',
        '{"type": "CHAT", "body": 1}', '{"type": "CHAT"}', '{"type": ["CHAT"], "body": "hi"}', '{"op": "kick"}',
        '[{"type": "CHAT", "body": "hi"}]', '{"type": "CHAT", "body": "hi"}{"type": "KICK"}', "", "null", "hi", "42[]",
        '{"type": "CHAT", "body": "\\ud800"}', '{"type": "CHAT", "body": "' + "x" * 100 + '"}', "[" * 60_000,
        "\ufeff" + '{"type": "CHAT", "body": "hi"}', '{"type": "JOIN", "x": NaN}',
    ],
)  # fmt: skip
def test_all_else_is_dropped(text: str) -> None:
    assert sent(text) is None


@given(
    st.dictionaries(
        st.sampled_from(["type", "Type", "op", "room", "name", "body", "role"]),
        anything | st.sampled_from(["CHAT", "JOIN"]),
    )
)
def test_whatever_is_said_only_these_messages_arrive(said: dict[str, Any]) -> None:
    found = sent(json.dumps(said))
    if found is None:
        return
    if "op" in found:
        assert found["op"] in ("ping", "pong")
    elif found["type"] == "JOIN":
        assert found == {"type": "JOIN", "room": "abc", "name": "Ada"}
    else:
        assert (found["type"], found["role"], set(found)) == ("CHAT", "viewer", {"type", "role", "body"})


def test_the_guest_is_told_that_his_name_goes_out() -> None:
    assert load_policy_text(POLICY).kinds["video"].told == {"name"}


def test_explain_shows_the_messages() -> None:
    shown = explain(load_policy_text(POLICY), "video", VALUES, "WS", "/ws/abc")
    assert shown.body.startswith(
        'frames, written anew: {"type": "CHAT", "role": "viewer", "body": "(string)"} or {"type"'
    )


def test_an_empty_list_lets_nothing_pass() -> None:
    text = POLICY[: POLICY.index("        messages:")] + "        messages: []\n"
    found = load_policy_text(text).kinds["video"].rules[1].messages
    assert found is not None
    assert found.written('{"type": "CHAT", "body": "hi"}', VALUES) is None


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("{request: GET /a, protocol: chat}", "protocol: belongs to a websocket (WS)"),
        ("{request: POST /a, messages: [{a: string}]}", "messages: belongs to a websocket (WS)"),
        ("{request: WS /a, protocol: 'a b'}", "protocol: a b: not the name of a subprotocol"),
        ("{request: WS /a, protocol: 'a,b'}", "protocol: a,b: not the name of a subprotocol"),
        ("{request: WS /a, binary: true}", "binary: without messages every frame passes"),
        ("{request: WS /a, binary: maybe, messages: []}", "binary: must be true or false"),
        ("{request: WS /a, messages: {a: string}}", "must be a list"),
        ("{request: WS /a, messages: [string]}", "must be a mapping (field: type or value)"),
        ("{request: WS /a, messages: [{a: str}]}", "str: no type (did you mean string?)"),
        ("{request: WS /a, messages: [{a: string, max: big}]}", "max: must be a size"),
        ("{request: WS /a, messages: [{a: '{ide}'}]}", "unknown name {ide} (did you mean id?)"),
        ("{request: WS /a, mesages: []}", "mesages: unknown key (did you mean messages?)"),
        ("{request: WS /a, answer: {status: 204}}", "answer: a websocket is the server's"),
        ("{request: WS /a, send: {headers: {Sec-WebSocket-Protocol: x}}}", "this header is the gateway's own"),
    ],
)
def test_faults(rule: str, wanted: str) -> None:
    text = HEAD + f'kinds: {{video: {{open: "/m/{{id}}", allow: ["page GET /m/{{id}}", {rule}]}}}}\n'
    found = faults(text)
    assert any(wanted in fault and fault.startswith("p.yaml:3:") for fault in found), found
