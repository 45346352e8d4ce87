"""`login`: how the gateway signs in to a media server, and what it has from that.

    login: {request: POST /auth, json: {user: "${U}", pw: "${P}"}, secrets: {token: $.accessToken}, again: [401]}

What `secrets` names is written `{login.token}`. In compiled policies a mark stands in its place, which is put in by
whoever sends the request (see `upstream.signed_in`): the secret changes while the server runs, and nothing that was
compiled, bound to a grant or judged has to know it.

Why a mark that nobody can guess: what a guest writes is in the same texts, and must never be taken for one.
"""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from gateway.policy.jsonpath import AnswerPath
from gateway.policy.resolve import BadAnswer, one_value

LOGIN = "login."
MASK = "***"
MIN_SECRET = 8
MAX_SECRET = 8_192
_OURS = f"gw{random.token_hex(16)}"
_TELLING = ("pw", "pass", "secret", "token", "key", "auth")
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))


def mark_of(name: str) -> str:
    """What stands for a secret; of letters and digits, so that no encoding changes it."""
    return f"{_OURS}x{name.encode().hex()}x"


def holds_mark(text: str) -> bool:
    return _OURS in text


@dataclass(frozen=True, slots=True)
class Login:
    """`names` and where the answer has them. `again`: statuses at which the server wants another sign-in."""

    method: str
    target: str
    names: Mapping[str, AnswerPath]
    again: frozenset[int]
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def body(self) -> tuple[bytes | None, str]:
        """What is sent, and its media type."""
        if self.form is not None:
            return urlencode(self.form).encode(), "application/x-www-form-urlencoded"
        if self.json is not None:
            return json.dumps(self.json, ensure_ascii=False).encode(), "application/json"
        return None, ""

    def own_secrets(self) -> tuple[str, ...]:
        """What of the request must not come back to a guest: headers that sign in, and fields whose names say that
        they are a password or key."""
        found = {value for name, value in self.headers if _tells(name)}
        found.update(_secret_texts(self.json, secret=False), _secret_texts(dict(self.form or {}), secret=False))
        return tuple(text for text in found if len(text) >= 4)

    def read(self, status: int, content_type: str, body: bytes) -> dict[str, str]:
        """The secrets of an answer. Raises BadAnswer, which says nothing of what came."""
        if not 200 <= status < 300:
            raise BadAnswer(f"answered {status}")
        found = {}
        for name, path in self.names.items():
            value = one_value(path, content_type, body)
            if value is None:
                raise BadAnswer(f"{path.text} of the answer is not one text")
            if not MIN_SECRET <= len(value) <= MAX_SECRET or not _VISIBLE.issuperset(value):
                raise BadAnswer(f"what {path.text} of the answer holds can't be a secret: 8 to 8192 visible ASCII")
            found[name] = value
        return found


def _tells(name: str) -> bool:
    return any(word in name.lower() for word in _TELLING)


def _secret_texts(value: Any, *, secret: bool) -> set[str]:
    if isinstance(value, str):
        return {value} if secret else set()
    if isinstance(value, Mapping):
        return {text for name, one in value.items() for text in _secret_texts(one, secret=secret or _tells(str(name)))}
    if isinstance(value, list):
        return {text for one in value for text in _secret_texts(one, secret=secret)}
    return set()


# --- in the place of marks -------------------------------------------------------------------------


def in_target(text: str, secrets: Mapping[str, str]) -> str:
    return _put(text, {mark: quote(value, safe="") for mark, value in secrets.items()})


def in_header(text: str, secrets: Mapping[str, str]) -> str:
    return _put(text, secrets)


def in_body(body: bytes, content_type: str, secrets: Mapping[str, str]) -> bytes:
    """As a part of a text in JSON, or of a value in a form."""
    if "urlencoded" in content_type:
        coded = {mark: quote_plus(value) for mark, value in secrets.items()}
    else:
        coded = {mark: json.dumps(value)[1:-1] for mark, value in secrets.items()}
    for mark, value in coded.items():
        body = body.replace(mark.encode(), value.encode())
    return body


def _put(text: str, secrets: Mapping[str, str]) -> str:
    if _OURS in text:
        for mark, value in secrets.items():
            text = text.replace(mark, value)
    return text


def masked(text: str) -> str:
    """For people: no mark and no secret."""
    while _OURS in text:
        before, _, rest = text.partition(_OURS)
        text = before + MASK + rest[1:].partition("x")[2]
    return text
