"""What a token (JWT, RFC 7519) says, without the key that it is signed with.

Rule: a token counts only where everybody reads it alike: three parts in the one spelling that base64url has for their
bytes, both heads JSON objects without a key that stands there twice or in another case, of bounded length. Nothing of
it is believed: a rule compares one claim with the item that a guest has, and the server checks the signature.

Why without the key: the tokens are the media server's own, which it hands out in its pages for files that have no
other name. A guest who changes one breaks its signature; a guest who brings one of another item is turned away here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gateway.strict_json import Misfit, folded_key, parse_json

MAX_TOKEN = 4_096  # characters
FORM = "[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+"
"""The pattern of a token as it stands in a path or value."""

# With these in its head the middle part is no claims, or not to everybody (RFC 7515 4.1.11, RFC 7797, RFC 7516 4.1.3).
_OTHERWISE = frozenset(("b64", "crit", "zip", "enc"))
_NOTHING: Mapping[str, str] = {}


@lru_cache(maxsize=64)
def claims_of(token: str) -> Mapping[str, str]:
    """Its claims that are texts or whole numbers, as texts; none of a token that can be read in two ways."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not parts[2]:
        return _NOTHING
    try:
        head, claims = _object(parts[0]), _object(parts[1])
        _bytes(parts[2])
    except (Misfit, ValueError, binascii.Error):
        return _NOTHING
    if any(folded_key(name) in _OTHERWISE for name in head):
        return _NOTHING
    return {
        name: str(value)
        for name, value in claims.items()
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def _object(part: str) -> dict[str, Any]:
    found = parse_json(_bytes(part))
    if not isinstance(found, dict) or len({folded_key(name) for name in found}) != len(found):
        raise Misfit("no object, or a key in two cases")
    return found


def _bytes(part: str) -> bytes:
    """Of base64url without padding. Raises ValueError for any other spelling than the one that is written for them."""
    found = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != part:
        raise ValueError("another spelling")
    return found
