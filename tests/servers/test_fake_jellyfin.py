"""The fake Jellyfin plays for its own client package, and refuses and takes tokens as the server does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from tests.servers.asking import Said, ask, tell
from tests.servers.fake_jellyfin import FakeJellyfin
from tests.servers.films import SEGMENTS, Films
from tests.servers.jellyfin_library import Library
from tests.servers.npm_clients import run_client


@pytest.fixture
async def server(films: Films) -> AsyncIterator[FakeJellyfin]:
    server = FakeJellyfin(Library.of(films))
    async with server.running():
        yield server


async def get(server: FakeJellyfin, target: str, who: str = "guests", method: str = "GET", **headers: str) -> Said:
    """As a user, as `key`, or as nobody: by the modern header."""
    token = server.library.key if who == "key" else server.library.token(who) if who else ""
    said = {"Authorization": f'MediaBrowser Token="{token}", DeviceId="d"'} if token else {}
    return await ask(server.url, target, method=method, headers={**said, **headers})


def lines(playlist: Said) -> list[str]:
    """The addresses in a playlist."""
    return [line for line in playlist.text.splitlines() if line and not line.startswith("#")]


async def test_its_own_client_plays_a_film(clients: Path, films: Films) -> None:
    server = FakeJellyfin(Library.of(films), legacy=False)
    film = server.library["film"]
    async with server.running() as url:
        saw = await run_client(clients, "jellyfin.mjs", url, "guests", "a password", film.id)
    assert (saw["version"], saw["me"], saw["type"]) == ("12.0.0", "guests", "Movie")
    assert saw["url"].startswith(f"/videos/{UUID(film.id)}/master.m3u8?DeviceId=device-of-the-client&")
    assert "&ApiKey=" in saw["url"]
    assert saw["segment"] == (films.one / "high" / "0.mp4").stat().st_size
    assert (saw["subtitle"], saw["tiles"], saw["ended"], saw["after"]) == ("WEBVTT", "#EXTM3U", 204, 401)
    [job] = server.streams.jobs
    assert (job.play_session, job.device, job.ended) == (saw["session"], "device-of-the-client", True)


async def test_a_film_by_addresses(server: FakeJellyfin, films: Films) -> None:
    """Master, variant, first bytes and all segments, in both containers."""
    film = server.library["film"].id
    for container, first in (("mp4", "init.mp4"), ("ts", "0.ts")):
        query = (
            f"MediaSourceId={film}&DeviceId=d&PlaySessionId=p{container}&AudioCodec=aac&SegmentContainer={container}"
        )
        [variant] = lines(await get(server, f"/Videos/{film}/master.m3u8?{query}"))
        assert variant == f"main.m3u8?{query}"
        playlist = await get(server, f"/Videos/{film}/{variant}")
        segments = lines(playlist)
        assert len(segments) == SEGMENTS
        assert segments[1] == f"hls1/main/1.{container}?{query}&runtimeTicks=20000000&actualSegmentLengthTicks=20000000"
        if container == "mp4":
            assert f'URI="hls1/main/-1.mp4?{query}&runtimeTicks=0&' in playlist.text
            segments.insert(0, segments[0].replace("/0.mp4", "/-1.mp4"))
        assert (await get(server, f"/Videos/{film}/{segments[0]}")).body == (films.one / "high" / first).read_bytes()
        small = f"/Videos/{film}/{segments[0]}&MaxHeight=90"
        assert (await get(server, small)).body == (films.one / "low" / first).read_bytes()
    assert (
        await get(server, f"/Videos/{film}/hls1/main/{SEGMENTS}.ts?runtimeTicks=0&actualSegmentLengthTicks=0")
    ).status == 404
    assert (await get(server, f"/Videos/{film}/hls1/main/0.ts?runtimeTicks=0")).status == 400
    assert (await get(server, f"/Videos/{film}/hls1/main/x.ts?runtimeTicks=0&actualSegmentLengthTicks=0")).status == 400
    assert (await get(server, f"/Videos/{film}/master.m3u8")).status == 400, "it wants a MediaSourceId"
    bare = lines(await get(server, f"/Videos/{film}/main.m3u8"))[0]
    assert bare == "hls1/main/0.ts&runtimeTicks=0&actualSegmentLengthTicks=20000000", "the server's own line"


async def test_quality_is_one_on_the_servers_own_network(server: FakeJellyfin) -> None:
    film = server.library["film"].id
    query = f"MediaSourceId={film}&AudioCodec=aac&VideoBitrate=160000&EnableAdaptiveBitrateStreaming=true"
    assert len(lines(await get(server, f"/Videos/{film}/master.m3u8?{query}"))) == 1
    server.local = False
    three = lines(await get(server, f"/Videos/{film}/master.m3u8?{query}"))
    assert [line.rpartition("=")[2] for line in three] == ["true", "110000", "60000"]


async def test_who_may(server: FakeJellyfin) -> None:
    library = server.library
    film, hidden = library["film"].id, library["hidden"].id
    expected = {
        ("", f"/Items/{film}"): 401,
        ("guests", f"/Items/{film}"): 200,
        ("guests", f"/Items/{hidden}"): 404,
        ("guests", f"/Items/{'0' * 32}"): 404,
        ("guests", "/Items/nonsense"): 400,
        ("key", f"/Items/{film}"): 400,  # no user to ask for
        ("key", f"/Items/{film}?userId={library.users[0].id}"): 200,  # it acts as anybody
        ("guests", f"/Items/{film}?userId={library.users[1].id}"): 403,
        ("guests", f"/Items/{film}/Download"): 403,
        ("admin", f"/Items/{film}/Download"): 200,
        ("guests", f"/Items/{film}/File"): 200,  # nobody asks about downloads here
        ("guests", "/Auth/Keys"): 403,
        ("guests", f"/Videos/{film}/master.m3u8?MediaSourceId={film}"): 200,
        ("", f"/Videos/{film}/master.m3u8?MediaSourceId={film}"): 401,
        ("guests", f"/Videos/{hidden}/master.m3u8?MediaSourceId={hidden}"): 200,  # libraries are not asked about
        ("guests", f"/Items/{hidden}/PlaybackInfo"): 404,  # and here they are
        ("key", f"/Items/{hidden}/PlaybackInfo"): 200,
        ("guests", "/System/Info"): 403,
        ("", "/System/Info/Public"): 200,
        ("", "/nothing"): 404,
    }
    assert {asked: (await get(server, asked[1], asked[0])).status for asked in expected} == expected
    assert (await get(server, f"/Items/{film}", method="DELETE")).status == 401
    assert (await get(server, f"/Items?ids={film}", "key", method="DELETE")).status == 204
    assert film not in library.items
    assert (await get(server, f"/Items/{hidden}", method="POST")).status == 405


async def test_open_to_whoever_knows_an_id(server: FakeJellyfin, films: Films) -> None:
    """No token at all, and no library is asked: stream, subtitles, pictures, fonts."""
    hidden = server.library["hidden"].id
    whole = await get(server, f"/Videos/{hidden}/stream?static=true", "", Range="bytes=5-9")
    assert (whole.status, whole.body) == (206, (films.two / "film.mp4").read_bytes()[5:10])
    assert (await get(server, f"/Videos/{hidden}/stream.mp4", "")).body == (films.two / "film.mp4").read_bytes()
    assert (await get(server, f"/Audio/{hidden}/stream.mp3?static=true", "", "HEAD")).status == 200
    assert (await get(server, f"/Items/{hidden}/Images/Primary", "")).body == (films.two / "poster.jpg").read_bytes()
    for target in (f"/Videos/{hidden}/{hidden}/Subtitles/2/Stream.vtt", f"/Videos/{hidden}/{hidden}/Attachments/3"):
        assert (await get(server, target, "")).status == 200, target


async def test_every_place_a_token_may_stand(server: FakeJellyfin) -> None:
    token, target = server.library.token("guests"), "/Users/Me"
    old = [
        {"X-Emby-Token": token},
        {"X-MediaBrowser-Token": token},
        {"X-Emby-Authorization": f'MediaBrowser Token="{token}"'},
        {"Authorization": f'Emby Token="{token}"'},
    ]
    new = [{"Authorization": f'mediabrowser Client="a, b", Token="{token}"'}]
    for headers in old + new:
        assert (await ask(server.url, target, headers=headers)).status == 200, headers
    for query in (f"ApiKey={token}", f"APIKEY={token}", f"api_key={token}"):
        assert (await ask(server.url, f"{target}?{query}")).status == 200, query
    server.legacy = False
    for headers in old:
        assert (await ask(server.url, target, headers=headers)).status == 401, headers
    assert (await ask(server.url, target, headers=new[0])).status == 200
    assert (await ask(server.url, f"{target}?ApiKey={token}")).status == 200
    assert (await ask(server.url, f"{target}?api_key={token}")).status == 401


async def test_playback_info(server: FakeJellyfin) -> None:
    """Each type, and what is told about the server's files."""
    library = server.library
    owner = {"Authorization": f'MediaBrowser Token="{library.token("guests")}"'}
    info = (await tell(server.url, f"/Items/{library['film'].id}/PlaybackInfo", {}, headers=owner)).json
    assert [source["Path"] for source in info["MediaSources"]] == [source.path for source in library["film"].sources]
    assert "TranscodingUrl" not in info["MediaSources"][0], "only for a profile"
    assert len(info["PlaySessionId"]) == 32
    for kind in ("series", "season", "boxset", "playlist", "folder", "musicalbum"):
        said = await get(server, f"/Items/{library[kind].id}/PlaybackInfo")
        assert said.json["ErrorCode"] == "NoCompatibleStream", kind
    remote = (await get(server, f"/Items/{library['elsewhere'].id}/PlaybackInfo")).json["MediaSources"][0]
    assert (remote["Protocol"], remote["Path"]) == ("Http", library["elsewhere"].remote)
    moved = await get(server, f"/Audio/{library['elsewhere'].id}/universal")
    assert (moved.status, moved.headers["location"]) == (302, library["elsewhere"].remote)
    profile = {
        "DeviceProfile": {"DirectPlayProfiles": [], "TranscodingProfiles": [{"Container": "ts", "Protocol": "hls"}]}
    }
    library.users[0].may_transcode = False
    dull = (await tell(server.url, f"/Items/{library['film'].id}/PlaybackInfo", profile, headers=owner)).json
    assert "TranscodingUrl" not in dull["MediaSources"][0]
    keyed = {"Authorization": f'MediaBrowser Token="{library.key}"'}
    assert (await tell(server.url, f"/Items/{library['film'].id}/PlaybackInfo", profile, headers=keyed)).status == 400


async def test_base_url(films: Films) -> None:
    server = FakeJellyfin(Library.of(films), base="/media")
    async with server.running():
        for path in ("/media/system/info/public", "/MEDIA/emby/System/Info/Public", "/media/mediabrowser/System/Ping"):
            assert (await ask(server.url, path)).status == 200, path
        for path in ("/System/Info/Public", "/", "/media", "/media/"):
            assert (await ask(server.url, path)).headers["location"] == "/media/web/", path
        server.legacy = False
        assert (await ask(server.url, "/media/emby/System/Info/Public")).status == 404


async def test_a_socket_on_any_path(server: FakeJellyfin) -> None:
    """One forwarded Upgrade is enough, wherever it points; an injected token makes it live."""
    film = server.library["film"].id
    headers = {"Authorization": f'MediaBrowser Token="{server.library.token("guests")}"'}
    async with aiohttp.ClientSession(server.url, headers=headers) as client:
        for path in (f"/Videos/{film}/hls1/main/0.ts", "/socket", "/no/such/path"):
            async with client.ws_connect(path) as socket:
                assert (await socket.receive_json())["MessageType"] == "ForceKeepAlive"
                assert (await socket.receive_json())["Data"][0]["UserName"] == "guests"
    assert server.sockets == [f"/Videos/{film}/hls1/main/0.ts", "/socket", "/no/such/path"]
    async with aiohttp.ClientSession(server.url) as client:
        for path, status in (("/socket", 403), (f"/Videos/{film}/main.m3u8", 401)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(path)
            assert refused.value.status == status
