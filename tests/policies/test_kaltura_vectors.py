"""What somebody who knows Kaltura's own addresses would try, at policies/kaltura.yaml.

Each is refused, and neither Kaltura nor its CDN hears anything of it. `$id` is the guest's entry, `$flavor`,
`$caption` and `$thumb` its assets, `$ks` a session that everybody may have; with an `o` in front another entry's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from string import Template

import pytest
from aiohttp import web

from tests.policies.test_kaltura import CAPTIONS, Kaltura, kaltura_behind, manifest, named_in
from tests.running import ask
from tests.servers.asked import Asked

PAIRS = (
    "e/$oid", "entryId/$oid", "entry_id/$oid", "flavorId/$oflavor", "flavorIds/$flavor,$oflavor", "fi/$oflavor",
    "fs/$oflavor",
    "flavorParamId/0", "fp/0", "flavorParamIds/0,1", "fps/0", "sequence/$oid", "sequence/$oid,$id", "ks/$ks", "ks/",
    "ct/1",
    "clipTo/60000", "seekFrom/1", "sf/1", "cdnHost/localhost", "ch/elsewhere.example", "storageId/1", "si/1",
    "referrer/eA==",
    "r/eA==", "hashes/x=y", "kt/x", "expiry/99999999999", "ex/99999999999", "responseFormat/redirect",
    "usePlayServer/1",
    "playerConfig/x", "uiConfId/1", "ui/1", "deliveryCode/x", "dc/1", "deliveryProfileId/1", "playbackContext/x",
    "pc/x",
    "tags/source", "t/source", "maxBitrate/1", "mb/1", "minBitrate/1", "preferredBitrate/1", "playbackRate/2",
    "version/1",
    "streamType/x", "domain/elsewhere.example", "defaultAudioLang/x", "muxedAudio/1", "playSessionId/x", "clientTag/x",
    "rateFactor/1", "callback/x", "partner_id/102", "p/102", "f/url", "format/url", "pt/http", "protocol/rtmp", "0/0",
    "playlistAPI/1", "isLive/1", "baseUrl/elsewhere.example", "a.m3u8/x", "index.php/x", "nocache/1", "attributes/x",
)  # fmt: skip
MANIFESTS = (
    "/p/102/sp/10200/$rest", "/p/101/sp/10200/$rest", "/p/0/sp/000/$rest", "/p/-1/sp/10100/$rest",
    "/p/101/sp/101/$rest",
    "/p/101/$rest", "/sp/10100/$rest", "/$rest", "/s/p/101/sp/10100/$rest", "/index.php/extwidget/$rest",
    "/P/101/sp/10100/$rest",
    "/p/101/SP/10100/$rest", "/p/101/sp/10100/playmanifest/$tail", "/p/101/sp/10100/PlayManifest/$tail",
    "/p/101/sp/10100/%70layManifest/entryId/$oid/$end", "/p/101/sp/10100/playManifest/entryid/$id/$end",
    "/p/101/sp/10100/playManifest/entryId/$oid/$end", "/p/101/sp/10100/playManifest/entryId/$id,$oid/$end",
    "/p/101/sp/10100/playManifest/entryId/$id%2c$oid/$end", "/p/101/sp/10100/playManifest/entryId/$id%2fe%2f$oid/$end",
    "/p/101/sp/10100/playManifest/entryId/$id%26entryId=$oid/$end",
    "/p/101/sp/10100/playManifest/entryId/$id;$oid/$end",
    "/p/101/sp/10100/playManifest/entryId/$id%20/$end", "/p/101/sp/10100/playManifest/entryId/+$id/$end",
    "/p/101/sp/10100/playManifest/entryId/$id%00/$end", "/p/101/sp/10100/playManifest/entryId//$oid/$end",
    "/p/101/sp/10100/playManifest/entryId/$id/../$oid/$end", "/p/101/sp/10100/playManifest/entryId/$flavor/$end",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/https/format/mpegdash/a.mpd",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/https/format/hdnetworksmil/a.smil",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/https/format/applehttp/a.m3u8/",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/https/format/applehttp/b.m3u8",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/https/format/applehttp/",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/https/format/applehttp",
    "/p/101/sp/10100/playManifest/entryId/$id/format/applehttp/protocol/https/a.m3u8",
    "/p/101/sp/10100/playManifest/protocol/https/entryId/$id/format/applehttp/a.m3u8",
    "/p/101/sp/10100/playManifest/entryId/$id/protocol/http/format/applehttp/a.m3u8", "/p/101/sp/10100/playManifest",
)  # fmt: skip
PICTURES = (
    *(
    f"/p/101/thumbnail/{rest}" for rest in (
        "entry_id/$oid/width/640", "entry_id/$id", "entry_id/$id/width/641", "entry_id/$id/width/0640",
        "entry_id/$id/height/640",
        "width/640/entry_id/$id", "entry_id/$id/width/640/", "entry_id/$id/width/640.jpg",
        "entry_id/$id/width/640/ks/$ks",
        "entry_id/$id/width/640/flavor_id/$oflavor", "entry_id/$id/width/640/flavor_params_id/0",
        "entry_id/$id/width/640/type/5",
        "entry_id/$id/width/640/vid_sec/1", "entry_id/$id/width/640/upload_token_id/x",
        "entry_id/$id/width/640/src_x/1",
        "entry_id/$id/width/640&entry_id=$oid", "entry_id/$id%26entry_id=$oid/width/640",
        "entry_id/$id/width/640?entry_id=$oid",
        "entry_id/$id/width/640?ks=$ks", "entry_id/$id/width/640?thumb_params=x", "entry_id/$id/width/640?format=-1",
        "entry_id/$id/width/640/file_name/x.php", "entry_id/$id/width/640/bgcolor/%3cscript%3e",
        "ENTRY_ID/$id/width/640",
        "entry_id/$id/width/640/version/100000", "entry_id/$id/width/6e2", "entry_id/$id/width/%36%34%30/x",
        "thumbnail_id/$othumb",
    )
),
    "/p/101/sp/10100/thumbnail/entry_id/$id/width/640", "/p/102/thumbnail/entry_id/$id/width/640",
    "/p/101/thumbnail//entry_id/$oid",
    "/api_v3/service/thumbAsset/action/serve/thumbAssetId/$othumb", "/thumbnail/entry_id/$id/width/640",
    "/api_v3/index.php/service/thumbnail_thumbnail/action/transform/p/101/transformString/id-$oid",
)  # fmt: skip
CAPTION = "/api_v3/index.php/service/caption_captionasset/action"
OF_CAPTIONS = (
    *(
    f"{CAPTION}/{rest}" for rest in (
        "serveWebVTT/captionAssetId/$ocaption/segmentDuration/300/a.m3u8",
        "serveWebVTT/captionAssetId/$ocaption/segmentDuration/300/segmentIndex/1.vtt",
        "serveWebVTT/captionAssetId/$flavor/segmentDuration/300/a.m3u8", "serveWebVTT/captionAssetId/$caption/a.m3u8",
        "serveWebVTT/captionAssetId/$id/segmentDuration/300/a.m3u8", "serveWebVTT/captionAssetId/$caption",
        "serveWebVTT/captionAssetId/$caption,$ocaption/segmentDuration/300/a.m3u8", "serve/captionAssetId/$caption",
        "serveWebVTT/captionAssetId/$caption/captionAssetId/$ocaption/segmentDuration/300/a.m3u8",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/0/a.m3u8", "serveAsJson/captionAssetId/$caption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/-1/a.m3u8", "get/captionAssetId/$caption",
        "delete/captionAssetId/$caption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/0.vtt", "getUrl/id/$caption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/-1.vtt", "export/assetId/$caption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/1e3.vtt", "list",
        "list/filter:idEqual/$ocaption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/99999999/a.m3u8", "getRemotePaths/id/$caption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/localPath/1/a.m3u8", "serveByEntryId/entryId/$id",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/ks/$ks/a.m3u8", "search/entryFilter/x",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/1.vtt?ks=x&captionAssetId=$ocaption",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/1.vtt?KS=x",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/1.vtt?ks[]=x",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/segmentIndex/1.vtt?k%73=x&%6bs%00=y",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/a.m3u8?callback=x",
        "serveWebVTT/captionassetid/$caption/a.m3u8",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/a.m3u8?format=9",
        "servewebvtt/captionAssetId/$caption/a.m3u8",
        "serveWebVTT/captionAssetId/$caption/segmentDuration/300/a.m3u8/service/session", "serveWebVTT/",
    )
),
    "/api_v3/service/caption_captionasset/action/serveWebVTT/captionAssetId/$caption/segmentDuration/300/a.m3u8",
    "/api/service/caption_captionasset/action/serveWebVTT/captionAssetId/$caption/segmentDuration/300/a.m3u8",
    "/api_v3/index.php/service/baseentry/service/caption_captionasset/action/serveWebVTT/captionAssetId/$caption/a.m3u8",
)  # fmt: skip
OF_THE_API = (
    *(f"/api_v3/service/{rest}" for rest in (
    "session/action/startWidgetSession?widgetId=_101", "session/action/get?session=$ks",
    "session/action/impersonate", "system/action/ping",
    "appToken/action/startSession", "appToken/action/get", "appToken/action/list", "user/action/login",
    "user/action/loginByLoginId",
    "baseEntry/action/get/entryId/$id", "baseEntry/action/get/entryId/$oid", "baseEntry/action/list",
    "media/action/list", "playlist",
    "baseEntry/action/getPlaybackContext/entryId/$id", "baseEntry/action/getContextData/entryId/$id",
    "baseEntry/action/getByIds",
    "flavorAsset/action/getUrl/id/$flavor", "flavorAsset/action/getByEntryId/entryId/$id", "flavorAsset/action/list",
    "flavorAsset/action/getDownloadUrl/id/$oflavor", "thumbAsset/action/getUrl/id/$thumb",
    "attachment_attachmentAsset/action/serve",
    "liveStream/action/get/entryId/$id", "liveStream/action/isLive/id/$id", "liveStream/action/authenticate",
    "uiConf/action/list",
    "partner/action/getSecrets", "partner/action/get", "category/action/list", "metadata_metadata/action/list",
    "document_documents",
    "cuePoint_cuePoint/action/list", "elasticSearch_eSearch/action/searchEntry", "stats/action/collect",
    "report/action/getTotal",
    "multirequest", "multirequest/1:service/baseEntry/1:action/list", "widevine_widevineDrm",
    "playReady_playReadyDrm", "data/action/serve",
    "uploadToken/action/add", "upload/action/upload", "xinternal/action/xAddBulkDownload",
    "shortLink_shortLink/action/goto/id/x",
)),
    "/api_v3/", "/api_v3/index.php", "/api_v3/index.php?service=baseEntry&action=list",
    "/api_v3/getFeed.php?feedId=x", "/api_v3/testme/",
    "/api_v3/index.php/service/baseEntry/action/list/ks/$ks", "/x/api_v3/service/session/action/get",
    "/api_v3/xsdDoc/", "/api_v3/bulk.php",
    "/api_v3/swfdoc.php", "/API_V3/service/system/action/ping", "/api_v3/sitemap.php?partnerId=101",
    "/api_v3/feed.php", "/api_v3/generate",
)  # fmt: skip
PAGES = (
    "/", "/index.php", "/kmc", "/kmcng", "/admin_console/", "/batch", "/start", "/testme", "/clientlibs",
    "/crossdomain.xml", "/flash/x.swf",
    "/html5/html5lib/v2.101/mwEmbedLoader.php", "/html5/html5lib/v2.101/mwEmbedFrame.php?entry_id=$id",
    "/kwidget/wid/_101/entry_id/$id",
    "/html5/html5lib/v2.101/simplePhpXMLProxy.php?url=http://127.0.0.1/", "/lib/js/x.js", "/content/uiconf/x.xml",
    "/favicon.ico",
    "/p/101/embedPlaykitJs/uiconf_id/1", "/p/101/embedPlaykitJs/uiconf_id/1?autoembed=true&entry_id=$id&targetId=x",
    "/p/101/sp/10100/embedIframeJs/uiconf_id/1/partner_id/101?entry_id=$id", "/p/101/sp/10100/embedIframe/entry_id/$id",
    "/index.php/extwidget/preview/partner_id/101/uiconf_id/1/entry_id/$id", "/index.php/extwidget/openGraph/wid/_101",
    "/index.php/extwidget/embedIframe/entry_id/$id", "/index.php/extwidget/serveFlavor/flavorId/$oflavor",
    "/index.php/extwidget/raw",
    "/p/101/sp/10100/serveFlavor/entryId/$id/v/2/flavorId/$flavor/name/a.mp4",
    "/p/101/sp/10100/serveManifest/entryId/$id",
    "/p/101/sp/10100/serveFlavor/entryId/$id/flavorId/$oflavor", "/p/101/sp/10100/serveIsm/objectId/$id",
    "/p/101/sp/10100/serveFile",
    "/p/101/sp/10100/raw/entry_id/$id", "/p/101/raw/entry_id/$id/direct_serve/1",
    "/p/101/sp/10100/raw/entry_id/$id/quality/source",
    "/p/101/sp/10100/download/entry_id/$id/flavor/$flavor", "/p/101/sp/10100/flvclipper/entry_id/$id",
    "/downloadUrl?url=/$id",
    "/p/101/sp/10100/playManifest/entryId/$id/format/download/a.mp4", "/p/101/sp/10100/syncService", "/tiny/abcd",
    "/s/tiny/abcd",
    "/index.php/keditorservices/getAllEntries?list_type=1", "/index.php/partnerservices2/getentry?entry_id=$id",
    "/index.php/kmc/login",
    "/hls/p/101/sp/10100/serveFlavor/entryId/$id/v/2/ev/4/flavorId/$flavor/name/a.mp4/index.m3u8", "/media/x/$id",
    "/id/$id",
    "/dash/p/101/sp/10100/serveFlavor/entryId/$id/v/2/ev/4/flavorId/$flavor/name/a.mp4/manifest.mpd",
    "/browseandembed/index/media/entryid/$id",
    "/pd/p/101/sp/10100/serveFlavor/entryId/$id/v/2/ev/4/flavorId/$flavor/name/a.mp4",
    "/embed/secure/iframe/entryId/$id/", "/dc-0/m/ecdn",
    "$cdn/hls/p/101/sp/10100/serveFlavor/entryId/$id/v/2/ev/4/flavorId/$flavor/name/a.mp4/index.m3u8",
)  # fmt: skip
METHODS = (
    *(f"{how} $own" for how in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND", "CONNECT", "TRACE", "gET", "PURGE",
    "QUERY")),
    *(f"{how} $vtt" for how in ("POST", "PUT", "DELETE", "QUERY")), "HEAD $oown", "HEAD $ovtt",
    *(f"POST /api_v3/service/{what}" for what in ("multirequest", "session/action/startWidgetSession",
    "session/action/end", "baseEntry/action/list",
    "appToken/action/startSession?ks=$ks", "caption_captionAsset/action/list",
    "session/action/start")), "POST /api_v3/index.php",
)  # fmt: skip


def filled(kaltura: Kaltura, texts: Iterable[str]) -> Iterator[str]:
    library = kaltura.fake.library
    film, other = library.film, library.secret
    assert film.thumb is not None
    assert other.thumb is not None
    end, vtt = (
        "protocol/https/format/applehttp/a.m3u8",
        f"{CAPTIONS}/serveWebVTT/captionAssetId/{{}}/segmentDuration/300/a.m3u8",
    )
    names = {
        "id": film.id, "flavor": film.flavors[0].id, "caption": film.captions[0].id, "thumb": film.thumb.id,
        "oid": other.id, "oflavor": other.flavors[0].id, "ocaption": other.captions[0].id, "othumb": other.thumb.id,
        "ks": library.widget_ks(), "end": end, "tail": f"entryId/{film.id}/{end}",
        "rest": f"playManifest/entryId/{film.id}/{end}",
        "own": manifest(film.id), "oown": manifest(other.id), "vtt": vtt.format(film.captions[0].id),
        "ovtt": vtt.format(other.captions[0].id), "cdn": kaltura.fake.cdn_url,
    }  # fmt: skip
    for text in texts:
        yield Template(text if re.match("[A-Za-z]+ ", text) else f"GET {text}").substitute(names)


@pytest.fixture
async def kaltura(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kaltura]:
    async with kaltura_behind(tmp_path, clips, monkeypatch) as running:
        yield running


VECTORS = {
    # A pair before the entry, behind it, before the name, behind the name; and as a query.
    "pairs": tuple(
        where.replace("PAIR", pair).replace("QUERY", pair.replace("/", "=", 1))
        for pair in PAIRS
        for where in (
            "/p/101/sp/10100/playManifest/PAIR/entryId/$id/$end", "/p/101/sp/10100/playManifest/entryId/$id/PAIR/$end",
            "$own/PAIR", "$own?QUERY", "$own&QUERY",
        )
    ),
    "manifests": MANIFESTS,
    "pictures": PICTURES,
    "captions": OF_CAPTIONS,
    "the API": OF_THE_API,
    "pages": PAGES,
    "methods": METHODS,
}  # fmt: skip


async def test_no_address_of_kalturas_own_is_asked(kaltura: Kaltura) -> None:
    cookie = await kaltura.come(kaltura.fake.library.film)
    heard, through = len(kaltura.fake.cdn.asked), []
    for request in filled(kaltura, (one for group in VECTORS.values() for one in group)):
        try:
            await kaltura.stage.refuses(cookie, request)
        except AssertionError as error:
            through.append(str(error).splitlines()[0])
    assert through == []
    assert len(kaltura.fake.cdn.asked) == heard
    kaltura.keeps()


HEADERS = (
    "Range: bytes=0-1,3-4", "Range: bytes=-99999999999999999999", "Range: bytes=5-1",
    "Range: bytes=0-0\r\nRange: bytes=1-1",
    "X-Kaltura-Ks: mine", "X-Kaltura-Ks: mine\r\nx-kaltura-ks: mine2", "X_Kaltura_Ks: mine",
    "X-Kaltura-Parent-Server: mine",
    "X-Kaltura-Dc: mine", "X-Kaltura-F5-Https: on mine", "X-Kaltura-Remote-Addr: mine,1,mine",
    "X-Kaltura-Remote-Addr-Salt: mine",
    "X-Kaltura-Token: mine", "X-Kaltura-Access-Control: mine", "X-Forwarded-Server: mine",
    "X-Forwarded-Host: mine.example",
    "X-Forwarded-For: 192.0.2.77, mine", "X-Real-IP: mine", "True-Client-IP: mine", "CF-Connecting-IP: mine",
    "Fastly-Client-IP: mine",
    "Authorization: Bearer mine", "Cookie: kmcks=mine; ks=mine; PHPSESSID=mine", "Referer: https://mine.example/",
    "Via: 1.1 mine",
    "Origin: https://mine.example", "Content-Type: application/x-www-form-urlencoded",
    "X-HTTP-Method-Override: POST mine",
    "Connection: X-Kaltura-Ks", "Connection: close, Host", "Upgrade: h2c",
    "Upgrade: websocket\r\nConnection: Upgrade", "Expect: x",
    "If-None-Match: *", "If-Modified-Since: x", "Accept-Encoding: br, zstd", "Front-End-Https: on mine",
    "Trailer: X-Kaltura-Ks",
)  # fmt: skip


async def test_no_header_of_a_guests_changes_what_is_asked(kaltura: Kaltura) -> None:
    film, stage = kaltura.fake.library.film, kaltura.stage
    cookie = await kaltura.come(film)
    own, picture = manifest(film.id), f"/p/101/thumbnail/entry_id/{film.id}/width/640"
    for said in HEADERS:
        for path, sessions in ((own, 1), (picture, 0)):
            before, heard = len(stage.server.asked), len(stage.server.there)
            answer = await kaltura.get(cookie, path, f"{said}\r\n")
            asked, sent = stage.server.asked[before:], bytes(stage.server.there[heard:]).lower()
            assert asked in ([], [f"GET {path}"]), (said, asked)
            assert b"mine" not in sent, said
            assert sent.count(b"x-kaltura-ks:") == sessions * len(asked), said
            assert answer.status in (200, 206, 304, 400, 412, 416, 417), (said, answer.status)
    kaltura.keeps()


async def test_a_signed_address_is_one_guests_and_one_file(kaltura: Kaltura) -> None:
    library, stage = kaltura.fake.library, kaltura.stage
    cookie, same = await kaltura.come(library.film), await kaltura.come(library.film)
    other = await kaltura.come(library.other)
    listed = named_in((await kaltura.get(cookie, manifest(library.film.id))).body.decode())
    index = next(one for one in listed if one.startswith("/_gateway/s/"))
    base = index.rpartition("/")[0]
    parts = named_in((await kaltura.get(cookie, index)).body.decode())
    part = parts[0] if parts[0].startswith("/") else f"{base}/{parts[0]}"
    theirs = named_in((await kaltura.get(other, manifest(library.other.id))).body.decode())
    foreign = next(one for one in theirs if one.startswith("/_gateway/s/"))
    heard = len(kaltura.fake.cdn.asked)
    bent = [
        foreign,
        foreign.rpartition("/")[0] + "/" + index.rpartition("/")[2],
        base + "/" + foreign.rpartition("/")[2] + "x",
    ]
    for whole in (index, part):
        folder, _, name = whole.rpartition("/")
        pieces = whole.split("/")
        bent += [
            f"{folder}/x{name}", f"{folder}/{name}x", f"{folder}/../{name}", f"{folder}/%2e%2e/{name}",
            f"{folder}//{name}",
            f"{folder}/..%2f..%2f{name}", f"{folder}/{name}/", f"{folder}/{name};x", f"{folder}/{name}%00",
            f"{folder}/",
            f"{folder}/{name}?flavorId={library.other.flavors[0].id}", f"{folder}/{name}?ks=x",
            f"{folder}/{name.upper()}",
            f"{folder}/{name.replace('.', '-f1.')}", folder, f"{whole.replace('/_gateway/s/', '/_gateway/S/')}",
            f"/x/..{whole}",
            f"{whole[:-9]}.m3u8", "/".join([*pieces[:3], pieces[3][::-1], *pieces[4:]]), f"{whole}/seg-1-v1-a1.ts",
            "/".join([*pieces[:3], pieces[3][:-1] + ("A" if pieces[3][-1] != "A" else "B"), *pieces[4:]]),
            "/".join([*pieces[:3], pieces[3] + "A", *pieces[4:]]),
            "/".join([*pieces[:3], pieces[3].lower(), *pieces[4:]]),
        ]  # fmt: skip
    through = []
    for target in dict.fromkeys(bent):
        for how in ("GET", "HEAD", "POST"):
            answer = await ask(stage.guest.port, f"{how} {target}", cookie=cookie)
            if answer.status not in (400, 403, 404, 405, 410):
                through.append((how, target, answer.status))
    for stranger in (same, other, ""):
        for target in (index, part):
            answer = await ask(stage.guest.port, f"GET {target}", cookie=stranger)
            if answer.status not in (401, 403, 404, 410):
                through.append((stranger, target, answer.status))
    assert through == []
    assert len(kaltura.fake.cdn.asked) == heard
    kaltura.keeps()


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_session_that_kaltura_says_back_stays_here(
    kaltura: Kaltura, monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    """In headers and captions' addresses, which are left out; or in all of the answer, which is not delivered then."""
    fake, film = kaltura.fake, kaltura.fake.library.film
    plain = fake._route

    def says_it_back(request: web.Request, asked: Asked) -> web.StreamResponse:
        answer = plain(request, asked)
        ks = request.headers.get("X-Kaltura-Ks") or (re.findall(r"[?&]ks=([^&]+)", asked.target) or [""])[0]
        if ks and "/api_v3/service" not in asked.target and isinstance(answer, web.Response):
            text = (answer.text or "").replace("/segmentDuration/300", f"/ks/{ks}/segmentDuration/300")
            if everywhere:
                at = f"{fake.cdn_url}/hls/p/101/sp/10100/serveFlavor/entryId/{film.id}/a.m3u8?ks={ks}"
                media = f'TYPE=SUBTITLES,GROUP-ID="subs",NAME="{ks}",URI="{manifest(film.id)}?ks={ks}"'
                text += f"# {ks}\n#EXT-X-MEDIA:{media}\n#EXT-X-STREAM-INF:BANDWIDTH=7\n{at}\n"
            answer.text = text
            answer.headers["X-Kaltura-Session"] = answer.headers["ETag"] = f'"{ks}"'
            answer.headers["X-Kaltura"] = f"ks={ks}"
            answer.headers["Set-Cookie"] = f"ks={ks}; Path=/"
            answer.headers["Link"] = f"</x?ks={ks}>; rel=preload"
        return answer

    monkeypatch.setattr(fake, "_route", says_it_back)
    cookie = await kaltura.come(film)
    first = await kaltura.get(cookie, manifest(film.id))
    assert first.status == (502 if everywhere else 200)
    for name in named_in(first.body.decode()) if not everywhere else ():
        assert (await kaltura.get(cookie, name)).status == 200
    captions = f"{CAPTIONS}/serveWebVTT/captionAssetId/{film.captions[0].id}/segmentDuration/300/a.m3u8"
    assert (await kaltura.get(cookie, captions)).status == (502 if everywhere else 200)
    assert "set-cookie" not in first.headers
    kaltura.keeps()
