"""nginx-vod-module as its source says it behaves: the module is in no registry, so the tests have this in its place.

Written before the policy, from the module's source (kaltura/nginx-vod-module, 26f0687) and nginx's, and held against
the real module, built once. What matters here are its readings of an address: nginx's own, then names of parameters
anywhere in the path, then commas that are joined when nginx has already looked for dots. Media are real, cut before.

    async with fake_nginx_vod(library, mode) as fake:     mode: `mapped` (ids) or `local` (files)
        fake.port       /hls/… /dash/… /thumb/…, and the raw files at /media/… as careless operators have them
        fake.items      which item each answer was of, in the order they were given
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.media import NAMES, SECONDS, SEGMENT, Media
from tests.system_parts import need

SEGMENTS = SECONDS // SEGMENT
# ngx_http_vod_conf.c, ngx_http_vod_merge_loc_conf: the default names; ngx_http_vod_request_parse.c, uri_param_defs:
# what each takes as the segment behind it. They are looked up in lower case (ngx_http_vod_extract_uri_params).
PARAMETERS = {
    "clipfrom": r"\d+",
    "clipto": r"\d+",
    "tracks": r"(-?[va]\d+)+",
    "shift": r"([vas]\d+)+",
    "speed": r"\d+(\.\d+)?",
    "lang": r"[a-z]{3}",
}
# Local mode: folders that are there, below the location's. A `..` behind anything else leads nowhere, as in open(2).
FOLDERS = ("", "shelf")
# ngx_http_vod_request_parse.c, ngx_http_vod_parse_uri_file_name: what may stand behind a name, in this order.
TRACKS = (
    r"(?:-?c\d+)?(?:-?(?:f[1-9]\d?|s[^-]+)(?:-?[va]\d*)*)*(?:-?[va]\d+)*(?:-?p\d+)?(?:-?l[a-z]{3})*(?:-?x[1-9]\d*)?"
)
HEIGHT_OF = {"f1": 180, "f2": 90, "s180": 180, "s90": 90}


class Answer(Exception):  # it ends the reading of a request, and most often it is no error
    def __init__(self, status: int, body: bytes = b"", kind: str = "text/html") -> None:
        super().__init__(status)
        self.status, self.body, self.kind = status, body, kind


@dataclass
class FakeVod:
    """`library`: what mapping or folder has, by name: the folder of an item's cut media. `base_url`: `vod_base_url` is
    left out. `encrypted`: `vod_hls_encryption_method aes-128`."""

    mode: str
    library: dict[str, Path]
    base_url: bool = False
    encrypted: bool = False
    port: int = 0
    items: list[str] = field(default_factory=list)

    async def serve(self, request: web.BaseRequest) -> web.Response:
        try:
            self._serve(request)
        except Answer as answer:
            return web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.kind})
        raise AssertionError("every request has an answer")

    def _serve(self, request: web.BaseRequest) -> None:
        uri = as_nginx_reads(request.raw_path)
        if uri == "/vod_status":
            raise Answer(200, b"<vod>everybody's requests</vod>", "text/xml")
        if uri.startswith("/media/"):  # a location of plain files beside the module, whatever they are
            name = uri.removeprefix("/media/")
            raise Answer(200, b"raw film of " + name.encode(), "video/mp4") if name in self.library else Answer(404)
        found = re.match(r"/(hls|dash|thumb)/", uri)
        if found is None:
            raise Answer(404)
        # ngx_http_vod_module.c, ngx_http_vod_handler: OPTIONS is answered before the address is read at all.
        if request.method == "OPTIONS":
            raise Answer(200, b"", "text/plain")
        if request.method not in ("GET", "HEAD"):
            raise Answer(405)
        # ngx_http_vod_split_uri_file_name: what follows the last slash is the file, what precedes it the media.
        path, _, name = uri.rpartition("/")
        if found[1] == "hls" and re.fullmatch(rf"encryption{TRACKS}\.key", name):
            # ngx_http_vod_hls_parse_uri_file_name: served like any file, where encryption is on.
            make = _key if self.encrypted else None
        elif found[1] == "thumb" and self.mode == "mapped" and not re.search(r"-[fs]", name):
            make = None  # ngx_http_vod_parse_uri: a picture is of one sequence, and a mapping has several
        else:
            make = FILES[found[1]](name)
        if make is None:
            raise Answer(400)
        place = media_at(path, found[0][:-1], self.mode)
        folder = self.library.get(place)
        if folder is None:
            # A mapping that knows nothing says 404, which the module makes a 502; a file that is not there is a 404.
            raise Answer(502 if self.mode == "mapped" else 404)
        self.items.append(folder.name)
        # ngx_http_vod_utils.c, ngx_http_vod_get_base_url: `vod_base_url` left out writes the Host of the request.
        base = f"http://{request.headers['Host']}{path}/" if self.base_url else ""
        raise make(folder, base)


def as_nginx_reads(raw: str) -> str:
    """nginx's ngx_http_parse.c, ngx_http_parse_complex_uri: escapes once, slashes merged, dots resolved afterwards, the
    query (which the module never looks at) and a fragment cut off."""
    path = re.split(r"[?#]", raw, maxsplit=1)[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        raise Answer(400)
    text = re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), path)
    if "\0" in text:
        raise Answer(400)
    return collapsed(text)


def collapsed(text: str) -> str:
    out: list[str] = []
    segments = text.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not out:
                raise Answer(400)
            out.pop()
        elif segment not in ("", "."):
            out.append(segment)
    ends = segments[-1] in ("", ".", "..")
    return "/" + "/".join(out) + ("/" if ends and out else "")


def media_at(path: str, location: str, mode: str) -> str:
    """The name that is looked up. The module joins, and whoever looks it up resolves what comes out."""
    # ngx_http_vod_request_parse.c, ngx_http_vod_parse_multi_uri: only the end of the path says that commas join. One
    # comma joins what stands before and behind it; with more, what stands between is another part each. Without any
    # the ending stays where it is.
    if path.endswith(".urlset") and "," in path:
        prefix, *parts = path.removesuffix(".urlset").split(",")
        postfix = parts.pop()
        uris = [prefix + middle + postfix for middle in parts or [""]]
    else:
        uris = [path]
    return looked_up(without_parameters(uris[0]).removeprefix(location), mode)


def without_parameters(uri: str) -> str:
    """ngx_http_vod_request_parse.c, ngx_http_vod_extract_uri_params."""
    kept: list[str] = []
    segments = iter(uri.split("/"))
    for segment in segments:
        takes = PARAMETERS.get(segment.lower())
        if takes is None:
            kept.append(segment)
        elif not re.fullmatch(takes, next(segments, "0")):
            raise Answer(400)
    return "/".join(kept)


def looked_up(name: str, mode: str) -> str:
    """By open(2) in local mode, else by a web server with the mappings: both know dots, and nobody saw these."""
    out: list[str] = []
    for segment in name.split("/"):
        if segment == "..":
            if mode == "local" and "/".join(out) not in FOLDERS:
                raise Answer(404)
            if not out:
                return "outside of the folder/" + name.rpartition("/")[2]
            out.pop()
        elif segment not in ("", "."):
            out.append(segment)
    return "/".join(out)


Make = Callable[[Path, str], Answer]


def _hls(name: str) -> Make:
    """ngx_http_vod_hls.c, ngx_http_vod_hls_parse_uri_file_name."""
    if re.fullmatch(rf"master{TRACKS}\.m3u8", name):
        return _master
    if found := re.fullmatch(rf"(?:index|iframes)({TRACKS})\.m3u8", name):
        return lambda folder, base: _index(base, found[1])
    if found := re.fullmatch(rf"seg-?(\d+)({TRACKS})\.(ts|vtt)", name):
        number = int(found[1])
        if number == 0:
            raise Answer(400)
        if found[3] == "vtt":
            language = "de" if "f4" in found[2] else "en"
            return lambda folder, base: _cues(folder, language, number)
        return lambda folder, base: _file(folder / str(_height(found[2])) / f"{number - 1}.ts", "video/MP2T")
    raise Answer(400)


def _key(folder: Path, base: str) -> Answer:
    return Answer(200, folder.name.encode().ljust(16, b"."), "application/octet-stream")


def _dash(name: str) -> Make:
    """ngx_http_vod_dash.c, ngx_http_vod_dash_parse_uri_file_name."""
    if re.fullmatch(rf"manifest{TRACKS}\.mpd", name):
        return lambda folder, base: Answer(
            200, (folder / "dash" / "manifest.mpd").read_text().replace("BASE", base).encode(), "application/dash+xml"
        )
    if found := re.fullmatch(rf"init-?({TRACKS})\.mp4", name):
        return lambda folder, base: _file(folder / "dash" / f"{_stream(found[1])}-init.mp4", "video/mp4")
    if found := re.fullmatch(rf"fragment-?([1-9]\d*)-?({TRACKS})\.m4s", name):
        return lambda folder, base: _file(folder / "dash" / f"{_stream(found[2])}-{found[1]}.m4s", "video/mp4")
    if found := re.fullmatch(rf"sub-?({TRACKS})\.vtt", name):
        language = "de" if "f4" in found[1] else "en"
        return lambda folder, base: _file(folder / "dash" / f"captions-{language}.vtt", "text/vtt")
    raise Answer(400)


def _thumb(name: str) -> Make:
    """ngx_http_vod_thumb.c, ngx_http_vod_thumb_parse_uri_file_name: any width and height, and each is computed."""
    found = re.fullmatch(rf"thumb-?\d+(?:-?w(\d+))?(?:-?h(\d+))?{TRACKS}\.jpg", name)
    if found is None:
        raise Answer(400)
    if any(int(one or 0) > 16_384 for one in found.groups()):
        raise Answer(500)
    return lambda folder, base: _file(folder / "poster.jpg", "image/jpeg")


FILES: dict[str, Callable[[str], Make]] = {"hls": _hls, "dash": _dash, "thumb": _thumb}


def _master(folder: Path, base: str) -> Answer:
    """As the real one wrote it, with a mapping whose sequences have ids."""
    lines = ["#EXTM3U"]
    for number, (language, label) in enumerate(NAMES.items(), 3):
        lines.append(
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs0",NAME="{label}",LANGUAGE="{language}",AUTOSELECT=NO,DEFAULT=NO,'
            f'URI="{base}index-f{number}.m3u8"'
        )
    for height, rate in ((180, 211139), (90, 114276)):
        lines += [
            f"#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH={rate},RESOLUTION={height * 16 // 9}x{height},FRAME-RATE=10.000,"
            'CODECS="avc1.42c00c,mp4a.40.2",SUBTITLES="subs0"',
            f"{base}index-s{height}-v1-a1.m3u8",
        ]
    return Answer(200, "\n".join([*lines, ""]).encode(), "application/vnd.apple.mpegurl")


def _index(base: str, tracks: str) -> Answer:
    ending = "vtt" if tracks in ("-f3", "-f4") else "ts"
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{SEGMENT}", "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-VERSION:3"]
    for number in range(1, SEGMENTS + 1):
        lines += [f"#EXTINF:{SEGMENT}.000,", f"{base}seg-{number}{tracks}.{ending}"]
    return Answer(200, "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode(), "application/vnd.apple.mpegurl")


def _cues(folder: Path, language: str, number: int) -> Answer:
    head, *cues = (folder / "dash" / f"captions-{language}.vtt").read_text().split("\n\n")
    part = cues[(number - 1) * SEGMENT : number * SEGMENT]
    return Answer(200, "\n\n".join([head, *part, ""]).encode(), "text/vtt") if part else Answer(404)


def _height(tracks: str) -> int:
    return next((height for name, height in HEIGHT_OF.items() if f"-{name}" in tracks), 180)


def _stream(tracks: str) -> int:
    return 2 if "a1" in tracks else 1 if "f2" in tracks else 0


def _file(path: Path, kind: str) -> Answer:
    return Answer(200, path.read_bytes(), kind) if path.is_file() else Answer(404)


def cut(media: Media, root: Path, item: str) -> Path:
    """Both qualities as transport segments, the fragments of DASH, captions and a picture."""
    folder = root / item
    (folder / "dash").mkdir(parents=True)
    for height, stream in ((180, "v0"), (90, "v1")):
        (folder / str(height)).mkdir()
        subprocess.run(
            [need("ffmpeg"), "-loglevel", "error", "-i", media.hls() / stream / "index.m3u8",
             "-i", media.hls() / "en" / "index.m3u8", "-map", "0:v", "-map", "1:a", "-c", "copy", "-f", "hls",
             "-hls_time", str(SEGMENT), "-hls_segment_filename", "%d.ts", "index.m3u8"],
            cwd=folder / str(height), check=True,
        )  # fmt: skip
    for file in media.dash().iterdir():
        (folder / "dash" / file.name).write_bytes(file.read_bytes())
    manifest = folder / "dash" / "manifest.mpd"
    text = manifest.read_text().replace("$RepresentationID$-init.mp4", "BASEinit-$RepresentationID$.mp4")
    text = text.replace("$RepresentationID$-$Number$.m4s", "BASEfragment-$Number$-$RepresentationID$.m4s")
    for number, language in ((3, "en"), (4, "de")):
        text = text.replace(f"captions-{language}.vtt", f"BASEsub-f{number}.vtt")
    for stream, name in enumerate(("f1-v1-x3", "f2-v1-x3", "f1-a1-x3")):
        text = text.replace(f'<Representation id="{stream}"', f'<Representation id="{name}"')
    manifest.write_text(re.sub(r'\t*<AdaptationSet id="2".*?</AdaptationSet>\n', "", text, flags=re.S))
    (folder / "poster.jpg").write_bytes((media.audio() / "cover.jpg").read_bytes())
    return folder


@asynccontextmanager
async def fake_nginx_vod(
    library: dict[str, Path], mode: str, *, base_url: bool = False, encrypted: bool = False
) -> AsyncIterator[FakeVod]:
    fake = FakeVod(mode, library, base_url, encrypted)
    runner = web.ServerRunner(web.Server(fake.serve))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.port = runner.addresses[0][1]
    yield fake
    await runner.cleanup()
