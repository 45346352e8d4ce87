"""policies/peertube.yaml in front of a stand-in for PeerTube that was written from its source before the policy.

It names itself as configured, `https://tube.example.org`, wherever it is reached; its private folder lies inside the
public one; and no name of a file outside of HLS tells which video it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chromium import chromium
from tests.policies.watching import seek, two_guests_one_removed, until, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, Running, ask, enter
from tests.servers.asking import ask as direct
from tests.servers.asking import stamped
from tests.servers.fake_peertube import FakePeerTube
from tests.servers.peertube_library import Video

ROOT = Path(__file__).parents[2]
NAME = "https://tube.example.org"
KNOWN = f"    also_known_as: [{NAME}]\n"
PASSWORD = 'sesame/&<for>"guests"'
HLS = "/static/streaming-playlists/hls"


@dataclass
class Tube:
    fake: FakePeerTube
    stage: Stage

    async def come(self, video: Video) -> str:
        cookie, answer = await enter(self.stage.guest.port, await self.stage.gateway.make_link(video.uuid))
        assert answer.status == 303
        return cookie

    async def get(self, cookie: str, target: str, headers: str = "") -> Answer:
        return await ask(self.stage.guest.port, f"GET {target}", cookie=cookie, headers=headers)

    def keeps(self, *more: str) -> None:
        """Nothing of what the gateway knows and guests do not; the address of the server itself neither."""
        port = self.stage.server.port
        self.stage.keeps(PASSWORD, "tube.example.org", f"127.0.0.1:{port}", f"localhost:{port}", *more)


@asynccontextmanager
async def tube_behind(folder: Path, clips: Path, policy: str = "peertube") -> AsyncIterator[Tube]:
    fake = FakePeerTube(folder / "tube", clips, base=NAME)
    fake.library.locked.password = fake.library.stored_secret.password = PASSWORD
    async with fake.running() as url, between(folder, policy, int(url.rpartition(":")[2]), server_extra=KNOWN) as stage:
        yield Tube(fake, stage)


@pytest.fixture
async def tube(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tube]:
    monkeypatch.setenv("PEERTUBE_VIDEO_PASSWORD", PASSWORD)
    async with tube_behind(tmp_path, clips) as running:
        yield running


async def test_every_spelling_that_owners_paste_is_the_uuid(tube: Tube) -> None:
    library, gateway = tube.fake.library, tube.stage.gateway
    film = library.film
    spellings = [
        film.uuid, film.uuid.upper(), film.short, str(film.number), f"/w/{film.short}",
        f"{NAME}/w/{film.short}?start=9s",
        f"{NAME}/w/{film.uuid};threadId=12", f"{NAME}/videos/watch/{film.uuid}",
        f"{NAME}/videos/embed/{film.short}?p2p=0",
        f"{NAME}/videos/watch/{film.uuid};threadId=5", f"{NAME}/api/v1/videos/{film.uuid}", f"/w/{film.number}",
    ]  # fmt: skip
    for spelling in spellings:
        link = await gateway.make_link(spelling)
        assert (await gateway.link(link)).link.item == film.uuid, spelling
        await gateway.delete(link)


async def test_what_is_not_one_video_of_this_instance_is_refused(tube: Tube) -> None:
    library, gateway = tube.fake.library, tube.stage.gateway
    film = library.film
    refused = [
        library.playlist, f"{NAME}/w/p/{library.playlist}", f"{NAME}/w/p/{library.playlist}?playlistPosition=1",
        f"{NAME}/video-playlists/embed/{library.playlist}", f"{NAME}/c/channel/videos", f"{NAME}/a/account",
        f"{NAME}/@channel",
        f"{NAME}/videos/watch/playlist/{library.playlist}",
        library.far.uuid, library.secret.uuid, library.inner.uuid, str(library.unlisted.number),
        "11111111-2222-4333-8444-555555555555", "private", f"private/{film.uuid}",
        f"{film.uuid}/../{library.other.uuid}",
        f"{film.uuid},{library.other.uuid}", f"{film.uuid};threadId=1", "", "0", "9999999999", f"{{{film.uuid}}}",
        f"{film.uuid}?videoId={library.other.uuid}", f"{NAME}/", f"{NAME}/w/",
    ]  # fmt: skip
    assert [item for item in refused if await made(gateway, item)] == []


async def made(gateway: Running, item: str) -> bool:
    try:
        await gateway.make_link(item)
    except LookupError:
        return False
    return True


async def test_a_video_that_is_made_ready_is_said_to_be_so(tube: Tube) -> None:
    link = await tube.stage.gateway.make_link(tube.fake.library.unready.uuid)
    _, answer = await enter(tube.stage.guest.port, link)
    assert answer.status != 303
    tube.fake.library.unready.state = 1
    _, answer = await enter(tube.stage.guest.port, link)
    assert answer.status == 303


def named_in(text: str) -> list[str]:
    """The addresses of a playlist."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return lines + re.findall(r'URI="([^"]+)"', text)


@pytest.mark.parametrize("which", ["film", "unlisted", "locked", "stored_secret", "live"])
async def test_all_of_one_video_arrives(tube: Tube, which: str) -> None:
    video: Video = getattr(tube.fake.library, which)
    cookie = await tube.come(video)
    folder = f"{HLS}/{'private/' if video.shut else ''}{video.uuid}"
    if video.where == "bucket":
        folder = f"/object-storage-proxy/streaming-playlists/hls/private/{video.uuid}"
    master = await tube.get(cookie, f"{folder}/{video.master}")
    assert master.status == 200
    seen = []
    for name in named_in(master.body.decode()):
        assert re.fullmatch(r"[a-z0-9-]+\.m3u8", name), name
        listed = await tube.get(cookie, f"{folder}/{name}")
        assert listed.status == 200
        for part in dict.fromkeys(named_in(listed.body.decode())):
            answer = await tube.get(cookie, part if part.startswith("/") else f"{folder}/{part}")
            assert answer.status == 200, part
            seen.append((part.rpartition(".")[2], stamped(answer.body)))
    if not video.live:
        assert sorted(seen) == [("mp4", video.uuid)] * 2 + [("vtt", video.uuid)] * 2
    else:
        assert {ending for ending, _ in seen} == {"ts"}
    poster = await tube.get(cookie, f"/lazy-static/previews/{video.preview}")
    assert stamped(poster.body) == video.uuid
    tube.keeps()


async def test_a_video_without_hls_is_its_file(tube: Tube) -> None:
    video = tube.fake.library.plain
    cookie, answer = await enter(tube.stage.guest.port, await tube.stage.gateway.make_link(video.uuid))
    page = await tube.get(cookie, answer.headers["location"], "Accept: text/html\r\n")
    assert f"/static/web-videos/{video.web[180]}" in page.body.decode()
    part = await tube.get(cookie, f"/static/web-videos/{video.web[180]}", "Range: bytes=4-7\r\n")
    assert (part.status, part.body) == (206, b"ftyp")
    await tube.stage.refuses(cookie, f"GET /static/web-videos/{tube.fake.library.film.web[180]}")
    tube.keeps()


async def test_what_peertube_would_give_is_never_asked_of_it(tube: Tube) -> None:
    library = tube.fake.library
    film, other, secret, locked = library.film, library.other, library.secret, library.locked
    cookie = await tube.come(film)
    captions = next(iter(other.captions.values()))
    # PeerTube itself gives each of these to somebody with the gateway's password.
    given = [
        f"/api/v1/videos/{other.uuid}", f"/api/v1/videos/{film.uuid}", f"/API/v1/videos/{other.short}/",
        f"{HLS}/{other.uuid}/{other.master}", f"{HLS}/{film.uuid}/../{other.uuid}/{other.master}",
        f"{HLS}//private/{secret.uuid}/{secret.master}", f"{HLS}/./private/{secret.uuid}/{secret.master}",
        f"{HLS}/%70rivate/{secret.uuid}/{secret.master}", f"{HLS}/private%2f{secret.uuid}/{secret.master}",
        f"{HLS}/{film.uuid}/..%2fprivate/{secret.uuid}/{secret.master}",
        f"{HLS}/private//{secret.uuid}/{secret.master}",
        f"{HLS}/{film.uuid}/../private/{secret.uuid}/{secret.master}",
        f"{HLS}/{film.uuid}/%2e%2e/{other.uuid}/{other.master}",
        f"{HLS}/private/{locked.uuid}/{locked.master}", f"{HLS}/{film.uuid}%2f..%2f{other.uuid}%2f{other.master}",
        f"/static/web-videos/{other.web[180]}", f"/static/webseed/{other.web[180]}",
        f"/static/web-videos/private/{locked.web[180]}",
        f"/static/web-videos//private/{secret.web[180]}", f"/lazy-static/video-captions/{captions}",
        f"/lazy-static/thumbnails/{other.thumbnail}", f"/lazy-static/previews/{other.preview}",
        f"/lazy-static/storyboards/{other.storyboard}", f"/lazy-static/avatars/{library.avatar}",
        f"/lazy-static/torrents/{film.torrent}", f"/download/torrents/{film.torrent}",
        f"/download/web-videos/{film.uuid}-180.mp4",
        f"/download/streaming-playlists/hls/videos/{other.uuid}-180-fragmented.mp4",
        f"/download/videos/generate/{film.uuid}?videoFileIds={library.file_ids[film.web[180]]}",
        f"/videos/embed/{film.uuid}", f"/videos/embed/{film.uuid}?videoId={other.uuid}", f"/w/{film.short}",
        "/api/v1/videos",
        "/api/v1/search/videos?search=film", f"/api/v1/videos/{film.uuid}/captions",
        f"/api/v1/videos/{film.uuid}/comment-threads",
        "/api/v1/oauth-clients/local", "/api/v1/config", f"/api/v1/video-playlists/{library.playlist}/videos",
        "/socket.io/?EIO=4&transport=polling", "/tracker/announce", "/no/such/thing", "/",
        "/client/standalone/videos/assets/embed.js",
        f"{HLS}/{film.uuid}/{film.master.replace('-master.m3u8', '-segments-sha256.json')}",
    ]  # fmt: skip
    loose = []
    for target in given:
        answer = await direct(tube.fake.url, target, headers={"x-peertube-video-password": PASSWORD})
        loose.append((target, answer.status))
    assert [one for one in loose if one[1] != 200] == []
    await tube.stage.refuses(cookie, *(f"GET {target}" for target in given))


async def test_nothing_else_arrives(tube: Tube) -> None:
    library, stage = tube.fake.library, tube.stage
    film, other = library.film, library.other
    cookie = await tube.come(film)
    ok, theirs = f"{HLS}/{film.uuid}/{film.master}", f"{HLS}/{other.uuid}/{other.master}"
    video, picture = f"{HLS}/{film.uuid}/{film.fragmented[180]}", f"/lazy-static/previews/{film.preview}"
    await stage.refuses(cookie, *anywhere(ok, theirs))
    await stage.refuses(cookie, *anywhere(video, f"{HLS}/{other.uuid}/{other.fragmented[180]}"))
    await stage.refuses(cookie, *anywhere(picture, f"/lazy-static/previews/{other.preview}"))
    socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    socket += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    head = "Host: HOST\r\nCookie: COOKIE\r\n"
    await stage.refuses(
        cookie,
        f"GET /api/v1/videos/{film.uuid}/../{other.uuid}", f"GET /api/v1/videos/{film.uuid}/%2e%2e/{other.uuid}",
        f"GET {ok}?videoFileToken=x", f"GET {ok}?reinjectVideoFileToken=true", f"GET {ok}?videoId={other.uuid}",
        f"GET {ok};threadId=1", f"GET {HLS}/{film.short}/{film.master}", f"GET {HLS}/{film.number}/{film.master}",
        f"GET {HLS}/{film.uuid.upper()}/{film.master}", f"GET {HLS.replace('hls', 'HLS')}/{film.uuid}/{film.master}",
        f"GET /Static{ok.removeprefix('/static')}", f"GET {HLS}/private/{other.uuid}/{other.master}",
        f"GET {HLS}/private/private/x.m3u8",
        f"GET {HLS}/{film.uuid}", f"GET {HLS}/{film.uuid}/", f"GET {HLS}/{film.uuid}/x/{film.master}",
        f"GET {HLS}/{film.uuid}/.m3u8", f"GET {HLS}/{film.uuid}/a.json", f"GET {HLS}/{film.uuid}/A.m3u8",
        f"GET /static/redundancy/hls/{film.uuid}/{film.master}",
        f"GET /object-storage-proxy/web-videos/private/{other.web[180]}",
        f"GET /object-storage-proxy/streaming-playlists/hls/private/{other.uuid}/x.m3u8",
        f"POST /api/v1/videos/{film.uuid}/token", f"POST /api/v1/videos/{film.uuid}/views",
        f"PUT /api/v1/videos/{film.uuid}",
        f"DELETE /api/v1/videos/{film.uuid}", "POST /api/v1/users/token", "GET /api/v1/users/me",
        "GET /api/v1/jobs/active",
        "GET /feeds/videos.xml", f"GET /services/oembed?url={NAME}/w/{film.short}", "GET /.well-known/nodeinfo",
        "GET /plugins/x/router/y",
        "GET /plugins/global.css", "GET /api/v1/server/logs", "POST /api/v1/server/logs/client",
        "POST /api/v1/metrics/playback",
        "GET /videos/watch/x", f"GET /lazy-static/previews/{film.preview}?x=1",
        f"GET /lazy-static/video-captions/{next(iter(film.captions.values()))}",
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{head}{socket}\r\n".encode(),
        f"GET /tracker/socket HTTP/1.1\r\n{head}{socket}\r\n".encode(),
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, ok)
    # What is sent says nothing of the guest's, and asks for no other form of the page.
    before = len(stage.server.there)
    said = "x-peertube-video-password: mine\r\nAuthorization: Bearer mine\r\nX-Forwarded-Host: mine\r\n"
    said += "Accept: application/activity+json\r\n"
    assert (await tube.get(cookie, ok, said)).status == 200
    sent = bytes(stage.server.there[before:])
    assert b"mine" not in sent
    assert sent.count(b"peertube-video-password") == 1
    tube.keeps()


async def test_a_playlist_that_names_others_leads_nowhere(tube: Tube) -> None:
    """Whoever may write a playlist of one video has not written another one into it."""
    library = tube.fake.library
    film, other, secret = library.film, library.other, library.secret
    file = library.folder / library.hls_folder(film) / film.master
    hostile = [
        f"../{other.uuid}/{other.master}", f"{NAME}{HLS}/{other.uuid}/{other.master}",
        f"../private/{secret.uuid}/{secret.master}",
        f"/lazy-static/torrents/{film.torrent}", f"/static/web-videos/{other.web[180]}", f"{NAME}/api/v1/users/me",
        "https://elsewhere.example/x.m3u8", "http://127.0.0.1:9/x.m3u8", "file:///etc/passwd",
        f"{NAME}/lazy-static/video-captions/../torrents/x.vtt",
        "//elsewhere.example/x.m3u8", f"?videoFileToken={PASSWORD}",
    ]  # fmt: skip
    text = file.read_text()
    file.write_text(text + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{one}\n" for one in hostile))
    cookie = await tube.come(film)
    listed = (await tube.get(cookie, f"{HLS}/{film.uuid}/{film.master}")).body.decode()
    assert sorted(named_in(listed)) == sorted(named_in(text))
    for video in (library.unlisted, library.live):
        await tube.come(video)
    file.write_text("{}")
    assert (await tube.get(cookie, f"{HLS}/{film.uuid}/{film.master}")).status == 502
    tube.keeps("elsewhere.example", other.uuid)


async def test_public_files_in_a_bucket_with_an_address_of_its_own(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bucket is asked carries no credential; what lies beside the video's folder is not reached."""
    monkeypatch.setenv("PEERTUBE_VIDEO_PASSWORD", PASSWORD)
    fake = FakePeerTube(tmp_path / "tube", clips, base=NAME)
    async with fake.running() as url:
        monkeypatch.setenv("PEERTUBE_STORAGE", fake.bucket.url)
        async with between(tmp_path, "peertube", int(url.rpartition(":")[2]), server_extra=KNOWN) as stage:
            tube, video = Tube(fake, stage), fake.library.stored
            cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(video.uuid))
            page = (await tube.get(cookie, answer.headers["location"], "Accept: text/html\r\n")).body.decode()
            (master,) = set(re.findall(r"/_gateway/s/[A-Za-z0-9_/-]+-master\.m3u8", page))
            found = []
            for listed in named_in((await tube.get(cookie, master)).body.decode()):
                assert listed.startswith("/_gateway/s/")
                for part in dict.fromkeys(named_in((await tube.get(cookie, listed)).body.decode())):
                    found.append(stamped((await tube.get(cookie, part)).body))
            assert found == [video.uuid] * 4
            for asked in fake.bucket.asked:
                assert asked.target.startswith(f"/hls/{video.uuid}/")
                assert not {name.lower() for name, _ in asked.headers} & {
                    "x-peertube-video-password",
                    "cookie",
                    "authorization",
                }
            tube.keeps(fake.bucket.url.removeprefix("http://"))


def with_account(name: str = "peertube") -> str:
    """The change that docs/servers/peertube.md offers for internal and private videos."""
    policy = (ROOT / "policies" / f"{name}.yaml").read_text()
    page = (ROOT / "docs" / "servers" / "peertube.md").read_text()
    (instead,) = re.findall(r"```yaml\n( *upstream:\n.*?)```", page, re.S)
    indent = len(instead) - len(instead.lstrip())
    instead = "\n".join(line[indent:] for line in instead.splitlines())
    (own,) = re.findall(r"^upstream:\n(?: .*\n)+", policy, re.M)
    return policy.replace(own, f"{instead}\n")


async def test_internal_videos_by_an_account(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = {"CLIENT": "fake-client", "SECRET": "fake-client-secret", "USER": "user", "PASSWORD": PASSWORD}
    for name, said in account.items():
        monkeypatch.setenv(f"PEERTUBE_{name}", said)
    async with tube_behind(tmp_path, clips, with_account()) as tube:
        inner, secret = tube.fake.library.inner, tube.fake.library.secret
        cookie = await tube.come(inner)
        folder = f"{HLS}/private/{inner.uuid}"
        assert (await tube.get(cookie, f"{folder}/{inner.master}")).status == 200
        assert stamped((await tube.get(cookie, f"{folder}/{inner.fragmented[90]}")).body) == inner.uuid
        with pytest.raises(LookupError):
            await tube.stage.gateway.make_link(secret.uuid)  # somebody else's
        await tube.stage.refuses(cookie, "GET /api/v1/users/me", f"GET {HLS}/private/{secret.uuid}/{secret.master}")
        token = next(token for token, who in tube.fake.accounts.items() if who == "user")
        tube.keeps(token, "fake-client-secret")


@pytest.mark.browser
@pytest.mark.parametrize("which", ["film", "locked"])
async def test_a_browser_plays_with_captions_another_quality_and_a_jump(tube: Tube, which: str) -> None:
    video: Video = getattr(tube.fake.library, which)
    async with chromium() as browser:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        link = await tube.stage.gateway.make_link(video.short)
        await watch(page, link)
        await page.get_by_role("button", name="Captions").click()
        await page.get_by_role("menuitemradio", name="Deutsch").click()
        await until(page, "[...v.textTracks].find(t => t.mode == 'showing')?.cues?.length > 0")
        assert "Sekunde" in str(await value(page, "[...v.textTracks].find(t => t.mode == 'showing').cues[0].text"))
        for height in (180, 90):
            await page.get_by_role("button", name="Quality").click()
            await page.get_by_role("menuitemradio", name=f"{height}p", exact=True).click()
            await until(page, f"v.videoHeight == {height}")
        await seek(page, 5)
        assert faults == []
        if which == "film":
            await two_guests_one_removed(tube.stage, browser, page, link, video.uuid)
    paths = {line.split(" ")[1].partition("?")[0] for line in tube.stage.server.asked}
    allowed = (
        f"/api/v1/videos/{video.uuid}|/api/v1/videos/{video.short}|{HLS}/(private/)?{video.uuid}/.+|/lazy-static/.+"
    )
    assert [path for path in paths if not re.fullmatch(allowed, path)] == []
    tube.keeps()


@pytest.mark.browser
async def test_a_browser_plays_a_live_one_and_a_file(tube: Tube) -> None:
    async with chromium() as browser:
        for video in (tube.fake.library.live, tube.fake.library.plain):
            page = await (await browser.new_context()).new_page()
            await watch(page, await tube.stage.gateway.make_link(video.uuid))
    tube.keeps()
