"""Identifiers: what they look like and what can be read from them.

    slot    11    hash of server and item; the Redis hash tag of everything that belongs to the item
    link    19    slot + 8
    guest   22    slot + 11
    grant   28    guest + 6

All are base62 (letters and digits), so they can stand in a path, a shell command and a Redis key as
they are. None of them is a secret: a grant is reached through the encrypted session cookie, a link
through its token.

Why the slot is inside: whoever holds an id can reach the record with one call, also in a cluster,
and the atomic step of an admission finds all its keys in one slot. The slot does not depend on the
gateway's secrets, so that these can be rotated.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE62 = frozenset(_ALPHABET)

SLOT_LENGTH, LINK_LENGTH, GUEST_LENGTH, GRANT_LENGTH = 11, 19, 22, 28
TOKEN_LENGTH = 22  # 62**22 > 2**130
GRANTS_PER_BROWSER = 20  # the oldest is forgotten: the cookie that names them stays below 1 kB


@dataclass(frozen=True, slots=True)
class ItemKey:
    """An item of one media server, by the one spelling of its id there."""

    server: str
    item: str

    @property
    def slot(self) -> str:
        digest = hashlib.sha256(f"{self.server}\0{self.item}".encode()).digest()
        return _encode(int.from_bytes(digest[:8], "big"), SLOT_LENGTH)


def new_token() -> str:
    """The secret of a guest link: 130 random bits."""
    return _random(TOKEN_LENGTH)


def new_link_id(slot: str) -> str:
    return slot + _random(LINK_LENGTH - SLOT_LENGTH)


def new_guest_id(slot: str) -> str:
    return slot + _random(GUEST_LENGTH - SLOT_LENGTH)


def new_grant_id(guest: str) -> str:
    return guest + _random(GRANT_LENGTH - GUEST_LENGTH)


def slot_of(identifier: str) -> str:
    """The slot of any link, guest or grant id."""
    return identifier[:SLOT_LENGTH]


def guest_of(grant: str) -> str:
    return grant[:GUEST_LENGTH]


def is_token(text: str) -> bool:
    return len(text) == TOKEN_LENGTH and _BASE62.issuperset(text)


def is_link_id(text: str) -> bool:
    return len(text) == LINK_LENGTH and _BASE62.issuperset(text)


def is_guest_id(text: str) -> bool:
    return len(text) == GUEST_LENGTH and _BASE62.issuperset(text)


def is_grant_id(text: str) -> bool:
    return len(text) == GRANT_LENGTH and _BASE62.issuperset(text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _encode(number: int, length: int) -> str:
    out = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        out.append(_ALPHABET[digit])
    return "".join(reversed(out))
