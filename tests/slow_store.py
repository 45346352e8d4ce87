"""A way to a store on which each answer takes as long as a test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class SlowStore:
    """Listens on a loopback port; `delay` in seconds, from now on, of each answer that comes."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.delay = 0.0
        self.port = 0
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Every connection breaks."""
        for one in tuple(self._open):
            one.transport.abort()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[SlowStore]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there_reader, there_writer = await asyncio.open_unix_connection(str(self._socket))
        self._open |= {writer, there_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, there_writer, slow=False))
                group.create_task(self._pass_on(there_reader, writer, slow=True))
        except* (ConnectionError, OSError):
            pass
        finally:
            self._open -= {writer, there_writer}
            for one in (writer, there_writer):
                one.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        while content := await reader.read(65_536):
            if slow and self.delay:
                await asyncio.sleep(self.delay)
            writer.write(content)
            await writer.drain()
        raise ConnectionResetError
