"""What the media server is asked for again while a grant lives: `each: page`, `each: visit` and `renew` of prepare, and
a step for a group of interactions that came to nothing before.

Rule: what is new stands before what was there, so the next page and the next request use it, while another tab goes on
with its own. Of a grant's sets the latest `KEPT` stay; the one before them is released.

Why a renewal is claimed in the store first: several workers know a grant, and one question is enough. Whoever claims it
and dies leaves it to be asked `RETRY` later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from dataclasses import replace
from typing import Protocol

from gateway.access.live import LiveGrant
from gateway.access.outcome import Denied
from gateway.access.preparing import ask_steps, release_of
from gateway.errors import GatewayError
from gateway.links.records import Variables
from gateway.policy.model import Step
from gateway.reasons import Reason
from gateway.store.links import LinkStore
from gateway.store.releases import ReleaseStore

_log = logging.getLogger("gateway")

KEPT = 4  # sets of what was prepared that one grant has at a time: so many tabs
RETRY = 60_000  # ms after which a renewal that came to nothing is tried again
_JUST_NOW = 60_000  # ms after an admission in which the first page uses what was prepared for it
_LOOK = 5.0  # seconds between two looks at what is due
_AT_ONCE = 8


class Table(Protocol):
    """What a renewal needs of the table of grants."""

    def alive(self) -> Iterable[LiveGrant]: ...

    async def bring(
        self, live: LiveGrant, values: Variables, *, sets: int | None = None, renewed_at: int | None = None
    ) -> bool: ...

    async def refresh(self, live: LiveGrant) -> None: ...


class Anew:
    """One per worker; `run` must be running. `clock` in ms."""

    def __init__(self, links: LinkStore, table: Table, clock: Callable[[], int]) -> None:
        self._guests = links.guests
        self._releases = ReleaseStore(links.store)
        self._table = table
        self._clock = clock
        self._asking: dict[str, asyncio.Task[Denied | None]] = {}

    async def page(self, live: LiveGrant) -> Denied | None:
        """A page of this grant is opened. Raises StoreDown.

        Goes on when whoever waits for it has left: what the server has made then is known and released."""
        kind = live.server.policy.kinds.get(live.grant.kind)
        if kind is None or not any(
            step.each == "page" or step.renew is not None or step.group for step in kind.prepare
        ):
            live.opened = True
            return None
        first = self._first(live)
        live.opened = True
        if (
            (kind.renew is not None and self._due(live, kind.renew))
            or (not first and any(step.each == "page" for step in kind.prepare))
            or any(_lacks(live, step) for step in kind.prepare)
        ):
            return await asyncio.shield(self._task(live, "" if first else "page"))
        return None

    async def visit(self, live: LiveGrant) -> Denied | None:
        """The guest has come by the link and goes on with this grant. As `page`."""
        kind = live.server.policy.kinds.get(live.grant.kind)
        if kind is None or self._first(live) or not any(step.each == "visit" for step in kind.prepare):
            return None
        return await asyncio.shield(self._task(live, "visit"))

    def _first(self, live: LiveGrant) -> bool:
        """What was prepared for the admission is for the page that it leads to."""
        return not live.opened and self._clock() - live.grant.created_at < _JUST_NOW

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK)
            due = []
            for live in self._table.alive():
                kind = live.server.policy.kinds.get(live.grant.kind)
                if kind is not None and kind.renew is not None and self._due(live, kind.renew):
                    due.append(live)
            for at in range(0, len(due), _AT_ONCE):
                await asyncio.gather(*(self._renew(live) for live in due[at : at + _AT_ONCE]))

    async def _renew(self, live: LiveGrant) -> None:
        try:
            denied = await self._task(live, "")
        except GatewayError as error:
            _log.warning("grant %s is not renewed yet: %s", live.grant.id, error)
        else:
            if denied is not None:
                _log.warning("grant %s is not renewed yet: %s (%s)", live.grant.id, denied.reason, denied.detail)

    def _due(self, live: LiveGrant, renew: int) -> bool:
        grant = live.grant
        return live.ended is None and self._clock() >= (grant.renewed_at or grant.created_at) + renew

    def _task(self, live: LiveGrant, each: str) -> asyncio.Task[Denied | None]:
        """Pages that are opened at the same moment are one question."""
        task = self._asking.get(live.grant.id)
        if task is None:
            task = self._asking[live.grant.id] = asyncio.create_task(self._ask(live, each), context=Context())
            task.add_done_callback(lambda done: self._asked(live.grant.id, done))
        return task

    def _asked(self, grant: str, task: asyncio.Task[Denied | None]) -> None:
        self._asking.pop(grant, None)
        if not task.cancelled():
            task.exception()  # who waited has heard it, or has left

    async def _ask(self, live: LiveGrant, each: str) -> Denied | None:
        kind = live.server.policy.kinds[live.grant.kind]
        renewing = False
        if kind.renew is not None and self._due(live, kind.renew):
            renewing = await self._claim(live, self._clock() - kind.renew + RETRY)
        steps = tuple(
            step
            for step in kind.prepare
            if (each and step.each == each) or (renewing and step.renew is not None) or _lacks(live, step)
        )
        return await self._bring(live, steps, renewing) if steps else None

    async def _claim(self, live: LiveGrant, at: int) -> bool:
        """False where another worker was faster, or the grant has ended."""
        if await self._guests.claim_renewal(live.grant.id, seen=live.grant.renewed_at, at=at):
            live.rebind(replace(live.grant, renewed_at=at))
            return True
        await self._table.refresh(live)
        return False

    async def _bring(self, live: LiveGrant, steps: Sequence[Step], renewing: bool) -> Denied | None:
        server, grant = live.server, live.grant
        found = await ask_steps(server, grant, live.guest, steps, now=self._clock())
        if isinstance(found, Denied):
            # Whether the item itself is gone says `resolve`, which was asked a moment ago.
            return Denied(Reason.UPSTREAM_DOWN, found.detail) if found.reason is Reason.MEDIA_GONE else found
        if not found and not renewing and all(step.group for step in steps):
            return None  # none of them came to anything, as before
        job = None
        if server.policy.kinds[grant.kind].release:
            before = {name: values[:1] for name, values in grant.brought.items()}
            job = release_of(replace(grant, brought={**before, **found}))
            await self._releases.add(job, kept=KEPT, now=self._clock())
        renewed_at = self._clock() if renewing else None
        if await self._table.bring(live, found, sets=KEPT, renewed_at=renewed_at):
            return None
        if job is not None:
            # It ended while we asked, and what it held may have been released before this came.
            await self._releases.over(job, now=self._clock())
        return Denied(Reason.GRANT_ENDED)


def _lacks(live: LiveGrant, step: Step) -> bool:
    """Whether a step for a group of interactions has failed for this grant, or its group was off then."""
    return bool(step.group) and not step.vars.keys() <= live.grant.brought.keys()
