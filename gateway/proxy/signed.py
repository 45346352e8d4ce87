"""Signed URLs: what a followed answer has named, asked for by the guest whom it was named to.

Rule: a signed URL says what is asked for, the cookie says who asks; without a live grant of this browser that
the URL was made for it opens nothing. Where the policy says `cast`, a ticket in the URL stands in for the cookie:
until it ends, and from few addresses at a time. GET and HEAD only, no websocket, and no query but the three words with
which a player of a low-latency stream says how far it is (RFC 8216bis 6.2.5), each at most once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.access.authorize import Allowed
from gateway.access.outcome import Denied
from gateway.links.cast import Ticket, is_ticket, read_ticket
from gateway.links.followed import AS_ALLOWED, Followed, unseal
from gateway.links.keys import Unsealable
from gateway.policy.decide import Decision
from gateway.policy.follow import Place, file_name
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.proxy.following import folder_of
from gateway.proxy.places import place_of
from gateway.proxy.templates import NO_NAME, filled_place, stays_in_folder
from gateway.reasons import Reason

if TYPE_CHECKING:
    from gateway.access.authorize import Authorizer
    from gateway.access.live import LiveGrant
    from gateway.access.servers import MediaServer
    from gateway.policy.model import Rule
    from gateway.proxy.following import Sealer

Elsewhere = Callable[[Ticket], Awaitable[Denied | None]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A signed URL that this guest may use: where it leads, and how its answer is to be read. `ticket`: with which it
    opened, or could have."""

    allowed: Allowed
    rule: Rule
    place: Place
    sort: str
    depth: int
    levels: int | None
    ticket: str = ""


def ticket_of(sealer: Sealer, target: Target) -> tuple[str, Ticket] | None:
    """The ticket of a signed URL, as it stands there, if it has a good one."""
    segment = target.path.removeprefix(f"{sealer.own}/s/").partition("/")[0]
    ticket = read_ticket(sealer.keys, segment) if is_ticket(segment) else None
    return (segment, ticket) if ticket is not None else None


async def open_signed(
    sealer: Sealer,
    authorizer: Authorizer,
    server: MediaServer,
    method: str,
    target: Target,
    grant_ids: tuple[str, ...],
    elsewhere: Elsewhere,
) -> Opened | Denied:
    """`elsewhere`: whether whoever has no cookie may play this grant from where they are. Raises StoreDown."""
    segments = target.path.removeprefix(f"{sealer.own}/s/").split("/")
    ticket = ""
    if is_ticket(segments[0]):
        told = ticket_of(sealer, target)
        ticket = segments.pop(0)
        if told is None:
            return Denied(Reason.NO_RULE, "no ticket of this gateway")
        if told[1].grant not in grant_ids:
            denied = await elsewhere(told[1])
            if denied is not None:
                return denied
        grant_ids = (told[1].grant,)
    if not grant_ids:
        return Denied(Reason.NO_SESSION)
    found = _unsealed(sealer, segments, grant_ids) if 2 <= len(segments) <= 3 else None
    if found is None:
        return Denied(Reason.NO_RULE, "no signed URL of this guest")
    grant, followed = found
    live = await authorizer.alive(server, grant)
    if isinstance(live, Denied):
        return live
    if ticket and live.server.policy.cast is None:
        return Denied(Reason.NO_RULE, "the policy says cast no more")
    if method not in ("GET", "HEAD"):
        return Denied(Reason.METHOD_REFUSED)
    place = filled_place(followed) if followed.sort == "template" else place_of(followed.place)
    if place is None:
        return Denied(Reason.NO_RULE, "no place that can be asked for")
    named_so = file_name(place.target) == segments[-1]
    if not named_so and (followed.sort, segments[-1]) != ("template", NO_NAME):
        return Denied(Reason.NO_RULE, "another file name than was signed")
    if followed.mark == AS_ALLOWED:
        return _as_allowed(live, method, target, place, followed, ticket)
    rule = live.scope.following(followed.mark)
    if rule is None:
        return Denied(Reason.NO_RULE, "the rule that was followed is no longer in force")
    if not _within(live, rule, place, followed):
        return Denied(Reason.NO_RULE, "no longer within what the rule follows to")
    asked = _asked(place, target, followed)
    if asked is None:
        return Denied(Reason.QUERY_REFUSED)
    live.touch()
    # What the rule says of its own request (a query it sets, say) is not said of what its answers name.
    allowed = Allowed(live, Decision(live.scope.plain(rule), None), live.server)
    sort = "file" if followed.sort == "template" else followed.sort
    return Opened(allowed, rule, asked, sort, followed.depth, followed.levels, ticket)


def _as_allowed(
    live: LiveGrant, method: str, target: Target, place: Place, followed: Followed, ticket: str
) -> Opened | Denied:
    """What the rules allow by themselves, for whoever has no cookie; a page is for a browser, which has one."""
    if not ticket or place.origin:
        return Denied(Reason.NO_RULE, "only a ticket opens this")
    asked = _asked(place, target, followed)
    if asked is None:
        return Denied(Reason.QUERY_REFUSED)
    decision = live.scope.decide(method, asked.target)
    if not decision.allowed or decision.rule is None:
        return Denied(decision.reason or Reason.NO_RULE, decision.detail)
    if decision.page:
        return Denied(Reason.NO_RULE, "a page")
    live.touch()
    rule = decision.rule
    sent = Place("", decision.sent or asked.target)
    sort = rule.follow.as_ if rule.follow else "file" if followed.sort == "template" else followed.sort
    return Opened(Allowed(live, decision, live.server), rule, sent, sort, 0, None, ticket)


def _unsealed(sealer: Sealer, segments: list[str], grant_ids: tuple[str, ...]) -> tuple[str, Followed] | None:
    for grant in reversed(grant_ids):
        try:
            return grant, unseal(sealer.keys, grant, segments)
        except Unsealable:
            continue
    return None


def _within(live: LiveGrant, rule: Rule, place: Place, followed: Followed) -> bool:
    if place.origin and place.origin not in live.server.policy.origins:
        return False
    if place.origin and followed.sort != "template" and live.scope.elsewhere(place) is rule:
        return True
    if rule.follow is None:
        return False
    reach = live.scope.reach(rule)
    if followed.sort == "template" and not stays_in_folder(followed.place, reach, followed.levels):
        return False
    return reach.holds(place, folder_of(place, followed.levels))


def _asked(place: Place, target: Target, followed: Followed) -> Place | None:
    """The place with the query that came behind the signed URL; None for one that may not stand there."""
    if not target.pairs:
        return place
    return _with_directives(place, target) if followed.sort == "hls" else None


def _with_directives(place: Place, target: Target) -> Place | None:
    """The place with what a player adds to ask for a live playlist's next part."""
    asked = {}
    for name, value in target.pairs:
        number = value is not None and value.isascii() and value.isdecimal() and len(value) <= 15
        good = number if name in ("_HLS_msn", "_HLS_part") else name == "_HLS_skip" and value in ("YES", "v2")
        if not good or name in asked or any(name == other for other, _ in place.target.pairs):
            return None
        asked[name] = value
    added = "&".join(f"{name}={value}" for name, value in asked.items())
    whole = parse_target(f"{place.target.sent}{'&' if place.target.query else '?'}{added}")
    return None if isinstance(whole, Ambiguity) else Place(place.origin, whole)
