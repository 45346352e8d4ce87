"""A media server, the gateway before it, and a real front proxy before both."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.check import examine
from gateway.config_file import load_config
from tests.deploy.cinema import ITEM, POLICY, Cinema, cinema
from tests.deploy.fronts import HOSTS, MANAGE, Front, Visitor, front, make_certificate
from tests.running import Running, free_port
from tests.system.stage import running_worker


@dataclass
class Stand:
    front: Front
    gateway: Running
    log: io.StringIO

    def visitor(self, **options: Any) -> Visitor:
        return Visitor(self.front, **options)

    async def guest(self, item: str = ITEM) -> Visitor:
        """Somebody who has come in by a new link."""
        visitor = self.visitor()
        reply = await visitor.enter(await self.gateway.make_link(item))
        assert reply.status == 303, reply
        return visitor


@asynccontextmanager
async def standing(
    folder: Path, certificate: Path, program: str, arrangement: str, policy: str, *, upstream: int, media: int
) -> AsyncIterator[Stand]:
    """`upstream` is where the gateway finds the media server, `media` where the front proxy does."""
    port, inner = free_port(), free_port()
    host = HOSTS.get(arrangement, HOSTS["own-host"])
    (folder / "policy.yaml").write_text(policy)
    (folder / "config.yaml").write_text(f"""
listen: 127.0.0.1:{inner}
public_url: https://{host}:{port}
trusted_proxies: [127.0.0.1]
manage: {{url: "https://{MANAGE}:{port}"}}
data_dir: data
limits: {{guesses_per_address: 100000}}
servers:
  - name: tv
    upstream: http://127.0.0.1:{upstream}
    policy: ./policy.yaml
    behind: {arrangement.replace("-", "_")}
""")
    assert examine(folder / "config.yaml").errors == []
    assert load_config(folder / "config.yaml").public_url.secure
    log = io.StringIO()
    with contextlib.redirect_stderr(log):
        async with (
            running_worker(folder) as gateway,
            front(program, arrangement, folder / program, certificate, port=port, gateway=inner, media=media) as proxy,
        ):
            yield Stand(proxy, gateway, log)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def media() -> AsyncIterator[Cinema]:
    async with cinema() as one:
        yield one


@pytest.fixture(params=["nginx", "caddy"])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(HOSTS))
def arrangement(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def stand(
    tmp_path: Path, certificate: Path, program: str, arrangement: str, media: Cinema
) -> AsyncIterator[Stand]:
    """Each front proxy in each arrangement."""
    async with standing(
        tmp_path, certificate, program, arrangement, POLICY, upstream=media.port, media=media.port
    ) as one:
        yield one
