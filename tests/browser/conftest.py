"""What browser tests ask for: a guest's browser, which has been nowhere yet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Page

from tests.chromium import chromium


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    """Fails the test for errors in a page's scripts, whatever else was asked of it."""
    faults: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: faults.append(str(error)))

    async with chromium() as browser:
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        context.on("page", watch)
        yield context
    assert faults == []
