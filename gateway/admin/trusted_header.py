"""`{own}/manage/sign-in` where a proxy in front of the managing origin says who somebody is.

Rule: only the peers named in the configuration may say so, by exactly one header of exactly that name for
each thing they say. Both are read at each request: the session lasts as long as they go on naming the same
person, with the rights of the groups they name then.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.access.permits import Actor
from gateway.access.rights import permissions, split_groups
from gateway.admin.pages import manage_page
from gateway.admin.session import Desk, navigates, see_other
from gateway.config import TrustedHeader
from gateway.config_entries import is_of_the_record
from gateway.links.text import clean
from gateway.reasons import Reason
from gateway.web.client_address import TrustedProxies
from gateway.web.manage_visit import ManageVisit
from gateway.web.refuse import refuse


@dataclass(frozen=True, slots=True)
class HeaderReader:
    """Who a request comes from, by the word of a proxy that may say so."""

    config: TrustedHeader
    peers: TrustedProxies

    def name(self, request: web.BaseRequest) -> str | None:
        if not self.peers.trusts(request.remote):
            return None
        said = request.headers.getall(self.config.user, [])
        if len(said) != 1:
            return None
        name = clean(said[0])
        if name is None or name != said[0].strip():
            return None
        # A colon stands in names of the record that are nobody's in particular: `cli:root`.
        return None if ":" in name or is_of_the_record(name) else name

    def actor(self, request: web.BaseRequest) -> Actor | None:
        name = self.name(request)
        said = request.headers.getall(self.config.groups, []) if self.config.groups else []
        if name is None or len(said) > 1:
            return None
        may = permissions(self.config.rights, split_groups(said[0]) if said else ())
        return Actor(name, may, (name,), "trusted_header") if may else None


@dataclass(frozen=True, slots=True)
class HeaderDoor:
    desk: Desk
    reader: HeaderReader

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        request = visit.request
        if request.method not in ("GET", "HEAD"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        if not navigates(request):
            return refuse(visit, Reason.CROSS_SITE, detail="a page that no navigation asks for")
        to = self.desk.wanted(dict(parse_qsl(visit.target.query)).get("to", ""))
        if await self.desk.who(visit) is not None:
            return see_other(to)
        actor = self.reader.actor(request)
        if actor is None:
            trouble = "nothing" if self.reader.name(request) is not None else "unsaid"
            visit.reason, visit.detail = Reason.NOT_SIGNED_IN, f"trusted header: {trouble}"
            return manage_page(
                visit,
                "manage_sign_in_elsewhere.html",
                status=403,
                to=to,
                trouble=trouble,
                ref=visit.ref,
                home=self.desk.home,
            )
        opened = await self.desk.sign_in.open(actor, visit.client)
        visit.who = actor.name
        response = see_other(to)
        self.desk.remember(response, opened.identifier)
        return response
