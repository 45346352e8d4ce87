"""Following an answer: each address it names is kept, signed for this grant, or removed.

Rule: an address that a rule of the policy allows stays as it is; one inside `to` becomes a URL below
`{own}/s/`; any other is removed. The same three fates have redirects of followed answers.

A signed URL is judged when it is asked for: it opens for the grant that it was made for, that grant must live,
the rule that it comes from must be in force, and its place must lie inside `to` as that is then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.config import Origin
from gateway.links.followed import AS_ALLOWED, Followed, beside, seal
from gateway.policy.follow import DEEPEST, MAX_NAME, Beside, Place, file_name
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.proxy.places import MAX_PLACE, file_ending, named
from gateway.proxy.redirects import without
from gateway.proxy.templates import canonical, samples, stays_in_folder, template_name

if TYPE_CHECKING:
    from gateway.access.live import LiveGrant
    from gateway.links.keys import Keys
    from gateway.policy.model import Rule
    from gateway.proxy.facing import Facing
    from gateway.rewrite.numbers import Template

# A file's name that needs no reading: no separator, no escape, no scheme, no dot at either end.
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-]+\.)*([A-Za-z0-9_-]+)")
_NO_QUERY = Target("/", "", "/", ())
LISTS = {"m3u8": "hls", "m3u": "hls", "mpd": "dash"}
"""What a name's ending says of it, whatever it was named as."""
_MAX_FOLDERS = 64


@dataclass(frozen=True, slots=True)
class Sealer:
    """With which keys signed URLs are made, and below which path they stand. `ticket`: with which they open without
    the guest's cookie."""

    keys: Keys
    own: str  # the gateway's own prefix
    ticket: str = ""

    @property
    def before(self) -> str:
        return f"{self.own}/s/{self.ticket}/" if self.ticket else f"{self.own}/s/"

    def url(self, grant: str, followed: Followed, name: str) -> str:
        return f"{self.before}{seal(self.keys, grant, followed)}/{name}"

    def elsewhere(self, live: LiveGrant, place: Place) -> str | None:
        """The URL for media on another origin that a variable names; None where no rule `GET {name}` allows it."""
        rule = live.scope.elsewhere(place)
        if rule is None or len(place.sent) > MAX_PLACE:
            return None
        sort = rule.follow.as_ if rule.follow is not None else "file"
        followed = Followed(sort, 0, rule.mark, min(place.folder.count("/"), 255), place.sent)
        return self.url(live.grant.id, followed, file_name(place.target))


class Following:
    """For one answer: that of `place`, followed by `rule`. `sort` and `depth`: what it is to be read as, and how
    many lists lie above it. `cast`: whoever reads it has no cookie, so that what rules allow is signed as well."""

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
        cast: bool = False,
    ) -> None:
        self.sort, self.depth = sort, depth
        self.place = place
        self.cast = cast
        self._sealer, self._facing, self._injected = sealer, facing, facing.injected
        self._grant = live.grant.id
        self._scope = live.scope
        self._live = live
        self._mark = rule.mark
        self._reach = self._scope.reach(rule) if rule.follow is not None else None
        self._levels = levels if levels is not None else min(place.folder.count("/"), 255)
        self._folder = folder_of(place, self._levels)
        self._names = facing.names_of(rule.at)
        self._origins = tuple(map(as_origin, facing.server.policy.origins))
        self._tells = False
        self._folders: dict[str, _Folder | None] = {}
        self._signing: dict[tuple[bytes, str, str, str], Callable[[str], str]] = {}

    def look_at(self, body: bytes) -> None:
        """The plain text of the answer, before its addresses are asked for: most hold no credential, and then none
        of a thousand addresses needs to be searched."""
        self._tells = self._facing.finder.found(body)

    def address(self, text: str, sort: str) -> str | None:
        """What stands in the rewritten answer for an address that it names as a `file`, as a list to be read as
        `hls`, `dash` or `json`, or as `any` of these; None: nothing."""
        if self._tells and "?" in text:
            relieved = self._relieved(text, sort)
            if relieved is not None:
                return relieved
        if sort == "file":
            path, mark, query = text.partition("?")
            at = path.rfind("/") + 1
            written = path[:at]
            folder = self._folders[written] if written in self._folders else self._beside(written)
            found = folder.file(path[at:], mark + query) if folder is not None else None
            if found is not None:
                return found
        return self._judged(text, sort)

    def files(self, texts: Sequence[str]) -> list[str | None]:
        """`address` for many files, most of which have folder and query of the one before."""
        out: list[str | None] = []
        written = query = ""
        folder: _Folder | None = None
        for text in texts:
            found = None
            if folder is not None and text.startswith(written) and text.endswith(query):
                # A plain name holds neither slash nor question mark: there is one way to take the text apart.
                found = folder.file(text[len(written) : len(text) - len(query)], query)
            if found is None:
                found = self.address(text, "file")
                path, mark, rest = text.partition("?")
                written, query = path[: path.rfind("/") + 1], mark + rest
                folder = self._folders.get(written)
            out.append(found)
        return out

    def redirect(self, location: str) -> str | None:
        """Where this answer's server leads to: as it is where a rule allows it, else as a signed URL."""
        place = self._named(location)
        if place is None:
            return None
        if self._allowed(place):
            return self._written(place, self.sort, self.depth, AS_ALLOWED) if self.cast else place.target.sent
        if self._here(location) and self._reaches(place):
            return self._written(place, self.sort, self.depth)
        return self._elsewhere(place)

    def template(self, template: Template) -> str | None:
        """The same for one that a player fills numbers in; what these may be is judged when they come."""
        found = canonical(template, self._named)
        reach = self._reach
        if found is None or reach is None:
            return None
        here = self._here(template.filled(dict.fromkeys(template.numbers, "1")))
        origin, template = found
        sealed = Followed("template", 0, self._mark, self._levels, origin + str(template))
        name = f"{template.slots}/{template_name(template)}"
        for sample in samples(origin, template):
            if file_ending(sample.target) in LISTS:
                return None
            if self._allowed(sample) and self.cast:
                return self._sealer.url(self._grant, replace(sealed, mark=AS_ALLOWED), name)
            if self._allowed(sample):
                return str(template)
            if here and reach and self._reaches(sample) and stays_in_folder(sealed.place, reach, self._levels):
                return self._sealer.url(self._grant, sealed, name)
        return None

    def _judged(self, text: str, sort: str) -> str | None:
        place = self._named(text)
        if place is None:
            return None
        if self._allowed(place):
            return self._as_allowed(place, text, sort)
        if not (self._here(text) and self._reaches(place)):
            return self._elsewhere(place)
        sort = LISTS.get(file_ending(place.target), sort)
        if sort == "file" or (sort == "any" and self.depth >= DEEPEST):
            return self._written(place, "file", 0)
        return self._written(place, sort, self.depth + 1) if self.depth < DEEPEST else None

    def _relieved(self, text: str, sort: str) -> str | None:
        """An address that a rule allows without the pairs in which the server repeats a credential of ours: so it
        stands, as the gateway sends the credential anyway. Jellyfin writes its `ApiKey=` into playlists, however the
        token came. None where there is nothing to leave out, or no rule: what is sealed may keep it."""
        path, _, query = text.partition("?")
        pairs = query.split("&")
        kept = [pair for pair in pairs if not self._facing.finder.found_in(pair)]
        if len(kept) == len(pairs):
            return None
        text = path + ("?" + "&".join(kept) if kept else "")
        place = self._named(text)
        return self._as_allowed(place, text, sort) if place is not None and self._allowed(place) else None

    def _as_allowed(self, place: Place, text: str, sort: str) -> str | None:
        """How an address stands that a rule allows."""
        if self.cast:
            return self._written(place, LISTS.get(file_ending(place.target), sort), 0, AS_ALLOWED)
        plain = self.depth == 0 and not self.place.origin and _stays(text)
        return text if plain else place.target.sent

    def _named(self, text: str) -> Place | None:
        return named(text, self.place, self._facing.names, self._origins, self._injected)

    def _allowed(self, place: Place) -> bool:
        return not place.origin and self._scope.decide("GET", place.target).allowed

    def _here(self, text: str) -> bool:
        """Whether what is signed leads where the text says: a signed URL goes where its rule goes, and so to no
        other address of the server."""
        if self._names is self._facing.names:
            return True
        return named(text, self.place, self._names, self._origins, self._facing.injected) is not None

    def _reaches(self, place: Place) -> bool:
        """A credential of ours that the server has written into an address on another host stays here."""
        if place.origin and self._facing.finder.found_in(place.sent):
            return False
        return self._reach is not None and self._reach.holds(place, self._folder)

    def _elsewhere(self, place: Place) -> str | None:
        if not place.origin or self._facing.finder.found_in(place.sent):
            return None
        return self._sealer.elsewhere(self._live, place)

    def _written(self, place: Place, sort: str, depth: int, mark: bytes | None = None) -> str | None:
        mark = self._mark if mark is None else mark
        if len(place.sent) > MAX_PLACE:
            return None
        folder, _, name = place.target.path.rpartition("/")
        if sort == "file" and len(name) <= MAX_NAME and _PLAIN.fullmatch(name):
            query = f"?{place.target.query}" if place.target.query else ""
            return self.signing(place.origin, folder + "/", query, mark)(name)
        followed = Followed(sort, depth, mark, self._levels, place.sent)
        return self._sealer.url(self._grant, followed, file_name(place.target))

    def signing(self, origin: str, folder: str, query: str, mark: bytes | None = None) -> Callable[[str], str]:
        """For the names of one canonical folder and query: their URLs."""
        mark = self._mark if mark is None else mark
        key = (mark, origin, folder, query)
        found = self._signing.get(key)
        if found is None:
            packed = Followed("folder", 0, mark, self._levels, origin + folder + query)
            found = beside(self._sealer.keys, self._grant, packed, self._sealer.before)
            if len(self._signing) < _MAX_FOLDERS:
                self._signing[key] = found
        return found

    def _beside(self, written: str) -> _Folder | None:
        """A folder as it is written in this answer, read once. What it is called with, a plain name, has one
        reading and takes part in no other segment's, so what is found for one holds for all."""
        place = self._named(written + "x") if self._reach is not None else None
        # On another host each whole address is searched for credentials of ours.
        elsewhere = place is not None and place.origin and self._facing.finder
        if place is None or place.target.query or elsewhere or not self._here(written + "x"):
            found = None
        else:
            stays = self.depth == 0 and not self.place.origin and _stays(written)
            found = _Folder(self, place, written if stays else place.target.path[:-1])
        if len(self._folders) < _MAX_FOLDERS:
            self._folders[written] = found
        return found

    def inside(self, place: Place) -> Beside | None:
        return None if self._reach is None else self._reach.beside(place.origin + place.target.text[:-1], self._folder)

    def by_rule(self, place: Place) -> Callable[[str], tuple[int, ...]] | None:
        return None if place.origin else self._scope.beside(place.target.text[:-1])

    def allows(self, matched: tuple[int, ...]) -> bool | None:
        return self._scope.allows_plain(matched)

    def query(self, written: str, place: Place) -> Target | None:
        """The query of an address in `place`'s folder."""
        if "\\" in written or "#" in written or len(place.sent) + len(written) + MAX_NAME > MAX_PLACE:
            return None
        target = parse_target("/" + written if place.origin else without("/" + written, self._injected))
        return None if isinstance(target, Ambiguity) else target


class _Folder:
    """Files with plain names in one folder that a followed answer names, a thousand times over."""

    __slots__ = ("_allowed", "_by_rule", "_following", "_inside", "_kept", "_place", "_queries")

    def __init__(self, following: Following, place: Place, kept: str) -> None:
        """`kept`: how the folder is written where a rule allows the file."""
        self._following, self._place, self._kept = following, place, kept
        self._allowed: dict[tuple[int, ...], bool | None] = {}
        self._by_rule = following.by_rule(place)
        self._inside = following.inside(place)
        self._queries: dict[str, _Signing] = {}

    def file(self, name: str, query: str) -> str | None:
        """Its own address or a signed URL; None where it must be looked at as a whole."""
        plain = _PLAIN.fullmatch(name)
        if plain is None or len(name) > MAX_NAME:
            return None
        matched = self._by_rule(name) if self._by_rule is not None else ()
        if matched:
            allowed = self._allowed[matched] if matched in self._allowed else self._look(matched)
            if allowed is None or query or self._following.cast:
                return None  # where it is cast, what rules allow is signed too
            if allowed:
                return self._kept + name
        signing = self._queries.get(query) or self._with(query)
        holds = signing.holds
        if holds is not True and (holds is False or not holds(name)):
            return None
        return None if plain[1].lower() in LISTS else signing.url(name)

    def _look(self, matched: tuple[int, ...]) -> bool | None:
        allowed = self._allowed[matched] = self._following.allows(matched)
        return allowed

    def _with(self, query: str) -> _Signing:
        following, place = self._following, self._place
        target = following.query(query, place) if query else _NO_QUERY
        if target is None:
            signing = _Signing(False, str)
        else:
            signing = _Signing(
                self._inside.holding(target) if self._inside is not None else False,
                following.signing(place.origin, place.target.path[:-1], f"?{target.query}" if target.query else ""),
            )
        if len(self._queries) < _MAX_FOLDERS:
            self._queries[query] = signing
        return signing


@dataclass(frozen=True, slots=True)
class _Signing:
    holds: bool | Callable[[str], bool]
    url: Callable[[str], str]


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
