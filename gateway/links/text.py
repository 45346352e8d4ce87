"""Text that guests and managers type: their names, the names of links."""

from __future__ import annotations

import unicodedata

import email_validator

MAX_LENGTH = 100  # characters
MAX_ADDRESS = 254  # characters

# The library refuses .local, .test, .localhost and the like, since no mail can be sent there. We send
# none, and networks at home and at work use such names. Its documentation says to change this list.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_JOINERS = "\u200c\u200d"  # ZWNJ and ZWJ: they are part of Persian and Hindi words, and of emoji
_DROPPED = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def clean(text: str) -> str | None:
    """The text without control, format and line-separator characters, trimmed; None when nothing is
    left or more than `MAX_LENGTH` characters are."""
    kept = tidy(text)
    return kept if 0 < len(kept) <= MAX_LENGTH else None


def tidy(text: str) -> str:
    """As `clean`, of any length; empty when nothing is left."""
    kept = "".join(char for char in text if char in _JOINERS or unicodedata.category(char) not in _DROPPED).strip()
    return kept if kept.strip(_JOINERS + " ") else ""


def clean_address(text: str) -> str | None:
    """An e-mail address in its one spelling, or None. Only its syntax counts: nothing is sent to it."""
    text = text.strip()
    if not 0 < len(text) <= MAX_ADDRESS:
        return None
    try:
        found = email_validator.validate_email(text, check_deliverability=False).normalized
    except email_validator.EmailNotValidError:
        return None
    return found if len(found) <= MAX_ADDRESS else None
