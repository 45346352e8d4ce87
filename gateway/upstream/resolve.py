"""Asking the media server about an item, as the gateway: does it exist, what kind is it, which ids and
names go with it. Done when a link is made and when a page is opened; never on the stream path."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import UpstreamDown, UpstreamSlow
from gateway.policy.minting import minted
from gateway.policy.model import Policy
from gateway.policy.resolve import BadAnswer, read_answer
from gateway.upstream.client import Ways
from gateway.upstream.steps import MAX_ANSWER, now, sent

DEADLINE = 15.0  # seconds for all steps together: somebody is waiting for a page


@dataclass(frozen=True, slots=True)
class Resolved:
    """`state`: ok, gone (also: no such id), not_started or ended. `kind` is None where the item does
    not tell and the policy has several."""

    state: str
    id: str
    kind: str | None = None
    variables: Mapping[str, tuple[str, ...]] | None = None
    was_live: int | None = None

    @property
    def title(self) -> str | None:
        found = (self.variables or {}).get("title", ())
        return found[0][:200] if found else None

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose the item is on the media server, by the policy's variable `owner`."""
        return (self.variables or {}).get("owner", ())


async def resolve_item(policy: Policy, ways: Ways, item: str) -> Resolved:
    """Ask all steps in their order. Raises UpstreamDown or UpstreamSlow.

    An id the policy's pattern does not match is gone: nothing of that name is ever asked for.
    """
    variables = policy.item.variables(item)
    if variables is None:
        return Resolved("gone", item)
    identity, kind, typed = item, None, False
    try:
        async with asyncio.timeout(DEADLINE):
            for step in policy.item.steps:
                # Tokens are made for one request, and belong to nobody: they are none of the item's variables.
                written = step.request.written({**variables, **minted(policy.jwts, variables, now())})
                if written is None and step is policy.item.steps[0]:
                    return Resolved("gone", identity)  # nothing of that name can ever be asked for
                if written is None:
                    raise UpstreamDown("a resolve request could not be written from the item's variables")
                async with sent(policy, ways, written, variables) as answer:
                    body = b"" if written.method == "HEAD" else await answer.read(MAX_ANSWER)
                    content_type = answer.headers.get("Content-Type", "")
                    learned = read_answer(policy, step, answer.status, content_type, body)
                if learned.state == "gone":
                    return Resolved("gone", identity)
                if learned.id is not None:
                    own = policy.item.variables(learned.id)
                    if own is None:
                        raise UpstreamDown("the server named an id that the policy's pattern does not match")
                    identity, variables = learned.id, {**variables, **own}
                variables = {**variables, **(learned.variables or {})}
                kind, typed = learned.kind or kind, typed or learned.typed
                if learned.state != "ok":
                    return Resolved(learned.state, identity, kind, variables, learned.was_live)
    except TimeoutError as error:
        raise UpstreamSlow("resolve took too long") from error
    except BadAnswer as error:
        raise UpstreamDown(f"resolve: {error}") from error
    if kind is None and policy.item.kind_path is not None:
        if not typed:
            # Some page with status 200 (maintenance, a sign-in) says nothing about the item.
            raise UpstreamDown("resolve: no answer could be read for the item's kind")
        return Resolved("gone", identity)
    if kind is None and len(policy.kinds) == 1:
        kind = next(iter(policy.kinds))
    return Resolved("ok", identity, kind, variables)
