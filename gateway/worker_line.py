"""The line between the parent and one worker, over a socket that the worker inherits.

    parent → worker   {"prepare": 3, "files": …}   read and compile this state of the files
                      {"commit": 3}                put it in force
                      {"look": true}               at the certificate, now
                      {"warnings": […]}            what `ready` is to say
    worker → parent   {"prepared": 3} · {"failed": 3, "why": …} · {"in_force": 3}

Rule: the files travel, not what they mean: every worker reads the same bytes, also one that is started
again after the files on the disk have gone bad. Nothing is in force anywhere before all are prepared.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any

_HEAD = 4  # bytes that tell a message's length

Message = dict[str, Any]


class Line:
    """Either end. `receive` gives None when the other end is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Line:
        return cls(*await asyncio.open_connection(sock=end))

    async def send(self, message: Message) -> None:
        """Without an error where nobody is left to hear it: whoever waits for an answer finds out."""
        self.post(message)
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def post(self, message: Message) -> None:
        """As `send`, without waiting until it is on its way."""
        data = json.dumps(message).encode()
        self._writer.write(len(data).to_bytes(_HEAD, "big") + data)

    async def receive(self) -> Message | None:
        try:
            size = int.from_bytes(await self._reader.readexactly(_HEAD), "big")
            message: Message = json.loads(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError):
            return None
        return message

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Answers:
    """What one worker has said, for whoever waits for it."""

    def __init__(self) -> None:
        self.prepared = self.in_force = self.failed = 0
        self.why = ""
        self.gone = False
        self._news = asyncio.Event()

    def take(self, message: Message | None) -> None:
        if message is None:
            self.gone = True
        else:
            self.prepared = message.get("prepared", self.prepared)
            self.in_force = message.get("in_force", self.in_force)
            self.failed = message.get("failed", self.failed)
            self.why = message.get("why", self.why)
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, name: str, number: int) -> bool:
        """Whether it has come so far; False when it failed or is gone."""
        while not self.gone and self.failed < number:
            if getattr(self, name) >= number:
                return True
            await self._news.wait()
        return False
