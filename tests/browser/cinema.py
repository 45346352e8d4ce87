"""A folder of media of every kind behind nginx, a policy for it, and a guest's browser at the player page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.media import TONES, Media
from tests.nginx import folder, nginx
from tests.running import Running, running_gateway

POLICY = """
server: A folder of media
item:
  id: "[a-z-]{3,20}"
  resolve: [{request: "HEAD /media/{id}/"}]
patterns: {file: "[A-Za-z0-9_-]+[.][a-z0-9]{2,4}", part: "[a-z0-9]{1,9}"}
kinds:
  hls:
    player: {src: "/media/{id}/master.m3u8"}
    allow: ["GET /media/{id}/{file}", "GET /media/{id}/{part}/{file}"]
  dash:
    player: {src: "/media/{id}/manifest.mpd"}
    allow: ["GET /media/{id}/{file}"]
    interactions: {download: ["GET /media/{id}/manifest.mpd"]}
  film:
    player: {src: "/media/{id}/film.webm", file: "/media/{id}/film.mp4"}
    allow: ["GET /media/{id}/{file}"]
    interactions: {download: ["GET /media/{id}/film.webm"]}
  wrong:
    player: {src: "/media/{id}/cover.jpg", as: dash}
    allow: ["GET /media/{id}/{file}"]
  spare:
    player: {src: "/media/{id}/manifest.mpd", file: "/media/{id}/film.mp4"}
    allow: ["GET /media/{id}/{file}"]
  audio:
    player: {src: "/media/{id}/song.mp3", poster: "/media/{id}/cover.jpg"}
    allow: ["GET /media/{id}/{file}"]
  ogg:
    player: {src: "/media/{id}/song.ogg", as: file}
    allow: ["GET /media/{id}/{file}"]
"""
ON = "guest_access: {interactions: [download]}\n"


@dataclass
class Seat:
    """A guest in front of the player page."""

    running: Running
    page: Page
    link: str

    async def video(self, expression: str) -> Any:
        return await self.page.evaluate(f"(v => {expression})(document.querySelector('video'))")

    async def until(self, expression: str, seconds: float = 30) -> None:
        """Wait for something to be true of the video. Asked from outside: the page's policy forbids eval."""
        async with asyncio.timeout(seconds):
            while not await self.video(expression):
                await asyncio.sleep(0.1)

    async def plays(self, *, beyond: float = 0.5) -> None:
        await self.until(f"!v.paused && v.currentTime > {beyond}")

    async def choose(self, menu: str, choice: str) -> None:
        await self.page.get_by_role("button", name=menu, exact=True).click()
        await self.page.get_by_role("menuitemradio", name=choice, exact=True).click()

    async def choices(self, menu: str) -> list[str]:
        await self.page.get_by_role("button", name=menu, exact=True).click()
        texts: list[str] = await self.page.get_by_role("menuitemradio").all_inner_texts()
        await self.page.keyboard.press("Escape")
        return texts

    async def hears(self, language: str) -> None:
        """Wait for this sound track to be the one that comes out."""
        async with asyncio.timeout(30):
            while abs(await self.page.evaluate(_TONE) - TONES[language]) > 30:
                await asyncio.sleep(0.1)

    async def come(self, *, shared: bool = False) -> None:
        """Open the link; fill in the form where it is asked for."""
        await self.page.goto(self.link)
        if await self.page.locator("input[name=name]").count():
            await self.page.locator("input[name=name]").fill("Ada Guest")
            await self.page.locator("input[name=email]").fill("ada@example.org")
            if shared:
                await self.page.get_by_label("This isn’t my device").check()
            await self.page.locator("form button[type=submit]").last.click()
        await self.page.wait_for_url("**/_gateway/watch/*")
        await self.page.locator(".player.ready").wait_for()


# The loudest frequency of now, in Hz. An analyser, made once for the page: what the element plays goes through it on
# its way to the ears.
_TONE = """async () => {
    const video = document.querySelector('video');
    window.ears ??= (() => {
        const context = new AudioContext(), analyser = context.createAnalyser();
        analyser.fftSize = 16384;
        const source = context.createMediaElementSource(video);
        source.connect(analyser);
        analyser.connect(context.destination);
        return {context, analyser};
    })();
    await window.ears.context.resume();
    const {context, analyser} = window.ears;
    const found = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(found);
    const loudest = found.indexOf(Math.max(...found));
    return found[loudest] > -60 ? loudest * context.sampleRate / analyser.fftSize : 0;
}"""


@asynccontextmanager
async def seated(
    tmp_path: Path, media: Media, context: BrowserContext, item: str, kind: str, *, more: str = ""
) -> AsyncIterator[Seat]:
    """`item`: a folder of `media`, which is made first."""
    async with (
        nginx(tmp_path / "nginx", folder(media.root, "/media")) as port,
        running_gateway(tmp_path, POLICY + more, port) as running,
    ):
        page = await context.new_page()
        seat = Seat(running, page, await running.make_link(item, kind=kind))
        await seat.come()
        yield seat
