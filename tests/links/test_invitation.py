"""Who is on a link's list, and how a PIN is read."""

from __future__ import annotations

import pytest

from gateway.links.invitation import MAX_ENTRIES, clean_entry, clean_list, clean_pin, invited


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Anna@Example.org", "anna@example.org"),
        (" anna@example.org\t", "anna@example.org"),
        ("@Example.org", "@example.org"),
        ("example.org", "@example.org"),
        ("@BÜCHER.de", "@bücher.de"),
        ("xn--bcher-kva.de", "@bücher.de"),
        ("ünï@bücher.de", "ünï@bücher.de"),
        ("a@b@c.org", None),
        ("@@example.org", None),
        ("a@", None),
        ("@", None),
        ("", None),
        ('"a b"@x.org', None),
        ('"a@b"@x.org', None),
        ("a@[127.0.0.1]", None),
        ("a\u200b@x.org", None),
        ("Anna <anna@example.org>", None),
        ("*@example.org", None),  # would let in nobody
        ("*.example.org", None),
        ("anna@example.org, ben@example.org", None),
    ],
)
def test_an_entry_has_one_spelling_or_is_none(typed: str, kept: str | None) -> None:
    assert clean_entry(typed) == kept


def test_a_list_keeps_its_order_and_says_what_is_wrong() -> None:
    kept, wrong = clean_list(["b@x.org", "X.org", "B@X.ORG", "a@b@c", "@x.org", " "])
    assert kept == ("b@x.org", "@x.org")
    assert wrong == ("a@b@c", " ")
    assert MAX_ENTRIES == 500


@pytest.mark.parametrize(
    ("address", "entries", "yes"),
    [
        ("anyone@anywhere.org", (), True),
        ("Anna@Example.org", ("anna@example.org",), True),
        ("anna@example.org.", ("anna@example.org",), False),
        ("ben@example.org", ("anna@example.org",), False),
        ("ben@EXAMPLE.org", ("@example.org",), True),
        ("ben@sub.example.org", ("@example.org",), False),
        ("ben@notexample.org", ("@example.org",), False),
        ("ben@example.org@evil.org", ("@example.org",), False),
        # Another domain, however its letters fold.
        ("a@straße.de", ("@strasse.de",), False),
        ("a@straße.de", ("@straße.de",), True),
        ("*@other.org", ("*@example.org",), False),
    ],
)
def test_who_is_invited(address: str, entries: tuple[str, ...], yes: bool) -> None:
    assert invited(address, entries) is yes


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("1234", "1234"),
        (" 1234\n", "1234"),
        ("\uff11\uff12\uff13\uff14", "1234"),
        ("Tür-42", "Tür-42"),
        ("\u0662\u0664\u0666\u0668", "2468"),  # as an Arabic keyboard types them
        ("\u200f2468\u200f", "2468"),  # as it is copied out of a text that runs from right to left
        ("\u2066 2468\u2069", "2468"),
        ("123", None),
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("12 34", None),
        ("12\u200b34", None),
        ("12\x0034", None),
        ("12\ud80034", None),
        ("", None),
    ],
)
def test_a_pin_has_one_spelling_or_is_none(typed: str, kept: str | None) -> None:
    assert clean_pin(typed) == kept
