"""What pages send: counters are answered here, bodies that can name no other item are rules, the rest are comments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.policy.test_propose import asked, made, rules, wrong

PAGE = asked("/watch/aurora", "text/html", _resourceType="document")


def post(target: str, *bodies: Any, sends: str = "application/json", answer: str | None = None) -> list[dict[str, Any]]:
    return [
        asked(
            target, "application/json", answer, method="POST",
            request={"postData": {"mimeType": sends, "text": body if isinstance(body, str) else json.dumps(body)}},
        )
        for body in bodies
    ]  # fmt: skip


def test_the_item_is_pinned_and_the_rest_is_typed() -> None:
    bodies = ({"item": "aurora", "position": 3, "paused": True}, {"item": "aurora", "position": 4.5})
    found = made("aurora", PAGE, *post("/api/resume", *bodies), own_page=True)
    assert rules(found)[1:] == ['POST /api/resume json: {item: "{id}", position: number, paused: "boolean?"}']
    assert wrong(found, "aurora") == []
    assert "4.5" not in found.text


@pytest.mark.parametrize("path", ["/api/progress", "/stats/aurora", "/api/videos/aurora/views", "/collect?v=1"])
def test_what_counts_is_answered_here(path: str) -> None:
    found = made("aurora", PAGE, *post(path, {"rel": "aurora", "who": "alice"}), own_page=True)
    assert rules(found)[1].endswith("answer: {status: 204}")
    assert wrong(found, "aurora") == []
    assert "alice" not in found.text


def test_its_answer_is_the_servers_where_that_says_yes_or_no_alone() -> None:
    found = made("aurora", PAGE, *post("/api/progress", {}, answer='{"ok": true}'), own_page=True)
    assert rules(found)[1] == "POST /api/progress answer: {json: {ok: true}}"
    found = made("aurora", PAGE, *post("/api/progress", {}, answer='{"ok": true, "as": "alice"}'), own_page=True)
    assert rules(found)[1] == "POST /api/progress answer: {status: 204}"


def test_a_beacon_counts_whatever_its_name() -> None:
    found = made("aurora", PAGE, *[one | {"_resourceType": "ping"} for one in post("/x", "a")], own_page=True)
    assert rules(found)[1:] == ["POST /x answer: {status: 204}"]


@pytest.mark.parametrize(
    ("target", "body", "why"),
    [
        ("/api/like/aurora", {"note": "hunter2"}, "a free text in it could name another item"),
        ("/api/next", {"position": 3}, "it does not name the item"),
        ("/api/like/aurora", {"list": ["hunter2"]}, "lists, or fields of changing types"),
        ("/api/like/aurora", {"token": "hunter2"}, "sounds like a credential"),
        ("/api/like/aurora", {"a b": 1}, "odd name"),
        ("/api/like/aurora", {"a": {"b": {"c": {"d": 1}}}}, "too deep"),
        ("/api/like/aurora", "[1]", "no JSON object"),
        ("/api/like/aurora", "hunter2{", "its body was not recorded"),
        ("/api/delete/aurora", {"position": 3}, "a change that is not a guest's"),
    ],
)
def test_what_is_not_certain_stays_a_comment(target: str, body: Any, why: str) -> None:
    found = made("aurora", PAGE, *post(target, body), own_page=True)
    assert rules(found) == ["page GET /watch/{id}"]
    line = next(line for line in found.text.splitlines() if why in line)
    assert line.strip().startswith("#")
    assert found.hints == 1
    assert "hunter2" not in found.text
    assert wrong(found, "aurora") == []


def test_forms_and_other_methods_are_comments() -> None:
    form = post("/api/like/aurora", "a=hunter2", sends="application/x-www-form-urlencoded")
    put = [one | {"request": one["request"] | {"method": "PUT"}} for one in post("/api/like/aurora", {"n": 1})]
    found = made("aurora", PAGE, *form, *put, own_page=True)
    assert rules(found) == ["page GET /watch/{id}"]
    assert "a form can't be looked into" in found.text
    assert "a PUT changes something" in found.text


def test_a_number_can_be_an_id_where_ids_are_numbers() -> None:
    page = asked("/watch/17", "text/html", _resourceType="document")
    found = made("17", page, *post("/api/like/17", {"next": 18}), own_page=True)
    assert rules(found) == ["page GET /watch/{id}"]
    assert "a number in it could name another item" in found.text


def test_our_player_page_needs_none_of_it() -> None:
    found = made("aurora", asked("/v/aurora/a.mp4"), *post("/api/progress", {}))
    assert rules(found) == ["GET /v/{id}/{file}"]
    assert "#   not needed by the gateway's player page (1)\n#       POST /api/progress" in found.text
