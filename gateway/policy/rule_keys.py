"""The keys of a rule in its long form, from what is written to what can be done. Whatever contradicts itself or the
rest of the policy is a fault at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.policy.header_names import fold_header, is_framing, is_header_name, tells_where
from gateway.policy.sending import Send
from gateway.policy.target import fold_name, overrides_method
from gateway.policy.template import Hole, NameFinder, Part, QueryTemplate, Some, TemplateError, split_parts
from gateway.policy.written import RuleDocument, Said, SendDocument
from gateway.yaml_source import KEY, Way

Note = Callable[[Way, str], None]

_SECRET_HEADERS = frozenset(("authorization", "proxy-authorization", "cookie", "cookie2"))


def compile_send(rule: RuleDocument, query: QueryTemplate, find: NameFinder, note: Note) -> Send | None:
    """`query`: what the rule itself asks of the query."""
    document = rule.send
    if document is None:
        return None
    return Send(
        query=_query(document, query, find, note),
        headers=_headers(document, find, note),
        removed=frozenset(fold_name(name) for name, said in document.query.items() if said is None),
    )


def _query(
    document: SendDocument, query: QueryTemplate, find: NameFinder, note: Note
) -> dict[str, tuple[Part, ...] | None]:
    asked = {fold_name(name): name for name in query.wanted}
    seen: dict[str, str] = {}
    out: dict[str, tuple[Part, ...] | None] = {}
    for name, said in document.query.items():
        way = (*document.way, "query", name, KEY)
        folded = fold_name(name)
        if not name or not name.isprintable() or overrides_method(name):
            note(way, f"send: {name}: can't be sent as a name")
        elif folded in asked:
            note(way, f"send: {name}: the rule's own query names {asked[folded]} already; one of them, not both")
        elif folded in seen:
            note(way, f"send: {name}: is {seen[folded]} for many servers, which is here already")
        seen[folded] = name
        out[name] = None if said is None else template_of(said, f"send: {name}", find, note)
    return out


def _headers(document: SendDocument, find: NameFinder, note: Note) -> dict[str, tuple[Part, ...] | None]:
    seen: dict[str, str] = {}
    out: dict[str, tuple[Part, ...] | None] = {}
    for name, said in document.headers.items():
        way = (*document.way, "headers", name, KEY)
        folded = fold_header(name)
        if not is_header_name(name):
            note(way, f"send: {name}: not the name of a header")
        elif is_framing(name) or folded.startswith("content-"):
            note(way, f"send: {name}: this header is the gateway's own")
        elif folded in _SECRET_HEADERS:
            note(way, f"send: {name}: belongs to upstream: at the top, where it is kept from guests")
        elif tells_where(name):
            note(way, f"send: {name}: would ask for something else than what was judged")
        elif folded in seen:
            note(way, f"send: {name}: is {seen[folded]} for many servers, which is here already")
        seen[folded] = name
        out[name] = None if said is None else template_of(said, f"send: {name}", find, note)
    return out


def template_of(said: Said, label: str, find: NameFinder, note: Note) -> tuple[Part, ...]:
    """A template that the gateway fills: variables and text."""
    try:
        parts = split_parts(said.text, find, stars=False, escapes=False)
    except TemplateError as error:
        note(said.way, f"{label}: {error}")
        return ()
    for part in parts:
        if isinstance(part, Hole | Some):
            name = f"{{{part.name}}}" if isinstance(part, Hole) else "*"
            note(said.way, f"{label}: {name} is a pattern; here stand only variables, which have one value")
            return ()
    return parts


def look_at_credentials(
    rules: Mapping[Way, Send], *, query: Mapping[str, Said], headers: Mapping[str, Said], note: Note
) -> None:
    """No rule may set what the policy injects: the server would get two."""
    names = {fold_name(name) for name in query}
    injected = {fold_header(name) for name in headers}
    for way, send in rules.items():
        for name in send.query:
            if fold_name(name) in names:
                note((*way, "query", name, KEY), f"send: {name}: upstream: sets this name")
        for name in send.headers:
            if fold_header(name) in injected:
                note((*way, "headers", name, KEY), f"send: {name}: upstream: sets this header")
