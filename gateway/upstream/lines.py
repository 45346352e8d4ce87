"""The connections to media servers: aiohttp's own, which say a little more about themselves and hold a little less.

Why subclasses of what aiohttp keeps to itself: whether a request went out on a connection from the pool decides
whether it may be sent again, and only the connector knows; and what a server says unasked on a resting connection
must not wait there for the next guest.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest, ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

# Bytes taken from a connection at once. asyncio's own 256 KiB are held two or three times over for each guest who has
# paused a film; half of it was measured to cost no more, a quarter a third more processor time.
_READ = 128 * 1024

# Whether the connection that this task's latest request went out on had served another one before.
# aiohttp can tell only through tracing, which rebuilds the URL of each request.
pooled: ContextVar[bool] = ContextVar("pooled", default=False)


class Line(ResponseHandler):
    """A connection that is closed when the server speaks on it unasked, as one does that sends a body with a 304:
    left in the pool, what it said would be taken for the answer to the next guest's request."""

    served_before = False
    resting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # a plain one of asyncio's own
            transport.max_size = _READ

    def begun(self, idle: float) -> None:
        """The head is here; from now on so many seconds of silence are too many. While a paused guest holds us back
        none are counted, so that it is the server alone that is measured."""
        self.read_timeout = idle
        if not self._reading_paused:
            self.start_timeout()

    def data_received(self, data: bytes) -> None:
        if data and self.resting:  # without data aiohttp calls this itself
            self.close()
        else:
            super().data_received(data)


class Connector(aiohttp.TCPConnector):
    """Notes which connections come from the pool and which rest in it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(Line, loop=self._loop)  # type: ignore[assignment]  # of a subclass

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:  # noqa: ASYNC109  # aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        line = connection.protocol
        assert isinstance(line, Line)
        pooled.set(line.served_before)
        line.served_before, line.resting = True, False
        return connection

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        assert isinstance(protocol, Line)
        protocol.resting = True
