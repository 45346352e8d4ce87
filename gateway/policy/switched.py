"""`{interactions.chat}` in the claims of a `jwt`: true where that group is on in guest_access, else false.

Some servers let or leave a guest by what a token says, and not by requests that a rule could allow. Then a group may
stand there without a rule: its claims are what it switches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gateway.policy.written import JsonDocument, KindDocument
from gateway.yaml_source import Way, did_you_mean

_SWITCH = re.compile(r"\{interactions\.([^{}]*)\}")


class Switched:
    """Of one policy. `groups`: all that some kind has; `on`: those that guest_access names."""

    def __init__(self, groups: Iterable[str], on: frozenset[str], note: Callable[[Way, str], None]) -> None:
        self._groups = frozenset(groups)
        self._on = on
        self._note = note
        self._used: set[str] = set()

    def within(self, claims: JsonDocument) -> JsonDocument:
        """The claims, with true or false for each such text."""
        return replace(claims, data=self._switched(claims.data, claims.way))

    def look_at(self, kinds: Iterable[KindDocument]) -> None:
        """A group that switches nothing would be a promise."""
        for kind in kinds:
            with_rules = {rule.group for rule in kind.allow}
            for said in kind.groups:
                if said.text not in with_rules and said.text not in self._used:
                    what = f"no rule is in it, and no claim of a jwt says {{interactions.{said.text}}}"
                    self._note(said.way, f"{said.text}: {what}")

    def _switched(self, data: Any, way: Way) -> Any:
        if isinstance(data, dict):
            return {name: self._switched(value, (*way, name)) for name, value in data.items()}
        if isinstance(data, list):
            return [self._switched(value, (*way, index)) for index, value in enumerate(data)]
        found = _SWITCH.fullmatch(data) if isinstance(data, str) else None
        if found is None:
            return data
        name = found[1]
        self._used.add(name)
        if name not in self._groups:
            self._note(way, f"no kind has interactions named {name}{did_you_mean(name, sorted(self._groups))}")
        return name in self._on
