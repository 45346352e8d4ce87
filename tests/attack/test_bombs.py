"""Lists of a hostile media server that take a hundred times their own room or time to read: none may.

Each one did once. What is measured is the memory at its highest and the longest time in which nobody else has a turn,
with bounds far above what is needed and far below what it was.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from gateway.policy.jsonpath import parse_answer_path
from gateway.proxy.rewriting import FlowingRewrite, Rewriter, Unreadable
from gateway.rewrite import dash, hls, json_answer, markup
from gateway.rewrite.addresses import NotFollowed
from gateway.rewrite.scrub import CredentialFinder
from tests.followings import Told

ROOM = 100 * 2**20  # bytes; they took gigabytes
SECONDS = 8.0  # they took minutes, or hours

NOWHERE = Told(lambda text, sort: None)
EVERYWHERE = Told(lambda text, sort: f"/_gateway/s/x/{sort}")


def _hls(*lines: str) -> str:
    return "\n".join(("#EXTM3U", *lines, ""))


def _mpd(*parts: str, above: str = "") -> str:
    return f"<MPD>{above}<Period><AdaptationSet>{''.join(parts)}</AdaptationSet></Period></MPD>"


def _template(media: str) -> str:
    return f"<SegmentTemplate media='{media}'/>"


PLAYLISTS = {
    "spaces in an attribute": _hls("#EXT-X-MEDIA:A=" + " " * 65_000 + '"x'),
    "spaces before an attribute": _hls("#EXT-X-MEDIA:" + " " * 65_000 + "=x"),
    "spaces behind an attribute": _hls("#EXT-X-MEDIA:A=1" + " " * 65_000 + "x"),
    "a name without end": _hls("#EXT-X-MEDIA:" + "A" * 65_000 + '" ='),
    "references to a long value": _hls(
        f'#EXT-X-DEFINE:NAME="a",VALUE="{"x" * 60_000}"', *["{$a}" * 16_000] * 2
    ),
    "references in attributes": _hls(
        f'#EXT-X-DEFINE:NAME="a",VALUE="{"x" * 60_000}"', '#EXT-X-MEDIA:NAME="' + "{$a}" * 16_000 + '"'
    ),
}  # fmt: skip
MANIFESTS = {
    "many bases beside each other": _mpd(above="<BaseURL>b</BaseURL>" * 40_000),
    "many bases below a long one": _mpd(
        "<BaseURL>b</BaseURL>" * 5_000, "<Representation/>", above=f"<BaseURL>{'a' * 1_000_000}/</BaseURL>"
    ),
    "bases upon bases": (
        "<MPD>" + "<BaseURL>aaaa/</BaseURL>" * 9 + "<Period>" + "<BaseURL>bbbb/</BaseURL>" * 9 + "<AdaptationSet>"
        + "<BaseURL>cccc/</BaseURL>" * 9 + "<Representation/>" * 2_000 + "</AdaptationSet></Period></MPD>"
    ),
    "a base of dots": _mpd(
        "<BaseURL>" + "../" * 100_000 + "</BaseURL>", "<Representation/>" * 2_000,
        above=f"<BaseURL>http://x/{'a/' * 100_000}</BaseURL>",
    ),
    "a template of numbers": _mpd(_template("$Number$" * 8_000), "<Representation id='1'/>" * 2_000),
    "a template of long ids": _mpd(
        _template("$RepresentationID$" * 3_600), f"<Representation id='{'b' * 65_000}'/>" * 20
    ),
    "a template of ids that just fit": _mpd(
        _template("$RepresentationID$" * 200), f"<Representation id='{'b' * 4_000}'/>" * 200
    ),
    "a long template": _mpd(_template("a/" * 30_000 + "$Number$"), "<Representation id='1'/>" * 3_000),
    "a long source": _mpd(
        f"<SegmentBase><Initialization sourceURL='{'a/' * 30_000}'/></SegmentBase>", "<Representation/>" * 2_000,
        above="<BaseURL>http://x/y/</BaseURL>" * 8,
    ),
}  # fmt: skip
ANSWERS = {
    "lists": "[" + "[]," * 1_500_000 + "[]]",
    "objects": "[" + "{}," * 1_500_000 + "{}]",
    "pairs": "[" + '{"a":1},' * 700_000 + "{}]",
    "texts": "[" + '"ab",' * 2_500_000 + "0]",
    "depth": "[" * 4_000_000,
    "a number": "1" * 10_000_000,
}


@pytest.fixture(autouse=True)
def _measured() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def _within_bounds(steps: Callable[[], Iterator[object]]) -> None:
    tracemalloc.reset_peak()
    before, begun = tracemalloc.get_traced_memory()[0], time.perf_counter()
    try:
        for _ in steps():
            pass
    except (NotFollowed, Unreadable):
        pass
    assert time.perf_counter() - begun < SECONDS
    assert tracemalloc.get_traced_memory()[1] - before < ROOM


@pytest.mark.parametrize("addresses", [NOWHERE, EVERYWHERE], ids=["nothing reached", "all reached"])
@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_read_in_its_own_size(name: str, addresses: Told) -> None:
    _within_bounds(lambda: hls.rewritten(hls.decoded(PLAYLISTS[name].encode()), addresses))


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_is_read_in_its_own_size(name: str) -> None:
    body = MANIFESTS[name].encode()
    _within_bounds(lambda: dash.rewritten(markup.parse(body), NOWHERE))


def test_every_address_of_a_manifest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is to be asked for again: each is judged and sealed."""
    monkeypatch.setattr(dash, "MAX_ADDRESSES", 1_000)
    text = "<MPD>" + "<Location>/x.mpd</Location>" * 1_500 + "</MPD>"
    with pytest.raises(NotFollowed, match="addresses"):
        list(dash.rewritten(markup.parse(text.encode()), EVERYWHERE))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_json_answer_is_read_in_its_own_size(name: str) -> None:
    body = ANSWERS[name].encode()
    _within_bounds(lambda: json_answer.rewritten(json_answer.parse(body), NOWHERE))


@pytest.mark.parametrize("name", ANSWERS)
def test_so_is_one_of_which_fields_are_dropped(name: str) -> None:
    body = ANSWERS[name].encode()
    rewriter = Rewriter.of((parse_answer_path("$.secret"),), (), {})
    _within_bounds(lambda: iter([rewriter.rewritten(body, "application/json")]))


def test_an_event_that_comes_byte_by_byte_is_looked_through_once() -> None:
    flow = FlowingRewrite(CredentialFinder(()), lambda event: event, events=True)

    def feed() -> Iterator[object]:
        for _ in range(60):
            yield flow.feed(b"x" * 10_000)
        for _ in range(8_000):
            yield flow.feed(b"x")
        for end in (b"\r", b"\n", b"\r"):
            assert flow.feed(end) == b""
        assert len(flow.feed(b"\n")) == 608_004

    _within_bounds(feed)
