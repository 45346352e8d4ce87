"""The fake's /graphql: what looks into a client's messages, and how loosely (bbb-graphql-middleware, Hasura).

What misleads, with the place it comes from:
- the token counts that stands in `connection_init`, whatever the handshake said; any text with that word in it is taken
  for it (internal/websrv/connhandler.go, connectionInitHandler)
- a message is a mutation when the bytes `"query":"mutation` stand in it (internal/websrv/reader/reader.go); the name of
  what is done is the first word behind a `{` (internal/gql_actions/client.go, parseGraphQLMutation)
- every other message is Hasura's, which reads it as GraphQL: of several operations the one that `operationName` says, a
  field's real name whatever it is called, and mutations as well (its actions lead to the same place)
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from tests.servers.bbb_meetings import Meeting, User

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*')


class Forbidden(Exception):
    """The websocket ends with 4403 and this text."""


def named_by_middleware(query: str, variables: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """parseGraphQLMutation."""
    name = re.search(r"\{\s*(\w+)", query, re.ASCII)
    if name is None:
        raise ValueError("failed to extract function name from query")
    found: dict[str, Any] = {}
    given = re.search(r"\{[^(]+\(([^)]+)\)", query)
    for one in re.split(r"[,\n]", given[1]) if given else []:
        parts = one.replace(" ", "").split(":")
        if len(parts) != 2:
            continue
        key, value = parts[0].strip(), parts[1]
        if not value.startswith("$"):
            found[key] = value
        elif value[1:] in variables:
            found[key] = variables[value[1:]]
    return name[1], found


def operations(query: str) -> list[tuple[str, str, list[str], str]]:
    """Of a GraphQL document each operation: kind, name, fields at its root, its text."""
    bare = _STRINGS.sub(lambda found: " " * len(found[0]), query)
    found, depth, begin = [], 0, 0
    for at, mark in enumerate(bare):
        depth += (mark == "{") - (mark == "}")
        if mark == "}" and depth == 0:
            found.append((bare[begin : at + 1], query[begin : at + 1]))
            begin = at + 1
    out = []
    for text, said in found:
        head, _, body = text.partition("{")
        words = re.findall(r"\w+", head.partition("(")[0]) or ["query"]
        flat, deep = "", 0
        for mark in body[:-1]:
            deep -= mark in ")}]"
            if deep == 0 and mark not in ")}]":
                flat += mark if mark not in "({[" else " "
            deep += mark in "({["
        fields = re.findall(r"(?:\w+\s*:\s*)?(\w+)", flat)
        out.append((words[0], words[1] if len(words) > 1 else "", fields, said))
    return out


class Conversation:
    """One websocket to /graphql. `sessions`: tokens with their users that this cookie was given."""

    def __init__(self, socket: web.WebSocketResponse, sessions: dict[str, User]) -> None:
        self.socket = socket
        self._sessions = sessions
        self.user: User | None = None
        self._asked: dict[str, tuple[str, list[str]]] = {}
        self._told = asyncio.Event()

    @property
    def meeting(self) -> Meeting:
        assert self.user is not None
        return self.user.meeting

    async def run(self) -> None:
        telling = asyncio.create_task(self._tell())
        try:
            async for message in self.socket:
                if message.type is WSMsgType.TEXT:
                    await self._hear(message.data)
        except Forbidden as error:
            await self.socket.close(code=4403, message=str(error).encode())
        finally:
            telling.cancel()
            if self.user is not None:
                self.meeting.listeners.remove(self._told.set)
                self.meeting.closed(self.user)

    async def _hear(self, text: str) -> None:
        if self.user is None:
            if '"connection_init"' in text:
                await self._begin(json.loads(text))
            return
        said = json.loads(text)  # encoding/json takes keys in any case; those that matter here are looked for so
        said = {key.lower(): value for key, value in said.items()}
        if said.get("type") == "ping":
            await self._say(type="pong")
        elif said.get("type") == "complete":
            self._asked.pop(said.get("id", ""), None)
        elif said.get("type") == "subscribe":
            payload = {key.lower(): value for key, value in said["payload"].items()}
            query, variables = payload["query"], payload.get("variables") or {}
            if '"query":"mutation' in text and not query.startswith("mutation"):
                await self._said_to_be_done(said["id"], "")
            elif '"query":"mutation' in text:
                await self._mutate(said["id"], *named_by_middleware(query, variables))
            else:
                await self._hasura(said["id"], query, variables, payload.get("operationname"))

    async def _begin(self, said: dict[str, Any]) -> None:
        headers = said["payload"]["headers"]
        for name in ("X-Session-Token", "X-ClientSessionUUID", "X-ClientType", "X-ClientIsMobile"):
            if not isinstance(headers.get(name), str):
                raise Forbidden("param_missing")
        user = self._sessions.get(headers["X-Session-Token"])
        if user is None:
            raise Forbidden("check_authorization_error")
        if user.logged_out or user.ejected:
            raise Forbidden("user_not_found")
        self.user = user
        self.meeting.opened(user)
        self.meeting.listeners.append(self._told.set)
        await self._say(type="connection_ack")

    async def _mutate(self, id_: str, name: str, said: dict[str, Any]) -> None:
        assert self.user is not None
        with suppress(PermissionError):  # the middleware has passed it on; what came of it nobody says
            self.meeting.act(self.user, name, said)
        await self._said_to_be_done(id_, name)

    async def _said_to_be_done(self, id_: str, name: str) -> None:
        await self._say(id=id_, type="next", payload={"data": {name: True}})
        await self._say(id=id_, type="complete")

    async def _hasura(self, id_: str, query: str, variables: dict[str, Any], named: str | None) -> None:
        found = operations(query)
        chosen = next((one for one in found if one[1] == named), found[0] if len(found) == 1 else None)
        if chosen is None:
            await self._say(id=id_, type="error", payload=[{"message": "no such operation found in the document"}])
            return
        kind, _, fields, text = chosen
        if kind == "mutation":
            for field in fields:
                given = named_by_middleware("{" + text[text.index(field) :], variables)[1]
                await self._mutate(id_, field, given)
            return
        self._asked[id_] = (kind, fields)
        self._told.set()

    async def _tell(self) -> None:
        """Whoever subscribes hears it all again when something has changed."""
        said: dict[str, Any] = {}
        while True:
            await self._told.wait()
            self._told.clear()
            for id_, (kind, fields) in list(self._asked.items()):
                data = {field: self._data(field) for field in fields}
                if said.get(id_) == data:
                    continue
                said[id_] = json.loads(json.dumps(data))
                with suppress(ConnectionError):
                    await self._say(id=id_, type="next", payload={"data": data})
                    if kind == "query":
                        self._asked.pop(id_)
                        await self._say(id=id_, type="complete")

    def _data(self, field: str) -> list[dict[str, Any]]:
        assert self.user is not None
        if field == "user_current":
            return [self.user.described(own=True)]
        if not self.user.may_speak:  # the role bbb_client_not_in_meeting sees itself and nothing more
            return []
        if field == "user":
            return [one.described() for one in self.meeting.here]
        if field == "chat_message_public":
            return self.meeting.chat
        return []

    async def _say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))
