"""An Owncast for tests: the real program where there is one, else the stand-in of tests/servers/fake_owncast.py.

    with owncast(folder, program) as server:
        with server.publishing(): ...                     somebody sends a stream
        async with server.member("Host") as host: ...           somebody of the house, in the chat at the server itself

Both take the same arguments and are administered by the same API, and every test runs against both. Why a stand-in at
all: Owncast is in no package registry that a build machine reaches. Where a program `owncast` is on the PATH, tests run
against it too; there is nothing to skip where it is not.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.policies.live_servers import PICTURE, until
from tests.policies.media_servers import running
from tests.running import ask, free_port
from tests.system_parts import need

SERVERS = Path(__file__).parents[1] / "servers"
PASSWORD, KEY = "admin-pass-4Tz", "stream-key-9Qw"


def programs() -> list[str]:
    """What there is to run: `fake`, and `owncast` where it is installed."""
    return ["fake", "owncast"] if shutil.which("owncast") else ["fake"]


@dataclass
class Member:
    """Somebody in the chat, by what they say and hear."""

    socket: aiohttp.ClientWebSocketResponse
    heard: list[dict[str, Any]] = field(default_factory=list)
    joined_up: int = 0  # texts that held several messages

    async def listen(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                lines = message.data.strip().split("\n")
                self.joined_up += len(lines) > 1
                self.heard += [json.loads(line) for line in lines]

    async def say(self, text: str, **more: Any) -> None:
        await self.socket.send_json({"type": "CHAT", "body": text, **more})

    async def hears(self, wanted: Callable[[dict[str, Any]], object], seconds: float = 30) -> dict[str, Any]:
        """The first message of which this is true, from the first on."""
        async with asyncio.timeout(seconds):
            while True:
                for said in self.heard:
                    if wanted(said):
                        return said
                await asyncio.sleep(0.02)

    async def hears_said(self, text: str) -> dict[str, Any]:
        return await self.hears(lambda said: said["type"] == "CHAT" and text in said["body"])

    async def ended(self) -> None:
        async with asyncio.timeout(30):
            while not self.socket.closed:
                await asyncio.sleep(0.02)

    @property
    def chatted(self) -> list[str]:
        return [said["body"] for said in self.heard if said["type"] == "CHAT"]


@asynccontextmanager
async def talking(url: str, **options: Any) -> AsyncIterator[Member]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as socket:
        member = Member(socket)
        listening = asyncio.create_task(member.listen())
        try:
            yield member
        finally:
            listening.cancel()


@dataclass
class Owncast:
    """A running one."""

    program: str
    folder: Path
    port: int
    rtmp: int

    async def administer(self, what: str, said: Any = None) -> Any:
        """A call of the admin's."""
        known = "Authorization: Basic " + b64encode(f"admin:{PASSWORD}".encode()).decode() + "\r\n"
        body = json.dumps(said).encode() if said is not None else b""
        answer = await ask(self.port, f"{'POST' if body else 'GET'} /api/admin/{what}", headers=known, body=body)
        assert answer.status == 200, (what, answer.status, answer.body)
        return json.loads(unchunked(answer.body, answer.headers))

    async def online(self) -> bool:
        return b'"online":true' in (await ask(self.port, "GET /api/status")).body.replace(b": ", b":")

    async def register(self, name: str, headers: str = "") -> dict[str, str]:
        body = json.dumps({"displayName": name}).encode()
        answer = await ask(self.port, "POST /api/chat/register", headers=headers, body=body)
        found: dict[str, str] = json.loads(unchunked(answer.body, answer.headers))
        return found

    @asynccontextmanager
    async def member(self, name: str = "Host of the house") -> AsyncIterator[Member]:
        token = (await self.register(name))["accessToken"]
        async with talking(f"ws://127.0.0.1:{self.port}/ws?accessToken={token}") as member:
            await member.hears(lambda said: said["type"] == "CONNECTED_USER_INFO")
            yield member

    async def names(self) -> list[str]:
        """Who is in the chat."""
        return sorted(one["user"]["displayName"] for one in await self.administer("chat/clients"))

    async def live(self) -> None:
        """Until the stream can be watched."""

        async def there() -> bool:
            playlist = (await ask(self.port, "GET /hls/0/stream.m3u8")).body
            return await self.online() and playlist.count(b".ts") > 1 and b"ENDLIST" not in playlist

        await until(there)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Somebody sends a stream until left, for ten minutes at most."""
        if self.program == "fake":
            need("ffmpeg")
            file = self.folder / "published"
            file.touch()
            yield
            file.unlink()
            return
        to = f"rtmp://127.0.0.1:{self.rtmp}/live/{KEY}"
        command = [need("ffmpeg"), "-loglevel", "error", "-nostdin", "-re", *PICTURE, "-t", "600", "-f", "flv", to]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def unchunked(body: bytes, headers: dict[str, str]) -> bytes:
    """The body of an answer that came in pieces."""
    if headers.get("transfer-encoding") != "chunked":
        return body
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        found, body = found + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return found


@contextmanager
def owncast(own: Path, program: str) -> Iterator[Owncast]:
    port, rtmp = free_port(), free_port()
    own.mkdir(parents=True)
    words = ["-webserverport", str(port), "-webserverip", "127.0.0.1", "-rtmpport", str(rtmp), "-streamkey", KEY,
             "-adminpassword", PASSWORD]  # fmt: skip
    if program == "fake":
        command: list[str | Path] = [sys.executable, "-s", SERVERS / "fake_owncast.py", *words]
        environment = {"PYTHONPATH": str(SERVERS.parents[1])}
    else:
        command, environment = [Path(shutil.which(program) or program), *words], {}
    with running(own, command, port, environment):
        yield Owncast(program, own, port, rtmp)
