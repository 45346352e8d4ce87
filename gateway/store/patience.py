"""How long one request of a guest waits for the store, all its calls together.

Rule: a guest hears within about a second that nothing can be checked just now, also where each command
takes 0.4 s and a door needs five. Whoever has no patience set (managers' lists, background tasks,
commands) waits for each call by itself.

Why not simply by the clock: in a crowd it is our own loop that makes an answer late, not the store, and a
thousand guests who come at once are to be admitted, not turned away. So only time is held against the
store in which the loop had nothing better to do (`QuietClock`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

from gateway.errors import StoreDown

REQUEST_SECONDS = 0.6
FREE_SECONDS = 0.1  # of each call: what does not count
TICK, LATE = 0.05, 0.015  # seconds: how often the loop is looked at, and from when on it is late itself
ROUNDS = 40  # of the loop that an answer may take from the socket to whoever asked, with the making of a connection
T = TypeVar("T")


class QuietClock:
    """A clock that stands still while the event loop is late. It runs only while somebody looks at it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._users = 0
        self._ticking = False
        self._last = self._due = 0.0
        self._on_time = True

    @contextmanager
    def running(self) -> Iterator[None]:
        self._users += 1
        if not self._ticking:
            self._ticking = self._on_time = True
            self._last = time.monotonic()
            self._next()
        try:
            yield
        finally:
            self._users -= 1

    def _next(self) -> None:
        self._due = time.monotonic() + TICK
        asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        before, self._on_time = self._on_time, now - self._due < LATE
        # Twice: of the ticks of a loop that is busy all the time some come in time by chance.
        if before and self._on_time:
            self.seconds += now - self._last
        self._last = now
        if self._users:
            self._next()
        else:
            self._ticking = False


class Deadline:
    """As `asyncio.timeout`, for something that comes from a socket: what lies there when the time is over is
    still taken. asyncio looks at its clock first, and a busy loop would find that everybody else is late."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._scope = asyncio.timeout(None)
        self._handle: asyncio.Handle | None = None

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._late, ROUNDS)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        await self._scope.__aexit__(kind, error, trace)

    def _late(self, rounds: int) -> None:
        loop = asyncio.get_running_loop()
        if rounds:
            self._handle = loop.call_soon(self._late, rounds - 1)
        else:
            self._scope.reschedule(loop.time())


class Patience:
    """What is left of one request's waiting, in seconds."""

    def __init__(self, seconds: float = REQUEST_SECONDS) -> None:
        self.left = seconds


_current: ContextVar[Patience | None] = ContextVar("patience", default=None)


def current_patience() -> Patience | None:
    return _current.get()


@contextmanager
def patience(seconds: float = REQUEST_SECONDS) -> Iterator[None]:
    """Inside, all calls to a store wait no longer than this, together."""
    token = _current.set(Patience(seconds))
    try:
        yield
    finally:
        _current.reset(token)


class Waiting:
    """For the answer of one call. Raises StoreDown at once where no patience is left."""

    def __init__(self, of: Patience | None, clock: QuietClock) -> None:
        self._of = of
        self._clock = clock
        self._began: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[Any] | None = None
        if of is not None and of.left <= 0:
            raise StoreDown("the store is slow")

    def begin(self, *, queued: float = 0.0) -> None:
        """From now on it counts, and what it has stood in a queue. The clock is running."""
        self._began = self._clock.seconds
        if self._of is not None:
            self._of.left -= queued
            self._look_again_in(max(0.0, self._of.left) + FREE_SECONDS)

    def took(self) -> float:
        """Seconds since the beginning that the store can be held to."""
        return 0.0 if self._began is None else max(0.0, self._clock.seconds - self._began - FREE_SECONDS)

    async def until_done(self, task: asyncio.Task[T]) -> T:
        """The task's answer. Whoever waits may leave; the task goes on."""
        self._answer = asyncio.get_running_loop().create_future()
        task.add_done_callback(self._deliver)
        try:
            found: T = await self._answer
            return found
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._of is not None:
                self._of.left -= self.took()

    def _deliver(self, task: asyncio.Task[Any]) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        if task.cancelled():
            answer.cancel()
        elif (error := task.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())

    def _look_again_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        if self._answer is None or self._answer.done() or self._of is None:
            return
        if self.took() >= self._of.left:
            self._answer.set_exception(StoreDown("the store is slow"))
        else:
            self._look_again_in(TICK)
