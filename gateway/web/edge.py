"""The HTTP edge: aiohttp's server protocol with what an open network needs besides.

Rule: nobody holds a connection by being slow. A request's head must be there within `head` seconds and
its body within `body` after that, whether nothing comes or a byte now and then; an answer that its reader
does not take is given up after `stall`, after `paused` where it is media under a live grant. Too many
connections are turned away at once (see `crowd`), and so is a head that is too large. A head with two
readings (see `framing`) gets a plain 400 and nothing else, and its connection is closed. So is one whose
body was not read to its end: nobody takes its bytes for the next request.

Why `paused` is long and still has an end: a film that is paused stops reading, and that is its right; what
it holds here is one connection on either side and some hundred kilobytes. A player that comes back later
asks again for the rest, as it does after every broken connection.

Why a subclass: aiohttp has no limit for any of this (a connection that sends a byte now and then stays for
ever, and so does one that was closed with bytes its peer does not take), answers a refused head with the
parser's own words, and names itself and Python in each answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.web.crowd import Connection, Crowd
from gateway.web.framing import fault_of
from gateway.web.large_head import FORGET_COOKIES, ROOM, cookies_too_long
from gateway.web.pages import common_headers
from gateway.web.turned_away import HEAD_TOO_LARGE, SURPLUS, TurnedAway

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

_log = logging.getLogger("gateway.http")

_LOOK_SECONDS = 0.01  # between two looks at who is still at work
LINGER_SECONDS = 2.0  # how long what is left of a body may take after the answer
MAX_HEAD = 8_190  # bytes of a request line, and of one header
HEADS = 4  # times that: all of a head
MAX_HEADERS = 64
_NONE: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refused = Callable[[web.BaseRequest, web.StreamResponse, str], None]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds; see above. `head` counts from the connection's first moment, a TLS handshake included."""

    head: float = 10.0
    body: float = 20.0
    idle: float = 75.0  # between two requests
    stall: float = 20.0
    paused: float = 1_800.0


def _say_nothing(request: web.BaseRequest, response: web.StreamResponse, fault: str) -> None:
    pass


class EdgeServer(web.Server):
    """A `web.Server` whose connections are `EdgeProtocol`s. Needs a running loop."""

    def __init__(
        self,
        handler: Handler,
        *,
        crowd: Crowd | None = None,
        spared: Callable[[str | None], bool] = lambda peer: False,
        head: int = MAX_HEAD,
        deadlines: Deadlines | None = None,
        refused: Refused = _say_nothing,
        logger: logging.Logger = _log,
    ) -> None:
        """`head`: bytes of a line or header. `spared`: peers that are not counted by address, since they
        speak for many (front proxies). `refused` hears of each head that was refused, and why."""
        super().__init__(self._answer, handler_cancellation=True)
        self.crowd = Crowd(4_096, 4_096) if crowd is None else crowd
        self.spared = spared
        self.head = head
        self.deadlines = deadlines or Deadlines()
        self.refused = refused
        self.logger = logger
        self.turned_away: set[TurnedAway] = set()
        self.closing = False  # answers say that their connection ends with them
        self._handler = handler

    def __call__(self) -> RequestHandler:
        return self.protocol()

    def protocol(self) -> EdgeProtocol:
        return EdgeProtocol(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self.deadlines.idle,
            lingering_time=LINGER_SECONDS,
            max_line_size=self.head,
            max_field_size=self.head,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            logger=self.logger,
            access_log=None,  # our own line says more and costs less
        )

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """aiohttp's own request, of a version that exists, and with headers also where a head could not be read."""
        edge = cast(EdgeProtocol, protocol)
        if not isinstance(message.headers, CIMultiDictProxy):
            edge.fault = None
            message = message._replace(headers=_NONE)
        else:
            edge.fault = fault_of(message.version, message.headers, message.raw_headers)
        if self.closing:
            message = message._replace(should_close=True)
        if message.version not in (HttpVersion10, HttpVersion11):
            message = message._replace(version=HttpVersion11)
        return super()._make_request(message, payload, protocol, writer, task)

    async def drain(self, seconds: float) -> None:
        """Close connections that have no request at work, and wait so long for the others' answers.

        Not aiohttp's `pre_shutdown`: a connection it has closed reads no further, so that a form which is
        still arriving would be lost.
        """
        self.closing = True
        deadline = time.monotonic() + seconds
        while connections := cast(list[EdgeProtocol], self.connections):
            for connection in connections:
                if connection.idle:
                    connection.force_close()
            if time.monotonic() >= deadline:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def counted_as(self, peer: object) -> str | None:
        """The address that a connection from this peer counts against."""
        address = peer[0] if isinstance(peer, tuple) else None
        return None if self.spared(address) else address

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = cast(EdgeProtocol, request.protocol)
        if protocol.fault is not None:
            refusal = _plain(400)
            self.refused(request, refusal, protocol.fault)
            return refusal
        protocol.request_begins(request.content)
        try:
            response = await self._handler(request)
        finally:
            protocol.request_ends()
        if not response.prepared and not request.content.is_eof():
            # What is left of the body is read away for a moment at most; who waits for our invitation
            # (Expect) before he sends it will not send it now.
            response.force_close()
        return response


class EdgeProtocol(RequestHandler):
    __slots__ = (
        "_before",
        "_beginning",
        "_body",
        "_body_handle",
        "_close_handle",
        "_edge",
        "_head_bytes",
        "_head_handle",
        "_known",
        "_stall_handle",
        "_until",
        "_welcome",
        "fault",
    )

    def __init__(self, manager: EdgeServer, **options: Any) -> None:
        super().__init__(manager, **options)
        self._edge = manager
        self._before: Connection | None = None
        self._until = 0.0
        self._welcome = False
        self._beginning = b""  # of the head that is arriving
        self._head_bytes = 0
        self._head_handle: asyncio.TimerHandle | None = None
        self._body: StreamReader | None = None  # of the request at work
        self._body_handle: asyncio.TimerHandle | None = None
        self._stall_handle: asyncio.TimerHandle | None = None
        self._close_handle: asyncio.TimerHandle | None = None
        self._known = False  # the request at work, or the last one, showed a live grant
        self.fault: str | None = None  # of the request at work

    # --- coming and going -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        seconds = self._edge.deadlines.head
        if self._before is not None:
            self._edge.crowd.replace(self._before, self)
            seconds = max(0.0, self._until - self._loop.time())
            self._before = None
        elif not self._edge.crowd.enter(self, self._edge.counted_as(transport.get_extra_info("peername"))):
            TurnedAway(self._edge.turned_away).take(transport, SURPLUS)
            return
        self._welcome = True
        super().connection_made(transport)
        self._expect_head(seconds)

    def follows(self, before: Connection, until: float) -> None:
        """The crowd knows this connection already, as `before`; its first head has time until then."""
        self._before, self._until = before, until

    def connection_lost(self, exc: BaseException | None) -> None:
        for handle in (self._head_handle, self._body_handle, self._stall_handle, self._close_handle):
            if handle is not None:
                handle.cancel()
        self._edge.crowd.leave(self)
        if self._welcome:
            super().connection_lost(exc)

    async def start(self) -> None:
        await super().start()
        if self.transport is not None:
            self._closes(self.transport)

    def force_close(self) -> None:
        transport = self.transport
        super().force_close()
        if transport is not None:
            self._closes(transport)

    def _closes(self, transport: asyncio.Transport) -> None:
        """A closed transport waits for its peer to take what it still holds, however long that is."""
        if self._close_handle is None:
            self._close_handle = self._loop.call_later(self._patience(), transport.abort)

    def _late(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

    # --- for the crowd --------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        if self._current_request is not None:
            return self._body is not None and not self._body.is_eof()
        return not self._messages

    @property
    def idle(self) -> bool:
        """The last answer has been written, and nothing of a next request has come."""
        waiter = self._waiter
        return waiter is not None and not waiter.done() and not self._head_bytes

    def give_way(self) -> None:
        self._late()

    def vouched(self) -> None:
        """The request at work shows a live grant."""
        self._known = True
        self._edge.crowd.vouch(self)

    # --- what comes -----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._waiter is not None:
            # Before the parser has thrown it away.
            self._beginning += data[: max(0, self._edge.head + ROOM - len(self._beginning))]
            if len(self._beginning) > self._edge.head and cookies_too_long(self._beginning, self._edge.head):
                self._refuse_head(FORGET_COOKIES)
                return
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._head_bytes, self._beginning = 0, b""
            if self._head_handle is not None:
                self._head_handle.cancel()
                self._head_handle = None
        elif self._waiter is not None and data:
            self._head_bytes += len(data)
            if self._head_bytes > HEADS * self._edge.head:
                self._refuse_head(HEAD_TOO_LARGE)
            elif self._head_handle is None:
                # Between two requests, and the next one's head has begun.
                self._expect_head(self._edge.deadlines.head)

    def _expect_head(self, seconds: float) -> None:
        self._head_handle = self._loop.call_later(seconds, self._late)

    def _refuse_head(self, answer: bytes) -> None:
        transport, self.transport = self.transport, None
        if transport is not None:
            self.connection_lost(None)
            TurnedAway(self._edge.turned_away).take(transport, answer)

    def request_begins(self, body: StreamReader) -> None:
        self._known = False
        if not body.is_eof():
            self._body = body
            self._body_handle = self._loop.call_later(self._edge.deadlines.body, self._body_late)

    def request_ends(self) -> None:
        self._body = None
        if self._body_handle is not None:
            self._body_handle.cancel()
            self._body_handle = None

    def _body_late(self) -> None:
        self._body_handle = None
        if self._body is not None and not self._body.is_eof():
            self._late()

    # --- what goes ------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall_handle = self._loop.call_later(self._patience(), self._late)

    def resume_writing(self) -> None:
        if self._stall_handle is not None:
            self._stall_handle.cancel()
            self._stall_handle = None
        super().resume_writing()

    def _patience(self) -> float:
        deadlines = self._edge.deadlines
        return deadlines.paused if self._known else deadlines.stall

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A request the parser refused (4xx), or a handler that broke (500). Says neither why nor where;
        the connection is closed, since nobody knows where the next request would begin."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        response = _plain(status)
        if status >= 500:
            self.logger.error("a handler failed", exc_info=exc)
        else:
            # The parser's own words repeat what was sent.
            self._edge.refused(request, response, f"not HTTP: {type(exc).__name__}")
        return response


def vouch(request: web.BaseRequest) -> None:
    """This request shows a live grant: its connection is a guest's."""
    if isinstance(request.protocol, EdgeProtocol):
        request.protocol.vouched()


def _plain(status: int) -> web.Response:
    response = web.Response(
        status=status,
        text=f"{status} {HTTPStatus(status).phrase}\n",
        headers=common_headers(),
    )
    response.force_close()
    return response


def c_parser_loaded() -> bool:
    """Whether aiohttp parses with its C extension; six of its advisories concern the other one only."""
    from aiohttp import http_parser

    return http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy
