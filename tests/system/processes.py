"""`python -m gateway serve` as a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.stage import ITEM, until

ROOT = Path(__file__).parents[2]


@dataclass
class Served:
    process: asyncio.subprocess.Process
    folder: Path
    port: int

    @property
    def said(self) -> str:
        return (self.folder / "stderr").read_text()

    def workers(self) -> list[int]:
        return [pid for pid in children(self.process.pid) if "gateway.workers" in command(pid)]

    def everyone(self) -> list[int]:
        """The process, its workers and the store."""
        return [self.process.pid, *children(self.process.pid)]

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def served(folder: Path, port: int, *, workers: int, patience: float = 30) -> AsyncIterator[Served]:
    """Run it until the context is left; stderr goes to a file in the folder. `patience`: as the command's."""
    with (folder / "stderr").open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve",
            "--config", str(folder / "config.yaml"), "--workers", str(workers), "--patience", str(patience),
            cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=stderr, stderr=stderr,
        )  # fmt: skip
    running = Served(process, folder, port)
    began = running.said.count("serving tv")
    try:
        await until("it serves", lambda: process.returncode is not None or running.said.count("serving tv") > began, 60)
        assert process.returncode is None, running.said
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def command_line(folder: Path, *words: str) -> str:
    """A command beside the running gateway; what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, "--config", str(folder / "config.yaml"),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, words
    return said.decode()


async def make_link(folder: Path, *words: str, item: str = ITEM) -> dict[str, str]:
    said = await command_line(
        folder, "link", "create", "--server", "tv", "--item", item, "--name", "T", "--json", *words
    )
    found: dict[str, str] = json.loads(said)
    return found


def children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _field(int(entry.name), "PPid") == str(parent):
            found.append(int(entry.name))
    return sorted(found)


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    state = _field(pid, "State")
    return state is not None and not state.startswith("Z")


def processes_of(folder: Path) -> list[int]:
    """All processes that were started for this folder."""
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and int(entry.name) != os.getpid() and str(folder) in command(int(entry.name))
    ]


def _field(pid: int, name: str) -> str | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition("\t")[2] for line in lines if line.startswith(f"{name}:")), None)


def resident(pid: int) -> int:
    """kB of memory that this process has now."""
    return int((_field(pid, "VmRSS") or "0 kB").split()[0])
