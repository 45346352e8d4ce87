"""A guest link inside an LMS, in a real Chromium: of two sites, the LMS frames what the gateway serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Frame, Page, expect

from tests.browser.lms import LMS, SISTER, Course, course, fill_in, framed, guests_browser, shown
from tests.nginx import folder, nginx

pytestmark = pytest.mark.browser

ITEM = "aurora"
CLIP = Path(__file__).parents[2] / "gateway" / "demo" / "clip"


@pytest.fixture
async def cinema(tmp_path: Path) -> AsyncIterator[Course]:
    async with (
        nginx(tmp_path / "nginx", folder(CLIP, "/hls")) as upstream,
        course(tmp_path, "hls", upstream) as running,
    ):
        yield running


async def lesson(page: Page, course: Course, link: str, host: str = LMS) -> Frame:
    """The LMS's page with the link in its frame."""
    course.site.frame("/course", link)
    await page.goto(f"{course.site.origin(host)}/course")
    return framed(page)


async def admitted(page: Page) -> Frame:
    """The frame, once the player stands in it."""
    await expect(page.frame_locator("iframe").locator("#player.ready")).to_be_attached(timeout=30_000)
    return framed(page)


async def video(frame: Frame, expression: str) -> object:
    """The value of an expression in which `v` is the frame's video."""
    return await frame.evaluate(f"(async v => {expression})(document.querySelector('video'))")


async def playing(frame: Frame, beyond: float) -> None:
    """Wait until the film is further than this and frames have been decoded."""
    decoded = "v.getVideoPlaybackQuality().totalVideoFrames > 10"
    async with asyncio.timeout(60):
        while not await video(frame, f"v.currentTime > {beyond} && {decoded}"):
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("cookies", ["as usual", "no third party's"])
async def test_a_guest_comes_in_watches_and_leaves_in_the_frame(cinema: Course, tmp_path: Path, cookies: str) -> None:
    link = await cinema.link(ITEM, clicks=1)
    async with guests_browser(tmp_path / "browser", cookies=cookies) as browser:
        page = await browser.new_page()
        await fill_in(await lesson(page, cinema, link))
        frame = await admitted(page)
        await video(frame, "(v.muted = true, v.play())")
        await playing(frame, 1)
        await video(frame, "v.currentTime = 12")
        await playing(frame, 13)

        # Later, in the same LMS: straight to the media, without a click.
        again = await lesson(page, cinema, link)
        assert again.url.startswith(f"{cinema.url}/_gateway/watch/")
        frame = await admitted(page)
        async with page.expect_event("framenavigated"):
            await frame.get_by_role("button", name="Leave").click()
        await expect(page.frame_locator("iframe").get_by_role("heading", name="You have left")).to_be_visible()
        assert await cinema.clicks(link) == 1
        assert [cookie["name"] for cookie in await browser.cookies()] == ["__Host-Http-gateway-form-framed"]
        assert (await lesson(page, cinema, link)).url == link
        # The link goes to nobody: the LMS's server hears of its own page alone.
        assert not [asked for asked in cinema.site.asked if link.rpartition("/")[2] in asked]


async def test_the_control_such_a_browser_keeps_no_other_cookies_in_frames(cinema: Course, tmp_path: Path) -> None:
    """So the walk above shows what `Partitioned` does."""
    site = cinema.site
    site.frame("/course", f"{site.origin(SISTER)}/inside")
    site.pages["/inside"] = "<h1>inside</h1>"
    site.cookies["/inside"] = ["plain=1; Secure; SameSite=None", "apart=1; Secure; SameSite=None; Partitioned; Path=/"]
    async with guests_browser(tmp_path / "browser", cookies="no third party's") as browser:
        page = await browser.new_page()
        await page.goto(f"{site.origin(LMS)}/course")
        assert [cookie["name"] for cookie in await browser.cookies()] == ["apart"]


async def test_an_lms_of_the_same_site_shares_the_guest_with_tabs(cinema: Course, tmp_path: Path) -> None:
    """Both kinds of cookies are sent there, in frames and in tabs."""
    link = await cinema.link(ITEM, clicks=1)
    async with guests_browser(tmp_path / "browser") as browser:
        page = await browser.new_page()
        await fill_in(await lesson(page, cinema, link, SISTER))
        await admitted(page)
        tab = await browser.new_page()
        await tab.goto(link)
        assert tab.url.startswith(f"{cinema.url}/_gateway/watch/")
        assert (await lesson(page, cinema, link, SISTER)).url.startswith(f"{cinema.url}/_gateway/watch/")
        await tab.get_by_role("button", name="Leave").click()
        await expect(tab.get_by_role("heading", name="You have left")).to_be_visible()
        assert not [cookie for cookie in await browser.cookies() if cookie["name"].startswith("__Host-gateway")]
        assert await cinema.clicks(link) == 1


async def test_a_tab_of_its_own_has_the_stricter_cookie_and_other_frames_another_guest(
    cinema: Course, tmp_path: Path
) -> None:
    link = await cinema.link(ITEM)
    async with guests_browser(tmp_path / "browser") as browser:
        tab = await browser.new_page()
        await tab.goto(link)
        await fill_in(tab.main_frame)
        await tab.wait_for_url("**/_gateway/watch/*")
        (session,) = [cookie for cookie in await browser.cookies() if cookie["name"] == "__Host-gateway"]
        assert session["sameSite"] == "Lax"
        assert not session.get("partitionKey")
        assert (await lesson(await browser.new_page(), cinema, link)).url == link
        assert await cinema.clicks(link) == 1


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without"])
async def test_where_the_browser_keeps_no_cookie_the_page_offers_a_tab_of_its_own(
    cinema: Course, tmp_path: Path, javascript: bool
) -> None:
    link = await cinema.link(ITEM, clicks=1)
    async with guests_browser(tmp_path / "browser", cookies="none in frames", javascript=javascript) as browser:
        page = await browser.new_page()
        await fill_in(await lesson(page, cinema, link))
        inside = page.frame_locator("iframe")
        await expect(inside.get_by_role("heading", name="Cookies are needed")).to_be_visible()
        assert await cinema.clicks(link) == 0
        # Nothing goes on by itself, and "try again" is the form again.
        await inside.get_by_role("link", name="Try again").click()
        await fill_in(framed(page))
        await expect(inside.get_by_role("heading", name="Cookies are needed")).to_be_visible()
        async with browser.expect_page() as opened:
            await inside.get_by_role("link", name="Open in a new tab").click()
        tab = await opened.value
        await tab.wait_for_url(link)
        await fill_in(tab.main_frame)
        await tab.wait_for_url("**/_gateway/watch/*")
        assert await cinema.clicks(link) == 1
        if javascript:
            assert await tab.evaluate("opener") is None
            assert await tab.evaluate("document.referrer") == ""


async def test_the_form_in_a_frame_offers_a_tab_and_remembers_nobody(cinema: Course, tmp_path: Path) -> None:
    link = await cinema.link(ITEM)
    async with guests_browser(tmp_path / "browser") as browser:
        page = await browser.new_page()
        frame = await lesson(page, cinema, link)
        assert await frame.locator("#remember").count() == 0
        async with browser.expect_page() as opened:
            await frame.get_by_role("link", name="Open in a new tab").click()
        tab = await opened.value
        await tab.wait_for_url(link)
        assert await tab.locator("#remember").count() == 1
        assert await tab.get_by_role("link", name="Open in a new tab").count() == 0


async def test_a_language_chosen_in_the_frame_stays_in_the_frame(cinema: Course, tmp_path: Path) -> None:
    link = await cinema.link(ITEM)
    async with guests_browser(tmp_path / "browser", cookies="no third party's") as browser:
        page = await browser.new_page()
        await (await lesson(page, cinema, link)).goto(f"{link}?language=de")
        await expect(page.frame_locator("iframe").locator("html")).to_have_attribute("lang", "de")
        assert await (await lesson(page, cinema, link)).locator("html").get_attribute("lang") == "de"
        tab = await browser.new_page()
        await tab.goto(link)
        assert await tab.locator("html").get_attribute("lang") == "en"


async def test_full_screen_is_there_where_the_lms_allows_it(cinema: Course, tmp_path: Path) -> None:
    link = await cinema.link(ITEM)
    async with guests_browser(tmp_path / "browser") as browser:
        page = await browser.new_page()
        await fill_in(await lesson(page, cinema, link))
        frame = await admitted(page)
        await frame.locator(".player").hover()
        await frame.get_by_role("button", name="Full screen").click()
        await expect(frame.get_by_role("button", name="Leave full screen")).to_be_attached()
        cinema.site.frame("/course", link, "")
        await page.goto(f"{cinema.site.origin(LMS)}/course")
        frame = await admitted(page)
        assert await frame.evaluate("document.fullscreenEnabled") is False
        assert await frame.get_by_role("button", name="Full screen").count() == 0


async def test_an_isolated_lms_shows_it_in_a_frame_without_credentials(cinema: Course, tmp_path: Path) -> None:
    link = await cinema.link(ITEM)
    cinema.site.heads["/course"] = {"Cross-Origin-Embedder-Policy": "require-corp"}
    async with guests_browser(tmp_path / "browser") as browser:
        page = await browser.new_page()
        await lesson(page, cinema, link)
        assert await shown(page) == "chrome-error://chromewebdata/"
        cinema.site.frame("/course", link, "credentialless")
        await page.goto(f"{cinema.site.origin(LMS)}/course")
        await fill_in(framed(page))
        frame = await admitted(page)
        await video(frame, "(v.muted = true, v.play())")
        await playing(frame, 1)


async def test_a_link_that_starts_later_opens_by_itself_in_the_frame(cinema: Course, tmp_path: Path) -> None:
    link = await cinema.link(ITEM, starts_at=(datetime.now(UTC) + timedelta(seconds=8)).isoformat())
    async with guests_browser(tmp_path / "browser") as browser:
        page = await browser.new_page()
        frame = await lesson(page, cinema, link)
        await expect(frame.locator(".waiting .countdown")).to_be_visible()
        await expect(frame.locator("input[name=email]")).to_be_visible(timeout=60_000)
        await fill_in(frame)
        await admitted(page)


async def test_who_waits_for_a_place_in_the_frame_comes_in_with_the_pin_shown_once(
    cinema: Course, tmp_path: Path
) -> None:
    link = await cinema.link(ITEM, viewers=1, pin="2468")
    async with guests_browser(tmp_path / "browser") as browser:
        inside = await browser.new_page()
        await inside.goto(link)
        await inside.locator("input[name=pin]").fill("2468")
        await fill_in(inside.main_frame)
        await inside.wait_for_url("**/_gateway/watch/*")
        page = await browser.new_page()
        frame = await lesson(page, cinema, link)
        await frame.locator("input[name=pin]").fill("2468")
        await fill_in(frame)
        await expect(page.frame_locator("iframe").get_by_role("heading", name="All places are taken")).to_be_visible()
        await inside.goto(f"{cinema.url}/_gateway/leave")
        await inside.get_by_role("main").locator("form button").click()
        await admitted(page)
