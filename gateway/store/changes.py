"""The change channel: how every worker hears that a link, a switch or a grant has changed.

Rule: a worker knows how long it has heard nothing (`unheard`). Messages are published by the scripts
that make the change. Whatever was said while nobody listened is lost, so on each (re)connection the
listener is told to look at everything it knows anew.

Why a PING each second: a connection whose other end hangs looks like one on which nothing happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from redis.asyncio.client import PubSub

from gateway.store import names
from gateway.store.client import FAILURES, Store, close_client

_log = logging.getLogger("gateway.store")

BEAT = 1.0  # seconds between two PINGs
SILENCE = 3.0  # seconds after which the connection is given up
_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Change:
    """`kind` is link, item (id: its slot), ended, renewed or admitted (id: the grant)."""

    kind: str
    id: str
    reason: str = ""


class ChangeChannel:
    """`run` listens until cancelled; one per worker."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # From the start, so that a worker has as long to hear something as one that was cut off.
        self._heard = time.monotonic()

    def unheard(self) -> float:
        """Seconds since the store was last heard on this channel, or since this began."""
        return time.monotonic() - self._heard

    async def run(self, changed: Callable[[Change], None], connected: Callable[[float], None]) -> None:
        """Call `connected` after each subscription, with the seconds of silence before it (what was known
        may be wrong now), and `changed` for each message after it. Neither may raise or block."""
        told = False
        while True:
            try:
                async with self._subscribed() as pubsub:
                    told = False
                    await self._listen(pubsub, changed, connected)
            except FAILURES as error:
                if not told:
                    _log.warning("the store's change channel is lost: %s", str(error) or type(error).__name__)
                    told = True
            await asyncio.sleep(_PAUSE)

    @contextlib.asynccontextmanager
    async def _subscribed(self) -> AsyncIterator[PubSub]:
        client = self._store.listener()
        pubsub = client.pubsub()
        try:
            async with asyncio.timeout(SILENCE):
                await pubsub.subscribe(names.CHANGES)
            yield pubsub
        finally:
            # Closing a connection whose other end hangs must not hang in turn.
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(1.0):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py has none here
                    await close_client(client)

    async def _listen(
        self, pubsub: PubSub, changed: Callable[[Change], None], connected: Callable[[float], None]
    ) -> None:
        beat, subscribed = 0.0, time.monotonic()
        while True:
            now = time.monotonic()
            if now - max(subscribed, self._heard) > SILENCE:
                raise TimeoutError("no answer to PING")
            if now >= beat:
                beat = now + BEAT
                await pubsub.ping()
            message = await pubsub.get_message(timeout=max(0.01, beat - now))
            if message is None:
                continue
            silence, self._heard = self.unheard(), time.monotonic()
            # Also when redis-py has silently connected again: what was said in between is lost.
            if message["type"] == "subscribe":
                connected(silence)
            elif message["type"] == "message":
                change = _read(message["data"])
                if change is not None:
                    changed(change)


def _read(data: object) -> Change | None:
    try:
        said = json.loads(str(data))
        return Change(str(said["t"]), str(said["id"]), str(said.get("reason", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        _log.warning("something that is no change was published on %s", names.CHANGES)
        return None
