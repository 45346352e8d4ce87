"""From what has happened to notices in the queues of those who want to hear of it.

    the audit log         each line once, in order, from where the last one was noted
    the links' dates      a day before the end, once for each end
    the operator's word   a media server whose `guest_access` was taken away since it was last looked at

Rule: what is queued and how far we have come is one step in the store; so a gateway that is killed anywhere
goes on where it was, and no notice gets another id for it. What happened more than a day ago is news to nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.access.index import LinkIndex
from gateway.access.media import is_open
from gateway.access.notice_payload import payload
from gateway.access.servers import Servers
from gateway.config import NoticeEvent, Webhook
from gateway.links.events import Action, Event
from gateway.links.ids import ItemKey
from gateway.links.notices import DAY, PATIENCE, expires_soon, notice_id, noticed
from gateway.links.records import Item, Link
from gateway.links.rules import State, state
from gateway.store.audit import AuditTrail
from gateway.store.links import LinkStore, Seen
from gateway.store.notices import NoticeQueue, Progress, Queued

_log = logging.getLogger("gateway.webhooks")

_CURSOR = "cursor"
_PART = 100  # lines of the audit log at a time
_DATED = (Action.LINK_CREATED, Action.LINK_CHANGED)
_LIVES = (State.ACTIVE, State.USED_UP, State.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Audience:
    """The webhooks in force, each with a digest of its address."""

    webhooks: tuple[Webhook, ...]
    addresses: Mapping[str, str]

    def queued(self, event: NoticeEvent, server: str | None, identifier: str, body: str) -> list[Queued]:
        return [
            Queued(one.name, identifier, body)
            for one in self.webhooks
            if event in one.events and (not one.servers or server in one.servers)
        ]

    def want(self, event: NoticeEvent) -> bool:
        return any(event in one.events for one in self.webhooks)


class Noticing:
    """Used by whoever holds the lease. `clock` in ms; everything may raise StoreDown."""

    def __init__(
        self,
        links: LinkStore,
        trail: AuditTrail,
        index: LinkIndex,
        queue: NoticeQueue,
        clock: Callable[[], int],
        dropped: Callable[[str, int], None],
    ) -> None:
        """`dropped` hears of notices that fell out of a full queue."""
        self._links = links
        self._trail = trail
        self._index = index
        self._queue = queue
        self._clock = clock
        self._dropped = dropped

    async def begin(self, audience: Audience) -> None:
        """Drop the queues of webhooks that are gone, and note from where on the log is read."""
        marks = await self._queue.marks()
        mine = {f"webhook:{one.name}": "1" for one in audience.webhooks}
        over = [name for name in marks if name.startswith("webhook:") and name not in mine]
        for name in over:
            await self._queue.drop(name.removeprefix("webhook:"))
        cursor = {} if _CURSOR in marks else {_CURSOR: await self._trail.latest()}
        await self._queue.add({}, [], Progress(mine | cursor, over), now=self._clock())

    async def read_log(self, audience: Audience, servers: Servers) -> set[str]:
        """Take in what the audit log has to say by now; which webhooks got something."""
        told: set[str] = set()
        cursor = (await self._queue.marks()).get(_CURSOR)
        while cursor is not None:
            events, last = await self._trail.after(cursor, count=_PART)
            if last == cursor:
                break
            marks: dict[str, str] = {}
            found: list[Queued] = []
            seen, items = await self._seen(events), await self._items(events)
            for event in events:
                found += self._of_event(event, seen, items, audience, servers, marks)
            if not await self._add(audience, found, Progress({**marks, _CURSOR: last})):
                break
            told |= {one.webhook for one in found}
            cursor = last
        return told

    async def look_ahead(self, audience: Audience, servers: Servers) -> set[str]:
        """What no line of the log says: links that end within a day, servers that the operator has closed."""
        now, marks = self._clock(), await self._queue.marks()
        found: list[Queued] = []
        progress: dict[str, str] = {}
        if audience.want(NoticeEvent.LINK_EXPIRES_SOON):
            for seen in await self._index.all():
                found += self._of_date(seen, audience, servers, marks, progress, now)
        for server in servers.all:
            name = server.config.name
            mark, is_now = f"server:{name}", "1" if server.config.guest_access else "0"
            if marks.get(mark) == "1" and is_now == "0":
                identifier = notice_id("server_disabled", name, str(now))
                body = payload(NoticeEvent.SERVER_DISABLED, identifier, now, server=name)
                found += audience.queued(NoticeEvent.SERVER_DISABLED, name, identifier, body)
            if marks.get(mark) != is_now:
                progress[mark] = is_now
        over = [
            name
            for name, value in marks.items()
            if name.startswith("expires:") and int(value) <= now and name not in progress
        ]
        await self._add(audience, found, Progress(progress, over))
        return {one.webhook for one in found}

    # --- steps ----------------------------------------------------------------------------------

    async def _add(self, audience: Audience, found: Sequence[Queued], progress: Progress) -> bool:
        dropped = await self._queue.add(audience.addresses, found, progress, now=self._clock())
        for name, count in (dropped or {}).items():
            if count:
                _log.warning("webhook %s: its queue is full, %d old notices were dropped", name, count)
                self._dropped(name, count)
        return dropped is not None

    async def _seen(self, events: Sequence[Event]) -> dict[str, Seen]:
        links = list(dict.fromkeys(event.link for event in events if event.link is not None))
        return {seen.link.id: seen for seen in await self._links.many(links)} if links else {}

    async def _items(self, events: Sequence[Event]) -> dict[ItemKey, Item | None]:
        """Those that a line names without a link: their switch was turned off."""
        keys = {
            ItemKey(event.server, event.item)
            for event in events
            if event.link is None and event.server is not None and event.item is not None
        }
        return {key: await self._links.item(key.slot) for key in keys}

    def _of_event(
        self,
        event: Event,
        seen: Mapping[str, Seen],
        items: Mapping[ItemKey, Item | None],
        audience: Audience,
        servers: Servers,
        marks: dict[str, str],
    ) -> list[Queued]:
        found = seen.get(event.link) if event.link is not None else None
        link, item = (found.link, found.item) if found is not None else (None, None)
        if event.link is None and event.server is not None and event.item is not None:
            item = items[ItemKey(event.server, event.item)]
        expires = link.expires_at if link is not None else None
        if link is not None and expires is not None and event.action in _DATED and expires - event.at <= DAY:
            # Whoever has just said that it ends within a day need not be told.
            marks[f"expires:{link.id}"] = str(expires)
        if self._clock() - event.at > PATIENCE:
            return []
        queued: list[Queued] = []
        for what in noticed(event, link):
            identifier = notice_id(str(what), event.id)
            body = payload(
                what,
                identifier,
                event.at,
                server=event.server,
                item=event.item,
                kept=item,
                link=link,
                state=_state(link, item, servers, self._clock()),
                guest=event.guest,
            )
            queued += audience.queued(what, event.server, identifier, body)
        return queued

    def _of_date(
        self,
        seen: Seen,
        audience: Audience,
        servers: Servers,
        marks: Mapping[str, str],
        progress: dict[str, str],
        now: int,
    ) -> list[Queued]:
        link, mark = seen.link, f"expires:{seen.link.id}"
        if not expires_soon(link, now) or marks.get(mark) == str(link.expires_at):
            return []
        of = _state(link, seen.item, servers, now)
        if of not in _LIVES:
            return []  # nobody can use it; if it is turned on again in time, it is told then
        progress[mark] = str(link.expires_at)
        what = NoticeEvent.LINK_EXPIRES_SOON
        identifier = notice_id(str(what), link.id, str(link.expires_at))
        body = payload(what, identifier, now, server=link.server, item=link.item, kept=seen.item, link=link, state=of)
        return audience.queued(what, link.server, identifier, body)


def _state(link: Link | None, item: Item | None, servers: Servers, now: int) -> State | None:
    if link is None:
        return None
    server = servers.named(link.server)
    return state(link, item, server_open=server is not None and is_open(server, link.kind), now=now)
