"""A real browser plays what the fakes hold: start, seek, captions, sound, pictures. No gateway yet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from gateway.web import vendor
from tests.chromium import chromium
from tests.media import SECONDS
from tests.servers.fake_immich import FakeImmich
from tests.servers.fake_jellyfin import FakeJellyfin
from tests.servers.fake_navidrome import FakeNavidrome
from tests.servers.films import Films
from tests.servers.immich_library import Library as Assets
from tests.servers.jellyfin_library import Library as Titles
from tests.servers.navidrome_library import Library as Songs
from tests.system_parts import missing, needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

PLAYED = "() => { const v = document.querySelector('video, audio'); return v.currentTime > 0.5 && !v.error }"
SOUGHT = (
    f"() => {{ const v = document.querySelector('video, audio'); return v.currentTime > {SECONDS - 3} && !v.seeking }}"
)
# The stream is asked for from a page of the server's own, as its answers are only for those.
START = """async address => {
    const video = document.body.appendChild(document.createElement('video'));
    video.muted = true;
    if (address.includes('.m3u8')) {
        window.hls = new Hls();
        window.failed = [];
        hls.on(Hls.Events.ERROR, (_, what) => failed.push(what.details));
        hls.loadSource(address);
        hls.attachMedia(video);
    } else video.src = address;
    await video.play();
}"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with chromium() as browser:
        yield await browser.new_page()


async def seek(page: Page) -> None:
    await page.wait_for_function(PLAYED)
    assert abs(await page.evaluate("document.querySelector('video, audio').duration") - SECONDS) < 0.5
    await page.evaluate(f"document.querySelector('video, audio').currentTime = {SECONDS - 2}")
    await page.wait_for_function(SOUGHT)


async def play(page: Page, origin: str, address: str) -> None:
    script = vendor.FOLDER / "hls.min.js"
    if not script.is_file():
        missing("hls.js has not been fetched")
    await page.goto(origin)
    await page.add_script_tag(path=script)
    await page.evaluate(START, address)
    await seek(page)
    assert await page.evaluate("window.failed ?? []") == []


@pytest.mark.parametrize("container", ["mp4", "ts"])
async def test_jellyfin(page: Page, films: Films, container: str) -> None:
    server = FakeJellyfin(Titles.of(films))
    async with server.running() as url:
        film, token = server.library["film"].id, server.library.token("guests")
        query = f"MediaSourceId={film}&DeviceId=d&PlaySessionId=p&AudioCodec=aac&SegmentContainer={container}"
        master = f"{url}/Videos/{film}/master.m3u8?{query}&SubtitleMethod=Hls&ApiKey={token}"
        await play(page, f"{url}/web/", master)
        await page.evaluate("hls.subtitleTrack = 0")
        await page.wait_for_function("document.querySelector('video').textTracks[0]?.cues?.length > 5")
    assert [job.container for job in server.streams.running] == [container]


async def test_immich(page: Page, films: Films) -> None:
    server = FakeImmich(Assets.of(films))
    async with server.running() as url:
        link, film = server.library.links[0], server.library.named("film.mp4").id
        await play(page, f"{url}/share/{link.key}", f"{url}/api/assets/{film}/video/playback?key={link.key}")
        await page.context.add_cookies([{"name": "immich_access_token", "value": "t", "url": url}])
        server.library.sessions["t"] = link.owner
        await play(page, f"{url}/photos", f"{url}/api/assets/{film}/video/stream/main.m3u8")
    assert any(asked.header("range") for asked in server.asked)


async def test_navidrome(page: Page, films: Films) -> None:
    """Its own share page, with the little that its bundle does about sound and picture."""
    server = FakeNavidrome(Songs.of(films))
    async with server.running() as url:
        share = server.library.shares[0]
        await page.goto(f"{url}/share/{share.id}")
        await page.evaluate("document.querySelector('audio').play()")
        await seek(page)
        await page.wait_for_function("document.querySelector('img').naturalWidth > 0")
        assert await page.title() == share.description
