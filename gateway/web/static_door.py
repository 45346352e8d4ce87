"""Serves our shipped files and the theme's logo (see `statics` and `theme`).

Why long caching here and nowhere else: these are the only answers that are the same for everybody
and whose address changes with their content.
"""

from __future__ import annotations

from aiohttp import web

from gateway.reasons import Reason
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers
from gateway.web.refuse import refuse
from gateway.web.statics import Static
from gateway.web.visit import Visit

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
# An SVG opened by itself is a document: without this it could run scripts on our origin.
_LONE_FILE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class StaticDoor:
    """Of the pages that the visit has: each server may have a theme of its own."""

    async def static(self, visit: Visit | ManageVisit) -> web.StreamResponse:
        """`{own}/static/{version}/{name}`"""
        tail = visit.target.path.removeprefix(f"{visit.pages.prefixes.own}/static/")
        version, _, name = tail.partition("/")
        file = visit.pages.statics.files.get(name)
        if file is None:
            return refuse(visit, Reason.NOT_FOUND)
        return _answer(visit, file, _FOR_EVER if version == visit.pages.statics.version else _ASK_AGAIN)

    async def logo(self, visit: Visit | ManageVisit) -> web.StreamResponse:
        """`{own}/theme/logo?v={version}`"""
        logo = visit.pages.theme.logo
        if logo is None:
            return refuse(visit, Reason.NOT_FOUND)
        file = Static(logo.body, logo.content_type, f'"{logo.version}"')
        return _answer(visit, file, _FOR_EVER if visit.target.query == f"v={logo.version}" else _ASK_AGAIN)


def _answer(visit: Visit | ManageVisit, file: Static, caching: str) -> web.StreamResponse:
    request = visit.request
    if request.method not in ("GET", "HEAD"):
        return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
    headers = {
        **common_headers(),
        "Cache-Control": caching,
        "Content-Security-Policy": _LONE_FILE,
        "Content-Type": file.content_type,
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    sent = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if file.etag in sent or "*" in sent:
        return web.Response(status=304, headers=headers)
    body = file.body
    if file.gzipped is not None and _takes_gzip(request.headers.get("Accept-Encoding", "")):
        body = file.gzipped
        # The same content in other bytes: a strong tag must not name both.
        headers |= {"Content-Encoding": "gzip", "ETag": f"W/{file.etag}"}
    return web.Response(body=body, headers=headers)


def _takes_gzip(accept: str) -> bool:
    """Whether gzip is named and not refused (`q=0`)."""
    for part in accept.lower().split(","):
        name, _, parameter = part.partition(";")
        if name.strip() == "gzip":
            return parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
