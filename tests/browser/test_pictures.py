"""Pictures of what a guest sees, kept as files of the run (`runs/pictures`) for people to look at.

docs/pictures/entry.png is one of them, copied by hand when the page has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from gateway.demo.server import SHARED, serving
from tests.chromium import chromium
from tests.running import free_port, running_gateway

PICTURES = Path(__file__).parents[2] / "runs" / "pictures"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
}
THEME = "theme: {name: Village cinema, notice: 'Doors open at eight. Questions: the box office.'}\n"

pytestmark = pytest.mark.browser


async def test_every_page_in_every_look(tmp_path: Path) -> None:
    """Nothing is wider than the screen, and the pictures are there to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    media = free_port()
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=THEME) as gateway,
        chromium() as browser,
    ):
        for look, options in LOOKS.items():
            link = await gateway.make_link(SHARED, days=30)
            await _walk(browser, look, options, gateway.url, link)
            await gateway.delete(link)


async def _walk(browser: Browser, look: str, options: dict[str, Any], url: str, link: str) -> None:
    context = await browser.new_context(**options)
    page = await context.new_page()

    async def take(name: str) -> None:
        wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{name} is wider than a {look} screen"
        await page.screenshot(path=PICTURES / f"{name}-{look}.png", animations="disabled")

    await page.goto(link)
    await take("entry")
    await page.locator("form button").click()
    await take("entry-wrong")
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("form button").click()
    await page.wait_for_url("**/_gateway/watch/*")
    await take("player")
    await page.goto(f"{url}/somewhere")
    await take("denied")
    await page.goto(f"{url}/g/nothing")
    await take("invalid")
    await context.close()
