"""Addresses of media pages as owners paste them: which kind and item do they mean?

/media/{id}                       path on the server, further query keys are ignored
/web/#/details?id={id}&*          a route behind the fragment, as single-page applications have
https://tv.example.org/v/{id}     a whole URL
/live                             of a server with one item, whose id is a word that always is the same
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from gateway.policy.automaton import Graph, captures
from gateway.policy.pattern import Pattern
from gateway.policy.template import Hole, NameFinder, Part, Some, TemplateError, Text, Variable, split_parts

# Of which a pattern matches itself and nothing else.
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True)
class PageAddress:
    """A compiled template; places are matched one by one and together yield the item's id."""

    text: str
    origin: str | None
    places: tuple[tuple[Part, ...], ...]  # path, then the fragment's path where there is one
    queries: tuple[tuple[tuple[str, tuple[Part, ...]], ...], ...]  # needed pairs of each place
    constant: str | None = None  # the id that it means, where it holds none

    def recognise(self, url: str) -> str | None:
        """The item's id in a pasted address, or None when this template does not fit it."""
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            return None
        if self.origin is not None and _origin(parts.scheme, parts.netloc) != self.origin:
            return None
        given = [(parts.path or ("/" if parts.netloc else ""), parts.query)]
        if len(self.places) == 2:
            route, _, query = parts.fragment.partition("?")
            given.append((route, query))
        found: list[str] = []
        for (path, query), wanted, pairs in zip(given, self.places, self.queries, strict=True):
            hit = _match(wanted, unquote(path))
            if hit is None:
                return None
            found += hit
            have = tuple(_pairs(query))
            for name, value in pairs:
                given_values = [text for key, text in have if key == name]
                # Given twice, the server's own page would take one or the other.
                hit = _match(value, given_values[0]) if len(given_values) == 1 else None
                if hit is None:
                    return None
                found += hit
        if self.constant is not None:
            return self.constant
        # The id may stand there twice (path and query), but then it must be the same one.
        return found[0] if found and len(set(found)) == 1 else None


def _origin(scheme: str, netloc: str) -> str:
    """Without the port that the scheme has anyway."""
    scheme, netloc = scheme.lower(), netloc.lower()
    return f"{scheme}://{netloc.removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ':'))}"


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for piece in query.split("&"):
        name, _, value = piece.partition("=")
        yield unquote(name), unquote(value)


def _match(parts: tuple[Part, ...], text: str) -> list[str] | None:
    """What stands for the id in `text`, [] when the template has none, None when it does not match."""
    graph = Graph()
    marks: dict[int, list[tuple[str, bool]]] = {}
    at = 0
    for part in parts:
        if isinstance(part, Text):
            at = graph.literal(at, part.text)
        elif isinstance(part, Some):
            at = graph.some(at, across=part.across)
        elif isinstance(part, Hole):
            if part.name == "id":
                begin = graph.node()
                graph.links[at].append(begin)
                marks.setdefault(begin, []).append(("id", True))
                inner = part.pattern.into(graph, begin)
                at = graph.node()
                graph.links[inner].append(at)
                marks.setdefault(at, []).append(("id", False))
            else:
                at = part.pattern.into(graph, at)
    graph.accept(at, 0)
    hit = captures(graph, marks, text)
    return None if hit is None else list(hit.values())


def parse_page_address(text: str, item: Pattern, find: NameFinder) -> PageAddress:
    """Raises TemplateError with a sentence for the operator."""

    def name(word: str) -> Text | Variable | Hole:
        if word == "id":
            return Hole("id", item)
        found = find(word)
        if isinstance(found, Variable):
            raise TemplateError(
                f"{{{word}}} is not known before the item is; a page's address holds {{id}} or a pattern"
            )
        return found

    origin, rest = None, text
    if "://" in text.partition("{")[0]:
        scheme, _, behind = text.partition("://")
        host, slash, path = behind.partition("/")
        origin, rest = _origin(scheme, host), slash + path
    if not rest.startswith("/"):
        raise TemplateError("a page's address begins with / or is a whole URL")
    path, _, fragment = rest.partition("#")
    places, queries = [], []
    for place in [path] + ([fragment] if fragment else []):
        before, _, query = place.partition("?")
        pairs = []
        for piece in query.split("&") if query else []:
            if piece == "*":
                continue
            key, equals, value = piece.partition("=")
            if not equals:
                raise TemplateError("a query is written key={id}, key=text or &*")
            if value == "*":
                continue
            pairs.append((key, split_parts(value, name, stars=False)))
        places.append(split_parts(before, name))
        queries.append(tuple(pairs))
    parts = [part for place in places for part in place]
    parts += [part for pairs in queries for _, value in pairs for part in value]
    constant = None
    if not any(isinstance(part, Hole) and part.name == "id" for part in parts):
        if not _WORD.issuperset(item.text):
            raise TemplateError("a page's address must hold {id}")
        constant = item.text
    return PageAddress(text, origin, tuple(places), tuple(queries), constant)
