"""What becomes a notice, how one is signed, and when it is tried again. Pure.

The conventions are those of https://www.standardwebhooks.com: an id that stays the same however often a notice
is sent, the time of the attempt, and an HMAC-SHA256 over both and the body, by each secret in force.

Why notices are made from the audit log: it holds, in one order, all that happens to links on any worker and
from any command, and outlives them. A notice is lost only together with its line there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from gateway.config import NoticeEvent
from gateway.links.events import Action, Event
from gateway.links.records import Link

DAY = 86_400_000  # ms
PATIENCE = DAY  # ms after which a notice is given up
_FIRST, _FACTOR, _LONGEST = 5_000, 6, 6 * 3_600_000  # ms between tries: 5 s, 30 s, 3 min, 18 min, 1 h 48, then 6 h
_REST_FIRST, _REST_LONGEST = 5_000, 300_000  # ms for which a receiver that fails is left alone

_PLAIN = {
    Action.LINK_OPENED: NoticeEvent.LINK_OPENED,
    Action.GUEST_ADMITTED: NoticeEvent.GUEST_ADMITTED,
    Action.LINK_DISABLED: NoticeEvent.LINK_DISABLED,
    Action.ACCESS_DISABLED: NoticeEvent.ACCESS_DISABLED,
    Action.GUEST_REMOVED: NoticeEvent.GUEST_REMOVED,
    Action.GUEST_ERASED: NoticeEvent.GUEST_ERASED,
    Action.LINK_DELETED: NoticeEvent.LINK_DELETED,
}


def noticed(event: Event, link: Link | None) -> tuple[NoticeEvent, ...]:
    """What a line of the audit log is to webhooks; `link` as it is now."""
    found = [_PLAIN[event.action]] if event.action in _PLAIN else []
    limit = link.clicks_limit if link is not None else None
    if link is not None and limit is not None and link.deleted_at is None:
        last = event.action is Action.GUEST_ADMITTED and event.detail.get("clicks_used") == str(limit)
        # Somebody has set the limit to what is used by now, or below.
        lowered = event.action is Action.LINK_CHANGED and "clicks_limit" in event.detail and link.clicks_used >= limit
        if last or lowered:
            found.append(NoticeEvent.LINK_USED_UP)
    return tuple(found)


def expires_soon(link: Link, now: int) -> bool:
    """Whether less than a day is left of a link that was made for longer."""
    expires = link.expires_at
    return expires is not None and expires - DAY <= now < expires and expires - DAY > link.created_at


def notice_id(*what: str) -> str:
    """The same for the same happening, whoever makes the notice and however often."""
    return f"msg_{hashlib.sha256(chr(0).join(what).encode()).hexdigest()[:32]}"


def signed_headers(secrets: Sequence[bytes], identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
    """`timestamp` in seconds; of several secrets any may be the receiver's."""
    signed = f"{identifier}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def next_try(tries: int, *, since: int, now: int, asked: float | None, chance: float) -> int | None:
    """When (ms) to try again after so many failures; None when it is not worth it any more. `asked`: seconds
    the receiver wants to be left alone; `chance` from 0 to 1 spreads what failed together."""
    wait = min(_FIRST * float(_FACTOR) ** min(tries - 1, 10), _LONGEST) * (0.8 + 0.4 * chance)
    wait = max(wait, min((asked or 0) * 1000, _LONGEST))
    due = now + round(wait)
    return due if due - since <= PATIENCE else None


def rest(failures: int, chance: float) -> int:
    """How long (ms) a receiver that has failed so many times in a row gets nothing at all."""
    return round(min(_REST_FIRST << min(failures - 1, 10), _REST_LONGEST) * (0.8 + 0.4 * chance))
