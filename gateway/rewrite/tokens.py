"""Tokens that a media server hands out by itself, in a message of a websocket.

Rule: a token that says the same `sub` as the one that the gateway made for this grant is as good as that one, and as
little a guest's. LiveKit sends such to everybody who joins, at once and every few minutes; with it somebody who was
removed comes in again at the server itself. A message with one in it is not passed on.

Why by what it says and not by its signature: a server may have several keys, and sign with one that we don't know.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

_RUN = re.compile(rb"[A-Za-z0-9_.-]{12,}")
_LEAST = 12  # characters of claims with a `sub`
_BEGINS = b"eyJ"  # `{"` in base64: so head and claims of each begin


@dataclass(frozen=True, slots=True)
class Likeness:
    """`subjects`: who the gateway's own tokens say that somebody is."""

    subjects: frozenset[str] = frozenset()

    def found_in(self, message: str | bytes) -> bool:
        """In time that grows with the length alone: other guests may have written what stands there."""
        if not self.subjects:
            return False
        data = message.encode() if isinstance(message, str) else message
        if b"." + _BEGINS not in data:
            return False
        for run in _RUN.findall(data):
            parts = run.split(b".")
            for head, claims, _ in zip(parts, parts[1:], parts[2:], strict=False):
                # What stands before a token may be of the same letters as it.
                if claims.startswith(_BEGINS) and _BEGINS in head and _subject(claims) in self.subjects:
                    return True
        return False


def _subject(claims: bytes) -> str | None:
    if len(claims) < _LEAST:
        return None
    try:
        text = base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4))
        said = json.loads(text) if b'"sub"' in text else None
    except (binascii.Error, ValueError, RecursionError):
        return None
    found = said.get("sub") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None
