"""Films and songs for the fakes: real media that two items can be told apart by.

films.one, films.two        folders; picture and sound in one segment, as a transcoder writes them
    film.mp4  song.mp3  poster.jpg  captions.vtt  tiles.jpg
    high/ low/              `init.mp4`, `0.mp4` … and `0.ts` …, a new one every `SEGMENT` seconds
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.media import SECONDS, SEGMENT, Media
from tests.system_parts import need

SEGMENTS = SECONDS // SEGMENT


@dataclass(frozen=True, slots=True)
class Films:
    one: Path
    two: Path


def _make(media: Media, language: str, folder: Path) -> Path:
    """A film in one language; from pieces that exist, so nothing is encoded but the song."""
    hls, made = media.hls(), folder / language
    for name, pictures in (("high", "v0"), ("low", "v1")):
        (made / name).mkdir(parents=True)
        both = ("-i", f"{hls / pictures}/index.m3u8", "-i", f"{hls / language}/index.m3u8", "-c", "copy")
        cut = ("-f", "hls", "-hls_time", str(SEGMENT), "-hls_playlist_type", "vod")
        _run(made / name, *both, *cut, "-hls_segment_type", "fmp4", "-hls_segment_filename", "%d.mp4", "index.m3u8")
        # Times begin at ten seconds, as those of Jellyfin, whose captions count on it (`Jellyfin.Api/Controllers/
        # DynamicHlsController.cs`, GetCommandLineArguments: the MPEG-TS muxer adds twice this delay).
        _run(made / name, *both, *cut, "-max_delay", "5000000", "-hls_segment_filename", "%d.ts", "ts.m3u8")
    _run(made, *("-i", "high/index.m3u8", "-c", "copy", "-movflags", "+faststart", "film.mp4"))
    _run(made, *("-i", f"{hls / language}/index.m3u8", "-c:a", "libmp3lame", "-b:a", "32k", "song.mp3"))
    colour = {"en": "teal", "de": "maroon"}[language]
    for name, size in (("poster.jpg", "240x240"), ("tiles.jpg", "320x180")):
        _run(made, "-f", "lavfi", "-i", f"color={colour}:size={size}", "-frames:v", "1", name)
    shutil.copy(hls / f"captions-{language}.vtt", made / "captions.vtt")
    return made


def _run(folder: Path, *arguments: str) -> None:
    command = [str(need("ffmpeg")), "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg: {done.stderr}")


@pytest.fixture(scope="session")
def films(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Films:
    folder = tmp_path_factory.mktemp("films")
    return Films(_make(media, "en", folder), _make(media, "de", folder))
