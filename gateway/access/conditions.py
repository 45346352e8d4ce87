"""What a link may ask of its guests beyond their words: a PIN, an address that is on its list.

Rule: whichever fails, the answer is the same and takes as long; each failure counts, at the link and at the
network address it came from, and a full bucket turns away before anything is compared. A guest who has
passed once is not asked again while they wait for a seat (their page holds a ticket), nor when they return.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.access.outcome import Denied
from gateway.access.passwords import fits
from gateway.links.events import Action, Event
from gateway.links.invitation import clean_pin, invited
from gateway.links.records import Link
from gateway.reasons import Reason
from gateway.store.audit import AuditTrail
from gateway.store.wrong_tries import Tries, WrongTries

_HOUR = 3_600  # seconds
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class TryLimits:
    """Wrong tries within an hour."""

    at_link: int = 60
    from_source: int = 20


class Conditions:
    """One per worker; `clock` in ms. Everything may raise StoreDown."""

    def __init__(
        self,
        tries: WrongTries,
        clock: Callable[[], int],
        limits: TryLimits | None = None,
        trail: AuditTrail | None = None,
    ) -> None:
        """`trail`: where it is noted, once an hour, that a link is given many wrong ones."""
        self._tries = tries
        self._clock = clock
        self._limits = limits or TryLimits()
        self._trail = trail
        # One check at a time takes a thread: it is slow on purpose, and a hall full of guests must not take them all.
        self._one = asyncio.Semaphore(1)
        # Right PINs this worker has seen, by a keyed hash that dies with it.
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    def allow(self, limits: TryLimits) -> None:
        """Other limits; what has been counted counts on."""
        self._limits = limits

    async def met(self, link: Link, pin: str, email: str, source: str) -> Denied | None:
        """Why somebody with this PIN and address is kept out; None when they are not. `source` is where the
        request came from."""
        if link.pin is None and not link.emails:
            return None
        limits = {"at_link": self._limits.at_link, "from_source": self._limits.from_source}
        async with self._one:
            found = await self._tries.take(link.id, source, **limits, now=self._clock())
            wait = self._wait(found)
            if wait:
                return Denied(Reason.TOO_MANY_WRONG, "wrong PINs or addresses", wait=wait)
            listed = invited(email, link.emails)
            right = await self._right_pin(link, pin, listed=listed) and listed
            if right:
                await self._tries.give_back(link.id, source, **limits, now=self._clock())
        if found.untold and self._trail is not None:
            detail = {"tries": str(found.untold)}
            await self._trail.note(
                Event(self._clock(), "gateway", Action.WRONG_TRIES, link.server, link.item, link.id, detail=detail)
            )
        if right:
            return None
        return Denied(Reason.NOT_INVITED, "wrong PIN or address", {"pin" if link.pin else "email": _text(link)})

    def _wait(self, found: Tries) -> int:
        """Seconds until somebody from there may try again; 0 where this try was taken."""
        limits = self._limits
        waits = [
            (level - most + 1) * _HOUR / most
            for level, most in ((found.at_link, limits.at_link), (found.from_source, limits.from_source))
            if level > most - 1
        ]
        return max(1, round(max(waits))) if waits else 0

    async def _right_pin(self, link: Link, typed: str, *, listed: bool) -> bool:
        """`listed`: whether the address is on the list. Where it is not, nothing is remembered: an answer that
        comes at once would say that the PIN is right."""
        if link.pin is None:
            return True
        kept = clean_pin(typed)
        if kept is None:
            return False
        seen = hmac.digest(self._key, f"{link.pin}\0{kept}".encode(), "sha256")
        if listed and seen in self._right:
            self._right.move_to_end(seen)
            return True
        if not await asyncio.to_thread(fits, link.pin, kept.encode()):
            return False
        self._right[seen] = None
        if len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)
        return True


def shown(link: Link, email: str) -> str:
    """What a ticket says that its holder has shown: this link's PIN and list as they are now, with this address."""
    text = "\0".join((link.id, link.pin or "", *link.emails, email))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _text(link: Link) -> str:
    """One text for all that may be wrong with what this link asks for."""
    if link.pin is None:
        return "entry.error.not_invited"
    return "entry.error.pin_or_address" if link.emails else "entry.error.pin"
