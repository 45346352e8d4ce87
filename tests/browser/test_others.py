"""Frames, files opened by themselves, redirects, and what pages of other sites do with a guest's browser."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest
from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

from tests.browser.hostile import ELSEWHERE, ITEM, PAGE, SIBLING, Said, Stage, enter, opened
from tests.running import ask

pytestmark = pytest.mark.browser

FRAME = """address => new Promise(tell => {
    const frame = document.createElement('iframe');
    frame.onload = () => tell('loaded');
    frame.src = address;
    document.body.append(frame);
    setTimeout(tell, 5000, 'silent');
})"""


async def _framed(page: Page, address: str) -> str:
    """Where a frame ends up that a page makes of an address."""
    before = len(page.frames)
    await page.evaluate(FRAME, address)
    await asyncio.sleep(0.1)
    assert len(page.frames) == before + 1
    return page.frames[-1].url


async def test_nobody_frames_our_pages_or_the_servers(hostile: Stage, victim: BrowserContext) -> None:
    """Not another site, not a sibling host, and not the server's own pages either."""
    page = await victim.new_page()
    link, other = await hostile.link(), await hostile.running.make_link("xyz789")
    await enter(page, link)
    targets = [link, other, *(hostile.url + path for path in (PAGE, "/_gateway/leave", "/_gateway/back", "/nothing"))]
    for host in (ELSEWHERE, SIBLING, ""):
        await page.goto(hostile.at(host) if host else hostile.url + PAGE)
        for address in targets:
            assert await _framed(page, address) == "chrome-error://chromewebdata/", (host, address)
        assert await _framed(page, hostile.at(host or ELSEWHERE)) == hostile.at(host or ELSEWHERE)  # the control
    assert await hostile.clicks(other) == 0


# Told to another site: a document without an origin could not ask this one.
SCRIPT = "new Image().src = 'RAN'; document.title = 'ran'"
DOCUMENTS = {
    "text/html": f"<!doctype html><title>x</title><body onload=\"new Image().src='RAN'\"><script>{SCRIPT}</script>",
    "application/xhtml+xml": f'<html xmlns="http://www.w3.org/1999/xhtml"><title/><script>{SCRIPT}</script></html>',
    "image/svg+xml": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"><script>{SCRIPT}</script></svg>',
    "text/xml": f'<x><script xmlns="http://www.w3.org/1999/xhtml">{SCRIPT}</script></x>',
    "": f"<!doctype html><script>{SCRIPT}</script>",
    "unknown/unknown": f"<!doctype html><script>{SCRIPT}</script>",
    "multipart/x-mixed-replace; boundary=b": f"--b\r\nContent-Type: text/html\r\n\r\n<script>{SCRIPT}</script>\r\n--b",
    "application/pdf": "%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/URI/URI(RAN)>>>>endobj\ntrailer<</Root 1 0 R>>",
}


async def test_files_opened_by_themselves_run_nothing(hostile: Stage, victim: BrowserContext) -> None:
    """A segment, a subtitle or a picture that is a document: no script, and no origin."""
    media = hostile.hostile
    page = await victim.new_page()
    await enter(page, await hostile.link())
    for number, (kind, text) in enumerate(DOCUMENTS.items()):
        body = text.replace("RAN", hostile.at(ELSEWHERE, f"/ran{number}"))
        path = media.file(f"document{number}", body, kind)
        media.answers[f"{PAGE}/document{number}"] = Said(body, kind)
        await _shown(page, hostile.url + path)
        assert f"GET {path}" in media.asked
        assert hostile.site.asked == [], kind
        if kind in ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml"):
            assert await page.evaluate("origin") == "null"
            await _shown(page, f"{hostile.url}{PAGE}/document{number}")
            assert f"GET /ran{number}" in hostile.site.asked, kind  # the control: as a page it runs
            hostile.site.asked.clear()


async def _shown(page: Page, address: str) -> None:
    """Open it; what is no document for this browser becomes a download or an error."""
    with contextlib.suppress(PlaywrightError):
        await page.goto(address)
    await asyncio.sleep(0.3)


async def test_a_frame_of_a_file_runs_nothing(hostile: Stage, victim: BrowserContext) -> None:
    """Also in a frame that says it may, in the server's own page."""
    body = DOCUMENTS["text/html"].replace("RAN", hostile.at(ELSEWHERE, "/ran"))
    path = hostile.hostile.file("inside.html", body, "text/html")
    page = await victim.new_page()
    await enter(page, await hostile.link())
    await page.evaluate(
        """path => document.body.append(Object.assign(document.createElement('iframe'),
            {src: path, sandbox: 'allow-scripts allow-same-origin allow-top-navigation'}))""",
        path,
    )
    await asyncio.sleep(0.5)
    assert f"GET {path}" in hostile.hostile.asked
    assert hostile.site.asked == []


async def test_redirects_stay_on_this_host_and_with_this_guest(hostile: Stage, victim: BrowserContext) -> None:
    media, elsewhere = hostile.hostile, hostile.at(ELSEWHERE)
    host = elsewhere.removeprefix("http://")
    page = await victim.new_page()
    link = await hostile.link()
    await enter(page, link)
    upstream = f"http://127.0.0.1:{media.port}"
    for where in (f"{upstream}{PAGE}", PAGE, "../abc123"):
        media.answers[f"{PAGE}/moved"] = Said(status=302, headers={"Location": where})
        assert (await opened(page, f"{hostile.url}{PAGE}/moved")).status == 200
        assert page.url == hostile.url + PAGE
    refused = [
        elsewhere, f"//{host}", f"\\\\{host}", f"/\\{host}", f"///{host}", f"http:{host}", f"{upstream}@{host}",
        f"{upstream}/page/xyz789", "javascript:alert(1)",
        "data:text/html,x", "/_gateway/leave", link, "/g/", f"{upstream}/admin", f"{PAGE}/../../admin", "",
    ]  # fmt: skip
    media.asked.clear()
    for where in refused:
        media.answers[f"{PAGE}/moved"] = Said(status=302, headers={"Location": where})
        answer = await opened(page, f"{hostile.url}{PAGE}/moved")
        assert (answer.status, page.url) == (502, f"{hostile.url}{PAGE}/moved"), where
        assert str(media.port) not in await page.content()
    assert set(media.asked) == {f"GET {PAGE}/moved"}
    assert hostile.site.asked == []


POST = """async ([address, fields, way]) => {
    if (way === 'fetch') return void await fetch(address,
        {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(fields)}).catch(() => 0);
    const form = Object.assign(document.createElement('form'), {method: 'post', action: address});
    for (const [name, value] of Object.entries(fields))
        form.append(Object.assign(document.createElement('input'), {name, value}));
    document.body.append(form);
    form.submit();
}"""


@pytest.mark.parametrize("host", [ELSEWHERE, SIBLING])
async def test_pages_of_other_sites_post_nothing(hostile: Stage, victim: BrowserContext, host: str) -> None:
    """Neither the entry form, with a one-time id of their own, nor a guest's leaving."""
    link, other = await hostile.link(), await hostile.running.make_link("xyz789")
    page = await victim.new_page()
    await enter(page, link)
    path = other.removeprefix(hostile.url)
    shown = await ask(hostile.running.port, f"GET {path}", host=hostile.url[7:], headers="Accept: text/html\r\n")
    form = re.search(rb'name="form" value="([^"]+)"', shown.body)
    assert form
    fields = {"name": "Mallory", "email": "mallory@example.org", "form": form[1].decode()}
    hostile.site.answers["/quiet"] = Said("<body>", headers={"Referrer-Policy": "no-referrer"})
    for way in ("fetch", "form"):
        for start in ("/", "/quiet"):  # a quiet page posts `Origin: null`
            for address, sent in ((other, fields), (f"{hostile.url}/_gateway/leave", {})):
                await page.goto(hostile.at(host, start))
                await page.evaluate(POST, [address, sent, way])
                if way == "form":
                    await page.wait_for_url(address)
                    assert "isn’t part of your invitation" in await page.inner_text("body")
    assert await hostile.clicks(other) == 0
    assert (await opened(page, hostile.url + PAGE)).status == 200


TALK = """address => new Promise(tell => {
    const socket = new WebSocket(address);
    socket.onmessage = event => tell(event.data);
    socket.onerror = () => tell('refused');
})"""


async def test_pages_of_other_sites_open_no_websocket(hostile: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await enter(page, await hostile.link())
    address = f"{hostile.url.replace('http', 'ws')}/ws/{ITEM}"
    for host in (ELSEWHERE, SIBLING):
        await page.goto(hostile.at(host))
        assert await page.evaluate(TALK, address) == "refused"
    assert hostile.hostile.sockets == 0
    await page.goto(hostile.url + PAGE)
    assert await page.evaluate(TALK, address) == "hello"  # the control
    assert hostile.hostile.sockets == 1


async def test_pages_of_other_sites_read_nothing(hostile: Stage, victim: BrowserContext) -> None:
    """Even where the media server invites them."""
    page = await victim.new_page()
    await enter(page, await hostile.link())
    cors = {"Access_Control_Allow_Origin": hostile.at(SIBLING)[:-1], "Access_Control_Allow_Credentials": "true"}
    file = hostile.hostile.file("secret.json", '{"secret": 1}', "application/json", **cors)
    for host in (ELSEWHERE, SIBLING):
        await page.goto(hostile.at(host))
        for path in (file, PAGE, "/_gateway/leave"):
            read = "fetch(address, {credentials: 'include'}).then(answer => answer.text(), () => 'refused')"
            assert await page.evaluate(f"address => {read}", hostile.url + path) == "refused"
            async with victim.expect_page() as got:
                await page.evaluate("address => { window.other = open(address) }", hostile.url + path)
            await (await got.value).wait_for_load_state()
            look = "(() => { try { return other.document.title } catch { return null } })()"
            assert await page.evaluate(look) is None
            await (await got.value).close()


async def test_what_a_script_may_do_is_what_its_guest_may(hostile: Stage, victim: BrowserContext) -> None:
    """Not promised otherwise: it asks in the guest's name, may leave in it, and gets nothing more."""
    page = await victim.new_page()
    await enter(page, await hostile.link())
    hostile.hostile.file("part.ts", "media", "video/mp2t")
    ask_for = "path => fetch(path).then(answer => answer.status)"
    for path, status in ((f"/file/{ITEM}/part.ts", 200), ("/file/xyz789/part.ts", 403), ("/admin", 403)):
        assert await page.evaluate(ask_for, path) == status
    for own in ("/_gateway/manage", "/_gateway/api/v1/links?server=tv", "/_gateway/metrics"):
        assert await page.evaluate(ask_for, own) == 404
    assert await page.evaluate("document.cookie") == ""
    assert await page.evaluate("fetch('/_gateway/leave', {method: 'POST'}).then(answer => answer.status)") == 200
    assert await page.evaluate(ask_for, f"/file/{ITEM}/part.ts") == 403
