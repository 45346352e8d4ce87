"""policies/nginx-vod.yaml in front of a stand-in for nginx-vod-module, with films that are looked up
by a mapping ("mapped") or lie in a folder ("local").

The module reads an address after nginx has: it takes parameters out of the path and joins at commas, and what comes out
is looked up with its dots. Asked directly it gives the other item for a dozen spellings of the guest's; through the
gateway none of them arrives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gateway.policy.pattern import compile_pattern
from tests.browser.test_guest_path import enter as enter_in_browser
from tests.browser.test_guest_path import playing, video
from tests.chromium import chromium
from tests.media import Media
from tests.policies.fake_nginx_vod import FakeVod, cut, fake_nginx_vod
from tests.policies.test_hls import captions_and_quality
from tests.policies.wire import Stage, between
from tests.running import ask, enter

POLICY = Path(__file__).parents[2] / "policies" / "nginx-vod.yaml"

# What the server gives when it is asked directly, mapped and local: A is the guest's item, B the other one, C a film
# outside of the folder, else the status. ID and OTHER are `aurora` and `nocturne`, in local mode with END, .mp4, behind
# them. The real module was asked all of them once, and gave the same.
VECTORS = """
GET /hls/OTHER/index-f1-v1.m3u8                      B    B
GET /hls/ID/../OTHER/index-f1-v1.m3u8                B    B
GET /hls/ID/%2e%2e/OTHER/index-f1-v1.m3u8            B    B
GET /hls/ID/..%2fOTHER/index-f1-v1.m3u8              B    B
GET /hls/ID%2f..%2fOTHER/index-f1-v1.m3u8            B    B
GET /hls//OTHER/index-f1-v1.m3u8                     B    B
GET //hls/OTHER/index-f1-v1.m3u8                     B    B
GET /hls/noct,urneEND.urlset/index-f1-v1.m3u8        B    B
GET /hls/shelf/.,./OTHER,.urlset/index-f1-v1.m3u8    B    B
GET /hls/shelf/.,./OTHER.urlset/index-f1-v1.m3u8     B    B
GET /hls/ID/.,./OTHER,.urlset/index-f1-v1.m3u8       B    404
GET /hls/ID/.%2c./OTHER%2c.urlset/seg-1-f1-v1-a1.ts  B    404
GET /hls/ID/%2e,%2e/OTHER,.urlset/seg-1-f1-v1-a1.ts  B    404
GET /hls/.,./secret.mp4,.urlset/index-f1-v1.m3u8     502  C
GET /hls/.,./secret.mp4.urlset/index-f1-v1.m3u8      502  C
GET /hls/clipFrom/3000/OTHER/index-f1-v1.m3u8        B    B
GET /hls/CLIPTO/3000/OTHER/index-f1-v1.m3u8          B    B
GET /hls/OTHER/tracks/v1/index-f1-v1.m3u8            B    B
GET /hls/%6eocturneEND/index-f1-v1.m3u8              B    B
GET /dash/ID/../OTHER/manifest.mpd                   B    B
GET /dash/shelf/.,./OTHER,.urlset/manifest.mpd       B    B
GET /dash/clipTo/3000/OTHER/init-f1-v1-x3.mp4        B    B
GET /thumb/ID/../OTHER/thumb-1000-f1.jpg             B    B
GET /thumb/shelf/.,./OTHER,.urlset/thumb-0-f1.jpg    B    B
GET /hls/auro,raEND.urlset/index-f1-v1.m3u8          A    A
GET /hls/clipFrom/3000/ID/index-f1-v1.m3u8           A    A
GET /hls/ID/clipTo/3000/index-f1-v1.m3u8             A    A
GET /hls/ID/lang/deu/master.m3u8                     A    A
GET /hls/ID//index-f1-v1.m3u8                        A    A
GET /hls/ID/index-f1-v1.m3u8?clipFrom=3000           A    A
GET /hls/ID/index-f1-v1.m3u8#x                       A    A
GET /thumb/ID/thumb-1000-w9999-f1.jpg                A    A
GET /thumb/ID/thumb-1000-w99999-f1.jpg               500  500
GET /hls/clipTo/ID/OTHER/index-f1-v1.m3u8            400  400
GET /hls/Aurora/index-f1-v1.m3u8                     502  404
GET /hls/ID.urlset/index-f1-v1.m3u8                  502  404
GET /hls/ID;x/index-f1-v1.m3u8                       502  404
GET /hls/ID/index-f1-v1.m3u8;x                       400  400
GET /hls/ID/index-f1-v1.m3u8%00                      400  400
GET /hls/ID/index-f1-v1.m3u8/                        400  400
GET /hls/ID/volume_map.csv                           400  400
GET /hls/ID/                                         400  400
GET /hls/ID                                          400  400
GET /hls/ID/seg-0-f1-v1.ts                           400  400
GET /hls/master.m3u8                                 502  404
POST /hls/ID/master.m3u8                             405  405
OPTIONS /hls/ID/master.m3u8                          200  200
GET /vod_status                                      200  200
GET /media/OTHER                                     200  200
"""
FILES = [
    "hls/ID/master.m3u8", "hls/ID/index-s180-v1-a1.m3u8", "hls/ID/index-f3.m3u8", "hls/ID/seg-1-s90-v1-a1.ts",
    "hls/ID/seg-6-f1-v1-a1.ts", "hls/ID/seg-2-f4.vtt", "dash/ID/manifest.mpd",
    "dash/ID/init-f1-v1-x3.mp4", "dash/ID/fragment-2-f2-v1-x3.m4s", "dash/ID/fragment-1-f1-a1-x3.m4s",
    "dash/ID/sub-f3.vtt", "thumb/ID/thumb-1000-w640-f1.jpg",
]  # fmt: skip


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, media: Media) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("vod")
    return {item: cut(media, root, item) for item in ("aurora", "nocturne", "secret")}


@dataclass
class Cinema:
    server: FakeVod
    stage: Stage
    ending: str

    @property
    def item(self) -> str:
        return f"aurora{self.ending}"

    def named(self, text: str) -> str:
        """With the ids of this mode."""
        return text.replace("OTHER", f"nocturne{self.ending}").replace("ID", self.item).replace("END", self.ending)


@pytest.fixture(params=["mapped", "local"])
async def cinema(request: pytest.FixtureRequest, tmp_path: Path, films: dict[str, Path]) -> AsyncIterator[Cinema]:
    ending = {"mapped": "", "local": ".mp4"}[request.param]
    library = {f"{item}{ending}": films[item] for item in ("aurora", "nocturne")}
    if ending:
        library["outside of the folder/secret.mp4"] = films["secret"]
    async with fake_nginx_vod(library, request.param) as server, between(tmp_path, "nginx-vod", server.port) as stage:
        yield Cinema(server, stage, ending)


async def directly(server: FakeVod, line: str) -> str:
    server.items.clear()
    answer = await ask(server.port, line)
    if answer.status == 200 and server.items:
        return {"aurora": "A", "nocturne": "B", "secret": "C"}[server.items[0]]
    return str(answer.status)


async def test_what_the_server_would_give_is_never_asked_of_it(cinema: Cinema) -> None:
    cookie, answer = await enter(cinema.stage.guest.port, await cinema.stage.gateway.make_link(cinema.item))
    assert answer.status == 303
    lines = VECTORS.strip().splitlines()
    assert len(lines) > 40
    for line in lines:
        method, target, *verdicts = cinema.named(line).split()
        verdict = verdicts[bool(cinema.ending)]
        assert await directly(cinema.server, f"{method} {target}") == verdict, (target, verdict)
        if method != "OPTIONS":
            await cinema.stage.refuses(cookie, f"{method} {target}")
    asked = len(cinema.stage.server.asked)
    await ask(cinema.stage.guest.port, f"OPTIONS /hls/{cinema.item}/master.m3u8", cookie=cookie)
    assert len(cinema.stage.server.asked) == asked


async def test_files_of_the_item_pass(cinema: Cinema) -> None:
    port = cinema.stage.guest.port
    cookie, _ = await enter(port, await cinema.stage.gateway.make_link(cinema.item))
    for file in FILES:
        path = cinema.named(file)
        ours = await ask(port, f"GET /{path}", cookie=cookie)
        theirs = await ask(cinema.server.port, f"GET /{path}")
        assert theirs.status == 200, path
        assert (ours.status, ours.body) == (200, theirs.body), path
        await cinema.stage.refuses("", f"GET /{path}")
    assert set(cinema.server.items) == {"aurora"}


async def test_an_item_that_is_not_there_is_gone(cinema: Cinema) -> None:
    for item in ("nothing-here", "aurora,nocturne", "aurora.urlset", "../aurora", "aurora/clipTo"):
        with pytest.raises(LookupError):
            await cinema.stage.gateway.make_link(item)


async def test_renditions_joined_by_commas_stand_in_the_environment(
    tmp_path: Path, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's own commas are literal text of each rule; what a guest puts between them is not."""
    monkeypatch.setenv("VOD_FILES", "/,180.mp4,90.mp4,.urlset")
    library = {f"{item}/180.mp4": folder for item, folder in films.items()}
    async with fake_nginx_vod(library, "local") as server, between(tmp_path, "nginx-vod", server.port) as stage:
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("aurora"))
        joined = "GET /hls/aurora/,180.mp4,90.mp4,.urlset"
        assert (await ask(stage.guest.port, f"{joined}/master.m3u8", cookie=cookie)).status == 200
        assert (await ask(stage.guest.port, f"{joined}/seg-1-f1-v1-a1.ts", cookie=cookie)).status == 200
        await stage.refuses(
            cookie,
            "GET /hls/nocturne/,180.mp4,90.mp4,.urlset/master.m3u8",
            "GET /hls/aurora/.,./nocturne/180.mp4,.urlset/master.m3u8",
            "GET /hls/aurora/,180.mp4,.urlset/master.m3u8",
            "GET /hls/aurora/,../nocturne/180.mp4,.urlset/master.m3u8",
            "GET /hls/aurora/180.mp4/master.m3u8",
        )
        assert await directly(server, "GET /hls/shelf/.,./nocturne/180.mp4,.urlset/master.m3u8") == "B"
        assert set(server.items) == {"nocturne"}


async def test_whole_addresses_in_playlists_become_the_guest_s(tmp_path: Path, films: dict[str, Path]) -> None:
    """Without `vod_base_url ""` the module writes the Host that it was asked by, which is the server's own."""
    async with (
        fake_nginx_vod(dict(films), "mapped", base_url=True) as server,
        between(tmp_path, "nginx-vod", server.port) as stage,
    ):
        own = await ask(server.port, "GET /hls/aurora/master.m3u8", host="evil.example")
        assert b"http://evil.example/hls/aurora/index-s180-v1-a1.m3u8" in own.body
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("aurora"))
        for path in ("/hls/aurora/master.m3u8", "/hls/aurora/index-s180-v1-a1.m3u8"):
            listed = await ask(stage.guest.port, f"GET {path}", cookie=cookie)
            named = [line for line in listed.body.decode().splitlines() if line and line[0] != "#"]
            assert len(named) > 1
            assert all(line.startswith("/hls/aurora/") for line in named), named
            assert str(stage.server.port).encode() not in listed.body
            assert (await ask(stage.guest.port, f"GET {named[0]}", cookie=cookie)).status == 200


async def test_the_key_of_an_encrypted_item_is_its_own(tmp_path: Path, films: dict[str, Path]) -> None:
    async with (
        fake_nginx_vod(dict(films), "mapped", encrypted=True) as server,
        between(tmp_path, "nginx-vod", server.port) as stage,
    ):
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link("aurora"))
        key = await ask(stage.guest.port, "GET /hls/aurora/encryption.key", cookie=cookie)
        assert key.body == b"aurora.........."
        assert await directly(server, "GET /hls/aurora/.,./nocturne,.urlset/encryption.key") == "B"
        await stage.refuses(
            cookie,
            "GET /hls/nocturne/encryption.key",
            "GET /hls/aurora/../nocturne/encryption.key",
            "GET /hls/aurora/.,./nocturne,.urlset/encryption.key",
        )


@pytest.mark.browser
@pytest.mark.parametrize("cinema", ["mapped"], indirect=True)
async def test_a_browser_plays_with_captions_another_quality_and_a_jump(cinema: Cinema) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await enter_in_browser(page, await cinema.stage.gateway.make_link("aurora"))
        await page.get_by_role("button", name="Play").first.click()
        await playing(page, 1)
        await captions_and_quality(page)
        await page.evaluate("document.querySelector('video').currentTime = 8")
        await playing(page, 1)
        assert await video(page, "v.currentTime > 8.9")
        assert any("/hls/aurora/seg-1-s180-v1-a1.ts" in url for url in asked)
        assert any("-s90-v1-a1.ts" in url for url in asked)
        assert any(url.endswith("/thumb/aurora/thumb-1000-w640-f1.jpg") for url in asked)
    assert set(cinema.server.items) == {"aurora"}


def test_no_pattern_of_the_policy_can_hold_a_comma() -> None:
    patterns = yaml.safe_load(POLICY.read_text())["patterns"]
    assert len(patterns) > 5
    for name, text in patterns.items():
        for mark in ",;%=&:/":
            assert not compile_pattern(text).can_hold(mark), (name, mark)
