"""An id that a media server hands to one guest, as WHEP servers do: his on every worker, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.running import Running, free_port
from tests.system.stage import Guest, running_worker

ITEM = "abc123"
POLICY = """
server: WHEP server
item: {id: "[a-z0-9]{6,32}"}
kinds:
  live:
    open: /live/{id}
    allow:
      - page GET /live/{id}
      - request: POST /whep/{id}
        body: {type: application/sdp}
        capture: {session: "Location: /whep/{id}/{session}"}
      - request: PATCH /whep/{id}/{session}
        body: {type: application/sdp}
      - DELETE /whep/{id}/{session}
      - request: POST /api/{id}
        body: {type: application/sdp}
        capture: {token: $.session.id}
      - GET /api/{id}/state?token={token}
upstream: {headers: {X-Key: "the-operator's-own-key"}}
examples: {with: {vars: {session: s1}}, allow: [DELETE /whep/abc123/s1], deny: [DELETE /whep/abc123/s2]}
"""


@dataclass
class Whep:
    """`location`: what stands in the answer instead of the session's own address."""

    port: int = 0
    made: int = 0
    location: str | None = None
    token: Any = None
    changed: list[str] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)  # sessions that it can't change just now

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, method = request.path, request.method
        if method in ("PATCH", "DELETE"):
            if path.rpartition("/")[2] in self.refuse:
                return web.Response(status=500)
            self.changed.append(f"{method} {request.raw_path}")
            return web.Response(status=204)
        if method == "POST":
            self.made += 1
            if path.startswith("/api/"):
                token = f"t{self.made}" if self.token is None else self.token
                return web.json_response({"session": {"id": token}})
            location = f"/whep/{ITEM}/s{self.made}" if self.location is None else self.location
            return web.Response(status=201, headers={"Location": location, "Content-Type": "application/sdp"})
        return web.Response(text="<title>live</title>", content_type="text/html")


@pytest.fixture
async def server() -> AsyncIterator[Whep]:
    server = Whep()
    runner = web.ServerRunner(web.Server(server.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


@pytest.fixture
async def gateway(tmp_path: Path, server: Whep) -> AsyncIterator[Running]:
    port = free_port()
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\ndata_dir: data\n"
        f"servers:\n  - name: tv\n    upstream: http://127.0.0.1:{server.port}\n    policy: ./policy.yaml\n"
    )
    async with running_worker(tmp_path) as running:
        yield running


async def enter(gateway: Running, link: str) -> Guest:
    guest = Guest(gateway.port)
    assert (await guest.post(link, await guest.form(link))).status == 303
    return guest


async def ask(guest: Guest, line: str, body: bytes = b"") -> Any:
    headers = f"Origin: http://{guest.host}\r\n" + ("Content-Type: application/sdp\r\n" if body else "")
    return await guest.ask(line, page=False, headers=headers, body=body)


async def test_what_was_handed_to_one_guest_is_that_guests(gateway: Running, server: Whep) -> None:
    link = await gateway.make_link(ITEM)
    one, two = await enter(gateway, link), await enter(gateway, link)
    assert (await ask(one, f"PATCH /whep/{ITEM}/s1", b"x")).status == 403
    answer = await ask(one, f"POST /whep/{ITEM}", b"offer")
    assert (answer.status, answer.headers["location"]) == (201, f"/whep/{ITEM}/s1")
    assert (await ask(one, f"PATCH /whep/{ITEM}/s1", b"x")).status == 204
    for guest, path in ((two, "s1"), (one, "s2"), (one, "S1"), (one, "s1/"), (one, "")):
        assert (await ask(guest, f"DELETE /whep/{ITEM}/{path}")).status == 403, path
    await ask(two, f"POST /whep/{ITEM}", b"offer")
    assert (await ask(one, f"DELETE /whep/{ITEM}/s2")).status == 403
    # A second one of the same guest's: both are theirs.
    await ask(one, f"POST /whep/{ITEM}", b"offer")
    for path in ("s1", "s3"):
        assert (await ask(one, f"DELETE /whep/{ITEM}/{path}")).status == 204
    assert server.changed == [f"PATCH /whep/{ITEM}/s1", f"DELETE /whep/{ITEM}/s1", f"DELETE /whep/{ITEM}/s3"]


async def test_the_next_request_may_come_by_way_of_another_worker_at_once(
    tmp_path: Path, gateway: Running, server: Whep
) -> None:
    async with running_worker(tmp_path, port=free_port()) as second:
        link = await gateway.make_link(ITEM)
        guest = await enter(gateway, link)
        other = Guest(second.port, host=guest.host, jar=guest.jar)
        assert await other.status(f"/live/{ITEM}") == 200  # both know the grant
        # Nobody tells the second worker of anything.
        second.gateway.grants._stale_grants = _Deaf()
        for number in range(1, 6):
            assert (await ask(guest, f"POST /whep/{ITEM}", b"offer")).status == 201
            assert (await ask(other, f"PATCH /whep/{ITEM}/s{number}", b"x")).status == 204


class _Deaf(set[str]):
    def __ior__(self, other: object) -> _Deaf:  # type: ignore[override,misc]
        return self


async def test_a_value_in_json_is_known_before_the_answer_is_seen(gateway: Running, server: Whep) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    assert await guest.status(f"/api/{ITEM}/state?token=t1") == 403
    answer = await ask(guest, f"POST /api/{ITEM}", b"x")
    assert (answer.status, answer.body) == (200, b'{"session": {"id": "t1"}}')
    assert await guest.status(f"/api/{ITEM}/state?token=t1") == 200
    assert await guest.status(f"/api/{ITEM}/state?token=t2") == 403


@pytest.mark.parametrize(
    "location",
    [
        "/whep/xyz789/s1",
        "/whep/abc123/../../admin",
        "/whep/abc123/a%2Fb",
        "/whep/abc123/s1/more",
        "http://elsewhere.example/whep/abc123/s1",
        "//elsewhere.example/whep/abc123/s1",
        "/whep/abc123/",
        "/whep/abc123/" + "x" * 600,
        "/whep/abc123/the-operator's-own-key?",
        "",
    ],
)
async def test_an_answer_that_names_something_else_gives_nothing(gateway: Running, server: Whep, location: str) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    server.location = location
    answer = await ask(guest, f"POST /whep/{ITEM}", b"offer")
    assert "location" not in answer.headers
    for path in ("/whep/abc123/s1", "/whep/xyz789/s1", "/admin", f"/whep/abc123/{'x' * 600}"):
        assert (await ask(guest, f"DELETE {path}")).status == 403
    assert server.changed == []


async def test_of_each_name_only_the_latest_few_are_kept(gateway: Running, server: Whep) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    await asyncio.gather(*(ask(guest, f"POST /whep/{ITEM}", b"offer") for _ in range(10)))
    for _ in range(10):
        await ask(guest, f"POST /whep/{ITEM}", b"offer")
    (live,) = gateway.gateway.grants._live.values()
    record = (await gateway.gateway.lasting.store.guests.grants([live.grant.id]))[live.grant.id][0]
    assert len(record.brought["session"]) == 16
    assert record.brought["session"][:10] == tuple(f"s{number}" for number in range(20, 10, -1))
    assert (await ask(guest, f"DELETE /whep/{ITEM}/s20")).status == 204


async def test_what_was_captured_ends_with_the_grant(gateway: Running, server: Whep) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    await ask(guest, f"POST /whep/{ITEM}", b"offer")
    before = dict(guest.jar)
    await guest.leave()
    guest.jar = before
    assert (await ask(guest, f"DELETE /whep/{ITEM}/s1")).status == 403
    again = await enter(gateway, link)
    assert (await ask(again, f"DELETE /whep/{ITEM}/s1")).status == 403
