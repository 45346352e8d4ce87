"""The real embedded store for tests: one server for the session, emptied for each test that asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.links.keys import Keys
from gateway.store.client import Store
from gateway.store.embedded import EmbeddedStore
from gateway.store.links import LinkStore

KEYS = Keys.derive([b"a secret of the tests, 32 bytes.."])
RETENTION = 90 * 86_400_000


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a running server. Not in a thread: the server would end with it."""
    embedded = EmbeddedStore(tmp_path_factory.mktemp("store"))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(embedded.start(alone=True))
    yield embedded.socket
    loop.run_until_complete(embedded.stop())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture
async def store(store_server: Path) -> AsyncIterator[Store]:
    """An empty store."""
    store = Store(f"unix://{store_server}")
    await store.run(lambda client: client.flushall())
    yield store
    await store.close()


@pytest.fixture
async def links(store: Store) -> LinkStore:
    links = LinkStore(store, KEYS, retention=RETENTION)
    await links.prepare()
    return links
