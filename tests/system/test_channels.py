"""What goes on when a session is over (channels, a channel's room, folders) is not given to guests: not by the API, not
by the managing page, not on the command line, and not by a link from before it was one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.long_lived import Owner
from tests.running import Running
from tests.system.stage import Guest, path_of, running_worker
from tests.wire import Call, WireServer

POLICY = """
server: Sessions and channels
item:
  id: "[a-z0-9]{3,12}"
  resolve:
    - request: GET /api/{id}
      gone: [404]
  kind: {$.type: {Session: live, Channel: channel, ChannelRoom: channel}}
kinds:
  live:
    open: /page/{id}
    allow: ["page GET /page/{id}", "GET /media/{id}"]
  channel: {guest_access: false}
"""


SAID = "items of kind channel can't be opened to guests"


class Media:
    def __init__(self) -> None:
        self.types = {"session1": "Session", "channel1": "Channel", "room1": "ChannelRoom", "other1": "Something"}

    async def __call__(self, call: Call) -> None:
        if call.target.startswith("/api/"):
            kind = self.types.get(call.target.rpartition("/")[2])
            body = json.dumps({"type": kind}).encode()
            await call.answer(body, status="200 OK" if kind else "404 Not Found")
        else:
            await call.answer(b"<title>page</title>", headers="Content-Type: text/html\r\n")


async def test_no_door_makes_a_link_to_a_channel_and_one_from_before_opens_it_no_more(tmp_path: Path) -> None:
    media = Media()
    async with WireServer(media) as server:
        owner = Owner.of(tmp_path, upstream=f"http://127.0.0.1:{server.port}", policy=POLICY)
        async with running_worker(tmp_path) as running:
            link = await owner.link("session1")
            guest = Guest(owner.port)
            assert (await guest.post(link, await guest.form(link))).status == 303
            assert await guest.status("/media/session1") == 200
            for item in ("channel1", "room1"):
                for line, body in (
                    ("POST /links", {"name": "x"}), ("POST /links", {"name": "x", "kind": "channel"}),
                    ("PUT /access", {"enabled": True}),
                ):  # fmt: skip
                    refused = await owner.asks(line, refused=True, server="tv", item=item, **body)
                    assert (refused["status"], refused["detail"]) == (409, SAID)
                # A kind that does not fit is not believed.
                refused = await owner.asks("POST /links", refused=True, server="tv", item=item, name="x", kind="live")
                assert refused["errors"] == {"kind": "the media server says it is channel"}
                assert (await Guest(owner.port).get(f"/media/{item}")).status == 403
                assert (await guest.get(f"/media/{item}")).status == 403
            # A sort that the policy does not name is nothing that could be shared either.
            for kind in ({}, {"kind": "live"}):
                await owner.asks("POST /links", refused=True, server="tv", item="other1", name="x", **kind)
            assert [one["item"] for one in (await owner.asks("GET /links"))["links"]] == ["session1"]

            # The session has become a channel, or the operator has said that sessions are not for guests.
            media.types["session1"] = "Channel"
            assert (await guest.get("/page/session1")).status == 410
            assert await guest.status("/media/session1") == 403
            assert await Guest(owner.port).status(path_of(link)) == 410
            media.types["session1"] = "Session"
            assert (await guest.get(path_of(link))).status == 303
            await closed(running, tmp_path)
            assert await guest.status("/media/session1") == 403
            assert await Guest(owner.port).status(path_of(link)) == 410


async def closed(running: Running, folder: Path) -> None:
    text = (folder / "policy.yaml").read_text()
    at = text.index("  live:")
    (folder / "policy.yaml").write_text(text[:at] + "  live: {guest_access: false}\n  channel: {guest_access: false}\n")
    await running.reconfigure("data_dir: data\n", "data_dir: data \n")


def test_the_command_line_refuses_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from gateway.cli import main

    monkeypatch.chdir(tmp_path)
    policy = POLICY.replace("  kind: {$.type: {Session: live, Channel: channel, ChannelRoom: channel}}\n", "")
    (tmp_path / "policy.yaml").write_text(policy.replace("    - request: GET /api/{id}\n      gone: [404]\n", ""))
    (tmp_path / "config.yaml").write_text(
        "public_url: http://guest.localhost:8080\nlisten: 127.0.0.1:0\ndata_dir: data\n"
        "servers: [{name: tv, upstream: 'http://127.0.0.1:9', policy: ./policy.yaml}]\n"
    )
    for words in ("link create --name x --kind channel", "access on --kind channel"):
        found = CliRunner().invoke(main, [*words.split(), "--server", "tv", "--item", "room1"], prog_name="gateway")
        assert found.exit_code == 1
        assert SAID in found.stderr, found.output
