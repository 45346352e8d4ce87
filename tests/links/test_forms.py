"""The hidden id of an entry form: for one link, one browser and ten minutes."""

from __future__ import annotations

import pytest

from gateway.links.forms import FormId, FormTrouble, check_form, new_form
from gateway.links.keys import Keys

KEYS = Keys.derive([b"k" * 32])
NOW = 1_795_500_000_000
TOKEN, COOKIE = "t" * 22, "c" * 22


def test_it_is_good_for_ten_minutes() -> None:
    form = new_form(KEYS, TOKEN, COOKIE, NOW)
    fresh = check_form(KEYS, form, TOKEN, COOKIE, NOW + 600_000)
    late = check_form(KEYS, form, TOKEN, COOKIE, NOW + 600_001)
    assert isinstance(fresh, FormId)
    assert isinstance(late, FormId)
    assert (fresh.old, late.old) == (False, True)
    assert fresh.key == late.key


def test_another_workers_clock_may_be_a_little_behind() -> None:
    form = new_form(KEYS, TOKEN, COOKIE, NOW)
    little, much = (check_form(KEYS, form, TOKEN, COOKIE, NOW - ms) for ms in (60_000, 60_001))
    assert isinstance(little, FormId)
    assert not little.old
    assert isinstance(much, FormId)
    assert much.old


@pytest.mark.parametrize("cookie", [None, "", "d" * 22])
def test_without_the_cookie_it_was_given_with_it_is_another_browser(cookie: str | None) -> None:
    form = new_form(KEYS, TOKEN, COOKIE, NOW)
    assert check_form(KEYS, form, TOKEN, cookie, NOW) is FormTrouble.OTHER_BROWSER


def test_it_is_not_good_for_another_link() -> None:
    form = new_form(KEYS, TOKEN, COOKIE, NOW)
    assert check_form(KEYS, form, "u" * 22, COOKIE, NOW) is FormTrouble.OTHER_BROWSER


@pytest.mark.parametrize("form", ["", "x", "é" * 51, "A" * 50, "A" * 52, "!" * 51])
def test_what_is_no_id_is_stale(form: str) -> None:
    assert check_form(KEYS, form, TOKEN, COOKIE, NOW) is FormTrouble.STALE


def test_it_has_one_spelling() -> None:
    form = new_form(KEYS, TOKEN, COOKIE, NOW)
    others = [form[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if last != form[-1]]
    assert not any(isinstance(check_form(KEYS, other, TOKEN, COOKIE, NOW), FormId) for other in others)


def test_an_older_secret_still_vouches() -> None:
    form = new_form(Keys.derive([b"o" * 32]), TOKEN, COOKIE, NOW)
    both = Keys.derive([b"n" * 32, b"o" * 32])
    assert isinstance(check_form(both, form, TOKEN, COOKIE, NOW), FormId)
