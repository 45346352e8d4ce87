"""A MediaMTX for tests: the real program where there is one, else the stand-in of tests/servers/fake_mediamtx.py.

Both read the same configuration, which is that of docs/servers/mediamtx.md, and every test runs against both. Why a
stand-in at all: MediaMTX is in no package registry that a build machine reaches. Where a program `mediamtx` is on the
PATH, tests run against it too; there is nothing to skip where it is not.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.policies.live_servers import publishing, until
from tests.policies.media_servers import packages, running
from tests.running import ask, free_port

SERVERS = Path(__file__).parents[1] / "servers"
USER, PASSWORD = "guests", "pass-word&for!guests"
HOUSE, HOUSE_PASSWORD = "house", "house-password"
NAMES = ("cam1", "cam2", "cam1-b")
# What browsers play by WebRTC: no B frames, and sound as Opus.
PICTURE = (
    *("-f", "lavfi", "-i", "testsrc=size=160x90:rate=10", "-f", "lavfi", "-i", "sine=frequency=330"),
    *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-tune", "zerolatency"),
    *("-pix_fmt", "yuv420p", "-g", "10", "-c:a", "libopus", "-b:a", "32k", "-rtsp_transport", "tcp"),
)  # fmt: skip


def programs() -> list[str]:
    """What there is to run: `fake`, and `mediamtx` where it is installed."""
    return ["fake", "mediamtx"] if shutil.which("mediamtx") else ["fake"]


@dataclass(frozen=True)
class Mediamtx:
    """A running one, by its ports."""

    program: str
    folder: Path
    hls: int
    webrtc: int
    api: int
    rtsp: int

    @property
    def authorization(self) -> str:
        return "Authorization: Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode() + "\r\n"

    async def asked(self, target: str) -> Any:
        """What the API says."""
        answer = await ask(self.api, f"GET {target}", headers=self.authorization)
        return json.loads(answer.body) if answer.status == 200 else None

    async def watching(self) -> int:
        """How many sessions of WebRTC there are."""
        return int((await self.asked("/v3/webrtcsessions/list"))["itemCount"])

    @asynccontextmanager
    async def publishing(self, name: str) -> AsyncIterator[None]:
        """Somebody sends a stream until left."""

        async def ready() -> bool:
            return bool((await self.asked(f"/v3/paths/get/{name}"))["ready"])

        if self.program == "fake":
            file = self.folder / "published" / name
            file.touch()
            yield
            file.unlink()
            return
        to = f"rtsp://{HOUSE}:{HOUSE_PASSWORD}@127.0.0.1:{self.rtsp}/{name}"
        async with publishing(to, what=PICTURE, as_="rtsp"):
            await until(ready)
            yield

        async def over() -> bool:
            return not await ready()

        await until(over)


@contextmanager
def mediamtx(own: Path, program: str) -> Iterator[Mediamtx]:
    (own / "published").mkdir(parents=True)
    server = Mediamtx(program, own, free_port(), free_port(), free_port(), free_port())
    read = [{"action": "read"}, {"action": "api"}]
    config = {
        "authInternalUsers": [
            {"user": HOUSE, "pass": HOUSE_PASSWORD, "permissions": [{"action": "publish"}, *read]},
            {"user": USER, "pass": PASSWORD, "permissions": read},
        ],
        "api": True, "apiAddress": f"127.0.0.1:{server.api}",
        "hlsAddress": f"127.0.0.1:{server.hls}",
        "webrtcAddress": f"127.0.0.1:{server.webrtc}", "webrtcLocalUDPAddress": f":{free_port()}",
        "rtspAddress": f"127.0.0.1:{server.rtsp}", "rtspTransports": ["tcp"],
        "rtmp": False, "srt": False, "moq": False,
        "paths": {name: {} for name in NAMES},
    }  # fmt: skip
    (own / "mediamtx.json").write_text(json.dumps(config))
    if program == "fake":
        command: list[Any] = [sys.executable, "-s", SERVERS / "fake_mediamtx.py"]
        environment = {"PYTHONPATH": f"{packages()}:{SERVERS.parents[1]}"}
    else:
        command, environment = [Path(shutil.which(program) or program).resolve()], {}
    with running(own, [*command, own / "mediamtx.json"], server.webrtc, environment):
        yield server


async def settled(number: int, server: Mediamtx) -> None:
    """So many sessions are left."""
    async with asyncio.timeout(30):
        while await server.watching() != number:
            await asyncio.sleep(0.05)
