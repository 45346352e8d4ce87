"""A DASH manifest that ffmpeg wrote, named by a JSON answer, behind a real nginx: followed by the whole gateway.

A player is played by plain requests: it fills numbers into templates as the manifest tells it to.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.web.statics import Statics
from tests.chromium import chromium
from tests.media import SECONDS, SEGMENT, TYPES, Media
from tests.nginx import folder, nginx
from tests.policies.watching import plays
from tests.running import EMAIL, NAME, Running, ask, enter, free_port, running_gateway
from tests.system_parts import missing

POLICY = """
server: Films that a JSON answer names
item: {id: "[a-z]{3,9}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - request: GET /api/{id}.json
        follow: {as: json, to: ["/v/{id}/**"]}
upstream: {headers: {X-Key: "topsecretkey"}}
"""
PLAYED = """
server: Films whose segments another host has
item: {{id: "[a-z]{{3,9}}"}}
kinds:
  video:
    player: {{src: "/v/{{id}}/manifest.mpd"}}
    allow:
      - request: GET /v/{{id}}/manifest.mpd
        follow: {{as: dash, to: ["{pool}/pool/{{id}}/**"]}}
origins: ["{pool}"]
upstream: {{headers: {{X-Key: "topsecretkey"}}}}
"""
MPD = "{urn:mpeg:dash:schema:mpd:2011}"


@dataclass
class Cinema:
    gateway: Running
    root: Path


@asynccontextmanager
async def cinema(tmp_path: Path, films: Path) -> AsyncIterator[Cinema]:
    root = tmp_path / "root"
    (root / "api").mkdir(parents=True)
    (root / "page").mkdir()
    (root / "v").mkdir()
    for item, other in (("aurora", "nocturne"), ("nocturne", "aurora")):
        (root / "page" / item).write_text("<!doctype html><title>Film</title>")
        (root / "v" / item).symlink_to(films)
        (root / "api" / f"{item}.json").write_text(
            json.dumps({"title": item, "stream": f"/v/{item}/manifest.mpd", "next": f"/v/{other}/manifest.mpd"})
        )
    guard = 'if ($http_x_key != "topsecretkey") { return 403; }'
    types = " ".join(f"{kind} {ending[1:]};" for ending, kind in TYPES.items())
    served = folder(root / "api", "/api") + folder(root / "page", "/page") + folder(root / "v", "/v") + guard
    async with (
        nginx(tmp_path / "nginx", f"types {{ {types} application/json json; }}\n{served}") as port,
        running_gateway(tmp_path, POLICY, port) as gateway,
    ):
        yield Cinema(gateway, root)


def filled(template: str, **values: int) -> str:
    return re.sub(r"\$(\w+)(?:%0(\d+)d)?\$", lambda one: str(values[one[1]]).zfill(int(one[2] or 0)), template)


async def manifest_of(port: int, cookie: str, item: str) -> tuple[str, ElementTree.Element]:
    answer = await ask(port, f"GET /api/{item}.json", cookie=cookie)
    assert answer.status == 200, answer
    found = json.loads(answer.body)
    assert (found["title"], found["next"]) == (item, None)
    manifest = await ask(port, f"GET {found['stream']}", cookie=cookie)
    assert manifest.status == 200, manifest
    assert b"topsecretkey" not in manifest.body
    return found["stream"], ElementTree.fromstring(manifest.body)


@pytest.mark.parametrize("sort", ["numbers", "times"])
async def test_a_player_loads_all_of_it_and_another_guest_nothing(sort: str, tmp_path: Path, media: Media) -> None:
    films = media.dash() if sort == "numbers" else media.dash_times()
    async with cinema(tmp_path, films) as at:
        port = at.gateway.port
        ada, _ = await enter(port, await at.gateway.make_link("aurora"))
        bob, _ = await enter(port, await at.gateway.make_link("nocturne"), name="Bob", email="bob@example.org")
        stream, root = await manifest_of(port, ada, "aurora")
        assert stream == (await manifest_of(port, ada, "aurora"))[0]
        asked: dict[str, bytes] = {}
        for one in root.iter(f"{MPD}Representation"):
            base, template = one.find(f"{MPD}BaseURL"), one.find(f"{MPD}SegmentTemplate")
            if template is None:
                assert base is not None
                assert base.text
                asked[base.text] = (films / base.text.rpartition("/")[2]).read_bytes()
                continue
            assert base is None
            urls = [template.get("initialization", "")]
            if sort == "numbers":
                urls += [filled(template.get("media", ""), Number=n + 1) for n in range(SECONDS // SEGMENT)]
            else:
                time, timeline = 0, template.find(f"{MPD}SegmentTimeline")
                for entry in timeline if timeline is not None else ():
                    time = int(entry.get("t", time))
                    for _ in range(int(entry.get("r", 0)) + 1):
                        urls.append(filled(template.get("media", ""), Time=time))
                        time += int(entry.get("d", 0))
            asked |= {url: (films / url.rpartition("/")[2]).read_bytes() for url in urls}
        assert len(asked) > 20
        for url, wanted in asked.items():
            assert url.startswith("/_gateway/s/")
            answer = await ask(port, f"GET {url}", cookie=ada)
            assert (answer.status, answer.body == wanted) == (200, True), url
        some = list(asked)[:: len(asked) // 8]
        for url in (stream, *some):
            assert (await ask(port, f"GET {url}", cookie=bob)).status == 403
            assert (await ask(port, f"GET {url}")).status == 403
        for path in ("/v/aurora/manifest.mpd", "/v/aurora/0-1.m4s", "/v/nocturne/manifest.mpd"):
            assert (await ask(port, f"GET {path}", cookie=ada)).status == 403
        part = await ask(port, f"GET {some[-1]}", cookie=ada, headers="Range: bytes=2-5\r\n")
        assert (part.status, part.body) == (206, asked[some[-1]][2:6])


async def test_megabytes_of_nonsense_are_refused_and_others_are_served_meanwhile(tmp_path: Path, media: Media) -> None:
    nonsense = {
        "manifest.mpd": b"<MPD><Period><AdaptationSet>"
        + b"<Representation id='a'><BaseURL>x.mp4</BaseURL></Representation>" * 150_000,
        "a.json": b'{"a":[' + b'"https://evil.test/",' * 450_000 + b"0]}",
        "a.m3u8": b"#EXTM3U\n" + b"#EXTINF:1,\nhttps://evil.test/x\n" * 300_000,
    }  # fmt: skip
    async with cinema(tmp_path, tmp_path / "films") as at:
        films, port = tmp_path / "films", at.gateway.port
        films.mkdir()
        for name, body in nonsense.items():
            (films / name).write_bytes(body)
        (at.root / "api" / "aurora.json").write_text(json.dumps([f"/v/aurora/{name}" for name in nonsense]))
        ada, _ = await enter(port, await at.gateway.make_link("aurora"))
        urls = json.loads((await ask(port, "GET /api/aurora.json", cookie=ada)).body)
        asking = asyncio.gather(*(ask(port, f"GET {url}", cookie=ada) for url in urls))
        served = 0
        while not asking.done():
            assert (await ask(port, "GET /page/aurora", cookie=ada)).status == 200
            served += 1
        assert served > 3
        for answer in await asking:
            assert answer.status in (200, 502)
            assert b"evil" not in answer.body


@pytest.mark.browser
async def test_a_browser_plays_it_with_segments_on_another_origin(tmp_path: Path, media: Media) -> None:
    if not Statics.load().library("dash"):
        missing("Shaka Player was not fetched")
    films = media.dash_times()
    home, pool = tmp_path / "v" / "aurora", tmp_path / "pool"
    home.mkdir(parents=True)
    pool.mkdir()
    (pool / "aurora").symlink_to(films)
    port = free_port()
    manifest = (films / "manifest.mpd").read_text()
    base = f"<BaseURL>https://evil.test/</BaseURL><BaseURL>http://127.0.0.1:{port}/pool/aurora/</BaseURL>"
    (home / "manifest.mpd").write_text(manifest.replace("<Period", f"{base}<Period", 1))
    types = " ".join(f"{kind} {ending[1:]};" for ending, kind in TYPES.items())
    strange = " ".join(f'if ($http_{name} != "") {{ return 403; }}' for name in ("x_key", "cookie", "referer"))
    guard = 'if ($http_x_key != "topsecretkey") { return 403; }'
    async with (
        nginx(tmp_path / "main", f"types {{ {types} }}\n" + folder(tmp_path / "v", "/v") + guard) as main,
        nginx(tmp_path / "other", f"types {{ {types} }}\n" + folder(pool, "/pool") + strange, port=port),
        running_gateway(tmp_path, PLAYED.format(pool=f"http://127.0.0.1:{port}"), main) as gateway,
        chromium() as browser,
    ):
        link = await gateway.make_link("aurora")
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
        await page.evaluate("() => { document.querySelector('video').currentTime = 9.2 }")
        await page.wait_for_function("() => document.querySelector('video').currentTime > 9.6", timeout=30_000)
        assert all(url.startswith((gateway.url, "blob:", "data:")) for url in asked)
        assert sum("/_gateway/s/" in url for url in asked) > 4
        assert await page.evaluate(
            "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10"
        )
