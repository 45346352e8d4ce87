"""policies/jellyfin.yaml in front of a stand-in for Jellyfin, which serves any item whose play session, live stream or
media source the query names, and writes the token it was given into its playlists."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page

from gateway.access.issue import IssueRefused
from tests.chromium import chromium
from tests.policies.watching import seek, until, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter
from tests.servers.fake_jellyfin import FakeJellyfin
from tests.servers.films import Films
from tests.servers.jellyfin_library import Library, dashed, new_id
from tests.servers.jellyfin_streams import Transcode

DOCS = Path(__file__).parents[2] / "docs" / "servers" / "jellyfin.md"
TICKS = "runtimeTicks=0&actualSegmentLengthTicks=20000000"
CUES = "CopyTimestamps=true&AddVttTimeMap=true&StartPositionTicks=0&EndPositionTicks=120000000"


@dataclass
class Cinema:
    stage: Stage
    server: FakeJellyfin
    token: str

    @property
    def library(self) -> Library:
        return self.server.library

    async def guest(self, item: str) -> tuple[str, str]:
        """A guest of this item: cookie, and the play session that was made for them."""
        before = len(self.asked("POST /Items/"))
        cookie, _ = await enter(self.stage.guest.port, await self.stage.gateway.make_link(self.library[item].id))
        assert cookie
        assert len(self.asked("POST /Items/")) == before + 1
        answer = await self.get(cookie, f"/Videos/{self.library[item].id}/main.m3u8")
        session: str = re.findall(r"PlaySessionId=([0-9a-f]{32})", answer)[0]
        return cookie, session

    async def get(self, cookie: str, path: str) -> str:
        answer = await ask(self.stage.guest.port, f"GET {path}", cookie=cookie)
        assert answer.status == 200, (path, answer)
        return answer.body.decode("latin-1")

    def asked(self, begins: str) -> list[str]:
        return [target for target in self.server.targets if target.startswith(begins)]

    def keeps(self) -> None:
        """No guest got the token, a file's path, a place on this machine or the server's address."""
        self.stage.keeps(self.token, "/srv/media", f"127.0.0.1:{self.stage.server.port}", self.server.url[7:])


@pytest.fixture
async def cinema(
    request: pytest.FixtureRequest, tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cinema]:
    """A test may ask for another Jellyfin than a 10.11."""
    server = FakeJellyfin(Library.of(films), **getattr(request, "param", {}))
    token = server.library.token("guests")
    monkeypatch.setenv("JELLYFIN_TOKEN", token)
    monkeypatch.setenv("JELLYFIN_BASE", server.base)
    async with server.running() as url, between(tmp_path, "jellyfin", urlsplit(url).port or 0) as stage:
        yield Cinema(stage, server, token)


async def test_an_item_is_found_in_every_spelling_that_owners_have(cinema: Cinema) -> None:
    film = cinema.library["film"].id
    for spelling in (
        film, film.upper(), dashed(film), dashed(film).upper(),
        f"http://tv.example:8096/web/#/details?id={film}&serverId=0f1e",
        f"https://tv.example/web/index.html#!/details?id={film}&context=home&serverId=0f1e",
        f"https://tv.example/web/index.html#/details?serverId=0f1e&id={dashed(film)}",
        f"https://tv.example/web/#!/details?id={film}",
        f"https://tv.example/Items/{film}/Download?ApiKey=somebodys",
    ):  # fmt: skip
        made = await cinema.stage.gateway.make_link(spelling)
        view = await cinema.stage.gateway.link(made)
        assert (view.link.item, view.link.kind) == (film, "video"), spelling
        await cinema.stage.gateway.delete(made)
    song = await cinema.stage.gateway.make_link(cinema.library["song"].id)
    assert (await cinema.stage.gateway.link(song)).link.kind == "audio"
    assert not [line for line in cinema.stage.server.asked if "somebodys" in line], "somebody's key, pasted"
    for odd in (
        f"{{{dashed(film)}}}", f"({film})", film[:-1], film + "0", f"{film}?userId=1", f"{film}/Download",
        "https://tv.example/web/#/video", "https://tv.example/web/#/tv?topParentId=" + film, "", "Films",
        f"{film},{cinema.library['other'].id}", dashed(film).replace("-", "", 1),
    ):  # fmt: skip
        before = len(cinema.server.asked)
        with pytest.raises(LookupError):
            await cinema.stage.gateway.make_link(odd)
        assert len(cinema.server.asked) == before, odd


@pytest.mark.parametrize(
    "name", ["series", "season", "boxset", "playlist", "folder", "musicalbum", "channel", "hidden", "nothing"]
)
async def test_what_is_not_one_item_of_the_account_is_refused(cinema: Cinema, name: str) -> None:
    item = new_id() if name == "nothing" else cinema.library[name].id
    with pytest.raises(LookupError) as refused:
        await cinema.stage.gateway.make_link(item)
    gone = "is not on the media server" in str(refused.value)
    assert gone == (name in ("hidden", "nothing")), refused.value
    named = "channel" if name == "channel" else "collection"
    assert gone or f"items of kind {named} can't be opened to guests" in str(refused.value)


async def test_each_guest_has_a_play_session_and_what_they_say_of_another_is_dropped(cinema: Cinema) -> None:
    """The facts' trap: with the play session of a running transcode the server would serve its film for any item."""
    film, other = cinema.library["film"], cinema.library["other"]
    (ada, first), (bob, second) = await cinema.guest("film"), await cinema.guest("other")
    assert first != second
    await cinema.get(bob, f"/Videos/{other.id}/hls1/main/0.ts?{TICKS}")
    assert {job.play_session for job in cinema.server.streams.running} == {second}
    lies = [f"PlaySessionId={second}", f"PlaySessionId={second}&PlaySessionId={first}", f"MediaSourceId={other.id}",
            "DeviceId=x", "VideoBitrate=1&VideoCodec=hevc&AudioCodec=mp3&SegmentContainer=mp4",
            "SubtitleMethod=Encode&EnableTrickplay=true&EnableAdaptiveBitrateStreaming=true",
            "h264-profile=x&h264-videobitdepth=10"]  # fmt: skip
    asked: dict[str, set[str]] = {}
    for lie in ["", *lies]:
        for path in ("master.m3u8?", "main.m3u8?", f"hls1/main/1.ts?{TICKS}&"):
            await cinema.get(ada, f"/Videos/{film.id}/{path}{lie}".rstrip("?&"))
            asked.setdefault(path, set()).add(cinema.server.targets[-1].replace(f"{TICKS}&", ""))
    for targets in asked.values():
        assert len(targets) == 1, targets
        said = parse_qs(urlsplit(next(iter(targets)).split(" ")[1]).query)
        assert (said["PlaySessionId"], said["MediaSourceId"]) == ([first], [film.id])
        assert said["DeviceId"][0] not in ("", "x")
    assert (await ask(cinema.stage.guest.port, f"GET /Videos/{film.id}/hls1/main/1.ts?{TICKS}", cookie=ada)).body == (
        film.sources[0].folder / "high" / "1.ts"
    ).read_bytes()
    agents = {one.header("user-agent") for one in cinema.server.asked if one.path.endswith((".ts", "/master.m3u8"))}
    assert agents == {"guest-gateway"}, "it names the transcode"
    devices = {job.device for job in cinema.server.streams.jobs}
    assert len(devices) == len(cinema.server.streams.jobs) == 2, "one each, and no request began another"
    cinema.keeps()


@pytest.mark.parametrize("cinema", [{}, {"legacy": False}, {"local": False}], indirect=True)
async def test_the_servers_echo_of_the_token_is_taken_out_of_playlists(cinema: Cinema) -> None:
    film = cinema.library["film"]
    cookie, _ = await cinema.guest("film")
    master = await cinema.get(cookie, f"/Videos/{film.id}/master.m3u8")
    assert f'URI="{film.id}/Subtitles/2/subtitles.m3u8?SegmentLength=30"' in master
    assert "tiles.m3u8" not in master
    captions = await cinema.get(cookie, f"/Videos/{film.id}/{film.id}/Subtitles/2/subtitles.m3u8?SegmentLength=30")
    assert "stream.vtt?CopyTimestamps=true&AddVttTimeMap=true&StartPositionTicks=0&EndPositionTicks=" in captions
    assert "WEBVTT" in await cinema.get(cookie, f"/Videos/{film.id}/{film.id}/Subtitles/2/stream.vtt?{CUES}")
    assert "ApiKey" not in master + captions
    there = bytes(cinema.stage.server.back).decode("latin-1")
    assert f"ApiKey={cinema.token}" in there, "the server did write it"
    assert "ApiKey" not in bytes(cinema.stage.server.there).decode("latin-1"), "and never gets it in an address"
    heads = [one.header("authorization") for one in cinema.server.asked]
    assert set(heads) == {f'MediaBrowser Token="{cinema.token}"'}
    cinema.keeps()


@pytest.mark.parametrize("cinema", [{"base": "/Jellyfin"}], indirect=True)
async def test_a_server_with_a_base_url(cinema: Cinema) -> None:
    film = cinema.library["film"].id
    made = await cinema.stage.gateway.make_link(f"https://tv.example/Jellyfin/web/#/details?id={film}")
    cookie, answer = await enter(cinema.stage.guest.port, made)
    page = (await cinema.get(cookie, answer.headers["location"])).replace("&#47;", "/")
    assert f"/Jellyfin/Videos/{film}/master.m3u8" in page
    await cinema.get(cookie, f"/Jellyfin/Videos/{film}/master.m3u8")
    assert "WEBVTT" in await cinema.get(cookie, f"/Jellyfin/Videos/{film}/{film}/Subtitles/2/stream.vtt?{CUES}")
    await cinema.stage.refuses(cookie, f"GET /Videos/{film}/master.m3u8", f"GET /jellyfin/Videos/{film}/master.m3u8")


async def test_what_the_server_itself_would_do_is_never_asked_of_it(cinema: Cinema) -> None:
    film, other = cinema.library["film"], cinema.library["other"]
    a, b = film.id, other.id
    cookie, session = await cinema.guest("film")
    ok, away = f"/Videos/{a}/master.m3u8", f"/Videos/{b}/master.m3u8"
    # What this Jellyfin gives to the account, or to anybody: each of them is another item, or more than the item.
    job = Transcode("0" * 32, other.sources[0], new_id(), "tv in the living room", "high", "ts")
    cinema.server.streams.jobs.append(job)
    cinema.server.streams.live["live_1"] = cinema.library["channel"].sources[0]
    token = f'Authorization: MediaBrowser Token="{cinema.token}"\r\n'
    at = urlsplit(cinema.server.url).port or 0
    open_doors = (
        f"/Videos/{a}/hls/x/{'0' * 32}0.ts",
        f"/Videos/{a}/hls1/main/0.ts?{TICKS}&PlaySessionId={job.play_session}", f"/Videos/{a}/stream?static=true",
        f"/Videos/{a}/live.m3u8?LiveStreamId=live_1", f"/Videos/{a}/stream?params=;dev;{a};true",
        f"/Videos/{a}/stream?MediaSourceId%3D{a}%26Static%3Dtrue", f"/emby/Videos/{b}/stream?static=true",
        f"/Videos/{a}/{a}/Subtitles/2/Stream.vtt?itemId={b}&mediaSourceId={b}",
        f"/VIDEOS/{b.upper()}/stream?static=true",
        f"/Videos/{a}/Trickplay/320/0.jpg?MediaSourceId={b}",
        f"/Videos/{a}/%2e%2e/{b}/stream?static=true",
        f"/Items/{a}/File", f"/Items/{b}/Images/Primary", "/Items", f"/Items/{a}", "/Users", "/Sessions",
        f"/Videos/{dashed(b)}/stream?static=true", f"/Videos/{a}/stream?PlaySessionId={job.play_session}&static=true",
        f"/Items/{a}/PlaybackInfo", "/System/Info/Public", "/FallbackFont/Fonts", "/web/", f"/Audio/{a}/universal",
    )  # fmt: skip
    for request in open_doors:
        assert (await ask(at, f"GET {request}", headers=token)).status == 200, request
    job.ended = False
    for request in open_doors:
        if "/hls1/" not in request:  # its play session is the guest's own by the time it is sent
            await cinema.stage.refuses(cookie, f"GET {request}", f"GET {request.replace('?', '/?')}")
    await cinema.stage.refuses(cookie, *anywhere(ok, away))
    segment, caption = f"/Videos/{a}/hls1/main/0.ts?{TICKS}", f"/Videos/{a}/{a}/Subtitles/2/stream.vtt?{CUES}"
    await cinema.stage.refuses(
        cookie,
        *(f"GET {ok}?{one}" for one in (
            "LiveStreamId=live_1", f"params=;d;{b};true;;;;;;;;;;;;;;;;;{job.play_session}",
            f"playSessionId={job.play_session}",
            f"PLAYSESSIONID={job.play_session}", f"%50laySessionId{session}", f"MediaSourceId%3D{b}%26Static%3Dtrue",
            f"%4DediaSourceId%3D{b}", f"mediaSourceId={b}", f"MediaSourceId={a}&mediasourceid={b}", f"itemId={b}",
            "userId=1", "UserId=1", "ApiKey=guest", "api_key=guest", "apikey=guest", "Static=true", "static=true",
            "StartTimeTicks=1", "deviceId=x", "SubtitleStreamIndex=2", "Context=Static", "Tag=x", "a=b",
            "h264-preset=-f+null", "PlaySessionId%00=x", "PlaySessionId;LiveStreamId=live_1", "Play_Session_Id=x",
            "enableAdaptiveBitrateStreaming=true", "videoBitRate=1", "VideoBitRate=1", "MaxWidth=1",
            "AudioStreamIndex=0",
        )),
        *(f"GET {segment}&{one}" for one in (
            "runtimeTicks=1", "RuntimeTicks=1", "LiveStreamId=live_1", f"playsessionid={job.play_session}",
            "static=true",
            "StartTimeTicks=5", "params=x", f"mediaSourceId={b}", "ApiKey=guest",
        )),
        *(f"GET {caption}&{one}" for one in (
            f"itemId={b}", f"ItemId={b}", f"mediaSourceId={b}", "index=0", "format=srt", "startPositionTicks=0",
            f"itemId%3D{b}", "ApiKey=guest", "copytimestamps=false",
        )),
        f"GET /Videos/{a}/hls1/main/0.ts", f"GET /Videos/{a}/hls1/main/0.ts?runtimeTicks=0",
        f"GET /Videos/{a}/hls1/main/0.ts?runtimeTicks=-1&actualSegmentLengthTicks=1",
        f"GET /Videos/{a}/hls1/main/0.mp4?{TICKS}", f"GET /Videos/{a}/hls1/main/-1.ts?{TICKS}",
        f"GET /Videos/{a}/hls1/x/0.ts?{TICKS}", f"GET /Videos/{a}/hls1/main/0.ts/?{TICKS}",
        f"GET /Videos/{a}/hls1/main/%30%2e.ts?{TICKS}", f"GET /Videos/{a}/hls1/main/1234567.ts?{TICKS}",
        f"GET /videos/{a}/master.m3u8", f"GET /Videos/{a.upper()}/master.m3u8", f"GET /Videos/{dashed(a)}/master.m3u8",
        f"GET /Videos/%7B{dashed(a)}%7D/master.m3u8", f"GET /Videos/{a}%20/master.m3u8", f"GET /Videos/{a}/MASTER.m3u8",
        f"GET /emby{ok}", f"GET /mediabrowser{ok}", f"GET /jellyfin{ok}", f"GET /Audio/{b}/main.m3u8",
        f"GET /Images/{a}/master.m3u8", f"GET /Videos/{a}/main.m3u8.m3u8", f"GET /Videos/{a}/live.m3u8",
        f"GET /Videos/{film.sources[1].id}/master.m3u8",
        f"GET /Videos/{a}/{film.sources[1].id}/Subtitles/2/stream.vtt?{CUES}",
        f"GET /Videos/{a}/{b}/Subtitles/2/stream.vtt?{CUES}", f"GET /Videos/{a}/{a}/Subtitles/2/0/stream.vtt?{CUES}",
        f"GET /Videos/{a}/{a}/Subtitles/2/Stream.vtt?{CUES}", f"GET /Videos/{a}/{a}/Subtitles/2/stream.srt?{CUES}",
        f"GET /Videos/{a}/{a}/Subtitles/2/stream.vtt", f"GET /Videos/{a}/{a}/Subtitles/2/subtitles.m3u8",
        f"GET /Videos/{a}/{a}/Subtitles/2/subtitles.m3u8?SegmentLength=1", f"GET /Videos/{a}/{a}/Attachments/3",
        f"GET /Items/{a}/Images/Primary?tag=x", f"GET /Items/{a}/Images/Primary/0", f"GET /Items/{a}/Images/Backdrop",
        f"POST /Items/{a}/PlaybackInfo", f"GET /Items/{a}/Download", f"GET /Items/{a}/Similar",
        f"GET /MediaSegments/{a}",
        f"DELETE /Items/{a}", f"DELETE /Items?ids={a}", "POST /Sessions/Playing",
        "POST /Sessions/Playing/Ping?playSessionId=x",
        f"DELETE /Videos/ActiveEncodings?deviceId=x&playSessionId={session}",
        f"DELETE /Videos/ActiveEncodings?deviceId=x&playSessionId={job.play_session}",
        "POST /LiveStreams/Close?liveStreamId=live_1",
        "GET /socket", "GET /Auth/Keys", "GET /System/Info", "GET /Users/Me", "POST /Users/AuthenticateByName",
        "POST /Sessions/Logout", "GET /Playback/BitrateTest?size=100000000", "GET /QuickConnect/Initiate",
        "GET /metrics",
        "GET /Branding/Configuration", "GET /Startup/Configuration", "GET /api-docs/swagger", "GET /health", "GET /",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(cinema.stage, cookie, ok)
    assert not job.ended
    assert not cinema.server.sockets, "any path with an Upgrade would be the session's socket"
    cinema.keeps()


async def test_a_guest_who_was_never_in_gets_nothing(cinema: Cinema) -> None:
    """Streams, captions and pictures are open at the server: whoever knows an id needs no token there."""
    film = cinema.library["film"].id
    await cinema.stage.gateway.make_link(film)
    for path in (f"/Videos/{film}/master.m3u8", f"/Videos/{film}/hls1/main/0.ts?{TICKS}",
    f"/Items/{film}/Images/Primary",
                 f"/Videos/{film}/{film}/Subtitles/2/stream.vtt?{CUES}",
                 f"/Videos/{film}/stream?static=true"):  # fmt: skip
        await cinema.stage.refuses("", f"GET {path}")


@pytest.mark.browser
async def test_two_browsers_play_with_captions_and_a_jump_and_one_of_them_is_removed(cinema: Cinema) -> None:
    """The same film twice: a transcode each, and only that of the guest who is removed ends."""
    film = cinema.library["film"].id
    async with chromium() as browser:
        ada, bob = [await (await browser.new_context()).new_page() for _ in range(2)]
        link = await cinema.stage.gateway.make_link(film)
        await watch(ada, link)
        (first,) = cinema.server.streams.running
        assert "film" in await ada.inner_text("body"), "its title"
        await captions(ada)
        await watch(bob, link)
        await seek(ada, 8)
        second = next(job for job in cinema.server.streams.running if job is not first)
        assert first.play_session != second.play_session
        guests = await cinema.stage.gateway.desk.guests("tv", film)
        assert not isinstance(guests, IssueRefused)
        first_come = min(guests, key=lambda one: one.guest.first_seen)
        await cinema.stage.gateway.desk.remove(first_come.guest, erase=False)
        await ended(first)
        await seek(bob, 6)
        assert cinema.server.streams.running == [second]
        assert await bob.get_by_role("alert").count() == 0
    (ending,) = cinema.asked("DELETE /Videos/ActiveEncodings")[:1]
    assert f"playSessionId={first.play_session}" in ending
    assert len(cinema.server.streams.jobs) == 2, "one transcode for each, from their first second to their last"
    cinema.keeps()


@pytest.mark.browser
async def test_a_song_plays_and_its_transcode_ends_when_the_guest_leaves(cinema: Cinema) -> None:
    song = cinema.library["song"].id
    async with chromium() as browser:
        page = await browser.new_page()
        await watch(page, await cinema.stage.gateway.make_link(song))
        await seek(page, 6)
        (job,) = cinema.server.streams.running
        assert cinema.asked(f"GET /Audio/{song}/hls1/main/0.ts")
        await page.goto(f"http://127.0.0.1:{cinema.stage.guest.port}/_gateway/leave")
        await page.locator("form button").first.click()
        await ended(job)


async def test_the_documented_command_gets_a_token(cinema: Cinema) -> None:
    """As docs/servers/jellyfin.md writes it for curl; the account's device is the gateway."""
    block = re.search(r"```sh\n *(curl .*?)```", DOCS.read_text(), re.S)
    assert block is not None
    words = shlex.split(block[1].replace("\\\n", " "))
    said = dict(re.split(": ", words[at + 1], maxsplit=1) for at, word in enumerate(words) if word == "-H")
    body = json.loads(words[words.index("-d") + 1])
    body["Pw"] = next(user.password for user in cinema.library.users if user.name == body["Username"])
    address = next(word for word in words if word.startswith("http"))
    async with ClientSession() as client:
        answer = await client.post(cinema.server.url + urlsplit(address).path, headers=said, json=body)
        assert answer.status == 200
        token = (await answer.json())["AccessToken"]
    assert cinema.library.sessions[token].device_id == "guest-gateway"


async def captions(page: Page) -> None:
    """By the menu, as a guest does it; the first of them is there when the film's first second is."""
    await page.get_by_role("button", name="Captions").click()
    await page.get_by_role("menuitemradio", name="English").click()
    shown = "[...v.textTracks].find(t => t.mode == 'showing')"
    await until(page, f"{shown}?.cues?.length > 5")
    assert await value(page, f"Math.abs({shown}.cues[0].startTime) < 1.5"), "at the film's own time"


async def ended(job: Transcode) -> None:
    async with asyncio.timeout(30):
        while not job.ended:
            await asyncio.sleep(0.05)
