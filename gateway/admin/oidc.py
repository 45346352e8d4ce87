"""`{own}/manage/sign-in` and `{own}/manage/sign-in/callback` where an OpenID Connect provider signs people in.

Rule: a sign-in that was begun in one browser can't be ended in another (state and a cookie of its own), and
is good once. What comes back is believed only as far as `upstream.oidc` has checked it; what somebody may
manage is what the configuration says of their groups and claims, and nobody without any right gets in.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.access.rights import asked_of, entitled, texts_of
from gateway.admin.pages import manage_page
from gateway.admin.session import Desk, navigates, see_other
from gateway.config import Oidc, Origin
from gateway.config_entries import is_of_the_record
from gateway.links.text import clean
from gateway.reasons import Reason
from gateway.store.sign_in_attempts import SignInAttempts
from gateway.upstream.oidc import Attempt, Provider, ProviderFailed
from gateway.web.manage_visit import ManageVisit
from gateway.web.refuse import refuse

_PLAIN = re.compile(r"[\x21-\x7e]{1,2000}")


def attempt_cookie_name(managing: Origin) -> str:
    """The cookie that ties a sign-in to the browser it was begun in."""
    return "__Host-gateway-sign-in" if managing.secure else "gateway-sign-in"


@dataclass(frozen=True, slots=True)
class OidcDoor:
    desk: Desk
    config: Oidc
    provider: Provider
    attempts: SignInAttempts

    @property
    def redirect_uri(self) -> str:
        return f"{self.desk.origin}{self.desk.home}/sign-in/callback"

    async def handle(self, visit: ManageVisit) -> web.StreamResponse:
        """A page with one button, so that no other page can start a sign-in by a picture's address."""
        if visit.request.method not in ("GET", "HEAD"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        if not navigates(visit.request):
            return refuse(visit, Reason.CROSS_SITE, detail="a page that no navigation asks for")
        asked = dict(parse_qsl(visit.target.query))
        to = self.desk.wanted(asked.get("to", ""))
        if await self.desk.who(visit) is not None:
            return see_other(to)
        if "go" not in asked:
            return self._page(visit, to)
        return await self._begin(visit, to)

    async def callback(self, visit: ManageVisit) -> web.StreamResponse:
        if visit.request.method not in ("GET", "HEAD"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        asked = dict(parse_qsl(visit.target.query))
        state, code = asked.get("state", ""), asked.get("code", "")
        kept = await self.attempts.take(state) if _PLAIN.fullmatch(state) else None
        if kept is None or not self._same_browser(visit.request, kept["browser"]):
            return self._page(visit, self.desk.home, trouble="stale", detail="no such sign-in in this browser")
        if asked.get("iss", self.config.issuer) != self.config.issuer:  # RFC 9207
            return self._page(visit, self.desk.home, trouble="failed", detail="an answer of another issuer")
        if not _PLAIN.fullmatch(code):
            return self._page(visit, kept["to"], trouble="refused", detail=f"refused: {asked.get('error', '')[:60]!r}")
        attempt = Attempt(state, kept["nonce"], kept["verifier"])
        try:
            claims = await self.provider.claims(attempt, code, self.redirect_uri)
        except ProviderFailed as error:
            return self._page(visit, kept["to"], trouble="failed", detail=str(error))
        name = clean(next(iter(texts_of(claims.get(self.config.name))), "") or str(claims["sub"]))
        said = asked_of(self.config, claims)
        actor = entitled(self.config, name, said) if name is not None else None
        if actor is None:
            return self._page(visit, kept["to"], trouble="nothing", detail="no right fits")
        if is_of_the_record(actor.name):
            return self._page(visit, kept["to"], trouble="name", detail="a name that the record uses itself")
        before = await self.desk.who(visit)
        opened = await self.desk.sign_in.open(
            actor,
            visit.client,
            source=self.config.issuer,
            claims=said,
            instead_of=before[1] if before else None,
        )
        visit.who = actor.name
        response = see_other(kept["to"])
        self.desk.remember(response, opened.identifier)
        self._set(response, "", life=0)
        return response

    async def _begin(self, visit: ManageVisit, to: str) -> web.Response:
        attempt = Attempt(*(secrets.token_urlsafe(32) for _ in range(3)))
        browser = secrets.token_urlsafe(24)
        try:
            address = await self.provider.address(attempt, self.redirect_uri)
        except ProviderFailed as error:
            return self._page(visit, to, trouble="failed", detail=str(error))
        await self.attempts.keep(
            attempt.state, {"nonce": attempt.nonce, "verifier": attempt.verifier, "to": to, "browser": browser}
        )
        response = see_other(address)
        self._set(response, browser, life=600)
        return response

    def _same_browser(self, request: web.BaseRequest, browser: str) -> bool:
        cookie = attempt_cookie_name(self.desk.origin)
        for header in request.headers.getall("Cookie", ()):
            for pair in header.split(";"):
                name, _, value = pair.strip(" \t").partition("=")
                if name == cookie and hmac.compare_digest(value.encode(), browser.encode()):
                    return True
        return False

    def _set(self, response: web.Response, value: str, *, life: int) -> None:
        secure = "; Secure" if self.desk.origin.secure else ""
        # Lax: the provider leads back here by a navigation from its own site.
        response.headers.add(
            "Set-Cookie",
            f"{attempt_cookie_name(self.desk.origin)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age={life}",
        )

    def _page(self, visit: ManageVisit, to: str, *, trouble: str = "", detail: str = "") -> web.Response:
        if trouble:
            visit.reason, visit.detail = Reason.NOT_SIGNED_IN, detail
        return manage_page(
            visit,
            "manage_sign_in_elsewhere.html",
            status={"": 200, "failed": 502, "nothing": 403, "name": 403}.get(trouble, 401),
            to=to,
            trouble=trouble,
            ref=visit.ref,
            home=self.desk.home,
            # Never the callback: what it was given is good once.
            again=f"{self.desk.home}/sign-in?{urlencode({'to': to})}",
        )
