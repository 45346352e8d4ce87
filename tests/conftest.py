"""A visit for doors and pages without a gateway around them: real sockets, a stand-in server record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, settings

from gateway.config import Origin
from gateway.policy.target import Target, parse_target
from gateway.web.pages import Pages, plain_pages
from gateway.web.visit import Visit

# On a busy machine an example takes as long as it takes; that is no fault of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

pytest_plugins = [
    "tests.store_fixtures",
    "tests.library",
    "tests.media",
    "tests.servers.clips",
    "tests.servers.films",
    "tests.servers.npm_clients",
]

Door = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass
class Stage:
    """Hands each request to `door` as a visit; `client` asks it, `visits` keeps what was seen."""

    port: int = 0
    door: Door | None = None
    pages: Pages = field(default_factory=plain_pages)
    client: Any = None
    visits: list[Visit] = field(default_factory=list)
    kinds: dict[str, Any] = field(default_factory=dict)  # of the server's policy
    preview: str = "nothing"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self.door is not None
        target = parse_target(request.raw_path)
        assert isinstance(target, Target)
        server: Any = SimpleNamespace(
            config=SimpleNamespace(name="tv", public=Origin("http", "127.0.0.1", self.port)),
            policy=SimpleNamespace(
                title="Village cinema", kinds=self.kinds, preview=self.preview, cast=None, begins=lambda kind: False
            ),
        )
        visit = Visit(request, target, server, "ABCD2345", pages=self.pages)
        self.visits.append(visit)
        return await self.door(visit)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    runner = web.ServerRunner(web.Server(stage.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stage.port = runner.addresses[0][1]
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{stage.port}",
        headers={"Accept-Encoding": "identity"},
        cookie_jar=jar,
        auto_decompress=False,
    ) as client:
        stage.client = client
        yield stage
    await runner.cleanup()
