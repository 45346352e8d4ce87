"""Cookies that scripts of a hostile media server plant, push out and pile up on the guests' host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.hostile import PAGE, Stage, enter, opened, send_form, stage
from tests.chromium import chromium

pytestmark = pytest.mark.browser

# Setting is asynchronous, reading waits for it: each of these ends with a look.
PLANT = """names => {
    for (const name of names)
        for (const start of [name + '=', '=' + name + '=', '\\u2000' + name + '='])
            for (const place of ['', 'Path=/', 'Path=/g', 'Path=/g/', 'Path=/page', 'Path=/page/abc123'])
                for (const domain of ['', 'Domain=guest.media.localhost', 'Domain=media.localhost'])
                    for (const secure of ['', 'Secure'])
                        document.cookie = [start + 'x'.repeat(22), place, domain, secure, 'Max-Age=99999'].join('; ');
    return document.cookie;
}"""
# Each on its own name, small, for ever: browsers keep some 180 for a site and throw away the oldest.
FLOOD = """secure => {
    for (let i = 0; i < 400; i++) document.cookie = `c${i}=1; Path=/; Max-Age=99999${secure ? '; Secure' : ''}`;
    return document.cookie;
}"""
BOMB = """([count, path]) => {
    for (let i = 0; i < count; i++) document.cookie = `b${i}=${'x'.repeat(4000)}; Path=${path}; Max-Age=99999`;
    return document.cookie;
}"""
PLAIN = ("gateway", "gateway-form")
HOST = ("__Host-gateway", "__Host-Http-gateway-form", "__host-gateway", "__HOST-gateway", "__Host-Http-gateway")


async def _ours(context: BrowserContext, *names: str) -> list[dict[str, Any]]:
    return [dict(cookie) for cookie in await context.cookies() if cookie["name"] in names]


async def test_on_https_nothing_can_be_planted(hostile_tls: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    link = await hostile_tls.link(clicks=1)
    await enter(page, link)
    before = await _ours(victim, *HOST)
    assert {cookie["name"] for cookie in before} == {"__Host-gateway", "__Host-Http-gateway-form"}
    assert all(cookie["httpOnly"] and cookie["secure"] and cookie["sameSite"] == "Lax" for cookie in before)
    assert await page.evaluate("document.cookie") == ""
    await page.evaluate(PLANT, [*HOST, *PLAIN])
    assert await _ours(victim, *HOST[:2]) == before
    for address in (hostile_tls.url + PAGE, link):
        assert (await opened(page, address)).status == 200
        assert page.url == hostile_tls.url + PAGE
    assert await hostile_tls.clicks(link) == 1


async def test_on_http_what_was_planted_is_told_to_go_at_once(hostile: Stage, victim: BrowserContext) -> None:
    """It keeps the guest out for one request, in nobody's session, and not for as long as it lives."""
    page = await victim.new_page()
    link = await hostile.link(clicks=1)
    await enter(page, link)
    await page.evaluate(PLANT, PLAIN)
    assert len(await _ours(victim, *PLAIN)) > 4
    assert (await opened(page, hostile.url + PAGE)).status == 403
    assert (await opened(page, hostile.url + PAGE)).status == 200
    await page.goto(link)
    assert (await opened(page, link)).url == hostile.url + PAGE
    left = await _ours(victim, *PLAIN)
    assert {cookie["name"] for cookie in left} == set(PLAIN)
    assert all(cookie["httpOnly"] and cookie["path"] == "/" for cookie in left)
    assert len(left) == 2
    assert await hostile.clicks(link) == 1


async def test_on_http_a_planted_form_cookie_does_not_lock_the_form(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await enter(page, await hostile.link())
    await page.evaluate(PLANT, ["gateway-form"])
    await victim.clear_cookies(name="gateway")
    await enter(page, await hostile.link())


async def test_on_http_a_session_of_somebody_else_beside_ours_is_nobodys(
    hostile: Stage, victim: BrowserContext
) -> None:
    other = await hostile.running.make_link("xyz789")
    hostile.hostile.answers["/page/xyz789"] = hostile.hostile.answers[PAGE]
    async with chromium() as elsewhere:
        attacker = await elsewhere.new_context()
        page = await attacker.new_page()
        await page.goto(other)
        await send_form(page)
        await page.wait_for_url("**/page/xyz789")
        (session,) = await _ours(attacker, "gateway")
    page = await victim.new_page()
    await enter(page, await hostile.link())
    await page.evaluate(f"document.cookie = 'gateway={session['value']}; Path=/page'")
    assert (await opened(page, f"{hostile.url}/page/xyz789")).status == 403
    assert (await opened(page, f"{hostile.url}/page/xyz789")).status == 403
    assert (await opened(page, hostile.url + PAGE)).status == 200


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_full_jar_costs_the_session_and_the_link_opens_again(
    tmp_path: Path, victim: BrowserContext, tls: bool
) -> None:
    async with stage(tmp_path, tls=tls) as hostile:
        page = await victim.new_page()
        link = await hostile.link()
        await enter(page, link)
        await page.evaluate(FLOOD, tls)
        assert await _ours(victim, *PLAIN, *HOST) == []
        assert (await opened(page, hostile.url + PAGE)).status == 403
        await enter(page, link)
        for _ in range(3):
            assert (await opened(page, hostile.url + PAGE)).status == 200
        assert await hostile.clicks(link) == 2


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("count", "path"), [(3, "/"), (3, "/g"), (150, "/")])
async def test_cookies_that_fit_in_no_request_are_told_to_go(
    tmp_path: Path, victim: BrowserContext, tls: bool, count: int, path: str
) -> None:
    async with stage(tmp_path, tls=tls) as hostile:
        page = await victim.new_page()
        link = await hostile.link()
        await enter(page, link)
        await page.evaluate(BOMB, [count, path])
        answer = await opened(page, link)
        assert answer.status == 431
        assert "open the page again" in await page.inner_text("body")
        assert await victim.cookies() == []
        await enter(page, link)


async def test_no_address_of_another_site_makes_a_guest_lose_cookies(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await enter(page, await hostile.link())
    await page.goto(hostile.at("elsewhere.localhost"))
    for length in (9_000, 40_000):
        answer = await opened(page, f"{hostile.url}/{'x' * length}?%0d%0aCookie:{'x' * length}")
        assert answer.status in (400, 431)
    assert (await opened(page, hostile.url + PAGE)).status == 200


async def test_names_that_scripts_may_not_set_hold_in_an_empty_jar(tmp_path: Path, victim: BrowserContext) -> None:
    """`session.cookie: Http-…` is for that: no script puts another session where ours was pushed out."""
    async with stage(tmp_path, tls=True, session="{cookie: Http-gateway}") as hostile:
        page = await victim.new_page()
        await enter(page, await hostile.link())
        await page.evaluate(FLOOD, True)
        await page.evaluate(PLANT, ["__Host-Http-gateway", "__Host-Http-gateway-form"])
        assert await _ours(victim, "__Host-Http-gateway", "__Host-Http-gateway-form") == []
        await _can_be_set(page, "__Host-gateway")


async def _can_be_set(page: Page, name: str) -> None:
    """The control: what the usual name allows once the jar is empty."""
    await page.evaluate(f"document.cookie = '{name}=x; Path=/; Secure'")
    assert f"{name}=x" in await page.evaluate("document.cookie")
