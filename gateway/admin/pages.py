"""Managers' pages: what all of them carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.access.signing_in import SignedIn
from gateway.web.manage_visit import ManageVisit

SCRIPTS = {"script-src": "'self'"}
"""For pages that gain something from manage.js."""

# A form's post must say where it comes from, and with `no-referrer` browsers write `Origin: null`. No
# address of these pages holds a secret.
_HEADERS = {"Referrer-Policy": "same-origin"}


def manage_page(
    visit: ManageVisit,
    template: str,
    *,
    home: str,
    here: str = "",
    signed_in: SignedIn | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    policy: Mapping[str, str] | None = None,
    **values: Any,  # what its template needs
) -> web.Response:
    """`home` is the path of the managers' first page, `here` the room whose name is marked in the head."""
    return visit.pages.respond(
        visit.request,
        template,
        status=status,
        headers={**_HEADERS, **(headers or {})},
        policy=policy,
        home=home,
        here=here,
        signed_in=signed_in,
        **values,
    )
