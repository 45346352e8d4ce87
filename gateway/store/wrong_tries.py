"""How many wrong PINs and addresses a link has been given lately, from all sides and from one.

Rule: a try counts before it is looked at, in one step with the question whether there is room for it. Whoever
leaves while their PIN is checked, or sends a hundred at once, has tried all the same; a right one is given back.
A bucket empties over an hour. It lies in the store, beside the link: a short PIN is within reach of
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
    """How full the buckets were before, in tries, and how many tries at the link its owner is to be told of (0: none,
    or they have been told within the hour)."""

    at_link: float
    from_source: float
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Misses:
    """Of a link, for its owner: how many wrong tries weigh on it now, and whether new guests have to wait for that."""

    tries: int = 0
    turns_away: bool = False


NO_MISSES = Misses()
FIELDS = ("level", "at", "most")
_HOUR = 3_600_000  # ms


def misses(found: Sequence[str | None], now: int) -> Misses:
    """From `FIELDS` of a link's bucket."""
    level, at, most = found
    if level is None or at is None or most is None:
        return NO_MISSES
    left = max(0.0, float(level) - max(0, now - int(at)) * int(most) / _HOUR)
    return Misses(math.ceil(left), turns_away=left > int(most) - 1)


class WrongTries:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, link: str, source: str, *, at_link: int, from_source: int, now: int) -> Tries:
        """Count a try, if neither bucket was full: above its size less one. `at_link` and `from_source` are what each
        loses in an hour. Raises StoreDown."""
        found = await self._ask(link, source, 1, at_link, from_source, now)
        return Tries(found[0] / 1000, found[1] / 1000, found[2])

    async def give_back(self, link: str, source: str, *, at_link: int, from_source: int, now: int) -> None:
        """It was right, and takes a wrong one with it: in a lecture hall some mistype."""
        await self._ask(link, source, -2, at_link, from_source, now)

    async def _ask(self, link: str, source: str, add: int, at_link: int, from_source: int, now: int) -> list[int]:
        hashed = hashlib.sha256(f"{link} {source}".encode()).hexdigest()[:16]
        found = await self._store.script(
            "wrong_tries",
            [names.wrong(link), names.wrong(link, hashed)],
            [now, add, at_link, from_source, max(1, at_link // 4)],
        )
        return [int(one) for one in found]
