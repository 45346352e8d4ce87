"""Real bytes for the fakes' libraries: one small film, cut and wrapped the ways these servers store it.

    clips            session fixture: a folder with the files below, made by ffmpeg once
    stamp(path, to, "A")   a copy that plays the same and says which item it belongs to

Without ffmpeg the tests that need it are skipped by name. A stamped copy lets a test say "these are B's bytes"
without looking at pictures.
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from tests.system_parts import need

SECONDS = 8
LANGUAGES = {"en": "English", "de": "Deutsch"}
# name -> what is in the folder
FILES = (
    "large.mp4",  # 320x180, H.264 and AAC, playable from its first bytes
    "small.mp4",  # 160x90
    "large-fragmented.mp4",  # the same two in fragments, each with a playlist of byte ranges beside it
    "small-fragmented.mp4",
    "large-fragmented.m3u8",
    "small-fragmented.m3u8",
    "film.webm",  # VP8 and Opus
    "segments/large.m3u8",  # MPEG-TS segments large-0.ts, ...
    "segments/small.m3u8",
    "dash/manifest.mpd",
    "en.vtt",
    "de.vtt",
    "poster.jpg",  # 320x180
    "strip.jpg",  # 4 pictures of 80x45 side by side: a storyboard
    "slide-1.png",
    "slide-2.png",
)


def make_clips(folder: Path) -> None:
    """Fill an empty folder with FILES."""

    def run(*arguments: str) -> None:
        command = [str(need("ffmpeg")), "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1", *arguments]
        subprocess.run(command, cwd=folder, check=True, timeout=120)

    (folder / "segments").mkdir()
    (folder / "dash").mkdir()
    run(
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10", "-f", "lavfi", "-i", "sine=frequency=440:r=48000",
        "-t", str(SECONDS), "-map", "0:v", "-map", "0:v", "-map", "1:a", "-s:v:1", "160x90", "-c:v", "libx264",
        "-preset", "ultrafast", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-b:v:0", "120k", "-b:v:1", "50k",
        "-g", "20", "-keyint_min", "20", "-sc_threshold", "0", "-c:a", "aac", "-b:a", "48k", "source.mkv",
    )  # fmt: skip
    for number, name in enumerate(("large", "small")):
        one = ("-i", "source.mkv", "-map", f"0:v:{number}", "-map", "0:a", "-c", "copy")
        run(*one, "-movflags", "+faststart", f"{name}.mp4")
        run(
            *one, "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4",
            "-hls_flags", "single_file", "-hls_segment_filename", f"{name}-fragmented.mp4", f"{name}-fragmented.m3u8",
        )  # fmt: skip
        run(
            *one, "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod",
            "-hls_segment_filename", f"segments/{name}-%d.ts", f"segments/{name}.m3u8",
        )  # fmt: skip
    run(
        "-i", "source.mkv", "-map", "0", "-c", "copy", "-f", "dash", "-seg_duration", "2", "-use_timeline", "0",
        "-adaptation_sets", "id=0,streams=v id=1,streams=a", "dash/manifest.mpd",
    )  # fmt: skip
    run(
        "-i", "source.mkv", "-map", "0:v:1", "-map", "0:a", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8",
        "-b:v", "50k", "-g", "20", "-c:a", "libopus", "-b:a", "24k", "film.webm",
    )  # fmt: skip
    run("-i", "source.mkv", "-map", "0:v:0", "-frames:v", "1", "-q:v", "6", "poster.jpg")
    run("-i", "source.mkv", "-map", "0:v:0", "-vf", "fps=1/2,scale=80:45,tile=4x1", "-frames:v", "1", "strip.jpg")
    for number, colour in enumerate(("steelblue", "seagreen"), 1):
        run("-f", "lavfi", "-i", f"color={colour}:size=320x240", "-frames:v", "1", f"slide-{number}.png")
    for language in LANGUAGES:
        word = {"en": "Second", "de": "Sekunde"}[language]
        cues = [f"00:00:{n:02d}.000 --> 00:00:{n + 1:02d}.000\n{word} {n}\n" for n in range(SECONDS)]
        (folder / f"{language}.vtt").write_text("\n".join(["WEBVTT\n", *cues]))
    (folder / "source.mkv").unlink()


def stamp(source: Path, to: Path, item: str) -> Path:
    """Copy, with `item` written where players do not look."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(stamped_bytes(source, item))
    return to


def stamped_bytes(source: Path, item: str) -> bytes:
    data, mark = source.read_bytes(), f"item:{item}".encode()
    match source.suffix:
        case ".mp4" | ".m4s":
            return data + struct.pack(">I4s", 8 + len(mark), b"free") + mark
        case ".ts":
            return data + bytes((0x47, 0x1F, 0xFF, 0x10)) + (mark + b"\n").ljust(184, b"\xff")  # a null packet
        case ".vtt":
            return data.replace(b"WEBVTT\n", b"WEBVTT\n\nNOTE " + mark + b"\n", 1)
        case ".webm":
            return data + bytes((0xEC, 0x80 | len(mark))) + mark  # an EBML Void element
        case ".jpg" | ".png":
            return data + mark  # after the end of the picture
        case ".m3u8":
            return data.replace(b"#EXTM3U\n", b"#EXTM3U\n## " + mark + b"\n", 1)
    raise LookupError(source.suffix)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("ffmpeg")
    folder = tmp_path_factory.mktemp("clips")
    make_clips(folder)
    assert all((folder / name).is_file() for name in FILES)
    return folder
