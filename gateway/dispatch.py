"""The beginning of every request's story: one reading of the target, whose host, which door. What its
head says about versions and lengths the edge has looked at before.

Why before all doors and in one place: two readings of one request are how proxies are broken. Doors
are chosen by the canonical path, and it is the canonical path that they judge and send.
"""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.access.servers import Servers
from gateway.config import Prefixes
from gateway.errors import GatewayError
from gateway.forwardauth.door import ForwardAuthDoor
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.proxy.headers import has_body
from gateway.reasons import Reason
from gateway.store.patience import patience
from gateway.web.accesslog import AccessLog
from gateway.web.edge import vouch
from gateway.web.navigation import for_service_worker
from gateway.web.pages import SERVER, Pages
from gateway.web.refuse import refuse, refuse_bare, refuse_failure
from gateway.web.twins import forget_twins, twins
from gateway.web.visit import Visit

_log = logging.getLogger("gateway")

Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class OwnPath:
    """A path below the gateway's own prefix; `below`: one or more further segments follow it."""

    path: str
    handler: Handler
    below: bool = False


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """`entry` takes `{link}/{token}`, `own` what is below `{own}`, `proxy` all else.

    `themed`: the pages of servers that have a theme of their own. `cookies`: the names of ours. `health` (path
    to handler) answers before the Host is looked at: who probes a worker asks by address.
    """

    servers: Servers
    prefixes: Prefixes
    pages: Pages
    themed: Mapping[str, Pages]
    log: AccessLog
    entry: Handler
    proxy: Handler
    own: Sequence[OwnPath]
    cookies: Collection[str]
    health: Mapping[str, Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]]
    auth: ForwardAuthDoor | None = None  # before the Host and the target are looked at: they are another proxy's

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        ref = new_reference()
        visit: Visit | None = None
        reason: Reason | None = None
        response: web.StreamResponse | None = None
        if self.auth is not None and self.auth.takes(request):
            return await self._asked_by_proxy(self.auth, request, ref, started)
        try:
            opened = await self._open(request, ref)
            if isinstance(opened, Visit):
                visit = opened
                with patience():
                    response = await self._answer(visit)
                if visit.grant:
                    vouch(request)
            else:
                response, reason = opened
        finally:
            # Also when the guest has gone and this task is being cancelled.
            self.log.write(request, response, visit, reason, ref, time.perf_counter() - started)
        if not response.prepared:
            response.headers.setdefault("Server", SERVER)
            if response.status == 400 or "Upgrade" in request.headers or request.method == "CONNECT":
                # What follows an unclear request, or a switch that was not made, is nobody's request.
                response.force_close()
            if visit is not None and (planted := twins(request, self.cookies)):
                forget_twins(response, planted, visit.server.config.public.host, visit.target.path)
        return response

    async def _asked_by_proxy(
        self, door: ForwardAuthDoor, request: web.BaseRequest, ref: str, started: float
    ) -> web.StreamResponse:
        with patience():
            told = await door.answer(request, ref)
        seconds = time.perf_counter() - started
        self.log.write(request, told.response, told.visit, told.reason, ref, seconds, detail=told.detail)
        told.response.headers.setdefault("Server", SERVER)
        if has_body(request.headers) or "Upgrade" in request.headers:
            # What follows is no request: nobody reads a body here, and nobody switches.
            told.response.force_close()
        return told.response

    def refused_at_edge(self, request: web.BaseRequest, response: web.StreamResponse, fault: str) -> None:
        """The line of a request that never came here."""
        self.log.write(request, response, None, Reason.AMBIGUOUS_REQUEST, new_reference(), 0.0, detail=fault)

    async def _open(self, request: web.BaseRequest, ref: str) -> Visit | tuple[web.StreamResponse, Reason | None]:
        """The visit, or the answer for a request that never becomes one."""

        def bare(reason: Reason) -> tuple[web.StreamResponse, Reason]:
            return refuse_bare(request, reason, ref, pages=self.pages), reason

        target = parse_target(request.raw_path)
        if isinstance(target, Ambiguity):
            return bare(Reason.AMBIGUOUS_TARGET)
        health = self.health.get(target.path)
        if health is not None:
            if request.method in ("GET", "HEAD"):
                return await health(request), None
            response, reason = bare(Reason.METHOD_NOT_ALLOWED)
            response.headers["Allow"] = "GET, HEAD"
            return response, reason
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            return bare(Reason.AMBIGUOUS_REQUEST)
        server = self.servers.at_host(hosts[0])
        if server is None:
            return bare(Reason.WRONG_HOST)
        return Visit(
            request=request,
            target=target,
            server=server,
            ref=ref,
            pages=self.themed.get(server.config.name, self.pages),
        )

    async def _answer(self, visit: Visit) -> web.StreamResponse:
        if visit.request.method in ("GET", "HEAD") and has_body(visit.request.headers):
            # Nobody here would read it, and who reads on would take it for the next request.
            response = refuse(visit, Reason.BODY_REFUSED)
            response.force_close()
            return response
        if for_service_worker(visit.request.headers):
            return refuse(visit, Reason.SERVICE_WORKER)
        try:
            return await self._door(visit.target)(visit)
        except GatewayError as error:
            if begun(visit.request):
                raise ConnectionResetError("failed in the middle of an answer") from error
            return refuse_failure(visit, error)
        except ConnectionError:
            raise  # the guest has gone
        except Exception as error:
            # A fault of ours. The guest hears that something can't be checked; the log hears all of it.
            _log.error("request %s failed", visit.ref, exc_info=error)
            if begun(visit.request):
                raise ConnectionResetError("failed in the middle of an answer") from error
            return refuse(visit, Reason.INTERNAL, detail=type(error).__name__)

    def _door(self, target: Target) -> Handler:
        path = target.path
        if path.startswith(f"{self.prefixes.link}/"):
            return self.entry
        own = self.prefixes.own
        if path != own and not path.startswith(f"{own}/"):
            return self.proxy
        for place in self.own:
            if path == f"{own}{place.path}" or (place.below and path.startswith(f"{own}{place.path}/")):
                return place.handler
        return nothing


def begun(request: web.BaseRequest) -> bool:
    """Whether bytes of an answer have left already; a second one must not follow them."""
    return request.writer.output_size > 0


async def nothing(visit: Visit) -> web.StreamResponse:
    """Below our own prefix, but nothing of ours."""
    return refuse(visit, Reason.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class NothingHere:
    """The managing origin while there is nothing on it: 404 for everything."""

    pages: Pages

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        return refuse_bare(request, Reason.NOT_FOUND, new_reference(), pages=self.pages)


def new_reference() -> str:
    """Eight characters a guest can read to somebody over the telephone."""
    return base64.b32encode(secrets.token_bytes(5)).decode()
