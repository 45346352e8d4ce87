"""SIGHUP means: read the files again. It ends nobody, also while the program starts or stops.

Why so much for one signal: its default ends a process, and that default is in force until somebody
listens, again in each child until its own code runs, and again while an interpreter ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Hangup:
    """`asked` is set by each; whoever has acted clears it. Needs a running loop."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if hasattr(signal, "SIGHUP"):
            # Not the loop's own handler: when it closes it puts the default back, which kills.
            signal.signal(signal.SIGHUP, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
            self._loop.call_soon_threadsafe(self.asked.set)


def ignore_hangup() -> None:
    """Until somebody listens, and when nobody does any more."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    release_hangup()


def release_hangup() -> None:
    """In a child that was started while it was held."""
    if hasattr(signal, "SIGHUP"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


@contextlib.contextmanager
def hangup_held() -> Iterator[None]:
    """A process that is started inside does not get it before it wants it."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        release_hangup()
