"""What stands beside the fake Kaltura: its CDN with the packager behind it, and a media space whose pages want a login.

kaltura/nginx-vod-module: ngx_http_vod_module.c (path, `.urlset` lists), README (names of segments)
"""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from tests.servers.asked import Asked, Fake, send_file
from tests.servers.clips import stamped_bytes
from tests.servers.kaltura_library import Asset, Library
from tests.servers.kaltura_paths import apache, pairs

CLIP = {180: "large", 90: "small"}


class Cdn(Fake):
    """Open to whoever knows a path: the KS has done its work when the address is given out."""

    def __init__(self, library: Library, clips: Path) -> None:
        super().__init__()
        self.library, self.clips = library, clips

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        path = apache(asked.path) or ""  # nginx tidies paths the same way, and decodes %2f too
        found = re.fullmatch(r"/(hls|dash|pd)/p/\d+/sp/\d+/serveFlavor/(.*)/name/a\.mp4(\.urlset)?/?(.*)", path)
        if found is None:
            return web.Response(status=404)
        kind, said, many, name = found.groups()
        picked = pairs(said, "")  # the packager asks serveFlavor with these very pairs
        flavors = self._flavors(picked, many is not None)
        if not flavors:
            return web.Response(status=404)
        answer = self._file(
            kind, name, flavors, picked, f"http://{request.headers.get('Host', '')}{path.rpartition('/')[0]}"
        )
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def _flavors(self, picked: dict[str, str], many: bool) -> list[Asset]:
        """`flavorId/{prefix},{a},{b},{suffix}` in a set; each part may be any id there is."""
        said = picked.get("flavorId", "").split(",")
        ids = [said[0] + one + said[-1] for one in said[1:-1]] if many and len(said) > 2 else said
        found = [self.library.assets[one] for one in ids if one in self.library.assets]
        # alpha/apps/kaltura/modules/extwidget/actions/serveFlavorAction.class.php: only where entryId is said
        entry = picked.get("entryId")
        return [one for one in found if entry is None or one.entry == entry]

    def _file(
        self, kind: str, name: str, flavors: list[Asset], picked: dict[str, str], base: str
    ) -> web.StreamResponse:
        if kind == "pd":
            shown = (
                {"Content_Disposition": f'attachment; filename="{picked["fileName"]}"'} if "fileName" in picked else {}
            )
            return send_file(flavors[0].file, **shown)
        if kind == "dash":
            file = self.clips / "dash" / ("manifest.mpd" if name == "manifest.mpd" else name)
            return send_file(file) if "/" not in name and file.is_file() else web.Response(status=404)
        if name == "master.m3u8":
            lines = ["#EXTM3U"]
            for number, one in enumerate(flavors, 1):
                lines.append(
                    f"#EXT-X-STREAM-INF:BANDWIDTH={one.height * 1500},RESOLUTION={one.height * 16 // 9}x{one.height}"
                )
                lines.append(f"{base}/index-f{number}-v1-a1.m3u8")  # absolute, on the Host of the request
            return web.Response(text="\n".join([*lines, ""]), content_type="application/vnd.apple.mpegurl")
        if index := re.fullmatch(r"index(?:-f(\d+)-v1-a1)?\.m3u8", name):
            flavor = flavors[min(int(index[1] or 1), len(flavors)) - 1]
            text = (self.clips / f"segments/{CLIP[flavor.height]}.m3u8").read_text()
            tail = f"-f{index[1]}-v1-a1.ts" if index[1] else "-v1-a1.ts"
            text = re.sub(r"\w+-(\d+)\.ts", lambda at: f"{base}/seg-{int(at[1]) + 1}{tail}", text)
            return web.Response(text=text, content_type="application/vnd.apple.mpegurl")
        if part := re.fullmatch(r"seg-(\d+)(?:-f(\d+))?-v1-a1\.ts", name):
            flavor = flavors[min(int(part[2] or 1), len(flavors)) - 1]
            file = self.clips / f"segments/{CLIP[flavor.height]}-{int(part[1]) - 1}.ts"
            # `sequence/B` puts entries of its own before this one's
            first = self.library.find(picked.get("sequence", "").split(",")[0])
            item = first.id if first is not None else flavor.entry
            if file.is_file():
                return web.Response(body=stamped_bytes(file, item), content_type="video/mp2t")
        return web.Response(status=404)


class MediaSpace(Fake):
    """KMS or KAF: closed source, so only this is known: nothing is shown before a login or an LTI launch."""

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if "/browseandembed/" in asked.path or "/hosted/" in asked.path:
            return web.Response(status=403, text="Access denied", content_type="text/html")
        return web.Response(status=302, headers={"Location": f"/user/login?ref={asked.path}"})


def page_addresses(entry: str, partner: int, *, space: str, kaltura: str) -> dict[str, str]:
    """What owners of this entry have in their address bars and embed codes, by where they found it."""
    framed = f"{space}/browseandembed/index/media/entryid/{entry}"
    secure = f"{space}/embed/secure/iframe/entryId/{entry}/uiConfId/23448540"
    launched = f"{framed}/playerSkin/23448540/".replace(":", "%3A").replace("/", "%2F")
    extwidget = f"{kaltura}/index.php/extwidget/preview/partner_id/{partner}/uiconf_id/23448540"
    player_2 = f"{kaltura}/p/{partner}/sp/{partner}00/embedIframeJs/uiconf_id/23448540/partner_id/{partner}"
    return {
        "media space": f"{space}/media/A+lecture/{entry}",
        "media space, t": f"{space}/media/t/{entry}",
        "media space, in a category": f"{space}/media/t/{entry}/12345678",
        "media space, to be shared": f"{space}/id/{entry}?width=400&height=285&playerId=12345678",
        "media space, embedded": f"{secure}/st/0",
        "media space, embedded from a category": f"{secure}/pbc/12345678/st/0",
        "application framework": f"{framed}/showDescription/false/showTitle/false/playerSkin/23448540/",
        "course launch": f"https://campus.example.edu/lti/launch?source={launched}",
        "preview": f"{extwidget}/entry_id/{entry}/embed/dynamic",
        "player 7": f"{kaltura}/p/{partner}/embedPlaykitJs/uiconf_id/23448540?iframeembed=true&entry_id={entry}",
        "player 2": f"{player_2}?iframeembed=true&playerId=kp&entry_id={entry}",
    }
