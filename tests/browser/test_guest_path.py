"""The main job, in a real browser: a guest opens a link, says who they are, watches, and gets nowhere else.

nginx serves the demo's folder of HLS items, the shipped `hls` policy stands before it, Chromium plays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.chromium import chromium
from tests.nginx import folder, nginx
from tests.running import Running, running_gateway

ITEM, OTHER = "aurora", "nocturne"
CLIP = Path(__file__).parents[2] / "gateway" / "demo" / "clip"

pytestmark = pytest.mark.browser


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with (
        nginx(tmp_path / "nginx", folder(CLIP, "/hls")) as upstream,
        running_gateway(tmp_path, "hls", upstream) as running,
    ):
        yield running


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with chromium() as browser:
        yield await browser.new_context()


async def enter(page: Page, link: str) -> None:
    await page.goto(link)
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("form button").click()


async def video(page: Page, expression: str) -> object:
    """The value of an expression in which `v` is the page's video."""
    return await page.evaluate(f"(v => {expression})(document.querySelector('video'))")


async def playing(page: Page, seconds: float) -> None:
    """Wait until the film has moved on by so much and frames have been decoded.

    Asked from outside: the page's policy forbids eval, which `wait_for_function` needs.
    """
    began = await video(page, "v.currentTime")
    decoded = "v.getVideoPlaybackQuality().totalVideoFrames > 10"
    async with asyncio.timeout(20 + seconds):
        while not await video(page, f"v.currentTime >= {began} + {seconds} && {decoded}"):
            await asyncio.sleep(0.1)


async def start(page: Page) -> None:
    # A player that loads its source at this moment breaks `play` off; what was meant is said again.
    script = "(() => { const v = document.querySelector('video'); v.muted = true; v.play().catch(() => {}) })()"
    async with asyncio.timeout(30):
        while await video(page, "v.paused"):
            await page.evaluate(script)
            await asyncio.sleep(0.2)


async def status(page: Page, path: str) -> int:
    return await page.evaluate("path => fetch(path).then(answer => answer.status)", path)


async def test_the_whole_way(gateway: Running, context: BrowserContext) -> None:
    link = await gateway.make_link(ITEM)
    page = await context.new_page()
    await enter(page, link)
    await page.wait_for_url("**/_gateway/watch/*")
    await start(page)
    await playing(page, 3)

    # The other item, its stream and the server's own front page are out of reach, with a way back.
    assert await status(page, f"/hls/{ITEM}/master.m3u8") == 200
    for path in (f"/hls/{OTHER}/master.m3u8", f"/hls/{ITEM}/../{OTHER}/master.m3u8", "/hls/", "/"):
        assert await status(page, path) == 403, path
    other = await context.new_page()
    answer = await other.goto(f"{gateway.url}/hls/{OTHER}/master.m3u8")
    assert answer is not None
    assert answer.status == 403
    await other.get_by_role("link").first.click()
    await other.wait_for_url("**/_gateway/watch/*")
    await other.close()

    # The owner switches access off: who is in stays in until they refresh.
    await gateway.switch(ITEM, on=False)
    await asyncio.sleep(1)
    await playing(page, 2)
    assert await status(page, f"/hls/{ITEM}/master.m3u8") == 200
    answer = await page.reload()
    assert answer is not None
    assert answer.status == 410
    await expect(page.get_by_role("heading").first).to_be_visible()
    # Not by the page itself, whose policy lets it fetch nothing.
    late = await context.request.get(f"{gateway.url}/hls/{ITEM}/master.m3u8")
    assert late.status == 403


async def test_a_returning_browser_goes_straight_to_the_media(gateway: Running, context: BrowserContext) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    page = await context.new_page()
    await enter(page, link)
    await page.wait_for_url("**/_gateway/watch/*")
    again = await context.new_page()
    await again.goto(link)
    await again.wait_for_url("**/_gateway/watch/*")
    assert (await gateway.link(link)).link.clicks_used == 1
