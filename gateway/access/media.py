"""Whether guests may have an item at all: the operator's switches, and the media server's own word.

Who asks about an item while a question about it is on its way waits for that answer: a lecture hall that
comes in at once is one question, and no flood to the media server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.access.outcome import Denied
from gateway.access.servers import MediaServer
from gateway.errors import UpstreamFailed, UpstreamSlow
from gateway.policy.model import Policy
from gateway.reasons import Reason
from gateway.upstream.client import Ways
from gateway.upstream.resolve import Resolved

Resolve = Callable[[Policy, Ways, str], Coroutine[Any, Any, Resolved]]


def is_open(server: MediaServer, kind: str) -> bool:
    """The operator's part of a link's state: the server's master switch and the policy's kinds."""
    known = server.policy.kinds.get(kind)
    return server.config.guest_access and known is not None and known.guest_access


async def ask_media(resolve: Resolve, server: MediaServer, item: str) -> Resolved | Denied:
    """What the media server says of the item now; a refusal where it can't be watched now."""
    try:
        found = await asyncio.shield(_question(resolve, server, item))
    except UpstreamSlow as error:
        return Denied(Reason.UPSTREAM_SLOW, str(error))
    except UpstreamFailed as error:
        return Denied(Reason.UPSTREAM_DOWN, str(error))
    if found.state == "gone":
        return Denied(Reason.MEDIA_GONE)
    if found.state == "not_started":
        return Denied(Reason.NOT_STARTED, was_live=found.was_live)
    if found.state == "ended":
        return Denied(Reason.MEDIA_ENDED)
    if found.id != item:
        # The server now calls something else by this id: its variables must not widen the grant.
        return Denied(Reason.MEDIA_GONE, "the server names another item")
    kind = server.policy.kinds.get(found.kind) if found.kind is not None else None
    if kind is not None and not kind.guest_access:
        # A link from the time when it was a session; a live stream that is a recording by now stays what it is.
        return Denied(Reason.MEDIA_GONE, f"of kind {found.kind} now, which is not for guests")
    return found


def _question(resolve: Resolve, server: MediaServer, item: str) -> asyncio.Task[Resolved]:
    """The question that is on its way, or a new one. It goes on when who began it has left."""
    task = server.asking.get(item)
    if task is None:
        task = server.asking[item] = asyncio.create_task(resolve(server.policy, server.at, item))

        def answered(done: asyncio.Task[Resolved]) -> None:
            del server.asking[item]
            if not done.cancelled():
                done.exception()  # who waited has heard it, or has left

        task.add_done_callback(answered)
    return task
