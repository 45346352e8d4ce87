"""axe-core looks at every page and state, light and dark, and finds nothing.

It comes from npm as tests/axe/package-lock.json says, and runs in the real browser beside the page.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from gateway.access.issue import IssueRefused
from gateway.access.passwords import hash_password
from gateway.demo.server import SHARED, serving
from tests.browser.cinema import ON, seated
from tests.browser.on_air import on_air
from tests.browser.test_pictures import DESKTOP, PHONE, THEME, wait
from tests.browser.themes import OWN, write_theme
from tests.chromium import chromium
from tests.media import Media
from tests.running import Running, enter, free_port, running_gateway
from tests.system_parts import need

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[1] / "axe"
PASSWORD = "correct horse battery"

Look = Callable[[str], Awaitable[None]]


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of axe, installed as the lock file says."""
    npm, folder = need("npm"), tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(AXE / name, folder)
    subprocess.run(
        [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, timeout=110
    )
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


# The size of targets (2.5.8) is looked at only where it is asked for.
RUN = """async () => {
    const found = await axe.run(document, {rules: {"target-size": {enabled: true}}});
    const told = one => `${one.id} (${one.impact}): ${one.help}\\n` + one.nodes.map(node => '    ' + node.html + ' ' +
        node.any.concat(node.all, node.none).map(check => check.message).join('; ')).join('\\n');
    return [found.passes.length, found.violations.map(told)];
}"""


@dataclass
class Checker:
    """Looks at a page as it is, in both schemes, and remembers what it has seen."""

    page: Page
    axe: str
    faults: list[str]

    async def __call__(self, name: str) -> None:
        for scheme in ("light", "dark"):
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await self.page.evaluate(self.axe)
            passes, faults = await self.page.evaluate(RUN)
            assert passes > 10, f"{name}: hardly anything was looked at"
            self.faults += [f"{name}, {scheme}: {fault}" for fault in faults]


@dataclass
class Stage:
    running: Running
    home: str
    browser: Browser


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    media, port = free_port(), free_port()
    extra = THEME + (
        f"manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\n"
        f'managers: [{{name: alice, password: "{hash_password(PASSWORD)}", may: ["tv:*"]}}]\n'
    )
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=extra) as running,
        chromium() as browser,
    ):
        yield Stage(running, f"http://127.0.0.1:{port}/_gateway/manage", browser)


async def test_axe_finds_what_is_wrong(stage: Stage, axe: str) -> None:
    """The control: our own page, spoilt."""
    page = await stage.browser.new_page()
    await page.goto(stage.home)
    await page.evaluate("document.querySelector('label').remove(); document.documentElement.lang = ''")
    await page.evaluate("document.querySelector('h1').style.color = getComputedStyle(document.body).backgroundColor")
    look = Checker(page, axe, [])
    await look("sign-in")
    for rule in ("label", "html-has-lang", "color-contrast"):
        assert any(f"light: {rule} " in fault for fault in look.faults), rule


async def test_guests_pages(stage: Stage, axe: str) -> None:
    await _guests_pages(stage, axe)


async def test_guests_pages_in_a_theme_of_their_own(tmp_path: Path, axe: str) -> None:
    write_theme(tmp_path)
    media = free_port()
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=OWN) as running,
        chromium() as browser,
    ):
        await _guests_pages(Stage(running, "", browser), axe)


async def _guests_pages(stage: Stage, axe: str) -> None:
    link = await stage.running.make_link(SHARED, days=30)
    for viewport in (DESKTOP, PHONE):
        page = await (await stage.browser.new_context(viewport=viewport)).new_page()  # type: ignore[arg-type]
        look = Checker(page, axe, [])
        await page.goto(link)
        await look("entry")
        await page.locator(".languages summary").click()
        await look("languages on offer")
        await page.locator("form button").click()
        await page.locator("#email-error").wait_for()
        await look("entry with faults")
        await page.goto(f"{stage.running.url}/")
        await look("no session")
        await page.goto(f"{stage.running.url}/g/nothing")
        await look("unknown link")
        await page.goto(link)
        await page.locator("input[name=name]").fill("Ada Guest")
        await page.locator("input[name=email]").fill("ada@example.org")
        await page.locator("form button").click()
        await page.wait_for_url("**/_gateway/watch/*")
        await page.locator("video").wait_for()
        await look("player")
        watching = page.url
        await page.goto(f"{stage.running.url}/somewhere")
        await look("denied")
        await stage.running.switch(SHARED, on=False)
        await page.goto(watching)
        await look("turned off")
        await stage.running.switch(SHARED, on=True)
        await page.context.clear_cookies()
        await wait(page, look, stage.running)
        assert look.faults == []


@pytest.mark.parametrize("kind", ["dash", "audio"])
async def test_the_player_with_all_it_has(tmp_path: Path, media: Media, axe: str, kind: str) -> None:
    item = (media.dash() if kind == "dash" else media.audio()).name
    async with (
        chromium() as browser,
        seated(tmp_path, media, await browser.new_context(), item, kind, more=ON) as seat,
    ):
        page = seat.page
        look = Checker(page, axe, [])
        await page.keyboard.press("k")
        await seat.plays()
        await look(f"{kind}, playing")
        await page.keyboard.press("k")
        await seat.video("v.currentTime = 7")
        await seat.until("v.currentTime >= 7 && !v.seeking")
        await page.keyboard.press("k")
        await seat.plays(beyond=7)
        for viewport in (DESKTOP, PHONE):
            await page.set_viewport_size(viewport)  # type: ignore[arg-type]
            await page.reload()
            await page.get_by_role("button", name="Start over").wait_for()
            await look(f"{kind}, resumed")
            await page.get_by_role("button", name="Speed").click()
            await look(f"{kind}, speeds")
        assert look.faults == []


async def test_the_player_on_air_with_a_chat(tmp_path: Path, axe: str) -> None:
    async with chromium() as browser, on_air(tmp_path, await browser.new_context()) as (seat, _):
        look = Checker(seat.page, axe, [])
        await seat.page.frame_locator("iframe").get_by_label("Message").wait_for()
        await seat.page.keyboard.press("k")
        await seat.plays(beyond=15)
        await look("at the edge")
        await seat.page.get_by_role("slider", name="Position").press("Home")
        await seat.page.get_by_role("button", name="Go to live").wait_for()
        await seat.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        await look("behind, on a phone")
        assert look.faults == []


async def test_what_has_the_focus_can_be_seen(stage: Stage) -> None:
    """Each place the tab key goes to on the form is marked, and lies where nothing covers it."""
    page = await stage.browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    await page.goto(await stage.running.make_link(SHARED))
    seen = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        name, width, style, covered = await page.evaluate(
            """() => { const at = document.activeElement;
            const box = at.getBoundingClientRect(), looks = getComputedStyle(at);
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return [at.id || at.name || at.tagName, parseFloat(looks.outlineWidth), looks.outlineStyle,
                    !(top && (at.contains(top) || top.contains(at)))]; }"""
        )
        if name == "BODY":
            break
        seen.append(name)
        assert width >= 2, name
        assert style != "none", name
        assert not covered, name
    assert {"name", "email", "not_my_device", "remember", "BUTTON"} <= set(seen)


async def test_managers_pages(stage: Stage, axe: str) -> None:
    for viewport in (DESKTOP, PHONE):
        page = await (await stage.browser.new_context(viewport=viewport)).new_page()  # type: ignore[arg-type]
        look = Checker(page, axe, [])
        await _sign_in(page, stage, look)
        await _window(page, stage, look)
        await _rooms(page, stage, look)
        assert look.faults == []


async def _sign_in(page: Page, stage: Stage, look: Look) -> None:
    await page.goto(stage.home)
    await look("sign-in")
    for password in ("wrong", PASSWORD):
        await page.get_by_label("Name").fill("alice")
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Sign in").click()
        if password == "wrong":
            await page.get_by_role("alert").wait_for()
            await look("wrong password")
    await page.wait_for_url(stage.home)
    await look("home")
    await page.goto(f"{stage.home}?url=nonsense")
    await look("home, an address that is none")
    await page.goto(f"{stage.home}?server=tv&item=nothing-there")
    await look("an item that is not there")
    await page.goto(f"{stage.home}/nothing")
    await look("no page")


async def _window(page: Page, stage: Stage, look: Look) -> None:
    window = f"{stage.home}?server=tv&item={SHARED}"
    desk = stage.running.desk
    await page.goto(window)
    await look("window, empty")
    await page.goto(f"{window}&view=new")
    await look("new")
    await page.get_by_role("button", name="Create").click()
    await page.locator("#name-error").wait_for()
    await look("new with faults")
    made = []
    for name, limits in (("Webinar invite", {"clicks": 30, "days": 7}), ("<b>Family</b>", {}), ("נועה", {"clicks": 1})):
        view = await desk.create("tv", SHARED, name=name, by="alice", **limits)  # type: ignore[arg-type]
        assert not isinstance(view, IssueRefused)
        made.append(view)
    await enter(stage.running.port, str(made[2].url))
    await page.goto(f"{window}&done=created")
    await look("window, full")
    for view in ("edit", "delete", "qr"):
        await page.goto(f"{window}&view={view}&link={made[0].link.id}")
        await look(view)
    await page.goto(f"{window}&view=edit&link={made[1].link.id}")
    await page.get_by_label("# of clicks").fill("none")
    await page.get_by_role("button", name="Save").click()
    await page.locator("#clicks-error").wait_for()
    await look("edit with faults")
    await page.goto(f"{window}&view=delete&link={'0' * 19}")
    await look("deleted meanwhile")
    await desk.set_access("tv", SHARED, False)
    await page.goto(window)
    await look("window, turned off")
    await desk.set_access("tv", SHARED, True)


async def _rooms(page: Page, stage: Stage, look: Look) -> None:
    await page.goto(f"{stage.home}/links?sort=name")
    await look("links")
    await page.get_by_role("button", name="Extend").click()
    await page.get_by_role("alert").wait_for()
    await look("links, days wrong")
    await page.goto(f"{stage.home}/links?q=nobody&state=expired&done=3")
    await look("links, none")
    await page.goto(f"{stage.home}/guests")
    await look("guests")
    for view in ("Remove", "Erase"):
        await page.goto(f"{stage.home}/guests")
        await page.get_by_role("row").get_by_role("link", name=view).first.click()
        await page.get_by_role("alertdialog").wait_for()
        await look(f"guests, {view}")
    await page.goto(f"{stage.home}/guests?q=nobody&done=erased&count=2")
    await page.locator("main summary").click()
    await look("guests, none")
    await page.goto(f"{stage.home}/record")
    await look("record")
    await page.goto(f"{stage.home}/record?who=nobody")
    await look("record, empty")
    for link in await stage.running.desk.list("tv"):  # type: ignore[union-attr]
        await stage.running.desk.delete(link.link.id)


async def test_where_managers_sign_in_elsewhere(tmp_path: Path, axe: str) -> None:
    port = free_port()
    extra = f"""manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}
sign_in: {{trusted_header: {{user: X-Remote-User, from: [127.0.0.1], rights: [{{group: a, may: ["tv:*"]}}]}}}}
"""
    async with running_gateway(tmp_path, "hls", free_port(), extra=extra), chromium() as browser:
        for headers in ({}, {"X-Remote-User": "ada"}):
            page = await (await browser.new_context(extra_http_headers=headers)).new_page()
            look = Checker(page, axe, [])
            await page.goto(f"http://127.0.0.1:{port}/_gateway/manage")
            await look("sign-in elsewhere")
            assert look.faults == []
