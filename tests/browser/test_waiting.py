"""Waiting in a real browser: for a link's start, for a seat, with a PIN; with scripts and without."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.test_guest_path import ITEM, gateway, playing, start
from tests.chromium import chromium
from tests.running import Running

pytestmark = pytest.mark.browser

__all__ = ["gateway"]  # the fixture


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


async def fill(page: Page, name: str, **more: str) -> None:
    for field, text in {"name": name, "email": "ada@example.org", **more}.items():
        await page.locator(f"input[name={field}]").fill(text)
    await page.locator("form button[type=submit]").last.click()


async def test_a_link_opens_by_itself_at_its_start(gateway: Running, browser: Browser) -> None:
    starts = time.time() + 8
    moment = datetime.fromtimestamp(starts, UTC).isoformat()
    link = await gateway.make_link(ITEM, starts_at=moment)
    context = await browser.new_context(timezone_id="America/New_York", locale="en-GB")
    page = await context.new_page()
    answer = await page.goto(link)
    assert answer is not None
    assert answer.status == 403
    shown = await page.locator("time.starts").text_content()
    there = datetime.fromtimestamp(starts).astimezone(ZoneInfo("America/New_York"))
    assert there.strftime("%H:%M") in (shown or "")
    await expect(page.locator(".countdown")).to_contain_text("00:00:0")
    await expect(page.locator("input[name=name]")).to_be_visible(timeout=30_000)
    assert time.time() >= starts - 0.1
    await fill(page, "Ada")
    await page.wait_for_url("**/_gateway/watch/*")


async def test_the_third_of_two_waits_and_enters(gateway: Running, browser: Browser) -> None:
    link = await gateway.make_link(ITEM, viewers=2, clicks=9, pin="2468")
    guests = [await (await browser.new_context(locale="en-GB")).new_page() for _ in range(3)]
    for number, page in enumerate(guests[:2]):
        await page.goto(link)
        await fill(page, f"Guest {number}", pin="2468")
        await page.wait_for_url("**/_gateway/watch/*")
    third = guests[2]
    answer = await third.goto(link)
    assert answer is not None
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    await expect(third.get_by_text("All places are taken just now")).to_be_visible()
    await fill(third, "Third", pin="2468")
    await expect(third.get_by_role("heading", name="All places are taken")).to_be_visible()
    assert "2468" not in await third.content()
    assert await third.locator("input[name=pin]").count() == 0
    await asyncio.sleep(7)  # it has asked meanwhile
    assert "/g/" in third.url
    await guests[0].goto(f"{gateway.url}/_gateway/leave")
    await guests[0].get_by_role("main").locator("form button").click()
    await third.wait_for_url("**/_gateway/watch/*", timeout=30_000)
    await start(third)
    await playing(third, 2)
    # The link is gone from the history of who came in by waiting, too.
    assert "/g/" not in str(await third.evaluate("navigation.entries().map(one => one.url).join()"))
    assert (await gateway.link(link)).link.clicks_used == 3


async def test_a_wrong_pin_comes_back_without_it_and_says_so(gateway: Running, browser: Browser) -> None:
    link = await gateway.make_link(ITEM, pin="2468")
    page = await (await browser.new_context(locale="en-GB")).new_page()
    await page.goto(link)
    await fill(page, "Ada", pin="1357")
    await expect(page.locator("#pin-error")).to_be_visible()
    assert await page.locator("input[name=name]").input_value() == "Ada"
    assert await page.locator("input[name=pin]").input_value() == ""
    assert "1357" not in await page.content()
    assert "1357" not in page.url
    await page.locator("input[name=pin]").fill("2468")
    await page.locator("form button[type=submit]").last.click()
    await page.wait_for_url("**/_gateway/watch/*")


async def test_without_scripts_the_pages_say_to_load_them_again(gateway: Running, browser: Browser) -> None:
    link = await gateway.make_link(ITEM, viewers=1)
    later = await gateway.make_link("nocturne", starts_at="2099-01-01T00:00:00Z")
    plain = await browser.new_context(java_script_enabled=False, locale="en-GB")
    page = await plain.new_page()
    await page.goto(later)
    await expect(page.get_by_text("Please load this page again at that time.")).to_be_visible()
    await expect(page.get_by_text("1 January 2099")).to_be_visible()
    inside = await (await browser.new_context(locale="en-GB")).new_page()
    await inside.goto(link)
    await fill(inside, "Inside")
    await inside.wait_for_url("**/_gateway/watch/*")
    await page.goto(link)
    await fill(page, "Waits")
    await expect(page.get_by_text("Please load this page again in a moment.")).to_be_visible()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="All places are taken")).to_be_visible()
    await inside.goto(f"{gateway.url}/_gateway/leave")
    await inside.get_by_role("main").locator("form button").click()
    await expect(inside.get_by_role("main").locator("form")).to_have_count(0)
    await page.get_by_role("button", name="Try again").click()
    await page.wait_for_url("**/_gateway/watch/*")


async def test_a_start_put_off_while_somebody_types_shows_the_form_then_and_sends_nothing_again(
    gateway: Running, browser: Browser
) -> None:
    link = await gateway.make_link(ITEM, clicks=9)
    page = await (await browser.new_context(locale="en-GB")).new_page()
    await page.goto(link)
    moment = datetime.fromtimestamp(time.time() + 8, UTC).isoformat()
    await gateway.desk.edit((await gateway.link(link)).link.id, {"starts_at": moment})
    await fill(page, "Ada")
    await expect(page.locator(".countdown")).to_contain_text("00:00:0")
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method) if request.is_navigation_request() else None)
    await expect(page.locator("input[name=name]")).to_be_visible(timeout=30_000)
    assert set(methods) == {"GET"}
    await fill(page, "Ada")
    await page.wait_for_url("**/_gateway/watch/*")


async def test_a_countdown_is_right_after_the_computer_has_slept(gateway: Running, browser: Browser) -> None:
    starts = time.time() + 3_600
    link = await gateway.make_link(ITEM, starts_at=datetime.fromtimestamp(starts, UTC).isoformat())
    page = await (await browser.new_context(locale="en-GB")).new_page()
    await page.goto(link)
    await expect(page.locator(".countdown")).to_contain_text("00:59:")
    # As with a clock that stood still meanwhile: the one of the day has gone on.
    await page.evaluate("const now = Date.now; Date.now = () => now() + 1800e3")
    await expect(page.locator(".countdown")).to_contain_text("00:29:")
