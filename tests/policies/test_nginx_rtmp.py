"""policies/nginx-rtmp.yaml against the real nginx with a real publisher, set up as docs/servers/nginx-rtmp.md says,
with its doors for statistics and control wide open beside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_waiting import fill
from tests.chromium import chromium
from tests.policies.live_servers import Rtmp, nginx_rtmp, publishing, spellings, stopped
from tests.policies.watching import plays, until, value
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter

ROOT = Path(__file__).parents[2]
PLAYLIST = "/hls/camA.m3u8"

# What nginx, asked directly, gives to everybody: another stream, all streams with their viewers' addresses, a dropped
# publisher.
LOOSE = [
    "GET /hls/camB.m3u8", "GET /hls/camA-b.m3u8", "GET /hls/x/../camB.m3u8", "GET /hls/camA.m3u8/../camB.m3u8",
    "GET /hls/x%2f..%2fcamB.m3u8", "GET /hls//camB.m3u8", "GET /hls/%63amB.m3u8", "GET /hls/", "GET /stat",
    "GET /hls/%2e%2e/stat", "GET /control/drop/publisher?app=live&name=nobody",
    "GET /hls/..%2fcontrol/drop/publisher?app=live&name=nobody",
]  # fmt: skip


def vectors() -> list[str | bytes]:
    doors = ("/stat", "/control/drop/publisher?app=live&name=camA", "/control/drop/client?app=live&name=camA")
    return [
        *LOOSE,
        *anywhere(PLAYLIST, "/hls/camB.m3u8"),
        *(f"{method} {door}" for method in ("GET", "POST", "HEAD") for door in doors),
        *(f"GET {spelt}" for door in doors for spelt in spellings(door)),
        "GET /hls/camB-0.ts", "GET /hls/camA-b-0.ts", "GET /hls/camA-%30x.ts", "GET /hls/camA-.ts",
        "GET /hls/camA.m3u8.bak",
        "GET /hls/camA/../camB-0.ts", "GET /hls/camA-0.ts/../camB-0.ts", "GET /hls/CAMA.m3u8", "GET /hls../nginx.conf",
        "GET /control/record/start?app=live&name=camA", "GET /control/redirect/client?app=live&name=camA&newname=camB",
        "GET /dash/camA.mpd", "GET /nested/camA/index.m3u8", "POST /hls/camC.m3u8", "PUT /hls/camA-0.ts",
    ]  # fmt: skip


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Rtmp]:
    async with nginx_rtmp(tmp_path / "server") as server:
        yield server


@pytest.fixture
async def stage(tmp_path: Path, server: Rtmp) -> AsyncIterator[Stage]:
    async with between(tmp_path, "nginx-rtmp", server.port) as stage:
        yield stage


async def test_one_stream_arrives_and_nothing_else_of_the_server(stage: Stage, server: Rtmp) -> None:
    at = stage.guest.port
    names = ("camA", "camB", "camA-b")
    async with (
        publishing(server.rtmp(names[0])),
        publishing(server.rtmp(names[1])) as other,
        publishing(server.rtmp(names[2])),
    ):
        for name in names:
            await server.live(f"/hls/{name}.m3u8")
        # An address that an owner may have copied says which stream is meant.
        cookie, answer = await enter(at, await stage.gateway.make_link(f"http://media.lan:8096{PLAYLIST}"))
        assert answer.headers["location"].startswith("/_gateway/watch/")
        playlist = await ask(at, f"GET {PLAYLIST}", cookie=cookie)
        assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
        assert "no-cache" in playlist.headers["cache-control"]
        (segment, *_) = [line for line in playlist.body.decode().splitlines() if line.endswith(".ts")]
        ours = await ask(at, f"GET /hls/{segment}", cookie=cookie)
        assert (ours.status, ours.headers["content-type"], ours.body[:1]) == (200, "video/mp2t", b"G")
        assert ours.body == (server.folder / "hls" / segment).read_bytes()
        part = await ask(at, f"GET /hls/{segment}", cookie=cookie, headers="Range: bytes=188-375\r\n")
        assert (part.status, part.body) == (206, ours.body[188:376])

        for request in LOOSE:
            assert (await ask(server.port, request)).status in (200, 204), request
        await stage.refuses(cookie, *vectors())
        await stage.refuses("", *vectors()[:20])
        await ignores_what_a_guest_says_of_itself(stage, cookie, PLAYLIST)
        # Whoever reaches nginx itself ends a publisher by looking at an address.
        await ask(server.port, "GET /control/drop/publisher?app=live&name=camB")
        await asyncio.wait_for(other.wait(), 30)

        # The link is turned off: at most two seconds later nothing arrives any more.
        link = (await stage.gateway.desk.list("tv"))[0]  # type: ignore[index]
        await stage.gateway.desk.disable(link.link.id)
        off = time.monotonic()
        while (await ask(at, f"GET {PLAYLIST}", cookie=cookie)).status == 200:
            assert time.monotonic() < off + 2
            await asyncio.sleep(0.05)
        await stage.refuses(cookie, f"GET {PLAYLIST}", f"GET /hls/{segment}")


async def test_nested_files_keys_and_qualities(tmp_path: Path, server: Rtmp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with publishing(server.rtmp("camA", "nested")), publishing(server.rtmp("camA_low", "variants")):
        await server.live("/nested/camA/index.m3u8")
        await server.live("/variants/camA_low.m3u8")
        monkeypatch.setenv("HLS_ROOT", "/nested")
        monkeypatch.setenv("HLS_INDEX", "/index.m3u8")
        (tmp_path / "nested").mkdir()
        async with between(tmp_path / "nested", "nginx-rtmp", server.port) as stage:
            cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("camA"))
            playlist = await ask(stage.guest.port, "GET /nested/camA/index.m3u8", cookie=cookie)
            key = playlist.body.decode().partition('URI="')[2].partition('"')[0]
            assert len((await ask(stage.guest.port, f"GET {key}", cookie=cookie)).body) == 16
            assert (await ask(stage.guest.port, "GET /nested/camA/0.ts", cookie=cookie)).status == 200
            await stage.refuses(cookie, "GET /nested/camB/0.key", "GET /nested/camA/", "GET /nested/camA")
        # What the document says of several qualities, put where it says.
        monkeypatch.setenv("HLS_ROOT", "/variants")
        monkeypatch.delenv("HLS_INDEX")
        said = (ROOT / "docs" / "servers" / "nginx-rtmp.md").read_text().partition("## Several qualities")[2]
        lines = [line for line in said.splitlines() if "variant" in line and line.startswith((" ", "  "))]
        pattern, *rules = [line.replace("/hls/", "/variants/") for line in lines]
        policy = (ROOT / "policies" / "nginx-rtmp.yaml").read_text()
        policy = policy.replace("patterns:\n", f"patterns:\n{pattern}\n").replace(
            "    allow:\n", "\n".join(["    allow:", *rules, ""]), 1
        )
        policy = policy.replace("    - GET ${HLS_ROOT:-/hls}/camA_low.m3u8\n", "")
        (tmp_path / "variants").mkdir()
        async with between(tmp_path / "variants", policy, server.port) as stage:
            cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("camA"))
            for file in ("camA.m3u8", "camA_low.m3u8", "camA_low-0.ts"):
                assert (await ask(stage.guest.port, f"GET /variants/{file}", cookie=cookie)).status == 200, file
            await stage.refuses(cookie, "GET /variants/camA_other.m3u8", "GET /variants/camB_low.m3u8")


@pytest.mark.browser
async def test_a_guest_joins_before_the_start_and_stays_through_a_break(stage: Stage, server: Rtmp) -> None:
    link = await stage.gateway.make_link("camA")
    async with chromium() as browser:
        page = await (await browser.new_context(locale="en-GB")).new_page()
        await page.goto(link)
        await expect(page.get_by_text("It hasn’t begun yet")).to_be_visible()
        await fill(page, "Ada")
        await expect(page.get_by_role("heading", name="Not yet")).to_be_visible()
        async with publishing(server.rtmp("camA")) as publisher:
            await page.wait_for_url("**/_gateway/watch/*", timeout=60_000)
            await plays(page, 2)
            await sees_the_live_edge(page)
            await stopped(publisher)
        # Nobody publishes: first the playlist stands still, then there is none.
        await expect(page.get_by_role("heading", name="It isn’t live right now")).to_be_visible(timeout=60_000)
        late = await (await browser.new_context(locale="en-GB")).new_page()
        await late.goto(link)
        await expect(late.get_by_text("It isn’t live right now")).to_be_visible()
        async with publishing(server.rtmp("camA")):
            await until_it_plays(page)
            # The owner ends it.
            view = await stage.gateway.link(link)
            await stage.gateway.desk.disable(view.link.id)
            await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=30_000)
    assert (await stage.gateway.link(link)).link.clicks_used == 1
    assert {line.split(" ")[1].partition("-")[0].partition(".")[0] for line in stage.server.asked} == {"/hls/camA"}


async def sees_the_live_edge(page: Page) -> None:
    """Back within what nginx keeps, and to the live edge again by the button."""
    button = page.get_by_role("button", name="Live")
    await expect(button).to_be_visible()
    await until(page, "v.seekable.length > 0 && v.seekable.end(0) - v.seekable.start(0) > 4")
    await page.evaluate(
        "document.querySelector('video').currentTime = document.querySelector('video').seekable.start(0)"
    )
    await until(page, "!v.seeking && v.seekable.end(0) - v.currentTime > 3")
    await button.click()
    await until(page, "!v.seeking && v.seekable.end(0) - v.currentTime < 5")
    assert await value(page, "v.duration === Infinity")


async def until_it_plays(page: Page) -> None:
    """From a page that waits."""
    async with asyncio.timeout(60):
        while not await page.evaluate("Boolean(document.querySelector('video')?.played.length)"):
            await page.evaluate(
                "v = document.querySelector('video'); v && (v.muted = true, void v.play().catch(() => {}))"
            )
            await asyncio.sleep(0.2)
