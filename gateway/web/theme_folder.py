"""A theme's folder: templates and files that stand in for ours.

    templates/NAME.html     in the place of ours of that name, for guests' pages; `_NAME.html` is a part of its own
    static/NAME             in the place of ours, or a further picture or font for its style sheets

Rule: nothing in the folder is without effect. A name that stands in for nothing, another kind of file, a link that
leads out of the folder (themes are passed around, and what is in `static` is served to everybody), a
script: each is a fault at its place. Names that begin with a dot are not looked at, nor is what lies beside the two
folders (a README, a licence).

Why no scripts: on the entry page one script of ours runs and no other (docs/security.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway import files
from gateway.web.statics import FOLDER, TYPES, Static, pack
from gateway.web.templates import examine, guests_templates, never_asked
from gateway.yaml_source import Fault, did_you_mean

MAX_FILE = 1_000_000  # bytes, of each
MAX_ALL = 8_000_000
MAX_TEMPLATE = 100_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9_-]{1,32}){1,3}")
_PART = re.compile(r"_[A-Za-z0-9_-]{1,60}\.html")
_SUFFIXES = (".css", ".svg", ".png", ".jpg", ".jpeg", ".webp", ".woff2")
_MANAGERS = "manage.css"


@dataclass(slots=True)
class Folder:
    """What was found, and what is wrong with it."""

    templates: dict[str, str] = field(default_factory=dict)
    statics: dict[str, Static] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


def read_folder(path: Path, has_text: Callable[[str], bool]) -> Folder:
    """`has_text`: whether a page's text has this key."""
    found = Folder()

    def fault(file: Path, what: str, line: int = 1) -> None:
        found.faults.append(Fault(str(file), line, 1, what))

    inside = _entries(path, path, fault)
    if not {"templates", "static"} & set(inside):
        fault(path, "holds neither templates nor static")
    for name, sort in inside.items():
        if name in ("templates", "static") and sort != "folder":
            fault(path / name, "leads out of the theme's folder" if sort == "outside" else "must be a folder")
    if inside.get("templates") == "folder":
        _templates(path, found, fault, has_text)
    if inside.get("static") == "folder":
        _statics(path, found, fault)
    return found


_Blame = Callable[..., None]


def _entries(folder: Path, root: Path, fault: _Blame) -> Mapping[str, str]:
    try:
        inside = files.entries(folder, within=root)
    except OSError as error:
        fault(folder, f"can't be read: {error.strerror or error}")
        return {}
    if len(inside) > files.MOST_NAMES:
        fault(folder, f"holds more than {files.MOST_NAMES} files")
    return {name: sort for name, sort in inside.items() if not name.startswith(".")}


def _content(file: Path, sort: str, most: int, fault: _Blame) -> bytes | None:
    """Of a regular file in the theme's folder."""
    if sort != "file":
        reasons = {"outside": "leads out of the theme's folder", "folder": "is a folder; files lie beside each other"}
        fault(file, reasons.get(sort, "is no file"))
        return None
    try:
        content = files.content(file)
    except OSError as error:
        fault(file, f"can't be read: {error.strerror or error}")
        return None
    if len(content) > most:
        fault(file, f"is larger than {most} bytes")
        return None
    return content


def _templates(root: Path, found: Folder, fault: _Blame, has_text: Callable[[str], bool]) -> None:
    folder, ours = root / "templates", guests_templates()
    for name, sort in _entries(folder, root, fault).items():
        if name not in ours and not _PART.fullmatch(name):
            if name.startswith("manage_"):
                fault(folder / name, "managers' pages have no theme")
            else:
                fault(folder / name, f"stands in for no page{did_you_mean(name, ours)}; a part of your own is _{name}")
            continue
        content = _content(folder / name, sort, MAX_TEMPLATE, fault)
        if content is None:
            continue
        try:
            found.templates[name] = content.decode()
        except UnicodeDecodeError as error:
            fault(folder / name, f"not UTF-8: {error.reason} at byte {error.start}")
    for name, troubles in examine(found.templates, has_text).items():
        for line, what in troubles:
            fault(folder / name, what, line)
    if not found.faults:
        for name, left in never_asked(found.templates).items():
            what = f"does not ask for {', '.join(left)}; where one of them is asked for, guests get our page instead"
            found.warnings.append(Fault(str(folder / name), 1, 1, what))


def _statics(root: Path, found: Folder, fault: _Blame) -> None:
    folder, whole = root / "static", 0
    ours = {path.name for path in FOLDER.glob("*.css")} - {_MANAGERS}
    for name, sort in _entries(folder, root, fault).items():
        suffix = Path(name).suffix.lower()
        if name == _MANAGERS:
            fault(folder / name, "managers' pages have no theme")
        elif suffix == ".js":
            fault(folder / name, "a theme holds no scripts")
        elif not _NAME.fullmatch(name) or suffix not in _SUFFIXES:
            fault(folder / name, f"must be a plain name that ends in one of {', '.join(_SUFFIXES)}")
        elif suffix == ".css" and name not in ours:
            fault(folder / name, f"stands in for none of our style sheets{did_you_mean(name, ours)}; see theme.css")
        else:
            content = _content(folder / name, sort, MAX_FILE, fault)
            if content is not None:
                whole += len(content)
                found.statics[name] = pack(content, TYPES[suffix])
    if whole > MAX_ALL:
        fault(folder, f"is larger than {MAX_ALL} bytes in all")
