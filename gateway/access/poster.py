"""An item's picture for the managers' pages, asked of the media server by the gateway itself.

Rule: only where the item's policy names a poster and allows it to guests; only pictures that can't hold a
script, and not large ones. The managers' origin never shows an address of the guests' one.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.media import Resolve
from gateway.access.servers import MediaServer
from gateway.errors import UpstreamFailed
from gateway.links.records import Item
from gateway.policy.target import Target, parse_target

MAX_POSTER = 2 * 1024 * 1024  # bytes
_TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})


@dataclass(frozen=True, slots=True)
class Poster:
    body: bytes
    content_type: str


def has_poster(server: MediaServer, kind: str) -> bool:
    known = server.policy.kinds.get(kind)
    return known is not None and known.player is not None and known.player.poster is not None


async def fetch_poster(resolve: Resolve, server: MediaServer, item: Item) -> Poster | None:
    """None where there is none to be had, for whatever reason."""
    if not has_poster(server, item.kind):
        return None
    try:
        found = await resolve(server.policy, server.at, item.item)
        if found.state != "ok" or found.id != item.item:
            return None
        scope = server.policy.scope(
            item.kind,
            {**(found.variables or {}), **(server.policy.item.variables(item.item) or {"id": (item.item,)})},
        )
        player = scope.player()
        target = parse_target(player.poster) if player is not None and player.poster else None
        rule = scope.decide("GET", target).rule if isinstance(target, Target) else None
        if rule is None or not isinstance(target, Target):
            return None
        credentials = server.policy.credentials
        headers = [("Accept", "image/*"), *credentials.sent_headers()]
        async with server.at[rule.at].request("GET", credentials.into(target.sent), headers) as answer:
            content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if answer.status != 200 or content_type not in _TYPES or "Content-Encoding" in answer.headers:
                return None
            return Poster(await answer.read(MAX_POSTER), content_type)
    except (UpstreamFailed, KeyError):
        return None
