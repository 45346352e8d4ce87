"""What a fake Navidrome holds: songs, shares and users, and the tokens it signs for them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.films import Films

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ISSUER = "ND"


def new_id(length: int) -> str:
    """22 for things, 10 for shares."""
    return "".join(secrets.choice(_BASE62) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Song:
    title: str
    file: Path
    cover: Path
    artist: str = "The Fakes"
    album: str = "Stand-ins"
    seconds: int = 12
    id: str = field(default_factory=lambda: new_id(22))
    album_id: str = field(default_factory=lambda: new_id(22))


@dataclass(slots=True)
class Share:
    songs: tuple[Song, ...]
    description: str = ""
    downloadable: bool = False
    # Seconds since 1970. conf/configuration.go, DefaultShareExpiration: a year when the owner says nothing.
    expires: float = field(default_factory=lambda: time.time() + 365 * 86_400)
    format: str = ""  # when set, the stream is transcoded: no length, no ranges
    id: str = field(default_factory=lambda: new_id(10))
    visits: int = 0

    @property
    def expired(self) -> bool:
        return self.expires < time.time()


@dataclass(slots=True)
class User:
    name: str
    password: str
    admin: bool = False
    id: str = field(default_factory=lambda: new_id(22))


@dataclass(slots=True)
class Library:
    songs: list[Song]
    shares: list[Share] = field(default_factory=list)
    users: list[User] = field(default_factory=list)

    @classmethod
    def of(cls, films: Films) -> Library:
        """Two songs, a share of each, an admin: `library.songs[0]` is what `library.shares[0]` shares."""
        songs = [
            Song(f"Song {folder.name}", folder / "song.mp3", folder / "poster.jpg") for folder in (films.one, films.two)
        ]
        shares = [Share((song,), f"A share of {song.title}") for song in songs]
        return cls(songs, shares, [User("admin", "an admin's secret", admin=True)])

    def share(self, share_id: str) -> Share | None:
        return next((share for share in self.shares if share.id == share_id), None)

    def song(self, song_id: str) -> Song | None:
        return next((song for song in self.songs if song.id == song_id), None)

    def user(self, name: str) -> User | None:
        return next((user for user in self.users if user.name.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Signer:
    """JSON web tokens, HS256. Navidrome has two secrets: one for sessions, one for what anybody may open.

    `navidrome/navidrome: core/auth/auth.go`, claims in `core/auth/claims.go`.
    """

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def sign(self, claims: dict[str, Any]) -> str:
        head = _pack({"alg": "HS256", "typ": "JWT"})
        body = _pack({"iss": ISSUER, **claims})
        return f"{head}.{body}.{self._seal(f'{head}.{body}')}"

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims; None for a wrong signature, another form, or an `exp` that is over."""
        head, _, rest = token.partition(".")
        body, _, seal = rest.partition(".")
        if not hmac.compare_digest(self._seal(f"{head}.{body}").encode(), seal.encode("utf-8", "replace")):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))
        return None if claims.get("exp", time.time() + 1) <= time.time() else claims

    def _seal(self, text: str) -> str:
        return _text(hmac.digest(self.secret, text.encode("utf-8", "replace"), hashlib.sha256))


def _pack(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
