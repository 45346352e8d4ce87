"""What somebody tries who knows BigBlueButton: its other formats, its API with and without a good checksum, names
of files that stand in no rule, Greenlight and Scalelite, and headers that some server in front of it believes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from tests.policies.test_bbb_recordings import KNOWN, NAME, PLAYER, Bbb
from tests.policies.wire import between
from tests.running import ask, enter
from tests.servers.bbb_api import signed
from tests.servers.fake_bbb_recordings import FakeBbbRecordings

FORMATS = "presentation video podcast notes screenshare webcams deskshare presentation_export"

CALLS = """
create join end enter signOut isMeetingRunning getMeetings getMeetingInfo getJoinUrl insertDocument sendChatMessage
getRecordings updateRecordings publishRecordings deleteRecordings getRecordingTextTracks putRecordingTextTrack
hooks/create hooks/list learningDashboard stuns guestWait feedback rest/clientSettings checkAuthorization
connection/checkGraphqlAuthorization connection/legacyCheckAuthorization
"""

ELSEWHERE = """
/playback/presentation/0.81/playback.html?meetingId={a} /playback/slides/playback.html?meetingId={a}
/playback/presentation/2.3?{a} /playback/presentation/2.3.0/{a} /playback/presentation/2.30/{a}
/playback/presentation/2.3./{a} {player}/{a}.html {player}/{a}/{b} {player}/{b}%2f..%2f{a} {player}/index.html?p={b}
{player}/asset-manifest.json {player}/static/js/main.0fa4e51c.js.map {player}/static/js/main.0fa4e51c.js?p={b}
{player}/static/js/main.0fa4e51c.js/{b} {player}/static/JS/x.js {player}/static/js/.htaccess.js {player}/config.json?x
{player}/static/media/%2e.svg {player}/service-worker.js {player}/robots.txt {player}/locales/en.json
{player}/{a}?token=eyJ.x.y /bigbluebutton/ /bigbluebutton/presentation/upload /bigbluebutton/textTrack/validateAuthToken
/bigbluebutton/presentation/{room}/{room}/{slides}/svg/1 /bigbluebutton/presentation/download/{room}/{slides}
/bigbluebutton/presentation/checkPresentation /bigbluebutton.properties /captions/{a}/caption_en.vtt /default.pdf
/html5client/locales/en.json /html5client/sockjs/info /bbb-webrtc-sfu /graphql /v1/graphql /api/rest/ /livekit/ /verto
/pad/p/x /pad/auth_session /pad/api/1.2.15/getHTML /learning-analytics-dashboard/ /metrics /nginx_status /ws
/b/ /b/admins /b/abc-def-ghi /rooms/abc-def-ghi-jkl/join /recording_ready /meeting_ended?meetingID=x /signin /cable
/api/v1/recordings.json /api/v1/recordings/{a}.json /api/v1/recordings/update_visibility.json?id={a}
/api/v1/sessions/signed_in.json /rails/active_storage/blobs/x /health_check
/scalelite/api/getServers?checksum=x /scalelite/api/v1/servers /recordings/{a} /recording/{a}/metadata.xml
"""

FILES = """
. .. metadata metadata.XML Metadata.xml metadata.xml/ metadata.xml%20 metadata.xml. metadata.xml~ metadata.xml.gz
.metadata.xml metadata%2exml%00 metadata.xml;jsessionid=x metadata.xml%3b metadata.xml%23 metadata.xml?token=x
events.xml.gz shapes.svgz shapes.svg%0a shapes.svg%09 SHAPES.SVG shapes.svg::$DATA shapes.svg%3f shapes.svg?_=1700
slides_new.xml/x notes.pdf notes.html/ notes.HTML notes/notes.html video/webcams video/webcams.mp4/ video/webcams.mp4.
video/webcams.mkv video/webcams.mp4?start=0 video/..%5c video%2fwebcams.mp4 video//webcams.mp4 Video/webcams.mp4
video/./webcams.mp4 audio/audio.opus audio/recording.wav audio/audio.mp4 deskshare/deskshare.mkv deskshare/
presentation/logo.png?x=1 presentation/x/slide-1.png presentation/{b}/slide-1.png/.. presentation/../{b}/slide-1.png
presentation/{slides}/slide-123456.png presentation/{slides}/slide--1.png presentation/{slides}/slide-1.png.txt
presentation/{slides}/slide-%D9%A1.png presentation/{slides}/Slide-1.png presentation/{slides}/thumbnails/slide-1.png
presentation/{slides}/thumbnails/ presentation/{slides}/svgs/slide1.svgz presentation/{slides}0/slide-1.png
presentation/{slides}/textfiles/slide-1.txt.bak caption_en.srt caption_en.vtt?x caption_en%2f.vtt caption_%2e%2e.vtt
caption_en%C3%A9.vtt caption_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.vtt caption_e*n.vtt external_videos.json/.. done
.git/config publish.yml playback.html tldraw.json?x=
"""

QUERIES = """
& = ? meetingId={b} recordID={b} id={b} p={b} %70={b} P=x p[]=x p=%2e%2e p=//evil.test/ t=1m&t=2 layout=swap l=content
style=x locale=fr disable=all a;b
"""

METHODS = "POST PUT DELETE PATCH PROPFIND MKCOL COPY MOVE LOCK TRACE CONNECT SEARCH PURGE QUERY get GETX"

HEADERS = (
    "X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Accel-Redirect", "X-Sendfile", "X-Forwarded-Host",
    "X-Forwarded-Prefix", "Forwarded", "Authorization", "Referer", "Origin", "Via", "HTTP2-Settings", "X-Custom",
)  # fmt: skip


@pytest.fixture
async def bbb(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bbb]:
    monkeypatch.setenv("BBB_NAME", "bbb.example.org")
    fake = FakeBbbRecordings(tmp_path / "bbb", clips, base=NAME)
    async with fake.running() as url:
        port = int(url.rpartition(":")[2])
        async with between(tmp_path, "bbb-recordings", port, server_extra=KNOWN) as stage:
            yield Bbb(fake, stage)


def attacks(fake: FakeBbbRecordings) -> list[str]:
    film, other = fake.library.film, fake.library.other
    a, b, secret = film.id, other.id, fake.secret
    spelled_ids = (
        a.upper(), a[:-1], f"{a}0", f"{a}%00", f"{a}%20", f"{a},", f"{a},{b}", f"{a};{b}", f"{b}%2c{a}", f"{a}%0a",
        f"%0a{a}", a.replace("-", "%E2%80%90"), a.replace("-", "--"), f"{a}%2f%2e", f"{a}%5c..%5c{b}", "*", "%2a",
        a.replace("1", "%D9%A1"), a.replace("1", "%EF%BC%91"), f"{a}.", f"./{a}", f"x/../{a}", f"{a}%252f", "{id}",
        "undefined", b, film.presentation,
    )  # fmt: skip
    searches = (f"recordID={b}", f"recordID={a}", f"meetingID={film.meeting}", "meta_gl-listed=false", "state=any")
    erase, ok = signed("deleteRecordings", f"recordID={a}", secret), (f"/presentation/{a}/shapes.svg", f"{PLAYER}/{a}")
    got = [
        *(one for name in FORMATS.split() for one in (f"/{name}/{{a}}", f"/{name}/{{b}}/", f"/playback/{name}/{{a}}/")),
        *(f"/recording/{name}/{{a}}/" for name in FORMATS.split()),
        *(f"/playback/{name}/0.9.0/playback.html?meetingId={{a}}" for name in FORMATS.split()),
        *(f"/bigbluebutton/api/{call}?{signed(call, f'recordID={a}', secret)}" for call in CALLS.split()),
        *(f"/bigbluebutton/api/getRecordings?{signed('getRecordings', one, secret, how)}"
          for one in searches for how in ("sha1", "sha512")),
        *ELSEWHERE.split(),
        *(f"/presentation/{{a}}/{name}" for name in FILES.split()),
        *(one for name in spelled_ids for one in (f"/presentation/{name}/shapes.svg", f"{PLAYER}/{name}")),
        *(f"{PLAYER}/{{a}}?{query}" for query in QUERIES.split()),
    ]  # fmt: skip
    words = {"{a}": a, "{b}": b, "{player}": PLAYER, "{room}": film.meeting, "{slides}": film.presentation}
    for word, value in words.items():
        got = [one.replace(word, value) for one in got]
    return [
        *(f"GET {one}" for one in got),
        f"POST /bigbluebutton/api/deleteRecordings?{erase}",
        *(f"{method} {target}" for method in METHODS.split() for target in ok),
    ]


async def test_what_attackers_ask_is_refused_and_not_asked_of_the_server(bbb: Bbb) -> None:
    requests = attacks(bbb.fake)
    assert len(set(requests)) > 300
    cookie = await bbb.come(bbb.fake.library.film)
    await bbb.stage.refuses(cookie, *requests)
    bbb.keeps()


async def test_headers_and_odd_ranges_reach_nothing_else(bbb: Bbb) -> None:
    film, other = bbb.fake.library.film, bbb.fake.library.other
    cookie, at = await bbb.come(film), f"/presentation/{film.id}"
    before = len(bbb.stage.server.there)
    for name in HEADERS:
        for target in (f"{at}/shapes.svg", f"{at}/metadata.xml", f"{PLAYER}/{film.id}"):
            answer = await bbb.get(cookie, target, f"{name}: /presentation/{other.id}/metadata.xml\r\n")
            assert (answer.status, other.id.encode() in answer.body) == (200, False), (name, target)
    for kind in ("websocket", "h2c"):
        answer = await bbb.get(cookie, f"{at}/shapes.svg", f"Connection: upgrade\r\nUpgrade: {kind}\r\n")
        assert answer.status == 200
    for said in ("bytes=0-0,2-3", "bytes=9-1", "items=1", "bytes=99999999999999999999-", "bytes=-1"):
        answer = await bbb.get(cookie, f"{at}/video/webcams.mp4", f"Range: {said}\r\n")
        assert answer.status in (206, 416), said
    await bbb.stage.refuses(
        cookie, *(f"GET {at}/shapes.svg HTTP/1.1\r\nHost: HOST\r\nCookie: COOKIE\r\n{twice}\r\n".encode() for twice in (
            "Range: bytes=0-1\r\nRange: bytes=2-3\r\n", "If-Range: a\r\nIf-Range: b\r\n", "Host: bbb.example.org\r\n",
        ))
    )  # fmt: skip
    came = bytes(bbb.stage.server.there[before:])
    assert other.id.encode() not in came
    assert b"pgrade" not in came
    bbb.keeps()


async def test_a_meeting_of_an_odd_name_adds_nothing_to_what_the_gateway_writes(bbb: Bbb) -> None:
    odd = "&quot;/&gt;&lt;link&gt;x&lt;/link&gt;&lt;x a=&apos;{id}{public_url}&#10;&#9;]]&gt;&lt;!DOCTYPE x&gt;"
    film = bbb.fake.library.film
    file = bbb.fake.root / "published" / "presentation" / film.id / "metadata.xml"
    file.write_text(file.read_text().replace("seminar", odd))
    answer = await bbb.get(await bbb.come(film), f"/presentation/{film.id}/metadata.xml")
    said = fromstring(answer.body)
    assert [one.tag for one in said.iter()] == [
        "recording", "id", "state", "published", "start_time", "end_time", "participants", "meeting", "meta",
        "meetingName", "playback", "format",
    ]  # fmt: skip
    assert "{id}{public_url}" in (said.findtext("meta/meetingName") or "")
    bbb.keeps()


OTHERWISE = (
    ("<id>{a}</id>", "<id>{b}</id>"), ("<id>{a}</id>", "<id>{a}</id><id>{b}</id>"), ("<id>{a}</id>", ""),
    ("<id>{a}</id>", "<id>../{b}</id>"), ("<published>true", "<published> false "),
    ("<published>true", "<published>true</published><published>false"), ("seminar", "<b>"), ("seminar", "&#1;"),
    ("<recording>", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><recording>'),
)  # fmt: skip


async def test_a_server_that_says_something_else_of_a_recording_ends_it(bbb: Bbb) -> None:
    """Another id, two of them, a document that is none: the page isn't opened on a guess."""
    film, other = bbb.fake.library.film, bbb.fake.library.other
    gateway, port = bbb.stage.gateway, bbb.stage.guest.port
    file = bbb.fake.root / "published" / "presentation" / film.id / "metadata.xml"
    text = file.read_text()
    for old, new in OTHERWISE:
        file.write_text(text)
        link = await gateway.make_link(film.id)
        cookie, _ = await enter(port, link)
        there = old.replace("{a}", film.id)
        assert there in text
        file.write_text(text.replace(there, new.replace("{a}", film.id).replace("{b}", other.id)))
        answer = await ask(port, f"GET {PLAYER}/{film.id}", cookie=cookie)
        assert answer.status in (404, 410, 502), new
        await bbb.stage.refuses(cookie, f"GET /presentation/{other.id}/shapes.svg")
        await gateway.delete(link)
    bbb.keeps()
