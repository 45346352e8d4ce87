"""Asking whether a seat is free, or a live item on the air, by a browser whose page waits for it.

Rule: the question carries a pass that was given with the page. It names a link and opens nothing; without
one nobody learns how full a link is. Whether somebody gets the seat is decided when they come in. Who waits
in vain, since the link has closed meanwhile, is sent to the door as well: it says why.

However many wait for a live item, its server is asked once in a few seconds by each worker.

A pass ends before the form and the ticket that stand in the same page: the page, which hears of it, sends them
again while they are good, and goes on waiting with new ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from gateway.access.media import Resolve, ask_media, is_open
from gateway.access.outcome import Denied
from gateway.access.servers import Servers
from gateway.links.forms import MAX_AGE, FormId, FormTrouble, check_form, new_form
from gateway.links.ids import is_link_id
from gateway.links.keys import Keys
from gateway.links.rules import refusal, state
from gateway.reasons import Reason
from gateway.store.guests import PRESENT
from gateway.store.links import LinkStore, Seen
from gateway.upstream.resolve import resolve_item

RETRY = 5  # seconds; how long somebody who waits is asked to wait before the next try
LIFE = MAX_AGE * 3 // 4  # ms a pass is good for
_PURPOSE = "seat"
_ASK_AGAIN = 2_000  # ms for which the media server's word about a live item is taken
_MOST_HEARD = 1_000  # items of which that is remembered
_NOTHING_NEW = frozenset({Reason.NOT_STARTED, Reason.UPSTREAM_DOWN, Reason.UPSTREAM_SLOW})


class _Pass(Enum):
    """What a pass was given for. `INSIDE`: to a guest, for whom a used-up link is still good."""

    SEAT = "seat"
    SEAT_INSIDE = "seat of a guest"
    BEGINNING = "beginning"
    BEGINNING_INSIDE = "beginning for a guest"

    @property
    def inside(self) -> bool:
        return self in (_Pass.SEAT_INSIDE, _Pass.BEGINNING_INSIDE)

    @property
    def beginning(self) -> bool:
        return self in (_Pass.BEGINNING, _Pass.BEGINNING_INSIDE)


def seat_pass(keys: Keys, link: str, now: int, *, inside: bool = False) -> str:
    """`inside`: of somebody who was admitted before."""
    return _written(keys, link, now, _Pass.SEAT_INSIDE if inside else _Pass.SEAT)


def beginning_pass(keys: Keys, link: str, now: int, *, inside: bool) -> str:
    """As `seat_pass`, of somebody who waits until a live item is on the air."""
    return _written(keys, link, now, _Pass.BEGINNING_INSIDE if inside else _Pass.BEGINNING)


def _written(keys: Keys, link: str, now: int, what: _Pass) -> str:
    return f"{link}.{new_form(keys, link, _PURPOSE, now, passed=what.value)}"


def full(keys: Keys, link: str, now: int, *, inside: bool) -> Denied:
    """All seats are taken: what somebody who has to wait for one is told."""
    return Denied(Reason.FULL, wait=RETRY, seat=seat_pass(keys, link, now, inside=inside))


class Seats:
    """`clock` in ms."""

    def __init__(
        self, links: LinkStore, servers: Servers, clock: Callable[[], int], *, resolve: Resolve = resolve_item
    ) -> None:
        self._links = links
        self._servers = servers
        self._clock = clock
        self._resolve = resolve
        self._heard: OrderedDict[tuple[str, str], tuple[int, bool]] = OrderedDict()

    async def free(self, shown: str) -> bool | None:
        """Whether somebody may come in, or it is worth a look for another reason; None for what is no pass (any
        more). Raises StoreDown."""
        link, _, form = shown.partition(".")
        now = self._clock()
        what = self._given(link, form, now)
        if what is None:
            return None
        seen = await self._links.get(link, since=now - PRESENT)
        if seen is None or self._closed(seen, now, inside=what.inside):
            return True
        if what.beginning:
            return await self._on_air(seen)
        return seen.link.viewers_limit is None or seen.viewers < seen.link.viewers_limit

    def _given(self, link: str, form: str, now: int) -> _Pass | None:
        """What a pass was given for; None where it is none, or an old one."""
        if not is_link_id(link):
            return None
        for what in _Pass:
            found: FormId | FormTrouble = check_form(
                self._links.keys, form, link, _PURPOSE, now, passed=what.value, max_age=LIFE
            )
            if isinstance(found, FormId) and not found.old:
                return what
        return None

    async def _on_air(self, seen: Seen) -> bool:
        """Whether there is more to say than that it is not on the air. A server that is down says nothing new."""
        server = self._servers.named(seen.link.server)
        if server is None:
            return True
        key = (seen.link.server, seen.link.item)
        at, said = self._heard.get(key, (-_ASK_AGAIN, False))
        if not 0 <= self._clock() - at < _ASK_AGAIN:
            found = await ask_media(self._resolve, server, seen.link.item)
            said = not isinstance(found, Denied) or found.reason not in _NOTHING_NEW
            self._heard[key] = (self._clock(), said)
            self._heard.move_to_end(key)
            if len(self._heard) > _MOST_HEARD:
                self._heard.popitem(last=False)
        return said

    def _closed(self, seen: Seen, now: int, *, inside: bool) -> bool:
        server = self._servers.named(seen.link.server)
        server_open = server is not None and is_open(server, seen.link.kind)
        return refusal(state(seen.link, seen.item, server_open=server_open, now=now), inside=inside) is not None
