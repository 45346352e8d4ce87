"""A grant that a worker holds in memory: what the stream path asks, without the store.

Its scope is made when it is first asked for, and again when its variables or its server's policy have
changed: a new policy for five thousand grants must not stop the worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.access.servers import MediaServer
from gateway.links.attendance import slot_at
from gateway.links.records import Grant, Guest, Variables
from gateway.policy.decide import Scope
from gateway.policy.jar import KEPT_COOKIE
from gateway.policy.minting import Minter, minted

_log = logging.getLogger("gateway")

TOKENS = 3  # of `jwt` that are remembered for a grant


class LiveGrant:
    """`last_seen` is this worker's own view (ms); `noted` is what the store has been told of it."""

    __slots__ = (
        "_clock", "_open", "_scope", "_slot", "_stir", "_talks", "_tokens", "_until", "brings", "ended",
        "grant", "guest", "last_seen", "news", "noted", "opened", "server", "unsaid",
    )  # fmt: skip

    def __init__(
        self,
        grant: Grant,
        guest: Guest,
        server: MediaServer,
        *,
        clock: Callable[[], int],
        stir: Callable[[LiveGrant], None],
    ) -> None:
        self.grant = grant
        self.guest = guest
        self.server = server
        self._scope: Scope | None = None
        # What `jwt` of the policy has made for it, by the name of its variable; when another one is due.
        self._tokens: dict[str, _Tokens] = {}
        self._until: int | None = None
        self.last_seen = self.noted = grant.last_seen
        self.ended: str | None = None
        self.news = 0  # counts what was brought by way of any worker and has not been read
        self.brings = 0  # counts what this worker has brought: what was read before that is old
        self.opened = False  # a page of it has been opened by way of this worker
        self._clock = clock
        self._stir = stir
        self._open: dict[object, Callable[[], None]] = {}
        # Half minutes in which something was watched, of which the store has not been told.
        self.unsaid: set[int] = set()
        self._slot = -1
        self._talks = 0

    @property
    def scope(self) -> Scope:
        """What it reaches, by its server's policy as it is now."""
        if self._scope is None or (self._until is not None and self._clock() >= self._until):
            self._scope = self._bound()
        return self._scope

    @property
    def tokens(self) -> tuple[str, ...]:
        """Those of `jwt` that were made for it, as far as they may still count; of each sort the newest first."""
        return self.tokens_but(frozenset())

    def tokens_but(self, shown: frozenset[str]) -> tuple[str, ...]:
        """Without those of these names."""
        return tuple(token for name, one in self._tokens.items() if name not in shown for token, _ in one.made)

    @property
    def subjects(self) -> frozenset[str]:
        """Who the tokens of `jwt` say that its guest is, but for those that the guest has."""
        scope = self.scope
        minters = (one for one in self.server.policy.jwts if one.name not in scope.kind.shown_tokens)
        return frozenset(filter(None, (one.subject(scope.variables) for one in minters)))

    def _bound(self) -> Scope:
        server, values, now = self.server, variables_of(self.server, self.grant, self.guest), self._clock()
        minters = {minter.name: minter for minter in server.policy.jwts}
        self._tokens = {name: tokens for name, tokens in self._tokens.items() if name in minters}
        brought = {
            name: tokens.of(minters[name], values, now)
            for name, tokens in ((name, self._tokens.setdefault(name, _Tokens())) for name in minters)
        }
        dues = [tokens.until for tokens in self._tokens.values() if tokens.until is not None]
        self._until = min(dues, default=None)
        return server.policy.scope(self.grant.kind, {**values, **brought})

    def touch(self) -> None:
        """A request of this grant, or something of it that is still open."""
        now = self._clock()
        if now > self.last_seen:
            self.last_seen = now
            self._stir(self)

    def watch(self) -> None:
        """Something of the media is on its way to the guest at this moment. For each piece of a stream, so it
        must cost next to nothing."""
        slot = slot_at(self._clock())
        if slot != self._slot:
            self._slot = slot
            self.unsaid.add(slot)
            self._stir(self)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """A websocket is open, and counts as watching as long as it is."""
        self._talks += 1
        try:
            self.watch()
            yield
        finally:
            self._talks -= 1

    def tick(self) -> None:
        """Called now and then while something is open."""
        self.touch()
        if self._talks:
            self.watch()

    @contextmanager
    def holding(self, cut: Callable[[], None]) -> Iterator[None]:
        """Something is open (a stream, a websocket); `cut` is called when it may be so no longer, at
        once if the grant has ended already. It must not block; it may be called more than once."""
        mark = object()
        self._open[mark] = cut
        try:
            if self.ended is not None:
                cut()
            yield
        finally:
            del self._open[mark]
            if self.ended is None:
                self.touch()

    @property
    def open(self) -> bool:
        return bool(self._open)

    @property
    def held(self) -> int:
        """How much is open: streams, websockets, requests that the server holds."""
        return len(self._open)

    def cut_open(self) -> None:
        for cut in tuple(self._open.values()):
            try:
                cut()
            except Exception:
                # One stream that can't be cut must not keep the others open.
                _log.exception("cutting a stream of grant %s failed", self.grant.id)

    def rebind(self, grant: Grant) -> None:
        """The same grant with other variables. Cookies are none that a rule could name."""
        before, self.grant = self.grant, grant
        if before.variables != grant.variables or _named(before) != _named(grant):
            self._scope = None

    def keep(self, cookies: Variables) -> None:
        """Cookies of the media server that the store can't be told of now."""
        self.grant = replace(self.grant, brought={**self.grant.brought, **cookies})

    def move(self, server: MediaServer) -> None:
        """The same server with other settings or another policy, which `has_place` for this grant."""
        self.server = server
        self._scope = None


class _Tokens:
    """Of one sort, newest first, each with its end; `until`: when another one is due."""

    __slots__ = ("_claimed", "made", "until")

    def __init__(self) -> None:
        self.made: tuple[tuple[str, int], ...] = ()
        self.until: int | None = None
        self._claimed: dict[str, tuple[str, ...] | None] = {}

    def of(self, minter: Minter, values: Variables, now: int) -> tuple[str, ...]:
        """Those that are good now, with a new one where the last has lasted long enough or says what is not so."""
        claimed = {name: values.get(name) for name in minter.variables}
        if self.until is None or now >= self.until or claimed != self._claimed:
            made = minter.mint(values, now)
            self._claimed, self.until = claimed, made[1] if made is not None else None
            if made is not None:
                self.made = ((made[0], made[2]), *self.made)[:TOKENS]
        return tuple(token for token, end in self.made if end > now)


def _named(grant: Grant) -> Variables:
    return {name: values for name, values in grant.brought.items() if not name.startswith(KEPT_COOKIE)}


def has_place(server: MediaServer, grant: Grant) -> bool:
    """Whether the policy knows this grant's kind, and its item's id is one it may have."""
    return grant.kind in server.policy.kinds and server.policy.item.variables(grant.item) is not None


def variables_of(server: MediaServer, grant: Grant, guest: Guest) -> dict[str, tuple[str, ...]]:
    """Everything that a template of the grant's kind may name."""
    return {
        **grant.brought,
        **grant.variables,
        **(server.policy.item.variables(grant.item) or {"id": (grant.item,)}),
        "guest.id": (guest.id,),
        "guest.name": (guest.name,),
        "guest.email": (guest.email,),
        "grant.id": (grant.id,),
        "link.id": (grant.link,),
        "public_url": (str(server.config.public),),
    }


def with_token(server: MediaServer, values: dict[str, tuple[str, ...]], now: int) -> dict[str, tuple[str, ...]]:
    """For requests that the gateway makes itself for a grant, before and after it: with tokens of their own."""
    return {**values, **minted(server.policy.jwts, values, now)}
