"""What the media server's answers make of an item that a link is made for or a page is opened on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from gateway.config import Origin, Timeouts
from gateway.errors import UpstreamDown
from gateway.policy.load import load_policy_text
from gateway.policy.model import Policy
from gateway.upstream.client import HttpUpstream, open_ways
from gateway.upstream.resolve import Resolved, resolve_item
from gateway.upstream.steps import prepare, release
from tests.wire import Call, WireServer

POLICY = load_policy_text(
    """
server: x
item:
  id: "[a-z0-9]{3,20}"
  resolve:
    - request: GET /items/{id}
      id: $.uuid
      not_started: [{$.online: false}]
      ended: [{$.state: over}]
      vars: {title: $.name}
    - request: GET /types/{id}
  kind: {$.type: {Movie: video, Channel: live}}
kinds:
  video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}
  live: {like: video}
"""
)


TYPES = load_policy_text(
    """
server: x
item: {id: "[a-z0-9]{3,20}", resolve: [{request: "GET /types/{id}"}], kind: {$.type: {Movie: video}}}
kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}}
"""
)


async def resolved(item: str, answers: Mapping[str, object], policy: Policy = POLICY) -> Resolved:
    async def script(call: Call) -> None:
        body = answers.get(call.line.split()[1])
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        await call.answer(raw)

    async with WireServer(script) as server:
        times = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=5), idle=timedelta(seconds=5))
        upstream = HttpUpstream(Origin("http", "127.0.0.1", server.port), times)
        try:
            return await resolve_item(policy, {"": upstream}, item)
        finally:
            await upstream.close()


async def test_steps_are_asked_in_order_by_the_one_spelling() -> None:
    found = await resolved(
        "short1", {"/items/short1": {"uuid": "long1", "name": "Film"}, "/types/long1": {"type": "Movie"}}
    )
    assert (found.state, found.id, found.kind, found.title) == ("ok", "long1", "video", "Film")


@pytest.mark.parametrize(("extra", "state"), [({"online": False}, "not_started"), ({"state": "over"}, "ended")])
async def test_what_has_not_begun_has_its_one_spelling_kind_and_title_already(
    extra: Mapping[str, object], state: str
) -> None:
    """A link made before the start is for the id that the item has then."""
    answer = {"uuid": "long1", "name": "Match", "type": "Channel", **extra}
    found = await resolved("short1", {"/items/short1": answer})
    assert (found.state, found.id, found.kind, found.title) == (state, "long1", "live", "Match")


async def test_what_has_not_begun_may_be_told_of_in_few_words() -> None:
    found = await resolved("short1", {"/items/short1": {"online": False}})
    assert (found.state, found.id, found.kind, found.title) == ("not_started", "short1", None, None)


async def test_a_type_the_policy_does_not_share_is_no_item() -> None:
    answers = {"/items/abc1": {"uuid": "abc1"}, "/types/abc1": {"type": "Folder"}}
    assert (await resolved("abc1", answers)).state == "gone"


async def test_an_id_that_can_stand_in_no_address_is_gone_and_not_asked_for() -> None:
    dots = load_policy_text(
        """
server: x
item: {id: "[a-z.]{3,20}", resolve: [{request: "GET /items/{id}/about"}]}
kinds: {video: {open: "/m/{id}/", allow: ["page GET /m/{id}/"]}}
"""
    )
    assert (await resolved("au..", {}, dots)).state == "gone"


@pytest.mark.parametrize("page", [b"<h1>Back soon</h1>", b""])
async def test_a_page_instead_of_data_is_a_broken_server_and_no_lost_item(page: bytes) -> None:
    """A maintenance page with status 200 must not end the grants of everybody who reloads."""
    assert (await resolved("abc1", {"/types/abc1": {"type": "Movie"}}, TYPES)).kind == "video"
    with pytest.raises(UpstreamDown):
        await resolved("abc1", {"/types/abc1": page}, TYPES)


async def test_each_step_asks_at_its_own_address() -> None:
    """resolve, prepare and release alike."""
    policy = load_policy_text(
        """
server: x
item:
  id: "[a-z0-9]+"
  resolve: [{request: "GET /api/{id}", at: api, vars: {title: $.title}}, {request: "GET /also/{id}"}]
kinds:
  video:
    open: "/m/{id}"
    prepare: [{request: "POST /new/{id}", at: rtc, vars: {play: $.play}}, {request: "POST /more/{id}"}]
    release: [{request: "DELETE /old/{play}", at: rtc}]
    allow: ["page GET /m/{id}"]
upstream: {headers: {X-Key: secret-of-the-server}}
"""
    )

    async def script(call: Call) -> None:
        assert call.header("X-Key") == "secret-of-the-server"
        await call.answer(b'{"title": "Film", "play": "p1"}', headers="Content-Type: application/json\r\n")

    async with WireServer(script) as main, WireServer(script) as api, WireServer(script) as rtc:
        ports = {"": main.port, "api": api.port, "rtc": rtc.port}
        addresses = {name: Origin("http", "127.0.0.1", port) for name, port in ports.items()}
        async with open_ways(addresses, Timeouts()) as ways:
            resolved = await resolve_item(policy, ways, "abc")
            assert resolved.title == "Film"
            kind, known = policy.kinds["video"], {"id": ("abc",)}
            prepared = await prepare(policy, kind, ways, known)
            assert prepared.variables == {"play": ("p1",)}
            assert await release(policy, kind.release[0], ways, {**known, **prepared.variables}) == ""
        told = [[call.line.rpartition(" ")[0] for call in one.calls] for one in (main, api, rtc)]
    assert told == [["GET /also/abc", "POST /more/abc"], ["GET /api/abc"], ["POST /new/abc", "DELETE /old/p1"]]
