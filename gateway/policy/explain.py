"""Why a request is allowed or denied, for people: the same decision a guest would get, with its rule,
what would be sent upstream, and, on a denial, the rules that came nearest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.policy.login import MASK, mark_of, masked
from gateway.policy.model import Policy, Rule
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.reasons import Reason


@dataclass(frozen=True, slots=True)
class Explanation:
    """`sent` is the upstream's request line without credentials; `headers` are those that the rule sets, and
    the names of those that are injected."""

    allowed: bool
    method: str
    canonical: str | None
    rule: Rule | None
    reason: Reason | None
    detail: str
    sent: str | None
    headers: tuple[tuple[str, str], ...]
    nearest: tuple[tuple[Rule, str], ...]  # rule and why it did not fit
    body: str = ""  # what of a body is sent, or what the gateway answers itself


def explain(policy: Policy, kind: str, variables: Mapping[str, tuple[str, ...]], method: str, raw: str) -> Explanation:
    """`method` may be WS for a websocket handshake. Raises KeyError for an unknown kind."""
    target = parse_target(raw)
    if isinstance(target, Ambiguity):
        return Explanation(False, method, None, None, Reason.AMBIGUOUS_TARGET, target.what, None, (), ())
    variables = {**{minter.name: (mark_of(minter.name),) for minter in policy.jwts}, **variables}
    scope = policy.scope(kind, variables)
    websocket = method == "WS"
    decision = scope.decide("GET" if websocket else method, target, websocket=websocket)
    if decision.rule is None:
        nearest = _nearest(scope.kind.rules, method, target, variables)
        return Explanation(False, method, target.sent, None, decision.reason, decision.detail, None, (), nearest)
    rule = decision.rule
    if rule.answer is not None:
        said = rule.answer.body(variables)
        own = f"{rule.answer.status}{f' {said.decode()}' if said else ''}, by the gateway"
        return Explanation(True, method, target.sent, rule, None, "", None, (), (), own)
    return Explanation(
        True,
        method,
        target.sent,
        rule,
        None,
        "",
        f"{'GET' if websocket else method} {_masked(decision.sent or target, policy)}",
        (
            *((name, masked(value)) for name, value in decision.headers if value is not None),
            *((name, MASK) for name in policy.credentials.names()),
            *([("Cookie", _cookies(policy))] if policy.cookies else []),
        ),
        (),
        masked(_carried(rule, variables)),
    )


def _cookies(policy: Policy) -> str:
    """Those that may go along."""
    kept = [f"{name}={MASK}" for name in sorted(policy.cookies.kept)]
    return "; ".join([*kept, *(f"{name}=(the guest's)" for name in sorted(policy.cookies.guest))])


def _carried(rule: Rule, variables: Mapping[str, tuple[str, ...]]) -> str:
    carried = rule.body or rule.messages
    return carried.described(variables) if carried is not None else ""


def _masked(target: Target, policy: Policy) -> str:
    sent = masked(target.sent)
    for name, _ in policy.credentials.query:
        sent += ("&" if "?" in sent else "?") + f"{name}={MASK}"
    return sent


def _nearest(
    rules: tuple[Rule, ...], method: str, target: Target, variables: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[Rule, str], ...]:
    """At most three rules, best first: by how many segments of the path agree, then by method."""
    asked = target.text.split("/")

    def shared(rule: Rule) -> int:
        written = rule.text.split()[-1].partition("?")[0].split("/")
        count = 0
        for one, other in zip(written, asked, strict=False):
            if one != other and "{" not in one and "*" not in one:
                break
            count += 1
        return count - abs(len(written) - len(asked))

    ranked = sorted(rules, key=lambda rule: (-shared(rule), not rule.takes(method)))
    return tuple((rule, _why_not(rule, method, asked, target, variables)) for rule in ranked[:3])


def _why_not(
    rule: Rule, method: str, asked: list[str], target: Target, variables: Mapping[str, tuple[str, ...]]
) -> str:
    written = rule.text.split()[-1].partition("?")[0].split("/")
    for one, other in zip(written, asked, strict=False):
        if one != other and "{" not in one and "*" not in one:
            return f"the path differs at {other!r}"
    if len(written) != len(asked) and "**" not in written[-1]:
        return f"the path has {len(asked) - 1} segments, the rule {len(written) - 1}"
    if not rule.takes(method):
        return f"it takes {','.join(sorted(rule.methods))}"
    unknown = sorted({name for name in rule.variables if not variables.get(name)})
    if unknown:
        return f"nothing is known for {', '.join(f'{{{name}}}' for name in unknown)}"
    missing = sorted(rule.query.needed - {name for name, _ in target.pairs})
    if missing:
        return f"the query lacks {', '.join(missing)}"
    ignored = rule.send.query if rule.send is not None else {}
    extra = sorted({name for name, _ in target.pairs} - set(rule.query.wanted) - set(ignored))
    if extra and not rule.query.open:
        return f"the query may not hold {', '.join(extra)}"
    return "a value or name does not match exactly"
