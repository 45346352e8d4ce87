"""What misleads in Jellyfin: each way to get another item than the path names, and what its answers give away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.servers.asking import Said, ask, tell
from tests.servers.fake_jellyfin import FakeJellyfin
from tests.servers.films import Films
from tests.servers.jellyfin_library import Library
from tests.servers.test_fake_jellyfin import get, lines

TICKS = "runtimeTicks=0&actualSegmentLengthTicks=0"


@pytest.fixture
async def server(films: Films) -> AsyncIterator[FakeJellyfin]:
    server = FakeJellyfin(Library.of(films))
    async with server.running():
        yield server


async def play(server: FakeJellyfin, name: str, session: str, device: str = "d") -> Said:
    item = server.library[name].id
    target = f"/Videos/{item}/hls1/main/0.ts?DeviceId={device}&PlaySessionId={session}&{TICKS}"
    return await get(server, target)


async def test_a_play_session_lends_its_film(server: FakeJellyfin, films: Films) -> None:
    """Whoever knows another's PlaySessionId watches the other's film, also where nobody is asked for a token."""
    film = server.library["film"].id
    await play(server, "other", "session-of-another")
    for query in (
        "PlaySessionId=session-of-another",
        "playsessionid=SESSION-OF-ANOTHER",
        "params=" + ";" * 20 + "session-of-another",
    ):
        taken = await get(server, f"/Videos/{film}/hls1/main/1.ts?DeviceId=d&{query}&{TICKS}")
        assert taken.body == (films.two / "high" / "1.ts").read_bytes(), query
        whole = await get(server, f"/Videos/{film}/stream?static=true&{query}", "")
        assert whole.body == (films.two / "film.mp4").read_bytes(), query
    server.streams.kill("", "session-of-another")
    mine = await get(server, f"/Videos/{film}/hls1/main/1.ts?DeviceId=d&PlaySessionId=session-of-another&{TICKS}")
    assert mine.body == (films.one / "high" / "1.ts").read_bytes(), "an ended one lends nothing"


async def test_a_live_stream_lends_its_channel(server: FakeJellyfin, films: Films) -> None:
    library = server.library
    film, channel = library["film"].id, library["channel"].id
    owner = {"Authorization": f'MediaBrowser Token="{library.token("guests")}"'}
    said = await tell(server.url, f"/Items/{channel}/PlaybackInfo", {"AutoOpenLiveStream": True}, headers=owner)
    live = said.json["MediaSources"][0]["LiveStreamId"]
    for query in (f"LiveStreamId={live}", "params=" + ";" * 22 + live):
        assert (await get(server, f"/Videos/{film}/stream?static=true&{query}", "")).body == (
            films.two / "film.mp4"
        ).read_bytes(), query
    playlist = await get(server, f"/Videos/{channel}/live.m3u8?LiveStreamId={live}&DeviceId=d&PlaySessionId=p")
    first = lines(playlist)[0]
    assert first.startswith("hls/")
    assert (await get(server, f"/Videos/{channel}/{first}", "")).status == 200, "live segments are open"
    assert (await get(server, f"/LiveStreams/Close?liveStreamId={live}", method="POST")).status == 204
    assert (await get(server, f"/Videos/{channel}/stream?static=true&LiveStreamId={live}")).status == 404


async def test_old_addresses_serve_any_running_transcode(server: FakeJellyfin, films: Films) -> None:
    await play(server, "other", "s")
    [job] = server.streams.running
    film = server.library["film"].id
    assert (await get(server, f"/Videos/{film}/hls/{job.name}/{job.name}0.ts", "")).body == (
        films.two / "high" / "0.ts"
    ).read_bytes()
    assert (await get(server, f"/Videos/nonsense/hls/x/{job.name}1.ts", "")).status == 200, "no id is looked at"
    assert len(lines(await get(server, f"/Videos/{film}/hls/{job.name}/stream.m3u8"))) > 1
    assert (await get(server, f"/Videos/{film}/hls/{job.name}/stream.m3u8", "")).status == 401


async def test_subtitles_of_what_the_query_says(server: FakeJellyfin) -> None:
    """The query wins over the route, for the item, the source, the index, the format and the start."""
    film, other = server.library["film"], server.library["other"]
    route = f"/Videos/{film.id}/{film.id}/Subtitles/2/Stream.vtt"
    assert "It is second" in (await get(server, route, "")).text
    swapped = await get(server, f"{route}?itemId={other.id}&mediaSourceId={other.id}", "")
    assert "Es ist Sekunde" in swapped.text
    assert "Es ist Sekunde" in (await get(server, f"{route}?ITEMID={UUID(other.id)}&MediasourceID={other.id}", "")).text
    assert (await get(server, f"{route}?format=srt", "")).text.startswith("1\n00:00:00,000 -->")
    assert (await get(server, f"{route}?index=7", "")).status == 500
    assert (await get(server, f"{route}?mediaSourceId={other.id}", "")).status == 500
    windowed = (
        f"{route.lower()}?CopyTimestamps=true&AddVttTimeMap=true&StartPositionTicks=20000000&EndPositionTicks=40000000"
    )
    text = (await get(server, windowed, "")).text
    assert "X-TIMESTAMP-MAP=MPEGTS:900000" in text
    assert text.count("It is second") == 2
    ticks = await get(server, f"/Videos/{film.id}/{film.id}/Subtitles/2/110000000/Stream.vtt", "")
    assert ticks.text.count("-->") == 1


async def test_media_source_ids(server: FakeJellyfin, films: Films) -> None:
    """Limited to the item's own for streams; in place of the item for scrub previews."""
    film, other, hidden = (server.library[name] for name in ("film", "other", "hidden"))
    cut = film.sources[1].id
    assert (await get(server, f"/Videos/{film.id}/stream?static=true&MediaSourceId={cut}", "")).status == 200
    assert (await get(server, f"/Videos/{cut}/stream?static=true", "")).status == 200, "a version is an item as well"
    assert (await get(server, f"/Videos/{film.id}/stream?static=true&MediaSourceId={other.id}", "")).status == 400
    tile = await get(server, f"/Videos/{film.id}/Trickplay/320/0.jpg?MediaSourceId={other.id}")
    assert tile.body == (films.two / "tiles.jpg").read_bytes()
    assert (await get(server, f"/Videos/{film.id}/Trickplay/320/0.jpg?MediaSourceId={hidden.id}")).status == 404
    listed = await get(server, f"/Videos/{film.id}/Trickplay/320/tiles.m3u8?mediasourceid={hidden.id}")
    assert f"0.jpg?MediaSourceId={hidden.id}" in listed.text, "no user is asked about the list"


async def test_one_name_without_a_value_is_a_query(server: FakeJellyfin, films: Films) -> None:
    film, other = server.library["film"].id, server.library["other"]
    route = f"/Videos/{film}/{film}/Subtitles/2/Stream.vtt"
    assert "Es ist" in (await get(server, f"{route}?itemId%3D{other.id}%26mediaSourceId%3D{other.id}", "")).text
    whole = await get(
        server, f"/Videos/{film}/stream?static%3Dtrue%26mediaSourceId%3D{server.library['film'].sources[1].id}", ""
    )
    assert whole.headers["accept-ranges"] == "bytes"
    two = await get(server, f"{route}?itemId%3D{other.id}%26mediaSourceId%3D{other.id}&a=b", "")
    assert "It is" in two.text, "only when it is the only one"


async def test_spellings(server: FakeJellyfin) -> None:
    """Case, GUIDs, a slash at the end, dots that climb: all of them are the same film to the server."""
    film, other = server.library["film"].id, server.library["other"].id
    dashed = str(UUID(film))
    for path in (
        f"/videos/{film.upper()}/STREAM", f"/Videos/{dashed}/stream", f"/Videos/%7B{dashed}%7D/stream",
        f"/Videos/({dashed.upper()})/stream", f"/Videos/{film}/stream/", f"/Videos/{film}/./stream",
        f"/Videos/{other}/../{film}/stream", f"/Videos/{other}/%2e%2E/{film}/stream", f"/emby/Videos/{film}/stream",
        f"/MediaBrowser/videos/{film}/%73tream", f"{server.url}/Videos/{film}/stream",
    ):  # fmt: skip
        assert (await get(server, f"{path}?static=true", "")).status == 200, path
    for path in (
        f"//Videos/{film}/stream",
        f"/Videos//{film}/stream",
        f"/Videos/{other}%2f..%2f{film}/stream",
        f"/Videos/{film};x=1/stream",
    ):
        assert (await get(server, f"{path}?static=true", "")).status in (400, 404), path
    assert (await get(server, f"/Videos/{film}%00/stream", "")).status == 400
    first = await get(server, f"/Videos/{film}/{film}/Subtitles/2/Stream.vtt?format=srt&FORMAT=vtt", "")
    assert first.text.startswith("1\n"), "of two the first"


async def test_answers_give_the_token_away(server: FakeJellyfin) -> None:
    """Sent in a header or in the query: it stands in playlists, and in addresses of PlaybackInfo."""
    film, token = server.library["film"].id, server.library.token("guests")
    where = f"/Videos/{film}"
    query = f"MediaSourceId={film}&SubtitleMethod=Hls&PlaySessionId=p"
    master = (await get(server, f"{where}/master.m3u8?{query}")).text
    assert f'URI="{film}/Subtitles/2/subtitles.m3u8?SegmentLength=30&ApiKey={token}"' in master
    assert f'URI="Trickplay/320/tiles.m3u8?MediaSourceId={film}&ApiKey={token}"' in master
    assert f"main.m3u8?{query}&AudioCodec=aac" in master
    for target in (f"{where}/{film}/Subtitles/2/subtitles.m3u8?segmentLength=30", f"{where}/Trickplay/320/tiles.m3u8"):
        assert f"&ApiKey={token}" in (await get(server, target)).text, target
    asked = f"{where}/main.m3u8?{query}&ApiKey={token}&anything=else"
    assert lines(await ask(server.url, asked))[0].count(f"&ApiKey={token}&anything=else&runtimeTicks=") == 1
    profile = {
        "DeviceProfile": {"DirectPlayProfiles": [], "TranscodingProfiles": [{"Container": "ts", "Protocol": "hls"}]}
    }
    owner = {"Authorization": f'MediaBrowser Token="{token}"'}
    source = (await tell(server.url, f"/Items/{film}/PlaybackInfo", profile, headers=owner)).json["MediaSources"][0]
    assert f"&ApiKey={token}&" in source["TranscodingUrl"]
    assert source["MediaStreams"][2]["DeliveryUrl"].endswith(f"/Stream.vtt?ApiKey={token}")


async def test_a_transcode_ends(server: FakeJellyfin) -> None:
    """By its session, whoever asks and whichever device is named; then the next segment starts a new one."""
    await play(server, "film", "one")
    await play(server, "film", "two", device="e")
    ended = "/Videos/ActiveEncodings"
    assert (await get(server, ended, method="DELETE")).status == 400
    assert (await get(server, f"{ended}?deviceId=x&playSessionId=one", method="DELETE")).status == 204
    assert [job.ended for job in server.streams.jobs] == [True, False]
    name = server.streams.jobs[0].name
    assert (await get(server, f"/Videos/x/hls/x/{name}0.ts", "")).status == 404
    await play(server, "film", "one")
    assert [job.ended for job in server.streams.jobs] == [True, False, False]
    assert (await get(server, f"{ended}?deviceId=x&playSessionId=one", "", method="DELETE")).status == 401


async def test_another_browser_ends_the_transcode_of_a_session(server: FakeJellyfin) -> None:
    """The file's name holds the User-Agent; a second one under the same session starts anew and ends the first.

    Without a session it is the device that decides: two guests on one device end each other's.
    """
    await play(server, "film", "s")
    item = server.library["film"].id
    target = f"/Videos/{item}/hls1/main/0.ts?DeviceId=d&PlaySessionId=s&{TICKS}"
    await ask(server.url, target, headers={"X-Emby-Token": server.library.key, "User-Agent": "another"})
    assert [job.ended for job in server.streams.jobs] == [True, False]
    await play(server, "other", "", device="shared")
    await play(server, "film", "", device="shared")
    assert [job.ended for job in server.streams.jobs] == [True, False, True, False]


async def test_names_in_small_letters_go_to_the_encoder(server: FakeJellyfin) -> None:
    item = server.library["film"].id
    await get(server, f"/Videos/{item}/hls1/main/0.ts?PlaySessionId=s&anyoption=1&{TICKS}")
    assert server.streams.jobs[0].options["anyoption"] == "1"
    for name in ("VideoCodec", "audioCodec", "SegmentContainer"):
        assert (await get(server, f"/Videos/{item}/hls1/main/0.ts?{name}=a%20-i%20b&{TICKS}")).status == 400


async def test_any_page_may_read_its_answers(server: FakeJellyfin) -> None:
    for path in ("/System/Info/Public", "/Users/Me"):
        said = await get(server, path, "", Origin="https://evil.example")
        assert said.headers["access-control-allow-origin"] == "*", path
    assert "access-control-allow-origin" not in (await get(server, "/System/Info/Public", "")).headers
