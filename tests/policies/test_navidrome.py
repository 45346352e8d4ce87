"""policies/navidrome.yaml in front of a stand-in for Navidrome, where `?:id=` wins over the path,
a token once seen opens
what it names, and a header of a trusted proxy is somebody's login."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.browser.test_guest_path import enter as enter_page
from tests.chromium import chromium
from tests.policies.watching import until, value
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter
from tests.servers.fake_navidrome import FakeNavidrome
from tests.servers.films import Films
from tests.servers.navidrome_library import Library, Share, Signer

POLICY = Path(__file__).parents[2] / "policies" / "navidrome.yaml"


@dataclass
class Music:
    """Two shares: the guest's, and another one."""

    stage: Stage
    server: FakeNavidrome

    @property
    def mine(self) -> Share:
        return self.server.library.shares[0]

    @property
    def other(self) -> Share:
        return self.server.library.shares[1]

    @property
    def port(self) -> int:
        return urlsplit(self.server.url).port or 0

    def token(self, share: Share, **more: object) -> str:
        return self.server.public.sign({"id": share.songs[0].id, "sid": share.id, **more})

    async def guest(self) -> str:
        cookie, answer = await enter(self.stage.guest.port, await self.stage.gateway.make_link(self.mine.id))
        assert answer.headers["location"].endswith(f"/share/{self.mine.id}")
        return cookie

    async def get(self, cookie: str, path: str) -> bytes:
        answer = await ask(self.stage.guest.port, f"GET {path}", cookie=cookie)
        assert answer.status == 200, (path, answer)
        return answer.body

    def keeps(self) -> None:
        """No place on this machine, no path of a file, no login."""
        folder = str(self.mine.songs[0].file.parent)
        self.stage.keeps(f"127.0.0.1:{self.stage.server.port}", self.server.url[7:], folder, "subsonicToken")


@pytest.fixture
async def music(request: pytest.FixtureRequest, tmp_path: Path, films: Films) -> AsyncIterator[Music]:
    """A test may ask for a Navidrome that is set up in another way."""
    server = FakeNavidrome(Library.of(films), **getattr(request, "param", {}))
    async with server.running() as url, between(tmp_path, "navidrome", urlsplit(url).port or 0) as stage:
        yield Music(stage, server)


async def test_a_share_is_found_in_every_spelling_that_owners_have(music: Music) -> None:
    share = music.mine.id
    for spelling in (
        share, f" {share}\n", f"https://music.example/share/{share}", f"https://music.example/share/{share}/m3u",
        f"https://music.example/share/d/{share}", f"https://music.example/app/#/share/{share}",
        f"https://music.example/share/{share}?utm_source=chat", f"/share/{share}",
    ):  # fmt: skip
        made = await music.stage.gateway.make_link(spelling)
        view = await music.stage.gateway.link(made)
        assert (view.link.item, view.link.kind) == (share, "audio"), spelling
        await music.stage.gateway.delete(made)
    song = music.mine.songs[0]
    for odd in (
        song.id, f"https://music.example/app/#/album/{song.album_id}/show",
        f"https://music.example/app/#/song/{song.id}",
        f"https://music.example/app/#/playlist/{song.id}/show",
        f"https://music.example/share/s/{music.token(music.mine)}",
        f"{share}/", f"{share}?:id={music.other.id}", f"{share}0", share[:-1], "", "https://music.example/share/",
        f"{share},{share}", f"%20{share}",
    ):  # fmt: skip
        before = len(music.server.asked)
        with pytest.raises(LookupError):
            await music.stage.gateway.make_link(odd)
        assert len(music.server.asked) == before, odd


async def test_a_share_that_is_gone_or_over_makes_no_link_and_ends_for_who_is_in(music: Music) -> None:
    with pytest.raises(LookupError, match="is not on the media server"):
        await music.stage.gateway.make_link("0123456789")
    swapped = music.mine.id.swapcase()
    with pytest.raises(LookupError, match="is not on the media server"):
        await music.stage.gateway.make_link(swapped)
    cookie = await music.guest()
    page = f"/share/{music.mine.id}"
    await music.get(cookie, page)
    music.mine.expires = 1.0
    with pytest.raises(LookupError, match="is not on the media server"):
        await music.stage.gateway.make_link(music.mine.id)
    assert (await ask(music.stage.guest.port, f"GET {page}", cookie=cookie)).status in (404, 410)


async def test_the_share_arrives_and_nothing_that_navidrome_gives_to_anybody_besides(music: Music) -> None:
    cookie = await music.guest()
    a, b, song = music.mine.id, music.other.id, music.mine.songs[0]
    at = music.stage.guest.port
    text = (await music.get(cookie, f"/share/{a}")).decode()
    public = f"http://127.0.0.1:{at}"
    assert f'<meta property="og:url" content="{public}/share/{a}">' in text
    mine = re.findall(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}", text.partition("__SHARE_INFO__")[2])[0]
    theirs, cover = music.server.token(music.other, music.other.songs[0].id), music.server.cover_token(music.mine)
    whole = song.file.read_bytes()
    assert await music.get(cookie, f"/share/s/{mine}") == whole
    part = await ask(at, f"GET /share/s/{mine}", cookie=cookie, headers="Range: bytes=9-19\r\n")
    assert (part.status, part.body) == (206, whole[9:20])
    for query in ("", "?size=300", "?size=300&square=true"):
        assert await music.get(cookie, f"/share/img/{mine}{query}") == song.cover.read_bytes()
    assert b"SHARE_INFO" in await music.get(cookie, "/share/assets/index-Fk3w9Q.js")
    await music.get(cookie, "/share/manifest.webmanifest")

    ok, away = f"/share/s/{mine}", f"/share/s/{theirs}"
    open_doors = (  # what Navidrome gives to whoever asks, for another share or more than the share
        f"/share/{b}", f"/share/{a}?:id={b}", f"/share/{a}?%3Aid={b}", f"/share/{a}?%3aid={b}", away, f"/share/{a}/m3u",
        f"{ok}?:id={theirs}", f"{ok}?%3Aid={theirs}", f"/share/img/{mine}?:id={theirs}", f"/share/img/{theirs}",
        f"/share/img/{mine}?size=300&%3Aid={theirs}", f"/share/img/{cover}", f"/share/{a}/m3u?:id={b}", "/ping",
        "/app/",
        f"/share/img/{mine}?size=300&square=true&:id={cover}", "/share/robots.txt", f"{ok}?&:id={theirs}",
    )  # fmt: skip
    for request in open_doors:
        assert (await ask(music.port, f"GET {request}")).status == 200, request
        await music.stage.refuses(cookie, f"GET {request}", f"HEAD {request}", f"POST {request}")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        await music.stage.refuses(cookie, f"{method} /share/{a}", f"{method} {ok}")
    await music.stage.refuses(cookie, *anywhere(ok, away), *anywhere(f"/share/{a}", f"/share/{b}"))
    head, body, seal = mine.split(".")
    named = json.dumps({"id": song.id, "sid": b})[1:-1]
    forged = [
        music.token(music.mine, Sid=b), music.token(music.mine, SID=b), Signer().sign({"id": "x", "sid": b}),
        music.token(music.other, sid_=a), music.server.public.sign({"id": song.id, "sid": [a]}),
        music.server.public.sign({"id": song.id, "sid": {"sid": a}}), music.server.public.sign({"id": song.id}),
        music.server.public.sign({"id": song.id, "sid": a.swapcase()}), music.server.public.sign({"sid": f"{a} "}),
        f"{head}.{body}", f"{head}.{body}.{seal}.{seal}", f"{head}.{body}=.{seal}",
        f".{body}.{seal}", f"{head}.{body}.", f"{head}%2e{body}%2f.{seal}", f"{head}.{body}.{seal}%00", f"{mine}.mp3",
        twice(named, a), f"{mine},{theirs}", f"{theirs}.{mine}", "",
    ]  # fmt: skip
    await music.stage.refuses(cookie, *(f"GET /share/s/{one}" for one in forged if one != mine))
    await music.stage.refuses(
        cookie,
        *(f"GET /share/{a}?{one}" for one in (
            f":ID={b}", f"id={b}", f"x&:id={b}", f":id={b}&:id={a}", f"jwt={mine}", f";:id={b}", f"%253Aid={b}",
            f":id={a}",
            f"%3A%69%64={b}", f":id%3D{b}", "u=admin&p=x", "", "a",
        ) if one),
        *(f"GET /share/img/{mine}?{one}" for one in (
            "size=0", "size=99999", "size=-1", "size=300&size=3", "square=false", "square=1", "Size=300",
            "size=300;square=true",
            "size=300&x=1", "size[]=3", f"size=%33&:id={theirs}",
        )),
        f"GET {ok}?format=raw", f"GET {ok}?bitrate=1", f"GET /share/d/{a}", f"GET /share/d/{b}",
        f"GET /share/d/{a}?:id={b}",
        "GET /share", "GET /share/", f"GET /share/?:id={b}", "GET /share/index.html", "GET /share/sw.js",
        "GET /share/assets/",
        f"GET /share/assets/index-Fk3w9Q.js?:id={b}", "GET /share/assets/..%2fx.js", "GET /share/assets/x/index.js",
        "GET /share/assets/.js", "GET /share/assets/a..js", "GET /share/favicon.png.html",
        f"GET /share/assets/%3f:id={b}.js",
        f"GET /share/img/{song.id}", f"GET /share/img/al-{song.album_id}", f"GET /share/s/{song.id}", "GET /share/s/",
        "GET /", "GET /app", "GET /app/index.html", "POST /auth/login", "POST /auth/createAdmin", "GET /api/song",
        "GET /api/share", "POST /api/share", "GET /rest/ping.view", f"GET /rest/stream?id={song.id}",
        "GET /rest/getShares.view",
        "GET /metrics", "GET /backgrounds", "GET /Items", "GET /System/Info/Public", "GET /Users",
        "GET /emby/System/Info",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(music.stage, cookie, ok)
    assert not music.other.visits or music.other.visits <= len(open_doors), "none of the gateway's"
    music.keeps()


@pytest.mark.parametrize("music", [{"trusts_gateway": True}], indirect=True)
async def test_a_guest_who_names_a_user_is_nobody_also_where_navidrome_trusts_the_gateway(music: Music) -> None:
    page = f"/share/{music.mine.id}"
    direct = await ask(music.port, f"GET {page}", headers="Remote-User: admin\r\n")
    assert b"subsonicToken" in direct.body, "a login, for whoever says so from there"
    cookie = await music.guest()
    known = len(music.server.library.users)
    for name in ("Remote-User", "REMOTE-USER", "Remote_User", "remote.user", "X-Remote-User", "X-Forwarded-User"):
        lying = await ask(music.stage.guest.port, f"GET {page}", cookie=cookie, headers=f"{name}: admin\r\n")
        assert b"subsonic" not in lying.body, name
    assert len(music.server.library.users) == known
    assert not [one for one in music.server.asked[1:] if one.header("remote-user")]
    music.keeps()


@pytest.mark.parametrize("music", [{"base": "/music", "share_url": "https://music.example"}], indirect=True)
async def test_below_a_base_url(music: Music, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAVIDROME_BASE", "/music")
    (tmp_path / "below").mkdir()
    async with between(tmp_path / "below", "navidrome", music.port) as stage:
        below = Music(stage, music.server)
        cookie = await below.guest()
        text = (await below.get(cookie, f"/music/share/{below.mine.id}")).decode()
        assert "noShareURL" in text
        token = below.token(below.mine)
        assert await below.get(cookie, f"/music/share/s/{token}") == below.mine.songs[0].file.read_bytes()
        await stage.refuses(
            cookie, f"GET /share/{below.mine.id}", f"GET /music/share/{below.other.id}", "GET /music/app/"
        )


async def test_the_group_download_gives_the_share_and_no_other(tmp_path: Path, films: Films) -> None:
    library = Library.of(films)
    for share in library.shares:
        share.downloadable = True
    text = POLICY.read_text().replace("  on_revoke: drain", "  on_revoke: drain\n  interactions: [download]")
    server = FakeNavidrome(library)
    async with server.running() as url, between(tmp_path, text, urlsplit(url).port or 0) as stage:
        music = Music(stage, server)
        cookie = await music.guest()
        assert (await music.get(cookie, f"/share/d/{music.mine.id}"))[:2] == b"PK"
        await stage.refuses(
            cookie, f"GET /share/d/{music.other.id}", f"GET /share/d/{music.mine.id}?:id={music.other.id}"
        )


@pytest.mark.browser
@pytest.mark.parametrize("music", [{"share_url": "https://music.example"}], indirect=True)
async def test_two_browsers_play_on_the_share_page_and_seek_and_one_is_removed(music: Music) -> None:
    """Also where the page would fetch songs from Navidrome's own address on the web."""
    share = music.mine
    async with chromium() as browser:
        ada, bob = [await (await browser.new_context()).new_page() for _ in range(2)]
        hosts: set[str] = set()
        bob.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        link = await music.stage.gateway.make_link(share.id)
        for page in (ada, bob):
            await enter_page(page, link)
            await page.wait_for_url(f"**/share/{share.id}")
            await heard(page, 1)
        assert await bob.title() == share.description
        assert await bob.evaluate("document.querySelector('img').naturalWidth") > 0
        await value(ada, "v.currentTime = 6")
        await heard(ada, 6.5)
        guests = await music.stage.gateway.desk.guests("tv", share.id)
        assert isinstance(guests, list)
        first = min(guests, key=lambda one: one.guest.first_seen)
        await music.stage.gateway.desk.remove(first.guest, erase=False)
        await value(bob, "v.currentTime = 8")
        await heard(bob, 8.5)
        mine = "; ".join(f"{one['name']}={one['value']}" for one in await ada.context.cookies())
        refused = await ask(music.stage.guest.port, f"GET /share/s/{music.token(share)}", cookie=mine)
        assert refused.status in (403, 410)
        assert hosts == {f"127.0.0.1:{music.stage.guest.port}"}
    music.keeps()


async def heard(page: Page, beyond: float) -> None:
    await page.locator("audio").first.wait_for(state="attached", timeout=45_000)
    await value(page, "(v.muted = true, void v.play().catch(() => {}))")
    await until(page, f"v.currentTime > {beyond} && !v.error")


def twice(named: str, share: str) -> str:
    """A token in which `sid` stands twice."""
    parts = (b'{"alg":"HS256","typ":"JWT"}', f'{{{named},"sid":"{share}"}}'.encode(), b"0" * 32)
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
