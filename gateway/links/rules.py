"""When a link is good (spec 3). Pure: the clock is an argument.

Why a state is computed and never stored: a stored state is wrong the moment time passes or a switch
is turned, and somebody will read it. The first that holds wins: deleted, off, expired, used up,
scheduled, active.
"""

from __future__ import annotations

from enum import Enum

from gateway.links.records import Grant, Item, Link
from gateway.reasons import Reason


class State(Enum):
    ACTIVE = "active"
    SCHEDULED = "scheduled"
    OFF = "off"
    EXPIRED = "expired"
    USED_UP = "used_up"
    DELETED = "deleted"

    def __str__(self) -> str:
        return self.value


def state(link: Link, item: Item | None, *, server_open: bool, now: int) -> State:
    """The state of a link; `item` None (no record of its switch) counts as off."""
    if link.deleted_at is not None:
        return State.DELETED
    if not link.enabled or not server_open or item is None or item.access is not True:
        return State.OFF
    if link.expires_at is not None and now >= link.expires_at:
        return State.EXPIRED
    if link.clicks_limit is not None and link.clicks_used >= link.clicks_limit:
        return State.USED_UP
    if link.starts_at is not None and now < link.starts_at:
        return State.SCHEDULED
    return State.ACTIVE


def refusal(of: State, *, inside: bool) -> Reason | None:
    """Why this state keeps somebody out; None when it does not.

    `inside`: a guest who was admitted before, for whom `used_up` counts as active.
    """
    if of is State.ACTIVE or (inside and of is State.USED_UP):
        return None
    return {
        State.OFF: Reason.ACCESS_OFF,
        State.EXPIRED: Reason.LINK_EXPIRED,
        State.USED_UP: Reason.LINK_USED_UP,
        State.DELETED: Reason.LINK_DELETED,
        State.SCHEDULED: Reason.NOT_OPEN_YET,
    }[of]


def has_begun(link: Link, item: Item) -> bool:
    """Whether a live item has been on the air since the link invites to it. A link made afterwards invites to
    what comes next, so for it nothing has begun."""
    return item.live_at is not None and item.live_at >= max(link.created_at, link.starts_at or 0)


def grant_over(grant: Grant, *, now: int) -> bool:
    """Whether a grant has ended by itself or by somebody's hand."""
    return grant.ended_at is not None or now >= grant.ends_at


def idle_over(*, last_seen: int, leave_after: int, now: int) -> bool:
    """Whether a grant whose link is closed has been left: no request, nothing open, for so long (ms)."""
    return now - last_seen >= leave_after
