"""`{own}/api/v1`: everything a manager can do, for programs.

Rule: a bearer token and nothing else says who asks; cookies are not looked at, and no word is said to
other origins. Which operations there are stands in one table, from which requests are answered and the
OpenAPI document is written.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.access.issue import IssueRefused
from gateway.access.managers import Managers
from gateway.access.managing import ManagerDesk
from gateway.access.permits import Actor
from gateway.access.throttle import Guesses
from gateway.api.answers import problem, refused
from gateway.api.openapi import document
from gateway.api.operations import OPERATIONS, Call, Operation
from gateway.api.reading import read_body, read_if_match, read_query
from gateway.config import Prefixes
from gateway.reasons import Reason
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers

_SCHEME = "bearer "
_FAILURES = {
    Reason.STORE_DOWN: "the store does not answer; nothing is known to have been changed",
    Reason.AMBIGUOUS_TARGET: "the address has no single reading: a control character, a bad escape, `;` or the like",
    Reason.BODY_REFUSED: "a body where none may be",
    Reason.INTERNAL: "a mistake of the gateway's own; its log has more under the reference",
}


@dataclass(frozen=True, slots=True)
class ApiDoor:
    """`managers` gives those of the configuration in force; `wrong` counts wrong tokens by address."""

    desk: ManagerDesk
    managers: Callable[[], Managers]
    wrong: Guesses
    prefixes: Prefixes

    @property
    def base(self) -> str:
        return f"{self.prefixes.own}/api/v1"

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        request = visit.request
        path = visit.target.path.removeprefix(self.base)
        if path == "/openapi.json":
            return self._described(visit)
        found, parameter = _operations(path)
        if not found:
            return problem(visit, Reason.NOT_FOUND, "there is nothing here")
        method = "GET" if request.method == "HEAD" else request.method
        operation = found.get(method)
        if operation is None:
            allowed = sorted({*found, *(["HEAD"] if "GET" in found else [])})
            return problem(
                visit, Reason.METHOD_NOT_ALLOWED, f"{', '.join(allowed)} only", headers={"Allow": ", ".join(allowed)}
            )
        actor = self._who(visit)
        if not isinstance(actor, Actor):
            return actor
        query = read_query(visit.target.query, operation.query)
        if isinstance(query, IssueRefused):
            return refused(visit, query)
        version = read_if_match(request) if operation.versioned else None
        if isinstance(version, IssueRefused):
            return refused(visit, version)
        body = await read_body(request, operation.body) if operation.body is not None else {}
        if isinstance(body, IssueRefused):
            return refused(visit, body)
        call = Call(visit, self.desk, actor, parameter, query, body, version, self.base)
        act: Callable[[Call], Awaitable[web.StreamResponse | IssueRefused]] = operation.act
        answer = await act(call)
        return refused(visit, answer) if isinstance(answer, IssueRefused) else answer

    def failed(self, visit: ManageVisit, reason: Reason, detail: str) -> web.StreamResponse:
        """Something broke, or the request was no request; the caller hears no more than the guests would."""
        answer = problem(visit, reason, _FAILURES.get(reason, "this can't be answered"))
        visit.detail = detail
        return answer

    def _who(self, visit: ManageVisit) -> Actor | web.Response:
        given = visit.request.headers.getall("Authorization", [])
        token = given[0][len(_SCHEME) :].strip() if len(given) == 1 and given[0].lower().startswith(_SCHEME) else None
        actor = self.managers().by_token(token) if token else None
        if actor is None:
            # Only who is wrong has to wait: a token can't be guessed, and others behind an address may try.
            wait = self.wrong.wait(visit.client)
            if wait:
                return problem(
                    visit, Reason.TOO_MANY_TRIES, "too many wrong tokens from here", headers={"Retry-After": str(wait)}
                )
            if token:
                self.wrong.missed(visit.client)
            what = "this token is not a manager's" if token else "a manager's token is needed: Authorization: Bearer …"
            return problem(visit, Reason.NOT_SIGNED_IN, what, headers={"WWW-Authenticate": "Bearer"})
        visit.who = actor.name
        return actor

    def _described(self, visit: ManageVisit) -> web.Response:
        if visit.request.method not in ("GET", "HEAD"):
            return problem(visit, Reason.METHOD_NOT_ALLOWED, "GET, HEAD only", headers={"Allow": "GET, HEAD"})
        body = json.dumps(document(self.base), ensure_ascii=False).encode()
        return web.Response(body=body, headers={**common_headers(), "Content-Type": "application/json"})


def _operations(path: str) -> tuple[dict[str, Operation], str]:
    """What can be done at this path, by method, and what stands for its parameter."""
    found = {one.method: one for one in OPERATIONS if one.path == path}
    if found:
        return found, ""
    collection, slash, identifier = path.rpartition("/")
    if not slash or not identifier:
        return {}, ""
    return {one.method: one for one in OPERATIONS if one.path == f"{collection}/{{id}}"}, identifier
