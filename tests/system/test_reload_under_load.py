"""A hundred changes while guests ask without pause, every third of them a bad one: nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from gateway.doors import Doors
from gateway.loading import load
from gateway.policy.model import Policy
from gateway.reload import Reloader
from gateway.reload_status import StatusFile
from gateway.upstream.client import HttpUpstream
from tests.system.load import Load
from tests.system.processes import Served, make_link, served
from tests.system.stage import ITEM, PAGE, STREAM, Guest, Media, running_worker, until, write_config

RELOADS = 100
BAD = (
    ("config.yaml", "log: {access: off}", "log: {access: 9}"),
    ("config.yaml", "log: {access: off}", "log: [unclosed"),
    ("policy.yaml", "item:\n", "itm:\n"),
)


def states(folder: Path) -> list[tuple[str, str, bool]]:
    """Every state of the files: which one changes, to what, and whether it is good."""
    config, policy = (folder / "config.yaml").read_text(), (folder / "policy.yaml").read_text()
    found = []
    for number in range(RELOADS):
        if number % 3 == 2:
            file, old, new = BAD[number // 3 % len(BAD)]
            text = {"config.yaml": config, "policy.yaml": policy}[file]
            assert old in text
            found.append((file, text.replace(old, new), False))
        elif number % 3 == 0:
            # Another policy: its guests' grants are bound anew.
            found.append(("policy.yaml", policy.replace("Village cinema", f"Village cinema {number}"), True))
        else:
            # Another connection to the server, another title, another limit.
            changed = config.replace(
                "policy: ./policy.yaml", f"policy: ./policy.yaml\n    timeouts: {{idle: {number + 60}}}"
            )
            found.append(("config.yaml", changed, True))
    return found


def _more(gateway: Served, word: str, times: int) -> bool:
    return gateway.said.count(word) > times


def put(folder: Path, file: str, text: str) -> None:
    (folder / ".new").write_text(text)
    os.replace(folder / ".new", folder / file)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("workers", [1, 2])
async def test_no_request_fails(tmp_path: Path, media: Media, workers: int) -> None:
    port = write_config(tmp_path, media, extra="log: {access: off}\n")
    good = {name: (tmp_path / name).read_text() for name in ("config.yaml", "policy.yaml")}
    async with served(tmp_path, port, workers=workers) as gateway:
        guest = await Guest(port).enter((await make_link(tmp_path))["url"])
        loads = [Load(port, guest.cookie, path, kept) for path in (STREAM, PAGE) for kept in (True, False)]
        async with guest.streaming() as stream, guest.talking() as talk, asyncio.TaskGroup() as group:
            for one in loads:
                group.create_task(one.run())
            before: Path | None = None
            for number, (file, text, is_good) in enumerate(states(tmp_path)):
                if before is not None:
                    put(tmp_path, before.name, good[before.name])
                    before = None
                word = "are in force" if is_good else "is not in force"
                times = gateway.said.count(word)
                put(tmp_path, file, text)
                if not is_good:
                    before = tmp_path / file
                gateway.process.send_signal(signal.SIGHUP)
                await until(f"{number} {file}: {word}", partial(_more, gateway, word, times), 20)
                if is_good:
                    good[file] = text
            assert await stream.flows()
            await talk.send_str("still here")
            assert await talk.receive_str(timeout=5) == "you said still here"
            for one in loads:
                one.stopped = True
        outcomes = sum((one.outcomes for one in loads), Counter())
        assert set(outcomes) == {200}, (outcomes, [one.lost for one in loads])
        assert min(sum(one.outcomes.values()) for one in loads) > RELOADS / 2
        assert "Traceback" not in gateway.said
        print(f"{RELOADS} reloads, {outcomes[200]} requests, slowest {max(one.slowest for one in loads):.2f} s")


async def test_nothing_is_left_of_former_settings(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media, extra="log: {access: off}\n")
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM)
        guest = await Guest(running.port).enter(link)
        gateway = running.gateway
        with contextlib.closing(StatusFile(tmp_path / "data", tmp_path / "config.yaml")) as status:
            found = load(tmp_path / "config.yaml")
            await gateway.adapt(found)
            reloader = Reloader(found, apply=gateway.adapt, tell=lambda warnings: None, status=status)
            good = {name: (tmp_path / name).read_text() for name in ("config.yaml", "policy.yaml")}

            async def round_of_changes() -> dict[str, int]:
                for file, text, is_good in states(tmp_path):
                    put(tmp_path, file, text)
                    await reloader.reload()
                    assert await guest.status(STREAM) == 200
                    if is_good:
                        good[file] = text
                    else:
                        put(tmp_path, file, good[file])
                for file, text in good.items():
                    put(tmp_path, file, text)
                await reloader.reload()
                await asyncio.sleep(0.1)
                gc.collect()
                alive = Counter(type(one).__name__ for one in gc.get_objects())
                kept = {kind.__name__: alive[kind.__name__] for kind in (HttpUpstream, Policy, Doors)}
                return {**kept, "sessions": alive["ClientSession"], "tasks": len(asyncio.all_tasks())}

            first = await round_of_changes()
            assert first["HttpUpstream"] <= 2
            assert first["Doors"] <= 2
            assert await round_of_changes() == first


async def test_what_runs_on_former_settings_ends_in_its_own_time(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path) as running:
        guest = await Guest(running.port).enter(await running.make_link(ITEM))
        gateway = running.gateway
        old = gateway.servers.all[0].upstream
        assert isinstance(old, HttpUpstream)
        async with guest.streaming() as stream:
            found = load(tmp_path / "config.yaml")
            server = found.config.servers[0]
            slower = replace(server, timeouts=replace(server.timeouts, idle=timedelta(minutes=1)))
            await gateway.adapt(replace(found, config=replace(found.config, servers=(slower,))))
            assert gateway.servers.all[0].upstream is not old
            assert await stream.flows()
            assert not old.closed
        await until("its connections are closed", lambda: old.closed)
        # A request that was judged before the change and comes only now.
        async with old.request("GET", f"/hls/{ITEM}/seg1.ts", ()) as answer:
            assert answer.status == 200
        assert old.closed


async def test_guests_are_served_while_a_large_policy_is_compiled(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    rule = "      - GET /hls/{id}/{file}\n"
    policy = (tmp_path / "policy.yaml").read_text()
    large = policy.replace(rule, rule + "".join(f"      - GET /v{n}/{{id}}/{{file}}?a={{id}}\n" for n in range(700)))
    async with running_worker(tmp_path) as running:
        guest = await Guest(running.port).enter(await running.make_link(ITEM))
        with contextlib.closing(StatusFile(tmp_path / "data", tmp_path / "config.yaml")) as status:
            found = load(tmp_path / "config.yaml")
            reloader = Reloader(found, apply=running.gateway.adapt, tell=lambda warnings: None, status=status)
            (tmp_path / "policy.yaml").write_text(large)
            reloading = asyncio.create_task(reloader.reload())
            served = 0
            while not reloading.done():
                served += await guest.status(STREAM) == 200
            await reloading
            assert served > 1  # a loop that is held up serves one at most
            assert await guest.status(f"/v699/{ITEM}/a.ts?a={ITEM}") == 200
