"""`gateway policy from-har` for servers that were not made for it: a real Chromium is recorded, the recording becomes
a policy, and with it a guest plays this item and every vector of this server's own tests is refused.

py-media-server has ids with slashes and files beside the film that lack its ending. The second server is a folder of
DASH films behind nginx, with a page of its own that plays them with Shaka Player.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from playwright.async_api import Page

from gateway.cli import main
from tests.chromium import chromium
from tests.media import TYPES, Media
from tests.nginx import folder, nginx
from tests.policies.test_py_media_server import AURORA, NOCTURNE, server, shelf, vectors
from tests.policies.watching import plays, seek, until, watch
from tests.policies.watching import value as of_media
from tests.policies.wire import anywhere, between
from tests.running import ask, enter
from tests.system_parts import missing

__all__ = ["server", "shelf"]  # fixtures

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "gateway" / "static" / "vendor" / "shaka-player.min.js"
PAGE = """<!doctype html><title>Village cinema</title><video muted playsinline></video>
<script src="/site/shaka.js"></script><script src="/site/page.js"></script>"""
SCRIPT = """const id = new URLSearchParams(location.search).get("film");
const player = new shaka.Player();
player.attach(document.querySelector("video")).then(() => player.load(`/dash/${id}/manifest.mpd`));
fetch(`/api/views?film=${id}`).catch(() => undefined);"""


def policy_of(har: Path, item: str, *options: str) -> str:
    found: Result = CliRunner().invoke(main, ["policy", "from-har", str(har), "--item", item, *options])
    assert found.exit_code == 0, found.output
    assert "verified: " in found.stderr
    return found.stdout


async def watched(page: Page, address: str) -> None:
    await page.goto(address)
    await page.locator("video").wait_for(state="attached")
    await plays(page)


@pytest.fixture
async def of_films(tmp_path: Path, server: int) -> Path:
    """py-media-server: one film with captions, converted for a moment as well; then another one."""
    har = tmp_path / "films.har"
    async with chromium() as browser:
        context = await browser.new_context(record_har_path=har, record_har_content="embed")
        page = await context.new_page()
        await watched(page, f"http://127.0.0.1:{server}/play/{AURORA}")
        await page.locator("#subs").select_option(index=1)
        await until(page, "v.textTracks[0].cues?.length > 0")
        await page.locator("#mode").select_option("remux")
        await until(page, "v.currentSrc.includes('/transcode/')")
        await plays(page)
        await watched(page, f"http://127.0.0.1:{server}/play/{NOCTURNE}")
        await context.close()
    return har


@pytest.mark.parametrize("own_page", [False, True], ids=["our player", "the server's page"])
async def test_py_media_server(tmp_path: Path, of_films: Path, server: int, own_page: bool) -> None:
    policy = policy_of(of_films, AURORA, *(["--own-page"] if own_page else []))
    async with between(tmp_path, policy, server) as stage, chromium() as browser:
        page = await browser.new_page()
        await watch(page, await stage.gateway.make_link(AURORA))
        assert page.url.endswith(f"/play/{AURORA}") == own_page
        await seek(page, 8)
        if own_page:
            await page.locator("#subs").select_option(index=2)  # not the one that was recorded
            await until(page, "v.textTracks[1].cues?.length > 0")
            await page.locator("#mode").select_option("remux")
            await until(page, "v.currentSrc.includes('/transcode/')")
            await plays(page)
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(AURORA))
        assert (await ask(stage.guest.port, f"GET /files/{AURORA}", cookie=cookie)).status == 200
        await stage.refuses(cookie, *vectors())
        assert not [line for line in stage.server.asked if "nocturne" in line or line.endswith(" /")]


@pytest.fixture
async def cinema(tmp_path: Path, media: Media) -> AsyncIterator[int]:
    if not LIBRARY.is_file():
        missing("Shaka Player")
    for name, text in (("page.html", PAGE), ("page.js", SCRIPT)):
        (tmp_path / name).write_text(text)
    (tmp_path / "dash").mkdir()
    for item in ("aurora", "nocturne"):
        (tmp_path / "dash" / item).symlink_to(media.dash())
    types = " ".join(f"{kind} {ending[1:]};" for ending, kind in TYPES.items())
    pages = (
        f"types {{ {types} text/html html; text/javascript js; }} location = /site/shaka.js {{ alias {LIBRARY}; }}"
        f" location = /site/page.js {{ alias {tmp_path}/page.js; }} location = /watch"
        f" {{ alias {tmp_path}/page.html; default_type text/html; }}"
        " location = /api/views { return 204; }"
    )
    async with nginx(tmp_path / "nginx", folder(tmp_path / "dash", "/dash") + pages) as port:
        yield port


@pytest.mark.parametrize("own_page", [False, True], ids=["our player", "the server's page"])
async def test_dash_behind_nginx(tmp_path: Path, cinema: int, own_page: bool) -> None:
    har = tmp_path / "dash.har"
    async with chromium() as browser:
        context = await browser.new_context(record_har_path=har, record_har_content="embed")
        page = await context.new_page()
        for item in ("aurora", "nocturne"):
            await watched(page, f"http://127.0.0.1:{cinema}/watch?film={item}")
        await context.close()
    policy = policy_of(har, "aurora", *(["--own-page"] if own_page else []))
    async with between(tmp_path, policy, cinema) as stage, chromium() as browser:
        page = await browser.new_page()
        await watch(page, await stage.gateway.make_link("aurora"))
        assert page.url.endswith("/watch?film=aurora") == own_page
        await seek(page, 8)
        assert await of_media(page, "v.videoWidth > 0")
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("aurora"))
        ok, other = "/dash/aurora/manifest.mpd", "/dash/nocturne/manifest.mpd"
        assert (await ask(stage.guest.port, f"GET {ok}", cookie=cookie)).status == 200
        await stage.refuses(cookie, *anywhere(ok, other))
        await stage.refuses(
            cookie, "GET /watch?film=nocturne", "GET /watch", "GET /watch?film=aurora&film=nocturne",
            "GET /dash/aurora/", "GET /dash/", "GET /dash/nocturne/0-1.m4s", "GET /dash/Aurora/manifest.mpd",
            "GET /api/views?film=nocturne", "GET /site/page.js?film=nocturne", "GET /",
        )  # fmt: skip
        assert not [line for line in stage.server.asked if "nocturne" in line]
