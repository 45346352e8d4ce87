"""policies/bbb-recordings.yaml in front of a stand-in for BigBlueButton's recordings, written from its source before
the policy and compared with a real build of its player.

Every recording there is an open folder behind an nginx that tidies paths, and one page of scripts plays them all.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from playwright.async_api import Page

from tests.chromium import chromium
from tests.nginx import nginx
from tests.policies.watching import enter as enter_in_browser
from tests.policies.watching import seek, two_guests_one_removed, until, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, Running, ask, enter
from tests.servers.asking import ask as direct
from tests.servers.asking import stamped
from tests.servers.bbb_api import signed
from tests.servers.bbb_library import CALLBACK, Recording
from tests.servers.fake_bbb_recordings import FakeBbbRecordings

PAGE = Path(__file__).parents[2] / "docs" / "servers" / "bbb-recordings.md"
NAME = "https://bbb.example.org"
KNOWN = f"    also_known_as: [{NAME}]\n"
PLAYER = "/playback/presentation/2.3"


@dataclass
class Bbb:
    fake: FakeBbbRecordings
    stage: Stage

    async def come(self, one: Recording) -> str:
        cookie, answer = await enter(self.stage.guest.port, await self.stage.gateway.make_link(one.id))
        assert (answer.status, answer.headers["location"]) == (303, f"{PLAYER}/{one.id}")
        return cookie

    async def get(self, cookie: str, target: str, headers: str = "") -> Answer:
        return await ask(self.stage.guest.port, f"GET {target}", cookie=cookie, headers=headers)

    def keeps(self, *more: str) -> None:
        """The server's address, the API's secret and its front end's addresses are in nothing that guests get."""
        port = self.stage.server.port
        own = [self.fake.secret, f"127.0.0.1:{port}", f"localhost:{port}", "bbb.example.org"]
        self.stage.keeps(*own, CALLBACK, "cloud.example.org", "9f3b1c77d2", self.fake.library.film.meeting, *more)


@pytest.fixture
async def bbb(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bbb]:
    monkeypatch.setenv("BBB_NAME", "bbb.example.org")
    fake = FakeBbbRecordings(tmp_path / "bbb", clips, base=NAME)
    async with fake.running() as url:
        port = int(url.rpartition(":")[2])
        async with between(tmp_path, "bbb-recordings", port, server_extra=KNOWN) as stage:
            yield Bbb(fake, stage)


async def made(gateway: Running, item: str) -> str | None:
    try:
        link = await gateway.make_link(item)
    except LookupError:
        return None
    found = (await gateway.link(link)).link.item
    await gateway.delete(link)
    return found


async def test_what_owners_paste(bbb: Bbb) -> None:
    library, gateway = bbb.fake.library, bbb.stage.gateway
    film, other = library.film.id, library.other.id
    spellings = [
        film, f"{NAME}{PLAYER}/{film}", f"{NAME}{PLAYER}/{film}/", f"{NAME}{PLAYER}/{film}?t=1m5s", f"{PLAYER}/{film}",
        f"{NAME}/playback/presentation/2.0/playback.html?meetingId={film}", f"{NAME}/playback/video/{film}/",
        f"{NAME}/playback/video/{film}",
        f"{NAME}/playback/presentation/0.9.0/playback.html?meetingId={film}&t=1",
        f"{NAME}/presentation/{film}/metadata.xml",
    ]  # fmt: skip
    assert {said: await made(gateway, said) for said in spellings} == dict.fromkeys(spellings, film)
    refused = [
        library.film.meeting, film.upper(), film[:40], film[:-1], f"{film}0", f"{film},{other}", f"{film}/../{other}",
        "",
        f"{NAME}{PLAYER}/", f"{NAME}/playback/presentation/2.0/playback.html?meetingId={film}&meetingId={other}",
        f"{NAME}/rooms/abc-def-ghi/join", f"{NAME}/b/abc-def-ghi", library.withdrawn.id, library.deleted.id,
        library.processing.id, f"{'0' * 40}-1700000000001",
    ]  # fmt: skip
    assert {said: await made(gateway, said) for said in refused} == dict.fromkeys(refused)


async def test_all_of_one_recording_arrives(bbb: Bbb) -> None:
    film = bbb.fake.library.film
    cookie = await bbb.come(film)
    at, slides = f"/presentation/{film.id}", f"presentation/{film.presentation}"
    for name in (
        "video/webcams.mp4", "video/webcams.webm", "deskshare/deskshare.mp4", "deskshare/deskshare.webm",
        f"{slides}/slide-1.png", f"{slides}/thumbnails/thumb-2.png", "caption_en.vtt", "caption_de.vtt",
        "presentation/deskshare.png",
    ):  # fmt: skip
        answer = await bbb.get(cookie, f"{at}/{name}")
        assert (answer.status, stamped(answer.body)) == (200, film.id), name
    for name in (
        "shapes.svg", "slides_new.xml", "cursor.xml", "panzooms.xml", "deskshare.xml", "presentation_text.json",
        "captions.json", "polls.json", "external_videos.json", "tldraw.json", "notes.html",
        f"{slides}/textfiles/slide-1.txt",
    ):  # fmt: skip
        answer = await bbb.get(cookie, f"{at}/{name}")
        theirs = await direct(bbb.fake.url, f"{at}/{name}")
        assert (answer.status, answer.body) == (200, theirs.body), name
    part = await bbb.get(cookie, f"{at}/video/webcams.mp4", "Range: bytes=4-7\r\n")
    assert (part.status, part.body) == (206, b"ftyp")
    said = (await bbb.get(cookie, f"{at}/metadata.xml")).body.decode()
    theirs = (await direct(bbb.fake.url, f"{at}/metadata.xml")).body.decode()
    assert CALLBACK in theirs, "what a front end gave along stands in the server's own"
    for path in ("id", "start_time", "end_time", "participants", "meta/meetingName", "published"):
        assert fromstring(said).findtext(path) == fromstring(theirs).findtext(path) != "", path
    assert "<meetingName>&lt;A&gt; seminar &amp; Ada&apos;s more</meetingName>" in said
    assert {one.tag for one in fromstring(said).iter()}.isdisjoint({"link", "bbb-recording-ready-url", "gl-listed"})
    page = await bbb.get(cookie, f"{PLAYER}/{film.id}", "Accept: text/html\r\n")
    assert (page.status, 'id="root"' in page.body.decode()) == (200, True)
    bbb.keeps()


async def test_a_recording_that_is_withdrawn_is_gone(bbb: Bbb) -> None:
    film = bbb.fake.library.film
    link = await bbb.stage.gateway.make_link(film.id)
    query = signed("publishRecordings", f"recordID={film.id}&publish=false", bbb.fake.secret)
    await direct(bbb.fake.url, f"/bigbluebutton/api/publishRecordings?{query}")
    answer = await ask(bbb.stage.guest.port, f"GET /{link.split('/', 3)[3]}", headers="Accept: text/html\r\n")
    assert answer.status in (404, 410)


async def test_what_the_server_would_give_is_never_asked_of_it(bbb: Bbb) -> None:
    film, other = bbb.fake.library.film, bbb.fake.library.other
    cookie = await bbb.come(film)
    a, b = film.id, other.id
    everything = signed("getRecordings", "", bbb.fake.secret)
    given = [
        f"/presentation/{b}/metadata.xml", f"/presentation/{b}/video/webcams.mp4",
        f"/presentation/{a}/../{b}/metadata.xml",
        f"/presentation/{a}/%2e%2e/{b}/metadata.xml", f"/presentation/{a}/..%2f{b}/metadata.xml",
        f"/presentation/{a}%2f..%2f{b}%2fmetadata.xml", f"//presentation//{b}//metadata.xml",
        f"/presentation/./{b}/metadata.xml",
        f"/%70resentation/{b}/metadata.xml", f"/playback/../presentation/{b}/metadata.xml",
        f"{PLAYER}/../../../presentation/{b}/notes.html",
        f"{PLAYER}/static/js/..%2f..%2f..%2f..%2f..%2fpresentation/{b}/notes.html",
        f"/presentation/{a}/presentation/{film.presentation}/../../../{b}/presentation/{other.presentation}/slide-1.png",
        f"/presentation/{a}/presentation/..%2f..%2f{b}%2fmetadata.xml",
        f"/presentation/{a}/metadata.xml/../../{b}/metadata.xml",
        f"{PLAYER}/{b}", f"{PLAYER}/", f"{PLAYER}/{a}?p=x", f"{PLAYER}/{a}?p={b}/metadata.xml%23", f"{PLAYER}/{a}/",
        f"{PLAYER}/{a}/x",
        f"{PLAYER}/{a}%2f", f"{PLAYER}/index.html", f"{PLAYER}x", f"{PLAYER}/static/js/{b}",
        f"/presentation_export/{a}/meeting.mp4", f"/playback/video/{a}/video-0.mp4", f"/playback/video/{a}/",
        f"/recording/screenshare/{a}/screenshare.webm", f"/podcast/{a}/audio.mp4", f"/notes/{a}/notes.html",
        "/bigbluebutton/api", "/bigbluebutton/api/", f"/bigbluebutton/api/getRecordings?{everything}",
    ]  # fmt: skip
    loose = [(target, (await direct(bbb.fake.url, target)).status) for target in given]
    assert [one for one in loose if one[1] != 200] == []
    await bbb.stage.refuses(cookie, *(f"GET {target}" for target in given))


async def test_nothing_else_arrives(bbb: Bbb) -> None:
    film, other = bbb.fake.library.film, bbb.fake.library.other
    stage, at = bbb.stage, f"/presentation/{film.id}"
    cookie = await bbb.come(film)
    for file in (
        "metadata.xml", "shapes.svg", "video/webcams.mp4", f"presentation/{film.presentation}/slide-1.png",
        "caption_de.vtt",
    ):  # fmt: skip
        theirs = file.replace(film.presentation, other.presentation)
        await stage.refuses(cookie, *anywhere(f"{at}/{file}", f"/presentation/{other.id}/{theirs}"))
    await stage.refuses(cookie, *anywhere(f"{PLAYER}/{film.id}", f"{PLAYER}/{other.id}"))
    await stage.refuses(
        cookie,
        f"GET {PLAYER}/{film.id}?p={other.id}", f"GET {PLAYER}/{film.id}?p=..", f"GET {PLAYER}/{film.id}?P=x",
        f"GET {PLAYER}/{film.id}?t=1m", f"GET {PLAYER}/{film.id}?%70={other.id}", f"GET {PLAYER}/{film.id}?s=x",
        f"GET {PLAYER}/{film.id}?locale=de&p={other.id}", f"GET {PLAYER}/{film.id}%3fp={other.id}",
        f"GET {at}", f"GET {at}/", f"GET {at}/events.xml", f"GET {at}/metadata.xml.bak", f"GET {at}/video/",
        f"GET {at}/processing_time",
        f"GET {at}/presentation/{film.presentation}/", f"GET {at}/presentation/{film.presentation}/slide-1.pdf",
        f"GET {at}/presentation/{film.presentation}/{film.presentation}.pdf", f"GET {at}/video/webcams.mp4/x",
        f"GET {at}/caption_../x.vtt", f"GET {at}/caption_..%2fx.vtt", f"GET {at}/caption_.vtt",
        f"GET /Presentation/{film.id}/metadata.xml",
        f"GET {PLAYER}/static/js/x.html", f"GET {PLAYER}/static/other/x.js", f"GET {PLAYER}/static/js/..js",
        f"GET {PLAYER}/styles/..%2fx.css",
        f"GET {PLAYER.replace('2.3', '2.0')}/playback.html?meetingId={film.id}", "GET /html5client/",
        "GET /learning-analytics-dashboard/",
        f"GET /bigbluebutton/api/deleteRecordings?recordID={film.id}&checksum=x", "GET /presentation",
        "GET /api/rest/clientSettings",
        f"POST /bigbluebutton/api/getRecordings?recordID={film.id}", f"DELETE {at}/metadata.xml",
        f"GET /playback/presentation/2.3{film.id}",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, f"{at}/shapes.svg")
    other_cookie = await bbb.come(other)
    await stage.refuses(other_cookie, f"GET {at}/metadata.xml", f"GET {PLAYER}/{film.id}")
    await stage.refuses("", f"GET {at}/metadata.xml", f"GET {at}/video/webcams.mp4")


async def test_the_lines_that_close_the_folders_close_them(tmp_path: Path) -> None:
    """Those of docs/servers/bbb-recordings.md, in a real nginx: for others, in whatever spelling."""
    (lines,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.S)
    root = tmp_path / "root"
    for place in ("presentation/x", "playback/x", "presentation_export/x", "recording/x", "html5client"):
        (root / place).mkdir(parents=True)
        (root / place / "a.txt").write_text("here")
    paths = [
        "/presentation/x/a.txt", "//presentation/x/a.txt", "/%70resentation/x/a.txt",
        "/html5client/../playback/x/a.txt",
        "/html5client/..%2fpresentation/x/a.txt", "/presentation_export/x/a.txt", "/./recording/x/a.txt",
    ]  # fmt: skip
    for allowed, status in (("192.0.2.10", 403), ("127.0.0.1", 200)):
        served = f"{lines.replace('192.0.2.10', allowed)}\nlocation / {{ root {root}; }}"
        async with nginx(tmp_path / allowed, served) as port:
            assert {path: (await ask(port, f"GET {path}")).status for path in paths} == dict.fromkeys(paths, status)
            assert (await ask(port, "GET /html5client/a.txt")).status == 200


@pytest.mark.browser
async def test_a_browser_plays_on_the_servers_own_page(bbb: Bbb) -> None:
    film, other = bbb.fake.library.film, bbb.fake.library.other
    async with chromium() as browser:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        link = await bbb.stage.gateway.make_link(film.id)
        await watch(page, link)
        assert await page.title() == film.name
        await seek(page, 5)
        await of_page(page, "document.querySelector('img.slide').src.endsWith('slide-2.png')")
        await of_page(page, "document.querySelector('img.slide').naturalWidth === 320")
        await page.evaluate("document.querySelector('video').textTracks[1].mode = 'showing'")
        await until(page, "v.textTracks[1].cues?.length === 8")
        await of_page(page, "document.querySelectorAll('video')[1].readyState > 1")  # the shared screen
        await of_page(page, "[...document.querySelectorAll('.thumbnails img')].every(one => one.naturalWidth)")
        assert "Ada: Good morning" in await page.locator("body").inner_text()
        assert faults == []
        # What the page can be made to do by its address: nothing that is another recording's.
        before = len(bbb.stage.server.asked)
        for query in (f"p={other.id}/metadata.xml%23", f"p=../presentation/{other.id}%3f"):
            answer = await page.goto(f"http://127.0.0.1:{bbb.stage.guest.port}{PLAYER}/{film.id}?{query}")
            assert answer is not None
            assert answer.status == 403
        answer = await page.goto(f"http://127.0.0.1:{bbb.stage.guest.port}{PLAYER}/{film.id}#?p={other.id}")
        assert not [line for line in bbb.stage.server.asked[before:] if other.id in line]
        await two_guests_one_removed(bbb.stage, browser, page, link, film.id)
    paths = {line.split(" ")[1] for line in bbb.stage.server.asked}
    allowed = f"/presentation/{film.id}/|{PLAYER}/({film.id}$|static/|favicon.ico$)"
    assert [path for path in paths if not re.match(allowed, path)] == []
    bbb.keeps()


@pytest.mark.browser
async def test_a_browser_plays_sound_alone(bbb: Bbb) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await enter_in_browser(page, await bbb.stage.gateway.make_link(bbb.fake.library.spoken.id))
        await page.locator("video").first.wait_for(state="attached", timeout=45_000)
        await until(page, "v.duration > 7")
    bbb.keeps()


async def of_page(page: Page, expression: str) -> None:
    async with asyncio.timeout(45):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.1)
