"""`theme:` of config.yaml, for the deployment and for one server.

    name, notice         texts
    logo, logo_alt       a picture, and what it shows (for those who don't see it)
    folder               templates and files that stand in for ours, see web/theme_folder
    css                  a style sheet that comes after all others
    scheme               auto | light | dark
    colours              {accent, background, text, dark: {accent, background, text}}
    footer               [{text, url}]
    privacy_url          the page that says more than the entry page does

Rule: a key of a server stands in for the deployment's, whole (`colours` and `footer` too); an empty text or
list for none. An address leads to http, https or mailto and nowhere else; a colour is a colour and nothing
else. What stands in the files is looked at by whoever shows them (web/theme), not by commands that only
make a link.
"""

from __future__ import annotations

import unicodedata
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway import config_texts as texts
from gateway import files
from gateway.colours import LIGHT, Colours, colour, for_the_dark, too_faint
from gateway.config import FooterLink, Theme, ThemeColours
from gateway.yaml_section import Section

KEYS = ("name", "notice", "logo", "logo_alt", "folder", "css", "scheme", "colours", "footer", "privacy_url")
_COLOURS = ("accent", "background", "text")
MOST_LINKS = 12
_MOST_NAME = 100
_MOST_NOTICE = 2_000
_MOST_TEXT = 60
_MOST_URL = 500


def read_theme(parent: Section, base: Path, usual: Theme) -> Theme:
    """`theme` in `parent`; `usual` is what holds where nothing is written."""
    section = parent.section("theme", KEYS)
    return Theme(
        name=section.get("name", partial(_words, most=_MOST_NAME), usual.name),
        notice=section.get("notice", partial(_words, most=_MOST_NOTICE, lines=True), usual.notice),
        logo=section.get("logo", partial(_file, base=base), usual.logo),
        logo_alt=section.get("logo_alt", partial(_words, most=_MOST_NAME), usual.logo_alt),
        folder=section.get("folder", partial(_folder, base=base), usual.folder),
        css=section.get("css", partial(_file, base=base), usual.css),
        scheme=section.get("scheme", partial(texts.choice, known=("auto", "light", "dark")), usual.scheme),
        colours=_colours(section, usual.colours),
        footer=_footer(section, usual.footer),
        privacy_url=section.get("privacy_url", _address_or_none, usual.privacy_url),
    )


def _words(value: Any, most: int, *, lines: bool = False) -> str:
    written = texts.free_text(value).strip()
    if len(written) > most:
        raise ValueError(f"must be at most {most} characters")
    if any(unicodedata.category(char) == "Cc" and not (lines and char == "\n") for char in written):
        raise ValueError("must hold no control characters")
    return written


def _file(value: Any, base: Path) -> Path | None:
    if value == "":
        return None
    path = base / texts.file_name(value)
    if not files.is_file(path):
        raise ValueError(f"no file {path}")
    return path


def _folder(value: Any, base: Path) -> Path | None:
    if value == "":
        return None
    path = base / texts.file_name(value)
    try:
        files.entries(path, within=path)
    except OSError as error:
        raise ValueError(f"no folder {path} ({error.strerror or error})") from None
    return path


def _footer(section: Section, usual: tuple[FooterLink, ...]) -> tuple[FooterLink, ...]:
    if not section.has("footer"):
        return usual
    found: list[FooterLink] = []
    for data, way in section.items("footer"):
        entry = Section(section.source, data, way, ("text", "url"))
        if not isinstance(data, dict):
            if data is None:
                section.fault(way, "must be a mapping (text: …, url: …)")
            continue
        text = entry.need("text", partial(_words, most=_MOST_TEXT), "")
        url = entry.need("url", address, "")
        if entry.has("text") and not text:
            entry.fault((*way, "text"), "must not be empty")
        found.append(FooterLink(text, url))
    if len(found) > MOST_LINKS:
        section.fault((*section.way, "footer"), f"must be at most {MOST_LINKS} links")
    return tuple(found)


def _address_or_none(value: Any) -> str:
    return "" if value == "" else address(value)


def address(value: Any) -> str:
    """A link that guests may follow."""
    written = texts.text(value).strip()
    what = "must be an address such as https://example.org/privacy or mailto:help@example.org"
    if len(written) > _MOST_URL:
        raise ValueError(f"must be at most {_MOST_URL} characters")
    if not written.isascii() or any(char <= " " or char in '\x7f\\<>"`' for char in written):
        raise ValueError("must be visible ASCII (other characters as %XX), without spaces, quotes, <, > and \\")
    scheme, colon, rest = written.partition(":")
    if scheme.lower() == "mailto" and colon and "@" in rest and not rest.startswith("/"):
        return written
    if scheme.lower() not in ("http", "https") or not rest.startswith("//"):
        raise ValueError(what)
    try:
        parts = urlsplit(written)
        texts.host_and_port(parts.netloc)
    except ValueError as error:
        raise ValueError(f"{what} ({error})") from None
    return written


def _colours(section: Section, usual: ThemeColours | None) -> ThemeColours | None:
    # A colour that can't be read leaves nothing to compare.
    before = len(section.source.faults)
    of = section.section("colours", (*_COLOURS, "dark"))
    in_the_dark = of.section("dark", _COLOURS)
    light = _three(of, LIGHT)
    dark = _three(in_the_dark, for_the_dark(light)) if in_the_dark.data else None
    if len(section.source.faults) == before:
        for part, colours in ((of, light), (in_the_dark, dark)):
            for name, what in too_faint(colours) if colours is not None else ():
                # The one that was written, of the two that don't go together.
                blamed = name if part.has(name) else "background"
                part.fault((*part.way, blamed), what if blamed == name else f"the {name} {what}")
    return ThemeColours(light, dark) if of.data else usual


def _three(part: Section, usual: Colours) -> Colours:
    found = {}
    for name in _COLOURS:
        found[name] = getattr(usual, name)
        if name in part.data:  # also where YAML took the colour for a comment
            found[name] = part.parsed(part.data[name], (*part.way, name), colour, found[name])
    return Colours(**found)
