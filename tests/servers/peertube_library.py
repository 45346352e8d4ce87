"""What the fake PeerTube holds: one video of each sort that matters, as files on disk the way PeerTube lays them out.

    library = Library(folder, clips)       folder: empty; clips: see tests/servers/clips.py
    library.film.uuid                      a fresh id on every run, like every file name

Layout and names (Chocobozzz/PeerTube): the private folder lies INSIDE the public one
(`server/core/initializers/constants.ts`, DIRECTORIES), and no name of a file outside the HLS folder tells whose it is
(`server/core/lib/paths.ts`): web videos, thumbnails, previews, storyboards and captions carry ids of their own.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.clips import LANGUAGES, SECONDS, stamp

PUBLIC, UNLISTED, PRIVATE, INTERNAL, PASSWORD = 1, 2, 3, 4, 5
PUBLISHED, TO_TRANSCODE = 1, 2
QUALITIES = {180: "large", 90: "small"}

_BASE58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"  # flickr's alphabet


def shorten(long: str) -> str:
    """The 22 characters PeerTube shows in addresses (`packages/node-utils/src/uuid.ts`, the short-uuid package)."""
    number, said = uuid.UUID(long).int, ""
    while number:
        number, digit = divmod(number, 58)
        said = _BASE58[digit] + said
    return said.rjust(22, _BASE58[0])


def lengthen(short: str) -> str | None:
    """The uuid that a short one stands for, None where it is none."""
    if not re.fullmatch(f"[{_BASE58}]{{1,22}}", short):
        return None
    number = 0
    for character in short:
        number = number * 58 + _BASE58.index(character)
    return str(uuid.UUID(int=number)) if number < 1 << 128 else None


@dataclass
class Video:
    """`where`: local disk, a bucket beside it, or another instance."""

    name: str
    number: int
    privacy: int = PUBLIC
    where: str = "disk"  # disk | bucket | far
    state: int = PUBLISHED
    live: bool = False
    hls: bool = True
    password: str | None = None
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    # kind -> path below the kind's folder
    master: str = ""
    web: dict[int, str] = field(default_factory=dict)
    fragmented: dict[int, str] = field(default_factory=dict)
    captions: dict[str, str] = field(default_factory=dict)
    thumbnail: str = ""
    preview: str = ""
    storyboard: str = ""
    torrent: str = ""

    @property
    def short(self) -> str:
        return shorten(self.uuid)

    @property
    def shut(self) -> bool:
        """Whether its files lie in a private folder (`server/core/lib/video-privacy.ts`)."""
        return self.privacy in (PRIVATE, INTERNAL, PASSWORD)


class Library:
    """Videos by purpose: `film` and `other` are open twins; the rest are named for what is special about them."""

    def __init__(self, folder: Path, clips: Path) -> None:
        self.folder, self._clips = folder, clips
        self.file_ids: dict[str, int] = {}  # web and fragmented files -> their number in the database
        self._random = random.Random(uuid.uuid4().int)
        self.avatar = f"{self._fresh()}.png"
        self._put("slide-1.png", f"avatars/{self.avatar}", "channel")
        self.film = self._add(Video("A film", 1))
        self.other = self._add(Video("Another film", 2))
        self.unlisted = self._add(Video("An unlisted one", 3, UNLISTED))
        self.secret = self._add(Video("A private one", 4, PRIVATE))
        self.inner = self._add(Video("An internal one", 5, INTERNAL))
        self.locked = self._add(Video("One with a password", 6, PASSWORD, password="open sesame"))
        self.stored = self._add(Video("One in a bucket", 7, where="bucket"))
        self.stored_secret = self._add(
            Video("A private one in a bucket", 8, PASSWORD, where="bucket", password="bucket")
        )
        self.live = self._add(Video("A live one", 9, live=True))
        self.unready = self._add(Video("One still transcoded", 10, state=TO_TRANSCODE))
        self.plain = self._add(Video("One without HLS", 11, hls=False))
        self.far = self._add(Video("One of another instance", 12, where="far"))
        self.videos = [value for value in vars(self).values() if isinstance(value, Video)]
        self.playlist = str(uuid.uuid4())  # of film and other

    def find(self, said: str) -> Video | None:
        """By any of the three spellings; uuids in any case, as the database compares them."""
        if re.fullmatch(r"[0-9]+", said):
            return next((one for one in self.videos if one.number == int(said)), None)
        long = said.lower() if len(said) == 36 else lengthen(said)
        return next((one for one in self.videos if one.uuid == long), None)

    def of_file(self, name: str) -> Video | None:
        """Whose web video or fragmented file this is."""
        return next((one for one in self.videos if name in (*one.web.values(), *one.fragmented.values())), None)

    def hls_folder(self, video: Video) -> str:
        inside = f"private/{video.uuid}" if video.shut else video.uuid
        return f"bucket/hls/{inside}" if video.where == "bucket" else f"hls/{inside}"

    def web_folder(self, video: Video) -> str:
        inside = "web-videos/private" if video.shut else "web-videos"
        return f"bucket/{inside}" if video.where == "bucket" else inside

    def _fresh(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _put(self, clip: str, to: str, item: str) -> str:
        stamp(self._clips / clip, self.folder / to, item)
        return to.rpartition("/")[2]

    def _add(self, video: Video) -> Video:
        item = video.uuid
        video.thumbnail = self._put("poster.jpg", f"thumbnails/{self._fresh()}.jpg", item)
        video.preview = self._put("poster.jpg", f"previews/{self._fresh()}.jpg", item)
        if video.live:
            self._lay_live(video)
            return video
        video.storyboard = self._put("strip.jpg", f"storyboards/{self._fresh()}.jpg", item)
        video.torrent = f"{self._fresh()}-180.torrent"
        (self.folder / "torrents").mkdir(exist_ok=True)
        (self.folder / "torrents" / video.torrent).write_bytes(b"d4:infod4:name" + f"{len(item)}:{item}ee".encode())
        for language in LANGUAGES:
            name = f"{self._fresh()}-{language}.vtt"
            video.captions[language] = self._put(f"{language}.vtt", f"video-captions/{name}", item)
        for height, clip in QUALITIES.items():
            name = f"{self._fresh()}-{height}.mp4"
            video.web[height] = self._put(f"{clip}.mp4", f"{self.web_folder(video)}/{name}", item)
            self.file_ids[name] = len(self.file_ids) + 100
        if video.hls:
            self._lay_hls(video)
        return video

    def _lay_hls(self, video: Video) -> None:
        folder = self.hls_folder(video)
        lines, hashes = ["#EXTM3U", "#EXT-X-VERSION:3", f"## item:{video.uuid}"], {}
        for height, clip in sorted(QUALITIES.items()):  # lib/hls.ts: the smallest first
            stem = f"{self._fresh()}-{height}"
            name = f"{stem}-fragmented.mp4"
            self._put(f"{clip}-fragmented.mp4", f"{folder}/{name}", video.uuid)
            video.fragmented[height] = name
            self.file_ids[name] = len(self.file_ids) + 100
            text = (self._clips / f"{clip}-fragmented.m3u8").read_text().replace(f"{clip}-fragmented.mp4", name)
            (self.folder / folder / f"{stem}.m3u8").write_text(text)
            lines += [
                f"#EXT-X-STREAM-INF:BANDWIDTH={height * 1500},RESOLUTION={height * 16 // 9}x{height},FRAME-RATE=10,"
                'CODECS="avc1.42c00d,mp4a.40.2",SUBTITLES="subtitles"',
                f"{stem}.m3u8",
            ]
            hashes[name] = {"0-1313": hashlib.sha256(text.encode()).hexdigest()}
        for language, name in video.captions.items():
            # The one playlist that does not use relative names: built by CONFIG, see Library.finish.
            (self.folder / folder / name.replace(".vtt", ".m3u8")).write_text(
                f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SECONDS}\n#EXT-X-MEDIA-SEQUENCE:0\n"
                f"#EXTINF:{SECONDS},\n@BASE@/lazy-static/video-captions/{name}\n#EXT-X-ENDLIST\n"
            )
            lines.insert(
                3,
                f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="{LANGUAGES[language]}",LANGUAGE="{language}",'
                f'URI="{name.replace(".vtt", ".m3u8")}"',
            )
        video.master = f"{self._fresh()}-master.m3u8"
        (self.folder / folder / video.master).write_text("\n".join([*lines, ""]))
        sums = video.master.replace("-master.m3u8", "-segments-sha256.json")
        (self.folder / folder / sums).write_text(json.dumps(hashes))

    def _lay_live(self, video: Video) -> None:
        # Live names do tell: `server/core/lib/live/shared/muxing-session.ts` writes {n}.m3u8 and {n}-{seq}.ts
        folder = self.folder / self.hls_folder(video)
        folder.mkdir(parents=True)
        video.master = "master.m3u8"
        lines = ["#EXTM3U", "#EXT-X-VERSION:3"]
        for number, (height, clip) in enumerate(QUALITIES.items()):
            text = (self._clips / f"segments/{clip}.m3u8").read_text().replace("#EXT-X-PLAYLIST-TYPE:VOD\n", "")
            text = re.sub(rf"{clip}-(\d+)\.ts", lambda found, n=number: f"{n}-{int(found[1]):06d}.ts", text)
            (folder / f"{number}.m3u8").write_text(text.replace("#EXT-X-ENDLIST\n", ""))
            for path in (self._clips / "segments").glob(f"{clip}-*.ts"):
                sequence = int(path.stem.rpartition("-")[2])
                (folder / f"{number}-{sequence:06d}.ts").write_bytes(path.read_bytes())
            lines += [
                f"#EXT-X-STREAM-INF:BANDWIDTH={height * 1500},RESOLUTION={height * 16 // 9}x{height}",
                f"{number}.m3u8",
            ]
        (folder / "master.m3u8").write_text("\n".join([*lines, ""]))
        (folder / "segments-sha256.json").write_text("{}")

    def finish(self, base: str) -> None:
        """Write the configured address where PeerTube writes it: into caption playlists."""
        for path in self.folder.glob("**/hls/**/*.m3u8"):
            text = path.read_text()
            if "@BASE@" in text:
                path.write_text(text.replace("@BASE@", base))
