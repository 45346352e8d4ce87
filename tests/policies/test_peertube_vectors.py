"""What somebody who knows PeerTube's own paths would try, at policies/peertube.yaml and policies/peertube-embed.yaml.

Each is refused, and PeerTube hears nothing of it. `$id` is the guest's video, `$short` and `$number` its other names;
`$other` and `$shut` are another public and a private one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from string import Template

import pytest

from tests.policies.test_peertube import HLS, PASSWORD, Tube, tube_behind, with_account
from tests.running import ask
from tests.servers.peertube_answers import STREAM_KEY

FIXED = "?p2p=0&warningTitle=0&peertubeLink=0"
OF_A_VIDEO = (
    "/token", "/passwords", "/passwords/1", "/source", "/source/replace-resumable", "/studio/edit", "/transcoding",
    "/comments", "/comment-threads", "/comment-threads/1", "/description", "/rate", "/watching", "/metadata/1",
    "/captions/de", "/captions/generate", "/chapters/1", "/ownership", "/give-ownership", "/blacklist",
    "/stats/overall",
    "/stats/timeseries/viewers", "/stats/user-agent", "/file-token", "/hls", "/web-videos", "/torrent", "/live-session",
    "/storyboards/1", "/embed-privacy", "/thumbnails", "/runner-jobs", "/", "//captions", "/./captions", "/captions/",
    "/captions/..", "/captions%2f", "/Captions", "/captions;a=b", "/captions?x=1", "/captions.json",
)  # fmt: skip
OF_THE_INSTANCE = (
    "/", "/about/instance", "/login", "/my-account/settings", "/my-library/videos", "/admin/settings/system/debug",
    "/w/p/$playlist", "/c/channel", "/a/account", "/@channel", "/accounts/account", "/video-channels/channel",
    "/accounts/account/outbox", "/accounts/account/inbox", "/inbox", "/videos/watch/$id/likes",
    "/videos/watch/$id/activity",
    "/videos/watch/$id", "/w/$id", "/w/$short", "/w/$id;threadId=1", "/videos/embed/$id/$other", "/video-playlists/$id",
    "/videos/local-viewer/$id", "/redundancy/streaming-playlists/hls/$id", "/redundancy/videos/$id/180",
    "/.well-known/webfinger?resource=acct:account@tube.example.org", "/.well-known/host-meta", "/.well-known/nodeinfo",
    "/.well-known/change-password", "/.well-known/dnt-policy.txt", "/nodeinfo/2.0.json", "/nodeinfo/2.0.json/", "/dnt",
    "/robots.txt", "/security.txt", "/sitemap.xml", "/manifest.webmanifest", "/opensearch.xml", "/sw.js", "/ngsw.json",
    "/services/oembed?url=https%3A%2F%2Ftube.example.org%2Fw%2F$short", "/services/redirect/accounts/account",
    "/feeds/videos.xml?videoChannelId=1", "/feeds/video-comments.atom?videoId=$id", "/feeds/subscriptions.json?token=x",
    "/feeds/podcast/videos.xml?videoChannelId=1", "/live/$id", "/themes/default/1.0.0/css/x.css",
    "/plugins/x/1.0.0/auth/y",
    "/plugins/x/1.0.0/static/y", "/plugins/x/router/proxy?url=http://127.0.0.1:9000/", "/plugins/x/ws/",
    "/plugins/translations/de.json", "/plugins/..%2fapi/v1/users/me", "/metrics", "/api/v1", "/api/v2/videos/$id",
    "/api/docs", "/test-embed.html", "/client/standalone/videos/test-embed.html", "/client/index.html", "/client/",
    "/client/ngsw.json", "/client/locales/../index.html", "/client/locales/de/%2e%2e/%2e%2e/index.html", "/embed",
    "/api/v1/config", "/api/v1/config/custom", "/api/v1/config/about", "/api/v1/server/debug", "/api/v1/server/logs",
    "/api/v1/server/audit-logs", "/api/v1/server/stats", "/api/v1/server/followers", "/api/v1/server/redundancy/videos",
    "/api/v1/jobs/failed", "/api/v1/runners", "/api/v1/runners/registration-tokens", "/api/v1/users", "/api/v1/users/1",
    "/api/v1/users/me", "/api/v1/users/me/videos", "/api/v1/users/me/videos/rating", "/api/v1/users/me/history/videos",
    "/api/v1/users/scoped-tokens", "/api/v1/users/registrations", "/api/v1/oauth-clients/local", "/api/v1/abuses",
    "/api/v1/accounts/account/videos", "/api/v1/video-channels/channel/videos", "/api/v1/videos", "/api/v1/videos/",
    "/api/v1/videos?search=film&isLocal=true", "/api/v1/videos/$other", "/api/v1/videos/$short",
    "/api/v1/videos/$number",
    "/api/v1/videos/categories", "/api/v1/videos/imports", "/api/v1/videos/blacklist", "/api/v1/videos/live/$other",
    "/api/v1/videos/live/$id/sessions", "/api/v1/videos/$id,$other", "/api/v1/videos/$id%2c$other",
    "/api/v1/videos/%7b$id%7d",
    "/api/v1/video-playlists", "/api/v1/video-playlists/$playlist", "/api/v1/search/videos?host=x&search=",
    "/api/v1/plugins",
    "/api/v1/custom-pages/homepage/instance", "/api/v1/watched-words/server/lists",
    "/api/v1/client-config/update-language",
    "/api/v1/player-settings/video-channels/channel", "/api/v1/player-settings/videos/$other", "/api/v1/bulk/x",
    "/api/v1/videos/upload-resumable?upload_id=x", "/api/v1/overviews/videos", "/api/v1/metrics/playback",
    "/API/V1/videos/$id", "/Api/v1/videos/$id", "/api/v1//videos/$id", "/api/v1/videos/$id/../$other",
)  # fmt: skip
OF_FILES = (
    "/static/streaming-playlists/hls/", "$hls/$id", "$hls/private", "$hls/private/", "$hls/private/$id",
    "$hls/$id/replay/$master",
    "$hls/$id/$master/", "$hls/$id/$master?xVideoPassword=x", "$hls/$id/$master?videoFileToken[]=x",
    "$hls/$id/$master?VideoFileToken=x",
    "$hls/$id/$master?video%46ileToken=x&x", "$hls/$id/$master?x-peertube-video-password=x",
    "$hls/$id/$master?access_token=x",
    "$hls/$id/$master?token=x", "$hls/$id/$master?_HLS_msn=1", "$hls/$id/$master?reinjectVideoFileToken[a]=true",
    "$hls/$id/$master.",
    "$hls/$id/$master.gz", "$hls/$id/$master~", "$hls/$id/$master%00", "$hls/$id/$master%20", "$hls/$id/$master%0a",
    "$hls/$id/$master%23",
    "$hls/$id/$sums", "$hls/$id/segments-sha256.json", "$hls/$id/0.M3U8", "$hls/$id/0.m3u8%3f", "$hls/$id/a_b.ts",
    "$hls/$id/0.m4a", "$hls/$id/0.m3u", "$hls/$id/..m3u8", "$hls/$id/.ts", "$hls/$id/0.ts.ts", "$hls/$id/\xe9.ts",
    "$hls/$id/%c3%a9.ts",
    "$hls/$other/$master", "$hls/$shut/$smaster", "$private/$shut/$smaster", "$private/$other/$master",
    "$private/$id/../$shut/$smaster",
    "$private/$id/..%2f$shut%2f$smaster", "$private/$id%2f..%2f$shut/$smaster", "$private/../private/$shut/$smaster",
    "$hls//$id/$master",
    "$hls/$id//$master", "$hls/PRIVATE/$shut/$smaster", "$hls/priv%61te/$shut/$smaster",
    "$hls/private%00/$shut/$smaster",
    "$hls/private;/$shut/$smaster", "$hls/private\\$shut\\$smaster", "$hls/private/./$shut/$smaster",
    "$hls/$id;$other/$master",
    "$hls/%2e/private/$shut/$smaster", "$hls/$id/private/$shut/$smaster", "$hls/private/private/$shut/$smaster",
    "$hls%2f$id/$master",
    "/static/streaming-playlists/HLS/$id/$master", "/static//streaming-playlists/hls/$id/$master",
    "/static/hls/$id/$master",
    "/Static/streaming-playlists/hls/$id/$master", "/static/streaming-playlists/private/$id/$master",
    "/static/$id/$master",
    "/static/streaming-playlists/hls/../../web-videos/$oweb", "/static/web-videos/$oweb", "/static/webseed/$oweb",
    "/static/web-videos/private/$oweb", "/static/web-videos/$web?download=1", "/static/web-videos/private/$web",
    "/static/",
    "/static/torrents/$torrent", "/static/thumbnails/$thumb", "/static/redundancy/hls/$id/$master",
    "/static/previews/$preview",
    "/object-storage-proxy/streaming-playlists/hls/$id/$master", "/object-storage-proxy/web-videos/private/$web",
    "/object-storage-proxy/streaming-playlists/hls/private/$other/$master",
    "/object-storage-proxy/webseed/private/$web",
    "/object-storage-proxy/streaming-playlists/hls/private/$id/../$shut/$smaster", "/object-storage-proxy/",
    "/object-storage-proxy/streaming-playlists/hls/private/$id/a%2fb.mp4", "/lazy-static/avatars/x.png",
    "/lazy-static/banners/x.jpg", "/lazy-static/previews/$opreview", "/lazy-static/previews/$preview/",
    "/lazy-static/previews/..%2fthumbnails/$othumb", "/lazy-static/previews/$preview?cb=1",
    "/lazy-static/torrents/$torrent",
    "/lazy-static/Previews/$preview", "/lazy-static/video-captions/$ocaption",
    "/lazy-static/video-captions/../torrents/$torrent",
    "/lazy-static/storyboards/$oboard", "/lazy-static/thumbnails/$othumb", "/lazy-static/upload-images/x.png",
    "/lazy-static/static/$web", "/lazy-static/../api/v1/users/me", "/download/torrents/$torrent",
    "/download/web-videos/$web",
    "/download/streaming-playlists/hls/videos/$id-180-fragmented.mp4", "/download/videos/generate/$id?videoFileIds[]=1",
    "/download/original-video-files/$web", "/download/user-exports/x.zip", "/tracker/announce?info_hash=x",
    "/tracker/socket",
    "/socket.io/?EIO=4&transport=polling", "/socket.io/", "/socket.io/live-videos", "/user-notifications", "/runners",
)  # fmt: skip
OTHER_METHODS = (
    *(f"{how} /api/v1/videos/$id" for how in ("PUT", "DELETE", "PATCH", "POST", "PROPFIND", "CONNECT", "QUERY")),
    *(f"{how} $hls/$id/$master" for how in ("PUT", "POST", "DELETE", "MOVE", "COPY", "gET", "PURGE", "LOCK")),
    *(f"POST /api/v1/{what}" for what in (
        "videos/$other/token", "videos/$other/views", "videos/$short/views", "videos/$id/views/",
        "videos/$id/views?x=1",
        "videos/$id/rate", "videos/$id/comment-threads", "videos/upload", "videos/imports", "videos/live",
        "users/token",
        "users/register", "users/revoke-token", "users/ask-reset-password", "abuses", "server/contact",
        "plugins/install",
        "runners/register", "jobs/pause", "videos/$id/watching", "video-playlists", "users/me/new-feed-info/read",
    )),
    "HEAD /api/v1/videos/$other", "HEAD $hls/$other/$master", "HEAD $private/$shut/$smaster", "HEAD /api/v1/users/me",
)  # fmt: skip
OF_THE_PAGE = (
    "", "?", FIXED.replace("p2p=0", "p2p=1"), FIXED.replace("p2p", "P2P"), FIXED.replace("p2p=0", "p2p=0&p2p=1"),
    FIXED.replace("p2p=0", "p2p[]=0"), f"{FIXED}&api=1", f"{FIXED}&videoId=$other",
    f"{FIXED}&waitPasswordFromEmbedAPI=1",
    f"{FIXED}&playlistPosition=1", f"{FIXED}&videoFileToken=x", f"{FIXED}&", f"{FIXED}&&", f"{FIXED};api=1",
    f"{FIXED}%26api=1",
    FIXED.replace("warningTitle=0&", ""), FIXED.replace("=0&", "=0;"), f"/{FIXED}", f"/$other{FIXED}", f";{FIXED}",
)  # fmt: skip


def filled(tube: Tube, texts: Iterable[str]) -> Iterator[str]:
    library = tube.fake.library
    film, other, shut = library.film, library.other, library.secret
    names = {
        "hls": HLS, "private": f"{HLS}/private", "id": film.uuid, "short": film.short, "number": film.number,
        "other": other.uuid, "shut": shut.uuid, "master": film.master, "smaster": shut.master,
        "sums": film.master.replace("-master.m3u8", "-segments-sha256.json"), "web": film.web[180],
        "torrent": film.torrent, "thumb": film.thumbnail, "preview": film.preview, "playlist": library.playlist,
        "oweb": other.web[180], "opreview": other.preview, "ocaption": next(iter(other.captions.values())),
        "oboard": other.storyboard, "othumb": other.thumbnail,
    }  # fmt: skip
    for text in texts:
        yield Template(text if not text.startswith(("/", "$")) else f"GET {text}").substitute(names)


@pytest.fixture
async def tube(
    request: pytest.FixtureRequest, tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Tube]:
    monkeypatch.setenv("PEERTUBE_VIDEO_PASSWORD", PASSWORD)
    async with tube_behind(tmp_path, clips, request.param) as running:
        yield running


VECTORS = {
    "a video": tuple(f"/api/v1/videos/$id{rest}" for rest in OF_A_VIDEO),
    "the instance": OF_THE_INSTANCE,
    "files": OF_FILES,
    "methods": OTHER_METHODS,
    "the page": tuple(f"/videos/embed/$id{rest}" for rest in OF_THE_PAGE),
}


@pytest.mark.parametrize("tube", ["peertube", "peertube-embed"], indirect=True)
async def test_no_path_of_peertubes_own_is_asked(tube: Tube) -> None:
    cookie = await tube.come(tube.fake.library.film)
    through = []
    for request in filled(tube, (one for group in VECTORS.values() for one in group)):
        try:
            await tube.stage.refuses(cookie, request)
        except AssertionError as error:
            through.append(str(error).splitlines()[0])
    assert through == []
    tube.keeps()

    # Another spelling of the same is sent in the one spelling; what a browser asks ahead is answered here.
    before = len(tube.stage.server.asked)
    own = next(filled(tube, ["$hls/$id/$master"])).partition(" ")[2]
    assert (await tube.get(cookie, own.replace("-master", "%2dmaster"))).status == 200
    assert (await ask(tube.stage.guest.port, f"OPTIONS {own}", cookie=cookie)).status == 204
    assert [line.split("?")[0] for line in tube.stage.server.asked[before:]] == [f"GET {own}"]


HEADERS = (
    "Range: bytes=0-1,3-4", "Range: bytes=-99999999999999999999", "Range: bytes=5-1", "Range: items=0-1", "If-Range: x",
    "Range: bytes=0-0\r\nRange: bytes=1-1", "If-Match: *", "If-None-Match: *", "If-Modified-Since: x", "Expect: x",
    "Accept: application/activity+json", 'Accept: application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
    "Accept-Language: ../../x", "Accept-Encoding: br;q=1, zstd", "Signature: keyId=x", "Digest: SHA-256=x",
    "TE: trailers",
    "X-Forwarded-Proto: http", "X-Forwarded-Prefix: /api", "X-Accel-Redirect: /x", "X-Sendfile: /etc/passwd",
    "X-PeerTube-Video-Password: mine", "x-peertube-video-password: mine\r\nx-peertube-video-password: mine2",
    "X_Peertube_Video_Password: mine", "Authorization: Bearer mine", "authorization : Bearer mine", "Via: 1.1 mine",
    "Cookie: client-language=mine; theme=mine", "Referer: https://tube.example.org/?mine",
    "Origin: https://mine.example",
    "User-Agent: facebookexternalhit/1.1", "Connection: x-peertube-video-password", "Connection: close, Authorization",
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Upgrade: websocket\r\nConnection: Upgrade", "Max-Forwards: 0",
    "Content-Type: application/json", "Prefer: mine", "Save-Data: on", "DNT: mine", "Trailer: Authorization",
)  # fmt: skip


@pytest.mark.parametrize("tube", ["peertube", "peertube-embed"], indirect=True)
async def test_no_header_of_a_guests_changes_what_is_asked(tube: Tube) -> None:
    """Also beside a password of the guest's own, in each place where PeerTube would read one."""
    locked, stage = tube.fake.library.locked, tube.stage
    cookie = await tube.come(locked)
    own = f"{HLS}/private/{locked.uuid}/{locked.master}"
    for said in HEADERS:
        before, heard = len(stage.server.asked), len(stage.server.there)
        answer = await tube.get(cookie, own, f"{said}\r\n")
        asked, sent = stage.server.asked[before:], bytes(stage.server.there[heard:])
        assert asked in ([], [f"GET {own}"]), (said, asked)
        assert b"mine" not in sent.lower(), said
        assert sent.lower().count(b"peertube-video-password: ") == len(asked), said
        assert answer.status in (200, 206, 304, 400, 401, 403, 412, 416, 417), (said, answer.status)
    tube.keeps()


async def test_the_page_by_an_account_says_nothing_of_the_account(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may manage a live stream is told its key by PeerTube (`canSeePrivateLiveInformation`); an account is told
    where it stopped watching; and copies on other instances would lead guests there."""
    for name in ("CLIENT", "SECRET", "USER", "PASSWORD"):
        monkeypatch.setenv(f"PEERTUBE_{name}", {"CLIENT": "fake-client", "USER": "owner"}.get(name, PASSWORD))
    async with tube_behind(tmp_path, clips, with_account("peertube-embed")) as tube:
        live = tube.fake.library.live
        cookie = await tube.come(live)
        said = await tube.get(cookie, f"/api/v1/videos/live/{live.uuid}")
        assert (said.status, json.loads(said.body)["latencyMode"]) == (200, 1)
        said = await tube.get(cookie, f"/api/v1/videos/{live.uuid}")
        assert json.loads(said.body)["uuid"] == live.uuid
        tube.keeps(STREAM_KEY, "1935", "far.example", "copies.example", "userHistory")
