"""Everything behind the doors, on the real store: workers, a desk, and a media server that says what it
is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gateway.access.admit import Doorkeeper
from gateway.access.authorize import Allowed, Authorizer
from gateway.access.grants import GrantTable
from gateway.access.issue import LinkDesk, LinkView
from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.access.servers import MediaServer, Servers
from gateway.access.words import PostedForm
from gateway.config import Origin, Prefixes, ServerConfig, SessionConfig
from gateway.policy.load import load_policy_text
from gateway.policy.model import Policy
from gateway.policy.target import Target, parse_target
from gateway.store.client import Store
from gateway.store.links import LinkStore
from gateway.upstream.resolve import Resolved
from tests.fakes import ShiftedClock
from tests.store_fixtures import KEYS, RETENTION

POLICY = """
server: Test server
verified: from documentation
item:
  id: "[a-z0-9]{2,20}"
  resolve:
    - request: GET /api/{id}
      vars: {title: $.title, play: $.play}
patterns:
  file: "[a-z0-9]+[.][a-z0-9]+"
kinds:
  video:
    page_urls: ["/watch/{id}"]
    open: /watch/{id}
    allow:
      - page GET /watch/{id}
      - GET /hls/{id}/{file}
      - GET /key/{play}
  live:
    player: {src: "/live/{id}/index.m3u8"}
    allow:
      - GET /live/{id}/{file}
  channel:
    guest_access: false
    open: /c/any
    allow: [page GET /c/any]
guest_access:
  on_revoke: ON_REVOKE
"""

COOKIE = "c" * 22
LEAVE_AFTER = 1.2


def make_server(
    name: str, *, on_revoke: str = "drain", host: str = "tv.example.org", access: bool = True
) -> MediaServer:
    text = POLICY.replace("ON_REVOKE", on_revoke)
    config = ServerConfig(
        name=name,
        upstream=Origin("http", "127.0.0.1", 9),
        policy="test",
        policy_path=Path("test.yaml"),
        guest_access=access,
        public=Origin("https", host, 443),
    )
    upstream: Any = SimpleNamespace()
    return MediaServer(config, load_policy_text(text, name="test"), upstream)


@dataclass
class Media:
    """What the media server answers about its items: a state, other variables, or a failure."""

    kind: str | None = "video"
    states: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # other spellings
    variables: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"title": ("Ein Film",), "play": ("p1",)})
    failure: Exception | None = None
    was_live: int | None = None
    asked: int = 0

    async def resolve(self, policy: Policy, upstream: object, item: str) -> Resolved:
        self.asked += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        item = self.names.get(item, item)
        state = self.states.get(item, "ok")
        if state != "ok":
            return Resolved(state, item, was_live=self.was_live)
        return Resolved("ok", item, self.kind, {"id": (item,), **self.variables})


@dataclass
class Worker:
    """What one process of the gateway holds."""

    links: LinkStore
    table: GrantTable
    door: Doorkeeper
    authorizer: Authorizer
    server: MediaServer
    clock: Callable[[], int]

    async def post(
        self, token: str, *, name: str = "Ada", email: str = "ada@example.org", form: str | None = None,
        cookie: str | None = COOKIE, ids: tuple[str, ...] = (), shared: bool = False, **more: str,
    ) -> Admitted | Denied:  # fmt: skip
        form = self.door.new_form(token, COOKIE, self.clock()) if form is None else form
        return await self.door.admit(token, self.server, PostedForm(name, email, form, shared, **more), cookie, ids)

    async def admitted(self, token: str, **options: Any) -> Admitted:
        done = await self.post(token, **options)
        assert isinstance(done, Admitted), done
        return done

    async def ask(
        self, path: str, *ids: str, server: MediaServer | None = None, method: str = "GET"
    ) -> Allowed | Denied:
        target = parse_target(path)
        assert isinstance(target, Target)
        return await self.authorizer.judge(server or self.server, method, target, ids)

    async def stream(self, *ids: str) -> Allowed | Denied:
        return await self.ask("/hls/film1/seg1.ts", *ids)


@dataclass
class World:
    store: Store
    servers: Servers
    media: Media
    clock: ShiftedClock
    session: SessionConfig
    desk: LinkDesk

    @asynccontextmanager
    async def worker(self, store: Store | None = None) -> AsyncIterator[Worker]:
        links = LinkStore(store or self.store, KEYS, retention=RETENTION)
        table = GrantTable(links, self.servers, self.session, self.clock, resolve=self.media.resolve)
        door = Doorkeeper(links, table, self.session, Prefixes(), self.clock, resolve=self.media.resolve)
        task = asyncio.create_task(table.run())
        await until(lambda: table.unheard() < 0.5 and table.caught_up)
        try:
            yield Worker(links, table, door, Authorizer(table), self.servers.all[0], self.clock)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def link(self, **options: Any) -> tuple[LinkView, str]:
        """A new link and its token."""
        made = await self.desk.create(
            "tv", options.pop("item", "film1"), **{"name": "Friends", "by": "test", **options}
        )
        assert isinstance(made, LinkView), made
        assert made.url is not None
        return made, made.url.rpartition("/")[2]


async def make_world(
    store: Store, *, on_revoke: str = "drain", leave_after: float = LEAVE_AFTER, grace: float = 600, access: bool = True
) -> World:
    links = LinkStore(store, KEYS, retention=RETENTION)
    await links.prepare()
    servers = Servers(
        [make_server("tv", on_revoke=on_revoke, access=access), make_server("radio", host="radio.example.org")]
    )
    media, clock = Media(), ShiftedClock()
    session = SessionConfig(leave_after=timedelta(seconds=leave_after), store_grace=timedelta(seconds=grace))
    desk = LinkDesk(links, servers, Prefixes(), clock, resolve=media.resolve)
    return World(store, servers, media, clock, session, desk)


async def until(true: Callable[[], bool], *, seconds: float = 3.0) -> float:
    """Wait for something; how long it took. Fails when it does not come."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not true():
        assert loop.time() - start < seconds, "it did not come in time"
        await asyncio.sleep(0.01)
    return loop.time() - start
