"""Sending one webhook's notices: what is due, a few at a time, until it is taken, given up or the receiver is gone.

Rule: each webhook has a lane of its own, and nothing that a receiver does or does not do is felt in another.
A receiver that fails is left alone for a while and then tried with one notice, so that a long queue is no
flood to somebody who has just got up; each notice has its own pace besides, so that one which is refused for
what is in it does not hold up those behind it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.access.notice_payload import guest_of_body, with_guest
from gateway.config import Webhook
from gateway.errors import StoreDown
from gateway.links.notices import PATIENCE, next_try, rest, signed_headers
from gateway.metrics import Metrics
from gateway.store.guests import GuestStore
from gateway.store.notices import NoticeQueue, Taken
from gateway.upstream.receiver import Reply

_log = logging.getLogger("gateway.webhooks")

AT_ONCE = 2  # notices on their way to one receiver
LOOK_SECONDS = 30.0  # at the queue, though nothing has been heard of it
STORE_PAUSE = 1.0  # seconds before a store that failed is asked again
_GONE = 410


class Post(Protocol):
    """One attempt at one receiver."""

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply: ...


async def send(webhook: Webhook, receiver: Post, identifier: str, body: str, now: int) -> Reply:
    """One attempt, signed anew; `now` in ms."""
    data = body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "guest-gateway",
        **signed_headers(webhook.secrets, identifier, now // 1000, data),
    }
    return await receiver.post(headers, data)


def address_digest(webhook: Webhook) -> str:
    """By which the store knows that a receiver has said it is gone, without knowing its address."""
    return hashlib.sha256(webhook.url.encode()).hexdigest()[:32]


class Lane:
    """One webhook's. `clock` in ms; `chance` from 0 to 1."""

    def __init__(
        self,
        webhook: Webhook,
        receiver: Post,
        queue: NoticeQueue,
        guests: GuestStore,
        metrics: Metrics,
        clock: Callable[[], int],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.webhook = webhook
        self._receiver = receiver
        self._queue = queue
        self._guests = guests
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._rests_until = 0
        self._stopped = False
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something has been queued."""
        self._news.set()

    def stop(self) -> None:
        """Take nothing more; what is on its way is waited for."""
        self._stopped = True
        self._news.set()

    async def run(self) -> None:
        """Until stopped, or cancelled: then what was on its way comes back by itself."""
        while not self._stopped:
            self._news.clear()
            try:
                wait = await self.round()
            except StoreDown:
                wait = STORE_PAUSE  # whoever holds the lease says so in the log
            except Exception:
                _log.exception("webhook %s: sending broke", self.webhook.name)
                wait = LOOK_SECONDS
            if wait > 0 and not self._stopped:
                await self._rest(wait)

    async def round(self) -> float:
        """Send what is due now; how many seconds from now the next round is worth while. Raises StoreDown."""
        now = self._clock()
        if now < self._rests_until:
            return (self._rests_until - now) / 1000
        batch = await self._queue.take(self.webhook.name, now=now, count=1 if self._failures else AT_ONCE)
        if batch.notices:
            done = await asyncio.gather(*(self._deliver(one) for one in batch.notices), return_exceptions=True)
            # Not before all of them are over: two on their way at most.
            for error in done:
                if error is not None:
                    raise error
            return 0.0
        if batch.lost or batch.following is None:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.05, (batch.following - now) / 1000))

    async def _rest(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        while not self._stopped and (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return
            if self._clock() >= self._rests_until:
                return
            self._news.clear()  # what is new waits with the rest

    async def _deliver(self, notice: Taken) -> None:
        name = self.webhook.name
        if self._clock() - notice.since > PATIENCE:
            await self._settle(notice, "given_up", "it had waited for a day")
            return
        reply = await send(self.webhook, self._receiver, notice.id, await self._body(notice), self._clock())
        now = self._clock()
        if reply.trouble is None:
            self._failures = self._rests_until = 0
            await self._settle(notice, "sent")
            return
        self._failures += 1
        self._rests_until = now + rest(self._failures, self._chance())
        _log.warning("webhook %s: notice %s was not taken: %s", name, notice.id, reply)
        if reply.status == _GONE:
            _log.error("webhook %s: its receiver says that it is gone; it gets nothing more at this address", name)
            await self._settle(notice, "gone", str(reply))
            return
        due = next_try(notice.tries + 1, since=notice.since, now=now, asked=reply.retry_after, chance=self._chance())
        if due is None:
            _log.error("webhook %s: notice %s is given up after %d tries", name, notice.id, notice.tries + 1)
            await self._settle(notice, "given_up", str(reply))
        else:
            await self._settle(notice, "retry", str(reply), due=due)

    async def _body(self, notice: Taken) -> str:
        """With the guest's own words where they are wanted, as they are now: not those of somebody erased."""
        guest = guest_of_body(notice.body) if self.webhook.include_guests else None
        if guest is None:
            return notice.body
        visitor = (await self._guests.visitors([guest])).get(guest)
        return notice.body if visitor is None else with_guest(notice.body, visitor.guest)

    async def _settle(self, notice: Taken, outcome: str, what: str = "", *, due: int = 0) -> None:
        """Raises StoreDown: the notice then comes back, and is sent again under its id."""
        waiting = await self._queue.settle(
            self.webhook.name,
            notice.id,
            outcome,
            now=self._clock(),
            due=due,
            what=what,
            address=address_digest(self.webhook),
        )
        self._metrics.webhook(self.webhook.name, outcome, waiting)
