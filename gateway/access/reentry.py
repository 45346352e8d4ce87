"""Guests who were here before: who is recognised, and how they come in again.

Rule: coming back uses no click and asks for nothing but the consent that is due. What was ended by somebody's hand
(left, removed, erased) is recognised no more; a guest without a live grant gets a fresh one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.access.beginning import Beginning
from gateway.access.grants import GrantTable
from gateway.access.live import LiveGrant
from gateway.access.media import Resolve, ask_media, is_open
from gateway.access.outcome import Denied
from gateway.access.preparing import Preparer
from gateway.access.seats import full
from gateway.access.servers import MediaServer
from gateway.config import Prefixes, SessionConfig
from gateway.errors import StoreDown
from gateway.links.ids import GRANTS_PER_BROWSER, guest_of, new_grant_id, slot_of
from gateway.links.records import Grant, Guest, Item, Link
from gateway.links.rules import refusal, state
from gateway.reasons import Reason
from gateway.store.guests import Visitor
from gateway.store.links import LinkStore, Seen
from gateway.upstream.resolve import Resolved

RECOGNISED = 90 * 86_400_000  # ms after the first admission a browser is let in without the form


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody is in. `location` is a path of our own origin, `grant_ids` what the session cookie is to
    hold, latest admission last; not `persistent`: it ends with the browser."""

    live: LiveGrant
    location: str
    grant_ids: tuple[str, ...]
    persistent: bool


class Reentry:
    """`clock` in ms. Everything may raise StoreDown."""

    def __init__(
        self,
        links: LinkStore,
        grants: GrantTable,
        session: SessionConfig,
        prefixes: Prefixes,
        clock: Callable[[], int],
        resolve: Resolve,
        preparer: Preparer,
    ) -> None:
        self._links = links
        self._grants = grants
        self._max_age = session.max_age // timedelta(milliseconds=1)
        self._own = prefixes.own
        self._clock = clock
        self._resolve = resolve
        self._preparer = preparer
        self._beginning = Beginning(links, clock)

    async def agreed(self, guest: Guest, version: str | None) -> None:
        if version is not None and guest.consent_version != version:
            await self._links.guests.agree(guest.id, version, now=self._clock())

    def recognised(self, visitor: Visitor, link: Link) -> bool:
        guest = visitor.guest
        return guest.link == link.id and guest.gone_at is None and self._clock() - guest.first_seen < RECOGNISED

    async def here_before(self, seen: Seen, grant_ids: tuple[str, ...]) -> list[Visitor]:
        """The guests of this link that this browser is recognised as, the latest first."""
        mine = [one for one in grant_ids if slot_of(one) == slot_of(seen.link.id)]
        if not mine:
            return []
        visitors = await self._links.guests.visitors(mine)
        return [
            visitors[one]
            for one in dict.fromkeys(map(guest_of, reversed(mine)))
            if one in visitors and self.recognised(visitors[one], seen.link)
        ]

    async def again(
        self, seen: Seen, server: MediaServer, before: tuple[str, str], digest: str, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied:
        """A form id that has admitted somebody: the same words again mean the same admission."""
        if before[0] != digest:
            return Denied(Reason.FORM_STALE, "the form has admitted somebody else")
        visitor = (await self._links.guests.visitors([before[1]])).get(guest_of(before[1]))
        if visitor is None or not self.recognised(visitor, seen.link):
            return Denied(Reason.FORM_STALE, "the guest has left")
        return await self.reenter(seen, server, visitor, grant_ids)

    async def reenter(
        self, seen: Seen, server: MediaServer, visitor: Visitor, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied:
        """The guest's live grant, or a fresh one."""
        link = seen.link
        said = await ask_media(self._resolve, server, link.item)
        media = await self._beginning.judged(server, link, seen.item, said, inside=True)
        if isinstance(media, Denied):
            if media.reason is Reason.MEDIA_GONE and visitor.grant is not None:
                await self._grants.end(visitor.grant, str(media.reason))
            return media
        for _ in range(5):
            now = self._clock()
            fresh = self.new_grant(link, visitor.guest.id, media, now)
            asked = server.asks_for(link.kind) and await self._live(visitor) is None
            if asked:
                if no_seat(seen):
                    return full(self._links.keys, link.id, now, inside=True)
                prepared = await self._preparer.prepare(server, fresh, visitor.guest)
                if isinstance(prepared, Denied):
                    return self._beginning.told(link, seen.item, prepared, inside=True)
                fresh = prepared
            done = await self._links.guests.come_back(
                fresh, named=visitor.grant, server_open=is_open(server, link.kind), now=now
            )
            if asked and done.outcome != "fresh":
                await self._preparer.undo(server, fresh)
            if done.outcome == "refused" and done.link is not None:
                return refused(done.link, done.item, server, now=self._clock(), inside=True)
            if done.outcome == "full":
                return full(self._links.keys, link.id, self._clock(), inside=True)
            live = None
            if done.outcome == "fresh" and server.asks_for(link.kind) and not asked:
                # The guest's grant ended while we looked; this one lacks what has to be prepared.
                await self._grants.end(fresh.id, "not prepared")
            elif done.outcome == "fresh":
                live = self._grants.adopt(fresh, visitor.guest, link, seen.item)
            elif done.outcome == "live":
                live = await self._live(visitor)
            if live is not None:
                await self._grants.renew(live, media.variables)
                denied = await self._grants.visit(live)
                if denied is not None:
                    return self._beginning.told(link, seen.item, denied, inside=True)
                live.touch()
                return await self.admitted(live, _in_place(grant_ids, live.grant.id))
            # Another tab was faster, or the grant ended meanwhile: look at the guest anew.
            found = (await self._links.guests.visitors([visitor.guest.id])).get(visitor.guest.id)
            if found is None or not self.recognised(found, link):
                return Denied(Reason.GRANT_ENDED)
            visitor = found
        raise StoreDown("the guest's grant changed each time it was looked at")

    async def _live(self, visitor: Visitor) -> LiveGrant | None:
        """The grant that the guest's record names, if it lives."""
        if visitor.grant is None:
            return None
        lives = self._grants.known((visitor.grant,)) or await self._grants.load((visitor.grant,))
        return next(iter(lives), None)

    async def _alone(self, live: LiveGrant, grant_ids: tuple[str, ...]) -> None:
        """No other grant of this server whose requests do not name their item stays beside this one. The browser is
        recognised at that link all the same, and changes back by opening it."""
        others = tuple(one for one in grant_ids if one != live.grant.id)
        server = live.server.config.name
        lives = self._grants.known(others, server=server)
        for other in await self._grants.load(others, server=server) if lives is None else lives:
            if other.scope.kind.exclusive:
                with contextlib.suppress(StoreDown):  # here it has ended; the store hears of it as soon as it can
                    await self._grants.end(other, "another took its place")

    def new_grant(self, link: Link, guest: str, media: Resolved, now: int) -> Grant:
        return Grant(
            id=new_grant_id(guest),
            link=link.id,
            guest=guest,
            server=link.server,
            item=link.item,
            kind=link.kind,
            variables=dict(media.variables or {}),
            created_at=now,
            ends_at=now + self._max_age,
            last_seen=now,
        )

    async def admitted(self, live: LiveGrant, grant_ids: tuple[str, ...]) -> Admitted:
        grant_ids = grant_ids[-GRANTS_PER_BROWSER:]
        if live.scope.kind.exclusive:
            await self._alone(live, grant_ids)
        shared = live.guest.shared_device
        others = [one for one in grant_ids if one != live.grant.id]
        if others and not shared:
            # One cookie for all: it lives no longer than the most careful of its guests wanted.
            visitors = await self._links.guests.visitors(others)
            shared = any(visitor.guest.shared_device for visitor in visitors.values())
        location = live.scope.entrance() or f"{self._own}/watch/{live.grant.id}"
        return Admitted(live, location, grant_ids, persistent=not shared)


def no_seat(seen: Seen) -> bool:
    """Whether nobody more finds a place, as far as the link has been seen."""
    seats = seen.link.viewers_limit
    return seats is not None and seen.viewers >= seats


def closed(reason: Reason, link: Link) -> Denied:
    """A link that lets nobody in now; with its start where that is why."""
    return Denied(reason, starts_at=link.starts_at if reason is Reason.NOT_OPEN_YET else None)


def refused(link: Link, item: Item | None, server: MediaServer, *, now: int, inside: bool) -> Denied:
    """Why the store's script refused; it has seen the link later than we did."""
    then = state(link, item, server_open=is_open(server, link.kind), now=now)
    return closed(refusal(then, inside=inside) or Reason.ACCESS_OFF, link)


def _in_place(grant_ids: tuple[str, ...], grant: str) -> tuple[str, ...]:
    """The guest's grant where the guest's former one stood: coming back is no later admission."""
    guest, found = guest_of(grant), []
    for one in grant_ids:
        same = guest_of(one) == guest
        if not same or grant not in found:
            found.append(grant if same else one)
    return tuple(found) if grant in found else (*found, grant)
