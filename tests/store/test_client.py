"""The one way to the store: how soon it gives up, and that answers are never mixed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis, RedisCluster

from gateway.access.authorize import Allowed
from gateway.errors import StoreDown
from gateway.store.backup import Wish, look, restore, saved_items
from gateway.store.changes import ChangeChannel
from gateway.store.client import GUEST, TERMINAL, Store, make_client
from gateway.store.embedded import EmbeddedStore
from gateway.store.guests import Active
from gateway.store.patience import patience
from tests.access.world import make_world, until
from tests.slow_store import SlowStore


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """One of its own: it is going to be hurt."""
    server = EmbeddedStore(tmp_path / "data")
    await server.start(alone=True)
    yield server
    if server.pid is not None:
        os.kill(server.pid, signal.SIGCONT)
    await server.stop()


@pytest.fixture
async def hurt(server: EmbeddedStore) -> AsyncIterator[Store]:
    store = Store(f"unix://{server.socket}")
    await store.run(lambda client: client.ping())
    yield store
    await store.close()


async def failing(store: Store) -> float:
    started = time.monotonic()
    with pytest.raises(StoreDown):
        await store.run(lambda client: client.get("x"))
    return time.monotonic() - started


def signal_server(server: EmbeddedStore, number: int) -> None:
    assert server.pid is not None
    os.kill(server.pid, number)


async def test_a_hung_store_is_noticed_within_a_second_by_all_who_ask(server: EmbeddedStore, hurt: Store) -> None:
    signal_server(server, signal.SIGSTOP)
    took = await asyncio.gather(*(failing(hurt) for _ in range(200)))
    assert max(took) < 1.2  # the limit is 0.9 s; the rest is this test's own two hundred tasks
    assert await failing(Store(f"unix://{server.socket}")) < 1.0
    signal_server(server, signal.SIGCONT)
    assert await hurt.run(lambda client: client.get("x")) is None


async def test_somebody_at_a_terminal_waits_for_a_busy_store(server: EmbeddedStore, hurt: Store) -> None:
    """`gateway link list` on a machine with much to do: two seconds are no failure there."""
    patient = Store(f"unix://{server.socket}", TERMINAL)
    signal_server(server, signal.SIGSTOP)
    asked = asyncio.create_task(patient.run(lambda client: client.get("x")))
    assert await failing(hurt) < 1.2
    await asyncio.sleep(1.5)
    assert not asked.done()
    signal_server(server, signal.SIGCONT)
    assert await asked is None
    await patient.close()


async def test_a_dead_store_is_noticed_at_once(hurt: Store, server: EmbeddedStore) -> None:
    await server.stop()
    assert await failing(hurt) < 0.5
    assert await failing(Store("redis://127.0.0.1:1")) < 1.0


async def test_a_restarted_store_is_used_again_without_a_failure(server: EmbeddedStore, hurt: Store) -> None:
    await asyncio.gather(*(hurt.run(lambda client: client.ping()) for _ in range(20)))
    await server.stop()
    await server.start(alone=True)
    assert await asyncio.gather(*(hurt.run(lambda client: client.ping()) for _ in range(20))) == [True] * 20


async def test_guests_who_leave_mix_up_no_answers(store: Store) -> None:
    """Cancelled at any moment, under load: who stays gets what was asked for."""
    for n in range(50):
        await store.run(lambda client, n=n: client.set(f"mine{n}", f"value {n}"))
    rolls = random.Random(7)
    wrong: list[object] = []

    async def guest(n: int) -> None:
        found = await store.run(lambda client: client.get(f"mine{n}"))
        if found != f"value {n}":
            wrong.append((n, found))

    async def round_() -> None:
        tasks = [asyncio.create_task(guest(rolls.randrange(50))) for _ in range(100)]
        for task in tasks:
            if rolls.random() < 0.5:
                asyncio.get_running_loop().call_later(rolls.random() * 0.02, task.cancel)
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            assert done is None or isinstance(done, asyncio.CancelledError), done

    for _ in range(20):
        await round_()
    assert wrong == []


async def test_leaving_does_not_stop_what_was_begun(store: Store) -> None:
    task = asyncio.create_task(store.run(lambda client: client.set("begun", "1")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    assert await store.run(lambda client: client.get("begun")) == "1"


async def test_a_store_that_cannot_write_is_down(hurt: Store) -> None:
    await hurt.run(lambda client: client.config_set("min-replicas-to-write", "1"))
    with pytest.raises(StoreDown, match="NOREPLICAS"):
        await hurt.run(lambda client: client.set("x", "1"))
    with pytest.raises(StoreDown, match="NOREPLICAS"):
        await hurt.script("set_access", ["gw:{s}:item"], [1, "s", 1, 0])
    assert await hurt.run(lambda client: client.get("x")) is None
    await hurt.run(lambda client: client.config_set("min-replicas-to-write", "0"))


async def test_scripts_survive_a_store_that_forgot_them(store: Store) -> None:
    for _ in range(2):
        assert (await store.script("renew", ["gw:{s}:grant:x"], [1, "x", "{}"]))[0] == "missing"
        await store.run(lambda client: client.script_flush())


async def test_the_change_channel_knows_when_it_hears_nothing(server: EmbeddedStore, hurt: Store) -> None:
    channel, connections, changes = ChangeChannel(hurt), [], []
    task = asyncio.create_task(channel.run(changes.append, connections.append))
    await until(lambda: bool(connections))
    await hurt.run(lambda client: client.publish("gw:changes", '{"t": "link", "id": "x"}'))
    await hurt.run(lambda client: client.publish("gw:changes", "nonsense"))
    await hurt.run(lambda client: client.publish("gw:changes", '{"t": "item", "id": "y"}'))
    await until(lambda: len(changes) == 2)
    await asyncio.sleep(1.6)
    assert channel.unheard() < 1.3
    signal_server(server, signal.SIGSTOP)
    await until(lambda: channel.unheard() > 3.3, seconds=6)
    signal_server(server, signal.SIGCONT)
    await until(lambda: len(connections) == 2 and channel.unheard() < 1)
    assert connections[1] > 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("on_revoke", ["cut", "drain"])
async def test_streams_with_a_hung_store(server: EmbeddedStore, hurt: Store, on_revoke: str) -> None:
    """cut: after five seconds of silence nothing is allowed and everything is closed, and it comes back.
    drain: who is known goes on for `store_grace`."""
    grace = 600 if on_revoke == "cut" else 2
    world = await make_world(hurt, on_revoke=on_revoke, grace=grace, leave_after=900)
    _, token = await world.link()
    async with world.worker() as worker:
        ids = (await worker.admitted(token)).grant_ids
        live = (worker.table.known(ids) or ())[0]
        cut = asyncio.Event()
        with live.holding(cut.set):
            signal_server(server, signal.SIGSTOP)
            started = time.monotonic()
            while not cut.is_set():
                if time.monotonic() - started < min(grace - 1, 3.5):
                    assert worker.table.known(ids)
                await asyncio.sleep(0.05)
                assert time.monotonic() - started < 8
        assert time.monotonic() - started > (3.5 if on_revoke == "cut" else 0.9)
        with pytest.raises(StoreDown):
            await worker.stream(*ids)
        signal_server(server, signal.SIGCONT)
        await until(lambda: bool(worker.table.known(ids)), seconds=5)


async def test_stores_that_can_be_named() -> None:
    for url in (
        "redis://user:p%40ss@127.0.0.1:6390/2",
        "rediss://127.0.0.1:6390?ssl_ca_certs=/etc/ssl/ca.pem",
        "unix:///run/valkey.sock",
        "redis+sentinel://:secret@127.0.0.1:26379,127.0.0.1:26380/mymaster/1",
    ):
        client = make_client(url)
        assert isinstance(client, Redis)
        options = client.connection_pool.connection_kwargs
        assert options["socket_timeout"] == options["socket_connect_timeout"] == GUEST.call + 2  # ours comes first
        await client.aclose()
    cluster = make_client("redis+cluster://user:secret@127.0.0.1:7000,127.0.0.1:7001")
    assert isinstance(cluster, RedisCluster)
    await cluster.aclose()


# --- a slow one -----------------------------------------------------------------------------------


@pytest.fixture
async def slow(server: EmbeddedStore) -> AsyncIterator[SlowStore]:
    async with SlowStore(server.socket).running() as slow:
        yield slow


async def test_all_calls_of_one_request_wait_about_a_second_together(slow: SlowStore) -> None:
    store = Store(slow.url)
    await asyncio.gather(*(store.run(lambda client: client.ping()) for _ in range(8)))
    slow.delay = 0.3
    began = time.monotonic()
    done: list[object] = []

    async def ask() -> None:
        with patience():
            while True:
                done.append(await store.run(lambda client: client.get("x")))

    with pytest.raises(StoreDown, match="the store is slow"):
        await ask()
    assert 1 <= len(done) <= 6
    # What is our own loop's lateness (a busy machine) does not count.
    assert time.monotonic() - began < 2.5
    # Who has no patience set waits for each by itself; and the next request has patience of its own.
    for _ in range(4):
        await store.run(lambda client: client.get("x"))
    with patience():
        await store.run(lambda client: client.get("x"))
    await store.close()


async def test_calls_made_together_wait_together(slow: SlowStore) -> None:
    store = Store(slow.url)
    await asyncio.gather(*(store.run(lambda client: client.ping()) for _ in range(8)))
    slow.delay = 0.3
    with patience():
        assert await asyncio.gather(*(store.run(lambda client: client.get("x")) for _ in range(2))) == [None, None]
    await store.close()


async def test_a_crowd_is_no_slow_store(store: Store) -> None:
    """Our own loop is what is late here; nobody is turned away for it."""

    await asyncio.gather(*(store.run(lambda client: client.ping()) for _ in range(64)))

    async def request() -> None:
        with patience():
            for _ in range(6):
                await store.run(lambda client: client.get("x"))

    async def work() -> None:
        while True:
            time.sleep(0.02)
            await asyncio.sleep(0)

    busy = [asyncio.create_task(work()) for _ in range(3)]
    await asyncio.gather(*(request() for _ in range(300)))
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_a_command_given_up_leaves_nothing_for_the_next_to_read(slow: SlowStore) -> None:
    """Cancelled by its own deadline while the answer is on its way (CVE-2023-28858 and its kind)."""
    store = Store(slow.url)
    for n in range(20):
        await store.run(lambda client, n=n: client.set(f"mine{n}", f"value {n}"))
    rolls = random.Random(3)
    wrong: list[object] = []
    answered = 0

    async def guest(n: int) -> None:
        nonlocal answered

        async def two_commands(client: Redis) -> object:  # together longer than one call may take
            return await client.get(f"mine{n}"), await client.mget(f"mine{n}", "nothing")

        with contextlib.suppress(StoreDown), patience():
            found = await store.run(two_commands)
            answered += 1
            if found != (f"value {n}", [f"value {n}", None]):
                wrong.append((n, found))

    for round_ in range(12):
        slow.delay = (0.0, 0.46, 0.02, 0.3)[round_ % 4]
        tasks = [asyncio.create_task(guest(rolls.randrange(20))) for _ in range(60)]
        for task in tasks:
            if rolls.random() < 0.3:
                asyncio.get_running_loop().call_later(rolls.random() * 0.5, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    slow.delay = 0.0
    assert wrong == []
    assert answered > 100
    await store.close()


async def test_answers_are_not_mixed_while_connections_break(slow: SlowStore) -> None:
    """Commands, pipelines and scripts, cancelled and cut at any moment."""
    store = Store(slow.url)
    for n in range(20):
        await store.run(lambda client, n=n: client.hset(f"gw:{{s}}:item{n}", mapping={"v": "1", "n": str(n)}))
    rolls = random.Random(11)
    wrong: list[object] = []
    answered = 0

    async def guest(n: int) -> None:
        nonlocal answered
        name = f"gw:{{s}}:item{n}"
        with contextlib.suppress(StoreDown):
            if n % 3 == 0:
                found = await store.run(lambda client: client.hget(name, "n"))
            elif n % 3 == 1:
                found = (await store.pipeline(lambda pipe: [pipe.hget(name, "n"), pipe.hget(name, "v")]))[0]
            else:
                flat = (await store.script("read_item", [name, f"{name}:links", f"{name}:gone"], [1, 0, 0]))[1]
                found = dict(zip(flat[::2], flat[1::2], strict=True))["n"]
            answered += 1
            if found != str(n):
                wrong.append((n, found))

    slow.delay = 0.002
    for round_ in range(25):
        tasks = [asyncio.create_task(guest(rolls.randrange(20))) for _ in range(80)]
        for task in tasks:
            if rolls.random() < 0.5:
                asyncio.get_running_loop().call_later(rolls.random() * 0.03, task.cancel)
        if round_ % 5 == 4:
            asyncio.get_running_loop().call_later(0.01, slow.cut)
        await asyncio.gather(*tasks, return_exceptions=True)
    assert wrong == []
    assert answered > 500
    await store.close()


# --- one that has lost its data, and one that is full ---------------------------------------------


async def test_absence_is_believed_only_of_a_store_that_has_not_lost_everything(store: Store) -> None:
    world = await make_world(store)
    view, token = await world.link()
    async with world.worker() as worker:
        grant = (await worker.admitted(token)).grant_ids[0]
        links = worker.links
        assert await links.find("n" * 22) is None
        await store.run(lambda client: client.flushall())
        guest = grant[:22]
        for ask in (
            lambda: links.find(token),
            lambda: links.get(view.link.id),
            lambda: links.many([view.link.id]),
            lambda: links.slots(),
            lambda: links.guests.visitors([guest]),
            lambda: links.guests.grants([grant]),
            lambda: links.guests.touch([Active(grant, view.link.id, 1)]),
            lambda: worker.post(token),
            lambda: worker.door.come_back(token, worker.server, (grant,)),
            lambda: worker.door.leave((grant,)),
        ):
            with pytest.raises(StoreDown, match="lost its data"):
                await ask()
        await links.prepare()
        assert await links.find(token) is None
        assert await links.slots() == []


@contextlib.asynccontextmanager
async def full(store: Store) -> AsyncIterator[None]:
    await store.run(lambda client: client.config_set("maxmemory", "1"))
    try:
        yield
    finally:
        await store.run(lambda client: client.config_set("maxmemory", "0"))


async def test_a_full_store_refuses_each_change_whole(hurt: Store) -> None:
    """Also one of several steps: nothing of it is done."""
    world = await make_world(hurt)
    view, token = await world.link(clicks=3, days=2)
    async with world.worker() as worker:
        ids = (await worker.admitted(token)).grant_ids
        links, link = worker.links, view.link.id
        item = await links.item(link[:11])
        assert item is not None
        saved = [one async for one in saved_items(links)]
        visitor = (await links.guests.visitors([ids[0]]))[ids[0][:22]]

        async def state() -> dict[str, object]:
            found: dict[str, object] = {}
            for key in sorted(await hurt.run(lambda client: client.keys("gw:{*"))):
                kind = await hurt.run(lambda client, key=key: client.type(key))
                if kind == "hash":
                    found[key] = await hurt.run(lambda client, key=key: client.hgetall(key))
                elif kind == "zset":
                    found[key] = await hurt.run(lambda client, key=key: client.zrange(key, 0, -1, withscores=True))
            return found

        before = await state()
        async with full(hurt):
            for change in (
                lambda: worker.post(token, name="Eve"),
                lambda: links.edit(link, {"clicks_limit": None}),
                lambda: links.edit(link, {"expires_at": None, "name": "Neu"}),
                lambda: links.delete(link, now=world.clock()),
                lambda: links.set_access(item, False),
                lambda: links.describe(replace(item, title=None, owners=("u1",))),
                lambda: links.guests.end(ids[0], link, "left", now=world.clock()),
                lambda: links.guests.leave(visitor.guest, list(ids), "left", now=world.clock()),
                lambda: links.guests.renew(ids[0], {"a": ("b",)}),
                lambda: world.link(),
            ):
                with pytest.raises(StoreDown, match="OutOfMemory"):
                    await change()
            assert await state() == before
            # Reading goes on, and who is in stays in.
            assert await links.find(token) is not None
            assert isinstance(await worker.stream(*ids), Allowed)
            assert isinstance(await worker.ask("/watch/film1", *ids), Allowed)
        assert (await links.delete(link, now=world.clock())).outcome == "ok"
        async with full(hurt):
            wish = Wish(replace=True, revive=True)
            looked = await look(links, saved, wish, now=world.clock())
            with pytest.raises(StoreDown, match="OutOfMemory"):
                await restore(links, looked, wish, now=world.clock())
        assert (await links.get(link)).link.deleted_at is not None  # type: ignore[union-attr]
