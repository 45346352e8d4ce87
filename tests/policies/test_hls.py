"""policies/hls.yaml against a real nginx with a careless configuration (directory listings on).

nginx decodes, merges slashes and resolves dot segments before it maps to files, so the second item is a
`..` away from the first; what the gateway lets through must not be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.policy.load import load_policy
from tests.nginx import folder, nginx
from tests.running import Running, ask, enter, running_gateway

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "gateway" / "demo" / "clip"


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with nginx(tmp_path / "nginx", folder(CLIP, "/hls")) as port:
        yield port


@pytest.fixture
async def gateway(tmp_path: Path, port: int) -> AsyncIterator[Running]:
    async with running_gateway(tmp_path, "hls", port) as running:
        yield running


async def test_what_nginx_gives_the_gateway_refuses(gateway: Running, port: int) -> None:
    """Each of these is another item's file, or a listing, for nginx itself."""
    cookie, answer = await enter(gateway.port, await gateway.make_link("aurora"))
    assert answer.status == 303
    assert answer.headers["location"].startswith("/_gateway/watch/")
    for path, directly in [
        ("/hls/nocturne/master.m3u8", 200),
        ("/hls/aurora/../nocturne/master.m3u8", 200),
        ("/hls/aurora/%2e%2e/nocturne/master.m3u8", 200),
        ("/hls/aurora/..%2fnocturne/master.m3u8", 200),
        ("/hls/aurora%2f..%2fnocturne/master.m3u8", 200),
        ("/hls//nocturne/master.m3u8", 200),
        ("/hls/aurora//master.m3u8", 200),
        ("/hls/", 200),
        ("/hls/aurora/", 200),
        ("/hls/aurora", 301),
        ("/hls/aurora/master.m3u8%00", 400),
        ("/hls/aurora/master.m3u8;x", 404),
        ("/hls/%6eocturne/master.m3u8", 200),
    ]:
        assert (await ask(port, f"GET {path}")).status == directly, path
        assert (await ask(gateway.port, f"GET {path}", cookie=cookie)).status in (400, 403), path


async def test_files_of_the_item_arrive_as_nginx_made_them(gateway: Running, port: int) -> None:
    cookie, _ = await enter(gateway.port, await gateway.make_link("aurora"))
    files = [file.relative_to(CLIP) for file in (CLIP / "aurora").rglob("*") if file.is_file()]
    assert len(files) > 10
    for file in files:
        for headers in ("", "Range: bytes=10-19\r\n", "Range: bytes=999999999-\r\n", "If-None-Match: *\r\n"):
            ours = await ask(gateway.port, f"GET /hls/{file}", cookie=cookie, headers=headers)
            theirs = await ask(port, f"GET /hls/{file}", headers=headers)
            assert (ours.status, ours.body) == (theirs.status, theirs.body), (file, headers)
            for name in ("content-type", "content-range", "etag", "last-modified", "accept-ranges", "content-length"):
                assert ours.headers.get(name) == theirs.headers.get(name), (file, name)


async def test_an_item_that_is_not_there_is_gone(gateway: Running) -> None:
    with pytest.raises(LookupError):
        await gateway.make_link("nothing-here")


def test_the_policy_says_what_verified_it() -> None:
    policy = load_policy(ROOT / "policies" / "hls.yaml")
    assert "tests/policies/test_hls.py" in policy.verified
    assert len(policy.examples.allow) >= 8
    assert len(policy.examples.deny) >= 15
