"""Help, exit codes and failures: the same for every command."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from gateway import __version__
from gateway.cli import main
from gateway.cli.command import safe


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = [" ".join(path) for path in commands()]


def program(*arguments: str, **rest: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **rest)  # type: ignore[call-overload]


def test_these_are_the_commands() -> None:
    assert ALL == [
        "demo", "serve", "init", "check", "explain", "policy test", "policy from-har", "access", "link create",
        "link list", "link edit", "link enable", "link disable", "link delete", "guests list", "guests export",
        "guests remove", "guests erase", "audit", "webhook test", "webhook list", "secret", "password",
        "token create", "doctor", "backup", "restore",
    ]  # fmt: skip


def test_the_version() -> None:
    said = program("--version")
    assert (said.returncode, said.stdout, said.stderr) == (0, f"gateway {__version__}\n", "")


@pytest.mark.parametrize("command", ALL)
def test_help_has_an_example_and_the_config_option(run: object, command: str) -> None:
    found: Result = run(*command.split(), "--help")  # type: ignore[operator]
    assert found.exit_code == 0
    assert re.search(rf"Examples?:\n +\(?.*gateway {command}", found.stdout), found.stdout
    assert "--config" in found.stdout


@pytest.mark.parametrize("group", ["", "policy", "link", "guests", "token", "webhook"])
def test_help_of_a_group_has_an_example_too(run: object, group: str) -> None:
    found: Result = run(*group.split(), "--help")  # type: ignore[operator]
    assert found.exit_code == 0
    assert re.search(rf"Examples?:\n +gateway {group}", found.stdout), found.stdout


def test_help_is_quick() -> None:
    """Of the whole program only click is loaded: nobody waits for aiohttp to read a help text."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = program("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found.returncode == 0
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_heavy_modules_are_not_loaded_for_help() -> None:
    code = "import sys, gateway.cli; print([m for m in ('aiohttp', 'redis', 'jinja2', 'yaml') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_missing_file_is_one_sentence_and_exit_2(run: object) -> None:
    for command in ("serve", "check", "access on --item x", "link list", "guests list", "explain GET / --item x"):
        found: Result = run(*command.split(), "--config", "none.yaml")  # type: ignore[operator]
        assert found.exit_code == 2, command
        assert (found.stdout + found.stderr).startswith("none.yaml:1:1: can't be read: No such file or directory\n")


def test_wrong_usage_is_exit_2(run: object) -> None:
    found: Result = run("link", "create", "--item", "x", "--name", "n", "--clicks", "0")  # type: ignore[operator]
    assert (found.exit_code, found.stdout) == (2, "")
    assert "0 is not a whole number from 1" in found.stderr


def test_an_unknown_server_is_wrong_usage(run: object) -> None:
    found: Result = run("access", "on", "--server", "tb", "--item", "x")  # type: ignore[operator]
    assert (found.exit_code, found.stdout) == (2, "")
    assert "no server tb in config.yaml (known: tv)" in found.stderr


def test_a_fault_of_ours_is_a_sentence_and_with_gateway_debug_a_traceback(deployment: Path) -> None:
    # A module that fails when it is loaded stands in for any surprise.
    (deployment / "broken.py").write_text(
        "import sys\nsys.modules['gateway.config_file'] = None\nfrom gateway.cli import main\nmain(['check'])\n"
    )
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def start(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "broken.py"], capture_output=True, text=True, env={**here, **more}, check=False
        )

    plain, debug = start(), start(GATEWAY_DEBUG="1")
    assert plain.returncode == 1
    assert plain.stderr.startswith("gateway: something broke inside (ModuleNotFoundError:")
    assert plain.stderr.count("\n") == 1
    assert "Traceback" in debug.stderr


def test_a_reader_that_leaves_is_no_failure(deployment: Path) -> None:
    """`gateway check --json | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "check", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    process.wait(30)


def test_ctrl_c_is_exit_130(deployment: Path) -> None:
    """While `password` waits for its line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "password", "--stdin"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        # Whoever runs the tests in the background has the signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    asleep = Path(f"/proc/{process.pid}/syscall")
    for _ in range(600):  # until it reads its standard input (Linux tells), however busy the machine is
        time.sleep(0.1)
        if asleep.exists() and asleep.read_text().startswith("0 0x0 "):
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in said


def test_texts_of_guests_cannot_steer_a_terminal() -> None:
    assert safe("Ada\x1b[2J\u202e\x07é🙂") == "Ada\\x1b[2J\\u202e\\x07é🙂"
