"""An upstream that is as gullible as servers come, and remembers what it was asked.

It stands for the worst of what is really behind proxies: it decodes twice, resolves dot segments,
strips `;…`, takes backslashes for slashes, folds full-width letters, ignores case, and reads the last
or the first of repeated query names. Every reading of what it received is judged.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import unquote_to_bytes


@dataclass
class Recorder:
    """Answers everything with 200 and keeps each request head as it came."""

    heads: list[bytes] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                lower = head.lower()
                if b"\r\ncontent-length:" in lower:
                    length = int(lower.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
                    await reader.readexactly(length)
                body = b"" if head.startswith(b"HEAD ") else b"ok"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: 2\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def take(self) -> list[bytes]:
        heads, self.heads = self.heads, []
        return heads


def readings(path: str) -> Iterator[str]:
    """Every way some server could read this path (without its query)."""
    for rounds, fold, strip, lower in product(range(4), (False, True), (False, True), (False, True)):
        octets = path.encode("latin-1")
        for _ in range(rounds):
            octets = unquote_to_bytes(octets)
        text = octets.decode("utf-8", "replace")
        if fold:
            text = unicodedata.normalize("NFKC", text)
            for _ in range(rounds):
                text = unquote_to_bytes(text).decode("utf-8", "replace")
        text = text.replace("\\", "/")
        if strip:
            text = "/".join(segment.partition(";")[0].rstrip() for segment in text.split("/"))
        text = text.partition("\0")[0]
        segments: list[str] = []
        for segment in text.split("/"):
            if segment.strip() in ("", "."):
                continue
            if segment.strip() == "..":
                segments = segments[:-1]
            else:
                segments.append(segment)
        resolved = "/" + "/".join(segments)
        yield resolved.lower() if lower else resolved


def query_values(query: str, wanted: str) -> Iterator[str]:
    """Every value some server could find under a name, however it spells and re-reads names."""
    for rounds in range(3):
        text = query
        for _ in range(rounds):
            text = unquote_to_bytes(text).decode("utf-8", "replace")
        for mark in ";?#":
            text = text.replace(mark, "&")
        for piece in text.split("&"):
            name, _, value = piece.partition("=")
            plain = unquote_to_bytes(name).decode("utf-8", "replace").lower()
            plain = plain.partition("[")[0].strip("+ ").replace("_", "").replace("-", "").replace(".", "")
            if plain == wanted:
                yield unquote_to_bytes(value).decode("utf-8", "replace")
