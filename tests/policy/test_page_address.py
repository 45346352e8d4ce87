"""Addresses as owners paste them."""

from __future__ import annotations

import pytest

from gateway.errors import BadFile
from gateway.policy.load import load_policy_text


@pytest.mark.parametrize(
    ("url", "item"),
    [
        ("https://tv.example.org/media/abc1", "abc1"),
        ("/media/abc1?autoplay=1", "abc1"),
        ("https://tv.example.org/web/#/details?id=abc1&serverId=9", "abc1"),
        ("https://tv.example.org/web/#/details?serverId=9", None),
        ("https://tv.example.org/web/#/other?id=abc1", None),
        ("https://share.example.org/s/abc1/anything", "abc1"),
        ("https://Share.Example.org:443/s/abc1/anything", "abc1"),
        ("https://share.example.org:8443/s/abc1/anything", None),
        ("http://share.example.org/s/abc1/anything", None),
        ("https://elsewhere.example.org/s/abc1/anything", None),
        ("https://tv.example.org/media/ABC", None),
        ("https://tv.example.org/watch?v=abc1&list=7", "abc1"),
        ("https://tv.example.org/watch?v=abc1&v=abc2", None),
        ("https://tv.example.org/web/#/details?id=abc2&id=abc1", None),
        ("https://tv.example.org/both/abc1?id=abc1", "abc1"),
        ("https://tv.example.org/both/abc1?id=abc2", None),
        ("http://[broken", None),
        ("", None),
    ],
)
def test_recognise(url: str, item: str | None) -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]{3,9}"}
kinds:
  video:
    page_urls:
      - /media/{id}
      - /web/#/details?id={id}&*
      - https://share.example.org/s/{id}/*
      - /watch?v={id}&*
      - /both/{id}?id={id}
    open: /media/{id}
    allow: ["page GET /media/{id}"]
"""
    )
    found = {address.recognise(url) for address in policy.kinds["video"].page_addresses} - {None}
    assert found == ({item} if item else set())


@pytest.mark.parametrize(
    ("url", "item"),
    [
        ("https://stream.example.org", "main"),
        ("https://stream.example.org/", "main"),
        ("https://stream.example.org/?from=news", "main"),
        ("/embed/video", "main"),
        ("https://stream.example.org/admin/", None),
        ("https://stream.example.org/embed/video/x", None),
        ("", None),
        (" ", None),
        ("?from=news", None),
        ("#main", None),
    ],
)
def test_a_server_with_one_item_is_meant_by_addresses_without_an_id(url: str, item: str | None) -> None:
    policy = load_policy_text(
        "server: x\nitem: {id: main}\n"
        'kinds: {live: {page_urls: ["/", "/embed/video"], player: {src: /s.m3u8}, allow: [GET /s.m3u8]}}\n'
    )
    found = policy.recognise(url)
    assert (found and found[0]) == item


def test_where_there_are_several_items_an_address_holds_the_id() -> None:
    for several in ("main|other", "[a-z]", "ma.n", "main?", "(main)"):
        with pytest.raises(BadFile, match=r"must hold \{id\}"):
            load_policy_text(
                f'server: x\nitem: {{id: "{several}"}}\n'
                'kinds: {live: {page_urls: ["/"], player: {src: /s.m3u8}, allow: [GET /s.m3u8]}}\n'
            )


def test_ids_without_case_are_kept_in_small_letters() -> None:
    text = """
server: x
item: {id: "[a-z0-9]{3,9}", ignore_case: true}
kinds: {room: {page_urls: ["/r/{id}"], open: "/r/{id}", allow: ["page GET /r/{id}"]}}
"""
    policy = load_policy_text(text)
    assert policy.recognise("https://X.test/R/ABC1?Y=1") == ("abc1", "room")
    assert policy.item.spelled(" AbC1 ") == "abc1"
    assert policy.item.variables("ABC1") is None
    with pytest.raises(BadFile, match="write this in them too"):
        load_policy_text(text.replace('["/r/', '["/R/'))
    bare = load_policy_text(text.replace(", ignore_case: true", ""))
    assert bare.recognise("https://x.test/r/ABC1") is None
    assert bare.item.spelled(" AbC1 ") == "AbC1"
