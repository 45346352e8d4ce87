"""The language somebody has chosen on a page, remembered by a small cookie.

Rule: the cookie holds the tag of a language and nothing else, is set only when somebody chooses, and
counts only while that language is on offer. It says nothing about who has it and is never sent on to a
media server (no cookie of the guest's is).

Both names are read, the one of https first: whoever could plant the other one could choose a language,
and nothing more.
"""

from __future__ import annotations

from aiohttp import web

MAX_AGE = 365 * 86_400  # seconds

_PLAIN = "gateway-language"
_SECURE = f"__Host-{_PLAIN}"


def language_cookie_name(*, secure: bool) -> str:
    return _SECURE if secure else _PLAIN


def sent_language(request: web.BaseRequest) -> str:
    """What the browser sent, "" where that is nothing or two things; whether it is on offer is not asked here."""
    sent: dict[str, list[str]] = {_SECURE: [], _PLAIN: []}
    for header in request.headers.getall("Cookie", ()):
        for pair in header.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals and name in sent:
                sent[name].append(value)
    values = sent[_SECURE] or sent[_PLAIN]
    return values[0] if len(values) == 1 else ""


def set_language_cookie(response: web.StreamResponse, language: str, *, secure: bool) -> None:
    name, end = language_cookie_name(secure=secure), "; Secure" if secure else ""
    line = f"{name}={language}; Path=/; Max-Age={MAX_AGE}; HttpOnly; SameSite=Lax{end}"
    response.headers.add("Set-Cookie", line)
