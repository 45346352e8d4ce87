"""The demo's media server does as a static server does, and is open."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.demo.server import CLIP, PRIVATE, SHARED, serving


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(0) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


@pytest.mark.parametrize("item", [SHARED, PRIVATE])
async def test_both_items_are_open_to_everybody(client: aiohttp.ClientSession, item: str) -> None:
    async with client.get(f"/hls/{item}/master.m3u8") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/vnd.apple.mpegurl"
        assert await answer.read() == (CLIP / item / "master.m3u8").read_bytes()
    async with client.get("/") as listed:
        assert f"/hls/{item}/master.m3u8" in await listed.text()


async def test_ranges(client: aiohttp.ClientSession) -> None:
    whole = (CLIP / SHARED / "video.mp4").read_bytes()
    async with client.get(f"/hls/{SHARED}/video.mp4", headers={"Range": "bytes=100-199"}) as part:
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
        assert await part.read() == whole[100:200]
    async with client.get(f"/hls/{SHARED}/video.mp4", headers={"Range": f"bytes={len(whole)}-"}) as beyond:
        assert beyond.status == 416


async def test_head_and_what_has_not_changed(client: aiohttp.ClientSession) -> None:
    async with client.head(f"/hls/{SHARED}/v0/seg-0.m4s") as head:
        assert head.status == 200
        assert head.headers["Content-Type"] == "video/iso.segment"
        assert int(head.headers["Content-Length"]) == (CLIP / SHARED / "v0/seg-0.m4s").stat().st_size
    async with client.get(f"/hls/{SHARED}/v0/seg-0.m4s", headers={"If-None-Match": head.headers["ETag"]}) as same:
        assert same.status == 304


@pytest.mark.parametrize(
    "path", ["/hls/", "/hls/aurora", "/hls/aurora/none.ts", "/hls/make", "/hls/../server.py", "/x"]
)
async def test_nothing_else_is_there(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
