"""A proposed policy tried with the recording it was made from, before anybody relies on it."""

from __future__ import annotations

from gateway.policy.compile_names import GIVEN
from gateway.policy.decide import Scope
from gateway.policy.explain import explain
from gateway.policy.follow import Place
from gateway.policy.har import Recorded, shown
from gateway.policy.model import Policy, Rule
from gateway.policy.propose import Proposal
from gateway.policy.target import Ambiguity, parse_target

_MOST = 100  # faults that are named


def verify(policy: Policy, proposal: Proposal, kind: str, item: str) -> list[str]:
    """What is wrong, each with the line to look at; empty when this item passes and no other does."""
    own = policy.item.variables(item)
    if own is None:
        return [f"item.id does not take {item}"]
    variables = {**dict.fromkeys(GIVEN, ("-",)), **own}
    wrong = [f"{fault.file}:{fault.line}: {fault.what}" for fault in policy.warnings]
    scope = policy.scope(kind, variables)
    for request in dict.fromkeys(proposal.own):
        if _rule(scope, request) is None and len(wrong) < _MOST:
            found = explain(policy, kind, variables, request.method, request.target)
            where = f"; nearest is line {found.nearest[0][0].line}" if found.nearest else ""
            wrong.append(f"{request.method} {shown(request.target)} of the item is denied ({found.reason}){where}")
    for request in dict.fromkeys(proposal.followed):
        if not _reached(scope, request, proposal.host) and len(wrong) < _MOST:
            wrong.append(
                f"{request.method} {shown(request.target)} on {request.host} of the item is followed by no rule"
            )
    for request in (*proposal.theirs, *_exchanged(proposal)):
        rule = _rule(scope, request)
        if rule is not None and len(wrong) < _MOST:
            wrong.append(f"line {rule.line} lets {request.method} {shown(request.target)} pass, another item's")
    return list(dict.fromkeys(wrong))


def _rule(scope: Scope, request: Recorded) -> Rule | None:
    target = parse_target(request.target)
    if isinstance(target, Ambiguity):
        return None
    websocket = request.method == "WS"
    return scope.decide("GET" if websocket else request.method, target, websocket=websocket).rule


def _reached(scope: Scope, request: Recorded, host: str) -> bool:
    """Whether a list that some rule follows may make it reachable."""
    target = parse_target(request.target)
    if isinstance(target, Ambiguity):
        return False
    place = Place("" if request.host == host else request.origin, target)
    return any(scope.reach(rule).holds(place, place.folder) for rule in scope.kind.rules if rule.follow is not None)


def _exchanged(proposal: Proposal) -> list[Recorded]:
    """The item's own requests with another id in its place: each place alone, and all of them."""
    found: dict[tuple[str, str], Recorded] = {}
    for request in proposal.own:
        for mine, other in proposal.exchanges:
            pieces = request.target.split(mine)
            # A name of one letter stands everywhere; its places are not tried one by one.
            places = range(1, len(pieces)) if len(pieces) <= 10 else ()
            targets = [mine.join(pieces[:at]) + other + mine.join(pieces[at:]) for at in places]
            for target in {*targets, other.join(pieces)} - {request.target}:
                # A prefix or a name that only happens to hold the id's letters names nothing.
                if target.count("/") == request.target.count("/") + other.count("/") - mine.count("/") or "/" in mine:
                    found[(request.method, target)] = Recorded(
                        request.method, request.host, target, 200, "", document=False, worker=False
                    )
    return list(found.values())
