"""The fake Immich shows one asset to its own client package, and what else a share key is good for."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.servers.asking import Said, ask, tell
from tests.servers.fake_immich import FakeImmich
from tests.servers.films import SEGMENTS, Films
from tests.servers.immich_library import Library, SharedLink
from tests.servers.npm_clients import run_client


@pytest.fixture
async def server(films: Films) -> AsyncIterator[FakeImmich]:
    server = FakeImmich(Library.of(films))
    async with server.running():
        yield server


async def by(server: FakeImmich, link: SharedLink, target: str, method: str = "GET", **headers: str) -> Said:
    """As somebody who holds the link's key, sent in its header."""
    return await ask(server.url, f"/api{target}", method=method, headers={"x-immich-share-key": link.key, **headers})


def form(data: bytes) -> tuple[dict[str, str], bytes]:
    """A form with a file, as browsers send it."""
    part = (
        b'--x\r\nContent-Disposition: form-data; name="assetData"; filename="a.jpg"\r\n\r\n' + data + b"\r\n--x--\r\n"
    )
    return {"Content-Type": "multipart/form-data; boundary=x"}, part


async def test_its_own_client_sees_a_shared_film(clients: Path, server: FakeImmich, films: Films) -> None:
    film = server.library.named("film.mp4")
    saw = await run_client(clients, "immich.mjs", server.url, "key-that-may-all", film.id)
    whole = film.file.stat().st_size
    assert saw == {
        "me": "owner",
        "upload": True,  # nobody said no
        "mine": [film.id],
        "info": "VIDEO",
        "thumbnail": film.preview.stat().st_size,
        "playback": whole,
        "original": whole,
        "variant": "#EXTM3U",
        "segment": (films.one / "low" / "0.mp4").stat().st_size,
        "uploaded": "created",
    }
    assert server.uploaded == [b"a picture"]
    assert server.library.streams == {}


async def test_one_asset_of_a_careful_owner(server: FakeImmich) -> None:
    """What a guest needs, and no more: the server asks about the asset a second time."""
    link, film, other = server.library.links[0], server.library.named("film.mp4"), server.library.named("other.mp4")
    me = (await by(server, link, "/shared-links/me")).json
    assert ([asset["id"] for asset in me["assets"]], me["allowUpload"], me["key"]) == ([film.id], False, link.key)
    part = await by(server, link, f"/assets/{film.id}/video/playback", Range="bytes=10-19")
    assert (part.status, part.body) == (206, film.file.read_bytes()[10:20])
    assert (await by(server, link, f"/assets/{film.id}/thumbnail?size=preview")).body == film.preview.read_bytes()
    info = (await by(server, link, f"/assets/{film.id}")).json
    assert "originalPath" not in info
    assert not info["hasMetadata"]
    for target, status in (
        (f"/assets/{film.id}/original", 400), (f"/assets/{other.id}/thumbnail", 400), (f"/assets/{other.id}", 400),
        (f"/assets/{other.id}/video/playback", 400), ("/assets/nonsense", 400), ("/users/me", 403),
        ("/shared-links", 403), ("/timeline/buckets", 400), (f"/assets/{film.id}/thumbnail?size=huge", 400),
        ("/no", 404),
    ):  # fmt: skip
        assert (await by(server, link, target)).status == status, target
    headers, body = form(b"x")
    sent = await ask(
        server.url, "/api/assets", method="POST", headers={"x-immich-share-key": link.key, **headers}, body=body
    )
    assert sent.status == 401
    assert server.asked[-1].target == "/api/assets"


async def test_links_that_are_over(server: FakeImmich) -> None:
    link = server.library.links[0]
    link.expires = time.time() - 1
    said = await by(server, link, "/shared-links/me")
    assert (said.status, said.json["message"]) == (401, "Invalid share key")
    assert (await ask(server.url, "/api/shared-links/me?slug=the-film")).json["message"] == "Invalid share slug"
    assert (await ask(server.url, "/api/shared-links/me")).status == 401


async def test_who_wins(server: FakeImmich) -> None:
    """A share key before a session before an API key; headers before the query; of two names the first."""
    library = server.library
    one, two = library.links
    film, other = library.named("film.mp4"), library.named("other.mp4")
    signed = await tell(server.url, "/api/auth/login", {"email": "owner@example.org", "password": "a password"})
    token = signed.json["accessToken"]
    target = f"/api/assets/{other.id}/thumbnail"
    everything = {
        "x-api-key": "key-that-may-all",
        "Authorization": f"Bearer {token}",
        "Cookie": f"immich_access_token={token}",
    }
    assert (await ask(server.url, target, headers=everything)).status == 200
    assert (await ask(server.url, f"{target}?key={one.key}", headers=everything)).status == 400, (
        "the key, not the owner"
    )
    assert (await ask(server.url, f"{target}?slug=the-film", headers=everything)).status == 400
    assert (await ask(server.url, f"{target}?key={two.key}", headers={"x-immich-share-key": one.key})).status == 400
    assert (await ask(server.url, f"{target}?key={two.key}&key={one.key}")).status == 200
    assert (await ask(server.url, f"{target}?key={two.key}", headers={"x-immich-share-slug": "the-film"})).status == 200
    for headers in (
        {"x-immich-user-token": token},
        {"x-immich-session-token": token},
        {"Cookie": f"immich_access_token={token}"},
    ):
        assert (await ask(server.url, target, headers=headers)).status == 200, headers
    for query in (f"sessionKey={token}", "apiKey=key-that-may-all", f"key={two.key}", f"KEY={two.key}"):
        assert (await ask(server.url, f"{target}?{query}")).status == (401 if query.startswith("KEY") else 200), query
    bad = {"x-immich-user-token": "nobody's", "x-api-key": "key-that-may-all"}
    assert (await ask(server.url, target, headers=bad)).status == 401, "a bad session is not passed over"
    views = {"x-api-key": "key-that-views"}
    assert (await ask(server.url, f"/api/assets/{film.id}/thumbnail", headers=views)).status == 200
    assert (await ask(server.url, target, headers=views)).status == 200, "it views all that its owner has"
    assert (await ask(server.url, f"/api/assets/{film.id}/original", headers=views)).status == 403


async def test_a_key_has_many_spellings(server: FakeImmich) -> None:
    link = server.library.links[0]
    plain = base64.b64encode(link.raw).decode()
    for spelt in (
        link.key,
        link.key + "==",
        plain,
        link.raw.hex(),
        link.raw.hex().upper(),
        link.key[:9] + "!" + link.key[9:],
    ):
        said = await ask(server.url, "/api/shared-links/me", headers={"x-immich-share-key": spelt})
        assert said.status == 200, spelt


async def test_paths(server: FakeImmich) -> None:
    """Express: no case, a slash at the end, an id in capitals; but the raw path is what is compared."""
    link, film = server.library.links[0], server.library.named("film.mp4").id
    for path in (
        f"/API/Assets/{film.upper()}/THUMBNAIL",
        f"/api/assets/{film}/thumbnail/",
        f"/api/assets/{film}/%74humbnail",
    ):
        said = await ask(server.url, path, headers={"x-immich-share-key": link.key})
        assert said.status == (404 if "%" in path else 200), path
    for path in (f"/api//assets/{film}", f"/api/assets/x/../{film}", f"/api/assets/{film}%2f", f"/api/assets/{film};x"):
        assert (await ask(server.url, path, headers={"x-immich-share-key": link.key})).status in (400, 404), path
    assert (await ask(server.url, f"/api/assets/%{film}", headers={"x-immich-share-key": link.key})).status == 400


async def test_uploads_by_a_key(server: FakeImmich) -> None:
    """Nobody said no, so whoever has the link fills the owner's library."""
    link = server.library.links[1]
    headers, body = form(b"anything")
    sent = await ask(server.url, f"/api/assets?key={link.key}", method="POST", headers=headers, body=body)
    assert (sent.status, sent.json["status"], server.uploaded) == (201, "created", [b"anything"])
    assert sent.json["id"] in [asset.id for asset in link.assets]
    film = server.library.named("other.mp4").id
    replaced = await ask(
        server.url, f"/api/assets/{film}/original?key={link.key}", method="PUT", headers=headers, body=body
    )
    assert replaced.status == 400, "the route takes the key, the right to replace is the owner's"
    owner = {"x-api-key": "key-that-may-all", **headers}
    assert (await ask(server.url, f"/api/assets/{film}/original", method="PUT", headers=owner, body=body)).status == 200
    server.replace = False
    assert (await ask(server.url, f"/api/assets/{film}/original", method="PUT", headers=owner, body=body)).status == 404


async def test_a_key_adds_to_links(server: FakeImmich) -> None:
    """Whatever the owner owns, to the key's own link and to the owner's others."""
    link, second = server.library.links
    key = {"x-immich-share-key": link.key}
    other, foreign = server.library.named("other.mp4").id, server.library.named("foreign.jpg").id
    assert (await by(server, link, f"/assets/{other}/thumbnail")).status == 400
    asked = {"assetIds": [other, foreign, server.library.named("film.mp4").id]}
    said = (await tell(server.url, f"/api/shared-links/{link.id}/assets", asked, method="PUT", headers=key)).json
    assert [one.get("error") for one in said] == [None, "no_permission", "duplicate"]
    assert (await by(server, link, f"/assets/{other}/thumbnail")).status == 200
    picture = {"assetIds": [server.library.named("picture.jpg").id]}
    await tell(server.url, f"/api/shared-links/{second.id}/assets", picture, method="PUT", headers=key)
    assert [asset.name for asset in second.assets] == ["other.mp4", "picture.jpg"]
    said = (await tell(server.url, f"/api/shared-links/{second.id}/assets", picture, method="DELETE", headers=key)).json
    assert said[0]["success"]


async def test_a_password_guards_the_link_alone(server: FakeImmich) -> None:
    """Its assets are shown without it (immich-app/immich issue 29599, v2.7.5)."""
    link, film = server.library.links[0], server.library.named("film.mp4").id
    link.password = "secret word"
    assert (await by(server, link, "/shared-links/me")).json["message"] == "Password required"
    assert (await by(server, link, f"/assets/{film}/video/playback")).status == 200
    key = {"x-immich-share-key": link.key}
    wrong = await tell(server.url, "/api/shared-links/login", {"password": "x"}, headers=key)
    right = await tell(server.url, "/api/shared-links/login", {"password": "secret word"}, headers=key)
    assert (wrong.status, right.status) == (401, 201)
    cookie = right.headers["set-cookie"].split(";")[0]
    assert cookie.startswith("immich_shared_link_token=")
    seen = await by(server, link, "/shared-links/me", Cookie=cookie)
    assert seen.json["password"] == "secret word", "told to everybody who is in"
    server.checks_password = True
    assert (await by(server, link, f"/assets/{film}/video/playback")).status == 401
    assert (await by(server, link, f"/assets/{film}/video/playback", Cookie=cookie)).status == 200


async def test_a_redirect_holds_the_key(server: FakeImmich) -> None:
    """`fullsize` is sent to the original, or to a preview, and the query goes along."""
    link = server.library.links[1]
    picture, other = server.library.named("picture.jpg"), server.library.named("other.mp4").id
    link.assets.append(picture)
    moved = await ask(server.url, f"/api/assets/{picture.id}/thumbnail?size=fullsize&key={link.key}")
    assert (moved.status, moved.headers["location"]) == (302, f"original?key={link.key}")
    moved = await ask(server.url, f"/api/assets/{other}/thumbnail?size=fullsize&key={link.key}")
    assert moved.headers["location"] == f"/api/assets/{other}/thumbnail?key={link.key}&size=preview"


async def test_pieces_of_what_the_session_plays(server: FakeImmich, films: Films) -> None:
    """The asset in the path is asked about, the session decides what comes."""
    one, two = server.library.links
    film, other = server.library.named("film.mp4").id, server.library.named("other.mp4").id
    main = (await by(server, two, f"/assets/{other}/video/stream/main.m3u8")).text
    session = main.split("\n")[4].split("/")[0]
    variant = await by(server, two, f"/assets/{other}/video/stream/{session}/1/playlist.m3u8")
    assert variant.text.count(".m4s") == SEGMENTS
    assert (await by(server, one, f"/assets/{film}/video/stream/{session}/1/playlist.m3u8")).status == 404
    for name, file in (("init.mp4", "init.mp4"), ("seg_2.m4s", "2.mp4")):
        taken = await by(server, one, f"/assets/{film}/video/stream/{session}/1/{name}")
        assert taken.body == (films.two / "high" / file).read_bytes(), "the other film, by a link to this one"
    assert (await by(server, one, f"/assets/{film}/video/stream/{session}/1/..%2fx")).status == 400
    assert (await by(server, one, f"/assets/{film}/video/stream/{session}", method="DELETE")).status == 204
    assert (await by(server, two, f"/assets/{other}/video/stream/{session}/1/seg_0.m4s")).status == 404
    server.realtime = False
    assert (await by(server, two, f"/assets/{other}/video/stream/main.m3u8")).status == 400


async def test_downloads_and_albums(server: FakeImmich) -> None:
    closed, open_link = server.library.links
    ids = {"assetIds": [server.library.named("other.mp4").id]}
    for link, status in ((closed, 400), (open_link, 200)):
        said = await tell(server.url, "/api/download/archive", ids, headers={"x-immich-share-key": link.key})
        assert said.status == status
    album = server.library.albums[0]
    assert (await by(server, closed, f"/albums/{album.id}")).status == 400
    shared = SharedLink(album.owner, album=album)
    server.library.links.append(shared)
    assert len((await by(server, shared, f"/albums/{album.id}")).json["assets"]) == 2
    assert (await by(server, shared, "/timeline/buckets")).status == 200
    info = (await by(server, shared, f"/assets/{album.assets[0].id}")).json
    assert info["originalPath"].startswith("/data/library/")
    assert info["exifInfo"]["latitude"] == 52.5


async def test_the_page_says_the_key(server: FakeImmich) -> None:
    """By slug as well; and any other path is the web client."""
    link = server.library.links[0]
    for path in (f"/share/{link.key}", "/s/the-film", f"/share/{link.key}/photos/x"):
        assert f"thumbnail?key={link.key}" in (await ask(server.url, path)).text, path
    assert link.key not in (await ask(server.url, "/photos")).text
    link.password = "x"
    assert link.key not in (await ask(server.url, "/s/the-film")).text


async def test_a_socket_for_an_owners_key(server: FakeImmich) -> None:
    """An API key that is injected opens the owner's events, whatever it may; a share key does not."""
    path = "/api/socket.io/?EIO=4&transport=websocket"
    owner = {"x-api-key": "key-that-views"}
    async with aiohttp.ClientSession(server.url, headers=owner) as client, client.ws_connect(path) as socket:
        assert (await socket.receive_str()).startswith('42["on_upload_success"')
    async with aiohttp.ClientSession(server.url, headers={"x-immich-share-key": server.library.links[0].key}) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(path)
        assert refused.value.status == 403
    assert server.sockets == 1
