"""The media that tests play is what it says it is."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.media import HEIGHTS, SECONDS, Media
from tests.system_parts import need


def streams(path) -> list[dict]:
    command = [str(need("ffprobe")), "-v", "error", "-show_streams", "-show_format", "-of", "json", path.name]
    told = json.loads(subprocess.run(command, cwd=path.parent, capture_output=True, check=True, timeout=60).stdout)
    assert float(told["format"]["duration"]) == pytest.approx(SECONDS, abs=0.2)
    return told["streams"]


def test_a_playlist_of_two_qualities_two_sounds_and_captions(media: Media) -> None:
    folder = media.hls()
    assert [streams(folder / f"v{number}" / "index.m3u8")[0]["height"] for number in (0, 1)] == list(HEIGHTS)
    assert streams(folder / "de" / "index.m3u8")[0]["codec_type"] == "audio"
    assert (folder / "captions-de.vtt").read_text().startswith("WEBVTT\n")
    assert media.hls() == folder  # and it is not made twice


@pytest.mark.parametrize(("name", "hole"), [("dash", "$Number$"), ("dash_times", "$Time$")])
def test_manifests_that_count_and_that_name_the_time(media: Media, name: str, hole: str) -> None:
    folder = getattr(media, name)()
    text = (folder / "manifest.mpd").read_text()
    assert text.count(f"-{hole}.m4s") == 4
    assert ("<SegmentTimeline>" in text) is (hole == "$Time$")
    assert text.count('contentType="text"') == 2
    assert len(list(folder.glob("0-*.m4s"))) == SECONDS // 2


def test_files(media: Media) -> None:
    assert {one["codec_name"] for one in streams(media.webm() / "film.webm")} == {"vp8", "opus"}
    assert {one["codec_name"] for one in streams(media.mp4() / "film.mp4")} == {"h264", "aac"}
    assert [one["codec_name"] for one in streams(media.audio() / "song.mp3")] == ["mp3"]
    assert [one["codec_name"] for one in streams(media.audio() / "song.ogg")] == ["opus"]
    assert (media.audio() / "cover.jpg").read_bytes()[:2] == b"\xff\xd8"
