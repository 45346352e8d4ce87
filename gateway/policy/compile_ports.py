"""Compiling `at` and `beside`: which addresses of the server a policy names, that no request could go to two of them,
and what flows past all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from gateway.config import MAIN
from gateway.policy.compile_follow import Blame
from gateway.policy.model import Rule
from gateway.policy.overlap import Meeting
from gateway.policy.written import KindDocument, PolicyDocument, RuleDocument, Said
from gateway.yaml_source import Source

WrittenRule = tuple[RuleDocument, Rule]


def look_for_two_ways(blame: Blame, rules: Sequence[WrittenRule], meeting: Meeting, told: set[tuple[str, str]]) -> None:
    """Two rules may overlap, but not with different `at`; groups that are off count like all others. `told`: what
    has been said of rules that several kinds have."""
    if len({rule.at for _, rule in rules}) < 2:
        return
    for (said, rule), (_, other) in combinations(rules, 2):
        if rule.at != other.at and (rule.place, other.place) not in told and meeting.may_meet(rule, other):
            told.add((rule.place, other.place))
            blame.fault(
                said.way,
                f"a request could be allowed by this rule and by that of line {other.line} ({other.text}), and they "
                f"go to different addresses of the server: {rule.at or MAIN} and {other.at or MAIN}",
            )


def look_for_strays(blame: Blame, rules: Sequence[WrittenRule]) -> None:
    """Warn where a value that one address has handed out is brought to another."""
    handed: dict[str, set[str]] = {}
    for _, rule in rules:
        for capture in rule.captures:
            handed.setdefault(capture.name, set()).add(rule.at)
    for said, rule in rules:
        for name in dict.fromkeys(rule.path.variables):
            by = handed.get(name)
            if by is not None and rule.at not in by:
                one = next(iter(by)) or MAIN
                blame.warn(said.way, f"{{{name}}} comes from at: {one}, and this rule goes to {rule.at or MAIN}")


def look_at_beside(blame: Blame, kind: KindDocument, on_revoke: str) -> None:
    """Media that flows around the gateway ends only when the server is asked to end it, or with its websocket."""
    said = kind.beside
    if said is None:
        return
    if said.text == "websocket":
        if not any("WS" in rule.methods for rule in kind.allow):
            blame.fault(said.way, "beside: websocket: no rule of this kind is a websocket (WS) that it could end with")
    elif said.text != "webrtc":
        blame.fault(said.way, "beside: webrtc or websocket, and nothing else")
    elif not kind.release and on_revoke == "cut":
        blame.fault(said.way, "beside: on_revoke: cut needs a release, which has the server end what flows there")
    elif not kind.release:
        blame.warn(said.way, "beside: without a release nobody ends what flows beside the gateway")


def named(document: PolicyDocument, on: Iterable[str] | None = None) -> Iterator[Said]:
    """Every `at` of a policy but `main`; with `on` only of what is in force when these groups are."""
    found: list[Said | None] = [step.at for step in document.steps]
    found += [rule.at for rule in document.shared]
    for kind in document.kinds.values():
        found += [step.at for step in (*kind.prepare, *kind.release)]
        found += [rule.at for rule in kind.allow if on is None or rule.group is None or rule.group in on]
    yield from (said for said in found if said is not None and said.text != MAIN)


def places(said: Iterable[Said], source: Source) -> dict[str, str]:
    """By name, where each is written first."""
    found: dict[str, str] = {}
    for one in said:
        line, column = source.place(one.way)
        found.setdefault(one.text, f"{source.file}:{line}:{column}")
    return found
