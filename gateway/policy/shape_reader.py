"""Mappings, lists, texts and flags out of YAML. Whatever is wrong is noted and replaced by something harmless, so that
the rest of the faults is found too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.policy.written import Said
from gateway.yaml_source import KEY, Source, Way, did_you_mean

# The keys that this version has not; a text of their own, since who writes one relies on it.
LATER = {
    "rule": ("coalesce",),
}  # fmt: skip


class ShapeReader:
    """Reads shapes; faults go to `source`."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def mapping(self, data: Any, way: Way, known: tuple[str, ...], later: str = "") -> dict[str, Any]:
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.source.fault(way, "must be a mapping (key: value)")
            return {}
        to_come = LATER.get(later, ())
        for key, value in data.items():
            if key in known:
                continue
            if key in to_come:
                # Empty and false mean the same as absent.
                if value not in ({}, [], None, False):
                    self.source.fault((*way, key, KEY), f"{key}: this version does not implement it")
            else:
                self.source.fault((*way, key, KEY), f"{key}: unknown key{did_you_mean(key, (*known, *to_come))}")
        return data

    def names(self, data: Any, way: Way) -> dict[str, Any]:
        """A mapping whose keys the operator chose."""
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.source.fault(way, "must be a mapping (name: value)")
            return {}
        return data

    def items(self, data: Any, way: Way) -> list[tuple[Any, Way]]:
        if data is None:
            return []
        if not isinstance(data, list):
            self.source.fault(way, "must be a list")
            return []
        return [(item, (*way, index)) for index, item in enumerate(data)]

    def text(self, data: Any, way: Way, *, empty: bool = False) -> Said:
        """`empty`: an empty text is one, too. Elsewhere it would stand for one that is missing, and say nothing."""
        if data == "" and not empty:
            self.source.fault(way, "must not be empty")
        if not isinstance(data, str):
            hint = "" if isinstance(data, (dict, list)) or data is None else "; write it in quotes"
            self.source.fault(way, f"must be text{hint}")
            return Said("", way)
        return Said(data, way)

    def value(self, data: Any, way: Way) -> Said:
        """A text that is sent as it stands here, and so needs no quotes where it is a number or true."""
        written = self.source.as_written(way)
        return Said(written, way) if written is not None else self.text(data, way, empty=True)

    def optional(self, data: Mapping[str, Any], key: str, way: Way) -> Said | None:
        return self.text(data[key], (*way, key)) if data.get(key) is not None else None

    def flag(self, data: Mapping[str, Any], key: str, way: Way, default: bool) -> bool:
        value = data.get(key, default)
        if not isinstance(value, bool):
            self.source.fault((*way, key), f"{key}: must be true or false")
            return default
        return value

    def needed(self, data: Mapping[str, Any], key: str, way: Way) -> Said:
        if data.get(key) is None:
            self.source.fault(way, f"{key}: is missing")
            return Said("", way)
        return self.text(data[key], (*way, key))

    def texts(self, data: Any, way: Way, *, empty: bool = False) -> dict[str, Said]:
        return {name: self.text(value, (*way, name), empty=empty) for name, value in self.names(data, way).items()}
