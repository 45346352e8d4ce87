"""A page is opened: is its link still good, its media still there, a seat still free?

Rule: a refusal ends the grant everywhere, unless only the media server can't be asked just now. What the server says
of the item is taken in, and what its policy prepares for each page is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from gateway.access.anew import Anew
from gateway.access.beginning import Beginning
from gateway.access.live import LiveGrant
from gateway.access.media import Resolve, ask_media
from gateway.access.outcome import Denied
from gateway.access.seats import full
from gateway.access.watched import Watched
from gateway.links.records import Item, Variables
from gateway.links.rules import grant_over
from gateway.reasons import Reason
from gateway.store.links import LinkStore
from gateway.upstream.resolve import Resolved


class Table(Protocol):
    """What the check of a page needs of the table of grants."""

    def ended_elsewhere(self, ids: Iterable[str], reason: str) -> None: ...

    async def end(self, which: LiveGrant, reason: str) -> None: ...

    async def renew(self, live: LiveGrant, variables: Variables | None) -> None: ...


class PageCheck:
    """`clock` in ms."""

    def __init__(self, links: LinkStore, table: Table, anew: Anew, resolve: Resolve, clock: Callable[[], int]) -> None:
        self._links = links
        self._table = table
        self._anew = anew
        self._resolve = resolve
        self._clock = clock
        self._beginning = Beginning(links, clock)

    async def recheck(self, live: LiveGrant, *, beside: bool = False) -> Denied | None:
        """None where it may be opened. `beside`: into a page that is open, whose variables it must not take away from
        it. Raises StoreDown."""
        seen, records = await asyncio.gather(
            self._links.get(live.grant.link), self._links.guests.grants([live.grant.id])
        )
        now = self._clock()
        record = records.get(live.grant.id)
        if live.ended is not None or record is None or grant_over(record[0], now=now) or record[1].gone_at is not None:
            self._table.ended_elsewhere([live.grant.id], "ended elsewhere")
            return Denied(Reason.GRANT_ENDED)
        if seen is None:
            reason: Reason | None = Reason.LINK_DELETED
        else:
            reason = Watched(seen.link, seen.item, live.server).closed(now)
        if reason is None:
            server = live.server
            found = await ask_media(self._resolve, server, live.grant.item)
            if seen is not None:
                found = await self._beginning.judged(server, seen.link, seen.item, found, inside=True)
            if live.ended is None and live.server is not server:
                # Settings changed meanwhile; what a former server says of the item counts no more.
                return await self.recheck(live, beside=beside)
            if not isinstance(found, Denied):
                seats = seen.link.viewers_limit if seen is not None else None
                if seats is not None and not await self._links.guests.take_seat(live.grant, seats, now=self._clock()):
                    return full(self._links.keys, live.grant.link, self._clock(), inside=True)
                await self._described(seen.item if seen else None, found)
                await self._table.renew(live, found.variables)
                denied = None if beside else await self._anew.page(live)
                if denied is None:
                    live.touch()
                elif seen is not None:
                    denied = self._beginning.told(seen.link, seen.item, denied, inside=True)
                return denied
            if found.reason is not Reason.MEDIA_GONE:
                return found
            reason = found.reason
        await self._table.end(live, str(reason))
        starts = seen.link.starts_at if seen is not None and reason is Reason.NOT_OPEN_YET else None
        return Denied(reason, starts_at=starts)

    async def _described(self, item: Item | None, found: Resolved) -> None:
        """Whose an item is decides who may manage it; a page is an occasion to hear it anew."""
        if item is not None and (item.title, item.owners) != (found.title, found.owners):
            await self._links.describe(replace(item, title=found.title, owners=found.owners))
