"""How this deployment looks to its guests: name, notice, logo.

The logo is read once at start and held: a page never touches the disk, and a file that is not a
picture is found before the first guest comes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gateway import config, files
from gateway.errors import BadFile
from gateway.yaml_source import Fault

MAX_LOGO = 1_000_000  # bytes

_LOGO_TYPES = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Logo:
    body: bytes
    content_type: str
    version: str  # a hash, so that a changed logo has a new address


@dataclass(frozen=True, slots=True)
class Theme:
    """`name` empty: pages show the media server's own title."""

    name: str = ""
    notice: str = ""
    logo: Logo | None = None
    logo_alt: str = ""
    footer: tuple[config.FooterLink, ...] = ()
    privacy_url: str = ""
    scheme: str = "auto"
    styles: tuple[str, ...] = ()  # names of style sheets that come after ours

    @property
    def color_scheme(self) -> str:
        """As the page's head says it."""
        return "light dark" if self.scheme == "auto" else self.scheme


def load_theme(written: config.Theme) -> Theme:
    """Read what the configuration names. Raises BadFile."""
    return Theme(written.name, written.notice, _load_logo(written.logo) if written.logo else None)


def _load_logo(path: Path) -> Logo:
    content_type = _LOGO_TYPES.get(path.suffix.lower())
    if content_type is None:
        raise BadFile([Fault(str(path), 1, 1, f"theme.logo must end in one of {', '.join(_LOGO_TYPES)}")])
    try:
        body = files.content(path)
    except OSError as error:
        raise BadFile([Fault(str(path), 1, 1, f"theme.logo can't be read: {error.strerror or error}")]) from error
    if len(body) > MAX_LOGO:
        raise BadFile([Fault(str(path), 1, 1, f"theme.logo is larger than {MAX_LOGO} bytes")])
    return Logo(body, content_type, hashlib.sha256(body).hexdigest()[:12])
