"""policies/minidlna.yaml against a real MiniDLNA, which asks nobody who they are and reads numbers as C does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.chromium import chromium
from tests.media import Media
from tests.policies.media_servers import CAPTIONS, film, minidlna, song
from tests.policies.watching import seek, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter

# The first numbers are folders of MiniDLNA's own; files follow in the order of their names.
AURORA, NOCTURNE, SONG = "22", "23", "24"
FILM = f"/MediaItems/{AURORA}.mp4"


@pytest.fixture(scope="module")
def shelf(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = tmp_path_factory.mktemp("shelf")
    film(media, shelf / "aurora.mp4")
    (shelf / "aurora.srt").write_text(CAPTIONS)
    film(media, shelf / "nocturne.mp4")
    song(media, shelf / "serenade.mp3", "Serenade")
    return shelf


@pytest.fixture(scope="module")
def server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with minidlna(tmp_path_factory.mktemp("minidlna") / "own", shelf) as port:
        yield port


@pytest.fixture
async def stage(tmp_path: Path, server: int) -> AsyncIterator[Stage]:
    async with between(tmp_path, "minidlna", server) as stage:
        yield stage


async def test_an_item_is_found_and_one_that_is_not_there_is_gone(stage: Stage) -> None:
    assert await stage.gateway.make_link(FILM)
    assert await stage.gateway.make_link(AURORA, kind="video")
    assert await stage.gateway.make_link(f"http://media.lan:8200/MediaItems/{NOCTURNE}.mkv")
    for item in ("999", "0", "022", "22.mp4", "+22", "-1"):
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item, kind="video")


async def test_what_belongs_to_the_item_arrives_and_nothing_else(stage: Stage, server: int, shelf: Path) -> None:
    cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(FILM))
    assert answer.headers["location"].startswith("/_gateway/watch/")
    whole = (shelf / "aurora.mp4").read_bytes()
    for ending in ("mp4", "mkv"):
        got = await ask(stage.guest.port, f"GET /MediaItems/{AURORA}.{ending}", cookie=cookie)
        assert (got.status, got.headers["content-type"], got.body == whole) == (200, "video/mp4", True)
    part = await ask(stage.guest.port, f"GET /MediaItems/{AURORA}.mp4", cookie=cookie, headers="Range: bytes=9-19\r\n")
    assert (part.status, part.body) == (206, whole[9:20])
    captions = await ask(stage.guest.port, f"GET /Captions/{AURORA}.srt", cookie=cookie)
    assert (captions.status, captions.body.decode()) == (200, CAPTIONS)

    # Each of these is a file, a page or a list of everything for MiniDLNA itself.
    loose = [
        f"GET /MediaItems/0{AURORA}.mp4", f"GET /MediaItems/+{AURORA}.mp4", f"GET /MediaItems/{AURORA}.mp4;{NOCTURNE}",
        f"GET /MediaItems/{AURORA}", f"GET /MediaItems/{AURORA}abc", f"GET /MediaItems/{NOCTURNE}.mp4",
        f"GET /MediaItems/{AURORA}/../{NOCTURNE}.mp4", f"GET /MediaItems/{NOCTURNE}/../{AURORA}.mp4",
        f"GET /MediaItems/{NOCTURNE}%2f..%2f{AURORA}.mp4", f"GET /MediaItems/{SONG}.mp4", "GET /", "GET /rootDesc.xml",
    ]  # fmt: skip
    for request in loose:
        assert (await ask(server, request)).status == 200, request
    await stage.refuses(cookie, *loose)
    await stage.refuses(cookie, *anywhere(f"/MediaItems/{AURORA}.mp4", f"/MediaItems/{NOCTURNE}.mp4"))
    await stage.refuses(
        cookie, f"GET /Captions/{NOCTURNE}.srt", f"GET /Thumbnails/{NOCTURNE}.jpg", f"GET /AlbumArt/1-{AURORA}.jpg",
        f"GET /Resized/{AURORA}.jpg?width=9,height=9", "POST /ctl/ContentDir", "POST /ctl/ConnectionMgr",
        "SUBSCRIBE /evt/ContentDir", "GET /icons/lrg.png", f"GET /MediaItems/{AURORA}.srt",
        f"GET /mediaitems/{AURORA}.mp4",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, f"/MediaItems/{AURORA}.mp4")


@pytest.mark.browser
async def test_a_browser_plays_it_and_seeks(stage: Stage) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await watch(page, await stage.gateway.make_link(FILM))
        await seek(page, 8)
        song = await (await browser.new_context()).new_page()
        await watch(song, await stage.gateway.make_link(f"/MediaItems/{SONG}.mp3"))
        await seek(song, 8)
    assert {line.split(" ")[1] for line in stage.server.asked} == {
        f"/MediaItems/{AURORA}.mp4", f"/Thumbnails/{AURORA}.jpg", f"/MediaItems/{SONG}.mp4", f"/MediaItems/{SONG}.mp3"
    }  # fmt: skip
