"""Name and address on the guest's own device, with a media server as the enemy on the same host."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.hostile import PAGE, Stage
from tests.chromium import chromium

pytestmark = pytest.mark.browser

NAME = "__Host-Http-gateway-guest"
READ = """async link => {
    const found = [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
    for (const how of [{}, {credentials: 'include'}, {method: 'POST', body: new URLSearchParams({forget: '1'})}])
        found.push(await fetch(link, how).then(one => one.text(), String));
    for (const tag of ['iframe', 'object']) {
        const frame = document.createElement(tag);
        const done = new Promise(tell => { frame.onload = frame.onerror = tell; setTimeout(tell, 1500); });
        frame[tag === 'iframe' ? 'src' : 'data'] = link;
        document.body.append(frame);
        await done;
        try { found.push(frame.contentDocument.documentElement.outerHTML); }
        catch (error) { found.push(String(error)); }
    }
    return found.join('\\n');
}"""
PLANT = """name => {
    for (const place of ['', 'Path=/', 'Path=/g'])
        for (const domain of ['', 'Domain=guest.media.localhost', 'Domain=media.localhost'])
            document.cookie = [name + '=' + 'x'.repeat(200), place, domain, 'Secure', 'Max-Age=99999'].join('; ');
    return document.cookie;
}"""


async def _come_in(page: Page, link: str, *ticked: str) -> None:
    await page.goto(link)
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    for name in ticked:
        await page.locator(f"input[name={name}]").check()
    await page.locator("form .wide").click()
    await page.wait_for_url(f"**{PAGE}")


async def _filled(page: Page, link: str) -> list[str]:
    await page.goto(link)
    return [await page.locator(f"input[name={name}]").input_value() for name in ("name", "email")]


async def _kept(context: BrowserContext) -> list[str]:
    return [str(cookie["name"]) for cookie in await context.cookies() if str(cookie["name"]).endswith("gateway-guest")]


async def test_no_script_of_the_media_server_learns_or_changes_it(hostile_tls: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await _come_in(page, await hostile_tls.link(), "remember")
    assert await _kept(victim) == [NAME]
    second = await hostile_tls.link()
    read = await page.evaluate(READ, second)
    assert "Ada" not in read
    assert "ada@" not in read
    assert NAME not in read
    assert await page.evaluate(PLANT, NAME) == "", "nor is anything planted beside it"
    assert await _filled(page, second) == ["Ada Guest", "ada@example.org"]


@pytest.mark.parametrize("scripts", [True, False])
async def test_it_is_there_for_the_next_link_until_it_is_forgotten(hostile: Stage, scripts: bool) -> None:
    async with chromium() as browser:
        context = await browser.new_context(java_script_enabled=scripts)
        page = await context.new_page()
        await _come_in(page, await hostile.link(), "remember")
        second = await hostile.link()
        assert await _filled(page, second) == ["Ada Guest", "ada@example.org"]
        await page.locator("button[name=forget]").click()
        await page.locator("button[name=forget]").wait_for(state="detached")
        assert page.url == second, "the same page again, also for its address"
        assert await _filled(page, second) == ["", ""]
        assert await _kept(context) == []
        assert await hostile.clicks(second) == 0
        if scripts:
            # Its place in the history is the way back to the media's: to nothing, for who has not come in here.
            await page.go_back()
            assert "Ada Guest" not in await page.content()


async def test_another_persons_device_keeps_nothing(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await _come_in(page, await hostile.link(), "remember")
    second = await hostile.link()
    await page.goto(second)
    await page.locator("input[name=not_my_device]").check()
    assert not await page.locator("input[name=remember]").is_visible(), "it is not asked any more"
    await page.locator("form .wide").click()
    await page.wait_for_url(f"**{PAGE}")
    assert await _kept(victim) == []
    assert await _filled(page, await hostile.link()) == ["", ""]


async def test_whoever_leaves_is_forgotten(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await _come_in(page, await hostile.link(), "remember")
    await page.goto(f"{hostile.url}/_gateway/leave")
    await page.locator("main button").click()
    await page.get_by_role("heading", name="You have left").wait_for()
    assert await _kept(victim) == []
