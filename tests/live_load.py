"""Many who watch one live stream, so lightly that a small machine can hold them beside what they measure.

A `Viewer` polls as hls.js does: it begins three segments behind the edge, takes each segment when a playlist has named
it, and asks for the playlist again after a segment's duration, after half of one where nothing was new. A segment is
late when it is not whole within its own duration of its turn, and a stall is a moment in which a player that started
with the first segment would have had nothing to show.

Why no HTTP client: two hundred of them would take the processor that is to be measured. Bodies are counted, not kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

BEHIND = 3  # segments behind the live edge where a player begins
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_ROOM = memoryview(bytearray(1 << 18))  # what arrives is looked at and forgotten; all of one loop may share it


class Line(asyncio.BufferedProtocol):
    """One kept connection; one request at a time. `ask` raises OSError when it is lost."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._head = bytearray()
        self._left = -1  # bytes of a body still to come; before a head is whole -1
        self._status = 0
        self._body: bytearray | None = None

    @classmethod
    async def to(cls, port: int) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("closed"))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _ROOM

    def buffer_updated(self, nbytes: int) -> None:
        body = nbytes
        if self._left < 0:
            self._head += _ROOM[:nbytes]
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end + 2)
            assert length, bytes(self._head[:end])
            self._status, self._left = int(self._head[9:12]), int(length[1])
            rest = bytes(self._head[end + 4 :])
            self._head.clear()
            body = len(rest)
            if self._body is not None:
                self._body += rest
        elif self._body is not None:
            self._body += _ROOM[:nbytes]
        self._left -= body
        if self._left == 0 and self._waiting is not None and not self._waiting.done():
            self._left = -1
            self._waiting.set_result((self._status, bytes(self._body or b"")))

    async def ask(self, path: str, headers: str, *, keep: bool = False) -> tuple[int, bytes]:
        """Status and, where it is to be kept, the body."""
        if self._transport is None:
            raise ConnectionResetError("closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._body = bytearray() if keep else None
        self._transport.write(f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode())
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@dataclass
class Watched:
    """What many viewers saw, together. Seconds."""

    playlists: list[float] = field(default_factory=list)
    segments: list[float] = field(default_factory=list)
    late: int = 0
    stalls: int = 0
    stalled: float = 0.0
    refused: list[str] = field(default_factory=list)

    def said(self) -> str:
        return (
            f"{len(self.segments)} segments ({percentiles(self.segments)}), {self.late} late; "
            f"{len(self.playlists)} playlists ({percentiles(self.playlists)}); "
            f"{self.stalls} stalls of {self.stalled:.1f} s; {len(self.refused)} refused {self.refused[:3]}"
        )


def percentiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    found = sorted(seconds)
    told = [found[min(len(found) - 1, int(len(found) * part))] * 1000 for part in (0.5, 0.95, 0.99)]
    return "{:.0f} / {:.0f} / {:.0f} ms, at most {:.0f} ms".format(*told, found[-1] * 1000)


@dataclass
class Viewer:
    """`playlist` is a path; segments are named beside it. `cookie`: of the guest."""

    port: int
    playlist: str
    cookie: str
    seen: Watched

    async def watch(self, until: float) -> None:
        """Until this moment of the monotonic clock."""
        headers = f"Host: 127.0.0.1:{self.port}\r\nAccept: */*\r\n" + (
            f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        )
        line = await Line.to(self.port)
        try:
            await self._watch(line, headers, until)
        except OSError as error:
            self.seen.refused.append(repr(error))
        finally:
            line.close()

    async def _watch(self, line: Line, headers: str, until: float) -> None:
        seen, folder = self.seen, self.playlist.rpartition("/")[0]
        last, due = -1, 0.0
        while (asked := time.monotonic()) < until:
            status, body = await line.ask(self.playlist, headers, keep=True)
            seen.playlists.append(time.monotonic() - asked)
            if status != 200:
                seen.refused.append(f"{status} for the playlist")
                return
            target, there = segments_of(body.decode())
            fresh = [one for one in there if one[0] > last] if last >= 0 else there[-BEHIND:]
            for number, duration, name in fresh:
                began = time.monotonic()
                status, _ = await line.ask(name if name.startswith("/") else f"{folder}/{name}", headers)
                now = time.monotonic()
                seen.segments.append(now - began)
                seen.late += now - began > duration
                if status != 200:
                    seen.refused.append(f"{status} for {name}")
                if due and now > due:
                    seen.stalls += 1
                    seen.stalled += now - due
                due = (max(due, now) if due else now) + duration
                last = number
            # Counted from the request before, as players do; less where nothing was new.
            await asyncio.sleep(max(0.0, asked + (target if fresh else target / 2) - time.monotonic()))


def segments_of(text: str) -> tuple[float, list[tuple[int, float, str]]]:
    """The target duration, and each segment's number, duration and name."""
    number = int(text.partition("#EXT-X-MEDIA-SEQUENCE:")[2].partition("\n")[0])
    target = float(text.partition("#EXT-X-TARGETDURATION:")[2].partition("\n")[0])
    found = re.findall(r"#EXTINF:([\d.]+),.*\n(?:#.*\n)*([^#\n]+)", text)
    return target, [(number + place, float(duration), name) for place, (duration, name) in enumerate(found)]


@dataclass
class LiveFolder:
    """A live stream in a folder that a plain web server serves, cut beforehand: the playlist moves on, and its names
    lead to the same few files again and again. `{item}.m3u8` and `{item}-{n}.ts`, as nginx-rtmp writes them."""

    root: Path
    item: str
    duration: float
    size: int  # bytes of a segment
    window: int = 6
    number: int = 0

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for n in range(self.window + 2):
            (self.root / f"{self.item}-{n}.ts").write_bytes(os.urandom(self.size))
        self._write()

    async def run(self) -> None:
        """Until cancelled."""
        began, first = time.monotonic(), self.number
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(began + (self.number - first + 1) * self.duration - time.monotonic())
                self.number += 1
                if self.number > 2:
                    # The one that left the window a while ago is the new one.
                    old, new = self.number - 3, self.number + self.window - 1
                    (self.root / f"{self.item}-{old}.ts").rename(self.root / f"{self.item}-{new}.ts")
                self._write()

    def _write(self) -> None:
        lines = "".join(
            f"#EXTINF:{self.duration:.3f},\n{self.item}-{n}.ts\n" for n in range(self.number, self.number + self.window)
        )
        text = (
            f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:{self.number}\n"
            f"#EXT-X-TARGETDURATION:{max(1, round(self.duration))}\n{lines}"
        )
        (self.root / "next").write_text(text)
        (self.root / "next").rename(self.root / f"{self.item}.m3u8")
