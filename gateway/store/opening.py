"""From config.yaml to a store that is ready: secret, server, connection, schema and key, in that order."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Literal
from urllib.parse import quote

from redis.asyncio import Redis

from gateway.config import Config
from gateway.errors import StoreDown
from gateway.links.keys import Keys
from gateway.store.client import GUEST, Deadlines, Store
from gateway.store.embedded import EmbeddedStore
from gateway.store.links import LinkStore
from gateway.store.secrets_file import own_secret

_log = logging.getLogger("gateway.store")


@asynccontextmanager
async def open_store(
    config: Config, role: Literal["serve", "command"] = "serve", deadlines: Deadlines = GUEST
) -> AsyncIterator[LinkStore]:
    """The links of this deployment. Raises StoreDown, StoreTooNew or BadSecret, each with a sentence.

    `serve` owns the embedded server. A `command` (also a worker) uses the one that runs; when none does
    it starts one for itself, and before it ends waits for other commands that found it meanwhile.
    """
    embedded = EmbeddedStore(config.data_dir) if config.store == "embedded" else None
    if embedded is not None:
        await embedded.start(alone=role == "serve")
    store = None
    try:
        keys = Keys.derive(config.secrets or [own_secret(config.data_dir)])
        store = Store(f"unix://{quote(str(embedded.socket))}" if embedded else config.store, deadlines)
        links = LinkStore(store, keys, retention=config.retention // timedelta(milliseconds=1))
        await links.prepare()
        if role == "serve" and embedded is None:
            await _warn_of_eviction(store)
        yield links
    finally:
        if embedded is not None and embedded.owned and role == "command" and store is not None:
            assert isinstance(store.client, Redis)
            await embedded.others_gone(store.client)
        if store is not None:
            await store.close()
        if embedded is not None:
            await embedded.stop()


async def _warn_of_eviction(store: Store) -> None:
    policy = None
    with contextlib.suppress(StoreDown):  # hosted servers may not let us ask
        policy = await store.evicts()
    if policy is not None:
        _log.warning(
            "the store evicts keys when its memory is full (maxmemory-policy %s): links and guests would vanish one by "
            "one; set noeviction",
            policy,
        )
