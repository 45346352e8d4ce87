"""What the gateway asks of the media server for a grant: `prepare` before there is one, `release` after it.

Variables and answers are judged in `policy`; here they are sent, each kind's steps in their order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.errors import UpstreamDown, UpstreamSlow
from gateway.policy.decide import Variables
from gateway.policy.jar import header, kept_pairs, taken
from gateway.policy.model import Kind, Policy, Step
from gateway.policy.request import StepRequest, Written
from gateway.policy.resolve import BadAnswer, Learned, read_prepared
from gateway.upstream.client import Answer, Ways

_log = logging.getLogger("gateway")

MAX_ANSWER = 4 * 1024 * 1024
PREPARE_SECONDS = 15.0  # for all steps together: a guest is waiting
GROUP_SECONDS = 5.0  # for a step that nobody's coming in depends on
RELEASE_SECONDS = 10.0  # for one request
_DONE = (404, 410)  # what was to be released is not there any more


@dataclass(frozen=True, slots=True)
class Prepared:
    """`state`: ok, gone, not_started or ended."""

    state: str
    variables: Variables


def sent(policy: Policy, ways: Ways, written: Written, variables: Variables) -> AbstractAsyncContextManager[Answer]:
    """A request with the policy's credentials; a header that the step itself writes comes first."""
    own = {name.lower() for name, _ in written.headers}
    credentials = [pair for pair in policy.credentials.sent_headers(variables) if pair[0].lower() not in own]
    kept = kept_pairs(policy.cookies, variables, _path(written), now()) if "cookie" not in own else []
    if kept:
        credentials.append(("Cookie", header(kept)))
    target = policy.credentials.into(written.target, variables)
    return ways[written.at].request(written.method, target, [*written.headers, *credentials], written.body)


def _path(written: Written) -> str:
    return unquote(written.target.partition("?")[0])


def now() -> int:
    return time.time_ns() // 1_000_000


async def prepare(
    policy: Policy, kind: Kind, ways: Ways, variables: Variables, steps: Sequence[Step] | None = None
) -> Prepared:
    """Ask the kind's steps, or these of them, in their order. Raises UpstreamDown or UpstreamSlow.

    A step for a group of interactions that fails keeps nobody out: what it would have brought is not there."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        async with asyncio.timeout(PREPARE_SECONDS):
            for step in kind.prepare if steps is None else steps:
                try:
                    async with asyncio.timeout(GROUP_SECONDS if step.group else None):
                        learned, cookies = await _ask(policy, kind, ways, step, {**variables, **found})
                except (UpstreamDown, UpstreamSlow, BadAnswer, TimeoutError) as error:
                    if not step.group:
                        raise
                    _log.warning("a guest comes in without %s: prepare: %s", step.group, error or "took too long")
                    continue
                if learned.state == "ok" or not step.group:
                    found |= {**cookies, **(learned.variables or {})}
                if learned.state != "ok" and not step.group:
                    return Prepared(learned.state, found)
    except TimeoutError as error:
        raise UpstreamSlow("prepare took too long") from error
    except BadAnswer as error:
        raise UpstreamDown(f"prepare: {error}") from error
    return Prepared("ok", found)


async def _ask(policy: Policy, kind: Kind, ways: Ways, step: Step, known: Variables) -> tuple[Learned, Variables]:
    """What the answer to one step says, and the cookies that came with it."""
    written = step.request.written(known)
    if written is None:
        raise UpstreamDown("a prepare request could not be written from the variables")
    async with sent(policy, ways, written, known) as answer:
        lines = answer.headers.getall("Set-Cookie", ())
        cookies = taken(policy.cookies, lines, _path(written), known, now())
        body = b"" if written.method == "HEAD" else await answer.read(MAX_ANSWER)
        content_type = answer.headers.get("Content-Type", "")
        return read_prepared(kind, policy, step, answer.status, content_type, body), cookies


async def release(policy: Policy, request: StepRequest, ways: Ways, variables: Variables) -> str:
    """Ask for one release. "" when it is done, or there is nothing to be done; else what was answered. Raises
    UpstreamDown or UpstreamSlow."""
    written = request.written(variables)
    if written is None:
        return ""
    try:
        async with asyncio.timeout(RELEASE_SECONDS), sent(policy, ways, written, variables) as answer:
            done = 200 <= answer.status < 300 or answer.status in _DONE
            return "" if done else f"answered {answer.status}"
    except TimeoutError as error:
        raise UpstreamSlow("release took too long") from error
