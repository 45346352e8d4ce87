"""What browser tests ask for: a guest's browser, which has been nowhere yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.hostile import Stage, stage
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


@pytest.fixture
async def hostile(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as running:
        yield running


@pytest.fixture
async def hostile_tls(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, tls=True) as running:
        yield running


@pytest.fixture
async def victim() -> AsyncIterator[BrowserContext]:
    """The browser of a guest who meets a hostile media server; its pages may break as they like."""
    async with chromium() as browser:
        yield await browser.new_context(ignore_https_errors=True)
