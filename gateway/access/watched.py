"""What a worker remembers besides its live grants: the links they hang on, and ids that are over."""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum

from gateway.access.media import is_open
from gateway.access.servers import MediaServer
from gateway.links.records import Item, Link
from gateway.links.rules import refusal, state
from gateway.reasons import Reason

_REMEMBERED = 50_000


class Standing(Enum):
    GOOD = "good"
    OVER = "over"
    ASK = "ask"  # this worker alone can't say


class Watched:
    """A link on which grants depend, as last heard of, and these grants."""

    __slots__ = ("grants", "item", "link", "server")

    def __init__(self, link: Link, item: Item | None, server: MediaServer) -> None:
        self.link, self.item, self.server = link, item, server
        self.grants: set[str] = set()

    def closed(self, now: int) -> Reason | None:
        """Why it is closed, for those inside; None while it is open."""
        server_open = is_open(self.server, self.link.kind)
        return refusal(state(self.link, self.item, server_open=server_open, now=now), inside=True)


class OverIds:
    """Grants that have ended or never were. An id is never given twice, so forgetting one is harmless:
    the store is asked again."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._ids

    def add(self, identifier: str) -> None:
        self._ids[identifier] = None
        self._ids.move_to_end(identifier)
        if len(self._ids) > _REMEMBERED:
            self._ids.popitem(last=False)
