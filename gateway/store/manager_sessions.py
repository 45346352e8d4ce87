"""Sessions of managers who have signed in. The cookie holds a random id, the store what it stands for.

Rule: the store knows only a hash of the id, so that whoever reads it can't sign in; a session that has
ended is gone, whatever cookies are still about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.store import names
from gateway.store.client import Store
from gateway.store.records import check_version, to_hash


@dataclass(frozen=True, slots=True)
class ManagerSession:
    """`via` is password, trusted_header or oidc, `source` what vouched: the provider, or a hash that ties the session
    to one password. `claims` are what a provider said of this manager; what they may do is never kept, the
    configuration says it each time. `form` is the token of this session's forms."""

    name: str
    via: str
    form: str = field(repr=False)
    created_at: int
    source: str = ""
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ManagerSessions:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self, identifier: str, session: ManagerSession, *, life: int, instead_of: str | None = None) -> None:
        """Keep it for `life` ms, and end the one this browser had before. Raises StoreDown."""
        name = _name(identifier)
        texts = to_hash(
            name=session.name,
            via=session.via,
            form=session.form,
            created_at=session.created_at,
            source=session.source,
            claims=json.dumps(session.claims),
        )

        def fill(pipe: object) -> None:
            pipe.hset(name, mapping=texts)  # type: ignore[attr-defined]
            pipe.pexpire(name, life)  # type: ignore[attr-defined]

        await self._store.pipeline(fill)
        if instead_of is not None:
            await self.end(instead_of)

    async def find(self, identifier: str) -> ManagerSession | None:
        """None where there is none. Raises StoreDown, StoreTooNew."""
        name = _name(identifier)
        found: dict[str, str] = await self._store.run(lambda client: client.hgetall(name))
        if not found:
            return None
        check_version(found, "a manager's session")
        try:
            return ManagerSession(
                name=found["name"],
                via=found["via"],
                form=found["form"],
                created_at=int(found["created_at"]),
                source=found["source"],
                claims={name: tuple(map(str, of)) for name, of in json.loads(found["claims"]).items()},
            )
        except (KeyError, ValueError, TypeError, AttributeError):
            return None  # half of one is none

    async def end(self, identifier: str) -> None:
        name = _name(identifier)
        await self._store.run(lambda client: client.delete(name))


def _name(identifier: str) -> str:
    return names.manager(hashlib.sha256(identifier.encode()).hexdigest()[:40])
