"""`pass`: what of a guest's headers goes to the server besides the usual ones."""

from __future__ import annotations

import pytest

from tests.proxy.conftest import IN, opened
from tests.proxy.test_door import ok

PASS = "pass: [X-Player-Version, x-quality]\n"


async def test_a_named_header_is_sent_on_in_the_policys_spelling() -> None:
    async with opened(ok, upstream_part=PASS) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/x.ts", IN + "x-player-version: 7.1\r\nX-QUALITY: hd\r\nX-Other: no\r\n")
        assert ("X-Player-Version", "7.1") in stage.call.headers
        assert ("x-quality", "hd") in stage.call.headers
        assert stage.call.header("X-Other") is None


@pytest.mark.parametrize("twin", ["X_Player_Version", "X.Player.Version", "X-Player_Version", "X-Player-Version-"])
async def test_other_spellings_stay_behind(twin: str) -> None:
    async with opened(ok, upstream_part=PASS) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/x.ts", IN + f"{twin}: evil\r\nX-Player-Version: good\r\n")
        assert [value for name, value in stage.call.headers if "layer" in name] == ["good"]


async def test_twice_is_refused() -> None:
    async with opened(ok, upstream_part=PASS) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.ts", IN + "X-Quality: sd\r\nx-quality: hd\r\n")
        assert (reply.status, str(stage.last.reason)) == (400, "ambiguous_request")
        assert stage.upstream.calls == []


async def test_what_connection_names_and_what_is_no_plain_text_stays_behind() -> None:
    async with opened(ok, upstream_part=PASS) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/x.ts", IN + "X-Quality: hd\r\nConnection: x-quality\r\nX-Player-Version: \xe9\r\n")
        assert stage.call.header("X-Quality") is None
        assert stage.call.header("X-Player-Version") is None


async def test_without_pass_nothing_of_it_is_sent() -> None:
    async with opened(ok) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/x.ts", IN + "X-Player-Version: 7\r\n")
        assert stage.call.header("X-Player-Version") is None
