"""Rooms of Galene for tests: the real program where there is one, else the stand-in of tests/servers/fake_galene.py.

    with galene(folder, rooms={"hall": KEY}) as room:       a server with these groups, each with its key
        async with room.member("hall") as host: ...         somebody of the house, who joins at the server itself

Both take the same arguments and the same group files, and every test runs against both. Why a stand-in at all: Galene
is in no package registry that a build machine reaches. Where a program `galene` is on the PATH, with its folder
`static` beside it, tests run against it too; there is nothing to skip where it is not.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.policies.media_servers import packages, running
from tests.running import free_port

SERVERS = Path(__file__).parents[1] / "servers"
PASSWORD = "the house's own password"
HOST = "Host of the house"


def programs() -> list[str]:
    """What there is to run: `fake`, and `galene` where it is installed."""
    real = shutil.which("galene")
    return ["fake", "galene"] if real and (Path(real).resolve().parent / "static").is_dir() else ["fake"]


@contextmanager
def galene(
    own: Path, rooms: Mapping[str, str], *, program: str, more: Mapping[str, Any] | None = None
) -> Iterator[int]:
    """A Galene with these groups and the key of each. Yields its port."""
    port = free_port()
    for name in ("groups", "data", "recordings"):
        (own / name).mkdir(parents=True)
    for room, key in rooms.items():
        described = {
            "displayName": room.capitalize(),
            "users": {HOST: {"password": PASSWORD, "permissions": "op"}},
            "authKeys": [{"kty": "oct", "alg": "HS256", "k": urlsafe_b64encode(key.encode()).decode().rstrip("=")}],
            "allow-recording": True,
            "unrestricted-tokens": True,
            **(more or {}),
        }
        (own / "groups" / f"{room}.json").write_text(json.dumps(described))
    words = ["-http", f"127.0.0.1:{port}", "-insecure", "-turn", "", "-groups", own / "groups", "-data", own / "data",
             "-recordings", own / "recordings"]  # fmt: skip
    if program == "fake":
        command = [sys.executable, "-s", SERVERS / "fake_galene.py", *words, "-static", SERVERS / "pages" / "galene"]
        environment = {"PYTHONPATH": f"{packages()}:{SERVERS.parents[1]}"}
    else:
        found = Path(shutil.which(program) or program).resolve()
        command, environment = [found, *words, "-static", found.parent / "static"], {}
    with running(own, command, port, environment):
        yield port


@dataclass
class Member:
    """Somebody in a room, by the messages they say and hear."""

    socket: aiohttp.ClientWebSocketResponse
    id: str
    name: str
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def chat(self, text: str) -> None:
        await self.say(type="chat", kind="", source=self.id, username=self.name, value=text)

    async def listen(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                said = json.loads(message.data)
                self.heard.append(said)
                if said["type"] == "ping":
                    await self.say(type="pong")

    async def hears(self, wanted: Callable[[dict[str, Any]], object], seconds: float = 30) -> dict[str, Any]:
        """The first message of which this is true, from the first on."""
        async with asyncio.timeout(seconds):
            while True:
                for said in self.heard:
                    if wanted(said):
                        return said
                await asyncio.sleep(0.02)

    def people(self) -> dict[str, list[str]]:
        """Who is in the room as this member sees it, and what they may do there."""
        here: dict[str, tuple[str, list[str]]] = {}
        for said in self.heard:
            if said["type"] == "user":
                if said["kind"] == "delete":
                    here.pop(said["id"], None)
                else:
                    here[said["id"]] = (said.get("username", ""), said.get("permissions") or [])
        return dict(here.values())


@asynccontextmanager
async def talking(url: str, name: str = "", **options: Any) -> AsyncIterator[Member]:
    """A websocket that has said its handshake."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **options) as socket:
        member = Member(socket, secrets.token_hex(16), name)
        listening = asyncio.create_task(member.listen())
        try:
            await member.say(type="handshake", version=["2"], id=member.id)
            yield member
        finally:
            listening.cancel()


@asynccontextmanager
async def host(port: int, room: str) -> AsyncIterator[Member]:
    """Who holds the room, at the server itself, with all rights."""
    async with talking(f"ws://127.0.0.1:{port}/ws", HOST) as member:
        await member.say(type="join", kind="join", group=room, username=HOST, password=PASSWORD)
        joined = await member.hears(lambda said: said["type"] == "joined")
        assert "op" in joined["permissions"], joined
        yield member
