"""Small media of every kind the player page plays, made by ffmpeg once for a run of the tests.

    def test_it(media):             the fixture; each method makes its folder when it is first asked for
        folder = media.dash()       <folder>/manifest.mpd and what it names

Two qualities (180 and 90 lines high), two sound tracks (English high, German low: `TONES` in Hz) and captions in
both languages, `SECONDS` long, a new segment every two seconds. All of it is made of one encoding, so that asking
for a second kind costs a copy.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system_parts import need

SECONDS = 12
HEIGHTS = (180, 90)
TONES = {"en": 880, "de": 220}
NAMES = {"en": "English", "de": "Deutsch"}
SEGMENT = 2

# Types that a server in front of these folders says: nginx's own table lacks some.
TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
    ".ts": "video/mp2t",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
}

_LONG = {"en": "eng", "de": "deu"}


@dataclass
class Media:
    """`root`: an empty folder. Methods answer with a folder that holds nothing but what they name."""

    root: Path

    def hls(self) -> Path:
        """`master.m3u8`: fMP4, `v0` and `v1` for pictures, `en` and `de` for sound, `captions-*.m3u8`."""
        folder, new = self._folder("hls")
        if not new:
            return folder
        for name, stream in (("v0", "0:0"), ("v1", "0:1"), ("en", "0:2"), ("de", "0:3")):
            (folder / name).mkdir()
            self._copy(
                folder, "-map", stream, "-f", "hls", "-hls_time", str(SEGMENT), "-hls_playlist_type", "vod",
                "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4",
                "-hls_segment_filename", f"{name}/%d.m4s", f"{name}/index.m3u8",
            )  # fmt: skip
        lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
        for language, name in NAMES.items():
            default = "YES" if language == "en" else "NO"
            both = f'LANGUAGE="{language}",NAME="{name}",AUTOSELECT=YES'
            lines.append(
                f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",{both},DEFAULT={default},URI="{language}/index.m3u8"'
            )
            lines.append(
                f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",{both},DEFAULT=NO,URI="captions-{language}.m3u8"'
            )
            self._captions(folder, language)
            (folder / f"captions-{language}.m3u8").write_text(
                f"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{SECONDS}\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                f"#EXTINF:{SECONDS}.0,\ncaptions-{language}.vtt\n#EXT-X-ENDLIST\n"
            )
        for number, height in enumerate(HEIGHTS):
            lines += [
                f"#EXT-X-STREAM-INF:BANDWIDTH={height * 2000},RESOLUTION={height * 16 // 9}x{height},"
                'CODECS="avc1.42c015,mp4a.40.2",AUDIO="sound",SUBTITLES="text"',
                f"v{number}/index.m3u8",
            ]
        (folder / "master.m3u8").write_text("\n".join([*lines, ""]))
        return folder

    def dash(self) -> Path:
        """`manifest.mpd` whose SegmentTemplate counts: `$Number$`."""
        return self._dash("dash", "0", "$RepresentationID$-$Number$.m4s")

    def dash_times(self) -> Path:
        """`manifest.mpd` with a SegmentTimeline, whose template names the time: `$Time$`."""
        return self._dash("dash-times", "1", "$RepresentationID$-$Time$.m4s")

    def mp4(self) -> Path:
        """`film.mp4`, with one sound track, playable from its first bytes."""
        folder, new = self._folder("mp4")
        if new:
            self._copy(folder, "-map", "0:0", "-map", "0:2", "-movflags", "+faststart", "film.mp4")
        return folder

    def webm(self) -> Path:
        """`film.webm`: VP8 and Opus."""
        folder, new = self._folder("webm")
        if new:
            self._run(
                folder, "-i", str(self._source()), "-map", "0:1", "-map", "0:2", "-c:v", "libvpx", "-deadline",
                "realtime", "-cpu-used", "8", "-b:v", "60k", "-g", "20", "-c:a", "libopus", "-b:a", "24k", "film.webm",
            )  # fmt: skip
        return folder

    def audio(self) -> Path:
        """`song.mp3`, `song.ogg` (Opus) and `cover.jpg`."""
        folder, new = self._folder("audio")
        if new:
            source = str(self._source())
            self._run(folder, "-i", source, "-map", "0:2", "-c:a", "libmp3lame", "-b:a", "32k", "song.mp3")
            self._run(folder, "-i", source, "-map", "0:2", "-c:a", "libopus", "-b:a", "24k", "song.ogg")
            self._run(
                folder, "-f", "lavfi", "-i", "mandelbrot=size=240x240", "-frames:v", "1", "-q:v", "5", "cover.jpg"
            )
        return folder

    def _dash(self, name: str, timeline: str, segments: str) -> Path:
        folder, new = self._folder(name)
        if not new:
            return folder
        self._copy(
            folder, "-map", "0", "-f", "dash", "-use_template", "1", "-use_timeline", timeline,
            "-seg_duration", str(SEGMENT), "-init_seg_name", "$RepresentationID$-init.mp4", "-media_seg_name", segments,
            "-adaptation_sets", "id=0,streams=0,1 id=1,streams=2 id=2,streams=3", "manifest.mpd",
        )  # fmt: skip
        manifest = folder / "manifest.mpd"
        text = manifest.read_text()
        sets = ""
        for language, long in _LONG.items():  # ffmpeg puts no captions into DASH
            self._captions(folder, language)
            sets += (
                f'\t\t<AdaptationSet contentType="text" mimeType="text/vtt" lang="{long}">\n'
                '\t\t\t<Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>\n'
                f'\t\t\t<Representation id="t-{language}" bandwidth="300">\n'
                f"\t\t\t\t<BaseURL>captions-{language}.vtt</BaseURL>\n\t\t\t</Representation>\n\t\t</AdaptationSet>\n"
            )
        assert text.count("\t</Period>") == 1
        manifest.write_text(text.replace("\t</Period>", f"{sets}\t</Period>"))
        return folder

    def _folder(self, name: str) -> tuple[Path, bool]:
        """Where it is, and whether it is still to be filled."""
        folder = self.root / name
        new = not folder.is_dir()
        if new:
            self._source()
            folder.mkdir()
        return folder, new

    def _source(self) -> Path:
        """The one encoding: both pictures, both sounds."""
        source = self.root / "source.mkv"
        if source.is_file():
            return source
        wide, small = (f"{height * 16 // 9}x{height}" for height in HEIGHTS)
        tones = [f"sine=frequency={tone}:sample_rate=44100" for tone in TONES.values()]
        self._run(
            self.root, "-f", "lavfi", "-i", f"testsrc2=size={wide}:rate=10",
            "-f", "lavfi", "-i", tones[0], "-f", "lavfi", "-i", tones[1],
            "-t", str(SECONDS), "-map", "0:v", "-map", "0:v", "-map", "1:a", "-map", "2:a", "-s:v:1", small,
            "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-pix_fmt", "yuv420p",
            "-b:v:0", "150k", "-b:v:1", "60k", "-g", str(10 * SEGMENT), "-keyint_min", str(10 * SEGMENT),
            "-sc_threshold", "0", "-c:a", "aac", "-b:a", "48k",
            "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "source.mkv",
        )  # fmt: skip
        return source

    def _captions(self, folder: Path, language: str) -> None:
        said = {"en": "It is second", "de": "Es ist Sekunde"}[language]
        cues = [
            f"00:00:{second:02d}.000 --> 00:00:{second + 1:02d}.000\n{said} {second}\n" for second in range(SECONDS)
        ]
        (folder / f"captions-{language}.vtt").write_text("\n".join(["WEBVTT\n", *cues]))

    def _copy(self, folder: Path, *arguments: str) -> None:
        self._run(folder, "-i", str(self._source()), "-c", "copy", *arguments)

    def _run(self, folder: Path, *arguments: str) -> None:
        """Names in `arguments` are looked up in `folder`; its manifests then hold names without a path."""
        command = [str(need("ffmpeg")), "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"ffmpeg: {done.stderr}")


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    need("ffmpeg")
    return Media(tmp_path_factory.mktemp("media"))
