"""What becomes of text that strangers type."""

from __future__ import annotations

import pytest

from gateway.links.text import clean, clean_address


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada Lovelace ", "Ada Lovelace"),
        ("A\u202eda\u200b\ufeff", "Ada"),
        ("Zeile\r\nzwei\u2028drei\x00", "Zeilezweidrei"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("x" * 100, "x" * 100),
        ("x" * 101, None),
        ("", None),
        (" \t\n", None),
        ("\u200d\u200c", None),
        ("\ud800", None),
        ("=1+1", "=1+1"),
    ],
)
def test_clean(typed: str, kept: str | None) -> None:
    assert clean(typed) == kept


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ada.L@Example.ORG\n", "Ada.L@example.org"),
        ("ada@media.local", "ada@media.local"),
        ("ada@example.test", "ada@example.test"),
        ("jürgen@bücher.example", "jürgen@bücher.example"),
        ("ada@example", None),
        ("ada", None),
        ("", None),
        ("Ada <ada@example.org>", None),
        ('"ada l"@example.org', None),
        ("a@b@example.org", None),
        ("ada@example.org\r\nBcc: x@example.org", None),
        ("ada@[127.0.0.1]", None),
        ("ada@127.0.0.1", None),
        ("a" * 60 + "@" + ".".join(["b" * 60] * 4), None),
    ],
)
def test_addresses(typed: str, kept: str | None) -> None:
    assert clean_address(typed) == kept
