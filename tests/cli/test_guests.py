"""`gateway guests …` while the gateway runs, as separate programs do it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.conftest import POLICY
from tests.running import Running, enter, free_port, running_gateway

NAME = '=HYPERLINK("http://x")'


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_gateway(tmp_path, POLICY, free_port()) as gateway:
        yield gateway


async def program(running: Running, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments, "--config", str(running.config.file),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_guests_are_listed_and_exported(running: Running) -> None:
    first = await running.make_link("abc")
    second = await running.make_link("xyz")
    assert (await enter(running.port, first, name="Ada\u202e Guest", email="ada@example.org"))[0]
    assert (await enter(running.port, second, name=NAME, email="bo@example.org"))[0]

    code, out, _ = await program(running, "guests", "list", "--json")
    guests = json.loads(out)
    assert (code, [guest["name"] for guest in guests]) == (0, ["Ada Guest", NAME])
    assert (guests[0]["link_name"], guests[0]["item"], guests[0]["email"]) == ("A test", "abc", "ada@example.org")
    assert guests[0]["link"] == (await running.link(first)).link.id

    _, out, _ = await program(running, "guests", "list", "--item", "xyz")
    assert [line.split("  ")[0] for line in out.splitlines()] == ["name", NAME]

    _, out, _ = await program(running, "guests", "export", "--link", guests[1]["link"])
    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert (row["name"], row["email"], row["server"]) == ("'" + NAME, "bo@example.org", "tv")

    _, out, _ = await program(running, "guests", "export", "--server", "tv", "--format", "json")
    assert json.loads(out) == guests


async def test_a_link_made_beside_a_running_gateway_works_there(running: Running) -> None:
    code, out, err = await program(running, "link", "create", "--item", "abc", "--name", "From outside", "--json")
    assert code == 0, err
    link = json.loads(out)
    assert (await enter(running.port, link["url"]))[1].status == 303
    _, out, _ = await program(running, "link", "list", "--json")
    assert [one["clicks"]["used"] for one in json.loads(out)] == [1]


async def test_what_is_unknown_is_refused(running: Running) -> None:
    assert await program(running, "guests", "list") == (0, "", "no guests\n")
    code, out, err = await program(running, "guests", "list", "--link", "nothing")
    assert (code, out, "no such link" in err) == (1, "", True)
    code, out, err = await program(running, "guests", "export", "--server", "tb")
    assert (code, out, "no server tb" in err) == (2, "", True)
