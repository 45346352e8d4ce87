"""`gateway policy from-har` for servers that were not made for it: a real Chromium is recorded, the recording becomes
a policy, and with it a guest plays this item and every vector of this server's own tests is refused.

py-media-server has ids with slashes and files beside the film that lack its ending. The other two are nginx with a page
of its own that plays with Shaka Player: a folder of DASH films, and HLS whose segments lie where no item is named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from playwright.async_api import Page

from gateway.cli import main
from tests.chromium import chromium
from tests.media import TYPES, Media
from tests.nginx import folder, nginx
from tests.policies.test_py_media_server import AURORA, NOCTURNE, server, shelf, vectors
from tests.policies.watching import plays, seek, until, value, watch
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
player.attach(document.querySelector("video")).then(() => player.load(`LIST`));
const body = JSON.stringify({ film: id, at: 1 });
const headers = { "Content-Type": "application/json" };
fetch("/api/views", { method: "POST", headers, body }).catch(() => undefined);"""
POOLS = {"aurora": "9b2e4c0d8f7a4e11a5c3", "nocturne": "77aa4c0d8f7a4e11a5c3"}
GUIDE = ROOT / "docs" / "first-policy.md"

PAGES = [
    "GET /watch?film=nocturne", "GET /watch", "GET /watch?film=aurora&film=nocturne", "GET /",
    "GET /site/page.js?film=nocturne", "GET /api/views", "POST /api/views?film=nocturne", "PUT /api/views",
]  # fmt: skip


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
    async with between(tmp_path, policy, server) as stage:
        async with chromium() as browser:
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


@asynccontextmanager
async def cinema(own: Path, films: str, stream: str) -> AsyncIterator[int]:
    """nginx with what lies in `own`, and a page that plays `stream`."""
    if not LIBRARY.is_file():
        missing("Shaka Player")
    for name, text in (("page.html", PAGE), ("page.js", SCRIPT.replace("LIST", stream))):
        (own / name).write_text(text)
    types = " ".join(f"{kind} {ending[1:]};" for ending, kind in TYPES.items())
    pages = (
        f"types {{ {types} text/html html; text/javascript js; }} location = /site/shaka.js {{ alias {LIBRARY}; }}"
        f" location = /site/page.js {{ alias {own}/page.js; }} location = /watch"
        f" {{ alias {own}/page.html; default_type text/html; }}"
        " location = /api/views { return 204; }"
    )
    async with nginx(own / "nginx", films + pages) as port:
        yield port


async def recorded(har: Path, port: int) -> Path:
    """Two films, one after the other, until each plays."""
    async with chromium() as browser:
        context = await browser.new_context(record_har_path=har, record_har_content="embed")
        page = await context.new_page()
        for item in POOLS:
            await watched(page, f"http://127.0.0.1:{port}/watch?film={item}")
        await context.close()
    return har


@pytest.mark.parametrize("own_page", [False, True], ids=["our player", "the server's page"])
async def test_dash_behind_nginx(tmp_path: Path, media: Media, own_page: bool) -> None:
    (tmp_path / "dash").mkdir()
    for item in POOLS:
        (tmp_path / "dash" / item).symlink_to(media.dash())
    async with cinema(tmp_path, folder(tmp_path / "dash", "/dash"), "/dash/${id}/manifest.mpd") as port:
        har = await recorded(tmp_path / "dash.har", port)
        policy = policy_of(har, "aurora", *(["--own-page"] if own_page else []))
        async with between(tmp_path, policy, port) as stage:
            async with chromium() as browser:
                page = await browser.new_page()
                await watch(page, await stage.gateway.make_link("aurora"))
                assert page.url.endswith("/watch?film=aurora") == own_page
                await seek(page, 8)
                assert await value(page, "v.videoWidth > 0")
            cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("aurora"))
            ok, other = "/dash/aurora/manifest.mpd", "/dash/nocturne/manifest.mpd"
            assert (await ask(stage.guest.port, f"GET {ok}", cookie=cookie)).status == 200
            await stage.refuses(cookie, *anywhere(ok, other), *PAGES)
            await stage.refuses(
                cookie, "GET /dash/aurora/", "GET /dash/", "GET /dash/nocturne/0-1.m4s",
                "GET /dash/Aurora/manifest.mpd",
            )  # fmt: skip
            assert not [line for line in stage.server.asked if "nocturne" in line or "/api/" in line]


async def test_hls_whose_segments_name_no_item(tmp_path: Path, media: Media) -> None:
    """The second part of docs/first-policy.md."""
    for item, pool in POOLS.items():
        (tmp_path / "pool").mkdir(exist_ok=True)
        (tmp_path / "pool" / pool).symlink_to(media.hls())
        (tmp_path / "hls" / item).mkdir(parents=True)
        lines = (media.hls() / "master.m3u8").read_text().replace('URI="', f'URI="/pool/{pool}/').splitlines()
        away = [line if line.startswith("#") else f"/pool/{pool}/{line}" for line in lines]
        (tmp_path / "hls" / item / "master.m3u8").write_text("\n".join([*away, ""]))
    films = folder(tmp_path / "hls", "/hls") + folder(tmp_path / "pool", "/pool")
    async with cinema(tmp_path, films, "/hls/${id}/master.m3u8") as port:
        policy = policy_of(await recorded(tmp_path / "hls.har", port), "aurora")
        in_force = policy.partition("kinds:")[2].partition("examples:")[0].strip()
        assert in_force in GUIDE.read_text(), in_force
        async with between(tmp_path, policy, port) as stage:
            async with chromium() as browser:
                page = await browser.new_page()
                await watch(page, await stage.gateway.make_link("aurora"))
                await seek(page, 8)
            cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("aurora"))
            ok, other = "/hls/aurora/master.m3u8", "/hls/nocturne/master.m3u8"
            assert (await ask(stage.guest.port, f"GET {ok}", cookie=cookie)).status == 200
            await stage.refuses(cookie, *anywhere(ok, other), *PAGES)
            for pool in POOLS.values():
                await stage.refuses(cookie, f"GET /pool/{pool}/v0/index.m3u8", f"GET /pool/{pool}/v0/1.m4s")
            await stage.refuses(cookie, "GET /pool/", "GET /hls/", "GET /hls/aurora/../../pool/")
            asked = "\n".join(stage.server.asked)
            assert POOLS["aurora"] in asked
            assert POOLS["nocturne"] not in asked
