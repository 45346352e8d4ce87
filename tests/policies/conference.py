"""Rooms of Jitsi Meet for tests: the stand-in of tests/servers/fake_jitsi.py, or Debian's prosody, and who is in them.

    with jitsi(folder) as port:                              a server whose rooms ask for tokens
        async with talking(url, "hall") as member: ...       somebody signed in over a websocket
            await member.enter("hall")

Prosody comes without Jitsi's own modules, so that anybody comes into any room there: what keeps a guest of the gateway
in one room is then the gateway alone.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.policies.media_servers import running
from tests.running import free_port
from tests.system_parts import need

SERVERS = Path(__file__).parents[1] / "servers"
DOMAIN, APP, SECRET = "meet.test", "gateway", "the village hall's secret, 32 ch"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
OPEN = f'<open xmlns="{FRAMING}" to="{DOMAIN}" version="1.0"/>'
AUTH = '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>'
BIND = '<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>'
CLOSE = f'<close xmlns="{FRAMING}"/>'


def token(room: str, name: str = "Host of the house", **more: Any) -> str:
    """As the house's own front makes them."""
    now = int(time.time())
    claims = {
        "iss": APP, "aud": APP, "sub": DOMAIN, "room": room, "exp": now + 600,
        "context": {"user": {"id": "host", "name": name, "moderator": True}}, **more,
    }  # fmt: skip
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, OctKey.import_key(SECRET))


@contextmanager
def jitsi(own: Path) -> Iterator[int]:
    """The stand-in. Yields its port."""
    port = free_port()
    own.mkdir(parents=True)
    words = ["-http", f"127.0.0.1:{port}", "-domain", DOMAIN, "-secret", SECRET, "-app", APP]
    command = [sys.executable, "-s", SERVERS / "fake_jitsi.py", *words, "-static", SERVERS / "pages" / "jitsi"]
    with running(own, command, port):
        yield port


@contextmanager
def prosody(own: Path) -> Iterator[int]:
    """Debian's, with rooms that anybody enters. Yields the port of its websocket."""
    found = need("prosody")
    port = free_port()
    (own / "data").mkdir(parents=True)
    (own / "prosody.cfg.lua").write_text(f"""
        data_path = "{own}/data"
        run_as_root = true
        modules_enabled = {{ "saslauth"; "disco" }}
        modules_disabled = {{ "s2s"; "posix"; "tls"; "offline" }}
        c2s_ports = {{}}; s2s_ports = {{}}; https_ports = {{}}
        http_ports = {{ {port} }}; http_interfaces = {{ "127.0.0.1" }}; http_default_host = "{DOMAIN}"
        consider_websocket_secure = true
        c2s_require_encryption = false
        log = {{ info = "*console" }}
        VirtualHost "{DOMAIN}"
            authentication = "anonymous"
            modules_enabled = {{ "websocket"; "smacks"; "ping" }}
        Component "conference.{DOMAIN}" "muc"
            storage = "memory"
            muc_room_locking = false
            muc_room_default_public_jids = true
    """)
    with running(own, [found, "--config", own / "prosody.cfg.lua", "-F"], port):
        yield port


@dataclass
class Member:
    """Somebody signed in, by what they hear."""

    socket: aiohttp.ClientWebSocketResponse
    name: str
    heard: list[str] = field(default_factory=list)
    jid: str = ""

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.socket.send_str(text)

    async def listen(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.heard.append(message.data)

    async def hears(self, *words: str, after: int = 0) -> str:
        """The first text with all these words in it, of those from `after` on."""
        async with asyncio.timeout(45):
            while True:
                for text in self.heard[after:]:
                    if all(word in text for word in words):
                        return text
                assert not self.socket.closed, (words, self.heard[-3:])
                await asyncio.sleep(0.02)

    def knows(self, *words: str) -> bool:
        return any(all(word in text for word in words) for text in self.heard)

    def presence(self, room: str, inside: str = "", *, service: str = "conference", attributes: str = "") -> str:
        to = f"{room}@{service}.{DOMAIN}/{self.name}"
        return (
            f'<presence xmlns="jabber:client" to="{to}"{attributes}>'
            f'<x xmlns="http://jabber.org/protocol/muc"/>{inside}</presence>'
        )

    def message(self, room: str, text: str) -> str:
        to = f"{room}@conference.{DOMAIN}"
        return f'<message xmlns="jabber:client" type="groupchat" to="{to}"><body>{text}</body></message>'

    async def enter(self, room: str) -> None:
        await self.say(self.presence(room))
        await self.hears(f"{room}@conference.{DOMAIN}/{self.name}")


@asynccontextmanager
async def talking(url: str, name: str, *, signs_in: bool = True, **options: Any) -> AsyncIterator[Member]:
    """A websocket; signed in, unless `signs_in` is False."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=("xmpp",), **options) as socket,
    ):
        member = Member(socket, name)
        listening = asyncio.create_task(member.listen())
        try:
            if signs_in:
                await member.say(OPEN)
                await member.hears("ANONYMOUS")
                await member.say(AUTH)
                await member.hears("success")
                await member.say(OPEN)
                await member.hears("xmpp-bind")
                await member.say(BIND)
                found = re.search("<jid>(.*?)</jid>", await member.hears("<jid>"))
                assert found
                member.jid = found[1]
            yield member
        finally:
            listening.cancel()


@asynccontextmanager
async def host(port: int, room: str, *, path: str = "/xmpp-websocket") -> AsyncIterator[Member]:
    """Somebody of the house in a room, at the server itself."""
    url = f"ws://127.0.0.1:{port}{path}?token={token(room)}"
    async with talking(url, f"host-{secrets.token_hex(3)}") as member:
        await member.enter(room)
        yield member
