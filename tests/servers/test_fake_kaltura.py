"""The fake Kaltura does what Kaltura does, and each trap is there to fall into."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chromium import chromium
from tests.policies.media_servers import packages
from tests.servers.asking import Said, ask, stamped
from tests.servers.fake_kaltura import FakeKaltura
from tests.servers.kaltura_cdn import page_addresses
from tests.system_parts import needs_chromium

pytestmark = pytest.mark.timeout(300)
JSON = {"Content-Type": "application/json"}


@dataclass
class Kaltura:
    fake: FakeKaltura
    url: str

    async def get(self, target: str, **headers: str) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.url, target, headers=named)

    async def call(self, **body: object) -> Said:
        """POST /api_v3/service/multirequest or one service, as JSON."""
        data = json.dumps({"format": 1, **body}).encode()
        return await ask(self.url, "/api_v3/service/multirequest", method="POST", headers=JSON, body=data)

    async def one(self, service: str, action: str, **params: object) -> Said:
        data = json.dumps({"format": 1, **params}).encode()
        target = f"/api_v3/service/{service}/action/{action}"
        return await ask(self.url, target, method="POST", headers=JSON, body=data)

    def manifest(self, *pairs: str, end: str = "protocol/https/format/applehttp/a.m3u8") -> str:
        return "/".join((f"/p/101/sp/10100/playManifest/{'/'.join(pairs)}", end))


@pytest.fixture
async def kaltura(tmp_path: Path, clips: Path) -> AsyncIterator[Kaltura]:
    fake = FakeKaltura(tmp_path, clips)
    async with fake.running() as url:
        yield Kaltura(fake, url)


async def test_a_manifest_names_the_cdn(kaltura: Kaltura) -> None:
    library, cdn = kaltura.fake.library, kaltura.fake.cdn_url
    film = library.film
    answer = await kaltura.get(kaltura.manifest("entryId", film.id))
    variants = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert [line.startswith(f"{cdn}/hls/p/101/sp/10100/serveFlavor/entryId/{film.id}/") for line in variants] == [
        True
    ] * 2
    assert film.captions[0].id in answer.text
    index = await ask(cdn, variants[0].removeprefix(cdn))
    parts = [line for line in index.text.splitlines() if not line.startswith("#")]
    assert all(line.startswith(cdn) and line.endswith(".ts") for line in parts)
    first = await ask(cdn, parts[0].removeprefix(cdn))
    assert (first.status, first.body[:1], stamped(first.body)) == (200, b"\x47", film.id)


async def test_other_formats_are_redirects_to_another_host(kaltura: Kaltura) -> None:
    film, cdn = kaltura.fake.library.film, kaltura.fake.cdn_url
    for form, end in (("url", "a.mp4"), ("download", "a.mp4"), ("mpegdash", "manifest.mpd")):
        answer = await kaltura.get(kaltura.manifest("entryId", film.id, end=f"format/{form}/a.mp4"))
        assert answer.status == 302
        target = answer.headers["location"]
        assert target.startswith(f"{cdn}/")
        found = await ask(cdn, target.removeprefix(cdn))
        assert found.status == 200
        assert ("attachment" in found.headers.get("content-disposition", "")) == (form == "download")
        if form == "url":
            assert target.endswith(end)
            assert stamped(found.body) == film.id
            part = await ask(cdn, target.removeprefix(cdn), headers={"Range": "bytes=4-7"})
            assert (part.status, part.body) == (206, b"ftyp")


async def test_hls_by_redirect(tmp_path: Path, clips: Path) -> None:
    fake = FakeKaltura(tmp_path, clips, hls="redirect")
    async with fake.running() as url:
        film = fake.library.film
        answer = await ask(url, f"/p/101/sp/10100/playManifest/entryId/{film.id}/format/applehttp/a.m3u8")
        target = answer.headers["location"]
        assert re.search(r"/flavorId/,[^/]+,[^/]+,/name/a\.mp4\.urlset/master\.m3u8$", target)
        master = await ask(fake.cdn_url, target.removeprefix(fake.cdn_url))
        index = [line for line in master.text.splitlines() if not line.startswith("#")][1]
        text = (await ask(fake.cdn_url, index.removeprefix(fake.cdn_url))).text
        assert "seg-1-f2-v1-a1.ts" in text


async def test_the_first_of_the_path_wins(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    film, other = library.film, library.other

    async def played(target: str, body: bytes = b"") -> str:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        method = "POST" if body else "GET"
        answer = await ask(kaltura.url, target, method=method, headers=form if body else {}, body=body)
        return next(one.id for one in library.entries.values() if f"/entryId/{one.id}/" in answer.text)

    end = "format/applehttp/a.m3u8"
    base = "/p/101/sp/10100/playManifest"
    assert await played(f"{base}/entryId/{film.id}/entryId/{other.id}/{end}") == film.id
    assert await played(f"{base}/entryId/{film.id}/e/{other.id}/{end}") == film.id  # the long name is asked first …
    assert await played(f"{base}/e/{film.id}/entryId/{other.id}/{end}") == other.id  # … wherever it stands
    assert await played(f"{base}/e/{other.id}/{end}") == other.id
    assert await played(f"{base}/entryId/{film.id}/{end}?entryId={other.id}") == film.id  # path beats query
    assert await played(f"{base}/{end}?entryId={film.id}&entryId={other.id}") == other.id  # of the query the last
    assert await played(f"{base}/entryId/{film.id}/{end}", f"entryId={other.id}".encode()) == film.id
    assert await played(f"{base}/{end}", f"entryId={other.id}".encode()) == other.id
    # empty parts and the script's own name are dropped, which moves keys and values about
    assert await played(f"{base}//entryId//{film.id}/{end}") == film.id
    assert await played(f"{base}/entryId/index.php/{other.id}/{end}") == other.id


@pytest.mark.parametrize(
    "spelling",
    ["/s/p/101/sp/10100/playManifest", "/p/101/playManifest", "/index.php/extwidget/playManifest", "/p/9/playManifest",
     "/x/../p/101/playManifest", "//p/101//playManifest", "/p/101/%70layManifest"],
)  # fmt: skip
async def test_one_action_has_many_addresses(kaltura: Kaltura, spelling: str) -> None:
    film = kaltura.fake.library.film
    assert (await kaltura.get(f"{spelling}/entryId/{film.id}/format/applehttp/a.m3u8")).status == 200


async def test_encoded_slashes_are_not_found(kaltura: Kaltura) -> None:
    film = kaltura.fake.library.film
    assert (await kaltura.get(f"/p/101/playManifest/entryId%2f{film.id}/format/applehttp/a.m3u8")).status == 404


async def test_one_asset_that_is_no_flavour_comes_from_any_entry(kaltura: Kaltura) -> None:
    film, secret = kaltura.fake.library.film, kaltura.fake.library.secret
    foreign = secret.captions[0].id
    for name in ("flavorIds", "flavorId", "fs", "fi"):
        answer = await kaltura.get(kaltura.manifest("entryId", film.id, name, foreign, end="format/url/a.mp4"))
        target = answer.headers["location"].removeprefix(kaltura.fake.cdn_url)
        assert stamped((await ask(kaltura.fake.cdn_url, target)).body) == secret.id
    # a foreign FLAVOUR is not taken: the entry's own come instead
    answer = await kaltura.get(
        kaltura.manifest("entryId", film.id, "flavorIds", secret.flavors[0].id, end="format/url/a.mp4")
    )
    assert f"/entryId/{film.id}/" in answer.headers["location"]


async def test_a_sequence_splices_another_entry_in(kaltura: Kaltura) -> None:
    film, other = kaltura.fake.library.film, kaltura.fake.library.other
    cdn = kaltura.fake.cdn_url
    answer = await kaltura.get(kaltura.manifest("entryId", film.id, "sequence", other.id))
    line = next(line for line in answer.text.splitlines() if not line.startswith("#"))
    index = (await ask(cdn, line.removeprefix(cdn))).text
    part = next(line for line in index.splitlines() if not line.startswith("#"))
    assert stamped((await ask(cdn, part.removeprefix(cdn))).body) == other.id


async def test_one_of_the_cdns_hosts_can_be_asked_for(kaltura: Kaltura) -> None:
    film, second = kaltura.fake.library.film, kaltura.fake.second_cdn
    for name, host in (("cdnHost", second.removeprefix("http://")), ("ch", second.removeprefix("http://"))):
        answer = await kaltura.get(kaltura.manifest("entryId", film.id, name, host, end="format/url/a.mp4"))
        assert answer.headers["location"].startswith(f"{second}/")
    answer = await kaltura.get(kaltura.manifest("entryId", film.id, "cdnHost", "evil.example", end="format/url/a.mp4"))
    assert answer.headers["location"].startswith(f"{kaltura.fake.cdn_url}/")


async def test_a_guarded_entry_wants_a_ks(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    secret = library.secret
    target = kaltura.manifest("entryId", secret.id)
    assert (await kaltura.get(target)).status == 404
    assert (await kaltura.get(target, X_Kaltura_Ks=library.widget_ks())).status == 404
    assert (await kaltura.get(target, X_Kaltura_Ks=library.sign(privileges=f"sview:{library.film.id}"))).status == 404
    ks = library.sign(privileges=f"sview:{secret.id}")
    assert (await kaltura.get(target, X_Kaltura_Ks=ks)).status == 200
    assert ks not in (await kaltura.get(target, X_Kaltura_Ks=ks)).text
    # in the path it comes back in the manifest, and any character of base64 with it
    answer = await kaltura.get(kaltura.manifest("entryId", secret.id, "ks", ks))
    assert f"/ks/{ks}/" in answer.text
    # what the CDN is asked for needs none
    line = next(line for line in answer.text.splitlines() if not line.startswith("#"))
    assert (await ask(kaltura.fake.cdn_url, line.removeprefix(kaltura.fake.cdn_url))).status == 200


async def test_serve_flavor_asks_for_no_right_and_for_the_entry_only_where_it_is_said(kaltura: Kaltura) -> None:
    film, secret = kaltura.fake.library.film, kaltura.fake.library.secret
    flavor = secret.flavors[0].id
    for target in (
        f"/p/101/sp/10100/serveFlavor/entryId/{secret.id}/flavorId/{flavor}/name/a.mp4",
        f"/p/101/sp/10100/serveFlavor/flavorId/{flavor}/name/a.mp4",
        f"/anything/at/all/serveFlavor/flavorId/{flavor}",  # the rewrite finds its word anywhere
    ):
        assert stamped((await kaltura.get(target)).body) == secret.id
    wrong = await kaltura.get(f"/p/101/serveFlavor/entryId/{film.id}/flavorId/{flavor}/name/a.mp4")
    assert (wrong.status, wrong.body) == (200, b"")  # a fault, with status 200
    assert wrong.headers["x-kaltura-app"].startswith("exiting on error")
    # the CDN likewise: the parts of a set may be anybody's where no entry is said
    cdn = kaltura.fake.cdn_url
    mixed = f"/hls/p/101/sp/10100/serveFlavor/flavorId/,{film.flavors[0].id},{flavor},/name/a.mp4.urlset"
    part = await ask(cdn, f"{mixed}/seg-1-f2-v1-a1.ts")
    assert stamped(part.body) == secret.id


async def test_the_last_word_of_a_thumbnail_counts(kaltura: Kaltura) -> None:
    film, other = kaltura.fake.library.film, kaltura.fake.library.other
    own = f"/p/101/thumbnail/entry_id/{film.id}"

    async def shown(target: str, body: bytes = b"") -> str | None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await ask(
            kaltura.url, target, method="POST" if body else "GET", headers=form if body else {}, body=body
        )
        return stamped(answer.body)

    assert await shown(f"{own}/width/160/height/90") == film.id
    assert await shown(f"{own}/vid_slices/4/vid_slice/1") == film.id
    assert await shown(f"{own}/entry_id/{other.id}") == other.id
    assert await shown(f"{own}/width/1&entry_id={other.id}") == other.id
    assert await shown(f"{own}/width/1%26entry_id={other.id}") == other.id
    assert await shown(f"{own}/width/1%26entry_id%3D{other.id}") == other.id
    assert await shown(f"{own}/width/1%2526entry_id={other.id}") == film.id  # decoded once too often for a pair
    assert await shown(f"{own}/width/1?entry_id={other.id}") == film.id  # path beats query
    assert await shown(f"{own}/width/1", f"entry_id={other.id}".encode()) == other.id  # body beats path
    assert await shown(f"{own}/flavor_id/{other.flavors[0].id}") == other.id
    assert await shown(f"/p/101/thumbnail/entry_id/{film.id}.jpg") == film.id


async def test_faults_of_pages_are_kept_for_everybody(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    missing = await kaltura.get(kaltura.manifest("entryId", "0_nothing1"))
    assert (missing.status, missing.body) == (404, b"")
    assert missing.headers["x-kaltura-app"] == "exiting on error 1 - requested entry not found"
    again = await kaltura.get(kaltura.manifest("entryId", "0_nothing1"))
    assert again.headers["x-kaltura"] == "cached-error-1"
    # one guest's bad header, and the film is gone for all who ask by that name
    target = kaltura.manifest("entryId", library.film.id)
    host = kaltura.url.removeprefix("http://")
    assert (await kaltura.get(target, X_Kaltura_Ks="bad", X_Forwarded_Host=host)).status == 404
    assert (await kaltura.get(target)).status == 404
    assert (await kaltura.get(target + "?x")).status == 200
    assert (await kaltura.get("/p/101/thumbnail/entry_id/0_nothing1")).status == 404


async def test_the_api_answers_faults_with_200(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    ks = library.sign(admin=True)
    for entry, code in (("0_nothing1", "ENTRY_ID_NOT_FOUND"), (library.gone.id, "ENTRY_ID_NOT_FOUND")):
        answer = await kaltura.one("baseEntry", "get", ks=ks, entryId=entry)
        assert (answer.status, answer.json["code"], answer.json["objectType"]) == (200, code, "KalturaAPIException")
    assert (await kaltura.one("baseEntry", "get", ks="bad", entryId="x")).json["code"] == "INVALID_KS"
    assert (await kaltura.one("baseEntry", "get", entryId="x")).json["code"] == "MISSING_KS"
    assert (await kaltura.one("nothing", "get", ks=ks)).json["code"] == "SERVICE_DOES_NOT_EXISTS"
    header = json.dumps({"format": 1, "entryId": library.film.id}).encode()
    at, named = "/api_v3/service/baseEntry/action/get", {**JSON, "X-Kaltura-Ks": ks}
    answer = await ask(kaltura.url, at, method="POST", headers=named, body=header)
    assert answer.json["code"] == "MISSING_KS"  # the header is playManifest's alone
    assert (await kaltura.one("baseEntry", "get", ks=ks, entryId=library.unready.id)).json["status"] == 1


async def test_what_the_players_own_request_gives_away(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    film = library.film
    ks, first = "{1:result:ks}", "{2:result:objects:0:id}"
    answer = await kaltura.call(
        **{
            "1": {"service": "session", "action": "startWidgetSession", "widgetId": "_101"},
            "2": {"service": "baseEntry", "action": "list", "ks": ks, "filter": {"redirectFromEntryId": film.id}},
            "3": {"service": "baseEntry", "action": "getPlaybackContext", "ks": ks, "entryId": first},
            "4": {"service": "baseEntry", "action": "list", "ks": ks, "filter": {}},
        }
    )
    session, listed, context, everything = answer.json
    assert library.read(session["ks"]) is not None  # a KS, to everybody
    assert "downloadUrl" in listed["objects"][0]
    assert [one["format"] for one in context["sources"]] == ["applehttp", "mpegdash", "url"]
    assert context["sources"][0]["flavorIds"] == ",".join(one.id for one in film.flavors)
    assert {one["id"] for one in context["playbackCaptions"]} == {one.id for one in film.captions}
    assert {library.film.id, library.other.id} <= {one["id"] for one in everything["objects"]}
    assert library.secret.id not in {one["id"] for one in everything["objects"]}
    # an ended live entry leads to another one
    ks = library.widget_ks()
    live = await kaltura.one("baseEntry", "list", ks=ks, filter={"redirectFromEntryId": library.live.id})
    assert [one["id"] for one in live.json["objects"]] == [library.recording.id]
    same = await kaltura.one("baseEntry", "list", ks=ks, filter={"idEqual": library.live.id})
    assert [one["id"] for one in same.json["objects"]] == [library.live.id]
    named = await kaltura.one("baseEntry", "list", ks=ks, filter={"referenceIdEqual": "course-1"})
    assert [one["id"] for one in named.json["objects"]] == [film.id]


async def test_the_address_beats_the_body(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    body = json.dumps({"format": 1, "ks": library.widget_ks(), "entryId": library.film.id}).encode()
    target = f"/api_v3/service/baseEntry/action/get/entryId/{library.other.id}"
    answer = await ask(kaltura.url, target, method="POST", headers=JSON, body=body)
    assert answer.json["id"] == library.other.id
    query = f"service=baseEntry&action=get&format=1&ks={library.sign(admin=True)}&entryId={library.film.id}"
    assert (await kaltura.get(f"/api_v3/index.php?{query}")).json["id"] == library.film.id


async def test_a_guarded_entrys_context(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    secret = library.secret
    blocked = (await kaltura.one("baseEntry", "getPlaybackContext", ks=library.widget_ks(), entryId=secret.id)).json
    assert (blocked["sources"], blocked["actions"][0]["objectType"]) == ([], "KalturaAccessControlBlockAction")
    ks = library.sign(privileges=f"sview:{secret.id}")
    context = (await kaltura.one("baseEntry", "getPlaybackContext", ks=ks, entryId=secret.id)).json
    assert all(f"/ks/{ks}/" in one["url"] for one in context["sources"])


async def test_captions_by_their_own_id(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    at = "/api_v3/index.php/service/caption_captionasset/action"
    for entry in (library.film, library.other):
        target = f"{at}/serveWebVTT/captionAssetId/{entry.captions[0].id}/segmentIndex/-1/version/2/captions.vtt"
        assert entry.id not in target
        assert stamped((await kaltura.get(target)).body) == entry.id
    own, foreign = library.film.captions[0].id, library.other.captions[0].id
    # first of the path wins here too, and it beats the query
    assert (
        stamped((await kaltura.get(f"{at}/serve/captionAssetId/{own}/captionAssetId/{foreign}")).body)
        == library.film.id
    )
    assert stamped((await kaltura.get(f"{at}/serve?captionAssetId={foreign}")).body) == library.other.id
    hidden = await kaltura.get(f"{at}/serve/captionAssetId/{library.secret.captions[0].id}")
    assert (hidden.status, "CAPTION_ASSET_ID_NOT_FOUND" in hidden.text) == (200, True)
    playlist = await kaltura.get(f"{at}/serveWebVTT/captionAssetId/{own}/segmentDuration/300/a.m3u8")
    assert playlist.text.startswith("#EXTM3U")


async def test_the_embed_page_writes_what_it_was_asked(kaltura: Kaltura) -> None:
    film = kaltura.fake.library.film
    page = "/p/101/embedPlaykitJs/uiconf_id/1?iframeembed=true"
    assert f'loadMedia({{"entryId":"{film.id}"}})' in (await kaltura.get(f"{page}&entry_id={film.id}")).text
    assert '"sources":alert(1)' in (await kaltura.get(f"{page}&external_source=alert(1)")).text
    assert "</script><script>alert(2)" in (await kaltura.get(f"{page}&entry_id=%3C/script%3E%3Cscript%3Ealert(2)")).text
    assert '= "x";alert(3)//"' in (await kaltura.get(f"{page}&entry_id=x", Referer='x";alert(3)//')).text
    assert '"ks": "stolen"' in (await kaltura.get(f"{page}&entry_id=x&ks=stolen")).text
    assert '"a": 1' in (await kaltura.get(f"{page}&entry_id=x&config[a]=1")).text
    bundle = await kaltura.get(f"/p/101/embedPlaykitJs/uiconf_id/1?autoembed=true&targetId=here&entry_id={film.id}")
    assert bundle.headers["content-type"].startswith("text/javascript")
    assert '"targetId": "here"' in bundle.text
    assert (await kaltura.get(page)).status == 404


async def test_doors_to_whole_files(kaltura: Kaltura) -> None:
    film, secret = kaltura.fake.library.film, kaltura.fake.library.secret
    for target in (f"/p/101/sp/10100/raw/entry_id/{film.id}/version/0", f"/p/101/download/entry_id/{film.id}"):
        answer = await kaltura.get(target)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert stamped(answer.body) == film.id
    assert (await kaltura.get(f"/p/101/raw/entry_id/{secret.id}")).body == b""
    assert "shortLink" in (await kaltura.get("/tiny/abcd")).headers["location"]


async def test_pages_of_media_spaces_want_a_login(kaltura: Kaltura) -> None:
    film = kaltura.fake.library.film
    named = page_addresses(film.id, 101, space=kaltura.fake.space_url, kaltura=kaltura.url)
    assert all(film.id in address for address in named.values())
    answer = await ask(kaltura.fake.space_url, named["media space"].removeprefix(kaltura.fake.space_url))
    assert (answer.status, answer.headers["location"].startswith("/user/login")) == (302, True)
    framed = named["application framework"].removeprefix(kaltura.fake.space_url)
    assert (await ask(kaltura.fake.space_url, framed)).status == 403
    preview = await kaltura.get(named["preview"].removeprefix(kaltura.url))
    assert f"embedPlaykitJs/uiconf_id/23448540?iframeembed=true&entry_id={film.id}" in preview.text


async def test_the_log_keeps_targets_as_they_came(kaltura: Kaltura) -> None:
    await kaltura.get("//p/%31/../x?a=1&a=2", X_Kaltura_Ks="k")
    assert kaltura.fake.targets == ["GET //p/%31/../x?a=1&a=2"]
    assert (kaltura.fake.asked[0].header("X-Kaltura-Ks"), kaltura.fake.cdn.asked) == ("k", [])


# --- driven by Kaltura's own clients

PYTHON = """
import json, sys
from KalturaClient import KalturaClient, KalturaConfiguration
from KalturaClient.Plugins.Core import *
from KalturaClient.exceptions import KalturaException
url, secret, entry, missing = sys.argv[1:]
config = KalturaConfiguration()
config.serviceUrl = url
client = KalturaClient(config)
said = {}
client.setKs(client.session.start(secret, "teacher", KalturaSessionType.USER, 101, 600, f"sview:{entry}"))
got = client.baseEntry.get(entry)
said["name"], said["status"] = got.name, got.status.getValue()
context = client.baseEntry.getPlaybackContext(entry, KalturaPlaybackContextOptions())
said["formats"] = [one.format for one in context.sources]
said["captions"] = [one.languageCode for one in context.playbackCaptions]
try:
    client.baseEntry.get(missing)
except KalturaException as error:
    said["fault"] = error.code
client.startMultiRequest()
listed = client.baseEntry.list(KalturaBaseEntryFilter(idEqual=entry))
client.baseEntry.get(listed.objects[0].id)
said["chained"] = [type(one).__name__ for one in client.doMultiRequest()]
client.setKs(client.generateSession(secret, "somebody", 0, 101, 600, f"sview:{entry}").decode())
said["signed"] = client.baseEntry.get(entry).name
print(json.dumps(said))
"""


async def test_kalturas_python_client(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    home = await asyncio.to_thread(packages)
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PYTHON, kaltura.url, library.user_secret, library.secret.id, library.gone.id,
        env={**os.environ, "PYTHONPATH": str(home)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 0, err.decode()
    assert json.loads(out) == {
        "name": library.secret.name,
        "status": "2",
        "formats": ["applehttp", "mpegdash", "url"],
        "captions": ["en", "de"],
        "fault": "ENTRY_ID_NOT_FOUND",
        "chained": ["KalturaBaseEntryListResponse", "KalturaMediaEntry"],
        "signed": library.secret.name,
    }


@pytest.mark.browser
@needs_chromium
async def test_kalturas_own_player_plays(tmp_path: Path, clips: Path, clients: Path) -> None:
    """@playkit-js/kaltura-player-js in the embed page: HLS from the CDN, and the requests it is known for."""
    player = (clients / "@playkit-js/kaltura-player-js/dist/kaltura-ovp-player.js").read_text()
    fake = FakeKaltura(tmp_path, clips, player=player)
    async with fake.running() as url, chromium() as browser:
        film = fake.library.film
        page = await browser.new_page()
        query = f'iframeembed=true&entry_id={film.id}&config[playback]={{"autoplay":true,"muted":true}}'
        await page.goto(f"{url}/p/101/embedPlaykitJs/uiconf_id/1?{query}")
        await page.wait_for_function("kalturaPlayer.currentTime > 0.3", timeout=60_000)
        await page.evaluate("kalturaPlayer.currentTime = 5")
        await page.wait_for_function("kalturaPlayer.currentTime > 5", timeout=60_000)
        tracks = await page.evaluate("kalturaPlayer.getTracks('text').map(one => one.language)")
        assert {"en", "de"} <= set(tracks)
        assert len(await page.evaluate("kalturaPlayer.getTracks('video')")) == 2
        multi = next(one for one in fake.asked if one.path == "/api_v3/service/multirequest")
        asked = json.loads(multi.body)
        assert [asked[n]["action"] for n in "1234"] == ["startWidgetSession", "list", "getPlaybackContext", "list"]
        assert [one for one in fake.asked if one.path.startswith(f"/p/101/sp/10100/playManifest/entryId/{film.id}/")]
        assert [one for one in fake.cdn.asked if one.path.endswith(".ts")]


@pytest.mark.browser
@needs_chromium
async def test_the_small_player_plays(tmp_path: Path, clips: Path) -> None:
    fake = FakeKaltura(tmp_path, clips)
    async with fake.running() as url, chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{url}/p/101/embedPlaykitJs/uiconf_id/1?iframeembed=true&entry_id={fake.library.film.id}")
        await page.wait_for_function("kalturaPlayer.ready")
        await page.evaluate("kalturaPlayer.video.play()")
        await page.wait_for_function("kalturaPlayer.video.currentTime > 0.3")
        assert [one for one in fake.asked if "action=trackEvent" in one.query]
        await page.goto(f"{url}/p/101/embedPlaykitJs/uiconf_id/1?iframeembed=true&entry_id={fake.library.secret.id}")
        await page.wait_for_function("kalturaPlayer.failed")
