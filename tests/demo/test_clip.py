"""The committed clip is what the demo and the browser tests rely on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from gateway.demo.server import CLIP, PRIVATE, SHARED, TYPES
from tests.system_parts import need

ITEMS = (SHARED, PRIVATE)


def references(playlist: Path) -> list[Path]:
    """Every file a playlist names, relative to it."""
    named = []
    for line in playlist.read_text().splitlines():
        named += re.findall(r'URI="([^"]+)"', line) if line.startswith("#") else [line]
    return [playlist.parent / name for name in named if name]


def test_all_of_it_is_at_most_a_megabyte() -> None:
    files = [path for path in CLIP.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1_000_000


def test_it_says_that_it_is_free() -> None:
    assert "CC0" in (CLIP / "LICENSE").read_text()


@pytest.mark.parametrize("item", ITEMS)
def test_playlists_name_files_that_exist_and_no_others_lie_about(item: str) -> None:
    seen = {CLIP / item / "master.m3u8", CLIP / item / "poster.jpg", CLIP / item / "video.mp4"}
    waiting = [CLIP / item / "master.m3u8"]
    while waiting:
        for path in references(waiting.pop()):
            assert path.is_file(), path
            seen.add(path)
            if path.suffix == ".m3u8":
                waiting.append(path)
    assert {path for path in (CLIP / item).rglob("*") if path.is_file()} <= seen
    assert {path.suffix for path in seen} <= set(TYPES)


def test_the_shared_item_has_two_renditions_subtitles_and_an_mp4() -> None:
    master = (CLIP / SHARED / "master.m3u8").read_text()
    assert re.findall(r"RESOLUTION=(\S+?),", master) == ["640x360", "320x180"]
    assert re.findall(r'TYPE=SUBTITLES.*LANGUAGE="(\w+)"', master) == ["en", "de"]
    for path in (CLIP / SHARED / "subs").glob("*/*.vtt"):
        assert path.read_text().startswith("WEBVTT\n\n")
    mp4 = (CLIP / SHARED / "video.mp4").read_bytes()
    assert 0 < mp4.find(b"moov") < mp4.find(b"mdat"), "it must be playable before it has been loaded whole"


@pytest.mark.parametrize(("item", "seconds"), [(SHARED, 20), (PRIVATE, 12)])
def test_every_rendition_is_h264_with_aac_of_the_same_length(item: str, seconds: int) -> None:
    ffprobe = need("ffprobe")
    for rendition in (*(CLIP / item).glob("v*/index.m3u8"), *(CLIP / item).glob("*.mp4")):
        shown = subprocess.run(
            [ffprobe, "-v", "error", "-of", "json", "-show_streams", "-show_format", rendition],
            check=True,
            capture_output=True,
        )
        found = json.loads(shown.stdout)
        assert {stream["codec_name"] for stream in found["streams"]} == {"h264", "aac"}
        assert float(found["format"]["duration"]) == pytest.approx(seconds, abs=0.1)
