"""policies/go2rtc.yaml and policies/go2rtc-page.yaml before a real go2rtc where there is one, and a stand-in that opens
addresses as readily.

go2rtc connects to whatever looks like an address. So a port of the test's own listens (`elsewhere`), and nothing that a
guest says may bring anybody there.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.test_guest_path import enter as fill_in
from tests.browser.test_waiting import fill
from tests.chromium import chromium
from tests.policies.go2rtc import NAMES, PASSWORD, USER, Go2rtc, go2rtc, programs
from tests.policies.live_servers import sounds, spellings
from tests.policies.live_servers import until as happens
from tests.policies.watching import comes_in, until
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, ask, enter

BEGIN = "/api/stream.m3u8?src=cam1&mp4=flac"
PAGE, SOCKET = "/stream.html?src=cam1&mode=mse,mp4,mjpeg", "/api/ws?src=cam1"
UPGRADE = (
    "Host: HOST\r\nCookie: COOKIE\r\nOrigin: http://HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@dataclass
class Elsewhere:
    """Somebody in the operator's network whom nobody should reach by a guest's word."""

    port: int
    came: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    with listening() as heard:
        yield heard


@contextmanager
def listening() -> Iterator[Elsewhere]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as door:
        heard = Elsewhere(door.getsockname()[1])

        def listen() -> None:
            while True:
                try:
                    caller, _ = door.accept()
                except OSError:
                    return
                with caller:
                    caller.settimeout(1)
                    try:
                        heard.came.append(caller.recv(1000))
                    except OSError:
                        heard.came.append(b"")

        thread = Thread(target=listen, daemon=True)
        thread.start()
        yield heard
        door.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.fixture(scope="module", params=programs())
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, elsewhere: Elsewhere
) -> Iterator[Go2rtc]:
    with go2rtc(tmp_path_factory.mktemp("go2rtc") / "own", request.param, elsewhere.port) as server:
        yield server


@asynccontextmanager
async def before(folder: Path, server: Go2rtc, policy: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("GO2RTC_USER", USER)
    monkeypatch.setenv("GO2RTC_PASSWORD", PASSWORD)
    async with between(folder, policy, server.port) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path: Path, server: Go2rtc, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with before(tmp_path, server, "go2rtc", monkeypatch) as stage:
        yield stage


@pytest.fixture
async def page_stage(tmp_path: Path, server: Go2rtc, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with before(tmp_path, server, "go2rtc-page", monkeypatch) as stage:
        yield stage


def addresses(port: int) -> list[str]:
    """What go2rtc would open, or take another stream by, in the place of `src=cam1`."""
    away = f"rtsp://127.0.0.1:{port}/x"
    coded = away.replace(":", "%3A").replace("/", "%2F")
    return [
        f"src={away}", f"src={coded}", f"src=http://127.0.0.1:{port}/x", f"src=ffmpeg:http://127.0.0.1:{port}/x",
        f"src=tcp://127.0.0.1:{port}", f"src=onvif://127.0.0.1:{port}", f"src=webrtc:http://127.0.0.1:{port}/x",
        "src=exec:id", "src=echo:id", "src=expr:1", f"src={away}%23video=h264", "src=dead", "src=cam2", "src=cam1.low",
        f"src=cam1&src={coded}", f"src={coded}&src=cam1", f"src=cam1&src={coded}&name=cam1",
        f"src={coded}&name=cam1", f"src={coded}&name=new", "src=cam1&name=cam2", "src=cam2&name=cam1",
        f"src=cam1&dst={coded}", "src=cam1&dst=cam1", "dst=cam1", f"src=cam1&url={coded}", "src=cam1&id=x",
        f"src=cam1&Src={coded}", f"src=cam1&SRC={coded}", f"src=cam1&sr%63={coded}", "SRC=cam1", "src[]=cam1",
        f"src=cam1;src={coded}", f"src=cam1%26src={coded}", "src=cam1%26name=cam2", "src=cam1%23", "src=cam1%00",
        "src=cam1%20", "src=+cam1", "src=%20cam1", "src=Cam1", "src=cam1%2e", "src=cam1/", "src=", "src", "",
        "src=cam1&media=video+microphone", "src=cam1&video&audio&microphone", "src=cam1&",
    ]  # fmt: skip


def doors() -> list[str]:
    """The API's, by all methods that do something."""
    seen = [
        "/api", "/api/config", "/api/streams", "/api/streams?src=cam1", "/api/streams.dot", "/api/log", "/api/stack",
        "/api/schemes", "/api/preload", "/api/ffmpeg?dst=cam1&file=/etc/passwd", "/api/onvif", "/api/homekit",
        "/api/exit?code=0", "/api/restart", "/api/webrtc?src=cam1", "/api/webrtc?dst=cam1", "/api/stream?dst=cam1",
        "/api/stream.mp4?src=cam1", "/api/frame.jpeg?src=cam1", "/api/hls/playlist.m3u8?id=abcdefgh",
    ]  # fmt: skip
    spelt = [one for door in seen for one in spellings(door)]
    return [
        *(f"GET {one}" for one in spelt),
        *(f"{method} {door}" for door in seen for method in ("POST", "PUT", "PATCH", "DELETE")),
        *(f"GET /{name}" for name in ("", "index.html", "links.html", "config.html", "log.html", "net.html", "add.html",
                                      "webrtc.html?src=cam1", "hls.html", "main.js", "onvif/device_service")),
    ]  # fmt: skip


async def test_an_item_is_a_configured_name(stage: Stage, server: Go2rtc, elsewhere: Elsewhere) -> None:
    came = len(elsewhere.came)
    for item in (
        "cam1", "/stream.html?src=cam1", "http://cameras.lan:1984/stream.html?src=cam1&mode=webrtc",
        "/links.html?src=cam1", "/webrtc.html?src=cam1&media=video+audio", "/api/stream.m3u8?src=cam1",
    ):  # fmt: skip
        made = await stage.gateway.make_link(item)
        assert (await stage.gateway.link(made)).link.item == "cam1"
        await stage.gateway.delete(made)
    for item in (
        "nothing", "Cam1", "", ".", "..", "cam1#x", "cam1&name=x", "cam 1", "cam1/x", f"rtsp://127.0.0.1:{elsewhere.port}/x",
        f"/stream.html?src=rtsp://127.0.0.1:{elsewhere.port}/x", "exec:id", "ffmpeg:cam1",
    ):  # fmt: skip
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)
    # A source that does not answer is asked for nothing by this.
    await stage.gateway.make_link("dead")
    assert len(elsewhere.came) == came
    assert set(await server.streams()) == {*NAMES, "dead"}


async def test_a_session_is_the_guests_who_began_it(stage: Stage, server: Go2rtc) -> None:
    at = stage.guest.port
    link = await stage.gateway.make_link("cam1")
    _, waits = await enter(at, link)
    assert waits.status == 200, "nobody sends yet"
    async with server.publishing("cam1", "cam2"):
        cookie, answer = await enter(at, link)
        assert answer.headers["location"].startswith("/_gateway/watch/")
        other, _ = await enter(at, await stage.gateway.make_link("cam2"), name="Bob")

        async def got(target: str, who: str = cookie) -> Answer:
            return await ask(at, f"GET {target}", cookie=who)

        main = (await got(BEGIN)).body.decode()
        (child,) = re.findall(r"^/_gateway/s/\S+$", main, re.M)
        listed = (await got(child)).body.decode()
        (init,) = re.findall(r'URI="(/_gateway/s/[^"]+)"', listed)
        pieces = re.findall(r"^/_gateway/s/\S+$", listed, re.M)
        assert len(pieces) == 2
        assert (await got(init)).headers["content-type"] == "video/mp4"
        assert b"moof" in (await got(pieces[0])).body
        (session,) = set(re.findall(r"GET /api/hls/\S+[?&]id=(\w{8})", "\n".join(stage.server.asked)))
        # Neither the signed addresses nor the word in them are anybody else's; the word is not even the guest's.
        raw = [f"/api/hls/{name}?id={session}{more}" for name, more in (
            ("playlist.m3u8", ""), ("init.mp4", ""), ("segment.m4s", "&n=1"), ("segment.ts", "&n=1"))]  # fmt: skip
        for target in raw[:2]:
            direct = await ask(server.port, f"GET {target}", headers=server.authorization)
            assert direct.status == 200, "whoever has the word has the pictures"
        for who in (cookie, other, ""):
            await stage.refuses(who, *(f"GET {target}" for target in raw))
        for who in (other, ""):
            await stage.refuses(who, *(f"GET {target}" for target in (child, init, *pieces)))
        head, _, tail = pieces[0].rpartition("/")
        await stage.refuses(
            cookie, f"GET {pieces[0]}?n=9", f"GET {pieces[0]}?id=x", f"GET {head[:-2]}/{tail}", f"POST {pieces[0]}",
            f"GET {child.replace('/s/', '/S/')}", f"GET {pieces[0]}x",
        )  # fmt: skip

        await stage.gateway.delete(link)
        began = time.monotonic()
        while (await got(pieces[1])).status == 200:
            await asyncio.sleep(0.05)
        assert time.monotonic() - began < 8, "two seconds, on a machine with nothing else to do"
        await stage.refuses(cookie, f"GET {BEGIN}", f"GET {child}", f"GET {init}", f"GET {pieces[0]}")
    stage.keeps(PASSWORD, f"{USER}:{PASSWORD}", f"127.0.0.1:{server.port}", session)


async def test_no_word_of_a_guests_is_opened_or_names_another_stream(
    stage: Stage, server: Go2rtc, elsewhere: Elsewhere
) -> None:
    async with server.publishing("cam1", "cam2", "cam1.low"):
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("cam1"))
        came, known = len(elsewhere.came), await server.streams()
        await stage.refuses(
            cookie,
            *(f"GET /api/stream.m3u8?{one}&mp4=flac" for one in addresses(elsewhere.port)),
            *(f"GET {path}?{one}" for path in ("/api/stream.mp4", "/api/frame.jpeg", "/api/ws", "/stream.html")
              for one in ("src=cam1", *addresses(elsewhere.port))),
            *(f"GET {SOCKET.partition('?')[0]}?{one} HTTP/1.1\r\n{UPGRADE}".encode()
              for one in ("src=cam1", *addresses(elsewhere.port)) if "\0" not in one),
            *anywhere(BEGIN, BEGIN.replace("cam1", "cam2")), *doors(),
            f"GET {BEGIN}&mp4=flac", f"GET {BEGIN}&n=1", f"GET {BEGIN.replace('flac', 'all')}", f"GET {BEGIN}#x",
        )  # fmt: skip
        await ignores_what_a_guest_says_of_itself(stage, cookie, BEGIN)
        assert set(await server.streams()) == set(known)
        assert len(elsewhere.came) == came
        asked = [line for line in stage.server.asked if line.startswith("GET /api/stream.m3u8")]
        assert set(asked) == {f"GET {BEGIN}"}
        # What each of them is for whoever has the password: the stand-in and the real one open it.
        away = f"rtsp://127.0.0.1:{elsewhere.port}/x"
        await ask(server.port, f"GET /api/frame.jpeg?src={away}", headers=server.authorization)
        await happens(lambda: asyncio.sleep(0, len(elsewhere.came) > came))
        known = await server.streams()
        assert away in known
        await ask(server.port, f"GET /api/stream.mp4?src={away}&name=dead", headers=server.authorization)
        await ask(server.port, f"DELETE /api/streams?src={away}", headers=server.authorization)
    stage.keeps(PASSWORD)


async def test_a_source_that_does_not_answer_tells_a_guest_nothing(
    stage: Stage, server: Go2rtc, elsewhere: Elsewhere
) -> None:
    cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("dead"))
    answer = await ask(stage.guest.port, f"GET {BEGIN.replace('cam1', 'dead')}", cookie=cookie)
    assert answer.status == 502
    assert str(elsewhere.port).encode() not in answer.body


@asynccontextmanager
async def talking(
    stage: Stage, cookie: str, origin: str | None = None
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url, said = f"ws://127.0.0.1:{stage.guest.port}{SOCKET}", {"Cookie": cookie}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=said, origin=origin) as socket:
        yield socket


def dropped(stage: Stage) -> int:
    for line in stage.gateway.gateway.metrics.text().decode().splitlines():
        if line.startswith("gateway_dropped_messages_total "):
            return int(float(line.rpartition(" ")[2]))
    return 0


async def test_on_the_page_a_guest_asks_for_pictures_and_nothing_else(
    page_stage: Stage, server: Go2rtc, elsewhere: Elsewhere
) -> None:
    stage = page_stage
    at = stage.guest.port
    async with server.publishing("cam1", "cam2"):
        cookie, answer = await enter(at, await stage.gateway.make_link("cam1"))
        assert answer.headers["location"] == PAGE
        page = await ask(at, f"GET {PAGE}", cookie=cookie)
        assert page.status == 200
        assert b"go2rtc.org" not in page.body, "its web site is not told who watches"
        for script in ("/video-stream.js", "/video-rtc.js"):
            assert (await ask(at, f"GET {script}", cookie=cookie)).status == 200
        came, known = len(elsewhere.came), set(await server.streams())
        await stage.refuses(
            cookie,
            *(f"GET /stream.html?{one}&mode=mse,mp4,mjpeg" for one in addresses(elsewhere.port)),
            *(f"GET {SOCKET.partition('?')[0]}?{one} HTTP/1.1\r\n{UPGRADE}".encode()
              for one in addresses(elsewhere.port) if "\0" not in one),
            *(f"GET {path} HTTP/1.1\r\n{UPGRADE}".encode() for path in
              ("//api/ws?src=cam1", "/api/ws/?src=cam1", "/x/..%2fapi/ws?src=cam1", "/api%2fws?src=cam1",
               "/api/WS?src=cam1")),
            *anywhere(PAGE, PAGE.replace("cam1", "cam2")),
            f"GET {PAGE}&mode=webrtc", f"GET {PAGE.replace('mse,', 'webrtc,')}", f"GET {PAGE}&media=microphone",
            f"GET {SOCKET}", f"GET {BEGIN}", "GET /stream.html?src=cam1", "GET /video-rtc.js?x",
        )  # fmt: skip
        async with talking(stage, cookie) as socket:
            told = dropped(stage)
            offer = json.dumps("v=0\r\n")
            in_vain = [
                f'{{"type":"webrtc/offer","value":{offer}}}',
                f'{{"type":"webrtc","value":{{"type":"offer","sdp":{offer}}}}}',
                '{"type":"webrtc/candidate","value":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}',
                f'{{"type":"webrtc","value":{{"sdp":"","ice_servers":[{{"urls":["stun:127.0.0.1:{elsewhere.port}"]}}]}}}}',
                '{"type":"hls","value":""}', '{"type":"mse","Type":"hls","value":""}', '{"TYPE":"hls"}',
                '{"type":"mse","type":"webrtc/offer","value":""}', '{"Type":"webrtc/offer","type":"mse","value":""}',
                '{"t\\u0079pe":"mse","type":"hls","value":""}', '{"type":"MSE","value":""}',
                '{"type":["mse"],"value":""}',
                '{"type":"mse","value":{"a":1}}', '{"type":"mse","value":"#x"}', '{"type":"mse","value":"a\\nb"}',
                f'{{"type":"mse","value":"{"a" * 900}"}}', f'{{"type":"mse","value":"","x":"{"a" * 2000}"}}',
                '{"type":"mse"}', '{"value":"avc1"}', '[{"type":"hls"}]', '"hls"', "null", "", "{",
                '{"type":"mse","value":""}{"type":"hls"}', '{"type":"publish"}', '{"type":"dst","value":"cam1"}',
            ]  # fmt: skip
            for text in in_vain:
                await socket.send_str(text)
            await socket.send_bytes(b'{"type":"hls"}')
            # Written anew: what go2rtc would read besides is gone.
            await socket.send_str('{"type":"mse","value":"avc1.640029,mp4a.40.2","src":"cam2","ice_servers":[]}')
            heard = [await asyncio.wait_for(socket.receive(), 30) for _ in range(3)]
            said = json.loads(heard[0].data)
            assert said["type"] == "mse"
            assert said["value"].startswith("video/mp4; codecs=")
            assert [one.type for one in heard[1:]] == [aiohttp.WSMsgType.BINARY] * 2
            assert b"ftyp" in heard[1].data
            assert dropped(stage) == told + len(in_vain) + 1
            await socket.send_str('{"type":"mjpeg"}')
            while (one := await asyncio.wait_for(socket.receive(), 30)).type is not aiohttp.WSMsgType.TEXT:
                pass
            assert json.loads(one.data)["type"] in ("error", "mjpeg")
            assert await server.streams() != {}

            for foreign in ("http://elsewhere.test", "null"):
                with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                    async with talking(stage, cookie, origin=foreign):
                        pass
            began = time.monotonic()
            await stage.gateway.switch("cam1", on=False)
            while not socket.closed:
                await asyncio.wait_for(socket.receive(), 30)
            assert time.monotonic() - began < 8, "two seconds, on a machine with nothing else to do"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with talking(stage, cookie):
                pass
        assert set(await server.streams()) == known
        assert len(elsewhere.came) == came
        opened = [line for line in stage.server.asked if "/api/ws" in line]
        assert set(opened) == {f"GET {SOCKET}"}
    stage.keeps(PASSWORD, f"127.0.0.1:{server.port}")


@pytest.mark.browser
@pytest.mark.parametrize("server", programs()[-1:], indirect=True)
async def test_a_guest_watches_from_before_the_start_and_is_cut(stage: Stage, server: Go2rtc) -> None:
    link = await stage.gateway.make_link("cam1")
    async with chromium() as browser:
        page = await (await browser.new_context(locale="en-GB")).new_page()
        await page.clock.install()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(link)
        await fill(page, "Ada")
        await expect(page.get_by_role("heading", name="Not yet")).to_be_visible()
        async with server.publishing("cam1"):
            await comes_in(page)
            await sounds(page)
            assert await page.evaluate("document.querySelector('video').videoWidth") > 0
            await stage.gateway.delete(link)
            await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=30_000)
        assert faults == []


@pytest.mark.browser
@pytest.mark.parametrize("server", programs()[-1:], indirect=True)
async def test_go2rtcs_own_page_plays_and_is_cut(page_stage: Stage, server: Go2rtc) -> None:
    async with chromium() as browser, server.publishing("cam1"):
        page = await browser.new_page()
        faults, far = [], []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: far.append(request.url) if "127.0.0.1" not in request.url else None)
        await fill_in(page, await page_stage.gateway.make_link("cam1"))
        await page.locator("video").wait_for(state="attached", timeout=45_000)
        await until(page, "(v.muted = true, v.paused && void v.play().catch(() => {}), v.currentTime > 1)")
        await page_stage.gateway.switch("cam1", on=False)
        answer = await page.reload()
        assert answer is not None
        assert answer.status in (403, 410)
        assert faults == []
        assert [one for one in far if not one.startswith(("data:", "blob:"))] == []
