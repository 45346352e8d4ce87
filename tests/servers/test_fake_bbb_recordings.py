"""The fake BigBlueButton's recordings lie as open as the real ones, and each trap is there to fall into."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.chromium import chromium
from tests.policies.media_servers import packages
from tests.servers.asking import Said, ask, stamped
from tests.servers.bbb_api import signed
from tests.servers.fake_bbb_recordings import FakeBbbRecordings
from tests.system_parts import needs_chromium

pytestmark = pytest.mark.timeout(300)


@dataclass
class Bbb:
    fake: FakeBbbRecordings
    url: str

    async def get(self, target: str, **headers: str) -> Said:
        return await ask(self.url, target, headers=headers)

    async def call(self, call: str, query: str = "", *, how: str = "sha256") -> ElementTree.Element:
        answer = await self.get(f"/bigbluebutton/api/{call}?{signed(call, query, self.fake.secret, how)}")
        assert answer.status == 200
        return ElementTree.fromstring(answer.text)


@pytest.fixture
async def bbb(tmp_path: Path, clips: Path) -> AsyncIterator[Bbb]:
    fake = FakeBbbRecordings(tmp_path, clips)
    async with fake.running() as url:
        yield Bbb(fake, url)


async def test_every_file_of_a_recording_is_open(bbb: Bbb) -> None:
    film = bbb.fake.library.film
    at, slides = f"/presentation/{film.id}", f"presentation/{film.presentation}"
    for name in (
        "video/webcams.mp4", "video/webcams.webm", "deskshare/deskshare.mp4", "deskshare/deskshare.webm",
        f"{slides}/slide-1.png", f"{slides}/thumbnails/thumb-2.png", "caption_en.vtt", "caption_de.vtt",
    ):  # fmt: skip
        answer = await bbb.get(f"{at}/{name}")
        assert (answer.status, stamped(answer.body)) == (200, film.id), name
    for name in (
        "metadata.xml", "shapes.svg", "slides_new.xml", "cursor.xml", "panzooms.xml", "deskshare.xml",
        "presentation_text.json", "captions.json", "polls.json", "external_videos.json", "tldraw.json", "notes.html",
        f"{slides}/textfiles/slide-1.txt",
    ):  # fmt: skip
        assert (await bbb.get(f"{at}/{name}")).status == 200, name
    part = await bbb.get(f"{at}/video/webcams.mp4", Range="bytes=4-7")
    assert (part.status, part.body) == (206, b"ftyp")
    assert (await ask(bbb.url, f"{at}/video/webcams.mp4", method="HEAD")).status == 200
    assert (await ask(bbb.url, f"{at}/video/webcams.mp4", method="POST")).status == 405


async def test_slides_bear_the_id_of_their_presentation(bbb: Bbb) -> None:
    film = bbb.fake.library.film
    text = (await bbb.get(f"/presentation/{film.id}/shapes.svg")).text
    assert f'xlink:href="presentation/{film.presentation}/slide-1.png"' in text
    assert film.presentation != film.id  # one shape, nothing in common


async def test_metadata_names_the_server(tmp_path: Path, clips: Path) -> None:
    fake = FakeBbbRecordings(tmp_path, clips, base="https://bbb.example.org")
    async with fake.running() as url:
        text = (await ask(url, f"/presentation/{fake.library.film.id}/metadata.xml")).text
        assert f"<link>https://bbb.example.org/playback/presentation/2.3/{fake.library.film.id}</link>" in text


async def test_only_a_folder_elsewhere_is_closed(bbb: Bbb) -> None:
    """`gl-listed: false` closes nothing; unpublishing does, by moving the files."""
    library = bbb.fake.library
    assert (await bbb.get(f"/presentation/{library.film.id}/metadata.xml")).status == 200  # not listed
    for one in (library.withdrawn, library.deleted, library.processing):
        assert (await bbb.get(f"/presentation/{one.id}/metadata.xml")).status == 404
    await bbb.call("publishRecordings", f"recordID={library.film.id}&publish=false")
    assert (await bbb.get(f"/presentation/{library.film.id}/metadata.xml")).status == 404
    await bbb.call("publishRecordings", f"recordID={library.film.id}&publish=true")
    assert (await bbb.get(f"/presentation/{library.film.id}/metadata.xml")).status == 200


@pytest.mark.parametrize(
    "spelling",
    ["/presentation/{a}/../{b}/video/webcams.mp4", "/presentation/{a}/%2e%2e/{b}/video/webcams.mp4",
     "/presentation/{a}/..%2f{b}/video/webcams.mp4", "/presentation/{a}%2f..%2f{b}%2fvideo%2fwebcams.mp4",
     "//presentation//{b}//video/webcams.mp4", "/presentation/./{b}/video/webcams.mp4",
     "/%70resentation/{b}/video/webcams.mp4", "/playback/../presentation/{b}/video/webcams.mp4"],
)  # fmt: skip
async def test_nginx_tidies_what_it_is_asked(bbb: Bbb, spelling: str) -> None:
    library = bbb.fake.library
    answer = await bbb.get(spelling.format(a=library.film.id, b=library.other.id))
    assert (answer.status, stamped(answer.body)) == (200, library.other.id)


async def test_what_nginx_refuses(bbb: Bbb) -> None:
    film = bbb.fake.library.film.id
    for target, status in (
        (f"/presentation/{film}/%00", 400), ("/../presentation", 400), (f"/presentation/{film}/%zz", 400),
        (f"/presentation/{film}/metadata.xml/", 404), (f"/presentation/{film}/metadata.xml;x", 404),
        (f"/Presentation/{film}/metadata.xml", 404), (f"/presentation/{film.upper()}/metadata.xml", 404),
        (f"/presentation/{film}/", 403),
    ):  # fmt: skip
        assert (await bbb.get(target)).status == status, target
    moved = await bbb.get(f"/presentation/{film}")
    assert (moved.status, moved.headers["location"]) == (301, f"{bbb.url}/presentation/{film}/")  # absolute


async def test_locations_without_a_slash_take_their_neighbours(bbb: Bbb) -> None:
    film = bbb.fake.library.film.id
    for path in (
        f"/presentation_export/{film}/meeting.mp4", f"/playback/video/{film}/video-0.mp4",
        f"/recording/screenshare/{film}/screenshare.webm", f"/podcast/{film}/audio.mp4",
    ):  # fmt: skip
        assert stamped((await bbb.get(path)).body) == film
    assert film in (await bbb.get(f"/notes/{film}/notes.html")).text
    assert (await bbb.get(f"/recording/screenshare../presentation/{film}/metadata.xml")).status == 404
    assert "video-0.mp4" in (await bbb.get(f"/playback/video/{film}/")).text


async def test_the_player_is_one_page_for_every_path(bbb: Bbb) -> None:
    film = bbb.fake.library.film.id
    for path in (film, "nothing", f"{film}/more", "static/js/none.js", ""):
        answer = await bbb.get(f"/playback/presentation/2.3/{path}")
        assert (answer.status, 'id="root"' in answer.text) == (200, True)
    old = await bbb.get(f"/playback/presentation/2.0/playback.html?MeetingId={film}&meetingId=x")
    assert old.headers["location"] == f"{bbb.url}/playback/presentation/2.3/{film}?MeetingId={film}&meetingId=x"


async def test_the_api_wants_a_checksum(bbb: Bbb) -> None:
    library = bbb.fake.library
    film = library.film.id
    for how in ("sha1", "sha256", "sha384", "sha512"):
        assert (await bbb.call("getRecordings", f"recordID={film}", how=how)).findtext("returncode") == "SUCCESS"
    good = signed("getRecordings", f"recordID={film}", bbb.fake.secret)
    for query in (
        f"recordID={film}", good.replace(film, library.other.id), good + "&state=any",
        good.replace("checksum=", "checksum=0"),
        signed("getMeetings", f"recordID={film}", bbb.fake.secret),
        signed("getRecordings", f"recordID={film}", "guessed"),
    ):  # fmt: skip
        answer = ElementTree.fromstring((await bbb.get(f"/bigbluebutton/api/getRecordings?{query}")).text)
        assert (answer.findtext("returncode"), answer.findtext("messageKey")) == ("FAILED", "checksumError")
    assert (await bbb.get("/bigbluebutton/api")).text.startswith("<response><returncode>SUCCESS")


async def test_what_get_recordings_gives(bbb: Bbb) -> None:
    library = bbb.fake.library
    film = library.film

    async def ids(query: str) -> list[str | None]:
        found = await bbb.call("getRecordings", query)
        return [one.findtext("recordID") for one in found.iter("recording")]

    assert await ids(f"recordID={film.id}") == [film.id]
    assert await ids(f"recordID={film.id[:12]}") == [film.id]  # the beginning of an id will do
    assert await ids(f"recordID={film.id},{library.other.id}") == [film.id, library.other.id]
    assert await ids(f"recordID={film.id}&meetingID={library.other.meeting}") == [film.id]
    assert await ids(f"meetingID={library.other.meeting}") == [library.other.id]
    assert await ids("meta_gl-listed=true") == [library.other.id]
    everything = await ids("")
    assert library.withdrawn.id in everything  # unpublished ones too
    assert library.deleted.id not in everything
    assert library.deleted.id in await ids("state=any")
    assert await ids("offset=1&limit=1") == [library.other.id]
    nothing = await bbb.call("getRecordings", "recordID=0000")
    assert (nothing.findtext("returncode"), nothing.findtext("messageKey")) == ("SUCCESS", "noRecordings")
    found = await bbb.call("getRecordings", f"recordID={film.id}")
    urls = [one.text for one in found.iter("url")]
    assert urls == [f"{bbb.url}/playback/presentation/2.3/{film.id}", f"{bbb.url}/playback/video/{film.id}/"]
    picture = found.findtext(".//image") or ""
    assert stamped((await bbb.get(picture.removeprefix(bbb.url))).body) == film.id


async def test_the_log_keeps_targets_as_they_came(bbb: Bbb) -> None:
    await bbb.get("//presentation/%2e%2e/x?p=a&p=b", X_Odd="1")
    assert bbb.fake.targets == ["GET //presentation/%2e%2e/x?p=a&p=b"]


async def test_a_client_of_the_api(bbb: Bbb) -> None:
    """bbbctl of PyPI lists, shows and withdraws."""
    library = bbb.fake.library
    home = await asyncio.to_thread(packages)

    async def bbbctl(*arguments: str) -> str:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bbbctl", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(home), "BBBCTL_SERVER": bbb.url, "BBBCTL_SECRET": bbb.fake.secret},
        )  # fmt: skip
        out, err = await asyncio.wait_for(program.communicate(), 60)
        assert program.returncode == 0, err.decode()
        return out.decode()

    assert library.film.id in await bbbctl("record", "list")
    shown = await bbbctl("record", "info", library.film.id)
    assert f"/playback/presentation/2.3/{library.film.id}" in shown
    await bbbctl("record", "unpublish", library.film.id)
    assert library.film.state == "unpublished"


# --- in a browser


@pytest.mark.browser
@needs_chromium
async def test_the_player_plays_and_asks_for_what_bbb_playback_asks(bbb: Bbb) -> None:
    film = bbb.fake.library.film
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{bbb.url}/playback/presentation/2.3/{film.id}")
        await page.wait_for_function("window.playback.ready")
        assert await page.title() == film.name
        await page.evaluate("playback.video.play()")
        await page.wait_for_function("playback.video.currentTime > 0.3")
        await page.evaluate("playback.video.currentTime = 5")
        await page.wait_for_function(
            "playback.slide.src.endsWith('slide-2.png') && playback.slide.naturalWidth === 320"
        )
        await page.evaluate("playback.video.textTracks[1].mode = 'showing'")
        await page.wait_for_function("playback.video.textTracks[1].cues?.length === 8")
    told, at = bbb.fake.targets, f"/presentation/{film.id}"
    for name in ("metadata.xml", "shapes.svg", "presentation_text.json", "captions.json", "notes.html", "tldraw.json"):
        assert f"GET {at}/{name}" in told
    assert f"HEAD {at}/video/webcams.mp4" in told
    assert f"GET {at}/deskshare/deskshare.mp4" in told
    assert f"GET {at}/presentation/{film.presentation}/thumbnails/thumb-1.png" in told
    assert f"GET {at}/caption_de.vtt" in told
    assert [one for one in bbb.fake.asked if one.path == f"{at}/video/webcams.mp4" and one.header("Range")]


@pytest.mark.browser
@needs_chromium
async def test_a_recording_of_sound_alone(bbb: Bbb) -> None:
    spoken = bbb.fake.library.spoken
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{bbb.url}/playback/presentation/2.3/{spoken.id}")
        await page.wait_for_function("window.playback.ready && playback.video.duration > 7")
    assert f"HEAD /presentation/{spoken.id}/audio/audio.webm" in bbb.fake.targets


@pytest.mark.browser
@needs_chromium
async def test_the_players_query_stands_before_the_id(bbb: Bbb) -> None:
    """`p` is put between /presentation/ and the id, unlooked at (bbb-playback src/utils/params.js, getMediaPath)."""
    film, other = bbb.fake.library.film, bbb.fake.library.other
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{bbb.url}/playback/presentation/2.3/{film.id}?p={other.id}/metadata.xml%23")
        await page.wait_for_function("window.playback.failed || window.playback.ready")
    assert f"GET /presentation/{other.id}/metadata.xml" in bbb.fake.targets
    assert json.dumps(bbb.fake.targets).count(f"/presentation/{film.id}/") == 0
