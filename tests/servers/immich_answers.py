"""What an Immich server writes: JSON of assets and links, HLS playlists, the page of a share."""

from __future__ import annotations

import html
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from tests.media import HEIGHTS, SECONDS
from tests.servers.asked import send_file
from tests.servers.films import SEGMENT, SEGMENTS
from tests.servers.immich_library import Asset, SharedLink


def asset_shown(asset: Asset, *, bare: bool = False) -> dict[str, Any]:
    """`server/src/dtos/asset-response.dto.ts`. With metadata it tells the file's path, the place and the camera."""
    value: dict[str, Any] = {
        "id": asset.id, "type": asset.type, "thumbhash": "aaaa", "localDateTime": "2026-08-01T10:00:00.000Z",
        "duration": f"0:00:{SECONDS}.00000" if asset.type == "VIDEO" else "0:00:00.00000", "hasMetadata": not bare,
        "width": 320, "height": 180,
    }  # fmt: skip
    if bare:
        return value
    exif = {"latitude": 52.5, "longitude": 13.4, "make": "a camera", "city": "Berlin"}
    return {
        **value, "ownerId": asset.owner.id, "originalFileName": asset.name, "checksum": "c2hhMQ==", "exifInfo": exif,
        "originalPath": f"/data/library/{asset.owner.name}/2026/08/{asset.name}", "visibility": "timeline",
    }  # fmt: skip


def link_shown(link: SharedLink) -> dict[str, Any]:
    """`server/src/dtos/shared-link.dto.ts`: the key is in it, and the password, as it was typed."""
    return {
        "id": link.id, "key": link.key, "slug": link.slug or None, "password": link.password or None,
        "type": "ALBUM" if link.album else "INDIVIDUAL", "description": None, "userId": link.owner.id,
        "createdAt": "2026-11-01T00:00:00.000Z", "expiresAt": None, "allowUpload": link.allow_upload,
        "allowDownload": link.allow_download, "showMetadata": link.show_metadata,
        "assets": [asset_shown(asset, bare=not link.show_metadata) for asset in link.shown],
    }  # fmt: skip


def hls_main(session: str) -> str:
    """`server/src/services/hls.service.ts`; smallest first. No query, no key in its lines."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for number, height in enumerate(sorted(HEIGHTS)):
        lines += [
            f"#EXT-X-STREAM-INF:BANDWIDTH={height * 2000},RESOLUTION={height * 16 // 9}x{height},"
            'CODECS="avc1.42c015,mp4a.40.2",VIDEO-RANGE=SDR,FRAME-RATE=10.000',
            f"{session}/{number}/playlist.m3u8",
        ]
    return "\n".join([*lines, ""])


def hls_variant() -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS", f"#EXT-X-TARGETDURATION:{SEGMENT}"]
    lines += ["#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-PLAYLIST-TYPE:VOD", '#EXT-X-MAP:URI="init.mp4"']
    for number in range(SEGMENTS):
        lines += [f"#EXTINF:{SEGMENT:.6f},", f"seg_{number}.m4s"]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def page(link: SharedLink | None, url: str) -> str:
    """`shared-link.service.ts`, getMetadataTags: the picture's address holds the key, also on a page asked by slug."""
    picture = f"{url}/feature-panel.png"
    if link is not None and link.shown:
        picture = f"{url}/api/assets/{link.shown[0].id}/thumbnail?key={link.key}"
    return (
        '<!doctype html><html lang="en"><head><title>Immich</title>'
        f'<meta property="og:title" content="Public Share"><meta property="og:image" content="{html.escape(picture)}">'
        '</head><body><div id="stencil"></div></body></html>'
    )


def send(path: Path, name: str, content_type: str = "") -> web.StreamResponse:
    """`server/src/utils/file.ts`."""
    headers = {"Cache_Control": "private, max-age=86400, no-transform"}
    if name:
        headers["Content_Disposition"] = f"inline; filename*=UTF-8''{quote(name)}"
    if content_type:
        headers["Content_Type"] = content_type
    return send_file(path, **headers)


def playlist(text: str) -> web.Response:
    headers = {"Content-Type": "application/vnd.apple.mpegurl", "Cache-Control": "no-cache"}
    return web.Response(body=text.encode(), headers=headers)


def problem(status: int, message: str) -> web.Response:
    names = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    said = {"message": message, "error": names.get(status, "Error"), "statusCode": status}
    return web.json_response({**said, "correlationId": secrets.token_hex(4)}, status=status)
