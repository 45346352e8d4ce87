"""Guests that ask without pause, and note what became of every request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

SECONDS = 20.0  # for one answer; a busy machine is no failure


@dataclass
class Load:
    """`run` asks until told to stop. `kept`: on one connection for as long as it is kept, else each on its own.

    `outcomes`: a status; `refused`, not connected; `lost`, connected and without a whole answer.
    """

    port: int
    cookie: str
    path: str
    kept: bool
    outcomes: Counter[object] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    stopped: bool = False
    slowest: float = 0.0

    async def run(self) -> None:
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        while not self.stopped:
            if reader is None or writer is None or reader.at_eof():
                # A kept connection that was closed between two requests is nobody's loss.
                try:
                    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", self.port), SECONDS)
                except (OSError, TimeoutError):
                    self.outcomes["refused"] += 1
                    return
            began = time.monotonic()
            try:
                status, goes_on = await asyncio.wait_for(self._ask(reader, writer), SECONDS)
            except (OSError, TimeoutError, EOFError, ValueError) as error:
                self.outcomes["lost"] += 1
                self.lost.append(repr(error))
                return
            self.outcomes[status] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if not (goes_on and self.kept):
                writer.close()
                reader = writer = None
        if writer is not None:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bool]:
        connection = "" if self.kept else "Connection: close\r\n"
        head = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{connection}Cookie: {self.cookie}\r\n\r\n"
        writer.write(head.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        size = head.partition("content-length: ")[2].partition("\r\n")[0]
        await reader.readexactly(int(size))
        return int(head.split(" ")[1]), "connection: close" not in head
