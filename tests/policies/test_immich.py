"""policies/immich.yaml in front of a stand-in for Immich, whose share key views, adds to other links, uploads, and wins
over or loses to whatever else a request says of its sender."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.test_guest_path import enter as enter_page
from tests.chromium import chromium
from tests.policies.watching import seek, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter
from tests.servers.fake_immich import FakeImmich
from tests.servers.films import Films
from tests.servers.immich_library import Album, Asset, Library, SharedLink, new_id

POLICY = Path(__file__).parents[2] / "policies" / "immich.yaml"


@dataclass
class Gallery:
    """An owner's album `for guests` with the film and the picture in it, shared as docs/servers/immich.md says; the
    other film has a careless link of its own."""

    stage: Stage
    server: FakeImmich
    link: SharedLink

    def __getitem__(self, name: str) -> Asset:
        return self.server.library.named(name)

    @property
    def port(self) -> int:
        return urlsplit(self.server.url).port or 0

    async def guest(self, name: str) -> str:
        cookie, _ = await enter(self.stage.guest.port, await self.stage.gateway.make_link(self[name].id))
        assert cookie
        return cookie

    def keeps(self) -> None:
        """Nobody got the key, in text or as the bytes it stands for, nor where a file lies."""
        raw = self.link.raw
        secrets = [self.link.key, raw.hex(), base64.b64encode(raw).decode(), "/data/library", "52.5"]
        self.stage.keeps(*secrets, f"127.0.0.1:{self.stage.server.port}", self.server.url[7:])


def library(films: Films) -> tuple[Library, SharedLink]:
    made = Library.of(films)
    owner = made.users[0]
    album = Album("for guests", owner, [made.named("film.mp4"), made.named("picture.jpg")])
    made.albums.append(album)
    link = SharedLink(owner, album=album, allow_upload=False, allow_download=False, show_metadata=False)
    made.links.append(link)
    return made, link


@pytest.fixture
async def gallery(tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gallery]:
    made, link = library(films)
    server = FakeImmich(made)
    monkeypatch.setenv("IMMICH_SHARE_KEY", link.key)
    async with server.running() as url, between(tmp_path, "immich", urlsplit(url).port or 0) as stage:
        yield Gallery(stage, server, link)


async def test_an_item_is_found_in_every_spelling_that_owners_have(gallery: Gallery) -> None:
    film, key = gallery["film.mp4"].id, gallery.server.library.links[1].key
    for spelling in (
        film, film.upper(), f" {film} ", f"https://photos.example/photos/{film}",
        f"https://photos.example/albums/{new_id()}/photos/{film}", f"https://photos.example/share/{key}/photos/{film}",
        f"https://photos.example/s/the-film/photos/{film}", f"https://photos.example/favorites/photos/{film.upper()}",
        f"https://photos.example/api/assets/{film}/thumbnail?size=preview&key={key}",
        f"https://photos.example/api/assets/{film}/original?apiKey=somebodys",
        f"https://photos.example/api/assets/{film}/video/playback?key={key}",
    ):  # fmt: skip
        made = await gallery.stage.gateway.make_link(spelling)
        view = await gallery.stage.gateway.link(made)
        assert (view.link.item, view.link.kind) == (film, "video"), spelling
        await gallery.stage.gateway.delete(made)
    picture = await gallery.stage.gateway.make_link(f"/photos/{gallery['picture.jpg'].id}")
    assert (await gallery.stage.gateway.link(picture)).link.kind == "photo"
    there = "\n".join(gallery.stage.server.asked)
    assert key not in there, "somebody's key, pasted with an address"
    assert "somebodys" not in there
    for odd in (
        f"https://photos.example/share/{key}", f"https://photos.example/albums/{new_id()}", "/s/the-film", key,
        f"{{{film}}}", film.replace("-", ""), f"{film}/original", f"{film}?key={key}", f"{film},{film}", "film.mp4",
        f"urn:uuid:{film}", "/memory?id=" + film, "/search?query=film", "",
    ):  # fmt: skip
        before = len(gallery.server.asked)
        with pytest.raises(LookupError):
            await gallery.stage.gateway.make_link(odd)
        assert len(gallery.server.asked) == before, odd


async def test_what_the_link_does_not_have_is_gone_and_a_key_that_is_over_is_trouble(gallery: Gallery) -> None:
    for asset in (gallery["other.mp4"].id, gallery["foreign.jpg"].id, new_id(), gallery.link.id):
        with pytest.raises(LookupError, match="is not on the media server"):
            await gallery.stage.gateway.make_link(asset)
    cookie = await gallery.guest("film.mp4")
    ok = f"/api/assets/{gallery['film.mp4'].id}/video/playback"
    assert (await ask(gallery.stage.guest.port, f"GET {ok}", cookie=cookie)).status == 200
    gallery.link.expires = 1.0
    assert (await ask(gallery.stage.guest.port, f"GET {ok}", cookie=cookie)).status == 401, "the server's own no"
    with pytest.raises(LookupError, match="could not be asked"):
        await gallery.stage.gateway.make_link(gallery["picture.jpg"].id)
    gallery.keeps()


async def test_what_is_taken_out_of_the_album_is_out_of_reach_at_once(gallery: Gallery) -> None:
    """Immich says it a second time."""
    cookie = await gallery.guest("film.mp4")
    film = gallery["film.mp4"]
    assert gallery.link.album is not None
    gallery.link.album.assets.remove(film)
    answer = await ask(gallery.stage.guest.port, f"GET /api/assets/{film.id}/video/playback", cookie=cookie)
    assert (answer.status, b"film" in answer.body) == (400, False)


async def test_the_asset_arrives_and_nothing_that_the_key_reaches_besides(gallery: Gallery) -> None:
    film, other, picture = (gallery[name] for name in ("film.mp4", "other.mp4", "picture.jpg"))
    a, b = film.id, picture.id  # of one album: the key views both
    cookie = await gallery.guest("film.mp4")
    at = gallery.stage.guest.port
    ok, away = f"/api/assets/{a}/video/playback", f"/api/assets/{b}/thumbnail?size=preview"
    whole = film.file.read_bytes()
    assert (await ask(at, f"GET {ok}", cookie=cookie)).body == whole
    part = await ask(at, f"GET {ok}", cookie=cookie, headers="Range: bytes=9-19\r\n")
    assert (part.status, part.body) == (206, whole[9:20])
    for size in ("preview", "thumbnail"):
        shown = await ask(at, f"GET /api/assets/{a}/thumbnail?size={size}", cookie=cookie)
        assert (shown.status, shown.headers["content-type"]) == (200, "image/jpeg")
    assert {one.header("x-immich-share-key") for one in gallery.server.asked} == {gallery.link.key}
    assert not [one for one in gallery.server.targets if gallery.link.key in one]

    stream = f"/api/assets/{a}/video/stream"
    careless, owners = gallery.server.library.links[1], gallery.server.library
    owners.sessions["a-session"] = owners.users[0]
    mine = f"x-immich-share-key: {gallery.link.key}\r\n"
    for request, headers in (  # what Immich itself answers to this key, or to one that an owner has lost
        (away, mine), (f"/api/assets/{a}", mine), ("/api/shared-links/me", mine), (f"{stream}/main.m3u8", mine),
        (f"/api/albums/{gallery.link.album.id if gallery.link.album else ''}", mine), (f"/API/ASSETS/{b}/Thumbnail",
        mine),
        (f"/api/assets/{other.id}/original?key={careless.key}", ""), (f"/share/{gallery.link.key}", ""),
        (f"/api/assets/{other.id}/original?sessionKey=a-session", ""), (f"/api/assets/{b}/thumbnail/", mine),
        (f"/api/assets/{other.id}/original?apiKey=key-that-may-all", ""), ("/api/server/config", ""),
    ):  # fmt: skip
        assert (await ask(gallery.port, f"GET {request}", headers=headers)).status == 200, request
        await gallery.stage.refuses(cookie, f"GET {request}")
    session = next(iter(owners.streams))
    await gallery.stage.refuses(cookie, *anywhere(ok, away))
    shown = f"/api/assets/{a}/thumbnail?size=preview"
    await gallery.stage.refuses(cookie, *(request for request in anywhere(shown, away) if "GET" in str(request)[:6]))
    body = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    head = "Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\n"
    await gallery.stage.refuses(
        cookie,
        *(f"GET {path}{mark}{one}" for path, mark in ((ok, "?"), (shown, "&")) for one in (
            f"key={careless.key}", f"%6bey={careless.key}", "slug=the-film", "apiKey=key-that-may-all", "x-api-key=x",
            "sessionKey=a-session", f"key[]={careless.key}", f"KEY={careless.key}", "password=x", "token=x",
            "edited=true",
        )),
        f"GET /api/assets/{a}/thumbnail", f"GET /api/assets/{a}/thumbnail?size=fullsize", f"GET {shown}&size=fullsize",
        f"GET /api/assets/{a}/thumbnail?size=preview;size=fullsize", f"GET /api/assets/{a}/thumbnail?SIZE=preview",
        f"GET /api/assets/{a}/thumbnail?size=Preview", f"GET /api/assets/{a}/thumbnail?size=fullsize&size=preview",
        f"GET /api/assets/{a}/thumbnail?size[]=preview", f"GET /api/assets/{a.upper()}/video/playback",
        f"GET /api/assets/{a}/original", f"GET /api/assets/{a}/file", f"GET /api/assets/{a}/metadata",
        f"GET /api/assets/{a}", f"PUT /api/assets/{a}/original", f"PUT /api/assets/{a}", f"GET /api/asset/file/{a}",
        f"GET {stream}/main.m3u8", f"GET {stream}/{session}/0/playlist.m3u8", f"GET {stream}/{session}/0/init.mp4",
        f"GET {stream}/{session}/0/seg_0.m4s", f"DELETE {stream}/{session}",
        "POST /api/assets", "DELETE /api/assets", "GET /api/assets/random", "GET /api/assets/statistics",
        "GET /api/shared-links/me", "GET /api/shared-links", "POST /api/shared-links", "POST /api/shared-links/login",
        f"PUT /api/shared-links/{careless.id}/assets", f"DELETE /api/shared-links/{careless.id}/assets",
        f"PATCH /api/shared-links/{gallery.link.id}", "POST /api/download/archive", "POST /api/download/info",
        "GET /api/timeline/buckets", "GET /api/timeline/bucket?timeBucket=2026-11-01", "POST /api/search/metadata",
        "GET /api/users/me", "GET /api/people", "GET /api/map/markers", "GET /api/memories", "GET /api/tags",
        "GET /api/activities", "GET /api/server/config", "GET /api/server/ping",
        "GET /api/socket.io/?EIO=4&transport=polling",
        f"GET /share/{gallery.link.key}", "GET /s/the-film", f"GET /photos/{a}", "GET /", "GET /auth/login",
        f"PUT /api/shared-links/{careless.id}/assets HTTP/1.1\r\n{head}{body}".encode(),
        f"POST {ok} HTTP/1.1\r\n{head}{body}".encode(), f"GET {ok} HTTP/1.1\r\n{head}{body}".encode(),
    )  # fmt: skip
    before = len(gallery.server.asked)
    words = "".join(f"{name}: {said}\r\n" for name, said in (
        ("X-Immich-Share-Key", careless.key), ("x-immich-share-slug", "the-film"), ("x_immich_share_key", careless.key),
        ("x-immich-user-token", "a-session"), ("x-immich-session-token", "a-session"), ("x-api-key",
        "key-that-may-all"),
        ("Authorization", "Bearer a-session"),
    ))  # fmt: skip
    lying = f"{cookie}; immich_access_token=a-session; immich_shared_link_token=x"
    assert (await ask(at, f"GET {ok}", cookie=lying, headers=words)).body == whole
    (came,) = gallery.server.asked[before:]
    assert came.header("x-immich-share-key") == gallery.link.key
    said = " ".join(f"{name}: {text}" for name, text in came.headers)
    assert not [word for word in ("a-session", careless.key, "key-that-may-all", "the-film", "ookie") if word in said]
    await ignores_what_a_guest_says_of_itself(gallery.stage, cookie, ok)
    assert not gallery.server.uploaded
    assert not gallery.server.sockets
    assert session in owners.streams
    gallery.keeps()


async def test_a_picture_is_the_page_and_its_original_is_not_there(gallery: Gallery) -> None:
    picture = gallery["picture.jpg"]
    cookie, answer = await enter(gallery.stage.guest.port, await gallery.stage.gateway.make_link(picture.id))
    landing = answer.headers["location"]
    assert landing == f"/api/assets/{picture.id}/thumbnail?size=preview"
    shown = await ask(gallery.stage.guest.port, f"GET {landing}", cookie=cookie, headers="Accept: text/html\r\n")
    assert (shown.status, shown.headers["content-type"], shown.body) == (
        200,
        "image/jpeg",
        picture.preview.read_bytes(),
    )
    film = gallery["film.mp4"].id
    await gallery.stage.refuses(
        cookie, *anywhere(landing, f"/api/assets/{film}/thumbnail?size=preview"),
        f"GET /api/assets/{picture.id}/original", f"GET /api/assets/{picture.id}/video/playback",
        f"GET /api/assets/{picture.id}/thumbnail?size=fullsize",
    )  # fmt: skip


async def test_the_group_download_gives_the_file_where_the_link_does(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, link = library(films)
    link.allow_download = link.show_metadata = True
    monkeypatch.setenv("IMMICH_SHARE_KEY", link.key)
    text = POLICY.read_text().replace("  on_revoke: drain", "  on_revoke: drain\n  interactions: [download]")
    server = FakeImmich(made)
    async with server.running() as url, between(tmp_path, text, urlsplit(url).port or 0) as stage:
        gallery = Gallery(stage, server, link)
        film = gallery["film.mp4"]
        cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(film.id))
        page = (await ask(stage.guest.port, f"GET {answer.headers['location']}", cookie=cookie)).body.decode()
        assert f"/api/assets/{film.id}/original" in page.replace("&#47;", "/")
        assert "film.mp4" in page, "the title, as the link shows metadata"
        got = await ask(stage.guest.port, f"GET /api/assets/{film.id}/original", cookie=cookie)
        assert got.body == film.file.read_bytes()
        gallery.keeps()


async def test_an_api_key_with_two_permissions_does_as_well(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way of docs/servers/immich.md: all assets of the account, one for each guest."""
    made, _ = library(films)
    made.keys["key-for-the-gateway"] = (made.users[0], frozenset({"asset.read", "asset.view"}))
    monkeypatch.setenv("IMMICH_API_KEY", "key-for-the-gateway")
    old, new = 'x-immich-share-key: "${IMMICH_SHARE_KEY}"', 'x-api-key: "${IMMICH_API_KEY}"'
    docs = (POLICY.parents[1] / "docs" / "servers" / "immich.md").read_text()
    assert new in docs
    assert old in POLICY.read_text()
    server = FakeImmich(made)
    async with (
        server.running() as url,
        between(tmp_path, POLICY.read_text().replace(old, new), urlsplit(url).port or 0) as stage,
    ):
        other = made.named("other.mp4").id
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(other))
        ok = f"/api/assets/{other}/video/playback"
        assert (await ask(stage.guest.port, f"GET {ok}", cookie=cookie)).status == 200
        with pytest.raises(LookupError, match="is not on the media server"):
            await stage.gateway.make_link(made.named("foreign.jpg").id)
        await stage.refuses(cookie, *anywhere(ok, f"/api/assets/{made.named('film.mp4').id}/video/playback"))
        stage.keeps("key-for-the-gateway")


@pytest.mark.browser
async def test_two_browsers_play_and_seek_and_one_looks_at_a_picture(gallery: Gallery) -> None:
    film, picture = gallery["film.mp4"].id, gallery["picture.jpg"].id
    async with chromium() as browser:
        ada, bob, cleo = [await (await browser.new_context()).new_page() for _ in range(3)]
        link = await gallery.stage.gateway.make_link(film)
        await watch(ada, link)
        await watch(bob, link)
        await seek(ada, 8)
        guests = await gallery.stage.gateway.desk.guests("tv", film)
        assert isinstance(guests, list)
        first = min(guests, key=lambda one: one.guest.first_seen)
        await gallery.stage.gateway.desk.remove(first.guest, erase=False)
        await seek(bob, 6)
        assert await value(bob, "v.error === null")
        # Asked without the browser, which keeps what it has had for a day, as Immich says.
        mine = "; ".join(f"{one['name']}={one['value']}" for one in await ada.context.cookies())
        refused = await ask(gallery.stage.guest.port, f"GET /api/assets/{film}/video/playback", cookie=mine)
        assert refused.status in (403, 410)
        await enter_page(cleo, await gallery.stage.gateway.make_link(picture))
        await cleo.wait_for_url(f"**/api/assets/{picture}/thumbnail?size=preview")
        assert await cleo.evaluate("document.images[0].naturalWidth") > 0
    gallery.keeps()
