"""The chat of the fake Owncast: services/chat/server.go, chatclient.go and events.go of owncast/owncast.

What misleads:
- a token is who somebody is, a moderator's as well as anybody's, and stands in the query of the websocket
- one text message to a chatter may hold several JSON objects, one a line (chatclient.go: writePump)
- what chatters say is read by encoding/json: `type` to the letter and the last of several, the other keys in any case
- NAME_CHANGE and COLOR_CHANGE are said on the same websocket as CHAT
- who says more than three things in two seconds is not heard for ten; a message of more than 2048 bytes is thrown
  away, and one of twice that ends the websocket
- nothing of all this says anything to who sent it, when the stream has been offline for more than five minutes
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

LONGEST, NAME = 2048, 30
PACE = 2 / 3


@dataclass
class User:
    id: str
    name: str
    moderator: bool = False
    disabled: bool = False

    def said(self) -> dict[str, Any]:
        found = {"createdAt": "2026-11-29T00:00:00Z", "id": self.id, "displayName": self.name, "displayColor": 3,
                 "previousNames": [self.name], "isBot": False, "authenticated": False}  # fmt: skip
        return found | ({"scopes": ["MODERATOR"]} if self.moderator else {})


@dataclass(eq=False)
class Client:
    user: User
    queue: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    heard_at: float = 0.0
    deaf_until: float = 0.0


@dataclass
class Chat:
    users: dict[str, User] = field(default_factory=dict)  # by token
    clients: list[Client] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    disabled: bool = False
    online: bool = False
    connected: str | None = None
    disconnected: str | None = None
    began: float = 0.0

    def register(self, name: str) -> tuple[str, User | None]:
        """utils/strings.go: MakeSafeStringOfLength; persistence/userrepository: CreateAnonymousUser."""
        name = html.unescape(re.sub(r"<[a-zA-Z/!][^>]*>", "", html.unescape(name or "calm-otter")))[:NAME].strip()
        if not name:
            return "", None
        token = secrets.token_urlsafe(32)
        self.users[token] = user = User(secrets.token_urlsafe(7), name)
        return token, user

    def find(self, user: str) -> User:
        return next(one for one in self.users.values() if one.id == user)

    def enable(self, user: str, enabled: bool) -> None:
        found = self.find(user)
        found.disabled = not enabled
        for client in self.clients:
            if client.user is found and not enabled:
                client.queue.put_nowait({"type": "ERROR_USER_DISABLED"})

    def tell(self, event: dict[str, Any]) -> None:
        for client in self.clients:
            client.queue.put_nowait(event)

    async def talk(self, request: web.Request, token: str) -> web.WebSocketResponse:
        # No look at Origin, and none at a subprotocol.
        socket = web.WebSocketResponse(max_msg_size=2 * LONGEST, heartbeat=54)
        await socket.prepare(request)
        user = self.users.get(token)
        if user is None or user.disabled:
            if token:
                sort = "ERROR_USER_DISABLED" if user else "ERROR_NEEDS_REGISTRATION"
                await socket.send_str(json.dumps({"type": sort}) + "\n")
            if request.transport is not None:  # closed without a word, as Go closes a connection
                request.transport.close()
            return socket
        client = Client(user)
        first = all(one.user is not user for one in self.clients)
        self.clients.append(client)
        client.queue.put_nowait(event("CONNECTED_USER_INFO", user=user.said()))
        if self.online and first:
            self.tell(event("USER_JOINED", user=user.said()))
        writing = asyncio.create_task(_write(client, socket))
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    data = message.data if isinstance(message.data, bytes) else message.data.encode()
                    self._hear(client, data)
        finally:
            writing.cancel()
            self.clients.remove(client)
            self.tell(event("USER_PARTED", user=user.said()))
        return socket

    def _hear(self, client: Client, data: bytes) -> None:
        at = time.monotonic()
        if len(data) > LONGEST:
            client.queue.put_nowait(event("CHAT_ACTION", body="Sorry, that message exceeded the maximum size"))
            return
        if at < client.deaf_until:
            return
        if at < client.heard_at + PACE:
            client.deaf_until = at + 10
            client.queue.put_nowait(event("CHAT_ACTION", body="You are temporarily blocked"))
            return
        client.heard_at = at
        try:
            pairs = json.loads(data, object_pairs_hook=list)
        except ValueError:
            return
        if not isinstance(pairs, list) or not all(isinstance(one, tuple) for one in pairs):
            return
        sort = dict(pairs).get("type")
        said = {key.lower(): value for key, value in pairs}
        if sort == "CHAT" and isinstance(said.get("body"), str) and said["body"]:
            body = f"<p>{html.escape(said['body'].strip(), quote=False)}</p>"
            message = event("CHAT", user=client.user.said(), body=body, visible=True)
            self.history.append(message)
            self.tell(message)
        elif sort == "NAME_CHANGE" and isinstance(said.get("newname"), str):
            old, client.user.name = client.user.name, said["newname"][:NAME]
            self.tell(event("NAME_CHANGE", user=client.user.said(), oldName=old))


async def _write(client: Client, socket: web.WebSocketResponse) -> None:
    while True:
        events = [await client.queue.get()]
        while not client.queue.empty():
            events.append(client.queue.get_nowait())
        await socket.send_str("\n".join(map(json.dumps, events)))
        if events[-1]["type"] == "ERROR_USER_DISABLED":
            await socket.close()


def event(sort: str, **more: Any) -> dict[str, Any]:
    return {"type": sort, "id": secrets.token_urlsafe(6), "timestamp": "2026-11-29T00:00:00Z", **more}
