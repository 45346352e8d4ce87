"""Three servers that read HTTP/1.1 differently, each of which tells what it believed it was asked.

- `Strict`: aiohttp's server (llhttp in strict mode).
- `Nginx`: the real one; what it believed stands in its access log.
- `Lenient`: ours, which repeats the leniencies that request smuggling lives on. Each is one that a server or proxy
  had: line ends of a bare LF or CR, white space before the colon, folded lines (RFC 9112 2.2, 5.1 and 5.2 allow or once
  allowed them to recipients); `_` and `.` in names taken for `-` (CGI variables: Apache, PHP, WSGI); any
  `Transfer-Encoding` that holds "chunked" anywhere (HAProxy CVE-2019-18277 and more of http-garden's list); lengths and
  chunk sizes as Python's `int` reads them, with `+`, `_`, `0x` and white space (http-garden on gunicorn, waitress,
  tornado); the first or the last of several lengths; chunks that end in LF; methods in lower case and absolute targets
  taken apart; a version that is missing. Whether length or chunks win, and whether a GET has a body at all ("CL.0"), is
  a `Leaning`, since servers differ there: what arrived on each connection is read once more under every leaning.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Protocol

from aiohttp import web

from tests.nginx import nginx

Believed = tuple[str, str, bytes]
"""Method, target and body of a request that a server thinks it was sent."""


class Backend(Protocol):
    port: int

    def take(self) -> list[Believed]: ...


@dataclass
class Strict:
    port: int = 0
    seen: list[Believed] = field(default_factory=list)

    def take(self) -> list[Believed]:
        seen, self.seen = self.seen, []
        return seen


@asynccontextmanager
async def strict() -> AsyncIterator[Strict]:
    backend = Strict()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        backend.seen.append((request.method, request.raw_path, body))
        return web.Response(text=f"{request.method} {request.raw_path}")

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    backend.port = runner.addresses[0][1]
    yield backend
    await runner.cleanup()


@dataclass
class Nginx:
    port: int
    log: Path
    _read: int = 0

    def take(self) -> list[Believed]:
        text = self.log.read_text("latin-1") if self.log.exists() else ""
        lines, self._read = text[self._read :].splitlines(), len(text)
        return [(method, target, b"x" * (int(length or 0) > 0)) for method, target, length in map(_cells, lines)]


def _cells(line: str) -> tuple[str, str, str]:
    method, target, length = line.split("\t")
    return method, target, length.strip("-")


@asynccontextmanager
async def real_nginx(own: Path) -> AsyncIterator[Nginx]:
    log = own / "believed.log"
    server = f'access_log {log} believed; location / {{ return 200 "$request_method $request_uri"; }}'
    pattern = "log_format believed '$request_method\\t$request_uri\\t$http_content_length';"
    async with nginx(own, server, http=pattern) as port:
        yield Nginx(port, log)


# --- the lenient one ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaning:
    """What wins where a request has both framings or two lengths; whether a GET has a body."""

    chunks_win: bool = True
    last_length: bool = True
    get_has_body: bool = True


LEANINGS = [Leaning(*choice) for choice in product((True, False), repeat=3)]

_LINE = re.compile(rb"\r\n|\n|\r(?!\n)")
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")


def read_one(data: bytes, leaning: Leaning) -> tuple[Believed, bytes] | None:
    """The first request that somebody lenient finds in `data`, and what follows it; None: it waits for more."""
    data = data.lstrip(b"\r\n \t")
    end = _END.search(data)
    if end is None:
        return None
    rest = data[end.end() :]
    first, *lines = _LINE.split(data[: end.start()])
    words = first.split()
    method = words[0].decode("latin-1").upper() if words else ""
    target = words[1].decode("latin-1") if len(words) > 1 else ""
    if "://" in target.partition("?")[0]:
        target = "/" + target.split("://", 1)[1].partition("/")[2]
    headers: list[tuple[str, str]] = []
    for line in lines:
        text = line.decode("latin-1")
        if text[:1] in (" ", "\t") and headers:
            headers[-1] = (headers[-1][0], headers[-1][1] + " " + text.strip())
            continue
        name, _, value = text.partition(":")
        headers.append((re.sub("[_.]", "-", name.strip().lower()), value.partition("\0")[0].strip()))
    lengths = [value for name, value in headers if name == "content-length"]
    chunked = any("chunked" in value.lower() for name, value in headers if name == "transfer-encoding")
    if method in ("GET", "HEAD") and not leaning.get_has_body:
        return (method, target, b""), rest
    if chunked and (leaning.chunks_win or not lengths):
        found = _unchunked(rest)
        return None if found is None else ((method, target, found[0]), found[1])
    numbers = [number for value in lengths for piece in value.split(",") if (number := _number(piece, 10)) is not None]
    length = numbers[-1 if leaning.last_length else 0] if numbers else 0
    if len(rest) < length:
        return None
    return (method, target, rest[:length]), rest[length:]


def _unchunked(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        end = _LINE.search(data)
        if end is None:
            return None
        size = _number(data[: end.start()].partition(b";")[0].decode("latin-1"), 16) or 0
        data = data[end.end() :]
        if size == 0:
            # Trailers, up to an empty line.
            while True:
                end = _LINE.search(data)
                if end is None:
                    return None
                line, data = data[: end.start()], data[end.end() :]
                if not line:
                    return body, data
        if len(data) < size:
            return None
        body, data = body + data[:size], data[size:].removeprefix(b"\r").removeprefix(b"\n")


def _number(text: str, base: int) -> int | None:
    try:
        return max(0, int(text, base))
    except ValueError:
        return None


def readings(stream: bytes) -> Iterator[list[Believed]]:
    """All requests in what came over one connection, under every leaning."""
    for leaning in LEANINGS:
        found, rest = [], stream
        while (one := read_one(rest, leaning)) is not None:
            found.append(one[0])
            rest = one[1]
        yield found


@dataclass
class Lenient:
    """`streams` is what came over each connection, byte by byte."""

    port: int = 0
    seen: list[Believed] = field(default_factory=list)
    streams: list[bytearray] = field(default_factory=list)

    def take(self) -> list[Believed]:
        seen, self.seen = self.seen, []
        return seen

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream, waiting = bytearray(), b""
        self.streams.append(stream)
        try:
            while data := await reader.read(65_536):
                stream += data
                waiting += data
                while (one := read_one(waiting, Leaning())) is not None:
                    believed, waiting = one
                    self.seen.append(believed)
                    text = f"{believed[0]} {believed[1]}".encode("latin-1")
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text)
                    writer.write(head + (b"" if believed[0] == "HEAD" else text))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def lenient() -> AsyncIterator[Lenient]:
    backend = Lenient()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    backend.port = server.sockets[0].getsockname()[1]
    yield backend
    server.close()
