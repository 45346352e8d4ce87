"""Whose page is this: the manager's cookie, and what a request must show before anything is done.

Rule: the cookie holds a random id. Where a browser sends several of that name (the cookies of a host are
shared by all its ports, and a script on another one can plant some) only one that is a live session
counts, and two live ones count for nothing. A page is answered to navigations only, and a change only
with the session's own form token from our own origin.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from gateway.access.devices import LIFE as DEVICE_LIFE
from gateway.access.devices import read_tokens, write_tokens
from gateway.access.outcome import Denied
from gateway.access.permits import Actor
from gateway.access.signing_in import ID_LENGTH, LIFE, SignedIn, SignIn
from gateway.config import Origin, Prefixes
from gateway.policy.target import Ambiguity, parse_target
from gateway.reasons import Reason
from gateway.web.form import read_form
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse
from gateway.web.same_origin import foreign

_ID = re.compile(rf"[A-Za-z0-9_-]{{{ID_LENGTH}}}")
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_MOST = 4  # cookies of our name that are looked up
FORM_LIMIT = 64 * 1024  # bytes
FORM_FIELDS = 256  # a page of links, each with a box to tick

Page = Callable[[ManageVisit, SignedIn], Awaitable[web.StreamResponse]]
Change = Callable[[ManageVisit, SignedIn, Mapping[str, str]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the doors of managers share. `origin` is the managing one."""

    sign_in: SignIn
    origin: Origin
    prefixes: Prefixes
    # Whom a proxy in front says a request is from, where managers sign in that way: only as long as it says so.
    vouched: Callable[[web.BaseRequest], Actor | None] | None = None

    @property
    def cookie(self) -> str:
        return "__Host-gateway-manager" if self.origin.secure else "gateway-manager"

    @property
    def device_cookie(self) -> str:
        return "__Host-gateway-device" if self.origin.secure else "gateway-device"

    @property
    def home(self) -> str:
        return f"{self.prefixes.own}/manage"

    def wanted(self, text: str) -> str:
        """Where to go afterwards: below our own pages, or to the first of them."""
        home = self.home
        if not _LOCAL.fullmatch(text):
            return home
        target = parse_target(text)
        if isinstance(target, Ambiguity) or not (target.path == home or target.path.startswith(f"{home}/")):
            return home
        if target.path in (f"{home}/sign-in", f"{home}/sign-out"):
            return home
        return target.sent

    def sent(self, request: web.BaseRequest) -> list[str]:
        """All ids a browser sent under our cookie's name."""
        return [one for one in _values(request, self.cookie) if _ID.fullmatch(one)][:_MOST]

    def devices(self, request: web.BaseRequest) -> list[str]:
        """What it shows of sign-ins before."""
        return [token for one in _values(request, self.device_cookie)[:_MOST] for token in read_tokens(one)]

    async def who(self, visit: ManageVisit) -> tuple[SignedIn, str] | None:
        """The one live session of this browser, with its id. Raises StoreDown."""
        said = self.vouched(visit.request) if self.vouched is not None else None
        live = [(found, one) for one in self.sent(visit.request) if (found := await self.sign_in.of(one, said))]
        if len(live) != 1:
            return None
        visit.who = live[0][0].actor.name
        return live[0]

    async def page(self, visit: ManageVisit, show: Page, change: Change | None = None) -> web.StreamResponse:
        """A page of a manager who has signed in; to others the way to do so."""
        request = visit.request
        if request.method not in ("GET", "HEAD") and (change is None or request.method != "POST"):
            allowed = "GET, HEAD" if change is None else "GET, HEAD, POST"
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
        if not navigates(request):
            return refuse(visit, Reason.CROSS_SITE, detail="a page that no navigation asks for")
        found = await self.who(visit)
        if found is None:
            return self._to_sign_in(visit)
        signed_in, _ = found
        if request.method != "POST" or change is None:
            return await show(visit, signed_in)
        fields = await self.posted(visit, signed_in)
        return fields if isinstance(fields, web.Response) else await change(visit, signed_in, fields)

    async def posted(self, visit: ManageVisit, signed_in: SignedIn) -> Mapping[str, str] | web.Response:
        """The fields of a form of this session; a refusal for any other."""
        sign = foreign(visit.request.headers, self.origin)
        if sign is not None:
            return refuse(visit, Reason.CROSS_SITE, detail=sign)
        fields = await read_form(visit.request, FORM_LIMIT, fields=FORM_FIELDS)
        if isinstance(fields, Denied):
            return refuse(visit, fields.reason, detail=fields.detail)
        if not hmac.compare_digest(fields.get("form", "").encode(), signed_in.form.encode()):
            return refuse(visit, Reason.CROSS_SITE, detail="not this session's form")
        return fields

    def remember(self, response: web.Response, identifier: str) -> None:
        response.headers.add("Set-Cookie", f"{self.cookie}={identifier}; {self._attributes}; Max-Age={LIFE // 1000}")

    def recognise(self, response: web.Response, devices: Sequence[str]) -> None:
        """Let this browser be known at its next sign-in; signing out doesn't change that."""
        # Strict: nobody signs in but by our own form.
        secure = "; Secure" if self.origin.secure else ""
        line = f"{self.device_cookie}={write_tokens(devices)}; Path=/; HttpOnly; SameSite=Strict{secure}"
        response.headers.add("Set-Cookie", f"{line}; Max-Age={DEVICE_LIFE // 1000}")

    def forget(self, response: web.Response) -> None:
        response.headers.add(
            "Set-Cookie", f"{self.cookie}=; {self._attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        )

    @property
    def _attributes(self) -> str:
        # Lax: an owner comes from the media server's own menu, and is signed in then as well.
        return "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if self.origin.secure else "")

    def _to_sign_in(self, visit: ManageVisit) -> web.Response:
        if visit.request.method == "POST":
            return refuse(visit, Reason.NOT_SIGNED_IN)
        wanted = visit.target.path + (f"?{visit.target.query}" if visit.target.query else "")
        visit.reason = Reason.NOT_SIGNED_IN
        return see_other(f"{self.home}/sign-in?to={quote(wanted, safe='')}")


def _values(request: web.BaseRequest, cookie: str) -> list[str]:
    """All that a browser sent under this name, each once."""
    found: dict[str, None] = {}
    for header in request.headers.getall("Cookie", ()):
        for pair in header.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals and name == cookie:
                found[value] = None
    return list(found)


def navigates(request: web.BaseRequest) -> bool:
    """Whether a browser asks for a page to show it, by its own word where it gives one: no script, frame or
    picture of another page."""
    return all(one == "document" for one in request.headers.getall("Sec-Fetch-Dest", ()))


def ours(request: web.BaseRequest, *, typed: bool = False) -> bool:
    """Whether one of our own pages asks, by the browser's word where it gives one; `typed`: or a person by hand. What
    no page of another origin may so much as make a manager's browser ask for, although it could not read it."""
    allowed = ("same-origin", "none") if typed else ("same-origin",)
    return all(site in allowed for site in request.headers.getall("Sec-Fetch-Site", ()))


def see_other(location: str) -> web.Response:
    return web.Response(status=303, headers={**common_headers(), "Location": location})
