"""Sites that show a guest link in a frame: an LMS, on whatever host name, with a certificate of its own.

`guest.media.localhost` is the guests' host; `lms.localhost` is another site, as `sneaky.localhost` is, and
`course.media.localhost` is one site with the guests' host, as an LMS of the same university often is.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from playwright.async_api import BrowserContext, Frame, Page, async_playwright

from tests.browser.hostile import GUESTS
from tests.certificates import issue
from tests.chromium import FLAGS
from tests.running import Running, free_port, running_gateway
from tests.system_parts import need

LMS, SISTER, SNEAKY = "lms.localhost", "course.media.localhost", "sneaky.localhost"
ALLOW = "fullscreen; autoplay; picture-in-picture"


@dataclass
class Site:
    """Pages by host and path, under every host name; `asked` keeps what came, with its Referer."""

    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    heads: dict[str, Mapping[str, str]] = field(default_factory=dict)
    cookies: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def origin(self, host: str) -> str:
        return f"https://{host}:{self.port}"

    def frame(self, path: str, address: str, attributes: str = f'allow="{ALLOW}"') -> None:
        """A page that shows the address in a frame."""
        self.pages[path] = (
            f"<!doctype html><title>Course</title><h1>Week 1</h1>"
            f'<iframe name="link" src="{address}" width="900" height="900" {attributes}></iframe>'
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.url} {request.headers.get('Referer', '')}")
        text = self.pages.get(request.path)
        headers = {"Content-Type": "text/html", **self.heads.get(request.path, {})}
        response = web.Response(status=200 if text is not None else 404, text=text or "", headers=headers)
        for line in self.cookies.get(request.path, ()):
            response.headers.add("Set-Cookie", line)
        return response

    @asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[Site]:
        files = issue(folder, [LMS, SISTER, SNEAKY])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(files.certificate, files.key)
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=context).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


@dataclass
class Course:
    """A gateway that LMS and SISTER may frame, and the sites."""

    running: Running
    url: str
    site: Site

    async def link(self, item: str, **limits: object) -> str:
        return await self.running.make_link(item, **limits)

    async def clicks(self, link: str) -> int:
        return (await self.running.link(link)).link.clicks_used


@asynccontextmanager
async def course(folder: Path, policy: str, upstream: int, *, origins: bool = True) -> AsyncIterator[Course]:
    """`origins`: without them nobody may frame anything."""
    port = free_port()
    url = f"https://{GUESTS}:{port}"
    files = issue(folder / "gateway-tls", [GUESTS])
    async with Site().serving(folder / "site-tls") as site:
        listed = [site.origin(LMS), site.origin(SISTER)] if origins else []
        extra = f"tls: {{certificate: {files.certificate}, key: {files.key}}}\n"
        extra += f"session: {{embed_origins: {json.dumps(listed)}}}\n"
        async with running_gateway(folder, policy, upstream, port=port, public=url, extra=extra) as running:
            yield Course(running, url, site)


@asynccontextmanager
async def guests_browser(
    folder: Path, *, cookies: str = "as usual", javascript: bool = True
) -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own. `cookies`: "as usual"; "no third party's": those of other sites are
    blocked, kept-apart ones are not; "none in frames": those of the guests' host are refused inside the LMS."""
    program = need("chromium")
    profile: dict[str, object] = {"cookie_controls_mode": 0 if cookies == "as usual" else 1}
    if cookies == "none in frames":
        blocked = {f"https://[*.]media.localhost,https://[*.]{LMS}": {"setting": 2}}
        profile["content_settings"] = {"exceptions": {"cookies": blocked}}
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps({"profile": profile}))
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            str(folder),
            executable_path=program,
            args=FLAGS,
            ignore_https_errors=True,
            java_script_enabled=javascript,
            viewport={"width": 1280, "height": 1000},
        )
        yield context
        await context.close()


def framed(page: Page) -> Frame:
    """What the LMS shows."""
    # Not by its name: a frame that shows nothing has lost it.
    return page.main_frame.child_frames[0]


async def shown(page: Page) -> str:
    """The address that the LMS's frame ends up at; what is blocked has none for a moment."""
    async with asyncio.timeout(20):
        while not page.main_frame.child_frames or not framed(page).url:
            await asyncio.sleep(0.02)
    return framed(page).url


async def fill_in(frame: Frame) -> None:
    await frame.locator("input[name=name]").fill("Ada Guest")
    await frame.locator("input[name=email]").fill("ada@example.org")
    await frame.locator("form button[type=submit]").last.click()
