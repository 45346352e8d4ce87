"""The proxy door: one request of a guest to the media server, judged, sent, and its answer passed on.

The story is `handle`: what is refused before any rule, the judgement, then the way to the server. What
travels in headers is said in `headers`, how bodies flow in `relay`, where redirects lead in `redirects`,
how websockets are joined in `websocket`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.errors import UpstreamFailed
from gateway.links.cast import Ticket, lasting, written
from gateway.metrics import Metrics
from gateway.policy.follow import Place
from gateway.proxy.bodies import body_for, own_answer, takes_body
from gateway.proxy.cors import CORS, PREFLIGHT
from gateway.proxy.exchange import Exchange, failed, keep_cookies
from gateway.proxy.facing import Facing
from gateway.proxy.following import Following, Sealer
from gateway.proxy.headers import has_body, refused_for
from gateway.proxy.relay import Cut, Open, deliver, held, sever
from gateway.proxy.signed import open_signed, ticket_of
from gateway.proxy.websocket import ACCESS_ENDED, GOING_AWAY, Conversation, Frames, asks_upgrade, fault_of
from gateway.reasons import Reason
from gateway.rewrite.tokens import Likeness
from gateway.web.body import drained
from gateway.web.client_address import neighbourhood
from gateway.web.edge import vouch
from gateway.web.embedding import Embedding
from gateway.web.refuse import refuse, refuse_denied
from gateway.web.same_origin import foreign

if TYPE_CHECKING:
    from gateway.access.authorize import Allowed, Authorizer
    from gateway.access.casting import Casting
    from gateway.access.live import LiveGrant
    from gateway.access.servers import MediaServer
    from gateway.policy.decide import Variables
    from gateway.web.session import SessionCookie
    from gateway.web.visit import Visit

MAX_DRAINED = 64 * 1024  # bytes of a request's body that are read away to keep the connection
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

WayBack = Callable[["MediaServer", tuple[str, ...]], str | None]


Bring = Callable[["LiveGrant", "Variables"], Awaitable[object]]


async def _brings_nothing(live: LiveGrant, values: Variables) -> None:
    return None


def _no_way_back(server: MediaServer, grant_ids: tuple[str, ...]) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class ProxyDoor:
    """`client` tells a request's address. `way_back`: where a refused guest's media is, if he has one.
    `open` is shared with doors that were before this one. `embedding`: who may frame the server's pages. `bring`
    takes what an answer gives to one grant."""

    session: SessionCookie
    authorizer: Authorizer
    client: Callable[[web.BaseRequest], str]
    metrics: Metrics
    way_back: WayBack = _no_way_back
    _facings: dict[str, Facing] = field(default_factory=dict, repr=False)
    open: Open = field(default_factory=Open, repr=False)
    embedding: Embedding = field(default_factory=Embedding)
    bring: Bring = _brings_nothing
    sealer: Sealer | None = None  # without it nothing is followed
    casting: Casting | None = None  # without it nothing is played without the cookie
    now: Callable[[], int] = lambda: int(time.time() * 1000)  # ms
    most: int = 256  # that one grant may have open here

    async def handle(self, visit: Visit) -> web.StreamResponse:
        """Any request that is not for the gateway itself."""
        response = await self._handle(visit)
        if not response.prepared and (response.status == 400 or "Upgrade" in visit.request.headers):
            # What follows an unclear request, or an upgrade that was not made, is no request.
            response.force_close()
        return response

    async def signed(self, visit: Visit) -> web.StreamResponse:
        """Below `{own}/s/`: what a followed answer has named to this guest."""
        request = visit.request
        if self.sealer is None or asks_upgrade(request.headers):
            return refuse(visit, Reason.NO_RULE)
        refused = self._refused_before_rules(visit)
        if refused is not None:
            return refused
        if request.method == "OPTIONS" and visit.server.policy.cast is not None:
            told = ticket_of(self.sealer, visit.target)
            if told is not None and not told[1].over(self.now()):
                return web.Response(status=204, headers={**CORS, **PREFLIGHT, "Cache-Control": "no-store"})
        grant_ids = self.session.grant_ids(request)

        async def elsewhere(ticket: Ticket) -> Denied | None:
            if ticket.over(self.now()) or self.casting is None:
                return Denied(Reason.CAST_OVER)
            address = neighbourhood(self.client(request))
            return None if await self.casting.may(ticket.grant, address) else Denied(Reason.CAST_ELSEWHERE)

        opened = await open_signed(
            self.sealer, self.authorizer, visit.server, request.method, visit.target, grant_ids, elsewhere
        )
        if isinstance(opened, Denied):
            return self._denied(visit, opened, grant_ids)
        live = opened.allowed.live
        facing = self._facing(opened.allowed.server).towards(live)
        if opened.place.origin and facing.finder.found_in(opened.place.sent):
            return refuse(visit, Reason.NO_RULE, detail="a credential in an address of another host")
        following = Following(
            replace(self.sealer, ticket=opened.ticket),
            facing,
            live,
            opened.rule,
            opened.place,
            sort=opened.sort,
            depth=opened.depth,
            levels=opened.levels,
            cast=bool(opened.ticket),
        )
        return await self._serve(visit, opened.allowed, following)

    async def close(self) -> None:
        """The gateway stops: tell all websockets that we go away. Streams may run to their end."""
        for cut in tuple(self.open.talks):
            cut.go_away()

    def cut(self) -> None:
        """They have had their time."""
        for cut in (*self.open.talks, *self.open.streams):
            cut.go_away()

    async def _handle(self, visit: Visit) -> web.StreamResponse:
        request, server = visit.request, visit.server
        refused = self._refused_before_rules(visit)
        if refused is not None:
            return refused
        grant_ids = self.session.grant_ids(request)
        if asks_upgrade(request.headers):
            judged = await self.authorizer.judge(server, request.method, visit.target, grant_ids, websocket=True)
            if not isinstance(judged, Denied):
                fault = fault_of(request)
                if fault is not None:
                    return refuse(visit, Reason.BAD_HANDSHAKE, detail=fault)
                return await self._converse(visit, judged)
            # No websocket may be opened here, so the header means nothing; the rest is a plain request.
        judged = await self.authorizer.judge(server, request.method, visit.target, grant_ids)
        if isinstance(judged, Denied):
            return self._denied(visit, judged, grant_ids)
        return await self._serve(visit, judged)

    def _refused_before_rules(self, visit: Visit) -> web.StreamResponse | None:
        request, headers = visit.request, visit.request.headers
        upgrade = asks_upgrade(headers)
        if (request.method in ("GET", "HEAD") or upgrade) and has_body(headers):
            return refuse(visit, Reason.BODY_REFUSED)
        if request.method not in _SAFE or upgrade:
            sign = foreign(headers, visit.server.config.public)
            if sign is not None:
                return refuse(visit, Reason.CROSS_SITE, detail=sign)
        twice = refused_for(headers, self._facing(visit.server).passed)
        if twice is not None:
            return refuse(visit, Reason.AMBIGUOUS_REQUEST, detail=f"{twice} more than once")
        return None

    def _denied(self, visit: Visit, denied: Denied, grant_ids: tuple[str, ...]) -> web.StreamResponse:
        if visit.request.method == "OPTIONS" and denied.reason.status == 403:
            # No word about methods or other origins: a browser that asks for another site, which it does
            # without cookies, learns nothing.
            return web.Response(status=204, headers={"Cache-Control": "no-store"})
        back = self.way_back(visit.server, grant_ids) if grant_ids else None
        return refuse_denied(visit, denied, back=back)

    async def _serve(self, visit: Visit, allowed: Allowed, following: Following | None = None) -> web.StreamResponse:
        """An allowed request: to the server and back, as long as the grant lives."""
        request = visit.request
        visit.grant = allowed.live.grant.id
        vouch(request)
        if allowed.live.held >= self.most:
            return refuse(visit, Reason.GUEST_BUSY)
        if not allowed.decision.page:
            allowed.live.watch()
        body, keep = None, False
        if takes_body(allowed.decision):
            given = await body_for(request, allowed)
            if isinstance(given, Reason | str):
                visit_reason = given if isinstance(given, Reason) else Reason.BODY_REFUSED
                refused = refuse(visit, visit_reason, detail=given if isinstance(given, str) else "")
                if isinstance(given, Reason):
                    refused.force_close()
                return refused
            allowed, body = given
            keep = True
        else:
            keep = await drained(request, MAX_DRAINED)
        keep = keep and "Upgrade" not in request.headers
        rule = allowed.decision.rule
        if rule is not None and rule.answer is not None:
            answered = own_answer(rule.answer, allowed.live.scope.variables)
            if not keep:
                answered.force_close()
            return answered
        visit.at = rule.at if rule is not None else ""
        facing = self._facing(allowed.server).towards(allowed.live)
        turn = self.open.texts.turn(allowed.live.grant.id)
        exchange = Exchange(
            facing,
            self.metrics,
            visit,
            allowed,
            self.client(request),
            self.bring,
            keep=keep,
            body=body,
            turn=turn,
            following=following or self._followed(visit, allowed, facing),
            framed=self._framed(visit),
        )
        with self.metrics.stream(), held(allowed.live, self.open.streams) as cut:
            try:
                response = await exchange.run()
                if turn.taken and not response.prepared:
                    if not keep:
                        response.force_close()
                    exchange.response = response
                    visit.detail = await deliver(request, response) or visit.detail
            except asyncio.CancelledError:
                if not cut.taken():
                    raise
                self.metrics.cut()
                begun = exchange.response
                if begun is None or not begun.prepared:
                    return _cut_early(visit, cut)
                visit.detail = cut.why
                sever(request, begun)
                return begun
            finally:
                turn.over()
        if not keep and not response.prepared:
            response.force_close()
        return response

    def _framed(self, visit: Visit) -> bool:
        """Where it matters: a frame's cookies are others."""
        return bool(visit.server.policy.cookies.guest) and self.session.in_frame(visit.request)

    def _followed(self, visit: Visit, allowed: Allowed, facing: Facing) -> Following | None:
        """How the answer to a rule's own request is followed, if it is."""
        rule = allowed.decision.rule
        if self.sealer is None or rule is None or rule.follow is None:
            return None
        place = Place("", allowed.decision.sent or visit.target)
        sealer, grant, cast = self.sealer, allowed.live.grant, allowed.server.policy.cast
        if cast is not None:
            ticket = lasting(grant.id, created_at=grant.created_at, cast=cast, now=self.now())
            sealer = replace(sealer, ticket=written(sealer.keys, ticket))
        return Following(sealer, facing, allowed.live, rule, place, sort=rule.follow.as_, depth=0)

    async def _converse(self, visit: Visit, allowed: Allowed) -> web.StreamResponse:
        """A websocket: the server's 101 first, then the guest's."""
        request, live = visit.request, allowed.live
        facing = self._facing(allowed.server).towards(live)
        visit.grant = live.grant.id
        vouch(request)
        if live.held >= self.most:
            return refuse(visit, Reason.GUEST_BUSY)
        rule = allowed.decision.rule
        visit.at = at = rule.at if rule is not None else ""
        target, headers = facing.request(
            allowed.decision.sent or visit.target,
            request.headers,
            self.client(request),
            put=allowed.decision.headers,
            at=at,
        )
        protocol = rule.protocol if rule is not None else None
        frames = Frames.of(allowed.decision, live)
        with self.metrics.websocket(), live.talking(), held(live, self.open.talks) as cut:
            try:
                async with facing.ways[at].websocket(target, headers, protocol) as upstream:
                    sent = allowed.decision.sent or visit.target
                    said = upstream.headers.getall("Set-Cookie", ())
                    await keep_cookies(facing, live, self.bring, upstream.headers, sent)
                    conversation = Conversation(upstream, facing.finder, self.metrics, frames, Likeness(live.subjects))
                    for line in facing.cookie_lines(said, framed=self._framed(visit)):
                        conversation.guest.headers.add("Set-Cookie", line)
                    try:
                        visit.detail = await conversation.run(request)
                    except asyncio.CancelledError:
                        if not conversation.guest.prepared or not cut.taken():
                            raise
                        visit.detail = cut.why
                        self.metrics.cut()
                        await conversation.end(GOING_AWAY if cut.going_away else ACCESS_ENDED)
                    except ConnectionError:
                        visit.detail = "the guest left"
                    return conversation.guest
            except UpstreamFailed as error:
                return failed(visit, error, self.metrics)
            except asyncio.CancelledError:
                if not cut.taken():
                    raise
                return _cut_early(visit, cut)

    def _facing(self, server: MediaServer) -> Facing:
        facing = self._facings.get(server.config.name)
        if facing is None or facing.server is not server:
            facing = self._facings[server.config.name] = Facing.of(server, self.embedding)
        return facing


def _cut_early(visit: Visit, cut: Cut) -> web.Response:
    """The end came before a byte of the answer."""
    if cut.going_away:
        return refuse(visit, Reason.UPSTREAM_SLOW, detail=cut.why)
    return refuse(visit, Reason.GRANT_ENDED)
