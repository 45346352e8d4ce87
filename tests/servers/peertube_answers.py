"""What the fake PeerTube says in JSON. Field names: @peertube/peertube-types (npm), VideoDetails and its like."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from tests.servers.clips import LANGUAGES, SECONDS
from tests.servers.peertube_library import INTERNAL, PASSWORD, PRIVATE, PUBLIC, PUBLISHED, UNLISTED, Library, Video

_PRIVACY = {
    PUBLIC: "Public",
    UNLISTED: "Unlisted",
    PRIVATE: "Private",
    INTERNAL: "Internal",
    PASSWORD: "Password protected",
}
STREAM_KEY = "8f1c6f0e-a-fake-stream-key"
_DOCS = "https://docs.joinpeertube.org/api-rest-reference.html#section/Errors"


def problem(status: int, detail: str, code: str | None = None) -> web.Response:
    """RFC 7807, as `server/core/middlewares/error.ts` writes it; `error` is the old field."""
    body = {"type": f"{_DOCS}/{code}" if code else "about:blank", "detail": detail, "status": status, "error": detail}
    if code:
        body["code"] = code
    return web.Response(status=status, text=json.dumps(body), content_type="application/problem+json")


def listed(data: list[Any], total: int | None = None) -> web.Response:
    return web.json_response({"total": len(data) if total is None else total, "data": data})


class Answers:
    """`base`: the address in PeerTube's own configuration, which every absolute URL starts with."""

    def __init__(self, library: Library, base: str, bucket: str) -> None:
        self.library, self.base, self.bucket = library, base, bucket

    def video(self, video: Video) -> dict[str, Any]:
        far = "https://far.example"
        return {
            "id": video.number,
            "uuid": video.uuid,
            "shortUUID": video.short,
            "url": f"{far if video.where == 'far' else self.base}/videos/watch/{video.uuid}",
            "name": video.name,
            "isLive": video.live,
            "isLocal": video.where != "far",
            "privacy": {"id": video.privacy, "label": _PRIVACY[video.privacy]},
            "state": {"id": video.state, "label": "Published" if video.state == PUBLISHED else "To transcode"},
            "duration": 0 if video.live else SECONDS,
            "aspectRatio": 1.7778,
            "views": 3,
            "downloadEnabled": True,
            "thumbnailPath": f"/lazy-static/thumbnails/{video.thumbnail}",
            "previewPath": f"/lazy-static/previews/{video.preview}",
            "thumbnails": [
                {
                    "height": 180,
                    "width": 320,
                    "aspectRatio": "16:9",
                    "fileUrl": f"{self.base}/lazy-static/thumbnails/{video.thumbnail}",
                }
            ],
            "embedPath": f"/videos/embed/{video.uuid}",
            "channel": {**self._actor("channel"), "ownerAccount": self._actor("account")},
            "account": self._actor("account"),
            "trackerUrls": [f"{self.base.replace('http', 'ws', 1)}/tracker/socket", f"{self.base}/tracker/announce"],
            "files": [self._file(video, height, name, "web-videos") for height, name in video.web.items()],
            "streamingPlaylists": [self._playlist(video)] if video.master else [],
            "inputFileUpdatedAt": None,
            "commentsPolicy": {"id": 1, "label": "Enabled"},
            "blacklisted": False,
        }

    def captions(self, video: Video) -> web.Response:
        return listed(
            [
                {
                    "language": {"id": language, "label": LANGUAGES[language]},
                    "automaticallyGenerated": False,
                    "captionPath": f"/lazy-static/video-captions/{name}",
                    "fileUrl": f"{self.base}/lazy-static/video-captions/{name}",
                    # `server/core/models/video/video-caption.ts`: only where the video has HLS
                    "m3u8Url": f"{self._hls(video)}/{name.replace('.vtt', '.m3u8')}" if video.hls else None,
                    "updatedAt": "2026-01-01T00:00:00.000Z",
                }
                for language, name in video.captions.items()
            ]
        )

    def storyboards(self, video: Video) -> web.Response:
        path = f"/lazy-static/storyboards/{video.storyboard}"
        size = {"totalHeight": 45, "totalWidth": 320, "spriteHeight": 45, "spriteWidth": 80, "spriteDuration": 2}
        one = {"storyboardPath": path, "fileUrl": self.base + path, **size}
        return web.json_response({"storyboards": [one] if video.storyboard else []})

    def activity(self, video: Video) -> web.Response:
        """ActivityPub's object of the same page (`server/core/controllers/activitypub/client.ts`): names all files."""
        files = [one["fileUrl"] for one in self.video(video)["files"]]
        return web.Response(
            text=json.dumps(
                {
                    "@context": ["https://www.w3.org/ns/activitystreams"],
                    "type": "Video",
                    "id": f"{self.base}/videos/watch/{video.uuid}",
                    "name": video.name,
                    "uuid": video.uuid,
                    "url": [{"type": "Link", "mediaType": "video/mp4", "href": url} for url in files],
                }
            ),
            content_type="application/activity+json",
        )

    def live(self, *, managed: bool) -> dict[str, Any]:
        """`server/core/models/video/video-live.ts`, toFormattedJSON: `managed` are those one may send to."""
        said: dict[str, Any] = {"saveReplay": True, "permanentLive": False, "latencyMode": 1}
        if managed:
            said |= {"streamKey": STREAM_KEY, "rtmpUrl": "rtmp://far.example:1935/live", "rtmpsUrl": None}
        return said

    def summary(self, video: Video) -> dict[str, Any]:
        """A video as lists hold it."""
        kept = ("id", "uuid", "shortUUID", "url", "name", "isLive", "isLocal", "privacy", "state", "duration")
        return {key: value for key, value in self.video(video).items() if key in kept}

    def config(self) -> dict[str, object]:
        return {
            "serverVersion": "8.0.0",
            "instance": {"name": "A fake instance", "defaultClientRoute": "/videos/browse"},
            "webadmin": {"configuration": {"edition": {"allowed": False}}},
            "tracker": {"enabled": True},
            "plugin": {"registered": []},
            "theme": {"registered": [], "default": "default"},
            "openTelemetry": {"metrics": {"enabled": False}},
        }

    def _actor(self, name: str) -> dict[str, Any]:
        path = f"/lazy-static/avatars/{self.library.avatar}"
        avatar = {"path": path, "fileUrl": self.base + path, "width": 48, "height": 48}
        return {"id": 1, "name": name, "displayName": name, "host": self.base.partition("://")[2], "avatars": [avatar]}

    def _hls(self, video: Video) -> str:
        if video.where != "bucket":
            return f"{self.base}/static/streaming-playlists/{self.library.hls_folder(video)}"
        if video.shut:  # `server/core/lib/object-storage/urls.ts`: private files go through the instance
            return f"{self.base}/object-storage-proxy/streaming-playlists/hls/private/{video.uuid}"
        return f"{self.bucket}/hls/{video.uuid}"

    def _web(self, video: Video) -> str:
        if video.where == "far":
            return "https://far.example/static/web-videos"
        if video.where != "bucket":
            return f"{self.base}/static/{self.library.web_folder(video)}"
        return f"{self.base}/object-storage-proxy/web-videos/private" if video.shut else f"{self.bucket}/web-videos"

    def _file(self, video: Video, height: int, name: str, kind: str) -> dict[str, Any]:
        hls = kind == "hls"
        below = "streaming-playlists/hls/videos" if hls else "web-videos"
        tail = f"{height}-fragmented.mp4" if hls else f"{height}.mp4"
        answer = {
            "id": self.library.file_ids[name],
            "resolution": {"id": height, "label": f"{height}p"},
            "width": height * 16 // 9,
            "height": height,
            "fps": 10,
            "size": 100_000,
            "storage": 1 if video.where == "bucket" else 0,
            "hasAudio": True,
            "hasVideo": True,
            "torrentUrl": f"{self.base}/lazy-static/torrents/{video.torrent}",
            "torrentDownloadUrl": f"{self.base}/download/torrents/{video.torrent}",
            "magnetUri": f"magnet:?xs={self.base}/lazy-static/torrents/{video.torrent}",
            "fileUrl": f"{self._hls(video) if hls else self._web(video)}/{name}",
            "fileDownloadUrl": f"{self.base}/download/{below}/{video.uuid}-{tail}",
            "metadataUrl": f"{self.base}/api/v1/videos/{video.uuid}/metadata/{self.library.file_ids[name]}",
        }
        if hls:
            answer["playlistUrl"] = f"{self._hls(video)}/{name.replace('-fragmented.mp4', '.m3u8')}"
        return answer

    def _playlist(self, video: Video) -> dict[str, Any]:
        sums = "segments-sha256.json" if video.live else video.master.replace("-master.m3u8", "-segments-sha256.json")
        return {
            "id": video.number,
            "type": 1,
            "playlistUrl": f"{self._hls(video)}/{video.master}",
            "segmentsSha256Url": f"{self._hls(video)}/{sums}",
            "redundancies": [{"baseUrl": f"https://copies.example/static/redundancy/hls/{video.uuid}"}],
            "files": [self._file(video, height, name, "hls") for height, name in video.fragmented.items()],
        }
