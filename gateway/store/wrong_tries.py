"""How many wrong PINs and addresses a link has been given lately, from all sides and from one.

Rule: a bucket empties over an hour. It lies in the store, beside the link: a short PIN is within reach of
guessing, so that the workers must count together, and a restart must not begin anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gateway.store import names
from gateway.store.client import Store


@dataclass(frozen=True, slots=True)
class Tries:
    """How full the buckets were, in tries."""

    at_link: float
    from_source: float


class WrongTries:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, link: str, source: str, *, at_link: int, from_source: int, now: int) -> Tries:
        """`at_link` and `from_source` are what each bucket loses in an hour. Raises StoreDown."""
        return await self._ask(link, source, 0, at_link, from_source, now)

    async def note(self, link: str, source: str, *, right: bool, at_link: int, from_source: int, now: int) -> None:
        """A right one gives a little back: in a lecture hall some mistype."""
        await self._ask(link, source, -1 if right else 1, at_link, from_source, now)

    async def _ask(self, link: str, source: str, add: int, at_link: int, from_source: int, now: int) -> Tries:
        hashed = hashlib.sha256(f"{link} {source}".encode()).hexdigest()[:16]
        found = await self._store.script(
            "wrong_tries", [names.wrong(link), names.wrong(link, hashed)], [now, add, at_link, from_source]
        )
        return Tries(int(found[0]) / 1000, int(found[1]) / 1000)
