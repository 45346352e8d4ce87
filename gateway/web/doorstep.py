"""The TLS handshake in front of the edge.

Rule: a connection counts, gives way and runs out of time from its first moment, not from the end of its
handshake: who opens connections and never says hello is closed like one who never finishes a head. Each
connection takes the certificate that is in force when it comes.

Why not `create_server(ssl=…)`: it makes one context for all time, allows a minute for a handshake, and
shows a connection to nobody before it is over.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from gateway.web.turned_away import SURPLUS, TurnedAway

if TYPE_CHECKING:
    from gateway.web.edge import EdgeServer

SHUTDOWN_SECONDS = 2.0  # for a peer to say goodbye


class Doorstep(asyncio.Protocol):
    """One connection until it speaks HTTP. `context` gives the certificate that is in force."""

    waiting = True

    def __init__(self, server: EdgeServer, context: Callable[[], ssl.SSLContext]) -> None:
        self._server = server
        self._context = context
        self._transport: asyncio.Transport | None = None
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = self._server
        raw = self._transport = cast(asyncio.Transport, transport)
        away = None
        if not server.crowd.enter(self, server.counted_as(raw)):
            away = TurnedAway(server.turned_away)
            if not away.wait_for():
                # Telling them would cost a handshake each.
                raw.abort()
                return
        # What comes is for the handshake.
        raw.pause_reading()
        server.doorsteps.add(self)
        self._shaking = asyncio.get_running_loop().create_task(self._shake(raw, away))

    def give_way(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _shake(self, raw: asyncio.Transport, away: TurnedAway | None) -> None:
        loop, server = asyncio.get_running_loop(), self._server
        early = _Early()
        until = loop.time() + server.deadlines.head
        try:
            transport = await loop.start_tls(
                raw,
                early,
                self._context(),
                server_side=True,
                ssl_handshake_timeout=server.deadlines.head,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
            if transport is None or early.lost or raw.is_closing():
                raise ConnectionResetError
        except (OSError, TimeoutError):  # not TLS, an old version, too late, or gone
            raw.abort()
            server.crowd.leave(self)
            if away is not None:
                away.connection_lost(None)
            return
        except asyncio.CancelledError:
            raw.abort()
            raise
        finally:
            server.doorsteps.discard(self)
        if away is not None:
            away.take(transport, SURPLUS)
            return
        edge = server.protocol()
        server.crowd.replace(self, edge)
        transport.set_protocol(edge)
        edge.begin(transport, max(0.0, until - loop.time()))
        if early.data:
            edge.data_received(bytes(early.data))


class _Early(asyncio.Protocol):
    """Keeps what came together with the end of the handshake."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = True
