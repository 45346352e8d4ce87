# ruff: noqa: E501  # heads are read best as they are
"""Raw requests against a gateway with a live grant, judged by what the upstream received.

Nothing that arrives may, under any reading, be outside the one item; what is hostile is refused with the status that
says why; every legitimate oddity arrives in its one spelling.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.heads import HANDSHAKE, HEADS, Head
from tests.attack.legitimate import LEGITIMATE
from tests.attack.policy import A
from tests.attack.stage import Stage
from tests.attack.tally import report
from tests.attack.targets import AMBIGUOUS, NOT_THEIRS, UNREADABLE
from tests.system.stage import Guest

CLIENT_FAULTS = tuple(range(400, 500))


def heads(lines: list[str], *statuses: int) -> list[Head]:
    return [Head(line, status=statuses) for line in lines]


HOSTILE: dict[str, list[Head]] = {
    **{name: heads(lines, 400) for name, lines in AMBIGUOUS.items()},
    **{name: heads(lines, 403) for name, lines in NOT_THEIRS.items()},
    **{name: heads(lines, 0, *CLIENT_FAULTS) for name, lines in UNREADABLE.items()},
    **HEADS,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_outside_the_item_is_reached(stage: Stage, name: str) -> None:
    faults = []
    for head in HOSTILE[name]:
        status, received = stage.ask(head)
        wrong = [why for why in map(stage.outside, received) if why]
        if wrong:
            faults.append(f"passed ({wrong[0]}): {head} -> {received}")
        elif head.status and (received or status not in head.status):
            faults.append(f"{status} instead of {head.status}: {head} -> {received}")
        elif not received and status not in (*CLIENT_FAULTS, *head.status):
            faults.append(f"{status}, nothing received: {head}")
    assert faults == [], f"{len(faults)} faults:\n" + "\n".join(fault[:600] for fault in faults[:20])
    assert stage.other.connections == 0


def test_there_are_enough_of_them() -> None:
    lines = [head for group in HOSTILE.values() for head in group]
    assert len(set(lines)) == len(lines), "none counts twice"
    assert len(lines) >= 500
    assert len(HOSTILE) >= 20
    assert len({line for line, _ in LEGITIMATE}) >= 100
    said = (Path(__file__).parents[2] / "docs/security.md").read_text()
    assert f"{len(lines):,} hostile requests in {len(HOSTILE)} classes" in said
    assert f"of {len(LEGITIMATE)} odd but legitimate ones" in said
    report("hostile requests", {name: len(group) for name, group in HOSTILE.items()})
    report("legitimate requests", {"all": len(LEGITIMATE)})


def test_every_legitimate_line_arrives_as_it_was_judged(stage: Stage) -> None:
    faults = []
    for line, sent in LEGITIMATE:
        status, received = stage.ask(Head(line, "Range: bytes=0-1\r\n"))
        lines = [head.partition(b"\r\n")[0].decode("latin-1") for head in received]
        if status != 200 or lines != [f"{sent} HTTP/1.1"] or stage.outside(received[0]):
            faults.append(f"{line}: {status} {lines}")
    assert faults == []


def test_the_listed_headers_arrive_in_one_spelling(stage: Stage) -> None:
    came = (
        'accept: */*\r\nACCEPT: video/*\r\nAccept-language: de\r\naccept-Encoding: gzip\r\nRANGE: bytes=0-1\r\nif-range: "e"\r\n'
        'If-match: "a"\r\nIf-None-Match: "a", "b"\r\nif-none-match: W/"c"\r\nIF-MODIFIED-SINCE: x\r\ncontent-type: a/b\r\n'
        "user-agent: VLC/3 (a\tb)\r\nlast-event-id: 7\r\nConnection: close\r\n"
    )
    status, [received] = stage.ask(Head(f"GET /hls/{A}/seg1.ts", came))
    assert status == 200
    sent = received.decode().split("\r\n")[2:-5]
    assert sent == [
        "Accept: */*", "Accept: video/*", "Accept-Language: de", "Accept-Encoding: gzip", "Range: bytes=0-1", 'If-Range: "e"',
        'If-Match: "a"', 'If-None-Match: "a", "b"', 'If-None-Match: W/"c"', "If-Modified-Since: x", "Content-Type: a/b",
        "User-Agent: VLC/3 (a\tb)", "Last-Event-ID: 7",
    ]  # fmt: skip


@pytest.mark.parametrize("connection", ["close, Range", "close,RANGE", "Range , close", "close\r\nConnection: rAnge"])
def test_what_connection_names_stays_here(stage: Stage, connection: str) -> None:
    line = f"GET /hls/{A}/seg1.ts"
    status, [received] = stage.ask(Head(line, f"Connection: {connection}\r\nRange: bytes=0-1\r\nUser-Agent: x\r\n"))
    assert status == 200
    assert b"\r\nRange:" not in received
    assert b"\r\nUser-Agent: x\r\n" in received


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE,
        HANDSHAKE.replace("websocket", "WebSocket").replace("Connection: Upgrade", "connection: keep-alive , UPGRADE"),
        HANDSHAKE
        + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nContent-Length: 0\r\n",
        HANDSHAKE + "Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n",
    ],
)
def test_a_whole_handshake_is_asked_of_the_server_in_our_words(stage: Stage, head: str) -> None:
    """The recorder makes no switch, so the guest hears of a server that is down."""
    status, [received] = stage.ask(Head(f"GET /ws/{A}", head))
    assert status == 502
    assert received.startswith(f"GET /ws/{A} HTTP/1.1\r\n".encode())
    assert b"dGhlIHNhbXBsZSBub25jZQ==" not in received
    assert b"sec-websocket-protocol" not in received.lower()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("", ""),
        ("Origin: http://{host}\r\n", ""),
        ("Origin: HTTP://{host}\r\nSec-Fetch-Site: same-origin\r\n", ""),
        ("Origin: null\r\nSec-Fetch-Site: same-origin\r\n", ""),
        ("Content-Length: 3\r\n", "abc"),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"),
    ],
)
def test_what_our_own_pages_post_arrives_without_its_body(stage: Stage, headers: str, body: str) -> None:
    status, received = stage.ask(Head(f"POST /api/play/{A}", headers, body=body))
    assert status == 200
    assert [stage.outside(head) for head in received] == [None]


def test_without_a_session_nothing_is_reached(stage: Stage) -> None:
    hostile = [head.line for group in HOSTILE.values() for head in group if 200 not in head.status]
    lines = hostile + [line for line, _ in LEGITIMATE]
    for line in dict.fromkeys(lines):
        status, received = stage.ask(Head(line, cookie=""))
        told = status == 204 and line.startswith("OPTIONS ")  # to whoever asks, and nothing but that
        assert told or status == 0 or 400 <= status < 500, (line, status)
        assert received == [], line


def test_another_guest_reaches_his_item_and_not_this_one(stage: Stage) -> None:
    """The stage is fair: what is refused here is refused for the item, not for something else."""
    mine = Head(f"GET /hls/{A}/seg1.ts")
    assert stage.ask(mine)[0] == 200
    theirs = Head(mine.line, cookie="Cookie: {strange}\r\n")
    assert stage.ask(theirs) == (403, [])
    status, received = stage.ask(Head(mine.line.replace(A, "xyz789"), cookie="Cookie: {strange}\r\n"))
    assert (status, len(received)) == (200, 1)


async def test_a_planted_session_does_not_learn_what_its_victim_was_given(stage: Stage) -> None:
    """An attacker with a session of his own puts its cookie into the browser of somebody who has a link."""
    name, _, planted = stage.strange.partition("=")
    victim = await Guest(stage.port, jar={name: planted}).enter(stage.link)
    stage.recorder.take()
    theirs = Head(f"GET /hls/{A}/seg1.ts", cookie=f"Cookie: {name}={victim.jar[name]}\r\n")
    assert stage.ask(theirs)[0] == 200
    assert stage.ask(Head(f"GET /hls/{A}/seg1.ts", cookie="Cookie: {strange}\r\n")) == (403, [])
