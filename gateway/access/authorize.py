"""May this browser ask this of that server? One function for requests, websockets and signed URLs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from gateway.access.grants import GrantTable
from gateway.access.live import LiveGrant
from gateway.access.outcome import Denied
from gateway.access.servers import MediaServer
from gateway.errors import StoreDown
from gateway.policy.decide import Decision
from gateway.policy.target import Target
from gateway.reasons import Reason


@dataclass(frozen=True, slots=True)
class Allowed:
    """`live` is the grant that is used for everything: variables, cookies, credentials. `server` is the one by
    whose policy it was judged: what was judged goes there and nowhere else, also when settings change meanwhile."""

    live: LiveGrant
    decision: Decision
    server: MediaServer


class Authorizer:
    """Default deny: only a rule of a live grant's policy says yes."""

    def __init__(self, grants: GrantTable) -> None:
        self._grants = grants

    async def judge(
        self,
        server: MediaServer,
        method: str,
        target: Target,
        grant_ids: tuple[str, ...],
        *,
        websocket: bool = False,
    ) -> Allowed | Denied:
        """`grant_ids` with the latest admission last. The store is asked only for grants this worker does
        not know, and for pages. Raises StoreDown when nobody can say."""
        if not grant_ids:
            return Denied(Reason.NO_SESSION)
        name = server.config.name
        lives = self._grants.known(grant_ids, server=name)
        failed: StoreDown | None = None
        if lives is None:
            try:
                lives = await self._grants.load(grant_ids, server=name)
            except StoreDown as error:
                # Another grant of this browser may still be one that this worker vouches for.
                lives, failed = self._grants.certain(grant_ids, server=name), error

        refused: Denied | None = None
        denials: list[Decision] = []
        exclusive = False
        for live in reversed(lives):
            if live.scope.kind.exclusive:
                if exclusive:
                    continue  # its end has not come here yet; the latest is the one that counts
                exclusive = True
            by, scope = live.server, live.scope
            decision = scope.decide(method, target, websocket=websocket)
            if not decision.allowed and scope.kind.captured:
                try:
                    # The answer that names this may have come by way of another worker a moment ago.
                    await self._grants.refresh(live)
                except StoreDown as error:
                    failed = error
                if live.ended is None and live.scope is not scope:
                    by, scope = live.server, live.scope
                    decision = scope.decide(method, target, websocket=websocket)
            if not decision.allowed:
                denials.append(decision)
                continue
            denied = None
            if decision.page:
                denied = await self._grants.recheck(live, beside=scope.beside_the_player(target))
            if denied is None and live.scope is not scope:
                # While the page was looked up another policy came into force, or its variables are new.
                by = live.server
                decision = live.scope.decide(method, target, websocket=websocket)
                if not decision.allowed:
                    denials.append(decision)
                    continue
            if denied is None:
                live.touch()
                await self._up_to_date(live)
                return Allowed(live, decision, by)
            refused = refused or denied
            if live.ended is None:
                break  # the media server can't be asked; no other grant would know better
        if refused is not None:
            return refused
        if failed is not None:
            raise failed
        if denials:
            return _denied(denials)
        others = all(self._grants.holds(one) for one in grant_ids)
        return Denied(Reason.NO_SESSION if others else Reason.GRANT_ENDED)

    async def _up_to_date(self, live: LiveGrant) -> None:
        """Where cookies are kept the server may know its guest by the latest alone, which another worker has taken
        a moment ago. With the store down what is known here goes on."""
        if live.news and live.server.policy.cookies.kept:
            with contextlib.suppress(StoreDown):
                await self._grants.refresh(live)

    async def alive(self, server: MediaServer, grant_id: str) -> LiveGrant | Denied:
        """One grant of this browser, where it is what is asked with that says what may be asked. Raises StoreDown."""
        lives = self._grants.known((grant_id,))
        if lives is None:
            lives = await self._grants.load((grant_id,))
        if not lives:
            return Denied(Reason.GRANT_ENDED)
        await self._up_to_date(lives[0])
        return lives[0] if lives[0].server.config.name == server.config.name else Denied(Reason.NO_SESSION)


def _denied(denials: list[Decision]) -> Denied:
    """What the newest grant said; a request that can be read two ways is that for all of them."""
    told = next((one for one in denials if one.reason is Reason.AMBIGUOUS_TARGET), denials[0])
    return Denied(told.reason or Reason.NO_RULE, told.detail)
