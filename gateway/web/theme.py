"""How guest pages look, of this deployment or of one of its servers: names, logo, colours, files.

All files are read once, at start and at a reload, and held: a page never touches the disk, and a file
that can't be used is found before the first guest comes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway import colours, config, files
from gateway.errors import BadFile
from gateway.web.catalogue import FALLBACK, FOLDER, read_catalogue
from gateway.web.statics import TYPES, Static, pack
from gateway.web.theme_folder import read_folder
from gateway.yaml_source import Fault

MAX_LOGO = 1_000_000  # bytes
MAX_CSS = 200_000

_PICTURES = (".png", ".svg", ".jpg", ".jpeg", ".webp")
_COLOURS, _CSS = "theme/colours.css", "theme/own.css"

# A fault at the place of a key of the theme; the default is for who has no file that it was read from.
Blame = Callable[[str, str], Fault]


@dataclass(frozen=True, slots=True)
class Logo:
    body: bytes
    content_type: str
    version: str  # a hash, so that a changed logo has a new address


@dataclass(frozen=True, slots=True)
class Theme:
    """`name` empty: pages show the media server's own title. `styles`: names of style sheets that come after
    ours; `statics` and `templates` stand in for ours of the same name."""

    name: str = ""
    notice: str = ""
    logo: Logo | None = None
    logo_alt: str = ""
    footer: tuple[config.FooterLink, ...] = ()
    privacy_url: str = ""
    scheme: str = "auto"
    styles: tuple[str, ...] = ()
    statics: Mapping[str, Static] = field(default_factory=dict, repr=False)
    templates: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Fault, ...] = ()  # what is allowed and still unwise

    @property
    def color_scheme(self) -> str:
        """As a page's head says it."""
        return "light dark" if self.scheme == "auto" else self.scheme

    @property
    def for_managers(self) -> Theme:
        """Managers' pages are what they are; messages there are signed with the name and the logo."""
        return Theme(name=self.name, logo=self.logo, logo_alt=self.logo_alt)


def load_theme(written: config.Theme, blame: Blame | None = None) -> Theme:
    """Read what the configuration names. Raises BadFile."""
    found = _Reader(written, blame or _nowhere)
    theme = found.theme()
    if found.faults:
        raise BadFile(found.faults)
    return theme


def _nowhere(key: str, what: str) -> Fault:
    return Fault("config.yaml", 1, 1, f"theme.{key}: {what}")


class _Reader:
    def __init__(self, written: config.Theme, blame: Blame) -> None:
        self.written = written
        self.blame = blame
        self.faults: list[Fault] = []

    def theme(self) -> Theme:
        written = self.written
        statics: dict[str, Static] = {}
        templates: Mapping[str, str] = {}
        warnings: tuple[Fault, ...] = ()
        if written.folder is not None:
            folder = read_folder(written.folder, read_catalogue(FOLDER / f"{FALLBACK}.yaml").__contains__)
            self.faults += folder.faults
            statics, templates, warnings = folder.statics, folder.templates, tuple(folder.warnings)
        sheet = style_sheet(written)
        if sheet:
            statics[_COLOURS] = pack(sheet.encode(), TYPES[".css"])
        if written.css is not None:
            body = self.css(written.css)
            statics[_CSS] = pack(body, TYPES[".css"])
        return Theme(
            name=written.name,
            notice=written.notice,
            logo=self.logo(written.logo) if written.logo else None,
            logo_alt=written.logo_alt,
            footer=written.footer,
            privacy_url=written.privacy_url,
            scheme=written.scheme,
            styles=tuple(name for name in (_COLOURS, _CSS) if name in statics),
            statics=statics,
            templates=templates,
            warnings=warnings,
        )

    def logo(self, path: Path) -> Logo | None:
        if path.suffix.lower() not in _PICTURES:
            self.fault("logo", f"must end in one of {', '.join(_PICTURES)}")
            return None
        body = self.content("logo", path, MAX_LOGO)
        return Logo(body, TYPES[path.suffix.lower()], hashlib.sha256(body).hexdigest()[:12])

    def css(self, path: Path) -> bytes:
        if path.suffix.lower() != ".css":
            self.fault("css", "must end in .css")
            return b""
        body = self.content("css", path, MAX_CSS)
        try:
            body.decode()
        except UnicodeDecodeError as error:
            self.fault("css", f"{path} is not UTF-8: {error.reason} at byte {error.start}")
        return body

    def content(self, key: str, path: Path, most: int) -> bytes:
        try:
            body = files.content(path)
        except OSError as error:
            self.fault(key, f"{path} can't be read: {error.strerror or error}")
            return b""
        if len(body) > most:
            self.fault(key, f"{path} is larger than {most} bytes")
        return body

    def fault(self, key: str, what: str) -> None:
        self.faults.append(self.blame(key, what))


def style_sheet(written: config.Theme) -> str:
    """The colours of a theme; empty where they are ours."""
    if written.colours is None:
        return ""
    light, dark = written.colours.light, written.colours.dark
    if written.scheme == "dark":
        return _rule(dark or light)
    if written.scheme == "light":
        return _rule(light)
    return _rule(light) + "@media (prefers-color-scheme: dark) {\n" + _rule(dark or colours.for_the_dark(light)) + "}\n"


def _rule(of: colours.Colours) -> str:
    return ":root {\n" + colours.palette(of).rule() + "}\n"
