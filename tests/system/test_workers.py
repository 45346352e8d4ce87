"""Several processes on one port, one store: what one knows all know, and nothing outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.system.processes import alive, command_line, make_link, processes_of, served
from tests.system.stage import PAGE, STREAM, Guest, Media, path_of, until, write_config
from tests.wire import WireClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


class Connections:
    """Kept connections, enough of them that every worker holds some."""

    def __init__(self, guest: Guest, clients: list[WireClient]) -> None:
        self.guest = guest
        self.clients = clients

    async def statuses(self, path: str = STREAM) -> list[int]:
        headers = f"Cookie: {self.guest.cookie}\r\nAccept: text/html\r\n"
        return [(await client.get(f"GET {path}", headers)).status for client in self.clients]


async def connections(guest: Guest, stack: object, pids: list[int]) -> Connections:
    clients: list[WireClient] = []
    for _ in range(60):
        clients.append(await stack.enter_async_context(WireClient(guest.port, guest.host)))  # type: ignore[attr-defined]
        if len(clients) >= 12 and all(accepted(pid, guest.port) > 0 for pid in pids):
            return Connections(guest, clients)
        await asyncio.sleep(0.01)
    raise AssertionError("not every worker took a connection")


def accepted(pid: int, port: int) -> int:
    """Established connections that this process holds on our port."""
    inodes = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "01" and int(fields[1].partition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    held = 0
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held += os.readlink(handle) in inodes
        except OSError:
            continue
    return held


@pytest.mark.parametrize("way", ["drain", "cut"])
async def test_a_grant_ended_through_one_worker_is_refused_by_the_other(tmp_path: Path, media: Media, way: str) -> None:
    from contextlib import AsyncExitStack

    port = write_config(tmp_path, media, on_revoke=way)
    async with served(tmp_path, port, workers=2) as gateway, AsyncExitStack() as stack:
        pids = gateway.workers()
        assert len(pids) == 2
        link = await make_link(tmp_path)
        guest = await Guest(port).enter(link["url"])
        both = await connections(guest, stack, pids)
        assert set(await both.statuses()) == {200}
        streams = [await stack.enter_async_context(guest.streaming()) for _ in range(6)]

        await command_line(tmp_path, "access", "off", "--server", "tv", "--item", "abc123")
        began = time.monotonic()
        if way == "drain":
            assert all(await asyncio.gather(*(stream.flows(0.5) for stream in streams)))
            assert set(await both.statuses()) == {200}
            began = time.monotonic()
            assert (await Guest(port, jar=dict(guest.jar)).get(PAGE)).status == 410
        await asyncio.gather(*(stream.ended(2) for stream in streams))
        assert time.monotonic() - began < 2
        while set(await both.statuses()) != {403}:
            assert time.monotonic() - began < 2
        # Leaving, too, is heard everywhere.
        await command_line(tmp_path, "access", "on", "--server", "tv", "--item", "abc123")
        await until("back in", lambda: _status(guest, path_of(link["url"]), 303))
        assert set(await both.statuses()) == {200}
        began = time.monotonic()
        kept = dict(guest.jar)
        assert (await guest.leave()).status == 200
        guest.jar = kept
        while set(await both.statuses()) != {403}:
            assert time.monotonic() - began < 2
        assert await gateway.stop() == 0


async def test_a_killed_worker_is_started_again_and_guests_go_on(tmp_path: Path, media: Media) -> None:
    port = write_config(tmp_path, media)
    async with served(tmp_path, port, workers=2) as gateway:
        guest = await Guest(port).enter((await make_link(tmp_path))["url"])
        first = gateway.workers()
        os.kill(first[0], signal.SIGKILL)
        # The other one serves meanwhile; what the dead one had in hand is lost, nothing else.
        await until("it is gone", lambda: not alive(first[0]))
        assert {await guest.status(STREAM) for _ in range(10)} == {200}
        await until("a new one", lambda: len(set(gateway.workers()) - set(first)) == 1 and len(gateway.workers()) == 2)
        new = (set(gateway.workers()) - set(first)).pop()
        os.kill(first[1], signal.SIGKILL)
        await until("the new one serves alone", lambda: _serves(guest), 10)
        assert new in gateway.workers()
        assert await gateway.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_ends_all_processes_and_frees_the_port(tmp_path: Path, media: Media, workers: int) -> None:
    port = write_config(tmp_path, media)
    async with served(tmp_path, port, workers=workers) as gateway:
        guest = await Guest(port).enter((await make_link(tmp_path))["url"])
        everyone = gateway.everyone()
        assert len(everyone) == (2 if workers == 1 else 4)
        async with guest.talking() as talk:
            stopping = asyncio.create_task(gateway.stop())
            assert (await talk.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
            assert talk.close_code == 1001
        assert await stopping == 0
        assert [pid for pid in everyone if alive(pid)] == []
        with socket.create_server(("127.0.0.1", port)):
            pass
        assert "Traceback" not in gateway.said


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_killed_gateway_leaves_nothing_running_and_loses_nothing(
    tmp_path: Path, media: Media, workers: int
) -> None:
    port = write_config(tmp_path, media)
    async with served(tmp_path, port, workers=workers) as gateway:
        link = await make_link(tmp_path, "--clicks", "50")
        guests = await asyncio.gather(*(Guest(port).enter(link["url"]) for _ in range(20)))
        late = await make_link(tmp_path)
        gateway.process.kill()
        await gateway.process.wait()
    await until("nothing of it runs", lambda: not any(map(alive, processes_of(tmp_path))), 8)
    async with served(tmp_path, port, workers=workers) as gateway:
        found = {one["id"]: one for one in await listed(tmp_path)}
        assert set(found) == {link["id"], late["id"]}
        assert found[link["id"]]["clicks"]["used"] == 20  # type: ignore[index]
        assert {await guest.status(PAGE) for guest in guests} == {200}
        assert await gateway.stop() == 0


async def listed(folder: Path) -> list[dict[str, object]]:
    import json

    found = json.loads(await command_line(folder, "link", "list", "--json"))
    return found["links"] if isinstance(found, dict) else found  # type: ignore[no-any-return]


async def _status(guest: Guest, path: str, wanted: int) -> bool:
    return await guest.status(path) == wanted


async def _serves(guest: Guest) -> bool:
    try:
        return await guest.status(STREAM) == 200
    except OSError:
        return False
