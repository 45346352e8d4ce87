"""Two lines with an ear on them: from the guest to the gateway, from the gateway to a real media server.

    async with between(tmp_path, "minidlna", port_of_the_server) as stage:
        stage.guest.port        where guests go; `stage.guest.back` is every byte they got
        stage.server.asked      every request that reached the media server

Why by bytes: what a policy promises is that a refused request never leaves the gateway, and that a guest never
receives a credential, whatever page, header or playlist it could stand in. Both are said of bytes, not of answers.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.running import Running, ask, free_port, raw, running_gateway

REQUEST = re.compile(rb"^([A-Z]+ \S+) HTTP/1\.[01]\r$", re.M)


@dataclass
class Line:
    """Passes bytes both ways between its own port and another, and keeps them."""

    to: int
    port: int = 0
    there: bytearray = field(default_factory=bytearray)
    back: bytearray = field(default_factory=bytearray)
    _ends: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = field(default_factory=dict)

    @property
    def asked(self) -> list[str]:
        """The requests that went there."""
        return [line.decode("latin-1") for line in REQUEST.findall(bytes(self.there))]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._ends[task] = [writer]
        try:
            other, onward = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.transport.abort()
            del self._ends[task]
            return
        self._ends[task].append(onward)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, onward, self.there))
                both.create_task(_carry(other, writer, self.back))
        finally:
            for one in self._ends.pop(task):
                one.close()

    async def stop(self) -> None:
        ends = dict(self._ends)
        for writers in ends.values():
            for one in writers:
                one.transport.abort()
        await asyncio.gather(*ends)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    try:
        while piece := await reader.read(65_536):
            kept += piece
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()  # not closed: what is asked last is still to be answered
    except OSError:
        writer.transport.abort()


@asynccontextmanager
async def line(to: int, port: int = 0, *, like: Line | None = None) -> AsyncIterator[Line]:
    """`like`: what it hears is kept with what that one hears."""
    kept = Line(to, there=like.there, back=like.back) if like else Line(to)
    server = await asyncio.start_server(kept.serve, "127.0.0.1", port)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        await kept.stop()


@dataclass
class Stage:
    """A gateway between two lines."""

    gateway: Running
    guest: Line
    server: Line

    async def refuses(self, cookie: str, *requests: str | bytes) -> None:
        """Each of these, asked by this guest, is refused and the media server hears nothing of it."""
        for request in requests:
            before = len(self.server.there)
            if isinstance(request, bytes):
                text = request.replace(b"COOKIE", cookie.encode()).replace(b"HOST", b"127.0.0.1:%d" % self.guest.port)
                first = (await raw(self.guest.port, text, seconds=30)).split(b" ", 2)
                status = int(first[1]) if len(first) > 1 else 0
            else:
                status = (await ask(self.guest.port, request, cookie=cookie)).status
            assert status in (400, 403, 404, 405, 410, 421), (request, status)
            assert len(self.server.there) == before, (request, self.server.asked[-1:])

    def keeps(self, *secrets: str) -> None:
        """No guest got one of these, in any spelling."""
        got = unpacked(bytes(self.guest.back)).lower()
        assert len(got) > 1_000, "nobody was there"
        for secret in secrets:
            assert [one for one in spellings(secret) if one.lower() in got] == []


def unpacked(said: bytes) -> bytes:
    """A connection's bytes without the marks of chunks, and behind them what is packed in it."""
    whole = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", said)
    assert set(re.findall(rb"(?i)\r\ncontent-encoding: *([^\r]*)", said)) <= {b"gzip"}
    for found in re.finditer(rb"\x1f\x8b\x08", said):
        with suppress(zlib.error):
            whole += zlib.decompressobj(31).decompress(said[found.start() :])
    return whole


def spellings(secret: str) -> Iterator[bytes]:
    """How a text may stand in an answer: plain, in URLs, JSON, HTML, hex and base64 at each offset."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    yield quote(quote(secret, safe=""), safe="").encode()
    yield "".join(f"%{octet:02x}" for octet in plain).encode()
    yield json.dumps(secret)[1:-1].encode()
    yield html.escape(secret).encode()
    yield "".join(f"&#{octet};" for octet in plain).encode()
    yield plain.hex().encode()
    for before in range(3):
        packed = b64encode(b"\0" * before + plain)
        # What is the same whatever stands before and behind it.
        kept = packed[(0, 2, 3)[before] : -4 if len(plain) + before > 6 else None]
        yield kept
        yield kept.replace(b"+", b"-").replace(b"/", b"_")


@asynccontextmanager
async def between(
    folder: Path, policy: str, port: int, *, server_extra: str = "", beside: Mapping[str, int] | None = None
) -> AsyncIterator[Stage]:
    """`beside`: further ports of the server, by the names that the policy has for them."""
    own = free_port()
    async with line(port) as server, line(own) as guest, AsyncExitStack() as more:
        public = f"http://127.0.0.1:{guest.port}"
        others = {
            name: (await more.enter_async_context(line(to, like=server))).port for name, to in (beside or {}).items()
        }
        async with running_gateway(
            folder, policy, server.port, port=own, public=public, server_extra=server_extra, beside=others
        ) as gateway:
            yield Stage(gateway, guest, server)


def anywhere(ok: str, other: str) -> list[str | bytes]:
    """What must be refused at any server. `ok`: an address of the guest's item; `other`: the same of another item.

    These are the readings by which servers, and what stands before them, were brought from one to the other.
    """
    path, mark, query = ok.partition("?")
    rest = mark + query
    away = other.removeprefix("/")
    up = "../" * path.count("/")
    coded = [
        up,
        up.replace("..", "%2e%2e"),
        up.replace("/", "%2f"),
        up.replace("/", "%5c"),
        up.replace("..", "%252e%252e"),
    ]
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    head = "Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\n"
    return [
        f"GET {other}",
        *(f"GET {path}/{one}{away}" for one in coded),
        *(f"GET {path}%2f{one}{away}" for one in coded),
        *(f"GET /x../{one}{away}" for one in coded),
        f"GET /{path}{rest}",
        f"GET {path}/{rest}",
        f"GET {path.replace('/', '//')}{rest}",
        f"GET {path.replace('/', '/./')}{rest}",
        f"GET {path}/.{rest}",
        f"GET {path.replace('/', chr(92))}{rest}",
        f"GET {path};x=1{rest}",
        f"GET {path};{rest}",
        f"GET {path}%00{rest}",
        f"GET {path}%00.jpg{rest}",
        f"GET {path}%0d%0aX:1{rest}",
        f"GET {path}%20{rest}",
        f"GET {path}.{rest}",
        f"GET {path}%3fid=1",
        f"GET {path}#{away}",
        f"GET {path}?{query}&x=1",
        f"GET {path}?{query}&_method=DELETE",
        f"GET http://elsewhere.test{ok}",
        f"GET http://elsewhere.test{other}",
        f"POST {ok}",
        f"PUT {ok}",
        f"DELETE {ok}",
        f"PROPFIND {ok}",
        f"TRACE {ok}",
        f"get {ok}",
        f"GET {ok} HTTP/1.1\r\n{head}Host: elsewhere.test\r\n\r\n".encode(),
        f"GET {other} HTTP/1.1\r\n{head}X-Original-URL: {ok}\r\n\r\n".encode(),
        f"GET http://HOST{other} HTTP/1.1\r\n{head}\r\n".encode(),
        f"POST {ok} HTTP/1.1\r\n{head}X-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n".encode(),
        f"POST {ok} HTTP/1.1\r\n{head}{form}Content-Length: 4\r\n\r\nid=1".encode(),
        f"GET {ok} HTTP/1.1\r\n{head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        f"GET {ok} HTTP/1.1\r\n{head}Transfer-Encoding: x\r\n\r\n".encode(),
        f"GET {ok} HTTP/1.1\r\nHost: elsewhere.test\r\nCookie: COOKIE\r\nConnection: close\r\n\r\n".encode(),
    ]  # fmt: skip


async def ignores_what_a_guest_says_of_itself(stage: Stage, cookie: str, ok: str) -> None:
    """An `Upgrade` on a plain rule, and each header by which servers are told who asks or for what: none arrives."""
    before = len(stage.server.there)
    said = {
        "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
        "Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q=", "Proxy-Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q=",
        "X-Original-URL": "/admin", "X-Rewrite-URL": "/admin", "Remote-User": "admin", "X-Api-Key": "intruder",
        "X-Emby-Token": "intruder", "X-ND-Authorization": "intruder", "X-Plex-Token": "intruder",
        "X-HTTP-Method-Override": "PUT",
        "Forwarded": "for=192.0.2.77", "X-Real-IP": "192.0.2.77", "X-Forwarded-For": "192.0.2.77",
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    answer = await ask(stage.guest.port, f"GET {ok}", cookie=cookie, headers=lines)
    came = bytes(stage.server.there[before:]).lower()
    assert (answer.status == 200) == bool(came), answer.status
    for word in (b"websocket", b"z3vlc3q6z3vlc3q=", b"/admin", b"remote-user", b"intruder", b"put", b"192.0.2.77"):
        assert word not in came, word
