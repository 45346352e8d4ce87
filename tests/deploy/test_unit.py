"""The systemd unit: read by systemd's own checker, and the gateway at work under the filters it names."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.app import PATIENCE
from gateway.config_file import load_config
from gateway.crew import OVERTIME_SECONDS
from tests.deploy import sandbox
from tests.system.processes import ROOT, Served, make_link
from tests.system.stage import STREAM, Guest, Media, media_server, until, write_config
from tests.system_parts import missing, need

UNIT = ROOT / "deploy" / "gateway.service"
SAID = sandbox.settings(UNIT.read_text())
SANDBOX = [sys.executable, str(Path(sandbox.__file__))]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    text = UNIT.read_text()
    assert "ExecStart=/opt/gateway/bin/gateway serve " in text
    place = tmp_path / "gateway.service"
    place.write_text(text.replace("/opt/gateway/bin/gateway", sys.executable))
    return place


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([need("systemd-analyze"), *words], capture_output=True, text=True, timeout=60)


def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # And says so of others: unknown names, values that mean nothing.
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=gently\nSandbox=yes"))
    done = analyze("verify", unit)
    assert "Sandbox" in done.stderr
    assert "gently" in done.stderr


def test_what_it_leaves_open_is_little(unit: Path) -> None:
    """systemd's own measure, ten is everything; what remains is that a gateway has a network."""
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout
    assert "Overall exposure level" in done.stdout


def test_it_waits_for_running_answers() -> None:
    [seconds] = SAID["TimeoutStopSec"]
    assert float(seconds) > PATIENCE + OVERTIME_SECONDS
    assert SAID["KillMode"] == ["mixed"]


def test_a_credential_of_systemds_is_a_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the unit's comment writes it."""
    assert "#LoadCredential=store_url:/etc/gateway/store_url" in UNIT.read_text()
    assert 'store: "file:${CREDENTIALS_DIRECTORY}/store_url"' in UNIT.read_text()
    given = tmp_path / "credentials" / "store_url"
    given.parent.mkdir()
    given.write_text("redis://127.0.0.1:6379/0\n")
    given.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given.parent))
    (tmp_path / "config.yaml").write_text(
        'public_url: https://guest.example.org\nstore: "file:${CREDENTIALS_DIRECTORY}/store_url"\n'
    )
    assert load_config(tmp_path / "config.yaml").store == "redis://127.0.0.1:6379/0"


@pytest.fixture
def confined() -> list[str]:
    need("systemd-analyze")
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        missing("libseccomp is not installed")
    return [*SANDBOX, str(UNIT)]


@pytest.mark.parametrize(
    "deed",
    [
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "import os; os.setpriority(os.PRIO_PROCESS, 0, 5)",
        "import os; os.chown('/dev/null', 0, 0)",
        "import os; os.sched_setaffinity(0, {0})",
    ],
)
def test_the_filters_are_there(confined: list[str], deed: str) -> None:
    """Each of these works outside; without this the next test would show nothing."""
    done = subprocess.run([*confined, sys.executable, "-c", deed], capture_output=True, text=True)
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


async def test_the_gateway_works_under_the_units_filters(confined: list[str], tmp_path: Path) -> None:
    """Embedded store, two workers, a guest with a stream and a websocket, reload, stop."""
    async with media_server() as media:
        port = write_config(tmp_path, media)
        with (tmp_path / "stderr").open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *confined, sys.executable, "-m", "gateway", "serve",
                "--config", str(tmp_path / "config.yaml"), "--workers", "2",
                cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=stderr, stderr=stderr,
            )  # fmt: skip
        running = Served(process, tmp_path, port)
        try:
            await until("it serves", lambda: process.returncode is not None or "serving tv" in running.said, 30)
            assert process.returncode is None, running.said
            await at_work(running, media)
            process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.3)
            await at_work(running, media)
            assert await running.stop() == 0, running.said
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert "PermissionError" not in running.said
        assert "Operation not permitted" not in running.said
    assert {entry.stat().st_mode & 0o077 for entry in (tmp_path / "data").rglob("*")} == {0}


async def at_work(running: Served, media: Media) -> None:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status
    made = await make_link(running.folder)
    guest = await Guest(running.port, f"127.0.0.1:{running.port}").enter(made["url"])
    assert await guest.status(STREAM) == 200
    async with guest.streaming() as stream, guest.talking():
        assert await stream.flows()
