"""Can one request be allowed by two rules? Asked when a policy is compiled, of rules that go to different addresses.

Rule: a "no" is certain, a "yes" may be too careful. Paths are compared as the automata they are, by walking through
both at once. What a variable will hold is not known yet, so it stands for everything it could: an id for what the
item's pattern matches, another variable for any text (of one segment where it can hold no slash). Queries count
where they tell rules apart for certain: a name that one needs and the other does not take, or two literal values.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from gateway.policy.automaton import ANY_BUT_SLASH, CharSet, Graph
from gateway.policy.pattern import Pattern
from gateway.policy.template import ValueTemplate, Variable, add_part

if TYPE_CHECKING:
    from gateway.policy.model import Rule

_MOST = 200_000  # pairs of places that are looked at; beyond that two rules are taken to overlap


class Meeting:
    """For the rules of one policy. `plain`: variables whose values hold no slash."""

    def __init__(self, item: Pattern, plain: Collection[str], *, any_case: bool) -> None:
        self._item = item
        self._plain = plain
        self._any_case = any_case
        self._graphs: dict[Rule, Graph] = {}

    def may_meet(self, one: Rule, other: Rule) -> bool:
        """Whether some request could be allowed by both."""
        if not any(other.takes(method) for method in one.methods) and not any(
            one.takes(method) for method in other.methods
        ):
            return False
        if _told_apart(one, other) or _told_apart(other, one):
            return False
        return _common(self._graph(one), self._graph(other))

    def _graph(self, rule: Rule) -> Graph:
        graph = self._graphs.get(rule)
        if graph is None:
            graph, at = Graph(any_case=self._any_case), 0
            for index, part in enumerate(rule.path.parts):
                if not isinstance(part, Variable):
                    at = add_part(graph, at, part)
                elif part.name == "id" and not (rule.path.whole and index == 0):
                    at = self._item.into(graph, at)
                else:
                    at = _anything(graph, at, across=part.name not in self._plain)
            graph.accept(at, 0)
            self._graphs[rule] = graph
        return graph


def _anything(graph: Graph, at: int, *, across: bool) -> int:
    """One or more characters, slashes too with `across`."""
    end = graph.node()
    for start in (at, end):
        graph.sets[start].append((ANY_BUT_SLASH, end))
        if across:
            graph.character(start, "/", end)
    return end


def _told_apart(one: Rule, other: Rule) -> bool:
    """Whether a query that `one` needs is certainly none that `other` takes."""
    if one.path.whole or other.path.whole:
        return False
    free = {name for rule in (one, other) if rule.send is not None for name in rule.send.query}
    for name in one.query.needed - free:
        wanted = other.query.wanted.get(name)
        if wanted is None:
            if not other.query.open:
                return True
            continue
        mine = one.query.wanted[name]
        if isinstance(mine, ValueTemplate) and isinstance(wanted, ValueTemplate):
            literals = (mine.literal, wanted.literal)
            if None not in literals and literals[0] != literals[1]:
                return True
    return False


def _common(one: Graph, other: Graph) -> bool:
    """Whether some text is accepted by both."""
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        a, b = todo.pop()
        if a in one.accepts and b in other.accepts:
            return True
        following = [(end, b) for end in one.links[a]] + [(a, end) for end in other.links[b]]
        for character, ends in one.characters[a].items():
            behind = list(other.characters[b].get(character, ()))
            behind += [end for charset, end in other.sets[b] if charset.holds(character)]
            following += [(end, far) for end in ends for far in behind]
        for charset, end in one.sets[a]:
            for character, ends in other.characters[b].items():
                if charset.holds(character):
                    following += [(end, far) for far in ends]
            following += [(end, far) for theirs, far in other.sets[b] if _share(charset, theirs)]
        for pair in following:
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)
        if len(seen) > _MOST:
            return True
    return False


def _share(one: CharSet, other: CharSet) -> bool:
    """Whether a character is in both sets."""
    if one.negated and other.negated:
        return True  # all of Unicode, but for a few
    if one.negated:
        one, other = other, one
    if not other.negated:
        return any(low <= top and bottom <= high for low, high in one.ranges for bottom, top in other.ranges)
    slash = ord("/")
    left = list(one.ranges)
    for bottom, top in (*other.ranges, (slash, slash)):
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, bottom - 1)), (max(low, top + 1), high))
            if piece[0] <= piece[1]
        ]
    return bool(left)
