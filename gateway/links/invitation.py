"""Whom a link is for: the PIN and the addresses an owner may set on it. Pure.

    anna@example.org      this address
    @example.org          any address of this domain, none of a domain below it

Rule: compared is the one spelling of an address (`text.clean_address`) without regard to case. Nothing is
sent to it: a list keeps out those who guess and those who mistype, and proves nothing about who comes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from gateway.links.text import clean_address

MAX_ENTRIES = 500
PIN_LENGTHS = (4, 64)  # characters
# White space, and the marks that say nothing but how text runs
_AROUND = " \t\r\n\f\v\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def clean_pin(text: str) -> str | None:
    """A PIN in its one spelling, or None: the digits of another keyboard, and what is copied along with it (spaces,
    marks of the writing direction), must not make it another one."""
    kept = unicodedata.normalize("NFKC", text)
    kept = "".join(str(unicodedata.decimal(char, char)) for char in kept).strip(_AROUND)
    shortest, longest = PIN_LENGTHS
    if not shortest <= len(kept) <= longest or any(unicodedata.category(char)[0] in "CZ" for char in kept):
        return None
    return kept


def clean_entry(text: str) -> str | None:
    """An entry of a list in its one spelling, or None."""
    text = text.strip()
    if text.count("@") == 1 and text.startswith("@"):
        address = clean_address(f"a{text}")
        return None if address is None else f"@{_domain(address)}"
    if "@" not in text:
        # A domain without the sign says the same.
        return clean_entry(f"@{text}") if text else None
    address = clean_address(text)
    # A star is a letter like others there, and would stand for nobody.
    return None if address is None or address.startswith("*@") else address.lower()


def clean_list(entries: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The list in its one spelling, each entry once, in its order; and what of it is no entry."""
    kept: dict[str, None] = {}
    wrong = []
    for entry in entries:
        found = clean_entry(entry)
        if found is None:
            wrong.append(entry)
        else:
            kept[found] = None
    return tuple(kept), tuple(wrong)


def invited(address: str, entries: tuple[str, ...]) -> bool:
    """Whether this address, in its one spelling, is on the list; an empty list keeps nobody out."""
    if not entries:
        return True
    known = frozenset(entries)
    return address.lower() in known or f"@{_domain(address)}" in known


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
