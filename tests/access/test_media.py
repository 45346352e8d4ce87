"""Asking the media server about one item: once for all who want to know at the same moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.access.media import ask_media
from gateway.access.outcome import Denied
from gateway.errors import GatewayError, UpstreamDown
from gateway.reasons import Reason
from gateway.upstream.resolve import Resolved
from tests.access.world import make_server


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = asyncio.Event()
        self.failure: Exception | None = None

    async def resolve(self, policy: Any, upstream: Any, item: str) -> Resolved:
        self.asked.append(item)
        await self.answer.wait()
        if self.failure is not None:
            raise self.failure
        return Resolved("ok", item)


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def test_a_thousand_at_once_are_one_question_and_the_next_is_asked_anew(slow: Slow) -> None:
    server = make_server("tv")
    asking = [asyncio.create_task(ask_media(slow.resolve, server, "film1")) for _ in range(1_000)]
    other = asyncio.create_task(ask_media(slow.resolve, server, "film2"))
    elsewhere = asyncio.create_task(ask_media(slow.resolve, replace(server), "film1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    slow.answer.set()
    assert {one.id for one in await asyncio.gather(*asking) if isinstance(one, Resolved)} == {"film1"}
    assert [(await one).id for one in (other, elsewhere)] == ["film2", "film1"]  # type: ignore[union-attr]
    assert sorted(slow.asked) == ["film1", "film1", "film2"]
    await ask_media(slow.resolve, server, "film1")
    assert len(slow.asked) == 4


async def test_who_leaves_takes_no_answer_from_the_others(slow: Slow) -> None:
    server = make_server("tv")
    first, second = [asyncio.create_task(ask_media(slow.resolve, server, "film1")) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    slow.answer.set()
    assert isinstance(await second, Resolved)
    assert slow.asked == ["film1"]


async def test_a_failure_is_everybodys_and_is_not_kept(slow: Slow) -> None:
    server = make_server("tv")
    slow.failure = UpstreamDown("away")
    slow.answer.set()
    both = await asyncio.gather(*(ask_media(slow.resolve, server, "film1") for _ in range(2)))
    assert [one.reason for one in both if isinstance(one, Denied)] == [Reason.UPSTREAM_DOWN] * 2
    slow.failure = GatewayError("a fault of ours")
    with pytest.raises(GatewayError):
        await ask_media(slow.resolve, server, "film1")
    slow.failure = None
    assert isinstance(await ask_media(slow.resolve, server, "film1"), Resolved)
