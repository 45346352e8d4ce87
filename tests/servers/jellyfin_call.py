"""One request inside the fake Jellyfin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.servers.asked import Asked, Refused
from tests.servers.aspnet_target import Query, read_guid
from tests.servers.jellyfin_callers import Caller
from tests.servers.jellyfin_library import Item

if TYPE_CHECKING:
    from tests.servers.fake_jellyfin import FakeJellyfin


@dataclass
class Call:
    server: FakeJellyfin
    request: web.Request
    asked: Asked
    query: Query
    caller: Caller
    path: dict[str, str]  # the route's variables

    @property
    def user_agent(self) -> str:
        return self.request.headers.get("User-Agent", "")

    @property
    def json(self) -> dict[str, Any]:
        """The body; an empty one where it may be."""
        try:
            value = json.loads(self.asked.body or b"{}")
        except ValueError:
            raise Refused(400) from None
        return value if isinstance(value, dict) else {}

    def guid(self, text: str | None = None) -> str:
        """The route's id, or `text`, in the one spelling; 400 for none, as the binder says."""
        found = read_guid(self.path["id"] if text is None else text)
        if found is None:
            raise Refused(400)
        return found

    def number(self, name: str, *, needed: bool = False) -> int | None:
        """A number of the query."""
        value = self.query.first(name)
        if value is None or value == "":
            if needed:
                raise Refused(400)
            return None
        if not value.removeprefix("-").isascii() or not value.removeprefix("-").isdigit():
            raise Refused(400)
        return int(value)

    def item(self, item_id: str, *, as_user: bool = True) -> Item:
        """The item of that id, also when it is one version of a title; 404 where the caller may not see it."""
        library = self.server.library
        found = library.source(item_id)
        item = library.items.get(item_id) or (found[0] if found else None)
        if item is None or (as_user and not self.caller.sees(item)):
            raise Refused(404)
        return item
