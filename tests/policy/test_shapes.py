"""What of a guest's JSON passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.bodies import JsonBody, RawBody
from gateway.policy.explain import explain
from gateway.policy.load import load_policy_text
from gateway.strict_json import Misfit
from tests.policy.test_document import HEAD, faults

POLICY = """
server: x
item: {id: "[a-z0-9]+"}
patterns: {n: "[0-9]+"}
kinds:
  video:
    open: /m/{id}
    allow:
      - page GET /m/{id}
      - request: POST /api/progress
        json:
          item: "{id}"
          position: number
          note: "string?"
          mode: play
          rate: [0.5, 1, low]
          chapter: "{n}?"
          device: {name: string, beta: false, extra: "any?"}
          more: {a: "string?", b: {c: "number?"}}
        max: 1KiB
"""
GOOD: dict[str, Any] = {"position": 1.5, "rate": 1, "device": {"name": "x"}}
VALUES = {"id": ("abc",)}


def body() -> JsonBody:
    found = load_policy_text(POLICY).kinds["video"].rules[1].body
    assert isinstance(found, JsonBody)
    return found


def sent(text: str | bytes) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return json.loads(body().sent(data, "text/plain", VALUES))


WRITTEN = {"item": "abc", "position": 1.5, "mode": "play", "rate": 1, "device": {"name": "x", "beta": False}}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, {}),
        ({"item": "xyz", "mode": "stop"}, {}),
        ({"item": {"id": "xyz"}}, {}),
        ({"admin": True, "items": ["xyz"], "__proto__": {}}, {}),
        ({"note": "Ä\n\"'"}, {"note": "Ä\n\"'"}),
        ({"chapter": "7"}, {"chapter": "7"}),
        ({"rate": "low"}, {"rate": "low"}),
        ({"device": {"name": "x", "beta": True, "x": 1}}, {}),
        ({"device": {"name": "", "extra": [{}]}}, {"device": {"name": "", "beta": False, "extra": [{}]}}),
        ({"more": {"b": {"c": 1}}}, {"more": {"b": {"c": 1}}}),
    ],
)  # fmt: skip
def test_it_is_written_anew(more: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert sent(json.dumps(GOOD | more)) == WRITTEN | wanted


@pytest.mark.parametrize(
    "more",
    [
        {"position": "1"}, {"position": True}, {"position": None}, {"position": [1]}, {"note": None}, {"note": 1},
        {"rate": 2}, {"rate": True}, {"rate": [1]}, {"chapter": "x"}, {"chapter": 7}, {"device": {}}, {"device": []},
        {"device": {"name": 1}}, {"Item": "xyz"}, {"ITEM": "xyz"}, {"item ": "xyz"}, {"\uff49tem": "xyz"},
        {"device": {"name": "x", "Beta": True}}, {"more": {"b": 1}}, {"more": None},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(Misfit):
        sent(json.dumps(GOOD | more))


REST = '"position": 1, "rate": 1, "device": {"name": "x"}}'


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "1", '"x"', "{}", '{"position": 1}', "{" + REST + "x", "{" + REST + "{}", "\ufeff{" + REST,
        '{"position": 2, ' + REST, '{"item": "a", "item": "b", ' + REST, '{"item": "a", "\\u0069tem": "b", ' + REST,
        '{"x": 1, "x": 2, ' + REST, '{"device": {"name": "x", "extra": {"a": 1, "a": 2}}, "position": 1, "rate": 1}',
        "{" + REST.replace("1", "NaN", 1), "{" + REST.replace("1", "Infinity", 1), "{" + REST.replace("1", "1e999", 1),
        "{" + REST.replace("1", "01", 1), "{" + REST.replace("1", "0x1", 1), "{'position': 1}", "{" + REST + "//",
        '{"note": "\\ud800", ' + REST, '{"note": "\x00", ' + REST, '{"x": ' + "[" * 5000,
        "{" + REST.replace("1", "1" * 5000, 1),
        ("{" + REST).encode("utf-16"), ("{" + REST).encode("utf-32-le"), b'{"note": "\xff", ' + REST.encode(),
        b'{"note": "\xc0\xaf", ' + REST.encode(), "{" + REST + " " * 1024,
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(text: str | bytes) -> None:
    with pytest.raises(Misfit):
        sent(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["item", "Item", "position", "rate", "device", "mode", "x", "note"]), anything))
def test_whatever_comes_the_policys_words_stand(came: dict[str, Any]) -> None:
    try:
        written = sent(json.dumps(came))
    except Misfit:
        return
    assert written["item"] == "abc"
    assert written["mode"] == "play"
    assert set(written) <= {"item", "position", "note", "mode", "rate", "chapter", "device", "more"}
    assert written["device"]["beta"] is False


def test_a_raw_body_has_one_type_and_a_size() -> None:
    text = HEAD + (
        'kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}", '
        '{request: "POST /w/{id}", body: {type: Application/SDP, max: 4}}]}}\n'
    )
    raw = load_policy_text(text).kinds["video"].rules[1].body
    assert isinstance(raw, RawBody)
    assert raw.sent(b"v=0", "application/sdp; charset=utf-8", {}) == b"v=0"
    for data, said in (
        (b"v=0", ""),
        (b"v=0", "application/json"),
        (b"v=0\r\n", "application/sdp"),
        (b"", "text/plain"),
    ):
        with pytest.raises(Misfit):
            raw.sent(data, said, {})


def test_explain_shows_what_is_written() -> None:
    shown = explain(load_policy_text(POLICY), "video", VALUES, "POST", "/api/progress")
    assert shown.sent == "POST /api/progress"
    assert '"item": "abc", "position": "(number)", "note": "(string?)", "mode": "play"' in shown.body
    own = POLICY + '      - {request: POST /own, answer: {status: 201, json: {id: "{id}"}}}\n'
    shown = explain(load_policy_text(own), "video", VALUES, "POST", "/own")
    assert (shown.allowed, shown.sent, shown.body) == (True, None, '201 {"id":"abc"}, by the gateway')


@pytest.mark.parametrize(
    ("written", "answered"),
    [
        ("[]", "[]"),
        ("{items: [], total: 0, more: {}}", '{"items":[],"total":0,"more":{}}'),
        ('[1, "{id}", [true, null], {id: "{id}", type: string}]', '[1,"abc",[true,null],{"id":"abc","type":"string"}]'),
        ('"{id}"', '"abc"'),
        ("false", "false"),
    ],
)
def test_what_the_gateway_answers_is_any_json(written: str, answered: str) -> None:
    own = POLICY + f"      - {{request: POST /own, answer: {{json: {written}}}}}\n"
    shown = explain(load_policy_text(own), "video", VALUES, "POST", "/own")
    assert shown.body == f"200 {answered}, by the gateway"


def test_in_xml_that_the_gateway_answers_a_variable_is_text() -> None:
    own = POLICY + """      - {request: GET /own, answer: {xml: '<a b="{id}">{id}</a>'}}\n"""
    marked = {**VALUES, "id": ("""<x y="z" w='v'/>&#1;""",)}
    shown = explain(load_policy_text(own), "video", marked, "GET", "/own")
    text = "&lt;x y=&quot;z&quot; w=&apos;v&apos;/&gt;&amp;#1;"
    assert shown.body == f'200 <a b="{text}">{text}</a>, by the gateway'


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("json: {a: int}", "int: no type (did you mean number?)"),
        ("json: {a: String}", "String: no type (did you mean string?)"),
        ("json: {a: nmber}", "nmber: no type (did you mean number?)"),
        ("json: {a: 'strng?'}", "strng: no type (did you mean string?)"),
        ("json: {a: '{ide}'}", "unknown name {ide} (did you mean id?)"),
        ("json: {a: 'x{n}'}", "{n} is a pattern; it stands alone"),
        ("json: {a: []}", "a list names the texts and numbers"),
        ("json: {a: [[1]]}", "a list names the texts and numbers"),
        ("json: {a: x, A: y}", "A: is a for many servers"),
        ("json: [a]", "must be a mapping (field: type or value)"),
        ("json: {a: any}, body: {type: text/plain}", "json and body: one of them, not both"),
        ("max: 4KiB", "max: there is no json whose size it could bound"),
        ("json: {a: any}, max: 4 apples", "max: must be a size such as 16KiB"),
        ("json: {a: any}, max: 1GiB", "max: must be a size such as 16KiB"),
        ("body: {max: 4KiB}", "type: is missing"),
        ("body: {type: sdp}", "type: sdp: no media type"),
        ("body: {type: application/json}", "type: for JSON write json:"),
        ("body: {type: application/vnd.x+json}", "type: for JSON write json:"),
        ("body: {type: multipart/form-data}", "type: a form may name other items"),
        ("body: {type: text/plain}, max: 1", "max: that of a body stands inside it"),
        ("body: {typ: text/plain}", "typ: unknown key (did you mean type?)"),
        ("answer: {status: 204}, json: {a: any}", "answer: nothing is sent to the server, so json has no use"),
        ("answer: {status: 204}, send: {query: {a: b}}", "answer: nothing is sent to the server, so send has no use"),
        ("answer: {status: 204, json: {}}", "status: an answer with 204 has no json"),
        ("answer: {status: 302}", "status: from 200 to 299 or from 400 to 599"),
        ("answer: {status: ok}", "status: from 200 to 299 or from 400 to 599"),
        ("answer: {json: {a: '{n}'}}", "{n} is a pattern"),
        ("answer: {json: {a: [{b: '{ide}'}]}}", "unknown name {ide} (did you mean id?)"),
        ("answer: {json: {}, xml: <a/>}", "json and xml: one of them, not both"),
        ("answer: {xml: {a: b}}", "xml: a text, like <a>{id}</a>"),
        ("answer: {xml: '<!DOCTYPE a [<!ENTITY b ''c''>]><a>{id}</a>'}", "nothing that begins with <!"),
        ("answer: {xml: '<a>{id}'}", "xml: no element found"),
        ("answer: {xml: '<a b={id}/>'}", "xml: not well-formed"),
        ("answer: {xml: '<a>{ide}</a>'}", "unknown name {ide} (did you mean id?)"),
        ("answer: {xml: '<a>{n}</a>'}", "{n} is a pattern"),
        ("answer: {status: 204, xml: <a/>}", "status: an answer with 204 has no xml"),
        ("answer: {stauts: 200}", "stauts: unknown key (did you mean status?)"),
    ],
)
def test_faults(keys: str, wanted: str) -> None:
    text = HEAD + "patterns: {n: '[0-9]+'}\n"
    text += f'kinds: {{video: {{open: "/m/{{id}}", allow: ["page GET /m/{{id}}", {{request: POST /a, {keys}}}]}}}}\n'
    found = faults(text)
    assert any(wanted in fault and fault.startswith("p.yaml:4:") for fault in found), found


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "WS", "POST,GET"])
@pytest.mark.parametrize(("key", "value"), [("json", "{a: any}"), ("body", "{type: text/plain}")])
def test_a_body_where_none_can_be_is_a_fault(method: str, key: str, value: str) -> None:
    rule = f'{{request: "{method} /a", {key}: {value}}}'
    text = HEAD + f'kinds: {{video: {{open: "/m/{{id}}", allow: ["page GET /m/{{id}}", {rule}]}}}}\n'
    assert any(f"{key}: a request of " in fault and "has no body" in fault for fault in faults(text))
