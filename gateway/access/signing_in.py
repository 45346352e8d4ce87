"""Managers sign in and out.

Rule: each sign-in makes a new session and ends the one the browser had; the configuration is asked again
each time a session is used, so that who has been taken out of it is out at once. Wrong passwords have to
wait, by address and by name; the wait for a name is short, so that nobody can be locked out by others.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.access.managers import Managers
from gateway.access.outcome import Denied
from gateway.access.permits import Actor
from gateway.access.throttle import Guesses
from gateway.links.events import Action, Event
from gateway.reasons import Reason
from gateway.store.audit import AuditTrail
from gateway.store.manager_sessions import ManagerSession, ManagerSessions

LIFE = 12 * 3_600_000  # ms a sign-in is good for
ID_LENGTH = 32  # characters of base64: 192 random bits
BY_ADDRESS, BY_NAME = 20, 10  # wrong passwords a minute


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A manager at work. `form` is the token that each of this session's forms must bring back."""

    actor: Actor
    form: str = field(repr=False)
    via: str = "password"


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session; `identifier` goes into the cookie and nowhere else."""

    identifier: str = field(repr=False)
    signed_in: SignedIn


class SignIn:
    """`clock` in ms; `managers` gives those of the configuration in force."""

    def __init__(
        self,
        sessions: ManagerSessions,
        managers: Callable[[], Managers],
        trail: AuditTrail,
        clock: Callable[[], int],
        *,
        way: str = "password",
    ) -> None:
        """`way`: how managers sign in; sessions that began in another way are over."""
        self._way = way
        self._sessions = sessions
        self._managers = managers
        self._trail = trail
        self._clock = clock
        self._by_address = Guesses(BY_ADDRESS, clock)
        self._by_name = Guesses(BY_NAME, clock)

    async def with_password(
        self, name: str, password: str, address: str, *, instead_of: str | None = None
    ) -> Opened | Denied:
        """Raises StoreDown."""
        wait = max(self._by_address.wait(address), self._by_name.wait(name))
        if wait:
            return Denied(Reason.TOO_MANY_TRIES, str(wait))
        actor = await self._managers().by_password(name, password)
        if actor is None:
            self._by_address.missed(address)
            self._by_name.missed(name)
            # What was typed as a name may be a password: only a name that exists is kept.
            known = name if self._managers().named(name) is not None else "unknown"
            await self._trail.append(
                Event(self._clock(), known, Action.SIGN_IN_REFUSED, detail={"from": address, "via": "password"})
            )
            return Denied(Reason.NOT_SIGNED_IN, "wrong name or password")
        return await self.open(actor, "password", address, instead_of=instead_of)

    async def open(self, actor: Actor, via: str, address: str, *, instead_of: str | None = None) -> Opened:
        """A session for somebody who has shown who they are. Raises StoreDown."""
        now = self._clock()
        identifier, form = secrets.token_urlsafe(24), secrets.token_urlsafe(16)
        session = ManagerSession(actor.name, via, form, now, actor.may, actor.ids)
        await self._trail.append(Event(now, actor.name, Action.SIGNED_IN, detail={"from": address, "via": via}))
        await self._sessions.open(identifier, session, life=LIFE, instead_of=instead_of)
        return Opened(identifier, SignedIn(actor, form, via))

    async def of(self, identifier: str) -> SignedIn | None:
        """Who this session is, as the configuration has them now. Raises StoreDown."""
        session = await self._sessions.find(identifier)
        if session is None or session.via != self._way or self._clock() - session.created_at >= LIFE:
            return None
        if session.via == "password":
            actor = self._managers().named(session.name)
            return None if actor is None else SignedIn(actor, session.form, session.via)
        return SignedIn(Actor(session.name, session.may, session.ids), session.form, session.via)

    async def out(self, identifier: str) -> None:
        """Raises StoreDown."""
        session = await self._sessions.find(identifier)
        await self._sessions.end(identifier)
        if session is not None:
            await self._trail.note(Event(self._clock(), session.name, Action.SIGNED_OUT))
