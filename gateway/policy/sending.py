"""What is sent in place of what was asked: `send`, and the policy's own spelling of a path.

Rule: a guest may ask with the names that `send` knows, and what he gives them is dropped before anything is
judged; what the policy writes stands there then, once. A path that matches without regard to case goes out as the
policy writes it, its variables and patterns as they came.

Why dropped and not compared: players send these names with values of their own (a session they made up, a
source they remember), and a server that reads the first or the last of two would have its choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gateway.policy.automaton import Automaton, Graph, spans
from gateway.policy.marked import marked_graph
from gateway.policy.target import Target, fold_name
from gateway.policy.template import Part, PathTemplate, Text, Values, Variable, filled

SentHeaders = tuple[tuple[str, str | None], ...]
"""Names and what they are set to; None: not sent at all."""

_SAFE_IN_PATH = "/!$&'()*+,=:@"
# Characters that can stand in a header as they are; others are percent-encoded, as in a URL.
_SAFE_IN_HEADER = "".join(chr(code) for code in range(0x20, 0x7F))


@dataclass(frozen=True, slots=True)
class Send:
    """`query` and `headers`: name -> what it is set to; None removes. Names as the policy spells them."""

    query: Mapping[str, tuple[Part, ...] | None]
    headers: Mapping[str, tuple[Part, ...] | None]
    removed: frozenset[str] = frozenset()  # names of `query` that are removed, folded

    @property
    def pinned(self) -> tuple[str, ...]:
        """Names of the query that are held to something."""
        return tuple(name for name, parts in self.query.items() if parts is not None)

    @property
    def variables(self) -> tuple[str, ...]:
        filled = [*self.query.values(), *self.headers.values()]
        return tuple(part.name for parts in filled for part in parts or () if isinstance(part, Variable))

    def asked(self, target: Target) -> Target | None:
        """What is left to be judged of what the guest asked; None where a name that is removed is still there in
        another spelling, under which some server would find it."""
        if self.removed and any(name not in self.query and fold_name(name) in self.removed for name, _ in target.pairs):
            return None
        if not any(name in self.query for name, _ in target.pairs):
            return target
        pieces = zip(target.query.split("&"), target.pairs, strict=True)
        kept = [(piece, pair) for piece, pair in pieces if pair[0] not in self.query]
        return Target(target.path, "&".join(piece for piece, _ in kept), target.text, tuple(pair for _, pair in kept))

    def onto(self, judged: Target, values: Values) -> Target | None:
        """What is sent; None where a variable has no value."""
        query, pairs = judged.query, judged.pairs
        for name, parts in self.query.items():
            if parts is None:
                continue
            value = filled(parts, values)
            if value is None:
                return None
            query += ("&" if query else "") + f"{quote(name, safe='')}={quote(value, safe='')}"
            pairs += ((name, value),)
        return Target(judged.path, query, judged.text, pairs)

    def set_headers(self, values: Values) -> SentHeaders | None:
        """None where a variable has no value."""
        out: list[tuple[str, str | None]] = []
        for name, parts in self.headers.items():
            value = None
            if parts is not None:
                value = filled(parts, values)
                if value is None:
                    return None
                value = quote(value.strip(), safe=_SAFE_IN_HEADER)
            out.append((name, value))
        return tuple(out)


class Spelling:
    """One path template whose literals match in any case: finds the policy's spelling of a path."""

    __slots__ = ("_exact", "_graph", "_literals", "_marks")

    def __init__(self, path: PathTemplate, values: Values) -> None:
        exact = Graph()
        exact.accept(path.into(exact), 0)
        self._exact = Automaton(exact, values)
        graph, marks = marked_graph(path, values, lambda part: isinstance(part, Text), any_case=True)
        self._graph = graph
        self._marks = marks
        self._literals = {str(index): part.text for index, part in enumerate(path.parts) if isinstance(part, Text)}

    def of(self, target: Target) -> Target | None:
        """The target as the policy spells it; None where it does not match."""
        if self._exact.match(target.text):
            return target
        found = spans(self._graph, self._marks, target.text)
        if found is None:
            return None
        text = list(target.text)
        for name, (begin, end) in found.items():
            text[begin:end] = self._literals[name]  # of the same length
        spelled = "".join(text)
        return Target(quote(spelled, safe=_SAFE_IN_PATH), target.query, spelled, target.pairs)
