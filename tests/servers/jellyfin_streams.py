"""Which media source a Jellyfin stream request gets, its transcodes, and the playlists it writes.

All from `jellyfin/jellyfin` at c3ed1407 (12.0 rc) and tag v10.11.9.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.media import HEIGHTS
from tests.servers.asked import Refused
from tests.servers.aspnet_target import Query, read_guid
from tests.servers.films import SEGMENT, SEGMENTS
from tests.servers.jellyfin_library import TICKS, Item, Library, Source

# The positions that the old `params` list sets (`Jellyfin.Api/Helpers/StreamingHelpers.cs`, ParseParams).
_PARAMS = {1: "DeviceId", 2: "MediaSourceId", 3: "Static", 8: "VideoBitrate", 20: "PlaySessionId", 22: "LiveStreamId"}
# `MediaBrowser.Controller/MediaEncoding/EncodingHelper.cs`, since arguments for ffmpeg were smuggled in here.
_CODEC = re.compile(r"[a-zA-Z0-9\-._,|]{0,40}")


@dataclass
class Transcode:
    """A running job. Its files are named by a hash, and anybody's request for that name gets them."""

    name: str
    source: Source
    play_session: str
    device: str
    quality: str
    container: str
    options: dict[str, str] = field(default_factory=dict)  # offered to the builder of ffmpeg's command line
    live: bool = False
    ended: bool = False


@dataclass
class Stream:
    """A stream request, settled: what the query and the running jobs made of it."""

    item: Item
    source: Source
    values: dict[str, str]
    options: dict[str, str]  # ParseStreamOptions: every name that begins with a small letter
    live: bool
    file: str  # the name of the transcode that would serve it

    def get(self, name: str) -> str:
        return self.values.get(name.lower(), "")

    @property
    def quality(self) -> str:
        """Two there are. Which one a real server would make depends on the bitrate and the size asked for."""
        rate = self.get("VideoBitrate")
        heights = [self.get(name) for name in ("MaxHeight", "Height") if self.get(name)]
        small = (rate and int(rate) < 100_000) or any(int(height) <= HEIGHTS[1] for height in heights)
        return "low" if small else "high"


@dataclass
class Streams:
    library: Library
    jobs: list[Transcode] = field(default_factory=list)  # also those that ended
    live: dict[str, Source] = field(default_factory=dict)  # open live streams by LiveStreamId

    @property
    def running(self) -> list[Transcode]:
        return [job for job in self.jobs if not job.ended]

    def settle(self, item_id: str, query: Query, user_agent: str) -> Stream:
        """`Jellyfin.Api/Helpers/StreamingHelpers.cs`, GetStreamingState. No user is asked about the item."""
        values: dict[str, str] = {}
        for name, value in query.pairs:
            values.setdefault(name.lower(), value)
        if values.get("params", "").strip():
            for place, value in enumerate(values["params"].split(";")):
                if value.strip() and place in _PARAMS:
                    values[_PARAMS[place].lower()] = value
        item = self.library.items.get(item_id)
        found = self.library.source(item_id)  # a version of a title is an item of its own
        if item is None and found:
            item = found[0]
        if item is None:
            raise Refused(404, "Error processing request.")
        for named in ("videocodec", "audiocodec", "subtitlecodec", "segmentcontainer", "container"):
            if not _CODEC.fullmatch(values.get(named, "")):
                raise Refused(400)
        stream_id, session = values.get("livestreamid", ""), values.get("playsessionid", "")
        if stream_id.strip():
            # Any live stream that is open on the server; the item in the path does not matter.
            source = self.live.get(stream_id)
            if source is None:
                raise Refused(404, "Error processing request.")
        else:
            # Any running transcode with this PlaySessionId lends its media source; the item does not matter either.
            job = next(
                (job for job in self.running if session.strip() and job.play_session.lower() == session.lower()), None
            )
            source = job.source if job else self._own(item, values.get("mediasourceid", ""))
        device = values.get("deviceid", "")
        # GetOutputFilePath: path, User-Agent, DeviceId and PlaySessionId.
        name = hashlib.md5(f"{source.path}-{user_agent}-{device}-{session}".encode()).hexdigest()
        options = {name: value for name, value in query.pairs if name[:1].islower()}
        return Stream(item, source, values, options, bool(stream_id) or item.live, name)

    def _own(self, item: Item, source_id: str) -> Source:
        if not item.sources:
            raise Refused(400, "Error processing request.")
        if not source_id:
            return item.sources[0]
        for source in item.sources:
            if source.id == source_id:
                return source
        if read_guid(source_id) == item.id:
            return item.sources[0]
        raise Refused(400 if read_guid(source_id) else 500, "Error processing request.")

    def start(self, stream: Stream) -> Transcode:
        """The job that makes this stream, started when none runs. Starting one ends what the session had before.

        `Jellyfin.Api/Controllers/DynamicHlsController.cs`, GetDynamicSegment.
        """
        for job in self.running:
            if job.name == stream.file:
                return job
        self.kill(stream.get("DeviceId"), stream.get("PlaySessionId"))
        container = stream.get("SegmentContainer") or "ts"
        play_session, device = stream.get("PlaySessionId"), stream.get("DeviceId")
        job = Transcode(stream.file, stream.source, play_session, device, stream.quality, container)
        job.options, job.live = stream.options, stream.live
        self.jobs.append(job)
        return job

    def kill(self, device: str, play_session: str) -> None:
        """`MediaBrowser.MediaEncoding/Transcoding/TranscodeManager.cs`: by session, or without one by device.

        By session whoever's it is: the device is not compared then.
        """
        for job in self.running:
            if play_session.strip():
                job.ended |= job.play_session.lower() == play_session.lower()
            else:
                job.ended |= job.device.lower() == device.lower()

    def file(self, name: str) -> Path | None:
        """A file of the transcode folder, by its name alone: `{hash}{number}.ts`."""
        stem, _, kind = name.rpartition(".")
        for job in self.running:
            number = stem.removeprefix(job.name)
            if number != stem and kind == job.container and number.lstrip("-").isdigit():
                path = segment(job.source.folder, job.quality, int(number), kind)
                return path if path.is_file() else None
        return None


def segment(folder: Path, quality: str, number: int, container: str) -> Path:
    return folder / quality / ("init.mp4" if number == -1 else f"{number}.{container}")


def master_playlist(stream: Stream, query: Query, token: str, *, local: bool) -> str:
    """`Jellyfin.Api/Helpers/DynamicHlsHelper.cs`. The caller's query goes into every line, and the caller's token.

    `local`: more than one quality is offered only to a caller of another network, and only when it asks.
    """
    base = "live.m3u8" if stream.live else "main.m3u8"
    pairs, text = dict(query.pairs), query.text
    if stream.get("AudioCodec").lower() != "aac":
        pairs = {**{name: value for name, value in pairs.items() if name.lower() != "audiocodec"}, "AudioCodec": "aac"}
        text = "?" + urlencode(pairs, quote_via=quote)
    lines = ["#EXTM3U"]
    # Only with SubtitleMethod=Hls: a master's query has no EnableSubtitlesInManifest (a live playlist's has).
    subtitles = not stream.live and query.get("SubtitleMethod").lower() == "hls"
    if subtitles:
        chosen = "YES" if query.get("SubtitleStreamIndex") == "2" else "NO"
        where = f"{stream.get('MediaSourceId')}/Subtitles/2/subtitles.m3u8?SegmentLength=30&ApiKey={token}"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",DEFAULT={chosen},FORCED=NO,AUTOSELECT=YES,'
            f'URI="{where}",LANGUAGE="eng"'
        )
    rate = int(stream.get("VideoBitrate") or 300_000)
    lines += _variant(stream, rate, base + text, subtitles)
    if not local and query.on("EnableAdaptiveBitrateStreaming") and not stream.live and stream.get("VideoBitrate"):
        for step in (1, 2):
            less = rate - step * 50_000
            other = {**{name: value for name, value in pairs.items() if name.lower() != "videobitrate"}}
            lines += _variant(
                stream, less, f"{base}?{urlencode({**other, 'VideoBitrate': less}, quote_via=quote)}", subtitles
            )
    if not stream.live and query.on("EnableTrickplay", True):
        where = f"Trickplay/320/tiles.m3u8?MediaSourceId={stream.get('MediaSourceId')}&ApiKey={token}"
        lines.append(f'#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=3000,RESOLUTION=320x180,CODECS="jpeg",URI="{where}"')
    return "\n".join([*lines, ""])


def _variant(stream: Stream, rate: int, url: str, subtitles: bool) -> list[str]:
    height = HEIGHTS[0] if stream.quality == "high" else HEIGHTS[1]
    group = ',SUBTITLES="subs"' if subtitles else ""
    return [
        f"#EXT-X-STREAM-INF:BANDWIDTH={rate},AVERAGE-BANDWIDTH={rate},VIDEO-RANGE=SDR,"
        f'CODECS="avc1.42c015,mp4a.40.2",RESOLUTION={height * 16 // 9}x{height},FRAME-RATE=10{group}',
        url,
    ]


def main_playlist(stream: Stream, query: Query) -> str:
    """`src/Jellyfin.MediaEncoding.Hls/Playlist/DynamicHlsPlaylistGenerator.cs`: the query again, and two more names.

    Without a query the line has no question mark. The real server asks for six seconds, this one cuts at two.
    """
    kind = stream.get("SegmentContainer") or "ts"
    length = SEGMENT * TICKS
    lines = ["#EXTM3U", "#EXT-X-PLAYLIST-TYPE:VOD", f"#EXT-X-VERSION:{7 if kind == 'mp4' else 3}"]
    lines += [f"#EXT-X-TARGETDURATION:{SEGMENT}", "#EXT-X-MEDIA-SEQUENCE:0"]
    if kind == "mp4":
        where = f"hls1/main/-1.mp4{query.text}&runtimeTicks=0&actualSegmentLengthTicks=0"
        lines.append(f'#EXT-X-MAP:URI="{where}"')
    for number in range(SEGMENTS):
        lines.append(f"#EXTINF:{SEGMENT:.6f}, nodesc")
        ticks = f"&runtimeTicks={number * length}&actualSegmentLengthTicks={length}"
        lines.append(f"hls1/main/{number}.{kind}{query.text}{ticks}")
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def live_playlist(job: Transcode) -> str:
    """What ffmpeg writes for a live job: lines below the old `hls/` address, which asks nobody who they are."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SEGMENT}", "#EXT-X-MEDIA-SEQUENCE:0"]
    if job.container == "mp4":
        lines.append(f'#EXT-X-MAP:URI="hls/{job.name}/{job.name}-1.mp4"')
    for number in range(SEGMENTS):
        lines += [f"#EXTINF:{SEGMENT:.6f},", f"hls/{job.name}/{job.name}{number}.{job.container}"]
    return "\n".join([*lines, ""])
