"""Whose password is checked next. A check takes a core for a tenth of a second, so they stand in line.

Rule: one at a time. Known browsers go first, so that strangers delay them by the check that is under way
and no more. At most so many wait in each line; whoever comes then is turned away at once, since a line
without an end would be hours long for everybody. After a stranger's wrong password strangers pause for as
long as the check took: the other half of that time is the guests'.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Belongs to one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: deque[asyncio.Future[None]] = deque()
        self._strangers: deque[asyncio.Future[None]] = deque()
        self._busy = False
        self._rested = 0.0  # when strangers go on, by the loop's clock
        self._alarm: asyncio.TimerHandle | None = None

    def full(self, *, known: bool) -> bool:
        return len(self._line(known)) >= self._most

    @asynccontextmanager
    async def take(self, *, known: bool) -> AsyncIterator[None]:
        """Wait for a turn and have it. Ask `full` before."""
        line, turn = self._line(known), asyncio.get_running_loop().create_future()
        line.append(turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn in line:
                line.remove(turn)
            elif not turn.cancelled():
                self._done()  # it was ours already
            raise
        try:
            yield
        finally:
            self._done()

    def rest(self, seconds: float) -> None:
        """Strangers pause that long from now."""
        self._rested = asyncio.get_running_loop().time() + seconds

    def _line(self, known: bool) -> deque[asyncio.Future[None]]:
        return self._known if known else self._strangers

    def _done(self) -> None:
        self._busy = False
        self._next()

    def _next(self) -> None:
        if self._busy:
            return
        loop = asyncio.get_running_loop()
        line = self._known or (self._strangers if loop.time() >= self._rested else None)
        while line:
            turn = line.popleft()
            if not turn.done():
                self._busy = True
                turn.set_result(None)
                return
        if self._strangers and self._alarm is None:
            self._alarm = loop.call_at(self._rested, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._next()
