"""Jellyfin's answers that play something. Paths in comments are of `jellyfin/jellyfin`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.media import SECONDS
from tests.servers import jellyfin_subtitles
from tests.servers.asked import Refused, send_file
from tests.servers.jellyfin_call import Call
from tests.servers.jellyfin_callers import acting_user
from tests.servers.jellyfin_library import TICKS, Item, Source, User, dashed, new_id
from tests.servers.jellyfin_streams import Stream, live_playlist, main_playlist, master_playlist
from tests.servers.jellyfin_streams import segment as segment_file

_PLAYLIST = "application/x-mpegURL"
_SUBTITLES = 2  # the index of the one subtitle stream: 0 is the picture, 1 the sound


def playback_info(call: Call) -> web.Response:
    """`MediaInfoController.cs` and `Helpers/MediaInfoHelper.cs`. The query wins over the body."""
    body = call.json if call.request.method == "POST" else {}
    user = acting_user(call.caller, call.query.first("userId") or body.get("UserId"), call.server.library)
    item = call.item(call.guid(), as_user=False)
    if user is not None and not user.sees(item):
        raise Refused(404)
    wanted = call.query.get("mediaSourceId") or body.get("MediaSourceId") or ""
    session = new_id()
    if item.remote:
        sources = [_remote(item)]
    else:
        sources = [_source(item, source) for source in item.sources if not wanted or source.id == wanted]
    if not sources:
        return web.json_response({"MediaSources": [], "PlaySessionId": None, "ErrorCode": "NoCompatibleStream"})
    profile = body.get("DeviceProfile")
    if profile is not None:
        # SetDeviceSpecificData asks for the user, and an API key has none.
        if user is None:
            raise Refused(400, "Error processing request.")
        for source in sources:
            _decide(call, item, source, profile, body, user, session)
    if item.live and (call.query.on("autoOpenLiveStream") or body.get("AutoOpenLiveStream")):
        sources = [_open(call, item, sources[0], session)]
    return web.json_response({"MediaSources": sources, "PlaySessionId": session})


def _source(item: Item, source: Source) -> dict[str, Any]:
    """`MediaBrowser.Model/Dto/MediaSourceInfo.cs`. `Path` is where the file lies, for everybody who asks."""
    film = source.folder / ("song.mp3" if item.media_type == "Audio" else "film.mp4")
    audio = {"Type": "Audio", "Index": 1, "Codec": "aac", "Language": "eng", "DisplayTitle": "English"}
    streams: list[dict[str, Any]] = [audio]
    if item.media_type == "Video":
        picture = {"Type": "Video", "Index": 0, "Codec": "h264", "Width": 320, "Height": 180}
        text = {
            "Type": "Subtitle", "Index": _SUBTITLES, "Codec": "subrip", "Language": "eng", "DisplayTitle": "English",
            "IsExternal": True, "IsTextSubtitleStream": True, "SupportsExternalStream": True,
            "Path": source.path.replace(".mp4", ".en.srt"),
        }  # fmt: skip
        streams = [picture, audio, text]
    value: dict[str, Any] = {
        "Protocol": "File", "Id": source.id, "Path": source.path, "Type": "Default", "Container": film.suffix[1:],
        "Size": film.stat().st_size, "Name": source.name, "IsRemote": False, "RunTimeTicks": item.ticks,
        "SupportsTranscoding": True, "SupportsDirectStream": True, "SupportsDirectPlay": True,
        "IsInfiniteStream": item.live, "RequiresOpening": item.live, "RequiresClosing": item.live,
        "MediaStreams": streams, "MediaAttachments": [{"Index": 3, "Codec": "ttf", "FileName": "font.ttf"}],
        "Bitrate": 200_000, "DefaultAudioStreamIndex": 1, "HasSegments": True,
    }  # fmt: skip
    if item.live:
        value["OpenToken"] = f"token_{item.id}"
    return value


def _remote(item: Item) -> dict[str, Any]:
    return {
        "Protocol": "Http", "Id": item.id, "Path": item.remote, "IsRemote": True, "Container": "mp4", "Name": item.name,
        "SupportsDirectPlay": True, "SupportsTranscoding": True, "MediaStreams": [], "MediaAttachments": [],
    }  # fmt: skip


def _decide(
    call: Call,
    item: Item,
    source: dict[str, Any],
    profile: dict[str, Any],
    body: dict[str, Any],
    user: User,
    session: str,
) -> None:
    """Direct play where a profile takes the container, else a transcode whose address holds the caller's token.

    `MediaBrowser.Model/Dlna/StreamInfo.cs`, ToUrl: the id with dashes, small `videos`, `ApiKey` among the rest.
    """
    takes = [one.get("Container", "").split(",") for one in profile.get("DirectPlayProfiles", [])]
    direct = any(source["Container"] in one or one == [""] for one in takes)
    most = call.number("maxStreamingBitrate") or body.get("MaxStreamingBitrate") or profile.get("MaxStreamingBitrate")
    direct = direct and body.get("EnableDirectPlay", True) and (not most or most >= source.get("Bitrate", 0))
    source["SupportsDirectPlay"] = source["SupportsDirectStream"] = direct
    profiles = profile.get("TranscodingProfiles", [])
    able = body.get("EnableTranscoding", True) and user.may_transcode and bool(profiles)
    source["SupportsTranscoding"] = able
    if not direct and able:
        chosen = profiles[0]
        what = "audio" if item.media_type == "Audio" else "videos"
        file = "master.m3u8" if chosen.get("Protocol") == "hls" else f"stream.{chosen.get('Container', 'mp4')}"
        pairs = [
            ("DeviceId", call.caller.device_id), ("MediaSourceId", source["Id"]), ("VideoCodec", "h264"),
            ("AudioCodec", "aac"), ("AudioStreamIndex", "1"), ("VideoBitrate", str(most or 300_000)),
            ("SegmentContainer", chosen.get("Container", "ts")), ("PlaySessionId", session),
            ("ApiKey", call.caller.token), ("RequireAvc", "false"), ("EnableAudioVbrEncoding", "true"),
            ("SubtitleMethod", "Hls"), ("h264-profile", "high,main,baseline"),
            ("TranscodeReasons", "ContainerNotSupported"),
        ]  # fmt: skip
        query = "&".join(f"{name}={value}" for name, value in pairs)
        source["TranscodingUrl"] = f"/{what}/{dashed(item.id)}/{file}?{query}"
        source["TranscodingSubProtocol"] = "hls" if chosen.get("Protocol") == "hls" else "http"
        source["TranscodingContainer"] = chosen.get("Container", "ts")
    for stream in source["MediaStreams"]:
        if stream["Type"] == "Subtitle":
            where = f"/Videos/{dashed(item.id)}/{source['Id']}/Subtitles/{stream['Index']}/0/Stream.vtt"
            stream.update(
                DeliveryMethod="External", IsExternalUrl=False, DeliveryUrl=f"{where}?ApiKey={call.caller.token}"
            )
    for file in source["MediaAttachments"]:
        file["DeliveryUrl"] = f"/Videos/{dashed(item.id)}/{source['Id']}/Attachments/{file['Index']}"


def _open(call: Call, item: Item, source: dict[str, Any], session: str) -> dict[str, Any]:
    """A live stream is opened, and known to the whole server by its LiveStreamId."""
    stream_id = f"{new_id()}_{item.id}"
    call.server.streams.live[stream_id] = item.sources[0]
    opened = {**source, "LiveStreamId": stream_id, "RequiresOpening": False}
    if "TranscodingUrl" in opened:
        opened["TranscodingUrl"] += f"&LiveStreamId={stream_id}"
    return opened


def open_live(call: Call) -> web.Response:
    token = call.query.get("openToken") or call.json.get("OpenToken") or ""
    item = call.item(call.guid(token.removeprefix("token_")))
    if not item.live:
        raise Refused(400, "Error processing request.")
    opened = _open(call, item, _source(item, item.sources[0]), call.query.get("playSessionId"))
    return web.json_response({"MediaSource": opened})


def close_live(call: Call) -> web.Response:
    """Whoever opened it."""
    call.server.streams.live.pop(call.query.get("liveStreamId"), None)
    return web.Response(status=204)


def bitrate_test(call: Call) -> web.Response:
    size = call.number("size") or 102_400
    if not 1 <= size <= 100_000_000:
        raise Refused(400)
    return web.Response(body=bytes(size))


# --- streams ----------------------------------------------------------------------------------------------


def _settle(call: Call) -> Stream:
    for name in ("VideoBitrate", "MaxHeight", "Height", "MaxWidth", "Width", "SubtitleStreamIndex"):
        call.number(name)
    return call.server.streams.settle(call.guid(), call.query, call.user_agent)


def progressive(call: Call) -> web.StreamResponse:
    """`VideosController.cs`, `AudioController.cs`: open. Static sends the file, else a transcode of unknown length."""
    stream = _settle(call)
    film = stream.source.folder / ("song.mp3" if call.path["what"].lower() == "audio" else "film.mp4")
    if stream.get("Static").lower() == "true":
        return send_file(film)
    headers = {"Accept-Ranges": "none", "Content-Type": "audio/mpeg" if film.suffix == ".mp3" else "video/mp4"}
    if call.request.method == "HEAD":
        return web.Response(headers=headers)
    call.server.streams.start(stream)
    return web.Response(body=film.read_bytes(), headers=headers)


def master(call: Call) -> web.Response:
    """`DynamicHlsController.cs`: MediaSourceId is needed here, and nowhere else."""
    if not call.query.get("MediaSourceId"):
        raise Refused(400)
    text = master_playlist(_settle(call), call.query, call.caller.token, local=call.server.local)
    return web.Response(body=text.encode(), headers={"Content-Type": _PLAYLIST, "Expires": "0"})


def main(call: Call) -> web.Response:
    return web.Response(body=main_playlist(_settle(call), call.query).encode(), headers={"Content-Type": _PLAYLIST})


def live(call: Call) -> web.Response:
    job = call.server.streams.start(_settle(call))
    return web.Response(body=live_playlist(job).encode(), headers={"Content-Type": _PLAYLIST})


def segment(call: Call) -> web.StreamResponse:
    """The name of the playlist in the path means nothing; the container is that of the query."""
    number = call.path["n"]
    if not number.removeprefix("-").isdigit():
        raise Refused(400)
    call.number("runtimeTicks", needed=True)
    call.number("actualSegmentLengthTicks", needed=True)
    if (call.number("StartTimeTicks") or 0) > 0:
        raise Refused(400, "Error processing request.")
    stream = _settle(call)
    path = segment_file(stream.source.folder, stream.quality, int(number), stream.get("SegmentContainer") or "ts")
    if not path.is_file():
        raise Refused(404)
    call.server.streams.start(stream)
    return send_file(path)


def end_transcode(call: Call) -> web.Response:
    """`HlsSegmentController.cs`, StopEncodingProcess: both names are needed, the session alone is compared."""
    if call.query.first("deviceId") is None or not call.query.get("playSessionId"):
        raise Refused(400)
    call.server.streams.kill(call.query.get("deviceId"), call.query.get("playSessionId"))
    return web.Response(status=204)


def old_playlist(call: Call) -> web.Response:
    """`HlsSegmentController.cs`, GetHlsPlaylistLegacy: the list of any job, by name."""
    for job in call.server.streams.running:
        if job.name == call.path["list"]:
            return web.Response(body=live_playlist(job).encode(), headers={"Content-Type": _PLAYLIST})
    raise Refused(404)


def old_segment(call: Call) -> web.StreamResponse:
    """`HlsSegmentController.cs`: open, any file of the transcode folder, whichever item the path names."""
    name = call.path.get("file") or f"{call.path['name']}.{call.path['kind']}"
    path = call.server.streams.file(name)
    if path is None:
        raise Refused(404, "Hls segment not found.")
    return send_file(path)


def universal(call: Call) -> web.StreamResponse:
    """`UniversalAudioController.cs`: a remote source is answered with its address."""
    item = call.item(call.guid())
    if item.remote:
        return web.Response(status=302, headers={"Location": item.remote})
    if not item.sources:
        raise Refused(404)
    return send_file(item.sources[0].folder / "song.mp3")


# --- beside the stream ------------------------------------------------------------------------------------


def subtitle_playlist(call: Call) -> web.Response:
    """`SubtitleController.cs`, GetSubtitlePlaylist: here the user is asked; the lines hold the caller's token."""
    length = call.number("segmentLength", needed=True) or 0
    item = call.item(call.guid())
    if length <= 0 or item.ticks is None or not call.path["index"].isdigit():
        raise Refused(400, "Error processing request.")
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{length}", "#EXT-X-VERSION:3", "#EXT-X-MEDIA-SEQUENCE:0"]
    lines.append("#EXT-X-PLAYLIST-TYPE:VOD")
    for start in range(0, SECONDS, length):
        end = min(SECONDS, start + length)
        asks = f"StartPositionTicks={start * TICKS}&EndPositionTicks={end * TICKS}&ApiKey={call.caller.token}"
        lines += [f"#EXTINF:{end - start},", f"stream.vtt?CopyTimestamps=true&AddVttTimeMap=true&{asks}"]
    text = "\n".join([*lines, "#EXT-X-ENDLIST", ""])
    return web.Response(body=text.encode(), headers={"Content-Type": _PLAYLIST})


def subtitle(call: Call) -> web.Response:
    """`SubtitleController.cs`, GetSubtitle: open, and what the query says wins over the route, the item too."""
    item_id = call.guid(call.query.get("itemId") or call.path["id"])
    source_id = call.query.get("mediaSourceId") or call.path["source"]
    index = call.query.get("index") or call.path["index"]
    kind = (call.query.get("format") or call.path["kind"]).lower()
    ticks = call.query.get("startPositionTicks") or call.path.get("ticks", "0")
    if not index.isdigit() or not ticks.isdigit():
        raise Refused(400)
    item = call.item(item_id, as_user=False)
    source = next((source for source in item.sources if source.id == source_id), None)
    if source is None or int(index) != _SUBTITLES:
        raise Refused(500, "Error processing request.")
    cues = jellyfin_subtitles.read_cues((source.folder / "captions.vtt").read_text())
    end = call.number("endPositionTicks")
    cues = jellyfin_subtitles.cut(
        cues, int(ticks) / TICKS, end / TICKS if end else None, keep=call.query.on("copyTimestamps")
    )
    text, content_type = jellyfin_subtitles.write(cues, kind, time_map=call.query.on("addVttTimeMap"))
    return web.Response(body=text.encode(), headers={"Content-Type": content_type})


def attachment(call: Call) -> web.Response:
    """`VideoAttachmentsController.cs`: open."""
    item = call.item(call.guid(), as_user=False)
    if call.path["index"] != "3" or call.path["source"] not in [source.id for source in item.sources]:
        raise Refused(404)
    return web.Response(body=f"a font of {item.name}".encode(), content_type="application/octet-stream")


def tiles(call: Call) -> web.Response:
    """`TrickplayController.cs`: mediaSourceId takes the item's place, and no user is asked about it."""
    item_id = call.guid(call.query.get("mediaSourceId") or call.path["id"])
    if call.path["width"] != "320" or call.server.library.source(item_id) is None:
        raise Refused(404)
    # `Jellyfin.Server.Implementations/Trickplay/TrickplayManager.cs`, GetHlsPlaylist
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXT-X-VERSION:7", "#EXT-X-MEDIA-SEQUENCE:1"]
    lines += ["#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-IMAGES-ONLY", f"#EXTINF:{SECONDS},"]
    lines.append(f"#EXT-X-TILES:RESOLUTION=320x180,LAYOUT=1x1,DURATION={SECONDS}")
    lines.append(f"0.jpg?MediaSourceId={item_id}&ApiKey={call.caller.token}")
    text = "\n".join([*lines, "#EXT-X-ENDLIST", ""])
    return web.Response(body=text.encode(), headers={"Content-Type": _PLAYLIST})


def tile(call: Call) -> web.StreamResponse:
    """The same, but here the user must see the item that is meant."""
    item_id = call.guid(call.query.get("mediaSourceId") or call.path["id"])
    found = call.server.library.source(item_id)
    if found is None or not call.caller.sees(found[0]) or call.path["width"] != "320" or call.path["n"] != "0":
        raise Refused(404)
    return send_file(found[1].folder / "tiles.jpg", Content_Disposition="attachment")
