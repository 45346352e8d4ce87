"""The examples of a policy: requests of one item that must pass, and others that must not.

They are run whenever a policy is loaded, so that a rule and what its author meant can't drift apart.
"""

from __future__ import annotations

from gateway.policy.compile_names import variable_names
from gateway.policy.decide import Scope
from gateway.policy.model import Policy
from gateway.policy.playing import room_asks
from gateway.policy.target import Ambiguity, parse_target
from gateway.policy.written import METHODS, PolicyDocument, Said
from gateway.yaml_source import Source, did_you_mean

DEFAULT_ITEM = "abc123"


def look_over(document: PolicyDocument, source: Source) -> None:
    """Note the faults that show without a policy that works, so that they come together with its own."""
    examples = document.examples
    if examples.kind is not None and examples.kind.text not in document.kinds:
        hint = did_you_mean(examples.kind.text, document.kinds)
        source.fault(examples.kind.way, f"no kind {examples.kind.text}{hint}")
    for said in (*examples.allow, *examples.deny):
        words = said.text.split(" ", 1)
        if len(words) != 2 or words[0] not in (*METHODS, "WS"):
            source.fault(said.way, "an example is written METHOD /path?query (or WS /path)")


def run_examples(policy: Policy, source: Source) -> None:
    """Note a fault for each example that comes out otherwise, and for a landing no page rule allows.

    To be called after `look_over` has found nothing."""
    examples = policy.examples
    item = examples.id.text if examples.id else DEFAULT_ITEM
    own = policy.item.variables(item)
    if own is None:
        if examples.allow or examples.deny or examples.id:
            way = examples.id.way if examples.id else ("examples",)
            source.fault(way, f"{item} is no id of this server; write with: {{id: …}}")
        return
    kind = examples.kind.text if examples.kind else next(iter(policy.kinds))
    given = {
        "guest.name": ("Ada Guest",),
        "guest.email": ("ada@example.org",),
        "guest.id": ("guest1",),
        "grant.id": ("grant1",),
        "link.id": ("link1",),
        "public_url": ("https://guest.example.org",),
    }
    known = {name for names in variable_names(policy).values() for name in names}
    for name in examples.vars:
        if name not in known:
            source.fault(("examples", "with", "vars", name), f"{name}: unknown variable{did_you_mean(name, known)}")
    variables = {**given, **own, **examples.vars}
    variables |= {minter.name: ("token-of-the-examples",) for minter in policy.jwts}
    scope = policy.scope(kind, variables)
    for said, wanted in (*((one, True) for one in examples.allow), *((one, False) for one in examples.deny)):
        allowed, why = _verdict(scope, said)
        if allowed != wanted:
            source.fault(said.way, f"{said.text}: should be {'allowed' if wanted else 'denied'}, but {why}")
    for name, other in policy.kinds.items():
        if other.guest_access:
            _landing(name, policy.scope(name, variables), source)


def _verdict(scope: Scope, said: Said) -> tuple[bool, str]:
    method, raw = said.text.split(" ", 1)
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
    beside = scope.kind.player.chat.render(scope.variables) if scope.kind.player and scope.kind.player.chat else None
    if beside is not None:
        wanted.append((beside, "player.chat", True))
    for text, name, page in wanted:
        target = parse_target(text)
        sort = player.as_ if player is not None and name == "player.src" else ""
        if sort == "livekit":
            target = parse_target(room_asks(text))
        asked = "POST" if sort == "whep" else "GET"
        decision = None if isinstance(target, Ambiguity) else scope.decide(asked, target, websocket=sort == "livekit")
        way = ("kinds", kind, *name.split("."))
        if decision is None or not decision.allowed:
            source.fault(way, f"{name}: no rule allows {text}, so guests would be refused there")
        elif page and not decision.page:
            source.fault(way, f"{name}: the rule that allows {text} must be marked page")
