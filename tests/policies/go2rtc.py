"""A go2rtc for tests: the real program where there is one, else the stand-in of tests/servers/fake_go2rtc.py.

Both read the same configuration, which is that of docs/servers/go2rtc.md, and tests run against both. Why a stand-in
at all: to build the real one takes a minute of a machine's time. Where a program `go2rtc` is on the PATH, tests run
against it too; there is nothing to skip where it is not.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.policies.live_servers import DOCS, PICTURE, publishing, until
from tests.policies.media_servers import packages, running
from tests.running import free_port

SERVERS = Path(__file__).parents[1] / "servers"
USER, PASSWORD = "gateway", "go2rtc-pass+3Xk/of:the house"
# Streams that others send to, one whose source is nowhere, and one that a name may be pointed at.
NAMES = ("cam1", "cam2", "cam1.low")


def programs() -> list[str]:
    """What there is to run: `fake`, and `go2rtc` where it is installed."""
    return ["fake", "go2rtc"] if shutil.which("go2rtc") else ["fake"]


@dataclass(frozen=True)
class Go2rtc:
    """A running one, by its ports."""

    program: str
    folder: Path
    port: int
    rtsp: int

    @property
    def authorization(self) -> str:
        return "Authorization: Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode() + "\r\n"

    async def streams(self) -> dict[str, Any]:
        """All that it knows, with their sources and who takes them."""
        name, _, value = self.authorization.strip().partition(": ")
        url = f"http://127.0.0.1:{self.port}/api/streams"
        async with aiohttp.ClientSession(headers={name: value}) as session, session.get(url) as answer:
            return dict(await answer.json())

    async def sending(self, name: str) -> bool:
        return any("url" not in one for one in (await self.streams())[name]["producers"] or [])

    @asynccontextmanager
    async def publishing(self, *names: str) -> AsyncIterator[None]:
        """Somebody sends these streams until left."""
        if self.program == "fake":
            for name in names:
                (self.folder / "published" / name).touch()
            yield
            for name in names:
                (self.folder / "published" / name).rename(self.folder / "published" / f"{name}.was")
            return
        async with AsyncExitStack() as senders:
            for name in names:
                to = f"rtsp://127.0.0.1:{self.rtsp}/{name}"
                await senders.enter_async_context(publishing(to, what=(*PICTURE, "-rtsp_transport", "tcp"), as_="rtsp"))
                await until(lambda name=name: self.sending(name))  # type: ignore[misc]
            yield
        for name in names:
            await until(lambda name=name: self._silent(name))  # type: ignore[misc]

    async def _silent(self, name: str) -> bool:
        return not await self.sending(name)


@contextmanager
def go2rtc(own: Path, program: str, dead: int) -> Iterator[Go2rtc]:
    """As docs/servers/go2rtc.md says, and careless: with every door that it has. `dead`: a port where the source of the
    stream `dead` would be."""
    (own / "published").mkdir(parents=True)
    server = Go2rtc(program, own, free_port(), free_port())
    (said,) = re.findall(r"^ *```yaml\n( *api:.*?)^ *```", (DOCS / "go2rtc.md").read_text(), re.M | re.S)
    config = yaml.safe_load(said)
    del config["api"]["allow_paths"]
    config["api"] |= {"listen": f"127.0.0.1:{server.port}", "username": USER, "password": PASSWORD}
    config["rtsp"] = {"listen": f"127.0.0.1:{server.rtsp}"}
    config["webrtc"] = {"listen": f"127.0.0.1:{free_port()}"}
    config["streams"] = {**dict.fromkeys(NAMES), "dead": f"rtsp://127.0.0.1:{dead}/x"}
    (own / "go2rtc.json").write_text(json.dumps(config))
    command: list[Any] = [sys.executable, "-s", SERVERS / "fake_go2rtc.py", own / "go2rtc.json"]
    environment = {"PYTHONPATH": f"{packages()}:{SERVERS.parents[1]}"}
    if program != "fake":
        command, environment = [Path(shutil.which(program) or program).resolve(), "-c", own / "go2rtc.json"], {}
    with running(own, command, server.port, environment):
        yield server
