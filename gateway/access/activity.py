"""Telling the store who was active, so that no worker takes a guest for gone who is with another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from gateway.access.live import LiveGrant
from gateway.errors import StoreDown
from gateway.links.attendance import offset
from gateway.store.guests import Active, GuestStore

_PAUSE = 0.25  # seconds before a store that failed is told again


class ActivityNotes:
    """Rounds of `every` ms, each in few calls; never on the path of a request.

    The first request after a pause is told at once. So what the store says is never older than one
    round, and whoever asks it before ending a grant ends nobody who is here.
    """

    def __init__(self, guests: GuestStore, *, every: int) -> None:
        self._guests = guests
        self.take_rounds(every)
        self._active: set[LiveGrant] = set()
        self._now = asyncio.Event()

    def take_rounds(self, every: int) -> None:
        """Another time between two rounds; from the next one on."""
        self._every = max(50, every)

    def stir(self, live: LiveGrant) -> None:
        self._active.add(live)
        if live.unsaid or live.last_seen - live.noted >= self._every:
            self._now.set()

    async def run(self, over: Callable[[Iterable[str], str], None]) -> None:
        """`over` is told of grants that have ended without our hearing of it."""
        while True:
            try:
                async with asyncio.timeout(self._every / 1000):
                    await self._now.wait()
                await asyncio.sleep(0.02)  # others may stir at the same time
            except TimeoutError:
                pass
            self._now.clear()
            active, self._active = self._active, set()
            told = [(live, frozenset(live.unsaid), live.last_seen) for live in active]
            try:
                ended = await self._guests.touch([_active(*one) for one in told])
            except StoreDown:
                self._active |= active
                await asyncio.sleep(_PAUSE)
                continue
            for live, slots, last_seen in told:
                live.unsaid -= slots
                live.noted = max(live.noted, last_seen)
            over(ended, "ended elsewhere")


def _active(live: LiveGrant, slots: frozenset[int], last_seen: int) -> Active:
    offsets = (offset(slot, live.guest.first_seen) for slot in sorted(slots))
    return Active(live.grant.id, live.grant.link, last_seen, tuple(one for one in offsets if one is not None))
