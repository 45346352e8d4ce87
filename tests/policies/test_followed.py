"""Playlists that ffmpeg wrote, behind a real nginx, their segments behind another: followed by the whole gateway.

The policy names the playlist alone. What a guest may load besides it is what it names, and that is each guest's own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chromium import chromium
from tests.nginx import folder, nginx
from tests.policies.watching import plays
from tests.running import EMAIL, NAME, Running, ask, enter, free_port, running_gateway
from tests.system_parts import need

POLICY = """
server: Films whose segments lie elsewhere
item: {{id: "[a-z]{{3,9}}"}}
kinds:
  video:
    player: {{src: "/v/{{id}}/master.m3u8"}}
    allow:
      - request: GET /v/{{id}}/master.m3u8
        follow: {{as: hls, to: ["/v/{{id}}/**", "/keys/{{id}}.key", "http://127.0.0.1:{port}/pool/{{id}}/**"]}}
origins: ["http://127.0.0.1:{port}"]
upstream: {{headers: {{X-Key: "topsecretkey"}}}}
"""
SIGNED = re.compile(r"/_gateway/s/(?:[A-Za-z0-9_-]+/){1,2}[A-Za-z0-9._-]+")


@dataclass
class Cinema:
    gateway: Running
    films: Path
    pool: Path


async def encode(films: Path, item: str, pool: str, *extra: str) -> None:
    """Four seconds of film: a master playlist, encrypted segments that another host has."""
    home, keys = films / "v" / item, films / "keys"
    home.mkdir(parents=True)
    keys.mkdir(exist_ok=True)
    (keys / f"{item}.key").write_bytes(item.encode().ljust(16, b"."))
    (films / f"{item}.info").write_text(f"/keys/{item}.key\n{keys / f'{item}.key'}\n")
    process = await asyncio.create_subprocess_exec(
        str(need("ffmpeg")), "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=10:duration=4",
        "-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p", "-f", "hls", "-hls_time", "1",
        "-hls_playlist_type", "vod",
        "-hls_base_url", pool,  *extra, str(home / "film.m3u8"),
    )  # fmt: skip
    assert await process.wait() == 0
    (home / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\nfilm.m3u8\n")


@asynccontextmanager
async def cinema(tmp_path: Path, *extra: str) -> AsyncIterator[Cinema]:
    films, pool = tmp_path / "films", tmp_path / "pool"
    for item in ("aurora", "nocturne"):
        keyed = extra or ("-hls_key_info_file", str(films / f"{item}.info"))
        await encode(films, item, f"http://other.test/pool/{item}/", *keyed)
        (pool / item).mkdir(parents=True)
        for file in (films / "v" / item).iterdir():
            if file.suffix in (".ts", ".m4s"):
                file.rename(pool / item / file.name)
    port = free_port()  # not before, as others look for one as well
    for film in films.glob("v/*/film.m3u8"):
        film.write_text(film.read_text().replace("http://other.test/", f"http://127.0.0.1:{port}/"))
    guard = 'if ($http_x_key != "topsecretkey") {{ return 403; }}'.replace("{{", "{").replace("}}", "}")
    # The other host serves nobody who comes with more than it needs to know.
    strange = "\n".join(
        f'if ($http_{name} != "") {{ return 403; }}' for name in ("x_key", "cookie", "x_forwarded_for", "referer")
    )
    async with (
        nginx(
            tmp_path / "main",
            folder(films / "v", "/v") + folder(films / "keys", "/keys") + guard,
        ) as main,
        nginx(tmp_path / "other", folder(pool, "/pool") + strange, port=port),
        running_gateway(tmp_path, POLICY.format(port=port), main) as gateway,
    ):
        yield Cinema(gateway, films, pool)


async def followed(port: int, cookie: str, item: str) -> list[str]:
    """All signed URLs that a guest finds in master and media playlist."""
    master = await ask(port, f"GET /v/{item}/master.m3u8", cookie=cookie)
    assert master.status == 200, master
    (film,) = SIGNED.findall(master.body.decode())
    listed = await ask(port, f"GET {film}", cookie=cookie)
    assert listed.status == 200, listed
    return [film, *SIGNED.findall(listed.body.decode())]


async def test_each_guest_reaches_what_the_playlist_names_and_nothing_else(tmp_path: Path) -> None:
    async with cinema(tmp_path) as at:
        port = at.gateway.port
        link = await at.gateway.make_link("aurora")
        ada, _ = await enter(port, link)
        found = await followed(port, ada, "aurora")
        assert await followed(port, ada, "aurora") == found
        bodies = [(await ask(port, f"GET {url}", cookie=ada)) for url in found]
        assert [answer.status for answer in bodies] == [200] * len(found)
        names = [url.rpartition("/")[2] for url in found]
        assert names[:2] == ["film.m3u8", "aurora.key"]
        assert bodies[1].body == b"aurora.........."
        for name, answer in zip(names[2:], bodies[2:], strict=True):
            assert answer.body == (at.pool / "aurora" / name).read_bytes()
        part = await ask(port, f"GET {found[-1]}", cookie=ada, headers="Range: bytes=10-19\r\n")
        assert (part.status, part.body) == (206, bodies[-1].body[10:20])
        for answer in bodies:
            assert b"topsecretkey" not in answer.body
        assert b"127.0.0.1" not in bodies[0].body

        bob, _ = await enter(port, await at.gateway.make_link("nocturne"), name="Bob", email="bob@example.org")
        for url in found:
            assert (await ask(port, f"GET {url}", cookie=bob)).status == 403
            assert (await ask(port, f"GET {url}")).status == 403
            assert (await ask(port, f"POST {url}", cookie=ada)).status == 403
        for path in ("/v/aurora/film.m3u8", "/keys/aurora.key", "/v/nocturne/master.m3u8"):
            assert (await ask(port, f"GET {path}", cookie=ada)).status == 403

        left = await ask(
            port,
            "POST /_gateway/leave",
            cookie=ada,
            headers=f"Origin: {at.gateway.url}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        )
        assert left.status in (200, 303)
        for url in found:
            assert (await ask(port, f"GET {url}", cookie=ada)).status == 403, "replayed after the end"


async def test_a_worker_that_starts_later_knows_them(tmp_path: Path) -> None:
    async with cinema(tmp_path) as at:
        cookie, _ = await enter(at.gateway.port, await at.gateway.make_link("aurora"))
        found = await followed(at.gateway.port, cookie, "aurora")
        await at.gateway.reconfigure("data_dir: data\n", "data_dir: data\nsession: {leave_after: 20m}\n")
        assert (await ask(at.gateway.port, f"GET {found[-1]}", cookie=cookie)).status == 200
        policy = tmp_path / "policy.yaml"
        # Another rule is in force: what was signed by the one before is worth nothing.
        policy.write_text(policy.read_text().replace("/pool/{id}/**", "/pool/{id}/x/**"))
        await at.gateway.reconfigure("leave_after: 20m", "leave_after: 21m")
        assert (await ask(at.gateway.port, f"GET {found[-1]}", cookie=cookie)).status == 403


@pytest.mark.browser
@pytest.mark.parametrize("sort", ["encrypted", "fmp4"])
async def test_a_browser_plays_it_with_segments_on_another_origin(sort: str, tmp_path: Path) -> None:
    async with (
        cinema(tmp_path, *(("-hls_segment_type", "fmp4") if sort == "fmp4" else ())) as at,
        chromium() as browser,
    ):
        link = await at.gateway.make_link("aurora")
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(link)
        await page.fill("input[name=name]", NAME)
        await page.fill("input[name=email]", EMAIL)
        await page.click("button[type=submit]")
        await page.wait_for_selector("video")
        await plays(page)
        await page.wait_for_function("() => document.querySelector('video').currentTime > 1.5", timeout=30_000)
        await page.evaluate("() => { document.querySelector('video').currentTime = 3.2 }")
        await page.wait_for_function("() => document.querySelector('video').currentTime > 3.4", timeout=30_000)
        assert all(url.startswith((at.gateway.url, "blob:", "data:")) for url in asked)
        assert any("/_gateway/s/" in url for url in asked)
