"""Addresses as owners paste them."""

from __future__ import annotations

import pytest

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
