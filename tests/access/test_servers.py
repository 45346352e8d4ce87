"""Which media server a Host means."""

from __future__ import annotations

import pytest

from gateway.access.servers import Servers
from tests.access.world import make_server

SERVERS = Servers([make_server("tv"), make_server("radio", host="radio.example.org")])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("tv.example.org", "tv"),
        ("TV.Example.ORG", "tv"),
        ("tv.example.org:443", "tv"),
        ("radio.example.org", "radio"),
        ("tv.example.org:80", None),
        ("tv.example.org.", None),
        (" tv.example.org", None),
        ("tv.example.org:", None),
        ("tv.example.org:0443", None),
        ("evil.example.org", None),
        ("tv.example.org@evil.example.org", None),
        ("", None),
    ],
)
def test_at_host(host: str, name: str | None) -> None:
    found = SERVERS.at_host(host)
    assert (found.config.name if found else None) == name


def test_named() -> None:
    assert SERVERS.named("tv") is SERVERS.all[0]
    assert SERVERS.named("TV") is None
