"""The guest's session cookie: an encrypted list of grant ids, and nothing else.

Rule: the cookie says which grants to look for; whether one is alive is the store's to say. So a cookie
kept from before its grants ended opens nothing.

It is aiohttp-session's encrypted storage with what that lacks: several keys (rotation), a deletion that
repeats every attribute (Chromium keeps a `__Host-` cookie that is deleted without Secure), and silence
about cookies that do not open (each would be a line in the log, written by a stranger).

Why not its middleware: parsing and decrypting cost more than the rest of a media segment's request.
Here the pair is cut out of the header by hand and the opened cookie is remembered.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp_session import Session
from aiohttp_session.cookie_storage import EncryptedCookieStorage
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.links.ids import GRANT_LENGTH, GRANTS_PER_BROWSER, is_grant_id

MAX_AGE = 90 * 86_400  # seconds a returning browser is recognised
_MAX_LENGTH = 4_096
_REMEMBERED = 20_000  # opened cookies; about 1.5 kB each with 20 grants
_FIELD = "grants"
_SEALED = re.compile(r"[A-Za-z0-9_-]+")


class GuestCookieStorage(EncryptedCookieStorage):
    """Encrypted cookies with key rotation and complete deletion."""

    def __init__(self, fernets: MultiFernet, *, cookie_name: str, secure: bool, clock: Callable[[], int]) -> None:
        super().__init__(
            Fernet(Fernet.generate_key()),  # replaced below; the base class takes a single key only
            cookie_name=cookie_name,
            max_age=MAX_AGE,
            path="/",
            secure=secure,
            httponly=True,
            samesite="Lax",
        )
        self._fernets = fernets
        self._clock = clock

    async def load_session(self, request: web.Request) -> Session:
        cookie = self.load_cookie(request)
        return (self.open(cookie) if cookie else None) or await self.new_session()

    async def save_session(self, request: web.Request, response: web.StreamResponse, session: Session) -> None:
        self.save_cookie(response, "" if session.empty else self.seal(session), max_age=session.max_age)

    def load_cookie(self, request: web.BaseRequest) -> str | None:
        """The cookie's text if the request holds exactly one of that name; two are somebody's trick."""
        name = self.cookie_name
        found = None
        for header in request.headers.getall("Cookie", ()):
            if name not in header:
                continue
            for pair in header.split(";"):
                key, equals, value = pair.strip(" \t").partition("=")
                if equals and key == name:
                    if found is not None:
                        return None
                    found = value
        return found

    def save_cookie(self, response: web.StreamResponse, cookie_data: str, *, max_age: int | None = None) -> None:
        """Set, or with an empty text delete; `max_age` None lets it end with the browser."""
        line = f"{self.cookie_name}={cookie_data}; Path=/; HttpOnly; SameSite=Lax"
        if self.cookie_params["secure"]:
            line += "; Secure"
        if not cookie_data:
            line += "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        elif max_age is not None:
            expires = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + max_age))
            line += f"; Max-Age={max_age}; Expires={expires}"
        response.headers.add("Set-Cookie", line)

    def seal(self, session: Session) -> str:
        data = self._encoder(self._get_session_data(session)).encode()
        # Without base64's padding: some clients put a value that holds `=` in quotes.
        return self._fernets.encrypt_at_time(data, session.created).decode().rstrip("=")

    def open(self, cookie: str) -> Session | None:
        """The session inside; None for a cookie that is forged, cut, too old or of a retired key."""
        # Base64 readers skip what is not base64, so that one cookie would have many spellings.
        if len(cookie) > _MAX_LENGTH or not _SEALED.fullmatch(cookie):
            return None
        try:
            padded = cookie + "=" * (-len(cookie) % 4)
            plain = self._fernets.decrypt_at_time(padded.encode(), MAX_AGE, self._clock() // 1000)
            # No max_age here: the library would measure it with the system's clock. The line above has.
            return Session(None, data=self._decoder(plain.decode()), new=False)
        except (InvalidToken, ValueError, TypeError, AttributeError, KeyError):
            return None


class SessionCookie:
    """What doors read and write. `secure`: the guests' addresses are https; `clock` is in ms."""

    def __init__(self, fernets: MultiFernet, name: str, *, secure: bool, clock: Callable[[], int]) -> None:
        self.name = f"__Host-{name}" if secure else name
        self._clock = clock
        self._storage = GuestCookieStorage(fernets, cookie_name=self.name, secure=secure, clock=clock)
        # Cookie text -> its ids and the time (ms) from which it is too old.
        self._opened: OrderedDict[str, tuple[tuple[str, ...], int]] = OrderedDict()

    def grant_ids(self, request: web.BaseRequest) -> tuple[str, ...]:
        """The grants this browser holds, latest admission last; () without a session."""
        cookie = self._storage.load_cookie(request)
        if not cookie:
            return ()
        known = self._opened.get(cookie)
        if known is None:
            known = self._open(cookie)
            if known is None:
                return ()
        else:
            self._opened.move_to_end(cookie)
        ids, until = known
        return ids if self._clock() < until else ()

    def write(self, response: web.StreamResponse, grant_ids: tuple[str, ...], *, persistent: bool) -> None:
        """Set the cookie; not `persistent` ends with the browser. Without ids: delete it."""
        if not grant_ids:
            self.clear(response)
            return
        # Not through `session[...] = `, which stamps the time of the system's clock.
        data: Any = {"created": self._clock() // 1000, "session": {_FIELD: "".join(grant_ids[-GRANTS_PER_BROWSER:])}}
        sealed = self._storage.seal(Session(None, data=data, new=False))
        self._storage.save_cookie(response, sealed, max_age=MAX_AGE if persistent else None)

    def clear(self, response: web.StreamResponse) -> None:
        self._storage.save_cookie(response, "")

    def _open(self, cookie: str) -> tuple[tuple[str, ...], int] | None:
        session = self._storage.open(cookie)
        text = session.get(_FIELD) if session is not None else None
        if session is None or not isinstance(text, str):
            return None
        ids = tuple(text[at : at + GRANT_LENGTH] for at in range(0, len(text), GRANT_LENGTH))
        if not 0 < len(ids) <= GRANTS_PER_BROWSER or not all(map(is_grant_id, ids)):
            return None
        # Forged cookies are not remembered: a flood of them would push out those of guests.
        known = self._opened[cookie] = (ids, (session.created + MAX_AGE) * 1000)
        if len(self._opened) > _REMEMBERED:
            self._opened.popitem(last=False)
        return known
