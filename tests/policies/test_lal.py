"""policies/lal.yaml before a real lal with a real publisher where Go can build one, and a stand-in that reads paths as
loosely: a stream is the last part of whatever path, by any method.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import aiohttp
import pytest
from playwright.async_api import expect

from gateway.web.statics import FOLDER, LIBRARIES
from tests.browser.test_waiting import fill
from tests.chromium import chromium
from tests.policies.lal import KEY, Lal, lal, programs, secret_of
from tests.policies.live_servers import Listener, sounds, spellings, until
from tests.policies.watching import comes_in
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter, raw
from tests.system_parts import missing, need

# Go may have to compile its whole library first, which takes a busy machine two minutes, once.
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
# The guest's, one whose name begins like it, one that ends in what looks like the number of a segment.
CAM, LONGER, OTHER = "cam-1", "cam-1-2", "camB"
MS = "1795914400003"


@pytest.fixture(scope="module", params=programs())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lal]:
    need("ffmpeg")
    with lal(tmp_path_factory.mktemp("lal") / "own", request.param) as server:
        yield server


@asynccontextmanager
async def before(folder: Path, server: Lal, policy: str = "lal") -> AsyncIterator[Stage]:
    async with between(folder, policy, server.http, beside={"api": server.api}) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path: Path, server: Lal) -> AsyncIterator[Stage]:
    async with before(tmp_path, server) as stage:
        yield stage


def vectors() -> list[str | bytes]:
    flv, hls, piece = f"/live/{CAM}.flv", f"/hls/{CAM}.m3u8", f"/hls/{CAM}-{MS}-0.ts"
    head = "Host: HOST\r\nCookie: COOKIE\r\nOrigin: http://HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    doors = (
        "/api/stat/all_group", f"/api/stat/group?stream_name={CAM}", "/api/stat/lal_info", "/lal.html",
        "/api/ctrl/start_relay_pull", "/api/ctrl/stop_relay_pull?stream_name=camB", "/api/ctrl/kick_session",
        "/api/ctrl/start_rtp_pub", "/debug/pprof/",
    )  # fmt: skip
    return [
        # Each of these plays another stream, or this one by another way.
        *(f"GET {path}" for path in (
            f"/live/{OTHER}.flv", f"/{OTHER}.flv", f"/{CAM}.flv", f"/other/{CAM}.flv", f"/live/live/{CAM}.flv",
            f"/live/{LONGER}.flv", "/live/cam.flv", f"/live/{CAM}.FLV", f"/live/{CAM}.ts", f"/live/{LONGER}.ts",
            f"/live/{CAM}%2f..%2f{OTHER}.flv", f"/live/..%2f{OTHER}.flv", f"/live/{CAM}.flv%2f{OTHER}.flv",
            f"/live/x;{OTHER}.flv", f"/live/{CAM}.flv;{OTHER}.flv", f"/live/%2f{OTHER}.flv",
            f"/hls/{OTHER}.m3u8", f"/hls/{LONGER}.m3u8", f"/hls/{OTHER}/playlist.m3u8",
            f"/hls/{LONGER}/playlist.m3u8", f"/hls/x/{OTHER}/playlist.m3u8", f"/hls/x/{CAM}/playlist.m3u8",
            f"/hls/{CAM}%2f..%2f{OTHER}.m3u8", f"/hls/x%2f{OTHER}%2fplaylist.m3u8", f"/hls/{CAM}/x.m3u8",
            f"/hls/{CAM}%2fplaylist.m3u8", f"/hls/{CAM}/record.m3u8", f"/hls/{OTHER}/record.m3u8",
            f"/hls/{OTHER}-{MS}-0.ts", f"/hls/{LONGER}-{MS}-0.ts", f"/hls/{CAM}/{OTHER}-{MS}-0.ts",
            f"/hls/{OTHER}/{CAM}-{MS}-0.ts", f"/hls/{LONGER}/{CAM}-{MS}-0.ts", f"/hls/{LONGER}.ts",
            f"/hls/{CAM}-1-2.ts", f"/hls/{CAM}-{MS}.ts", f"/hls/{CAM}-{MS}--0.ts", f"/hls/{CAM}--{MS}-0.ts",
            f"/hls/{CAM}-{MS}-0.m3u8", f"/hls/{CAM}", "/hls/", "/", "/live/",
        )),
        # Nothing of the query is the guest's: a secret of another stream, one of all, a session that is none.
        *(f"GET {path}?{query}" for path in (flv, hls, piece) for query in (
            "lal_secret=pengrl", f"lal_secret={'0' * 32}", "session_id=x", "x=1", "stream_name=camB",
            f"session_id={'a' * 32}&session_id={'b' * 32}", f"Session_Id={'a' * 32}", f"session_id={'A' * 32}",
            f"session_id={'a' * 32};lal_secret=x", "?", "a=1;b=2",
        )),
        *(f"{method} {path}" for path in (flv, hls, piece) for method in
          ("POST", "PUT", "DELETE", "PATCH", "QUERY")),
        *(f"GET {path} HTTP/1.1\r\n{head}".encode() for path in
          (f"/live/{OTHER}.flv", f"/live/{CAM}.ts", f"//live/{CAM}.flv", f"/live/..%2f{OTHER}.flv")),
        *anywhere(flv, f"/live/{OTHER}.flv"), *anywhere(hls, f"/hls/{OTHER}.m3u8"),
        *anywhere(piece, f"/hls/{OTHER}-{MS}-0.ts"),
        *(f"{method} {spelt}" for door in doors for spelt in spellings(door) for method in ("GET", "POST")),
    ]  # fmt: skip


async def test_an_item_is_a_name(stage: Stage) -> None:
    for item in ("camA", "https://media.lan/live/camA.flv", "/hls/camA.m3u8", "/hls/camA/playlist.m3u8"):
        made = await stage.gateway.make_link(item)
        assert (await stage.gateway.link(made)).link.item == "camA"
        await stage.gateway.delete(made)
    for item in (
        "",
        ".",
        "cam.A",
        "camA.flv",
        "live/camA",
        "camA%2fx",
        "cam A",
        "camA?x",
        "/lal.html",
        "/live/camA.ts",
    ):
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)


async def test_one_stream_arrives_is_cut_and_nothing_else_is_there(stage: Stage, server: Lal) -> None:
    at, flv = stage.guest.port, f"/live/{CAM}.flv"
    link = await stage.gateway.make_link(CAM)
    _, waits = await enter(at, link)
    assert waits.status == 200
    # One who waits for a stream makes it known to lal, which does not mean that anybody sends it.
    hanging = asyncio.create_task(raw(server.http, f"GET {flv} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), seconds=20))
    await until(lambda: _known(server, CAM))
    _, waits = await enter(at, link)
    assert waits.status == 200
    hanging.cancel()

    async with server.publishing(CAM, LONGER, OTHER):
        cookie, answer = await enter(at, link)
        assert answer.headers["location"].startswith("/_gateway/watch/")
        watcher = Listener(at, cookie, flv)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watcher.run())
            await watcher.hears(8_000)
            assert b"FLV\x01" in bytes(watcher.got)

            listed = await ask(at, f"GET /hls/{CAM}.m3u8", cookie=cookie)
            assert listed.headers["content-type"] == "application/x-mpegurl"
            (piece, *_) = re.findall(rf"^{CAM}-\d{{13}}-\d+\.ts$", listed.body.decode(), re.M)
            for path in (f"/hls/{piece}", f"/hls/{CAM}/{piece}"):
                got = await ask(at, f"GET {path}", cookie=cookie)
                assert (got.status, got.headers["content-type"]) == (200, "video/mp2t")
                assert b"G" in got.body[:12]
            nested = await ask(at, f"GET /hls/{CAM}/playlist.m3u8", cookie=cookie)
            assert nested.body.startswith(b"#EXTM3U")
            # lal plays on HEAD as well, which is no answer to it; and it ends all the same.
            assert (await ask(at, f"HEAD {flv}", cookie=cookie)).status in (200, 502)

            # What lal itself gives to anybody.
            loose = [f"/x/{OTHER}.flv", f"/live/x%2f{OTHER}.flv", f"/live/{LONGER}.ts"]
            for target in loose:
                assert b" 200 " in (await first(server.http, f"GET {target}"))
            led = await ask(server.http, f"GET /live/{CAM}%2f..%2f{OTHER}.flv")
            assert (led.status, led.headers["location"]) == (301, f"/live/{OTHER}.flv")
            assert b" 200 " in (await first(server.http, f"POST {flv}"))
            assert (await ask(server.http, f"GET /hls/x%2f{OTHER}%2fplaylist.m3u8")).status == 200
            assert (await ask(server.http, f"GET /hls/{CAM}/record.m3u8")).status == 200
            assert (await ask(server.api, "GET /api/stat/all_group")).status == 200
            await stage.refuses(cookie, *(f"GET {target}" for target in loose))
            await stage.refuses(cookie, *vectors())
            await stage.refuses("", f"GET {flv}", f"GET /hls/{piece}", *vectors()[:30])
            await ignores_what_a_guest_says_of_itself(stage, cookie, f"/hls/{CAM}.m3u8")
            assert watcher.over is None

            off = time.monotonic()
            await stage.gateway.delete(link)
            await until(lambda: asyncio.sleep(0, watcher.over is not None), seconds=10)
            assert watcher.over is not None
            assert watcher.over - off < 2
        assert not bytes(watcher.got).endswith(b"0\r\n\r\n"), "a stream that was cut must not look whole"
        await stage.refuses(cookie, f"GET {flv}", f"GET /hls/{CAM}.m3u8", f"GET /hls/{piece}")
        asked = {line for line in stage.server.asked if "/api/" not in line}
        assert all(f"/{CAM}" in line and OTHER not in line and LONGER not in line for line in asked), asked
    stage.keeps(KEY, f"127.0.0.1:{server.http}", f"127.0.0.1:{server.api}")


async def _known(server: Lal, name: str) -> bool:
    return (await server.told(name))["error_code"] == 0


async def first(port: int, request: str) -> bytes:
    """The first line of an answer that may have no end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{request} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return await asyncio.wait_for(reader.readline(), 30)
    finally:
        writer.close()


async def test_secrets_sessions_and_the_record_where_they_are_on(
    tmp_path: Path, server: Lal, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/servers/lal.md says of them. lal counts those who watch HLS by a redirect that repeats what was asked,
    the secret too, and by a word in all addresses."""
    page = (ROOT / "docs" / "servers" / "lal.md").read_text()
    (said,) = re.findall(r"^  ```yaml\n(  upstream:\n.*?)^  ```", page, re.M | re.S)
    policy = (ROOT / "policies" / "lal.yaml").read_text().partition("examples:")[0] + dedent(said)
    policy = policy.replace("on_revoke: cut", "on_revoke: cut\n  interactions: [record]")
    policy = policy.replace('"[A-Za-z0-9_-]{1,64}"', f'"{CAM}"')
    monkeypatch.setenv("LAL_SECRET", secret_of(CAM))
    own = tmp_path_factory.mktemp("lal") / "own"
    with lal(own, server.program, strict=True) as strict:
        async with before(tmp_path, strict, policy) as stage, strict.publishing(CAM):
            at, flv = stage.guest.port, f"/live/{CAM}.flv"
            assert await first(strict.http, f"GET {flv}") == b"", "lal itself asks for it"
            cookie, _ = await enter(at, await stage.gateway.make_link(CAM))
            watcher = Listener(at, cookie, flv)
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(watcher.run())
                await watcher.hears(3_000)
                listening.cancel()
            led = await ask(at, f"GET /hls/{CAM}.m3u8", cookie=cookie)
            assert led.status == 302
            place = led.headers["location"]
            assert re.fullmatch(rf"/hls/{CAM}\.m3u8\?session_id=[0-9a-f]{{32}}", place)
            listed = await ask(at, f"GET {place}", cookie=cookie)
            (piece, *_) = re.findall(r"^\S+\.ts\?session_id=[0-9a-f]{32}$", listed.body.decode(), re.M)
            assert (await ask(at, f"GET /hls/{piece}", cookie=cookie)).status == 200
            whole = await ask(at, f"GET /hls/{CAM}/record.m3u8?{place.partition('?')[2]}", cookie=cookie)
            assert b"#EXTM3U" in whole.body
            # It opens nothing by itself, and what is no session of lal's form goes nowhere.
            await stage.refuses("", f"GET {place}", f"GET /hls/{piece}")
            await stage.refuses(
                cookie, f"GET {place.replace(CAM, OTHER)}", f"GET {place}x", f"GET {place}&session_id={'0' * 32}",
                f"GET /hls/{OTHER}/record.m3u8", f"GET /hls/x/{CAM}/record.m3u8",
            )  # fmt: skip
        stage.keeps(secret_of(CAM), KEY)


async def test_a_websocket_is_no_other_way_in(stage: Stage) -> None:
    cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(CAM))
    before = len(stage.server.there)
    async with aiohttp.ClientSession() as session:
        for path in (f"/live/{CAM}.flv", f"/live/{OTHER}.flv", f"/{CAM}.flv"):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(f"ws://127.0.0.1:{stage.guest.port}{path}", headers={"Cookie": cookie})
    assert len(stage.server.there) == before


@pytest.mark.browser
@pytest.mark.parametrize("server", programs()[-1:], indirect=True)
async def test_a_guest_watches_from_before_the_start_and_is_cut(stage: Stage, server: Lal) -> None:
    if not (FOLDER / LIBRARIES["flv"]).is_file():
        missing("mpegts.js was not fetched")
    link = await stage.gateway.make_link("camA")
    async with chromium() as browser:
        page = await (await browser.new_context(locale="en-GB")).new_page()
        await page.clock.install()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(link)
        await fill(page, "Ada")
        await expect(page.get_by_role("heading", name="Not yet")).to_be_visible()
        async with server.publishing("camA"):
            await comes_in(page)
            await sounds(page)
            await expect(page.get_by_role("heading", name="camA")).to_be_visible()
            assert await page.evaluate("document.querySelector('video').videoWidth") == 160
            await stage.gateway.delete(link)
            await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=30_000)
        assert faults == []
    # Before its script runs the page has the other way in it, which a browser may begin.
    asked = {line for line in stage.server.asked if "/api/" not in line and not line.startswith("GET /hls/camA")}
    assert asked == {"GET /live/camA.flv"}
