"""policies/mediamtx.yaml before a real MediaMTX where there is one, and a stand-in that reads paths as it does.

Three ports of one server, one tree of paths for guests: WebRTC and HLS to read, and an API that is never theirs.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.test_guest_path import enter as fill_in
from tests.chromium import chromium
from tests.policies.live_servers import spellings
from tests.policies.mediamtx import PASSWORD, USER, Mediamtx, mediamtx, programs, settled
from tests.policies.watching import until
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, ask, enter

ROOT = Path(__file__).parents[2]
SDP = "Content-Type: application/sdp\r\n"
# An offer to receive a picture, as a browser makes one.
OFFER = "\r\n".join([
    "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=video 9 UDP/TLS/RTP/SAVPF 96 102",
    "c=IN IP4 0.0.0.0", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx",
    "a=fingerprint:sha-256 " + ":".join(["0D"] * 32), "a=setup:actpass", "a=mid:0", "a=recvonly", "a=rtcp-mux",
    "a=rtpmap:96 VP8/90000", "a=rtpmap:102 H264/90000",
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", "",
])  # fmt: skip


@pytest.fixture(scope="module", params=programs())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mediamtx]:
    with mediamtx(tmp_path_factory.mktemp("mediamtx") / "own", request.param) as server:
        yield server


@asynccontextmanager
async def before(folder: Path, server: Mediamtx, policy: str = "mediamtx") -> AsyncIterator[Stage]:
    async with between(folder, policy, server.hls, beside={"webrtc": server.webrtc, "api": server.api}) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path: Path, server: Mediamtx, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("MEDIAMTX_USER", USER)
    monkeypatch.setenv("MEDIAMTX_PASSWORD", PASSWORD)
    async with before(tmp_path, server) as stage:
        yield stage


async def offer(stage: Stage, cookie: str, name: str = "cam1") -> Answer:
    return await ask(stage.guest.port, f"POST /{name}/whep", cookie=cookie, headers=SDP, body=OFFER.encode())


async def test_an_item_is_a_path_and_nobody_waits_in_vain_for_an_address(stage: Stage, server: Mediamtx) -> None:
    async with server.publishing("cam1"):
        for item in ("cam1", "/cam1/", "http://media.lan:8889/cam1/", "http://media.lan:8888/cam1/index.m3u8"):
            made = await stage.gateway.make_link(item)
            assert (await stage.gateway.link(made)).link.item == "cam1"
            await stage.gateway.delete(made)
    for item in ("", ".", "..", "cam1/backup", "cam1%2fbackup", "../cam1", "cam1;x", "cam1?x", "/cam1/whip", "c m"):
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)


async def test_a_stream_that_nobody_sends_yet_has_not_begun(stage: Stage, server: Mediamtx) -> None:
    link = await stage.gateway.make_link("cam2")
    _, answer = await enter(stage.guest.port, link)
    assert answer.status == 200
    async with server.publishing("cam2"):
        _, answer = await enter(stage.guest.port, link)
        assert answer.status == 303


async def test_one_path_arrives_by_either_way_and_nothing_else_of_the_server(stage: Stage, server: Mediamtx) -> None:
    at = stage.guest.port
    async with server.publishing("cam1"), server.publishing("cam2"), server.publishing("cam1-b"):
        cookie, _ = await enter(at, await stage.gateway.make_link("cam1"))

        async def got(target: str) -> Answer:
            return await ask(at, f"GET {target}", cookie=cookie)

        # HLS: the first answer leads to itself, and all that is named has a session in its address.
        first = await got("/cam1/index.m3u8")
        assert (first.status, first.headers["location"]) == (302, "/cam1/index.m3u8?cookieCheck=1")
        assert "gateway" in "".join(first.set_cookies) or not first.set_cookies
        listed = (await got(first.headers["location"])).body.decode()
        (child, *_) = [line for line in listed.splitlines() if "_stream.m3u8" in line and not line.startswith("#")]
        media = (await got(f"/cam1/{child}")).body.decode()
        files = re.findall(r"^[0-9a-f]{12}_\S+|URI=\"([0-9a-f]{12}_[^\"]+)\"", media, re.M)
        segment = next(line for line in media.splitlines() if re.match(r"[0-9a-f]{12}_\w+_seg", line))
        assert files
        assert (await got(f"/cam1/{segment}")).status == 200
        session = child.partition("session=")[2]
        assert (await got(f"/cam1/{child}&_HLS_msn=1")).status in (200, 400)

        # WebRTC: a session is the guest's to whom it was handed.
        began = await offer(stage, cookie)
        assert (began.status, began.headers["content-type"]) == (201, "application/sdp")
        place = began.headers["location"]
        assert re.fullmatch(r"/cam1/whep/[0-9a-f-]{36}", place)
        other, _ = await enter(at, await stage.gateway.make_link("cam1"), name="Bob")
        await stage.refuses(other, f"DELETE {place}", f"PATCH {place}")
        await stage.refuses("", f"DELETE {place}")
        assert (await ask(at, f"DELETE {place}", cookie=cookie)).status == 200
        await settled(0, server)

        # What the server itself gives to whoever has the gateway's password.
        loose = ["/cam2/..%2fcam1%2findex.m3u8", "/x/..%2fcam2%2findex.m3u8", "/cam2/index.m3u8"]
        for target in loose:
            direct = await ask(server.hls, f"GET {target}", headers=server.authorization)
            assert direct.status == 302, target
        await stage.refuses(cookie, *(f"GET {target}" for target in loose))
        await stage.refuses(cookie, *anywhere("/cam1/index.m3u8", "/cam2/index.m3u8"))
        await stage.refuses(cookie, *anywhere(f"/cam1/{segment}", f"/cam2/{segment}"))
        await stage.refuses(cookie, *(f"POST {spelt}" for spelt in spellings("/cam1/whip")))
        await stage.refuses(cookie, *(f"{method} /cam2/whep" for method in ("POST", "PATCH", "DELETE", "GET")))
        doors = ("/v3/config/global/get", "/v3/paths/list", "/metrics", "/debug/pprof/", "/cam1/publish")
        await stage.refuses(cookie, *(f"GET {spelt}" for door in doors for spelt in spellings(door)))
        head = f"Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\nContent-Length: {len(OFFER)}\r\n"
        await stage.refuses(
            cookie,
            *(f"POST {path} HTTP/1.1\r\n{head}{kind}\r\n{OFFER}".encode() for path, kind in (
                ("/cam1/whip", SDP), ("/cam2/whep", SDP), ("/cam1/whep", "Content-Type: application/json\r\n"),
                ("/cam1/whep", ""), ("/cam1/whep?x=1", SDP), ("/cam1/whep/", SDP), ("/cam1//whep", SDP),
                ("/cam1%2fwhep", SDP), ("/cam1/../cam2/whep", SDP), ("/cam1/whep", SDP + SDP),
            )),
            "GET /cam1/", "GET /cam1", "GET /cam1/hls.min.js", "GET /cam1/publisher.js", "GET /cam1-b/index.m3u8",
            "GET /cam1/backup/index.m3u8", f"GET /cam1/{segment.replace('session', 'Session')}",
            f"GET /cam1/index.m3u8?session={session}&session={session}", "GET /cam1/index.m3u8?user=x&pass=y",
            "GET /cam1/index.m3u8?jwt=x", "POST /v3/config/paths/add/cam3", "POST /v3/paths/get/cam1",
            "GET /v3/paths/get/cam1", "POST /v3/webrtcsessions/kick/x", "PATCH /v3/config/global/patch",
            "GET /list?path=cam1", "GET /get?path=cam1&start=x&duration=1", "GET /fingerprint", "GET /cam1/authmirror",
            "WS /cam1/index.m3u8", f"DELETE /cam2/whep/{place.rpartition('/')[2]}",
        )  # fmt: skip
        await ignores_what_a_guest_says_of_itself(stage, cookie, "/cam1/index.m3u8?cookieCheck=1")
    ports = (server.hls, server.webrtc, server.api)
    stage.keeps(PASSWORD, f"{USER}:{PASSWORD}", *(f"127.0.0.1:{port}" for port in ports))


async def test_what_a_guest_began_ends_with_their_grant(stage: Stage, server: Mediamtx) -> None:
    async with server.publishing("cam1"):
        first, second = await stage.gateway.make_link("cam1"), await stage.gateway.make_link("cam1")
        cookie, _ = await enter(stage.guest.port, first)
        other, _ = await enter(stage.guest.port, second, name="Bob")
        for one in (cookie, cookie, other):
            assert (await offer(stage, one)).status == 201
        await settled(3, server)
        began = time.monotonic()
        await stage.gateway.desk.edit((await stage.gateway.link(first)).link.id, {"enabled": False})
        await settled(1, server)
        assert time.monotonic() - began < 8, "two seconds, on a machine with nothing else to do"
        assert (await offer(stage, cookie)).status in (403, 410)
        await stage.gateway.delete(second)
        await settled(0, server)


SHOWN = "v.videoWidth > 0 && !v.paused && v.getVideoPlaybackQuality().totalVideoFrames"


@pytest.mark.browser
async def test_a_browser_watches_by_webrtc_and_is_cut(stage: Stage, server: Mediamtx) -> None:
    async with chromium() as browser, server.publishing("cam1"):
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await fill_in(page, await stage.gateway.make_link("cam1"))
        await page.wait_for_url("**/_gateway/watch/**")
        await expect(page.get_by_role("heading", name="cam1")).to_be_visible()
        await page.locator("video").wait_for(state="attached")
        await until(page, f"(v.muted = true, v.paused && void v.play().catch(() => {{}}), {SHOWN} > 20)")
        assert await server.watching() == 1
        # One who leaves the page is gone from the server, and comes back by a session of their own.
        await page.reload()
        await until(page, f"(v.muted = true, v.paused && void v.play().catch(() => {{}}), {SHOWN} > 20)")
        await settled(1, server)

        await stage.gateway.switch("cam1", on=False)
        await settled(0, server)
        await expect(page.locator(".trouble")).to_contain_text("Your access has ended", timeout=45_000)
        shown = await page.evaluate("document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames")
        await asyncio.sleep(1)
        now = await page.evaluate("document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames")
        assert now <= shown + 1, "the picture stands"
        answer = await page.reload()
        assert answer is not None
        assert answer.status in (403, 410)
        assert faults == []
    assert not [line for line in stage.server.asked if "/whip" in line]
    stage.keeps(PASSWORD)


@pytest.mark.browser
async def test_the_same_by_hls(tmp_path: Path, server: Mediamtx, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that docs/servers/mediamtx.md changes for whoever wants everything to go through the gateway."""
    monkeypatch.setenv("MEDIAMTX_USER", USER)
    monkeypatch.setenv("MEDIAMTX_PASSWORD", PASSWORD)
    policy = (ROOT / "policies" / "mediamtx.yaml").read_text()
    page = (ROOT / "docs" / "servers" / "mediamtx.md").read_text()
    (instead,) = [line.strip() for line in page.splitlines() if line.strip().startswith("player: {")]
    (old,) = [line.strip() for line in policy.splitlines() if line.strip().startswith("player: {")]
    policy = policy.replace(old, instead).replace("    beside: webrtc\n", "")
    async with before(tmp_path, server, policy) as stage, chromium() as browser, server.publishing("cam1"):
        guest = await browser.new_page()
        await fill_in(guest, await stage.gateway.make_link("cam1"))
        await guest.locator("video").wait_for(state="attached")
        await until(guest, f"(v.muted = true, v.paused && void v.play().catch(() => {{}}), {SHOWN} > 10)")
        assert await server.watching() == 0
        stage.keeps(PASSWORD)
