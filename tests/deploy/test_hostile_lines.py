"""Hostile request lines through the real front proxies: whatever those make of them, nothing outside the item arrives.

A front proxy reads a line its own way before the gateway judges it. What arrives at the media server is judged here,
under every reading (see tests/attack).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attack.legitimate import LEGITIMATE
from tests.attack.policy import POLICY, A
from tests.attack.recording import Recorder, foreign_target
from tests.attack.targets import AMBIGUOUS, NOT_THEIRS
from tests.deploy.conftest import Stand, standing
from tests.deploy.fronts import TlsClient, Visitor


@pytest.fixture
async def behind() -> AsyncIterator[Recorder]:
    """The media server where the gateway finds it."""
    recorder = Recorder()
    await recorder.start()
    yield recorder
    recorder.stop()


@pytest.fixture
async def beside() -> AsyncIterator[Recorder]:
    """The same, where the front proxy finds it: a guest's request must never come here."""
    recorder = Recorder()
    await recorder.start()
    yield recorder
    recorder.stop()


@pytest.fixture
async def stand(
    tmp_path: Path, certificate: Path, program: str, arrangement: str, behind: Recorder, beside: Recorder
) -> AsyncIterator[Stand]:
    policy = f"protects_itself: true\n{POLICY.strip()}\n"
    async with standing(
        tmp_path, certificate, program, arrangement, policy, upstream=behind.port, media=beside.port
    ) as one:
        yield one


# Of each class some: the whole of it goes to the gateway itself in tests/attack, here each line costs a handshake.
HOSTILE = {name: lines[::2] for name, lines in {**AMBIGUOUS, **NOT_THEIRS}.items()}


def in_scope(head: bytes) -> bool:
    method, target, version = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return version == "HTTP/1.1" and foreign_target(method, target) is None


async def say(visitor: Visitor, line: str, headers: str = "") -> int:
    """The status of what came back; 0 when the proxy closed, or said nothing (Caddy's empty 200 for another host)."""
    async with TlsClient(visitor.front) as client:
        await client.ask(line, f"{visitor.session}{headers}Connection: close\r\n")
        try:
            async with asyncio.timeout(10):
                reply = await client.head()
                return 0 if reply.status == 200 and reply.header("Content-Length") == "0" else reply.status
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0


async def test_nothing_outside_the_item_is_reached(stand: Stand, behind: Recorder, beside: Recorder) -> None:
    guest = await stand.guest(A)
    behind.take()
    reached = lines = 0
    for name, kind in HOSTILE.items():
        for line in kind:
            line = line.replace("{host}", guest.front.host).replace("{other}", f"127.0.0.1:{beside.port}")
            status = await say(guest, line)
            heads = behind.take()
            assert all(in_scope(head) for head in heads), (name, line, heads)
            assert heads or status == 0 or 300 <= status < 500, (name, line, status)
            assert beside.take() == [], (name, line)
            reached += bool(heads)
            lines += 1
    print(f"\n{stand.front.name}: {lines} hostile lines, {reached} became a request within the item")


async def test_plain_names_arrive(stand: Stand, behind: Recorder) -> None:
    """What a browser sends as it is; a front proxy may spell other bytes anew, which the gateway then judges."""
    guest = await stand.guest(A)
    behind.take()
    for line, sent_on in LEGITIMATE:
        method, path = line.split(" ")
        if set(path) & set('|^[]{}`"<>') or method == "POST" or len(path) > 2_000:
            continue
        status = await say(guest, line, "Range: bytes=0-1\r\n")
        assert status == 200, line
        [head] = behind.take()
        assert head.startswith(f"{sent_on} HTTP/1.1\r\n".encode()), line
