"""Browsers that are known, and strangers who would like to be."""

from __future__ import annotations

from gateway.access.devices import KEPT, LIFE, Devices, read_tokens, write_tokens
from gateway.links.keys import Keys
from tests.fakes import FixedClock
from tests.store_fixtures import KEYS


def test_a_browser_is_known_for_the_name_and_password_it_signed_in_with_and_for_half_a_year() -> None:
    clock = FixedClock()
    devices = Devices(KEYS, clock)
    tokens = devices.renewed((), "alice", "hash1")
    assert devices.known(tokens, "alice", "hash1") is not None
    for name, hashed in (("owen", "hash1"), ("alice", "hash2"), ("alic", "ehash1"), ("", "")):
        assert devices.known(tokens, name, hashed) is None
    clock.forward(ms=LIFE - 2_000)
    assert devices.known(tokens, "alice", "hash1") is not None
    clock.forward(ms=2_000)
    assert devices.known(tokens, "alice", "hash1") is None


def test_what_we_did_not_sign_is_nobodys() -> None:
    clock = FixedClock()
    (token,) = Devices(KEYS, clock).renewed((), "alice", "hash1")
    other = Devices(Keys.derive([b"another secret of thirty-two bytes"]), clock)
    assert other.known((token,), "alice", "hash1") is None
    for n in range(len(token)):
        forged = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        assert Devices(KEYS, clock).known((forged,), "alice", "hash1") is None
    for odd in ("", "x", token[:-1], token + "A", token[:-1] + "=", "é" * 44):
        assert Devices(KEYS, clock).known((odd,), "alice", "hash1") is None
        assert read_tokens(odd) == ()


def test_each_sign_in_is_another_device_and_those_of_other_names_stay() -> None:
    devices = Devices(KEYS, FixedClock())
    tokens = devices.renewed((), "alice", "h1")
    first = devices.known(tokens, "alice", "h1")
    tokens = devices.renewed(devices.renewed(tokens, "owen", "h2"), "alice", "h1")
    assert len(tokens) == 2
    assert devices.known(tokens, "owen", "h2") is not None
    assert devices.known(tokens, "alice", "h1") not in (None, first)
    for n in range(9):
        tokens = devices.renewed(tokens, f"n{n}", "h")
    assert len(tokens) == KEPT
    assert read_tokens(write_tokens(tokens)) == tokens
    assert len(write_tokens(tokens)) < 200
