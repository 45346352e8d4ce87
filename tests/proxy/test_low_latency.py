"""Low-latency HLS: a request for what is not there yet is held by the server, passes through as it is, and ends with
whoever asked, with the server, or with the grant."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from gateway.config import Timeouts
from tests.proxy.conftest import IN, Stage, opened
from tests.servers.low_latency import EACH, FIRST, REST, LowLatency
from tests.wire import Call

POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
patterns: {n: "[0-9]{1,9}", list: "(video|audio)[.]m3u8", file: "(video|audio)-[0-9.]{1,9}m4s", skip: "(YES|v2)"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /ll/{id}/{list}?_HLS_msn={n}?&_HLS_part={n}?&_HLS_skip={skip}?
      - GET /ll/{id}/{file}
      - request: GET /f/{id}/main.m3u8
        follow: {as: hls, to: ["/f/{id}/**"]}
"""
LIST, PART = "/ll/abc/video.m3u8", "/ll/abc/video-1.2.m4s"
PATIENT = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=30), idle=timedelta(seconds=30))
RESTLESS = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=30), idle=timedelta(seconds=0.3))
SIGNED = re.compile(r"/_gateway/s/[^\s\"]+")


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def live(origin: LowLatency, timeouts: Timeouts = PATIENT) -> AsyncIterator[Stage]:
    """Six parts are there: segment 0, and two parts of segment 1."""
    await origin.advance(EACH + 2)
    async with opened(origin, policy_text=POLICY, timeouts=timeouts) as stage:
        yield stage


async def test_a_held_reload_comes_through_with_the_part_it_waited_for() -> None:
    """Silence before an answer is no silence within one."""
    origin = LowLatency()
    async with live(origin, RESTLESS) as stage, stage.client() as guest:
        await guest.ask(f"GET {LIST}?_HLS_msn=1&_HLS_part=2", IN)
        await until(lambda: origin.held)
        await asyncio.sleep(0.6)  # more than two parts, twice the idle deadline
        assert origin.held == 1
        await origin.advance()
        reply = await asyncio.wait_for(guest.reply(), 5)
        assert reply.status == 200
        assert b'URI="video-1.2.m4s"' in reply.body
        assert b'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="video-1.3.m4s"' in reply.body
        # And on the same connection the next one, a delta.
        await origin.advance(20)
        reply = await guest.get(f"GET {LIST}?_HLS_msn=6&_HLS_part=2&_HLS_skip=YES", IN)
        assert b"#EXT-X-SKIP:SKIPPED-SEGMENTS=3" in reply.body
        assert stage.upstream.connections == 1


async def test_a_server_that_holds_it_for_ever_is_slow() -> None:
    origin = LowLatency()
    short = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=0.3), idle=timedelta(seconds=30))
    async with live(origin, short) as stage, stage.client() as guest:
        reply = await guest.get(f"GET {LIST}?_HLS_msn=1&_HLS_part=2", IN)
        assert reply.status == 504
        await until(lambda: origin.left == 1)


async def test_a_hinted_part_is_passed_on_as_it_is_made() -> None:
    origin = LowLatency()
    async with live(origin) as stage, stage.client() as guest:
        await guest.ask(f"GET {PART}", IN)
        await until(lambda: origin.held)
        await origin.begin()
        head = await asyncio.wait_for(guest.head(), 5)
        assert head.header("Transfer-Encoding") == "chunked"
        assert FIRST in await asyncio.wait_for(guest.reader.readuntil(FIRST), 5)
        assert origin.whole == EACH + 2, "the part is not finished, and its beginning is here"
        await origin.advance()
        assert REST in await asyncio.wait_for(guest.reader.readuntil(b"\r\n0\r\n\r\n"), 5)
        assert stage.last.detail == ""


@pytest.mark.parametrize("asked", [f"{LIST}?_HLS_msn=1&_HLS_part=2", PART])
async def test_the_server_is_let_go_as_soon_as_the_guest_leaves(asked: str) -> None:
    origin = LowLatency()
    async with live(origin) as stage:
        async with stage.client() as guest:
            await guest.ask(f"GET {asked}", IN)
            await until(lambda: origin.held)
            left = time.monotonic()
        await until(lambda: origin.left)
        assert time.monotonic() - left < 2
        await until(lambda: stage.live.held == 0)
        assert stage.number("gateway_broken_answers_total") == 0


async def test_a_guest_who_shuts_his_sending_half_is_told_all_the_same() -> None:
    """Some clients do that after a request (RFC 9112 9.6 lets them)."""
    origin = LowLatency()
    async with live(origin) as stage, stage.client() as guest:
        await guest.ask(f"GET {LIST}?_HLS_msn=1&_HLS_part=2", IN)
        await until(lambda: origin.held)
        guest.writer.write_eof()
        # Told or left: but nothing stays behind for it.
        await asyncio.sleep(0.1)
        await origin.advance()
        await until(lambda: origin.held == 0 and stage.live.held == 0)


async def test_a_server_killed_in_the_middle_of_it_is_a_502_and_the_next_one_works() -> None:
    origin = LowLatency()
    async with live(origin) as stage, stage.client() as guest:
        await guest.ask(f"GET {LIST}?_HLS_msn=1&_HLS_part=2", IN)
        await until(lambda: origin.held)
        stage.upstream.calls[0].reset()
        reply = await asyncio.wait_for(guest.reply(), 5)
        assert reply.status == 502
        assert len(stage.upstream.calls) == 1, "it had been asked, so it is not asked again"
        assert (await guest.get(f"GET {LIST}", IN)).status == 200


async def test_the_end_of_the_grant_ends_what_is_held() -> None:
    origin = LowLatency()
    async with live(origin) as stage, stage.client() as reload, stage.client() as part:
        await reload.ask(f"GET {LIST}?_HLS_msn=1&_HLS_part=2", IN)
        await part.ask(f"GET {PART}", IN)
        await until(lambda: origin.held == 2)
        began = time.monotonic()
        stage.live.end()
        for guest in (reload, part):
            assert (await asyncio.wait_for(guest.reply(), 5)).status == 403
        await until(lambda: origin.left == 2)
        assert time.monotonic() - began < 2
        assert str(stage.last.reason) == "grant_ended"


class TestFollowed:
    """Where the rule says `follow`: every address is signed, and directives are the player's to add."""

    async def test_parts_hints_and_reports_are_written_anew_and_lead_there(self) -> None:
        origin = LowLatency(suffix="?key=k1")
        async with live(origin) as stage, stage.client() as guest:
            (video,) = SIGNED.findall((await guest.get("GET /f/abc/main.m3u8", IN)).body.decode())
            text = (await guest.get(f"GET {video}", IN)).body.decode()
            assert "key=k1" not in text
            assert len(re.findall(r'#EXT-X-PART:DURATION=0.25,URI="/_gateway/s/[^"]+"\n', text)) == EACH + 2
            (hint,) = re.findall(r'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="(/_gateway/s/[^"]+)"\n', text)
            (report,) = re.findall(r'#EXT-X-RENDITION-REPORT:URI="(/_gateway/s/[^"]+)",LAST-MSN=1,LAST-PART=1\n', text)
            assert hint.endswith("/video-1.2.m4s")
            # The player asks for what was reported of the other rendition, held as the first one.
            await guest.ask(f"GET {report}?_HLS_msn=1&_HLS_part=2", IN)
            await until(lambda: origin.held)
            await origin.advance()
            heard = (await asyncio.wait_for(guest.reply(), 5)).body.decode()
            assert origin.asked[-1] == "/f/abc/audio.m3u8?key=k1&_HLS_msn=1&_HLS_part=2"
            assert "/audio-1.2.m4s" in heard
            # The hint's address is the part's when it is there: what was hinted need not be asked for again.
            reply = await guest.get(f"GET {video}?_HLS_msn=1&_HLS_part=2&_HLS_skip=YES", IN)
            assert f'URI="{hint}"\n' in reply.body.decode()
            assert (await guest.get(f"GET {hint}", IN)).body == FIRST + REST
            assert origin.asked[-1] == "/f/abc/video-1.2.m4s?key=k1"

    async def test_directives_are_numbers_once_and_only_behind_playlists(self) -> None:
        origin = LowLatency()
        async with live(origin) as stage, stage.client() as guest:
            (video,) = SIGNED.findall((await guest.get("GET /f/abc/main.m3u8", IN)).body.decode())
            text = (await guest.get(f"GET {video}", IN)).body.decode()
            (hint,) = re.findall(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', text)
            before = len(origin.asked)
            for asked in (
                f"{video}?_HLS_msn=x", f"{video}?_HLS_msn=1&_HLS_msn=2", f"{video}?_hls_msn=1", f"{video}?_HLS_skip=NO",
                f"{video}?_HLS_msn=1&path=other", f"{video}?_HLS_part=-1", f"{hint}?_HLS_msn=1", f"{video}?_HLS_msn",
                f"{LIST}?_HLS_msn=1&_HLS_msn=1", f"{LIST}?_HLS_msn=1&_HLS_report=../x",
            ):  # fmt: skip
                assert (await guest.get(f"GET {asked}", IN)).status in (400, 403), asked
            assert len(origin.asked) == before

    async def test_a_held_one_ends_with_the_grant_or_the_guest(self) -> None:
        origin = LowLatency()
        async with live(origin) as stage, stage.client() as guest:
            (video,) = SIGNED.findall((await guest.get("GET /f/abc/main.m3u8", IN)).body.decode())
            async with stage.client() as other:
                await other.ask(f"GET {video}?_HLS_msn=1&_HLS_part=2", IN)
                await until(lambda: origin.held == 1)
            await until(lambda: origin.left == 1)
            await guest.ask(f"GET {video}?_HLS_msn=1&_HLS_part=2", IN)
            await until(lambda: origin.held == 1)
            stage.live.end()
            assert (await asyncio.wait_for(guest.reply(), 5)).status == 403
            await until(lambda: origin.left == 2)


class TestSilence:
    """Bodies without end: server-sent events and FLV over HTTP. No deadline counts their length."""

    @pytest.mark.parametrize("kind", ["text/event-stream", "video/x-flv"])
    async def test_a_body_that_is_silent_for_longer_than_every_deadline_but_the_idle_one_goes_on(
        self, kind: str
    ) -> None:
        short = timedelta(seconds=0.8)
        said: asyncio.Queue[bytes] = asyncio.Queue()

        async def script(call: Call) -> None:
            await call.say(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n")
            while piece := await said.get():
                await call.say(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await call.say("0\r\n\r\n")

        timeouts = Timeouts(connect=short, answer=short, idle=timedelta(seconds=30))
        key = 'upstream: {headers: {Authorization: "Bearer the-servers-own-key"}}\n'
        async with opened(script, upstream_part=key, timeouts=timeouts) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/live", IN)
            assert (await asyncio.wait_for(guest.head(), 5)).status == 200  # before it says anything
            await asyncio.sleep(1)
            for word in (b"data: one\n\n", b"data: two\n\n"):
                said.put_nowait(word)
                assert word in await asyncio.wait_for(guest.reader.readuntil(word), 5)
            said.put_nowait(b"")
            assert await asyncio.wait_for(guest.reader.readuntil(b"0\r\n\r\n"), 5)
            assert stage.last.detail == ""

    async def test_one_that_is_silent_for_longer_than_the_idle_deadline_is_broken_off(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
            await call.gone()

        async with opened(script, timeouts=RESTLESS) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/live", IN)
            await guest.head()
            await asyncio.wait_for(guest.reader.readuntil(b"one"), 5)
            rest = b""
            with suppress(ConnectionError):
                rest = await asyncio.wait_for(guest.reader.read(), 5)
            assert not rest.endswith(b"0\r\n\r\n"), "a clean end"
            assert stage.last.detail == "the server stopped sending"
