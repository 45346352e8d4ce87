# ruff: noqa: E501  # pieces of addresses are read best side by side
"""A long text is looked through without taking everybody's turn."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Origin
from gateway.proxy import home
from gateway.rewrite.scrub import CredentialFinder

HOMES = (Origin("http", "media.lan", 8096), Origin("https", "media.lan", 443))
PUBLIC = Origin("https", "guest.test", 443)
OWN = home.spelled(HOMES)


def test_a_long_text_without_our_names_takes_no_time() -> None:
    """It took two seconds in one call of the regular expressions, which lets nobody else go on."""
    for text in (b'"' + b"x" * 60 + b'",', b"http://", b"https://media.", b"//" * 30 + b"media"):
        body = text * (16 * 2**20 // len(text))
        begun = time.perf_counter()
        assert home.brought_home(body, OWN, PUBLIC, HOMES) is body
        assert time.perf_counter() - begun < 1.0, text


def test_an_escape_of_zeros_is_read_once() -> None:
    finder = CredentialFinder(["a credential of the operator"])
    body = b"\\u{" + b"0" * (8 * 2**20)
    begun = time.perf_counter()
    assert not finder.found(body)
    assert time.perf_counter() - begun < 2.0
    assert finder.found(b"\\u{0061}\\u{0}\\u{20}\\u{00000063}redential of the operator".replace(b"\\u{0}", b""))


@given(
    st.lists(
        st.sampled_from(
            ["http://media.lan:8096", "HTTPS://Media.LAN", "\\/\\/media.lan", "%2F%2Fmedia.lan%3A8096", "//media.lan:8096",
             "media.lan", "rtsp://", "http:", "//", ":", ".x", "a", "@", "%3A1", "x" * 50, " ", "/path"]
        ),
        max_size=12,
    ),
    st.integers(1, 70),
)  # fmt: skip
def test_by_pieces_it_is_what_it_is_at_once(words: list[str], piece: int) -> None:
    body = "".join(words).encode()
    whole, before = home.brought_home(body, OWN, PUBLIC, HOMES), home._PIECE
    try:
        home._PIECE = piece
        assert home.brought_home(body, OWN, PUBLIC, HOMES) == whole
    finally:
        home._PIECE = before
    assert whole == OWN.sub(lambda match: home.ours(PUBLIC, match), body)
