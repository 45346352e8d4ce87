"""What the fake Kaltura holds, and its sessions (KS).

Ids of entries, flavours, captions and thumbnails have one shape (kaltura/server: alpha/lib/model/asset.php): nothing
in an asset's id tells which entry it belongs to.
"""

from __future__ import annotations

import base64
import hashlib
import random
import secrets
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.clips import LANGUAGES, SECONDS, stamp

READY, PRECONVERT, DELETED = 2, 1, 3
VIDEO, LIVE = 1, 201


@dataclass
class Asset:
    id: str
    entry: str
    kind: str  # flavor | caption | thumb
    file: Path
    name: str = ""  # the language of a caption, the clip of a flavour
    height: int = 0


@dataclass
class Entry:
    """`guarded`: its access control wants a KS that may view it. `recording`: the entry an ended live one leads to."""

    id: str
    name: str
    status: int = READY
    media_type: int = VIDEO
    guarded: bool = False
    reference: str = ""
    recording: str | None = None
    flavors: list[Asset] = field(default_factory=list)
    captions: list[Asset] = field(default_factory=list)
    thumb: Asset | None = None

    @property
    def duration(self) -> int:
        return SECONDS


@dataclass(frozen=True)
class Session:
    """What a KS says: who for how long, and what it may."""

    partner: int
    user: str
    admin: bool
    expires: int
    privileges: str

    def may_view(self, entry: Entry) -> bool:
        if self.admin or not entry.guarded:
            return True
        return any(one in self.privileges.split(",") for one in (f"sview:{entry.id}", "sview:*"))


class Library:
    """`film` and `other` are open twins; `secret` wants a KS."""

    def __init__(self, folder: Path, clips: Path, partner: int = 101) -> None:
        self.folder, self._clips, self.partner = folder, clips, partner
        self.admin_secret, self.user_secret = secrets.token_hex(16), secrets.token_hex(16)
        self._random = random.Random(uuid.uuid4().int)
        self.app_token_id, self.app_token = self._fresh(), secrets.token_hex(16)
        self.ended: set[str] = set()  # sessions, and ids that sessions share
        self.assets: dict[str, Asset] = {}
        self.film = self._add("A lecture", reference="course-1")
        self.other = self._add("Another lecture")
        self.secret = self._add("A guarded lecture", guarded=True)
        self.recording = self._add("The recording of a live lecture")
        self.live = self._add("A live lecture that has ended", media_type=LIVE, recording=self.recording.id)
        self.unready = self._add("A lecture still converted", status=PRECONVERT)
        self.gone = self._add("A deleted lecture", status=DELETED)
        self.entries = {value.id: value for value in vars(self).values() if isinstance(value, Entry)}

    def find(self, said: str | None) -> Entry | None:
        return self.entries.get(said or "")

    def _fresh(self) -> str:
        letters = "0123456789abcdefghijklmnopqrstuvwxyz"
        return f"{self._random.choice('01')}_" + "".join(self._random.choices(letters, k=8))

    def _add(self, name: str, **more: object) -> Entry:
        entry = Entry(self._fresh(), name, **more)  # type: ignore[arg-type]
        for clip, height in (("large", 180), ("small", 90)):
            asset = self._asset(entry, "flavor", f"{clip}.mp4", clip, height)
            entry.flavors.append(asset)
        entry.captions = [self._asset(entry, "caption", f"{language}.vtt", language) for language in LANGUAGES]
        entry.thumb = self._asset(entry, "thumb", "poster.jpg")
        stamp(self._clips / "strip.jpg", self.folder / entry.id / "strip.jpg", entry.id)
        return entry

    def _asset(self, entry: Entry, kind: str, clip: str, name: str = "", height: int = 0) -> Asset:
        one = self._fresh()
        file = stamp(self._clips / clip, self.folder / entry.id / f"{one}{Path(clip).suffix}", entry.id)
        self.assets[one] = Asset(one, entry.id, kind, file, name, height)
        return self.assets[one]

    # --- KS, version 1 (alpha/apps/kaltura/lib/webservices/kSessionBase.class.php)

    def sign(self, user: str = "", *, admin: bool = False, seconds: int = 3600, privileges: str = "") -> str:
        fields = (self.partner, self.partner, int(time.time()) + seconds, 2 if admin else 0, secrets.randbelow(99999))
        info = ";".join(str(one) for one in (*fields, user, privileges))
        # In the URL's alphabet, as version 2 writes it: a `/` in it would be two parts of a path.
        return base64.urlsafe_b64encode(f"{self._mac(info)}|{info}".encode()).decode()

    def read(self, ks: str) -> Session | None:
        """None for what nobody here signed, and for what has run out."""
        try:
            mac, _, info = base64.b64decode(ks.replace("-", "+").replace("_", "/")).decode().partition("|")
            partner, _, expires, kind, _, user, privileges = info.split(";", 6)
        except ValueError:
            return None
        admin = mac == self._mac(info, self.admin_secret)
        if not admin and mac != self._mac(info, self.user_secret):
            return None
        if int(expires) < time.time() or int(partner) != self.partner:
            return None
        if ks in self.ended or not self.ended.isdisjoint(privileges.split(",")):
            return None
        return Session(int(partner), user, admin and kind == "2", int(expires), privileges)

    def widget_ks(self) -> str:
        """Everybody's: startWidgetSession gives it to who asks, and with it all open content can be listed."""
        return self.sign("0", privileges="view:*,widget:1")

    def _mac(self, info: str, secret: str | None = None) -> str:
        if secret is None:
            secret = self.admin_secret if info.split(";")[3] == "2" else self.user_secret
        return hashlib.sha1((secret + info).encode()).hexdigest()
