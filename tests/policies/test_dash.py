"""policies/dash.yaml in front of nginx, Caddy and lighttpd, set up as docs/servers/dash.md says, and careless besides.

What each of the three makes of an address is told in test_hls.py at length; here are the ways to another item that
each of them has, and a manifest that leads elsewhere.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from gateway.web.vendor import FOLDER as VENDOR
from tests.browser.test_guest_path import enter as enter_in_browser
from tests.browser.test_guest_path import playing, video
from tests.chromium import chromium
from tests.media import Media
from tests.policies.static_servers import PROGRAMS, Cinema
from tests.policies.static_servers import cinema as run_cinema
from tests.policies.test_hls import captions_and_quality
from tests.policies.wire import anywhere
from tests.running import ask, enter
from tests.system_parts import missing

# What nginx, Caddy and lighttpd answer when they are asked directly. `A` and `B`: the manifest of the guest's item and
# of the other one; `list`: the names in a folder; `file`: another file; else the status.
VECTORS = """
GET /dash/nocturne/manifest.mpd                              B    B    B
GET /dash/aurora/../nocturne/manifest.mpd                    B    B    B
GET /dash/aurora/%2e%2e/nocturne/manifest.mpd                B    B    B
GET /dash/aurora/..%2fnocturne/manifest.mpd                  B    B    B
GET /dash/aurora%2f..%2fnocturne/manifest.mpd                B    B    B
GET /dash/aurora/v/../../nocturne/manifest.mpd               B    B    B
GET /dash//nocturne/manifest.mpd                             B    B    B
GET //dash/nocturne/manifest.mpd                             B    B    B
GET /dash/%6eocturne/manifest.mpd                            B    B    B
GET /dash/Nocturne/manifest.mpd                              404  404  B
GET /dash/nocturne/manifest.mpd/aurora/manifest.mpd          404  404  B
GET /dash/aurora//manifest.mpd                               A    A    A
GET /dash/aurora/manifest.mpd/                               404  404  A
GET /dash/aurora/manifest.mpd?id=nocturne                    A    A    A
GET /dash/nocturne/0-1.m4s                                   file file file
GET /dash/aurora/../nocturne/0-init.mp4                      file file file
GET /dash../outside.mp4                                      file 404  404
GET /dash/../outside.mp4                                     404  file file
GET /dash/aurora/.htpasswd                                   file file file
GET /dash/aurora/notes.txt                                   file file file
GET /dash/                                                   list list list
GET /dash/aurora/                                            list list list
GET /dash/aurora                                             301  308  301
GET /dash/aurora/manifest.mpd;x                              404  404  404
GET /dash/aurora/manifest.mpd%00                             400  500  400
POST /dash/aurora/manifest.mpd                               405  A    411
OPTIONS /dash/aurora/manifest.mpd                            405  A    file
"""


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, media: Media) -> Path:
    """What documents call /srv/media. `times`: a manifest that names times instead of numbers; `lost`: one that leads
    to another item, and one that leads to another host."""
    folder = tmp_path_factory.mktemp("srv")
    for item, source in (("aurora", media.dash()), ("nocturne", media.dash()), ("times", media.dash_times())):
        shutil.copytree(source, folder / "dash" / item)
    lost = folder / "dash" / "lost"
    shutil.copytree(media.dash(), lost)
    text = (lost / "manifest.mpd").read_text()
    other = re.sub(r"(<Period[^>]*>)", r"\1<BaseURL>../nocturne/</BaseURL>", text)
    (lost / "manifest.mpd").write_text(other)
    (lost / "elsewhere.mpd").write_text(other.replace("../nocturne/", "http://127.0.0.2:9/nocturne/"))
    for item in ("aurora", "nocturne"):  # told apart by a remark
        manifest = folder / "dash" / item / "manifest.mpd"
        manifest.write_text(manifest.read_text() + f"<!-- {item} -->\n")
    (folder / "dash" / "aurora" / "v").mkdir()
    (folder / "outside.mp4").write_bytes(b"lies outside of the folder")
    for name in (".htpasswd", "notes.txt"):
        (folder / "dash" / "aurora" / name).write_text("nobody's business")
    return folder


@pytest.fixture(params=PROGRAMS)
async def cinema(request: pytest.FixtureRequest, tmp_path: Path, films: Path) -> AsyncIterator[Cinema]:
    """`careless` by a mark."""
    careless = request.node.get_closest_marker("careless") is not None
    async with run_cinema(request.param, "dash", films, tmp_path, careless=careless) as running:
        yield running


async def directly(port: int, line: str) -> str:
    """What the server itself makes of a request, as the table says it."""
    answer = await ask(port, line)
    if answer.status != 200:
        return str(answer.status)
    if b"<a href" in answer.body.lower():
        return "list"
    return "A" if b"<!-- aurora -->" in answer.body else "B" if b"<!-- nocturne -->" in answer.body else "file"


@pytest.mark.careless
async def test_what_the_server_would_give_is_never_asked_of_it(cinema: Cinema) -> None:
    cookie, answer = await enter(cinema.port, await cinema.make_link("aurora"))
    assert answer.headers["location"].startswith("/_gateway/watch/")
    await cinema.refuses_what_the_server_would_give(cookie, VECTORS, directly)
    await cinema.stage.refuses(cookie, *anywhere("/dash/aurora/manifest.mpd", "/dash/nocturne/manifest.mpd"))


async def test_files_of_the_item_arrive_as_the_server_made_them(cinema: Cinema) -> None:
    cookie, _ = await enter(cinema.port, await cinema.make_link("aurora"))
    for name in ("manifest.mpd", "0-init.mp4", "0-1.m4s", "1-2.m4s", "2-6.m4s", "captions-de.vtt"):
        target = f"/dash/aurora/{name}"
        for headers in ("", "Range: bytes=10-19\r\n", "Range: bytes=999999999-\r\n"):
            ours = await ask(cinema.port, f"GET {target}", cookie=cookie, headers=headers)
            theirs = await ask(cinema.server, f"GET {target}", headers=headers)
            assert (ours.status, ours.body) == (theirs.status, theirs.body), (target, headers)
            for field in ("content-range", "etag", "last-modified", "accept-ranges", "content-length"):
                assert ours.headers.get(field) == theirs.headers.get(field), (target, headers, field)


async def test_an_item_that_is_not_there_is_gone(cinema: Cinema) -> None:
    with pytest.raises(LookupError):
        await cinema.make_link("nothing-here")


@pytest.fixture
def shaka() -> None:
    if not (VENDOR / "shaka-player.min.js").is_file():
        missing("Shaka Player was not fetched")


async def play(page: Page, link: str) -> None:
    await enter_in_browser(page, link)
    await page.get_by_role("button", name="Play").first.click()
    await playing(page, 1)


@pytest.mark.browser
@pytest.mark.usefixtures("shaka")
async def test_a_browser_plays_numbers_and_times(cinema: Cinema) -> None:
    async with chromium() as browser:
        item = {"nginx": "aurora"}.get(cinema.program, "times")
        await play(await browser.new_page(), await cinema.make_link(item))


@pytest.mark.browser
@pytest.mark.usefixtures("shaka")
@pytest.mark.parametrize("cinema", ["caddy"], indirect=True)
async def test_a_browser_plays_with_captions_another_quality_and_a_jump(cinema: Cinema) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await play(page, await cinema.make_link("aurora"))
        await captions_and_quality(page)
        await page.evaluate("document.querySelector('video').currentTime = 8")
        await playing(page, 1)
        assert await video(page, "v.currentTime > 8.9")
        assert any("/dash/aurora/0-" in url for url in asked)
        assert any("/dash/aurora/1-" in url for url in asked)
        assert all(url.startswith((f"http://127.0.0.1:{cinema.port}", "blob:", "data:")) for url in asked)


@pytest.mark.browser
@pytest.mark.usefixtures("shaka")
@pytest.mark.parametrize("cinema", ["nginx"], indirect=True)
@pytest.mark.parametrize("manifest", ["manifest.mpd", "elsewhere.mpd"])
async def test_a_manifest_that_leads_elsewhere_leads_nowhere(cinema: Cinema, manifest: str) -> None:
    """The page asks for what the manifest says, and nothing comes; the server is asked for nothing of another item."""
    async with chromium() as browser:
        page = await browser.new_page()
        await page.route("**/lost/manifest.mpd", lambda route: route.continue_(url=route.request.url[:-12] + manifest))
        await enter_in_browser(page, await cinema.make_link("lost"))
        await page.get_by_role("alert").wait_for(timeout=45_000)
        assert await video(page, "v.currentTime") == 0
    assert not any("nocturne" in line for line in cinema.stage.server.asked)
