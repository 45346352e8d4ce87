"""The files of our pages, those we ship and a theme's: a frozen table, read once at start and at a reload.

Their addresses are `static/<version>/<name>`, where the version is one hash over all of them: modules
import each other by relative names and still get the version of the page that loaded them, so a
browser may keep them for a year. Another version (an old page, a worker that is not yet renewed)
gets what we have, to be asked for again each time.

Why a table: a request chooses a key, never a path; there is nothing to climb out of.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
# What the player page needs to play a sort of stream, see vendor.py
LIBRARIES = {"hls": "vendor/hls.min.js", "dash": "vendor/shaka-player.min.js", "flv": "vendor/mpegts.js"}
LIBRARIES |= {"livekit": "vendor/livekit-client.js"}

_OURS = (".css", ".js", ".svg", ".txt")
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Static:
    body: bytes
    content_type: str
    etag: str
    gzipped: bytes | None = None  # made once at start where it saves a good part


@dataclass(frozen=True, slots=True)
class Statics:
    files: Mapping[str, Static]
    version: str

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Statics:
        """Read every file of a known type below `folder`; names are relative, with slashes."""
        files: dict[str, Static] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix in _OURS and path.is_file():
                files[path.relative_to(folder).as_posix()] = pack(path.read_bytes(), TYPES[path.suffix])
        return cls.of(files)

    @classmethod
    def of(cls, files: Mapping[str, Static]) -> Statics:
        whole = hashlib.sha256()
        for name, file in sorted(files.items()):
            whole.update(f"{name}\0{file.etag}\0".encode())
        return cls(files, whole.hexdigest()[:12])

    def overlaid(self, more: Mapping[str, Static]) -> Statics:
        """With these in the place of those of the same name, or beside them."""
        return Statics.of({**self.files, **more}) if more else self

    def library(self, sort: str) -> str | None:
        """The script that plays this sort of stream; None where none is needed, or it was not fetched."""
        name = LIBRARIES.get(sort)
        return name if name in self.files else None


def pack(body: bytes, content_type: str) -> Static:
    """Ready to be sent."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    packed = content_type.startswith(("text/", "image/svg"))
    return Static(body, content_type, tag, _smaller(body) if packed else None)


def _smaller(body: bytes) -> bytes | None:
    packed = gzip.compress(body, 6, mtime=0)
    return packed if len(packed) < 0.9 * len(body) else None
