"""Chromium before the front proxies: HTTP/2, cookies in several header fields, a browser's own rules for `__Host-`."""

from __future__ import annotations

import pytest

from tests.chromium import FLAGS
from tests.deploy.cinema import FILE, FILM, ITEM, OTHER, PAGE, SOCKET, Cinema
from tests.deploy.conftest import Stand
from tests.running import EMAIL, NAME
from tests.system_parts import need

pytestmark = pytest.mark.browser

FETCH = """async ([path, range]) => {
    const reply = await fetch(path, {headers: range ? {Range: range} : {}});
    return [reply.status, (await reply.arrayBuffer()).byteLength];
}"""
TALK = """path => new Promise((told, failed) => {
    const socket = new WebSocket(`wss://${location.host}${path}`);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = message => told(message.data);
    socket.onerror = () => failed("no websocket");
})"""


async def test_a_guests_browser(stand: Stand, media: Cinema) -> None:
    from playwright.async_api import async_playwright

    link = await stand.gateway.make_link(ITEM)
    named = f"--host-resolver-rules=MAP {stand.front.host} 127.0.0.1"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=need("chromium"), args=[*FLAGS, named])
        context = await browser.new_context(ignore_https_errors=True)
        # Browsers send cookies that have nothing to do with us; HTTP/2 gives each a field of its own.
        await context.add_cookies([{"name": "theme", "value": "dark", "url": stand.front.origin}])
        page = await context.new_page()
        await page.goto(link)
        await page.fill("input[name=name]", NAME)
        await page.fill("input[name=email]", EMAIL)
        await page.click("button[type=submit]")
        await page.wait_for_url(f"**{PAGE}")
        assert await page.title() == f"page of {ITEM}"
        held = {cookie["name"]: cookie for cookie in await context.cookies()}
        assert held["__Host-gateway"]["secure"]
        assert held["__Host-gateway"]["httpOnly"]
        assert await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        assert await page.evaluate(FETCH, [FILE, None]) == [200, len(FILM)]
        assert await page.evaluate(FETCH, [FILE, "bytes=10-19"]) == [206, 10]
        assert (await page.evaluate(FETCH, [FILE.replace(ITEM, OTHER), None]))[0] == 403
        assert await page.evaluate(TALK, SOCKET) == "you said hello"
        assert all("cookie" not in headers for _, headers in media.asked)
        await browser.close()
