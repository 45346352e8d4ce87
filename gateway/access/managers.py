"""The managers of config.yaml, found by what they show: a name with a password, or a token.

Rule: a check returns the actor or None, and costs the same for names that exist and names that do not.
Passwords are Argon2id and slow on purpose: they are checked in a thread. Tokens are long
and random, so one SHA-256 finds them. Whose password is checked next is `turns`' to say.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence

from gateway.access.passwords import fits, hash_password
from gateway.access.permits import Actor
from gateway.config import Manager

_MAX_PASSWORD = 1_024  # bytes


class Managers:
    """Built anew when config.yaml changes. Needs a running loop for passwords."""

    def __init__(self, managers: Sequence[Manager]) -> None:
        self._named = {one.name: one for one in managers}
        self._tokens = {one.token: one for one in managers if one.token is not None}
        # Checked against when there is no such name, so that time tells nothing. Of the usual cost.
        known = next((one.password for one in managers if one.password is not None), None)
        self._nobody = known

    def __bool__(self) -> bool:
        return bool(self._named)

    def named(self, name: str) -> Actor | None:
        """The manager as config.yaml has him now; None when he has been taken out of it."""
        found = self._named.get(name)
        return None if found is None else actor_of(found)

    def hash_of(self, name: str) -> str | None:
        """The hash of this manager's password; None where there is no such manager, or a token alone."""
        found = self._named.get(name)
        return None if found is None else found.password

    def by_token(self, token: str) -> Actor | None:
        if not token.isascii():
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = self._tokens.get(f"sha256:{digest}")
        return None if found is None else actor_of(found)

    async def by_password(self, name: str, password: str) -> Actor | None:
        manager = self._named.get(name)
        written = password.encode()
        hashed = manager.password if manager is not None else None
        if self._nobody is None:
            self._nobody = await asyncio.to_thread(hash_password, secrets.token_urlsafe())
        good = await asyncio.to_thread(fits, hashed or self._nobody, written[:_MAX_PASSWORD])
        if manager is None or hashed is None or not good or len(written) > _MAX_PASSWORD:
            return None
        return actor_of(manager)


def actor_of(manager: Manager) -> Actor:
    return Actor(manager.name, manager.may, manager.ids, "password")
