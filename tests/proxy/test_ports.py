"""Several addresses of one server: each rule's requests go to the one that it says, and to no other."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.config import Origin
from tests.proxy.conftest import IN, Stage, opened
from tests.proxy.test_websocket import TEXT, WHOLE, accept, frame, read_frame
from tests.wire import Call, Script, WireServer

TOKEN = "s3cr3t/T0ken+value=="
POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
patterns: {n: "[0-9]{1,3}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - {request: "GET /rtc/{id}/{n}", at: webrtc}
      - {request: "POST /whep/{id}", at: webrtc, body: {type: application/sdp}}
      - {request: "DELETE /whep/{id}/{n}", at: webrtc}
      - {request: "WS /rtc/{id}/ws", at: webrtc}
      - {request: "GET /list/{id}/a.m3u8", at: webrtc, follow: {as: hls, to: ["/seg/{id}/**"]}}
upstream: {headers: {Authorization: "Bearer s3cr3t/T0ken+value=="}}
"""


async def at_main(call: Call) -> None:
    if call.target == "/page/abc":
        await call.answer(b"<p>page</p>", headers="Content-Type: text/html\r\n")
    else:
        await call.answer(b"main has no such thing", status="404 Not Found")


@asynccontextmanager
async def stage(script: Script, also: tuple[Origin, ...] = ()) -> AsyncIterator[tuple[Stage, WireServer]]:
    async with (
        WireServer(script) as webrtc,
        opened(at_main, policy_text=POLICY, ports={"webrtc": webrtc.port}, also=also) as at,
    ):
        yield at, webrtc


async def test_a_rules_requests_go_to_its_address_with_its_host_and_the_credentials() -> None:
    async def script(call: Call) -> None:
        await call.answer(b"media")

    async with stage(script) as (at, webrtc), at.client() as guest:
        assert (await guest.get("GET /rtc/abc/1", IN)).body == b"media"
        assert at.last.at == "webrtc"
        assert (await guest.get("GET /page/abc", IN)).status == 200
        assert at.last.at == ""
        assert [call.target for call in webrtc.calls] == ["/rtc/abc/1"]
        assert [call.target for call in at.upstream.calls] == ["/page/abc"]
        for call, port in ((webrtc.calls[0], webrtc.port), (at.upstream.calls[0], at.upstream.port)):
            assert call.header("Host") == f"127.0.0.1:{port}"
            assert call.header("Authorization") == f"Bearer {TOKEN}"
            assert call.header("X-Forwarded-Host") == "gateway.test"


async def test_a_websocket_likewise() -> None:
    async def script(call: Call) -> None:
        await accept(call)
        await call.say(frame(TEXT, b"hello", masked=False))
        await call.gone()

    async with stage(script) as (at, webrtc), at.client() as guest:
        await guest.send(f"GET /rtc/abc/ws HTTP/1.1\r\nHost: gateway.test\r\n{WHOLE}{IN}\r\n")
        assert b" 101 " in await guest.reader.readuntil(b"\r\n\r\n")
        assert await read_frame(guest.reader) == (TEXT, b"hello")
        assert webrtc.calls[0].header("Host") == f"127.0.0.1:{webrtc.port}"
        assert at.last.at == "webrtc"
        assert at.upstream.calls == []


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        ("http://127.0.0.1:{webrtc}/rtc/abc/2", "/rtc/abc/2"),
        ("http://127.0.0.1:{main}/page/abc", "/page/abc"),
        ("http://127.0.0.1:{main}/rtc/abc/2", "/rtc/abc/2"),
        ("http://media.lan/rtc/abc/2", "/rtc/abc/2"),
        ("/rtc/abc/2", "/rtc/abc/2"),
        ("2", "/rtc/abc/2"),
        ("http://127.0.0.1:{webrtc}/rtc/xyz/2", None),
        ("http://127.0.0.1:9/rtc/abc/2", None),
        ("http://127.0.0.1:{webrtc}@evil.example/rtc/abc/2", None),
    ],
)
async def test_a_redirect_to_any_of_its_addresses_becomes_ours_and_its_rule_says_where_it_goes(
    location: str, ours: str | None
) -> None:
    ports: dict[str, int] = {}

    async def script(call: Call) -> None:
        if call.target == "/rtc/abc/2":
            await call.answer(b"there")
        else:
            await call.answer(status="302 Found", headers=f"Location: {location.format(**ports)}\r\n")

    also = (Origin("http", "media.lan", 80),)
    async with stage(script, also) as (at, webrtc), at.client() as guest:
        ports |= {"webrtc": webrtc.port, "main": at.upstream.port}
        reply = await guest.get("GET /rtc/abc/1", IN)
        assert (reply.status, reply.header("Location")) == ((302, ours) if ours else (502, None))
        if ours:
            assert (await guest.get(f"GET {ours}", IN)).status == 200


async def test_what_was_made_elsewhere_is_told_to_the_guest_under_our_name() -> None:
    """A WHEP session: its address is a hint of a 201, and may name the port."""
    port = 0

    async def script(call: Call) -> None:
        if call.line.startswith("DELETE"):
            await call.answer()
        else:
            assert await call.reader.readexactly(3) == b"v=0"
            await call.answer(b"v=0", status="201 Created", headers=f"Location: http://127.0.0.1:{port}/whep/abc/7\r\n")

    async with stage(script) as (at, webrtc), at.client() as guest:
        port = webrtc.port
        reply = await guest.get("POST /whep/abc", IN + "Content-Type: application/sdp\r\nContent-Length: 3\r\n", b"v=0")
        assert (reply.status, reply.header("Location")) == (201, "/whep/abc/7")
        assert (await guest.get("DELETE /whep/abc/7", IN)).status == 200
        assert [call.line.split()[0] for call in webrtc.calls] == ["POST", "DELETE"]


async def test_one_address_that_is_down_is_no_fault_of_the_others() -> None:
    async with WireServer(at_main) as gone:
        port = gone.port
    async with opened(at_main, policy_text=POLICY, ports={"webrtc": port}) as at, at.client() as guest:
        assert (await guest.get("GET /rtc/abc/1", IN)).status == 502
        assert (await guest.get("GET /page/abc", IN)).status == 200


async def test_the_end_of_a_grant_cuts_a_stream_of_any_of_them() -> None:
    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 100000\r\n\r\nfirst")
        await call.gone()

    async with stage(script) as (at, _), at.client() as guest:
        await guest.send(f"GET /rtc/abc/1 HTTP/1.1\r\nHost: gateway.test\r\n{IN}\r\n")
        await guest.reader.readuntil(b"first")
        at.live.end()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await guest.reader.readexactly(100_000)


async def test_what_a_followed_answer_names_is_asked_for_where_its_rule_is() -> None:
    ports: dict[str, int] = {}

    async def script(call: Call) -> None:
        if call.target == "/list/abc/a.m3u8":
            body = (
                "#EXTM3U\n#EXTINF:4,\n/seg/abc/1.ts\n#EXTINF:4,\nhttp://127.0.0.1:{webrtc}/seg/abc/2.ts\n"
                "#EXTINF:4,\nhttp://127.0.0.1:{main}/seg/abc/3.ts\n"
            )
            await call.answer(body.format(**ports).encode(), headers="Content-Type: application/vnd.apple.mpegurl\r\n")
        else:
            await call.answer(call.target.encode(), headers="Content-Type: video/mp2t\r\n")

    async with stage(script) as (at, webrtc), at.client() as guest:
        ports |= {"webrtc": webrtc.port, "main": at.upstream.port}
        reply = await guest.get("GET /list/abc/a.m3u8", IN)
        named = [line for line in reply.body.decode().splitlines() if line.startswith("/_gateway/s/")]
        assert [line.rpartition("/")[2] for line in named] == ["1.ts", "2.ts"], "3.ts lies at an address of its own"
        for number, url in enumerate(named, 1):
            assert (await guest.get(f"GET {url}", IN)).body == f"/seg/abc/{number}.ts".encode()
        assert at.last.at == "webrtc"
        assert at.upstream.calls == []


async def test_no_address_of_the_server_is_told_to_the_guest() -> None:
    ports: dict[str, int] = {}

    async def script(call: Call) -> None:
        own = f"http://127.0.0.1:{ports['main']}/x"
        await call.answer(b"media", headers=f"X-Where: {own}\r\nLink: <http://127.0.0.1:{ports['webrtc']}/y>\r\n")

    async with stage(script) as (at, webrtc), at.client() as guest:
        ports |= {"webrtc": webrtc.port, "main": at.upstream.port}
        reply = await guest.get("GET /rtc/abc/1", IN)
        assert (reply.status, reply.header("X-Where"), reply.header("Link")) == (200, None, None)


def test_a_line_of_the_log_names_the_address() -> None:
    from types import SimpleNamespace
    from typing import Any

    from gateway.config import LogConfig, Prefixes
    from gateway.metrics import Metrics
    from gateway.web.accesslog import AccessLog
    from gateway.web.visit import Visit

    out = io.StringIO()
    log = AccessLog(LogConfig(), Prefixes(), client=lambda request: "192.0.2.1", metrics=Metrics(), out=out)
    writer = SimpleNamespace(output_size=5)
    request: Any = SimpleNamespace(method="GET", raw_path="/rtc/abc/1", writer=writer)
    server: Any = SimpleNamespace(config=SimpleNamespace(name="tv"))
    target: Any = SimpleNamespace(path="/rtc/abc/1")
    log.write(request, None, Visit(request, target, server, "ABCD2345", at="webrtc"), None, "ABCD2345", 0.01)
    log.close()
    assert " server=tv at=webrtc" in out.getvalue()
