"""What scripts of a hostile media server can do to managing: at worst sign somebody out.

Managing stands where it may stand: on a host name that is another site, on one beside the guests' own, and on another
port of that very host, where cookies are shared. The manager is signed in, in the same browser, all the time.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page

from gateway.access.issue import IssueRefused
from tests.browser.hostile import (
    GUESTS,
    ITEM,
    MANAGE,
    MANAGE_SIBLING,
    PAGE,
    PASSWORD,
    TOKEN,
    Said,
    Stage,
    enter,
    opened,
    sign_in,
    stage,
)
from tests.browser.test_cookies import BOMB, FLOOD
from tests.browser.test_token import READ

pytestmark = pytest.mark.browser

HOME, API = "/_gateway/manage", "/_gateway/api/v1"
COOKIE = "gateway-manager"
PLACES = {"another site": MANAGE, "a host beside": MANAGE_SIBLING, "another port": GUESTS}
SECRETS = ("Webinar invite", "Ada Guest", "ada@example.org", 'name="form"', "sign-out", "total", "openapi")


@pytest.fixture(params=list(PLACES.values()), ids=list(PLACES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, manage=request.param) as running:
        yield running


@pytest.fixture(params=[MANAGE_SIBLING, GUESTS], ids=["a host beside", "another port"])
async def near(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """Where scripts of the guests' host can set cookies that reach managing."""
    async with stage(tmp_path, manage=request.param) as running:
        yield running


async def both(stage: Stage, context: BrowserContext) -> tuple[Page, Page, str]:
    """The manager's page, the hostile one in the same browser, and the link by which it was reached."""
    made = await stage.running.desk.create("tv", ITEM, name="Webinar invite", by="alice")
    assert not isinstance(made, IssueRefused)
    assert made.url is not None
    manager, page = await context.new_page(), await context.new_page()
    await sign_in(manager, stage)
    await enter(page, made.url)
    return manager, page, made.url


async def form_token(manager: Page) -> str:
    return await manager.locator("input[name=form]").first.input_value()


async def still_in(manager: Page, stage: Stage) -> None:
    await opened(manager, stage.manage + HOME)
    assert manager.url == stage.manage + HOME


async def record(stage: Stage) -> list[str]:
    lines = await stage.running.desk._links.store.run(lambda client: client.xrange("gw:audit"))
    return [fields["action"] for _, fields in lines]


async def test_no_script_reads_a_managers_page_or_the_api(place: Stage, victim: BrowserContext) -> None:
    manager, page, _ = await both(place, victim)
    item = f"server=tv&item={ITEM}"
    for path in (HOME, f"{HOME}?{item}", f"{HOME}/guests", f"{HOME}/guests/live", f"{HOME}/guests/export?format=json",
                 f"{HOME}/poster?{item}", f"{HOME}/sign-in", f"{API}/links", f"{API}/openapi.json"):  # fmt: skip
        slow = path in (f"{HOME}?{item}", f"{HOME}/guests/export?format=json")
        for way, script in READ.items():
            if slow or way not in ("a window", "a frame", "an object"):
                read = await page.evaluate(f"link => {script}.catch(String)", place.manage + path)
                for word in (*SECRETS, "answered"):
                    assert word not in read, (path, way)
        for frame in page.frames[1:]:
            assert "Webinar" not in await frame.content()
    await still_in(manager, place)
    # The control: to the manager it is all there.
    await manager.goto(f"{place.manage}{HOME}?{item}")
    assert "Webinar invite" in await manager.content()
    assert "guests_exported" not in await record(place)


POST = {
    "fetch": "fetch(to, {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(fields)})",
    "fetch as text": "fetch(to, {method: 'POST', mode: 'no-cors', credentials: 'include',"
    " body: new URLSearchParams(fields).toString()})",
    "fetch with CORS": "fetch(to, {method: 'POST', credentials: 'include', body: new URLSearchParams(fields)})",
    "a beacon": "Promise.resolve(navigator.sendBeacon(to, new URLSearchParams(fields)))",
    "a form": "new Promise(tell => { const form = Object.assign(document.createElement('form'), {method: 'post',"
    " action: to, target: '_blank', rel: 'opener'}); for (const [name, value] of Object.entries(fields))"
    " form.append(Object.assign(document.createElement('input'), {name, value})); document.body.append(form);"
    " form.submit(); setTimeout(tell, 600) })",
}


async def test_no_post_changes_anything_even_with_the_forms_token(place: Stage, victim: BrowserContext) -> None:
    """The token can't be learnt; if it were, where the post comes from still tells."""
    manager, page, url = await both(place, victim)
    fields = {"form": await form_token(manager), "server": "tv", "item": ITEM}
    before = await record(place)
    link = (await place.running.link(url)).link
    for path, more in (
        (HOME, {"act": "access_off"}), (HOME, {"act": "delete", "link": link.id}),
        (f"{HOME}/links", {"act": "disable", f"link-{link.id}": "1"}),
        (f"{HOME}/guests", {"act": "erase_person", "email": "ada@example.org"}),
        (f"{HOME}/sign-in", {"name": "alice", "password": PASSWORD}), (f"{HOME}/sign-out", {}),
    ):  # fmt: skip
        for way, script in POST.items():
            if path != HOME and way not in ("fetch", "a form"):
                continue
            await page.evaluate(
                f"([to, fields]) => {script}.then(String, String)", [place.manage + path, {**fields, **more}]
            )
            assert await record(place) == before, (path, way)
    await still_in(manager, place)
    assert (await place.running.link(url)).link == link


CALL = """([to, method, token, body]) => fetch(to, {method, body, credentials: 'include', headers: {
    ...(token && {Authorization: 'Bearer ' + token}), ...(body && {'Content-Type': 'application/json'})}})
    .then(answer => answer.text(), String)"""
SIMPLE = """([to, body]) => Promise.all(['text/plain', 'application/x-www-form-urlencoded'].map(type =>
    fetch(to, {method: 'POST', mode: 'no-cors', credentials: 'include', body, headers: {'Content-Type': type}})
    .then(String, String)))"""


async def test_the_api_is_out_of_reach_with_and_without_a_preflight(place: Stage, victim: BrowserContext) -> None:
    """Also for a script that knows a manager's token: it may use it elsewhere, but not in this browser."""
    manager, page, url = await both(place, victim)
    link = (await place.running.link(url)).link
    before = await record(place)
    change = '{"server": "tv", "item": "abc123", "enabled": false}'
    for token in (TOKEN, ""):
        for method, path, body in (
            ("GET", "/links", None), ("DELETE", f"/links/{link.id}", None), ("PUT", "/access", change),
            ("PATCH", f"/links/{link.id}", '{"enabled": false}'), ("POST", "/links", change),
        ):  # fmt: skip
            read = await page.evaluate(CALL, [f"{place.manage}{API}{path}", method, token, body])
            assert read.startswith("TypeError"), (method, path)
    await page.evaluate(SIMPLE, [f"{place.manage}{API}/links", change])
    assert await record(place) == before
    assert (await place.running.link(url)).link == link
    await still_in(manager, place)


async def test_a_window_of_a_managers_page_is_not_held_and_has_no_opener(place: Stage, victim: BrowserContext) -> None:
    manager, page, _ = await both(place, victim)
    for address in (f"{place.manage}{HOME}?server=tv&item={ITEM}", f"{place.manage}{HOME}/sign-in"):
        async with victim.expect_page() as got:
            await page.evaluate("address => { window.held = open(address, 'held') }", address)
        window = await got.value
        await window.wait_for_load_state()
        assert await window.evaluate("[opener, name, parent === self]") == [None, "", True]
        assert await page.evaluate("held.closed")
        told = await page.evaluate(
            "(() => { try { held.location = '/page/abc123'; return String(held.length) } catch (e) { return 'x' } })()"
        )
        assert told in ("0", "x")
        await window.wait_for_timeout(300)
        assert window.url.startswith(place.manage)
        await window.close()
    await still_in(manager, place)


async def test_a_page_that_leads_there_starts_nothing(place: Stage, victim: BrowserContext) -> None:
    """A browser that is sent to an address of managing changes nothing by that, and takes no file along."""
    manager, page, _ = await both(place, victim)
    before = await record(place)
    for path in ("/guests/export?format=csv", "/sign-out", "/guests/live"):
        answer = await page.evaluate("to => { location.href = to }", place.manage + HOME + path)
        await page.wait_for_timeout(700)
        assert answer is None
        await page.goto(place.url + PAGE)
    assert await record(place) == before
    await still_in(manager, place)


async def test_managers_pages_are_in_no_frame(place: Stage, victim: BrowserContext) -> None:
    manager, page, _ = await both(place, victim)
    for attributes in ({}, {"sandbox": ""}, {"sandbox": "allow-scripts allow-same-origin"}, {"credentialless": "1"}):
        for tag in ("iframe", "embed", "object"):
            await page.evaluate(
                """([tag, to, attributes]) => { const one = document.createElement(tag);
                one[tag === 'object' ? 'data' : 'src'] = to;
                for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
                document.body.append(one) }""",
                [tag, place.manage + HOME, attributes],
            )
    await page.wait_for_timeout(1500)
    for frame in page.frames[1:]:
        content = await frame.content()
        assert "Manage" not in content
        assert "sign-in" not in content
    await still_in(manager, place)


async def test_no_service_worker_comes_between(place: Stage, victim: BrowserContext) -> None:
    manager, page, _ = await both(place, victim)
    script = f"{PAGE}/worker.js"
    place.hostile.answers[script] = Said(
        "onfetch = e => e.respondWith(new Response('hijacked'))", "text/javascript", {"Service-Worker-Allowed": "/"}
    )
    own = await manager.locator("link[rel=stylesheet]").first.get_attribute("href")
    for source in (script, f"{place.manage}{own}", place.manage + HOME, f"{place.manage}{API}/openapi.json"):
        for scope in ("/", HOME, place.manage + "/"):
            told = await page.evaluate(
                "([script, scope]) => navigator.serviceWorker.register(script, {scope}).then(() => 'in', String)",
                [source, scope],
            )
            assert told != "in", (source, scope)
    await still_in(manager, place)
    assert await manager.evaluate("navigator.serviceWorker.controller") is None


# --- cookies ----------------------------------------------------------------------------------------------

PLANT = """([names, value, domains]) => {
    for (const name of names)
        for (const start of [name + '=', '=' + name + '=', name + ' ='])
            for (const place of ['', 'Path=/', 'Path=/_gateway', 'Path=/_gateway/', 'Path=/_gateway/manage',
                                 'Path=/_gateway/manage/', 'Path=/_gateway/manage/sign-in'])
                for (const domain of ['', ...domains])
                    for (const more of ['', '; Secure', '; HttpOnly'])
                        document.cookie = [start + value + (domain + place).length, place, domain, 'Max-Age=99999']
                            .join('; ') + more;
    return document.cookie;
}"""
DOMAINS = ["Domain=guest.media.localhost", "Domain=media.localhost", "Domain=localhost", "Domain=manage.localhost"]


async def ours(stage: Stage, context: BrowserContext) -> list[dict[str, object]]:
    return [dict(one) for one in await context.cookies() if re.fullmatch("(__Host-)?" + COOKIE, str(one["name"]))]


async def test_what_was_planted_is_told_to_go_and_the_session_stays(near: Stage, victim: BrowserContext) -> None:
    """On plain http. The planted ones are as many as are looked up, and look like sessions."""
    manager, page, _ = await both(near, victim)
    (mine,) = [one for one in await ours(near, victim) if one["httpOnly"]]
    await page.evaluate(PLANT, [[COOKIE, "gateway-sign-in"], "x" * 30, DOMAINS])
    assert len(await ours(near, victim)) > 4
    await opened(manager, near.manage + HOME)
    await still_in(manager, near)
    left = [
        one for one in await ours(near, victim) if near.manage.split(":")[1].endswith(str(one["domain"]).lstrip("."))
    ]
    assert mine in left
    # And after signing out, signing in works.
    await page.evaluate(PLANT, [[COOKIE], "y" * 30, DOMAINS])
    await manager.get_by_role("button", name="Sign out").click()
    await sign_in(manager, near)


async def test_before_a_sign_in_planted_cookies_keep_nobody_out(near: Stage, victim: BrowserContext) -> None:
    page = await victim.new_page()
    await enter(page, await near.link())
    await page.evaluate(PLANT, [[COOKIE], "x" * 30, DOMAINS])
    manager = await victim.new_page()
    await sign_in(manager, near)
    await page.evaluate(PLANT, [[COOKIE], "z" * 30, DOMAINS])
    await opened(manager, near.manage + HOME)
    await still_in(manager, near)


@pytest.mark.parametrize("host", [MANAGE_SIBLING, GUESTS], ids=["a host beside", "another port"])
async def test_on_https_nothing_can_be_planted(tmp_path: Path, victim: BrowserContext, host: str) -> None:
    async with stage(tmp_path, tls=True, manage=host) as place:
        manager, page, _ = await both(place, victim)
        before = await ours(place, victim)
        assert [(one["name"], one["httpOnly"], one["secure"]) for one in before] == [("__Host-" + COOKIE, True, True)]
        await page.evaluate(PLANT, [["__Host-" + COOKIE, "__host-" + COOKIE, COOKIE], "x" * 30, DOMAINS])
        # On its own host it may set what it likes; that is another jar, unless managing is on that host.
        there = [one for one in await ours(place, victim) if one["domain"] == host and one["name"] != COOKIE]
        assert there == before
        await still_in(manager, place)


@pytest.mark.parametrize("fill", ["flood", "bomb"])
async def test_a_full_jar_is_a_sign_out_at_worst(near: Stage, victim: BrowserContext, fill: str) -> None:
    manager, page, _ = await both(near, victim)
    if fill == "flood":
        await page.evaluate(FLOOD.replace("Max-Age", "Domain=media.localhost; Max-Age"), False)
        await page.evaluate(FLOOD, False)
    else:
        for path in ("/", HOME):
            script = BOMB.replace("Max-Age", "Domain=media.localhost; Max-Age")
            await page.evaluate(script, [4, path])
        assert (await opened(manager, near.manage + HOME)).status == 431
    await opened(manager, near.manage + HOME)
    if manager.url != near.manage + HOME:
        await sign_in(manager, near)
    await still_in(manager, near)


async def test_on_another_port_the_managers_cookie_reaches_no_media_server(
    tmp_path: Path, victim: BrowserContext, capfd: pytest.CaptureFixture[str]
) -> None:
    """Browsers send it to every port of a host: the gateway gets it there, and passes it on to nobody."""
    async with stage(tmp_path, manage=GUESTS) as place:
        _, page, _ = await both(place, victim)
        (mine,) = await ours(place, victim)
        script = f"{PAGE}/app.js"
        place.hostile.answers[script] = Said("export const a = 1", "text/javascript")
        await opened(page, place.url + PAGE)
        read = await page.evaluate(
            """async script => { await fetch(script); const socket = new WebSocket('/ws/abc123');
            await new Promise(tell => { socket.onmessage = socket.onerror = tell });
            return document.cookie + JSON.stringify(await cookieStore.getAll()) }""",
            script,
        )
        assert str(mine["value"]) not in read
        assert COOKIE not in read
        assert place.hostile.sockets == 1
        heads = "\n".join(f"{name}: {value}" for head in place.hostile.heads for name, value in head.items())
        assert "Sec-WebSocket-Key" in heads
        assert "cookie" not in heads.lower()
        assert str(mine["value"]) not in heads
        assert place.hostile.bodies == []
    said = capfd.readouterr()
    assert str(mine["value"]) not in said.out + said.err
