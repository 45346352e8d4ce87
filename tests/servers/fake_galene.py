"""A Galene written from its public source (jech/galene, 1.1) and compared with one that ran: what it answers, how
loosely it reads, and real sound and picture for those in a room.

    python fake_galene.py -http 127.0.0.1:8443 -insecure -groups groups -static pages/galene

It takes the arguments and the group files of the real one, since the same tests drive both. A program of its own,
because its media end (aiortc) is installed apart from what the tests run with.

What misleads, with the place it comes from:
- one websocket for all rooms; the room is in `join`, read by encoding/json: keys in any case, the last one counts
  (rtpconn/webclient.go: clientMessage, handleClientMessage)
- the page of a room is found by a cleaned path, so `/group/a%2f..%2fb/` leads to b (webserver.go: groupHandler)
- `.status` says under which address the server was asked, wrong behind a proxy (webserver.go: baseURL)
- a guest without `present` who offers is told `abort`, one with it is heard by all (webclient.go: case "offer")
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import posixpath
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from aiohttp import WSMsgType, web

from tests.servers.galene_media import Down, Up

CSP = (
    "connect-src ws: wss: 'self'; img-src 'self'; media-src blob: 'self'; script-src 'unsafe-eval' 'self'; "
    "default-src 'self'"
)
FIELDS = (
    "type", "version", "kind", "error", "id", "replace", "source", "dest", "username", "password", "token",
    "privileged", "permissions", "status", "data", "group", "value", "noecho", "time", "sdp", "candidate", "label",
    "request",
)  # fmt: skip
RIGHTS = {"op": ["op", "present", "message", "caption", "token"], "present": ["present", "message"]}


class Refused(Exception):
    """The websocket ends with this said (ProtocolError)."""


class Warned(Exception):
    """The sender is told, and goes on (UserError)."""


def read_message(text: str) -> dict[str, Any]:
    """As encoding/json fills a struct: a key in any case, and of several the last."""
    found: dict[str, Any] = {}
    pairs = json.loads(text, object_pairs_hook=list)
    if not isinstance(pairs, list):
        raise Refused("not an object")
    for key, value in pairs:
        if key.lower() in FIELDS:
            found[key.lower()] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        return {key: _plain(one) for key, one in value}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def token_of(text: str, keys: list[dict[str, Any]], room: str) -> tuple[str, list[str]]:
    """Whom a token names, and what they may do. Raises Warned (token/jwt.go)."""
    try:
        head, body, signature = text.split(".")
        said, claims = (json.loads(_decoded(part)) for part in (head, body))
        key = next(_decoded(one["k"]) for one in keys if one["alg"] == said["alg"] == "HS256")
        if len(key) != 32:  # ParseKey: as long as the hash, and nothing else
            raise Warned("not authorised")
    except (ValueError, KeyError, StopIteration, AttributeError) as error:
        raise Warned("not authorised") from error
    wanted = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
    late = not isinstance(claims.get("exp"), int) or claims["exp"] < time.time() - 5
    audience = claims.get("aud")
    paths = [urlsplit(one).path for one in ([audience] if isinstance(audience, str) else audience or [])]
    if not hmac.compare_digest(wanted, _decoded(signature)) or late or f"/group/{room}/" not in paths:
        raise Warned("not authorised")
    return claims.get("sub", ""), claims.get("permissions") or []


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(eq=False)
class Client:
    """One websocket (rtpconn/webclient.go)."""

    server: Galene
    socket: web.WebSocketResponse
    id: str = ""
    name: str = ""
    room: str = ""
    rights: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    wants: bool = False
    up: dict[str, Up] = field(default_factory=dict)
    down: dict[str, Down] = field(default_factory=dict)

    async def tell(self, **message: Any) -> None:
        if not self.socket.closed:
            await self.socket.send_str(json.dumps(message))

    async def warn(self, text: str) -> None:
        await self.tell(type="usermessage", kind="error", dest=self.id, privileged=True, value=text)

    def others(self, *, me: bool = False) -> list[Client]:
        return [one for one in self.server.clients if one.room == self.room and (me or one is not self)]

    async def present(self, kind: str) -> None:
        """Everybody in the room hears of this client."""
        said = {"type": "user", "kind": kind, "id": self.id, "username": self.name}
        if kind != "delete":
            said |= {"permissions": self.rights, "data": self.data}
        for one in self.others(me=True):
            await one.tell(**said)

    async def hear(self, said: dict[str, Any]) -> None:
        kind, sort = said.get("type", ""), said.get("kind", "")
        if said.get("source") and said["source"] != self.id:
            raise Refused("spoofed client id")
        if kind != "join" and said.get("username") not in (None, self.name):
            raise Refused("spoofed username")
        match kind:
            case "join":
                await self._join(sort, said)
            case "ping":
                await self.tell(type="pong")
            case "pong":
                pass
            case "request":
                self.wants = bool(said.get("request"))
                for one in self.others():
                    for up in one.up.values():
                        await self.watch(one, up)
            case "offer":
                await self._offer(said)
            case "answer" | "ice" | "abort" | "close" | "renegotiate" | "requestStream":
                await self._about_a_stream(kind, said)
            case "chat" | "usermessage":
                await self._speak(kind, sort, said)
            case "useraction" | "groupaction":
                await self._act(kind, sort, said)
            case _:
                raise Refused("unexpected message")

    async def _join(self, sort: str, said: dict[str, Any]) -> None:
        if sort == "leave":
            if not self.room or self.room != said.get("group"):
                raise Warned("you are not joined")
            await self.leave()
            return
        if sort != "join" or self.room:
            raise Refused("cannot join multiple groups")
        room = said.get("group") or ""
        try:
            described = self.server.group(room)
            if described is None:
                raise Warned("group does not exist")
            if said.get("token"):
                self.name, self.rights = token_of(said["token"], described.get("authKeys", []), room)
            else:
                self.name = said.get("username") or ""
                user = described.get("users", {}).get(self.name)
                if user is None and "wildcard-user" in described:
                    self.rights = described["wildcard-user"]["permissions"]
                elif user is not None and user["password"] == said.get("password"):
                    self.rights = RIGHTS[user["permissions"]]
                else:
                    raise Warned("not authorised")
        except Warned as failed:
            await self.tell(type="joined", kind="fail", group=room, username=self.name, value=str(failed))
            return
        self.room, self.data = room, said.get("data") or {}
        status = {"name": room, "displayName": described.get("displayName", "")}
        await self.tell(
            type="joined", kind="join", group=room, username=self.name, permissions=self.rights, status=status,
            rtcConfiguration={"iceServers": []},
        )  # fmt: skip
        for one in self.others():
            await self.tell(type="user", kind="add", id=one.id, username=one.name, permissions=one.rights)
        await self.present("add")

    async def leave(self) -> None:
        if not self.room:
            return
        await self.present("delete")
        for name in list(self.up):
            await self._unpublish(name)
        for down in self.down.values():
            await down.close()
        self.down = {}
        group, self.room = self.room, ""
        await self.tell(type="joined", kind="leave", group=group, username=self.name)

    async def _offer(self, said: dict[str, Any]) -> None:
        name = said.get("id") or ""
        if "present" not in self.rights:
            await self.tell(type="abort", id=name)
            raise Warned("not authorised")
        if said.get("replace") in self.up:
            await self._unpublish(said["replace"])
        up = self.up.setdefault(name, Up(name, said.get("label") or ""))
        await self.tell(type="answer", id=name, sdp=await up.answer(said.get("sdp") or ""))
        for one in self.others():
            if one.wants:
                await one.watch(self, up)

    async def watch(self, who: Client, up: Up) -> None:
        if up.name in self.down:
            return
        down = self.down[up.name] = Down()
        sdp = await down.offer(up)
        await self.tell(type="offer", id=up.name, label=up.label, source=who.id, username=who.name, sdp=sdp)

    async def _unpublish(self, name: str) -> None:
        up = self.up.pop(name)
        for one in self.others():
            if down := one.down.pop(name, None):
                await one.tell(type="close", id=name)
                await down.close()
        await up.close()

    async def _about_a_stream(self, kind: str, said: dict[str, Any]) -> None:
        name = said.get("id") or ""
        if kind == "close" and name in self.up:
            await self._unpublish(name)
        elif kind == "abort" and name in self.down:
            await self.down.pop(name).close()
            await self.tell(type="close", id=name)
        elif kind == "answer" and name in self.down:
            await self.down[name].answered(said.get("sdp") or "")

    async def _speak(self, kind: str, sort: str, said: dict[str, Any]) -> None:
        if not self.room:
            raise Warned("join a group first")
        if ("caption" if (kind, sort) == ("chat", "caption") else "message") not in self.rights:
            raise Warned("not authorised")
        out = {
            "type": kind, "kind": sort, "id": secrets.token_urlsafe(8), "source": said.get("source", ""),
            "dest": said.get("dest", ""), "username": said.get("username"), "privileged": "op" in self.rights,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "value": said.get("value"),
        }  # fmt: skip
        heard = [one for one in self.others(me=not said.get("noecho")) if not out["dest"] or one.id == out["dest"]]
        if out["dest"] and not heard:
            raise Warned("user unknown")
        for one in heard:
            await one.tell(**out)

    async def _act(self, kind: str, sort: str, said: dict[str, Any]) -> None:
        if not self.room:
            raise Warned("join a group first")
        if (kind, sort) == ("useraction", "setdata"):
            if said.get("dest") != self.id or not isinstance(said.get("value"), dict):
                raise Warned("not authorised")
            self.data |= said["value"]
            await self.present("change")
            return
        if sort == "maketoken" and "token" in self.rights:
            await self.tell(type="usermessage", kind="token", privileged=True, value={"token": secrets.token_hex(8)})
            return
        if "op" not in self.rights:
            raise Warned("not authorised")
        for one in self.others():
            if kind == "useraction" and one.id == said.get("dest"):
                if sort == "kick":
                    await one.tell(type="usermessage", kind="kicked", privileged=True, value=said.get("value"))
                    await one.socket.close()
                elif sort in ("op", "present"):
                    one.rights = [*one.rights, sort]
                    await one.present("change")


@dataclass
class Galene:
    """The HTTP side (webserver/webserver.go)."""

    groups: Path
    static: Path
    clients: list[Client] = field(default_factory=list)

    def group(self, name: str) -> dict[str, Any] | None:
        """Its file. Names are those of files, cleaned."""
        file = self.groups / (posixpath.normpath("/" + name)[1:] + ".json")
        if not name or name[0] in "./" or not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{anything:.*}", self.answer)
        return application

    async def answer(self, request: web.Request) -> web.StreamResponse:
        # What Go's server makes of a path: decoded once. Only plain dots and double slashes are led elsewhere.
        raw = request.raw_path.partition("?")[0]
        path = unquote(raw)
        tidy = posixpath.normpath(raw) + ("/" if raw.endswith("/") and raw != "/" else "")
        if tidy != raw and "%" not in raw:
            return web.Response(status=307, headers={"Location": tidy})
        if path == "/ws":
            return await self.talk(request)
        if path.startswith("/group/"):
            return self.room(request, path)
        if path.startswith(("/galene-api/", "/recordings/")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="galene"'})
        if path == "/public-groups.json":
            return web.json_response([])
        file = (self.static / (path.strip("/") or "index.html")).resolve()
        if not (file.is_file() and file.is_relative_to(self.static.resolve())):
            return web.Response(status=404, text="Not found")
        return web.FileResponse(file, headers={"Content-Security-Policy": CSP, "Cache-Control": "max-age=1800"})

    def room(self, request: web.Request, path: str) -> web.StreamResponse:
        before, mark, kind = path.partition("/.")
        name = posixpath.normpath("/" + before.removeprefix("/group/"))[1:]
        described = self.group(name)
        if described is None or (mark and kind not in ("status", "status.json", "whip")):
            return web.Response(status=404, text="Not found")
        if kind == "whip":
            return web.Response(status=201 if request.method == "POST" else 204)
        if kind == "status.json":
            return web.Response(status=308, headers={"Location": f"{quote(before)}/.status"})
        if kind == "status":
            base = f"{request.headers['Host']}"
            status = {
                "name": name, "location": f"http://{base}/group/{quote(name)}/", "endpoint": f"ws://{base}/ws",
                "displayName": described.get("displayName", ""),
            }  # fmt: skip
            return web.json_response(status, headers={"Cache-Control": "no-cache"})
        if path != f"/group/{name}/":
            return web.Response(status=308, headers={"Location": f"/group/{quote(name)}/"})
        return web.FileResponse(self.static / "galene.html", headers={"Content-Security-Policy": CSP})

    async def talk(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
            return web.Response(status=403)
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        client = Client(self, socket)
        self.clients.append(client)
        try:
            await self._conversation(client)
        except (Refused, ValueError):
            await socket.close(code=1002)
        finally:
            await client.leave()
            self.clients.remove(client)
        return socket

    async def _conversation(self, client: Client) -> None:
        async for frame in client.socket:
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            said = read_message(frame.data if isinstance(frame.data, str) else frame.data.decode())
            if not client.id:
                if said.get("type") != "handshake" or any(one.id == said.get("id") for one in self.clients):
                    raise Refused("you must handshake first")
                client.id = said.get("id") or ""
                await client.tell(type="handshake", version=["2"])
                continue
            try:
                await client.hear(said)
            except Warned as warned:
                await client.warn(str(warned))


async def main(words: list[str]) -> None:
    said = {words[at]: words[at + 1] for at in range(len(words) - 1) if words[at].startswith("-")}
    host, _, port = said["-http"].rpartition(":")
    runner = web.AppRunner(Galene(Path(said["-groups"]), Path(said["-static"])).application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, int(port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
