"""A Kaltura server written from kaltura/server's public source (2026-04), not from any policy.

    fake = FakeKaltura(folder, clips)
    async with fake.running() as url: ...       fake.cdn and fake.space have ports and logs of their own

`player`: the text of a player bundle in place of the small one of pages/kaltura-player.js; `hls="redirect"` makes
playManifest answer HLS by a 302 to the CDN, as newer delivery profiles do, in place of a manifest of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from aiohttp import web

from tests.servers.asked import Asked, Fake, send_file
from tests.servers.kaltura_api import Api, parse_body
from tests.servers.kaltura_cdn import Cdn, MediaSpace
from tests.servers.kaltura_library import DELETED, READY, Asset, Entry, Library
from tests.servers.kaltura_paths import apache, pairs, php_array, php_query, rewrite, route

PAGES = Path(__file__).parent / "pages"
# alpha/apps/kaltura/modules/extwidget/actions/playManifestAction.class.php, $shortNames
SHORT = {
    "cdnHost": "ch", "clipTo": "ct", "deliveryCode": "dc", "entryId": "e", "expiry": "ex", "flavorId": "fi",
    "flavorIds": "fs", "flavorParamId": "fp", "flavorParamIds": "fps", "format": "f", "maxBitrate": "mb",
    "minBitrate": "mib", "playbackContext": "pc", "preferredBitrate": "pb", "protocol": "pt", "referrer": "r",
    "seekFrom": "sf", "storageId": "si", "tags": "t", "uiConfId": "ui",
}  # fmt: skip
EXTENSION = {"applehttp": "m3u8", "mpegdash": "mpd"}


class Died(Exception):
    """KExternalErrors::dieError: an empty body and a header that says why. `uncached`: these are not remembered."""

    def __init__(self, code: int, why: str, *, status: int, uncached: bool = False) -> None:
        super().__init__(why)
        self.code, self.why, self.status, self.uncached = code, why, status, uncached


FRONT = "pa-front-api3.kaltura.internal"  # the machine that answers says its name, in X-Me


class FakeKaltura(Fake):
    def __init__(
        self,
        folder: Path,
        clips: Path,
        *,
        player: str | None = None,
        hls: Literal["manifest", "redirect"] = "manifest",
    ) -> None:
        super().__init__()
        self.library = Library(folder, clips)
        self.cdn, self.space = Cdn(self.library, clips), MediaSpace()
        self.player = (PAGES / "kaltura-player.js").read_text() if player is None else player
        self.hls = hls
        self._errors: dict[str, Died] = {}  # by scheme, host and raw target
        self.url = self.cdn_url = self.space_url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with (
            self.cdn.running() as self.cdn_url,
            self.space.running() as self.space_url,
            super().running() as self.url,
        ):
            yield self.url

    @property
    def second_cdn(self) -> str:
        return self.cdn_url.replace("127.0.0.1", "localhost")

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        # KExternalErrors.class.php, dieError: by the host that X-Forwarded-Host claims, and by nothing else, so a
        # fault that a header or a body made is everybody's.
        host = request.headers.get("X-Forwarded-Host") or request.headers.get("Host", "")
        key = f"exterror-http://{host}{asked.target}"
        if (before := self._errors.get(key)) is not None:
            return self._dead(before, cached=True)
        try:
            return self._route(request, asked)
        except Died as died:
            if request.method == "GET" and not died.uncached:
                self._errors[key] = died
            return self._dead(died)

    def _dead(self, died: Died, *, cached: bool = False) -> web.Response:
        headers = {
            "X-Kaltura-App": f"exiting on error {died.code} - {died.why}",
            "X-Kaltura": f"cached-error-{died.code}" if cached else f"error-{died.code}",
        }
        return web.Response(status=died.status, headers=headers, content_type="text/html")

    def _route(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        path = apache(asked.path)
        if path is None:
            return web.Response(status=404)
        path = rewrite(path)
        if re.match(r"/api_v3(/|$)", path):
            return self._api(request, asked, path)
        if short := re.fullmatch(r"/tiny/([0-9a-z]{4,})", path):
            target = f"{self.url}/api_v3/index.php?service=shortLink_shortLink&action=goto&id={short[1]}"
            return web.Response(status=301, headers={"Location": target})
        found = re.match(r"/index\.php/extwidget/(\w+)(?=/|$)", path)
        actions = {
            "playManifest": self._play_manifest,
            "thumbnail": self._thumbnail,
            "serveFlavor": self._serve_flavor,
            "raw": self._raw,
            "download": self._raw,
            "embedPlaykitJs": self._embed,
            "embedIframeJs": self._embed,
            "preview": self._preview,
        }
        action = actions.get(found[1]) if found else None
        return action(request, asked, path) if action else web.Response(status=404, text="Not Found")

    # --- /api_v3

    def _api(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        kind = request.headers.get("Content-Type", "")
        body = parse_body(kind, asked.body) or php_query(asked.body.decode("utf-8", "replace"))
        # infraRequestUtils.class.php: what stands in the address beats the body
        params = {**body, **pairs(path, asked.query)}
        answer = Api(self.library, self.url).answer(params)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["X-Me"] = FRONT
        return answer

    # --- playManifest

    def _play_manifest(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        params = {**php_query(asked.body.decode("utf-8", "replace")), **pairs(path, asked.query)}

        def said(name: str) -> str | None:
            return params.get(name, params.get(SHORT.get(name, "")))

        entry = self._entry_to_play(said("entryId"), request.headers.get("X-Kaltura-Ks") or said("ks"))
        form = said("format") or "url"
        wanted = (said("flavorId") or said("flavorIds") or "").split(",")
        single = self.library.assets.get(wanted[0]) if len(wanted) == 1 and form in ("url", "download") else None
        if single is not None and single.kind != "flavor":
            # retrieveAssets: "in case asset id specified, allow url and download regardless of asset type", and
            # regardless of whose it is
            flavors = [single]
        else:
            flavors = [one for one in entry.flavors if one.id in wanted] or entry.flavors
        # DeliveryProfilePeer.php, getLocalDeliveryByPartner: `cdnHost` prefers one of the hosts the partner delivers
        # from; of another it is no more than ignored. The second host here is the same CDN by its other name.
        cdn = self.cdn_url
        if re.sub(r"^https?://|/$", "", said("cdnHost") or "") == self.second_cdn.removeprefix("http://"):
            cdn = self.second_cdn
        if form in ("url", "download"):
            name = f"/fileName/{entry.name.replace(' ', '_')}.mp4" if form == "download" else ""
            return _moved(self._delivered(cdn, "pd", flavors[:1], extra=name))
        if form == "mpegdash":
            return _moved(self._delivered(cdn, "dash", flavors) + "/manifest.mpd")
        if form != "applehttp":
            raise Died(11, "requested entry type is invalid for the requested format", status=404)
        sequence = said("sequence")
        known = any(one in self.library.entries for one in (sequence or "").split(","))
        extra = f"/sequence/{sequence}" if known else ""  # other entries, played before this one
        if self.hls == "redirect":
            return _moved(self._delivered(cdn, "hls", flavors, extra=extra) + "/master.m3u8")
        return web.Response(
            text=self._manifest(cdn, entry, flavors, extra, said("ks")),
            content_type="application/x-mpegurl",
            headers={"Access-Control-Allow-Origin": "*"},
        )

    def _entry_to_play(self, said: str | None, ks: str | None) -> Entry:
        session = self.library.read(ks) if ks else None
        if ks and session is None:
            raise Died(7, "ks is not valid", status=404)
        entry = self.library.find(said)
        if entry is None or entry.status == DELETED:
            raise Died(1, "requested entry not found", status=404)
        if entry.guarded and (session is None or not session.may_view(entry)):
            raise Died(3, "entry restricted due to access-control", status=404, uncached=True)
        if entry.status != READY:
            raise Died(6, "requested flavor was not found", status=404)
        return entry

    def _delivered(self, cdn: str, kind: str, flavors: list[Asset], *, extra: str = "") -> str:
        ids = flavors[0].id if len(flavors) == 1 else f",{','.join(one.id for one in flavors)},"
        tail = "" if len(flavors) == 1 else ".urlset"
        at = f"{cdn}/{kind}/p/{self.library.partner}/sp/{self.library.partner}00/serveFlavor"
        return f"{at}/entryId/{flavors[0].entry}{extra}/v/2/ev/4/flavorId/{ids}/name/a.mp4{tail}"

    def _manifest(self, cdn: str, entry: Entry, flavors: list[Asset], extra: str, ks: str | None) -> str:
        """Absolute addresses on two hosts; a KS that stood in the address stands in the captions' again."""
        lines = ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS"]
        tail = f"/ks/{ks}" if ks else ""
        at = f"{self.url}/api_v3/index.php/service/caption_captionasset/action/serveWebVTT/captionAssetId"
        for one in entry.captions:
            uri = f"{at}/{one.id}/segmentDuration/300{tail}/a.m3u8"
            lines.append(
                f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="{one.name}",LANGUAGE="{one.name}",URI="{uri}"'
            )
        for one in flavors:
            size = f"{one.height * 16 // 9}x{one.height}"
            lines.append(
                f'#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH={one.height * 1500},RESOLUTION={size},SUBTITLES="subs"'
            )
            lines.append(self._delivered(cdn, "hls", [one], extra=extra) + "/index.m3u8")
        return "\n".join([*lines, ""])

    # --- pictures and files

    def _thumbnail(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        """Symfony's reader: the last word counts, and `&` in a value says one more."""
        params = route(path, asked.query, asked.body.decode("utf-8", "replace"))
        params = {name: re.sub(r"\.(jpg|gif|png)$", "", value) for name, value in params.items()}
        asset = self.library.assets.get(params.get("flavor_id", ""))
        entry = self.library.find(asset.entry if asset else params.get("entry_id"))
        if entry is None or entry.thumb is None or entry.status == DELETED:
            raise Died(1, "requested entry not found", status=404)
        if "vid_slices" in params:
            return send_file(self.library.folder / entry.id / "strip.jpg")
        return send_file(entry.thumb.file)

    def _serve_flavor(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        """No entitlement is asked for here, and a fault is an empty 200."""
        params = route(path, asked.query, asked.body.decode("utf-8", "replace"))
        asset = self.library.assets.get(params.get("flavorId", ""))
        if asset is None or ("entryId" in params and params["entryId"] != asset.entry):
            raise Died(6, "requested flavor was not found", status=200)
        if "fileName" in params:
            return send_file(asset.file, Content_Disposition=f'attachment; filename="{params["fileName"]}"')
        return send_file(asset.file)

    def _raw(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        entry = self.library.find(route(path, asked.query).get("entry_id"))
        if entry is None or entry.status == DELETED:
            raise Died(1, "requested entry not found", status=200)
        if entry.guarded:
            raise Died(3, "entry restricted due to access-control", status=200, uncached=True)
        return send_file(entry.flavors[0].file, Content_Disposition=f'attachment; filename="{entry.name}.mp4"')

    # --- embedPlaykitJsAction.class.php: what was asked for is written into the script as it came

    def _embed(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        params = route(path, asked.query, asked.body.decode("utf-8", "replace"))
        headers = {"Access-Control-Allow-Origin": "*", "X-Robots-Tag": "noindex"}
        if not params.get("iframeembed"):
            text = self.player + (
                self._start(params, asked.query, params.get("targetId", "")) if "autoembed" in params else ""
            )
            return web.Response(text=text, content_type="text/javascript", headers=headers)
        script = self.player + self._start(params, asked.query, "player_container")
        referrer = request.headers.get("Referer", "")
        text = (
            "<!doctype html><html><head><style>#player_container { position: absolute; inset: 0 }</style></head><body>"
            '<div id="player_container"></div>'
            f'<script>window.originalRequestReferrer = "{referrer}"</script><script>{script}</script></body></html>'
        )
        return web.Response(text=text, content_type="text/html", headers=headers)

    def _start(self, params: dict[str, str], query: str, target: str) -> str:
        if "entry_id" in params:
            load = f'kalturaPlayer.loadMedia({{"entryId":"{params["entry_id"]}"}});'
        elif "playlist_id" in params:
            load = f'kalturaPlayer.loadPlaylist({{"playlistId":"{params["playlist_id"]}"}});'
        elif "external_source" in params:
            load = f'kalturaPlayer.setMedia({{"sources":{params["external_source"]}}});'
        else:
            raise Died(20, "Request parameter [entry_id] is missing", status=404)
        config: dict[str, object] = {name: json.loads(value) for name, value in php_array(query, "config").items()}
        provider: dict[str, object] = {"partnerId": self.library.partner, "uiConfId": params.get("uiconf_id", "")}
        provider["env"] = {"serviceUrl": f"{self.url}/api_v3", "cdnUrl": self.url}
        if "ks" in params:
            provider["ks"] = params["ks"]
        config |= {"provider": provider, "targetId": target}
        start = f"var config={json.dumps(config)}; var kalturaPlayer = KalturaPlayer.setup(config); {load}"
        return f"\ntry {{ {start} }} catch (e) {{ console.error(e.message) }}"

    def _preview(self, request: web.Request, asked: Asked, path: str) -> web.StreamResponse:
        params = route(path, asked.query)
        partner, entry = int(params.get("partner_id", "0")), re.sub(r"[<>\"&]", "", params.get("entry_id", ""))
        at = f"/p/{partner}/embedPlaykitJs/uiconf_id/{int(params.get('uiconf_id', '0'))}"
        src = f"{at}?iframeembed=true&entry_id={entry}"
        return web.Response(text=f'<!doctype html><iframe src="{src}"></iframe>', content_type="text/html")


def _moved(target: str) -> web.Response:
    return web.Response(status=302, headers={"Location": target, "Access-Control-Allow-Origin": "*"})
