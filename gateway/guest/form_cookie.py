"""The cookie that an entry form is bound to.

It is set with the page and its value goes into the form's signature, so that a form can be posted
only by the browser it was given to: a form id alone, copied into another page, admits nobody.
It says nothing about the guest and ends with the browser.
"""

from __future__ import annotations

import secrets
import string

from aiohttp import web

from gateway.config import Origin
from gateway.web.cookies import cookie_line, sent_cookie
from gateway.web.embedding import Embedding, framed_name

LENGTH = 22  # base62; 62**22 > 2**130

_ALPHABET = string.digits + string.ascii_letters


def form_cookie_name(public: Origin) -> str:
    """`__Host-` keeps other hosts of the same domain from planting one; browsers take it on https only. Those
    that know `__Host-Http-` keep scripts of this host from it too."""
    return "__Host-Http-gateway-form" if public.secure else "gateway-form"


def sent_form_cookie(request: web.BaseRequest, public: Origin, embedding: Embedding) -> str | None:
    """What the browser sent, if it is exactly one well-formed value."""
    name, _ = _place(request, public, embedding)
    value = sent_cookie(request.headers.getall("Cookie", ()), name)
    return value if value is not None and len(value) == LENGTH and set(value).issubset(_ALPHABET) else None


def new_form_cookie() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def set_form_cookie(
    request: web.BaseRequest, response: web.Response, value: str, public: Origin, embedding: Embedding
) -> None:
    name, framed = _place(request, public, embedding)
    response.headers.add("Set-Cookie", cookie_line(name, value, secure=public.secure, framed=framed))


def _place(request: web.BaseRequest, public: Origin, embedding: Embedding) -> tuple[str, bool]:
    """The cookie's name where the form stands, and whether that is in a frame."""
    name, framed = form_cookie_name(public), embedding.framed(request.headers)
    return (framed_name(name) if framed else name), framed
