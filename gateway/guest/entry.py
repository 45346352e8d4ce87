"""`GET, POST {link}/{token}`: the entry page, and the admission of a guest.

Looking never counts: GET and HEAD show a form or bring a returning guest back, so mail scanners, chat
previews and reloads use no click. Only the posted form does, and only in the browser it was shown to. What
looking may leave behind is one word in a link's whole life: that a browser has opened it by now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aiohttp import web

from gateway.access.admit import Doorkeeper, Entrance
from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.access.seats import RETRY
from gateway.access.throttle import Guesses
from gateway.access.words import PostedForm
from gateway.config import GuestForm, Prefixes
from gateway.guest.form_cookie import new_form_cookie, sent_form_cookie, set_form_cookie
from gateway.guest.remembered import Remembered, forget, remembered_cookie_name
from gateway.links.answers import CONSENT
from gateway.links.ids import is_token
from gateway.metrics import Metrics
from gateway.policy.model import Policy
from gateway.reasons import Reason
from gateway.web.client_address import neighbourhood
from gateway.web.form import read_form
from gateway.web.language_door import chosen_on_link
from gateway.web.navigation import ahead_of_time, not_opened, shown_to_somebody
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse, refuse_denied, takes_page
from gateway.web.same_origin import foreign
from gateway.web.session import SessionCookie
from gateway.web.visit import Visit
from gateway.web.waiting import wait_page

_BLANK = PostedForm(name="", email="", form="", shared_device=False)
_AGAIN = frozenset({Reason.FORM_INVALID, Reason.FORM_STALE, Reason.NOT_INVITED})
_NOT_HELD = frozenset({"form", "pin", "ticket"})


@dataclass(frozen=True, slots=True)
class EntryDoor:
    """`form_limit` is in bytes, `clock` in milliseconds since 1970; `client` tells a request's address;
    `retention_days` is how long what is typed here is kept; `asked` is what the form asks besides name and address,
    which has its room in the form on top of `form_limit`; `passed_on` names the media servers of which webhooks are
    told what guests type."""

    doorkeeper: Doorkeeper
    sessions: SessionCookie
    prefixes: Prefixes
    form_limit: int
    clock: Callable[[], int]
    guesses: Guesses
    metrics: Metrics
    client: Callable[[web.BaseRequest], str]
    remembered: Remembered
    retention_days: int
    asked: GuestForm = field(default_factory=GuestForm)
    passed_on: frozenset[str] = frozenset()

    async def handle(self, visit: Visit) -> web.StreamResponse:
        # Before the token is looked at: to scripts a good link and a bad one look the same.
        unopened = not_opened(visit.request.headers, framed=bool(visit.pages.embedding))
        if unopened is not None:
            return refuse(visit, Reason.NOT_OPENED, detail=unopened)
        chosen = chosen_on_link(visit)
        if chosen is not None:
            return chosen
        address = neighbourhood(self.client(visit.request))
        wait = self.guesses.wait(address)
        if wait:
            return refuse(visit, Reason.TOO_MANY_GUESSES, headers={"Retry-After": str(wait)})
        response = await self._answer(visit)
        if visit.reason is Reason.LINK_UNKNOWN:
            self.guesses.missed(address)
        elif visit.reason is None:
            self.guesses.found(address)
        return response

    async def _answer(self, visit: Visit) -> web.StreamResponse:
        token = visit.target.path.removeprefix(f"{self.prefixes.link}/")
        if not is_token(token):
            return refuse(visit, Reason.LINK_UNKNOWN, detail="not a token")
        if visit.request.method in ("GET", "HEAD"):
            return await self._show(visit, token)
        if visit.request.method == "POST":
            return await self._admit(visit, token)
        return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD, POST"})

    async def _show(self, visit: Visit, token: str) -> web.StreamResponse:
        grant_ids = self.sessions.grant_ids(visit.request)
        if grant_ids:
            early = ahead_of_time(visit.request.headers)
            if early is not None:
                # Nobody comes back yet. The browser throws this away, and asks again when it matters.
                return refuse(visit, Reason.NOT_OPENED, detail=early)
        return await self._arrive(visit, token, grant_ids)

    async def _arrive(
        self, visit: Visit, token: str, grant_ids: tuple[str, ...], denied: Denied | None = None
    ) -> web.StreamResponse:
        # Before the link is looked at: for those who are in, a used-up link is still good.
        known = await self.doorkeeper.come_back(token, visit.server, grant_ids) if grant_ids else None
        if isinstance(known, Denied):
            return refuse_denied(visit, known)
        if isinstance(known, Admitted):
            self.metrics.admission("returned")
            return self._enter(visit, known)
        entrance = known or await self.doorkeeper.look(token, visit.server)
        if isinstance(entrance, Denied):
            return refuse_denied(visit, entrance)
        if known is None and visit.request.method == "GET" and shown_to_somebody(visit.request.headers):
            self.doorkeeper.shown(entrance)
        if denied is not None:
            visit.reason, visit.detail = denied.reason, denied.detail
        # Whoever is known is asked for no more than the consent that is due.
        template = "entry.html" if known is None else "agree.html"
        return self._form(visit, token, entrance, denied=denied, template=template)

    async def _admit(self, visit: Visit, token: str) -> web.StreamResponse:
        # The page sends no referrer, so browsers may post `Origin: null`: its signed id and cookie stand in.
        elsewhere = foreign(visit.request.headers, visit.server.config.public, accept_null=True)
        if elsewhere is not None:
            return refuse(visit, Reason.CROSS_SITE, detail=elsewhere)
        fields = await read_form(visit.request, self.form_limit + self.asked.room)
        if isinstance(fields, Denied):
            return refuse(visit, fields.reason, detail=fields.detail)
        if "forget" in fields:
            return self._forget(visit)
        posted = PostedForm(
            name=fields.get("name", ""),
            email=fields.get("email", ""),
            form=fields.get("form", ""),
            shared_device="not_my_device" in fields,
            answers={name: fields[name] for name in self._names if name in fields},
            pin=fields.get("pin", ""),
            ticket=fields.get("ticket", ""),
            source=neighbourhood(self.client(visit.request)),
        )
        cookie = sent_form_cookie(visit.request, visit.server.config.public, visit.pages.embedding)
        grant_ids = self.sessions.grant_ids(visit.request)
        if "agree" in fields:
            agreed = await self.doorkeeper.agree(token, visit.server, posted, cookie, grant_ids)
            return await self._agreed(visit, token, agreed, grant_ids)
        outcome = await self.doorkeeper.admit(token, visit.server, posted, cookie, grant_ids)
        self.metrics.admission("admitted" if isinstance(outcome, Admitted) else "refused")
        remember = "remember" in fields and not posted.shared_device
        if isinstance(outcome, Admitted):
            response, public = self._enter(visit, outcome), visit.server.config.public
            if visit.pages.embedding.perhaps_framed(visit.request.headers):
                return response  # there the form does not ask
            if remember:
                self.remembered.write(response, posted.name, posted.email, public)
            elif remembered_cookie_name(public) in visit.request.headers.get("Cookie", ""):
                forget(response, public)
            return response
        if outcome.seat and cookie is not None and takes_page(visit.request):
            return wait_page(visit, outcome, self._held(fields, token, cookie, outcome))
        if outcome.reason not in _AGAIN or not takes_page(visit.request):
            return refuse_denied(visit, outcome)
        # Whatever ails the media server, what was typed is not to be lost for it.
        entrance = await self.doorkeeper.look(token, visit.server, ask=False)
        if isinstance(entrance, Denied):
            return refuse_denied(visit, entrance)
        visit.reason, visit.detail = outcome.reason, outcome.detail
        return self._form(visit, token, entrance, posted, outcome, remember=remember)

    async def _agreed(
        self, visit: Visit, token: str, outcome: Admitted | Denied, grant_ids: tuple[str, ...]
    ) -> web.StreamResponse:
        """Of agree.html."""
        if isinstance(outcome, Admitted):
            self.metrics.admission("returned")
            return self._enter(visit, outcome)
        if outcome.reason not in _AGAIN or not takes_page(visit.request):
            return refuse_denied(visit, outcome)
        return await self._arrive(visit, token, grant_ids, outcome)

    @property
    def _names(self) -> tuple[str, ...]:
        """Of what is asked; a browser's additions, and fields that have left the form, are none of them."""
        return (*(one.name for one in self.asked.fields), *((CONSENT,) if self.asked.consent else ()))

    def _needed(self, entrance: Entrance) -> tuple[str, ...]:
        """The fields of the form by which somebody comes in through this link."""
        return ("form", "name", "email", *(("pin",) if entrance.link.pin is not None else ()), *self._names)

    def _enter(self, visit: Visit, admitted: Admitted) -> web.StreamResponse:
        response = web.Response(status=303, headers={**common_headers(), "Location": admitted.location})
        self.sessions.write(visit.request, response, admitted.grant_ids, persistent=admitted.persistent)
        return response

    def _held(self, fields: Mapping[str, str], token: str, cookie: str, denied: Denied) -> dict[str, str]:
        """What the page of a guest who waits for a seat sends again: their words, with another id for the form and
        the ticket in place of a PIN."""
        held = {name: value for name, value in fields.items() if name not in _NOT_HELD}
        return {**held, "form": self.doorkeeper.new_form(token, cookie, self.clock()), "ticket": denied.ticket}

    def _forget(self, visit: Visit) -> web.StreamResponse:
        """The empty form again."""
        location = visit.target.path
        response = web.Response(status=303, headers={**common_headers(), "Location": location})
        forget(response, visit.server.config.public)
        return response

    def _form(
        self,
        visit: Visit,
        token: str,
        entrance: Entrance,
        posted: PostedForm = _BLANK,
        denied: Denied | None = None,
        *,
        remember: bool = False,
        template: str = "entry.html",
    ) -> web.StreamResponse:
        public, embedding = visit.server.config.public, visit.pages.embedding
        cookie = sent_form_cookie(visit.request, public, embedding) or new_form_cookie()
        # Not in a frame: what stands in there, other frames of this host in the same page could read.
        framed = embedding.perhaps_framed(visit.request.headers)
        known = None if framed else self.remembered.read(visit.request, public)
        if posted is _BLANK and known is not None:
            posted, remember = replace(posted, name=known[0], email=known[1]), True
        locale = visit.pages.locale(visit.request)
        title, policy = entrance.link.title or entrance.item.title, visit.server.policy
        expires = entrance.link.expires_at
        response = visit.pages.respond(
            visit.request,
            template,
            status=denied.reason.status if denied else Reason.FULL.status if entrance.full else 200,
            headers={"Retry-After": str(RETRY)} if entrance.full and denied is None else None,
            # Our one script and nothing else: on this host 'self' would be the media server's as well.
            policy={"script-src": f"{public}{visit.pages.static('entry.js')}"},
            fields=self._needed(entrance) if template == "entry.html" else ("form", "agree", CONSENT),
            site=policy.title,
            title=title,
            card=locale.t("entry.title_for", title=title)
            if title and policy.preview == "title"
            else locale.t("entry.title"),
            form=self.doorkeeper.new_form(token, cookie, self.clock()),
            posted=posted,
            asked=self.asked,
            errors=dict(denied.errors) if denied else {},
            full=entrance.full,
            awaits=entrance.awaits.page if entrance.awaits and not entrance.full else None,
            pin=entrance.link.pin is not None,
            invited=bool(entrance.link.emails),
            stale=denied is not None and denied.reason is Reason.FORM_STALE,
            expires=None if expires is None else locale.date(expires),
            told=_told(policy, entrance.link.kind),
            passed_on=visit.server.config.name in self.passed_on,
            remember=remember,
            remembered=known is not None,
            retention_days=self.retention_days,
        )
        set_form_cookie(visit.request, response, cookie, public, embedding)
        return response


def _told(policy: Policy, kind: str) -> str:
    """What of the guest the media server gets to know: name, email, both or nothing."""
    of = policy.kinds.get(kind)
    told = of.told if of is not None else frozenset()
    return "both" if len(told) > 1 else next(iter(told), "")
