"""policies/py-media-server.yaml against the real server, whose own page guests see, and which resolves paths itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.chromium import chromium
from tests.media import Media
from tests.policies.media_servers import CAPTIONS, film, py_media_server
from tests.policies.watching import plays, seek, until, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, ask, enter

ROOT = Path(__file__).parents[2]
AURORA, NOCTURNE, LAKE = "films/aurora.mp4", "films/nocturne.mp4", "films/Nächte am See (2026).mkv"

# Each of these is another film, the whole library or what others watched for the server itself.
LOOSE = [
    f"GET /files/{NOCTURNE}", "GET /files/films/x/../nocturne.mp4", "GET /files/films/..%2ftop.mp4",
    "GET /files/films/aurora.mp4%2f..%2fnocturne.mp4", "GET /files/films%5cnocturne.mp4",
    "GET /files/films%2faurora.mp4",
    "GET /files/films//aurora.mp4", "GET /files/top.mp4", "GET /subs/films/nocturne.srt", f"GET /play/{NOCTURNE}",
    f"GET /files/{AURORA}/", f"GET /files/{AURORA}?x=1", "GET /api/progress", "GET /",
    f"GET /transcode/{NOCTURNE}?mode=remux",
]  # fmt: skip


def vectors() -> list[str | bytes]:
    """What a guest of AURORA is refused, whoever wrote the policy."""
    return [
        *LOOSE,
        *anywhere(f"/files/{AURORA}", f"/files/{NOCTURNE}"),
        *anywhere(f"/play/{AURORA}", f"/play/{NOCTURNE}"),
        *anywhere("/subs/films/aurora.srt", "/subs/films/nocturne.srt"),
        f"GET /thumb/{NOCTURNE}", f"GET /api/plan/{NOCTURNE}", "GET /subs/films/aurora.mp4",
        "GET /subs/films/aurora.x.y.srt",
        "GET /subs/films/auroranocturne.srt", f"GET /transcode/{AURORA}?t=1&t=2", f"GET /transcode/{AURORA}?mode=x",
        f"GET /transcode/{AURORA}?t=nan", f"GET /transcode/{AURORA}?t=-1", f"GET /api/plan/{AURORA}?hevc=2",
        "GET /.thumbs/progress.json", "GET /files/.thumbs/progress.json", "GET /index.html", "PUT /api/progress",
        "DELETE /api/progress", "POST /api/plan/films/aurora.mp4",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def shelf(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shelf = tmp_path_factory.mktemp("shelf")
    film(media, shelf / AURORA)
    film(media, shelf / NOCTURNE)
    # Another container is enough for the server to convert it.
    (shelf / LAKE).write_bytes((media.root / "source.mkv").read_bytes())
    (shelf / "top.mp4").write_bytes(b"at the top")
    for name in ("aurora.srt", "aurora.de.srt", "nocturne.srt", "Nächte am See (2026).srt"):
        (shelf / "films" / name).write_text(CAPTIONS)
    return shelf


@pytest.fixture(scope="module")
def server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with py_media_server(tmp_path_factory.mktemp("py-media-server") / "own", shelf) as port:
        yield port


@pytest.fixture
async def stage(tmp_path: Path, server: int) -> AsyncIterator[Stage]:
    async with between(tmp_path, "py-media-server", server) as stage:
        yield stage


async def test_an_item_is_found_and_one_that_is_not_there_is_gone(stage: Stage) -> None:
    assert await stage.gateway.make_link(AURORA)
    made = await stage.gateway.make_link(f"http://media.lan:8000/play/{quote(LAKE)}")
    assert (await stage.gateway.link(made)).link.item == LAKE
    for item in (
        "films/missing.mp4", "top.mp4", "films/../top.mp4", "../films/aurora.mp4", "films//aurora.mp4",
        "/films/aurora.mp4",
        "films/./aurora.mp4", "films/aurora.srt", "films/aurora", "films\\aurora.mp4", "films%2faurora.mp4",
        ".thumbs/a.mp4",
        "films/x\0.mp4", "films/aurora.MP4", "films/.mp4", "a/films/aurora.mp4",
        "http://media.lan:8000/play/films/..%2ftop.mp4",
    ):  # fmt: skip
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)


async def test_what_has_left_the_shelf_is_gone_for_its_guests(stage: Stage, media: Media, shelf: Path) -> None:
    leaving = shelf / "films" / "leaving.mp4"
    film(media, leaving)
    link = await stage.gateway.make_link("films/leaving.mp4")
    leaving.unlink()
    answer = await ask(stage.guest.port, f"GET /{link.split('/', 3)[3]}", headers="Accept: text/html\r\n")
    assert answer.status == 410


async def test_what_belongs_to_the_film_arrives_and_nothing_else(stage: Stage, server: int, shelf: Path) -> None:
    at = stage.guest.port
    cookie, answer = await enter(at, await stage.gateway.make_link(AURORA))
    assert answer.headers["location"] == f"/play/{AURORA}"

    async def got(request: str, headers: str = "") -> Answer:
        return await ask(at, f"GET {request}", cookie=cookie, headers=headers)

    whole = (shelf / AURORA).read_bytes()
    assert (await got(f"/files/{AURORA}")).body == whole
    part = await got(f"/files/{AURORA}", "Range: bytes=9-19\r\n")
    assert (part.status, part.body) == (206, whole[9:20])
    assert json.loads((await got(f"/api/plan/{AURORA}?hevc=1")).body)["mode"] == "direct"
    for name in ("aurora.srt", "aurora.de.srt"):
        assert b"Good evening" in (await got(f"/subs/films/{name}")).body
    assert (await got(f"/thumb/{AURORA}")).headers["content-type"] == "image/jpeg"

    for request in LOOSE:
        assert (await ask(server, request)).status == 200, request
    await stage.refuses(cookie, *vectors())
    await ignores_what_a_guest_says_of_itself(stage, cookie, f"/files/{AURORA}")


async def test_progress_of_everybody_is_neither_read_nor_written(stage: Stage, server: int) -> None:
    cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(AURORA))
    before = len(stage.server.there)
    for item in (AURORA, NOCTURNE):
        said = json.dumps({"rel": item, "position": 9, "duration": 12}).encode()
        answer = await ask(
            stage.guest.port,
            "POST /api/progress",
            cookie=cookie,
            headers="Content-Type: application/json\r\n",
            body=said,
        )
        assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})
    assert len(stage.server.there) == before
    assert json.loads((await ask(server, "GET /api/progress")).body) == {"items": {}}


@pytest.mark.browser
async def test_a_browser_plays_it_on_the_servers_own_page(stage: Stage, server: int) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await watch(page, await stage.gateway.make_link(AURORA))
        await seek(page, 8)
        # Unchanged the page would go on with the next film here.
        await until(page, "v.ended")
        await value(page, "v.currentTime = 1")
        await plays(page, 1.5)
        await page.keyboard.press("n")
        await value(page, "v.pause()")
        await expect(page.locator("#prev")).to_be_disabled()
        await expect(page.locator("#next")).to_be_disabled()

        await expect(page.locator("#subs option")).to_have_count(3)
        for number in (0, 1):
            await page.locator("#subs").select_option(index=number + 1)
            await until(page, f"v.textTracks[{number}].mode === 'showing' && v.textTracks[{number}].cues?.length > 0")
        # Converted by the server: the page asks anew from where it stands, captions shifted by as much.
        await page.locator("#mode").select_option("remux")
        await until(page, "v.currentSrc.includes('/transcode/')")
        await plays(page)
        await until(page, "v.textTracks[1].cues?.length > 0")
        assert [line for line in stage.server.asked if line.startswith("GET /subs/films/aurora.srt?offset=")]
        assert faults == []

        async with page.expect_navigation() as gone:
            await page.locator(".topbar button").click()
        answer = await gone.value
        assert answer is not None
        assert answer.status == 403
        await page.get_by_role("link").first.click()
        await page.wait_for_url("**/play/**")

        lake = await (await browser.new_context()).new_page()
        await watch(lake, await stage.gateway.make_link(LAKE))
        assert await value(lake, "v.videoWidth > 0")
    paths = {line.split(" ")[1].partition("?")[0] for line in stage.server.asked}
    assert not [path for path in paths if "nocturne" in path or path in ("/", "/api/progress")]
    assert json.loads((await ask(server, "GET /api/progress")).body) == {"items": {}}


@pytest.mark.browser
async def test_with_our_player_page_no_other_film_is_named(tmp_path: Path, server: int) -> None:
    """The change that docs/servers/py-media-server.md offers to those whom the list in the page's source minds."""
    policy = (ROOT / "policies" / "py-media-server.yaml").read_text()
    page = (ROOT / "docs" / "servers" / "py-media-server.md").read_text()
    (instead,) = [line.strip() for line in page.splitlines() if line.strip().startswith("player: {")]
    policy = policy.replace("open: /play/{id}", instead).replace("      - page GET /play/{id}\n", "")
    policy = policy.replace("    - GET /play/films/aurora.mp4\n", "")
    async with between(tmp_path, policy, server) as stage, chromium() as browser:
        guest = await browser.new_page()
        await watch(guest, await stage.gateway.make_link(AURORA))
        await seek(guest, 8)
        assert "/_gateway/watch/" in guest.url
        stage.keeps("nocturne", "Nächte")
