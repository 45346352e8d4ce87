"""The three dialects of forward-auth, and everything that is none of them."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from gateway.forwardauth.original import Original, Unclear, below, read_original

NGINX = [("Host", "tv.test"), ("X-Original-URI", "/v/abc?x=1"), ("X-Original-Method", "GET")]
FORWARDED = [
    ("Host", "127.0.0.1:8080"), ("X-Forwarded-Host", "tv.test"), ("X-Forwarded-Uri", "/v/abc?x=1"),
    ("X-Forwarded-Method", "GET"), ("X-Forwarded-Proto", "https"),
]  # fmt: skip
ENVOY = [("Host", "tv.test")]


def read(headers: list[tuple[str, str]], *, suffix: str = "", method: str = "GET") -> Original | Unclear:
    return read_original(method, suffix, CIMultiDict(headers))


def without(headers: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [one for one in headers if one[0] != name]


def test_each_dialect_is_read() -> None:
    assert read(NGINX) == Original("GET", "/v/abc?x=1", "tv.test", "", False)
    assert read(FORWARDED) == Original("GET", "/v/abc?x=1", "tv.test", "https", False)
    assert read(ENVOY, suffix="/v/abc?x=1", method="HEAD") == Original("HEAD", "/v/abc?x=1", "tv.test", "", False)


@pytest.mark.parametrize(("told", "upgrade"), [("websocket", True), ("WebSocket", True)])
def test_a_websocket_is_told_by_its_upgrade(told: str, upgrade: bool) -> None:
    found = read([*NGINX, ("Upgrade", told)])
    assert isinstance(found, Original)
    assert found.upgrade is upgrade


def test_traefik_tells_a_websockets_scheme() -> None:
    found = read([*without(FORWARDED, "X-Forwarded-Proto"), ("X-Forwarded-Proto", "wss"), ("Upgrade", "websocket")])
    assert found == Original("GET", "/v/abc?x=1", "tv.test", "https", True)


@pytest.mark.parametrize(
    ("headers", "suffix"),
    [
        ([("Host", "tv.test")], ""),
        (without(NGINX, "X-Original-Method"), ""),
        (without(NGINX, "X-Original-URI"), ""),
        (without(NGINX, "Host"), ""),
        *((without(FORWARDED, name), "") for name, _ in FORWARDED),
        *(([*NGINX, one], "") for one in NGINX),
        *(([*FORWARDED, one], "") for one in FORWARDED),
        ([*NGINX, ("X-Forwarded-Uri", "/v/xyz")], ""),
        ([*NGINX, ("X-Forwarded-Method", "GET")], ""),
        ([*FORWARDED, ("X-Original-URI", "/v/xyz")], ""),
        ([*FORWARDED, ("X-Original-Method", "GET")], ""),
        (NGINX, "/v/abc"),
        (FORWARDED, "/v/abc"),
        ([*NGINX, ("X_Original_URI", "/v/xyz")], ""),
        ([*NGINX, ("X-Original_Method", "POST")], ""),
        ([*without(NGINX, "X-Original-URI"), ("X_Original_URI", "/v/abc")], ""),
        ([*ENVOY, ("X_Forwarded_Uri", "/v/abc")], "/v/abc"),
        ([*NGINX, ("X-Original-URL", "https://tv.test/v/xyz")], ""),
        ([*FORWARDED, ("X-Rewrite-URL", "/v/xyz")], ""),
        ([*NGINX, ("Upgrade", "h2c")], ""),
        ([*NGINX, ("Upgrade", "websocket, h2c")], ""),
        ([*NGINX, ("Upgrade", "websocket"), ("Upgrade", "websocket")], ""),
        ([*NGINX, ("Upgrade", "")], ""),
        ([*without(FORWARDED, "X-Forwarded-Proto"), ("X-Forwarded-Proto", "ftp")], ""),
        ([*without(FORWARDED, "X-Forwarded-Proto"), ("X-Forwarded-Proto", "https, http")], ""),
    ],
)
def test_what_has_two_readings_has_none(headers: list[tuple[str, str]], suffix: str) -> None:
    assert isinstance(read(headers, suffix=suffix), Unclear)


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("/_gateway/auth", ""),
        ("/_gateway/auth/v/a?b", "/v/a?b"),
        ("/_gateway/auth?x", ""),
        ("/_gateway/author", None),
        ("/_gateway/%61uth", None),
        ("/_gateway", None),
    ],
)
def test_the_door_is_found_by_its_own_spelling(path: str, suffix: str | None) -> None:
    assert below(path, "/_gateway/auth") == suffix
