"""What an answer says about an item: JSON and XML, gone, not started, ended, kinds, variables."""

from __future__ import annotations

import json

import pytest

from gateway.errors import BadFile
from gateway.policy.jsonpath import PathError, parse_answer_path
from gateway.policy.load import load_policy_text
from gateway.policy.model import Policy
from gateway.policy.resolve import BadAnswer, Learned, read_answer


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy_text(
        """
server: x
item:
  id: "[a-z0-9]+"
  resolve:
    - request: GET /api/{id}
      id: $.uuid
      gone: [404, {$.code: NOT_FOUND}]
      not_started: [{$.online: false}]
      ended: [{$.state: over}]
      was_live: $.last
      vars: {title: $.name, media: "$.files[*].url"}
  kind: {$.type: {Movie: video, Channel: live}}
kinds:
  video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}
  live: {like: video}
"""
    )


def learn(policy: Policy, answer: object, status: int = 200) -> Learned:
    return read_answer(policy, policy.item.steps[0], status, "application/json", json.dumps(answer).encode())


def test_an_item_tells_its_one_id_kind_and_variables(policy: Policy) -> None:
    learned = learn(
        policy, {"uuid": "u1", "name": "Film", "type": "Movie", "files": [{"url": "/a"}, {"url": "/b"}, {"url": "/a"}]}
    )
    assert learned == Learned("ok", "u1", {"title": ("Film",), "media": ("/a", "/b")}, "video", typed=True)


@pytest.mark.parametrize(
    ("answer", "status", "state"),
    [
        ({}, 404, "gone"),
        ({"code": "NOT_FOUND"}, 200, "gone"),
        ({"online": False}, 200, "not_started"),
        ({"state": "over"}, 200, "ended"),
        ({"state": "over", "online": False}, 200, "ended"),
        ({"state": "over", "online": False, "code": "NOT_FOUND"}, 200, "gone"),
    ],
)
def test_states(policy: Policy, answer: object, status: int, state: str) -> None:
    assert learn(policy, answer, status).state == state


@pytest.mark.parametrize(("answer", "status"), [({"uuid": "u"}, 500), ({"uuid": "u"}, 302), ({}, 200), ("text", 200)])
def test_an_answer_that_makes_no_sense_is_no_item(policy: Policy, answer: object, status: int) -> None:
    with pytest.raises(BadAnswer):
        learn(policy, answer, status)


def test_a_type_the_policy_does_not_share_has_no_kind(policy: Policy) -> None:
    assert learn(policy, {"uuid": "u", "type": "Folder"}).kind is None


def test_xml() -> None:
    policy = load_policy_text(
        """
server: x
item:
  id: "[a-z0-9]+"
  resolve: [{request: "GET /x/{id}", gone: [{/response/@status: failed}], vars: {url: /response/url}}]
kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}}
"""
    )
    step = policy.item.steps[0]
    answer = b'<response xmlns="urn:x" status="ok"><url> /join </url></response>'
    assert read_answer(policy, step, 200, "text/xml", answer).variables == {"url": ("/join",)}
    assert read_answer(policy, step, 200, "text/xml", b'<response status="failed"/>').state == "gone"
    bomb = b'<!DOCTYPE r [<!ENTITY a "aaaa">]><response><url>&a;</url></response>'
    with pytest.raises(BadAnswer, match="DTD"):
        read_answer(policy, step, 200, "text/xml", bomb)


def test_paths() -> None:
    document = {"a": [{"b c": 1}, {"b c": 2}], "d": {"x": True}}
    assert parse_answer_path("$.a[*]['b c']").values(document) == [1, 2]
    assert parse_answer_path("$.a[1]").values(document) == [{"b c": 2}]
    assert parse_answer_path("$.d.x.y").values(document) == []
    for wrong in ("a.b", "$a", "$.", "$.a[", "$.a[x]", "/a//b"):
        with pytest.raises(PathError):
            parse_answer_path(wrong)


ROOMS = """
server: Rooms
item:
  id: "[a-z]+"
  resolve:
    - request: GET /rooms?name={id}
      not_started: [{$.rooms: []}]
kinds: {room: {open: "/room/{id}", allow: ["page GET /room/{id}"]}}
"""


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, '{"rooms": []}', "not_started"),
        (200, "{}", "not_started"),
        (200, '{"rooms": null}', "not_started"),
        (200, '{"rooms": [{"name": "hall"}]}', "ok"),
        (200, "<p>a page of something else</p>", "ok"),
        (404, '{"rooms": []}', "gone"),
        (401, '{"rooms": []}', None),
        (500, "{}", None),
    ],
)
def test_nothing_there_is_said_by_a_good_answer_alone(status: int, body: str, state: str | None) -> None:
    policy = load_policy_text(ROOMS)

    def read() -> Learned:
        return read_answer(policy, policy.item.steps[0], status, "application/json", body.encode())

    if state is None:
        with pytest.raises(BadAnswer):
            read()
    else:
        assert read().state == state


def test_a_list_with_something_in_it_is_no_value() -> None:
    with pytest.raises(BadFile, match=r"must be one value, or \[\] for nothing there"):
        load_policy_text(ROOMS.replace("[]}]", "[hall]}]"))


@pytest.mark.parametrize(
    ("last", "was_live"),
    [
        ("2026-11-29T01:15:36.023619504Z", 1_795_914_936_023),
        ("2026-11-29T02:15:36+01:00", 1_795_914_936_000),
        ("2026-11-29T01:15:36", None),  # of which zone?
        ("yesterday", None),
        ("", None),
        (None, None),
        (1_795_914_936, None),
        ([], None),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139_000),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:00", None),
    ],
)
def test_when_it_was_last_on_the_air(policy: Policy, last: object, was_live: int | None) -> None:
    assert learn(policy, {"online": False, "last": last}).was_live == was_live
