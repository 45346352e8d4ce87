"""`gateway demo` as people run it: a link that works, an item out of reach, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.demo.run import _free
from tests.admin.conftest import ManagerBrowser

ROOT = Path(__file__).parents[2]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "gateway", "demo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(tmp_path, "--json", "--port", "0")
    yield process
    process.kill()
    process.communicate()


def facts(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it prints when it is ready."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            found: dict[str, Any] = json.loads(text)
            return found
    raise AssertionError(process.communicate()[1])


def processes_of(folder: Path) -> list[str]:
    """Processes that run now and work in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_in = (entry / "cwd").readlink()
        except OSError:
            continue
        if str(folder) in line or (works_in != folder and works_in.is_relative_to(folder)):
            found.append(line)
    return found


async def test_it_shows_a_link_that_works_and_leaves_nothing(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    shown = facts(demo)
    assert shown["other_item"]["direct"]["status"] == 200
    assert shown["other_item"]["through_the_gateway"]["status"] == 403
    async with aiohttp.ClientSession() as session:
        async with session.get(shown["link"]) as page:
            assert page.status == 200
            assert 'name="email"' in await page.text()
        async with session.get(shown["other_item"]["through_the_gateway"]["url"]) as stranger:
            assert stranger.status == 403
    if Path("/proc/self/cmdline").exists():
        assert processes_of(tmp_path), "the embedded store runs while the demo does"

    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=20)
    assert demo.returncode == 0, errors
    assert list(tmp_path.glob("gateway-demo-*")) == []
    assert processes_of(tmp_path) == []


def test_links_are_managed_from_another_terminal(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """The link that is shown, and nobody who has used it: the demo tried itself by another one."""
    shown = facts(demo)
    listed = subprocess.run(
        [sys.executable, "-P", "-m", "gateway", "link", "list", "--json", "--config", shown["config"]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr
    (link,) = json.loads(listed.stdout)
    assert (link["url"], link["state"], link["clicks"]["used"]) == (shown["link"], "active", 0)


def test_people_get_words(tmp_path: Path) -> None:
    process = start(tmp_path, "--port", "0")
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if "Ctrl-C" in line:
            break
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "/g/" in text
    assert "    200  http://127.0.0.1" in text
    assert "    403  http://127.0.0.1" in text
    assert re.search(r"http://127\.0\.0\.1:\d+/_gateway/manage\?server=demo&item=aurora\n", text)
    assert re.search(r"name: demo    password: \S+\n", text)
    assert not rest.strip()


async def test_its_owner_signs_in_and_sees_the_item(demo: subprocess.Popen[str]) -> None:
    shown = facts(demo)["manage"]
    browser = ManagerBrowser(int(shown["url"].split(":")[2].partition("/")[0]))
    assert (await browser.sign_in(shown["name"], shown["password"])).status == 303
    page = await browser.get(shown["url"].partition("127.0.0.1:")[2].partition("/")[2].join(("/", "")))
    assert page.status == 200
    assert b"A first guest link" in page.body


def test_a_port_in_use_is_passed_over_and_said() -> None:
    remarks: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = _free(port, remarks)
    assert other > port
    assert remarks == [f"port {port} is in use, taking {other}"]
    remarks.clear()
    assert _free(other, remarks) == other
    assert remarks == []
