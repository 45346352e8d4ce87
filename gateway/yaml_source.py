"""YAML with places: plain data plus the line and column of every key and value.

Rule: what an operator wrote is either wholly understood or every fault in it is named as
`file:line:column: what`, all at once.

Why not a plain loader: YAML keeps the last of two equal keys in silence, resolves tags into objects,
and lets an alias blow up; each of these is a fault here. YAML 1.1 also reads 1:30 as ninety, 010 as eight
and 2026-11-20 as a date; here they stay the texts that stand there, as in YAML 1.2. Keys, places and limits
come from the node tree, which carries marks.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gateway import files

MAX_BYTES = 1_000_000
MAX_DEPTH = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A default may hold a template's own braces: ${ROOT:-/hls/{id}}.
_HOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-((?:[^{}]|\{[^{}]*\})*))?\}")
# Whole numbers and fractions as people write them.
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)")
_CORE = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))

# A way to a value: keys and indices from the root. KEY marks the key itself rather than its value.
KEY = "#key"
Way = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake and where it stands; line and column count from 1."""

    file: str
    line: int
    column: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}"


@dataclass(slots=True)
class Source:
    """A read file: `data` is plain Python, `faults` grows while it is read and checked."""

    file: str
    data: Any = None
    faults: list[Fault] = field(default_factory=list)
    _marks: dict[Way, tuple[int, int]] = field(default_factory=dict)
    # Environment names that were asked for and are not set, with the way to each.
    _unset: list[tuple[Way, str]] = field(default_factory=list)
    # Numbers and truth values, as they are written.
    _plain: dict[Way, str] = field(default_factory=dict)
    # Values that the environment has a part in.
    _filled: set[Way] = field(default_factory=set)

    def place(self, way: Way) -> tuple[int, int]:
        """Line and column of what stands at `way`, or of its nearest parent that was written."""
        at = tuple(way)
        while at and at not in self._marks:
            at = at[:-1]
        return self._marks.get(at, (1, 1))

    def fault(self, way: Way, what: str) -> None:
        """Note a mistake at `way`; the same mistake at the same place is noted once. What is filled from an
        environment name that is not set is unknown, and no mistake of its own."""
        if any(way == unknown for unknown, _ in self._unset):
            return
        self._note(way, what)

    def blamed(self, way: Way) -> bool:
        """Whether a mistake has been noted at this very place."""
        return any((fault.line, fault.column) == self.place(way) for fault in self.faults)

    def _note(self, way: Way, what: str) -> None:
        line, column = self.place(way)
        found = Fault(self.file, line, column, what)
        if found not in self.faults:
            self.faults.append(found)

    def report_unset(self) -> None:
        """Turn unset environment names into faults (config, and policies that are really used)."""
        for way, name in self._unset:
            self._note(way, f"the environment variable {name} is not set here (set it, or write ${{{name}:-default}})")

    def filled(self, way: Way) -> bool:
        """Whether the value at `way` came from the environment, and so does not stand in the file."""
        return way in self._filled

    def as_written(self, way: Way) -> str | None:
        """The characters of a number or truth value; None for anything else."""
        return self._plain.get(way)

    @property
    def unset(self) -> bool:
        return bool(self._unset)


def read(path: Path, *, shown: str | None = None, environ: Mapping[str, str] | None = None) -> Source:
    """Read one YAML file; never raises for what is in it, see `Source.faults`.

    `shown` is the name used in faults (default: the path as given). `${NAME}` and `${NAME:-default}`
    in string values and keys are filled from `environ` (default: the process's own). An unset name leaves an
    empty text and is remembered: see `Source.report_unset`.
    """
    name = shown or str(path)
    source = Source(name)
    try:
        raw = files.content(path)
    except OSError as error:
        source.fault((), f"can't be read: {error.strerror or error}")
        return source
    return read_text(raw, name=name, environ=environ)


def read_text(raw: bytes | str, *, name: str, environ: Mapping[str, str] | None = None) -> Source:
    """As `read`, for bytes that are already here."""
    source = Source(name)
    if len(raw) > MAX_BYTES:
        source.fault((), f"larger than {MAX_BYTES} bytes")
        return source
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
    except UnicodeDecodeError as error:
        source.fault((), f"not UTF-8: {error.reason} at byte {error.start}")
        return source
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            walker = _Walker(source, loader, environ if environ is not None else os.environ)
            source.data = walker.walk(node, (), 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        source.faults.append(Fault(name, line, column, f"not YAML: {what}"))
    finally:
        loader.dispose()
    return source


class _Walker:
    def __init__(self, source: Source, loader: Any, environ: Mapping[str, str]) -> None:
        self._source = source
        self._loader = loader
        self._environ = environ
        self._seen: set[int] = set()

    def walk(self, node: Any, way: Way, depth: int) -> Any:
        mark = (node.start_mark.line + 1, node.start_mark.column + 1)
        self._source._marks.setdefault(way, mark)
        if depth > MAX_DEPTH:
            self._source.fault(way, f"nested deeper than {MAX_DEPTH}")
            return None
        if id(node) in self._seen:
            # The composer hands the same node to an anchor and to each of its aliases.
            self._source.faults.append(Fault(self._source.file, *mark, "anchors and aliases are not used here"))
            return None
        self._seen.add(id(node))
        if node.tag != self._usual_tag(node):
            self._source.fault(way, f"tags are not used here ({node.tag})")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, way, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.walk(item, (*way, index), depth + 1) for index, item in enumerate(node.value)]
        return self._scalar(node, way)

    def _usual_tag(self, node: Any) -> str:
        """The tag a node has when none is written."""
        if not isinstance(node, yaml.ScalarNode):
            return str(self._loader.resolve(type(node), None, True))
        plain = not node.style  # None or "", by the parser
        return str(self._loader.resolve(yaml.ScalarNode, node.value, (plain, not plain)))

    def _mapping(self, node: Any, way: Way, depth: int) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        lines: dict[Any, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._source._marks[(*way, KEY)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
                self._source.fault((*way, KEY), "a key must be plain text")
                continue
            # Keys are texts as they are written: `on:` and `404:` are names here, not booleans or numbers.
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            key = self._key(str(key_node.value), way, place)
            if key in lines:
                self._source.faults.append(
                    Fault(self._source.file, *place, f"{key}: given twice (first on line {lines[key]})")
                )
                continue
            lines[key] = place[0]
            self._source._marks[(*way, key, KEY)] = place
            out[key] = self.walk(value_node, (*way, key), depth + 1)
        return out

    def _key(self, text: str, way: Way, place: tuple[int, int]) -> str:
        """Filled like a value; as it is written where that is not known."""
        if "${" not in text:
            return text
        at = (*way, text, KEY)
        self._source._marks[at] = place
        before = len(self._source._unset)
        filled = self._fill(text, at)
        return filled if len(self._source._unset) == before else text

    def _scalar(self, node: Any, way: Way) -> Any:
        kind = node.tag.rpartition(":")[2]
        if node.tag not in _CORE or (kind in ("int", "float") and not _NUMBER.fullmatch(node.value)):
            return self._fill(node.value, way)
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self._source.fault(way, f"can't be read: {error}")
            return None
        if isinstance(value, str):
            return self._fill(value, way)
        if value is not None:
            self._source._plain[way] = node.value
        return value

    def _fill(self, text: str, way: Way) -> str:
        def one(match: re.Match[str]) -> str:
            name, has_default, default = match.group(1), match.group(2), match.group(3)
            if name in self._environ:
                self._source._filled.add(way)
                return self._environ[name]
            if has_default is not None:
                return default or ""
            self._source._unset.append((way, name))
            return ""

        if "${" not in text:
            return text
        if "${" in _HOLE.sub("", text):
            self._source.fault(way, "a variable of the environment is written ${NAME} or ${NAME:-default}")
        return _HOLE.sub(one, text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A closing remark for an unknown word: ` (did you mean x?)`, or the list, or nothing."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (known: {', '.join(names)})" if 0 < len(names) <= 12 else ""
