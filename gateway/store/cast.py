"""From which addresses a grant is played without its cookie, for all workers alike.

Rule: an address counts from its first request until it has been silent for a while; one more than there may be is
refused and not kept.
"""

from __future__ import annotations

import hashlib

from gateway.store import names
from gateway.store.client import Store


class CastAddresses:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, grant: str, address: str, *, most: int, silent: int, now: int) -> bool:
        """Whether this address is one of at most `most`; those without a request for `silent` ms count no more.
        Raises StoreDown."""
        # No address of anybody's stands in the store.
        hashed = hashlib.sha256(f"{grant} {address}".encode()).hexdigest()[:16]
        found = await self._store.script("cast_address", [names.cast(grant)], [now, hashed, most, now - silent, silent])
        return bool(found[0] == "ok")
