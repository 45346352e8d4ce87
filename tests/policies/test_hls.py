"""policies/hls.yaml in front of nginx, Caddy and lighttpd, set up as docs/servers/hls.md says, and careless besides.

Each reads addresses in its own way: all three decode and resolve dot segments before they look for files, nginx
follows an alias out of its folder, lighttpd takes names in any case here and lets anything follow a file's name.
What each would have done with a request is asked of it directly; through the gateway none of it arrives.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_guest_path import enter as enter_in_browser
from tests.browser.test_guest_path import playing, video
from tests.chromium import chromium
from tests.media import Media
from tests.policies.static_servers import PROGRAMS, Cinema
from tests.policies.static_servers import cinema as run_cinema
from tests.policies.wire import anywhere
from tests.running import ask, enter
from tests.system_parts import need

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "gateway" / "demo" / "clip"

# What nginx, Caddy and lighttpd answer when they are asked directly. `A` and `B`: the playlist of the guest's item and
# of the other one; `list`: the names in a folder; `file`: another file; else the status.
VECTORS = """
GET /hls/nocturne/master.m3u8                                B    B    B
GET /hls/aurora/../nocturne/master.m3u8                      B    B    B
GET /hls/aurora/%2e%2e/nocturne/master.m3u8                  B    B    B
GET /hls/aurora/.%2E/nocturne/master.m3u8                    B    B    B
GET /hls/aurora/..%2fnocturne/master.m3u8                    B    B    B
GET /hls/aurora%2f..%2fnocturne/master.m3u8                  B    B    B
GET /hls/aurora/v0/../../nocturne/master.m3u8                B    B    B
GET /x/../hls/nocturne/master.m3u8                           B    B    B
GET /hls//nocturne/master.m3u8                               B    B    B
GET //hls/nocturne/master.m3u8                               B    B    B
GET /hls/%6eocturne/master.m3u8                              B    B    B
GET /hls/Nocturne/master.m3u8                                404  404  B
GET /HLS/nocturne/master.m3u8                                404  404  B
GET http://other.example/hls/nocturne/master.m3u8            B    B    400
GET /hls/nocturne/master.m3u8#/hls/aurora/master.m3u8        B    404  B
GET /hls/nocturne/master.m3u8/aurora/master.m3u8             404  404  B
GET /hls/aurora//master.m3u8                                 A    A    A
GET /hls/aurora%2fmaster.m3u8                                A    A    A
GET /hls/./aurora/master.m3u8                                A    A    A
GET /hls/Aurora/master.m3u8                                  404  404  A
GET /hls/aurora/master.m3u8/                                 404  404  A
GET /hls/aurora/master.m3u8?id=nocturne                      A    A    A
GET /hls../outside.mp4                                       file 404  404
GET /hls/../outside.mp4                                      404  file file
GET /outside.mp4                                             404  file file
GET /hls/aurora/.htpasswd                                    file file file
GET /hls/aurora/notes.txt                                    file file file
GET /hls/                                                    list list list
GET /hls/aurora/                                             list list list
GET /hls/aurora/v0/                                          list list list
GET /hls/aurora/..                                           list 308  list
GET /hls/aurora                                              301  308  301
GET /hls                                                     301  308  301
GET /hls/aurora/%252e%252e/nocturne/master.m3u8              404  404  404
GET /hls/aurora/..%5cnocturne/master.m3u8                    404  404  404
GET /hls/aurora/..;/nocturne/master.m3u8                     404  404  404
GET /hls/aurora/master.m3u8;x                                404  404  404
GET /hls/aurora/master.m3u8%00                               400  500  400
GET /hls/aurora/master.m3u8%00.jpg                           400  500  400
GET /hls/aurora/master.m3u8%0d%0aX:1                         404  404  400
GET /hls/aurora/%c0%ae%c0%ae/nocturne/master.m3u8            404  404  400
GET /hls/aurora/%u002e%u002e/nocturne/master.m3u8            400  400  404
POST /hls/aurora/master.m3u8                                 405  A    411
OPTIONS /hls/aurora/master.m3u8                              405  A    file
"""
FILES = [
    "master.m3u8", "poster.jpg", "video.mp4", "v0/index.m3u8", "v0/init.mp4", "v1/seg-9.m4s", "subs/en/index.m3u8",
    "subs/de/all.vtt",
]  # fmt: skip
KEY = b"sixteen letters."


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, media: Media) -> Path:
    """What documents call /srv/media: two items of the demo, one with everything, an encrypted one, and what should not
    lie there."""
    folder = tmp_path_factory.mktemp("srv")
    for item in ("aurora", "nocturne"):
        shutil.copytree(CLIP / item, folder / "hls" / item)
    shutil.copytree(media.hls(), folder / "hls" / "whole")
    vault = folder / "hls" / "vault"
    vault.mkdir()
    (vault / "film.key").write_bytes(KEY)
    (folder / "key.info").write_text(f"film.key\n{vault / 'film.key'}\n")
    subprocess.run(
        [need("ffmpeg"), "-loglevel", "error", "-i", media.mp4() / "film.mp4", "-c", "copy", "-hls_time", "2",
         "-hls_playlist_type", "vod", "-hls_key_info_file", folder / "key.info", "master.m3u8"],
        cwd=vault, check=True,
    )  # fmt: skip
    (folder / "outside.mp4").write_bytes(b"lies outside of the folder")
    for name in (".htpasswd", "notes.txt"):
        (folder / "hls" / "aurora" / name).write_text("nobody's business")
    return folder


@pytest.fixture(params=PROGRAMS)
async def cinema(request: pytest.FixtureRequest, tmp_path: Path, films: Path) -> AsyncIterator[Cinema]:
    """`careless` by a mark."""
    careless = request.node.get_closest_marker("careless") is not None
    async with run_cinema(request.param, "hls", films, tmp_path, careless=careless) as running:
        yield running


async def directly(port: int, line: str, films: Path) -> str:
    """What the server itself makes of a request, as the table says it."""
    answer = await ask(port, line)
    if answer.status != 200:
        return str(answer.status)
    for word, item in (("A", "aurora"), ("B", "nocturne")):
        if answer.body == (films / "hls" / item / "master.m3u8").read_bytes():
            return word
    return "list" if b"<a href" in answer.body.lower() else "file"


@pytest.mark.careless
async def test_what_the_server_would_give_is_never_asked_of_it(cinema: Cinema, films: Path) -> None:
    cookie, answer = await enter(cinema.port, await cinema.make_link("aurora"))
    assert answer.status == 303
    assert answer.headers["location"].startswith("/_gateway/watch/")
    await cinema.refuses_what_the_server_would_give(cookie, VECTORS, lambda port, line: directly(port, line, films))
    await cinema.stage.refuses(cookie, *anywhere("/hls/aurora/master.m3u8", "/hls/nocturne/master.m3u8"))
    # No rule is a websocket: what asks for one gets the file, and the server hears nothing of the wish.
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    plain = await ask(cinema.port, "GET /hls/aurora/master.m3u8", cookie=cookie, headers=upgrade)
    assert plain.status == 200
    assert b"upgrade" not in bytes(cinema.stage.server.there).lower()


async def test_files_of_the_item_arrive_as_the_server_made_them(cinema: Cinema, films: Path) -> None:
    port = cinema.port
    cookie, _ = await enter(port, await cinema.make_link("aurora"))
    home = films / "hls"
    files = [home / "aurora" / name for name in FILES]
    for file in files:
        target = f"/hls/{file.relative_to(home)}"
        for headers in ("", "Range: bytes=10-19\r\n", "Range: bytes=999999999-\r\n", "If-None-Match: *\r\n"):
            ours = await ask(port, f"GET {target}", cookie=cookie, headers=headers)
            theirs = await ask(cinema.server, f"GET {target}", headers=headers)
            assert (ours.status, ours.body) == (theirs.status, theirs.body), (target, headers)
            for name in ("content-type", "content-range", "etag", "last-modified", "accept-ranges", "content-length"):
                if (
                    name == "content-type" and ours.status != 304
                ):  # where the server says none, we say the one that nobody runs
                    theirs.headers.setdefault(name, "application/octet-stream")
                assert ours.headers.get(name) == theirs.headers.get(name), (target, headers, name)
    # One spelling is judged and sent, whatever came.
    again = await ask(port, "GET /hls/%61urora/master%2em3u8", cookie=cookie)
    assert again.status == 200
    assert cinema.stage.server.asked[-1] == "GET /hls/aurora/master.m3u8"
    assert again.body == (home / "aurora" / "master.m3u8").read_bytes()


async def test_the_key_of_an_encrypted_item_is_its_own(cinema: Cinema) -> None:
    port = cinema.port
    inside, _ = await enter(port, await cinema.make_link("vault"))
    playlist = await ask(port, "GET /hls/vault/master.m3u8", cookie=inside)
    assert b'METHOD=AES-128,URI="film.key"' in playlist.body
    assert (await ask(port, "GET /hls/vault/film.key", cookie=inside)).body == KEY
    outside, _ = await enter(port, await cinema.make_link("aurora"), name="Bob", email="bob@example.org")
    for line in ("GET /hls/vault/film.key", "GET /hls/aurora/../vault/film.key", "GET /hls/vault/master0.ts"):
        await cinema.stage.refuses(outside, line)
        await cinema.stage.refuses("", line)


async def test_an_item_that_is_not_there_is_gone(cinema: Cinema) -> None:
    with pytest.raises(LookupError):
        await cinema.make_link("nothing-here")


@pytest.mark.browser
async def test_a_browser_plays_segments_that_are_encrypted(cinema: Cinema) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await enter_in_browser(page, await cinema.make_link("vault"))
        await page.get_by_role("button", name="Play").first.click()
        await playing(page, 1)


@pytest.mark.browser
@pytest.mark.parametrize("cinema", ["caddy"], indirect=True)
async def test_a_browser_plays_with_captions_another_quality_and_a_jump(cinema: Cinema) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await enter_in_browser(page, await cinema.make_link("whole"))
        await page.get_by_role("button", name="Play").first.click()
        await playing(page, 1)
        await captions_and_quality(page)
        await page.evaluate("document.querySelector('video').currentTime = 8")
        await playing(page, 1)
        assert await video(page, "v.currentTime > 8.9")
        assert any("/hls/whole/v0/" in url for url in asked)
        assert any("/hls/whole/v1/" in url for url in asked)
        assert all(url.startswith((f"http://127.0.0.1:{cinema.port}", "blob:", "data:")) for url in asked)


async def captions_and_quality(page: Page) -> None:
    """By the menus, as a guest does it: German captions, then each quality by name."""
    await page.get_by_role("button", name="Captions").click()
    await page.get_by_role("menuitemradio", name="Deutsch").click()
    german = "[...v.textTracks].find(t => t.mode == 'showing')"
    await expect_video(page, f"{german}?.cues?.length > 0")
    assert "Es ist Sekunde" in str(await video(page, f"{german}.cues[0].text"))
    for height in (180, 90):
        await page.get_by_role("button", name="Quality").click()
        await page.get_by_role("menuitemradio", name=f"{height}p", exact=True).click()
        await expect_video(page, f"v.videoHeight == {height}")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def expect_video(page: Page, expression: str) -> None:
    """Asked from outside, as in `playing`."""
    for _ in range(300):
        if await video(page, expression):
            return
        await page.wait_for_timeout(100)
    raise AssertionError(expression)
