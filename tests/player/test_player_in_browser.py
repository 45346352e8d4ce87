"""The player's scripts in a real Chromium, on the demo's clip: it plays, and says what is wrong in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from gateway.reasons import Reason
from gateway.web.pages import CHAT_POLICY, PLAYER_POLICY
from gateway.web.refuse import refuse
from gateway.web.static_door import StaticDoor
from tests.chromium import chromium
from tests.system_parts import missing

pytestmark = pytest.mark.browser

CLIP = Path(__file__).parents[2] / "gateway" / "demo" / "clip" / "aurora"
TYPES = {".m3u8": "application/vnd.apple.mpegurl", ".vtt": "text/vtt", ".jpg": "image/jpeg"}
MASTER = "/hls/aurora/master.m3u8"
FROZEN = "/hls/aurora/frozen.m3u8"  # live, and nothing new in it


class Cinema:
    """Serves the player page and the clip. `status` other than 200 is what media requests get."""

    def __init__(self, stage) -> None:
        self.stage = stage
        self.status = 200
        self.player = SimpleNamespace(src=MASTER, poster="/hls/aurora/poster.jpg", file=None, as_="hls")
        self.libraries = True
        self.chat: str | None = None
        self.captions = True
        stage.door = self.answer

    async def answer(self, visit) -> web.StreamResponse:
        path = visit.target.path
        if path.startswith("/_gateway/static/"):
            return await StaticDoor().static(visit)
        if path == "/watch":
            return self.page(visit)
        if path == "/chat":
            return web.Response(text="<p>words", content_type="text/html")
        if path == "/_gateway/back":
            return (
                refuse(visit, Reason.NO_SESSION)
                if self.status == 403
                else web.Response(status=303, headers={"Location": "/"})
            )
        if self.status == 403:
            return refuse(visit, Reason.GRANT_ENDED)
        if path == FROZEN:
            pieces = "".join(f"#EXTINF:2,\nv1/seg-{number}.m4s\n" for number in range(4))
            head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n"
            text = f'{head}#EXT-X-MAP:URI="v1/init.mp4"\n{pieces}'
            return web.Response(text=text, content_type=TYPES[".m3u8"])
        file = CLIP / path.removeprefix("/hls/aurora/")
        if self.status != 200 or not path.startswith("/hls/aurora/") or not file.is_file():
            return web.Response(status=404 if self.status == 200 else self.status)
        return web.Response(body=file.read_bytes(), content_type=TYPES.get(file.suffix, "video/mp4"))

    def page(self, visit) -> web.Response:
        pages = self.stage.pages
        library = pages.statics.library(self.player.as_)
        return pages.respond(
            visit.request,
            "watch.html",
            policy={**PLAYER_POLICY, **CHAT_POLICY},
            title="Aurora",
            grant="A" * 28,
            player=self.player,
            words=pages.locale(visit.request).below("player"),
            library=pages.static(library) if self.libraries and library else None,
            sound=False,
            item="aurora",
            download=None,
            chat=self.chat,
            captions=self.captions,
            begins=False,
            cast=None,
            cast_lasts=None,
        )


@pytest.fixture
def cinema(stage) -> Cinema:
    return Cinema(stage)


@pytest.fixture
async def page(cinema, tmp_path) -> AsyncIterator[Page]:
    async with chromium() as running:
        context = await running.new_context(base_url=f"http://127.0.0.1:{cinema.stage.port}")
        page = await context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        assert faults == []


def need_library(cinema: Cinema, sort: str = "hls") -> None:
    if sort in ("hls", "dash") and cinema.stage.pages.statics.library(sort) is None:
        missing(f"the library for {sort} was not fetched")


async def video(page: Page, expression: str):
    return await page.evaluate(f"(v => {expression})(document.querySelector('video'))")


async def until(page: Page, expression: str) -> None:
    """Wait for something to be true of the video. Asked from outside: the page's policy forbids eval."""
    async with asyncio.timeout(15):
        while not await video(page, expression):
            await asyncio.sleep(0.1)


async def plays(page: Page) -> None:
    await until(page, "v.currentTime > 1 && v.getVideoPlaybackQuality().totalVideoFrames > 10")


async def test_it_plays_with_hls_js_and_obeys_the_keyboard(cinema, page):
    need_library(cinema)
    await page.goto("/watch")
    await page.get_by_role("button", name="Play").first.click()
    await plays(page)
    assert (await video(page, "v.currentSrc")).startswith("blob:")
    await page.keyboard.press("k")
    assert await video(page, "v.paused")
    before = await video(page, "v.currentTime")
    await page.keyboard.press("l")
    assert await video(page, "v.currentTime") > before + 5
    await page.keyboard.press("m")
    assert await video(page, "v.muted")
    await page.keyboard.press("c")
    assert await video(page, "[...v.textTracks].map(t => t.mode)") == ["showing", "disabled"]
    await until(page, "v.textTracks[0].cues?.length > 0")


async def test_menus_work_by_keyboard_and_name_what_there_is(cinema, page):
    need_library(cinema)
    await page.goto("/watch")
    await page.get_by_role("button", name="Quality").press("Enter")
    choices = page.get_by_role("menuitemradio")
    assert [text.split(" ")[0] for text in await choices.all_inner_texts()] == ["Automatic", "360p", "180p"]
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Quality").press("Enter")
    assert await choices.nth(1).get_attribute("aria-checked") == "true"
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement.title") == "Quality"
    await page.get_by_role("button", name="Captions").press("Enter")
    assert await choices.all_inner_texts() == ["Captions off", "English", "Deutsch"]


async def test_without_hls_js_the_browser_plays_by_itself(cinema, page):
    cinema.libraries = False
    await page.goto("/watch")
    if not await video(page, "v.canPlayType('application/vnd.apple.mpegurl')"):
        assert "can’t play" in await page.get_by_role("alert").inner_text()
        return
    await page.keyboard.press("k")
    await plays(page)
    assert (await video(page, "v.currentSrc")).endswith(MASTER)


async def test_a_stream_that_cannot_be_played_gives_way_to_the_file(cinema, page, tmp_path):
    cinema.player = SimpleNamespace(
        src="/hls/aurora/poster.jpg", poster=None, file="/hls/aurora/v0/init.mp4", as_="hls"
    )
    await page.goto("/watch")
    await until(page, "v.src.endsWith('/v0/init.mp4')")


@pytest.mark.parametrize(
    ("status", "words", "again"),
    [
        (403, "Your access has ended", False),
        (404, "no longer available", False),
        (503, "can’t be reached right now", True),
    ],
)
@pytest.mark.parametrize("sort", ["hls", "dash", "file", "whep"])
async def test_what_went_wrong_is_said_in_words(cinema, page, status, words, again, sort):
    need_library(cinema, sort)
    cinema.status = status
    cinema.player = SimpleNamespace(src=MASTER, poster=None, file=None, as_=sort)
    await page.goto("/watch")
    alert = page.get_by_role("alert")
    await alert.wait_for(timeout=20_000)
    assert words in await alert.inner_text()
    assert await alert.get_by_role("button", name="Try again").count() == int(again)


async def test_access_that_ends_while_watching_stops_with_words(cinema, page):
    need_library(cinema)
    await page.goto("/watch")
    await page.keyboard.press("k")
    await plays(page)
    cinema.status = 403
    await page.get_by_role("button", name="Quality").click()
    # Not loaded yet in this quality, so it has to be asked for.
    await page.get_by_role("menuitemradio").last.click()
    alert = page.get_by_role("alert")
    await alert.wait_for(timeout=20_000)
    assert "Your access has ended" in await alert.inner_text()
    assert await video(page, "v.paused")


async def test_trying_again_goes_on(cinema, page):
    cinema.status = 503
    await page.goto("/watch")
    await page.get_by_role("alert").wait_for(timeout=20_000)
    cinema.status = 200
    await page.get_by_role("button", name="Try again").click()
    await plays(page)
    assert await page.get_by_role("alert").count() == 0


async def test_right_to_left_pages_fit_a_phone(cinema, page):
    pages = cinema.stage.pages
    hebrew = pages.catalogues.locales["he"]
    cinema.stage.pages = replace(pages, catalogues=replace(pages.catalogues, locales={"he": hebrew}))
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto("/watch")
    await page.locator(".bar").wait_for()
    assert await page.evaluate("document.documentElement.dir") == "rtl"
    assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_captions_that_are_off_are_not_offered_nor_asked_for(cinema, page):
    need_library(cinema)
    cinema.captions = False
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/watch")
    await page.get_by_role("button", name="Play").first.click()
    await plays(page)
    await page.keyboard.press("c")
    assert await video(page, "v.textTracks.length > 0 && [...v.textTracks].every(t => t.mode === 'disabled')")
    await expect(page.get_by_role("button", name="Captions")).to_be_hidden()
    assert not [url for url in asked if "vtt" in url or "subs" in url]


async def test_a_chat_goes_when_access_ends_while_nothing_plays(cinema, page):
    need_library(cinema)
    cinema.chat = "/chat"
    await page.clock.install()
    await page.goto("/watch")
    await expect(page.frame_locator("iframe").get_by_text("words")).to_be_visible()
    async with page.expect_response("**/_gateway/back"):
        await page.clock.fast_forward(25_000)
    assert await page.locator("iframe").count() == 1
    cinema.status = 403
    await page.clock.fast_forward(25_000)
    await expect(page.get_by_role("alert")).to_contain_text("Your access has ended")
    assert await page.locator("iframe").count() == 0


async def test_a_live_playlist_that_tells_of_nothing_new_is_a_stream_that_stopped(cinema, page):
    """Some servers give out the last one for as long as somebody asks: no error, and no picture."""
    need_library(cinema)
    cinema.player.src = FROZEN
    await page.clock.install()
    await page.goto("/watch")
    await page.keyboard.press("k")
    await until(page, "v.currentTime > 0 && v.readyState >= 2")
    assert await page.get_by_role("alert").count() == 0
    await page.clock.fast_forward(16_000)
    await expect(page.get_by_role("alert")).to_contain_text("It isn’t live right now", timeout=20_000)
    assert await video(page, "v.paused")
