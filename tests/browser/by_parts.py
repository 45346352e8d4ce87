"""A live channel as low-latency HLS: half-second parts, playlists that wait for the next one (`_HLS_msn`, `_HLS_part`).

ffmpeg makes the parts beforehand, and this shows of them what the clock says is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.policies.live_servers import PICTURE
from tests.running import free_port
from tests.system_parts import need

POLICY = """
server: A channel of parts
item: {id: "[a-z0-9]{3,20}"}
patterns: {n: "[0-9]{1,9}", file: "[a-z]+[0-9]*[.]m(4s|p4)"}
kinds:
  live:
    player: {src: "/hls/{id}/index.m3u8"}
    allow:
      - GET /hls/{id}/index.m3u8?_HLS_msn={n}?&_HLS_part={n}?
      - GET /hls/{id}/{file}
"""
PART = 0.5  # seconds
_HAD = 16  # parts that are on air already when it begins
_SHOWN = 10  # segments in the playlist, of two parts each
_PARTS = 4  # the last segments, whose parts are named


@dataclass
class Parts:
    folder: Path
    asked: list[tuple[int, int]] = field(default_factory=list)
    loaded: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    @property
    def there(self) -> int:
        """How many parts."""
        return _HAD + int((time.monotonic() - self.began) / PART)

    async def wait(self, parts: int) -> None:
        while self.there < parts:
            await asyncio.sleep(0.02)

    async def playlist(self, request: web.Request) -> web.Response:
        if "_HLS_msn" in request.query:
            asked = int(request.query["_HLS_msn"]), int(request.query.get("_HLS_part", "1"))
            self.asked.append(asked)
            await self.wait(asked[0] * 2 + asked[1] + 1)
        there = self.there
        whole = there // 2
        first = max(0, whole - _SHOWN)
        lines = [
            "#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-TARGETDURATION:1", f"#EXT-X-PART-INF:PART-TARGET={PART}",
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={3 * PART}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"',
        ]  # fmt: skip
        for segment in range(first, whole + 1):
            if segment >= whole - _PARTS:
                parts = range(2 * segment, min(2 * segment + 2, there))
                lines += [f'#EXT-X-PART:DURATION={PART},INDEPENDENT=YES,URI="part{one}.m4s"' for one in parts]
            if segment < whole:
                lines += ["#EXTINF:1.0,", f"whole{segment}.m4s"]
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part{there}.m4s"')
        headers = {"Content-Type": "application/vnd.apple.mpegurl", "Cache-Control": "no-cache"}
        return web.Response(text="\n".join(lines) + "\n", headers=headers)

    async def file(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        sort, number = name.partition(".")[0].rstrip("0123456789"), int("".join(filter(str.isdigit, name[:-4])) or 0)
        self.loaded.add(sort)
        if sort == "init":
            body = (self.folder / "init.mp4").read_bytes()
        else:
            parts = [number] if sort == "part" else [2 * number, 2 * number + 1]
            await self.wait(parts[-1] + 1)
            body = b"".join((self.folder / f"part{one}.m4s").read_bytes() for one in parts)
        return web.Response(body=body, content_type="video/mp4")


@asynccontextmanager
async def by_parts(folder: Path) -> AsyncIterator[tuple[Parts, int]]:
    """With its port; on air for half a minute."""
    folder.mkdir()
    made = await asyncio.create_subprocess_exec(
        str(need("ffmpeg")), "-loglevel", "error", "-nostdin", *PICTURE, "-g", "5", "-t", "40", "-f", "hls",
        *("-hls_time", str(PART), "-hls_list_size", "0", "-hls_segment_type", "fmp4"),
        *("-hls_segment_filename", str(folder / "part%d.m4s"), "-hls_fmp4_init_filename", "init.mp4"),
        str(folder / "index.m3u8"), stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    found = Parts(folder)
    app = web.Application()
    app.router.add_get("/hls/one/index.m3u8", found.playlist)
    app.router.add_get("/hls/one/{file}", found.file)
    runner, port = web.AppRunner(app, shutdown_timeout=0.1), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield found, port
    finally:
        await runner.cleanup()
