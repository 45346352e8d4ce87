"""The guest's session cookie: an encrypted list of grant ids, and nothing else.

Rule: the cookie says which grants to look for; whether one is alive is the store's to say. So a cookie
kept from before its grants ended opens nothing.

It is aiohttp-session's encrypted storage with what that lacks: several keys (rotation), a deletion that
repeats every attribute (Chromium keeps a `__Host-` cookie that is deleted without Secure), and silence
about cookies that do not open (each would be a line in the log, written by a stranger).

Why not its middleware: parsing and decrypting cost more than the rest of a media segment's request.
Here the pair is cut out of the header by hand and the opened cookie is remembered.

Where other sites may frame guest pages there are two of it, for frames and for all else (see `embedding`).
A browser that sends both is the guest of both; whichever is written next holds all, and the other goes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp_session import Session
from aiohttp_session.cookie_storage import EncryptedCookieStorage
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.links.ids import GRANT_LENGTH, GRANTS_PER_BROWSER, is_grant_id
from gateway.web.cookies import cookie_line, sent_cookie
from gateway.web.embedding import Embedding, brought_by_another_site, framed_name

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
        return sent_cookie(request.headers.getall("Cookie", ()), self.cookie_name)

    def save_cookie(self, response: web.StreamResponse, cookie_data: str, *, max_age: int | None = None) -> None:
        """Set, or with an empty text delete; `max_age` None lets it end with the browser."""
        secure = bool(self.cookie_params["secure"])
        response.headers.add("Set-Cookie", cookie_line(self.cookie_name, cookie_data, secure=secure, max_age=max_age))

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

    def __init__(
        self,
        fernets: MultiFernet,
        name: str,
        *,
        secure: bool,
        clock: Callable[[], int],
        embedding: Embedding | None = None,
    ) -> None:
        self.name = f"__Host-{name}" if secure else name
        self.framed = framed_name(self.name)
        self._secure = secure
        self._clock = clock
        self._embedding = embedding or Embedding()
        self._storage = GuestCookieStorage(fernets, cookie_name=self.name, secure=secure, clock=clock)
        # Cookie text -> its ids and the time (ms) from which it is too old.
        self._opened: OrderedDict[str, tuple[tuple[str, ...], int]] = OrderedDict()

    def grant_ids(self, request: web.BaseRequest) -> tuple[str, ...]:
        """The grants this browser holds, latest admission last; () without a session."""
        lines = request.headers.getall("Cookie", ())
        ids = self._ids(sent_cookie(lines, self.name))
        if not self._embedding or brought_by_another_site(request.method, request.headers):
            return ids
        framed = self._ids(sent_cookie(lines, self.framed))
        return (*ids, *(one for one in framed if one not in ids))[-GRANTS_PER_BROWSER:] if framed else ids

    def write(
        self, request: web.BaseRequest, response: web.StreamResponse, grant_ids: tuple[str, ...], *, persistent: bool
    ) -> None:
        """Set the cookie of the place that the answer will stand in; not `persistent` ends with the browser. It
        holds all, so the other one goes where the browser has it. Without ids: delete."""
        sealed = ""
        if grant_ids:
            # Not through `session[...] = `, which stamps the time of the system's clock.
            ids = "".join(grant_ids[-GRANTS_PER_BROWSER:])
            data: Any = {"created": self._clock() // 1000, "session": {_FIELD: ids}}
            sealed = self._storage.seal(Session(None, data=data, new=False))
        max_age = MAX_AGE if persistent else None
        sent = {
            pair.partition("=")[0].strip() for line in request.headers.getall("Cookie", ()) for pair in line.split(";")
        }
        in_frame = self._in_frame(request, sent)
        here, there = (self.framed, self.name) if in_frame else (self.name, self.framed)
        self._save(response, here, sealed, max_age)
        if self._embedding and there in sent:
            self._save(response, there, "", None)

    def clear(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self.write(request, response, (), persistent=False)

    def in_frame(self, request: web.BaseRequest) -> bool:
        """Whether the answer to this will stand in another site's frame, or goes to a script of a page there."""
        lines = request.headers.getall("Cookie", ())
        return self._in_frame(request, {pair.partition("=")[0].strip() for line in lines for pair in line.split(";")})

    def _in_frame(self, request: web.BaseRequest, sent: set[str]) -> bool:
        """A script's request does not say whether its page is in a frame; what it has does."""
        if self._embedding.framed(request.headers):
            return True
        at_top = request.headers.get("Sec-Fetch-Dest") == "document"
        return bool(self._embedding) and not at_top and self.framed in sent and self.name not in sent

    def _save(self, response: web.StreamResponse, name: str, sealed: str, max_age: int | None) -> None:
        framed = name == self.framed
        line = cookie_line(name, sealed, secure=self._secure, framed=framed, max_age=max_age)
        response.headers.add("Set-Cookie", line)

    def _ids(self, cookie: str | None) -> tuple[str, ...]:
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
