"""Both ends of a wire, by hand: a server that says exactly what a test wants, and a client likewise.

Why not an HTTP library: what is tested here is what libraries repair or hide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Script = Callable[["Call"], Awaitable[None]]


@dataclass(slots=True)
class Call:
    """One request as it reached the scripted server."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines) if name]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) < 2, f"{name} twice"
        return found[0] if found else None

    async def say(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> None:
        """A whole answer with its length; `headers` are lines that end in CRLF."""
        await self.say(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def reset(self) -> None:
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Until the other end has closed."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass


@dataclass(slots=True)
class WireServer:
    """Runs `script` for each request that arrives; connections are kept while the script leaves them open."""

    script: Script
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    lost: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> WireServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
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
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                call = Call(head, reader, writer)
                self.calls.append(call)
                await self.script(call)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost += 1
        finally:
            writer.close()
            self._tasks.discard(task)


@dataclass(slots=True)
class Reply:
    status: int
    head: str
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines) if name]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) < 2, f"{name} twice"
        return found[0] if found else None


class BrokenOff(Exception):
    """The connection ended inside a body."""


@dataclass(slots=True)
class WireClient:
    """One connection to the gateway."""

    port: int
    host: str = "gateway.test"
    reader: asyncio.StreamReader = field(init=False)
    writer: asyncio.StreamWriter = field(init=False)

    async def __aenter__(self) -> WireClient:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)
        await self.writer.drain()

    async def ask(self, line: str, headers: str = "", body: bytes = b"") -> None:
        """Send a request; `line` is method and target, `headers` are lines that end in CRLF."""
        await self.send(f"{line} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n".encode("latin-1") + body)

    async def get(self, line: str, headers: str = "", body: bytes = b"") -> Reply:
        await self.ask(line, headers, body)
        return await self.reply(head_only=line.startswith("HEAD "))

    async def head(self) -> Reply:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        return Reply(int(text.split(" ")[1]), text, b"")

    async def reply(self, *, head_only: bool = False) -> Reply:
        """A whole answer. Raises BrokenOff when its body is cut short."""
        reply = await self.head()
        if head_only or reply.status in (204, 304) or reply.status < 200:
            return reply
        try:
            length = reply.header("Content-Length")
            if length is not None:
                reply.body = await self.reader.readexactly(int(length))
            elif reply.header("Transfer-Encoding") == "chunked":
                while True:
                    size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
                    piece = await self.reader.readexactly(size + 2)
                    if size == 0:
                        break
                    reply.body += piece[:-2]
            else:
                reply.body = await self.reader.read(-1)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenOff from error
        return reply

    async def closed(self) -> bool:
        """Whether the other end closes without saying anything more."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 3) == b""
        except ConnectionError:
            return True
