"""A whole gateway that an LMS may frame: what each kind of answer says, to requests as browsers make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.browser.hostile import ITEM, PAGE, POLICY, Hostile, Said
from tests.running import Answer, Running, ask, free_port, running_gateway

HOST = "guest.example.org"
ANCESTORS = "frame-ancestors https://lms.example.edu"
FORM_COOKIE = "__Host-Http-gateway-form-framed"


@dataclass
class Room:
    running: Running
    manage: int
    cookies: dict[str, str]

    async def ask(self, line: str, *, dest: str = "iframe", site: str = "same-origin", fields: object = None) -> Answer:
        """As a browser does that keeps what it is told."""
        mode = "navigate" if dest in ("iframe", "document") else "cors"
        headers = f"Accept: text/html\r\nSec-Fetch-Dest: {dest}\r\nSec-Fetch-Mode: {mode}\r\nSec-Fetch-Site: {site}\r\n"
        body = urlencode(fields).encode() if fields else b""  # type: ignore[arg-type]
        if fields is not None:
            headers += "Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\n"
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await ask(self.running.port, line, host=HOST, cookie=cookie, headers=headers, body=body)
        for name, value in answer.cookies.items():
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer

    async def enter(self) -> Answer:
        link = "/g/" + (await self.running.make_link(ITEM)).rpartition("/")[2]
        page = (await self.ask(f"GET {link}", site="cross-site")).body.decode()
        form = page.partition('name="form" value="')[2].partition('"')[0]
        return await self.ask(f"POST {link}", fields={"name": "Ada", "email": "ada@example.org", "form": form})


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    media, manage = Hostile(), free_port()
    media.answers[PAGE] = Said("<h1>media</h1>", headers={"X-Frame-Options": "SAMEORIGIN"})
    media.answers[f"/file/{ITEM}/a.ts"] = Said(b"x", "video/mp2t")
    extra = "session: {embed_origins: [https://lms.example.edu]}\n"
    extra += f"manage: {{listen: '127.0.0.1:{manage}', url: 'https://manage.example.org'}}\n"
    async with (
        media.serving(),
        running_gateway(tmp_path, POLICY, media.port, public=f"https://{HOST}", extra=extra) as running,
    ):
        yield Room(running, manage, {})


async def test_entry_refusals_media_and_leaving_may_be_framed_and_managing_may_not(room: Room) -> None:
    entered = await room.enter()
    assert (entered.status, entered.headers["location"]) == (303, PAGE)
    link = "/g/" + (await room.running.make_link(ITEM)).rpartition("/")[2]
    for path, status in (
        (link, 200), (PAGE, 200), ("/_gateway/leave", 200), ("/nothing", 403), ("/g/nothing", 404), ("/a//b", 400),
    ):  # fmt: skip
        answer = await room.ask(f"GET {path}")
        assert answer.status == status, path
        assert ANCESTORS in answer.headers["content-security-policy"].split("; "), path
        assert "x-frame-options" not in answer.headers, path
    for path in ("/_gateway/manage", "/_gateway/manage/links", "/nothing"):
        answer = await ask(room.manage, f"GET {path}", host="manage.example.org", headers="Accept: text/html\r\n")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
        assert answer.headers["x-frame-options"] == "DENY", path


async def test_each_cookie_of_a_frame_is_for_that_frame(room: Room) -> None:
    await room.enter()
    assert set(room.cookies) == {FORM_COOKIE, "__Host-gateway-framed"}
    answer = await room.ask("GET /_gateway/language?language=en&to=/page/abc123")
    lines = answer.set_cookies + (await room.ask("POST /_gateway/leave", fields={})).set_cookies
    framed = [line for line in lines if line.partition("=")[0].endswith("-framed")]
    assert {line.partition("=")[0] for line in framed} == {"__Host-gateway-framed", "__Host-gateway-language-framed"}
    assert all("; SameSite=None; Secure; Partitioned" in line for line in framed)
    assert set(room.cookies) == {FORM_COOKIE, "__Host-gateway-language-framed"}


async def test_by_itself_the_same_link_has_the_cookies_it_always_had(room: Room) -> None:
    link = "/g/" + (await room.running.make_link(ITEM)).rpartition("/")[2]
    answer = await room.ask(f"GET {link}", dest="document", site="none")
    assert set(room.cookies) == {"__Host-Http-gateway-form"}
    assert all("SameSite=Lax; Secure" in line for line in answer.set_cookies)


async def test_what_is_no_page_of_a_frame_gets_no_entry_page(room: Room) -> None:
    link = "/g/" + (await room.running.make_link(ITEM)).rpartition("/")[2]
    for dest in ("empty", "embed", "object", "frame", "script", "image", "fencedframe"):
        assert (await room.ask(f"GET {link}", dest=dest)).status == 403, dest
    assert room.cookies == {}


async def test_the_form_of_a_frame_is_not_admitted_without_its_cookie_or_from_elsewhere(room: Room) -> None:
    link = "/g/" + (await room.running.make_link(ITEM, clicks=1)).rpartition("/")[2]
    page = (await room.ask(f"GET {link}", site="cross-site")).body.decode()
    kept = room.cookies.copy()
    fields = {"name": "A", "email": "a@b.example", "form": page.partition('name="form" value="')[2].partition('"')[0]}
    assert (await room.ask(f"POST {link}", site="cross-site", fields=fields)).status == 403
    assert (await room.ask(f"POST {link}", site="same-site", fields=fields)).status == 403
    room.cookies = {"__Host-Http-gateway-form": kept[FORM_COOKIE]}
    answer = await room.ask(f"POST {link}", fields=fields)
    assert answer.status == 403
    assert b'target="_blank"' in answer.body
    room.cookies = kept
    assert (await room.ask(f"POST {link}", dest="document", fields=fields)).status == 403
    room.cookies = kept
    assert (await room.ask(f"POST {link}", fields=fields)).status == 303


async def test_a_frames_session_is_nobodys_where_another_site_asks(room: Room) -> None:
    await room.enter()
    file = f"GET /file/{ITEM}/a.ts"
    for site in ("cross-site", "same-site"):
        for dest in ("video", "image", "script", "empty", "embed", "websocket"):
            assert (await room.ask(file, dest=dest, site=site)).status == 403, (site, dest)
        assert (await room.ask("POST /_gateway/leave", site=site, fields={})).status == 403
        assert (await room.ask(f"GET {PAGE}", site=site)).status == 200
    assert (await room.ask(file, dest="video")).status == 200
