"""The fake Navidrome says what the real one said, also where that is a hole."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.servers.asking import ask, tell
from tests.servers.fake_navidrome import FakeNavidrome
from tests.servers.films import Films
from tests.servers.navidrome_library import Library, Share


@pytest.fixture
async def server(films: Films) -> AsyncIterator[FakeNavidrome]:
    server = FakeNavidrome(Library.of(films))
    async with server.running():
        yield server


def state(page: str, name: str = "SHARE_INFO") -> dict[str, Any]:
    """What stands in the page: JSON inside a string of JavaScript."""
    found = re.search(rf'window\.__{name}__ = ("(?:[^"\\]|\\.)*")', page)
    assert found
    return dict(json.loads(json.loads(found[1])))


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


async def track(server: FakeNavidrome, share: Share) -> str:
    """The token of a share's first track, from its page."""
    return str(state((await ask(server.url, f"/share/{share.id}")).text)["tracks"][0]["id"])


async def test_a_guest_listens(server: FakeNavidrome, films: Films) -> None:
    """Page, state, sound in ranges, picture, files of the bundle: what a share needs."""
    share = server.library.shares[0]
    page = await ask(server.url, f"/share/{share.id}")
    assert (page.status, page.headers["content-type"]) == (200, "text/html")
    assert page.headers["x-frame-options"] == "DENY"
    shown = state(page.text)
    assert shown["id"] == share.id
    [only] = shown["tracks"]
    signed = {"iss": "ND", "id": server.library.songs[0].id, "sid": share.id, "exp": int(share.expires)}
    assert claims(only["id"]) == signed
    sound = await ask(server.url, f"/share/s/{only['id']}", headers={"Range": "bytes=100-199"})
    assert (sound.status, sound.body) == (206, (films.one / "song.mp3").read_bytes()[100:200])
    cover = await ask(server.url, f"/share/img/{only['id']}?size=300&square=true")
    assert cover.headers["content-type"] == "image/jpeg"
    picture = re.search(r'og:image" content="([^"]+)"', page.text)
    assert picture
    assert picture[1].startswith(f"{server.url}/share/img/")
    assert (await ask(server.url, picture[1].removeprefix(server.url))).body == (films.one / "poster.jpg").read_bytes()
    bundle = re.search(r'src="\./(assets/[^"]+)"', page.text)
    assert bundle
    assert (await ask(server.url, f"/share/{bundle[1]}")).headers["content-type"].startswith("text/javascript")
    assert (await ask(server.url, "/share/manifest.webmanifest")).status == 200
    assert share.visits == 1
    assert [asked.method for asked in server.asked] == ["GET"] * 6
    assert server.asked[1].header("range") == "bytes=100-199"


@pytest.mark.parametrize("name", [":id", "%3Aid", "%3aid", "a=1&:id"])
async def test_the_query_wins_over_the_path(server: FakeNavidrome, films: Films, name: str) -> None:
    one, two = server.library.shares
    two.downloadable = True
    first, second = await track(server, one), await track(server, two)
    assert state((await ask(server.url, f"/share/{one.id}?{name}={two.id}")).text)["id"] == two.id
    assert (await ask(server.url, f"/share/s/{first}?{name}={second}")).body == (films.two / "song.mp3").read_bytes()
    assert (await ask(server.url, f"/share/img/{first}?{name}={second}")).body == (
        films.two / "poster.jpg"
    ).read_bytes()
    assert (await ask(server.url, f"/share/d/{one.id}?{name}={two.id}")).headers["content-type"] == "application/zip"
    assert two.description in (await ask(server.url, f"/share/{one.id}/m3u?{name}={two.id}")).text


async def test_the_query_wins_only_when_read_so(server: FakeNavidrome) -> None:
    one, two = server.library.shares
    for query in (f";:id={two.id}", f":ID={two.id}", f"id={two.id}", f"%3Aid%3D{two.id}"):
        assert state((await ask(server.url, f"/share/{one.id}?{query}")).text)["id"] == one.id
    assert (await ask(server.url, f"/share/{one.id}?:id=")).status == 400
    assert (await ask(server.url, f"/share/?:id={two.id}")).status == 200


async def test_every_method_is_as_good_as_get(server: FakeNavidrome) -> None:
    share = server.library.shares[0]
    token = await track(server, share)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert (await ask(server.url, f"/share/{share.id}", method=method)).status == 200
        assert (await ask(server.url, f"/share/s/{token}", method=method)).status == 200
    head = await ask(server.url, f"/share/s/{token}", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 1000


async def test_nothing_is_tidied(server: FakeNavidrome) -> None:
    share = server.library.shares[0].id
    odd = f"%{ord(share[0]):02x}{share[1:]}"
    for path in (
        f"{share}/",
        f"/{share}",
        f"./{share}",
        f"x/../{share}",
        f"x%2f..%2f{share}",
        odd,
        share.swapcase() + "x",
    ):
        assert (await ask(server.url, f"/share/{path}")).status == 404, path
    assert (await ask(server.url, f"/SHARE/{share}")).headers["location"] == "/app/"


async def test_what_is_over(server: FakeNavidrome) -> None:
    one, two = server.library.shares
    token = await track(server, one)
    one.expires = time.time() - 1
    for target in (f"/share/{one.id}", f"/share/{one.id}/m3u", f"/share/d/{one.id}", f"/share/s/{token}"):
        assert (await ask(server.url, target)).status == 410, target
    assert (await ask(server.url, f"/share/s/{server.token(one, server.library.songs[0].id)}")).status == 400
    server.library.shares.remove(one)
    assert (await ask(server.url, f"/share/{one.id}")).status == 404
    assert (await ask(server.url, f"/share/s/{token}")).status == 404
    assert (await ask(server.url, f"/share/img/{token}")).status == 200, "a picture's token has no end"
    assert (await ask(server.url, f"/share/d/{two.id}")).status == 403
    for target in ("/share/s/x", "/share/s/a.b.c", "/share/img/x", f"/share/s/{server.cover_token(two)}"):
        assert (await ask(server.url, target)).status == 400, target


async def test_before_063_a_token_was_enough(films: Films) -> None:
    server = FakeNavidrome(Library.of(films), checks_share=False)
    async with server.running():
        share = server.library.shares[0]
        token = await track(server, share)
        server.library.shares.clear()
        assert (await ask(server.url, f"/share/s/{token}")).status == 200


async def test_a_track_of_another_share(server: FakeNavidrome) -> None:
    """A signed token that names a song its share does not hold: the signature alone is not enough."""
    share = server.library.shares[0]
    assert (await ask(server.url, f"/share/s/{server.token(share, server.library.songs[1].id)}")).status == 404


async def test_absolute_addresses(server: FakeNavidrome) -> None:
    share = server.library.shares[0]
    sent = {"X-Forwarded-Host": "evil.example, other", "X-Forwarded-Proto": "https"}
    said = await ask(server.url, f"/share/{share.id}/m3u", headers=sent)
    assert "https://evil.example/share/s/" in said.text
    assert said.headers["content-type"].startswith("text/plain")
    server.share_url = "https://music.example"
    assert "https://music.example/share/s/" in (await ask(server.url, f"/share/{share.id}/m3u", headers=sent)).text


async def test_a_trusted_header_signs_in(films: Films) -> None:
    server = FakeNavidrome(Library.of(films), trusts_gateway=True)
    async with server.running():
        share = server.library.shares[0]
        page = await ask(server.url, f"/share/{share.id}", headers={"remote-user": "admin"})
        login = state(page.text, "APP_CONFIG")["auth"]
        assert login["isAdmin"]
        query = f"u=admin&t={login['subsonicToken']}&s={login['subsonicSalt']}&v=1.16.1&c=x&f=json"
        found = await ask(server.url, f"/rest/getUser?{query}")
        assert found.json["subsonic-response"]["user"]["adminRole"] is True
        assert (await ask(server.url, "/api/user", headers={"Remote-User": "admin"})).status == 200
        assert "auth" not in state((await ask(server.url, f"/share/{share.id}")).text, "APP_CONFIG")
        server.library.users.clear()
        await ask(server.url, f"/share/{share.id}", headers={"Remote-User": "mallory"})
        assert [(user.name, user.admin) for user in server.library.users] == [("mallory", True)]


async def test_a_header_nobody_trusts(server: FakeNavidrome) -> None:
    share = server.library.shares[0]
    page = await ask(server.url, f"/share/{share.id}", headers={"Remote-User": "admin"})
    assert "auth" not in state(page.text, "APP_CONFIG")
    assert (await ask(server.url, "/api/user", headers={"Remote-User": "admin"})).status == 401


async def test_the_owners_side(server: FakeNavidrome) -> None:
    """Sign in and make a share, as an owner's browser does; the token is good as header, cookie and query."""
    name, password = "admin", server.library.users[0].password
    assert (await tell(server.url, "/auth/login", {"username": name, "password": "x"})).status == 401
    token = (await tell(server.url, "/auth/login", {"username": name, "password": password})).json["token"]
    owner = {"X-ND-Authorization": f"Bearer {token}"}
    song = (await ask(server.url, "/api/song", headers=owner)).json[1]
    made = await tell(server.url, "/api/share", {"resourceIds": song["id"], "description": "x"}, headers=owner)
    assert state((await ask(server.url, f"/share/{made.json['id']}")).text)["tracks"][0]["title"] == song["title"]
    assert (await ask(server.url, f"/api/song?jwt={token}")).status == 200
    assert (await ask(server.url, "/api/song", headers={"Cookie": f"jwt={token}"})).status == 200
    assert (await ask(server.url, "/api/song", headers={"Authorization": f"Bearer {token}"})).status == 401
    assert (await ask(server.url, f"/rest/ping.view?u={name}&p=x&v=1&c=x")).text.count('status="failed"') == 1
    form = urlencode({"u": name, "p": password, "v": "1", "c": "x", "id": song["id"]}).encode()
    other = server.library.songs[0]
    streamed = await ask(server.url, f"/rest/stream?id={other.id}", method="POST", body=form)
    assert streamed.body == server.library.songs[1].file.read_bytes(), "a form stands before the query"


async def test_a_transcode_has_no_ranges(server: FakeNavidrome) -> None:
    share = server.library.shares[0]
    share.format = "mp3"
    said = await ask(server.url, f"/share/s/{await track(server, share)}", headers={"Range": "bytes=0-9"})
    assert (said.status, said.headers["accept-ranges"]) == (200, "none")
    assert "content-length" not in said.headers


async def test_below_a_path(films: Films) -> None:
    server = FakeNavidrome(Library.of(films), base="/music")
    async with server.running():
        share = server.library.shares[0]
        page = await ask(server.url, f"/music/share/{share.id}")
        assert f"{server.url}/music/share/img/" in page.text
        assert state(page.text, "APP_CONFIG")["baseURL"] == "/music"
        assert (await ask(server.url, f"/share/{share.id}")).headers["location"] == "/music/app/"
