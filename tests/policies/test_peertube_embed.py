"""policies/peertube-embed.yaml in front of the stand-in for PeerTube, whose own page plays: the same vectors as for
policies/peertube.yaml, and what the page asks for besides."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chromium import chromium
from tests.policies.test_peertube import HLS, NAME, PASSWORD, Tube, tube_behind
from tests.policies.watching import seek, two_guests_one_removed, until, value, watch
from tests.policies.wire import anywhere, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter
from tests.servers.asking import stamped
from tests.servers.peertube_library import Video

FIXED = "?p2p=0&warningTitle=0&peertubeLink=0"


@pytest.fixture
async def tube(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tube]:
    monkeypatch.setenv("PEERTUBE_VIDEO_PASSWORD", PASSWORD)
    async with tube_behind(tmp_path, clips, "peertube-embed") as running:
        yield running


@pytest.mark.parametrize("which", ["film", "locked"])
async def test_the_page_gets_what_it_asks_and_no_more(tube: Tube, which: str) -> None:
    video: Video = getattr(tube.fake.library, which)
    cookie, answer = await enter(tube.stage.guest.port, await tube.stage.gateway.make_link(video.short))
    assert answer.headers["location"] == f"/videos/embed/{video.uuid}{FIXED}"
    ours = f"http://127.0.0.1:{tube.stage.guest.port}"
    said = json.loads((await tube.get(cookie, f"/api/v1/videos/{video.uuid}")).body)
    assert (said["uuid"], said["trackerUrls"]) == (video.uuid, [])
    for file in (*said["files"], *said["streamingPlaylists"][0]["files"]):
        assert file["fileUrl"].startswith(f"{ours}/static/")
        assert not {"torrentUrl", "torrentDownloadUrl", "magnetUri", "fileDownloadUrl", "metadataUrl"} & set(file)
        got = await tube.get(cookie, file["fileUrl"].removeprefix(ours) + "?videoFileToken=guest")
        assert (got.status, stamped(got.body)) == (200, video.uuid)
    captions = json.loads((await tube.get(cookie, f"/api/v1/videos/{video.uuid}/captions")).body)["data"]
    for one in captions:
        assert stamped((await tube.get(cookie, one["captionPath"])).body) == video.uuid
        listed = (await tube.get(cookie, one["m3u8Url"].removeprefix(ours))).body.decode()
        assert f"{ours}{one['captionPath']}" in listed
    # What it tells is heard by nobody; the token it is given opens nothing.
    before = len(tube.stage.server.asked)
    for path, status in (("token", 200), ("views", 204)):
        told = await ask(
            tube.stage.guest.port, f"POST /api/v1/videos/{video.uuid}/{path}", cookie=cookie,
            headers="Content-Type: application/json\r\n", body=b'{"currentTime":1}',
        )  # fmt: skip
        assert told.status == status
    assert len(tube.stage.server.asked) == before
    assert not tube.fake.tokens
    assert not tube.fake.viewed
    tube.keeps()


async def test_nothing_else_arrives(tube: Tube) -> None:
    library, stage = tube.fake.library, tube.stage
    film, other, secret = library.film, library.other, library.secret
    cookie = await tube.come(film)
    page, api = f"/videos/embed/{film.uuid}", f"/api/v1/videos/{film.uuid}"
    await stage.refuses(cookie, *anywhere(api, f"/api/v1/videos/{other.uuid}"))
    await stage.refuses(cookie, *anywhere(f"{HLS}/{film.uuid}/{film.master}", f"{HLS}/{other.uuid}/{other.master}"))
    await stage.refuses(
        cookie,
        *(f"GET {page}{query}" for query in (
            "", f"?videoId={other.uuid}", f"?videoPlaylistId={library.playlist}", "?p2p=1", "?p2p=0", f"{FIXED}&api=1",
            f"?videoId={other.uuid}&{FIXED[1:]}", f"{FIXED}&p2p=1", f"{FIXED}&videoId={other.uuid}",
            f"{FIXED}&autoplay=1",
        )),
        f"GET /videos/embed/{other.uuid}{FIXED}", f"GET /videos/embed/{film.short}{FIXED}", f"GET {page}/x{FIXED}",
        f"GET /video-playlists/embed/{library.playlist}", f"GET /Videos/embed/{film.uuid}{FIXED}", f"GET {api}?x=1",
        f"GET {api}/comment-threads", f"GET {api}/description", f"GET {api}/token", f"GET {api}/views", f"PUT {api}",
        f"DELETE {api}",
        f"GET /api/v1/videos/{film.number}", f"GET /api/v1/videos/live/{library.live.uuid}", "GET /api/v1/config",
        f"POST /api/v1/videos/{other.uuid}/token", f"POST /api/v1/videos/{other.uuid}/views", "GET /api/v1/users/me",
        f"GET {HLS}//private/{secret.uuid}/{secret.master}", f"GET {HLS}/%70rivate/{secret.uuid}/{secret.master}",
        f"GET {HLS}/{film.uuid}/..%2fprivate/{secret.uuid}/{secret.master}?videoFileToken=guest",
        f"GET /static/web-videos/{other.web[180]}?videoFileToken=guest",
        f"GET /static/web-videos/private/{secret.web[180]}",
        f"GET /lazy-static/video-captions/{next(iter(other.captions.values()))}",
        f"GET /lazy-static/previews/{other.preview}",
        f"GET /lazy-static/storyboards/{other.storyboard}", f"GET /lazy-static/torrents/{film.torrent}",
        "GET /client/standalone/videos/assets/..%2f..%2findex.html", "GET /client/index.html",
        "GET /plugins/x/1/client-scripts/a.js",
        "GET /socket.io/?EIO=4&transport=polling", "GET /tracker/announce",
        f"GET /services/oembed?url={NAME}/w/{film.short}",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, api)
    tube.keeps()


@pytest.mark.browser
@pytest.mark.parametrize("which", ["film", "locked"])
async def test_a_browser_plays_on_peertubes_own_page(tube: Tube, which: str) -> None:
    video: Video = getattr(tube.fake.library, which)
    async with chromium() as browser:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        link = await tube.stage.gateway.make_link(video.uuid)
        await watch(page, link)
        await value(page, "v.textTracks[1].mode = 'showing'")
        await until(page, "v.textTracks[1].cues?.length === 8")
        await seek(page, 5)
        assert faults == []
        assert await page.locator("#error-block").is_hidden()
        if which == "film":
            await two_guests_one_removed(tube.stage, browser, page, link, video.uuid)
    paths = {line.split(" ")[1].partition("?")[0] for line in tube.stage.server.asked}
    allowed = rf"/videos/embed/{video.uuid}|/api/v1/(player-settings/)?videos/{video.uuid}(/.+)?"
    allowed += r"|/client/.+|/plugins/global.css"
    allowed += rf"|{HLS}/(private/)?{video.uuid}/.+|/lazy-static/(previews|video-captions|storyboards|thumbnails)/.+"
    assert [path for path in paths if not re.fullmatch(allowed, path)] == []
    assert not any("videoFileToken" in line for line in tube.stage.server.asked)
    tube.keeps()
