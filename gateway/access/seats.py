"""Asking whether a seat is free, by a browser whose page waits for one.

Rule: the question carries a pass that was given with the page. It names a link and opens nothing; without
one nobody learns how full a link is. Whether somebody gets the seat is decided when they come in.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.access.outcome import Denied
from gateway.links.forms import FormId, check_form, new_form
from gateway.links.ids import is_link_id
from gateway.links.keys import Keys
from gateway.reasons import Reason
from gateway.store.guests import PRESENT
from gateway.store.links import LinkStore

RETRY = 5  # seconds; how long somebody who waits is asked to wait before the next try
_PURPOSE = "seat"


def seat_pass(keys: Keys, link: str, now: int) -> str:
    """Good for as long as a form is."""
    return f"{link}.{new_form(keys, link, _PURPOSE, now, passed=_PURPOSE)}"


def full(keys: Keys, link: str, now: int) -> Denied:
    """All seats are taken: what somebody who has to wait for one is told."""
    return Denied(Reason.FULL, wait=RETRY, seat=seat_pass(keys, link, now))


class Seats:
    """`clock` in ms."""

    def __init__(self, links: LinkStore, clock: Callable[[], int]) -> None:
        self._links = links
        self._clock = clock

    async def free(self, shown: str) -> bool | None:
        """Whether somebody may come in, or it is worth a look for another reason; None for what is no pass (any
        more). Raises StoreDown."""
        link, _, form = shown.partition(".")
        now = self._clock()
        found = check_form(self._links.keys, form, link, _PURPOSE, now, passed=_PURPOSE) if is_link_id(link) else None
        if not isinstance(found, FormId) or found.old:
            return None
        seen = await self._links.get(link, since=now - PRESENT)
        if seen is None or seen.link.viewers_limit is None or seen.link.deleted_at is not None:
            return True
        return seen.viewers < seen.link.viewers_limit
