"""A lasting hold on the browser: what a hostile media server can't leave behind on the guests' host."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import BrowserContext

from tests.browser.hostile import ITEM, PAGE, Said, Stage, enter, opened

pytestmark = pytest.mark.browser

HIJACK = "onfetch = event => event.respondWith(new Response('hijacked'))"
REGISTER = """async ([script, options]) => {
    const told = await navigator.serviceWorker.register(script, options).then(() => 'registered', String);
    return [told, (await navigator.serviceWorker.getRegistrations()).length];
}"""
TALK = """([script, shared]) => new Promise(tell => {
    const worker = shared ? new SharedWorker(script) : new Worker(script);
    (shared ? worker.port : worker).onmessage = event => tell(event.data);
    worker.onerror = event => tell('error ' + event.message);
    setTimeout(tell, 5000, 'silent');
})"""


async def test_no_service_worker_can_be_registered(hostile: Stage, victim: BrowserContext) -> None:
    """Neither from a page nor from a file, nor one of our own scripts; the server is not even asked."""
    media = hostile.hostile
    media.answers[f"{PAGE}/worker.js"] = Said(HIJACK, "text/javascript", {"Service-Worker-Allowed": "/"})
    file = media.file("worker.js", HIJACK, "text/javascript", Service_Worker_Allowed="/")
    page = await victim.new_page()
    link = await hostile.link()
    await page.goto(link)
    own = await page.locator("script").get_attribute("src")
    await enter(page, link)
    media.asked.clear()
    for script in (f"{PAGE}/worker.js", file, own, link.removeprefix(hostile.url), "/_gateway/leave"):
        for options in ({}, {"scope": "/"}, {"type": "module"}):
            told, number = await page.evaluate(REGISTER, [script, options])
            assert told.startswith(("TypeError", "SecurityError")), script
            assert number == 0
    assert media.asked == []

    # The same server without the gateway: there it works.
    await page.goto(f"http://127.0.0.1:{media.port}{PAGE}")
    assert await page.evaluate(REGISTER, [f"{PAGE}/worker.js", {"scope": "/"}]) == ["registered", 1]


async def test_workers_from_files_have_no_origin(hostile: Stage, victim: BrowserContext) -> None:
    """They can't ask for anything in the guest's name."""
    look = f"fetch('{PAGE}').then(answer => tell([origin, answer.status]), () => tell([origin, 'refused']))"
    media = hostile.hostile
    plain = media.file("plain.js", f"const tell = postMessage.bind(self); {look}", "text/javascript")
    shared = media.file(
        "shared.js", f"onconnect = ({{ports: [port]}}) => {{ const tell = m => port.postMessage(m); {look} }}",
        "text/javascript",
    )  # fmt: skip
    page = await victim.new_page()
    await enter(page, await hostile.link())
    assert await page.evaluate(TALK, [plain, False]) == ["null", "refused"]
    assert await page.evaluate(TALK, [shared, True]) == ["null", "refused"]


async def test_a_shared_worker_of_a_page_ends_with_the_last_page(hostile: Stage, victim: BrowserContext) -> None:
    count = "let n = 0; onconnect = ({ports: [port]}) => port.postMessage([origin, ++n])"
    script = f"{PAGE}/shared.js"
    hostile.hostile.answers[script] = Said(count, "text/javascript")
    page = await victim.new_page()
    await enter(page, await hostile.link())
    assert await page.evaluate(TALK, [script, True]) == [hostile.url, 1]
    assert await page.evaluate(TALK, [script, True]) == [hostile.url, 2]
    await page.goto("about:blank")
    await asyncio.sleep(0.5)
    await page.goto(hostile.url + PAGE)
    assert await page.evaluate(TALK, [script, True]) == [hostile.url, 1]


LASTING = {
    "Clear-Site-Data": '"*"',
    "Set-Cookie": "planted=1; Path=/; Max-Age=9999",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Alt-Svc": 'h3=":443"; ma=9999',
    "Report-To": '{"group": "g", "max_age": 9999, "endpoints": [{"url": "https://elsewhere.localhost/"}]}',
    "NEL": '{"report_to": "g", "max_age": 9999, "success_fraction": 1}',
    "Reporting-Endpoints": 'g="https://elsewhere.localhost/"',
    "Service-Worker-Allowed": "/",
    "Accept-CH": "Sec-CH-UA-Model",
    "Critical-CH": "Sec-CH-UA-Model",
    "Use-As-Dictionary": 'match="/*"',
    "Set-Login": "logged-in",
    "Secure-Session-Registration": '(ES256);path="x"',
}


async def _cookies(context: BrowserContext) -> set[str]:
    return {cookie["name"] for cookie in await context.cookies()}


@pytest.mark.parametrize("kind", ["page", "file"])
async def test_no_answer_says_anything_that_outlives_it(hostile: Stage, victim: BrowserContext, kind: str) -> None:
    elsewhere = hostile.at("elsewhere.localhost")
    headers = {**LASTING, "Refresh": f"0; url={elsewhere}"}
    path = f"{PAGE}/loud" if kind == "page" else f"/file/{ITEM}/loud"
    hostile.hostile.answers[path] = Said("<p>loud", headers=headers)
    page = await victim.new_page()
    await enter(page, await hostile.link())
    answer = await opened(page, hostile.url + path)
    assert answer.status == 200
    assert not {name.lower() for name in headers} & set(await answer.all_headers())
    await asyncio.sleep(0.5)
    assert page.url == hostile.url + path
    assert await _cookies(victim) == {"gateway", "gateway-form"}
    assert (await opened(page, hostile.url + PAGE)).status == 200
    assert hostile.site.asked == []


async def test_a_page_is_not_kept_for_who_comes_after(hostile: Stage, victim: BrowserContext) -> None:
    kept = {"Cache-Control": "public, max-age=9999", "Expires": "Fri, 01 Jan 2100 00:00:00 GMT"}
    hostile.hostile.answers[PAGE] = Said("<h1>secret</h1>", headers=kept)
    page, other = await victim.new_page(), await victim.new_page()
    await enter(page, await hostile.link())
    await opened(other, hostile.url + PAGE)
    assert await other.evaluate("fetch('/_gateway/leave', {method: 'POST'}).then(answer => answer.status)") == 200
    hostile.hostile.asked.clear()
    assert (await opened(page, hostile.url + PAGE)).status == 403
    assert await other.evaluate(f"fetch('{PAGE}', {{cache: 'force-cache'}}).then(answer => answer.status)") == 403
    assert hostile.hostile.asked == []
