"""What a guest sees when DASH, WebM or sound can't be played: another way, or words that help."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page

from gateway.web.statics import Statics
from tests.browser.cinema import seated
from tests.media import Media
from tests.system_parts import missing

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

CUT = "guest_access: {on_revoke: cut}\n"


@pytest.fixture(autouse=True)
def library() -> None:
    if Statics.load().library("dash") is None:
        missing("the library for dash was not fetched")


async def told(page: Page) -> str:
    alert = page.get_by_role("alert")
    await alert.wait_for(timeout=30_000)
    return await alert.inner_text()


async def test_access_that_ends_while_it_plays(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.dash().name, "dash", more=CUT) as seat:
        await seat.page.keyboard.press("k")
        await seat.plays()
        await seat.running.delete(seat.link)
        await seat.choose("Quality", "90p")  # not loaded yet, so it has to be asked for
        assert "Your access has ended" in await told(seat.page)
        assert await seat.video("v.paused")


async def test_a_manifest_that_is_not_there(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.webm().name, "dash") as seat:
        assert "no longer available" in await told(seat.page)


async def test_a_manifest_that_is_none(tmp_path: Path, media: Media, context: BrowserContext) -> None:
    async with seated(tmp_path, media, context, media.audio().name, "wrong") as seat:
        assert "can’t play this media" in await told(seat.page)
        assert await seat.page.get_by_role("button", name="Try again").count() == 0


@pytest.mark.parametrize("base", ["https://cdn.example.net/v/", "//127.0.0.1:1/", "nothing-there/"])
async def test_a_manifest_that_names_another_place(
    tmp_path: Path, media: Media, context: BrowserContext, base: str
) -> None:
    """Where the page may not go it says so, or plays the file beside it; and it asks nobody else."""
    folder = media.root / "astray"
    shutil.copytree(media.dash(), folder, dirs_exist_ok=True)
    shutil.copy(media.mp4() / "film.mp4", folder)
    manifest = folder / "manifest.mpd"
    text = (media.dash() / "manifest.mpd").read_text()
    manifest.write_text(text.replace("<Period ", f"<BaseURL>{base}</BaseURL><Period ", 1))
    try:
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        async with seated(tmp_path, media, context, "astray", "spare") as seat:
            if "//" in base:
                await seat.until("v.currentSrc.endsWith('/film.mp4') && v.readyState > 1")
                await seat.page.keyboard.press("k")
                await seat.plays()
            else:  # what is missing on the server itself was taken away
                assert "no longer available" in await told(seat.page) or "access has ended" in await told(seat.page)
            assert all(url.startswith((seat.running.url, "blob:", "data:")) for url in asked if "example" not in url)
    finally:
        shutil.rmtree(folder)


async def test_a_film_that_is_no_film_gives_way_to_the_file_beside_it(
    tmp_path: Path, media: Media, context: BrowserContext
) -> None:
    folder = media.root / "spoilt"
    folder.mkdir()
    try:
        shutil.copy(media.mp4() / "film.mp4", folder)
        (folder / "film.webm").write_text("no film\n" * 100)
        async with seated(tmp_path, media, context, "spoilt", "film") as seat:
            await seat.until("v.currentSrc.endsWith('/film.mp4') && v.readyState > 1")
            await seat.page.keyboard.press("k")
            await seat.plays()
            (folder / "film.mp4").write_text("nor this\n")
            await seat.page.reload()
            assert "can’t play this media" in await told(seat.page)
    finally:
        shutil.rmtree(folder)
