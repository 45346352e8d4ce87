"""What a signed URL of a followed answer says, in bytes, sealed for one grant. Pure.

    /_gateway/s/{sealed}/{file name}        sealed = sort and depth, mark of the rule, folder, place

Rule: nobody reads or makes one without the gateway's key, and it opens for the grant it was made for and for no
other, on each worker and without memory. The name at the end is part of what is checked.

Why encrypted and not only signed: the place may hold what a guest must not see, a token of the server's, its
folders, another origin. Why without a random part: a player that reads a playlist again must find the same
addresses in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.links.keys import Keys, Unsealable

SORTS = ("file", "hls", "json", "dash")
_HEAD = 8  # bytes: sort and depth, six of the mark, how deep the folder of the rule's answer lies


@dataclass(frozen=True, slots=True)
class Followed:
    """`place`: origin (none for the media server) and canonical target. `levels`: how many slashes the folder of
    the rule's own answer has. `depth`: how many playlists lie above."""

    sort: str
    depth: int
    mark: bytes
    levels: int
    place: str

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


def seal_packed(keys: Keys, grant: bytes, packed: bytes) -> str:
    """`seal` for what has been packed already: many places that begin alike."""
    return keys.seal_followed(grant, packed).decode("ascii")


def seal(keys: Keys, grant: str, followed: Followed) -> str:
    return keys.seal_followed(grant.encode(), followed.packed()).decode("ascii")


def unseal(keys: Keys, grant: str, sealed: str) -> Followed:
    """Raises Unsealable."""
    return Followed.unpacked(keys.unseal_followed(grant.encode(), sealed))
