# ruff: noqa: E501  # lines of requests are read best as they are
"""The real nginx and the real Caddy ask the gateway: what they send is what was judged, whatever a guest writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.conftest import Stand, standing
from tests.deploy.fronts import FORWARD_AUTH, HERE, TlsClient, Visitor
from tests.proxy.test_websocket import TEXT, WHOLE, accept, frame, read_frame
from tests.wire import Call, WireServer

POLICY = """
server: Open media
item: {id: "[a-z0-9]{6,32}"}
patterns: {file: "[A-Za-z0-9 _-]+[.][a-z0-9]{1,8}"}
kinds:
  video:
    open: /media/{id}
    allow:
      - page GET /media/{id}
      - GET /hls/{id}/{file}
      - GET /hls/{id}/{file}?t={file}
      - WS /ws/{id}
"""
FILE = "/hls/abc123/film.mp4"
SECRET = "a secret of the media server"


async def media(call: Call) -> None:
    if call.target == "/ws/abc123":
        await accept(call)
        await call.say(frame(TEXT, b"hello", masked=False))
        await call.gone()
    elif call.header("Range"):
        await call.answer(b"ab", status="206 Partial Content", headers="Content-Range: bytes 0-1/9\r\n")
    else:
        await call.answer(
            SECRET.encode(), headers="Set-Cookie: sid=1\r\nClear-Site-Data: *\r\nCache-Control: public\r\n"
        )


@dataclass
class Asking:
    stand: Stand
    media: WireServer
    guest: Visitor

    async def sent(self, line: str, headers: str = "", body: bytes = b"") -> tuple[int, list[str]]:
        """The answer's status, and the request lines that reached the media server."""
        self.media.calls.clear()
        reply = await self.guest.ask(line, headers, body)
        lines = [call.line for call in self.media.calls]
        assert (SECRET.encode() in reply.body) <= bool(lines)
        return reply.status, lines


@pytest.fixture
async def asking(tmp_path: Path, certificate: Path, program: str) -> AsyncIterator[Asking]:
    async with (
        WireServer(media) as server,
        standing(
            tmp_path, certificate, program, FORWARD_AUTH, POLICY, upstream=server.port, media=server.port
        ) as stand,
    ):
        yield Asking(stand, server, await stand.guest())


async def test_a_guest_gets_one_item_past_the_gateway(asking: Asking) -> None:
    assert await asking.sent(f"GET {FILE}") == (200, [f"GET {FILE} HTTP/1.1"])
    assert await asking.sent(f"HEAD {FILE}") == (200, [f"HEAD {FILE} HTTP/1.1"])
    assert (await asking.sent(f"GET {FILE}", "Range: bytes=0-1\r\n"))[0] == 206
    assert (await asking.sent("GET /media/abc123"))[0] == 200
    for other in ("/hls/xyz789/film.mp4", "/media/xyz789", "/", "/admin", f"{FILE}?x=1"):
        assert await asking.sent(f"GET {other}") == (403, []), other
    for method in ("POST", "DELETE", "OPTIONS", "PUT"):
        assert await asking.sent(f"{method} {FILE}") == (403, []), method
    stranger = Visitor(asking.stand.front)
    assert (await stranger.ask(f"GET {FILE}")).status == 401
    assert asking.media.calls == []


@pytest.mark.parametrize(
    "target",
    [
        "/hls/abc123/../abc123/film.mp4", "/hls/xyz789/../abc123/film.mp4", "/hls/abc123/../xyz789/film.mp4",
        "/hls/abc123/%2e%2e/xyz789/film.mp4", "/hls/abc123/..%2fxyz789/film.mp4", "/hls//abc123/film.mp4",
        "//hls/abc123/film.mp4", "/hls/abc123/./film.mp4", "/hls/abc12%33/film.mp4", "/hls/abc123/film.mp4/..;/",
        "/hls/abc123/film%2Emp4", "/_gateway/../hls/abc123/film.mp4", "/g/../hls/xyz789/film.mp4", "/hls/abc123/film.mp4?",
        "/hls/abc123/film.mp4;x=1", "/hls/abc123/film.mp4%00", "/hls/abc123%2Ffilm.mp4", "/hls/abc123/film.mp4?t=a.b;c",
        "/ask-guest-gateway", "/_gateway/auth", "/_gateway/auth/hls/abc123/film.mp4", "/%5fgateway/auth", "/hls/abc123/%zz.mp4",
        "/hls/abc123\\film.mp4", "/hls/abc123/film.mp4?t=%2e%2e", "/_gateway/%2e%2e/hls/xyz789/film.mp4",
    ],
)  # fmt: skip
async def test_odd_paths_reach_the_media_server_as_they_were_judged_or_not_at_all(asking: Asking, target: str) -> None:
    status, lines = await asking.sent(f"GET {target}")
    assert lines == [], lines
    assert status in (400, 401, 403, 404), status


async def test_an_escape_that_must_be_there_stays_as_it_is(asking: Asking) -> None:
    target = "/hls/abc123/a%20film.mp4?t=x.y"
    assert await asking.sent(f"GET {target}") == (200, [f"GET {target} HTTP/1.1"])


@pytest.mark.parametrize(
    "smuggled",
    [
        f"X-Original-URI: {FILE}\r\n", "X-Original-Method: GET\r\n", f"X-Forwarded-Uri: {FILE}\r\n",
        "X-Forwarded-Method: GET\r\n", f"X-Original-URL: {FILE}\r\n", f"X_Original_URI: {FILE}\r\n",
        f"X-Rewrite-URL: {FILE}\r\n", "X-Forwarded-Host: other.example\r\n", "Connection: X-Original-URI, X-Forwarded-Uri\r\n",
        f"X-Original-URI: {FILE}\r\nConnection: close, X-Original-URI, X-Original-Method\r\n",
        f"X-Forwarded-Uri: {FILE}\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: guest.example.org\r\n",
    ],
)  # fmt: skip
async def test_what_a_guest_says_of_another_target_opens_nothing(asking: Asking, smuggled: str) -> None:
    for line in ("GET /hls/xyz789/film.mp4", f"POST {FILE}", "GET /admin"):
        status, lines = await asking.sent(line, smuggled)
        assert (status in (400, 401, 403), lines) == (True, []), line


async def test_the_media_server_hears_nothing_of_who_asks_and_no_body(asking: Asking) -> None:
    asking.guest.extra = (
        "Authorization: Basic eDp5\r\nX-Forwarded-For: 203.0.113.9\r\nRemote-User: admin\r\nX-Remote-User: admin\r\n"
        "X-HTTP-Method-Override: DELETE\r\nForwarded: for=203.0.113.9\r\nX-Rewrite-Other: x\r\nReferer: https://x/\r\n"
    )
    status, _ = await asking.sent(f"GET {FILE}")
    if status == 200:
        head = asking.media.calls[0].head.decode().lower()
        for word in ("cookie", "authorization", "203.0.113.9", "remote-user", "override", "\r\nforwarded:", "rewrite"):
            assert word not in head, word
        assert asking.media.calls[0].header("X-Forwarded-For") == HERE
    asking.guest.extra = ""
    status, lines = await asking.sent(f"GET {FILE}", "", b"a body of a GET")
    assert (status, lines) in ((403, []), (200, [f"GET {FILE} HTTP/1.1"]))
    for call in asking.media.calls:
        assert call.header("Content-Length") in (None, "0")
        assert call.header("Transfer-Encoding") is None


async def test_an_answer_keeps_its_words_about_other_answers_to_itself(asking: Asking) -> None:
    reply = await asking.guest.ask(f"GET {FILE}")
    assert reply.body == SECRET.encode()
    assert reply.all("Set-Cookie") == []
    assert reply.header("Clear-Site-Data") is None
    assert reply.header("Cache-Control") == "private"


async def test_a_websocket_where_a_rule_says_so_and_nowhere_else(asking: Asking) -> None:
    host = f"Host: {asking.stand.front.host}:{asking.stand.front.port}\r\n"
    for path, allowed in (("/ws/abc123", True), ("/ws/xyz789", False), (FILE, False)):
        asking.media.calls.clear()
        async with asyncio.timeout(20), TlsClient(asking.stand.front) as client:
            await client.send(f"GET {path} HTTP/1.1\r\n{host}{WHOLE}{asking.guest.session}\r\n")
            head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
            if allowed:
                assert " 101 " in head.split("\r\n")[0]
                assert await read_frame(client.reader) == (TEXT, b"hello")
            else:
                assert " 403 " in head.split("\r\n")[0]
            client.leave()
        assert [call.target for call in asking.media.calls] == ([path] if allowed else [])
    assert await asking.sent("GET /ws/abc123") == (403, []), "no websocket was asked for"


async def test_a_gateway_that_does_not_answer_lets_nobody_through(asking: Asking) -> None:
    await asking.stand.gateway.reconfigure("trusted_proxies: [127.0.0.1]", "trusted_proxies: [127.0.0.9]")
    status, lines = await asking.sent(f"GET {FILE}")
    assert lines == []
    assert status >= 400


async def test_the_end_of_a_grant_ends_the_next_request(asking: Asking) -> None:
    reply = await asking.guest.ask(
        "POST /_gateway/leave", f"Origin: {asking.stand.front.origin}\r\nSec-Fetch-Site: same-origin\r\n"
    )
    assert reply.status in (200, 303)
    assert await asking.sent(f"GET {FILE}") == (401, [])


IDENTITIES = (
    "X_Remote_User", "Remote_User", "X_Forwarded_User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username", "X-WebAuth-User", "X.Auth.User", "X.Remote.User", "X-Token", "X-Emby-Token",
    "X-Emby-Authorization", "X-Client-Cert", "X-Amzn-Oidc-Data", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Host",
    "X_HTTP_Method_Override", "X_Original_URL", "X-Api-Key", "Tailscale-User-Login", "Cf-Access-Authenticated-User-Email",
    "Ssl-Client-S-Dn", "True-Client-Ip", "Client-Ip", "Remote-User", "Proxy-User",
)  # fmt: skip


async def test_no_word_of_a_guest_says_who_somebody_is_in_any_spelling(asking: Asking) -> None:
    """A server of the WSGI family reads `X_Remote_User` as it reads `X-Remote-User`."""
    arrived = set()
    for name in IDENTITIES:
        await asking.sent(f"GET {FILE}", f"{name}: somebody-else\r\n")
        arrived |= {name for call in asking.media.calls if b"somebody-else" in call.head}
    assert arrived == set()


async def test_no_body_of_unknown_length_follows_a_get(asking: Asking) -> None:
    """Neither judged nor sent: a server might take it for another request."""
    for method in ("GET", "HEAD"):
        asking.media.calls.clear()
        line = f"{method} {FILE}"
        async with asyncio.timeout(20), TlsClient(asking.stand.front) as client:
            host = f"Host: {asking.stand.front.host}:{asking.stand.front.port}\r\n"
            chunks = "20\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n0\r\n\r\n"
            await client.send(
                f"{line} HTTP/1.1\r\n{host}{asking.guest.session}Transfer-Encoding: chunked\r\n\r\n{chunks}"
            )
            await client.reader.readuntil(b"\r\n\r\n")
            client.leave()
        for call in asking.media.calls:
            assert call.line == f"{line} HTTP/1.1"
            assert call.header("Transfer-Encoding") is None, call.head
            assert call.header("Content-Length") in (None, "0")
