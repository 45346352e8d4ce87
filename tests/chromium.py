"""A real Chromium of the system, driven by playwright: nothing is downloaded, nothing of the user's is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

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
