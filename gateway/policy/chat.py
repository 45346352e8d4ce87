"""The page beside the player page's picture: `player: {chat: /embed/chat}`, the server's own.

Rule: it stands there by the interaction group `chat` alone. A rule of that group of the same kind must allow it as a
page, and no rule outside of the group may, since it would then stay open where the group is off.

Why asked with samples: an address and a rule may be written in different words (`{id}`, a pattern, `&*`), and whether
the one allows the other is what the matcher says. What each grant gets is judged again, with its own variables.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.policy.automaton import Automaton, Graph
from gateway.policy.target import Target, parse_target

if TYPE_CHECKING:
    from gateway.policy.compile_follow import Blame
    from gateway.policy.model import Address, Rule
    from gateway.policy.written import Said

GROUP = "chat"
_SAMPLE = ("x",)


def look_at_chat(blame: Blame, said: Said, address: Address, rules: Iterable[Rule], *, any_case: bool) -> None:
    """Note what is wrong with this address. `rules`: all of its kind, those of groups that are off too."""
    if address.whole:
        blame.fault(said.way, "chat: a path of this server, and not a variable that holds a whole address")
        return
    asking = [rule for rule in rules if rule.takes("GET")]
    hits = _allowing(address, asking, any_case=any_case)
    if not any(rule.page for rule in hits if rule.group == GROUP):
        blame.fault(said.way, f"chat: no rule of an interaction {GROUP} of this kind allows it: page GET {said.text}")
    for rule in hits:
        if rule.group != GROUP:
            blame.fault(
                said.way,
                f"chat: line {rule.line} allows it outside of the interaction {GROUP} ({rule.text}), so it would stay "
                "open where that is off",
            )


def _allowing(address: Address, rules: list[Rule], *, any_case: bool) -> list[Rule]:
    """Those that allow this address for one and the same item."""
    names = set(address.variables).union(*(rule.variables for rule in rules))
    values = dict.fromkeys(names, _SAMPLE)
    target = parse_target(address.render(values) or "")
    if not isinstance(target, Target):
        return []
    graph = Graph(any_case=any_case)
    for index, rule in enumerate(rules):
        graph.accept(rule.path.into(graph), index)
    found = []
    for index in Automaton(graph, values).match(target.text):
        rule = rules[index]
        asked = target if rule.send is None else rule.send.asked(target)
        if asked is not None and rule.query.admits(asked.pairs, values, frozenset()):
            found.append(rule)
    return found
