"""Whether guests may have an item at all: the operator's switches, and the media server's own word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.access.outcome import Denied
from gateway.access.servers import MediaServer
from gateway.errors import UpstreamFailed, UpstreamSlow
from gateway.policy.model import Policy
from gateway.reasons import Reason
from gateway.upstream.client import Upstream
from gateway.upstream.resolve import Resolved

Resolve = Callable[[Policy, Upstream, str], Awaitable[Resolved]]


def is_open(server: MediaServer, kind: str) -> bool:
    """The operator's part of a link's state: the server's master switch and the policy's kinds."""
    known = server.policy.kinds.get(kind)
    return server.config.guest_access and known is not None and known.guest_access


async def ask_media(resolve: Resolve, server: MediaServer, item: str) -> Resolved | Denied:
    """What the media server says of the item now; a refusal where it can't be watched now."""
    try:
        found = await resolve(server.policy, server.upstream, item)
    except UpstreamSlow as error:
        return Denied(Reason.UPSTREAM_SLOW, str(error))
    except UpstreamFailed as error:
        return Denied(Reason.UPSTREAM_DOWN, str(error))
    if found.state == "gone":
        return Denied(Reason.MEDIA_GONE)
    if found.state == "not_started":
        return Denied(Reason.NOT_STARTED)
    if found.state == "ended":
        return Denied(Reason.MEDIA_ENDED)
    if found.id != item:
        # The server now calls something else by this id: its variables must not widen the grant.
        return Denied(Reason.MEDIA_GONE, "the server names another item")
    return found
