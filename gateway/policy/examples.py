"""The examples of a policy: requests of one item that must pass, and others that must not.

They are run whenever a policy is loaded, so that a rule and what its author meant can't drift apart.
"""

from __future__ import annotations

from gateway.policy.decide import Scope
from gateway.policy.document import METHODS, Said
from gateway.policy.model import Policy
from gateway.policy.target import Ambiguity, parse_target
from gateway.yaml_source import Source

DEFAULT_ITEM = "abc123"


def run_examples(policy: Policy, source: Source) -> None:
    """Note a fault for each example that comes out otherwise, and for a landing no page rule allows."""
    examples = policy.examples
    item = examples.id.text if examples.id else DEFAULT_ITEM
    own = policy.item.variables(item)
    if own is None:
        if examples.allow or examples.deny or examples.id:
            way = examples.id.way if examples.id else ("examples",)
            source.fault(way, f"{item} is no id of this server; write with: {{id: …}}")
        return
    kind = examples.kind.text if examples.kind else next(iter(policy.kinds))
    if kind not in policy.kinds:
        if examples.kind:
            source.fault(examples.kind.way, f"no kind {kind} (known: {', '.join(policy.kinds)})")
        return
    given = {
        "guest.name": ("Ada Guest",),
        "guest.email": ("ada@example.org",),
        "guest.id": ("guest1",),
        "grant.id": ("grant1",),
        "link.id": ("link1",),
        "public_url": ("https://guest.example.org",),
    }
    scope = policy.scope(kind, {**given, **own, **examples.vars})
    for said, wanted in (*((one, True) for one in examples.allow), *((one, False) for one in examples.deny)):
        verdict = _verdict(scope, said, source)
        if verdict is None:
            continue
        allowed, why = verdict
        if allowed != wanted:
            source.fault(said.way, f"{said.text}: should be {'allowed' if wanted else 'denied'}, but {why}")
    _landing(kind, scope, source)


def _verdict(scope: Scope, said: Said, source: Source) -> tuple[bool, str] | None:
    words = said.text.split(" ", 1)
    if len(words) != 2 or words[0] not in (*METHODS, "WS"):
        source.fault(said.way, "an example is written METHOD /path?query (or WS /path)")
        return None
    method, raw = words
    target = parse_target(raw)
    if isinstance(target, Ambiguity):
        return False, f"it is refused: {target.what}"
    websocket = method == "WS"
    decision = scope.decide("GET" if websocket else method, target, websocket=websocket)
    if decision.rule is not None:
        return True, f"line {decision.rule.line} allows it ({decision.rule.text})"
    return False, f"nothing allows it ({decision.reason})"


def _landing(kind: str, scope: Scope, source: Source) -> None:
    """Where guests land must be a page of this item, else nobody would ever get in."""
    landing = scope.landing()
    player = scope.player()
    wanted = [(landing, "open", True)] if landing else []
    if player is not None:
        wanted.append((player.src, "player.src", False))
        wanted += [
            (text, f"player.{name}", False) for name, text in (("poster", player.poster), ("file", player.file)) if text
        ]
    for text, name, page in wanted:
        target = parse_target(text)
        decision = None if isinstance(target, Ambiguity) else scope.decide("GET", target)
        way = ("kinds", kind, *name.split("."))
        if decision is None or not decision.allowed:
            source.fault(way, f"{name}: no rule allows {text}, so guests would be refused there")
        elif page and not decision.page:
            source.fault(way, f"{name}: the rule that allows {text} must be marked page")
