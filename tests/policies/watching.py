"""Guests in a real Chromium, at whatever page plays the item: they come in, play, seek, and one is removed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from playwright.async_api import Browser, Error, Page

from gateway.access.issue import IssueRefused
from tests.browser.test_guest_path import enter
from tests.policies.wire import Stage

MEDIA = "document.querySelector('video, audio')"


async def value(page: Page, expression: str) -> object:
    """The value of an expression in which `v` is what plays."""
    return await page.evaluate(f"(v => {expression})({MEDIA})")


async def until(page: Page, expression: str) -> None:
    """Asked from outside: pages forbid eval, which `wait_for_function` needs."""
    async with asyncio.timeout(45):
        while not await value(page, expression):
            await asyncio.sleep(0.1)


async def watch(page: Page, link: str) -> None:
    """Come in by a link and play for a second."""
    await enter(page, link)
    await page.locator("video, audio").first.wait_for(state="attached", timeout=45_000)
    await plays(page)


async def plays(page: Page, beyond: float = 1) -> None:
    """Play until so many seconds are behind. Asked again and again: what loads anew stops."""
    go = "v.muted = true, v.paused && !v.ended && void v.play().catch(() => {})"
    await until(page, f"({go}, !v.seeking && v.currentTime > {beyond})")


async def comes_in(page: Page) -> None:
    """From the page that waits, whose clock (`page.clock.install()`) is hurried, to the gateway's player page."""
    async with asyncio.timeout(60):
        while "/_gateway/watch/" not in page.url:
            with suppress(Error):  # it is just leaving
                await page.clock.fast_forward(6_000)
            await asyncio.sleep(0.3)


async def seek(page: Page, to: float) -> None:
    """Jump to a second of it, and play on from there."""
    await value(page, f"v.currentTime = {to}")
    await plays(page, to + 0.5)


async def two_guests_one_removed(stage: Stage, browser: Browser, first: Page, link: str, item: str) -> None:
    """`first` watches already. A second guest comes; the first is removed and gets nothing more, the other plays on."""
    second = await (await browser.new_context()).new_page()
    await watch(second, link)
    watched = first.url
    guests = await stage.gateway.desk.guests("tv", item)
    assert not isinstance(guests, IssueRefused)
    assert len(guests) == 2
    earlier = min(guests, key=lambda one: one.guest.first_seen).guest
    await stage.gateway.desk.remove(earlier, erase=False)
    async with asyncio.timeout(45):
        while (await first.request.get(watched)).status < 400:
            await asyncio.sleep(0.1)
    await second.reload()
    await second.locator("video, audio").first.wait_for(state="attached", timeout=45_000)
    await plays(second)
    await seek(second, 4)
