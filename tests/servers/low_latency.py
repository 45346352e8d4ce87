"""A low-latency HLS origin as draft-pantos-hls-rfc8216bis describes one: it says what is not there yet, and holds
requests for it until it is.

    origin = LowLatency(); await origin.advance(6)        six parts of a quarter of a second, four to a segment

Nothing happens by the clock: a part begins with `begin`, and `advance` ends it. So a test decides how long a reload
is held. It is a script for `tests/wire.py`, which sees when somebody leaves; `held` counts who waits, `left` those who
left meanwhile.

- 6.2.5.2 blocking reload: `_HLS_msn` and `_HLS_part` name what the playlist must hold; a part without a segment, or one
  more than two segments ahead: 400
- 6.2.5.1 delta updates: `_HLS_skip=YES` leaves out what is older than CAN-SKIP-UNTIL
- 4.4.4.9 EXT-X-PART, 4.4.5.3 EXT-X-PRELOAD-HINT (asked for before it is there, answered as it is made), 4.4.5.4
  EXT-X-RENDITION-REPORT of the other rendition
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.wire import Call

PART, EACH = 0.25, 4  # seconds of a part, parts of a segment
FIRST, REST = b"the beginning of a part, ", b"and the rest of it"
_FILE = re.compile(r"/(video|audio)-(\d+)(?:\.(\d+))?\.m4s$")
_OTHER = {"video": "audio", "audio": "video"}


@dataclass
class LowLatency:
    """`prefix` stands before each address of a playlist, `suffix` behind it."""

    prefix: str = ""
    suffix: str = ""
    whole: int = 0  # parts that are finished
    begun: int = 0  # parts of which the beginning is there
    held: int = 0
    left: int = 0
    asked: list[str] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def begin(self) -> None:
        async with self._changed:
            self.begun = self.whole + 1
            self._changed.notify_all()

    async def advance(self, parts: int = 1) -> None:
        async with self._changed:
            self.whole += parts
            self.begun = max(self.begun, self.whole)
            self._changed.notify_all()

    async def __call__(self, call: Call) -> None:
        self.asked.append(call.target)
        path, _, query = call.target.partition("?")
        if path.endswith("/main.m3u8"):
            lines = f"#EXT-X-STREAM-INF:BANDWIDTH=200000\n{self._url('video.m3u8')}\n"
            await self._list(call, "#EXTM3U\n" + lines)
        elif path.endswith(("/video.m3u8", "/audio.m3u8")):
            await self._reload(call, path[-10:-5], dict(parse_qsl(query)))
        elif found := _FILE.search(path):
            await self._part(call, int(found[2]) * EACH + int(found[3] or EACH - 1))
        else:
            await call.answer(b"nothing here", status="404 Not Found")

    async def _reload(self, call: Call, name: str, asked: dict[str, str]) -> None:
        if "_HLS_msn" in asked:
            number = int(asked["_HLS_msn"])
            if number > self.whole // EACH + 2:
                await call.answer(b"too far ahead", status="400 Bad Request")
                return
            wanted = number * EACH + int(asked.get("_HLS_part", EACH - 1)) + 1
            if not await self._until(call, lambda: self.whole >= wanted):
                return
        elif "_HLS_part" in asked:
            await call.answer(b"a part of which segment?", status="400 Bad Request")
            return
        await self._list(call, self._playlist(name, asked.get("_HLS_skip") == "YES"))

    async def _part(self, call: Call, place: int) -> None:
        if place > self.whole:
            await call.answer(b"not hinted", status="404 Not Found")
            return
        if not await self._until(call, lambda: self.begun > place):
            return
        kind = "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n"
        if self.whole > place:
            await call.say(f"{kind}Content-Length: {len(FIRST + REST)}\r\n\r\n".encode() + FIRST + REST)
            return
        await call.say(f"{kind}Transfer-Encoding: chunked\r\n\r\n".encode() + _chunk(FIRST))
        if await self._until(call, lambda: self.whole > place):
            await call.say(_chunk(REST) + _chunk(b""))

    async def _until(self, call: Call, true: Callable[[], bool]) -> bool:
        """False: whoever asked has left."""

        async def there() -> None:
            async with self._changed:
                await self._changed.wait_for(true)

        if true():
            return True
        self.held += 1
        waiting, gone = asyncio.create_task(there()), asyncio.create_task(call.gone())
        try:
            await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.held -= 1
            for task in (waiting, gone):
                task.cancel()
            await asyncio.gather(waiting, gone, return_exceptions=True)
        if not true():
            self.left += 1
            call.writer.close()
        return true()

    def _url(self, name: str) -> str:
        return f"{self.prefix}{name}{self.suffix}"

    def _playlist(self, name: str, skip: bool) -> str:
        segments, rest = divmod(self.whole, EACH)
        old = max(0, segments - 3) if skip else 0
        lines = [
            "#EXTM3U", "#EXT-X-VERSION:9", f"#EXT-X-TARGETDURATION:{round(PART * EACH)}",
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={PART * 3},CAN-SKIP-UNTIL={PART * EACH * 6}",
            f"#EXT-X-PART-INF:PART-TARGET={PART}", "#EXT-X-MEDIA-SEQUENCE:0",
            f'#EXT-X-MAP:URI="{self._url(f"{name}-init.mp4")}"',
        ]  # fmt: skip
        lines += [f"#EXT-X-SKIP:SKIPPED-SEGMENTS={old}"] if old else []
        for number in range(old, segments + 1):
            parts = EACH if number < segments else rest
            lines += [
                f'#EXT-X-PART:DURATION={PART},URI="{self._url(f"{name}-{number}.{part}.m4s")}"' for part in range(parts)
            ]
            if number < segments:
                lines += [f"#EXTINF:{PART * EACH:.3f},", self._url(f"{name}-{number}.m4s")]
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{self._url(f"{name}-{segments}.{rest}.m4s")}"')
        other = self._url(f"{_OTHER[name]}.m3u8")
        lines.append(f'#EXT-X-RENDITION-REPORT:URI="{other}",LAST-MSN={segments},LAST-PART={max(0, rest - 1)}')
        return "\n".join(lines) + "\n"

    async def _list(self, call: Call, text: str) -> None:
        kind = "Content-Type: application/vnd.apple.mpegurl\r\nCache-Control: no-cache\r\n"
        await call.answer(text.encode(), headers=kind)


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
