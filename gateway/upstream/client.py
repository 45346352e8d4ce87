"""The connection to one media server: one request, one answer, nothing added and nothing followed.

Rule: the target is sent byte for byte as it was judged, with the headers given and no others; the
answer streams with backpressure, its bytes as the server made them. Foreign exceptions end here and
become `UpstreamDown` (no connection, or one that broke) and `UpstreamSlow` (a deadline passed).

Why aiohttp needs so many switches: by default its client decodes the target and resolves dot
segments after our check, follows redirects, shares cookies between guests, unpacks bodies, adds
headers of its own, cuts every answer after five minutes and shares a hundred connections among all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol

import aiohttp
from yarl import URL

from gateway.config import Origin, Timeouts
from gateway.errors import UpstreamDown, UpstreamFailed, UpstreamSlow
from gateway.upstream.lines import Connector, Line, pooled

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

MAX_MESSAGE = 16 * 1024 * 1024  # bytes of one websocket message
MAX_FIELD = 65_536  # bytes of one header of an answer; some servers send long policies

# Idle connections are kept for less than the shortest habit of servers (Node: 5 s), so that a request
# seldom meets one that the server is just closing.
_KEEP_IDLE = 4.0
_CLOSE_WAIT = 1.0  # seconds for the server's side of a websocket's close

Headers = Sequence[tuple[str, str]]


class AnswerTooLarge(UpstreamFailed):
    """An answer that has to be read whole is larger than its reader allows."""


class UpstreamRefusedUpgrade(UpstreamDown):
    """The server answered a websocket handshake with something else than a proper 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered a websocket handshake with {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Long:
    """`begins` is awaited once when a body that is read whole turns out to have more than `size` bytes."""

    size: int
    begins: Callable[[], Awaitable[None]]


class Answer(Protocol):
    """An answer whose head has arrived. Leaving its context early stops the server's sending."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> CIMultiDictProxy[str]: ...
    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UpstreamDown when it breaks off, UpstreamSlow when it stalls."""

    async def read(self, limit: int, long: Long | None = None) -> bytes:
        """The whole body. Raises AnswerTooLarge beyond `limit` bytes, what `long` raises, otherwise as `chunks`."""


class Upstream(Protocol):
    """One media server."""

    @property
    def origin(self) -> Origin: ...

    def request(
        self, method: str, target: str, headers: Headers, body: bytes | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        """Entering raises UpstreamDown or UpstreamSlow. `target` is canonical: path and query."""

    def websocket(
        self, target: str, headers: Headers, protocol: str | None = None
    ) -> AbstractAsyncContextManager[UpstreamSocket]:
        """`protocol`: the subprotocol that is asked for.

        Entering raises UpstreamRefusedUpgrade, UpstreamDown or UpstreamSlow."""

    async def close(self) -> None: ...


Ways = Mapping[str, Upstream]
"""The addresses of one media server, by what rules and steps say in `at`; "" is the main one."""


class HttpUpstream:
    """A media server reached over HTTP. Needs a running loop; `close` when done, or `retire`."""

    def __init__(self, origin: Origin, timeouts: Timeouts) -> None:
        self._origin = origin
        self._base = str(origin)
        self._timeouts = timeouts
        self._answer_seconds = timeouts.answer.total_seconds()
        self.idle_seconds = timeouts.idle.total_seconds()
        self._busy = 0
        self._retired = False
        self._session = self._opened()

    def _opened(self) -> aiohttp.ClientSession:
        timeouts = self._timeouts
        session = aiohttp.ClientSession(
            connector=Connector(
                limit=0,  # a film holds its connection for hours; how many there are is decided at the door
                keepalive_timeout=_KEEP_IDLE,
                # Not aiodns, which an extra may install: it knows neither mDNS nor /etc/nsswitch.conf.
                resolver=aiohttp.ThreadedResolver(),
            ),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=timeouts.connect.total_seconds(),
                # `idle` is for what comes after the head: see `_Exchange`. A server may hold a request for as long
                # as `answer` allows (long polls, a playlist's next part).
                sock_read=None,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=MAX_FIELD,
            max_field_size=MAX_FIELD,
            ws_response_class=UpstreamSocket,
        )
        # aiohttp repeats every idempotent request on any early loss; we repeat less, see `_Exchange`.
        session._retry_connection = False
        return session

    @property
    def origin(self) -> Origin:
        return self._origin

    def request(
        self, method: str, target: str, headers: Headers, body: bytes | None = None
    ) -> AbstractAsyncContextManager[HttpAnswer]:
        return _Exchange(self, self._answer_seconds, method, self._url(target), headers, body)

    def websocket(
        self, target: str, headers: Headers, protocol: str | None = None
    ) -> AbstractAsyncContextManager[UpstreamSocket]:
        return _Dial(self, self._answer_seconds, self._url(target), headers, protocol)

    async def close(self) -> None:
        await self._session.close()

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def retire(self) -> None:
        """Another one is used from now on: close as soon as what is open here has ended. A request that was
        judged before and comes only now is served all the same."""
        self._retired = True
        if not self._busy:
            await self._session.close()

    def enter(self) -> aiohttp.ClientSession:
        """For one exchange; each is followed by `leave`."""
        if self._retired and self._session.closed:
            self._session = self._opened()
        self._busy += 1
        return self._session

    async def leave(self) -> None:
        self._busy -= 1
        if self._retired and not self._busy:
            await self._session.close()

    def _url(self, target: str) -> URL:
        if not target.startswith("/") or target.startswith("//"):
            # `http://server` + `@evil` is another server; canonical targets can't come here like this.
            raise ValueError("a target begins with exactly one slash")
        return URL(self._base + target, encoded=True)


@asynccontextmanager
async def open_ways(addresses: Mapping[str, Origin], timeouts: Timeouts) -> AsyncIterator[Ways]:
    """Ways to one media server for as long as it takes to ask it something."""
    ways = {at: HttpUpstream(origin, timeouts) for at, origin in addresses.items()}
    try:
        yield ways
    finally:
        for way in ways.values():
            await way.close()


class HttpAnswer:
    """An answer of `HttpUpstream`."""

    __slots__ = ("_protocol", "_response", "_until_close")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        headers = response.headers
        # A body without length and chunks ends with the connection, and aiohttp takes a reset for that
        # end too; the protocol remembers how the connection ended.
        self._until_close = "Content-Length" not in headers and "Transfer-Encoding" not in headers
        connection = response.connection
        self._protocol = connection.protocol if connection is not None else None

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def reason(self) -> str:
        return self._response.reason or ""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self._response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        while True:
            try:
                data = await content.readany()
            except TimeoutError as error:
                raise UpstreamSlow("the server stopped sending") from error
            except (aiohttp.ClientError, OSError) as error:
                raise UpstreamDown(f"the answer broke off: {type(error).__name__}") from error
            if not data:
                if content.is_eof():
                    break
                continue
            yield data
        if self._until_close and self._protocol is not None:
            broken = self._protocol.exception()
            if isinstance(broken, OSError) and not isinstance(broken, aiohttp.ServerDisconnectedError):
                raise UpstreamDown("the answer broke off: connection reset")

    async def read(self, limit: int, long: Long | None = None) -> bytes:
        length = self.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > limit and self._protocol is not None:
            raise AnswerTooLarge(f"an answer of {length} bytes, allowed are {limit}")
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise AnswerTooLarge(f"an answer of more than {limit} bytes")
            if long is not None and len(body) > long.size:
                await long.begins()
                long = None
        return bytes(body)


class UpstreamSocket(aiohttp.ClientWebSocketResponse[Literal[True]]):
    """The server's end of a websocket."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """Those of the 101."""
        return self._response.headers

    @property
    def protocols(self) -> list[str]:
        """What the server said of subprotocols."""
        return self._response.headers.getall("Sec-WebSocket-Protocol", [])

    def abort(self) -> None:
        """Drop the connection without a close frame."""
        self._response.close()


class _Exchange:
    """One request and its answer.

    GET and HEAD are sent a second time when the first went out on a connection from the pool that the
    server had closed meanwhile, and not one byte of an answer came: the server has not seen it. Nothing
    else is ever repeated.
    """

    __slots__ = ("_body", "_headers", "_method", "_response", "_seconds", "_session", "_upstream", "_url")

    def __init__(
        self,
        upstream: HttpUpstream,
        seconds: float,
        method: str,
        url: URL,
        headers: Headers,
        body: bytes | None,
    ) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self._method = method
        self._url = url
        self._headers = headers
        self._body = body
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> HttpAnswer:
        self._session = self._upstream.enter()
        try:
            return await self._answer()
        except BaseException:
            await self._upstream.leave()
            raise

    async def _answer(self) -> HttpAnswer:
        try:
            async with asyncio.timeout(self._seconds):
                try:
                    response = await self._send()
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                    if not self._may_repeat(error):
                        raise
                    response = await self._send()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error
        if response.status == 101:
            response.close()
            raise UpstreamDown("the server switched protocols unasked")
        self._response = response
        line = response.connection.protocol if response.connection is not None else None
        if isinstance(line, Line):  # else the body is here already
            line.begun(self._upstream.idle_seconds)
        return HttpAnswer(response)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A body read to its end has given its connection back already; anything else must stop here.
        if self._response is not None:
            self._response.close()
        await self._upstream.leave()

    async def _send(self) -> aiohttp.ClientResponse:
        return await self._session.request(
            self._method,
            self._url,
            headers=self._headers,
            data=self._body,
            allow_redirects=False,
        )

    def _may_repeat(self, error: aiohttp.ClientError) -> bool:
        begun = isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
        fresh = isinstance(error, aiohttp.ClientConnectorError) or not pooled.get()
        return self._method in ("GET", "HEAD") and self._body is None and not begun and not fresh


class _Dial:
    """One websocket."""

    __slots__ = ("_headers", "_protocol", "_seconds", "_socket", "_upstream", "_url")

    def __init__(
        self, upstream: HttpUpstream, seconds: float, url: URL, headers: Headers, protocol: str | None
    ) -> None:
        self._protocol = protocol
        self._upstream = upstream
        self._seconds = seconds
        self._url = url
        self._headers = headers
        self._socket: UpstreamSocket | None = None

    async def __aenter__(self) -> UpstreamSocket:
        session = self._upstream.enter()
        try:
            return await self._opened(session)
        except BaseException:
            await self._upstream.leave()
            raise

    async def _opened(self, session: aiohttp.ClientSession) -> UpstreamSocket:
        try:
            async with asyncio.timeout(self._seconds):
                socket = await session.ws_connect(
                    self._url,
                    headers=self._headers,
                    autoping=False,  # pings are the two ends' business, they pass through
                    autoclose=False,
                    compress=0,
                    protocols=(self._protocol,) if self._protocol else (),
                    max_msg_size=MAX_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=_CLOSE_WAIT),
                )
        except aiohttp.WSServerHandshakeError as error:
            raise UpstreamRefusedUpgrade(error.status) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error
        assert isinstance(socket, UpstreamSocket)
        if self._protocol and socket.protocols not in ([], [self._protocol]):
            socket.abort()
            raise UpstreamDown("the server chose another subprotocol than it was asked for")
        self._socket = socket
        return socket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.abort()
        await self._upstream.leave()


def _translated(error: Exception) -> UpstreamFailed:
    """What a failure before the answer's head means; messages name the kind of trouble, no address."""
    if isinstance(error, TimeoutError):
        what = "connect" if isinstance(error, aiohttp.ConnectionTimeoutError) else "answer"
        return UpstreamSlow(f"no {what} within the deadline")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamDown(f"no connection: {type(error.os_error).__name__}")
    return UpstreamDown(f"no answer: {type(error).__name__}")
