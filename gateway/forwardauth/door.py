"""The forward-auth door: another proxy asks whether it may send a guest's request to the media server itself.

Rule: the same judgement as that of the proxy door, and three answers: 204 yes, 401 no session, 403 for all else,
whatever goes wrong. Only peers in `trusted_proxies` are heard, and only for servers that are `behind:
forward_auth`. The other proxy sends its own string, so a target that is not already canonical is refused, and so
is whatever would need something else to be sent than what was asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.errors import GatewayError
from gateway.forwardauth.original import Original, Unclear, below, read_original
from gateway.policy.forwarded import needs_the_gateway
from gateway.policy.target import Ambiguity, parse_target
from gateway.reasons import Reason
from gateway.web.navigation import for_service_worker
from gateway.web.refuse import reason_of
from gateway.web.same_origin import foreign
from gateway.web.visit import Visit

if TYPE_CHECKING:
    from gateway.access.authorize import Authorizer
    from gateway.access.servers import MediaServer, Servers
    from gateway.config import Prefixes
    from gateway.web.client_address import TrustedProxies
    from gateway.web.session import SessionCookie

_log = logging.getLogger("gateway")
FORWARD_AUTH = "forward_auth"
_NOBODY = frozenset({Reason.NO_SESSION, Reason.GRANT_ENDED})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Answered:
    """`visit` where it was clear what is asked for; else `reason` and `detail`, for the log."""

    response: web.Response
    visit: Visit | None
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ForwardAuthDoor:
    """`fault`: what makes a request's head unclear, for the log: a body is announced, a header stands twice."""

    servers: Servers
    prefixes: Prefixes
    trusted: TrustedProxies
    session: SessionCookie
    authorizer: Authorizer
    fault: Callable[[web.BaseRequest], str | None]

    def takes(self, request: web.BaseRequest) -> bool:
        """Whether this request is a question to this door. For everybody else there is no such path."""
        if below(request.raw_path, f"{self.prefixes.own}/auth") is None:
            return False
        return self._in_use and self.trusted.trusts(request.remote)

    @property
    def _in_use(self) -> bool:
        return any(server.config.behind == FORWARD_AUTH for server in self.servers.all)

    async def answer(self, request: web.BaseRequest, ref: str) -> Answered:
        """Never raises; what can't be told is a no."""
        suffix = below(request.raw_path, f"{self.prefixes.own}/auth") or ""
        original = read_original(request.method, suffix, request.headers)
        if isinstance(original, Unclear):
            return Answered(_said(403), None, Reason.AMBIGUOUS_REQUEST, original.what)
        target = parse_target(original.target)
        if isinstance(target, Ambiguity) or target.sent != original.target:
            what = target.what if isinstance(target, Ambiguity) else "not canonical"
            return Answered(_said(403), None, Reason.AMBIGUOUS_TARGET, what)
        server = self._server(request, original)
        if server is None:
            return Answered(_said(403), None, Reason.WRONG_HOST)
        visit = Visit(request, target, server, ref)
        try:
            denied = await self._judge(visit, original)
        except GatewayError as error:
            denied = Denied(reason_of(error), f"{type(error).__name__}: {error}")
        except Exception as error:
            _log.error("request %s failed", ref, exc_info=error)
            denied = Denied(Reason.INTERNAL, type(error).__name__)
        if denied is None:
            return Answered(_said(204), visit)
        visit.reason, visit.detail = denied.reason, denied.detail
        return Answered(_said(401 if denied.reason in _NOBODY else 403), visit)

    def _server(self, request: web.BaseRequest, original: Original) -> MediaServer | None:
        server = self.servers.at_host(original.host)
        # Traefik asks by the gateway's own address; a Host that is a server's must be the same one's.
        by_host = self.servers.at_host(request.headers.get("Host", ""))
        if server is None or server.config.behind != FORWARD_AUTH or by_host not in (None, server):
            return None
        return server if original.scheme in ("", server.config.public.scheme) else None

    async def _judge(self, visit: Visit, original: Original) -> Denied | None:
        """None: this guest may have this of the media server."""
        headers, path, method = visit.request.headers, visit.target.path, original.method
        own = self.prefixes.own
        if path == own or path.startswith((f"{self.prefixes.link}/", f"{own}/")):
            return Denied(Reason.NO_RULE, "the gateway's own path")
        if for_service_worker(headers):
            return Denied(Reason.SERVICE_WORKER)
        fault = self.fault(visit.request)
        if fault is not None:
            return Denied(Reason.AMBIGUOUS_REQUEST, fault)
        if original.upgrade and method != "GET":
            return Denied(Reason.BAD_HANDSHAKE, "not GET")
        if original.upgrade or method not in _SAFE:
            sign = foreign(headers, visit.server.config.public)
            if sign is not None:
                return Denied(Reason.CROSS_SITE, sign)
        grant_ids = self.session.grant_ids(visit.request)
        # The other proxy passes the upgrade on: a request that asks for one is that, and never a plain one.
        judged = await self.authorizer.judge(visit.server, method, visit.target, grant_ids, websocket=original.upgrade)
        if isinstance(judged, Denied):
            return judged
        decision = judged.decision
        missing = needs_the_gateway(decision.rule) if decision.rule is not None else "nothing"
        if missing is not None or decision.headers or decision.sent is None or decision.sent.sent != visit.target.sent:
            return Denied(Reason.NO_RULE, f"only the gateway itself can do what the rule says ({missing or 'sent'})")
        visit.grant = judged.live.grant.id
        if not decision.page:
            judged.live.watch()
        return None


def _said(status: int) -> web.Response:
    return web.Response(status=status, headers={"Cache-Control": "no-store"})
