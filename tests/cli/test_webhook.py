"""`gateway webhook …` and what `doctor` says of webhooks, as separate programs beside a gateway."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.access.delivering import address_digest
from gateway.store import names
from gateway.store.notices import NoticeQueue
from tests import receivers
from tests.cli.conftest import POLICY
from tests.receivers import SECRET, GoodReceiver, good_receiver, wire_receiver
from tests.running import Running, free_port, running_gateway


async def program(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments, "--config", str(folder / "config.yaml"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def entry(name: str, url: str, *, internal: bool = True) -> str:
    return f"  - {{name: {name}, url: '{url}', secret: '{SECRET.decode()}', allow_internal: {str(internal).lower()}}}\n"


def configure(folder: Path, *entries: str) -> Path:
    """A deployment that has never run."""
    path = folder / "config.yaml"
    path.touch(mode=0o600)
    (folder / "policy.yaml").write_text(POLICY)
    path.write_text(
        "public_url: http://guest.localhost:8080\n"
        "servers: [{name: tv, upstream: 'http://127.0.0.1:9', policy: ./policy.yaml}]\n"
        f"webhooks:\n{''.join(entries)}"
    )
    return folder


@pytest.fixture
async def receiver() -> AsyncIterator[GoodReceiver]:
    async with good_receiver() as receiver:
        yield receiver


async def test_a_test_notice_is_signed_and_says_what_came_back(tmp_path: Path, receiver: GoodReceiver) -> None:
    folder = configure(tmp_path, entry("hook", receiver.url))
    code, out, err = await program(folder, "webhook", "test")
    assert (code, err) == (0, "")
    assert out.startswith("hook: took it (204), after 0.")
    (got,) = receiver.got
    assert got.signed_by(SECRET)
    assert {name for name, value in got.json.items() if value is not None} == {"event", "id", "time"}
    assert (got.event, got.json["id"]) == ("test", got.id)
    assert not (folder / "data").exists(), "and makes no store"
    assert "very-private" not in out


@pytest.mark.parametrize(
    ("status", "says", "hint"),
    [
        (401, "401: it refused", "does it verify with the same secret"),
        (404, "404: it refused", "is the path right?"),
        (500, "500: it refused", "its own log says why"),
        (302, "302: it redirects, which is not followed", "write the address it redirects to"),
    ],
)
async def test_what_a_receiver_says_comes_with_what_to_look_at(
    tmp_path: Path, receiver: GoodReceiver, status: int, says: str, hint: str
) -> None:
    receiver.status = status
    folder = configure(tmp_path, entry("hook", receiver.url))
    code, out, err = await program(folder, "webhook", "test")
    assert code == 1
    assert says in out
    assert hint in err
    assert len(receiver.got) == 1, "it is not repeated"


async def test_each_way_not_to_arrive_has_its_words(tmp_path: Path, receiver: GoodReceiver) -> None:
    async with wire_receiver(receivers.talks_nonsense) as nonsense:
        folder = configure(
            tmp_path,
            entry("nobody", f"http://127.0.0.1:{free_port()}/private"),
            entry("nameless", "https://no-such-name.invalid/private", internal=False),
            entry("inside", f"https://localhost:{receiver.port}/private", internal=False),
            entry("plain", f"https://127.0.0.1:{receiver.port}/private"),
            entry("odd", f"http://127.0.0.1:{nonsense}/private"),
            entry("good", receiver.url),
        )
        code, out, err = await program(folder, "webhook", "test", "--json")
    assert code == 1
    said = {one["name"]: one for one in json.loads(out)}
    assert said["nobody"]["trouble"].startswith("no connection")
    assert said["nameless"]["trouble"].startswith(("its name can't be looked up", "no answer in time"))
    assert said["inside"]["trouble"].startswith("its name leads to an internal address")
    assert said["plain"]["trouble"].startswith("its certificate can't be verified, or no TLS")
    assert said["odd"]["trouble"].startswith("no proper HTTP answer")
    assert (said["good"]["taken"], said["good"]["status"], said["good"]["trouble"]) == (True, 204, None)
    assert all(one["hint"] for name, one in said.items() if name != "good")
    assert "private" not in out + err
    assert [one.event for one in receiver.got] == ["test"]


async def test_usage(tmp_path: Path, receiver: GoodReceiver) -> None:
    folder = configure(tmp_path, entry("hook", receiver.url), entry("other", receiver.url))
    assert (await program(folder, "webhook", "test", "hook"))[0] == 0
    assert len(receiver.got) == 1
    code, _, err = await program(folder, "webhook", "test", "hok")
    assert (code, "did you mean hook?" in err) == (2, True)
    path = folder / "config.yaml"
    path.write_text(path.read_text().partition("webhooks:")[0])
    code, _, err = await program(folder, "webhook", "test")
    assert (code, "has no webhooks" in err) == (2, True)
    assert (await program(folder, "webhook", "list", "--json"))[:2] == (0, "[]\n")
    path.write_text(path.read_text() + "webhooks: [{name: hook}]\n")
    assert (await program(folder, "webhook", "test"))[0] == 2


@pytest.fixture
async def running(tmp_path: Path, receiver: GoodReceiver) -> AsyncIterator[Running]:
    (tmp_path / "config.yaml").touch(mode=0o600)
    extra = "webhooks:\n" + entry("hook", receiver.url)
    async with running_gateway(tmp_path, POLICY, free_port(), extra=extra) as gateway:
        yield gateway


async def doctor(folder: Path) -> dict[str, dict[str, Any]]:
    _, out, _ = await program(folder, "doctor", "--json")
    return {one["name"]: one for one in json.loads(out)["checks"]}


async def test_how_a_webhook_fares(running: Running, receiver: GoodReceiver, tmp_path: Path) -> None:
    assert (await doctor(tmp_path))["webhook hook"]["state"] == "note"
    queue = NoticeQueue(running.desk._links.store, "test")
    (hook,) = running.config.webhooks
    now = 1_800_000_000_000
    await queue.settle("hook", "msg_1", "sent", now=now)
    code, out, _ = await program(tmp_path, "webhook", "list", "--json")
    (said,) = json.loads(out)
    assert (code, said["host"], said["waiting"], said["sent"]) == (0, f"127.0.0.1:{receiver.port}", 0, 1)
    assert (said["last_success"], said["failing_since"]) == ("2027-01-15T08:00:00Z", None)
    assert (await doctor(tmp_path))["webhook hook"]["state"] == "ok"

    await queue.settle("hook", "msg_2", "retry", now=now + 1000, due=now + 9000, what="500: it refused")
    found = (await doctor(tmp_path))["webhook hook"]
    assert found["state"] == "problem"
    assert "500: it refused" in found["what"]
    _, out, _ = await program(tmp_path, "webhook", "list")
    assert "500: it refused" in out
    assert "very-private" not in out

    await queue.settle("hook", "msg_3", "gone", now=now + 2000, what="410: it refused", address=address_digest(hook))
    assert "said that it is gone" in (await doctor(tmp_path))["webhook hook"]["what"]
    _, out, _ = await program(tmp_path, "webhook", "list", "--json")
    assert json.loads(out)[0]["gone"] is True
    state = (await queue.states(["hook"]))["hook"]
    assert address_digest(replace(hook, url="https://elsewhere.example.org/")) != state.gone

    assert (await program(tmp_path, "webhook", "test"))[0] == 0
    assert (await queue.states(["hook"]))["hook"].gone is None, "whoever takes a notice is not gone"
    await running.desk._links.store.run(lambda client: client.hset(names.webhook("hook")[3], "dropped", 7))
    _, out, _ = await program(tmp_path, "doctor")
    assert "7 notices fell out of a full queue" in out
