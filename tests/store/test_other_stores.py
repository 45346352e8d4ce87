"""The same store in its other shapes: TCP, a cluster, behind a sentinel. One contract for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from gateway.access.authorize import Allowed
from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.errors import StoreDown
from gateway.reasons import Reason
from gateway.store import names
from gateway.store.backup import Wish, look, restore, saved_items
from gateway.store.client import Store
from gateway.store.embedded import find_binary
from gateway.store.notices import NoticeQueue, Progress, Queued
from tests.access.world import make_world, until
from tests.running import free_port


@contextlib.contextmanager
def running(folder: Path, port: int, *options: str) -> Iterator[Redis]:
    process = subprocess.Popen(
        [str(find_binary()), *options, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    client = Redis(host="127.0.0.1", port=port, decode_responses=True)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait()


@pytest.fixture(params=["tcp", "cluster", "sentinel"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        port = free_port()
        if request.param == "tcp":
            stack.enter_context(running(tmp_path, port, "--requirepass", "a secret"))
            yield f"redis://:a%20secret@127.0.0.1:{port}/3"
        elif request.param == "cluster":
            ports = [port, free_port()]
            nodes = []
            for number, slots in zip(ports, (("0", "8191"), ("8192", "16383")), strict=True):
                (tmp_path / str(number)).mkdir()
                nodes.append(stack.enter_context(running(tmp_path / str(number), number, "--cluster-enabled", "yes")))
                nodes[-1].execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
            nodes[0].execute_command("CLUSTER", "MEET", "127.0.0.1", ports[1])
            deadline = time.monotonic() + 20
            while not all("cluster_state:ok" in str(node.execute_command("CLUSTER", "INFO")) for node in nodes):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield f"redis+cluster://127.0.0.1:{port}"
        else:
            stack.enter_context(running(tmp_path, port))
            watch = free_port()
            written = tmp_path / "sentinel.conf"
            written.write_text(f"sentinel monitor gateway 127.0.0.1 {port} 1\n")
            stack.enter_context(running(tmp_path, watch, str(written), "--sentinel"))
            yield f"redis+sentinel://127.0.0.1:{watch}/gateway"


async def test_a_links_whole_life(url: str) -> None:
    store = Store(url)
    world = await make_world(store, on_revoke="cut")
    view, token = await world.link(clicks=2)
    await world.link(item="film2")
    async with world.worker() as one, world.worker() as two:
        form = one.door.new_form(token, "c" * 22, world.clock())
        first, same = [await one.admitted(token, form=form) for _ in range(2)]
        assert first.grant_ids == same.grant_ids
        assert isinstance(await two.stream(*first.grant_ids), Allowed)
        assert isinstance(await two.door.come_back(token, two.server, first.grant_ids), Admitted)
        await one.admitted(token, name="Eve")
        third = await two.post(token, name="Mallory")
        assert isinstance(third, Denied)
        assert third.reason is Reason.LINK_USED_UP
        views = await world.desk.list()
        assert isinstance(views, list)
        assert {shown.link.item: shown.viewers for shown in views} == {"film1": 2, "film2": 0}
        await world.desk.disable(view.link.id)
        await until(lambda: not two.table.holds(first.grant_ids[0]), seconds=2)
        await until(lambda: not one.table.holds(first.grant_ids[0]), seconds=2)
    guests = await world.desk.guests("tv", "film1")
    assert isinstance(guests, list)
    assert len(guests) == 2
    await world.desk.enable(view.link.id)
    saved = [one async for one in saved_items(world.desk._links)]
    assert len(saved) == 2
    await world.desk.delete(view.link.id)
    for wish in (Wish(), Wish(replace=True, revive=True)):
        looked = await look(world.desk._links, saved, wish, now=world.clock())
        await restore(world.desk._links, looked, wish, now=world.clock())
        found = await world.desk._links.find(token)
        assert found is not None
        assert (found.link.deleted_at is None) is wish.revive
    await store.close()


async def test_notices_are_queued_taken_and_settled(url: str) -> None:
    store = Store(url)
    one, two = NoticeQueue(store, "one"), NoticeQueue(store, "two")
    assert (await one.hold(), await two.hold(), await one.hold()) == (True, False, True)
    webhooks = {"a": "digest", "b": "digest"}
    notices = [Queued("a", "msg_1", "{}"), Queued("b", "msg_1", "{}"), Queued("a", "msg_2", "{}")]
    assert await two.add(webhooks, notices, Progress({"cursor": "1-0"}), now=1000) is None
    assert await one.add(webhooks, notices, Progress({"cursor": "1-0"}), now=1000) == {"a": 0, "b": 0}
    assert await two.marks() == {"cursor": "1-0"}
    assert (await two.take("a", now=2000, count=2)).lost
    batch = await one.take("a", now=2000, count=2)
    assert [(taken.id, taken.body, taken.tries) for taken in batch.notices] == [("msg_1", "{}", 0), ("msg_2", "{}", 0)]
    assert await one.settle("a", "msg_1", "sent", now=2000) == 1
    assert await one.settle("a", "msg_2", "retry", now=2000, due=3000, what="500") == 1
    assert (await one.take("a", now=2999, count=2)).following == 3000
    assert [taken.tries for taken in (await one.take("a", now=3000, count=2)).notices] == [1]
    states = await two.states(["a", "b", "c"])
    assert [states[name].waiting for name in "abc"] == [1, 1, 0]
    assert (states["a"].sent, states["a"].failed, states["a"].what) == (1, 1, "500")
    await one.settle("b", "msg_1", "gone", now=2000, address="digest")
    assert await one.add(webhooks, [Queued("b", "msg_3", "{}")], Progress(over=["cursor"]), now=4000) is not None
    await one.drop("a")
    states = await two.states(["a", "b"])
    assert [states[name].waiting for name in "ab"] == [0, 0]
    assert states["b"].gone == "digest"
    await one.revive("b")
    assert await one.marks() == {}
    await two.give_up()
    assert not await two.hold()
    await one.give_up()
    assert await two.hold()
    await store.close()


async def test_a_hung_one_is_noticed_within_a_second_and_used_again(url: str) -> None:
    """With whatever its client tries by itself: other nodes, other sentinels, once more."""
    store = Store(url)
    await make_world(store)
    info = await store.run(lambda client: client.info("server"))
    nodes = [info] if "process_id" in info else list(info.values())
    for node in nodes:
        os.kill(int(node["process_id"]), signal.SIGSTOP)
    try:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(StoreDown):
                await store.script("set_access", ["gw:{s}:item"], [1, "s", 1, 0])
            assert time.monotonic() - began < 1.6  # a second, and what a busy test machine adds
    finally:
        for node in nodes:
            os.kill(int(node["process_id"]), signal.SIGCONT)
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(StoreDown):
            assert await store.run(lambda client: client.exists(names.META)) == 1
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await store.close()
