"""Room for texts that are held whole while they are searched or changed.

Rule: of texts past `LONG` bytes a process holds `AT_ONCE` at a time, and one of each grant: a text of 16 MiB takes
several times that while it is read, and whoever may ask for one may ask for many. Others wait for their turn, which
ends when the guest has the text or is given up.
"""

from __future__ import annotations

import asyncio
from collections import Counter

LONG = 1024 * 1024  # bytes
AT_ONCE = 4
PATIENCE = 20.0  # seconds


class NoRoom(Exception):
    """No turn came in time."""


class LongTexts:
    """What one process holds. For one event loop."""

    __slots__ = ("_free", "_of_grant", "_waiting")

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._of_grant: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    def turn(self, grant: str) -> Turn:
        return Turn(self, grant)

    async def take(self, grant: str) -> None:
        self._waiting[grant] += 1
        lock = self._of_grant.setdefault(grant, asyncio.Lock())
        try:
            async with asyncio.timeout(PATIENCE):
                await lock.acquire()
                try:
                    await self._free.acquire()
                except BaseException:
                    lock.release()
                    raise
        except BaseException as error:
            self._forget(grant)
            if isinstance(error, TimeoutError):
                raise NoRoom from None
            raise

    def give_back(self, grant: str) -> None:
        self._free.release()
        self._of_grant[grant].release()
        self._forget(grant)

    def _forget(self, grant: str) -> None:
        self._waiting[grant] -= 1
        if not self._waiting[grant]:
            del self._waiting[grant], self._of_grant[grant]


class Turn:
    """That of one answer: taken when it turns out to be long, once."""

    __slots__ = ("_grant", "_texts", "taken")

    def __init__(self, texts: LongTexts, grant: str) -> None:
        self._texts = texts
        self._grant = grant
        self.taken = False

    async def take(self) -> None:
        """Raises NoRoom."""
        if not self.taken:
            await self._texts.take(self._grant)
            self.taken = True

    def over(self) -> None:
        if self.taken:
            self.taken = False
            self._texts.give_back(self._grant)
