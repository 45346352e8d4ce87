"""Credentials are found however they are spelled; ordinary texts are let through."""

from __future__ import annotations

import base64
import json
import time
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.rewrite.scrub import CredentialFinder, CredentialFound, FlowingText, is_endless, is_text, looks_like_text

SECRET = 'T0k+n/"of&the=server%41'
FINDER = CredentialFinder([SECRET])


def percent(text: str, every: int = 1) -> str:
    return "".join(f"%{ord(c):02x}" if i % every == 0 else quote(c, safe="") for i, c in enumerate(text))


SPELLINGS = {
    "raw": SECRET,
    "percent": quote(SECRET, safe=""),
    "percent, lower case": quote(SECRET, safe="").lower().replace("t0k", "T0k"),
    "percent, each character": percent(SECRET),
    "percent, every third": percent(SECRET, 3),
    "percent twice": quote(quote(SECRET, safe=""), safe=""),
    "percent, slash only": SECRET.replace("/", "%2F"),
    "json": json.dumps({"token": SECRET}),
    "json, slash escaped": json.dumps(SECRET).replace("/", "\\/"),
    "json, each character": "".join(f"\\u{ord(c):04X}" for c in SECRET),
    "json in json": json.dumps(json.dumps({"a": json.dumps(SECRET)})),
    "javascript": "".join(f"\\x{ord(c):02x}" for c in SECRET),
    "javascript, braces": "".join(f"\\u{{{ord(c):x}}}" for c in SECRET),
    "html": escape(SECRET),
    "html decimal": "".join(f"&#{ord(c):05d};" for c in SECRET),
    "html hex": "".join(f"&#x{ord(c):X};" for c in SECRET),
    "html named": SECRET.replace("+", "&plus;").replace("/", "&sol;").replace('"', "&quot;").replace("=", "&equals;"),
    "url in json in html": escape(json.dumps({"u": "http://x/?k=" + quote(SECRET, safe="")})),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64, url-safe": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "base64 behind one byte": base64.b64encode(f"x{SECRET}yz".encode()).decode(),
    "base64 behind two bytes": base64.b64encode(f"u:{SECRET}".encode()).decode(),
    "base64 behind three bytes": base64.urlsafe_b64encode(f"ab:{SECRET}:cd".encode()).decode(),
    "base64 in percent": quote(base64.b64encode(f"user:{SECRET}".encode()).decode(), safe=""),
    "utf-16": f"a {SECRET} b".encode("utf-16-le").decode("latin-1"),
    "mixed": "%54" + "\\u0030" + "&#107;" + SECRET[3:],
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_each_spelling_is_found(spelling: str) -> None:
    assert FINDER.found(f"before {spelling} after".encode("latin-1"))
    assert FINDER.found_in(f"before {spelling} after")


PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))  # no header holds another


@given(
    st.text(PRINTABLE, min_size=8, max_size=40), st.sampled_from(["raw", "percent", "json", "html", "b64"]), st.binary()
)
@example("00000\\<0", "html", b"")
@example("0000\\&'0", "html", b"")
def test_any_credential_is_found(secret: str, how: str, around: bytes) -> None:
    spelled = {
        "raw": secret.encode(),
        "percent": quote(secret, safe="").encode(),
        "json": json.dumps(secret).encode(),
        "html": escape(secret).encode(),
        "b64": base64.b64encode(secret.encode()),
    }[how]
    data = around[: len(around) // 3 * 3] + b" " + spelled + b" " + around
    assert CredentialFinder([secret]).found(data)


def test_other_texts_pass() -> None:
    other = json.dumps(
        {"token": SECRET[:-1], "x": quote(SECRET[1:]), "y": base64.b64encode(SECRET[:9].encode()).decode()}
    )
    assert not FINDER.found(other.encode())
    assert not CredentialFinder([]).found(b"anything")


def test_a_space_may_be_written_as_a_plus() -> None:
    assert CredentialFinder(["Bearer abcdefgh"]).found(b"?auth=Bearer+abcdefgh")


def test_a_short_password_is_not_seen_in_unrelated_base64() -> None:
    assert not CredentialFinder(["abcd"]).found(b"YWJjZA data")


def test_text_full_of_escapes_is_searched_in_linear_time() -> None:
    started = time.perf_counter()
    assert not FINDER.found(b"%25" * 100_000 + b"&#0" * 100_000 + b"\\u00" * 100_000 + b"&#x" + b"0" * 300_000)
    assert time.perf_counter() - started < 3


class TestFlowing:
    def test_whole_lines_pass_at_once(self) -> None:
        flow = FlowingText(FINDER)
        assert flow.feed(b"data: one\n\ndata: tw") == b"data: one\n\n"
        assert flow.feed(b"o\n\n") == b"data: two\n\n"

    def test_a_credential_in_two_pieces_never_leaves(self) -> None:
        flow = FlowingText(FINDER)
        assert flow.feed(f"data: {SECRET[:9]}".encode()) == b""
        with pytest.raises(CredentialFound):
            flow.feed(f"{SECRET[9:]}\n".encode())

    def test_a_very_long_line_is_passed_on_but_for_its_end(self) -> None:
        flow = FlowingText(FINDER, limit=10)
        passed = b"".join(flow.feed(b"x" * 1000) for _ in range(20))
        assert len(passed) == 20_000 - FINDER.reach
        assert passed + flow.finish() == b"x" * 20_000

    def test_a_credential_across_pieces_of_a_long_line_is_found(self) -> None:
        flow = FlowingText(FINDER, limit=10)
        spelled = percent(SECRET).encode()
        flow.feed(b"x" * 5000 + spelled[:20])
        with pytest.raises(CredentialFound):
            flow.feed(spelled[20:])


@pytest.mark.parametrize(
    ("content_type", "path", "text"),
    [
        ("text/html; charset=utf-8", "/x", True),
        ("application/json", "/x.mp4", True),
        ("application/problem+json", "/x", True),
        ("application/vnd.apple.mpegurl", "/x", True),
        ("audio/x-mpegurl", "/x", True),
        ("application/dash+xml", "/x", True),
        ("image/svg+xml", "/x", True),
        ("text/vtt", "/x", True),
        ("Application/JavaScript", "/x", True),
        ("", "/hls/x.m3u8", True),
        ("", "/api/things", True),
        ("", "/hls/x.ts", False),
        ("", "/live/x.flv", False),
        ("application/octet-stream", "/hls/x.m3u8", True),
        ("application/octet-stream", "/hls/x.m4s", False),
        ("multipart/byteranges; boundary=x", "/api/things", True),
        ("multipart/byteranges; boundary=x", "/v.mp4", False),
        ("video/mp2t", "/x.txt", False),
        ("video/mp2t", "/x.m3u8", True),
        ("image/png", "/x.JSON", True),
        ("image/png", "/x", False),
    ],
)
def test_what_counts_as_text(content_type: str, path: str, text: bool) -> None:
    assert is_text(content_type, path) is text


def test_endings_and_endless_types() -> None:
    assert looks_like_text("/a/master.M3U8")
    assert not looks_like_text("/a.b/video")
    assert is_endless("text/event-stream;charset=utf-8")
    assert not is_endless("application/json")
