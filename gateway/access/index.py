"""All links of this gateway in memory, for lists of thousands.

Rule: what is listed is never older than the change channel's word: an item whose links or guests have
changed is read anew before the next answer, and everything is when the channel was lost. Where it is
silent nothing is taken from memory.

Why: ten thousand links are forty thousand commands to the store, a second of work for each page of a
list. How many guests watch now is asked for the page that is shown and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.links.ids import slot_of
from gateway.store.changes import Change, ChangeChannel
from gateway.store.links import LinkStore, Seen

SILENCE = 3.0  # seconds without a word after which memory counts for nothing


class LinkIndex:
    """One per worker; `run` must be running for it to spare anything. `clock` in ms."""

    def __init__(self, links: LinkStore, clock: Callable[[], int]) -> None:
        self._links = links
        self._clock = clock
        self._channel = ChangeChannel(links.store)
        self._slots: dict[str, tuple[Seen, ...]] = {}
        self._stale: set[str] | None = None  # None: everything
        self._connected = False
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Hear of changes, until cancelled."""
        await self._channel.run(self._changed, self._lost)

    async def all(self) -> list[Seen]:
        """Every link that is not deleted, without the count of viewers. Raises StoreDown."""
        async with self._reading:
            if not self._connected or self._channel.unheard() > SILENCE or self._stale is None:
                # What changes while we read is told again, and read again next time.
                self._stale = set()
                try:
                    slots = await self._links.slots()
                    self._slots = _by_slot(await self._links.of_items(slots, now=self._clock(), count=False))
                except BaseException:
                    self._stale = None
                    raise
                if not self._connected:
                    self._stale = None
            elif self._stale:
                stale, self._stale = self._stale, set()
                try:
                    fresh = _by_slot(await self._links.of_items(sorted(stale), now=self._clock(), count=False))
                except BaseException:
                    self._stale = None
                    raise
                for slot in stale:
                    self._slots.pop(slot, None)
                self._slots |= fresh
            return [one for links in self._slots.values() for one in links]

    def changed(self, identifier: str) -> None:
        """A link, or an item by its slot, has been changed by this very process: who did it sees it at once."""
        if self._stale is not None:
            self._stale.add(slot_of(identifier))

    def _changed(self, change: Change) -> None:
        if change.kind in ("link", "item", "admitted"):
            self.changed(change.id)

    def _lost(self, silence: float) -> None:
        self._connected = True
        self._stale = None


def _by_slot(seen: list[Seen]) -> dict[str, tuple[Seen, ...]]:
    found: dict[str, list[Seen]] = {}
    for one in seen:
        found.setdefault(slot_of(one.link.id), []).append(one)
    return {slot: tuple(links) for slot, links in found.items()}
