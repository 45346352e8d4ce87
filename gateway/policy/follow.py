"""What a followed answer may make reachable: `follow` and `origins` of the policy language. Pure.

Rule: an address that an answer names becomes reachable when it lies inside `to`, without `to` when it lies in
the answer's own folder or below. What lies inside is judged like everything else: on canonical text, decoded
once, by an automaton; and it is judged again whenever it is asked for, by the policy that is in force then.

A query is free where `to` writes none, since servers sign their addresses in it, except for names that a rule
of the policy pins: `/cdn/abc/x.ts?id=other` would be another item. Such a name passes only with a value that
every rule which writes it would take. A `to` with a query (`/v/{id}/**?id={id}&*`) means it as a rule does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.policy.automaton import Automaton, Graph
from gateway.policy.decide import Variables
from gateway.policy.target import Target, fold_name, smuggled_name
from gateway.policy.template import QueryTemplate

if TYPE_CHECKING:
    from gateway.policy.model import Rule

DEEPEST = 3  # playlists below the answer of the rule itself


@dataclass(frozen=True, slots=True)
class Follow:
    """How the answers of one rule are followed. `mark` names the rule in signed URLs, on every worker alike."""

    as_: str
    mark: bytes
    graph: Graph | None = field(repr=False)  # of origin and path; None: the answer's own folder
    queries: tuple[QueryTemplate | None, ...] = ()  # by what the graph accepts; None where none is written
    texts: tuple[str, ...] = ()  # as written, for explanations


@dataclass(frozen=True, slots=True)
class Place:
    """A target on the media server itself (`origin` is "") or on another origin of the policy."""

    origin: str
    target: Target

    @property
    def text(self) -> str:
        return self.origin + self.target.text

    @property
    def sent(self) -> str:
        return self.origin + self.target.sent

    @property
    def folder(self) -> str:
        """With the slash at its end."""
        return self.text.rpartition("/")[0] + "/"


class Reach:
    """`to` of one rule, bound to the variables of one grant."""

    def __init__(self, follow: Follow, variables: Variables, rules: Sequence[Rule], pinned: Collection[str]) -> None:
        self._variables = variables
        self._pinned = pinned
        self._queries = follow.queries
        self._automaton = Automaton(follow.graph, variables) if follow.graph is not None else None
        self._rules = rules

    def holds(self, place: Place, folder: str) -> bool:
        """`folder`: that of the rule's own answer."""
        target = place.target
        if target.pairs and smuggled_name(target, self._pinned) is not None:
            return False
        if self._automaton is None:
            return not place.origin and place.text.startswith(folder) and self._free(target)
        for index in self._automaton.match(place.text):
            query = self._queries[index]
            if self._free(target) if query is None else query.admits(target.pairs, self._variables, self._pinned):
                return True
        return False

    def beside(self, base: str, folder: str) -> Callable[[str], bool]:
        """`holds` for many names without a query that lie in the folder `base`."""
        if self._automaton is None:
            inside = base.startswith(folder) and base.startswith("/")
            return lambda name: inside
        accepted = self._automaton.behind(base)
        takes = [query is None or not query.needed for query in self._queries]
        return lambda name: any(takes[index] for index in accepted(name))

    def _free(self, target: Target) -> bool:
        seen = set()
        for name, value in target.pairs:
            folded = fold_name(name)
            if folded not in self._pinned:
                continue
            writing = [rule.query for rule in self._rules if name in rule.query.wanted]
            if name in seen or not writing or not all(one.takes(name, value, self._variables) for one in writing):
                return False
            seen.add(name)
        return True
