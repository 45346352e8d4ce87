"""Asking whether a seat is free, by a browser whose page waits for one.

Rule: the question carries a pass that was given with the page. It names a link and opens nothing; without
one nobody learns how full a link is. Whether somebody gets the seat is decided when they come in. Who waits
in vain, since the link has closed meanwhile, is sent to the door as well: it says why.

A pass ends before the form and the ticket that stand in the same page: the page, which hears of it, sends them
again while they are good, and goes on waiting with new ones.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.access.media import is_open
from gateway.access.outcome import Denied
from gateway.access.servers import Servers
from gateway.links.forms import MAX_AGE, FormId, FormTrouble, check_form, new_form
from gateway.links.ids import is_link_id
from gateway.links.keys import Keys
from gateway.links.rules import refusal, state
from gateway.reasons import Reason
from gateway.store.guests import PRESENT
from gateway.store.links import LinkStore, Seen

RETRY = 5  # seconds; how long somebody who waits is asked to wait before the next try
LIFE = MAX_AGE * 3 // 4  # ms a pass is good for
_PURPOSE = "seat"
_INSIDE = "seat of a guest"  # to whom a used-up link is still good


def seat_pass(keys: Keys, link: str, now: int, *, inside: bool = False) -> str:
    """`inside`: of somebody who was admitted before."""
    return f"{link}.{new_form(keys, link, _PURPOSE, now, passed=_INSIDE if inside else _PURPOSE)}"


def full(keys: Keys, link: str, now: int, *, inside: bool) -> Denied:
    """All seats are taken: what somebody who has to wait for one is told."""
    return Denied(Reason.FULL, wait=RETRY, seat=seat_pass(keys, link, now, inside=inside))


class Seats:
    """`clock` in ms."""

    def __init__(self, links: LinkStore, servers: Servers, clock: Callable[[], int]) -> None:
        self._links = links
        self._servers = servers
        self._clock = clock

    async def free(self, shown: str) -> bool | None:
        """Whether somebody may come in, or it is worth a look for another reason; None for what is no pass (any
        more). Raises StoreDown."""
        link, _, form = shown.partition(".")
        now = self._clock()
        inside = self._holder(link, form, now)
        if inside is None:
            return None
        seen = await self._links.get(link, since=now - PRESENT)
        if seen is None or seen.link.viewers_limit is None or self._closed(seen, now, inside=inside):
            return True
        return seen.viewers < seen.link.viewers_limit

    def _holder(self, link: str, form: str, now: int) -> bool | None:
        """Whether a pass is that of somebody inside; None where it is none, or an old one."""
        if not is_link_id(link):
            return None
        for purpose in (_PURPOSE, _INSIDE):
            found: FormId | FormTrouble = check_form(
                self._links.keys, form, link, _PURPOSE, now, passed=purpose, max_age=LIFE
            )
            if isinstance(found, FormId) and not found.old:
                return purpose == _INSIDE
        return None

    def _closed(self, seen: Seen, now: int, *, inside: bool) -> bool:
        server = self._servers.named(seen.link.server)
        server_open = server is not None and is_open(server, seen.link.kind)
        return refusal(state(seen.link, seen.item, server_open=server_open, now=now), inside=inside) is not None
