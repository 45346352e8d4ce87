"""Managers sign in and out.

Rule: each sign-in makes a new session and ends the one the browser had; the configuration is asked again
each time a session is used, so that who has been taken out of it is out at once, rights are those of the
configuration in force, and another password ends what the one before has opened.

Wrong passwords have to wait, by address and by name, so that guessing stays slow from however many
addresses. That wait is for strangers: a browser in which this name has signed in before has a bucket of its
own, so that nobody can be kept out of theirs by others who guess.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.access.devices import Devices
from gateway.access.managers import Managers
from gateway.access.outcome import Denied
from gateway.access.permits import Actor
from gateway.access.rights import Claims, entitled
from gateway.access.throttle import Guesses
from gateway.access.turns import Turns
from gateway.config import SignInConfig
from gateway.links.events import Action, Event
from gateway.reasons import Reason
from gateway.store.audit import AuditTrail
from gateway.store.manager_sessions import ManagerSession, ManagerSessions

LIFE = 12 * 3_600_000  # ms a sign-in is good for
ID_LENGTH = 32  # characters of base64: 192 random bits
BY_ADDRESS, BY_NAME, BY_DEVICE = 20, 10, 10  # wrong passwords a minute
WAITING = 16  # sign-ins that wait for their password to be checked
LINES = 6  # of refused sign-ins in the record, a minute: it is of limited length, and strangers write them


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A manager at work. `form` is the token that each of this session's forms must bring back."""

    actor: Actor
    form: str = field(repr=False)
    via: str = "password"


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session; `identifier` goes into the cookie and nowhere else, `devices` into the one of `devices`."""

    identifier: str = field(repr=False)
    signed_in: SignedIn
    devices: tuple[str, ...] = field(default=(), repr=False)


class Tries:
    """Wrong passwords of late, and who waits. Per process; it outlives a change of the settings."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.by_address = Guesses(BY_ADDRESS, clock)
        self.by_name = Guesses(BY_NAME, clock)
        self.by_device = Guesses(BY_DEVICE, clock)
        self.turns = Turns(WAITING)
        self.lines = Guesses(LINES, clock)
        self.unwritten = 0

    def buckets(self, name: str, address: str, device: str | None) -> tuple[tuple[Guesses, str], ...]:
        if device is not None:
            return ((self.by_device, device),)
        return (self.by_address, address), (self.by_name, name)


class SignIn:
    """`clock` in ms; `managers` gives those of the configuration in force, `config` is how they sign in."""

    def __init__(
        self,
        sessions: ManagerSessions,
        managers: Callable[[], Managers],
        trail: AuditTrail,
        clock: Callable[[], int],
        *,
        config: SignInConfig,
        tries: Tries,
        devices: Devices,
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._managers = managers
        self._trail = trail
        self._clock = clock
        self._tries = tries
        self._devices = devices

    async def with_password(
        self, name: str, password: str, address: str, *, devices: Sequence[str] = (), instead_of: str | None = None
    ) -> Opened | Denied:
        """`devices`: what this browser shows of sign-ins before. Raises StoreDown."""
        tries, managers = self._tries, self._managers()
        hashed = managers.hash_of(name)
        device = self._devices.known(devices, name, hashed) if hashed is not None else None
        buckets = tries.buckets(name, address, device)
        wait = max(bucket.wait(key) for bucket, key in buckets)
        if wait:
            return Denied(Reason.TOO_MANY_TRIES, str(wait))
        if tries.turns.full(known=device is not None):
            return Denied(Reason.SIGN_IN_BUSY, "3")
        # Counted before it is known to be wrong: of many that come at once none must find the bucket empty.
        for bucket, key in buckets:
            bucket.missed(key)
        async with tries.turns.take(known=device is not None):
            began = asyncio.get_running_loop().time()
            actor = await managers.by_password(name, password)
            if actor is None and device is None:
                tries.turns.rest(asyncio.get_running_loop().time() - began)
        if actor is None or hashed is None:
            # What was typed as a name may be a password: only a name that exists is kept.
            await self._refused(name if managers.named(name) is not None else "unknown", address)
            return Denied(Reason.NOT_SIGNED_IN, "wrong name or password")
        for bucket, key in buckets:
            bucket.found(key)
        opened = await self.open(actor, address, source=source_of(hashed), instead_of=instead_of)
        return Opened(opened.identifier, opened.signed_in, self._devices.renewed(devices, name, hashed))

    async def open(
        self,
        actor: Actor,
        address: str,
        *,
        source: str = "",
        claims: Claims | None = None,
        instead_of: str | None = None,
    ) -> Opened:
        """A session for somebody who has shown who they are: `source` and `claims` as `ManagerSession` has them.
        Raises StoreDown."""
        now = self._clock()
        identifier, form = secrets.token_urlsafe(24), secrets.token_urlsafe(16)
        session = ManagerSession(actor.name, actor.via, form, now, source, claims or {})
        await self._trail.append(Event(now, actor.name, Action.SIGNED_IN, detail={"from": address, "via": actor.via}))
        await self._sessions.open(identifier, session, life=LIFE, instead_of=instead_of)
        return Opened(identifier, SignedIn(actor, form, actor.via))

    async def of(self, identifier: str, said: Actor | None = None) -> SignedIn | None:
        """Who this session is, as the configuration has them now. `said`: whom a proxy in front names, with the
        rights of the groups it names. Raises StoreDown."""
        session = await self._sessions.find(identifier)
        if session is None or self._clock() - session.created_at >= LIFE:
            return None
        actor = self._actor(session, said)
        return None if actor is None or actor.via != session.via else SignedIn(actor, session.form, session.via)

    async def out(self, identifier: str) -> None:
        """Raises StoreDown."""
        session = await self._sessions.find(identifier)
        await self._sessions.end(identifier)
        if session is not None:
            detail = {"via": session.via}
            await self._trail.note(Event(self._clock(), session.name, Action.SIGNED_OUT, detail=detail))

    def _actor(self, session: ManagerSession, said: Actor | None) -> Actor | None:
        """None where sessions that began in this way are over."""
        if self._config.trusted_header is not None:
            return said if said is not None and said.name == session.name else None
        if self._config.oidc is not None:
            ours = session.source == self._config.oidc.issuer
            return entitled(self._config.oidc, session.name, session.claims) if ours else None
        hashed = self._managers().hash_of(session.name)
        ours = hashed is not None and session.source == source_of(hashed)
        return self._managers().named(session.name) if ours else None

    async def _refused(self, who: str, address: str) -> None:
        """A line in the record, or where there are too many a number in the next one."""
        tries = self._tries
        if tries.lines.wait(""):
            tries.unwritten += 1
            return
        tries.lines.missed("")
        detail = {"from": address, "via": "password"}
        if tries.unwritten:
            detail["more"], tries.unwritten = str(tries.unwritten), 0
        await self._trail.append(Event(self._clock(), who, Action.SIGN_IN_REFUSED, detail=detail))


def source_of(hashed: str) -> str:
    """What ties a session to the password it began with."""
    return hashlib.sha256(hashed.encode()).hexdigest()[:32]
