"""Following an answer: each address it names is kept, signed for this grant, or removed.

Rule: an address that a rule of the policy allows stays as it is; one inside `to` becomes a URL below
`{own}/s/`; any other is removed. The same three fates have redirects of followed answers.

A signed URL is judged when it is asked for: it opens for the grant that it was made for, that grant must live,
the rule that it comes from must be in force, and its place must lie inside `to` as that is then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config import Origin
from gateway.links.followed import Followed, seal, seal_packed
from gateway.policy.follow import DEEPEST, Place
from gateway.policy.target import Target
from gateway.proxy.places import MAX_NAME, file_name, named

if TYPE_CHECKING:
    from gateway.access.live import LiveGrant
    from gateway.links.keys import Keys
    from gateway.policy.model import Rule
    from gateway.proxy.facing import Facing

# A file's name that needs no reading: no separator, no escape, no scheme, no dot at either end.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_PLAYLIST = re.compile(r"\.m3u8?$", re.I)


@dataclass(frozen=True, slots=True)
class Sealer:
    """With which keys signed URLs are made, and below which path they stand."""

    keys: Keys
    own: str  # the gateway's own prefix

    def url(self, grant: str, followed: Followed, name: str) -> str:
        return f"{self.own}/s/{seal(self.keys, grant, followed)}/{name}"


class Following:
    """For one answer: that of `place`, followed by `rule`. `sort` and `depth`: what it is to be read as, and how
    many playlists lie above it."""

    def __init__(
        self,
        sealer: Sealer,
        facing: Facing,
        live: LiveGrant,
        rule: Rule,
        place: Place,
        *,
        sort: str,
        depth: int,
        levels: int | None = None,
    ) -> None:
        follow = rule.follow
        assert follow is not None
        self.sort, self.depth = sort, depth
        self.place = place
        self._sealer, self._facing = sealer, facing
        self._grant = live.grant.id
        self._scope = live.scope
        self._mark = follow.mark
        self._reach = self._scope.reach(rule)
        self._levels = levels if levels is not None else min(place.folder.count("/"), 255)
        self._folder = folder_of(place, self._levels)
        self._origins = tuple(map(as_origin, facing.server.policy.origins))
        self._base = place.target.path.rpartition("/")[0] + "/"
        # A plain name beside this answer has one reading, where its folder reads the same when decoded.
        self._quick = "%" not in self._base and not (place.origin and facing.finder)
        base = place.origin + self._base
        self._by_rule = self._scope.beside(self._base)
        self._inside = self._reach.beside(base, self._folder)
        self._file = Followed("file", 0, self._mark, self._levels, base).packed()
        self._for = self._grant.encode()
        self._before = f"{sealer.own}/s/"

    def address(self, text: str, playlist: bool) -> str | None:
        """What stands in the rewritten answer for an address that it names; None: nothing."""
        if self._quick and _PLAIN.fullmatch(text) and (self.place.origin or not self._by_rule(text)):
            # A segment beside its playlist, a thousand times over.
            if not self._inside(text):
                return None
            if playlist or _PLAYLIST.search(text) or len(text) > MAX_NAME:
                return self._signed(Place(self.place.origin, _plain(self._base + text)), playlist)
            sealed = seal_packed(self._sealer.keys, self._for, self._file + text.encode())
            return f"{self._before}{sealed}/{text}"
        place = named(text, self.place, self._facing.names, self._origins, self._facing.injected)
        if place is None:
            return None
        if not place.origin and self._scope.decide("GET", place.target).allowed:
            plain = self.depth == 0 and not self.place.origin and _stays(text)
            return text if plain else place.target.sent
        return self._signed(place, playlist) if self._reaches(place) else None

    def redirect(self, location: str) -> str | None:
        """Where this answer's server leads to: as it is where a rule allows it, else as a signed URL."""
        place = named(location, self.place, self._facing.names, self._origins, self._facing.injected)
        if place is None:
            return None
        if not place.origin and self._scope.decide("GET", place.target).allowed:
            return place.target.sent
        if not self._reaches(place):
            return None
        followed = Followed(self.sort, self.depth, self._mark, self._levels, place.sent)
        return self._sealer.url(self._grant, followed, file_name(place.target))

    def _reaches(self, place: Place) -> bool:
        """A credential of ours that the server has written into an address on another host stays here."""
        if place.origin and self._facing.finder.found_in(place.sent):
            return False
        return self._reach.holds(place, self._folder)

    def _signed(self, place: Place, playlist: bool) -> str | None:
        name, sent = file_name(place.target), place.sent
        if playlist or _PLAYLIST.search(name):
            if self.depth >= DEEPEST:
                return None
            followed = Followed("hls", self.depth + 1, self._mark, self._levels, sent)
        else:
            followed = Followed("file", 0, self._mark, self._levels, sent)
        return self._sealer.url(self._grant, followed, name)


def _plain(path: str) -> Target:
    return Target(path, "", path, ())


def folder_of(place: Place, levels: int) -> str:
    """The first `levels` folders of a place's path."""
    return "/".join((place.origin + place.target.text).split("/")[:levels]) + "/"


def as_origin(text: str) -> Origin:
    """One of a policy's origins, which are spelled as `Origin` spells itself."""
    scheme, _, rest = text.partition("://")
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isdigit():
        host, port = rest, "443" if scheme == "https" else "80"
    return Origin(scheme, host, int(port))


def _stays(text: str) -> bool:
    """Whether a kept address may stand as the server wrote it: a path, and nothing that browsers read otherwise."""
    return ":" not in text and not text.startswith("//")
