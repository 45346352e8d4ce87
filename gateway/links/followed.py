"""What a signed URL of a followed answer says, sealed for one grant. Pure.

    /_gateway/s/{sealed place}/{file name}
    /_gateway/s/{sealed folder}/{signature}/{file name}        a file of a plain name: most of what is named
    /_gateway/s/{sealed template}/{numbers}/{file name}        a template of which a player fills the numbers in

Rule: nobody reads or makes one without the gateway's key, and it opens for the grant it was made for and for no
other, on each worker and without memory. Sealed are the sort and depth, the mark of the rule, and where it leads
with its query; a signature is one of the grant, the sealed folder and the name. How a place is written depends on
the place alone.

Why encrypted and not only signed: the place may hold what a guest must not see, a token of the server's, its
folders, another origin. Why without a random part: a player that reads a playlist again must find the same
addresses in it. Why folders: a playlist names a thousand files of one, and to sign a name costs a third of what
it costs to encrypt a place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.links.keys import Keys, Unsealable

SORTS = ("file", "hls", "json", "dash", "any", "folder", "template")
AS_ALLOWED = bytes(6)
"""In place of a rule's mark: what is asked for must be something that the rules allow by themselves."""
_HEAD = 8  # bytes: sort and depth, six of the mark, how deep the folder of the rule's answer lies


@dataclass(frozen=True, slots=True)
class Followed:
    """`place`: origin (none for the media server) and canonical target; of a folder, its query stands behind the
    slash. `levels`: how many slashes the folder of the rule's own answer has. `depth`: how many lists lie above.
    `numbers`: what a player filled into a template, not yet read."""

    sort: str
    depth: int
    mark: bytes
    levels: int
    place: str
    numbers: str = ""

    def packed(self) -> bytes:
        return bytes((SORTS.index(self.sort) << 4 | self.depth, *self.mark, self.levels)) + self.place.encode("ascii")

    @classmethod
    def unpacked(cls, data: bytes) -> Followed:
        """Raises Unsealable for what a later version may have written."""
        if len(data) <= _HEAD or data[0] >> 4 >= len(SORTS):
            raise Unsealable("of another version")
        try:
            place = data[_HEAD:].decode("ascii")
        except UnicodeDecodeError as error:
            raise Unsealable("of another version") from error
        return cls(SORTS[data[0] >> 4], data[0] & 15, data[1:7], data[7], place)


def seal(keys: Keys, grant: str, followed: Followed) -> str:
    return keys.seal_followed(grant.encode(), followed.packed()).decode("ascii")


def beside(keys: Keys, grant: str, folder: Followed, before: str) -> Callable[[str], str]:
    """For many files of one folder: the URL for one of this name. `before`: what stands before the sealed folder."""
    sealed = keys.seal_followed(grant.encode(), folder.packed())
    copy = keys.signs_beside(grant.encode(), sealed).copy
    before = f"{before}{sealed.decode('ascii')}/"

    def url(name: str) -> str:
        signing = copy()
        signing.update(name.encode())
        return f"{before}{signing.hexdigest()}/{name}"

    return url


def unseal(keys: Keys, grant: str, segments: Sequence[str]) -> Followed:
    """What the segments of a signed URL say, the file's name still to be compared. Raises Unsealable."""
    of, sealed = grant.encode(), segments[0]
    followed = Followed.unpacked(keys.unseal_followed(of, sealed))
    if followed.sort not in ("folder", "template"):
        if len(segments) != 2:
            raise Unsealable("not a URL that was written like this")
        return followed
    if len(segments) != 3:
        raise Unsealable("not a URL that was written like this")
    between, name = segments[1:]
    if followed.sort == "template":
        return Followed("template", 0, followed.mark, followed.levels, followed.place, between)
    if not name.isascii() or not keys.check_beside(of, sealed.encode(), name.encode(), between):
        raise Unsealable("not signed for this grant")
    folder, mark, query = followed.place.partition("?")
    return Followed("file", 0, followed.mark, followed.levels, folder + name + mark + query)
