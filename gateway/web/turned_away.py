"""The answer to a connection that is one too many.

Rule: a 503 with Retry-After, without a task, a parser or a look at what was asked; then our side is
closed, and what still comes is thrown away for a moment.

Why the moment: who closes while the other side's bytes lie unread resets the connection, and the reset
may overtake the answer. Beyond a few dozen at once there is no such moment.
"""

from __future__ import annotations

import asyncio
from typing import cast

# Also in place of the entry page: no window that knows it and no history may tell its address.
KEPT_APART = b"Cross-Origin-Opener-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n"
SURPLUS = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
    b"Cache-Control: no-store\r\nServer: gateway\r\n" + KEPT_APART + b"Connection: close\r\n\r\n"
)
HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
    b"Cache-Control: no-store\r\nServer: gateway\r\n" + KEPT_APART + b"Connection: close\r\n\r\n"
)
AT_ONCE = 64
LINGER_SECONDS = 1.0


class TurnedAway(asyncio.Protocol):
    """Takes a connection over from another protocol. `company` holds those that linger now."""

    def __init__(self, company: set[TurnedAway]) -> None:
        self._company = company
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def wait_for(self) -> bool:
        """Keep a place until `take` can be called; False: there are too many."""
        if len(self._company) >= AT_ONCE:
            return False
        self._company.add(self)
        return True

    def take(self, transport: asyncio.BaseTransport, answer: bytes = SURPLUS) -> None:
        """Answer on this transport and close it soon."""
        mine = self._transport = cast(asyncio.Transport, transport)
        mine.set_protocol(self)
        mine.write(answer)
        if self not in self._company and not self.wait_for():
            mine.close()
        elif mine.can_write_eof():
            mine.write_eof()
        self._end = asyncio.get_running_loop().call_later(LINGER_SECONDS, mine.abort)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        self._company.discard(self)
        if self._end is not None:
            self._end.cancel()
