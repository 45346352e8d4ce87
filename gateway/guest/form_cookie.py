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

LENGTH = 22  # base62; 62**22 > 2**130

_ALPHABET = string.digits + string.ascii_letters


def form_cookie_name(public: Origin) -> str:
    """`__Host-` keeps other hosts of the same domain from planting one; browsers take it on https only. Those
    that know `__Host-Http-` keep scripts of this host from it too."""
    return "__Host-Http-gateway-form" if public.secure else "gateway-form"


def sent_form_cookie(request: web.BaseRequest, public: Origin) -> str | None:
    """What the browser sent, if it is exactly one well-formed value."""
    name = form_cookie_name(public)
    values = []
    for header in request.headers.getall("Cookie", []):
        for pair in header.split(";"):
            found, equals, value = pair.strip(" \t").partition("=")
            if equals and found == name:
                values.append(value)
    if len(values) == 1 and len(values[0]) == LENGTH and set(values[0]).issubset(_ALPHABET):
        return values[0]
    return None


def new_form_cookie() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def set_form_cookie(response: web.Response, value: str, public: Origin) -> None:
    secure = "; Secure" if public.secure else ""
    line = f"{form_cookie_name(public)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}"
    response.headers.add("Set-Cookie", line)
