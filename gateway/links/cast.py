"""What a cast address begins with: for which grant it opens, without a cookie, and until when. Pure.

    /_gateway/s/{ticket}/{what a signed URL has}

Rule: a ticket names its grant in the open (a grant's id is no secret) and is signed; whoever has the address is
whoever it was given to, so it ends early, opens this grant's media alone and dies with the grant. Addresses that
are found below one ticket carry the same one: a player that reads a playlist again finds the same addresses.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.links.ids import is_grant_id
from gateway.links.keys import Keys

_BEGIN = "c."  # no sealed place has a dot


@dataclass(frozen=True, slots=True)
class Ticket:
    """`until` in seconds since 1970 (UTC)."""

    grant: str
    until: int

    def over(self, now: int) -> bool:
        """`now` in ms."""
        return now >= self.until * 1000


def written(keys: Keys, ticket: Ticket) -> str:
    said = f"{_BEGIN}{ticket.grant}.{ticket.until}"
    return f"{said}.{keys.sign_cast(said.encode()).hex()}"


def read_ticket(keys: Keys, segment: str) -> Ticket | None:
    """None for anything that no key of this gateway has signed."""
    said, _, signature = segment.rpartition(".")
    begin, _, rest = said.partition(".")
    grant, _, until = rest.partition(".")
    if f"{begin}." != _BEGIN or not is_grant_id(grant) or not (until.isascii() and until.isdecimal()):
        return None
    if len(until) > 12 or not keys.check_cast(said.encode(), signature):
        return None
    return Ticket(grant, int(until))


def is_ticket(segment: str) -> bool:
    """Whether it was meant as one."""
    return segment.startswith(_BEGIN)


def lasting(grant: str, *, created_at: int, cast: int, now: int) -> Ticket:
    """For addresses that are named again and again: the same ticket for half of `cast`, and good for as long at least.
    Times in ms."""
    half = max(1, cast // 2)
    return Ticket(grant, (created_at + ((now - created_at) // half + 2) * half) // 1000)
