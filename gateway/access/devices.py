"""Browsers in which a manager has signed in before: they show it by a cookie, and wrong passwords that
strangers type elsewhere do not keep them out.

Rule: a token is good for one name, as long as that name has the password it had, for half a year from the
latest sign-in. It opens nothing: it only says which bucket a wrong password falls into. Nothing about it is
stored; it holds a random id and the time, signed together with the name and the password's hash.

Why: to wait after wrong passwords for a name is what makes guessing slow, and it is also what lets a
stranger keep somebody out by guessing. Whoever has been here is told apart from strangers.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Sequence

from gateway.links.keys import Keys

LIFE = 180 * 86_400_000  # ms
KEPT = 4  # names that one browser is known for
_TIME, _ID = 5, 12  # bytes; the signature has 16
_SHOWN = 22  # characters that hold time and id
_TOKEN = re.compile(r"[A-Za-z0-9_-]{44}")


class Devices:
    """`clock` in ms. `hashed`: the password's hash in config.yaml."""

    def __init__(self, keys: Keys, clock: Callable[[], int]) -> None:
        self._keys = keys
        self._clock = clock

    def known(self, tokens: Sequence[str], name: str, hashed: str) -> str | None:
        """The id of this browser if it is one of this name's."""
        return next((token[:_SHOWN] for token in tokens[:KEPT] if self._fits(token, name, hashed)), None)

    def renewed(self, tokens: Sequence[str], name: str, hashed: str) -> tuple[str, ...]:
        """What the browser holds from now on: a new token, and those that are other names'."""
        head = (self._clock() // 1000).to_bytes(_TIME) + secrets.token_bytes(_ID)
        signed = head + self._keys.sign_device(_message(head, name, hashed))
        others = [one for one in tokens if _TOKEN.fullmatch(one) and not self._fits(one, name, hashed)]
        return (base64.urlsafe_b64encode(signed).decode(), *others[: KEPT - 1])

    def _fits(self, token: str, name: str, hashed: str) -> bool:
        if not _TOKEN.fullmatch(token):
            return False
        raw = base64.urlsafe_b64decode(token)
        head, signature = raw[: _TIME + _ID], raw[_TIME + _ID :]
        age = self._clock() - int.from_bytes(head[:_TIME]) * 1000
        return age < LIFE and self._keys.check_device(_message(head, name, hashed), signature)


def read_tokens(cookie: str) -> tuple[str, ...]:
    return tuple(one for one in cookie.split(".", KEPT)[:KEPT] if _TOKEN.fullmatch(one))


def write_tokens(tokens: Sequence[str]) -> str:
    return ".".join(tokens)


def _message(head: bytes, name: str, hashed: str) -> bytes:
    # The head has a fixed length, and neither name nor hash holds a NUL.
    return head + name.encode(errors="surrogatepass") + b"\0" + hashed.encode()
