"""Keys: one secret, several purposes, and rotation."""

from __future__ import annotations

import pytest

from gateway.links.ids import new_token
from gateway.links.keys import Keys, Unsealable

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_token_is_found_by_a_hash_that_says_nothing_about_it() -> None:
    token = new_token()
    fingerprint = Keys.derive([NEW]).fingerprint(token)
    assert fingerprint == Keys.derive([NEW]).fingerprint(token)
    assert fingerprint != Keys.derive([OLD]).fingerprint(token)
    assert token not in fingerprint


def test_rotation_finds_and_opens_what_the_older_secret_made() -> None:
    token, old, both = new_token(), Keys.derive([OLD]), Keys.derive([NEW, OLD])
    assert both.fingerprints(token) == (Keys.derive([NEW]).fingerprint(token), old.fingerprint(token))
    assert both.unseal(old.seal(token)) == token
    assert both.id == Keys.derive([NEW]).id
    assert both.ids == (both.id, old.id)
    with pytest.raises(Unsealable):
        Keys.derive([NEW]).unseal(old.seal(token))


def test_sealing_differs_each_time_and_notices_changes() -> None:
    keys, token = Keys.derive([NEW]), new_token()
    sealed = keys.seal(token)
    assert sealed != keys.seal(token)
    assert token.encode() not in sealed
    for broken in (sealed[:-4], b"AAAA" + sealed[4:], b"", b"?"):
        with pytest.raises(Unsealable):
            keys.unseal(broken)


def test_a_short_secret_is_refused_and_keys_do_not_show() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keys.derive([b"short"])
    with pytest.raises(ValueError, match="32 bytes"):
        Keys.derive([])
    assert "nnnn" not in repr(Keys.derive([NEW]))
    assert "_finding" not in repr(Keys.derive([NEW]))
