"""A guest of a BigBlueButton meeting, by the websockets that the page would open, and who that is at the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from tests.policies.wire import Stage
from tests.running import enter
from tests.servers.bbb_meetings import Meeting, User

HEADERS = {
    "X-Session-Token": "theirs",
    "X-ClientSessionUUID": "u-1",
    "X-ClientType": "HTML5",
    "X-ClientIsMobile": "false",
}
CURRENT = "subscription getUserCurrent {\n  user_current {\n    userId\n    authToken\n    meeting { ended }\n  }\n}"
JOIN = "mutation UserJoin($authToken: String!) {\n  userJoinMeeting(\n    authToken: $authToken\n  )\n}"
CHAT = (
    "mutation ChatSendMessage($c: String!, $t: String!) {\n"
    "  chatSendMessage(chatId: $c, chatMessageInMarkdownFormat: $t)\n}"
)


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


@dataclass
class Guest:
    """Who came in by a link."""

    stage: Stage
    cookie: str
    user: User
    heard: list[dict[str, Any]] = field(default_factory=list)
    socket: aiohttp.ClientWebSocketResponse | None = None
    number: int = 0

    @property
    def meeting(self) -> Meeting:
        return self.user.meeting

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.stage.guest.port}{path}"

    def dropped(self) -> int:
        for line in self.stage.gateway.gateway.metrics.text().decode().splitlines():
            if line.startswith("gateway_dropped_messages_total "):
                return int(float(line.rpartition(" ")[2]))
        return 0

    async def says(self, text: str) -> None:
        assert self.socket is not None
        await self.socket.send_str(text)

    async def says_in_vain(self, *texts: str) -> None:
        """Each of these is dropped; what is said next arrives all the same."""
        before = self.dropped()
        for text in texts:
            at = self.dropped()
            await self.says(text)
            await self.says('{"type":"ping"}')
            pongs = sum(said["type"] == "pong" for said in self.heard)
            await until(lambda: sum(said["type"] == "pong" for said in self.heard) > pongs)  # noqa: B023
            assert self.dropped() == at + 1, text
        assert self.dropped() == before + len(texts)

    def subscribe(self, query: str, variables: dict[str, Any] | None = None, **more: Any) -> str:
        self.number += 1
        payload = {"query": query, "variables": variables or {}, "extensions": {}, **more}
        return json.dumps({"id": str(self.number), "type": "subscribe", "payload": payload})

    async def does(self, query: str, variables: dict[str, Any] | None = None, **more: Any) -> None:
        """Until the server says that it is done."""
        await self.says(self.subscribe(query, variables, **more))
        number = str(self.number)
        await until(lambda: any(said.get("id") == number and said["type"] == "complete" for said in self.heard))

    @asynccontextmanager
    async def talking(self, *, join: bool = True) -> AsyncIterator[Guest]:
        asked: dict[str, Any] = {"headers": {"Cookie": self.cookie}, "protocols": ("graphql-transport-ws",)}
        async with aiohttp.ClientSession() as session, session.ws_connect(self.url("/graphql"), **asked) as socket:
            assert socket.protocol == "graphql-transport-ws"
            self.socket, self.heard = socket, []
            listening = asyncio.create_task(self._listen(socket))
            try:
                await self.says(json.dumps({"type": "connection_init", "payload": {"headers": HEADERS}}))
                await until(lambda: any(said["type"] == "connection_ack" for said in self.heard))
                if join:
                    await self.does(JOIN, {"authToken": self.user.auth})
                    await until(lambda: self.user.joined)
                yield self
            finally:
                listening.cancel()

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self.heard.append(json.loads(message.data))


async def came_in(stage: Stage, meeting: Meeting, *, name: str = "Ada Guest", link: str = "") -> Guest:
    link = link or await stage.gateway.make_link(meeting.external)
    cookie, answer = await enter(stage.guest.port, link, name=name)
    assert answer.status == 303, (answer.status, answer.body)
    place = urlsplit(answer.headers["location"])
    assert place.path == "/html5client/"
    (token,) = parse_qs(place.query)["sessionToken"]
    (user,) = (one for one in meeting.users if one.token == token)
    return Guest(stage, cookie, user)
