"""The beginning of every request to the managing origin: one reading, the right Host, which door.

Rule: nothing of the guests' side is here and nothing of this is there. Pages of media servers run scripts
on the guests' host, so managing has an origin of its own, and what comes to it under another Host is
turned away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.config import Origin, Prefixes
from gateway.dispatch import begun, new_reference
from gateway.errors import GatewayError
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.proxy.headers import has_body
from gateway.reasons import Reason
from gateway.web.accesslog import AccessLog
from gateway.web.edge import vouch
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import SERVER, Pages
from gateway.web.refuse import reason_of, refuse, refuse_bare
from gateway.web.twins import forget_twins, twins

_log = logging.getLogger("gateway")
_NOWHERE = Target("/", "", "/", ())  # of a request whose own target can't be read

Handler = Callable[[ManageVisit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ManagePath:
    """A path below the gateway's own prefix; `below`: further segments may follow it."""

    path: str
    handler: Handler
    below: bool = False


@dataclass(frozen=True, slots=True)
class ManageDispatcher:
    """`origin` is the managing one; `client` tells a request's address; `health` (path to handler) answers
    under any Host. `api` takes what is below `{own}/api`, and answers its own failures as programs like them.
    `cookies`: the names of ours; browsers send those that were planted for another port or a whole domain too."""

    origin: Origin
    prefixes: Prefixes
    pages: Pages
    log: AccessLog
    client: Callable[[web.BaseRequest], str]
    api: Handler
    failed: Callable[[ManageVisit, Reason, str], web.StreamResponse]
    own: Sequence[ManagePath]
    cookies: Collection[str]
    health: Mapping[str, Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]]

    def serves(self, host: str) -> bool:
        """Whether this Host header means the managing origin."""
        origin = self.origin
        return host.lower() in (origin.netloc, f"{origin.host}:{origin.port}")

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        started = time.perf_counter()
        ref = new_reference()
        visit: ManageVisit | None = None
        reason: Reason | None = None
        response: web.StreamResponse | None = None
        try:
            opened = await self._open(request, ref)
            if isinstance(opened, ManageVisit):
                visit = opened
                response = await self._answer(visit)
                if visit.who:
                    vouch(request)
            else:
                response, reason = opened
        finally:
            self.log.write(request, response, visit, reason, ref, time.perf_counter() - started)
        if not response.prepared:
            response.headers.setdefault("Server", SERVER)
            if "Upgrade" in request.headers or request.method == "CONNECT" or response.status == 400:
                response.force_close()
            if visit is not None and (planted := twins(request, self.cookies)):
                forget_twins(response, planted, self.origin.host, visit.target.path)
        return response

    async def _open(self, request: web.BaseRequest, ref: str) -> ManageVisit | tuple[web.StreamResponse, Reason | None]:
        def bare(reason: Reason) -> tuple[web.StreamResponse, Reason]:
            return refuse_bare(request, reason, ref, pages=self.pages), reason

        target = parse_target(request.raw_path)
        if isinstance(target, Ambiguity):
            if not self._program(request.raw_path):
                return bare(Reason.AMBIGUOUS_TARGET)
            answer = self.failed(self._visit(request, _NOWHERE, ref), Reason.AMBIGUOUS_TARGET, target.what)
            return answer, Reason.AMBIGUOUS_TARGET
        health = self.health.get(target.path)
        if health is not None and request.method in ("GET", "HEAD"):
            return await health(request), None
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            return bare(Reason.AMBIGUOUS_REQUEST)
        if not self.serves(hosts[0]):
            return bare(Reason.WRONG_HOST)
        return self._visit(request, target, ref)

    def _visit(self, request: web.BaseRequest, target: Target, ref: str) -> ManageVisit:
        return ManageVisit(request=request, target=target, ref=ref, client=self.client(request), pages=self.pages)

    def _program(self, path: str) -> bool:
        """Whether programs ask here, who are answered as such."""
        return path.startswith(f"{self.prefixes.own}/api/")

    async def _answer(self, visit: ManageVisit) -> web.StreamResponse:
        path, own = visit.target.path, self.prefixes.own
        program = self._program(path)
        try:
            if visit.request.method in ("GET", "HEAD") and has_body(visit.request.headers):
                response = self._failed(visit, Reason.BODY_REFUSED, "a body where none may be", program)
                response.force_close()
                return response
            if program:
                return await self.api(visit)
            for place in self.own:
                if path == f"{own}{place.path}" or (place.below and path.startswith(f"{own}{place.path}/")):
                    return await place.handler(visit)
            return refuse(visit, Reason.NOT_FOUND)
        except GatewayError as error:
            if begun(visit.request):
                raise ConnectionResetError("failed in the middle of an answer") from error
            return self._failed(visit, reason_of(error), f"{type(error).__name__}: {error}", program)
        except ConnectionError:
            raise  # the manager has gone
        except Exception as error:
            _log.error("request %s failed", visit.ref, exc_info=error)
            if begun(visit.request):
                raise ConnectionResetError("failed in the middle of an answer") from error
            return self._failed(visit, Reason.INTERNAL, type(error).__name__, program)

    def _failed(self, visit: ManageVisit, reason: Reason, detail: str, program: bool) -> web.StreamResponse:
        if program:
            return self.failed(visit, reason, detail)
        return refuse(visit, reason, detail=detail)


@dataclass(frozen=True, slots=True)
class HostSwitch:
    """One listener for both origins: who asks for the managing host name comes to managing."""

    manage: ManageDispatcher
    guests: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        hosts = request.headers.getall("Host", [])
        if len(hosts) == 1 and self.manage.serves(hosts[0]):
            return await self.manage(request)
        return await self.guests(request)
