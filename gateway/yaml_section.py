"""Reading one mapping of a YAML file key by key: what is missing, unknown, not implemented or wrong is
noted at its place, and something harmless stands in for it, so that the rest is found too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from gateway.yaml_source import KEY, Source, Way, did_you_mean

T = TypeVar("T")


def label(way: Way) -> str:
    """`servers[0].name`, as it stands before what is wrong."""
    out = ""
    for step in way:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out


class Section:
    """A mapping at `way`. `later`: keys of the language that this version does not have; an empty
    mapping, list or null there is the same as none."""

    def __init__(self, source: Source, data: Any, way: Way, known: Sequence[str], later: Sequence[str] = ()) -> None:
        self.source = source
        self.way = way
        self.written = data is not None
        self.data: dict[str, Any] = {}
        if data is None:
            return
        if not isinstance(data, dict):
            self.fault(way, "must be a mapping (key: value)")
            return
        self.data = data
        for key, value in data.items():
            if key in known:
                continue
            if key not in later:
                self.fault((*way, key, KEY), f"unknown key{did_you_mean(key, (*known, *later))}")
            elif value is not None and value != {} and value != []:
                self.fault((*way, key, KEY), "this version does not implement it")

    def fault(self, way: Way, what: str) -> None:
        """Note a mistake, with the way to it in front."""
        named = label(tuple(step for step in way if step != KEY))
        self.source.fault(way, f"{named}: {what}" if named else what)

    def missing(self, key: str, what: str = "is missing") -> None:
        """Note at the mapping's own place what ought to stand in it."""
        self.source.fault(self.way, f"{label((*self.way, key))}: {what}")

    def has(self, key: str) -> bool:
        return self.data.get(key) is not None

    def get(self, key: str, parse: Callable[[Any], T], default: T) -> T:
        """The value of `key` as `parse` reads it; the default where there is none, or a wrong one."""
        if not self.has(key):
            return default
        return self.parsed(self.data[key], (*self.way, key), parse, default)

    def need(self, key: str, parse: Callable[[Any], T], instead: T) -> T:
        """As `get`, for a key that must be there."""
        if not self.has(key):
            if isinstance(self.data, dict) and key in self.data:
                self.fault((*self.way, key), "must not be empty")
            else:
                self.missing(key)
            return instead
        return self.get(key, parse, instead)

    def parsed(self, value: Any, way: Way, parse: Callable[[Any], T], default: T) -> T:
        try:
            return parse(value)
        except ValueError as error:
            self.fault(way, str(error))
            return default

    def section(self, key: str, known: Sequence[str], later: Sequence[str] = ()) -> Section:
        """The mapping under `key`; an empty one where there is none."""
        return Section(self.source, self.data.get(key), (*self.way, key), known, later)

    def items(self, key: str) -> Iterator[tuple[Any, Way]]:
        """The entries of the list under `key`, each with its way."""
        value = self.data.get(key)
        if value is None or value == {}:
            return
        if not isinstance(value, list):
            self.fault((*self.way, key), "must be a list ([a, b], or lines that begin with -)")
            return
        for index, item in enumerate(value):
            yield item, (*self.way, key, index)

    def each(self, key: str, parse: Callable[[Any], T]) -> tuple[T, ...]:
        """The entries of a list of texts; wrong and repeated ones are noted and left out."""
        found: list[T] = []
        for item, way in self.items(key):
            try:
                value = parse(item)
            except ValueError as error:
                self.fault(way, str(error))
                continue
            if value in found:
                self.fault(way, "stands here twice")
            else:
                found.append(value)
        return tuple(found)
