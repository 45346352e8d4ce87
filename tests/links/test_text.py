"""What becomes of text that strangers type."""

from __future__ import annotations

import pytest

from gateway.links.text import clean


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
