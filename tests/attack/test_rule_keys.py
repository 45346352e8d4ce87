"""What rules say of requests, under attack: whatever a guest adds, the server finds what the policy wrote, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product

import pytest

from tests.attack.heads import HEADS, Head
from tests.attack.policy import A, B
from tests.attack.recording import query_values
from tests.attack.stage import Stage, standing

POLICY = """
server: Recording upstream
item: {id: "[a-z0-9]{6,32}"}
patterns: {file: "[A-Za-z0-9_.-]+"}
paths: {ignore_case: true}
pass: [X-Player-Version]
kinds:
  video:
    open: /media/{id}
    allow:
      - page GET /media/{id}
      - GET /hls/{id}/{file}
      - POST /api/play/{id}
      - WS /ws/{id}
      - GET /api/items?id={id}&*
      - request: GET /Stream/{id}/main.m3u8?*
        send: {query: {PlaySessionId: "{id}", debug: null}, headers: {User-Agent: gateway}}
      - request: POST /api/progress
        json: {item: "{id}", position: number, note: "string?", device: {name: string}}
        max: 4KiB
      - {request: "POST /own/{id}", answer: {json: {item: "{id}"}}}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with standing(tmp_path_factory.mktemp("rules"), POLICY) as stage:
        yield stage


def is_session(name: str) -> bool:
    plain = name.lower().partition("[")[0].strip("+ ")
    return plain.replace("_", "").replace("-", "").replace(".", "") == "playsessionid"


NAMES = (
    "PlaySessionId", "playsessionid", "PLAYSESSIONID", "Play_Session_Id", "play.session.id", "PlaySessionId[]",
    "PlaySessionId[0]", "PlaySession%49d", "%50laySessionId", "PlaySessionId%00", "PlaySessionId%20", "+PlaySessionId",
    "x%26PlaySessionId", "%EF%BC%B0laySessionId", "PlaySessionId%5B%5D", "debug", "Debug", "_method", "id",
)  # fmt: skip
VALUES = (
    B, f"{A}%26PlaySessionId%3D{B}", f"{A}&PlaySessionId={B}", f"?PlaySessionId={B}", f"%2526PlaySessionId%253D{B}", "",
)  # fmt: skip


def test_a_name_that_is_set_reaches_the_server_once(stage: Stage) -> None:
    arrived = 0
    for name, value, twice in product(NAMES, VALUES, (False, True)):
        query = f"{name}={value}" + (f"&x=1&{name}={value}" if twice else "")
        _, heads = stage.ask(Head(f"GET /stream/{A}/main.m3u8?{query}"))
        for head in heads:
            arrived += 1
            line = head.partition(b"\r\n")[0].decode()
            for found in query_values(line.split()[1].partition("?")[2], is_session):
                assert found == [A], line
            assert "debug" not in line.lower(), line
            assert head.count(b"User-Agent: gateway\r\n") == 1
            assert head.lower().count(b"user-agent") == 1
    assert arrived, "the name itself may be sent"


def test_no_case_opens_another_item(stage: Stage) -> None:
    paths = (
        f"/STREAM/{A.upper()}/main.m3u8", f"/Stream/{B}/main.m3u8", f"/stream/{A}/../{B}/main.m3u8",
        f"/stream/{A}/MAIN.M3U8/", f"/HLS/{B}/x.ts", f"/hls/{A.title()}/x.ts", f"/%EF%BC%A8ls/{A}/x.ts",
        f"/hl\u017f/{A}/x.ts".encode().decode("latin-1"), f"/HLS//{A}/x.ts", f"/HLS/{A}%2fx.ts", f"/hls;/{A}/x.ts",
    )  # fmt: skip
    for path in paths:
        assert stage.ask(Head(f"GET {path}"))[1] == [], path
    _, (head,) = stage.ask(Head(f"GET /HLS/{A}/X.ts"))
    assert head.startswith(f"GET /hls/{A}/X.ts HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "sort", ["identity headers", "forwarded headers", "rewrite headers", "method override in headers"]
)
def test_what_is_passed_opens_the_door_for_nothing_else(stage: Stage, sort: str) -> None:
    for hostile in HEADS[sort]:
        head = Head(hostile.line, hostile.headers + "X-Player-Version: 7\r\nX_Player_Version: 8\r\n", hostile.status)
        _, heads = stage.ask(head)
        for sent in heads:
            plain = sent.replace(b"X-Player-Version: 7\r\n", b"")
            assert b"layer" not in plain.partition(b"\r\n")[2].lower().replace(b"/api/play", b"")
            assert stage.outside(plain) is None, sent


FIELDS = (
    f'"item": "{B}"', f'"item": "{A}", "item": "{B}"', f'"Item": "{B}"', f'"ITEM": "{B}"', f'"\\u0069tem": "{B}"',
    f'"item": ["{B}"]', f'"items": ["{B}"]', f'"item\\u0000": "{B}"', f'" item": "{B}"', f'"\uff49tem": "{B}"',
    f'"__proto__": {{"item": "{B}"}}', f'"note": "\\"}}, \\"item\\": \\"{B}\\""', f'"x": {{"item": "{B}"}}',
    f'"device": {{"name": "x", "item": "{B}"}}',
)  # fmt: skip
KINDS = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
FRAMES = ("{%s, %s}", "{%s, %s}\n{}", "\ufeff{%s, %s}", "[{%s, %s}]", "{%s, %s", "{%s,, %s}", "/**/{%s, %s}")


def test_no_body_names_another_item(stage: Stage) -> None:
    arrived = 0
    good = '"position": 1, "device": {"name": "x"}'
    for fields, kind, frame in product(FIELDS, KINDS, FRAMES):
        for pair in ((fields, good), (good, fields)):
            body = (frame % pair).encode()
            stage.recorder.bodies.clear()
            headers = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            _, heads = stage.ask(Head("POST /api/progress", headers, body=body.decode("latin-1")))
            for head, sent in zip(heads, stage.recorder.bodies, strict=True):
                arrived += 1
                assert b"Content-Type: application/json\r\n" in head
                written = json.loads(sent)
                assert written["item"] == A
                assert set(written) <= {"item", "position", "note", "device"}
                assert set(written["device"]) == {"name"}
                assert B.encode() not in sent or written["note"] == f'"}}, "item": "{B}"', sent
    assert arrived


def test_what_the_gateway_answers_no_server_hears(stage: Stage) -> None:
    assert stage.ask(Head(f"POST /own/{A}")) == (200, [])
    assert stage.ask(Head(f"POST /own/{B}")) == (403, [])
