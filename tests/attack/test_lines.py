"""Raw request lines against a gateway with a live grant, judged by what the upstream received.

Nothing that arrives may, under any reading, be outside the one item; every legitimate oddity arrives.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attack.lines import HOSTILE, LEGITIMATE, POLICY, A, B
from tests.attack.recording import Recorder, query_values, readings
from tests.running import Running, ask, enter, running_gateway


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    await recorder.start()
    yield recorder
    await recorder.stop()


@pytest.fixture
async def gateway(tmp_path: Path, recorder: Recorder) -> AsyncIterator[Running]:
    async with running_gateway(tmp_path, POLICY, recorder.port) as running:
        yield running


@pytest.fixture
async def cookie(gateway: Running, recorder: Recorder) -> str:
    link = await gateway.make_link(A)
    cookie, answer = await enter(gateway.port, link)
    assert answer.status == 303, answer
    recorder.take()
    return cookie


def in_scope(head: bytes) -> bool:
    """Whether every reading of what the upstream received stays with the item."""
    line = head.partition(b"\r\n")[0].decode("latin-1")
    method, target, version = line.split(" ", 2)
    path, _, query = target.partition("?")
    if method not in ("GET", "HEAD") or version != "HTTP/1.1" or not path.startswith("/"):
        return False
    if "#" in target or any(value != A for value in query_values(query, "id")) or any(query_values(query, "method")):
        return False
    if path == "/api/items":
        return f"id={A}" in query
    return all(
        reading.startswith((f"/media/{A}", f"/hls/{A}/", f"/seg/{A}-", f"/any/{A}/", f"/deep/{A}/", f"/live/{A}/"))
        and B not in reading
        for reading in readings(path)
    )


async def test_nothing_outside_the_item_is_reached(gateway: Running, recorder: Recorder, cookie: str) -> None:
    counts: Counter[str] = Counter()
    for name, lines in HOSTILE.items():
        for line in lines:
            answer = await ask(gateway.port, line, cookie=cookie)
            heads = recorder.take()
            assert all(in_scope(head) for head in heads), (name, line, heads)
            assert heads or 400 <= answer.status < 500, (name, line, answer)
            assert b"upstream" not in answer.body.lower(), line
            counts[name] += 1
    print(f"\nhostile lines: {counts.total()} in {len(counts)} classes")
    for name, count in counts.items():
        print(f"  {count:3}  {name}")


async def test_every_legitimate_line_arrives_as_it_was_judged(
    gateway: Running, recorder: Recorder, cookie: str
) -> None:
    assert len(LEGITIMATE) >= 60
    for line in LEGITIMATE:
        answer = await ask(gateway.port, line, cookie=cookie, headers="Range: bytes=0-1\r\n")
        heads = recorder.take()
        assert answer.status == 200, (line, answer)
        assert len(heads) == 1
        sent = heads[0].partition(b"\r\n")[0].decode("latin-1")
        method, target = line.split(" ")
        wanted = target.replace("%61", "a").replace("%31", "1").replace("%7E", "~").replace("-%2541", "-%2541")
        assert sent == f"{method} {wanted.removesuffix('?')} HTTP/1.1"


async def test_hostile_lines_without_a_session_reach_nothing(gateway: Running, recorder: Recorder) -> None:
    lines = [line for lines in HOSTILE.values() for line in lines] + LEGITIMATE

    async def one(line: str) -> None:
        answer = await ask(gateway.port, line)
        assert 400 <= answer.status < 500, (line, answer)

    for start in range(0, len(lines), 16):
        await asyncio.gather(*(one(line) for line in lines[start : start + 16]))
    assert recorder.take() == []
