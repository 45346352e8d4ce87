"""A proxy door with a real policy, a real edge and a real (scripted) media server, and stand-ins for
who the guest is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.access.servers import MediaServer
from gateway.config import Origin, ServerConfig, Timeouts
from gateway.links.keys import Keys
from gateway.metrics import Metrics
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target
from gateway.proxy.door import ProxyDoor
from gateway.proxy.following import Sealer
from gateway.reasons import Reason
from gateway.upstream.client import HttpUpstream, Upstream
from gateway.web.edge import EdgeServer
from gateway.web.embedding import Embedding
from gateway.web.visit import Visit
from tests.wire import Call, Script, WireClient, WireServer

POLICY = """
server: Test server
verified: from documentation
item: {id: "[a-z0-9]{3,9}"}
patterns: {file: "[^/]{1,99}", n: "[0-9]{1,3}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /v/{id}/{file}
      - GET /q/{id}?*
      - POST /api/{id}
      - POST /again/{id}
      - OPTIONS /opt/{id}
      - WS /ws/{id}
      - GET /both/{id}
      - WS /both/{id}
"""


@dataclass
class FakeLive:
    """A grant that a test can end."""

    grant: Any
    scope: Any
    server: Any = None
    cuts: list[Callable[[], None]] = field(default_factory=list)
    held: int = 0
    watched: int = 0
    tokens: tuple[str, ...] = ()

    def tokens_but(self, shown: frozenset[str]) -> tuple[str, ...]:
        return self.tokens

    def touch(self) -> None:
        pass

    def watch(self) -> None:
        self.watched += 1

    @property
    def subjects(self) -> frozenset[str]:
        return frozenset()

    @contextmanager
    def talking(self) -> Iterator[None]:
        yield

    @contextmanager
    def holding(self, cut: Callable[[], None]) -> Iterator[None]:
        self.cuts.append(cut)
        self.held += 1
        try:
            yield
        finally:
            self.cuts.remove(cut)
            self.held -= 1

    def end(self) -> None:
        for cut in tuple(self.cuts):
            cut()


@dataclass
class FakeAuthorizer:
    """Everybody with the cookie `in` has one grant for `abc`."""

    live: FakeLive
    asked: list[tuple[str, str, bool]] = field(default_factory=list)

    async def judge(
        self, server: MediaServer, method: str, target: Target, grant_ids: tuple[str, ...], *, websocket: bool = False
    ) -> Any:
        self.asked.append((method, target.sent, websocket))
        if not grant_ids:
            return Denied(Reason.NO_SESSION)
        decision = self.live.scope.decide(method, target, websocket=websocket)
        if not decision.allowed:
            return Denied(decision.reason, decision.detail)
        return SimpleNamespace(live=self.live, decision=decision, server=server)

    async def alive(self, server: MediaServer, grant_id: str) -> Any:
        return self.live if grant_id == self.live.grant.id else Denied(Reason.GRANT_ENDED)


class FakeSession:
    def grant_ids(self, request: web.BaseRequest) -> tuple[str, ...]:
        return ("g1",) if "in" in request.headers.get("Cookie", "") else ()


@dataclass
class Stage:
    """The door on a port, and the server behind it."""

    port: int
    upstream: WireServer
    live: FakeLive
    authorizer: FakeAuthorizer
    door: ProxyDoor
    metrics: Metrics
    visits: list[Visit]
    failures: list[BaseException]

    def client(self) -> WireClient:
        return WireClient(self.port, host="gateway.test")

    @property
    def call(self) -> Call:
        assert len(self.upstream.calls) == 1
        return self.upstream.calls[0]

    @property
    def last(self) -> Visit:
        return self.visits[-1]

    def number(self, name: str) -> float:
        for line in self.metrics.text().decode().splitlines():
            if line.startswith((name + " ", name + "{")):
                return float(line.rpartition(" ")[2])
        raise KeyError(name)


KEYS = Keys.derive([b"a secret of the tests, long enough"])
QUICK = Timeouts(connect=timedelta(seconds=2), answer=timedelta(seconds=1.2), idle=timedelta(seconds=1.2))


@asynccontextmanager
async def opened(
    script: Script,
    *,
    policy_text: str = POLICY,
    upstream_part: str = "",
    timeouts: Timeouts = QUICK,
    also: tuple[Origin, ...] = (),
    port: int | None = None,
    embedding: Embedding | None = None,
    elsewhere: Mapping[str, Upstream] | None = None,
    ports: Mapping[str, int] | None = None,
) -> AsyncIterator[Stage]:
    """`upstream_part`: what is added to the policy, such as its `upstream:` block. `port`: of a server that is
    not ours. `embedding`: who may frame its pages. `ports`: further addresses of it, by name."""
    async with WireServer(script) as media:
        origin = Origin("http", "127.0.0.1", port or media.port)
        public = Origin("http", "gateway.test", 80)
        config = ServerConfig("tv", origin, "test", Path("test.yaml"), True, public, also, timeouts=timeouts)
        further = {name: Origin("http", "127.0.0.1", number) for name, number in (ports or {}).items()}
        config = replace(config, ports=tuple(further.items()))
        policy = load_policy_text(policy_text + upstream_part)
        server = MediaServer(
            config,
            policy,
            HttpUpstream(origin, timeouts),
            {name: HttpUpstream(one, timeouts) for name, one in further.items()},
            elsewhere or {},
        )
        live = FakeLive(SimpleNamespace(id="g1"), policy.scope("video", {"id": ("abc",)}), server)
        authorizer: Any = FakeAuthorizer(live)
        session: Any = FakeSession()
        metrics = Metrics()
        door = ProxyDoor(
            session,
            authorizer,
            lambda request: "198.51.100.7",
            metrics,
            embedding=embedding or Embedding(),
            sealer=Sealer(KEYS, "/_gateway"),
        )
        visits: list[Visit] = []
        failures: list[BaseException] = []

        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            target = parse_target(request.raw_path)
            assert isinstance(target, Target)
            visit = Visit(request, target, server, "ABCD2345")
            visits.append(visit)
            try:
                signed = target.path.startswith("/_gateway/s/")
                return await (door.signed(visit) if signed else door.handle(visit))
            except Exception as error:
                failures.append(error)
                raise

        edge = EdgeServer(handler)
        listening = await asyncio.get_running_loop().create_server(edge, "127.0.0.1", 0)
        stage = Stage(listening.sockets[0].getsockname()[1], media, live, authorizer, door, metrics, visits, failures)
        try:
            yield stage
        finally:
            listening.close()
            await edge.shutdown(0.1)
            for way in server.at.values():
                await way.close()
        assert stage.failures == []
        assert live.held == 0, "a request went on holding its grant"


IN = "Cookie: gateway=in\r\n"
