"""A LiveKit server for tests: the real program where there is one, else the stand-in of tests/servers/fake_livekit.py.

Both read the same configuration, of which the part about rooms is that of docs/servers/livekit.md, and every test runs
against both. Why a stand-in at all: LiveKit's server is in no package registry that a build machine reaches. Where a
program `livekit-server` is on the PATH tests run against it too; there is nothing to skip where it is not.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from joserfc import jwt
from joserfc.jwk import OctKey
from playwright.async_api import Browser, Page
from yarl import URL

from tests.policies.media_servers import packages, running
from tests.running import ask, free_port

ROOT = Path(__file__).parents[2]
SERVERS = ROOT / "tests" / "servers"
LIBRARY = ROOT / "gateway" / "static" / "vendor" / "livekit-client.js"
KEY, SECRET = "APIvillage", "a secret that the village hall keeps to itself"
HOST = "Ulla Host"


def programs() -> list[str]:
    """What there is to run: `fake`, and `livekit-server` where it is installed."""
    return ["fake", "livekit-server"] if shutil.which("livekit-server") else ["fake"]


def token(seconds: int = 600, *, secret: str = SECRET, **claims: Any) -> str:
    """What the server takes for its own."""
    now = int(time.time())
    said = {"iss": KEY, "nbf": now - 60, "exp": now + seconds, **claims}
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, said, OctKey.import_key(secret))


@dataclass(frozen=True)
class Livekit:
    """A running one."""

    program: str
    folder: Path
    port: int

    async def call(self, method: str, said: dict[str, Any], **video: Any) -> tuple[int, Any]:
        """One of RoomService, as somebody who may do what `video` says."""
        words = f"Content-Type: application/json\r\nAuthorization: Bearer {token(video=video)}\r\n"
        target = f"POST /twirp/livekit.RoomService/{method}"
        answer = await ask(self.port, target, headers=words, body=json.dumps(said).encode())
        return answer.status, json.loads(answer.body)

    async def open(self, room: str) -> None:
        # Without the second a room closes twenty seconds after the last has left, which may be in the next test.
        said = {"name": room, "emptyTimeout": 600, "departureTimeout": 600}
        status, _ = await self.call("CreateRoom", said, roomCreate=True)
        assert status == 200

    async def close(self, room: str) -> None:
        await self.call("DeleteRoom", {"room": room}, roomCreate=True)

    async def people(self, room: str) -> dict[str, dict[str, Any]]:
        """Who is in the room, by name."""
        status, said = await self.call("ListParticipants", {"room": room}, roomAdmin=True, room=room)
        assert status == 200
        return {one["name"]: one for one in said["participants"]}

    async def settled(self, room: str, *names: str, seconds: float = 30) -> dict[str, dict[str, Any]]:
        """These and no others are there."""
        async with asyncio.timeout(seconds):
            while set(people := await self.people(room)) != set(names):
                await asyncio.sleep(0.05)
        return people

    @asynccontextmanager
    async def host(self, browser: Browser, room: str) -> AsyncIterator[Host]:
        """Somebody with camera, microphone and chat, at the server itself; in a stand-in it does so by itself."""
        if self.program == "fake":
            (self.folder / "hosted" / room).touch()
            yield Host(self, room)
            (self.folder / "hosted" / room).unlink()
            return
        page = await browser.new_page()
        try:
            # A page of any kind: this port gives its own word, and browsers give devices to 127.0.0.1.
            await page.goto(f"http://127.0.0.1:{self.port}/")
            await page.add_script_tag(path=LIBRARY)
            video = {"room": room, "roomJoin": True, "canPublish": True, "canSubscribe": True, "canPublishData": True}
            own = token(sub="host", name=HOST, video=video)
            await page.evaluate(_HOST, [f"ws://127.0.0.1:{self.port}", own])
            yield Host(self, room, page)
        finally:
            await page.close()


_HOST = """async ([url, token]) => {
  const room = (window.room = new LivekitClient.Room());
  window.heard = [];
  room.registerTextStreamHandler("lk.chat", async (stream, from) =>
    window.heard.push([room.remoteParticipants.get(from.identity)?.name, await stream.readAll()]));
  await room.connect(url, token);
  await room.localParticipant.setCameraEnabled(true);
}"""


@dataclass(frozen=True)
class Host:
    server: Livekit
    room: str
    page: Page | None = None

    async def says(self, text: str) -> None:
        if self.page is not None:
            await self.page.evaluate("text => room.localParticipant.sendText(text, {topic: 'lk.chat'})", text)
        else:
            said = {"room": self.room, "data": text, "topic": "chat"}
            await self.server.call("SendData", said, roomAdmin=True, room=self.room)

    async def hears(self, name: str, text: str) -> None:
        async with asyncio.timeout(30):
            while [name, text] not in await self.heard():
                await asyncio.sleep(0.1)

    async def heard(self) -> list[list[str]]:
        if self.page is not None:
            return await self.page.evaluate("heard")  # type: ignore[no-any-return]
        file = self.server.folder / "heard" / self.room
        return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


@contextmanager
def livekit(own: Path, program: str) -> Iterator[Livekit]:
    for name in ("hosted", "heard"):
        (own / name).mkdir(parents=True)
    server = Livekit(program, own, free_port())
    config = {
        "port": server.port, "bind_addresses": ["127.0.0.1"],
        "rtc": {"tcp_port": free_port(), "udp_port": free_port(), "node_ip": "127.0.0.1",
                "enable_loopback_candidate": True, "use_external_ip": False, "stun_servers": ["127.0.0.1:9"]},
        "keys": {KEY: SECRET}, "room": {"auto_create": False}, "logging": {"level": "info"},
    }  # fmt: skip
    (own / "livekit.json").write_text(json.dumps(config))
    if program == "fake":
        command: list[Any] = [sys.executable, "-s", SERVERS / "fake_livekit.py", own / "livekit.json"]
        environment = {"PYTHONPATH": f"{packages()}:{SERVERS.parents[1]}"}
    else:
        found = Path(shutil.which(program) or program).resolve()
        command, environment = [found, "--config", own / "livekit.json"], {}
    with running(own, command, server.port, environment):
        yield server


# --- what is said in signalling, byte by byte: a guest who attacks has no library to keep to -------------------------


def field(number: int, value: bytes | str | int) -> bytes:
    """One field of a protobuf message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def fields(data: bytes) -> dict[int, bytes | int]:
    """Those of a message, of several with one number the last."""
    found: dict[int, bytes | int] = {}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 2:
            size = varint()
            found[key >> 3] = data[at : at + size]
            at += size
        elif key & 7 == 0:
            found[key >> 3] = varint()
        else:
            at += 8 if key & 7 == 1 else 4
    return found


def join_request(*said: bytes) -> str:
    """For the query. `said`: fields of a JoinRequest; who subscribes by themselves is field 2."""
    inner = field(1, field(3, "2.23.0") + field(4, 17)) + field(2, field(1, 1)) + b"".join(said)
    return b64encode(field(2, inner), b"-_").decode().replace("=", "%3D")


class Leaves(Exception):
    """The server says that one is out, with its reason."""


@dataclass
class Signal:
    """A websocket of somebody who joins."""

    socket: aiohttp.ClientWebSocketResponse
    heard: dict[int, bytes | int]

    async def hears(self, number: int, seconds: float = 30) -> bytes | int:
        """The last message of that number. Raises Leaves when there is none and the server ends it."""
        async with asyncio.timeout(seconds):
            while number not in self.heard:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.BINARY:
                    raise Leaves(message.data)
                self.heard |= fields(message.data)
        return self.heard[number]

    async def refreshed(self) -> str:
        """The token that comes by itself."""
        found = await self.hears(16)
        assert isinstance(found, bytes)
        return found.decode()

    async def me(self) -> dict[int, bytes | int]:
        """Oneself, as the server says it: 1 sid, 2 identity, 9 name."""
        joined = await self.hears(1)
        assert isinstance(joined, bytes)
        own = fields(joined)[2]
        assert isinstance(own, bytes)
        return fields(own)

    async def say(self, number: int, value: bytes) -> None:
        await self.socket.send_bytes(field(number, value))


@asynccontextmanager
async def signalling(port: int, target: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Signal]:
    url = URL(f"ws://127.0.0.1:{port}{target}", encoded=True)
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
        yield Signal(socket, {})
