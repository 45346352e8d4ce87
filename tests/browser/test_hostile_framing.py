"""Where a link may stand in frames: what sites that are not listed, frames beside it, and a hostile media server
inside it get out of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import BrowserContext, Frame, Page

from gateway.config_file import load_config
from gateway.loading import loaded
from tests.browser.hostile import ITEM, PAGE, POLICY, Hostile, Said
from tests.browser.lms import LMS, SNEAKY, Course, course, fill_in, framed, guests_browser, shown
from tests.certificates import careless

pytestmark = pytest.mark.browser

BLOCKED = "chrome-error://chromewebdata/"
FILE = f"/file/{ITEM}/film.mp4"


@dataclass
class Scene:
    course: Course
    media: Hostile
    browser: BrowserContext
    page: Page
    link: str

    async def enter(self) -> Frame:
        """Into the LMS, and with its frame onto the media server's page."""
        self.course.site.frame("/course", self.link)
        await self.page.goto(f"{self.course.site.origin(LMS)}/course")
        await fill_in(framed(self.page))
        await self.page.wait_for_timeout(100)
        async with asyncio.timeout(30):
            while framed(self.page).url != self.course.url + PAGE:
                await asyncio.sleep(0.05)
        return framed(self.page)

    async def beside(self, host: str, name: str = "beside") -> Frame:
        """Another frame in the LMS's page, of a site of somebody else."""
        self.course.site.pages["/beside"] = "<!doctype html><title>beside</title><body>"
        await self.page.evaluate(
            """([address, name]) => new Promise(done => {
                const frame = document.createElement('iframe');
                Object.assign(frame, {src: address, name, onload: done});
                document.body.append(frame);
            })""",
            [f"{self.course.site.origin(host)}/beside", name],
        )
        frame = self.page.frame(name)
        assert frame is not None
        return frame


@asynccontextmanager
async def scene_of(folder: Path, *, origins: bool = True) -> AsyncIterator[Scene]:
    media = Hostile()
    media.answers[PAGE] = Said(
        "<!doctype html><title>media</title><h1>media</h1>",
        headers={"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none', img-src *"},
    )
    media.answers[FILE] = Said(b"film", "video/mp4")
    async with (
        media.serving(),
        course(folder, POLICY, media.port, origins=origins) as running,
        guests_browser(folder / "browser") as browser,
    ):
        yield Scene(running, media, browser, await browser.new_page(), await running.link(ITEM))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_of(tmp_path) as running:
        yield running


async def test_the_servers_own_page_stands_in_the_frame_whatever_it_says_about_frames(scene: Scene) -> None:
    frame = await scene.enter()
    assert await frame.inner_text("h1") == "media"
    assert await frame.evaluate(f"fetch('{FILE}').then(answer => answer.status)") == 200


async def test_no_site_that_is_not_listed_frames_anything(scene: Scene) -> None:
    """Also with a page between that is listed, and also what is an error."""
    site, url = scene.course.site, scene.course.url
    await scene.enter()
    for path in (PAGE, "/_gateway/leave", "/_gateway/back", "/nothing", "/g/nothing"):
        site.frame("/sneaky", url + path)
        await scene.page.goto(f"{site.origin(SNEAKY)}/sneaky")
        assert await shown(scene.page) == BLOCKED, path
        await scene.page.goto(f"{site.origin(LMS)}/sneaky")
        assert await shown(scene.page) != BLOCKED, path  # the control
    site.frame("/course", scene.link)
    await scene.page.goto(f"{site.origin(SNEAKY)}/course")
    assert await shown(scene.page) == BLOCKED
    site.frame("/around", f"{site.origin(LMS)}/course")
    for host, end in ((SNEAKY, BLOCKED), (LMS, url + PAGE)):
        await scene.page.goto(f"{site.origin(host)}/around")
        async with asyncio.timeout(20):
            while len(scene.page.frames) < 3 or not all(frame.url for frame in scene.page.frames):
                await asyncio.sleep(0.02)
        assert [frame.url for frame in scene.page.frames[1:]] == [f"{site.origin(LMS)}/course", end]


async def test_the_servers_pages_frame_neither_the_entry_page_nor_one_another(scene: Scene) -> None:
    """In the LMS's frame and in a tab: a frame of the same origin could be read."""
    other = await scene.course.running.make_link("xyz789")
    for where in (await scene.enter(), scene.page.main_frame):
        if where is scene.page.main_frame:
            await scene.page.goto(scene.link)
            await fill_in(scene.page.main_frame)
            await scene.page.wait_for_url(f"**{PAGE}")
        for address in (other, scene.link, scene.course.url + PAGE, f"{scene.course.url}/_gateway/leave"):
            read = await where.evaluate(
                """address => new Promise(tell => {
                    const frame = document.createElement('iframe');
                    frame.onload = () => {
                        try { tell(frame.contentDocument?.documentElement.outerHTML ?? 'nothing') }
                        catch { tell('nothing') }
                    };
                    frame.src = address;
                    document.body.append(frame);
                })""",
                address,
            )
            assert read == "nothing", address
    assert await scene.course.clicks(other) == 0


SENT = {
    "leave": ("/_gateway/leave", {}),
    "agree": ("LINK", {"agree": "1", "form": "FORM"}),
    "the form": ("LINK", {"name": "Eve", "email": "eve@example.org", "form": "FORM"}),
}
WAYS = {
    "in a frame": "form.target = 'into'; const frame = document.createElement('iframe'); frame.name = 'into';"
    " document.body.append(frame);",
    "in a tab": "form.target = '_blank';",
    "in its own place": "",
}


@pytest.mark.parametrize("who", ["the LMS", "a frame beside"])
async def test_no_page_around_or_beside_posts_in_the_guests_name(scene: Scene, who: str) -> None:
    """The frame's cookies are sent with such posts, as `SameSite=None` says; they show no session then."""
    other = await scene.course.running.make_link("xyz789")
    scene.media.answers["/page/xyz789"] = scene.media.answers[PAGE]
    form = await form_of(scene, other)
    await scene.enter()
    posted: list[int] = []
    scene.browser.on("response", lambda said: posted.append(said.status) if said.request.method == "POST" else None)
    for what, (path, fields) in SENT.items():
        for way, how in WAYS.items():
            frame = await lesson(scene)
            assert frame.url == scene.course.url + PAGE
            sender = scene.page.main_frame if who == "the LMS" else await scene.beside(SNEAKY)
            posted.clear()
            await sender.evaluate(
                """([address, fields, how]) => {
                    const form = document.createElement('form');
                    Object.assign(form, {method: 'POST', action: address});
                    for (const [name, value] of Object.entries(fields))
                        form.append(Object.assign(document.createElement('input'), {name, value}));
                    document.body.append(form);
                    new Function('form', how)(form);
                    form.submit();
                }""",
                [
                    address := other if path == "LINK" else scene.course.url + path,
                    {name: form if value == "FORM" else value for name, value in fields.items()},
                    how,
                ],
            )
            async with asyncio.timeout(20):
                while not posted:
                    await asyncio.sleep(0.05)
            assert posted == [403], (what, way)
            if sender is scene.page.main_frame and not how:
                await scene.page.wait_for_url(address)
            assert await scene.course.clicks(other) == 0
    assert (await lesson(scene)).url == scene.course.url + PAGE
    assert await scene.course.clicks(scene.link) == 1


async def test_no_page_around_or_beside_gets_files_with_the_frames_session(scene: Scene) -> None:
    frame = await scene.enter()
    beside = await scene.beside(SNEAKY)
    scene.media.asked.clear()
    for sender in (scene.page.main_frame, beside):
        got = await sender.evaluate(
            """address => Promise.all([
                fetch(address, {credentials: 'include'}).then(() => 'read', () => 'nothing'),
                fetch(address, {credentials: 'include', mode: 'no-cors'}).then(() => 'nothing', () => 'nothing'),
                ...['img', 'script', 'video', 'embed'].map(kind => new Promise(tell => {
                    const part = document.createElement(kind);
                    part.onload = part.onloadedmetadata = part.onerror = () => tell(kind);
                    part.src = address;
                    document.body.append(part);
                    setTimeout(tell, 3000, kind);
                })),
            ])""",
            scene.course.url + FILE,
        )
        assert got[:2] == ["nothing", "nothing"]
    assert scene.media.asked == []
    assert await frame.evaluate(f"fetch('{FILE}').then(answer => answer.status)") == 200
    assert scene.media.asked == [f"GET {FILE}"]  # the control


async def test_the_link_and_the_lms_are_no_news_to_the_media_server(scene: Scene) -> None:
    frame = await scene.enter()
    seen = await frame.evaluate(
        """() => JSON.stringify([document.referrer, location.href, document.cookie, name,
            performance.getEntries().map(one => one.name), navigation.entries().map(one => one.url),
            navigation.activation?.from?.url])"""
    )
    token = scene.link.rpartition("/")[2]
    assert token not in seen
    for head in scene.media.heads:
        assert token not in json.dumps(head)
        assert LMS not in json.dumps(head)
        assert "Referer" not in head
    assert not [asked for asked in scene.course.site.asked if token in asked]


async def test_where_nobody_is_listed_nothing_stands_in_a_frame(tmp_path: Path) -> None:
    async with scene_of(tmp_path, origins=False) as scene:
        scene.course.site.frame("/course", scene.link)
        await scene.page.goto(f"{scene.course.site.origin(LMS)}/course")
        assert await shown(scene.page) == BLOCKED


async def test_a_reload_of_the_settings_counts_for_the_next_page(scene: Scene, tmp_path: Path) -> None:
    await scene.enter()
    site, file = scene.course.site, tmp_path / "config.yaml"
    was = file.read_text()

    async def change(origins: list[str]) -> str:
        lines = [f"session: {{embed_origins: {json.dumps(origins)}}}" if line.startswith("session:") else line
                 for line in was.splitlines()]  # fmt: skip
        file.write_text("\n".join(lines) + "\n")
        await scene.course.running.gateway.adapt(loaded(load_config(file, need_servers=True)))
        await scene.page.goto(f"{site.origin(LMS)}/course")
        return await shown(scene.page)

    assert await change([site.origin(SNEAKY)]) == BLOCKED
    assert await change([]) == BLOCKED
    assert await change([site.origin(LMS)]) == scene.course.url + PAGE


async def lesson(scene: Scene) -> Frame:
    await scene.page.goto(f"{scene.course.site.origin(LMS)}/course")
    return framed(scene.page)


async def form_of(scene: Scene, link: str) -> str:
    """The form id that somebody else is given: good, and bound to a cookie of theirs."""
    path = link.removeprefix(scene.course.url)
    headers = {"Host": scene.course.url.removeprefix("https://"), "Accept": "text/html"}
    address = f"https://127.0.0.1:{scene.course.running.port}{path}"
    async with aiohttp.ClientSession() as client, client.get(address, headers=headers, ssl=careless()) as answer:
        page = await answer.text()
    form = page.partition('name="form" value="')[2].partition('"')[0]
    assert form
    return form
