"""Websockets and bodies without end, many at once: a server that holds them and guests who take them, both by hand.

The server (`LongLived`) answers `/ws/…` with a websocket that stays silent and `/endless/…` with a body that is as fast
as it is taken. `Talk` holds a websocket and notes when it ended; `Slow` takes a few kilobytes now and then.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.running import ask, free_port

POLICY = """
server: Everything that lasts
item: {id: "[a-z0-9]+"}
patterns: {n: "[0-9]{1,9}"}
kinds:
  live:
    player: {src: "/endless/{id}", as: file}
    allow:
      - GET /hls/{id}.m3u8
      - GET /hls/{id}-{n}.ts
      - WS /ws/{id}
      - GET /endless/{id}
guest_access: {on_revoke: cut}
"""
_TOKEN = "a-token-of-the-owner-for-these-tests"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
_PIECE = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"


@dataclass(frozen=True)
class Owner:
    """Who makes links and turns them off, by the API."""

    port: int
    manage: int

    @classmethod
    def of(cls, folder: Path, *, upstream: str, policy: str = POLICY) -> Owner:
        """Writes config.yaml and the policy into the folder; `upstream` as it stands there."""
        port, manage = free_port(), free_port()
        digest = hashlib.sha256(_TOKEN.encode()).hexdigest()
        (folder / "policy.yaml").write_text(policy)
        (folder / "config.yaml").write_text(
            f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\ndata_dir: data\n"
            f"manage: {{listen: 127.0.0.1:{manage}, url: 'http://127.0.0.1:{manage}'}}\n"
            f"managers: [{{name: alice, token: 'sha256:{digest}', may: ['tv:*']}}]\n"
            f"servers: [{{name: tv, upstream: '{upstream}', policy: ./policy.yaml}}]\n"
        )
        return cls(port, manage)

    async def asks(self, line: str, *, refused: bool = False, **body: object) -> dict[str, Any]:
        """`METHOD /path` below the API's base; whether it must be refused."""
        headers, sent = f"Authorization: Bearer {_TOKEN}\r\n", b""
        if body:
            headers, sent = f"{headers}Content-Type: application/json\r\n", json.dumps(body).encode()
        method, _, path = line.partition(" ")
        answer = await ask(self.manage, f"{method} /_gateway/api/v1{path}", headers=headers, body=sent)
        assert (answer.status >= 400) is refused, answer
        found: dict[str, Any] = json.loads(answer.body or b"{}")
        return found

    async def link(self, item: str, **limits: object) -> str:
        return str((await self.asks("POST /links", server="tv", item=item, name="many", **limits))["url"])

    async def turns_off(self, item: str) -> float:
        """The moment before it was asked for (`time.monotonic`)."""
        began = time.monotonic()
        await self.asks("PUT /access", server="tv", item=item, enabled=False)
        return began


@dataclass
class LongLived:
    """`talks` and `streams` are how many are open now, `sent` the bytes of all bodies."""

    port: int = 0
    talks: int = 0
    streams: int = 0
    sent: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> LongLived:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /ws/"):
                    await self._talk(head, reader, writer)
                    return
                if head.startswith(b"GET /endless/"):
                    await self._endless(writer)
                    return
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _talk(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = head.lower().partition(b"sec-websocket-key:")[2].partition(b"\r\n")[0]
        key = head[head.lower().index(key) :][: len(key)].strip()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.talks += 1
        try:
            while await reader.read(4_096):
                pass
        finally:
            self.talks -= 1

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0x8000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.streams += 1
        try:
            while True:
                writer.write(_PIECE)
                await writer.drain()
                self.sent += 0x4000
        finally:
            self.streams -= 1


class Talk(asyncio.Protocol):
    """One websocket of a guest. `ended`: when the other side closed it or was lost (`time.monotonic`)."""

    def __init__(self) -> None:
        self.ended: float | None = None
        self.code: int | None = None
        self.status = 0
        self._came = bytearray()
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, port: int, path: str, cookie: str, *, host: str = "") -> Talk:
        """Raises ConnectionError when it is refused."""
        transport, talk = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nCookie: {cookie}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        async with asyncio.timeout(30):
            await talk._open
        return talk

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        if not self.status:
            head, end, rest = bytes(self._came).partition(b"\r\n\r\n")
            if not end:
                return
            self.status, self._came = int(head[9:12]), bytearray(rest)
            if not self._open.done():
                if self.status == 101:
                    self._open.set_result(None)
                else:
                    self._open.set_exception(ConnectionRefusedError(self.status))
                    self.close()
        if self.status == 101 and len(self._came) >= 4 and self._came[0] == 0x88:
            self.code = int.from_bytes(self._came[2:4], "big")
            self.ended = self.ended or time.monotonic()
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = self.ended or time.monotonic()
        if not self._open.done():
            self._open.set_exception(exc or ConnectionResetError("closed"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@dataclass
class Slow:
    """A guest who takes 4 kB of a body now and then and has little room for more."""

    port: int
    path: str
    cookie: str
    pause: float = 0.5
    took: int = 0
    status: int = 0
    ended: float | None = None

    async def run(self) -> None:
        """Until the other side ends it, or cancelled."""
        loop = asyncio.get_running_loop()
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
            one.setblocking(False)
            await loop.sock_connect(one, ("127.0.0.1", self.port))
            head = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\n\r\n"
            await loop.sock_sendall(one, head.encode())
            with suppress(ConnectionError):
                while data := await loop.sock_recv(one, 4_096):
                    self.status = self.status or int(data[9:12])
                    self.took += len(data)
                    await asyncio.sleep(self.pause)
            self.ended = time.monotonic()
