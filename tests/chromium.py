"""A real Chromium of the system, driven by playwright: nothing is downloaded, nothing of the user's is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Error, Page, async_playwright

from tests.system_parts import need

FLAGS = [
    "--no-sandbox",  # tests may run as root in a container, where the sandbox can't be made
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm of a container is small
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """Runs until left, with further switches. Skips the test where there is none (see system_parts)."""
    program = need("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*FLAGS, *more])
        yield browser
        await browser.close()


async def picture(page: Page, place: Path) -> None:
    """The whole page as it stands still. On a busy machine the browser may say once that it can't."""
    for last in (False, True):
        try:
            await page.screenshot(path=place, animations="disabled", full_page=True)
        except Error as error:
            if last or "Unable to capture" not in str(error):
                raise
        else:
            return
