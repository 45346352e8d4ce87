"""The player page: whose it is, what it tells the script, and that opening it asks the link again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.access.outcome import Denied
from gateway.config import Prefixes
from gateway.player.watch import WatchDoor
from gateway.reasons import Reason
from gateway.web.pages import common_headers
from gateway.web.statics import LIBRARIES, Static

MINE, OTHER = "A" * 28, "B" * 28
PAGE = {"Accept": "text/html", "Cookie": f"gateway={MINE}"}


@dataclass
class FakeLive:
    player: Any
    server_name: str = "tv"
    touched: int = 0
    download: str | None = None
    chat: str | None = None
    captions: bool = True
    groups: frozenset[str] = frozenset()
    grant: Any = field(
        default_factory=lambda: SimpleNamespace(
            id=MINE, server="tv", kind="video", item="x1", variables={"title": ("Metropolis & more",)}
        )
    )
    guest: Any = field(default_factory=lambda: SimpleNamespace(shared_device=False))

    @property
    def server(self):
        return SimpleNamespace(config=SimpleNamespace(name=self.server_name))

    @property
    def scope(self):
        return SimpleNamespace(
            kind=SimpleNamespace(groups=self.groups),
            player=lambda signed: self.player,
            entrance=lambda: "/media/x",
            download=lambda signed: self.download,
            chat=lambda: self.chat,
            captions=self.captions,
        )

    def touch(self):
        self.touched += 1


@dataclass
class FakeGrants:
    lives: tuple[Any, ...] = ()
    loaded: bool = True
    denied: Denied | None = None
    rechecked: int = 0

    def known(self, ids):
        return self.lives if self.loaded else None

    async def load(self, ids):
        return self.lives

    async def recheck(self, live):
        self.rechecked += 1
        return self.denied


class FakeSessions:
    def grant_ids(self, request):
        return tuple(re.findall(r"gateway=(\w+)", request.headers.get("Cookie", "")))


def sources(**other):
    return SimpleNamespace(
        **{"src": "/v/a.m3u8?x=1&y=2", "poster": "/v/a.jpg", "file": "/v/a.mp4", "as_": "hls", **other}
    )


@pytest.fixture
def live():
    return FakeLive(sources())


@pytest.fixture
def grants(live):
    return FakeGrants((live,))


@pytest.fixture
def watch(stage, grants):
    stage.door = WatchDoor(
        grants,
        FakeSessions(),
        Prefixes(),
        lambda server, ids: "/media/x" if ids else None,
        lambda live, place: None,
        lambda live, player: None,
    ).handle
    return stage


async def open_page(stage, grant=MINE, headers=PAGE, method="GET"):
    async with stage.client.request(method, f"/_gateway/watch/{grant}", headers=headers) as answer:
        return answer, await answer.text()


async def test_the_page_holds_what_the_script_and_the_browser_need(watch, live, grants):
    answer, page = await open_page(watch)
    assert answer.status == 200
    assert "<bdi>Metropolis &amp; more</bdi>" in page
    assert 'data-src="/v/a.m3u8?x=1&amp;y=2" data-as="hls" data-file="/v/a.mp4"' in page
    assert '<source src="/v/a.m3u8?x=1&amp;y=2" type="application/vnd.apple.mpegurl">' in page
    assert '<source src="/v/a.mp4">' in page
    assert 'poster="/v/a.jpg"' in page
    assert f'name="grant" value="{MINE}"' in page
    words = json.loads(unescape(re.search(r'data-words="([^"]*)"', page).group(1)))
    assert words["error.ended.title"] == "Your access has ended"
    assert (grants.rechecked, live.touched) == (1, 1)
    assert watch.visits[-1].grant == MINE  # for the log


async def test_its_policy_lets_our_own_scripts_play_and_nothing_more(watch):
    answer, page = await open_page(watch)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for part in ("script-src 'self'", "media-src 'self' blob:", "connect-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert re.findall(r"(?:src|href|action|poster)=\"(?!/)", page) == ['href="'] * page.count('href="#content"')


@pytest.mark.parametrize("sort", ["hls", "dash", "file", "whep"])
async def test_only_the_library_that_the_stream_needs_is_loaded_and_only_where_it_is(watch, live, sort):
    live.player = sources(as_=sort)
    files = {name: file for name, file in watch.pages.statics.files.items() if not name.startswith("vendor/")}
    watch.pages = replace(watch.pages, statics=replace(watch.pages.statics, files=files))
    assert "/vendor/" not in (await open_page(watch))[1]
    files |= {name: Static(b"", "text/javascript", '"x"') for name in LIBRARIES.values()}
    watch.pages = replace(watch.pages, statics=replace(watch.pages.statics, files=files))
    page = (await open_page(watch))[1]
    assert re.findall(r"/(vendor/[^\"]+)", page) == ([LIBRARIES[sort]] if sort in LIBRARIES else [])


async def test_no_poster_no_file(watch, live):
    live.player = sources(poster=None, file=None)
    page = (await open_page(watch))[1]
    assert "poster=" not in page
    assert page.count("<source") == 1


def item_of(page):
    return re.search(r'data-item="([^"]*)"', page).group(1)


async def test_positions_are_kept_under_a_name_that_tells_nothing(watch, live):
    first = item_of((await open_page(watch))[1])
    assert re.fullmatch(r"[0-9a-f]{20}", first)
    live.grant.id, live.grant.item = OTHER, "x1"  # a later grant of the same item
    assert item_of((await open_page(watch, OTHER, {**PAGE, "Cookie": f"gateway={OTHER}"}))[1]) == first
    live.grant.item = "x2"
    assert item_of((await open_page(watch, OTHER, {**PAGE, "Cookie": f"gateway={OTHER}"}))[1]) != first


async def test_nothing_is_kept_on_a_device_that_is_not_the_guests(watch, live):
    live.guest.shared_device = True
    assert item_of((await open_page(watch))[1]) == ""


async def test_what_may_be_downloaded_is_a_link_and_nothing_else_is(watch, live):
    assert "download" not in (await open_page(watch))[1].replace("watch.download", "")
    live.download = "/files/x?as=a&b"
    assert '<a class="button plain" href="/files/x?as=a&amp;b" download>Download</a>' in (await open_page(watch))[1]


async def test_captions_that_are_off_are_not_offered(watch, live):
    assert "<kbd>C</kbd>" in (await open_page(watch))[1]
    live.captions = False
    page = (await open_page(watch))[1]
    assert 'data-captions="off"' in page
    assert "<kbd>C</kbd>" not in page


async def test_a_chat_that_is_off_leaves_no_trace(watch, live):
    answer, page = await open_page(watch)
    assert "iframe" not in page
    assert "chat" not in unescape(page).lower()
    assert "frame-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


async def test_a_chat_stands_in_a_frame_that_may_do_little(watch, live):
    live.chat = "/embed/chat?as=a&b"
    answer, page = await open_page(watch)
    frame = re.search(r"<iframe ([^>]*)>", page).group(1)
    assert 'data-src="/embed/chat?as=a&amp;b"' in frame, "the script loads it, when it is shown"
    assert re.search(r'(?<![-a-z])src="', frame) is None
    assert 'title="Chat"' in frame
    assert 'sandbox="allow-scripts allow-same-origin allow-forms"' in frame
    assert 'referrerpolicy="no-referrer"' in frame
    assert "frame-src 'self'" in answer.headers["Content-Security-Policy"].split("; ")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"].split("; ")


async def test_windows_that_a_chat_opens_here_are_not_of_our_other_pages(watch, live):
    """Its scripts reach this page, so it must not share a group of windows with the entry page."""
    live.chat = "/embed/chat"
    answer, _ = await open_page(watch)
    assert answer.headers.getall("Cross-Origin-Opener-Policy") == ["same-origin-allow-popups"]
    assert common_headers()["Cross-Origin-Opener-Policy"] != "same-origin-allow-popups"


@pytest.mark.parametrize(
    ("kind", "src", "sound"),
    [("video", "/a.mp4", False), ("audio", "/a.m3u8", True), ("video", "/a.MP3?x=.mp4", True), ("video", "/a", False)],
)
async def test_sound_is_known_beforehand_where_the_policy_tells_it(watch, live, kind, src, sound):
    live.grant.kind, live.player = kind, sources(src=src)
    page = (await open_page(watch))[1]
    assert ('class="player sound"' in page) is ('aria-label="Audio player"' in page) is sound


async def test_a_browser_without_scripts_leaves_out_what_it_cannot_play(watch, live):
    live.player = sources(src="/v/a.mpd", as_="dash")
    assert '<source src="/v/a.mpd" type="application/dash+xml">' in (await open_page(watch))[1]
    live.player = sources(src="/v/a.webm", as_="file")
    assert '<source src="/v/a.webm">' in (await open_page(watch))[1]
    live.player = sources(src="/v/whep", as_="whep")
    page = (await open_page(watch))[1]
    assert 'data-src="/v/whep" data-as="whep"' in page
    assert '<source src="/v/whep"' not in page, "nothing that a GET would bring"


async def test_a_worker_that_does_not_know_the_grant_yet_loads_it(watch, grants):
    grants.loaded = False
    assert (await open_page(watch))[0].status == 200


@pytest.mark.parametrize("headers", [{}, {"Cookie": f"gateway={OTHER}"}])
async def test_the_address_alone_opens_nothing(watch, grants, headers):
    answer, page = await open_page(watch, headers={"Accept": "text/html", **headers})
    assert answer.status == 403
    assert ("You need a guest link" in page) is ("Cookie" not in headers)
    assert ('href="/media/x"' in page) is ("Cookie" in headers)  # who has other media is led back to them
    assert grants.rechecked == 0


@pytest.mark.parametrize("grant", ["", "x", MINE + "/", MINE + "A", MINE.lower()])
async def test_other_spellings_are_other_grants(watch, grants, grant):
    assert (await open_page(watch, grant))[0].status == 403
    assert grants.rechecked == 0


async def test_an_ended_grant_says_so_where_no_other_lives(watch, grants):
    grants.lives = ()
    assert 'href="/media/x"' in (await open_page(watch))[1]
    watch.door = WatchDoor(
        grants,
        FakeSessions(),
        Prefixes(),
        lambda server, ids: None,
        lambda live, place: None,
        lambda live, player: None,
    ).handle
    answer, page = await open_page(watch)
    assert answer.status == 403
    assert "Your access has ended" in page
    assert watch.visits[-1].reason is Reason.GRANT_ENDED


async def test_a_grant_of_another_server_is_none_here(watch, live):
    live.server_name = "radio"
    assert (await open_page(watch))[0].status == 403


async def test_opening_it_asks_the_link_again(watch, grants, live):
    grants.denied = Denied(Reason.ACCESS_OFF)
    answer, page = await open_page(watch)
    assert answer.status == 410
    assert "turned off" in page
    assert live.touched == 0


async def test_a_kind_with_a_page_of_its_own_has_none_here(watch, live):
    live.player = None
    answer, page = await open_page(watch)
    assert answer.status == 404
    assert 'href="/media/x"' in page


async def test_it_is_only_looked_at(watch):
    assert (await open_page(watch, method="POST"))[0].status == 405
    answer, body = await open_page(watch, method="HEAD")
    assert (answer.status, body) == (200, "")


@pytest.mark.parametrize("groups", [(), ("chat",), ("chat", "present")])
async def test_a_room_shows_what_is_on_and_only_there_the_browser_may_be_asked_for_a_camera(watch, live, groups):
    live.player = sources(src="/rtc", as_="livekit", poster=None, file=None)
    live.groups = frozenset(groups)
    answer, page = await open_page(watch)
    assert answer.status == 200
    assert f'data-src="/rtc" data-may="{" ".join(groups)}"' in page
    assert ('class="talk"' in page) == ("chat" in groups)
    assert ("<kbd>V</kbd>" in page) == ("present" in groups)
    assert ("camera=(self)" in answer.headers["Permissions-Policy"]) == ("present" in groups)
    assert "geolocation=()" in answer.headers["Permissions-Policy"]
    words = json.loads(unescape(re.search(r'data-words="([^"]*)"', page).group(1)))
    assert words["alone.title"] == "Nobody else is here yet"
    assert (live.touched, watch.visits[-1].grant) == (1, MINE)
