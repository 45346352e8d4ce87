"""Lists of many links from memory: as new as the change channel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.access.index import LinkIndex
from gateway.store.client import Store
from gateway.store.links import LinkStore
from tests.access.world import World, make_world, until
from tests.store_fixtures import KEYS, RETENTION


class Counted(LinkStore):
    """Counts readings."""

    asked = 0

    async def of_items(self, *args: object, **options: object):  # type: ignore[no-untyped-def, override]
        self.asked += 1
        return await super().of_items(*args, **options)  # type: ignore[arg-type]


@pytest.fixture
async def world(store: Store) -> World:
    return await make_world(store)


@pytest.fixture
async def index(store: Store, world: World) -> AsyncIterator[LinkIndex]:
    index = LinkIndex(Counted(store, KEYS, retention=RETENTION), world.clock)
    task = asyncio.create_task(index.run())
    await until(lambda: index._connected)
    yield index
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def names(index: LinkIndex) -> list[str]:
    return sorted(one.link.name for one in await index.all())


async def test_memory_serves_until_something_changes(index: LinkIndex, world: World) -> None:
    view, _ = await world.link(name="one")
    await until(lambda: True)
    assert await names(index) == ["one"]
    counted = index._links
    assert isinstance(counted, Counted)
    await asyncio.sleep(0.05)
    await index.all()
    before = counted.asked
    for _ in range(5):
        assert await names(index) == ["one"]
    assert counted.asked == before
    await world.desk.edit(view.link.id, {"name": "two"})
    await until(lambda: bool(index._stale))
    assert await names(index) == ["two"]
    await world.link(name="three", item="film2")
    await until(lambda: bool(index._stale))
    assert await names(index) == ["three", "two"]
    await world.desk.delete(view.link.id)
    await until(lambda: bool(index._stale))
    assert await names(index) == ["three"]


async def test_without_the_channel_nothing_is_taken_from_memory(store: Store, world: World) -> None:
    deaf = LinkIndex(Counted(store, KEYS, retention=RETENTION), world.clock)
    view, _ = await world.link(name="one")
    assert await names(deaf) == ["one"]
    await world.desk.edit(view.link.id, {"name": "two"})
    assert await names(deaf) == ["two"]
