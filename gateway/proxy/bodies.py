"""Bodies of guests, read whole and brought into the form that a rule gives them; and what is answered here.

Where several rules allow a request with different bodies, the first whose body it fits decides; a rule without a body,
where there is one, takes the request without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.access.authorize import Allowed
from gateway.proxy.headers import CSP, packed
from gateway.reasons import Reason
from gateway.strict_json import Misfit
from gateway.web.body import taken

if TYPE_CHECKING:
    from gateway.policy.bodies import Answering
    from gateway.policy.decide import Decision, Variables


def takes_body(decision: Decision) -> bool:
    return decision.rule is not None and decision.rule.body is not None


async def body_for(request: web.BaseRequest, allowed: Allowed) -> tuple[Allowed, bytes | None] | Reason | str:
    """What is sent, and by which rule; a reason when the body could not be read to its end; or why it fits none."""
    decisions = (allowed.decision, *allowed.decision.others)
    limit = max(one.rule.body.limit for one in decisions if one.rule is not None and one.rule.body is not None)
    came = await taken(request, limit)
    if came is None:
        return Reason.BODY_TOO_LARGE
    why = "a packed body"
    for decision in decisions:
        rule = decision.rule
        if rule is None or packed(request.headers):
            continue
        if rule.body is None:
            return Allowed(allowed.live, decision, allowed.server), None
        try:
            body = rule.body.sent(came, request.headers.get("Content-Type", ""), allowed.live.scope.variables)
        except Misfit as misfit:
            why = str(misfit)
            continue
        return Allowed(allowed.live, decision, allowed.server), body
    return why


def own_answer(answer: Answering, variables: Variables) -> web.Response:
    """In the server's place."""
    body = answer.body(variables)
    headers = {"Cache-Control": "no-store", CSP: "sandbox", "X-Content-Type-Options": "nosniff"}
    if body is not None:
        headers["Content-Type"] = answer.type
    return web.Response(status=answer.status, body=body, headers=headers)
