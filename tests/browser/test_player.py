"""The player page plays DASH, WebM and sound in a real Chromium through the gateway, with everything on its bar."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from gateway.web.statics import LIBRARIES, Statics
from tests.browser.cinema import ON, seated
from tests.media import Media
from tests.system_parts import missing

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def libraries() -> None:
    for sort in LIBRARIES:
        if Statics.load().library(sort) is None:
            missing(f"the library for {sort} was not fetched")


@pytest.mark.parametrize("kind", ["dash", "dash_times", "hls"])
async def test_a_stream_of_qualities_sounds_and_captions(
    tmp_path: Path, media: Media, context: BrowserContext, kind: str
) -> None:
    item = getattr(media, kind)().name
    async with seated(tmp_path, media, context, item, "hls" if kind == "hls" else "dash") as seat:
        page = seat.page
        await page.get_by_role("button", name="Play").first.click()
        await seat.plays()
        assert (await seat.video("v.currentSrc")).startswith("blob:")
        await seat.hears("en")
        assert (await seat.choices("Quality"))[1:] == ["180p", "90p"]
        assert await seat.choices("Sound track") == ["English", "German" if kind != "hls" else "Deutsch"]
        assert len(await seat.choices("Captions")) == 3

        await seat.choose("Sound track", "German" if kind != "hls" else "Deutsch")
        await seat.hears("de")
        await seat.choose("Quality", "90p")
        await page.keyboard.press("j")
        await seat.until("v.videoHeight === 90")
        await seat.choose("Quality", "180p")
        await seat.until("v.videoHeight === 180")
        await seat.hears("de")  # another quality is no other sound

        await page.keyboard.press("c")
        await seat.until("[...v.textTracks].some(t => t.mode === 'showing' && t.cues?.length > 5)")
        await seat.video("v.currentTime = 9")
        shown = "[...v.textTracks].find(t => t.mode === 'showing').activeCues[0]?.text"
        await seat.until(f"v.currentTime > 9.2 && {shown}.endsWith(Math.floor(v.currentTime))")
        await seat.until("v.ended")


async def test_speed_by_menu_and_by_key(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.webm().name, "film") as seat:
        await seat.page.keyboard.press("k")
        await seat.plays()
        assert (await seat.video("v.currentSrc")).endswith("/media/webm/film.webm")
        await seat.choose("Speed", "2×")
        assert await seat.video("v.playbackRate") == 2
        await seat.page.keyboard.press("<")
        assert await seat.video("v.playbackRate") == 1.75
        assert await seat.page.locator(".unseen[role=status]").inner_text() == "1.75×"
        for _ in range(9):
            await seat.page.keyboard.press("<")
        assert await seat.video("v.playbackRate") == 0.5
        assert len(await seat.choices("Speed")) == 7


async def test_the_picture_may_leave_the_page(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.webm().name, "film") as seat:
        await seat.page.keyboard.press("k")
        await seat.plays()
        await seat.page.get_by_role("button", name="Picture in picture").click()
        await seat.until("document.pictureInPictureElement === v")
        await seat.page.get_by_role("button", name="Leave picture in picture").wait_for()
        await seat.page.keyboard.press("p")
        await seat.until("document.pictureInPictureElement === null")


@pytest.mark.parametrize("kind", ["audio", "ogg"])
async def test_sound_has_a_look_of_its_own(tmp_path: Path, media: Media, context: BrowserContext, kind: str) -> None:
    async with seated(tmp_path, media, context, media.audio().name, kind) as seat:
        page = seat.page
        await page.keyboard.press("k")
        await seat.plays()
        await seat.hears("en")
        await page.get_by_role("region", name="Audio player").wait_for()
        pictures = page.locator(".cover img")
        assert await pictures.count() == (1 if kind == "audio" else 0)
        assert await page.get_by_role("button", name="Picture in picture").count() == 0
        assert await page.evaluate("navigator.mediaSession.metadata.artwork.length") == 0
        assert await page.evaluate("navigator.mediaSession.metadata.title") == await page.locator("h1").inner_text()


async def test_it_goes_on_where_the_guest_was(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.dash().name, "dash") as seat:
        page = seat.page
        await page.keyboard.press("k")
        await seat.plays()
        await seat.video("v.currentTime = 7")
        await seat.until("v.currentTime >= 7 && !v.seeking")
        await page.keyboard.press("k")
        await seat.until("v.paused")

        await page.reload()
        await page.get_by_text("You were at 0:07").wait_for()
        await seat.until("v.currentTime >= 6.9")
        await page.keyboard.press("k")
        await seat.plays(beyond=7)
        await page.keyboard.press("k")

        await page.reload()
        await page.get_by_role("button", name="Start over").click()
        await seat.until("v.currentTime < 1")
        assert await page.locator(".resumed").count() == 0
        kept = await page.evaluate("localStorage.getItem('gateway.positions')")
        assert "dash" not in kept
        assert "media" not in kept

        # Another item begins at its own start.
        seat.link = await seat.running.make_link(media.webm().name, kind="film")
        await seat.come()
        assert await page.locator(".resumed").count() == 0

        # Whatever stands in its place, the page works.
        for nonsense in ('"x"', "[[1, 2], null]", "{", '[["a", "b", "c"]]'):
            await page.evaluate("text => localStorage.setItem('gateway.positions', text)", nonsense)
            await page.reload()
            await page.locator(".player.ready").wait_for()
            assert await page.locator(".resumed").count() == 0


async def test_who_leaves_leaves_no_position(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.webm().name, "film") as seat:
        page = seat.page
        await page.keyboard.press("k")
        await seat.plays()
        await seat.video("v.currentTime = 7")
        await seat.until("v.currentTime >= 7 && !v.seeking")
        await page.keyboard.press("k")
        await seat.until("localStorage.getItem('gateway.positions') !== null")
        await page.get_by_role("button", name="Leave").click()
        await page.wait_for_url("**/_gateway/leave")
        await seat.until("localStorage.getItem('gateway.positions') === null")

        # Not their device: what somebody left there goes, and nothing new comes.
        await page.evaluate("localStorage.setItem('gateway.positions', '[[\"a\", 8, 9999999999]]')")
        await seat.come(shared=True)
        await page.keyboard.press("k")
        await seat.plays()
        await seat.video("v.currentTime = 7")
        await seat.until("v.currentTime >= 7 && !v.seeking")
        await page.keyboard.press("k")
        await page.reload()
        await page.locator(".player.ready").wait_for()
        assert await page.evaluate("localStorage.getItem('gateway.positions')") is None
        assert await page.locator(".resumed").count() == 0


async def test_a_download_is_shown_only_where_it_is_on(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    (tmp_path / "on").mkdir()
    item = media.webm().name
    async with seated(tmp_path, media, context, item, "film") as seat:
        assert await seat.page.get_by_role("link", name="Download").count() == 0
    await context.clear_cookies()
    async with seated(tmp_path / "on", media, context, item, "film", more=ON) as seat:
        async with seat.page.expect_download() as told:
            await seat.page.get_by_role("link", name="Download").click()
        download = await told.value
        assert download.suggested_filename == "film.webm"
        assert (await download.path()).read_bytes() == (media.webm() / "film.webm").read_bytes()


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_everything_fits_a_small_phone(
    tmp_path: Path, media: Media, context: BrowserContext, language: str
) -> None:
    async with seated(tmp_path, media, context, media.dash().name, "dash", more=ON) as seat:
        page = seat.page
        path = page.url.removeprefix(seat.running.url)
        await page.goto(f"{seat.running.url}/_gateway/language?language={language}&to={path}")
        for width in (320, 390, 600):
            await page.set_viewport_size({"width": width, "height": 700})
            await page.goto(seat.running.url + path)
            await seat.until("document.querySelectorAll('.menu:not([hidden])').length === 4")
            assert await page.evaluate(COVERED) == 0
            assert await page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            buttons = page.locator(".menu:not([hidden]) > .tool")
            for number in range(4):
                await buttons.nth(number).click()
                assert await page.evaluate(OUTSIDE) == []
                await page.keyboard.press("Escape")


# How many points of the large button, its middle and four near its rim, would be taps on something else.
COVERED = """() => {
    const big = document.querySelector('button.big');
    const box = big.getBoundingClientRect();
    const places = [[0.5, 0.5], [0.5, 0.1], [0.5, 0.9], [0.1, 0.5], [0.9, 0.5]];
    const hit = ([x, y]) => document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
    return places.filter(place => !big.contains(hit(place))).length;
}"""

# What of the bar lies outside the player: its buttons and lists are to be seen, whole.
OUTSIDE = """() => {
    const room = document.querySelector('.player').getBoundingClientRect();
    const parts = [...document.querySelectorAll('.bar .tool, .choices')].filter(part => part.getClientRects().length);
    const out = part => {
        const box = part.getBoundingClientRect();
        return box.left < room.left || box.right > room.right || box.top < room.top || box.bottom > room.bottom;
    };
    return parts.filter(out).map(part => part.outerHTML.slice(0, 80));
}"""
