"""Media beside the gateway: when a grant ends the server is asked to end each session that it handed to that guest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import BadFile
from gateway.links.ids import slot_of
from gateway.policy.load import load_policy_text
from gateway.store import names
from gateway.store.guests import BROUGHT
from tests.running import Running, free_port, running_gateway
from tests.system.stage import Guest, running_worker, until
from tests.system.test_capture import ITEM, Whep, ask, enter, server

__all__ = ["server"]

POLICY = """
server: WHEP server
item: {id: "[a-z0-9]{6,32}"}
kinds:
  live:
    open: /live/{id}
    beside: webrtc
    release: ["DELETE /whep/{id}/{session}"]
    allow:
      - page GET /live/{id}
      - request: POST /whep/{id}
        body: {type: application/sdp}
        capture: {session: "Location: /whep/{id}/{session}"}
guest_access: {on_revoke: cut}
"""


@pytest.fixture
async def gateway(tmp_path: Path, server: Whep) -> AsyncIterator[Running]:  # the fixture of that name
    port = free_port()
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\ndata_dir: data\n"
        f"servers:\n  - name: tv\n    upstream: http://127.0.0.1:{server.port}\n    policy: ./policy.yaml\n"
    )
    async with running_worker(tmp_path) as running:
        yield running


async def offer(guest: Guest, times: int = 1) -> None:
    for _ in range(times):
        assert (await ask(guest, f"POST /whep/{ITEM}", b"offer")).status == 201


def kicked(*numbers: int) -> list[str]:
    return sorted(f"DELETE /whep/{ITEM}/s{number}" for number in numbers)


async def test_each_session_of_a_guest_is_ended_with_the_grant_and_nobody_elses(
    gateway: Running,
    server: Whep,
) -> None:
    first, second = await gateway.make_link(ITEM), await gateway.make_link(ITEM)
    one, silent, other = await enter(gateway, first), await enter(gateway, first), await enter(gateway, second)
    await offer(one, 2)
    await offer(other)
    assert await silent.status(f"/live/{ITEM}") == 200, "a guest to whom nothing was handed"
    await gateway.desk.edit((await gateway.link(first)).link.id, {"enabled": False})
    await until("the server is asked to end both", lambda: sorted(server.changed) == kicked(1, 2))
    await gateway.delete(second)
    await until("and then the other one's", lambda: sorted(server.changed) == kicked(1, 2, 3))


async def test_who_makes_more_sessions_than_are_kept_loses_the_oldest_at_once(
    gateway: Running,
    server: Whep,
) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    await offer(guest, BROUGHT + 2)
    await until("the two oldest are ended", lambda: sorted(server.changed) == kicked(1, 2))
    await gateway.delete(link)
    everything = kicked(*range(1, BROUGHT + 3))
    await until("all others with the grant", lambda: sorted(server.changed) == everything)


async def test_an_erasure_ends_them_as_well(gateway: Running, server: Whep) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    await offer(guest)
    (visitor,) = await gateway.gateway.lasting.store.guests.of_item(slot_of((await gateway.link(link)).link.id))
    await gateway.desk.remove(visitor.guest, erase=True)
    await until("the server is asked", lambda: server.changed == kicked(1))


async def test_a_release_that_fails_is_tried_again_and_what_succeeded_is_not(
    gateway: Running,
    server: Whep,
) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    await offer(guest, 3)
    server.refuse = {"s2"}
    await gateway.delete(link)
    await until("the first is ended", lambda: "DELETE /whep/abc123/s3" in server.changed)
    server.refuse = set()
    await until("all are", lambda: set(server.changed) == set(kicked(1, 2, 3)), seconds=20)
    assert server.changed.count(f"DELETE /whep/{ITEM}/s3") == 1


async def test_who_is_removed_by_name_is_removed_once_more(
    tmp_path: Path, server: Whep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker may have let them in again before it has heard of the end."""
    monkeypatch.setattr("gateway.access.preparing.AGAIN", 2_000)
    person = 'release: ["DELETE /whep/{id}/{session}", "DELETE /people/{grant.id}"]'
    policy = POLICY.replace('release: ["DELETE /whep/{id}/{session}"]', person)
    async with running_gateway(tmp_path, policy, server.port) as gateway:
        link = await gateway.make_link(ITEM)
        guest = await enter(gateway, link)
        await offer(guest)
        await gateway.delete(link)
        await until("the guest and their session are ended", lambda: len(server.changed) == 2)
        session, once = server.changed
        assert ([session], once.partition("/people/")[0]) == (kicked(1), "DELETE ")
        await until("and the guest once more", lambda: server.changed[2:] == [once])

        async def nothing_left() -> bool:
            store = gateway.gateway.lasting.store.store
            return not await store.run(lambda client: client.exists(names.RELEASES_JOBS))

        await until("and that is all", nothing_left)
        assert len(server.changed) == 3


HEAD = """
server: x
item: {id: "[a-z]+"}
kinds:
  live:
    open: /live/{id}
    beside: webrtc
    RELEASE
    allow: ["page GET /live/{id}", {request: "POST /w/{id}", capture: {s: "Location: /w/{id}/{s}"}}]
"""
CUT = "guest_access: {on_revoke: cut}\n"


def test_cut_needs_a_release_and_drain_is_warned() -> None:
    with pytest.raises(BadFile, match=r"p\.yaml:7:13: beside: on_revoke: cut needs a release"):
        load_policy_text(HEAD.replace("RELEASE", "") + CUT, name="p")
    (warning,) = load_policy_text(HEAD.replace("RELEASE", ""), name="p").warnings
    assert str(warning) == "p.yaml:7:13: beside: without a release nobody ends what flows beside the gateway"
    kicks = HEAD.replace("RELEASE", 'release: ["DELETE /w/{id}/{s}"]')
    policy = load_policy_text(kicks + CUT, name="p")
    assert policy.warnings == ()
    assert policy.kinds["live"].beside == "webrtc"
    with pytest.raises(BadFile, match="beside: webrtc or websocket, and nothing else"):
        load_policy_text(HEAD.replace("beside: webrtc", "beside: rtp").replace("RELEASE", ""))
    with pytest.raises(BadFile, match=r"unknown name \{t\}"):
        load_policy_text(HEAD.replace("RELEASE", 'release: ["DELETE /w/{id}/{t}"]'))


def test_media_that_ends_with_its_websocket_needs_no_release() -> None:
    by_socket = HEAD.replace("beside: webrtc", "beside: websocket").replace("RELEASE", "")
    with pytest.raises(BadFile, match=r"p\.yaml:7:13: beside: websocket: no rule of this kind is a websocket \(WS\)"):
        load_policy_text(by_socket + CUT, name="p")
    policy = load_policy_text(by_socket.replace('allow: ["', 'allow: ["WS /w/{id}", "') + CUT, name="p")
    assert policy.warnings == ()
    assert policy.kinds["live"].beside == "websocket"
