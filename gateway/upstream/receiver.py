"""The client towards a receiver of notices: one POST, one status, and nothing else is believed or kept.

Rule: unless the operator allows it, a notice goes to addresses of the public Internet alone. What is judged is
the address that is connected to, at the moment a socket for it is made, at each attempt: whatever a name
meant before, however an address is written, and whatever the name server says next, no socket is ever
made for an internal one. A redirect is an answer like any other that is no success.

Why so short of patience: receivers are strangers. Of an answer its head is read and no more of it than a
few kilobytes; each attempt has a connection of its own and is over after ten seconds, whatever the
receiver does meanwhile. Names are looked up in threads of our own: one that hangs would otherwise hold up
those with which media servers are found.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.config_texts import is_public

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 10.0
MAX_FIELD = 8_190  # bytes of one header of an answer
MAX_FIELDS = 64
LOOK_UPS = 4  # of one receiver's name that may hang at once

Found = tuple[int, str]
"""An address family and an address."""

LookUp = Callable[[str, int], Awaitable[Sequence[Found]]]


class Trouble(Enum):
    """Why an attempt failed; the value is the sentence for it."""

    NAME = "its name can't be looked up"
    INTERNAL = "its name leads to an internal address, which is refused (allow_internal)"
    CONNECTION = "no connection"
    TLS = "its certificate can't be verified, or no TLS is spoken"
    SLOW = "no answer in time"
    BROKEN = "no proper HTTP answer"
    REDIRECT = "it redirects, which is not followed"
    STATUS = "it refused"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one attempt; without `trouble` the notice was taken. `detail` is for people, and holds
    neither the URL nor anything the receiver wrote. `retry_after` in seconds, as it was asked for."""

    trouble: Trouble | None
    took: float
    status: int | None = None
    retry_after: float | None = None
    detail: str = ""

    def __str__(self) -> str:
        if self.trouble is None:
            return f"{self.status}"
        said = f"{self.status}: {self.trouble}" if self.status is not None else str(self.trouble)
        return f"{said} ({self.detail})" if self.detail else said


class Receiver:
    """One receiver; needs a running loop when it is asked. `trust`: other authorities than the system's."""

    def __init__(
        self,
        url: str,
        *,
        allow_internal: bool = False,
        look_up: LookUp | None = None,
        trust: ssl.SSLContext | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._url = URL(url, encoded=True)
        self._allow_internal = allow_internal
        self._look_up = look_up or _LookUps()
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(total=total_seconds, connect=connect_seconds)

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send it once. Never raises for what a receiver or the network does."""
        began = time.monotonic()
        gate = _Gate(self._allow_internal)
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(self._look_up),
                    socket_factory=gate,
                    use_dns_cache=False,
                    force_close=True,
                    ssl=self._trust or _trust() if self._url.scheme == "https" else False,
                ),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("Accept-Encoding",),
                read_bufsize=4_096,
                max_line_size=MAX_FIELD,
                max_field_size=MAX_FIELD,
                max_headers=MAX_FIELDS,
            ) as session:
                # A second try on a lost connection is the queue's to decide.
                session._retry_connection = False
                async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                    status, after = answer.status, answer.headers.get("Retry-After")
                    answer.close()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            trouble, detail = _cause(error, gate)
            return Reply(trouble, time.monotonic() - began, detail=detail)
        took = time.monotonic() - began
        if 200 <= status < 300:
            return Reply(None, took, status)
        trouble = Trouble.REDIRECT if 300 <= status < 400 else Trouble.STATUS
        return Reply(trouble, took, status, _seconds(after))


class _Gate:
    """Makes the sockets of one attempt, for addresses that notices may go to."""

    def __init__(self, allow_internal: bool) -> None:
        self._allow_internal = allow_internal
        self.refused = self.opened = False

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        # A scope makes an address of this link's, however it looks.
        scoped = family == socket.AF_INET6 and len(address) > 3 and address[3] != 0
        if not self._allow_internal and (scoped or not is_public(str(address[0]))):
            self.refused = True
            raise OSError("an internal address")
        self.opened = True
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._look_up(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AddressFamily(of),
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for of, address in found
        ]

    async def close(self) -> None:
        pass


class _LookUps:
    """The system's way to find names (mDNS and /etc/hosts included), each in a thread that may be left hanging."""

    def __init__(self) -> None:
        self._places = threading.Semaphore(LOOK_UPS)

    async def __call__(self, host: str, port: int) -> Sequence[Found]:
        if not self._places.acquire(blocking=False):
            raise OSError("earlier look-ups of this name still hang")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Found]] = loop.create_future()

        def work() -> None:
            try:
                found: Sequence[Found] | OSError = [
                    (int(family), str(address[0]))
                    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                ]
            except OSError as error:
                found = error
            except UnicodeError as error:  # a label of more than 63 characters
                found = OSError(str(error))
            finally:
                self._places.release()
            with contextlib.suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(deliver, found)

        def deliver(found: Sequence[Found] | OSError) -> None:
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        # A daemon: a name that hangs must not keep the program from ending.
        threading.Thread(target=work, name="webhook-name", daemon=True).start()
        return await answer


def _cause(error: Exception, gate: _Gate) -> tuple[Trouble, str]:
    if isinstance(error, TimeoutError):
        return Trouble.SLOW, "" if gate.opened else "not even a connection"
    if gate.refused and not gate.opened:
        return Trouble.INTERNAL, ""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Trouble.NAME, error.os_error.strerror or str(error.os_error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = error.certificate_error
        return Trouble.TLS, str(getattr(reason, "verify_message", "") or type(reason).__name__)
    if isinstance(error, aiohttp.ClientSSLError):
        reason = error.os_error
        return Trouble.TLS, str(getattr(reason, "reason", "") or type(reason).__name__)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Trouble.CONNECTION, error.os_error.strerror or type(error.os_error).__name__
    if isinstance(error, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        return Trouble.BROKEN, "the connection was closed"
    return Trouble.BROKEN, type(error).__name__


def _seconds(text: str | None) -> float | None:
    """Of `Retry-After`, which is a number of seconds or a date; None for anything else."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's authorities (SSL_CERT_FILE and SSL_CERT_DIR name others); read once, since it takes a while."""
    return ssl.create_default_context()
