"""The one-time id hidden in an entry form.

    16 random bytes | 6 bytes of milliseconds | 16 bytes MAC      as base64url, 51 characters

The MAC covers the token's link and the value of the cookie that was set with the page, so that an id
works for this link and in this browser alone. With `passed` it also covers what a guest has shown: such a
ticket stands in the page of one who waits for a seat, so that no page need hold a PIN. Nothing is stored
when a form is shown: looking at a link writes nothing. What makes it one-time is the admission itself,
which keeps `FormId.key`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from enum import Enum

from gateway.links.keys import Keys

MAX_AGE = 600_000  # ms; a form older than that is filled in again
SKEW = 60_000  # ms by which the clocks of two workers may differ

_RANDOM, _TIME, _MAC = 16, 6, 16


class FormTrouble(Enum):
    STALE = "stale"  # not an id, or too old
    OTHER_BROWSER = "other_browser"  # no cookie, or not the one that it was given with


@dataclass(frozen=True, slots=True)
class FormId:
    """A genuine id. `key` is what the store remembers of it once it has admitted somebody."""

    key: str
    old: bool


def new_form(keys: Keys, token: str, cookie: str, now: int, *, passed: str = "") -> str:
    """A form's id; with `passed`, which stands for what this guest has shown, a ticket that says so."""
    head = secrets.token_bytes(_RANDOM) + now.to_bytes(_TIME, "big")
    return base64.urlsafe_b64encode(head + keys.sign_form(_message(head, token, cookie, passed))).decode().rstrip("=")


def check_form(
    keys: Keys, form: str, token: str, cookie: str | None, now: int, *, passed: str = "", max_age: int = MAX_AGE
) -> FormId | FormTrouble:
    """The id, if it was made here for this link, this cookie and this `passed`; `old` when its time (`max_age`, ms)
    is over."""
    if not cookie:
        return FormTrouble.OTHER_BROWSER
    raw = _decode(form)
    if raw is None:
        return FormTrouble.STALE
    head, mac = raw[: _RANDOM + _TIME], raw[_RANDOM + _TIME :]
    if not keys.check_form(_message(head, token, cookie, passed), mac):
        return FormTrouble.OTHER_BROWSER
    age = now - int.from_bytes(head[_RANDOM:], "big")
    return FormId(hashlib.sha256(head).hexdigest()[:32], old=not -SKEW <= age <= max_age)


def _message(head: bytes, token: str, cookie: str, passed: str = "") -> bytes:
    # Token and cookie are base62, so the separator stands in neither.
    parts = (head.hex(), token, cookie, passed) if passed else (head.hex(), token, cookie)
    return b"\0".join(part.encode() for part in parts)


def _decode(form: str) -> bytes | None:
    if len(form) != 51 or not form.isascii():
        return None
    try:
        raw = base64.b64decode(form + "=", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    # Unused bits of the last character would give one id several spellings.
    same = base64.urlsafe_b64encode(raw).decode().rstrip("=") == form
    return raw if same and len(raw) == _RANDOM + _TIME + _MAC else None
