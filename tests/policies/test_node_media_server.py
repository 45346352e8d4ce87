"""policies/node-media-server.yaml against the real server from npm with a real publisher, set up as
docs/servers/node-media-server.md says: HTTP-FLV that the server never ends by itself, and any POST would publish."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from gateway.web.statics import FOLDER, LIBRARIES
from tests.browser.test_waiting import fill
from tests.chromium import chromium
from tests.policies.live_servers import Listener, publishing, sounds, spellings, stopped, until
from tests.policies.node_servers import PASSWORD, SECRET, SIGNING, USER, Nms, node_media_server
from tests.policies.wire import Stage, anywhere, between
from tests.running import ask, enter
from tests.system_parts import missing

STREAM = "/live/camA.flv"


def vectors() -> list[str | bytes]:
    doors = (
        "/api/v1/streams", "/api/v1/streams/live/camA/urls", "/api/v1/sessions", "/api/v1/config", "/api/v1/relay",
        "/api/v1/records/1/download", "/api/v1/health", "/api/v1/events", "/admin/",
    )  # fmt: skip
    head = "Host: HOST\r\nCookie: COOKIE\r\nOrigin: http://HOST\r\n"
    ws = f"{head}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    ws += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    body = f"{head}Connection: close\r\nContent-Type: video/x-flv\r\nContent-Length: 13\r\n\r\n"
    body += "FLV\x01\x05\0\0\0\x09\0\0\0\0"
    return [
        # Each of these would play another stream or publish.
        "GET /live/camB.flv", "GET /live/camA", "GET /live/camA.m3u8", "GET /live/camA.FLV", "GET /live/camA.flv/",
        "DELETE /live/camA.flv", "PUT /live/camA.flv", "POST /live/camA.flv", "POST /live/new.flv",
        f"POST {STREAM} HTTP/1.1\r\n{body}".encode(),
        f"POST /live/new.flv HTTP/1.1\r\n{body}".encode(),
        *(
            f"GET {path} HTTP/1.1\r\n{ws}{protocol}\r\n".encode()
            for path in ("/live/camB.flv", "/live/new.flv", "/live/camA", "//live/camB.flv", "/live/..%2flive%2fx.flv")
            for protocol in ("", "Sec-WebSocket-Protocol: publisher\r\n", "Sec-WebSocket-Protocol: post\r\n")
        ),
        # These end the server's process.
        "GET /live/..%2flive%2fcamB.flv", "GET //live/camB.flv", "GET /live/cam%20A.flv", "GET /li+ve/camA.flv",
        "GET /live/cam%C3%A4.flv",
        *anywhere(STREAM, "/live/camB.flv"),
        f"GET {STREAM}?sign=1-2", f"GET {STREAM}?sign=1&sign=2", f"GET {STREAM}?token=x",
        *(f"GET {spelt}" for door in doors for spelt in spellings(door)),
        "POST /api/v1/login", "PUT /api/v1/config", "DELETE /api/v1/sessions/1", "POST /api/v1/relay",
    ]  # fmt: skip


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Nms]:
    monkeypatch.setenv("NMS_USER", USER)
    monkeypatch.setenv("NMS_PASSWORD", PASSWORD)
    async with node_media_server(tmp_path / "server") as server:
        yield server


@pytest.fixture
async def stage(tmp_path: Path, server: Nms) -> AsyncIterator[Stage]:
    async with between(tmp_path, "node-media-server", server.port) as stage:
        yield stage


async def published(stage: Stage, item: str) -> None:
    """Until the server tells the gateway so."""
    server = stage.gateway.gateway.doors.servers.named("tv")
    assert server is not None

    async def there() -> bool:
        from gateway.upstream.resolve import resolve_item

        return (await resolve_item(server.policy, server.at, item)).state == "ok"

    await until(there)


async def test_one_stream_arrives_is_cut_and_nothing_else_is_there(stage: Stage, server: Nms) -> None:
    at = stage.guest.port
    link = await stage.gateway.make_link("http://media.lan:8000/live/camA.flv")
    assert (await stage.gateway.link(link)).link.item == "live/camA"
    async with publishing(server.rtmp("camA")) as publisher, publishing(server.rtmp("camB")):
        await published(stage, "live/camA")
        await published(stage, "live/camB")
        cookie, answer = await enter(at, link)
        assert answer.headers["location"].startswith("/_gateway/watch/")
        watcher = Listener(at, cookie, STREAM)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watcher.run())
            await watcher.hears(20_000)
            assert b"\r\nFLV\x01" in bytes(watcher.got)

            assert (await ask(server.port, "GET /api/v1/health")).status == 200
            assert (await ask(server.port, "GET /admin/")).status == 200
            await stage.refuses(cookie, *vectors())
            await stage.refuses("", "GET /live/camA.flv", *vectors()[:30])
            assert server.process.returncode is None

            # The publisher goes: the server says nothing and keeps its player. The gateway's end of it is the grant's.
            await stopped(publisher)
            assert watcher.over is None
            off = time.monotonic()
            await stage.gateway.delete(link)
            await until(lambda: asyncio.sleep(0, watcher.over is not None), seconds=10)
            assert watcher.over is not None
            assert watcher.over - off < 2
        assert not bytes(watcher.got).endswith(b"0\r\n\r\n"), "a stream that was cut must not look whole"
        # What one refused name does to the server where nobody stands in front of it.
        await ask(server.port, "GET /live/..%2flive%2fcamB.flv")
        await asyncio.wait_for(server.process.wait(), 20)
    stage.keeps(PASSWORD, SECRET, SIGNING)
    token = bytes(stage.server.there).partition(b"Authorization: Bearer ")[2].partition(b"\r\n")[0].decode()
    assert token.count(".") == 2
    stage.keeps(token)


@pytest.mark.browser
async def test_a_guest_watches_from_before_the_start_through_a_break(stage: Stage, server: Nms) -> None:
    if not (FOLDER / LIBRARIES["flv"]).is_file():
        missing("mpegts.js was not fetched")
    link = await stage.gateway.make_link("live/camA")
    async with chromium() as browser:
        page = await (await browser.new_context(locale="en-GB")).new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(link)
        await fill(page, "Ada")
        await expect(page.get_by_role("heading", name="Not yet")).to_be_visible()
        async with publishing(server.rtmp("camA")):
            await page.wait_for_url("**/_gateway/watch/*", timeout=60_000)
            await sounds(page)
            await expect(page.get_by_role("button", name="Live")).to_be_visible()
            assert await page.evaluate("document.querySelector('video').videoWidth") == 160
        # Silence, and then nobody who publishes.
        await expect(page.get_by_role("heading", name="It isn’t live right now")).to_be_visible(timeout=60_000)
        async with publishing(server.rtmp("camA")):
            await sounds(page)
            await stage.gateway.delete(link)
            await expect(page.get_by_role("alert")).to_contain_text("Your access has ended", timeout=30_000)
        assert faults == []
    assert {line for line in stage.server.asked if "/api/" not in line} == {f"GET {STREAM}"}
