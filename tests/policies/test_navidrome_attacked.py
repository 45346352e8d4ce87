"""What somebody tries who knows Navidrome: tokens that two parsers read in two ways, `:id` in the query in whatever
spelling, the APIs beside the share, and headers by which it is told who asks."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.policies.test_navidrome import Music
from tests.policies.wire import between
from tests.running import ask
from tests.servers.fake_navidrome import FakeNavidrome
from tests.servers.films import Films
from tests.servers.navidrome_library import Library

QUERIES = """
:id={b} %3Aid={b} %3aid={b} :%69d={b} :id :id= :id={b}& &:id={b} ;:id={b} a=b;:id={b} %3Aid%3D{b} :ID={b} +:id={b}
::id={b} :id%00={b} :id[]={b} :id[0]={b} %EF%BC%9Aid={b} ?:id={b} id={b} jwt=x token=x u=admin&t=x&s=y&v=1.16.1&c=x
apiKey=x f=json u=admin&p=enc:70 callback=x download=true format=raw&bitrate=1 :username={b} _method=POST = ={b}
%3Aid={a} :id={a}&:id={b}
"""

SIZES = """
size=1e3 size=%2b1 size=+1 size=0300 size=10000 size= size SIZE=3 size=3&SIZE=4 size=3&size=3 size=3%00 size=%D9%A3
size=3.0 size=-0 size=300&_=1 size=300&jwt=x square=true&square=true square=TRUE square=%74rue&square= square=true;
"""

BELOW_SHARE = """
{a}/ {a}/m3u {a}/M3U {a}/m3u/ {a}/m3u8 {a}%2fm3u {a}.m3u {a}/s/{ok} d/{a} d/{b} D/{a} d/{ok} s img d s/{ok}/
s/{ok}/m3u S/{ok} img/{ok}/ img/x/{ok} IMG/{ok} s/{a} img/{a} s//{ok} /s/{ok} ./{a} ../share/{a} x/../{a} {a}/..
{a}/../{b} {b} {a}%2f..%2f{b} {b}%00 {a}%00 {a}%0a {a}%20 {a}+ {a}, {a},{b} {a};{b} {a}&:id={b} {a}%3f:id={b} {a}%26
{a}%23 {a}# {a}* {a}0 %EF%BC%A1{a} %c0%ae{a} undefined null index.html ?:id={b} app sw.js registerSW.js robots.txt
offline.html assets assets/index-Fk3w9Q.js.map assets/index-Fk3w9Q.js/ assets/%2e%2e%2fx.js assets/..js assets/a/b.js
assets/index-Fk3w9Q.JS Assets/index-Fk3w9Q.js assets//x.js assets/{a} assets/x.js%00 assets/x.html favicon.ico/x
favicon-1x1.png favicon.svg.html manifest.webmanifest/ manifest.json s/{cover} img/{cover} s/{theirs} img/{theirs}
s/{song} img/al-{album} img/mf-{song} img/pl-x img/ar-x img/ra-x s/{song}.mp3
"""

BESIDE = """
api/song api/album api/playlist api/playlist/x/tracks api/user api/share api/share/{a} api/keepalive/x
api/insights/status api/config/x api/inspect?id={song} api/missing api/library api/transcoding api/player api/radio
api/queue api/plugin api/lastfm/link api/listenbrainz/link api/events?jwt=x auth/login auth/createAdmin auth/logout
app app/ app/index.html app/config.js metrics debug/pprof/ backgrounds backgrounds/x.jpg ping Ping robots.txt
.well-known/openid-configuration music/share/{a} share Share/{a} share%2f{a} %73hare/{b} shares/{a} p/{a} public/{a}
public/s/{ok} public/img/{cover}
"""

SUBSONIC = """
ping getLicense getMusicFolders getIndexes getShares createShare updateShare deleteShare stream download getCoverArt
getAvatar getLyrics hls getUser getUsers createUser changePassword deleteUser getPlaylists search3 scrobble
savePlayQueue getNowPlaying jukeboxControl startScan getOpenSubsonicExtensions getSong tokenInfo
"""

METHODS = "POST PUT DELETE PATCH PROPFIND TRACE CONNECT SEARCH QUERY get GETX"

HEADERS = """
Remote-User X-Remote-User X-Forwarded-User X-Forwarded-Preferred-Username X-Auth-Request-User X-Webauth-User
X-authentik-username Cf-Access-Authenticated-User-Email Tailscale-User-Login X-ND-Authorization X-ND-Client-Unique-Id
X-Real-IP True-Client-IP X-Forwarded-For X-Forwarded-Scheme X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Prefix
Forwarded Authorization Remote_User Remote.User Cookie2 X-HTTP-Method-Override X-Original-URL X-Rewrite-URL Referer
Origin
"""

# `@a` is the guest's share, `@b` another.
CLAIMS = (
    '{"sid":"@b","sid":"@a"}', '{"sid":"@a","sid":"@b"}', '{"sid":"@a","sid":"@a"}', r'{"sid":"@a","s\u0069d":"@b"}',
    '{"sid":"@a","Sid":"@b"}', '{"sid":"@a","\u017fid":"@b"}', '{"sid":"@a","s\u0131d":"@b"}',
    '{"sid":"@a","s\u0130d":"@b"}',
    '{"sid":"@a"," sid":"@b"}', '{"sid":"@a","\uff53id":"@b"}', '{"sid":"@a"}{"sid":"@b"}', '{"sid":"@a"}\0',
    '{"sid":"@a"/*x*/}',
    '{"sid":"@a",}', "{'sid':'@a'}", '\ufeff{"sid":"@a"}', '{"sid":"@a","x":NaN}', '{"sid":"@a","exp":1e999}',
    '{"sid":"@a","x":' + "[" * 1000 + "]" * 1000 + "}", '{"sid":"@a","exp":' + "9" * 5000 + "}", '{"sid":"@a\n"}',
    r'{"sid":"@a\u0000"}', '{"sid":" @a"}', '{"sid":"@a,@b"}', '{"sid":"@b/../@a"}', '{"sid":"%41"}', '{"sid":["@a"]}',
    '{"sid":{"sid":"@a"}}', '{"x":{"sid":"@a"}}', '["@a"]', '"@a"', "null", "1", "", "{}",
    '{"sid":null}', '{"sid":true}',
    '{"__proto__":{"sid":"@a"}}', '{"sub":"@a","id":"@a"}', '{"share":"@a","shareId":"@a"}', '{"sid":"@b"}',
)  # fmt: skip
HEADS = (
    '{"alg":"HS256","b64":false,"crit":["b64"]}', '{"alg":"HS256","zip":"DEF"}', '{"alg":"dir","ENC":"A128GCM"}',
    '{"alg":"none","alg":"HS256"}', '{"alg":"HS256","crit":[]}', "[]", '"x"', "null", "", "{", '{"alg":"HS256"}x',
)  # fmt: skip


@pytest.fixture
async def music(tmp_path: Path, films: Films) -> AsyncIterator[Music]:
    server = FakeNavidrome(Library.of(films))
    async with server.running() as url, between(tmp_path, "navidrome", urlsplit(url).port or 0) as stage:
        yield Music(stage, server)


def packed(said: str | bytes) -> str:
    data = said if isinstance(said, bytes) else said.encode()
    return urlsafe_b64encode(data).decode().rstrip("=")


def forged(music: Music) -> list[str]:
    """Tokens that some reader could take for one of the guest's share."""
    a, b = music.mine.id, music.other.id
    head, seal = packed('{"alg":"HS256","typ":"JWT"}'), packed(b"0" * 32)
    good = packed(json.dumps({"id": music.mine.songs[0].id, "sid": a}))
    texts = [one.replace("@a", a).replace("@b", b) for one in CLAIMS]
    plain = f'{{"sid":"{a}"}}'
    odd = [plain.encode(how) for how in ("utf-16", "utf-16-le", "utf-32-be")]
    odd += [plain.encode()[:-1] + end for end in (b',"x":"\xff"}', b"\xc0\xae}", b',"x":"\xed\xa0\x80"}')]
    odd += [f'{{"sid":"{one}"}}'.encode() for one in (a.swapcase(), "".join(chr(ord(c) + 0xFEE0) for c in a))]
    return [
        *(f"{head}.{packed(one)}.{seal}" for one in (*texts, *odd)),
        *(f"{packed(one)}.{good}.{seal}" for one in HEADS),
        f"{head}.{good}", f"{head}.{good}.", f"{head}.{good}.{seal}.{seal}", f"{head}.{seal}.{seal}.{good}.{seal}",
        f"{head}.{good}=.{seal}", f"{head}.{good}%3d.{seal}", f"{head}.{good}.+{seal[1:]}",
        f"{head}.{good}.%2f{seal[1:]}",
        f"{head}.{good[:8]}%0a{good[8:]}.{seal}", f"{head}.{good}%0d.{seal}", f"{head}.{good[:4]}%20{good[4:]}.{seal}",
        f"{head}%252e{good}%252e{seal}", f"{head}.{good}.{seal[:-1]}B", f".{head}.{good}.{seal}",
        f"{head}.{good}.{seal}~",
        f"Bearer%20{head}.{good}.{seal}", f"{head}.{good}.{seal}.mp3", f"{head}.{good}.{seal},{head}.{good}.{seal}",
        f"{head}.{good}.{seal}/", f"{head}.{good}.{seal}/x", f"{head}.{good}.{seal};x", f"{head}.{good}.{seal}%00",
        f"{head}%E3%80%82{good}.{seal}", f"{head}.{packed(json.dumps({'sid': a, 'x': 'y' * 5000}))}.{seal}",
    ]  # fmt: skip


def attacks(music: Music) -> list[str]:
    mine, song = music.mine, music.mine.songs[0]
    words = {
        "{a}": mine.id, "{b}": music.other.id, "{ok}": music.token(mine), "{theirs}": music.token(music.other),
        "{cover}": music.server.cover_token(mine), "{song}": song.id, "{album}": song.album_id,
    }  # fmt: skip
    got = [
        *(f"/share/{way}/{one}" for way in ("s", "img") for one in forged(music)),
        *(f"/share/{way}?{query}" for query in QUERIES.split()
          for way in ("{a}", "s/{ok}", "img/{ok}", "assets/index-Fk3w9Q.js", "manifest.webmanifest")),
        *(f"/share/img/{{ok}}?{query}" for query in SIZES.split()),
        *(f"/share/{one}" for one in BELOW_SHARE.split()),
        *(f"/{one}" for one in BESIDE.split()),
        *(f"/rest/{call}?id={{song}}&u=admin&p=x&v=1.16.1&c=x" for call in SUBSONIC.split()),
    ]  # fmt: skip
    ways = ("/share/{a}", "/share/s/{ok}", "/share/assets/index-Fk3w9Q.js")
    requests = [*(f"GET {one}" for one in got), *(f"POST /rest/{call}.view" for call in SUBSONIC.split())]
    requests += [f"{method} {way}" for method in METHODS.split() for way in ways]
    for word, value in words.items():
        requests = [one.replace(word, value) for one in requests]
    return requests


async def test_what_attackers_ask_is_refused_and_not_asked_of_navidrome(music: Music) -> None:
    requests = attacks(music)
    assert len(set(requests)) > 550
    cookie = await music.guest()
    await music.get(cookie, f"/share/s/{music.token(music.mine)}")
    await music.stage.refuses(cookie, *requests)
    assert not music.other.visits
    music.keeps()


async def test_no_header_names_a_user_or_another_place(music: Music) -> None:
    cookie = await music.guest()
    for name in HEADERS.split():
        for target in (f"/share/{music.mine.id}", f"/share/s/{music.token(music.mine)}"):
            before = len(music.stage.server.there)
            lying = await ask(music.stage.guest.port, f"GET {target}", cookie=cookie, headers=f"{name}: intruder\r\n")
            assert lying.status == 200, name
            assert b"intruder" not in bytes(music.stage.server.there[before:]) + lying.body, name
    assert [one.name for one in music.server.library.users] == ["admin"]
    music.keeps()
