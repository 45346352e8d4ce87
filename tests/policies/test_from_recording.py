"""docs/first-policy.md, done: a real Chromium is recorded at a real server, the recording becomes a policy, and
with it a guest sees this item and no other.

The server is nginx with pages of its own: HLS, a list of other items with their pictures, a counter.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from playwright.async_api import expect

from gateway.cli import main
from tests.browser.test_guest_path import enter, playing, start, status
from tests.chromium import chromium
from tests.nginx import folder, nginx
from tests.running import ask, raw, running_gateway
from tests.running import enter as enter_as_program
from tests.system_parts import missing

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "gateway" / "demo" / "clip"
SITE = Path(__file__).parent / "cinema"
LIBRARY = ROOT / "gateway" / "static" / "vendor" / "hls.min.js"
GUIDE = ROOT / "docs" / "first-policy.md"

VECTORS = [
    "GET /hls/nocturne/master.m3u8", "GET /hls/nocturne/poster.jpg", "GET /hls/nocturne/v0/index.m3u8",
    "GET /watch/nocturne", "GET /hls/aurora/../nocturne/master.m3u8", "GET /hls/aurora/%2e%2e/nocturne/master.m3u8",
    "GET /hls/aurora/..%2fnocturne/master.m3u8", "GET /hls/aurora%2f..%2fnocturne/master.m3u8",
    "GET //hls/aurora/master.m3u8", "GET /hls//aurora/master.m3u8", "GET /hls/aurora/master.m3u8;x=1",
    "GET /hls/aurora/master.m3u8%00", "GET /hls/aurora/master.m3u8?id=nocturne", "GET /hls/aurora/", "GET /hls/",
    "GET /hls/%6eocturne/master.m3u8", "GET /hls/Aurora/master.m3u8", "GET /hls/aurora/v0/../../nocturne/master.m3u8",
    "POST /hls/aurora/master.m3u8", "POST /stats", "GET /site/items.json?page=1", "GET /site/items.json", "GET /",
]  # fmt: skip


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[int]:
    """nginx, and beside the pages the hls.js that this program serves itself."""
    if not LIBRARY.is_file():
        missing("hls.js")
    pages = (
        f"location = /site/hls.min.js {{ alias {LIBRARY}; }} location /site/ {{ alias {SITE}/; }}"
        f" location /watch/ {{ root {SITE}; try_files /page.html =404; }}"
    )
    async with nginx(tmp_path / "nginx", folder(CLIP, "/hls") + pages) as port:
        yield port


async def record(port: int, file: Path, *, bodies: bool) -> None:
    """What the guide asks for: play the item, then open another one."""
    async with chromium() as browser:
        context = await browser.new_context(
            record_har_path=file, record_har_content="embed" if bodies else "omit", service_workers="allow"
        )
        page = await context.new_page()
        await page.goto(f"http://127.0.0.1:{port}/watch/aurora")
        await start(page)
        await playing(page, 1)
        await page.goto(f"http://127.0.0.1:{port}/watch/nocturne")
        await expect(page.locator("img")).to_have_count(2)
        await page.wait_for_load_state("networkidle")
        await context.close()


def gateway(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="gateway")


@pytest.mark.parametrize("own_page", [False, True], ids=["our player", "the server's page"])
@pytest.mark.parametrize("bodies", [True, False], ids=["with bodies", "without bodies"])
async def test_a_recording_becomes_a_policy_for_this_item_and_no_other(
    tmp_path: Path, server: int, bodies: bool, own_page: bool
) -> None:
    har = tmp_path / "recording.har"
    await record(server, har, bodies=bodies)
    asked = ("policy", "from-har", str(har), "--item", "aurora", *(["--own-page"] if own_page else []))
    made = gateway(*asked)
    assert made.exit_code == 0, made.output
    assert "verified: " in made.stderr
    if bodies and not own_page:
        as_in_the_guide(made.stdout, server)

    async with running_gateway(tmp_path, made.stdout, server) as running, chromium() as browser:
        link = await running.make_link("aurora")
        page = await (await browser.new_context()).new_page()
        await enter(page, link)
        await page.wait_for_url("**/watch/aurora" if own_page else "**/_gateway/watch/*")
        await start(page)
        await playing(page, 2)
        assert await status(page, "/hls/aurora/poster.jpg") == 200
        assert await status(page, "/hls/nocturne/poster.jpg") == 403

        cookie, _ = await enter_as_program(running.port, await running.make_link("aurora"))
        assert (await ask(running.port, "GET /hls/aurora/master.m3u8", cookie=cookie)).status == 200
        for request in VECTORS:
            assert (await ask(running.port, request, cookie=cookie)).status in (400, 403, 405), request
        head = f"GET /hls/aurora/master.m3u8 HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n"
        assert b" 400 " in (await raw(running.port, head.encode())).split(b"\r\n")[0]

    (tmp_path / "made.yaml").write_text(made.stdout)
    replayed = gateway("policy", "test", str(tmp_path / "made.yaml"), str(har), "--item", "aurora")
    assert replayed.exit_code == 1, "the second item was recorded too"
    assert "GET /hls/nocturne/master.m3u8" in replayed.stdout


def as_in_the_guide(text: str, port: int) -> None:
    """The policy in the guide is what the command writes; the order of qualities is the player's choice."""
    shown = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(), re.S)
    assert shown

    def rules(policy: str) -> set[str]:
        return set(policy.replace(f"127.0.0.1:{port}", "media.lan:8096").partition("examples:")[0].splitlines()[1:])

    assert rules(text) == rules(shown[1])
