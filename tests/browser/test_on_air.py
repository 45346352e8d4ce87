"""The player page of a live item in a real Chromium, through the gateway, with ffmpeg on air behind it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from gateway.web.statics import Statics
from tests.browser.by_parts import POLICY, by_parts
from tests.browser.cinema import Seat
from tests.browser.on_air import on_air
from tests.running import running_gateway
from tests.system_parts import missing

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def libraries() -> None:
    if Statics.load().library("hls") is None:
        missing("the library for hls was not fetched")


async def test_the_servers_own_chat_stands_beside_the_picture_until_the_end(
    tmp_path: Path, context: BrowserContext
) -> None:
    async with on_air(tmp_path, context) as (seat, channel):
        page = seat.page
        chat = page.frame_locator("iframe[title=Chat]")
        await chat.get_by_label("Message").fill("hello")
        await page.keyboard.press("Enter")
        await expect(chat.locator("li")).to_have_text("heard hello")
        picture, beside = await page.locator(".player").bounding_box(), await page.locator("#chat").bounding_box()
        assert picture
        assert beside
        assert beside["x"] >= picture["x"] + picture["width"]
        assert abs(beside["y"] - picture["y"]) < 2

        # Its scripts reach the page around it, so a window from there must not stay theirs when a guest opens a link.
        frame = next(one for one in page.frames if one.parent_frame)
        assert await frame.evaluate("parent.document.title")
        assert await frame.evaluate("open('about:blank')") is None, "it opens none of its own"
        async with page.expect_popup() as opened:
            await page.evaluate("window.theirs = open('about:blank'); null")
        window = await opened.value
        await window.goto(await seat.running.make_link("two"))
        await window.locator("input[name=name]").wait_for()
        assert await page.evaluate("theirs.closed")
        await window.close()

        # What is typed there is no word to the player.
        await chat.get_by_label("Message").fill("m")
        await chat.get_by_label("Message").press("m")
        assert not await seat.video("v.muted")

        # What may not stand there, such as our own page about a server in trouble, can be asked for again.
        channel.status = 500
        await page.reload()
        await expect(page.get_by_text("Chat can’t be shown right now.")).to_be_visible()
        channel.status = 200
        await page.locator("#chat").get_by_role("button", name="Try again").press("Enter")
        await expect(chat.get_by_label("Message")).to_be_visible()
        await expect(page.get_by_text("Chat can’t be shown right now.")).to_be_hidden()

        talks = channel.talks
        toggle = page.get_by_role("button", name="Hide chat")
        await toggle.press("Enter")
        await expect(page.locator("#chat")).to_be_hidden()
        await page.reload()
        toggle = page.get_by_role("button", name="Show chat")
        await expect(toggle).to_have_attribute("aria-expanded", "false")
        assert await page.locator("iframe").get_attribute("src") is None
        assert channel.talks == talks, "hidden, it is not entered"
        await toggle.press("Enter")
        await expect(chat.get_by_role("button", name="Send")).to_be_visible()

        await page.set_viewport_size({"width": 390, "height": 844})
        picture, beside = await page.locator(".player").bounding_box(), await page.locator("#chat").bounding_box()
        assert picture
        assert beside
        assert beside["y"] >= picture["y"] + picture["height"]
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390

        await page.keyboard.press("Home")
        await page.locator(".big").click()
        await seat.plays()
        await seat.running.delete(seat.link)
        await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=20_000)
        assert await page.locator("iframe").count() == 0
        assert await page.get_by_role("button", name="chat").count() == 0


async def test_going_back_on_air_and_to_the_edge_again(tmp_path: Path, context: BrowserContext) -> None:
    async with on_air(tmp_path, context, on="") as (seat, _):
        page = seat.page
        badge, seek, time = page.locator(".live"), page.get_by_role("slider", name="Position"), page.locator(".time")
        assert await page.locator("iframe").count() == 0
        await page.locator(".big").click()
        await seat.plays(beyond=20)
        await expect(badge).to_have_class("live edge")
        await expect(badge).to_have_accessible_name("Live")
        await expect(time).to_have_text(re.compile(r"^\d secs? behind live$"))
        await expect(seek).to_be_enabled()
        await expect(page.get_by_role("button", name="Speed")).to_be_hidden()

        # With the bar or with keys, and it says how far behind one is.
        await seek.press("Home")
        await expect(badge).to_have_class("live")
        await expect(time).to_have_text(re.compile(r"^[23]\d secs behind live$"))
        assert re.fullmatch(r"[23]\d secs behind live", await seek.get_attribute("aria-valuetext") or "")
        await seat.plays()
        before = await seat.video("v.currentTime")
        await page.keyboard.press("Escape")
        await badge.focus()
        await page.keyboard.press("l")
        assert await seat.video("v.currentTime") > before + 8
        await page.keyboard.press("j")
        await page.keyboard.press("j")

        await expect(badge).to_have_accessible_name("Go to live")
        await badge.press("Enter")
        await expect(badge).to_have_class("live edge")
        await expect(page.locator(".unseen[role=status]")).to_have_text("Live")
        edge = await seat.video("v.currentTime")
        assert edge > before + 12
        await seat.plays(beyond=edge + 1)

        # It goes on while one pauses.
        await page.keyboard.press("k")
        await seat.until("v.paused")
        behind = await time.inner_text()
        await expect(time).not_to_have_text(behind)
        await badge.press("Enter")
        await seat.until("!v.paused")


async def test_a_stream_of_parts_is_close_to_what_happens_and_catches_up(
    tmp_path: Path, context: BrowserContext
) -> None:
    async with by_parts(tmp_path / "air") as (parts, port), running_gateway(tmp_path, POLICY, port) as running:
        seat = Seat(running, await context.new_page(), await running.make_link("one"))
        await seat.come()
        await seat.page.locator(".big").click()
        await expect(seat.page.locator(".time")).to_have_text(re.compile(r"^\d secs? behind live$"), timeout=20_000)
        await expect(seat.page.locator(".live")).to_have_class("live edge")
        await expect(seat.page.get_by_role("slider", name="Position")).to_be_hidden()  # ten seconds are no window
        await seat.plays()
        async with asyncio.timeout(20):
            while {part for _, part in parts.asked} != {0, 1} or "part" not in parts.loaded:
                await asyncio.sleep(0.1)
        await seat.video("v.currentTime -= 0.5")  # a stutter
        await seat.until("v.playbackRate > 1 && v.playbackRate <= 1.1")
