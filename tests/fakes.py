"""Stand-ins that we wrote: a clock that stands still, a media server that says what it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class FixedClock:
    """Milliseconds since 1970 that move only when a test says so."""

    def __init__(self, now: int | None = None) -> None:
        self.now = time.time_ns() // 1_000_000 if now is None else now

    def __call__(self) -> int:
        return self.now

    def forward(self, *, ms: int = 0, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> int:
        self.now += ms + round(1000 * (seconds + 60 * minutes + 3600 * hours + 86_400 * days))
        return self.now


class ShiftedClock:
    """The running clock, put forward by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead

    @contextmanager
    def put_forward(self, *, seconds: float) -> Iterator[None]:
        self.ahead += round(seconds * 1000)
        try:
            yield
        finally:
            self.ahead -= round(seconds * 1000)
