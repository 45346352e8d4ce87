"""`{own}/manage/sign-in` and `{own}/manage/sign-out`.

Rule: the form needs no token of a session that does not exist yet; the browser's word about where the
post comes from stands in, and a post without such a word is no browser's. Where a sign-in leads to is a
path of our own below `{own}/manage`, whatever the address says.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.admin.pages import manage_page
from gateway.admin.session import FORM_LIMIT, Desk, navigates, see_other
from gateway.reasons import Reason
from gateway.web.form import read_form
from gateway.web.manage_visit import ManageVisit
from gateway.web.refuse import refuse
from gateway.web.same_origin import foreign


@dataclass(frozen=True, slots=True)
class SignInDoor:
    desk: Desk

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        request = visit.request
        if request.method not in ("GET", "HEAD", "POST"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD, POST"})
        if not navigates(request):
            return refuse(visit, Reason.CROSS_SITE, detail="a page that no navigation asks for")
        if request.method == "POST":
            return await self._sign_in(visit)
        to = self.desk.wanted(dict(parse_qsl(visit.target.query)).get("to", ""))
        if await self.desk.who(visit) is not None:
            return see_other(to)
        return self._form(visit, to)

    async def sign_out(self, visit: ManageVisit) -> web.StreamResponse:
        """POST only: a link or picture must not sign anybody out."""
        if visit.request.method != "POST":
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        sign = foreign(visit.request.headers, self.desk.origin)
        if sign is not None:
            # Such a post comes without the cookie, and the answer would delete it.
            return refuse(visit, Reason.CROSS_SITE, detail=sign)
        found = await self.desk.who(visit)
        response = see_other(f"{self.desk.home}/sign-in")
        if found is not None:
            fields = await self.desk.posted(visit, found[0])
            if isinstance(fields, web.Response):
                return fields
            await self.desk.sign_in.out(found[1])
        self.desk.forget(response)
        return response

    async def _sign_in(self, visit: ManageVisit) -> web.StreamResponse:
        sign = foreign(visit.request.headers, self.desk.origin)
        if sign is not None:
            return refuse(visit, Reason.CROSS_SITE, detail=sign)
        fields = await read_form(visit.request, FORM_LIMIT)
        if isinstance(fields, Denied):
            return refuse(visit, fields.reason, detail=fields.detail)
        to = self.desk.wanted(fields.get("to", ""))
        before = await self.desk.who(visit)
        outcome = await self.desk.sign_in.with_password(
            fields.get("name", "").strip(),
            fields.get("password", ""),
            visit.client,
            devices=self.desk.devices(visit.request),
            instead_of=before[1] if before else None,
        )
        if isinstance(outcome, Denied):
            visit.reason, visit.detail = outcome.reason, outcome.detail
            return self._form(visit, to, name=fields.get("name", "")[:100], denied=outcome)
        visit.who = outcome.signed_in.actor.name
        response = see_other(to)
        self.desk.remember(response, outcome.identifier)
        self.desk.recognise(response, outcome.devices)
        return response

    def _form(self, visit: ManageVisit, to: str, *, name: str = "", denied: Denied | None = None) -> web.Response:
        later = denied is not None and denied.reason in (Reason.TOO_MANY_TRIES, Reason.SIGN_IN_BUSY)
        return manage_page(
            visit,
            "manage_sign_in.html",
            status=denied.reason.status if denied else 200,
            headers={"Retry-After": denied.detail} if later and denied else None,
            again=f"{self.desk.home}/sign-in?{urlencode({'to': to})}",
            to=to,
            name=name,
            wrong=denied is not None,
            later=later,
            busy=denied is not None and denied.reason is Reason.SIGN_IN_BUSY,
            home=self.desk.home,
        )
