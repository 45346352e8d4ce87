"""The HTTP edge: aiohttp's server protocol with what an open network needs besides.

Rule: a connection that has not sent a whole request head within `head` seconds is closed, whether it
is silent or trickles; what the parser refuses is answered with a plain 400 and nothing else.

Why a subclass: aiohttp has no limit for heads (a connection that sends a byte now and then stays for
ever), answers a refused head with the parser's own words, and names itself and Python in each answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.web.pages import SERVER

_log = logging.getLogger("gateway.http")

HEAD_SECONDS = 10.0
IDLE_SECONDS = 75.0
LINGER_SECONDS = 2.0
MAX_LINE = MAX_FIELD = 8_190
MAX_HEADERS = 64

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class EdgeServer(web.Server):
    """A `web.Server` whose connections are `EdgeProtocol`s. Needs a running loop."""

    def __init__(
        self, handler: Handler, *, head_seconds: float = HEAD_SECONDS, logger: logging.Logger = _log
    ) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.head_seconds = head_seconds
        self.logger = logger

    def __call__(self) -> RequestHandler:
        return EdgeProtocol(
            self,
            loop=asyncio.get_running_loop(),
            head_seconds=self.head_seconds,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            logger=self.logger,
            access_log=None,  # our own line says more and costs less
        )


class EdgeProtocol(RequestHandler):
    __slots__ = ("_head_handle", "_head_seconds")

    def __init__(self, manager: EdgeServer, *, head_seconds: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self._head_seconds = head_seconds
        self._head_handle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
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
