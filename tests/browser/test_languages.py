"""Choosing a language in a real browser, with and without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from gateway.access.passwords import hash_password
from gateway.demo.server import serving
from tests.chromium import chromium
from tests.running import Running, free_port, running_gateway

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    managing = free_port()
    extra = f"manage: {{listen: '127.0.0.1:{managing}', url: 'http://127.0.0.1:{managing}'}}\n"
    extra += f"managers: [{{name: alice, may: ['tv:*'], password: '{hash_password(PASSWORD)}'}}]\n"
    async with (
        serving(0) as media,
        running_gateway(tmp_path, "hls", media, extra=extra) as running,
    ):
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def choose(page: Page, name: str) -> None:
    await page.locator(".languages summary").click()
    async with page.expect_navigation():
        await page.get_by_role("link", name=name, exact=True).click()


async def language(page: Page) -> tuple[str, str]:
    html = page.locator("html")
    return await html.get_attribute("lang") or "", await html.get_attribute("dir") or ""


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_guest_reads_every_page_in_the_language_they_chose(
    gateway: Running, browser: Browser, scripts: bool
) -> None:
    context = await browser.new_context(locale="de-DE", java_script_enabled=scripts)
    page = await context.new_page()
    link = await gateway.make_link("aurora")
    await page.goto(link)
    assert await language(page) == ("de", "ltr")
    await choose(page, "עברית")
    assert (page.url, await language(page)) == (link, ("he", "rtl"))
    # A page that came from a post: the switch asks for it anew and posts nothing.
    await page.locator("main form button").click()
    assert await page.locator("[aria-invalid]").count() == 2
    await choose(page, "日本語")
    assert (page.url, await language(page)) == (link, ("ja", "ltr"))
    assert await page.locator("[aria-invalid]").count() == 0
    await page.locator("input[name=name]").fill("Ada")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("main form button").click()
    await page.wait_for_url("**/_gateway/watch/*")
    assert await language(page) == ("ja", "ltr")
    player = page.url
    await choose(page, "العربية")
    assert (page.url, await language(page)) == (player, ("ar", "rtl"))
    # A path of the media server that this guest may not have: its address may hold a secret, and stands in no page
    await page.goto(f"{gateway.url}/nothing/of/yours?a=1&b=2")
    await choose(page, "Deutsch")
    assert (page.url, await language(page)) == (player, ("de", "ltr"))
    await page.goto(f"{gateway.url}/_gateway/leave")
    await page.locator("main form button").click()
    left = await page.locator("h1").inner_text()
    await choose(page, "English")
    assert await page.locator("h1").inner_text() == "You have left"
    await choose(page, "Deutsch")
    assert await page.locator("h1").inner_text() == left
    assert (await gateway.link(link)).link.clicks_used == 1


async def test_with_scripts_the_history_does_not_grow(gateway: Running, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(await gateway.make_link("aurora"))
    before = await page.evaluate("history.length")
    for name in ("Deutsch", "日本語", "English"):
        await choose(page, name)
    assert await page.evaluate("history.length") == before


async def test_a_manager_chooses_on_every_page(gateway: Running, browser: Browser) -> None:
    assert gateway.config.manage is not None
    home = f"{gateway.config.manage.url}/_gateway/manage"
    page = await browser.new_page()
    await page.goto(f"{home}/links?q=nothing")
    await choose(page, "Deutsch")
    assert await language(page) == ("de", "ltr")
    await page.locator("input[name=name]").fill("alice")
    await page.locator("input[name=password]").fill("wrong")
    await page.locator("main form button").click()
    await choose(page, "עברית")
    await page.locator("input[name=name]").fill("alice")
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main form button").click()
    await page.wait_for_url(f"{home}/links?q=nothing")
    assert await language(page) == ("he", "rtl")
    for path in ("", "/links?q=a%26b&state=off", "/guests?present=1", "/record?who=alice"):
        await page.goto(home + path)
        await choose(page, "日本語")
        assert page.url == home + path
    # What a post has opened is had by a GET as well.
    await page.goto(f"{home}?server=tv&item=aurora&view=new")
    await page.locator(".panel button[type=submit]").click()
    assert await page.locator("[aria-invalid]").count() == 1
    await choose(page, "English")
    assert await page.locator("#new-title").inner_text() == "Create new link"
    assert await page.locator("[aria-invalid]").count() == 0
