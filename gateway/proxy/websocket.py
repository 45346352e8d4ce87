"""Websockets between a guest and the server.

Rule: the server is asked first. Only after its 101 does the guest get one, and not a byte of the
guest's goes to the server before. Both ends then speak through us as if we were not there: texts,
binary messages, pings, close codes, and a loss without a close stays one.

Why so careful: what follows an upgrade that the server refused would be read by it as the next
request, under our credentials. No compression is negotiated, and no subprotocol but the one that the
rule names, since what nobody asked for can't be spoken. Where the rule lists messages or stanzas, what the guest
says is written anew from them, and all else is dropped and counted. What the server says passes as it is, but for
credentials, and tokens of its own that are as good as ours (see `rewrite.tokens`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import WSMsgType, web
from aiohttp.http import HttpVersion11

from gateway.metrics import Metrics
from gateway.proxy.headers import has_body, lists
from gateway.rewrite.scrub import Finder
from gateway.rewrite.tokens import Likeness
from gateway.upstream.client import MAX_MESSAGE, UpstreamSocket
from gateway.web.pages import SERVER

if TYPE_CHECKING:
    from aiohttp import WSMessage
    from multidict import CIMultiDictProxy

    from gateway.access.live import LiveGrant
    from gateway.policy.decide import Decision
    from gateway.policy.messages import Messages
    from gateway.policy.stanzas import Stanzas

# A guest who offers subprotocols is told about in a warning, in his own words; we never take one.
logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)

NOBODY = Likeness()
_CLOSE_WAIT = 1.0  # seconds an end may take to answer a close
_NO_STATUS, _TOO_BIG = 1005, 1009
GOING_AWAY, ACCESS_ENDED, TROUBLE = 1001, 1008, 1011


def asks_upgrade(headers: CIMultiDictProxy[str]) -> bool:
    """Whether this is a websocket handshake, or part of one."""
    return lists(headers, "Upgrade", "websocket") or "Sec-WebSocket-Key" in headers


def fault_of(request: web.BaseRequest) -> str | None:
    """What a handshake lacks (RFC 6455 4.2.1); None when it is whole."""
    headers = request.headers
    if request.method != "GET" or request.version != HttpVersion11:
        return "not GET with HTTP/1.1"
    if has_body(headers):
        return "a body"
    if [value.strip().lower() for value in headers.getall("Upgrade", ())] != ["websocket"]:
        return "not one Upgrade: websocket"
    if not lists(headers, "Connection", "upgrade"):
        return "no Connection: Upgrade"
    if headers.getall("Sec-WebSocket-Version", []) != ["13"]:
        return "not version 13"
    keys = headers.getall("Sec-WebSocket-Key", [])
    try:
        good = len(keys) == 1 and len(keys[0]) == 24 and len(base64.b64decode(keys[0], validate=True)) == 16
    except (binascii.Error, ValueError):
        good = False
    if not good:
        return "not one key of 16 bytes"
    return None if web.WebSocketResponse(compress=False).can_prepare(request).ok else "not a handshake"


@dataclass(frozen=True, slots=True)
class Frames:
    """What the guest may say, by the rules and by his grant as it is at that moment."""

    messages: tuple[Messages | Stanzas, ...]
    live: LiveGrant

    @classmethod
    def of(cls, decision: Decision, live: LiveGrant) -> Frames | None:
        """Of all rules that ask the server for this same websocket; None where one of them lets every frame pass."""
        found = []
        for one in (decision, *decision.others):
            if one.rule is None or decision.rule is None or one.rule.protocol != decision.rule.protocol:
                continue
            if (one.sent, one.headers) != (decision.sent, decision.headers):
                continue
            if one.rule.messages is None:
                return None
            found.append(one.rule.messages)
        return cls(tuple(found), live)

    @property
    def binary(self) -> bool:
        return any(one.binary for one in self.messages)

    def text(self, said: str) -> str | None:
        values = self.live.scope.variables
        for one in self.messages:
            written = one.written(said, values)
            if written is not None:
                return written
        return None


class End(NamedTuple):
    """How one direction ended: `by` the guest or the server, with a close code, or lost (None)."""

    by_guest: bool
    code: int | None
    reason: bytes = b""


class Conversation:
    """One websocket, from the server's 101 to its end."""

    def __init__(
        self,
        upstream: UpstreamSocket,
        finder: Finder,
        metrics: Metrics,
        frames: Frames | None = None,
        alike: Likeness = NOBODY,
    ) -> None:
        self.guest = web.WebSocketResponse(
            autoping=False,
            autoclose=False,
            compress=False,
            max_msg_size=MAX_MESSAGE,
            timeout=_CLOSE_WAIT,
            # Only what the server agreed to; the guest hears it if he offered it.
            protocols=tuple(upstream.protocols if upstream.protocol else ()),
        )
        self._frames = frames
        self._alike = alike
        self.guest.headers["Server"] = SERVER
        self._upstream = upstream
        self._finder = finder
        self._metrics = metrics
        self._request: web.BaseRequest | None = None

    async def run(self, request: web.BaseRequest) -> str:
        """Until either end closes or is lost. "" or what happened, for the log. Raises ConnectionError
        when the guest is gone already. Cancelled, it leaves both ends open: see `end`."""
        self._request = request
        await self.guest.prepare(request)
        pumps = [
            asyncio.create_task(self._from_guest(), name="websocket: guest to server"),
            asyncio.create_task(self._from_server(), name="websocket: server to guest"),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ends = await asyncio.gather(*pumps, return_exceptions=True)
        # Where both ended at once, the one that has something to say counts.
        said = sorted((end for end in ends if isinstance(end, End)), key=lambda end: end.code is None)
        return await self._pass_on(said[0] if said else End(False, TROUBLE))

    async def end(self, code: int) -> None:
        """Close both ends from our side, each within a second."""
        await asyncio.gather(self._close_guest(code, b""), self._close_server(GOING_AWAY, b""))

    async def _pass_on(self, end: End) -> str:
        if end.code is None:
            # Lost without a word, or broke the protocol: so it shall seem on the other side.
            if end.by_guest:
                self._upstream.abort()
                return "the guest left"
            self._abort_guest()
            return "the server dropped the websocket"
        if end.code == _TOO_BIG:
            await asyncio.gather(self._close_guest(_TOO_BIG, b""), self._close_server(GOING_AWAY, b""))
            return "a websocket message was too large"
        await asyncio.gather(self._close_guest(end.code, end.reason), self._close_server(end.code, end.reason))
        return "" if end.code != TROUBLE else "the websocket ended in trouble"

    async def _from_guest(self) -> End:
        upstream = self._upstream
        try:
            while True:
                message = await self.guest.receive()
                kind = message.type
                if kind is WSMsgType.TEXT:
                    text = message.data if self._frames is None else self._frames.text(message.data)
                    if text is None:
                        self._metrics.message_dropped()
                    else:
                        await upstream.send_str(text)
                    if self._frames is not None:
                        await asyncio.sleep(0)  # who says much at once lets all others have their turn in between
                elif kind is WSMsgType.BINARY:
                    if self._frames is None or self._frames.binary:
                        await upstream.send_bytes(message.data)
                    else:
                        self._metrics.message_dropped()
                elif kind is WSMsgType.PING:
                    await upstream.ping(message.data)
                elif kind is WSMsgType.PONG:
                    await upstream.pong(message.data)
                elif kind is WSMsgType.CLOSE:
                    return End(True, *_close_of(message))
                else:
                    return End(True, _TOO_BIG if self.guest.close_code == _TOO_BIG else None)
        except (ConnectionError, RuntimeError):
            return End(False, None)  # it was the server that could not be written to

    async def _from_server(self) -> End:
        guest = self.guest
        try:
            while True:
                message = await self._upstream.receive()
                kind = message.type
                if kind in (WSMsgType.TEXT, WSMsgType.BINARY) and self._alike.found_in(message.data):
                    continue
                if kind is WSMsgType.TEXT:
                    if self._finder.found_in(message.data):
                        return End(False, TROUBLE)
                    await guest.send_str(message.data)
                    self._metrics.sent(len(message.data))
                elif kind is WSMsgType.BINARY:
                    await guest.send_bytes(message.data)
                    self._metrics.sent(len(message.data))
                elif kind is WSMsgType.PING:
                    await guest.ping(message.data)
                elif kind is WSMsgType.PONG:
                    await guest.pong(message.data)
                elif kind is WSMsgType.CLOSE:
                    return End(False, *_close_of(message))
                else:
                    return End(False, _TOO_BIG if self._upstream.close_code == _TOO_BIG else None)
        except (ConnectionError, RuntimeError):
            return End(True, None)

    async def _close_guest(self, code: int, message: bytes) -> None:
        with suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(2 * _CLOSE_WAIT):
                await self.guest.close(code=code, message=message)
        # No abort here: what was said last is still on its way. aiohttp closes what is left.

    async def _close_server(self, code: int, message: bytes) -> None:
        with suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(2 * _CLOSE_WAIT):
                await self._upstream.close(code=code, message=message)
        self._upstream.abort()

    def _abort_guest(self) -> None:
        transport = self._request.transport if self._request is not None else None
        if transport is not None:
            transport.abort()


def _close_of(message: WSMessage) -> tuple[int, bytes]:
    """Code and reason to pass on. No code (1005) can't be written; a plain end says the same."""
    code = message.data or 0
    return (1000 if code in (0, _NO_STATUS) else code), (message.extra or "").encode()[:123]
