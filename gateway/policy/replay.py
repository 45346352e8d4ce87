"""A recording judged by a policy: what a guest of one item would have got of what a browser asked for.

Rule: each request is asked of `explain`, and so of the decision that the proxy takes; nothing is decided here.
The same request recorded twice is judged once and counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.policy.decide import Scope
from gateway.policy.explain import Explanation, explain
from gateway.policy.follow import Place
from gateway.policy.har import Recording, server_host
from gateway.policy.model import Policy, Rule
from gateway.policy.target import Ambiguity, parse_target
from gateway.reasons import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """One distinct request, and how often it was recorded."""

    method: str
    target: str
    times: int
    worker: bool
    found: Explanation
    followed: Rule | None = None  # no rule allows it by itself; a list of this rule's may name it, and it passes then

    @property
    def allowed(self) -> bool:
        return self.found.allowed and not self.worker

    @property
    def reason(self) -> Reason | None:
        return Reason.SERVICE_WORKER if self.worker else self.found.reason


@dataclass(frozen=True, slots=True)
class Replay:
    """`elsewhere`: other hosts of the recording, whose requests the gateway never sees."""

    host: str
    verdicts: tuple[Verdict, ...]
    elsewhere: Mapping[str, int]

    @property
    def denied(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if not verdict.allowed and verdict.followed is None)

    @property
    def followed(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.followed is not None)

    @property
    def good(self) -> bool:
        return bool(self.verdicts) and not self.denied

    def by_rule(self) -> list[tuple[Rule, int]]:
        """The rules that allowed something and how much, as they stand in the file."""
        found: dict[int, tuple[Rule, int]] = {}
        for verdict in self.verdicts:
            rule = verdict.found.rule
            if verdict.allowed and rule is not None:
                found[id(rule)] = (rule, found.get(id(rule), (rule, 0))[1] + verdict.times)
        return sorted(found.values(), key=lambda one: (one[0].line, one[0].column))


def replay(
    policy: Policy, kind: str, variables: Mapping[str, tuple[str, ...]], recording: Recording, host: str | None = None
) -> Replay:
    """Raises KeyError for an unknown kind. Without `host` the server is found by the item's id."""
    host = host or server_host(recording, variables["id"][0])
    asked: Counter[tuple[str, str, bool]] = Counter(
        (request.method, request.target, request.worker) for request in recording.requests if request.host == host
    )
    verdicts = [
        Verdict(method, target, times, worker, explain(policy, kind, variables, method, target))
        for (method, target, worker), times in asked.items()
    ]
    following = _Following(policy.scope(kind, variables), verdicts)
    verdicts = [replace(verdict, followed=following.rule(verdict)) for verdict in verdicts]
    return Replay(host, tuple(verdicts), {name: times for name, times in recording.hosts().items() if name != host})


class _Following:
    """Which rules follow lists of the recording, and where these lie."""

    def __init__(self, scope: Scope, verdicts: Iterable[Verdict]) -> None:
        self._scope = scope
        self._folders: dict[int, tuple[Rule, set[str]]] = {}
        for verdict in verdicts:
            rule, path = verdict.found.rule, verdict.found.canonical
            if verdict.allowed and rule is not None and path is not None and rule.follow is not None:
                path = path.partition("?")[0]
                self._folders.setdefault(id(rule), (rule, set()))[1].add(path.rpartition("/")[0] + "/")

    def rule(self, verdict: Verdict) -> Rule | None:
        target = parse_target(verdict.target)
        if verdict.allowed or verdict.worker or verdict.method not in ("GET", "HEAD") or isinstance(target, Ambiguity):
            return None
        for rule, folders in self._folders.values():
            reach = self._scope.reach(rule)
            if any(reach.holds(Place("", target), folder) for folder in folders):
                return rule
        return None
