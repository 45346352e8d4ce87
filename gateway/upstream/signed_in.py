"""A media server that the gateway signs in to: `login` of a policy.

Rule: whoever asks writes marks where a secret stands (see `policy.login`); here the secrets of now are put in their
place, on the way out. One sign-in serves all who wait for it, and nobody waits where the secrets are known. A status
of `again` makes one more sign-in and one more request, never a third: a server that refuses what it has just given
means something else by it, and is asked for new secrets less and less often. A sign-in that fails is not repeated for
everybody who comes: for a while all hear what the last one heard, 502.

Each worker signs in by itself, and anew after a reload that changes the policy.

Former secrets are remembered, since a server may go on showing what it no longer takes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from dataclasses import dataclass
from types import TracebackType

from gateway.config import Origin
from gateway.errors import UpstreamDown, UpstreamFailed
from gateway.policy.login import Login, holds_mark, in_body, in_header, in_target, mark_of
from gateway.policy.model import Policy
from gateway.policy.resolve import BadAnswer
from gateway.upstream.client import Answer, Headers, Upstream, UpstreamRefusedUpgrade, UpstreamSocket, Ways

_log = logging.getLogger("gateway.upstream")

LOGIN_SECONDS = 15.0
MAX_ANSWER = 1024 * 1024
KEPT = 8  # former sign-ins whose secrets are looked for in answers
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds after a sign-in that failed
_FIRST_REST, _LONGEST_REST = 5.0, 60.0  # between two sign-ins that `again` asks for


@dataclass(frozen=True, slots=True)
class _Secrets:
    """By their marks; `since` is when they came."""

    by_mark: dict[str, str]
    since: float


class SignIn:
    """What one server has given, asked for over its `line`. `clock` in seconds."""

    def __init__(
        self, line: Upstream, login: Login, policy: Policy, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._line = line
        self._login = login
        credentials = policy.credentials
        self._headers = credentials.before_login()
        self._query = credentials.query_before_login()
        self._marks = tuple(map(mark_of, login.names))
        self._clock = clock
        self._secrets: _Secrets | None = None
        self._former: tuple[_Secrets, ...] = ()
        self._task: asyncio.Task[_Secrets] | None = None
        self._failure = ""
        self._failed_until = 0.0
        self._pause = _FIRST_PAUSE
        self._rest = _FIRST_REST
        self._renewed = -_LONGEST_REST
        self.known: tuple[str, ...] = self._marks
        """All that must not reach a guest."""

    async def secrets(self) -> _Secrets:
        """Raises UpstreamFailed."""
        return self._secrets or await self._sign_in()

    def asks_again(self, status: int, used: _Secrets) -> bool:
        """Whether a request that these secrets were sent with is to be made once more."""
        if status not in self._login.again:
            return False
        return self._secrets is not used or self._clock() - used.since >= self._rest

    async def others(self, used: _Secrets) -> _Secrets:
        """Other secrets than these, which the server refused. Raises UpstreamFailed."""
        if self._secrets is not None and self._secrets is not used:
            return self._secrets
        if self._task is None:
            # It may be this one request that is refused, whoever asks: then signing in helps nothing.
            now, soon = self._clock(), 4 * self._rest
            self._rest = min(2 * self._rest, _LONGEST_REST) if now - self._renewed < soon else _FIRST_REST
            self._renewed = now
        return await self._sign_in()

    def fillings(self, text: str) -> tuple[str, ...]:
        """A piece of a target with the secrets in it, those of now and the former ones."""
        known = (self._secrets, *self._former) if self._secrets is not None else ()
        return tuple(in_target(text, one.by_mark) for one in known)

    async def _sign_in(self) -> _Secrets:
        if self._task is None:
            if self._clock() < self._failed_until:
                raise UpstreamDown(self._failure)
            # Not within the time or the fate of whoever comes first.
            self._task = asyncio.create_task(self._ask(), name="login", context=Context())
            self._task.add_done_callback(self._asked)
        return await asyncio.shield(self._task)

    def _asked(self, task: asyncio.Task[_Secrets]) -> None:
        self._task = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._secrets, before = task.result(), self._secrets
            if before is not None:
                self._former = (before, *self._former)[:KEPT]
            texts = [value for one in (self._secrets, *self._former) for value in one.by_mark.values()]
            self.known = (*self._marks, *dict.fromkeys(texts))
            self._pause, self._failed_until = _FIRST_PAUSE, 0.0
            if self._failure:
                _log.warning("%s: the gateway has signed in again", self._line.origin)
            self._failure = ""
            return
        failure = str(error) if isinstance(error, UpstreamFailed) else f"login: {type(error).__name__}"
        if failure != self._failure:
            _log.error("%s: the gateway can't sign in there, and guests get no answer: %s", self._line.origin, failure)
        self._failure, self._failed_until = failure, self._clock() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    async def _ask(self) -> _Secrets:
        login = self._login
        body, content_type = login.body
        own = {name.lower() for name, _ in login.headers}
        headers = [("Host", self._line.origin.netloc), ("Accept", "application/json, application/xml;q=0.9, */*;q=0.5")]
        headers = [pair for pair in headers if pair[0].lower() not in own]
        headers += [pair for pair in self._headers if pair[0].lower() not in own]
        headers += login.headers
        if content_type and "content-type" not in own:
            headers.append(("Content-Type", content_type))
        target = login.target
        for pair in self._query:
            target += ("&" if "?" in target else "?") + pair
        try:
            async with (
                asyncio.timeout(LOGIN_SECONDS),
                self._line.request(login.method, target, headers, body) as answer,
            ):
                if 300 <= answer.status < 400:
                    raise UpstreamDown(f"answered {answer.status}, and a redirect is not followed")
                said = await answer.read(MAX_ANSWER)
                found = login.read(answer.status, answer.headers.get("Content-Type", ""), said)
        except TimeoutError as error:
            raise UpstreamDown("login: no answer within the deadline") from error
        except (BadAnswer, UpstreamFailed) as error:
            raise UpstreamDown(f"login: {error}") from error
        return _Secrets({mark_of(name): value for name, value in found.items()}, self._clock())


class SignedIn:
    """An `Upstream`: one of the server's addresses, whose `line` may serve others as well."""

    def __init__(self, line: Upstream, sign_in: SignIn) -> None:
        self.line = line
        self.sign_in = sign_in

    @property
    def origin(self) -> Origin:
        return self.line.origin

    async def close(self) -> None:
        await self.line.close()

    def request(
        self, method: str, target: str, headers: Headers, body: bytes | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        if not _marked(target, headers) and (body is None or not holds_mark(body.decode("latin-1"))):
            return self.line.request(method, target, headers, body)
        return _Exchange(self, method, target, headers, body)

    def websocket(
        self, target: str, headers: Headers, protocol: str | None = None
    ) -> AbstractAsyncContextManager[UpstreamSocket]:
        if not _marked(target, headers):
            return self.line.websocket(target, headers, protocol)
        return _Dial(self, target, headers, protocol)


def _marked(target: str, headers: Headers) -> bool:
    return holds_mark(target) or any(holds_mark(value) for _, value in headers)


class _Exchange:
    """One request with secrets in it, and at most one more."""

    __slots__ = ("_body", "_headers", "_method", "_open", "_owner", "_target")

    def __init__(self, owner: SignedIn, method: str, target: str, headers: Headers, body: bytes | None) -> None:
        self._owner = owner
        self._method, self._target, self._headers, self._body = method, target, headers, body
        self._open: AbstractAsyncContextManager[Answer] | None = None

    async def __aenter__(self) -> Answer:
        sign_in = self._owner.sign_in
        used = await sign_in.secrets()
        answer = await self._send(used)
        if not sign_in.asks_again(answer.status, used):
            return answer
        await self.__aexit__(None, None, None)
        return await self._send(await sign_in.others(used))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened.__aexit__(kind, error, trace)

    async def _send(self, secrets: _Secrets) -> Answer:
        target, headers = _filled(self._target, self._headers, secrets)
        body = self._body
        if body is not None:
            said = next((value for name, value in headers if name.lower() == "content-type"), "")
            body = in_body(body, said, secrets.by_mark)
        opened = self._owner.line.request(self._method, target, headers, body)
        answer = await opened.__aenter__()
        self._open = opened
        return answer


class _Dial:
    """One websocket, and at most one more handshake."""

    __slots__ = ("_headers", "_open", "_owner", "_protocol", "_target")

    def __init__(self, owner: SignedIn, target: str, headers: Headers, protocol: str | None) -> None:
        self._owner, self._target, self._headers, self._protocol = owner, target, headers, protocol
        self._open: AbstractAsyncContextManager[UpstreamSocket] | None = None

    async def __aenter__(self) -> UpstreamSocket:
        sign_in = self._owner.sign_in
        used = await sign_in.secrets()
        try:
            return await self._dial(used)
        except UpstreamRefusedUpgrade as error:
            if not sign_in.asks_again(error.status, used):
                raise
        return await self._dial(await sign_in.others(used))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._open.__aexit__(kind, error, trace)

    async def _dial(self, secrets: _Secrets) -> UpstreamSocket:
        target, headers = _filled(self._target, self._headers, secrets)
        opened = self._owner.line.websocket(target, headers, self._protocol)
        socket = await opened.__aenter__()
        self._open = opened
        return socket


def _filled(target: str, headers: Headers, secrets: _Secrets) -> tuple[str, Sequence[tuple[str, str]]]:
    values = secrets.by_mark
    return in_target(target, values), [(name, in_header(value, values)) for name, value in headers]


def signed_in(lines: Ways, policy: Policy) -> Ways:
    """The server's addresses as its policy wants them asked: with one sign-in at the first, where it has one."""
    if policy.login is None:
        return lines
    sign_in = SignIn(lines[""], policy.login, policy)
    return {at: SignedIn(line, sign_in) for at, line in lines.items()}
