"""The grants a worker knows, and how it hears that one has ended.

Rule: the stream path asks this table and nothing else. What the table knows may be wrong for as long
as a message takes; how long it may go on without hearing any is the policy's `on_revoke`:

    drain   who is in stays in until a page is opened, or until `leave_after` without a request or
            anything open, on any worker; with the store down for `store_grace`
    cut     as soon as the link is closed everything ends; with the change channel silent for five
            seconds nothing is allowed

The end of a grant is final: it is written in the store, published, and remembered here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import replace
from datetime import timedelta

from gateway.access.activity import ActivityNotes
from gateway.access.anew import Anew
from gateway.access.live import LiveGrant, has_place
from gateway.access.media import Resolve
from gateway.access.outcome import Denied
from gateway.access.page_check import PageCheck
from gateway.access.preparing import release_of
from gateway.access.servers import MediaServer, Servers
from gateway.access.watched import OverIds, Standing, Watched
from gateway.config import SessionConfig
from gateway.errors import GatewayError, StoreDown, StoreTooNew
from gateway.links.ids import slot_of
from gateway.links.records import Grant, Guest, Item, Link, Variables
from gateway.links.rules import grant_over, idle_over
from gateway.store.changes import Change, ChangeChannel
from gateway.store.guests import BROUGHT
from gateway.store.links import LinkStore
from gateway.store.releases import ReleaseStore
from gateway.upstream.resolve import resolve_item

__all__ = ["GrantTable", "LiveGrant"]

_log = logging.getLogger("gateway")

SILENCE = 5.0  # seconds without the change channel after which `cut` allows nothing
TICK = 0.5  # seconds between two looks at clocks and switches
_FORGET = 3_600_000  # ms without a request after which a grant need not be held in memory
_PAUSE = 0.25  # seconds before a store that failed is asked again


class GrantTable:
    """One per worker; `run` must be running. `clock` in ms."""

    def __init__(
        self,
        links: LinkStore,
        servers: Servers,
        session: SessionConfig,
        clock: Callable[[], int],
        *,
        resolve: Resolve = resolve_item,
        heard_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`heard_end`: who else wants to know that a grant has ended, on whatever worker."""
        self._links = links
        self._heard_end = heard_end
        self._servers = servers
        self._clock = clock
        self._channel = ChangeChannel(links.store)
        self._leave_after, self._grace, every = _spans(session)
        self._notes = ActivityNotes(links.guests, every=every)
        self._anew = Anew(links, self, clock)
        self._pages = PageCheck(links, self, self._anew, resolve, clock)
        self._live: dict[str, LiveGrant] = {}
        self._watched: dict[str, Watched] = {}
        self._over = OverIds()
        self._loading: dict[str, asyncio.Task[None]] = {}
        # What the background tasks are to do.
        self._stale_links: set[str] = set()
        self._stale_grants: set[str] = set()
        self._endings: dict[str, tuple[str, str]] = {}  # grant -> its link, reason
        self._news = 0  # counts changes, so that a reading that was overtaken by one can be told
        self._behind_since: float | None = time.monotonic()  # not everything looked at since connected
        self._work = asyncio.Event()
        self._lost = False

    # --- questions ------------------------------------------------------------------------------

    def known(self, ids: tuple[str, ...], *, server: str | None = None) -> tuple[LiveGrant, ...] | None:
        """The grants among these that are alive (with `server`, only its), in this order; None when the
        store has to be asked first (`load`)."""
        now = self._clock()
        found = []
        for one in ids:
            live = self._live.get(one)
            if live is None:
                if one not in self._over:
                    return None
            elif server is None or live.server.config.name == server:
                standing = self._standing(live, now)
                if standing is Standing.ASK:
                    return None
                if standing is Standing.GOOD:
                    found.append(live)
        return tuple(found)

    async def load(self, ids: tuple[str, ...], *, server: str | None = None) -> tuple[LiveGrant, ...]:
        """As `known`, asking the store about what this worker can't say. Raises StoreDown."""
        now = self._clock()
        missing = [one for one in dict.fromkeys(ids) if self._must_ask(one, server, now)]
        if missing:
            await self._fetch(missing)
        now = self._clock()
        found = []
        for one in ids:
            live = self._live.get(one)
            if live is None or (server is not None and live.server.config.name != server):
                continue
            standing = self._standing(live, now)
            if standing is Standing.ASK and not self._trusted(live.server):
                raise StoreDown("the change channel is silent")
            if standing is Standing.GOOD:
                found.append(live)
        return tuple(found)

    def certain(self, ids: tuple[str, ...], *, server: str) -> tuple[LiveGrant, ...]:
        """Those of a server that this worker can vouch for by itself: what goes on with the store down."""
        now = self._clock()
        lives = [live for live in map(self._live.get, ids) if live is not None]
        return tuple(
            live for live in lives if live.server.config.name == server and self._standing(live, now) is Standing.GOOD
        )

    def holds(self, identifier: str) -> bool:
        """Whether this grant is alive as far as this worker knows."""
        return identifier in self._live

    def unheard(self) -> float:
        """Seconds since the store was last heard."""
        return self._channel.unheard()

    @property
    def store_lost(self) -> bool:
        """Whether the store has lost its data."""
        return self._lost

    @property
    def caught_up(self) -> bool:
        """Whether everything known has been looked at since the change channel was last connected."""
        return self._behind_since is None

    async def recheck(self, live: LiveGrant, *, beside: bool = False) -> Denied | None:
        """A page is opened: is its link still good, its media still there? A refusal ends the grant
        everywhere, unless only the media server can't be asked just now. `beside`: it comes into a page that is
        open. Raises StoreDown."""
        return await self._pages.recheck(live, beside=beside)

    # --- changes --------------------------------------------------------------------------------

    def adopt(self, grant: Grant, guest: Guest, link: Link, item: Item | None) -> LiveGrant | None:
        """Take in a grant; None where no server and policy of now has a place for it."""
        live = self._live.get(grant.id)
        if live is not None:
            return live
        server = self._servers.named(grant.server)
        if server is None or not has_place(server, grant):
            self._over.add(grant.id)
            return None
        live = LiveGrant(grant, guest, server, clock=self._clock, stir=self._notes.stir)
        self._live[grant.id] = live
        self._watch(link, item, server).grants.add(grant.id)
        return live

    def adapt(self, servers: Servers, session: SessionConfig) -> None:
        """Other settings are in force from now on: the next request of each grant is judged by them. Grants
        that no server or policy has a place for end; where the operator has closed a server whose policy
        says `cut`, so do its grants."""
        self._servers = servers
        self._leave_after, self._grace, every = _spans(session)
        self._notes.take_rounds(every)
        for live in tuple(self._live.values()):
            server = servers.named(live.grant.server)
            if server is None or not has_place(server, live.grant):
                self._end_soon(live, "no longer served")
            elif server is not live.server:
                live.move(server)
        now = self._clock()
        for watched in tuple(self._watched.values()):
            server = servers.named(watched.link.server)
            if server is not None:
                watched.server = server
            self._close_if_cut(watched, now)
        # Ids that were over for want of a server may have one now. An end the store has not heard of yet stays.
        self._over = OverIds()
        for identifier in self._endings:
            self._over.add(identifier)

    async def renew(self, live: LiveGrant, variables: Variables | None) -> None:
        """Other variables, when the media server names its streams anew."""
        if variables is not None and dict(variables) != dict(live.grant.variables):
            await self._links.guests.renew(live.grant.id, variables)
            live.rebind(replace(live.grant, variables=variables))

    async def visit(self, live: LiveGrant) -> Denied | None:
        """The guest has come by the link again. Raises StoreDown."""
        return await self._anew.visit(live)

    def alive(self) -> tuple[LiveGrant, ...]:
        """All that this worker knows."""
        return tuple(self._live.values())

    async def bring(
        self, live: LiveGrant, values: Variables, *, sets: int | None = None, renewed_at: int | None = None
    ) -> bool:
        """What the media server gave to this grant, for every worker; `sets`: of each name what was given so many
        times stays; `renewed_at`: they are a renewal's. Whether the grant lives to have it. Raises StoreDown."""
        if sets is None:
            await self._note_what_is_to_be_released(live, values)
        brings = live.brings
        brought = await self._links.guests.bring(live.grant.id, values, sets, renewed_at=renewed_at)
        if live.brings != brings:
            live.news += 1  # another one came in between, and which of the two is the later nobody can say
        live.brings += 1
        if brought is not None:
            renewed_at = live.grant.renewed_at if renewed_at is None else renewed_at
            live.rebind(replace(live.grant, brought=brought, renewed_at=renewed_at))
        return brought is not None

    async def _note_what_is_to_be_released(self, live: LiveGrant, values: Variables) -> None:
        """Before anybody can use it: a value that `release` names is known to whoever will ask for that."""
        kind = live.scope.kind
        held = {name: found for name, found in values.items() if any(name in one.variables for one in kind.release)}
        if held:
            job = release_of(live.grant)
            await ReleaseStore(self._links.store).captured(job, held, kept=BROUGHT, now=self._clock())

    async def refresh(self, live: LiveGrant) -> None:
        """Take in what another worker has brought for this grant, before its word comes here. Raises StoreDown."""
        news, brings = live.news, live.brings
        record = (await self._links.guests.grants([live.grant.id])).get(live.grant.id)
        if live.brings != brings:
            return  # what we have brought meanwhile is not in there; `news` still says that there is some
        live.news = 0 if live.news == news else live.news
        if record is not None and _given(record[0]) != _given(live.grant):
            live.rebind(replace(live.grant, brought=record[0].brought, renewed_at=record[0].renewed_at))

    async def end(self, which: LiveGrant | str, reason: str) -> None:
        """End a grant for good, on every worker. Raises StoreDown; here it has ended even then, and
        the store is told as soon as it can be."""
        live = self._live.get(which) if isinstance(which, str) else which
        if live is not None:
            identifier, link = live.grant.id, live.grant.link
            self._end_here(live, reason)
        else:
            assert isinstance(which, str)
            record = (await self._links.guests.grants([which])).get(which)
            self._over.add(which)
            if record is None:
                return
            identifier, link = which, record[0].link
        try:
            await self._links.guests.end(identifier, link, reason, now=self._clock())
        except StoreDown:
            self._endings[identifier] = (link, reason)
            raise

    def ended_elsewhere(self, ids: Iterable[str], reason: str) -> None:
        """These have been ended in the store by the caller."""
        for one in ids:
            live = self._live.get(one)
            if live is not None:
                self._end_here(live, reason)
            self._over.add(one)

    # --- in the background ----------------------------------------------------------------------

    async def run(self) -> None:
        """Listen, keep clocks, note activity; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._channel.run(self._changed, self._connected))
            group.create_task(self._catch_up())
            group.create_task(self._keep_clocks())
            group.create_task(self._notes.run(self.ended_elsewhere))
            group.create_task(self._anew.run())

    def _changed(self, change: Change) -> None:
        self._news += 1
        if change.kind == "ended":
            self.ended_elsewhere([change.id], change.reason)
            self._heard_end(change.id)
        elif change.kind == "link":
            self._stale_links |= {change.id} & self._watched.keys()
        elif change.kind == "item":
            self._stale_links |= {link for link in self._watched if slot_of(link) == change.id}
        elif change.kind == "renewed":
            self._stale_grants |= {change.id} & self._live.keys()
            if change.id in self._live:
                self._live[change.id].news += 1
        self._work.set()

    def _connected(self, silence: float) -> None:
        since = time.monotonic() - silence
        self._behind_since = since if self._behind_since is None else min(since, self._behind_since)
        self._news += 1
        self._work.set()

    async def _catch_up(self) -> None:
        """Look again at what has changed; at everything after the channel was lost."""
        while True:
            await self._work.wait()
            self._work.clear()
            behind = self._behind_since
            links, grants = self._stale_links, self._stale_grants
            self._stale_links, self._stale_grants = set(), set()
            try:
                if behind is not None:
                    links, grants = set(), set(self._live)
                if links:
                    for seen in await self._links.many(list(links)):
                        watched = self._watched.get(seen.link.id)
                        if watched is not None:
                            watched.link, watched.item = seen.link, seen.item
                            self._close_if_cut(watched, self._clock())
                await self._read_all(list(grants))
                if behind is not None and self._behind_since == behind:
                    self._behind_since = None
            except GatewayError as error:
                # A record we can't read (StoreTooNew) is not known to be good: behind until it is.
                down = isinstance(error, StoreDown) and not isinstance(error, StoreTooNew)
                if not down:
                    _log.error("changes can't be followed: %s", error)
                self._stale_links |= links
                self._stale_grants |= grants
                self._work.set()
                await asyncio.sleep(_PAUSE if down else 20 * _PAUSE)

    async def _keep_clocks(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            with contextlib.suppress(GatewayError):  # who has to be told is told with the next look
                await self._look_for_loss()
                await self._sweep()

    async def _look_for_loss(self) -> None:
        """A store that was emptied says nothing on the channel. What is known goes on for as long as with a
        dead one, and when somebody has filled it again (`gateway restore`) everything is looked at anew."""
        before = self._lost
        with contextlib.suppress(StoreDown):
            await self._links.store.intact()
        self._lost = self._links.store.lost
        if self._lost and not before:
            _log.error(
                "the store has lost its data: nobody is admitted. `gateway restore FILE` puts a backup back; "
                "any other command, or a restart, begins with an empty store"
            )
            self._connected(0.0)
        if before and not self._lost:
            _log.warning("the store has been filled again")
            self._connected(0.0)

    async def _sweep(self) -> None:
        """What ends without anybody's word: age, a link's date, being left, silence of the store."""
        now = self._clock()
        for watched in tuple(self._watched.values()):
            self._close_if_cut(watched, now)
        closed = {link: watched.closed(now) is not None for link, watched in self._watched.items()}
        left = []
        for live in tuple(self._live.values()):
            if now >= live.grant.ends_at:
                self._end_soon(live, "max_age")
                continue
            if not self._trusted(live.server):
                live.cut_open()
            if live.open:
                live.tick()
            elif closed.get(live.grant.link):
                if idle_over(last_seen=live.last_seen, leave_after=self._leave_after, now=now):
                    left.append(live.grant.id)
            elif now - live.last_seen > _FORGET and live.noted == live.last_seen:
                self._drop(live)
        for identifier, (link, reason) in tuple(self._endings.items()):
            try:
                await self._links.guests.end(identifier, link, reason, now=now)
            except StoreTooNew as error:
                # It is over here; the later version that has written it says what it is elsewhere.
                _log.error("the end of grant %s can't be written: %s", identifier, error)
            self._endings.pop(identifier, None)
        await self._read_all(left)

    # --- one grant ------------------------------------------------------------------------------

    def _standing(self, live: LiveGrant, now: int) -> Standing:
        if live.ended is not None:
            return Standing.OVER
        if now >= live.grant.ends_at:
            self._end_soon(live, "max_age")
            return Standing.OVER
        if not self._trusted(live.server):
            return Standing.ASK
        watched = self._watched[live.grant.link]
        if watched.closed(now) is not None:
            if live.server.policy.on_revoke == "cut":
                self._close_if_cut(watched, now)
                return Standing.OVER
            if not live.open and idle_over(last_seen=live.last_seen, leave_after=self._leave_after, now=now):
                return Standing.ASK
        return Standing.GOOD

    def _trusted(self, server: MediaServer) -> bool:
        """Whether what we know of this server's grants may still be acted upon."""
        silence = self._channel.unheard()
        if self._behind_since is not None:
            silence = max(silence, time.monotonic() - self._behind_since)
        return silence <= (SILENCE if server.policy.on_revoke == "cut" else self._grace)

    def _must_ask(self, identifier: str, server: str | None, now: int) -> bool:
        live = self._live.get(identifier)
        if live is None:
            return identifier not in self._over
        if server is not None and live.server.config.name != server:
            return False
        return self._standing(live, now) is Standing.ASK

    async def _fetch(self, ids: list[str]) -> None:
        """Each id is asked for once, however many requests wait for it."""
        fresh = [one for one in ids if one not in self._loading]
        if fresh:
            # Without the patience of whoever asks first: others may wait for the same.
            task = asyncio.create_task(self._read(fresh), context=Context())
            for one in fresh:
                self._loading[one] = task

            def finished(done: asyncio.Task[None]) -> None:
                for one in fresh:
                    self._loading.pop(one, None)
                if not done.cancelled():
                    done.exception()  # who waited has heard it, or has left

            task.add_done_callback(finished)
        for task in {self._loading[one] for one in ids}:
            await self._links.store.patiently(task)

    async def _read_all(self, ids: list[str]) -> None:
        for at in range(0, len(ids), 100):
            await self._read(ids[at : at + 100])

    async def _read(self, ids: list[str]) -> None:
        """Take in what the store says of these grants, and end those that are over."""
        news = self._news
        unread = {one: (self._live[one].news, self._live[one].brings) for one in ids if one in self._live}
        records = await self._links.guests.grants(ids)
        wanted = list({grant.link for grant, _ in records.values()})
        links = {seen.link.id: seen for seen in await self._links.many(wanted)}
        now = self._clock()
        for one in ids:
            record, live = records.get(one), self._live.get(one)
            seen = links.get(record[0].link) if record is not None else None
            if record is None or seen is None or grant_over(record[0], now=now) or record[1].gone_at is not None:
                self.ended_elsewhere([one], "ended elsewhere")
                continue
            if one in self._over:
                continue
            if live is None:
                live = self.adopt(record[0], record[1], seen.link, seen.item)
                if live is None:
                    _log.warning("grant %s has no place in the policy of %s (any more)", one, record[0].server)
                    continue
            else:
                self._watch(seen.link, seen.item, live.server)
                counts = live.news, live.brings
                if counts[1] == unread.get(one, counts)[1] and _differs(record[0], live.grant):
                    live.rebind(record[0])
                live.news = 0 if counts == unread.get(one) else live.news
            live.last_seen = max(live.last_seen, record[0].last_seen)
            live.noted = max(live.noted, record[0].last_seen)
            await self._end_if_closed(live, now)
        if news != self._news:
            # Something changed while we read: what we took in may be from before it.
            self._stale_links |= links.keys() & self._watched.keys()
            self._work.set()

    async def _end_if_closed(self, live: LiveGrant, now: int) -> None:
        watched = self._watched[live.grant.link]
        reason = watched.closed(now)
        if reason is None:
            return
        if live.server.policy.on_revoke == "cut":
            self._close_if_cut(watched, now)
        elif not live.open and idle_over(last_seen=live.last_seen, leave_after=self._leave_after, now=now):
            busy = await self._links.guests.end(
                live.grant.id, live.grant.link, "left", now=now, unless_after=now - self._leave_after
            )
            if busy is None:
                self._end_here(live, "left")
            else:
                live.last_seen = max(live.last_seen, busy)

    def _close_if_cut(self, watched: Watched, now: int) -> None:
        reason = watched.closed(now) if watched.server.policy.on_revoke == "cut" else None
        if reason is not None:
            for identifier in tuple(watched.grants):
                self._end_soon(self._live[identifier], str(reason))

    def _watch(self, link: Link, item: Item | None, server: MediaServer) -> Watched:
        watched = self._watched.get(link.id)
        if watched is None:
            watched = self._watched[link.id] = Watched(link, item, server)
        watched.link, watched.item = link, item
        return watched

    def _end_soon(self, live: LiveGrant, reason: str) -> None:
        """Over here now; the store hears of it with the next look at the clocks."""
        self._endings[live.grant.id] = (live.grant.link, reason)
        self._end_here(live, reason)

    def _end_here(self, live: LiveGrant, reason: str) -> None:
        if live.ended is None:
            live.ended = reason
            self._drop(live)
            self._over.add(live.grant.id)
        live.cut_open()

    def _drop(self, live: LiveGrant) -> None:
        self._live.pop(live.grant.id, None)
        watched = self._watched.get(live.grant.link)
        if watched is not None:
            watched.grants.discard(live.grant.id)
            if not watched.grants:
                del self._watched[live.grant.link]


def _differs(record: Grant, known: Grant) -> bool:
    return record.variables != known.variables or _given(record) != _given(known)


def _given(grant: Grant) -> tuple[Variables, int | None]:
    return grant.brought, grant.renewed_at


def _spans(session: SessionConfig) -> tuple[int, float, int]:
    """leave_after in ms, store_grace in seconds, and ms between two rounds of telling the store who is here."""
    leave_after = session.leave_after // timedelta(milliseconds=1)
    return leave_after, session.store_grace.total_seconds(), min(30_000, leave_after // 4)
