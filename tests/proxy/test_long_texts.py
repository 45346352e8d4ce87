"""Texts that are held whole: how many at a time, and that a turn always ends."""

from __future__ import annotations

import asyncio

import pytest

from gateway.proxy import long_texts
from gateway.proxy.long_texts import LONG, LongTexts, NoRoom
from tests.proxy.conftest import IN, opened
from tests.proxy.test_rewriting import POLICY, serve

TEXT = b'{"a": "' + b"x" * (15 * LONG) + b'"}'
READ = "GET /v/abc/x.json"


async def test_one_of_a_grant_and_four_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_texts, "PATIENCE", 0.05)
    texts = LongTexts()
    turns = [texts.turn(grant) for grant in "aabcde"]
    for turn in (turns[0], *turns[2:5]):
        await turn.take()
        await turn.take()  # once is enough
    for waiting in (turns[1], turns[5]):
        with pytest.raises(NoRoom):
            await waiting.take()
    turns[3].over()
    turns[3].over()
    with pytest.raises(NoRoom):
        await turns[1].take()
    await turns[5].take()
    turns[0].over()
    await turns[1].take()


async def test_who_is_waiting_and_leaves_takes_no_turn_with_him() -> None:
    texts = LongTexts(1)
    first, gone, second = texts.turn("a"), texts.turn("b"), texts.turn("b")
    await first.take()
    leaving = asyncio.create_task(gone.take())
    staying = asyncio.create_task(second.take())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    first.over()
    await asyncio.wait_for(staying, 5)
    second.over()
    await asyncio.wait_for(texts.turn("c").take(), 5)


async def test_the_next_waits_until_the_guest_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_texts, "PATIENCE", 0.2)
    async with opened(await serve("application/json", TEXT), policy_text=POLICY) as stage:
        async with stage.client() as slow, stage.client() as other:
            await slow.ask(READ, IN)  # and reads nothing: far more than sockets hold
            async with asyncio.timeout(10):
                while not stage.upstream.calls:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            reply = await other.get(READ, IN)
            assert (reply.status, str(stage.last.reason)) == (503, "texts_wait")
            whole = await slow.reply()
            assert (whole.status, whole.body.strip()) == (200, TEXT.replace(b": ", b":"))
            assert (await other.get(READ, IN)).status == 200
        async with stage.client() as leaver, stage.client() as other:
            await leaver.ask(READ, IN)
            await leaver.reader.readexactly(100)
            leaver.writer.transport.abort()
            async with asyncio.timeout(10):
                while (await other.get(READ, IN)).status != 200:
                    pass


async def test_a_grant_that_ends_cuts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(await serve("application/json", TEXT), policy_text=POLICY) as stage, stage.client() as guest:
        await guest.ask(READ, IN)
        await guest.reader.readexactly(100)
        stage.live.end()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await guest.reader.readexactly(len(TEXT))
        async with stage.client() as other:
            assert (await other.get(READ, IN)).status == 200


async def test_a_text_of_nothing_but_escapes_is_refused() -> None:
    body = b"\\" * 2_500_000
    async with opened(await serve("text/plain", body), policy_text=POLICY) as stage, stage.client() as guest:
        reply = await guest.get("POST /v/abc/x", IN)
        assert (reply.status, str(stage.last.reason)) == (502, "answer_unreadable")
