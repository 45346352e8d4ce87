"""The address for another player, as a guest finds it: shown, copied, and played where there is no cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import expect

from tests.browser.test_guest_path import enter, playing
from tests.browser.test_pictures import PICTURES
from tests.chromium import chromium, picture
from tests.media import Media
from tests.policies.test_cast import ALLOWED, CAST, films

pytestmark = pytest.mark.browser

LIBRARY = Path(__file__).parents[2] / "gateway" / "static" / "vendor" / "hls.min.js"
ELSEWHERE = "details.elsewhere"
PLAYER = """
<video muted></video><script src="/hls.js"></script><script type="module">
  const hls = new Hls();
  hls.loadSource("{address}");
  hls.attachMedia(document.querySelector("video"));
  hls.on(Hls.Events.MANIFEST_PARSED, () => document.querySelector("video").play());
</script>
"""


async def test_a_guest_copies_the_address_and_a_page_elsewhere_plays_it(tmp_path: Path, media: Media) -> None:
    async with films(tmp_path, media.hls(), (ALLOWED % "master.m3u8") + CAST) as gateway, chromium() as browser:
        context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = await context.new_page()
        await enter(page, await gateway.make_link("aurora"))
        await page.locator("button.big").click()
        await playing(page, 1)
        await page.locator(f"{ELSEWHERE} summary").click()
        address = await page.locator(f"{ELSEWHERE} input").input_value()
        await page.locator(f"{ELSEWHERE} button").click()
        await expect(page.locator(f"{ELSEWHERE} button")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == address
        for name, width, scheme in [("desktop", 1280, "light"), ("phone", 390, "dark")]:
            await page.set_viewport_size({"width": width, "height": 900})
            await page.emulate_media(color_scheme=scheme)
            await page.locator(ELSEWHERE).scroll_into_view_if_needed()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await picture(page, PICTURES / f"cast-{name}.png")

        # A Chromecast's receiver is a page of another origin, in another browser, that has no cookie.
        async with page_at(
            {"/": PLAYER.replace("{address}", address).encode(), "/hls.js": LIBRARY.read_bytes()}
        ) as url:
            receiver = await (await browser.new_context()).new_page()
            await receiver.goto(url)
            await receiver.wait_for_function("document.querySelector('video').currentTime > 1", timeout=30_000)
            assert await receiver.context.cookies() == []


@asynccontextmanager
async def page_at(files: Mapping[str, bytes]) -> AsyncIterator[str]:
    """An origin of its own."""

    async def answer(request: web.BaseRequest) -> web.Response:
        kind = "text/javascript" if request.path.endswith(".js") else "text/html"
        return web.Response(body=files.get(request.path, b""), content_type=kind)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
