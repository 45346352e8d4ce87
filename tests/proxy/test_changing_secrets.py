"""Secrets that change while the server runs: of a sign-in, and tokens made for a grant. None reaches a guest."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

import pytest

from gateway.policy.login import mark_of
from tests.proxy.conftest import IN, POLICY, opened
from tests.wire import BrokenOff, Call

LOGIN = """
upstream:
  headers: {Authorization: 'Media Token="{login.token}"'}
  login: {request: POST /auth, json: {user: robot, pw: "correct-horse"}, secrets: {token: $.token}, again: [401]}
"""
QUERY = LOGIN.replace("headers: {Authorization: 'Media Token=\"{login.token}\"'}", 'query: {api_key: "{login.token}"}')
SEND = POLICY.replace(
    "- GET /v/{id}/{file}",
    "- {request: 'GET /v/{id}/{file}', send: {query: {t: '{login.token}'}, headers: {X-T: 'v {login.token}'}}}",
)
JWT = """
upstream:
  headers: {Authorization: "Bearer {jwt.token}"}
  jwt: {as: token, key: "0123456789abcdef0123456789abcdef", claims: {sub: "{guest.id}"}}
"""


@dataclass
class Media:
    """Says what it is told to, once it has given a token; `{token}` in it is the latest."""

    says: str = "ok"
    kind: str = "text/plain"
    head: str = ""
    status: str = "200 OK"
    given: int = 0
    again: bool = False
    auth: str = "200 OK"
    seen: list[Call] = field(default_factory=list)

    def token(self, number: int) -> str:
        return f"tok/en+{number:04d}=="

    async def script(self, call: Call) -> None:
        body = await call.reader.readexactly(int(call.header("Content-Length") or 0))
        if call.target == "/auth":
            assert json.loads(body) == {"user": "robot", "pw": "correct-horse"}
            self.given += 1
            await call.answer(json.dumps({"token": self.token(self.given)}).encode(), status=self.auth)
            return
        self.seen.append(call)
        if self.again:
            self.again = False
            await call.answer(status="401 Unauthorized", headers="WWW-Authenticate: Basic\r\n")
            return
        said = self.says.replace("{token}", self.token(self.given)).replace("{former}", self.token(1))
        head = self.head.replace("{token}", self.token(self.given))
        await call.answer(said.encode(), status=self.status, headers=f"Content-Type: {self.kind}\r\n{head}")


async def test_the_secret_is_sent_and_what_the_guest_sends_is_not() -> None:
    media = Media()
    async with opened(media.script, upstream_part=LOGIN) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.txt", IN + "Authorization: Basic mine\r\n")
        assert (reply.status, reply.body) == (200, b"ok")
        assert media.seen[0].header("Authorization") == 'Media Token="tok/en+0001=="'
        await guest.get("GET /v/abc/y.txt", IN)
        assert media.given == 1


async def test_a_mark_of_a_guests_is_text_like_any_other() -> None:
    media = Media()
    async with opened(media.script, upstream_part=LOGIN) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/{login.token}", IN)
        await guest.get("GET /q/abc?a={login.token}", IN)
        assert [call.target for call in media.seen] == [
            "/v/abc/{login.token}",
            "/q/abc?a={login.token}",
        ]


async def test_a_login_that_fails_is_a_502_and_no_redirect_or_word_of_it() -> None:
    for auth in ("403 Forbidden", "302 Found", "500 Oh"):
        media = Media(auth=auth)
        async with opened(media.script, upstream_part=LOGIN) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.txt", IN)
            assert reply.status == 502
            assert media.seen == []
            assert stage.last.detail is not None
            assert "login: answered" in stage.last.detail
            assert b"login" not in reply.body


@pytest.mark.parametrize(
    "says",
    [
        "{token}",
        "a {former} b",
        "tok%2Fen%2B0002%3D%3D",
        "tok\\u002fen+0002==",
        base64.b64encode(b"xytok/en+0002==").decode(),
        "correct-horse",
        pytest.param(mark_of("token"), id="mark"),
    ],
)
async def test_what_is_known_now_and_was_known_before_does_not_reach_the_guest(says: str) -> None:
    media = Media(again=False)
    async with opened(media.script, upstream_part=LOGIN) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x.txt", IN)).status == 200
        sign_in = stage.live.server.sign_in
        await sign_in.others(sign_in._secrets)
        media.says = says
        reply = await guest.get("GET /v/abc/x.txt", IN)
        assert reply.status == 502
        media.says, media.head = "ok", f"X-Echo: {says.replace('{former}', '{token}')}\r\nX-Other: 1\r\n"
        reply = await guest.get("GET /v/abc/x.mp4", IN)
        assert (reply.status, reply.header("X-Echo"), reply.header("X-Other")) == (200, None, "1")


async def test_a_secret_that_came_while_an_answer_flows_is_found_in_it() -> None:
    media = Media()

    async def script(call: Call) -> None:
        if call.target == "/auth":
            await media.script(call)
            return
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
        sign_in = stage.live.server.sign_in
        await sign_in.others(sign_in._secrets)
        await call.say(f"data: {media.token(2)}\n\n")
        await call.gone()

    async with opened(script, upstream_part=LOGIN) as stage, stage.client() as guest:
        await guest.ask("GET /v/abc/events", IN)
        with pytest.raises(BrokenOff):
            await guest.reply()
        assert stage.last.detail == "a credential in an endless text"


async def test_the_answer_to_the_second_request_is_searched_for_the_new_secret() -> None:
    media = Media(says="{token}")
    async with opened(media.script, upstream_part=LOGIN) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x.txt", IN)).status == 502
        stage.live.server.sign_in._clock = lambda: 1e9
        media.again = True
        assert (await guest.get("GET /v/abc/x.txt", IN)).status == 502
        assert media.given == 2


async def test_in_a_query_it_is_sent_and_taken_out_of_redirects() -> None:
    media = Media()
    async with opened(media.script, upstream_part=QUERY) as stage, stage.client() as guest:
        await guest.get("GET /q/abc?a=1", IN)
        assert media.seen[0].target == "/q/abc?a=1&api_key=tok%2Fen%2B0001%3D%3D"
        assert (await guest.get("GET /q/abc?a=1&api_key=x", IN)).status == 403
        media.status, media.head = "302 Found", "Location: /q/abc?b=2&api_key=tok%2Fen%2B0001%3D%3D\r\n"
        assert (await guest.get("GET /q/abc?a=1", IN)).header("Location") == "/q/abc?b=2"
        media.head = "Location: /v/abc/tok%2Fen%2B0001%3D%3D\r\n"
        assert (await guest.get("GET /q/abc?a=1", IN)).status == 502
        media.head = "Location: \r\n"
        assert mark_of("token").encode() not in (await guest.get("GET /q/abc?a=1", IN)).head.encode()


async def test_in_send_it_stands_for_one_rule_alone() -> None:
    media = Media()
    upstream = LOGIN.replace("  headers: {Authorization: 'Media Token=\"{login.token}\"'}\n", "")
    async with opened(media.script, policy_text=SEND, upstream_part=upstream) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x.txt", IN)).status == 200
        assert media.seen[0].target == "/v/abc/x.txt?t=tok%2Fen%2B0001%3D%3D"
        assert media.seen[0].header("X-T") == "v tok/en+0001=="
        await guest.get("GET /v/abc/x.txt?t=mine", IN)
        assert media.seen[1].target == "/v/abc/x.txt?t=tok%2Fen%2B0001%3D%3D"
        await guest.get("GET /q/abc?a=1", IN)
        assert media.seen[2].target == "/q/abc?a=1"
        media.status, media.head = "302 Found", "Location: ?\r\n"
        reply = await guest.get("GET /v/abc/x.txt", IN)
        assert mark_of("token") not in reply.head
        assert "tok" not in reply.head


async def test_a_token_of_the_grant_is_sent_and_found() -> None:
    media = Media()
    async with opened(media.script, upstream_part=JWT) as stage, stage.client() as guest:
        live, token = stage.live, "eyJhbGciOi.eyJzdWIiOi.sIgNaTuRe"
        live.scope = live.server.policy.scope("video", {"id": ("abc",), "jwt.token": (token,)})
        live.tokens = (token, "a.former.token")
        assert (await guest.get("GET /v/abc/x.txt", IN)).status == 200
        assert media.seen[0].header("Authorization") == f"Bearer {token}"
        for says in (token, "a.former.token", "0123456789abcdef0123456789abcdef"):
            media.says = f"x {says} y"
            assert (await guest.get("GET /v/abc/x.txt", IN)).status == 502
