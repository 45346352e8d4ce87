"""Templates: a path or value with holes, as it stands in a rule.

    /hls/{id}/{file}      a name in braces is a variable's exact value or a pattern
    /seg/{id}-{n}.ts      several in one segment
    /files/*/x  /a/**     `*` one or more characters of a segment; `**` at the end, one or more segments
    ?key={name}  key={name}?  key=*  key=text  key  &*       see `QueryTemplate`

Literal text is compared with segments, names and values decoded once; what can never come (a dot
segment, an encoded slash) is an error here rather than a rule that silently never matches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gateway.policy.automaton import Automaton, Graph
from gateway.policy.graphql import Operations
from gateway.policy.pattern import Pattern
from gateway.policy.target import Ambiguity, Pair, fold_name, parse_target
from gateway.policy.token_claims import claims_of

Values = Mapping[str, tuple[str, ...]]

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.")
_FREE_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")


class TemplateError(Exception):
    """The template can't be used; the text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Hole:
    name: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class TokenHole(Hole):
    """A whole segment or value that is a token, of which one claim must be this. Whoever matches only the pattern of
    a hole lets tokens of other items pass: such holes stand in the path and the query of a rule and nowhere else."""

    claim: str
    value: ValueTemplate

    def holds(self, token: str, values: Values) -> bool:
        said = claims_of(token).get(self.claim)
        return said is not None and self.value.matches(said, values)


@dataclass(frozen=True, slots=True)
class GraphqlHole(Hole):
    """A whole text that is a GraphQL document. It stands in `json` and `messages`; its pattern matches no text."""

    operations: Operations


@dataclass(frozen=True, slots=True)
class Some:
    """`*`, or `**` when `across`."""

    across: bool = False


Part = Text | Variable | Hole | Some

NameFinder = Callable[[str], Text | Variable | Hole]
"""What a name in braces stands for; raises TemplateError for an unknown one."""


def split_parts(text: str, find: NameFinder, *, stars: bool = True, escapes: bool = True) -> tuple[Part, ...]:
    """Cut a template into its parts; percent escapes in literals are decoded (`escapes` False: are text)."""
    parts: list[Part] = []
    literal = ""

    def close() -> None:
        nonlocal literal
        if literal:
            parts.append(Text(_decoded(literal) if escapes else literal))
            literal = ""

    at = 0
    while at < len(text):
        character = text[at]
        if character == "{":
            end = text.find("}", at)
            name = text[at + 1 : end] if end > 0 else ""
            if not name or not _NAME.issuperset(name):
                raise TemplateError("a name stands in braces as {name}: small letters, digits, _ and .")
            close()
            parts.append(find(name))
            at = end + 1
        elif character == "}":
            raise TemplateError("a } without its {")
        elif character == "*" and stars:
            close()
            across = text.startswith("**", at)
            parts.append(Some(across))
            at += 2 if across else 1
        else:
            literal += character
            at += 1
    close()
    return tuple(parts)


def _decoded(literal: str) -> str:
    if "%" not in literal:
        return literal
    target = parse_target("/?x=" + quote(literal, safe="%!$'()*,:@/?-._~"))
    if isinstance(target, Ambiguity):
        raise TemplateError(f"can never be asked for: {target.what}")
    return target.pairs[0][1] or ""


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path; `whole` names the variable that stands for its beginning (`{media}`, `{base}/x.ts`)."""

    parts: tuple[Part, ...]
    whole: str | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        return named_in(self.parts)

    @property
    def tokens(self) -> bool:
        """Whether a token stands in it, of which more than its form counts."""
        return any(isinstance(part, TokenHole) for part in self.parts)

    def values_at(self, index: int, values: Values) -> tuple[str, ...]:
        """The texts that the variable at this place stands for; `values` as the graph is bound to them."""
        part = self.parts[index]
        prefix = PATH_VALUE if self.whole and not index else ""
        return values.get(prefix + part.name, ()) if isinstance(part, Variable) else ()

    def into(self, graph: Graph, at: int = 0) -> int:
        """Add to a graph of paths, behind a node; the node where the path ends."""
        for part in self.parts:
            at = add_part(graph, at, part, prefix=PATH_VALUE if self.whole and part is self.parts[0] else "")
        return at


# The graph knows a variable that holds a whole path under a name of its own, since there it is bound
# to canonical paths rather than to the texts themselves.
PATH_VALUE = "path of "


def add_part(graph: Graph, at: int, part: Part, *, prefix: str = "") -> int:
    if isinstance(part, Text):
        return graph.literal(at, part.text)
    if isinstance(part, Variable):
        return graph.variable(at, prefix + part.name)
    if isinstance(part, Some):
        return graph.some(at, across=part.across)
    end = graph.shared(at, "hole", part.pattern.text)
    if end is None:
        end = part.pattern.into(graph, at)
        graph.share(at, "hole", part.pattern.text, end)
    return end


def parse_path(text: str, find: NameFinder, *, slashed: Collection[str] = ()) -> PathTemplate:
    """`slashed`: variables whose value may span several segments (an id with slashes)."""
    parts = split_parts(text, find)
    if not parts:
        raise TemplateError("a path begins with /")
    whole = parts[0].name if isinstance(parts[0], Variable) and text.startswith("{") else None
    if not text.startswith("/") and whole is None:
        raise TemplateError("a path begins with / or is a variable that holds one")
    for index, part in enumerate(parts):
        if isinstance(part, Some) and part.across:
            before = parts[index - 1] if index else None
            ends_in_slash = isinstance(before, Text) and before.text.endswith("/")
            if index != len(parts) - 1 or not ends_in_slash:
                raise TemplateError("** stands at the end, for whole segments: /folder/**")
        if isinstance(part, Some) and index and isinstance(parts[index - 1], Some):
            raise TemplateError("two stars beside each other")
        if isinstance(part, Hole):
            if part.pattern.slashes != 0:
                raise TemplateError(f"the pattern {part.name} can match a slash; in a path it fills one segment")
            if part.pattern.empty:
                raise TemplateError(f"the pattern {part.name} can match nothing at all; in a path it must not")
        if isinstance(part, TokenHole):
            before = parts[index - 1] if index else None
            after = parts[index + 1] if index + 1 < len(parts) else Text("/")
            begins = isinstance(before, Text) and before.text.endswith("/")
            if not begins or not isinstance(after, Text) or not after.text.startswith("/"):
                raise TemplateError(f"{{{part.name}}} is a token, which fills a whole segment of a path")
    # Holes are filled with a plain letter to see whether such a path can come at all.
    sample = "".join(_encoded_sample(part) for part in parts)
    target = parse_target(sample if sample.startswith("/") else "/" + sample)
    if isinstance(target, Ambiguity):
        raise TemplateError(f"can never be asked for: {target.what}")
    return PathTemplate(parts, whole)


def _encoded_sample(part: Part) -> str:
    return quote(part.text, safe="/;!$&'()*+,=:@~\\") if isinstance(part, Text) else "x"


def named_in(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """The variables that some parts need, claims of tokens included."""
    found: list[str] = []
    for part in parts:
        if isinstance(part, Variable):
            found.append(part.name)
        elif isinstance(part, TokenHole):
            found += named_in(part.value.parts)
    return tuple(found)


def render(parts: tuple[Part, ...], values: Values, *, safe: str, safe_in_values: str = "") -> str | None:
    """The text with the first value of each variable, percent-encoded; None when one is missing. `safe`: what
    keeps its meaning in literal text; a value has none, unless an id spans segments."""
    out = []
    for part in parts:
        if isinstance(part, Text):
            out.append(quote(part.text, safe=safe + "!$'()*,:@~"))
        elif isinstance(part, Variable):
            value = values.get(part.name, ())
            if not value:
                return None
            out.append(quote(value[0], safe=safe_in_values))
        else:
            return None
    return "".join(out)


# --- values of a query -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnyValue:
    """`key=*`: may be there, with whatever value."""


@dataclass(frozen=True, slots=True)
class NoValue:
    """`key`: there, without `=`."""


@dataclass(frozen=True, slots=True)
class ValueTemplate:
    parts: tuple[Part, ...]

    @property
    def literal(self) -> str | None:
        """The one text it stands for, where it has no holes."""
        if not self.parts:
            return ""
        if len(self.parts) == 1 and isinstance(self.parts[0], Text):
            return self.parts[0].text
        return None

    def matches(self, value: str, values: Values) -> bool:
        literal = self.literal
        if literal is not None:
            return value == literal
        if len(self.parts) == 1:
            part = self.parts[0]
            if isinstance(part, Variable):
                return bool(value) and value in values.get(part.name, ())
            if isinstance(part, TokenHole):
                return part.holds(value, values)
            if isinstance(part, Hole):
                return part.pattern.matches(value)
        graph, at = Graph(), 0
        for part in self.parts:
            at = add_part(graph, at, part)
        graph.accept(at, 0)
        return bool(Automaton(graph, values).match(value))


Wanted = AnyValue | NoValue | ValueTemplate


@dataclass(frozen=True, slots=True)
class QueryTemplate:
    """What a query must and may hold.

    `wanted`: name -> value. Names in `needed` must be there exactly once, all others at most once.
    `open`: further names may come, see `admits`.
    """

    wanted: Mapping[str, Wanted]
    needed: frozenset[str]
    open: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        values = (value for value in self.wanted.values() if isinstance(value, ValueTemplate))
        return tuple(name for value in values for name in named_in(value.parts))

    @property
    def pinned(self) -> tuple[str, ...]:
        """Names whose value this template holds to something."""
        return tuple(name for name, value in self.wanted.items() if not isinstance(value, AnyValue))

    def takes(self, name: str, value: str | None, values: Values) -> bool:
        """Whether one of the names written here may have this value."""
        return _fits(self.wanted[name], value, values)

    @property
    def literals(self) -> tuple[Pair, ...]:
        """Pairs that must stand there to the letter; rules are indexed by the first of them."""
        found: list[Pair] = []
        for name in sorted(self.needed):
            value = self.wanted[name]
            if isinstance(value, ValueTemplate) and value.literal is not None:
                found.append((name, value.literal))
        return tuple(found)

    def admits(self, pairs: tuple[Pair, ...], values: Values, pinned: Collection[str]) -> bool:
        """Whether the query fits. `pinned`: folded names that any rule of the policy pins; under an
        open template these can't come as further names, in whatever spelling."""
        seen: set[str] = set()
        for name, value in pairs:
            wanted = self.wanted.get(name)
            if wanted is not None:
                if name in seen or not _fits(wanted, value, values):
                    return False
                seen.add(name)
            elif not (self.open and name and _FREE_NAME.issuperset(name) and fold_name(name) not in pinned):
                return False
        return seen >= self.needed


NO_QUERY = QueryTemplate({}, frozenset())


def _fits(wanted: Wanted, value: str | None, values: Values) -> bool:
    if isinstance(wanted, AnyValue):
        return True
    if isinstance(wanted, NoValue):
        return value is None
    return value is not None and wanted.matches(value, values)


def parse_query(text: str, find: NameFinder) -> QueryTemplate:
    """The part of a rule behind its `?`."""
    wanted: dict[str, Wanted] = {}
    needed: set[str] = set()
    is_open = False
    for piece in text.split("&"):
        if piece == "*":
            is_open = True
            continue
        raw_name, equals, raw_value = piece.partition("=")
        may_miss = piece.endswith("?")
        if may_miss:
            raw_name, raw_value = (raw_name, raw_value[:-1]) if equals else (raw_name[:-1], "")
        if not raw_name or any(mark in raw_name for mark in "{}*? "):
            raise TemplateError("a query is written key=value, key={name}, key={name}?, key=* or &*")
        name = _decoded(raw_name)
        if name in wanted:
            raise TemplateError(f"the query names {name} twice")
        if not equals:
            wanted[name] = NoValue()
        elif raw_value == "*":
            wanted[name] = AnyValue()
            may_miss = True
        else:
            parts = split_parts(raw_value, find, stars=False)
            wanted[name] = ValueTemplate(parts)
            tokens = [part for part in parts if isinstance(part, TokenHole)]
            if tokens and len(parts) > 1:
                raise TemplateError(f"{{{tokens[0].name}}} is a token, which fills a whole value of a query")
        if not may_miss:
            needed.add(name)
    return QueryTemplate(wanted, frozenset(needed), is_open)


def filled(parts: tuple[Part, ...], values: Values) -> str | None:
    """The plain text of a template, with the first value of each variable; None when one is missing."""
    out = []
    for part in parts:
        if isinstance(part, Text):
            out.append(part.text)
            continue
        found = values.get(part.name, ()) if isinstance(part, Variable) else ()
        if not found:
            return None
        out.append(found[0])
    return "".join(out)
