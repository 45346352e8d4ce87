"""What a fake Immich holds: assets, albums, shared links, users, and what each key may."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.films import Films


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class User:
    name: str
    email: str
    password: str
    id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Asset:
    name: str
    owner: User
    file: Path
    preview: Path
    folder: Path | None = None  # of films.Films, for a video that is streamed in pieces
    id: str = field(default_factory=new_id)

    @property
    def type(self) -> str:
        return "VIDEO" if self.file.suffix == ".mp4" else "IMAGE"


@dataclass(slots=True)
class Album:
    name: str
    owner: User
    assets: list[Asset]
    id: str = field(default_factory=new_id)


@dataclass(slots=True)
class SharedLink:
    """`server/src/services/shared-link.service.ts`, create: an owner who says nothing allows everything."""

    owner: User
    assets: list[Asset] = field(default_factory=list)
    album: Album | None = None
    slug: str = ""
    password: str = ""
    expires: float | None = None  # seconds since 1970
    allow_upload: bool = True
    allow_download: bool = True
    show_metadata: bool = True
    raw: bytes = field(default_factory=lambda: secrets.token_bytes(50), repr=False)
    id: str = field(default_factory=new_id)

    @property
    def key(self) -> str:
        """As addresses write it."""
        return base64.urlsafe_b64encode(self.raw).decode().rstrip("=")

    @property
    def over(self) -> bool:
        return self.expires is not None and self.expires <= time.time()

    @property
    def shown(self) -> list[Asset]:
        return [*self.assets, *(self.album.assets if self.album else [])]

    @property
    def token(self) -> str:
        """What the cookie of a link with a password holds."""
        return base64.b64encode(hashlib.sha256(f"{self.id}-{self.password}".encode()).digest()).decode()


def read_key(text: str) -> bytes:
    """`server/src/services/auth.service.ts`, validateSharedLinkKey: Node's lenient Buffer.from.

    Hexadecimal when it is 100 characters long, else base64 in either alphabet, with or without padding, and what is no
    base64 is skipped. So a key has many spellings.
    """
    if len(text) == 100:
        found = re.match(r"(?:[0-9a-fA-F]{2})*", text)
        return bytes.fromhex(found[0] if found else "")
    text = re.sub(r"[^A-Za-z0-9+/_-]", "", text.split("=")[0]).replace("-", "+").replace("_", "/")
    text = text[: len(text) - (len(text) % 4 == 1)]
    return base64.b64decode(text + "=" * (-len(text) % 4))


@dataclass(slots=True)
class HlsSession:
    """A running transcode; found by its id alone."""

    asset: Asset
    id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Library:
    users: list[User]
    assets: list[Asset]
    albums: list[Album] = field(default_factory=list)
    links: list[SharedLink] = field(default_factory=list)
    keys: dict[str, tuple[User, frozenset[str]]] = field(default_factory=dict)  # API key -> whose, what it may
    sessions: dict[str, User] = field(default_factory=dict)  # access token -> whose
    streams: dict[str, HlsSession] = field(default_factory=dict)

    @classmethod
    def of(cls, films: Films) -> Library:
        """Two films and a picture of one owner, a picture of another user; `links[0]` shares `film` alone.

        That link is as a careful owner makes it; `links[1]`, of `other`, as one who keeps every default.
        """
        owner, stranger = User("owner", "owner@example.org", "a password"), User("stranger", "x@example.org", "another")
        film = Asset("film.mp4", owner, films.one / "film.mp4", films.one / "poster.jpg", films.one)
        other = Asset("other.mp4", owner, films.two / "film.mp4", films.two / "poster.jpg", films.two)
        picture = Asset("picture.jpg", owner, films.one / "tiles.jpg", films.one / "poster.jpg")
        foreign = Asset("foreign.jpg", stranger, films.two / "tiles.jpg", films.two / "poster.jpg")
        made = cls([owner, stranger], [film, other, picture, foreign])
        made.albums.append(Album("an album", owner, [other, picture]))
        closed = {"allow_upload": False, "allow_download": False, "show_metadata": False}
        made.links.append(SharedLink(owner, [film], slug="the-film", **closed))
        made.links.append(SharedLink(owner, [other]))
        made.keys["key-that-may-all"] = (owner, frozenset({"all"}))
        made.keys["key-that-views"] = (owner, frozenset({"asset.view"}))
        return made

    def named(self, name: str) -> Asset:
        return next(asset for asset in self.assets if asset.name == name)

    def asset(self, asset_id: str) -> Asset | None:
        return next((asset for asset in self.assets if asset.id == asset_id.lower()), None)

    def link_by_key(self, key: str) -> SharedLink | None:
        raw = read_key(key)
        return next((link for link in self.links if link.raw == raw), None)
