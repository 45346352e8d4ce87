"""Playing without the cookie, from the few addresses at a time that a grant may be played from.

Rule: an address is asked about in the store when it comes, and again now and then while it plays; in between its
requests ask nobody. With the store down those that play go on, and nobody else begins.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gateway.access.live import LiveGrant
from gateway.errors import StoreDown
from gateway.links.cast import Ticket, written
from gateway.links.followed import AS_ALLOWED, Followed, seal
from gateway.links.keys import Keys
from gateway.policy.follow import file_name
from gateway.policy.target import Ambiguity, parse_target
from gateway.store.cast import CastAddresses

ADDRESSES = 2  # at a time: the guest's browser asks where the television does
SILENT = 120_000  # ms without a request after which an address makes room
_AGAIN = 30_000  # ms between two questions about an address that plays
_KEPT = 10_000


class Casting:
    """One per worker. `clock` in ms."""

    def __init__(self, addresses: CastAddresses, clock: Callable[[], int]) -> None:
        self._addresses = addresses
        self._clock = clock
        self._asked: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def may(self, grant: str, address: str) -> bool:
        """Whether this address may play this grant's media. Raises StoreDown."""
        now = self._clock()
        last = self._asked.get((grant, address))
        if last is not None and now - last < _AGAIN:
            return True
        try:
            taken = await self._addresses.take(grant, address, most=ADDRESSES, silent=SILENT, now=now)
        except StoreDown:
            if last is not None and now - last < SILENT:
                return True
            raise
        self._asked.pop((grant, address), None)
        if taken:
            self._asked[grant, address] = now
            if len(self._asked) > _KEPT:
                self._asked.popitem(last=False)
        return taken


def cast_address(keys: Keys, own: str, live: LiveGrant, src: str, as_: str, now: int) -> str | None:
    """Of what the player page plays: a path of our own origin for a player without the guest's cookie. None where the
    policy does not say `cast`. `own`: the gateway's own prefix; `now` in ms."""
    cast = live.server.policy.cast
    target = parse_target(src)
    if cast is None or isinstance(target, Ambiguity) or as_ not in ("hls", "dash", "flv", "file"):
        return None
    ticket = written(keys, Ticket(live.grant.id, (now + cast) // 1000))
    before = f"{own}/s/"
    if src.startswith(before):
        # Media on another origin, which is signed already.
        return f"{before}{ticket}/{src.removeprefix(before)}"
    decision = live.scope.decide("GET", target)
    if not decision.allowed or decision.page:
        return None
    followed = Followed(as_, 0, AS_ALLOWED, min(target.text.count("/"), 255), target.sent)
    return f"{before}{ticket}/{seal(keys, live.grant.id, followed)}/{file_name(target)}"
