"""Passing an answer on to the guest while it comes.

Rule: the guest sees the bytes as the server sent them, at the pace at which he takes them. When the
server breaks off, or the grant ends, the guest's connection is cut as well: a body that just stopped
must never look complete. A guest who leaves is nobody's failure.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

from gateway.errors import UpstreamFailed
from gateway.metrics import Metrics
from gateway.proxy.long_texts import LongTexts
from gateway.proxy.rewriting import FlowingWords, Unreadable
from gateway.rewrite.scrub import CredentialFound, FlowingText
from gateway.web.pages import SERVER

if TYPE_CHECKING:
    from gateway.access.grants import LiveGrant
    from gateway.upstream.client import Answer

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Cut:
    """What the end of a grant calls: it stops the request that made it, wherever that is waiting."""

    __slots__ = ("_taken", "_task", "going_away", "happened")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._taken = False
        self.happened = False
        self.going_away = False

    def __call__(self) -> None:
        if not self.happened:
            self.happened = True
            self._task.cancel()

    def go_away(self) -> None:
        """As a cut, but it is the gateway that ends."""
        self.going_away = True
        self()

    @property
    def why(self) -> str:
        """For the log."""
        return "cut: the gateway stops" if self.going_away else "cut: the grant ended"

    def taken(self) -> bool:
        """In a handler of CancelledError: whether it was this cut; once, the task then goes on to answer."""
        if not self.happened or self._taken:
            return False
        self._taken = True
        return self._task.uncancel() == 0  # else the guest left as well


@dataclass(frozen=True, slots=True)
class Open:
    """What is open towards guests in this process."""

    talks: set[Cut] = field(default_factory=set)
    streams: set[Cut] = field(default_factory=set)
    texts: LongTexts = field(default_factory=LongTexts)


@contextmanager
def held(live: LiveGrant, among: set[Cut]) -> Iterator[Cut]:
    """Inside, the end of the grant cancels this task, and whoever has `among` may; see `Cut.taken`."""
    cut = Cut()
    among.add(cut)
    try:
        with live.holding(cut):
            yield cut
    finally:
        among.discard(cut)


class Relayed(web.StreamResponse):
    """Its head leaves together with the first piece of its body: a system call less for each segment.
    Where no piece need be near (no length is known), `relay` sends the head at once."""

    _send_headers_immediately = False


def begin(request: web.BaseRequest, status: int, headers: CIMultiDict[str], *, keep: bool) -> web.StreamResponse:
    """An answer that will be streamed, not sent yet. `keep`: the connection may serve on afterwards."""
    response = Relayed(status=status, headers=headers)
    if not keep or ("Content-Length" not in headers and request.version < HttpVersion11):
        response.force_close()  # HTTP/1.0 knows the end of a body without length by the end of the connection
    response.headers.setdefault("Server", SERVER)
    return response


async def relay(
    request: web.BaseRequest,
    answer: Answer,
    response: web.StreamResponse,
    metrics: Metrics,
    watched: Callable[[], None],
    flow: FlowingText | FlowingWords | None = None,
) -> str:
    """Send the answer's body. "" when all went through, else what happened, for the log.

    `watched` hears of each piece that the guest has taken. `flow` searches or changes a text that is not held as a
    whole; when a credential turns up the rest is not sent. Raises UpstreamFailed when not a byte has left yet, so that
    somebody can answer properly.
    """
    chunks = answer.chunks()
    first = b""
    if flow is None and request.method != "HEAD" and response.headers.get("Content-Length", "0") != "0":
        first = await anext(chunks, b"")
    try:
        writer = await response.prepare(request)
        if first:
            await response.write(first)
            metrics.sent(len(first))
            first = b""  # a paused film would hold it for hours
            watched()
        elif writer is not None:
            writer.send_headers()
        if request.method != "HEAD":
            async for chunk in chunks:
                data = flow.feed(chunk) if flow is not None else chunk
                if data:
                    await response.write(data)
                    metrics.sent(len(data))
                    watched()
            if flow is not None and (rest := flow.finish()):
                await response.write(rest)
        await response.write_eof()
    except UpstreamFailed as error:
        metrics.broken()
        sever(request, response)
        return str(error)
    except Unreadable as error:
        sever(request, response)
        return str(error)
    except CredentialFound:
        sever(request, response)
        return "a credential in an endless text"
    except ConnectionError:
        return "the guest left"
    return ""


async def deliver(request: web.BaseRequest, response: web.StreamResponse) -> str:
    """Send an answer that is held whole, to its end. "" when all went through, else what happened, for the log."""
    response.headers.setdefault("Server", SERVER)
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return "the guest left"
    return ""


def sever(request: web.BaseRequest, response: web.StreamResponse | None) -> None:
    """Cut the guest's connection so that what was sent can't be taken for a whole body."""
    transport = request.transport
    if transport is None:
        return
    if response is not None and not response.chunked and "Content-Length" not in response.headers:
        # Here the connection's end is the body's end; only a reset tells the difference.
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != getattr(socket, "AF_UNIX", None):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
