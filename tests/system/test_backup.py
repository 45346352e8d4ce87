"""Backup and restore beside a gateway that serves: guests notice nothing but what was restored."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.running import free_port
from tests.system.processes import command_line
from tests.system.stage import ITEM, STREAM, Guest, Media, clicks, path_of, running_worker, until, write_config


async def test_guests_come_in_while_a_backup_is_made(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    file = tmp_path / "links.backup"
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM, clicks=500)
        stop = asyncio.Event()

        async def guests() -> int:
            count = 0
            while not stop.is_set():
                await Guest(running.port).enter(link)
                count += 1
            return count

        coming = [asyncio.create_task(guests()) for _ in range(3)]
        said = json.loads(await command_line(tmp_path, "backup", str(file), "--json"))
        stop.set()
        came = sum(await asyncio.gather(*coming))
        assert (said["links"], said["items"]) == (1, 1)
        saved = json.loads(file.read_text().splitlines()[1])["links"][0]
        assert 0 < int(saved["clicks_used"]) <= came
        # The backup's count is lower by now, and stays without effect.
        await command_line(tmp_path, "restore", str(file), "--replace")
        assert await clicks(running, link) == came


async def test_workers_follow_a_restore_at_once(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media, on_revoke="cut")
    file = str(tmp_path / "links.backup")
    async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
        link = await running.make_link(ITEM)
        await running.switch(ITEM, on=False)
        await command_line(tmp_path, "backup", file)
        await running.switch(ITEM, on=True)
        guest = await Guest(running.port).enter(link)
        there = Guest(other.port, guest.host, dict(guest.jar))
        assert await there.status(STREAM) == 200
        async with guest.streaming() as stream, there.streaming() as second:
            await command_line(tmp_path, "restore", file, "--replace")
            assert await stream.ended(2) < 2
            assert await second.ended(2) < 2
        await running.switch(ITEM, on=True)
        await running.delete(link)
        assert await Guest(running.port).status(path_of(link)) == 410
        await command_line(tmp_path, "restore", file, "--merge", "--revive")
        await Guest(running.port).enter(link)


async def test_a_lost_store_is_restored_under_a_running_gateway(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    file = str(tmp_path / "links.backup")
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM, clicks=3)
        await Guest(running.port).enter(link)
        await command_line(tmp_path, "backup", file)
        await running.desk._links.store.run(lambda client: client.flushall())
        await command_line(tmp_path, "restore", file)
        assert await clicks(running, link) == 1
        guest = await Guest(running.port).enter(link)
        await until("it streams", lambda: streams(guest))


async def streams(guest: Guest) -> bool:
    return await guest.status(STREAM) == 200
