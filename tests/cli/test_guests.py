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
from tests.running import Running, ask, enter, free_port, running_gateway

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


async def test_answers_are_listed_and_exported(running: Running) -> None:
    fields = "[{name: company, label: Company, type: text}, {name: news, label: News, type: checkbox}]"
    consent = '{text: I agree, version: "2026-11"}'
    await running.reconfigure("servers:\n", f"guests: {{fields: {fields}, consent: {consent}}}\nservers:\n")
    link = await running.make_link("abc")
    await enter(running.port, link, name="Ada", company="=1+1", news="1", consent="2026-11")
    _, out, _ = await program(running, "guests", "list", "--json")
    (guest,) = json.loads(out)
    assert (guest["fields"], guest["consent"]["version"]) == ({"company": "=1+1", "news": True}, "2026-11")
    _, out, _ = await program(running, "guests", "list")
    assert "company: =1+1; news: yes; consent: 2026-11 (" in out
    _, out, _ = await program(running, "guests", "export")
    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert (row["fields.company"], row["fields.news"], row["consent_version"]) == ("'=1+1", "true", "2026-11")
    assert (await program(running, "guests", "erase", "--guest", guest["id"]))[0] == 0
    for command in ("list", "export"):
        out = (await program(running, "guests", command, "--json"))[1]
        assert (json.loads(out)[0]["fields"], json.loads(out)[0]["consent"]) == ({}, None)


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


async def test_a_guest_is_removed_and_a_person_erased(running: Running) -> None:
    link = await running.make_link("abc")
    cookie, _ = await enter(running.port, link, name="Eve Erased", email="eve@example.org")
    await enter(running.port, link, name="Ada", email="ada@example.org")
    guests = json.loads((await program(running, "guests", "list", "--json"))[1])
    code, out, err = await program(running, "guests", "remove", guests[1]["id"])
    assert (code, out, err) == (0, "", f"removed {guests[1]['id']}\n")
    assert json.loads((await program(running, "guests", "erase", "--email", "EVE@example.org", "--json"))[1]) == {
        "erased": 1,
        "on_lists_of": [],
    }
    assert (await ask(running.port, "GET /hls/abc/seg1.ts", cookie=cookie)).status == 403
    _, listed, _ = await program(running, "guests", "list")
    assert "Eve" not in listed
    assert "Ada" in listed
    assert (await program(running, "guests", "erase"))[0] == 2
    assert (await program(running, "guests", "erase", "--email", "nonsense"))[0] == 2
    assert (await program(running, "guests", "remove", "0" * 22))[0] == 1


async def test_an_erasure_tells_on_which_lists_the_address_stands(running: Running) -> None:
    link = await running.make_link("abc", emails=["Eve@Example.org", "@club.example"])
    await running.make_link("abc", emails=["@example.org"])
    identifier = (await running.link(link)).link.id
    await enter(running.port, link, name="Eve", email="eve@example.org")
    code, out, err = await program(running, "guests", "erase", "--email", "EVE@example.org")
    assert (code, out) == (0, "")
    assert "erased 1 guest\n" in err
    assert err.count("still stands on the list") == 1
    assert f'link {identifier} "A test": `gateway link edit {identifier} --email' in err
    # Also of somebody who never came.
    told = json.loads((await program(running, "guests", "erase", "--email", "eve@example.org", "--json"))[1])
    assert told == {"erased": 0, "on_lists_of": [identifier]}


async def test_an_erased_person_leaves_no_trace_in_any_file(
    running: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    """Dump, rewritten append-only file, exports, log: nothing holds the name or the address."""
    name, email = "Marguerite Duras", "marguerite.duras@example.org"
    link = await running.make_link("abc")
    await enter(running.port, link, name=name, email=email)
    data = running.config.data_dir
    await asyncio.sleep(1.2)  # appendfsync everysec
    assert trace(data, name, email)
    assert (await program(running, "guests", "erase", "--email", email))[0] == 0
    for _ in range(100):
        if not trace(data, name, email):
            break
        await asyncio.sleep(0.1)
    assert not trace(data, name, email)
    store = running.gateway.desk._links.store
    await store.run(lambda client: client.save())
    assert not trace(data, name, email)
    for command in (("guests", "export"), ("guests", "list", "--json"), ("audit", "--json")):
        _, out, _ = await program(running, *command)
        assert "Duras" not in out
        assert "duras" not in out
    said = capfd.readouterr()
    assert "duras" not in (said.out + said.err).lower()


def trace(folder: Path, *words: str) -> list[str]:
    """Files below this folder that hold one of these words."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words):
            found.append(path.name)
    return found


async def test_the_record_tells_who_did_what(running: Running) -> None:
    code, out, err = await program(running, "link", "create", "--item", "abc", "--name", "Friends", "--json")
    assert code == 0, err
    link = json.loads(out)
    await program(running, "link", "edit", link["id"], "--clicks", "3")
    await enter(running.port, link["url"])
    await program(running, "guests", "export")
    await program(running, "link", "delete", link["id"])
    code, out, _ = await program(running, "audit", "--json")
    events = json.loads(out)
    assert [(one["action"], one["who"].partition(":")[0]) for one in reversed(events)] == [
        ("link_created", "cli"), ("link_changed", "cli"), ("link_opened", "guest"), ("guest_admitted", "guest"),
        ("guests_exported", "cli"), ("link_deleted", "cli"),
    ]  # fmt: skip
    assert link["url"].rpartition("/")[2] not in out
    assert "ada@example.org" not in out
    _, out, _ = await program(running, "audit", "--link", link["id"], "--action", "link_changed")
    assert "clicks_limit=3" in out
    _, out, _ = await program(running, "audit", "--format", "csv", "--limit", "1")
    assert [row["action"] for row in csv.DictReader(io.StringIO(out, newline=""))] == ["link_deleted"]
    code, _, err = await program(running, "audit", "--action", "link_crated")
    assert (code, "did you mean link_created" in err) == (2, True)
