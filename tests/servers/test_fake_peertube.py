"""The fake PeerTube does what PeerTube does, and each trap is there to fall into."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page

from tests.chromium import chromium
from tests.servers.asking import Said, ask, holding, stamped
from tests.servers.fake_peertube import FakePeerTube
from tests.servers.peertube_library import Video, lengthen, shorten
from tests.system_parts import needs_chromium

pytestmark = pytest.mark.timeout(300)


@dataclass
class Tube:
    fake: FakePeerTube
    url: str
    now: list[float]

    async def get(self, target: str, **headers: str) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.url, target, headers=named)

    async def post(self, target: str, body: bytes = b"", **headers: str) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.url, target, method="POST", headers=named, body=body)

    def local(self, address: str) -> str:
        """An absolute address as a target."""
        assert address.startswith(self.url), address
        return address.removeprefix(self.url)

    async def token(self, video: Video) -> str:
        answer = await self.post(f"/api/v1/videos/{video.uuid}/token", Authorization=self.fake.bearer("owner"))
        token: str = answer.json["files"]["token"]
        return token


@pytest.fixture
async def tube(tmp_path: Path, clips: Path) -> AsyncIterator[Tube]:
    now = [0.0]
    fake = FakePeerTube(tmp_path, clips, clock=lambda: now[0])
    async with fake.running() as url:
        yield Tube(fake, url, now)


def test_short_ids_are_flickrs_base58() -> None:
    # The example of PeerTube's API documentation.
    long = "9c9de5e8-0a1e-484a-b099-e80766180a6d"
    assert shorten(long) == "kkGMgK9ZtnKfYAgnEtQxbv"
    assert lengthen(shorten(long)) == long
    assert lengthen("0OIl") is None


async def test_every_spelling_of_an_id(tube: Tube) -> None:
    film = tube.fake.library.film
    for said in (film.uuid, film.short, str(film.number), film.uuid.upper()):
        assert (await tube.get(f"/api/v1/videos/{said}")).json["uuid"] == film.uuid
        assert (await tube.get(f"/API/V1/Videos/{said}/")).json["uuid"] == film.uuid  # no case, trailing slash
    unlisted = tube.fake.library.unlisted
    assert (await tube.get(f"/api/v1/videos/{unlisted.short}")).status == 200
    assert (await tube.get(f"/api/v1/videos/{unlisted.number}")).status == 401  # by number for accounts alone
    assert (await tube.get("/api/v1/videos/not-an-id")).status == 400


async def test_addresses_are_absolute_and_on_the_configured_name(tmp_path: Path, clips: Path) -> None:
    fake = FakePeerTube(tmp_path, clips, base="https://tube.example.org")
    async with fake.running() as url:
        film = fake.library.film
        video = (await ask(url, f"/api/v1/videos/{film.uuid}")).json
        hls = video["streamingPlaylists"][0]
        named = [video["files"][0]["fileUrl"], hls["playlistUrl"], hls["segmentsSha256Url"], hls["files"][0]["fileUrl"]]
        assert all(one.startswith("https://tube.example.org/static/") for one in named)
        assert video["trackerUrls"][0] == "wss://tube.example.org/tracker/socket"
        caption = (await ask(url, f"/api/v1/videos/{film.uuid}/captions")).json["data"][0]
        # and caption playlists, alone among playlists, hold such an address
        text = (await ask(url, caption["m3u8Url"].removeprefix("https://tube.example.org"))).text
        assert f"https://tube.example.org{caption['captionPath']}" in text


async def test_no_name_outside_hls_tells_the_video(tube: Tube) -> None:
    film = tube.fake.library.film
    video = (await tube.get(f"/api/v1/videos/{film.uuid}")).json
    captions = (await tube.get(f"/api/v1/videos/{film.uuid}/captions")).json["data"]
    storyboard = (await tube.get(f"/api/v1/videos/{film.uuid}/storyboards")).json["storyboards"][0]
    paths = [tube.local(one["fileUrl"]) for one in video["files"]]
    paths += [video["thumbnailPath"], video["previewPath"], storyboard["storyboardPath"]]
    paths += [one["captionPath"] for one in captions]
    for path in paths:
        assert film.uuid not in path
        assert stamped((await tube.get(path)).body) == film.uuid
    assert film.uuid in video["streamingPlaylists"][0]["playlistUrl"]


async def test_hls_of_byte_ranges(tube: Tube) -> None:
    video = (await tube.get(f"/api/v1/videos/{tube.fake.library.film.uuid}")).json
    master = tube.local(video["streamingPlaylists"][0]["playlistUrl"])
    lines = (await tube.get(master)).text.splitlines()
    variants = [line for line in lines if line.endswith(".m3u8") and not line.startswith("#")]
    assert len(variants) == 2
    text = (await tube.get(master.rpartition("/")[0] + "/" + variants[0])).text
    name = next(line for line in text.splitlines() if line and not line.startswith("#"))
    part = await tube.get(master.rpartition("/")[0] + "/" + name, Range="bytes=4-7")
    assert (part.status, part.body) == (206, b"ftyp")
    head = await ask(tube.url, master, method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_private_files_want_a_token_a_password_or_a_bearer(tube: Tube) -> None:
    library = tube.fake.library
    secret, locked = library.secret, library.locked
    master = f"/static/streaming-playlists/hls/private/{secret.uuid}/{secret.master}"
    assert (await tube.get(master)).status == 403
    token = await tube.token(secret)
    assert (await tube.get(f"{master}?videoFileToken={token}")).status == 200
    assert (await tube.get(master, Authorization=tube.fake.bearer("owner"))).status == 200
    assert (await tube.get(master, Authorization=tube.fake.bearer("user"))).status == 403
    # a token opens its one video
    assert (await tube.get(f"/static/web-videos/private/{locked.web[180]}?videoFileToken={token}")).status == 403
    assert (await tube.get(f"/static/web-videos/private/{secret.web[180]}?videoFileToken={token}")).status == 200
    password = {"x-peertube-video-password": "open sesame"}
    locked_master = f"/static/streaming-playlists/hls/private/{locked.uuid}/{locked.master}"
    assert (await tube.get(locked_master, **password)).status == 200
    assert (await tube.get(locked_master, **{"x-peertube-video-password": "wrong"})).status == 403
    # a token that is not this video's spoils a good password, until the password's own verdict is remembered
    other = f"/static/web-videos/private/{locked.web[180]}"
    assert (await tube.get(f"{other}?videoFileToken={token}", **password)).status == 403


async def test_rights_are_remembered_for_ten_seconds(tube: Tube) -> None:
    secret = tube.fake.library.secret
    token = await tube.token(secret)
    master = f"/static/streaming-playlists/hls/private/{secret.uuid}/{secret.master}?videoFileToken={token}"
    assert (await tube.get(master)).status == 200
    tube.fake.tokens.clear()
    tube.now[0] += 9
    assert (await tube.get(master)).status == 200
    tube.now[0] += 2
    assert (await tube.get(master)).status == 403


@pytest.mark.parametrize(
    "below",
    [
        "/private/{}/{}", "//private/{}/{}", "/./private/{}/{}", "/%70rivate/{}/{}", "/private%2f{}/{}",
        "/x/..%2fprivate/{}/{}", "/x/../private/{}/{}", "/private//{}/{}",
    ],
)  # fmt: skip
async def test_the_private_folder_inside_the_public_one(tube: Tube, below: str) -> None:
    """The guard knows one spelling; the folder it guards knows many (controllers/static.ts)."""
    secret = tube.fake.library.secret
    answer = await tube.get("/static/streaming-playlists/hls" + below.format(secret.uuid, secret.master))
    assert answer.status == (403 if below == "/private/{}/{}" else 200)
    if below != "/private/{}/{}":
        assert secret.uuid in answer.text


async def test_the_same_for_web_videos(tube: Tube) -> None:
    name = tube.fake.library.secret.web[180]
    assert (await tube.get(f"/static/web-videos/private/{name}")).status == 403
    assert (await tube.get(f"/static/web-videos/Private/{name}")).status == 403  # case is nothing to Express
    assert stamped((await tube.get(f"/static/web-videos//private/{name}")).body) == tube.fake.library.secret.uuid


async def test_what_express_refuses(tube: Tube) -> None:
    uuid = tube.fake.library.film.uuid
    assert (await tube.get(f"/static/streaming-playlists/hls/{uuid}/%00")).status == 400
    assert (await tube.get(f"/static/streaming-playlists/hls/{uuid}/%zz")).status == 400
    assert (await tube.get("/static/streaming-playlists/hls/..%2f..%2fbucket")).status == 403
    assert (await tube.get(f"/static/streaming-playlists/hls/{uuid}")).status == 301
    assert (await tube.post(f"/static/streaming-playlists/hls/{uuid}/x")).status == 405
    private = f"/static/streaming-playlists/hls/private/{uuid}"
    assert (await tube.get(f"{private}/Upper.m3u8.txt")).status == 400
    assert (await tube.get("/static/streaming-playlists/hls/private/no-uuid/x.m3u8")).status == 400


async def test_private_files_open_to_all_by_configuration(tmp_path: Path, clips: Path) -> None:
    fake = FakePeerTube(tmp_path, clips, private_files_require_auth=False)
    async with fake.running() as url:
        name = fake.library.secret.web[180]
        assert (await ask(url, f"/static/web-videos/private/{name}")).status == 200


async def test_a_token_that_was_given_comes_back_in_playlists(tube: Tube) -> None:
    secret = tube.fake.library.secret
    token = await tube.token(secret)
    master = f"/static/streaming-playlists/hls/private/{secret.uuid}/{secret.master}"
    answer = await tube.get(f"{master}?videoFileToken={token}&reinjectVideoFileToken=true")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(line.endswith(f".m3u8?videoFileToken={token}&reinjectVideoFileToken=true") for line in lines)
    assert len(lines) == 2
    assert f'.m3u8?videoFileToken={token}&reinjectVideoFileToken=true"' in answer.text  # captions too
    assert token not in (await tube.get(f"{master}?videoFileToken={token}")).text


async def test_a_password_is_asked_for_by_code(tube: Tube) -> None:
    path = f"/api/v1/videos/{tube.fake.library.locked.uuid}"
    none = await tube.get(path)
    assert (none.status, none.json["code"]) == (401, "video_requires_password")
    assert none.headers["content-type"].startswith("application/problem+json")
    wrong = await tube.get(path, x_peertube_video_password="wrong")
    assert (wrong.status, wrong.json["code"]) == (403, "incorrect_video_password")
    assert (await tube.get(path, x_peertube_video_password="open sesame")).status == 200


async def test_who_sees_private_and_internal(tube: Tube) -> None:
    library, fake = tube.fake.library, tube.fake
    for video, who, status in (
        (library.secret, None, 401), (library.secret, "user", 403), (library.secret, "owner", 200),
        (library.inner, None, 401), (library.inner, "user", 200),
    ):  # fmt: skip
        headers = {"Authorization": fake.bearer(who)} if who else {}
        assert (await tube.get(f"/api/v1/videos/{video.uuid}", **headers)).status == status
    client = (await tube.get("/api/v1/oauth-clients/local")).json
    form = f"client_id={client['client_id']}&grant_type=password&username=user&password=x".encode()
    token = (await tube.post("/api/v1/users/token", form)).json["access_token"]
    assert (await tube.get("/api/v1/users/me", Authorization=f"Bearer {token}")).json["username"] == "user"


async def test_every_unknown_path_is_the_page(tube: Tube) -> None:
    answer = await tube.get("/no/such/thing.m3u8", Accept="*/*")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await tube.get("/no/such/thing", Accept="image/png")).status == 406
    assert (await tube.get("/client/nothing.js")).status == 404
    assert (await tube.get("/static/web-videos/nothing.mp4")).status == 404
    assert (await tube.get("/api/v1/nothing")).status == 400


async def test_the_watch_page_proves_little(tube: Tube) -> None:
    library = tube.fake.library
    film = library.film
    for path in (f"/w/{film.short}", f"/videos/watch/{film.uuid}", f"/w/{film.uuid};threadId=3", f"/w/{film.uuid}/x"):
        assert film.name in (await tube.get(path, Accept="text/html")).text
    hidden = await tube.get(f"/w/{library.secret.uuid}", Accept="text/html")
    assert (hidden.status, "my-app" in hidden.text) == (404, True)  # the page again
    # the embed page says nothing: one shell for every id
    for said in (library.secret.uuid, "0", "no-id"):
        assert (await tube.get(f"/videos/embed/{said}")).status == 200
    assert library.secret.name not in (await tube.get(f"/videos/embed/{library.secret.uuid}")).text


async def test_accept_changes_what_an_address_says(tube: Tube) -> None:
    film = tube.fake.library.film
    answer = await tube.get(f"/w/{film.short}", Accept="application/activity+json")
    assert answer.headers["content-type"].startswith("application/activity+json")
    assert film.web[180] in answer.text  # names that the page itself never shows


async def test_lazy_static_takes_any_method_and_longer_paths(tube: Tube) -> None:
    film = tube.fake.library.film
    for target in (f"/lazy-static/thumbnails/{film.thumbnail}", f"/Lazy-Static/thumbnails/{film.thumbnail}/more/x.jpg"):
        assert stamped((await tube.get(target)).body) == film.uuid
        assert (await tube.post(target)).status == 200
    assert (await tube.get("/lazy-static/thumbnails/..%2favatars%2fx")).status == 404


async def test_views_are_counted_by_what_the_body_says(tube: Tube) -> None:
    film = tube.fake.library.film
    body = json.dumps({"currentTime": 3, "viewEvent": "seek", "sessionId": "s"}).encode()
    assert (await tube.post(f"/api/v1/videos/{film.short}/views", body, Content_Type="application/json")).status == 204
    assert tube.fake.viewed == [(film.uuid, {"currentTime": 3, "viewEvent": "seek", "sessionId": "s"})]


async def test_a_bucket(tube: Tube) -> None:
    library, bucket = tube.fake.library, tube.fake.say.bucket
    stored, secret = library.stored, library.stored_secret
    video = (await tube.get(f"/api/v1/videos/{stored.uuid}")).json
    assert video["files"][0]["fileUrl"] == f"{bucket}/web-videos/{stored.web[180]}"
    assert video["streamingPlaylists"][0]["playlistUrl"] == f"{bucket}/hls/{stored.uuid}/{stored.master}"
    assert stamped((await ask(bucket, f"/web-videos/{stored.web[180]}")).body) == stored.uuid
    assert len(tube.fake.bucket.asked) == 1
    download = await tube.get(f"/download/web-videos/{stored.uuid}-180.mp4")
    assert download.status == 302
    assert download.headers["location"].startswith(f"{bucket}/web-videos/{stored.web[180]}?X-Amz-Signature=")
    # private ones go through the instance, by name, with the same keys as static files
    password = {"x-peertube-video-password": "bucket"}
    hidden = (await tube.get(f"/api/v1/videos/{secret.uuid}", **password)).json
    file, master = tube.local(hidden["files"][0]["fileUrl"]), tube.local(hidden["streamingPlaylists"][0]["playlistUrl"])
    assert file.startswith("/object-storage-proxy/web-videos/private/")
    for path in (file, master):
        assert (await tube.get(path)).status == 403
        assert (await tube.get(path, **password)).status == 200


async def test_downloads_go_by_the_videos_id(tube: Tube) -> None:
    library = tube.fake.library
    film, secret = library.film, library.secret
    for path in (
        f"/download/web-videos/{film.uuid}-180.mp4", f"/download/web-videos/{film.short}-180.mp4/x",
        f"/download/streaming-playlists/hls/videos/{film.number}-90-fragmented.mp4",
        f"/download/videos/generate/{film.uuid}.mp4?videoFileIds={library.file_ids[film.web[180]]}",
    ):  # fmt: skip
        answer = await tube.get(path)
        assert (answer.status, stamped(answer.body)) == (200, film.uuid)
        assert answer.headers["content-disposition"].startswith("attachment")
    assert (await tube.get(f"/download/web-videos/{secret.uuid}-180.mp4")).status == 401
    token = await tube.token(secret)
    assert (await tube.get(f"/download/web-videos/{secret.uuid}-180.mp4?videoFileToken={token}")).status == 200
    assert film.uuid in (await tube.get(f"/lazy-static/torrents/{film.torrent}")).text


async def test_lists_and_searches_are_open(tube: Tube) -> None:
    library = tube.fake.library
    found = {one["uuid"] for one in (await tube.get("/api/v1/videos")).json["data"]}
    assert {library.film.uuid, library.other.uuid} <= found
    assert (await tube.get("/api/v1/search/videos?search=another")).json["data"][0]["uuid"] == library.other.uuid
    listed = await tube.get(f"/api/v1/video-playlists/{library.playlist}/videos")
    assert [one["video"]["uuid"] for one in listed.json["data"]] == [library.film.uuid, library.other.uuid]
    far = (await tube.get(f"/api/v1/videos/{library.far.uuid}")).json
    assert (far["isLocal"], far["files"][0]["fileUrl"].startswith("https://far.example/")) == (False, True)
    assert (await tube.get(f"/api/v1/videos/{library.unready.uuid}")).json["state"]["id"] == 2


async def test_sockets_ask_nobody_who_they_are(tube: Tube) -> None:
    library = tube.fake.library
    async with aiohttp.ClientSession() as client, client.ws_connect(
        f"{tube.url}/socket.io/?EIO=4&transport=websocket"
    ) as socket:  # fmt: skip
        assert (await socket.receive_str()).startswith("0{")
        await socket.send_str("40/live-videos,")
        assert (await socket.receive_str()).startswith("40/live-videos,")
        # of a private video, by counting up
        await socket.send_str(f'42/live-videos,["subscribe",{{"videoId":{library.secret.number}}}]')
        assert f'"id": {library.secret.number}' in await socket.receive_str()
        await socket.send_str("40/user-notifications,")
        assert "invalid_token" in await socket.receive_str()
        async with client.ws_connect(f"{tube.url}/tracker/socket") as peers:
            await peers.send_str("{}")
            assert "198.51.100.7" in await peers.receive_str()
    assert "peers" in (await tube.get("/tracker/announce?info_hash=x")).text


async def test_the_log_keeps_targets_as_they_came(tube: Tube) -> None:
    await tube.get("//static/%2e%2e/x?a=%41&a=2", X_Odd="1")
    assert tube.fake.targets == ["GET //static/%2e%2e/x?a=%41&a=2"]
    assert tube.fake.asked[0].header("x-odd") == "1"


# --- in a browser, driven by PeerTube's own client package

PARENT = """<!doctype html><meta charset="utf-8"><title>A site</title>
<iframe src="{embed}" width="640" height="360" allow="autoplay"></iframe>
<script src="/player.js"></script>
<script>
const player = new PeerTubePlayer(document.querySelector('iframe'))
const seen = []
player.addEventListener('playbackStatusUpdate', status => seen.push(status))
{then}
</script>"""


async def embedded(page: Page, tube: Tube, clients: Path, query: str, video: Video, then: str = "") -> None:
    """A page of somebody else's that holds the embed and steers it with @peertube/embed-api."""
    script = (clients / "@peertube/embed-api/build/player.min.js").read_text()
    text = PARENT.replace("{embed}", f"{tube.url}/videos/embed/{video.uuid}?{query}").replace("{then}", then)
    async with holding({"/": ("text/html", text), "/player.js": ("text/javascript", script)}) as site:
        await page.goto(site)
        await page.evaluate("async () => { await player.ready }")
        await page.evaluate("async () => { await player.play() }")
        await page.wait_for_function("seen.some(one => one.playbackState === 'playing' && one.position > 0.3)")
        assert await page.evaluate("player.isPlaying()")
        await page.evaluate("player.seek(5)")
        await page.wait_for_function("seen.some(one => one.position >= 5)")
        await page.evaluate("player.pause()")
        assert not await page.evaluate("player.isPlaying()")


@pytest.mark.browser
@needs_chromium
async def test_the_embed_page_plays_and_obeys_its_own_client(tube: Tube, clients: Path) -> None:
    film = tube.fake.library.film
    async with chromium() as browser:
        page = await browser.new_page()
        await embedded(page, tube, clients, "api=1&p2p=0", film)
        assert [one["id"] for one in await page.evaluate("player.getCaptions()")] == ["en", "de"]
        assert [one["label"] for one in await page.evaluate("player.getResolutions()")] == ["90p", "180p"]
        await page.evaluate("player.setCaption('de')")
        assert (await page.evaluate("player.getCaptions()"))[1]["mode"] == "showing"
    base = f"/api/v1/videos/{film.uuid}"
    told = tube.fake.targets
    for asked in (base, f"{base}/captions", f"{base}/chapters", f"{base}/storyboards"):
        assert f"GET {asked}" in told
    assert f"POST {base}/views" in told
    assert f"GET /api/v1/player-settings/videos/{film.uuid}" in told
    ranged = [one for one in tube.fake.asked if one.path.endswith("-fragmented.mp4")]
    assert len(ranged) == 5
    assert all(re.fullmatch(r"bytes=\d+-\d+", one.header("Range") or "") for one in ranged)
    assert not [one for one in tube.fake.asked if "tracker" in one.path or "socket.io" in one.path]


@pytest.mark.browser
@needs_chromium
async def test_the_embed_page_takes_a_password_from_its_client(tube: Tube, clients: Path) -> None:
    locked = tube.fake.library.locked
    async with chromium() as browser:
        page = await browser.new_page()
        await embedded(
            page, tube, clients, "api=1&p2p=0&waitPasswordFromEmbedAPI=1", locked,
            then="player.setVideoPassword('open sesame')",
        )  # fmt: skip
    assert f"POST /api/v1/videos/{locked.uuid}/token" in tube.fake.targets
    assert all("videoFileToken=" in one.query for one in tube.fake.asked if one.path.startswith("/static/"))


@pytest.mark.browser
@needs_chromium
async def test_the_embed_page_believes_its_query_first(tube: Tube) -> None:
    """`?videoId=` at the front names another video than the path (client/src/standalone/videos/embed.ts)."""
    library = tube.fake.library
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{tube.url}/videos/embed/{library.film.uuid}?videoId={library.other.short}")
        await page.wait_for_function("window.embedState.ready")
        assert f"GET /api/v1/videos/{library.other.short}" in tube.fake.targets
        assert not [one for one in tube.fake.targets if f"/api/v1/videos/{library.film.uuid}" in one]


@pytest.mark.browser
@needs_chromium
async def test_the_embed_page_of_a_live_video_opens_sockets(tube: Tube) -> None:
    live = tube.fake.library.live
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{tube.url}/videos/embed/{live.uuid}")
        await page.wait_for_function("window.embedState.change")
        change = await page.evaluate("window.embedState.change")
    assert change == ["state-change", {"id": live.number, "state": 1}]
    told = tube.fake.targets
    assert f"GET /api/v1/videos/live/{live.uuid}" in told
    assert f"GET /static/streaming-playlists/hls/{live.uuid}/0-000000.ts" in told
    assert "GET /tracker/socket" in told  # p2p unless the query says otherwise
