"""Listening with TLS: the handshake in front of the edge.

Rule: a connection counts, gives way and runs out of time from its first moment, not from the end of its
handshake: who opens connections and never says hello is closed like one who never finishes a head. Each
connection takes the certificate that is in force when it comes.

Why connections are accepted here and not by `create_server(ssl=…)`: that makes one context for all time,
and shows a connection to nobody before its handshake is over. Why not `start_tls` on a plain connection:
what comes before it has taken over is lost with one event loop and early with the other.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.web.edge import EdgeServer
from gateway.web.turned_away import SURPLUS, TurnedAway

_log = logging.getLogger("gateway.http")

SHUTDOWN_SECONDS = 2.0  # for a peer to say goodbye
LAST_SECONDS = 1.0  # for handshakes that are under way when the listening ends
RETRY_SECONDS = 0.5  # after a connection that could not be accepted (no files left)


class TlsSite(web.BaseSite):
    """As aiohttp's `SockSite`, for a socket that listens. `context` gives the certificate in force."""

    def __init__(
        self, runner: web.BaseRunner, server: EdgeServer, sock: socket.socket, context: Callable[[], ssl.SSLContext]
    ) -> None:
        super().__init__(runner)
        self._edge = server
        self._sock = sock
        self._context = context
        self._accepting: asyncio.Task[None] | None = None
        self._steps: set[Doorstep] = set()

    @property
    def name(self) -> str:
        return "https"

    @property
    def shaking(self) -> int:
        """How many handshakes are under way."""
        return len(self._steps)

    async def start(self) -> None:
        await super().start()
        self._sock.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def stop(self) -> None:
        """Accept no more. Who is in the middle of a handshake may finish it, for a moment."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
        self._sock.close()
        if self._steps:
            await asyncio.wait([step.task for step in self._steps], timeout=LAST_SECONDS)
        left = list(self._steps)
        for step in left:
            step.give_way()
        await asyncio.gather(*(step.task for step in left), return_exceptions=True)
        self._runner._unreg_site(self)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._sock)
            except OSError as error:
                # What is wrong with one connection, or with all for a while; the next may be fine.
                _log.warning("a connection could not be accepted: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            step = Doorstep(self._edge)
            if step.enter(self._edge.counted_as(peer)):
                step.begin(connection, self._context())
                self._steps.add(step)
                step.task.add_done_callback(lambda done, step=step: self._steps.discard(step))  # type: ignore[misc]
            else:
                connection.close()


class Doorstep:
    """One connection until it speaks HTTP; the crowd counts it as itself so long."""

    waiting = True

    def __init__(self, server: EdgeServer) -> None:
        self._server = server
        self._surplus: TurnedAway | None = None
        self.task: asyncio.Task[None]

    def enter(self, address: str | None) -> bool:
        """Whether there is a place for it. Some of the surplus are told so; telling all of them would cost
        us a handshake each."""
        if self._server.crowd.enter(self, address):
            return True
        self._surplus = TurnedAway(self._server.turned_away)
        return self._surplus.wait_for()

    def begin(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        self.task = asyncio.get_running_loop().create_task(self._shake(connection, context))

    def give_way(self) -> None:
        self.task.cancel()

    async def _shake(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        loop, seconds = asyncio.get_running_loop(), self._server.deadlines.head
        until = loop.time() + seconds

        def protocol() -> asyncio.Protocol:
            if self._surplus is not None:
                return _Surplus(self._surplus)
            edge = self._server.protocol()
            edge.follows(self, until)
            return edge

        try:
            await loop.connect_accepted_socket(
                protocol, connection, ssl=context, ssl_handshake_timeout=seconds, ssl_shutdown_timeout=SHUTDOWN_SECONDS
            )
        except (OSError, TimeoutError, asyncio.CancelledError):
            self._gone(connection)  # not TLS, an old version, too late, left, or asked to go: nobody to tell
        except Exception:
            self._gone(connection)
            _log.exception("a handshake broke")

    def _gone(self, connection: socket.socket) -> None:
        connection.close()
        self._server.crowd.leave(self)
        if self._surplus is not None:
            self._surplus.connection_lost(None)


class _Surplus(asyncio.Protocol):
    """Hands the connection on as soon as something can be said on it."""

    def __init__(self, away: TurnedAway) -> None:
        self._away = away

    def connection_made(self, transport: Any) -> None:
        self._away.take(transport, SURPLUS)
