"""Text that guests and managers type: their names, the names of links."""

from __future__ import annotations

import unicodedata

MAX_LENGTH = 100  # characters

_JOINERS = "\u200c\u200d"  # ZWNJ and ZWJ: they are part of Persian and Hindi words, and of emoji
_DROPPED = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def clean(text: str) -> str | None:
    """The text without control, format and line-separator characters, trimmed; None when nothing is
    left or more than `MAX_LENGTH` characters are."""
    kept = "".join(char for char in text if char in _JOINERS or unicodedata.category(char) not in _DROPPED).strip()
    if not kept.strip(_JOINERS + " ") or len(kept) > MAX_LENGTH:
        return None
    return kept
