"""Somebody chooses a language on one of our pages, and is led back to it.

    {link}/{token}?language=de         on a guest link: the way back is the link itself, and stands nowhere else
    {own}/language?language=de&to=…    on any other page; `to` is a path of this very host

Rule: the answer is a cookie and a 303, to a path in the one reading that paths have here and never to
another host; a GET follows, so that nothing is posted again. Why links and not a form: a page that says no
stays one without anything to send. Why not `?language=` everywhere: other paths are the media server's,
and their query is judged. Whoever hands out a link may add the language; else the browser must say that
the click was made on a page of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.config import Origin
from gateway.policy.target import Ambiguity, parse_target
from gateway.reasons import Reason
from gateway.web.language import set_language_cookie
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse
from gateway.web.visit import Visit


@dataclass(frozen=True, slots=True)
class LanguageDoor:
    """`{own}/language`. `managing` is the origin of managers, where this is theirs."""

    managing: Origin | None = None

    async def handle(self, visit: Visit) -> web.StreamResponse:
        return _choose(visit, visit.server.config.public)

    async def handle_manager(self, visit: ManageVisit) -> web.StreamResponse:
        assert self.managing is not None
        return _choose(visit, self.managing)


def chosen_on_link(visit: Visit) -> web.Response | None:
    """The answer to a guest link that comes with a language on offer; None where it has none."""
    asked = dict(parse_qsl(visit.target.query))
    if "language" not in asked or visit.request.method not in ("GET", "HEAD"):
        return None
    if asked["language"] not in visit.pages.catalogues.locales:
        return None
    return _remembered(visit, asked["language"], visit.target.path, visit.server.config.public)


def _choose(visit: Visit | ManageVisit, origin: Origin) -> web.StreamResponse:
    request = visit.request
    if request.method not in ("GET", "HEAD"):
        return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
    if any(site not in ("same-origin", "none") for site in request.headers.getall("Sec-Fetch-Site", ())):
        return refuse(visit, Reason.CROSS_SITE, detail="Sec-Fetch-Site is not same-origin")
    asked = dict(parse_qsl(visit.target.query))
    language, back = asked.get("language", ""), way_back(asked.get("to", ""))
    if language not in visit.pages.catalogues.locales:
        return refuse(visit, Reason.NOT_FOUND, detail="no language on offer")
    if back is None:
        return refuse(visit, Reason.NOT_FOUND, detail="not a path to lead back to")
    return _remembered(visit, language, back, origin)


def _remembered(visit: Visit | ManageVisit, language: str, back: str, origin: Origin) -> web.Response:
    response = web.Response(status=303, headers={**common_headers(), "Location": back})
    framed = visit.pages.embedding.framed(visit.request.headers)
    set_language_cookie(response, language, secure=origin.secure, framed=framed)
    return response


def way_back(text: str) -> str | None:
    """This path of our own host, as it may stand in a Location; None for anything else."""
    if not text.startswith("/") or text.startswith(("//", "/\\")):
        return None
    target = parse_target(text)
    return None if isinstance(target, Ambiguity) else target.sent
