"""The files we ship for our pages: a frozen table, read once at start.

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
HLS_JS = "vendor/hls.min.js"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
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
        whole = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            content_type = _TYPES.get(path.suffix)
            if content_type is None or not path.is_file():
                continue
            name, body = path.relative_to(folder).as_posix(), path.read_bytes()
            digest = hashlib.sha256(body).hexdigest()
            whole.update(f"{name}\0{digest}\0".encode())
            files[name] = Static(body, content_type, f'"{digest[:20]}"', _smaller(body))
        return cls(files, whole.hexdigest()[:12])

    @property
    def has_hls_js(self) -> bool:
        return HLS_JS in self.files


def _smaller(body: bytes) -> bytes | None:
    packed = gzip.compress(body, 6, mtime=0)
    return packed if len(packed) < 0.9 * len(body) else None
