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
from gateway.policy.target import Ambiguity, Target, fold_name, parse_target, smuggled_name
from gateway.policy.template import QueryTemplate

if TYPE_CHECKING:
    from gateway.policy.model import Rule

MAX_NAME = 80  # characters of a file name at the end of a URL
NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
DEEPEST = 3  # lists below the answer of the rule itself
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"


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


def place_elsewhere(value: str, origins: Collection[str]) -> Place | None:
    """The one canonical place on one of these origins that a variable's value names."""
    scheme, mark, rest = value.partition("://")
    host, slash, path = rest.partition("/")
    scheme, host = (
        scheme.lower(),
        host.lower().removesuffix({"https": ":443", "http": ":80"}.get(scheme.lower(), "://")),
    )
    origin = f"{scheme}://{host}"
    if not (mark and slash) or origin not in origins:
        return None
    target = parse_target("/" + path.partition("#")[0])
    return None if isinstance(target, Ambiguity) else Place(origin, target)


class Beside:
    """What of one folder lies inside: for all plain names alike, or by their name."""

    def __init__(
        self,
        reach: Reach,
        queries: Sequence[QueryTemplate | None],
        settled: tuple[int, ...] | None,
        accepted: Callable[[str], tuple[int, ...]] | None = None,
    ) -> None:
        self._reach, self._queries = reach, queries
        self._settled, self._accepted = settled, accepted

    def holding(self, target: Target) -> bool | Callable[[str], bool]:
        """Which names do, with the query of `target`."""
        if self._reach.smuggles(target):
            return False
        if not self._queries:
            return bool(self._settled) and self._reach.takes(None, target)
        taken = {index for index, query in enumerate(self._queries) if self._reach.takes(query, target)}
        if self._settled is not None:
            return not taken.isdisjoint(self._settled)
        accepted = self._accepted
        assert accepted is not None
        return (lambda name: not taken.isdisjoint(accepted(name))) if taken else False


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
        if self.smuggles(target):
            return False
        if self._automaton is None:
            return not place.origin and place.text.startswith(folder) and self.takes(None, target)
        return any(self.takes(self._queries[index], target) for index in self._automaton.match(place.text))

    @property
    def own_folder(self) -> bool:
        """Whether no `to` is written."""
        return self._automaton is None

    def beside(self, base: str, folder: str) -> Beside:
        """`holds` for many plain names in the folder `base`."""
        if self._automaton is None:
            inside = base.startswith(folder) and base.startswith("/")
            return Beside(self, (), (0,) if inside else ())
        settled = self._automaton.settled(base, _PLAIN)
        if settled is not None:
            return Beside(self, self._queries, settled)
        return Beside(self, self._queries, None, self._automaton.behind(base))

    def takes(self, query: QueryTemplate | None, target: Target) -> bool:
        """Whether a place may have the query of `target`, where `to` writes this one."""
        if query is not None:
            return query.admits(target.pairs, self._variables, self._pinned)
        return not target.pairs or self._free(target)

    def smuggles(self, target: Target) -> bool:
        return bool(target.pairs) and smuggled_name(target, self._pinned) is not None

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


def file_name(target: Target) -> str:
    """What a player sees at the end of a URL: the original name, in plain characters."""
    last = target.text.rpartition("/")[2]
    name = "".join(character if character in NAME_CHARACTERS else "_" for character in last)[-MAX_NAME:].strip(".")
    return name or "file"
