"""What of a policy only the gateway itself can do, and no other proxy that merely asks it (`behind: forward_auth`).

Rule: there the other proxy sends its own string and hands on whatever the server answers. So a policy that changes
requests or answers, holds something back, or needs to see a body would promise what nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gateway.policy.messages import Messages

if TYPE_CHECKING:
    from gateway.policy.model import Policy, Rule

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "WS"})


def needs_the_gateway(rule: Rule) -> str | None:
    """The key of a rule that another proxy can't keep to; None where it can."""
    if rule.send is not None:
        return "send"
    if rule.body is not None:
        return "json or body"
    if rule.answer is not None:
        return "answer"
    if rule.captures:
        return "capture"
    if rule.messages is not None:
        return "messages" if isinstance(rule.messages, Messages) else "stanzas"
    if rule.protocol is not None:
        return "protocol"
    if rule.follow is not None:
        return "follow"
    if rule.at:
        return "at"
    if rule.methods - _WITHOUT_BODY:
        return f"{', '.join(sorted(rule.methods - _WITHOUT_BODY))}, whose bodies it would have to see"
    return None


def not_for_others(policy: Policy) -> Iterator[str]:
    """Each thing of a policy that another proxy can't keep to, with its place where it has one."""
    if policy.credentials:
        yield "upstream: credentials"
    if policy.login is not None:
        yield "upstream: login"
    if policy.jwts:
        yield "upstream: jwt"
    if policy.cookies:
        yield "cookies"
    if policy.drop:
        yield "drop"
    if policy.replace:
        yield "replace"
    if policy.passed:
        yield "pass"
    if any(kind.any_case for kind in policy.kinds.values()):
        yield "paths: ignore_case"
    if policy.on_revoke == "cut":
        yield "on_revoke: cut"
    if any(kind.player is not None and kind.player.chat is not None for kind in policy.kinds.values()):
        yield "player: chat"
    seen = set()
    for kind in policy.kinds.values():
        for rule in kind.rules if kind.guest_access else ():
            what = needs_the_gateway(rule)
            if what is not None and rule.place not in seen:
                seen.add(rule.place)
                yield f"{what} ({rule.place})"
