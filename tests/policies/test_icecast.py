"""policies/icecast.yaml against the real Icecast, set up as docs/servers/icecast.md says, with real sources: a body
that has no end, that stops when the source does, and that is cut when the grant ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.test_waiting import fill
from tests.chromium import chromium
from tests.policies.live_servers import (
    ADMIN,
    LISTENER,
    SOURCE,
    TONE,
    Listener,
    icecast,
    icecast_source,
    publishing,
    sounds,
    spellings,
    stopped,
    until,
)
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter

ROOT = Path(__file__).parents[2]

# What Icecast gives to everybody who asks it directly.
LOOSE = [
    "GET /status.xsl", "GET /status-json.xsl", "GET /status-json.xsl?mount=/radio.mp3", "GET /server_version.xsl",
    "GET /radio.mp3.m3u", "GET /radio.mp3.xspf", "GET /other.mp3.m3u", "GET /style.css",
]  # fmt: skip


def vectors() -> list[str | bytes]:
    doors = (
        "/admin/stats", "/admin/listclients?mount=/radio.mp3", "/admin/killsource?mount=/radio.mp3",
        "/admin/moveclients?mount=/radio.mp3&destination=/other.mp3", "/status-json.xsl",
        "/admin/metadata?mount=/radio.mp3&mode=updinfo&song=x",
    )  # fmt: skip
    head = "Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\nContent-Type: audio/mpeg\r\n"
    return [
        *LOOSE,
        *anywhere("/radio.mp3", "/other.mp3"),
        *(f"GET {spelt}" for door in doors for spelt in spellings(door)),
        "GET /", "GET /admin", "GET /radio", "GET /radio.mp3.vclt", "GET /RADIO.MP3", "GET /closed.mp3",
        # To publish: with a method of its own, and with PUT as newer sources do.
        f"SOURCE /radio.mp3 HTTP/1.0\r\n{head}Authorization: Basic c291cmNlOmhhY2ttZQ==\r\n\r\n".encode(),
        f"SOURCE /new.mp3 HTTP/1.1\r\n{head}\r\n".encode(),
        f"PUT /a.mp3 HTTP/1.1\r\n{head}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        "PUT /new.mp3", "POST /radio.mp3", "STATS /admin/stats",
    ]  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[int]:
    async with icecast() as port:
        yield port


@pytest.fixture
async def stage(tmp_path: Path, server: int) -> AsyncIterator[Stage]:
    async with between(tmp_path, "icecast", server) as stage:
        yield stage


async def on_air(port: int, mount: str) -> None:
    async def there() -> bool:
        told = json.loads((await ask(port, f"GET /status-json.xsl?mount=/{mount}")).body)
        return "source" in told["icestats"]

    await until(there)


async def test_one_mount_sounds_without_an_end_and_nothing_else_is_there(stage: Stage, server: int) -> None:
    at = stage.guest.port
    async with (
        publishing(icecast_source(server, "radio.mp3"), what=TONE, as_="mp3") as source,
        publishing(icecast_source(server, "other.mp3"), what=TONE, as_="mp3"),
    ):
        await on_air(server, "radio.mp3")
        await on_air(server, "other.mp3")
        link = await stage.gateway.make_link("http://radio.lan:8000/radio.mp3.m3u")
        assert (await stage.gateway.link(link)).link.item == "radio.mp3"
        cookie, answer = await enter(at, link)
        assert answer.headers["location"].startswith("/_gateway/watch/")
        bob, _ = await enter(at, link, name="Bob", email="bob@example.org")

        ada_hears, bob_hears = Listener(at, cookie, "/radio.mp3"), Listener(at, bob, "/radio.mp3")
        async with asyncio.TaskGroup() as both:
            both.create_task(ada_hears.run())
            both.create_task(bob_hears.run())
            await ada_hears.hears(80_000)
            await bob_hears.hears(80_000)
            head = bytes(ada_hears.got).partition(b"\r\n\r\n")[0].lower()
            assert head.startswith(b"http/1.1 200 ")
            assert b"content-type: audio/mpeg" in head
            assert b"radio.lan" not in head
            assert b"server: icecast" not in head

            for request in LOOSE:
                assert (await ask(server, request)).status == 200, request
            assert (await ask(server, "GET /admin/stats")).status == 401
            await stage.refuses(cookie, *vectors())
            await stage.refuses("", *vectors()[:20])

            # One guest is removed: cut within two seconds, and the other hears on.
            guests = await stage.gateway.desk.guests("tv")
            (one,) = [view.guest for view in guests if view.guest.name == "Bob"]  # type: ignore[union-attr]
            removed = time.monotonic()
            await stage.gateway.desk.remove(one, erase=False)
            await until(lambda: asyncio.sleep(0, bob_hears.over is not None), seconds=10)
            assert bob_hears.over is not None
            assert bob_hears.over - removed < 2
            assert not bytes(bob_hears.got).endswith(b"0\r\n\r\n"), "a stream that was cut must not look whole"
            await stage.refuses(bob, "GET /radio.mp3")
            await ada_hears.hears(8_000)
            # The source stops, and so does the stream, as a whole one.
            await stopped(source)
        assert bytes(ada_hears.got).endswith(b"0\r\n\r\n")
    stage.keeps(SOURCE, ADMIN)


async def test_guests_listen_to_a_closed_mount_and_never_get_its_password(
    tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICECAST_LISTENER_PASSWORD", LISTENER)
    said = (ROOT / "docs" / "servers" / "icecast.md").read_text().partition("add\n")[2]
    block = said.partition("```yaml\n")[2].partition("```")[0]
    policy = (ROOT / "policies" / "icecast.yaml").read_text().replace("guest_access:\n", f"{block}\nguest_access:\n", 1)
    async with publishing(icecast_source(server, "closed.mp3"), what=TONE, as_="mp3"):
        await on_air(server, "closed.mp3")
        assert (await ask(server, "GET /closed.mp3")).status == 401
        async with between(tmp_path, policy, server) as stage:
            cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("closed.mp3"))
            await ask(stage.guest.port, "HEAD /closed.mp3", cookie=cookie)
            listener = Listener(stage.guest.port, cookie, "/closed.mp3")
            task = asyncio.create_task(listener.run())
            await listener.hears(70_000)
            # The account opens nothing but the mount, whoever might come to have it.
            assert b"Authorization: Basic" in bytes(stage.server.there)
            await stage.refuses(cookie, "GET /admin/listclients?mount=/closed.mp3", "GET /closed.mp3?user=gateway")
            await ignores_what_a_guest_says_of_itself(stage, cookie, "/status.xsl")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            stage.keeps(LISTENER, SOURCE, ADMIN)


@pytest.mark.browser
async def test_a_guest_listens_from_before_the_start_through_a_break(stage: Stage, server: int) -> None:
    link = await stage.gateway.make_link("radio.mp3")
    async with chromium() as browser:
        page = await (await browser.new_context(locale="en-GB")).new_page()
        await page.goto(link)
        await fill(page, "Ada")
        await expect(page.get_by_role("heading", name="Not yet")).to_be_visible()
        async with publishing(icecast_source(server, "radio.mp3"), what=TONE, as_="mp3"):
            await page.wait_for_url("**/_gateway/watch/*", timeout=60_000)
            await sounds(page)
            await expect(page.get_by_role("button", name="Live")).to_be_visible()
        # The source is gone: over, or a break. It comes back, and so does the sound.
        await expect(page.get_by_text("It isn’t live right now").first).to_be_visible(timeout=40_000)
        async with publishing(icecast_source(server, "radio.mp3"), what=TONE, as_="mp3"):
            await sounds(page)
            await stage.gateway.delete(link)
            await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=30_000)
    assert set(stage.server.asked) == {"GET /radio.mp3", "GET /status-json.xsl?mount=%2Fradio.mp3"}
