"""The HTTP edge: aiohttp's server protocol with what an open network needs besides.

Rule: a connection that has not sent a whole request head within `head` seconds is closed, whether it
is silent or trickles; too many connections are turned away at once (see `crowd`); what the parser
refuses is answered with a plain 400 and nothing else.

Why a subclass: aiohttp has no limit for heads or connections (a connection that sends a byte now and then stays for
ever), answers a refused head with the parser's own words, and names itself and Python in each answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.web.crowd import Crowd
from gateway.web.pages import SERVER

_log = logging.getLogger("gateway.http")

HEAD_SECONDS = 10.0
IDLE_SECONDS = 75.0
LINGER_SECONDS = 2.0
MAX_HEAD = 8_190  # bytes of a request line, and of one header
MAX_HEADERS = 64

_TURNED_AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class EdgeServer(web.Server):
    """A `web.Server` whose connections are `EdgeProtocol`s. Needs a running loop."""

    def __init__(
        self,
        handler: Handler,
        *,
        crowd: Crowd | None = None,
        spared: Callable[[str | None], bool] = lambda peer: False,
        head: int = MAX_HEAD,
        head_seconds: float = HEAD_SECONDS,
        logger: logging.Logger = _log,
    ) -> None:
        """`head`: bytes of a line or header. `spared`: peers that are not counted by address, since they
        speak for many (front proxies)."""
        super().__init__(handler, handler_cancellation=True)
        self.crowd = Crowd(4_096, 4_096) if crowd is None else crowd
        self.spared = spared
        self.head = head
        self.head_seconds = head_seconds
        self.logger = logger

    def __call__(self) -> RequestHandler:
        return EdgeProtocol(
            self,
            loop=asyncio.get_running_loop(),
            head_seconds=self.head_seconds,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_line_size=self.head,
            max_field_size=self.head,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            logger=self.logger,
            access_log=None,  # our own line says more and costs less
        )


class EdgeProtocol(RequestHandler):
    __slots__ = ("_edge", "_head_handle", "_head_seconds", "_turned_away")

    def __init__(self, manager: EdgeServer, *, head_seconds: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self._edge = manager
        self._head_seconds = head_seconds
        self._head_handle: asyncio.TimerHandle | None = None
        self._turned_away = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else None
        if not self._edge.crowd.enter(self, None if self._edge.spared(address) else address):
            # Without a task, a parser or a look at the request: turning away must cost next to nothing.
            self._turned_away = True
            cast(asyncio.Transport, transport).write(_TURNED_AWAY)
            cast(asyncio.Transport, transport).close()
            return
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_arrived()
        self._edge.crowd.leave(self)
        if not self._turned_away:
            super().connection_lost(exc)

    @property
    def waiting(self) -> bool:
        return self._current_request is None and not self._messages

    def give_way(self) -> None:
        self._head_late()

    def vouched(self) -> None:
        """A request on this connection came with a live session."""
        self._edge.crowd.vouch(self)

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._head_arrived()
        elif self._waiter is not None and self._head_handle is None and data:
            # Between two requests, and the next one's head has begun.
            self._expect_head()

    def _expect_head(self) -> None:
        self._head_handle = self._loop.call_later(self._head_seconds, self._head_late)

    def _head_arrived(self) -> None:
        if self._head_handle is not None:
            self._head_handle.cancel()
            self._head_handle = None

    def _head_late(self) -> None:
        self._head_handle = None
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

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
        if status >= 500:
            self.logger.error("a handler failed", exc_info=exc)
        response = web.Response(
            status=status,
            text=f"{status} {HTTPStatus(status).phrase}\n",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": SERVER},
        )
        response.force_close()
        return response


def c_parser_loaded() -> bool:
    """Whether aiohttp parses with its C extension; six of its advisories concern the other one only."""
    from aiohttp import http_parser

    return http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy
