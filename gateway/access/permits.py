"""Who may manage guest access to what. Pure.

Rule: a permission names a server and an item, each with `*` and `?` for any text: `tv:*`, `tv:abc*`,
`*:*`. `tv:own` are the items of that server whose owner there is one of the manager's `ids`. Nothing
else is permitted; a name in nobody's list may do nothing.

Why owners are an argument: who owns an item is the media server's to say, and it is asked again at each
change. What is known from before serves for lists, and for closing what should be closed while the
server can't be asked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

OWN = "own"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts: `name` goes into records (`alice`, `cli:root`), `ids` are theirs on the media servers.
    `via`: who vouches for the name. `password`, also with a token, is config.yaml; namesakes of another way are
    somebody else."""

    name: str
    may: tuple[str, ...]
    ids: tuple[str, ...] = ()
    via: str = "password"

    def sees_server(self, server: str) -> bool:
        """Whether anything of this server can be theirs."""
        return any(fnmatchcase(server, glob.partition(":")[0]) for glob in self.may)

    def may_always(self, server: str, item: str) -> bool:
        """Whoever owns it."""
        return any(
            of != OWN and fnmatchcase(server, on) and fnmatchcase(item, of)
            for on, _, of in (glob.partition(":") for glob in self.may)
        )

    def may_as_owner(self, server: str) -> bool:
        """If it is theirs."""
        return bool(self.ids) and any(
            of == OWN and fnmatchcase(server, on) for on, _, of in (glob.partition(":") for glob in self.may)
        )

    def manages(self, server: str, item: str, owners: Collection[str]) -> bool:
        """`owners`: who the media server says the item belongs to."""
        return self.may_always(server, item) or (self.may_as_owner(server) and not set(owners).isdisjoint(self.ids))


def everything(name: str) -> Actor:
    """Whoever can read the configuration and the store's folder may do all: the command line."""
    return Actor(name, ("*:*",), via="cli")
