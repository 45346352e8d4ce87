"""Requests that the gateway makes for a grant go with the cookies that its own answers have set."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.config import Origin, Timeouts
from gateway.policy.jar import kept_secrets
from gateway.policy.load import load_policy_text
from gateway.upstream import steps
from gateway.upstream.client import HttpUpstream
from gateway.upstream.steps import prepare, release
from tests.wire import Call, WireServer

POLICY = """
server: Rooms
item: {id: "[a-z0-9]{3,20}"}
kinds:
  room:
    open: /client/{id}
    prepare:
      - request: POST /api/join/{id}
        json: {role: viewer}
        vars: {token: $.token}
      - request: GET /api/check/{id}
    release: ["POST /api/leave/{id}", {request: "POST /other/{id}", headers: {Cookie: "own=1"}}]
    allow: ["page GET /client/{id}"]
cookies: [JSESSIONID]
"""
TIMES = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=5), idle=timedelta(seconds=5))


async def test_from_the_first_answer_of_prepare_to_the_last_request_of_release() -> None:
    asked: list[tuple[str, str | None]] = []

    async def script(call: Call) -> None:
        await call.reader.readexactly(int(call.header("Content-Length") or 0))
        asked.append((call.target, call.header("Cookie")))
        lines = "Set-Cookie: JSESSIONID=0123456789ABCDEF; Path=/api; HttpOnly\r\nSet-Cookie: other=1\r\n"
        await call.answer(b'{"token": "t1"}', headers=lines if "join" in call.target else "")

    policy = load_policy_text(POLICY)
    kind = policy.kinds["room"]
    async with WireServer(script) as server:
        ways = {"": HttpUpstream(Origin("http", "127.0.0.1", server.port), TIMES)}
        try:
            found = await prepare(policy, kind, ways, {"id": ("abc",)})
            assert found.state == "ok"
            assert found.variables["token"] == ("t1",)
            assert kept_secrets(found.variables) == ("0123456789ABCDEF",)
            for request in kind.release:
                assert await release(policy, request, ways, {"id": ("abc",), **found.variables}) == ""
        finally:
            await ways[""].close()
    session = "JSESSIONID=0123456789ABCDEF"
    assert asked == [
        ("/api/join/abc", None),
        ("/api/check/abc", session),
        ("/api/leave/abc", session),
        ("/other/abc", "own=1"),
    ]


@pytest.mark.parametrize("fault", ["400", "gone", "nonsense", "silence"])
async def test_what_is_for_a_group_keeps_nobody_out(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it bring half of what it should."""
    monkeypatch.setattr(steps, "GROUP_SECONDS", 1.0 if fault == "silence" else 5.0)
    text = POLICY.replace(
        "      - request: GET /api/check/{id}\n",
        """      - request: POST /api/chat/{id}
        vars: {chat: $.chat, name: $.name}
        for: talk
      - {request: "POST /api/chat/{chat}/more", for: talk}
      - request: GET /api/check/{id}
""",
    ).replace(
        "cookies:", '    interactions: {talk: ["GET /talk/{chat}"]}\nguest_access: {interactions: [talk]}\ncookies:'
    )
    asked: list[str] = []

    async def script(call: Call) -> None:
        await call.reader.readexactly(int(call.header("Content-Length") or 0))
        asked.append(call.target)
        if "chat" not in call.target:
            await call.answer(b'{"token": "t1"}')
        elif fault == "silence":
            await asyncio.sleep(5)
        else:
            lines = "Set-Cookie: JSESSIONID=0123456789ABCDEF; Path=/\r\n"
            status = {"400": "400 Bad Request", "gone": "404 Not Found"}.get(fault, "200 OK")
            await call.answer(b'{"chat": "c1"}', status=status, headers=lines)

    policy = load_policy_text(text)
    async with WireServer(script) as server:
        ways = {"": HttpUpstream(Origin("http", "127.0.0.1", server.port), TIMES)}
        try:
            found = await prepare(policy, policy.kinds["room"], ways, {"id": ("abc",)})
        finally:
            await ways[""].close()
    assert (found.state, dict(found.variables)) == ("ok", {"token": ("t1",)})
    assert asked == ["/api/join/abc", "/api/chat/abc", "/api/check/abc"]
