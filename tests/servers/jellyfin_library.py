"""What a fake Jellyfin holds: items of every type, users with more or fewer rights, tokens and keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from tests.media import SECONDS
from tests.servers.films import Films

TICKS = 10_000_000  # in a second
VIDEO = ("Movie", "Episode", "Video", "MusicVideo", "Trailer")
AUDIO = ("Audio", "AudioBook")
LIVE = ("TvChannel", "LiveTvProgram")


def new_id() -> str:
    """A GUID the way Jellyfin writes most of them: 32 small hexadecimal digits."""
    return secrets.token_hex(16)


def dashed(guid: str) -> str:
    """The other way, in TranscodingUrl and DeliveryUrl (`MediaBrowser.Model/Dlna/StreamInfo.cs` appends the Guid)."""
    return "-".join((guid[:8], guid[8:12], guid[12:16], guid[16:20], guid[20:]))


@dataclass(frozen=True, slots=True)
class Source:
    """A media source: one version of a title. The first one's id is the item's own."""

    id: str
    folder: Path  # of films.Films
    name: str = "1080p"

    @property
    def path(self) -> str:
        """Where the server keeps it: PlaybackInfo tells everybody."""
        return f"/srv/media/films/{self.name}/{self.id}.mp4"


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    type: str = "Movie"
    sources: tuple[Source, ...] = ()
    library: str = "films"
    id: str = field(default_factory=new_id)
    remote: str = ""  # a .strm file: the source is another host's address

    @property
    def media_type(self) -> str:
        return "Audio" if self.type in AUDIO else "Video" if self.type in VIDEO + LIVE else "Unknown"

    @property
    def live(self) -> bool:
        return self.type in LIVE

    @property
    def ticks(self) -> int | None:
        return SECONDS * TICKS if self.sources and not self.live else None


@dataclass(slots=True)
class User:
    name: str
    password: str
    libraries: frozenset[str] | None = None  # None: all of them
    admin: bool = False
    may_download: bool = False
    may_delete: bool = False
    may_transcode: bool = True
    id: str = field(default_factory=new_id)

    def sees(self, item: Item) -> bool:
        return self.libraries is None or item.library in self.libraries


@dataclass(frozen=True, slots=True)
class Session:
    """What an access token stands for: a user on a device."""

    user: User
    device_id: str


def item_of(name: str, folder: Path, kind: str = "Movie", library: str = "films", versions: int = 1) -> Item:
    """An item whose first media source has the item's id, as Jellyfin has it."""
    own = new_id()
    ids = (own, *(new_id() for _ in range(versions - 1)))
    names = ("1080p", "Director's cut", "Black and white")
    return Item(name, kind, tuple(Source(one, folder, names[n]) for n, one in enumerate(ids)), library, own)


@dataclass(slots=True)
class Library:
    items: dict[str, Item]
    users: list[User] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)  # by token
    keys: dict[str, str] = field(default_factory=dict)  # API key -> its name

    @classmethod
    def of(cls, films: Films) -> Library:
        """One of each type. `film` and `other` are told apart by tests; `hidden` is in a library of its own."""
        items = [
            item_of("film", films.one, versions=2),
            item_of("other", films.two),
            item_of("hidden", films.two, library="private"),
            item_of("episode", films.one, "Episode"),
            item_of("song", films.one, "Audio", "music"),
            item_of("channel", films.two, "TvChannel", "live"),
            *(Item(kind.lower(), kind) for kind in ("Series", "Season", "BoxSet", "Playlist", "Folder", "MusicAlbum")),
        ]
        items.append(Item("elsewhere", "Movie", (), remote="https://videos.example.net/elsewhere.mp4"))
        guest = User("guests", "a password", frozenset({"films", "music", "live"}))
        admin = User("admin", "an admin's password", admin=True, may_download=True, may_delete=True)
        made = cls({item.id: item for item in items}, [guest, admin])
        for user in made.users:
            made.sessions[new_id()] = Session(user, f"device of {user.name}")
        made.keys[new_id()] = "a key"
        return made

    def __getitem__(self, name: str) -> Item:
        return next(item for item in self.items.values() if item.name == name)

    def token(self, user: str) -> str:
        return next(token for token, session in self.sessions.items() if session.user.name == user)

    @property
    def key(self) -> str:
        return next(iter(self.keys))

    def source(self, source_id: str) -> tuple[Item, Source] | None:
        """The item and source of that id; sources can be asked for as if they were items."""
        for item in self.items.values():
            for source in item.sources:
                if source.id == source_id:
                    return item, source
        return None
