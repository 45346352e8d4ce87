"""Guessing costs patience: an address that asks for many links that don't exist has to wait.

Rule: each unknown token fills a bucket that empties over a minute; a full one turns the address away
before the store is asked, so this works with the store down too (an address that has run out stays out; a
question that could not be answered is no guess, since nothing was learned). A link that exists gives a little
back: in a lecture hall behind one address a mistyped link must not lock out five hundred guests.

Why in each worker's memory and not in the store: 130 random bits are out of reach by guessing; what is
to be held off is the load, and a shared counter would be one more store call for each guess.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_MINUTE = 60_000  # ms
_ADDRESSES = 20_000


class Guesses:
    """`clock` in ms; `per_minute` unknown tokens from one address are answered as unknown."""

    def __init__(self, per_minute: int, clock: Callable[[], int]) -> None:
        self._most = per_minute
        self._clock = clock
        # Address -> how full its bucket was, and when. The one longest unseen is forgotten first.
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allow(self, per_minute: int) -> None:
        """Another limit; what has been counted counts on."""
        self._most = per_minute

    def wait(self, address: str) -> int:
        """Seconds until this address may ask again; 0 now."""
        level = self._level(address)
        if level < self._most:
            return 0
        return max(1, round((level - self._most + 1) * _MINUTE / self._most / 1000))

    def missed(self, address: str) -> None:
        """It asked for a link that does not exist."""
        self._set(address, min(self._level(address) + 1, 2 * self._most))

    def found(self, address: str) -> None:
        """It asked for one that does."""
        if address in self._buckets:
            self._set(address, max(0.0, self._level(address) - 1))

    def _level(self, address: str) -> float:
        level, at = self._buckets.get(address, (0.0, 0))
        return max(0.0, level - (self._clock() - at) * self._most / _MINUTE)

    def _set(self, address: str, level: float) -> None:
        self._buckets[address] = (level, self._clock())
        self._buckets.move_to_end(address)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)
