"""A server that the gateway signs in to: once for all who wait, again when it must, never in a loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gateway.config import Origin, Timeouts
from gateway.errors import UpstreamDown
from gateway.policy.load import load_policy_text
from gateway.policy.login import holds_mark, mark_of
from gateway.upstream.client import HttpUpstream, UpstreamRefusedUpgrade
from gateway.upstream.resolve import resolve_item
from gateway.upstream.signed_in import SignedIn, SignIn
from tests.wire import Call, WireServer

POLICY = """
server: x
item: {id: "[a-z0-9]{3,20}", resolve: [{request: "GET /api/{id}", vars: {title: $.title}}]}
kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}"]}}
upstream:
  headers: {Authorization: "Bearer {login.token}", X-Gate: "fixed-credential"}
"""
JSON = '  login: {request: POST /auth, json: {user: robot, pw: "pa{ss}word"}, secrets: {token: $.a.token}}\n'
TIMES = Timeouts(connect=timedelta(seconds=5), answer=timedelta(seconds=5), idle=timedelta(seconds=5))
BEARER = ("Authorization", f"Bearer {mark_of('token')}")


@dataclass
class Guarded:
    """What it takes; `/auth` gives the next token."""

    good: set[str] = field(default_factory=set)
    given: int = 0
    odd: bytes | None = None
    status: str = "200 OK"
    headers: str = ""
    slow: float = 0
    forbidden: str = "/never"
    asked: list[tuple[str, str | None, bytes]] = field(default_factory=list)

    async def script(self, call: Call) -> None:
        length = int(call.header("Content-Length") or 0)
        body = await call.reader.readexactly(length)
        token = call.header("Authorization")
        self.asked.append((call.line.rpartition(" ")[0], token, body))
        if call.target.startswith("/auth"):
            self.given += 1
            await asyncio.sleep(self.slow)
            token = f"token-{self.given:04d}"
            if self.status == "200 OK":
                self.good = {token}
            said = self.odd if self.odd is not None else json.dumps({"a": {"token": token}}).encode()
            await call.answer(said, status=self.status, headers=self.headers + "Content-Type: application/json\r\n")
        elif token is None or token.removeprefix("Bearer ") not in self.good or call.target == self.forbidden:
            await call.answer(b"no", status="401 Unauthorized")
        else:
            await call.answer(json.dumps({"title": token}).encode())

    @property
    def logins(self) -> int:
        return sum(line.startswith(("POST /auth", "GET /auth")) for line, _, _ in self.asked)


class Ticking:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def signed(guarded: Guarded, login: str = JSON, clock: Ticking | None = None) -> AsyncIterator[SignedIn]:
    policy = load_policy_text(POLICY + login)
    assert policy.login is not None
    async with WireServer(guarded.script) as server:
        line = HttpUpstream(Origin("http", "127.0.0.1", server.port), TIMES)
        upstream = SignedIn(line, SignIn(line, policy.login, policy, clock=clock or Ticking()))
        try:
            yield upstream
        finally:
            await upstream.close()


async def ask(upstream: SignedIn, target: str = "/x", method: str = "GET", body: bytes | None = None) -> int:
    headers = [BEARER, *([("Content-Type", "application/json")] if body else [])]
    async with upstream.request(method, target, headers, body) as answer:
        await answer.read(100_000)
        return answer.status


async def test_one_sign_in_serves_all_who_come_at_once_and_later() -> None:
    guarded = Guarded(slow=0.05)
    async with signed(guarded) as upstream:
        assert await asyncio.gather(*(ask(upstream) for _ in range(50))) == [200] * 50
        assert await ask(upstream) == 200
    assert guarded.logins == 1
    line, token, body = guarded.asked[0]
    assert (line, token) == ("POST /auth", None)
    assert json.loads(body) == {"user": "robot", "pw": "pa{ss}word"}


async def test_a_stampede_of_refusals_is_one_more_sign_in_and_one_more_request_each() -> None:
    guarded, clock = Guarded(), Ticking()
    async with signed(guarded, clock=clock) as upstream:
        assert await ask(upstream) == 200
        clock.now += 1_000
        guarded.good, guarded.slow = set(), 0.05
        before = len(guarded.asked)
        assert await asyncio.gather(*(ask(upstream, "/y", "POST", b'{"a": 1}') for _ in range(50))) == [200] * 50
        assert guarded.logins == 2
        assert len(guarded.asked) - before <= 101
        assert upstream.sign_in.known[1:] == ("token-0002", "token-0001")


async def test_a_server_that_refuses_what_it_has_just_given_is_not_asked_for_more_and_more() -> None:
    guarded, clock = Guarded(forbidden="/mine"), Ticking()
    async with signed(guarded, clock=clock) as upstream:
        for _ in range(20):
            assert await ask(upstream, "/mine") == 401
        assert guarded.logins == 1  # a secret of this moment is not the reason
        for _ in range(600):
            clock.now += 1
            assert await ask(upstream, "/mine") == 401
        assert guarded.logins < 20
        assert await ask(upstream) == 200
        asked = [line for line, _, _ in guarded.asked if line == "GET /mine"]
        assert len(asked) <= 620 + guarded.logins


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (b"nonsense", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": {"token": "' + b"x" * 10_000_000 + b'"}}', "an answer of"),
        (b"{}", "is not one text"),
        (b'{"a": {"token": null}}', "is not one text"),
        (b'{"a": {"token": true}}', "is not one text"),
        (b'{"a": {"token": "short"}}', "can't be a secret"),
        (b'{"a": {"token": "good-one\\r\\nX-Admin: 1"}}', "can't be a secret"),
        (b'{"a": {"token": "good one with space"}}', "can't be a secret"),
        ('{"a": {"token": "gööd-enough"}}'.encode(), "can't be a secret"),
        (b'{"a": {"token": "' + b"x" * 9_000 + b'"}}', "can't be a secret"),
        (b"", "not JSON"),
    ],
)
async def test_an_answer_that_is_no_secret_is_a_failure_that_says_so(
    odd: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    guarded = Guarded(odd=odd)
    async with signed(guarded) as upstream:
        with pytest.raises(UpstreamDown, match="login: .*" + said):
            await ask(upstream)
    assert [line for line, _, _ in guarded.asked] == ["POST /auth"]
    assert "can't sign in" in caplog.text
    assert "good-one" not in caplog.text


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("302 Found", "Location: /auth2\r\n"),
        ("307 Temporary Redirect", "Location: http://127.0.0.1:9/auth\r\n"),
        ("403 Forbidden", ""),
        ("401 Unauthorized", ""),
        ("500 Internal Server Error", ""),
        ("304 Not Modified", ""),
    ],
)
async def test_a_refusal_or_redirect_is_a_failure_for_all_and_rests_a_while(
    status: str, headers: str, caplog: pytest.LogCaptureFixture
) -> None:
    guarded, clock = Guarded(status=status, headers=headers, slow=0.02, odd=b""), Ticking()
    async with signed(guarded, clock=clock) as upstream:
        failures = await asyncio.gather(*(ask(upstream) for _ in range(20)), return_exceptions=True)
        assert {type(one) for one in failures} == {UpstreamDown}
        for _ in range(20):
            with pytest.raises(UpstreamDown, match="login: answered"):
                await ask(upstream)
        assert guarded.logins == 1
        clock.now += 3
        with pytest.raises(UpstreamDown):
            await ask(upstream)
        assert guarded.logins == 2
        assert caplog.text.count("can't sign in") == 1
        guarded.status, guarded.odd = "200 OK", None
        clock.now += 60
        caplog.set_level(logging.INFO)
        assert await ask(upstream) == 200
        assert "has signed in again" in caplog.text
    assert {line for line, _, _ in guarded.asked} == {"POST /auth", "GET /x"}


async def test_a_server_that_is_down_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    policy = load_policy_text(POLICY + JSON)
    assert policy.login is not None
    line = HttpUpstream(Origin("http", "127.0.0.1", 9), TIMES)
    upstream = SignedIn(line, SignIn(line, policy.login, policy))
    with pytest.raises(UpstreamDown, match="login: no connection"):
        await ask(upstream)
    await upstream.close()
    assert "pa{ss}word" not in caplog.text


async def test_who_comes_first_and_leaves_does_not_take_the_sign_in_along() -> None:
    guarded = Guarded(slow=0.1)
    async with signed(guarded) as upstream:
        first = asyncio.create_task(ask(upstream))
        second = asyncio.create_task(ask(upstream))
        await asyncio.sleep(0.02)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        assert await second == 200
    assert guarded.logins == 1


async def test_what_is_asked_without_secrets_waits_for_none() -> None:
    guarded = Guarded(status="500 no")
    async with signed(guarded) as upstream, upstream.request("GET", "/x", [("Accept", "*/*")]) as answer:
        assert answer.status == 401
    assert guarded.logins == 0


async def test_a_secret_is_encoded_for_where_it_stands() -> None:
    guarded = Guarded(odd=json.dumps({"a": {"token": 'a+b/c="&%41;d\\'}}).encode())
    async with signed(guarded) as upstream:
        mark = mark_of("token")
        await ask(upstream, f"/x?api_key={mark}&y=1", "POST", f'{{"t": "x{mark}"}}'.encode())
        _, token, body = guarded.asked[-1]
        assert guarded.asked[-1][0] == "POST /x?api_key=a%2Bb%2Fc%3D%22%26%2541%3Bd%5C&y=1"
        assert token == 'Bearer a+b/c="&%41;d\\'
        assert json.loads(body) == {"t": 'xa+b/c="&%41;d\\'}


async def test_a_form_and_headers_and_an_answer_that_is_one_text() -> None:
    login = """  login:
    request: POST /auth?format=1
    form: {username: robot, password: "a&b=c d"}
    headers: {X-Client: "guest-gateway"}
    secrets: {token: $}
    again: [401, 403]
"""
    guarded = Guarded(odd=b'"djJ8MTIzfHNlc3Npb24"')
    async with signed(guarded, login) as upstream:
        guarded.good = {"djJ8MTIzfHNlc3Npb24"}
        await ask(upstream)
        line, _, body = guarded.asked[0]
        assert (line, body) == ("POST /auth?format=1", b"username=robot&password=a%26b%3Dc+d")


async def test_resolve_is_asked_with_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    guarded = Guarded()
    policy = load_policy_text(POLICY + JSON)
    async with signed(guarded) as upstream:
        found = await resolve_item(policy, {"": upstream}, "abc")
        assert found.title == "Bearer token-0001"


async def test_a_websocket_is_dialled_once_more() -> None:
    guarded, clock = Guarded(), Ticking()
    async with signed(guarded, clock=clock) as upstream:
        await ask(upstream)
        clock.now += 100
        guarded.good = set()
        with pytest.raises(UpstreamRefusedUpgrade):  # the scripted server knows none, and says 200
            async with upstream.websocket("/ws", [BEARER]):
                pass
        assert [token for line, token, _ in guarded.asked if line == "GET /ws"] == [
            "Bearer token-0001",
            "Bearer token-0002",
        ]


def test_nothing_secret_shows_in_a_repr() -> None:
    policy = load_policy_text(POLICY + JSON)
    shown = repr(policy) + repr(policy.login) + repr(policy.credentials)
    assert "pa{ss}word" not in shown
    assert "fixed-credential" not in shown
    assert not holds_mark(shown)
    assert "pa{ss}word" in policy.credentials.spellings()
    assert "robot" not in policy.credentials.spellings()
