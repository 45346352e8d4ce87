"""Sign-ins that are under way at a provider, each good once and for ten minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gateway.store import names
from gateway.store.client import Store
from gateway.store.records import check_version, to_hash

LIFE = 600_000  # ms


class SignInAttempts:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, state: str, fields: Mapping[str, str]) -> None:
        """Raises StoreDown."""
        name, texts = _name(state), to_hash(**fields)

        def fill(pipe: object) -> None:
            pipe.hset(name, mapping=texts)  # type: ignore[attr-defined]
            pipe.pexpire(name, LIFE)  # type: ignore[attr-defined]

        await self._store.pipeline(fill)

    async def take(self, state: str) -> dict[str, str] | None:
        """What was kept, and it is gone; None the second time. Raises StoreDown, StoreTooNew."""
        name = _name(state)
        found: dict[str, str] = await self._store.run(lambda client: client.hgetall(name))
        gone: int = await self._store.run(lambda client: client.delete(name))
        if not found or not gone:
            return None  # of two that come at once only one deletes it
        check_version(found, "a sign-in")
        return found


def _name(state: str) -> str:
    return names.sign_in(hashlib.sha256(state.encode()).hexdigest()[:40])
