"""Patterns: the regular expressions of a policy, without the parts that can blow up.

    abc  [a-z0-9_-]  [^/]  .  (ab|cd)  (?:ab)  (?P<part>[a-z]+)  x?  x*  x+  x{3}  x{1,9}  \\.  \\d  \\w

They always match the whole text, so `^` and `$` are left out. `.` and `[^…]` never match a slash.
There are no back references, look-arounds, lazy quantifiers or flags: what is left is a finite
automaton, and matching is linear (see `automaton`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.policy.automaton import ANY_BUT_SLASH, Automaton, CharSet, Graph, captures

MAX_REPEAT = 1_000
_MAX_SIZE = 5_000
_DIGITS = ((0x30, 0x39),)
_WORD = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))


class PatternError(Exception):
    """The pattern can't be used; the text says why, for the operator."""


@dataclass(slots=True)
class _Build:
    """Builds one pattern into a graph; may be run several times (a repeat is a copy)."""

    graph: Graph
    marks: dict[int, list[tuple[str, bool]]]
    size: int = 0

    def node(self) -> int:
        self.size += 1
        if self.size > _MAX_SIZE:
            raise PatternError(f"too large: more than {_MAX_SIZE} steps when its repeats are written out")
        return self.graph.node()


# A parsed piece: given where it starts, it adds itself and returns where it ends.
_Piece = Callable[[_Build, int], int]


@dataclass(frozen=True, slots=True)
class _Parsed:
    piece: _Piece
    slashes: tuple[int, int]  # least and most slashes in a match
    empty: bool  # whether it matches the empty text


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern."""

    text: str
    slashes: int | None  # how many slashes each match holds; None where that varies
    empty: bool
    names: tuple[str, ...]
    _parsed: _Parsed = field(repr=False)
    _graph: Graph = field(repr=False)
    _marks: dict[int, list[tuple[str, bool]]] = field(repr=False)
    _automaton: Automaton = field(repr=False)

    def matches(self, text: str) -> bool:
        return bool(self._automaton.match(text))

    def parts(self, text: str) -> dict[str, str] | None:
        """The named parts of a text that matches, else None."""
        return captures(self._graph, self._marks, text) if self.matches(text) else None

    def can_hold(self, character: str) -> bool:
        """Whether this character can stand in a matching text (every edge lies on a way to a match)."""
        graph = self._graph
        return any(character in edges for edges in graph.characters) or any(
            charset.holds(character) for edges in graph.sets for charset, _ in edges
        )

    def into(self, graph: Graph, start: int) -> int:
        """Copy this pattern into a larger graph behind `start`; the node where it ends."""
        entry = graph.node()
        graph.links[start].append(entry)
        return self._parsed.piece(_Build(graph, {}), entry)


def compile_pattern(text: str) -> Pattern:
    """Raises PatternError with a sentence for the operator."""
    if len(text) > 1_000:
        raise PatternError("longer than 1000 characters")
    parser = _Parser(text)
    parsed = parser.whole()
    graph = Graph()
    marks: dict[int, list[tuple[str, bool]]] = {}
    try:
        end = parsed.piece(_Build(graph, marks), 0)
    except OverflowError as error:
        raise PatternError("too large") from error
    graph.accept(end, 0)
    least, most = parsed.slashes
    return Pattern(
        text=text,
        slashes=least if least == most else None,
        empty=parsed.empty,
        names=tuple(parser.names),
        _parsed=parsed,
        _graph=graph,
        _marks=marks,
        _automaton=Automaton(graph),
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.names: list[str] = []

    def whole(self) -> _Parsed:
        parsed = self._alternatives()
        if self.at < len(self.text):
            raise PatternError("a `)` without its `(`")
        return parsed

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise PatternError("ends too early")
        self.at += 1
        return character

    def _alternatives(self) -> _Parsed:
        branches = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]

        def build(to: _Build, start: int) -> int:
            end = to.node()
            for branch in branches:
                entry = to.node()
                to.graph.links[start].append(entry)
                to.graph.links[branch.piece(to, entry)].append(end)
            return end

        slashes = (min(b.slashes[0] for b in branches), max(b.slashes[1] for b in branches))
        return _Parsed(build, slashes, any(b.empty for b in branches))

    def _sequence(self) -> _Parsed:
        pieces: list[_Parsed] = []
        while self._peek() not in ("", "|", ")"):
            pieces.append(self._repeated())

        def build(to: _Build, start: int) -> int:
            for piece in pieces:
                start = piece.piece(to, start)
            return start

        slashes = (sum(p.slashes[0] for p in pieces), sum(p.slashes[1] for p in pieces))
        return _Parsed(build, slashes, all(p.empty for p in pieces))

    def _repeated(self) -> _Parsed:
        names = len(self.names)
        one = self._single()
        quantifier = self._peek()
        if quantifier not in ("?", "*", "+", "{") or quantifier == "":
            return one
        self.at += 1
        low, high = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(quantifier) or self._bounds()
        if self._peek() in ("?", "*", "+", "{") and self._peek():
            raise PatternError("a quantifier behind a quantifier (lazy and possessive ones are not supported)")
        if len(self.names) > names:
            raise PatternError("a named part can't be repeated")

        def build(to: _Build, start: int) -> int:
            for _ in range(low):
                start = one.piece(to, start)
            if high is None:
                # The loop has an entry of its own, so that going round does not leak into what came before.
                entry = to.node()
                to.graph.links[start].append(entry)
                end = to.node()
                to.graph.links[one.piece(to, entry)].append(entry)
                to.graph.links[entry].append(end)
                return end
            end = to.node()
            for _ in range(high - low):
                to.graph.links[start].append(end)
                entry = to.node()
                to.graph.links[start].append(entry)
                start = one.piece(to, entry)
            to.graph.links[start].append(end)
            return end

        most = MAX_REPEAT * one.slashes[1] if high is None else high * one.slashes[1]
        return _Parsed(build, (low * one.slashes[0], most), low == 0 or one.empty)

    def _bounds(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : end].partition(",")
        numbers = low.isascii() and low.isdigit() and (not high or (high.isascii() and high.isdigit()))
        if end < 0 or not numbers:
            raise PatternError("a repeat is written {3}, {1,9} or {2,}")
        self.at = end + 1
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if least > MAX_REPEAT or (most is not None and (most > MAX_REPEAT or most < least)):
            raise PatternError(f"a repeat counts upwards and to {MAX_REPEAT} at most")
        return least, most

    def _single(self) -> _Parsed:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return _set(self._class())
        if character == ".":
            return _set(ANY_BUT_SLASH)
        if character == "\\":
            escaped = self._escape()
            return _set(escaped) if isinstance(escaped, CharSet) else _literal(escaped)
        if character in "^$":
            raise PatternError("patterns always match the whole text: leave out ^ and $")
        if character in "?*+{":
            raise PatternError(f"`{character}` has nothing before it to repeat")
        return _literal(character)

    def _group(self) -> _Parsed:
        self.depth += 1
        if self.depth > 20:
            raise PatternError("groups are nested too deeply")
        name = None
        if self._peek() == "?":
            for opening in ("?:", "?P<", "?<"):
                if self.text.startswith(opening, self.at):
                    break
            else:
                raise PatternError("of the `(?…` forms only (?:…) and (?P<name>…) are supported")
            if opening != "?:" and self.text[self.at + len(opening) : self.at + len(opening) + 1] in ("=", "!"):
                raise PatternError("look-arounds are not supported")
            self.at += len(opening)
            if opening != "?:":
                end = self.text.find(">", self.at)
                name = self.text[self.at : end] if end > 0 else ""
                if not name.isidentifier() or not name.isascii() or name != name.lower():
                    raise PatternError("a part's name is written in small letters, digits and _")
                if name in self.names:
                    raise PatternError(f"two parts have the name {name}")
                self.names.append(name)
                self.at = end + 1
        inner = self._alternatives()
        if self._peek() != ")":
            raise PatternError("a `(` without its `)`")
        self.at += 1
        self.depth -= 1
        if name is None:
            return inner
        named = name

        def build(to: _Build, start: int) -> int:
            begin = to.node()
            to.graph.links[start].append(begin)
            to.marks.setdefault(begin, []).append((named, True))
            last = inner.piece(to, begin)
            end = to.node()
            to.graph.links[last].append(end)
            to.marks.setdefault(end, []).append((named, False))
            return end

        return _Parsed(build, inner.slashes, inner.empty)

    def _escape(self) -> CharSet | str:
        character = self._take()
        if character in "dw":
            return CharSet(_DIGITS if character == "d" else _WORD)
        if character.isalnum():
            raise PatternError(f"`\\{character}` is not supported")
        return character

    def _class(self) -> CharSet:
        negated = self._peek() == "^"
        if negated:
            self.at += 1
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self._peek() != "]":
            first = False
            low = self._class_member()
            if isinstance(low, CharSet):
                ranges += low.ranges
                continue
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self._class_member()
                if isinstance(high, CharSet) or high < low:
                    raise PatternError(f"a range that counts downwards or has no end: {low}-")
                ranges.append((ord(low), ord(high)))
            else:
                ranges.append((ord(low), ord(low)))
        self.at += 1
        return CharSet(tuple(ranges), negated)

    def _class_member(self) -> CharSet | str:
        character = self._take()
        if character == "[" and self._peek() in (":", "=", "."):
            raise PatternError("classes with names ([:alpha:]) are not supported")
        return self._escape() if character == "\\" else character


def _literal(character: str) -> _Parsed:
    def build(to: _Build, start: int) -> int:
        end = to.node()
        to.graph.character(start, character, end)
        return end

    count = int(character == "/")
    return _Parsed(build, (count, count), False)


def _set(charset: CharSet) -> _Parsed:
    def build(to: _Build, start: int) -> int:
        end = to.node()
        to.graph.sets[start].append((charset, end))
        return end

    only = charset.ranges == ((0x2F, 0x2F),) and not charset.negated
    return _Parsed(build, (int(only), int(charset.holds("/"))), False)
