"""A media server that is the guests' enemy, a gateway before it, and names by which browsers reach both.

Names below `.localhost` lead to this machine in every Chromium, and are treated as any other site: two
hosts of `media.localhost` are one site, `elsewhere.localhost` is another. Plain http is a secure context
there, so that service workers and the rest of what only https may do can be tried without certificates;
`tls` is for what differs there: cookies.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from playwright.async_api import Page, Response

from gateway.access.passwords import hash_password
from tests.certificates import issue
from tests.running import Running, free_port, running_gateway

GUESTS, SIBLING, ELSEWHERE = "guest.media.localhost", "other.media.localhost", "elsewhere.localhost"
MANAGE, MANAGE_SIBLING = "manage.localhost", "manage.media.localhost"
MANAGER, PASSWORD, TOKEN = "alice", "correct horse battery", "a-token-of-the-manager-for-these-tests"
ITEM = "abc123"
PAGE = f"/page/{ITEM}"

POLICY = """
server: Hostile server
verified: from documentation
item: {id: "[a-z0-9]{3,9}"}
patterns: {file: "[a-z0-9_.-]{1,40}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - page GET /page/{id}/{file}
      - GET /file/{id}/{file}
      - WS /ws/{id}
"""


@dataclass
class Said:
    """One answer of the hostile server."""

    body: str | bytes = ""
    type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass
class Hostile:
    """Says what a test wants at each path, and keeps what it was asked."""

    port: int = 0
    answers: dict[str, Said] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # of what was posted to it
    sockets: int = 0

    def file(self, name: str, body: str | bytes, type: str, **headers: str) -> str:
        """Put a file beside the item; its path."""
        path = f"/file/{ITEM}/{name}"
        self.answers[path] = Said(body, type, {key.replace("_", "-"): value for key, value in headers.items()})
        return path

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        self.heads.append(dict(request.headers))
        if request.method == "POST":
            self.bodies.append(await request.read())
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self.sockets += 1
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str("hello")
            async for _ in socket:
                pass
            return socket
        said = self.answers.get(request.path, Said("nothing here", status=404))
        body = said.body.encode() if isinstance(said.body, str) else said.body
        response = web.Response(status=said.status, body=body)
        response.headers["Content-Type"] = said.type
        for name, value in said.headers.items():
            response.headers[name] = value
        return response

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Hostile]:
        runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


@dataclass
class Stage:
    """`url` is the guests' origin, `manage` the managing one; `site`: a web site of somebody else, on whatever host
    name."""

    hostile: Hostile
    running: Running
    url: str
    site: Hostile
    manage: str = ""

    def at(self, host: str, path: str = "/") -> str:
        """A page of the other web site under this host name."""
        return f"http://{host}:{self.site.port}{path}"

    async def link(self, **limits: object) -> str:
        return await self.running.make_link(ITEM, **limits)

    async def clicks(self, link: str) -> int:
        return (await self.running.link(link)).link.clicks_used


@asynccontextmanager
async def stage(folder: Path, *, tls: bool = False, session: str = "{}", manage: str = "") -> AsyncIterator[Stage]:
    """`session`: that part of config.yaml. `manage`: the host name of the managing origin; that of the guests
    means another port of it."""
    hostile, site = Hostile(), Hostile()
    hostile.answers[PAGE] = Said("<!doctype html><title>media</title><h1>media</h1>")
    site.answers["/"] = Said("<!doctype html><title>elsewhere</title>")
    port = free_port()
    scheme = "https" if tls else "http"
    url = f"{scheme}://{GUESTS}:{port}"
    extra = f"session: {session}\n"
    managing = ""
    if manage:
        own = free_port() if manage == GUESTS else port
        managing = f"{scheme}://{manage}:{own}"
        listen = f"listen: '127.0.0.1:{own}', " if own != port else ""
        extra += f"manage: {{{listen}url: '{managing}'}}\nmanagers:\n  - name: {MANAGER}\n    may: ['tv:*']\n"
        extra += f"    password: '{hash_password(PASSWORD)}'\n"
        extra += f"    token: 'sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}'\n"
    if tls:
        files = issue(folder, [GUESTS, *([manage] if manage else [])])
        extra += f"tls: {{certificate: {files.certificate}, key: {files.key}}}\n"
    async with (
        hostile.serving(),
        site.serving(),
        running_gateway(folder, POLICY, hostile.port, port=port, public=url, extra=extra) as running,
    ):
        yield Stage(hostile, running, url, site, managing)


async def enter(page: Page, link: str) -> None:
    """Fill the form in as a guest would, and be on the media's page."""
    await page.goto(link)
    await send_form(page)
    await page.wait_for_url(f"**{PAGE}")


async def send_form(page: Page) -> None:
    await page.locator("input[name=name]").fill("Ada Guest")
    await page.locator("input[name=email]").fill("ada@example.org")
    await page.locator("form button").click()


async def opened(page: Page, url: str) -> Response:
    answer = await page.goto(url)
    assert answer is not None
    return answer


async def sign_in(page: Page, stage: Stage) -> None:
    """As the manager, by the form."""
    await page.goto(f"{stage.manage}/_gateway/manage")
    await page.locator("input[name=name]").fill(MANAGER)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main form button").click()
    await page.wait_for_url(f"{stage.manage}/_gateway/manage")
