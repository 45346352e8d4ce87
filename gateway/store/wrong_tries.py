"""How many wrong PINs and addresses a link has been given lately, from all sides and from one.

Rule: a bucket empties over an hour. It lies in the store, beside the link: a short PIN is within reach of
guessing, so that the workers must count together, and a restart must not begin anew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.store import names
from gateway.store.client import Store


@dataclass(frozen=True, slots=True)
class Tries:
    """How full the buckets were, in tries."""

    at_link: float
    from_source: float


@dataclass(frozen=True, slots=True)
class Misses:
    """Of a link, for its owner: how many wrong tries weigh on it now, and whether new guests have to wait for that."""

    tries: int = 0
    turns_away: bool = False


NO_MISSES = Misses()


FIELDS = ("level", "at", "most")


def misses(found: Sequence[str | None], now: int) -> Misses:
    """From `FIELDS` of a link's bucket."""
    level, at, most = found
    if level is None or at is None or most is None:
        return NO_MISSES
    left = max(0.0, float(level) - max(0, now - int(at)) * int(most) / _HOUR)
    return Misses(math.ceil(left), turns_away=left > int(most) - 1)


_HOUR = 3_600_000  # ms


class WrongTries:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, link: str, source: str, *, at_link: int, from_source: int, now: int) -> Tries:
        """`at_link` and `from_source` are what each bucket loses in an hour. Raises StoreDown."""
        found = await self._ask(link, source, 0, at_link, from_source, now)
        return Tries(found[0] / 1000, found[1] / 1000)

    async def note(self, link: str, source: str, *, right: bool, at_link: int, from_source: int, now: int) -> int:
        """A right one gives a little back: in a lecture hall some mistype. Returns how many wrong ones the link's
        owner is to be told of; 0 where there is nothing to tell, or they have been within the hour."""
        return (await self._ask(link, source, -1 if right else 1, at_link, from_source, now))[2]

    async def _ask(self, link: str, source: str, add: int, at_link: int, from_source: int, now: int) -> list[int]:
        hashed = hashlib.sha256(f"{link} {source}".encode()).hexdigest()[:16]
        found = await self._store.script(
            "wrong_tries",
            [names.wrong(link), names.wrong(link, hashed)],
            [now, add, at_link, from_source, max(1, at_link // 4)],
        )
        return [int(one) for one in found]
