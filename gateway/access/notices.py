"""Webhooks at work: of all gateways on one store the one that holds the lease makes notices and sends them.

Rule: nothing here is on the path of a guest or a manager; without webhooks nothing here runs. Who loses the
lease stops; who dies is followed by another within seconds, and goes on where the store says it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence

from gateway.access.delivering import Lane, Post, address_digest
from gateway.access.index import LinkIndex
from gateway.access.noticing import Audience, Noticing
from gateway.access.servers import Servers
from gateway.config import Webhook
from gateway.errors import StoreDown, StoreTooNew
from gateway.metrics import Metrics
from gateway.store.audit import AuditTrail
from gateway.store.links import LinkStore
from gateway.store.notices import LEASE, NoticeQueue

_log = logging.getLogger("gateway.webhooks")

TICK = 1.0  # seconds between two looks at the audit log
AHEAD = 60.0  # seconds between two looks at dates and switches
TRY = 3.0  # seconds before the lease is asked for again
LEAVE = 2.0  # seconds that what is on its way gets when this process stops
_TOO_NEW = 60.0  # seconds that a later version has for itself, whose lines we can't read


class Notices:
    """One per process; `run` must be running. `receiver` makes the way to a webhook's receiver."""

    def __init__(
        self,
        links: LinkStore,
        trail: AuditTrail,
        index: LinkIndex,
        metrics: Metrics,
        servers: Callable[[], Servers],
        receiver: Callable[[Webhook], Post],
        clock: Callable[[], int],
        *,
        tick: float = TICK,
    ) -> None:
        self._queue = NoticeQueue(links.store, secrets.token_hex(16))
        self._noticing = Noticing(
            links, trail, index, self._queue, clock, lambda name, count: metrics.webhook_dropped(name, count)
        )
        self._guests = links.guests
        self._metrics = metrics
        self._servers = servers
        self._receiver = receiver
        self._clock = clock
        self._tick = tick
        self._audience = Audience((), {})
        self._changed = asyncio.Event()
        self._lanes: dict[str, tuple[Lane, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._asked = False  # for the lease, ever

    def adapt(self, webhooks: Sequence[Webhook]) -> None:
        """Other settings are in force: what is on its way to a webhook that has changed is waited for."""
        if tuple(webhooks) != self._audience.webhooks:
            self._audience = Audience(tuple(webhooks), {one.name: address_digest(one) for one in webhooks})
            self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if not self._audience.webhooks:
                    self._changed.clear()
                    await self._changed.wait()
                self._asked = True
                try:
                    if await self._queue.hold():
                        await self._serve()
                except StoreTooNew as error:
                    _log.error("no notices are sent: %s", error)
                    await self._hand_over()
                    await asyncio.sleep(_TOO_NEW)
                except StoreDown as error:
                    _log.warning("no notices are sent while the store is down: %s", error)
                await self._stop_lanes()
                await asyncio.sleep(min(TRY, 3 * self._tick))
        finally:
            await self._leave()

    # --- with the lease ---------------------------------------------------------------------------

    async def _serve(self) -> None:
        """While the lease is ours. Raises StoreDown when it may have been lost."""
        self._changed.set()
        held, ahead = time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            try:
                if now - held > TRY:
                    if not await self._queue.hold():
                        _log.info("another gateway sends notices now")
                        return
                    held = now
                audience, servers = self._audience, self._servers()
                if self._changed.is_set():
                    self._changed.clear()
                    await self._noticing.begin(audience)
                    self._open_lanes(audience)
                    ahead = 0.0
                if not audience.webhooks:
                    await self._stop_lanes()
                    await self._hand_over()
                    return
                told = await self._noticing.read_log(audience, servers)
                if now - ahead > AHEAD or not ahead:
                    told |= await self._noticing.look_ahead(audience, servers)
                    for name, state in (await self._queue.states(list(audience.addresses))).items():
                        self._metrics.webhook_waiting(name, state.waiting)
                    ahead = now
                for name in told & self._lanes.keys():
                    self._lanes[name][0].wake()
            except StoreTooNew:
                raise
            except StoreDown:
                if time.monotonic() - held > LEASE / 1000:
                    raise
            await asyncio.sleep(self._tick)

    def _open_lanes(self, audience: Audience) -> None:
        wanted = {one.name: one for one in audience.webhooks}
        for name, (lane, _) in tuple(self._lanes.items()):
            if wanted.get(name) != lane.webhook:
                self._end_lane(name)
        for name, webhook in wanted.items():
            if name not in self._lanes:
                lane = Lane(webhook, self._receiver(webhook), self._queue, self._guests, self._metrics, self._clock)
                self._lanes[name] = (lane, asyncio.create_task(lane.run(), name=f"webhook {name}"))

    def _end_lane(self, name: str) -> None:
        lane, task = self._lanes.pop(name)
        lane.stop()
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()

    async def _stop_lanes(self) -> None:
        """What is on its way has a moment to arrive; after that it comes back in the queue by itself."""
        for name in tuple(self._lanes):
            self._end_lane(name)
            self._metrics.webhook_waiting(name, 0)
        ending = tuple(self._ending)
        if ending:
            _, late = await asyncio.wait(ending, timeout=LEAVE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _hand_over(self) -> None:
        with contextlib.suppress(StoreDown):
            await self._queue.give_up()

    async def _leave(self) -> None:
        await self._stop_lanes()
        if self._asked:
            await self._hand_over()
