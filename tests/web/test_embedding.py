"""Who may frame a page of ours: what stands in its head, and what in it is for frames."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.config import Origin
from gateway.reasons import Reason
from gateway.web.embedding import Embedding
from gateway.web.pages import PLAYER_POLICY
from gateway.web.refuse import refuse

LMS = Embedding((Origin("https", "lms.example.edu", 443), Origin("https", "learn.example.org", 8443)))
IFRAME = {"Accept": "text/html", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def framed(stage):
    stage.pages = replace(stage.pages, embedding=LMS)
    return stage


async def get(stage, door, headers=IFRAME):
    stage.door = door
    async with stage.client.get("/x", headers=headers) as answer:
        return answer, await answer.text()


async def test_pages_and_refusals_name_who_may_frame_them_and_say_nothing_else_about_frames(framed):
    async def page(visit):
        return visit.pages.respond(visit.request, "leave.html", policy=PLAYER_POLICY, step="ask")

    async def refusal(visit):
        return refuse(visit, Reason.LINK_EXPIRED)

    for door in (page, refusal):
        answer, _ = await get(framed, door)
        (policy,) = answer.headers.getall("Content-Security-Policy")
        about_frames = [part for part in policy.split("; ") if part.startswith("frame-ancestors")]
        assert about_frames == ["frame-ancestors https://lms.example.edu https://learn.example.org:8443"]
        assert "X-Frame-Options" not in answer.headers


async def test_nothing_that_is_no_page_may_be_framed(framed):
    async def refusal(visit):
        return refuse(visit, Reason.LINK_EXPIRED)

    answer, _ = await get(framed, refusal, {"Accept": "application/json"})
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


async def test_nothing_a_page_says_keeps_a_frame_from_playing_in_full_screen(framed):
    async def page(visit):
        return visit.pages.respond(visit.request, "leave.html", step="ask")

    answer, _ = await get(framed, page)
    switched_off = {part.partition("=")[0].strip() for part in answer.headers["Permissions-Policy"].split(",")}
    assert not switched_off & {"fullscreen", "autoplay", "picture-in-picture", "encrypted-media", "screen-wake-lock"}


@pytest.mark.parametrize(("dest", "offered"), [("iframe", True), (None, True), ("document", False)])
async def test_without_its_cookie_a_frame_is_told_of_a_tab_of_its_own(framed, dest, offered):
    async def refusal(visit):
        return refuse(visit, Reason.COOKIES_NEEDED)

    headers = {"Accept": "text/html"} | ({"Sec-Fetch-Dest": dest} if dest else {})
    answer, page = await get(framed, refusal, headers)
    assert answer.status == 403
    assert ('<a class="button" href="" target="_blank" rel="noopener">Open in a new tab</a>' in page) is offered
    assert ("Your browser keeps no cookies for a page inside" in page) is offered


async def test_where_nobody_frames_nothing_speaks_of_frames(stage):
    async def refusal(visit):
        return refuse(visit, Reason.COOKIES_NEEDED)

    answer, page = await get(stage, refusal)
    assert "_blank" not in page
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
