"""JSON answers: each address is judged, the tree stays, and a text of two readings is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rewrite.addresses import NotFollowed
from gateway.rewrite.json_answer import parse, rewritten
from tests.followings import Told


def address(text: str, sort: str) -> str | None:
    assert sort == "any"
    return f"/S{text[-9:]}" if re.fullmatch(r"(https://cdn\.test)?/v/[a-z0-9.]+", text) else None


def rewrite(document: Any) -> Any:
    return json.loads("".join(rewritten(parse(json.dumps(document).encode()), Told(address))))


def test_addresses_anywhere_in_the_tree_are_judged_and_the_tree_stays() -> None:
    document = {
        "title": "A film: part 1/2", "n": [1, 2.5, True, None, {}, []], "url": "/v/a.mp4",
        "sources": [{"src": "https://cdn.test/v/b.m3u8", "type": "video/mp4"}, {"src": "https://evil.test/x.mp4"}],
    }  # fmt: skip
    assert rewrite(document) == {
        "title": "A film: part 1/2", "n": [1, 2.5, True, None, {}, []], "url": "/S/v/a.mp4",
        "sources": [{"src": "/S/v/b.m3u8", "type": "video/mp4"}, {"src": None}],
    }  # fmt: skip
    assert rewrite("https://evil.test/") is None
    assert rewrite(["/v/a.mp4"]) == ["/S/v/a.mp4"]


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.test/", "HTTPS://evil.test", "//evil.test/x", "/\\evil.test", "\\\\evil.test", "http:evil.test",
        "see https://evil.test/", "ht\ntps:evil.test", "\x01https:evil.test", " javascript:alert(1)",
        "data:text/html,x", "file:///etc/passwd", "wss://evil.test", "https:\\/\\/evil.test", "/x/other/item",
        "a.jpg 1x, //b/c.jpg",
        '{"url":"https:\\/\\/evil.test"}', "blob:https://evil.test/1", "ftp://evil.test",
    ],
)  # fmt: skip
def test_an_address_elsewhere_becomes_null(text: str) -> None:
    assert rewrite({"a": [text]}) == {"a": [None]}


@pytest.mark.parametrize("text", ["", "a", "12:30", "Its data: 26", "a.mp4", "sub/a.mp4", "video/mp4", "a:b", "1 / 2"])
def test_words_stay(text: str) -> None:
    assert rewrite({"a": text}) == {"a": text}


def test_a_name_with_an_address_goes_with_what_it_names() -> None:
    assert rewrite({"https://evil.test/": 1, "b": {"//evil.test": "x"}}) == {"b": {}}


def test_a_text_too_long_to_be_looked_through_becomes_null() -> None:
    assert rewrite(["a" * 300_000, {"b" * 300_000: 1}, "a" * 200_000]) == [None, {}, "a" * 200_000]


def test_a_large_answer_gives_others_their_turn() -> None:
    for document in ([1] * 500_000, {f"a/{n}": n for n in range(100_000)}, [["a/b"]] * 50_000, "x" * 900_000):
        pieces = list(rewritten(parse(json.dumps(document).encode()), Told(address)))
        assert len(pieces) > 100 or isinstance(document, str)
        assert max(map(len, pieces)) < 300_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}', b'{"a":NaN}', b"[Infinity]", b"[-Infinity]", b"[1e999]", b"[" * 100_000,
        b"[" * 70 + b"]" * 70, b'{"a":' * 900 + b"1" + b"}" * 900,
        b"", b"<html>", b'{"a":1}x', b"\xff\xfe[\0]\0", b'"\xff"', b'["\t"]',
        b"[" + b"9" * 5_000 + b"]", b"#EXTM3U\n",
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(NotFollowed):
        list(rewritten(parse(body), Told(address)))


JSON = st.recursive(
    st.one_of(
        st.none(), st.integers(), st.text(max_size=10),
        st.lists(st.sampled_from(["https:", "//", "evil.test", "/", "\\", "\n", " ", ":", "HTTP"])).map("".join),
    ),
    lambda inside: st.one_of(st.lists(inside, max_size=4), st.dictionaries(st.text(max_size=8), inside, max_size=4)),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_no_foreign_address_survives(document: Any) -> None:
    found = "".join(rewritten(parse(json.dumps(document).encode()), Told(address)))
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', found)
    for text in map(json.loads, (f'"{text}"' for text in texts)):
        plain = re.sub(r"[\t\r\n]", "", text)
        assert text.startswith("/S") or not re.search(r"\bhttps?:|[\\/]\s*[\\/]", plain, re.I)
