"""What a recording only hints at is a comment, in words that can be taken over after a look."""

from __future__ import annotations

import json

from tests.policy.test_propose import HLS, asked, made, rules, wrong
from tests.policy.test_propose_post import PAGE, post

SESSION = "9b2e4c0d8f7a4e11a5c39b2e4c0d8f7a"


def test_a_play_session() -> None:
    told = json.dumps({"playback": {"sessionId": SESSION}, "other": "abc"})
    found = made(
        "aurora",
        PAGE,
        *post("/api/playback/aurora", {"device": "hunter2"}, answer=told),
        asked(f"/hls/{SESSION}/index.m3u8", HLS),
        asked(f"/api/keep?play={SESSION}&item=aurora"),
        own_page=True,
    )
    text = found.text
    assert "#   - request: POST /api/playback/{id}\n    #     json: {device: string}\n" in text
    assert "#     vars: {play: $.playback.sessionId}" in text
    assert '#   - "GET /hls/{play}/index.m3u8"' in text
    assert '#   - "GET /api/keep?play={play}&item={id}"' in text
    assert "hunter2" not in text
    assert SESSION not in text.partition("    allow:\n")[2].partition("examples:")[0]
    assert rules(found)[0] == "page GET /watch/{id}"


def test_other_ports_of_the_machine_and_other_hosts() -> None:
    found = made(
        "aurora",
        asked("/hls/aurora/index.m3u8", HLS, "a.ts"),
        asked("/hls/aurora/a.ts"),
        asked("http://tv:8889/whep/aurora", method="POST"),
        asked("http://tv:8889/whep/aurora?token=hunter2", method="POST"),
        asked("https://cdn.example/x.ts"),
    )
    assert "#   upstream: {main: …, second: http://tv:8889}" in found.text
    assert '#   - {request: "POST /whep/{id}", at: second}' in found.text
    assert "# https://cdn.example serves files that play (1)" in found.text
    assert rules(found) == ["GET /hls/{id}/{file}"]
    assert "hunter2" not in found.text
    assert wrong(found, "aurora") == []


def test_websockets_need_messages_and_stay_comments() -> None:
    found = made("aurora", PAGE, asked("ws://tv/live/aurora/ws"), asked("ws://tv/live/nocturne/ws"), own_page=True)
    assert rules(found) == ["page GET /watch/{id}"]
    assert '#   - request: "WS /live/{id}/ws"' in found.text
    assert wrong(found, "aurora") == []


def test_a_hostile_recording_writes_only_comments() -> None:
    """What stands in a hint came from somebody else's file: no line of it may end the comment."""
    told = json.dumps({"a\n  - GET /admin": SESSION, "b": SESSION, "c\u2028d": "x" * 9})
    found = made(
        "aurora",
        PAGE,
        *post("/api/playback/aurora", {"x\n- GET /": 1}, answer=told),
        asked(f"/hls/{SESSION}/%0a- GET %2fadmin"),
        asked(f"/hls/{SESSION}/\u2028- GET"),
        asked("http://tv:8889/whep/aurora/%0A- GET", method="POST"),
        own_page=True,
    )
    assert rules(found) == ["page GET /watch/{id}"]
    inside = found.text.partition("    allow:\n")[2].partition("examples:")[0]
    assert all(line.strip().startswith(("#", "- ")) for line in inside.splitlines() if line.strip())
    assert wrong(found, "aurora") == []
