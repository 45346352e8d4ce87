"""policies/copyparty.yaml against a real copyparty, whose every answer carries a cookie as good as the password."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.chromium import chromium
from tests.media import Media
from tests.policies.media_servers import copyparty, film, song
from tests.policies.watching import seek, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter

USER, PASSWORD = "guests", 'tr+/&<ee"s>%41of:x'
PW = f"PW: {PASSWORD}\r\n"
AURORA, NOCTURNE, LAKE, SONG = (
    "films/aurora.mp4",
    "films/nocturne.mp4",
    "films/Nächte am See (2026).mp4",
    "films/dusk.mp3",
)


@pytest.fixture(scope="module")
def shelf(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = tmp_path_factory.mktemp("shelf")
    for name in (AURORA, NOCTURNE, LAKE):
        film(media, shelf / name)
    song(media, shelf / SONG, "Dusk")
    (shelf / "top.mp4").write_bytes(b"at the top")
    return shelf


@pytest.fixture(scope="module")
def server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with copyparty(tmp_path_factory.mktemp("copyparty") / "own", shelf, user=USER, password=PASSWORD) as port:
        yield port


@pytest.fixture
async def stage(tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("COPYPARTY_PASSWORD", PASSWORD)
    async with between(tmp_path, "copyparty", server) as stage:
        yield stage
        sessions = set(re.findall(r"(?i)set-cookie: cppwd=([^;]{8,})", stage.server.back.decode("latin-1")))
        assert sessions, "what must not arrive was there"
        stage.keeps(PASSWORD, f"{USER}:{PASSWORD}", "cppwd", *sessions)


async def test_an_item_is_found_and_one_that_is_not_there_is_gone(stage: Stage) -> None:
    first = await stage.gateway.make_link(AURORA)
    made = await stage.gateway.make_link(f"https://files.example.org/media/{quote(LAKE)}")
    assert (await stage.gateway.link(made)).link.item == LAKE
    for item in (
        "films/missing.mp4", "top.mp4", "films/../top.mp4", "../films/aurora.mp4", "films//aurora.mp4", "films/aurora",
        "films/./aurora.mp4", "films\\aurora.mp4", "films%2faurora.mp4", ".hist/x.mp4", "films/.mp4",
        "/media/films/..%2ftop.mp4",
    ):  # fmt: skip
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)
    for _ in range(4):
        await enter(stage.guest.port, first, email=f"{_}@example.org")


async def test_what_has_left_the_shelf_is_gone_for_its_guests(stage: Stage, media: Media, shelf: Path) -> None:
    leaving = shelf / "films" / "leaving.mp4"
    film(media, leaving)
    link = await stage.gateway.make_link("films/leaving.mp4")
    leaving.unlink()
    answer = await ask(stage.guest.port, f"GET /{link.split('/', 3)[3]}", headers="Accept: text/html\r\n")
    assert answer.status == 410


async def test_what_belongs_to_the_file_arrives_and_nothing_else(stage: Stage, server: int, shelf: Path) -> None:
    at = stage.guest.port
    cookie, _ = await enter(at, await stage.gateway.make_link(AURORA))
    ok, other = f"/media/{AURORA}", f"/media/{NOCTURNE}"
    whole = (shelf / AURORA).read_bytes()
    got = await ask(at, f"GET {ok}", cookie=cookie)
    assert (got.status, got.headers["content-type"], got.body == whole) == (200, "video/mp4", True)
    assert got.set_cookies == []
    part = await ask(at, f"GET {ok}", cookie=cookie, headers="Range: bytes=9-19\r\n")
    assert (part.status, part.body) == (206, whole[9:20])
    assert (await ask(at, f"GET {ok}?th=j", cookie=cookie)).headers["content-type"] == "image/jpeg"

    # Each of these is another file, or this one as something else, for copyparty and the gateway's account.
    loose = [
        f"GET {other}", "GET /media/films/x/../nocturne.mp4", "GET /media/films/x/..%2fnocturne.mp4",
        "GET /media/top.mp4",
        "GET /media//films/nocturne.mp4", "GET /media/films%2fnocturne.mp4", f"GET {ok}/", f"GET {ok}?zip",
        f"GET {ok}?tree",
        f"GET {ok}?mime=text/html", f"GET {ok}?txt", f"GET {ok}?v", f"GET {ok}?th=opus", f"GET {other}?th=j", "GET /",
        f"GET {ok}?k=1",
    ]  # fmt: skip
    for request in loose:
        assert (await ask(server, request, headers=PW)).status == 200, request
    await stage.refuses(cookie, *loose)
    await stage.refuses(cookie, *anywhere(ok, other))
    await stage.refuses(cookie, *anywhere(f"{ok}?th=j", f"{other}?th=j"))
    await stage.refuses(
        cookie,
        f"GET {ok}?tail", f"GET {ok}?pw=another", f"GET {ok}?th=j&th=opus", f"GET {ok}?th=w", f"GET {ok}?TH=j",
        f"GET {ok}?move=/media/x.mp4", f"GET {ok}?copy=/media/x.mp4", f"GET {ok}?setck=a=b",
        f"GET {ok}?smsg=x", f"GET {ok}?dl",
        f"GET {ok}?ls", f"GET {ok}?doc", f"GET {ok}?fmt=x", f"GET {ok}?rf", "GET /media/films/", "GET /media/films/?ls",
        "GET /media/films/?zip", "GET /media/films/?tree", "GET /?h", "GET /?ru", "GET /?shares",
        "GET /?idp", "GET /.cpr/ui.css",
        "GET /favicon.ico", "POST /media/films/", "PUT /media/films/new.mp4", f"POST {ok}?delete",
        f"MOVE {ok}", f"COPY {ok}",
        "PROPFIND /media/", "MKCOL /media/x", f"LOCK {ok}", "GET /media/.hist/up2k.db",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, ok)
    before = len(stage.server.there)
    own = await ask(at, f"GET {ok}", cookie=f"{cookie}; cppwd=stolen", headers="PW: stolen\r\nDepth: infinity\r\n")
    came = bytes(stage.server.there[before:])
    assert own.status == 200
    assert b"stolen" not in came
    assert b"Depth" not in came
    assert came.count(PASSWORD.encode()) == 1


@pytest.mark.browser
async def test_a_browser_plays_it_and_seeks(stage: Stage) -> None:
    async with chromium() as browser:
        for item in (LAKE, SONG):
            page = await (await browser.new_context()).new_page()
            await watch(page, await stage.gateway.make_link(item))
            await seek(page, 8)
            assert await value(page, "v.duration > 11")
    paths = {line.split(" ")[1] for line in stage.server.asked}
    files = [f"/media/{quote(LAKE)}", f"/media/{SONG}"]
    assert paths == {*files, *(f"{file}?th=j" for file in files)}
