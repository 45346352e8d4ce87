"""Raw requests against a gateway with a live grant, judged by what the upstream received.

Nothing that arrives may, under any reading, be outside the one item; what is hostile is refused with the status that
says why; every legitimate oddity arrives in its one spelling.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attack.heads import HEADS, Head
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
        elif not received and status not in CLIENT_FAULTS:
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


def test_without_a_session_nothing_is_reached(stage: Stage) -> None:
    lines = [head.line for group in HOSTILE.values() for head in group] + [line for line, _ in LEGITIMATE]
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
