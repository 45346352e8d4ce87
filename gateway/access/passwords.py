"""Passwords of managers and PINs of links: made into Argon2id hashes, and checked against them. Both are slow on
purpose.

Rule: one at a time in a process, whoever asks. Why: with several lanes the library computes in a pool of
threads that all calls share, and two calls at once wait for each other for ever, and fail from then on.
"""

from __future__ import annotations

import secrets
import threading

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

_one = threading.Lock()


def hash_password(password: str) -> str:
    """Argon2id with the parameters RFC 9106 recommends where memory is scarce (64 MiB, 3 passes)."""
    kdf = Argon2id(salt=secrets.token_bytes(16), length=32, iterations=3, lanes=4, memory_cost=65_536)
    with _one:
        return str(kdf.derive_phc_encoded(password.encode()))


def hash_pin(pin: str) -> str:
    """Argon2id with the smallest parameters that OWASP recommends (19 MiB, 2 passes): a PIN is short, what keeps
    it from being guessed is the count of wrong ones, and a whole lecture hall types it at once."""
    kdf = Argon2id(salt=secrets.token_bytes(16), length=32, iterations=2, lanes=1, memory_cost=19_456)
    with _one:
        return str(kdf.derive_phc_encoded(pin.encode()))


def fits(hashed: str, password: bytes) -> bool:
    """Takes a tenth of a second and 64 MiB: not for the event loop's thread."""
    try:
        with _one:
            Argon2id.verify_phc_encoded(password, hashed)
    except (InvalidKey, ValueError):
        return False
    return True
