"""A whole gateway with a media server that can fail in every way, a store that can be taken away, and guests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from gateway.app import bind, open_gateway, serve_gateway
from gateway.config_file import load_config
from gateway.store.embedded import EmbeddedStore
from gateway.store.links import LinkStore
from tests.running import EMAIL, NAME, Answer, Running, ask, free_port
from tests.wire import WireClient

ITEM, OTHER = "abc123", "xyz789"
PAGE, STREAM, ENDLESS, SOCKET = f"/media/{ITEM}", f"/hls/{ITEM}/seg1.ts", f"/endless/{ITEM}", f"/ws/{ITEM}"
CREDENTIAL = "credential-of-the-media-server"
TITLE = "A night at the opera"

POLICY = """
server: Village cinema
item:
  id: "[a-z0-9]{6,32}"
  resolve:
    - request: GET /api/items/{id}
      id: $.id
      gone: [404]
      vars: {title: $.title}
patterns: {file: "[A-Za-z0-9_-]+[.][a-z0-9]{1,8}"}
kinds:
  video:
    open: /media/{id}
    allow:
      - page GET /media/{id}
      - GET /hls/{id}/{file}
      - GET /endless/{id}
      - POST /api/progress/{id}
      - WS /ws/{id}
guest_access: {links_per_item: 9, on_revoke: %s}
upstream: {headers: {Authorization: "Bearer credential-of-the-media-server"}}
"""


class Media:
    """`mode`: ok; gone (404 for everything); slow (no answer); `stop` and `start`: a server that is down.

    Its own words say what no guest may read.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.port = 0
        self.asked: list[str] = []
        self.open = 0
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        if self.mode == "slow":
            await asyncio.sleep(30)
        path = request.path
        item = ITEM if ITEM in path else OTHER
        if self.mode == "gone":
            return web.Response(status=404, text="the media server says: nothing here")
        if path.startswith("/api/items/"):
            return web.json_response({"id": item, "title": TITLE})
        if path.startswith("/endless/"):
            return await self._endless(request)
        if path.startswith("/ws/"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            self.open += 1
            async for message in socket:
                await socket.send_str(f"you said {message.data}")
            self.open -= 1
            return socket
        if path.endswith("echo.txt"):
            return web.Response(text="\n".join(f"{name}: {value}" for name, value in request.headers.items()))
        if path.startswith("/media/"):
            return web.Response(text=f"<title>page of {item}</title>", content_type="text/html")
        return web.Response(body=b"media bytes", content_type="video/mp2t")

    async def _endless(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp2t"})
        await response.prepare(request)
        self.open += 1
        try:
            while True:
                await response.write(b"x" * 100)
                await asyncio.sleep(0.02)
        except ConnectionError:
            return response
        finally:
            self.open -= 1


@asynccontextmanager
async def media_server() -> AsyncIterator[Media]:
    media = Media()
    await media.start()
    try:
        yield media
    finally:
        await media.stop()


def write_config(
    folder: Path,
    media: Media,
    *,
    on_revoke: str = "drain",
    extra: str = "",
    server: str = "",
    limits: str = "guesses_per_address: 100000, connections_per_address: 4000",
) -> int:
    """config.yaml and its policy in this folder; the port on which it will listen. All guests of a test have
    one address, so the `limits` that hold off strangers are wide."""
    port = free_port()
    (folder / "policy.yaml").write_text(POLICY % on_revoke)
    (folder / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\ndata_dir: data\n"
        f"limits: {{{limits}}}\n"
        f"servers:\n  - name: tv\n    upstream: http://127.0.0.1:{media.port}\n    policy: ./policy.yaml\n"
        f"{server}{extra}"
    )
    return port


@asynccontextmanager
async def running_worker(folder: Path, port: int | None = None, **session: float) -> AsyncIterator[Running]:
    """A gateway in this process, as config.yaml says; `port`: a second worker beside it, on a port of its own.
    `session` in seconds, also shorter than a file may say."""
    config = load_config(folder / "config.yaml", need_servers=True)
    changed = {name: timedelta(seconds=value) for name, value in session.items()}
    config = replace(config, session=replace(config.session, **changed))  # type: ignore[arg-type]
    if port is not None:
        config = replace(config, listen=replace(config.listen, port=port), manage=None)
    role: Literal["serve", "command"] = "serve" if port is None else "command"
    with closing(bind(config)) as sockets:
        async with open_gateway(config, role=role) as gateway, serve_gateway(gateway, sockets, patience=0.2):
            yield Running(gateway, config, config.listen.port)


@asynccontextmanager
async def separate_store(folder: Path) -> AsyncIterator[EmbeddedStore]:
    """A store that a test can stop and start again; `store_line` is its line of config.yaml."""
    store = EmbeddedStore(folder / "store")
    await store.start(alone=True)
    try:
        yield store
    finally:
        await store.stop()


def store_line(store: EmbeddedStore) -> str:
    return f"store: unix://{store.socket}\n"


def records(running: Running) -> LinkStore:
    """The store itself, for what no owner could do."""
    return running.desk._links


async def expire(running: Running, link: str) -> None:
    """As if its days were over."""
    identifier = (await running.link(link)).link.id
    await records(running).edit(identifier, {"expires_at": int(time.time() * 1000) - 1_000})


async def clicks(running: Running, link: str) -> int:
    return (await running.link(link)).link.clicks_used


@dataclass
class Guest:
    """A browser: it keeps cookies and shows nothing but them. `port`: which worker it talks to."""

    port: int
    host: str = ""
    jar: dict[str, str] = field(default_factory=dict)
    seen: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = self.host or f"127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items() if value)

    async def ask(self, line: str, *, page: bool = True, headers: str = "", body: bytes = b"") -> Answer:
        if page:
            headers += "Accept: text/html,*/*\r\n"
        answer = await ask(self.port, line, host=self.host, cookie=self.cookie, headers=headers, body=body)
        self.jar |= answer.cookies
        self.seen.append(answer)
        return answer

    async def get(self, path: str, *, page: bool = True) -> Answer:
        return await self.ask(f"GET {path}", page=page)

    async def status(self, path: str) -> int:
        return (await self.get(path)).status

    async def form(self, link: str) -> str:
        """Open the link; the one-time id of its form."""
        return form_id(await self.get(path_of(link)))

    async def post(
        self, link: str, form: str, *, name: str = NAME, email: str = EMAIL, page: bool = True, **more: str
    ) -> Answer:
        return await self.ask(
            f"POST {path_of(link)}",
            page=page,
            headers=f"Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://{self.host}\r\n",
            body=urlencode({"name": name, "email": email, "form": form, **more}).encode(),
        )

    async def enter(self, link: str, **fields: str) -> Guest:
        answer = await self.post(link, await self.form(link), **fields)
        assert answer.status == 303, answer
        assert answer.headers["location"] == PAGE
        return self

    async def leave(self) -> Answer:
        return await self.ask("POST /_gateway/leave", headers=f"Origin: http://{self.host}\r\n")

    @asynccontextmanager
    async def streaming(self, path: str = ENDLESS) -> AsyncIterator[Stream]:
        async with WireClient(self.port, self.host) as client:
            await client.ask(f"GET {path}", f"Cookie: {self.cookie}\r\n")
            head = await asyncio.wait_for(client.head(), 3)
            assert head.status == 200, head
            yield Stream(client)

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse[bool]]:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.ws_connect(f"http://127.0.0.1:{self.port}{SOCKET}", headers={"Cookie": self.cookie}) as socket,
        ):
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=3) == "you said hello"
            yield socket


@dataclass
class Stream:
    """An endless answer."""

    client: WireClient

    async def flows(self, seconds: float = 0.3) -> bool:
        """Whether bytes still come at the end of this time."""
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if not await asyncio.wait_for(self.client.reader.read(65_536), 1):
                    return False
        except (ConnectionError, TimeoutError):
            return False
        return True

    async def ended(self, within: float) -> float:
        """Seconds until the gateway cut it."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(within):
                while await self.client.reader.read(65_536):
                    pass
        except ConnectionError:
            pass
        return time.monotonic() - began


def path_of(link: str) -> str:
    return "/" + link.split("/", 3)[3]


def form_id(answer: Answer) -> str:
    form = answer.body.decode().partition('name="form" value="')[2].partition('"')[0]
    assert form, answer
    return form


async def until(what: str, condition: object, seconds: float = 5.0) -> None:
    """Wait until `condition()` holds (it may be a coroutine function)."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()  # type: ignore[operator]
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)
