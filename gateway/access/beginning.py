"""Live items: what has not begun, and what was on the air and is not now.

Rule: a server that keeps no history says the same before, in a pause and afterwards. So it is noted with the item
when it was seen on the air, by answers that were asked for anyway; no stream is ever opened to find out. Whether
what is not there now is over or only pauses nobody can tell then, and the page says so, goes on asking, and lets in
when it comes back. Where the server does tell (`ended`, `gone`, `was_live`), its word stands.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from gateway.access.outcome import Denied
from gateway.access.seats import RETRY, beginning_pass
from gateway.access.servers import MediaServer
from gateway.errors import StoreDown
from gateway.links.records import Item, Link
from gateway.links.rules import has_begun
from gateway.reasons import Reason
from gateway.store.links import LinkStore
from gateway.upstream.resolve import Resolved

NOT_NOW = frozenset({Reason.NOT_STARTED, Reason.NOT_LIVE})


class Beginning:
    """`clock` in ms."""

    def __init__(self, links: LinkStore, clock: Callable[[], int]) -> None:
        self._links = links
        self._clock = clock

    async def judged(
        self, server: MediaServer, link: Link, item: Item | None, found: Resolved | Denied, *, inside: bool
    ) -> Resolved | Denied:
        """What the media server has said of a link's item, with what was seen of it before."""
        if isinstance(found, Denied):
            return self.told(link, item, found, inside=inside)
        kind = server.policy.kinds.get(link.kind)
        if item is not None and kind is not None and server.policy.begins(kind) and not has_begun(link, item):
            with suppress(StoreDown):  # the next one who looks will note it
                await self._links.seen_live(item, now=self._clock())
        return found

    def told(self, link: Link, item: Item | None, denied: Denied, *, inside: bool) -> Denied:
        """A refusal; of something that is not on the air with what a page needs to wait for it."""
        if denied.reason is not Reason.NOT_STARTED:
            return denied
        begun = item is not None and (
            has_begun(link, item)
            or (denied.was_live is not None and has_begun(link, replace(item, live_at=denied.was_live)))
        )
        reason = Reason.NOT_LIVE if begun else Reason.NOT_STARTED
        seat = beginning_pass(self._links.keys, link.id, self._clock(), inside=inside)
        return replace(denied, reason=reason, wait=RETRY, seat=seat)
