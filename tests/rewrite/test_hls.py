"""Playlists: each address is judged, all else stays, and nothing is read otherwise than it was judged."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rewrite.addresses import MAX_ADDRESSES, NotFollowed
from gateway.rewrite.hls import decoded, rewritten
from tests.followings import Told


def rewrite(*lines: str, end: str = "\n", allowed: str = r"[a-z0-9/]+\.(ts|m3u8|key|mp4|json)") -> list[str]:
    """What stands behind #EXTM3U; addresses that are allowed become `/S/…`, playlists `/P/…`, any sort `/A/…`."""

    def address(text: str, sort: str) -> str | None:
        return {"file": "/S/", "hls": "/P/", "any": "/A/"}[sort] + text if re.fullmatch(allowed, text) else None

    text = end.join(("#EXTM3U", *lines, ""))
    return "".join(rewritten(decoded(text.encode()), Told(address))).split("\n")[1:-1]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('#EXT-X-KEY:METHOD=AES-128,URI="a.key",IV=0x1', '#EXT-X-KEY:METHOD=AES-128,URI="/S/a.key",IV=0x1'),
        ('#EXT-X-SESSION-KEY:METHOD=AES-128,URI="a.key"', '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="/S/a.key"'),
        ('#EXT-X-MAP:URI="i.mp4",BYTERANGE="1@2"', '#EXT-X-MAP:URI="/S/i.mp4",BYTERANGE="1@2"'),
        ('#EXT-X-MEDIA:TYPE=AUDIO,NAME="a, b",URI="a.m3u8"', '#EXT-X-MEDIA:TYPE=AUDIO,NAME="a, b",URI="/P/a.m3u8"'),
        ('#EXT-X-I-FRAME-STREAM-INF:URI="i.m3u8"', '#EXT-X-I-FRAME-STREAM-INF:URI="/P/i.m3u8"'),
        ('#EXT-X-RENDITION-REPORT:URI="../a.m3u8"', None),
        ('#EXT-X-RENDITION-REPORT:URI="a.m3u8",LAST-MSN=1', '#EXT-X-RENDITION-REPORT:URI="/P/a.m3u8",LAST-MSN=1'),
        ('#EXT-X-PART:DURATION=1,URI="p.ts"', '#EXT-X-PART:DURATION=1,URI="/S/p.ts"'),
        ('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p.ts"', '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="/S/p.ts"'),
        ('#EXT-X-SESSION-DATA:DATA-ID="x",URI="d.json"', '#EXT-X-SESSION-DATA:DATA-ID="x",URI="/A/d.json"'),
        ('#EXT-X-DATERANGE:ID="a",X-ASSET-URI="a.m3u8"', '#EXT-X-DATERANGE:ID="a",X-ASSET-URI="/S/a.m3u8"'),
        ('#EXT-X-DATERANGE:ID="a",X-ASSET-LIST="a.json"', None),
        ('#EXT-X-CONTENT-STEERING:SERVER-URI="a.json"', None),
        ('#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain;base64,AA"', None),
        ('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"', None),
        ('#EXT-X-KEY:METHOD=AES-128,URI="https://evil.test/a.key"', None),
        ("#EXT-X-KEY:METHOD=AES-128,URI=https://evil.test/a.key", None),
        ("#EXT-X-KEY:METHOD=AES-128,URI=a.key", '#EXT-X-KEY:METHOD=AES-128,URI="/S/a.key"'),
        ('#EXT-X-KEY:METHOD=AES-128,URI="a.key",URI="https://evil.test"', None),
        ('#EXT-X-KEY:METHOD=AES-128,uri="https://evil.test"', None),
        ('#EXT-X-KEY:METHOD=AES-128,URI="a.key', None),
        ('#EXT-X-MAP:URI="https:\\\\evil.test"', None),
        ("#EXT-X-KEY:METHOD=NONE", "#EXT-X-KEY:METHOD=NONE"),
        ("#EXT-X-NEW:ANY=thing,OTHER=\"x\"", "#EXT-X-NEW:ANY=thing,OTHER=\"x\""),
        ("#EXT-X-NEW:5", "#EXT-X-NEW:5"),
        ("#EXT-X-NEW", "#EXT-X-NEW"),
        ('#EXT-X-NEW:THING="//evil.test/x"', None),
        ('#EXT-X-NEW:MY-URL="a.ts"', '#EXT-X-NEW:MY-URL="/S/a.ts"'),
        ("#EXT-X-NEW:https://evil.test/x", None),
        ("#EXT-X-NEW https:/evil.test/x", None),
        ("# a comment", "# a comment"),
        ("# see http://inside.lan/", None),
        ("#EXT-X-VERSION:7", "#EXT-X-VERSION:7"),
        ("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z", "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z"),
    ],
)  # fmt: skip
def test_tags(line: str, wanted: str | None) -> None:
    assert rewrite(line) == ([wanted] if wanted else [])


def test_a_segment_that_is_removed_takes_its_own_tags_along_and_no_others() -> None:
    assert rewrite(
        "#EXTINF:4,", "#EXT-X-BYTERANGE:5@0", "https://evil.test/x.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:5,b", "b.ts",
        "#EXT-X-STREAM-INF:BANDWIDTH=1", "//evil.test/a.m3u8", '#EXT-X-STREAM-INF:BANDWIDTH=2,X="//evil"', "b.m3u8",
        "#EXT-X-STREAM-INF:BANDWIDTH=3", "c.m3u8",
    ) == ["#EXT-X-DISCONTINUITY", "#EXTINF:5,b", "/S/b.ts", "#EXT-X-STREAM-INF:BANDWIDTH=3", "/P/c.m3u8"]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like(end: str) -> None:
    assert rewrite("#EXTINF:4,", " a.ts ", end=end) == ["#EXTINF:4,", "/S/a.ts"]


def test_variables_are_filled_in_before_an_address_is_judged() -> None:
    define = '#EXT-X-DEFINE:NAME="b",VALUE="https:"'
    found = rewrite(
        '#EXT-X-DEFINE:NAME="a",VALUE="good"', '#EXT-X-DEFINE:IMPORT="c"', define, "{$a}.ts", "{$b}//evil.test/x.ts",
        "{$c}.ts", "{$nothing}.ts", '#EXT-X-KEY:METHOD=AES-128,URI="{$b}{$b}"', '#EXT-X-NEW:A="{$b}//evil.test"',
    )  # fmt: skip
    assert [line for line in found if "DEFINE" not in line] == ["/S/good.ts"]


def test_a_title_with_an_address_is_left_out() -> None:
    assert rewrite("#EXTINF:4,http://inside.lan/x", "a.ts") == ["#EXTINF:4,", "/S/a.ts"]
    assert rewrite("#EXTINF:4,A: b", "a.ts") == ["#EXTINF:4,A: b", "/S/a.ts"]


@pytest.mark.parametrize("body", ["", "x", "#EXTM3UX", "#EXTM3U\n\0", "#EXTM3U\n\u2028x", "#EXTM3U\n\x0bx"])
def test_what_can_be_read_two_ways_is_refused(body: str) -> None:
    with pytest.raises(NotFollowed):
        decoded(body.encode())


@given(st.lists(st.text('#EXT-UIRADM:=",{}$\\/ \tabc.ts\r\nhp', max_size=60), max_size=8))
def test_no_text_brings_an_address_past_the_judgement(lines: list[str]) -> None:
    """Every line that is no tag is one that was judged, and no tag holds the beginning of another host."""
    for line in rewrite(*lines):
        assert line.startswith(("#", "/S/", "/P/"))
        if line.startswith("#"):
            assert "//" not in line.replace("/S/", "").replace("/P/", "")


def test_nonsense_ends_in_bounded_time() -> None:
    started = time.perf_counter()
    for line in ("a" * 60_000, 'A="' * 20_000, "/ " * 30_000, "{$" * 30_000):
        rewrite(f"#EXT-X-A:{line}")
        rewrite(f"#{line}")
    assert time.perf_counter() - started < 5
    with pytest.raises(NotFollowed):
        rewrite(*("x" for _ in range(MAX_ADDRESSES + 1)))
