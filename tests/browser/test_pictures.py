"""Pictures of what a guest sees, kept as files of the run for people to look at: in `runs/pictures`, or where
GATEWAY_PICTURES says. Each page and state in two themes, two languages (one from right to left), on a desktop and on
a phone: `PAGE-THEME-LANGUAGE-LOOK.png`.

docs/pictures/entry.png is one of them, copied by hand when the page has changed.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from gateway.demo.server import SHARED, serving
from tests.browser.themes import PLAIN, THEMES, write_theme
from tests.chromium import chromium, picture
from tests.running import Running, enter, free_port, running_gateway

PICTURES = Path(os.environ.get("GATEWAY_PICTURES") or Path(__file__).parents[2] / "runs" / "pictures")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
}
THEME = PLAIN
LANGUAGES = {"en": "en-GB", "he": "he-IL"}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

Take = Callable[[str], Awaitable[None]]


@pytest.mark.parametrize("theme", THEMES)
async def test_every_page_in_every_look(tmp_path: Path, theme: str) -> None:
    """Nothing is wider than the screen, everything is in the guest's language, and the pictures are there."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    write_theme(tmp_path)
    media = free_port()
    taken: list[str] = []
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=THEMES[theme]) as gateway,
        chromium() as browser,
    ):
        for look, options in LOOKS.items():
            for language, locale in LANGUAGES.items():
                taken += await _walk(browser, gateway, f"{theme}-{language}-{look}", {**options, "locale": locale})
    assert len(taken) == len(set(taken))
    for name in taken:
        assert (PICTURES / name).read_bytes().startswith(b"\x89PNG"), name


async def _walk(browser: Browser, gateway: Running, look: str, options: dict[str, Any]) -> list[str]:
    context = await browser.new_context(**options)
    page = await context.new_page()
    taken: list[str] = []

    async def take(name: str) -> None:
        said = await page.evaluate("[document.documentElement.lang, document.documentElement.dir]")
        assert said == (["he", "rtl"] if "-he-" in look else ["en", "ltr"]), f"{name}, {look}"
        wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{name} is wider than the screen, {look}"
        taken.append(f"{name}-{look}.png")
        await picture(page, PICTURES / taken[-1])

    await _come_in(page, take, gateway)
    await context.clear_cookies()
    await wait(page, take, gateway)
    await _turned_away(page, take, gateway)
    await context.close()
    return taken


async def _come_in(page: Page, take: Take, gateway: Running) -> None:
    """The way of a guest, from the form to the player and out."""
    link = await gateway.make_link(SHARED, days=30)
    await page.goto(link)
    await take("entry")
    await page.emulate_media(media="print")
    await take("entry-printed")
    await page.emulate_media(media="screen")
    await page.locator("form .wide").click()
    await page.locator("#email-error").wait_for()
    await take("entry-wrong")
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("input[name=remember]").check()
    await page.locator("form .wide").click()
    await page.wait_for_url("**/_gateway/watch/*")
    await page.locator(".player .bar").wait_for()
    await take("player")
    await page.goto(f"{gateway.url}/somewhere")
    await take("denied")
    second = await gateway.make_link(SHARED)
    await page.goto(second)
    await page.locator("button[name=forget]").wait_for()
    await take("entry-remembered")
    await page.goto(f"{gateway.url}/_gateway/leave")
    await take("leave")
    for one in (link, second):
        await gateway.delete(one)


async def wait(page: Page, take: Take, gateway: Running) -> None:
    """Links that let somebody in later, or with a PIN."""
    opens = (datetime.now(UTC) + timedelta(hours=26)).isoformat()
    link = await gateway.make_link(SHARED, starts_at=opens)
    await page.goto(link)
    await page.locator(".countdown").wait_for()
    await take("scheduled")
    await gateway.delete(link)
    link = await gateway.make_link(SHARED, pin="482913", viewers=1)
    await page.goto(link)
    await take("pin")
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("input[name=pin]").fill("000000")
    await page.locator("form .wide").click()
    await page.locator("#pin-error").wait_for()
    await take("pin-wrong")
    await gateway.delete(link)
    link = await gateway.make_link(SHARED, viewers=1)
    await enter(gateway.port, link)
    await page.goto(link)
    await take("entry-full")
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("form .wide").click()
    await page.locator(".waiting").wait_for()
    await take("full")
    await gateway.delete(link)


async def _turned_away(page: Page, take: Take, gateway: Running) -> None:
    """Links that let nobody in."""
    await page.goto(f"{gateway.url}/g/nothing")
    await take("invalid")
    link = await gateway.make_link(SHARED)
    await gateway.switch(SHARED, on=False)
    await page.goto(link)
    await take("off")
    await gateway.switch(SHARED, on=True)
    await gateway.delete(link)
