"""The language somebody has chosen on a page, remembered by a small cookie.

Rule: the cookie holds the tag of a language and nothing else, is set only when somebody chooses, and
counts only while that language is on offer. It says nothing about who has it and is never sent on to a
media server (no cookie of the guest's is).

Both names are read, the one of https first: whoever could plant the other one could choose a language,
and nothing more. In another site's frame it is a cookie of that frame (see `embedding`).
"""

from __future__ import annotations

from aiohttp import web

from gateway.web.cookies import cookie_line, sent_cookie
from gateway.web.embedding import Embedding, framed_name

MAX_AGE = 365 * 86_400  # seconds

_PLAIN = "gateway-language"
_SECURE = f"__Host-{_PLAIN}"
_NOWHERE = Embedding()


def language_cookie_name(*, secure: bool) -> str:
    return _SECURE if secure else _PLAIN


def sent_language(request: web.BaseRequest, embedding: Embedding = _NOWHERE) -> str:
    """What the browser sent, "" where that is nothing or two things; whether it is on offer is not asked here."""
    lines = request.headers.getall("Cookie", ())
    names = [_SECURE, _PLAIN]
    if embedding.framed(request.headers):
        names.insert(0, framed_name(_SECURE))
    for name in names:
        if any(pair.strip(" \t").startswith(f"{name}=") for line in lines for pair in line.split(";")):
            return sent_cookie(lines, name) or ""
    return ""


def set_language_cookie(response: web.StreamResponse, language: str, *, secure: bool, framed: bool = False) -> None:
    name = language_cookie_name(secure=secure)
    line = cookie_line(framed_name(name) if framed else name, language, secure=secure, framed=framed, max_age=MAX_AGE)
    response.headers.add("Set-Cookie", line)
