"""A finite automaton that is determinised as it is used.

Rule: matching costs one table look-up per character, however many templates were put in and whatever
the input is; nothing backtracks.

Why our own: `re` backtracks, so one careless pattern lets a guest stop the worker, and trying one
expression per rule makes a policy slower with each rule. Here all paths of a policy become one graph;
templates with a common beginning share it. A deterministic state is built the first time it is
needed and kept; the store of states is bounded and simply emptied when it is full.

Variables are edges with a name. They get their texts when a graph is bound to one grant, so a policy
is compiled once and binding is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

MAX_NODES = 50_000
_MAX_STATES = 4_096
_MAX_EDGES = 256

Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class CharSet:
    """Characters by ranges of code points. A negated set never holds a slash."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False

    def holds(self, character: str) -> bool:
        code = ord(character)
        inside = any(low <= code <= high for low, high in self.ranges)
        if self.negated:
            return not inside and character != "/"
        return inside


ANY_BUT_SLASH = CharSet((), negated=True)


class Graph:
    """A non-deterministic automaton under construction; node 0 is the start.

    Edges: one character, a set, nothing (`link`), or a variable's whole text. `any_case`: literals match in
    any case; sets and variables stay exact.
    """

    def __init__(self, *, any_case: bool = False) -> None:
        self.any_case = any_case
        self.characters: list[dict[str, list[int]]] = []
        self.sets: list[list[tuple[CharSet, int]]] = []
        self.links: list[list[int]] = []
        self.variables: list[list[tuple[str, int]]] = []
        self.accepts: dict[int, list[int]] = {}
        # Edges that came from a shared beginning: (node, what stands on the edge) -> node behind it.
        self._shared: dict[tuple[int, str, str], int] = {}
        self.node()

    def node(self) -> int:
        if len(self.characters) >= MAX_NODES:
            raise OverflowError("too large")
        self.characters.append({})
        self.sets.append([])
        self.links.append([])
        self.variables.append([])
        return len(self.characters) - 1

    def character(self, start: int, character: str, end: int) -> None:
        self.characters[start].setdefault(character, []).append(end)

    def accept(self, node: int, what: int) -> None:
        self.accepts.setdefault(node, []).append(what)

    def shared(self, start: int, sort: str, label: str) -> int | None:
        return self._shared.get((start, sort, label))

    def share(self, start: int, sort: str, label: str, end: int) -> None:
        self._shared[(start, sort, label)] = end

    def literal(self, start: int, text: str) -> int:
        """Walk along `text` from `start`, using what is there already."""
        if not self.any_case:
            return self.exact(start, text)
        at = start
        for character in text:
            cases = {character, character.lower(), character.upper()}
            label = min(one for one in cases if len(one) == 1)
            following = self.shared(at, "either", label)
            if following is None:
                following = self.node()
                for one in cases:
                    if len(one) == 1:
                        self.character(at, one, following)
                self.share(at, "either", label, following)
            at = following
        return at

    def exact(self, start: int, text: str) -> int:
        """As `literal`, in the case that stands there."""
        at = start
        for character in text:
            following = self.shared(at, "character", character)
            if following is None:
                following = self.node()
                self.character(at, character, following)
                self.share(at, "character", character, following)
            at = following
        return at

    def variable(self, start: int, name: str) -> int:
        following = self.shared(start, "variable", name)
        if following is None:
            following = self.node()
            self.variables[start].append((name, following))
            self.share(start, "variable", name, following)
        return following

    def some(self, start: int, *, across: bool) -> int:
        """One or more characters of a segment; `across`: and further non-empty segments."""
        sort = "**" if across else "*"
        following = self.shared(start, sort, "")
        if following is None:
            following = self.node()
            self.sets[start].append((ANY_BUT_SLASH, following))
            self.sets[following].append((ANY_BUT_SLASH, following))
            if across:
                between = self.node()
                self.character(following, "/", between)
                self.sets[between].append((ANY_BUT_SLASH, following))
            self.share(start, sort, "", following)
        return following


# A node, or a place inside a variable's text: (text, offset, node behind it).
_Position = int | tuple[str, int, int]


class _State:
    __slots__ = ("accepts", "edges", "positions")

    def __init__(self, positions: frozenset[_Position], accepts: tuple[int, ...]) -> None:
        self.positions = positions
        self.accepts = accepts
        self.edges: dict[str, _State] = {}


class Automaton:
    """A graph bound to the values of its variables. A variable without values matches nothing."""

    def __init__(self, graph: Graph, values: Values | None = None) -> None:
        self._graph = graph
        self._values = values or {}
        self._closures: dict[int, frozenset[_Position]] = {}
        self._states: dict[frozenset[_Position], _State] = {}
        self._dead = self._state(frozenset())
        self._start = self._state(self._closure(0))

    def match(self, text: str) -> tuple[int, ...]:
        """What the whole of `text` is accepted as, in ascending order; () for nothing."""
        return self._walk(self._start, text).accepts

    def behind(self, prefix: str) -> Callable[[str], tuple[int, ...]]:
        """`match` for many texts that begin alike: takes what follows `prefix`."""
        begun = self._walk(self._start, prefix)
        if begun is self._dead:
            return lambda rest: ()
        return lambda rest: self._walk(begun, rest).accepts

    def settled(self, prefix: str, alphabet: str) -> tuple[int, ...] | None:
        """What each text is accepted as that goes on behind `prefix` in these characters, one or more; None where
        that differs from text to text."""
        begun = self._walk(self._start, prefix)
        if begun is self._dead:
            return ()
        after = self._walk(begun, alphabet[0])
        same = all(self._walk(state, character) is after for state in (begun, after) for character in alphabet)
        return after.accepts if same else None

    def _walk(self, state: _State, text: str) -> _State:
        dead = self._dead
        for character in text:
            following = state.edges.get(character)
            if following is None:
                following = self._step(state, character)
            if following is dead:
                return dead
            state = following
        return state

    def _step(self, state: _State, character: str) -> _State:
        found: set[_Position] = set()
        for position in state.positions:
            if isinstance(position, int):
                for end in self._graph.characters[position].get(character, ()):
                    found |= self._closure(end)
                for charset, end in self._graph.sets[position]:
                    if charset.holds(character):
                        found |= self._closure(end)
            else:
                text, offset, end = position
                if text[offset] == character:
                    if offset + 1 == len(text):
                        found |= self._closure(end)
                    else:
                        found.add((text, offset + 1, end))
        following = self._state(frozenset(found))
        # Only so many edges are kept: a guest may send any of a million characters.
        if len(state.edges) < _MAX_EDGES:
            state.edges[character] = following
        return following

    def _state(self, positions: frozenset[_Position]) -> _State:
        state = self._states.get(positions)
        if state is None:
            accepts = {
                what
                for position in positions
                if isinstance(position, int)
                for what in self._graph.accepts.get(position, ())
            }
            if len(self._states) >= _MAX_STATES:
                self._forget()
            state = self._states[positions] = _State(positions, tuple(sorted(accepts)))
        return state

    def _forget(self) -> None:
        kept = (self._dead, self._start)
        self._states.clear()
        for state in kept:
            state.edges.clear()
            self._states[state.positions] = state

    def _closure(self, node: int) -> frozenset[_Position]:
        closure = self._closures.get(node)
        if closure is None:
            found: set[_Position] = set()
            todo = [node]
            while todo:
                at = todo.pop()
                if at in found:
                    continue
                found.add(at)
                todo += self._graph.links[at]
                for name, end in self._graph.variables[at]:
                    found.update((text, 0, end) for text in self._values.get(name, ()) if text)
            closure = self._closures[node] = frozenset(found)
        return closure


_Spans = dict[str, tuple[int, int]]


def captures(graph: Graph, marks: Mapping[int, Iterable[tuple[str, bool]]], text: str) -> dict[str, str] | None:
    """The parts of `text` that named groups cover when the whole of it is accepted, else None; see `spans`."""
    found = spans(graph, marks, text)
    return None if found is None else {name: text[begin:end] for name, (begin, end) in found.items()}


def spans(graph: Graph, marks: Mapping[int, Iterable[tuple[str, bool]]], text: str) -> _Spans | None:
    """Where in `text` named groups begin and end when the whole of it is accepted, else None.

    `marks` tells at which nodes a group begins (True) or ends (False). Threads run side by side, one
    per node, earlier alternatives first (as in Pike's matcher), so this too is linear.
    """

    def add(threads: dict[int, _Spans], node: int, told: _Spans, at: int) -> None:
        todo = [(node, told)]
        while todo:
            here, held = todo.pop()
            if here in threads:
                continue
            for name, begins in marks.get(here, ()):
                begin = at if begins else held.get(name, (at, at))[0]
                held = {**held, name: (begin, at)}
            threads[here] = held
            todo += [(end, held) for end in reversed(graph.links[here])]

    threads: dict[int, _Spans] = {}
    add(threads, 0, {}, 0)
    for index, character in enumerate(text):
        following: dict[int, _Spans] = {}
        for node, held in threads.items():
            for end in graph.characters[node].get(character, ()):
                add(following, end, held, index + 1)
            for charset, end in graph.sets[node]:
                if charset.holds(character):
                    add(following, end, held, index + 1)
        threads = following
    for node, held in threads.items():
        if graph.accepts.get(node):
            return held
    return None
