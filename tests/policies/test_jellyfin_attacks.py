"""What somebody who knows Jellyfin, and not the gateway, tries with a guest's cookie."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.policies.attacks import Attack, bent
from tests.policies.test_jellyfin import CUES, TICKS, Cinema, cinema
from tests.policies.test_jellyfin_ways import POLICY
from tests.policies.wire import between
from tests.running import ask, enter
from tests.servers.fake_jellyfin import FakeJellyfin
from tests.servers.films import Films
from tests.servers.jellyfin_library import Library, dashed, new_id

__all__ = ["cinema"]

# Routes of Jellyfin, its Emby names, plugins and companions: none is an item's stream.
ROUTES = """
/socket /embywebsocket /emby/socket /mediabrowser/socket?api_key={t} /socket?ApiKey={t}&deviceId=x /SyncPlay/List
/SyncPlay/{a} POST:/SyncPlay/New POST:/SyncPlay/Join POST:/SyncPlay/Buffering /GetUtcTime /TimeSyncServer /LiveTv/Info
/LiveTv/Channels /LiveTv/Channels/{a} /LiveTv/Programs /LiveTv/Recordings /LiveTv/LiveRecordings/{a}/stream
/LiveTv/LiveStreamFiles/{a}/stream.ts /LiveTv/Tuners/Discover /LiveTv/GuideInfo POST:/LiveTv/TunerHosts
POST:/LiveStreams/Open?openToken=token_{b}&itemId={a} /Videos/{a}/live.m3u8?LiveStreamId=live_1
/Videos/{a}/live_hls/x/stream.m3u8 /Plugins /Plugins/{a}/1.0/Image /web/ConfigurationPages
/web/ConfigurationPage?name=x /Packages /Repositories POST:/Packages/Installed/x /dlna/{a}/description.xml
/dlna/{a}/contentdirectory/contentdirectory.xml POST:/dlna/{a}/contentdirectory/control /dlna/icons/logo120.png
/Dlna/ProfileInfos /emby/dlna/{a}/description /QuickConnect/Enabled /QuickConnect/Connect?secret=x
POST:/QuickConnect/Initiate POST:/QuickConnect/Authorize?code=123456 POST:/Users/AuthenticateWithQuickConnect
POST:/Users/ForgotPassword POST:/Users/ForgotPassword/Pin /Users/Public POST:/Users/New /Users/{a} /Users/{a}/Views
/Users/{a}/Items/{a} /Users/{a}/Items/{b} /Users/{a}/Images/Primary /UserImage?userId={a} /UserViews
POST:/Users/{a}/PlayedItems/{a} POST:/UserPlayedItems/{a} POST:/UserFavoriteItems/{a} /UserItems/{a}/UserData
/UserItems/Resume /Startup/User /Startup/Configuration POST:/Startup/Complete /Startup/RemoteAccess /System/Logs
/System/Logs/Log?name=../config/system.xml /System/Configuration /System/Configuration/network /System/Endpoint
/System/ActivityLog/Entries /System/Info/Storage POST:/System/Restart POST:/System/Shutdown /System/Ping
/System/WakeOnLanInfo /Environment/DirectoryContents?path=/ /Environment/Drives /Library/MediaFolders
/Library/VirtualFolders /Library/PhysicalPaths POST:/Library/Refresh /Items/Counts /Items/Filters /Items/Latest
/Items/Root /Items/Suggestions /Items/{b} /Items/{a}/Ancestors /Items/{a}/CriticReviews /Items/{a}/ThemeMedia
/Items/{a}/InstantMix /Items/{a}/Intros /Items/{a}/LocalTrailers /Items/{a}/SpecialFeatures /Items/{a}/RemoteImages
/Items/{a}/MetadataEditor /Items/{a}/ExternalIdInfos /Items/{a}/PlaybackInfo?UserId=x POST:/Items/{a}
POST:/Items/{a}/Refresh POST:/Items/{a}/ContentType DELETE:/Items/{a}/Images/Primary /Items/{a}/Collections
/Items/{a}/Images /Items/{a}/Images/Primary/0/x/Jpg/1/1/0/0 /Items/{a}/Images/Logo /Items/{a}/Images/Chapter/0
/Items/{a}/Images/Screenshot /Items/{a}/Images/primary /items/{a}/Images/Primary /Items/{A}/Images/Primary
/Items/{d}/Images/Primary /Items/{a}/Images/Primary/
/Items/{a}/Images/Primary?maxWidth=1&format=Png&blur=1&backgroundColor=x&foregroundLayer=x
/Items/{b}/Images/Primary?id={a} /Artists/x/Images/Primary/0 /Genres/x/Images/Primary /Persons/x/Images/Primary
/Studios/x/Images/Primary /Branding/Splashscreen /Branding/Css /Images/General
/Images/Remote?imageUrl=http://127.0.0.1/ /Items/RemoteSearch/Image?imageUrl=http://127.0.0.1/&providerName=x
/Providers/Subtitles/Subtitles/x /Items/{a}/RemoteSearch/Subtitles/eng POST:/Videos/{a}/Subtitles
DELETE:/Videos/{a}/Subtitles/2 /Shows/NextUp /Shows/{a}/Episodes /Shows/{a}/Seasons /Movies/Recommendations /Trailers
/Search/Hints?searchTerm=a /Years /Persons /Genres /Playlists/{a}/Items POST:/Playlists POST:/Collections /Channels
/Channels/Features /Channels/{a}/Items /Sessions?deviceId=x POST:/Sessions/{a}/Playing?itemIds={a}
POST:/Sessions/{a}/Command POST:/Sessions/Capabilities/Full POST:/Sessions/Playing/Stopped POST:/PlayingItems/{a}
DELETE:/PlayingItems/{a} POST:/Sessions/Viewing?itemId={a} POST:/Sessions/Logout /Devices /Devices/Info?id=x
/DisplayPreferences/usersettings?client=x /Auth/Keys POST:/Auth/Keys?app=x /Auth/Providers /ScheduledTasks
POST:/ScheduledTasks/Running/x /Notifications/x /ClientLog/Document POST:/ClientLog/Document /Localization/Options
/Tmdb/ClientConfiguration /MediaSegments/{a}?includeSegmentTypes=Intro /Playback/BitrateTest /FallbackFont/Fonts/x.ttf
/openapi.json /api-docs/openapi.json /swagger /robots.txt /favicon.ico /web/index.html /web/config.json
/web/manifest.json /Videos/{a}/AdditionalParts DELETE:/Videos/{a}/AlternateSources
POST:/Videos/MergeVersions?ids={a},{b} /Videos/{a}/stream.mp4 /Videos/{a}/stream.m3u8?static=true
/Videos/{a}/stream.ts?PlaySessionId={s} /Videos/{a}/original.mp4 /Videos/{a}/original
/Videos/{a}/Trickplay/320/tiles.m3u8 /Videos/{a}/Trickplay/320/0.jpg /Videos/{a}/index.bif?width=320
/Videos/{a}/{a}/Attachments/0 /Videos/{a}/hls/{s}/stream.m3u8 /Videos/{a}/hls/../0.ts /Videos/{a}/hls1/../main.m3u8
/Videos/{a}/hls1/main/0.m4s?{T} /Videos/{a}/hls1/main/-1.ts?{T} /Videos/{a}/hls1/main/0.ts.ts?{T}
/Videos/{a}/hls1/main/00000000.ts?{T} /Videos/{a}/hls1/main/0x1.ts?{T} /Videos/{a}/hls1/main/1e3.ts?{T}
/Videos/{a}/hls1/main/+1.ts?{T} /Videos/{a}/hls1/main/%EF%BC%91.ts?{T} /Videos/{a}/hls1/main/%D9%A1.ts?{T}
/Videos/{a}/hls1/main/0.TS?{T} /Videos/{a}/hls1/MAIN/0.ts?{T} /Videos/{a}/HLS1/main/0.ts?{T}
/Videos/{a}/hls1/master/0.ts?{T} /Videos/{a}/hls1/{s}/0.ts?{T} /Videos/{a}/hls1/main/0.ts/x?{T}
/Videos/{a}/main/hls1/0.ts?{T} /Videos/{a},{b}/master.m3u8 /Videos/{a}/{a}/Subtitles/2/stream.vtt?{C}&x=1
/Videos/{a}/{a}/Subtitles/2/stream.js?{C} /Videos/{a}/{a}/Subtitles/2/stream.ass?{C}
/Videos/{a}/{a}/Subtitles/-1/stream.vtt?{C} /Videos/{a}/{a}/Subtitles/2000/stream.vtt?{C}
/Videos/{a}/{a}/subtitles/2/stream.vtt?{C} /Videos/{a}/{d}/Subtitles/2/stream.vtt?{C}
/Videos/{d}/{a}/Subtitles/2/stream.vtt?{C} /Videos/{b}/{a}/Subtitles/2/stream.vtt?{C}
/Videos/{b}/{a}/Subtitles/2/subtitles.m3u8?SegmentLength=30
/Videos/{a}/{b}/Subtitles/2/subtitles.m3u8?SegmentLength=30 /Videos/{a}/{A}/Subtitles/2/stream.vtt?{C}
/Videos/{a}//Subtitles/2/stream.vtt?{C}
/Videos/{a}/{a}/Subtitles/2/stream.vtt?CopyTimestamps=false&AddVttTimeMap=true&StartPositionTicks=0&EndPositionTicks=1
/Videos/{a}/{a}/Subtitles/2/subtitles.m3u8?SegmentLength=030
/Videos/{a}/{a}/Subtitles/2/subtitles.m3u8?segmentLength=30
/Videos/{a}/{a}/Subtitles/2/subtitles.m3u8?SegmentLength=30&SegmentLength=30 /Audio/{a}/stream
/Audio/{a}/stream.flac?static=true /Audio/{a}/universal?UserId=x&Container=mp3 /Audio/{a}/Lyrics
/Audio/{a}/hls/x/stream.aac /Audio/{b}/master.m3u8 /audio/{a}/master.m3u8 /Audio/{a}/hls1/main/0.mp3?{T}
/Audio/{a}/RemoteSearch/Lyrics /Audio/{A}/master.m3u8 /Audio/{b}/hls1/main/0.ts?{T}
/Audio/{a}/{a}/Subtitles/2/stream.vtt?{C} /Books/{a} /Photos/{a} /emby/Videos/{a}/stream?static=true
/mediabrowser/Items/{a}/Download /EMBY/Items/{a}/File /emby/emby/Videos/{a}/master.m3u8 /jellyfin/web/
/Videos/{{{d}}}/master.m3u8 /Videos/({d})/master.m3u8 /Videos/0x{a}/master.m3u8 /Videos/{a}-/master.m3u8
/Videos/%7b{a}%7d/master.m3u8 /Videos/{a}%09/master.m3u8 /Videos/%20{a}/master.m3u8 /Videos/{a}/master.m3u8.m3u8
/Videos/{a}/master /Videos/{a}/master.M3U8 /Videos/{a}/master%2em3u8x /Videos/{a}/main.m3u8/main.m3u8
/Videos/{a};x/master.m3u8 /Videos;x=1/{a}/master.m3u8 /Videos/{a}/master.m3u8;jsessionid=1
/Videos/{a}/..;/{b}/master.m3u8 /Videos/{a}/%2e%2e%3b/{b}/master.m3u8 /Videos/{a}%2fmaster.m3u8
/Videos%2f{a}/master.m3u8 /Videos/{a}%252fmaster.m3u8 /Videos/{a}/%c0%ae%c0%ae/{b}/master.m3u8
/Videos/{a}/%uff0e%uff0e/{b}/master.m3u8 /Videos/{a}/%ef%bc%8e%ef%bc%8e/{b}/master.m3u8
/Videos/{a}/.../{b}/master.m3u8 /%56ideos/{b}/master.m3u8
"""

NAMES = """
LiveStreamId=live_1 liveStreamId=live_1 LIVESTREAMID=live_1 %4civeStreamId=live_1 LiveStreamId%00=live_1
Live%20StreamId=live_1 params=;;{b};true Params=x static=true Static Static=1 playSessionId={s} playsessionid={s}
Play-Session-Id={s} play_session_id={s} PlaySessionId[]={s} PlaySessionId[0]={s} PlaySessionId%5b%5d={s}
+PlaySessionId={s} PlaySessionId+={s} PlaySessionId%20={s} PlaySessionId.x={s} mediaSourceId={b} Mediasourceid={b}
MediaSourceID={b} mediaSourceId={b}&MediaSourceId={a} itemId={b} ItemId={b} id={b} Id={b} routeMediaSourceId={b}
routeItemId={b} userId={b} UserId={b} api_key={t} ApiKey={t} apikey={t} API_KEY={t} X-Emby-Token={t}
X-MediaBrowser-Token={t} token={t} access_token={t} AccessToken={t} deviceid=x deviceProfileId=x DeviceProfileId=x
tag=x Tag=x segmentContainer=mp4 segmentcontainer=mp4 segmentLength=1 SegmentLength=1 minSegments=1 videoCodec=copy
audioCodec=copy enableAutoStreamCopy=true AllowVideoStreamCopy=true breakOnNonKeyFrames=true videoBitRate=1
VideoBitRate=999999999 MaxStreamingBitrate=1 maxWidth=1 MaxHeight=1 startTimeTicks=1 subtitleStreamIndex=2
SubtitleStreamIndex=2 subtitleMethod=Encode SubtitleCodec=ass videoStreamIndex=0 AudioStreamIndex=3 context=Static
streamOptions=x h264-level=99 h264-maxrefframes=x hevc-profile=x aac-profile=x transcodeReasons=x TranscodeReasons=<x>
enableMpegtsM2TsMode=true copyTimestamps=true requireAvc=true deInterlace=true profile=x level=x framerate=1
cpuCoreLimit=1 alwaysBurnInSubtitleWhenTranscoding=true enableTrickplay=true EnableTrickPlay=true
enableAdaptiveBitrateStreaming=true runtimeTicks=0 currentRuntimeTicks=0 segmentId=1 playlistId=x container=mp4
_method=DELETE .method=DELETE callback=x format=json x=1 =x &= a
"""

# By names that the gateway sends itself; the guest may write them, and what is written is dropped.
LIES = """
PlaySessionId={s} PlaySessionId= PlaySessionId PlaySessionId={s}&PlaySessionId={s}
PlaySessionId=x%26LiveStreamId=live_1 PlaySessionId=x%0d%0aX:1 PlaySessionId=%00 MediaSourceId={b}
MediaSourceId={b},{a} MediaSourceId={a}%26itemId={b} MediaSourceId=..%2f{b} MediaSourceId=/etc/passwd DeviceId={s}
DeviceId=../../x SegmentContainer=mp4 VideoCodec=copy VideoCodec=h264+-f+null AudioCodec=copy VideoBitrate=999999999
VideoBitrate=-1 SubtitleMethod=Encode EnableTrickplay=true EnableAdaptiveBitrateStreaming=true h264-profile=;x
h264-videobitdepth=10 h264-deinterlace=false TranscodingMaxAudioChannels=99 AudioBitrate=1 MediaSourceId={b}%253f
MediaSourceId=%23 VideoCodec=%EF%BC%86Static%EF%BC%9Dtrue
"""

# By which Jellyfin and its clients say who asks; the common ones stand in `attacks`.
HEADERS = """
X-Emby-Authorization: MediaBrowser Token="{t}", DeviceId="{s}"
Authorization: MediaBrowser Token="{t}", DeviceId="{s}" | X-Emby-Token: {t} | X-MediaBrowser-Token: {t}
Authorization: Emby UserId="{b}", Token="{t}" | X_Emby_Token: {t} | X-Emby-Device-Id: {s}
X-Emby-Client: Jellyfin Web | X-Emby-Language: xx | X-Plex-Token: {t}
"""


async def test_nothing_that_jellyfin_understands_reaches_more_than_the_item(cinema: Cinema) -> None:
    film, other = cinema.library["film"], cinema.library["other"]
    cookie, _ = await cinema.guest("film")
    bob, second = await cinema.guest("other")
    await cinema.get(bob, f"/Videos/{other.id}/hls1/main/0.ts?{TICKS}")
    a, b = film.id, other.id
    attack = Attack(cinema.stage, cinema.server, cookie, {
        "a": a, "b": b, "A": a.upper(), "d": dashed(a), "s": second, "t": new_id(), "T": TICKS, "C": CUES,
        "other": f"/Videos/{b}/master.m3u8",
    })  # fmt: skip
    master, segment, caption = (
        f"/Videos/{a}/master.m3u8?",
        f"/Videos/{a}/hls1/main/0.ts?{TICKS}&",
        f"/Videos/{a}/{a}/Subtitles/2/stream.vtt?{CUES}&",
    )
    picture, captions = f"/Items/{a}/Images/Primary?", f"/Videos/{a}/{a}/Subtitles/2/subtitles.m3u8?SegmentLength=30&"
    await attack.refused(attack.words(ROUTES))
    names = attack.words(NAMES)
    # Each name with two addresses: the one whose query is most of its server's, and another in turn.
    await attack.refused(f"{master}{name}" for name in names)
    turns = itertools.cycle((segment, caption, picture, captions))
    await attack.refused(
        f"{base}{name}" for base, name in zip(turns, names, strict=False) if base + name != f"{picture}maxWidth=1"
    )
    for base in (master, segment):
        await attack.dropped(base[:-1], attack.words(LIES))
    await attack.dropped(picture[:-1], ["maxWidth=1", "maxWidth=99999&quality=1", "quality=90&quality=1"])
    for base in (master, picture, caption):
        await attack.headers(base[:-1], HEADERS)
    await attack.bytes(master[:-1])
    assert attack.tried > 800
    assert not cinema.server.sockets
    assert [job.play_session for job in cinema.server.streams.running].count(second) == 1
    cinema.keeps()


async def test_a_cast_address_opens_what_it_was_signed_for_and_nothing_beside_it(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeJellyfin(Library.of(films))
    token = server.library.token("guests")
    monkeypatch.setenv("JELLYFIN_TOKEN", token)
    text = POLICY.read_text().replace("  on_revoke: drain", "  on_revoke: drain\n  cast: 4h")
    async with server.running() as url, between(tmp_path, text, urlsplit(url).port or 0) as stage:
        cinema = Cinema(stage, server, token)
        signed = []
        for name in ("film", "other"):
            cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(server.library[name].id))
            page = await cinema.get(cookie, answer.headers["location"])
            signed += re.findall(r'value="http://[^/]+(/_gateway/s/[^"]+)"', page)
        mine, theirs = signed
        listed = (await ask(stage.guest.port, f"GET {mine}")).body.decode()
        main = next(one for one in re.findall(r"/_gateway/s/[^\s\"]+", listed) if "main.m3u8" in one)
        segment = re.findall(r"/_gateway/s/[^\s\"]+", (await ask(stage.guest.port, f"GET {main}")).body.decode())[0]
        attack = Attack(stage, server, "", {})
        for one in (mine, main, segment):
            assert (await ask(stage.guest.port, f"GET {one}")).status == 200
            await attack.refused(bent(one, theirs, ("main.m3u8x", "0.ts", "stream.mp4")))
        assert attack.tried > 150
        cinema.keeps()
