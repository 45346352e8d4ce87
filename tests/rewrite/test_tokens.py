"""Tokens that a server hands out, found in messages by who they say that somebody is."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode

import pytest

from gateway.rewrite.tokens import Likeness

OURS = Likeness(frozenset({"grant1"}))


def token(claims: object, head: object = None) -> bytes:
    parts = [head or {"alg": "HS256", "typ": "JWT"}, claims]
    packed = [urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts]
    return b".".join([*packed, b"c2lnbmF0dXJl"])


FULL = b".eyJhIjoxfQ" + b"_" * 8
FRESH = token({"sub": "grant1", "video": {"room": "hall"}})


@pytest.mark.parametrize(
    "message",
    [
        FRESH,
        b"\x82\x01\xb1\x01" + FRESH,  # as LiveKit writes it: a field, its length, the token
        b"\x82\x01" + b"AA" + FRESH + b"zz-_" + b"\x00",
        b"a.b.c." + FRESH,
        b"x" * 100_000 + b"\x00" + FRESH,
        json.dumps({"refreshToken": FRESH.decode()}),
        "eyJ.eyJ.x " + FRESH.decode(),
    ],
)
def test_one_like_ours_is_found(message: str | bytes) -> None:
    assert OURS.found_in(message)
    assert not Likeness().found_in(message), "a policy that makes no token"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00\xff" * 100,
        token({"sub": "grant2"}),
        token({"name": "grant1"}),
        token({"sub": ["grant1"]}),
        token(["sub", "grant1"]),
        FRESH.rpartition(b".")[0],
        b"eyJhbGciOiJIUzI1NiJ9.eyJub3QganNvbg.x",
        b"eyJhbGciOiJIUzI1NiJ9.eyJ\xff.x",
        "grant1 says eyJ.eyJ",
        "[" * 5000,
    ],
)
def test_what_is_none_or_somebody_elses_passes(message: str | bytes) -> None:
    assert not OURS.found_in(message)


def test_a_message_that_was_made_to_be_slow_is_not() -> None:
    began = time.perf_counter()
    for hostile in (
        b"eyJ" * 300_000,
        b"eyJ." * 250_000,
        b".eyJ" * 250_000,
        (b"eyJ.eyJ." + b"A" * 5_000) * 200,
        FULL * 50_000,
    ):
        assert not OURS.found_in(hostile)
    assert time.perf_counter() - began < 5, "half a second for five megabytes, on a machine with nothing else to do"
