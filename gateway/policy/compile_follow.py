"""Compiling `follow` and `origins`: every address of `to` is a path of the server or of an origin that is listed."""

from __future__ import annotations

import hashlib
from typing import Protocol

from gateway.config_texts import is_loopback, origin
from gateway.policy.automaton import Graph
from gateway.policy.follow import Follow
from gateway.policy.template import (
    NameFinder,
    QueryTemplate,
    TemplateError,
    Variable,
    parse_path,
    parse_query,
    split_parts,
)
from gateway.policy.written import RuleDocument, Said
from gateway.yaml_source import Way, did_you_mean

SORTS = ("hls", "dash", "json")


class Blame(Protocol):
    """Where faults and warnings go."""

    def fault(self, way: Way, what: str) -> None: ...
    def warn(self, way: Way, what: str) -> None: ...


def origin_of(blame: Blame, said: Said) -> str | None:
    """One of `origins`, in its one spelling."""
    if not said.text:
        return None
    try:
        found = origin(said.text)
    except ValueError as error:
        blame.fault(said.way, f"origins: {error}")
        return None
    if not found.secure:
        if not is_loopback(found.host):
            # A certificate is what says that the host which answers is the one that was listed, wherever its
            # name may lead; without one a name server could point it at anything inside the network.
            blame.fault(said.way, "origins: must begin with https:// (http:// is for this machine alone)")
            return None
        blame.warn(said.way, f"origins: {found} is not encrypted; it is for tests on this machine")
    return str(found)


def compile_follow(blame: Blame, rule: RuleDocument, find: NameFinder, origins: tuple[str, ...]) -> Follow | None:
    written = rule.follow
    assert written is not None
    as_ = written.as_
    if as_.text and as_.text not in SORTS:
        blame.fault(as_.way, f"as: {', '.join(SORTS[:-1])} or {SORTS[-1]}{did_you_mean(as_.text, SORTS)}")
    if not set(rule.methods) <= {"GET", "HEAD"}:
        blame.fault(written.way, "follow: only answers to GET are followed")
    if rule.answer is not None or rule.capture:
        blame.fault(written.way, "follow: not together with answer or capture")
    if rule.page:
        blame.fault(written.way, "follow: a page is shown as it is; the rule of the playlist itself follows")
    graph = None
    queries: list[QueryTemplate | None] = []
    if written.to:
        graph = Graph()
        for said in written.to:
            if said.text:
                _add(blame, said, graph, queries, find, origins)
    else:
        _look_at_own_folder(blame, rule, find)
    texts = tuple(said.text for said in written.to)
    # By what is written, so that each worker, also one of a later start, finds the same rule.
    mark = hashlib.sha256("\0".join((rule.text, as_.text, *texts)).encode()).digest()[:6]
    return Follow(as_.text, mark, graph, tuple(queries), texts)


def _add(
    blame: Blame,
    said: Said,
    graph: Graph,
    queries: list[QueryTemplate | None],
    find: NameFinder,
    origins: tuple[str, ...],
) -> None:
    text, own = said.text, ""
    if not text.startswith("/"):
        scheme, mark, rest = text.partition("://")
        host, slash, path = rest.partition("/")
        if not mark or not slash:
            blame.fault(said.way, "to: a path (/cdn/{id}/**), or an address (https://cdn.example.net/v/{id}/**)")
            return
        try:
            own = str(origin(f"{scheme}://{host}"))
        except ValueError as error:
            blame.fault(said.way, f"to: {error}")
            return
        if own not in origins:
            blame.fault(said.way, f"to: {own} is not among the policy's origins{did_you_mean(own, origins)}")
            return
        text = f"/{path}"
    path, question, query = text.partition("?")
    try:
        template = parse_path(path, find)
        queries.append(parse_query(query, find) if question else None)
    except TemplateError as error:
        blame.fault(said.way, f"to: {error}")
        return
    at = graph.literal(0, own)
    try:
        graph.accept(template.into(graph, at), len(queries) - 1)
    except OverflowError:
        blame.fault(said.way, "to: too large")


def _look_at_own_folder(blame: Blame, rule: RuleDocument, find: NameFinder) -> None:
    path = rule.target.partition("?")[0]
    folder = path.rpartition("/")[0]
    assert rule.follow is not None
    if not folder:
        blame.fault(rule.follow.way, "follow: the answer's own folder would be the whole server; write to:")
        return
    try:
        parts = split_parts(folder, find)
    except TemplateError:
        return  # said of the rule
    if not any(isinstance(part, Variable) for part in parts):
        blame.warn(
            rule.follow.way,
            f"follow: the answer's own folder, {folder}/, is not one item's alone; what the answer names there "
            "becomes reachable, or write to:",
        )
