"""Passwords of managers: made into Argon2id hashes, and checked against them. Both are slow on purpose."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id


def hash_password(password: str) -> str:
    """Argon2id with the parameters RFC 9106 recommends where memory is scarce (64 MiB, 3 passes)."""
    kdf = Argon2id(salt=secrets.token_bytes(16), length=32, iterations=3, lanes=4, memory_cost=65_536)
    return str(kdf.derive_phc_encoded(password.encode()))


def fits(hashed: str, password: bytes) -> bool:
    """Takes a tenth of a second and 64 MiB: not for the event loop's thread."""
    try:
        Argon2id.verify_phc_encoded(password, hashed)
    except (InvalidKey, ValueError):
        return False
    return True
