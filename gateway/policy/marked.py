"""Where in a path the parts of its template stand: a graph in which some parts are marked (see `automaton.spans`)."""

from __future__ import annotations

from collections.abc import Callable

from gateway.policy.automaton import Graph, spans
from gateway.policy.template import Hole, Part, PathTemplate, TokenHole, Values, Variable, add_part

Marks = dict[int, list[tuple[str, bool]]]


def marked_graph(
    path: PathTemplate, values: Values, wanted: Callable[[Part], bool], *, any_case: bool
) -> tuple[Graph, Marks]:
    """The `wanted` parts are marked by their index. `values`: as the graph of all paths is bound to them."""
    graph = Graph(any_case=any_case)
    marks: Marks = {}
    at = 0
    for index, part in enumerate(path.parts):
        # Nodes of their own around each part, so that a mark is passed once.
        entry, end = graph.node(), graph.node()
        graph.links[at].append(entry)
        if isinstance(part, Variable):
            for text in path.values_at(index, values):
                branch = graph.node()
                graph.links[entry].append(branch)
                graph.links[graph.exact(branch, text)].append(end)
        else:
            inside = part.pattern.into(graph, entry) if isinstance(part, Hole) else add_part(graph, entry, part)
            graph.links[inside].append(end)
        if wanted(part):
            marks.setdefault(entry, []).append((str(index), True))
            marks.setdefault(end, []).append((str(index), False))
        at = end
    graph.accept(at, 0)
    return graph, marks


class TokenPlaces:
    """The tokens in one path template, bound to one grant."""

    __slots__ = ("_graph", "_marks", "_parts", "_values")

    def __init__(self, path: PathTemplate, values: Values, *, any_case: bool) -> None:
        self._graph, self._marks = marked_graph(
            path, values, lambda part: isinstance(part, TokenHole), any_case=any_case
        )
        self._parts = path.parts
        self._values = values

    def hold(self, text: str) -> bool:
        """Whether each token in this path has its claim."""
        found = spans(self._graph, self._marks, text)
        if found is None:
            return False
        for index, (begin, end) in found.items():
            part = self._parts[int(index)]
            if not isinstance(part, TokenHole) or not part.holds(text[begin:end], self._values):
                return False
        return True
