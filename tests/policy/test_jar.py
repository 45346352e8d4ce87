"""Cookies of a media server: what is kept of them, what goes back, what a guest may bring and hear."""

from __future__ import annotations

import pytest

from gateway.policy.decide import Variables
from gateway.policy.jar import (
    MAX_ALL,
    MAX_PATHS,
    CookieRules,
    for_guest,
    guest_pairs,
    header,
    kept_pairs,
    kept_secrets,
    taken,
)

RULES = CookieRules(frozenset({"session", "JSESSIONID", "t"}), frozenset({"theme", "lang"}))
NOW = 1_800_000_000_000


def keep(
    *lines: str, path: str = "/a/b", before: Variables | None = None, now: int = NOW
) -> dict[str, tuple[str, ...]]:
    return {**(before or {}), **taken(RULES, lines, path, before or {}, now)}


def sent(jar: Variables, path: str = "/a/b", now: int = NOW) -> str:
    return header(kept_pairs(RULES, jar, path, now))


def test_a_listed_cookie_goes_back_and_no_other() -> None:
    jar = keep(
        "session=abc; Path=/; HttpOnly; Secure; SameSite=Lax", "other=1", "Session=odd", "theme=dark", "nonsense"
    )
    assert sent(jar) == "session=abc"


def test_below_its_path_and_longest_first() -> None:
    jar = keep("session=root; Path=/", "session=deep; Path=/a/b", "t=dir", path="/a/b/c")
    assert sent(jar, "/a/b") == "session=deep; t=dir; session=root"
    assert sent(jar, "/a/b/c") == "session=deep; t=dir; session=root"
    assert sent(jar, "/a/bc") == "session=root"
    assert sent(jar, "/") == "session=root"
    assert sent(keep("session=x; Path=nonsense", path="/q/r"), "/q/z") == "session=x"
    assert sent(keep("session=x; Path=nonsense", path="/q/r"), "/z") == ""


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", None),
        ("; Max-Age=60", 60),
        ("; max-age = 60 ", 60),
        ("; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("; Expires=Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("; Expires=Fri, 15-Jan-2027 08:01:00 GMT", 60),
        ("; Expires=nonsense", None),
        ("; Max-Age=nonsense", None),
        ("; Max-Age=99999999999999999", 400 * 86_400),
    ],
)
def test_until_it_ends(said: str, seconds: int | None) -> None:
    jar = keep(f"session=abc{said}; Path=/")
    assert sent(jar) == "session=abc"
    if seconds is None:
        assert sent(jar, now=NOW + 10**12) == "session=abc"
    else:
        assert sent(jar, now=NOW + 1000 * seconds - 1) == "session=abc"
        assert sent(jar, now=NOW + 1000 * seconds) == ""


@pytest.mark.parametrize("said", ["Max-Age=0", "Max-Age=-5", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_what_is_removed_is_gone_and_can_come_again(said: str) -> None:
    jar = keep("session=abc; Path=/")
    assert taken(RULES, [f"session=; Path=/; {said}"], "/", {}, NOW) == {}
    jar = keep(f"session=abc; Path=/; {said}", before=jar)
    assert sent(jar) == ""
    assert kept_secrets(jar) == ()
    assert sent(keep("session=new; Path=/", before=jar)) == "session=new"


def test_what_changes_nothing_is_not_written() -> None:
    jar = keep("session=abc; Path=/; Max-Age=1000")
    for later, same in ((0, True), (100, True), (240, True), (260, False)):
        now = NOW + 1000 * later
        changed = taken(RULES, ["session=abc; Path=/; Max-Age=1000"], "/", jar, now)
        assert (changed == {}) is same, later
    assert taken(RULES, ["session=abd; Path=/; Max-Age=1000"], "/", jar, NOW)
    assert taken(RULES, ["session=abc; Path=/"], "/", jar, NOW)
    plain = keep("session=abc; Path=/")
    assert taken(RULES, ["session=abc; Path=/"] * 9, "/", plain, NOW) == {}


@pytest.mark.parametrize("value", ["a b", "a\tb", "a\r\nX: 1", "ä", "a\0", "x" * 4_097])
def test_a_value_that_is_none_is_left(value: str) -> None:
    assert keep(f"session={value}; Path=/") == {}


def test_a_bomb_of_cookies_is_bounded() -> None:
    lines = [f"session={'x' * 4_000}; Path=/p{n}" for n in range(500)]
    jar = keep(*lines)
    assert len(jar) <= MAX_PATHS
    for n in range(500):
        jar = keep(f"session={n:04d}{'y' * 4_000}; Path=/q{n}", f"t={'z' * 4_000}; Path=/r{n}", before=jar)
        jar = keep(f"JSESSIONID={'z' * 4_000}; Path=/s{n}", before=jar)
    assert sum(len(key) + len(one) for key, (one,) in jar.items()) <= MAX_ALL
    # What is there can still change.
    key = next(iter(jar))
    path = key.rpartition(" ")[2]
    assert f"session={'w' * 4_000}" in sent(keep(f"session={'w' * 4_000}; Path={path}", before=jar), path)
    assert len(keep(*(["t=1; Path=/"] * 10_000))) == 1


def test_long_values_are_secrets() -> None:
    jar = keep("session=0123456789abcdef; Path=/", "t=darkmode; Path=/")
    assert kept_secrets(jar) == ("0123456789abcdef",)


def test_of_a_guests_cookies_only_his_own_names_with_plain_values_go_on() -> None:
    def pairs(*lines: str) -> str:
        return header(guest_pairs(RULES, lines))

    assert pairs("gateway=in; theme=dark; lang=de", "x=1") == "lang=de; theme=dark"
    for odd in (
        "session=mine",
        "theme=a; theme=b",
        'theme="a"',
        "theme=a,session=evil",
        "theme=a\\073session=evil",
        "theme=a\tb",
        "theme=\xe4",
        "Theme=a",
        "theme = a",
        "$Version=1; session=mine",
        "theme",
        " session=mine",
        "session =mine",
        '"session"=mine',
        f"theme={'x' * 4_097}",
    ):
        assert pairs(odd) == "", odd
    assert pairs("theme=a b; lang=de") == "lang=de"


def test_what_the_server_says_last_is_what_the_guest_hears() -> None:
    found = for_guest(
        RULES,
        ["theme=a; Path=/x; Domain=evil.example", "theme=b; HttpOnly; SameSite=Strict", "session=s", 'lang="de"'],
        NOW,
    )
    assert [(one.name, one.value, one.http_only, one.strict) for one in found] == [("theme", "b", True, True)]
    (gone,) = for_guest(RULES, ["theme=; Max-Age=0"], NOW)
    assert gone.over(NOW)
