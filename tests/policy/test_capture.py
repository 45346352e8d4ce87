"""What is taken from an answer, and what never is."""

from __future__ import annotations

import json

import pytest

from gateway.errors import BadFile
from gateway.policy.capture import HeaderCapture, captured_json
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target

HEAD = 'server: x\nitem: {id: "[a-z0-9]+"}\npatterns: {n: "[0-9]+"}\n'
GRANT = {"id": ("abc123",), "two": ("a", "b")}


def policy(capture: str, request: str = "POST /whep/{id}", more: str = "") -> str:
    return (
        HEAD
        + "kinds:\n  live:\n    open: /m\n    allow:\n      - page GET /m\n"
        + f'      - request: "{request}"\n        capture: {capture}\n'
        + f'      - "PATCH,DELETE /whep/{{id}}/{{session}}"\n{more}'
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (policy('{session: "Location"}'), "p.yaml:10:28: capture: written Header: template, or a path into JSON"),
        (policy('{session: "Location:"}'), "p.yaml:10:28: capture: written"),
        (policy('{session: "Loc ation: /{session}"}'), "p.yaml:10:28: capture: written"),
        (policy('{session: "/a/b"}'), "p.yaml:10:28: capture: written"),
        (policy('{session: "Set-Cookie: sid={session}"}'), "p.yaml:10:28: capture: Set-Cookie is not passed on"),
        (policy('{session: "Location: /whep/{id}/x"}'), "capture: {session} stands in its template exactly once"),
        (policy('{session: "Location: /{session}/{session}"}'), "exactly once"),
        (policy('{session: "Location: /{id}{session}"}'), "something must stand between two variables"),
        (policy('{session: "Location: /{n}/{session}"}'), "only variables stand in a template"),
        (policy('{session: "Location: /*/{session}"}'), "only variables stand in a template"),
        (policy('{session: "Location: /whep/{idd}/{session}"}'), "unknown name {idd} (did you mean id?)"),
        (policy('{session: "Location: /whep/../{session}"}'), "can never be asked for: a dot segment"),
        (policy("{id: $.a}"), "p.yaml:10:19: id: is a variable or pattern already"),
        (policy("{n: $.a}"), "p.yaml:10:19: n: is a variable or pattern already"),
        (policy("{Session: $.a}"), "p.yaml:10:19: Session: a variable's name has small letters"),
        (policy("{sesion: $.a}"), "p.yaml:11:9: unknown name {session} (did you mean sesion?)"),
        (policy("{session: 7}"), "must be text"),
        (
            policy("{session: $.a}\n        follow: {as: json}", "GET /list/{id}"),
            "p.yaml:9:18: capture: not together with follow",
        ),
        (
            policy("{session: $.a}\n        answer: {status: 204}"),
            "p.yaml:9:18: capture: the gateway answers this itself",
        ),
        (policy("{session: $.a}", "WS /whep/{id}"), "capture: a websocket has no answer to read"),
        (policy("{session: $.a}", more='shared: ["GET /s/{session}"]\n  '), ""),
    ],
)
def test_each_fault_is_named_with_its_place(text: str, wanted: str) -> None:
    try:
        load_policy_text(text, name="p", environ={})
        found = [""]
    except BadFile as error:
        found = [str(fault) for fault in error.faults]
    assert any(wanted in fault for fault in found), found


def header(template: str) -> HeaderCapture:
    made = load_policy_text(policy(f'{{session: "{template}"}}'))
    (rule,) = [rule for rule in made.kinds["live"].rules if rule.captures]
    (capture,) = rule.captures
    assert isinstance(capture, HeaderCapture)
    return capture


def target(raw: str) -> Target:
    found = parse_target(raw)
    assert isinstance(found, Target)
    return found


def test_a_path_must_fit_exactly_and_gives_one_segment() -> None:
    capture = header("Location: /whep/{id}/{session}")
    assert capture.value(target("/whep/abc123/s-1"), GRANT) == "s-1"
    assert capture.value(target("/whep/abc123/%73-%C3%9C"), GRANT) == "s-Ü"
    for other in (
        "/whep/xyz789/s1", "/whep/ABC123/s1", "/whep/abc123/s1/", "/whep/abc123/s1/x", "/whep/abc123/s1?a=b",
        "/whep/abc123/", "/x/whep/abc123/s1", "/whep/abc123/a%20b", f"/whep/abc123/{'x' * 513}",
    ):  # fmt: skip
        assert capture.value(target(other), GRANT) is None, other
    assert capture.value(target("/whep//s1") if isinstance(parse_target("/whep//s1"), Target) else None, {}) is None
    assert capture.value(None, GRANT) is None


def test_a_plain_header_gives_what_stands_at_its_place() -> None:
    capture = header("X-Session: id={session}; v=1")
    assert capture.value("id=s1; v=1", GRANT) == "s1"
    for other in ("id=s1; v=2", "id=; v=1", "id=a/b; v=1", "id=..; v=1", "id=a b; v=1", "xid=s1; v=1"):
        assert capture.value(other, GRANT) is None, other


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"a": "s1"}, {"session": "s1"}),
        ({"a": 17}, {"session": "17"}),
        ({"a": True}, {}),
        ({"a": None}, {}),
        ({"a": ["s1"]}, {}),
        ({"a": ""}, {}),
        ({"a": "a/b"}, {}),
        ({"a": "a\\b"}, {}),
        ({"a": ".."}, {}),
        ({"a": "a\nb"}, {}),
        ({"a": "\ud800"}, {}),
        ({"a": "x" * 513}, {}),
        ({}, {}),
        ([], {}),
    ],
)
def test_of_json_only_one_plain_value_counts(answer: object, wanted: dict[str, str]) -> None:
    made = load_policy_text(policy("{session: $.a}"))
    (rule,) = [rule for rule in made.kinds["live"].rules if rule.captures]
    assert captured_json(rule.captures, json.dumps(answer).encode()) == wanted


def test_what_is_no_json_gives_nothing() -> None:
    (rule,) = [rule for rule in load_policy_text(policy("{session: $.a}")).kinds["live"].rules if rule.captures]
    for body in (b"", b"{", b"\xff", b"[" * 100_000, b"<a/>"):
        assert captured_json(rule.captures, body) == {}
