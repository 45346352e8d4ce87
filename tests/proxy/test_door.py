# ruff: noqa: E501  # heads of messages are read best as they are
"""What the proxy door refuses, sends on and passes back, byte by byte."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.config import Origin
from gateway.web.embedding import Embedding
from tests.proxy.conftest import IN, opened
from tests.wire import BrokenOff, Call

CHATTING = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
kinds:
  video:
    player: {src: "/v/{id}.mp4", chat: "/chat/{id}?as=a"}
    allow: ["GET /v/{id}.mp4", "page GET /page/{id}"]
    interactions: {chat: ["page GET /chat/{id}?as=*"]}
guest_access: {interactions: [chat]}
"""


async def ok(call: Call) -> None:
    await call.answer(b"" if call.line.startswith("HEAD") else b"ok", headers="Content-Type: video/mp4\r\n")


class TestRefusedBeforeTheServer:
    @pytest.mark.parametrize(
        ("line", "headers", "body", "status", "reason"),
        [
            ("GET /v/abc/x.ts", "", b"", 403, "no_session"),
            ("GET /v/xyz/x.ts", IN, b"", 403, "no_rule"),
            ("GET /admin", IN, b"", 403, "no_rule"),
            ("POST /v/abc/x.ts", IN, b"", 403, "method_refused"),
            ("TRACE /v/abc/x.ts", IN, b"", 403, "method_refused"),
            ("GET /v/abc/x.ts?a=1", IN, b"", 403, "query_refused"),
            ("GET /v/abc/x.ts", IN + "Content-Length: 3\r\n", b"abc", 400, "body_refused"),
            ("HEAD /v/abc/x.ts", IN + "Content-Length: 3\r\n", b"abc", 400, "body_refused"),
            ("GET /v/abc/x.ts", IN + "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", 400, "body_refused"),
            ("POST /api/abc", IN + "Origin: http://evil.test\r\n", b"", 403, "cross_site"),
            ("POST /api/abc", IN + "Origin: null\r\n", b"", 403, "cross_site"),
            ("POST /api/abc", IN + "Sec-Fetch-Site: cross-site\r\n", b"", 403, "cross_site"),
            ("POST /api/abc", IN + "Sec-Fetch-Site: same-site\r\n", b"", 403, "cross_site"),
            ("POST /api/abc", IN + "Origin: http://gateway.test\r\nSec-Fetch-Site: none\r\n", b"", 403, "cross_site"),
            ("GET /v/abc/x.ts", IN + "Range: bytes=0-1\r\nRange: bytes=2-3\r\n", b"", 400, "ambiguous_request"),
            ("GET /v/abc/x.ts", IN + "If-Range: a\r\nif-range: b\r\n", b"", 400, "ambiguous_request"),
        ],
    )  # fmt: skip
    async def test_refused(self, line: str, headers: str, body: bytes, status: int, reason: str) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            reply = await guest.get(line, headers, body)
            assert (reply.status, str(stage.last.reason)) == (status, reason)
            assert stage.upstream.calls == []

    @pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/2.0", "HTTP/1.2"])
    async def test_other_versions(self, version: str) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            await guest.send(f"GET /v/abc/x.ts {version}\r\nHost: gateway.test\r\n{IN}\r\n")
            assert (await guest.reply()).status == 400
            assert stage.upstream.calls == []

    @pytest.mark.parametrize(
        "headers",
        ["Origin: http://gateway.test\r\n", "Origin: null\r\nSec-Fetch-Site: same-origin\r\n", ""],
    )
    async def test_our_own_pages_may_post(self, headers: str) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            assert (await guest.get("POST /api/abc", IN + headers)).status == 200

    async def test_a_refused_guest_is_led_back_to_the_media(self) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            object.__setattr__(stage.door, "way_back", lambda server, ids: "/page/abc")
            reply = await guest.get("GET /admin", IN + "Accept: text/html\r\nSec-Fetch-Dest: document\r\n")
            assert reply.status == 403
            assert b'href="/page/abc"' in reply.body

    async def test_options_answers_itself_unless_a_rule_names_it(self) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            reply = await guest.get("OPTIONS /v/abc/x.ts", IN + "Origin: http://evil.test\r\n")
            assert reply.status == 204
            assert not [name for name, _ in reply.headers if name.lower().startswith("access-control")]
            assert stage.upstream.calls == []
            assert (await guest.get("OPTIONS /opt/abc", IN)).status == 200
            assert stage.call.line == "OPTIONS /opt/abc HTTP/1.1"
            # A browser asks without cookies whether another site may ask.
            for path in ("/v/abc/x.ts", "/opt/abc", "/"):
                assert (await guest.get(f"OPTIONS {path}", "Origin: http://evil.test\r\n")).status == 204
            assert len(stage.upstream.calls) == 1


class TestRequests:
    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            ("/v/abc/100%25.ts", "/v/abc/100%25.ts"),
            ("/v/abc/%7ex%2d1.ts", "/v/abc/~x-1.ts"),
            ("/v/abc/%e2%82%ac.ts", "/v/abc/%E2%82%AC.ts"),
            ("/v/abc/a'b|c\"d.ts", "/v/abc/a'b|c\"d.ts"),
            ("/v/abc/a%20b+c.ts", "/v/abc/a%20b+c.ts"),
            ("/q/abc?a=&b&c=%2F..%2f&d=http://h//x?y", "/q/abc?a=&b&c=%2F..%2F&d=http://h//x?y"),
            ("/v/abc/x.ts?", "/v/abc/x.ts"),
        ],
    )
    async def test_the_server_gets_the_target_that_was_judged(self, asked: str, sent: str) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            assert (await guest.get(f"GET {asked}", IN)).status == 200
            assert stage.call.line == f"GET {sent} HTTP/1.1"
            assert stage.authorizer.asked[-1][1] == sent

    async def test_only_the_list_and_our_own_headers_are_sent(self) -> None:
        smuggled = (
            "Authorization: Basic x\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
            "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Original-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\n"
            "Remote-User: root\r\nIf_Range: x\r\nIf.Range: x\r\nUser_Agent: x\r\nProxy-Authorization: x\r\nTE: trailers\r\n"
            "Referer: http://gateway.test/g/secret\r\nOrigin: http://gateway.test\r\nUpgrade-Insecure-Requests: 1\r\n"
        )
        sent = (
            'Accept: */*\r\nAccept-Language: de\r\nAccept-Encoding: gzip\r\nRange: bytes=0-9\r\nIf-Range: "e"\r\n'
            'If-None-Match: "a"\r\nIf-Modified-Since: x\r\nUser-Agent: VLC\r\nLast-Event-ID: 7\r\n'
        )
        async with opened(ok) as stage, stage.client() as guest:
            await guest.get("GET /v/abc/x.ts", IN + smuggled + sent)
            expected = [tuple(line.split(": ")) for line in sent.strip().split("\r\n")]
            assert stage.call.headers == [
                ("Host", f"127.0.0.1:{stage.upstream.port}"),
                *expected,
                ("X-Forwarded-For", "198.51.100.7"),
                ("X-Forwarded-Proto", "http"),
                ("X-Forwarded-Host", "gateway.test"),
            ]

    async def test_what_connection_names_stays_here_and_ours_is_sent_all_the_same(self) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            named = "Connection: Range, X-Forwarded-For, Host\r\nRange: bytes=0-1\r\n"
            await guest.get("GET /v/abc/x.ts", IN + named)
            assert stage.call.header("Range") is None
            assert stage.call.header("X-Forwarded-For") == "198.51.100.7"
            assert stage.call.header("Host") == f"127.0.0.1:{stage.upstream.port}"

    async def test_no_body_of_a_guest_passes(self) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            first = await guest.get("POST /api/abc", IN + "Content-Length: 5\r\n", b"hello")
            assert first.status == 200
            chunked = await guest.get(
                "POST /api/abc", IN + "Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"
            )
            assert chunked.status == 200  # and on the same connection
            assert [call.header("Content-Length") for call in stage.upstream.calls] == ["0", "0"]

    async def test_a_long_body_costs_the_connection(self) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            reply = await guest.get("POST /api/abc", IN + "Content-Length: 100000\r\n", b"x" * 100_000)
            assert (reply.status, reply.header("Connection")) == (200, "close")
            assert await guest.closed()
            assert stage.call.header("Content-Length") == "0"

    async def test_a_polite_client_is_invited_to_send_its_body(self) -> None:
        async with opened(ok) as stage, stage.client() as guest:
            await guest.ask("POST /api/abc", IN + "Content-Length: 5\r\nExpect: 100-continue\r\n")
            assert (await guest.head()).status == 100
            await guest.send(b"hello")
            assert (await guest.reply()).status == 200
            assert stage.call.header("Expect") is None

    async def test_the_host_of_a_guest_does_not_reach_the_server_and_cookies_are_not_shared(self) -> None:
        async def script(call: Call) -> None:
            await call.answer(
                b"ok", headers="Set-Cookie: sid=1; Path=/\r\nSet-Cookie2: x\r\nContent-Type: video/mp4\r\n"
            )

        async with opened(script) as stage:
            for _ in range(2):
                async with stage.client() as guest:
                    reply = await guest.get("GET /v/abc/x.ts", IN)
                    assert reply.all("Set-Cookie") == reply.all("Set-Cookie2") == []
            assert [call.header("Cookie") for call in stage.upstream.calls] == [None, None]


class TestAnswers:
    @pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "520 Odd"])
    async def test_what_broke_in_the_server_is_for_its_operator(self, status: str) -> None:
        """Traces name files, hosts and versions. The status stays, and with it when to come again."""

        async def script(call: Call) -> None:
            await call.answer(
                b"at /srv/media/film.mkv on 10.0.0.5",
                status=status,
                headers="Content-Type: text/plain\r\nRetry-After: 7\r\nX-Path: /srv/media\r\n",
            )

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.ts", IN)
            assert (reply.status, str(stage.last.reason)) == (int(status[:3]), "server_error")
            assert reply.header("Retry-After") == "7"
            assert b"srv" not in reply.body
            assert reply.header("X-Path") is None
            assert json.loads(reply.body)["status"] == int(status[:3])

    @pytest.mark.parametrize(
        ("status", "headers", "body"),
        [
            ("200 OK", 'Content-Type: video/mp4\r\nAccept-Ranges: bytes\r\nETag: "x"\r\n', b"\x00\xff" * 500),
            ("206 Partial Content", "Content-Type: video/mp4\r\nContent-Range: bytes 0-9/1000\r\n", b"0123456789"),
            (
                "206 Partial Content",
                "Content-Type: multipart/byteranges; boundary=b\r\n",
                b"--b\r\nContent-Range: x\r\n\r\n--b--",
            ),
            ("416 Range Not Satisfiable", "Content-Range: bytes */1000\r\nContent-Type: text/plain\r\n", b"no"),
            ("404 Not Found", "Content-Type: text/html\r\n", b"<h1>nothing"),
            ("200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", b"\x1f\x8b\x08 kept as it is"),
            ("429 Too Many Requests", "Content-Type: text/plain\r\nRetry-After: 3\r\n", b"later"),
        ],
    )
    async def test_bytes_and_lengths_are_untouched(self, status: str, headers: str, body: bytes) -> None:
        async def script(call: Call) -> None:
            await call.answer(body, status=status, headers=headers)

        async with opened(script) as stage, stage.client() as guest:
            for _ in range(2):  # the connection serves on
                reply = await guest.get("GET /v/abc/x", IN)
                assert (reply.status, reply.body) == (int(status[:3]), body)
                assert reply.header("Content-Length") == str(len(body))
                for line in headers.strip().split("\r\n"):
                    name, value = line.split(": ", 1)
                    assert reply.header(name) == value

    async def test_head_tells_the_length_and_sends_nothing(self) -> None:
        async def script(call: Call) -> None:
            assert call.line.startswith("HEAD ")
            await call.say("HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\nContent-Type: video/mp4\r\n\r\n")

        async with opened(script) as stage, stage.client() as guest:
            for _ in range(2):
                reply = await guest.get("HEAD /v/abc/x.mp4", IN)
                assert (reply.status, reply.header("Content-Length")) == (200, "123456789")

    async def test_not_modified_has_no_body(self) -> None:
        async def script(call: Call) -> None:
            assert call.header("If-None-Match") == '"e"'
            await call.say('HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n')

        async with opened(script) as stage, stage.client() as guest:
            for _ in range(2):
                reply = await guest.get("GET /v/abc/x.ts", IN + 'If-None-Match: "e"\r\n')
                assert (reply.status, reply.header("ETag")) == (304, '"e"')

    async def test_chunks_pass_and_trailers_do_not(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n")
            await call.say("3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Late: 1\r\nSet-Cookie: a=b\r\n\r\n")

        async with opened(script) as stage, stage.client() as guest:
            for _ in range(2):
                reply = await guest.get("GET /v/abc/x.ts", IN)
                assert (reply.body, reply.header("Trailer")) == (b"abcdefg", None)

    async def test_an_answer_with_two_framings_is_none(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n")
            await call.say("6\r\nabcdef\r\n0\r\n\r\n")

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.ts", IN)
            assert reply.status == 502
            assert b"abcdef" not in reply.body

    async def test_http_1_0_gets_a_body_that_ends_with_the_connection(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

        async with opened(script) as stage, stage.client() as guest:
            await guest.send(f"GET /v/abc/x.ts HTTP/1.0\r\nHost: gateway.test\r\nConnection: keep-alive\r\n{IN}\r\n")
            reply = await guest.reply()
            assert (reply.body, reply.header("Transfer-Encoding")) == (b"abc", None)

    async def test_words_about_others_are_dropped(self) -> None:
        dropped = (
            'Service-Worker-Allowed: /\r\nClear-Site-Data: "*"\r\nRefresh: 0; url=http://x\r\nAlt-Svc: h3\r\n'
            "Strict-Transport-Security: max-age=1\r\nReport-To: x\r\nNEL: x\r\nX-Accel-Redirect: /etc\r\nX-Accel-Buffering: no\r\n"
            "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nVia: 1.1 x\r\nX-Powered-By: PHP\r\n"
            "Keep-Alive: timeout=5\r\nX-Named: 1\r\nConnection: keep-alive, X-Named\r\nWWW-Authenticate: Basic\r\n"
            "CDN-Cache-Control: max-age=9\r\nSurrogate-Control: x\r\nReporting-Endpoints: x\r\nAccept-CH: UA-Model\r\n"
            'Use-As-Dictionary: match="/*"\r\nSet-Login: logged-in\r\nSecure-Session-Registration: (x)\r\n'
            "Cross-Origin-Opener-Policy: same-origin\r\n"
            "X-Me: front-api3\r\nX-Served-By: cache-7\r\nX-Backend-Server: 10.0.0.5\r\nX-Upstream: 10.0.0.5:80\r\n"
            "X-Hostname: front\r\nX-SourceFiles: =?UTF-8?B?QzpcYQ==?=\r\nX-Debug-Token-Link: http://front/_profiler/x\r\n"
            "Authorization: Bearer x\r\nX-ND-Authorization: Bearer x\r\nX-Auth-Token: x\r\nX-Api-Key: x\r\nRemote-User: x\r\n"
            "Remote_User: x\r\nX-Forwarded-User: x\r\nX-Emby-Token: x\r\nX-Real-IP: 10.0.0.5\r\nX-Original-URL: /v\r\n"
            "X-LIGHTTPD-Send-File: /etc\r\n"
        )

        async def script(call: Call) -> None:
            await call.answer(
                b"ok", headers=dropped + "Server: Kestrel\r\nX-Kept: yes\r\nContent-Disposition: inline\r\n"
            )

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.ts", IN)
            names = {name.lower() for name, _ in reply.headers}
            for line in dropped.strip().split("\r\n"):
                assert line.partition(":")[0].lower() not in names
            assert reply.header("Server") == "gateway"
            assert (reply.header("X-Kept"), reply.header("Content-Disposition")) == ("yes", "inline")

    async def test_pages_are_never_stored_or_framed(self) -> None:
        async def script(call: Call) -> None:
            await call.answer(
                b"<p>",
                headers="Content-Type: text/html\r\nCache-Control: public, max-age=99\r\nX-Frame-Options: SAMEORIGIN\r\n"
                "Content-Security-Policy: default-src 'self'\r\nExpires: x\r\n",
            )

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("GET /page/abc", IN)
            assert reply.all("Cache-Control") == ["no-store"]
            assert reply.all("Content-Security-Policy") == ["default-src 'self'", "frame-ancestors 'none'"]
            assert reply.all("X-Frame-Options") == ["DENY"]

    @pytest.mark.parametrize(
        ("embedding", "ancestors", "old"),
        [
            (Embedding(), "frame-ancestors 'self'", ["SAMEORIGIN"]),
            # In the frame of an LMS there are two pages above it.
            (
                Embedding((Origin("https", "lms.example.edu", 443),)),
                "frame-ancestors 'self' https://lms.example.edu",
                [],
            ),
        ],
    )
    async def test_the_chat_of_the_player_page_alone_may_be_framed_by_it(
        self, embedding: Embedding, ancestors: str, old: list[str]
    ) -> None:
        async def script(call: Call) -> None:
            await call.answer(
                b"<p>",
                headers="Content-Type: text/html\r\nX-Frame-Options: DENY\r\n"
                "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'\r\n",
            )

        async with opened(script, policy_text=CHATTING, embedding=embedding) as stage, stage.client() as guest:
            reply = await guest.get("GET /chat/abc?as=a", IN)
            assert reply.all("Content-Security-Policy") == ["default-src 'self'", ancestors]
            assert reply.all("X-Frame-Options") == old
            assert reply.all("Cache-Control") == ["no-store"]
            for other in ("/chat/abc?as=b", "/chat/abc", "/page/abc"):
                reply = await guest.get(f"GET {other}", IN)
                assert "'self'" not in reply.all("Content-Security-Policy")[-1], other
                assert "SAMEORIGIN" not in reply.all("X-Frame-Options")
            reply = await guest.get("GET /chat/xyz?as=a", IN)
            assert reply.status == 403
            assert "SAMEORIGIN" not in reply.all("X-Frame-Options")

    @pytest.mark.parametrize(
        ("theirs", "left"),
        [
            ([], []),
            (["default-src 'self'"], ["default-src 'self'"]),
            (["frame-ancestors 'none'"], []),
            (["default-src 'self'; FRAME-Ancestors\t'self' https://x; img-src *"], ["default-src 'self'; img-src *"]),
            (["frame-ancestors 'none', script-src 'self'; frame-ancestors"], ["script-src 'self'"]),
            (["a b;;frame-ancestors x;;frame-ancestors y;", ";, ;"], ["a b"]),
            (["frame-src 'none'; x-frame-ancestors y"], ["frame-src 'none'; x-frame-ancestors y"]),
        ],
    )
    async def test_where_others_may_frame_pages_the_servers_words_about_it_make_way(
        self, theirs: list[str], left: list[str]
    ) -> None:
        async def script(call: Call) -> None:
            policies = "".join(f"Content-Security-Policy: {value}\r\n" for value in theirs)
            policies += "content-security-policy-report-only: frame-ancestors 'none'\r\n"
            await call.answer(
                b"<p>",
                headers=f"Content-Type: text/html\r\n{policies}X-Frame-Options: DENY\r\nx-frame-OPTIONS: ALLOW-FROM x\r\n"
                "Permissions-Policy: camera=()\r\n",
            )

        lms = Embedding((Origin("https", "lms.example.edu", 443), Origin("http", "lms.localhost", 8000)))
        async with opened(script, embedding=lms) as stage, stage.client() as guest:
            reply = await guest.get("GET /page/abc", IN)
            ours = "frame-ancestors https://lms.example.edu http://lms.localhost:8000"
            assert reply.all("Content-Security-Policy") == [*left, ours]
            assert reply.all("Content-Security-Policy-Report-Only") == []
            assert reply.all("X-Frame-Options") == []
            assert reply.all("Permissions-Policy") == ["camera=()"]
            reply = await guest.get("GET /v/abc/x.html", IN)
            assert reply.all("Content-Security-Policy") == [*(one for one in theirs if one), "sandbox"]
            assert reply.all("X-Frame-Options") == ["DENY", "ALLOW-FROM x"]

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("", "private"),
            ("Cache-Control: public, max-age=60, s-maxage=9\r\n", "private, max-age=60"),
            ("Cache-Control: no-store\r\n", "private, no-store"),
            ('Cache-Control: no-cache="Set-Cookie"\r\nCache-Control: MAX-AGE=5\r\n', "private, no-cache, max-age=5"),
            ("Cache-Control: max-age=x, immutable\r\n", "private, immutable"),
        ],
    )
    async def test_the_rest_is_private_and_sandboxed(self, theirs: str, ours: str) -> None:
        async def script(call: Call) -> None:
            await call.answer(b"<script>", headers=theirs + "Content-Type: text/html\r\nVary: Accept-Encoding\r\n")

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.html", IN)
            assert reply.header("Cache-Control") == ours
            assert reply.header("Content-Security-Policy") == "sandbox"
            assert reply.header("Vary") == "Accept-Encoding, Cookie"

    async def test_the_servers_address_stays_hidden(self) -> None:
        async def script(call: Call) -> None:
            here = f"http://127.0.0.1:{stage.upstream.port}"
            await call.answer(
                b"ok",
                headers=f"Content-Location: {here}/v/abc/x\r\nLink: <{here.upper()}/a>; rel=preload\r\n"
                f"SourceMap: http%3A%2F%2F127.0.0.1%3A{stage.upstream.port}/x\r\nX-Aka: //media.lan/x\r\n"
                f"X-Other: http://127.0.0.1:1/\r\nX-Longer: https://media.lan.example.org/\r\n"
                f"Content-Security-Policy: connect-src {here} wss://media.lan:8920 'self'\r\n",
            )

        also = (Origin("https", "media.lan", 443), Origin("https", "media.lan", 8920))
        async with opened(script, also=also) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.ts", IN)
            for name in ("Content-Location", "Link", "SourceMap", "X-Aka"):
                assert reply.header(name) is None
            assert reply.header("X-Other") is not None
            assert reply.header("X-Longer") is not None
            assert reply.all("Content-Security-Policy") == [
                "connect-src http://gateway.test ws://gateway.test 'self'",
                "sandbox",
            ]


class TestRedirects:
    @pytest.mark.parametrize(
        ("location", "ours"),
        [
            ("/v/abc/other.ts", "/v/abc/other.ts"),
            ("other.ts#t=3", "/v/abc/other.ts#t=3"),
            ("./a/../other.ts", "/v/abc/other.ts"),
            ("{here}/v/abc/%7eother.ts", "/v/abc/~other.ts"),
            ("//127.0.0.1:{port}/v/abc/other.ts", "/v/abc/other.ts"),
            ("https://media.lan/v/abc/other.ts", "/v/abc/other.ts"),
            ("HTTPS://MEDIA.lan:443/v/abc/other.ts", "/v/abc/other.ts"),
            # A server that believes X-Forwarded-Host writes our own name.
            ("http://gateway.test/v/abc/other.ts", "/v/abc/other.ts"),
            ("//gateway.test/v/abc/other.ts", "/v/abc/other.ts"),
            ("http://gateway.test/v/xyz/other.ts", None),
            ("https://gateway.test/v/abc/other.ts", None),
            ("http://gateway.test:81/v/abc/other.ts", None),
            ("/q/abc?x=/../y", "/q/abc?x=/../y"),
            ("http://evil.test/v/abc/other.ts", None),
            ("//evil.test/v/abc/other.ts", None),
            ("https://media.lan@evil.test/v/abc/other.ts", None),
            ("https://evil.test@media.lan/v/abc/other.ts", None),
            ("http://media.lan/v/abc/other.ts", None),
            ("https:/v/abc/other.ts", None),
            ("https:v/abc/other.ts", None),
            ("javascript:alert(1)", None),
            ("/\\evil.test/v/abc/other.ts", None),
            ("///evil.test/v/abc/x.ts", None),
            ("/v/xyz/other.ts", None),
            ("/admin", None),
            ("../../../x", None),
            ("/v/abc/%2e%2e/xyz/a.ts", None),
            ("/v/abc/a b.ts", None),
            ("/v/abc/\u00fc.ts", None),
            ("", None),
        ],
    )
    async def test_where_a_redirect_may_lead(self, location: str, ours: str | None) -> None:
        async def script(call: Call) -> None:
            port = stage.upstream.port
            where = location.replace("{here}", f"http://127.0.0.1:{port}").replace("{port}", str(port))
            await call.answer(
                b"<a>moved", status="302 Found", headers=f"Location: {where}\r\nContent-Type: text/html\r\n"
            )

        async with opened(script, also=(Origin("https", "media.lan", 443),)) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.ts", IN)
            if ours is None:
                assert (reply.status, str(stage.last.reason)) == (502, "redirect_refused")
                assert reply.header("Location") is None
            else:
                assert (reply.status, reply.header("Location"), reply.body) == (302, ours, b"")
                assert reply.header("Content-Type") is None

    @pytest.mark.parametrize(
        ("status", "location", "ours"),
        [
            ("307 Temporary Redirect", "/again/abc", True),
            ("308 Permanent Redirect", "/again/abc", True),
            ("307 Temporary Redirect", "/v/abc/x.ts", False),
            ("302 Found", "/again/abc", False),
            ("303 See Other", "/v/abc/x.ts", True),
            ("302 Found", "/v/abc/x.ts", True),
        ],
    )
    async def test_a_redirect_is_judged_as_the_request_that_follows_it(
        self, status: str, location: str, ours: bool
    ) -> None:
        async def script(call: Call) -> None:
            await call.answer(status=status, headers=f"Location: {location}\r\n")

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("POST /api/abc", IN)
            assert reply.header("Location") == (location if ours else None)
            assert reply.status == (int(status[:3]) if ours else 502)

    async def test_two_locations_lead_nowhere(self) -> None:
        async def script(call: Call) -> None:
            await call.answer(status="302 Found", headers="Location: /v/abc/a\r\nLocation: /v/abc/b\r\n")

        async with opened(script) as stage, stage.client() as guest:
            assert (await guest.get("GET /v/abc/x.ts", IN)).status == 502

    async def test_a_hint_of_another_status_passes_only_where_it_may_be_followed(self) -> None:
        async def script(call: Call) -> None:
            where = "/v/abc/new" if call.target == "/v/abc/a" else "http://evil.test/"
            await call.answer(b"x", status="201 Created", headers=f"Location: {where}\r\n")

        async with opened(script) as stage, stage.client() as guest:
            assert (await guest.get("GET /v/abc/a", IN)).header("Location") == "/v/abc/new"
            assert (await guest.get("GET /v/abc/b", IN)).header("Location") is None


class TestTheServerFails:
    async def test_dead(self) -> None:
        import socket

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            async with opened(ok, port=free.getsockname()[1]) as stage, stage.client() as guest:
                assert (await guest.get("GET /v/abc/x.ts", IN)).status == 502
                assert str(stage.last.reason) == "upstream_down"
                assert stage.number("gateway_upstream_failures_total") == 1

    async def test_hung(self) -> None:
        async def script(call: Call) -> None:
            await call.gone()

        async with opened(script) as stage, stage.client() as guest:
            assert (await guest.get("GET /v/abc/x.ts", IN)).status == 504

    @pytest.mark.parametrize(
        "head",
        ["HTTP/1.1 999 X\r\n\r\n", "HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n", "nonsense\r\n\r\n"],
    )
    async def test_talks_nonsense(self, head: str) -> None:
        async def script(call: Call) -> None:
            await call.say(head)
            await call.gone()

        async with opened(script) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.ts", IN)
            assert reply.status == 502
            assert b"127.0.0.1" not in reply.body

    @pytest.mark.parametrize(
        "framing",
        ["Content-Length: 1000\r\n\r\nshort", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"],
    )
    @pytest.mark.parametrize("how", ["close", "reset", "stall"])
    async def test_lost_in_the_middle_is_never_a_clean_end(self, framing: str, how: str) -> None:
        async def script(call: Call) -> None:
            await call.say(f"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n{framing}")
            if how == "stall":
                await call.gone()
            elif how == "reset":
                await asyncio.sleep(0.05)
                call.reset()
            call.writer.close()

        async with opened(script) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/x.ts", IN)
            with pytest.raises(BrokenOff):
                await guest.reply()
            assert stage.last.detail
            assert stage.number("gateway_broken_answers_total") == 1

    async def test_lost_before_the_first_byte_of_a_body_is_a_plain_failure(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            call.writer.close()

        async with opened(script) as stage, stage.client() as guest:
            assert (await guest.get("GET /v/abc/x.ts", IN)).status == 502

    async def test_lost_in_the_middle_is_a_reset_for_http_1_0(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")
            await asyncio.sleep(0.05)
            call.writer.close()

        async with opened(script) as stage, stage.client() as guest:
            await guest.send(f"GET /v/abc/x.ts HTTP/1.0\r\nHost: gateway.test\r\n{IN}\r\n")
            with pytest.raises((BrokenOff, ConnectionError)):
                await guest.reply()
