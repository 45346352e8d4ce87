"""Changes of the files while the gateway runs: what they do to guests who are in, with one process and with two."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.running import ask, free_port
from tests.system.processes import Served, command_line, make_link, served
from tests.system.stage import PAGE, STREAM, Guest, Media, media_server, until, write_config

WORKERS = pytest.mark.parametrize("workers", [1, 2])
SOON = 2.0  # seconds within which every worker has heard of a change (spec 2), here with the time of a busy machine
SLACK = 6.0


@asynccontextmanager
async def stage(folder: Path, workers: int, media: Media, *, on_revoke: str = "drain") -> AsyncIterator[Served]:
    port = write_config(folder, media, on_revoke=on_revoke)
    async with served(folder, port, workers=workers) as gateway:
        yield gateway


def change(folder: Path, file: str, old: str, new: str) -> None:
    """As an editor saves: a new file moved into place."""
    path = folder / file
    text = path.read_text()
    assert old in text
    fresh = folder / f".{file}.new"
    fresh.write_text(text.replace(old, new))
    os.replace(fresh, path)


async def ready(port: int) -> dict[str, object]:
    answer = await ask(port, "GET /_gateway/health/ready")
    return {"status": answer.status, **json.loads(answer.body)}


async def all_say(port: int, condition: object, times: int = 12) -> bool:
    """Whether many fresh connections, which reach all workers, agree."""
    return all([await condition() for _ in range(times)])  # type: ignore[operator]


@WORKERS
async def test_a_narrower_policy_holds_from_the_next_request_on(tmp_path: Path, media: Media, workers: int) -> None:
    async with stage(tmp_path, workers, media) as gateway:
        guest = await Guest(gateway.port).enter((await make_link(tmp_path))["url"])
        async with guest.streaming() as stream:
            assert await guest.status(STREAM) == 200
            change(tmp_path, "policy.yaml", "      - GET /hls/{id}/{file}\n", "")

            async def refused() -> bool:
                return await guest.status(STREAM) == 403

            await until("refused", refused, SLACK)
            assert await all_say(gateway.port, refused)
            assert await guest.status(PAGE) == 200
            assert await stream.flows()
        assert "in force" in gateway.said


@WORKERS
@pytest.mark.parametrize("on_revoke", ["drain", "cut"])
async def test_a_server_that_is_switched_off(tmp_path: Path, media: Media, workers: int, on_revoke: str) -> None:
    async with stage(tmp_path, workers, media, on_revoke=on_revoke) as gateway:
        guests = [await Guest(gateway.port).enter((await make_link(tmp_path))["url"]) for _ in range(3)]
        async with contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(guest.streaming()) for guest in guests]
            change(
                tmp_path, "config.yaml", "policy: ./policy.yaml\n", "policy: ./policy.yaml\n    guest_access: false\n"
            )
            if on_revoke == "cut":
                took = await asyncio.gather(*(stream.ended(within=SLACK) for stream in streams))
                assert max(took) < SLACK
                assert {await guest.status(STREAM) for guest in guests} == {403}
            else:

                async def off() -> bool:
                    return (await Guest(gateway.port).get(PAGE)).status == 403 and "in force" in gateway.said

                await until("in force", off, SLACK)
                assert {await guest.status(STREAM) for guest in guests} == {200}
                assert all([await stream.flows() for stream in streams])
                assert {await guest.status(PAGE) for guest in guests} == {410}
                assert max(await asyncio.gather(*(stream.ended(within=SLACK) for stream in streams))) < SLACK


@WORKERS
async def test_a_server_that_is_removed_ends_its_grants_and_another_is_served(
    tmp_path: Path, media: Media, workers: int
) -> None:
    async with stage(tmp_path, workers, media) as gateway, media_server() as other:
        guest = await Guest(gateway.port).enter((await make_link(tmp_path))["url"])
        async with guest.streaming() as stream, guest.talking() as talk:
            change(tmp_path, "config.yaml", "name: tv", "name: radio")
            assert await stream.ended(within=SLACK) < SLACK
            assert (await talk.receive(timeout=SLACK)).type is aiohttp.WSMsgType.CLOSE

        async def ended() -> bool:
            return await guest.status(STREAM) == 403

        assert await all_say(gateway.port, ended)
        change(tmp_path, "config.yaml", f"http://127.0.0.1:{media.port}", f"http://127.0.0.1:{other.port}")
        await until("both", lambda: gateway.said.count("are in force") == 2, SLACK)
        link = json.loads(
            await command_line(
                tmp_path, "link", "create", "--server", "radio", "--item", "abc123", "--name", "T", "--json"
            )
        )
        await Guest(gateway.port).enter(link["url"])
        assert other.asked
        # The old grant is over for good, also when its server comes back.
        change(tmp_path, "config.yaml", "name: radio", "name: tv")
        await until("back", lambda: gateway.said.count("are in force") == 3, SLACK)
        assert await all_say(gateway.port, ended)


@WORKERS
async def test_a_bad_file_changes_nothing_and_is_named_everywhere(tmp_path: Path, media: Media, workers: int) -> None:
    async with stage(tmp_path, workers, media) as gateway:
        port = gateway.port
        guest = await Guest(port).enter((await make_link(tmp_path))["url"])
        change(tmp_path, "config.yaml", "data_dir: data\n", "data_dir: data\nsesion: {}\nlog: {access: 7}\n")

        async def warned() -> bool:
            return bool((await ready(port))["warnings"])

        await until("the warning", warned, SLACK)
        assert await all_say(port, warned)
        said = await ready(port)
        assert (said["status"], said["ready"], said["problems"]) == (200, True, [])
        (warning,) = said["warnings"]  # type: ignore[misc]
        assert warning.startswith("config.yaml: a change is not in force (2 faults")
        assert "sesion" not in warning
        assert f"{tmp_path}/config.yaml:4:1: sesion: unknown key (did you mean session?)" in gateway.said
        assert f"{tmp_path}/config.yaml:5:15: log.access" in gateway.said
        assert {await guest.status(STREAM), await guest.status(PAGE)} == {200}
        change(tmp_path, "config.yaml", "sesion: {}\nlog: {access: 7}\n", "")

        async def fine() -> bool:
            return (await ready(port))["warnings"] == []

        await until("it is good again", fine, SLACK)
        assert await all_say(port, fine)
        # A policy's faults too; and a policy file that is gone.
        change(tmp_path, "policy.yaml", "GET /endless/{id}", "GET /endless/{what}")
        await until("the warning", warned, SLACK)
        assert f"{tmp_path}/policy.yaml:" in gateway.said
        (tmp_path / "policy.yaml").rename(tmp_path / "policy.away")
        await until("no policy", lambda: f"no file {tmp_path}/policy.yaml" in gateway.said, SLACK)
        assert await guest.status(STREAM) == 200
        change(tmp_path, "policy.away", "GET /endless/{what}", "GET /endless/{id}")
        (tmp_path / "policy.away").rename(tmp_path / "policy.yaml")
        await until("it is good again", fine, SLACK)
        assert "Traceback" not in gateway.said


@WORKERS
async def test_what_needs_a_restart_is_refused_as_a_whole(tmp_path: Path, media: Media, workers: int) -> None:
    async with stage(tmp_path, workers, media) as gateway:
        guest = await Guest(gateway.port).enter((await make_link(tmp_path))["url"])
        change(tmp_path, "policy.yaml", "      - GET /hls/{id}/{file}\n", "")
        change(tmp_path, "config.yaml", f"listen: 127.0.0.1:{gateway.port}", f"listen: 127.0.0.1:{free_port()}")
        await until("it is said", lambda: "listen: a change of it needs a restart" in gateway.said, SLACK)
        assert f"{tmp_path}/config.yaml:1:9: listen" in gateway.said
        if "are in force" not in gateway.said:  # both changes were seen as one
            assert await guest.status(STREAM) == 200


async def test_sighup_reads_at_once_and_ends_nobody(tmp_path: Path, media: Media) -> None:
    async with stage(tmp_path, 2, media) as gateway:
        guest = await Guest(gateway.port).enter((await make_link(tmp_path))["url"])
        async with guest.streaming() as stream:
            gateway.process.send_signal(signal.SIGHUP)
            await until("it is said", lambda: "have not changed" in gateway.said, SLACK)
            for pid in (*gateway.workers(), gateway.process.pid):
                os.kill(pid, signal.SIGHUP)
            assert await stream.flows()
            assert await guest.status(STREAM) == 200


@WORKERS
async def test_sighup_while_it_starts_and_stops_does_no_harm(tmp_path: Path, media: Media, workers: int) -> None:
    port = write_config(tmp_path, media)

    async def pester(gateway: asyncio.subprocess.Process | None = None) -> None:
        # From the moment its own code runs: before that the interpreter itself would be ended.
        await until("it begins", lambda: (tmp_path / "data" / "secret").exists(), 20)
        while True:
            for pid in _of(tmp_path):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGHUP)
            await asyncio.sleep(0.01)

    pestering = asyncio.create_task(pester())
    try:
        async with served(tmp_path, port, workers=workers) as gateway:
            guest = await Guest(port).enter((await make_link(tmp_path))["url"])
            assert await guest.status(STREAM) == 200
            assert await gateway.stop() == 0
            assert "Traceback" not in gateway.said
    finally:
        pestering.cancel()


def _of(folder: Path) -> list[int]:
    """The gateway's processes, not those of its store or of a command."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if str(folder / "config.yaml").encode() in words and (b"serve" in words or b"gateway.workers" in words):
                found.append(int(entry.name))
    return found


async def test_a_worker_that_dies_begins_again_with_what_is_in_force(tmp_path: Path, media: Media) -> None:
    async with stage(tmp_path, 2, media) as gateway:
        guest = await Guest(gateway.port).enter((await make_link(tmp_path))["url"])
        change(tmp_path, "policy.yaml", "      - GET /hls/{id}/{file}\n", "")
        await until("in force", lambda: "are in force" in gateway.said, SLACK)
        (tmp_path / "config.yaml").write_text("not: [a config")
        (tmp_path / "policy.yaml").unlink()
        await until("refused", lambda: "not in force" in gateway.said, SLACK)
        first = gateway.workers()
        for pid in first:
            os.kill(pid, signal.SIGKILL)

        async def serves() -> bool:
            with contextlib.suppress(OSError):
                return await guest.status(PAGE) == 200
            return False

        await until("new ones", lambda: len(set(gateway.workers()) - set(first)) == 2, 10)
        await until("they serve", serves, 10)
        assert await guest.status(STREAM) == 403

        async def warned() -> bool:
            return bool((await ready(gateway.port))["warnings"])

        assert await all_say(gateway.port, warned)


async def test_doctor_tells_of_the_running_gateway(tmp_path: Path, media: Media) -> None:
    async with stage(tmp_path, 1, media) as gateway:
        said = await _doctor(tmp_path)
        assert [check["state"] for check in said if check["name"] == "serving"] == ["ok"]
        change(tmp_path, "config.yaml", "data_dir: data\n", "data_dir: data\nlog: {access: 7}\n")
        await until("refused", lambda: "not in force" in gateway.said, SLACK)
        said = await _doctor(tmp_path)
        found = [check for check in said if check["name"] == "serving"]
        assert {check["state"] for check in found} == {"problem"}
        assert any("config.yaml:4:15: log.access" in check["what"] for check in found)
        assert f"process {gateway.process.pid} still goes by the files of" in found[0]["what"]
        gateway.process.kill()
        await gateway.process.wait()
    assert [check for check in await _doctor(tmp_path) if check["name"] == "serving"] == []


async def _doctor(folder: Path) -> list[dict[str, str]]:
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "doctor", "--json", "--config", str(folder / "config.yaml"),
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    checks: list[dict[str, str]] = json.loads(out)["checks"]
    return checks
