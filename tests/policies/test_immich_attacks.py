"""What somebody who knows Immich, and not the gateway, tries with a guest's cookie."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.policies.attacks import Attack, bent
from tests.policies.test_immich import POLICY, Gallery, gallery, library
from tests.policies.wire import between
from tests.running import ask, enter
from tests.servers.fake_immich import FakeImmich
from tests.servers.films import Films
from tests.servers.immich_library import new_id

__all__ = ["gallery"]

# {a}: the guest's video; {b}: a picture of the same link; {c}: an asset that the link does not have; {k}, {l}: keys.
ROUTES = """
/api/assets/{a} /api/assets/{b} /api/assets/{b}/thumbnail?size=preview /api/assets/{b}/thumbnail?size=thumbnail
/api/assets/{b}/original /api/assets/{c}/video/playback?key={k} /api/assets/{c}/video/playback?slug=the-film
/api/assets/{c}/original?key={k} /api/assets/{a}/original /api/assets/{a}/original?key={k}
/api/assets/{a}/original?edited=true /api/assets/{a}/metadata /api/assets/{a}/metadata/x /api/assets/{a}/ocr
/api/assets/{a}/edits PUT:/api/assets/{a}/edits DELETE:/api/assets/{a}/edits /api/assets/{a}/file
/api/assets/{a}/file?isWeb=true /api/asset/file/{a} /api/asset/thumbnail/{a}?format=JPEG /api/asset/assetById/{a}
/api/assets/device/x /api/assets/statistics /api/assets/random?count=9 /api/assets/memory-lane POST:/api/assets/exist
POST:/api/assets/bulk-upload-check POST:/api/assets/jobs PUT:/api/assets PUT:/api/assets/copy PUT:/api/assets/{a}
DELETE:/api/assets POST:/api/assets POST:/api/assets?key={k} PUT:/api/assets/{a}/original
PUT:/api/assets/{a}/original?key={k} /api/assets/{a}/thumbnail /api/assets/{a}/thumbnail?
/api/assets/{a}/thumbnail?size=fullsize /api/assets/{a}/thumbnail?size=original /api/assets/{a}/thumbnail?size=PREVIEW
/api/assets/{a}/thumbnail?size=preview%00 /api/assets/{a}/thumbnail?size=%20preview
/api/assets/{a}/thumbnail?size=preview+ /api/assets/{a}/thumbnail?size=preview,fullsize
/api/assets/{a}/thumbnail?size= /api/assets/{a}/thumbnail?size /api/assets/{a}/thumbnail?size=fullsize&size=preview
/api/assets/{a}/thumbnail?size=preview&size=preview /api/assets/{a}/thumbnail?size[]=fullsize&size=preview
/api/assets/{a}/thumbnail?size[0]=preview /api/assets/{a}/thumbnail?size[$ne]=x
/api/assets/{a}/thumbnail?size.x=preview /api/assets/{a}/thumbnail?format=WEBP /api/assets/{a}/thumbnail?key={k}
/api/assets/{a}/thumbnail/preview /api/assets/{a}/thumbnail/?size=preview /api/assets/{a}/Thumbnail?size=preview
/api/assets/{a}/thumbnail.jpg?size=preview /api/assets/{a}/thumbnail;x?size=preview
/api/assets/{A}/thumbnail?size=preview /api/assets/{u}/thumbnail?size=preview /api/assets/{{a}}/thumbnail?size=preview
/api/assets/%7B{a}%7D/thumbnail?size=preview /api/assets/{a}%20/thumbnail?size=preview
/api/assets/{a},{b}/thumbnail?size=preview /api/assets/{a}%2c{b}/thumbnail?size=preview
/api/assets/{a}%2f..%2f{b}/thumbnail?size=preview /api/assets/{b}/../{a}/thumbnail?size=preview
/api/assets/{a}/../{b}/thumbnail?size=preview /api/assets/{a}/%2e%2e/{b}/thumbnail?size=preview
/api/assets/{a}/%252e%252e/{b}/thumbnail?size=preview /api/assets/{a}/..%5c{b}/thumbnail?size=preview
/api/assets/{a}/..;/{b}/thumbnail?size=preview /api/assets/{a}/%ef%bc%8e%ef%bc%8e/{b}/thumbnail?size=preview
/api/assets/{a}/%c0%ae%c0%ae/{b}/thumbnail?size=preview /api//assets/{a}/video/playback
/api/./assets/{a}/video/playback /api/assets/{a}/video//playback /api/assets/{a}/video/playback/
/api/assets/{a}/video/playback/x /api/assets/{a}/video/Playback /api/assets/{a}/VIDEO/playback
/api/assets/{a}/video%2fplayback /api/assets/{a}/video/playback.mp4 /api/assets/{a}/video/playback%00
/api/assets/{a}/video/playback%0a /api/assets/{a}/video/playback;x=1 /api/assets/{a};x=1/video/playback
/API/assets/{a}/video/playback /Api/assets/{a}/video/playback /assets/{a}/video/playback
/api/v1/assets/{a}/video/playback /api/api/assets/{a}/video/playback /api/assets/{A}/video/playback
/api/assets/{u}/video/playback /api/assets/urn:uuid:{a}/video/playback /api/assets/{c}/video/playback
/api/assets/{n}/video/playback /api/assets/{b}/video/playback /api/assets//video/playback /api/assets/*/video/playback
/api/assets/:id/video/playback /api/assets/{a}/video/stream/main.m3u8 /api/assets/{a}/video/stream/{n}/0/playlist.m3u8
/api/assets/{a}/video/stream/{n}/0/init.mp4 /api/assets/{a}/video/stream/{n}/0/seg_0.m4s
DELETE:/api/assets/{a}/video/stream/{n} POST:/api/assets/{a}/video/stream POST:/api/assets/{a}/video/playback
PUT:/api/assets/{a}/video/playback PATCH:/api/assets/{a}/video/playback DELETE:/api/assets/{a}/video/playback
PROPFIND:/api/assets/{a}/video/playback QUERY:/api/assets/{a}/video/playback
POST:/api/assets/{a}/thumbnail?size=preview OPTIONS:/api/assets/{b}/thumbnail?size=preview
HEAD:/api/assets/{b}/video/playback /api/shared-links /api/shared-links/me /api/shared-links/me?key={k}
/api/shared-links/me?slug=the-film /api/shared-links/{n} POST:/api/shared-links POST:/api/shared-links/login
PATCH:/api/shared-links/{n} DELETE:/api/shared-links/{n} PUT:/api/shared-links/{n}/assets
DELETE:/api/shared-links/{n}/assets /share/{k} /share/{l} /s/the-film /share/{l}/photos/{a} /s/the-film/photos/{a}
/photos /photos/{a} /albums /albums/{n}/photos/{a} /custom.css /.well-known/immich /api/albums /api/albums/{n}
/api/albums/{n}?key={k} /api/albums/{n}/map-markers /api/albums/statistics POST:/api/albums PUT:/api/albums/{n}/assets
DELETE:/api/albums/{n}/assets PUT:/api/albums/{n}/users /api/albums?assetId={a} POST:/api/download/info
POST:/api/download/archive POST:/api/download/archive?key={k} POST:/api/download/asset/{a} /api/download/archive
/api/timeline/buckets /api/timeline/buckets?key={k}&albumId={n} /api/timeline/bucket?timeBucket=2026-01-01
POST:/api/search/metadata POST:/api/search/smart POST:/api/search/random POST:/api/search/statistics
/api/search/explore /api/search/person?name=a /api/search/places?name=a /api/search/cities
/api/search/suggestions?type=country /api/map/markers /api/map/reverse-geocode?lat=1&lon=1 /api/memories
/api/memories/statistics /api/people /api/people/{n}/thumbnail /api/people/{n}/statistics /api/faces?id={a}
POST:/api/faces /api/tags POST:/api/tags /api/stacks /api/stacks/{n} /api/activities?albumId={n}
/api/activities/statistics?albumId={n} POST:/api/activities DELETE:/api/activities/{n} /api/partners /api/users
/api/users/me /api/users/me/preferences /api/users/{n} /api/users/{n}/profile-image POST:/api/users/profile-image
/api/admin/users /api/admin/users/{n}/sessions POST:/api/admin/auth/unlink-all /api/admin/database-backups
POST:/api/admin/maintenance /api/api-keys /api/api-keys/me POST:/api/api-keys /api/sessions POST:/api/sessions
POST:/api/sessions/{n}/lock POST:/api/auth/login POST:/api/auth/logout POST:/api/auth/admin-sign-up
POST:/api/auth/change-password POST:/api/auth/validateToken /api/auth/status POST:/api/auth/pin-code
POST:/api/auth/session/unlock POST:/api/oauth/authorize /api/oauth/mobile-redirect POST:/api/oauth/callback
/api/server/about /api/server/ping /api/server/version /api/server/version-history /api/server/features
/api/server/theme /api/server/config /api/server/statistics /api/server/storage /api/server/media-types
/api/server/license /api/server/apk-links /api/server-info /api/system-config /api/system-config/defaults
/api/system-config/storage-template-options /api/system-metadata/admin-onboarding /api/jobs
PUT:/api/jobs/thumbnailGeneration /api/queues /api/libraries POST:/api/libraries/{n}/scan
/api/libraries/{n}/statistics /api/notifications /api/admin/notifications /api/plugins /api/plugins/triggers
/api/workflows POST:/api/workflows /api/duplicates POST:/api/trash/empty POST:/api/trash/restore/assets
/api/view/folder?path=/ /api/view/folder/unique-paths /api/reports /api/audit/deletes POST:/api/sync/stream
POST:/api/sync/full-sync POST:/api/sync/delta-sync /api/sync/ack POST:/api/sync/ack /api/socket.io
/api/socket.io/?EIO=4&transport=polling /api/socket.io/?EIO=4&transport=websocket
POST:/api/socket.io/?EIO=4&transport=polling /socket.io/ / /index.html /auth/login /admin/user-management
/service-worker.js /manifest.json /robots.txt /favicon.ico /_app/version.json /doc /api /api/ /api/docs /api/spec.json
/metrics /data/library/{a}.mp4 /upload/{a}.mp4
"""

NAMES = """
key={k} key={l} key= key Key={k} KEY={k} %6bey={k} key%00={k} key[]={k} key[0]={k} key[key]={k} key.x={k} k%65y={k}
+key={k} %20key={k} key%20={k} key+={k} _key={k} k-e-y={k} key%5b%5d={k} ke%c4%b1y={k} %ef%bd%8bey={k} key={k}&key={l}
slug=the-film Slug=the-film SLUG=the-film slug[]=the-film %73lug=the-film apiKey=evil apikey=evil APIKEY=evil
api_key=evil api-key=evil apiKey[]=evil x-api-key=evil sessionKey=evil sessionkey=evil session_key=evil
sessionKey[]=evil x-immich-share-key={k} x-immich-share-slug=the-film x-immich-user-token=evil
immich_access_token=evil accessToken=evil access_token=evil token=evil authToken=evil password=x pin=x userId={n}
albumId={n} assetId={b} id={b} Id={b} ids={b} id[]={b} size=fullsize Size=fullsize SIZE=fullsize size[]=fullsize
size%5B%5D=fullsize s%69ze=fullsize size%00=fullsize si_ze=fullsize size.x=fullsize size=preview size= size
edited=true edited=false Edited=true isWeb=true isThumb=false c=x cb=1 download=1 format=JPEG _method=DELETE
.method=PUT [method=PUT method=PUT callback=x jsonp=x x=1 =x & &= a __proto__[x]=1 constructor=x toString=x %00
;key={k} x;key={k} x%26key={k} x=1%26key={k} x=1;key={k} #key={k} ?key={k}
"""

HEADERS = """
x-immich-share-key: {k} | X-IMMICH-SHARE-KEY: {k} | x_immich_share_key: {k} | x-immich-share-slug: the-film
x-immich-share-key : {k} | x-immich-user-token: evil | x-immich-session-token: evil
Cookie: immich_access_token=evil; immich_auth_type=password | Cookie: immich_shared_link_token=x
x-immich-checksum: x | x-immich-cid: evil | x-amz-meta-x: evil | Cookie: immich_is_authenticated=true
Range: bytes=0-1,3-4,6-
"""


async def test_nothing_that_immich_understands_reaches_more_than_the_asset(gallery: Gallery) -> None:
    film, other, picture = (gallery[name] for name in ("film.mp4", "other.mp4", "picture.jpg"))
    careless = gallery.server.library.links[1]
    gallery.server.library.sessions["evil"] = gallery.server.library.users[0]
    attack = Attack(gallery.stage, gallery.server, await gallery.guest("film.mp4"), {
        "a": film.id, "b": picture.id, "c": other.id, "n": new_id(),
        "A": film.id.upper(), "u": film.id.replace("-", ""),
        "k": careless.key, "l": gallery.link.key[::-1], "other": f"/api/assets/{picture.id}/thumbnail?size=preview",
    })  # fmt: skip
    playback, shown = f"/api/assets/{film.id}/video/playback", f"/api/assets/{film.id}/thumbnail?size=preview"
    await attack.refused(attack.words(ROUTES))
    for base in (f"{playback}?", f"{shown}&"):
        await attack.refused(f"{base}{name}" for name in attack.words(NAMES))
    await attack.headers(shown, HEADERS)
    await attack.headers(playback, HEADERS, common="")
    await attack.bytes(shown)
    assert attack.tried > 600
    assert not gallery.server.uploaded
    assert not gallery.server.sockets
    assert {one.header("x-immich-share-key") for one in gallery.server.asked} == {gallery.link.key}
    gallery.keeps()


async def test_a_cast_address_opens_what_it_was_signed_for_and_nothing_beside_it(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, link = library(films)
    assert link.album is not None
    link.album.assets.append(made.named("other.mp4"))
    monkeypatch.setenv("IMMICH_SHARE_KEY", link.key)
    server = FakeImmich(made)
    text = POLICY.read_text().replace("  on_revoke: drain", "  on_revoke: drain\n  cast: 4h")
    async with server.running() as url, between(tmp_path, text, urlsplit(url).port or 0) as stage:
        signed = []
        for name in ("film.mp4", "other.mp4"):
            cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(made.named(name).id))
            page = (await ask(stage.guest.port, f"GET {answer.headers['location']}", cookie=cookie)).body.decode()
            signed += re.findall(r'value="http://[^/]+(/_gateway/s/[^"]+)"', page)
        mine, theirs = signed
        attack = Attack(stage, server, "", {})
        assert (await ask(stage.guest.port, f"GET {mine}")).status == 200
        await attack.refused(bent(mine, theirs, ("original", "thumbnail", "thumbnail?size=preview", "playback.mp4")))
        assert attack.tried > 60
        Gallery(stage, server, link).keeps()
