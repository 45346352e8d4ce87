"""policies/subsonic.yaml against a real Supysonic, which takes the first of two ids and fails with status 200."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.chromium import chromium
from tests.media import Media
from tests.policies.media_servers import song, supysonic
from tests.policies.watching import seek, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter

USER, PASSWORD = "listener", 'k0+/&<pass"word>%41:x'
BASIC = "Authorization: Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode() + "\r\n"


@dataclass
class Songs:
    """A real server: Aurora has a picture inside, Nocturne one beside it, Dusk none."""

    port: int
    shelf: Path
    ids: dict[str, str]
    covers: dict[str, str | None]


async def asked(port: int, method: str, **query: str) -> dict[str, object]:
    """What the server itself answers to its own user."""
    said = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    answer = await ask(port, f"GET /rest/{method}.view?v=1.12.0&c=test&f=json&{said}", headers=BASIC)
    found = json.loads(answer.body)["subsonic-response"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def running(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    shelf = tmp_path_factory.mktemp("shelf")
    song(media, shelf / "Aurora" / "aurora.mp3", "Aurora", cover=True)
    song(media, shelf / "Nocturne" / "nocturne.mp3", "Nocturne")
    (shelf / "Nocturne" / "cover.jpg").write_bytes((media.audio() / "cover.jpg").read_bytes())
    song(media, shelf / "Dusk" / "dusk.mp3", "Dusk")
    own = tmp_path_factory.mktemp("supysonic") / "own"
    with supysonic(own, shelf, user=USER, password=PASSWORD) as port:
        yield port, shelf


@pytest.fixture
async def songs(running: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> Songs:
    monkeypatch.setenv("SUBSONIC_USER", USER)
    monkeypatch.setenv("SUBSONIC_PASSWORD", PASSWORD)
    port, shelf = running
    found = (await asked(port, "search2", query="u"))["searchResult2"]["song"]  # type: ignore[index]
    return Songs(
        port, shelf, {one["title"]: one["id"] for one in found}, {one["title"]: one.get("coverArt") for one in found}
    )


@pytest.fixture
async def stage(tmp_path: Path, songs: Songs) -> AsyncIterator[Stage]:
    async with between(tmp_path, "subsonic", songs.port) as stage:
        yield stage


async def test_an_item_is_found_in_one_spelling_and_one_that_is_not_there_is_gone(stage: Stage, songs: Songs) -> None:
    aurora = songs.ids["Aurora"]
    first = await stage.gateway.make_link(aurora)
    view = await stage.gateway.link(first)
    assert view.link.item == aurora
    for spelling in (
        aurora.upper(), aurora.replace("-", ""), f"/rest/stream.view?u=alice&p=alice&v=1.16.1&c=app&id={aurora}"
    ):  # fmt: skip
        made = await stage.gateway.make_link(spelling)
        assert (await stage.gateway.link(made)).link.item == aurora, spelling
        await stage.gateway.delete(made)
    for item in ("00000000-0000-0000-0000-000000000000", "nothing", f"{{{aurora}}}", f"urn:uuid:{aurora}", "../x"):
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)
    assert not [line for line in stage.server.asked if "alice" in line], "somebody's password, pasted with an address"


async def test_a_wrong_password_is_a_server_in_trouble_and_no_lost_song(
    tmp_path: Path, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBSONIC_PASSWORD", "another one")
    async with between(tmp_path, "subsonic", songs.port) as stage:
        with pytest.raises(LookupError) as refused:
            await stage.gateway.make_link(songs.ids["Aurora"])
        assert "another one" not in str(refused.value)
        assert "gone" not in str(refused.value).lower()


async def test_the_song_and_its_cover_arrive_and_nothing_else(stage: Stage, songs: Songs) -> None:
    aurora, nocturne = songs.ids["Aurora"], songs.ids["Nocturne"]
    assert songs.covers == {"Aurora": aurora, "Nocturne": songs.covers["Nocturne"], "Dusk": None}
    cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(nocturne))
    at = stage.guest.port
    picture = f"/rest/getCoverArt.view?id={songs.covers['Nocturne']}"
    page = await ask(at, f"GET {answer.headers['location']}", cookie=cookie, headers="Accept: text/html\r\n")
    assert picture in page.body.decode()
    assert "Nocturne" in page.body.decode()
    whole = (songs.shelf / "Nocturne" / "nocturne.mp3").read_bytes()
    ok, other = f"/rest/stream.view?id={nocturne}", f"/rest/stream.view?id={aurora}"
    got = await ask(at, f"GET {ok}", cookie=cookie)
    assert (got.status, got.headers["content-type"], got.body == whole) == (200, "audio/mpeg", True)
    part = await ask(at, f"GET {ok}&v=9&c=<x>", cookie=cookie, headers="Range: bytes=9-19\r\n")
    assert (part.status, part.body) == (206, whole[9:20])
    assert stage.server.asked[-1] == f"GET {ok}&v=1.12.0&c=guest-gateway"
    cover = await ask(at, f"GET {picture}&size=32", cookie=cookie)
    assert (cover.status, cover.headers["content-type"]) == (200, "image/jpeg")

    # What Supysonic itself gives to the gateway's account.
    for request in (
        f"{other}&id={nocturne}", f"/rest/download.view?id={aurora}", "/rest/getUser.view?username=listener",
        f"/rest/stream?id={aurora}", f"/rest/getCoverArt.view?id={aurora}", "/rest/getIndexes.view?f=json",
        f"/rest/stream.view?id=%7B{aurora}%7D", f"/rest/stream.view?id={aurora.upper()}",
    ):  # fmt: skip
        assert (await ask(songs.port, f"GET {request}&v=1.12.0&c=test", headers=BASIC)).status == 200, request
        await stage.refuses(cookie, f"GET {request}", f"GET {request}&v=1.12.0&c=test")
    await stage.refuses(cookie, *anywhere(ok, other))
    head = f"Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\nContent-Length: {len(aurora) + 3}\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\n\r\nid=" + aurora
    await stage.refuses(
        cookie,
        f"GET {ok}&id={aurora}", f"GET {other}&id={nocturne}", f"GET {ok}&%69d={aurora}", f"GET {ok}&ID={aurora}",
        f"GET {ok};id={aurora}", f"GET {ok}%26id={aurora}", f"GET {ok}%00{aurora}", f"GET {ok}&id[]={aurora}",
        f"GET {ok}&u=admin&p=admin", f"GET {ok}&apiKey=x", f"GET {ok}&t=x&s=y", f"GET {ok}&f=jsonp&callback=alert",
        f"GET {ok}&format=wav", f"GET {ok}&maxBitRate=8", f"GET {ok}&timeOffset=3",
        f"GET {ok}&estimateContentLength=true",
        f"GET /rest/STREAM.view?id={nocturne}", f"GET /rest/stream?id={nocturne}",
        f"GET /rest/download.view?id={nocturne}",
        f"GET /rest/getCoverArt.view?id={nocturne}", "GET /rest/getCoverArt.view?id=1", "GET /rest/getCoverArt.view",
        f"GET {picture}&size=99999",
        "GET /rest/search3.view?query=", "GET /rest/getIndexes.view", "GET /rest/getMusicDirectory.view?id=1",
        "GET /rest/getPlaylists.view", f"GET /rest/createShare.view?id={nocturne}", "GET /rest/getUsers.view",
        f"GET /rest/scrobble.view?id={nocturne}", "GET /rest/jukeboxControl.view?action=start",
        f"GET /rest/hls.m3u8?id={nocturne}", "GET /user/login", "GET /", "GET /rest/ping.view",
        f"POST {ok} HTTP/1.1\r\n{head}{form}".encode(), f"POST /rest/stream.view HTTP/1.1\r\n{head}{form}".encode(),
        f"GET {ok} HTTP/1.1\r\n{head}{form}".encode(),
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, ok)
    assert all(BASIC.strip().encode() in head for head in bytes(stage.server.there).split(b"\r\n\r\n") if head)
    stage.keeps(PASSWORD, f"{USER}:{PASSWORD}", f":{PASSWORD}")


@pytest.mark.browser
async def test_a_browser_plays_it_and_seeks(stage: Stage, songs: Songs) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await watch(page, await stage.gateway.make_link(songs.ids["Aurora"]))
        await seek(page, 8)
        bare = await (await browser.new_context()).new_page()
        await watch(bare, await stage.gateway.make_link(songs.ids["Dusk"]))
        assert await value(bare, "v.duration > 11")
    aurora, dusk = songs.ids["Aurora"], songs.ids["Dusk"]
    heard = {line.split(" ")[1].partition("&")[0] for line in stage.server.asked if "getSong" not in line}
    assert heard == {
        f"/rest/{it}" for it in (f"stream.view?id={aurora}", f"getCoverArt.view?id={aurora}", f"stream.view?id={dusk}")
    }
    stage.keeps(PASSWORD, f"{USER}:{PASSWORD}", f":{PASSWORD}")
