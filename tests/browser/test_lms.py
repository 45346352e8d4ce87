"""A guest link inside an LMS, in a real Chromium: of two sites, the LMS frames what the gateway serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Frame, Page, expect

from tests.browser.lms import LMS, Course, course, fill_in, framed, guests_browser
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
