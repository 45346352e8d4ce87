"""Choosing a language: where it leads, what is kept, what is refused."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.config import Origin
from gateway.reasons import Reason
from gateway.web.embedding import Embedding
from gateway.web.language import sent_language, set_language_cookie
from gateway.web.language_door import LanguageDoor, chosen_on_link, way_back
from gateway.web.manage_visit import ManageVisit
from gateway.web.refuse import refuse

PAGE = {"Accept": "text/html"}


@pytest.fixture
def door(stage):
    stage.door = LanguageDoor().handle
    return stage


async def choose(stage, *, headers=None, method="GET", **asked):
    async with stage.client.request(
        method, f"/_gateway/language?{urlencode(asked)}", headers=PAGE | (headers or {}), allow_redirects=False
    ) as answer:
        await answer.read()
        return answer


async def test_a_choice_is_remembered_and_leads_back(door):
    answer = await choose(door, language="de", to="/media/x")
    assert (answer.status, answer.headers["Location"]) == (303, "/media/x")
    (line,) = answer.headers.getall("Set-Cookie")
    assert line.startswith("gateway-language=de; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000; Expires=")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("language", ["", "xx", "DE", "de-DE", "de;Domain=example.org", "../de", "de "])
async def test_only_what_is_on_offer_is_remembered(door, language):
    answer = await choose(door, language=language, to="/media/x")
    assert answer.status == 404
    assert not {"Location", "Set-Cookie"} & set(answer.headers)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "media/x",
        "//example.org",
        "///example.org",
        "/\\example.org",
        "/%5cexample.org",
        "/%2f/example.org",
        "\\\\example.org",
        "https://example.org/",
        "javascript:alert(1)",
        "/a/../../b",
        "/ä",
        "/a#b",
        "@example.org",
        " /a",
    ],
)
async def test_it_leads_to_no_other_place(door, to):
    answer = await choose(door, language="de", to=to)
    assert answer.status == 404
    assert not {"Location", "Set-Cookie"} & set(answer.headers)


@pytest.mark.parametrize("to", ["/a\r\nSet-Cookie: a=b", "/a\tb", "/a\x00", "/a\u2028b", "//example.org", None])
def test_what_is_no_path_of_ours_is_no_way_back(to):
    assert way_back(to or "") is None


async def test_the_way_back_has_the_one_reading_that_paths_have_here(door):
    answer = await choose(door, language="de", to="/media/%41?x=%2F&y")
    assert answer.headers["Location"] == "/media/A?x=%2F&y"
    assert way_back("/") == "/"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none, cross-site"])
async def test_no_other_site_chooses_for_a_guest(door, site):
    answer = await choose(door, headers={"Sec-Fetch-Site": site}, language="de", to="/media/x")
    assert answer.status == 403
    assert not {"Location", "Set-Cookie"} & set(answer.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_it_is_asked_for_and_not_sent(door, method):
    answer = await choose(door, method=method, language="de", to="/media/x")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert "Set-Cookie" not in answer.headers


async def test_managers_choose_on_their_own_origin(stage):
    door = LanguageDoor(Origin("https", "manage.example.org", 443))

    async def managing(visit):
        return await door.handle_manager(ManageVisit(visit.request, visit.target, visit.ref, pages=visit.pages))

    stage.door = managing
    answer = await choose(stage, language="ja", to="/_gateway/manage/links?q=a")
    assert answer.headers["Location"] == "/_gateway/manage/links?q=a"
    line = answer.headers["Set-Cookie"]
    assert line.startswith("__Host-gateway-language=ja; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=31536000;")


@pytest.mark.parametrize(
    ("method", "query", "chosen"),
    [
        ("GET", "language=de", True),
        ("HEAD", "language=de", True),
        ("POST", "language=de", False),
        ("GET", "language=xx", False),
        ("GET", "language", False),
        ("GET", "x=language", False),
        ("GET", "", False),
    ],
)
async def test_a_link_may_come_with_its_language(stage, method, query, chosen):
    async def door(visit):
        return chosen_on_link(visit) or web.Response(text="the entry page")

    stage.door = door
    async with stage.client.request(method, f"/g/abc?{query}", allow_redirects=False) as answer:
        assert answer.status == (303 if chosen else 200)
        assert answer.headers.get("Location") == ("/g/abc" if chosen else None)
        assert ("Set-Cookie" in answer.headers) is chosen


def cookies(*lines):
    return sent_language(make_mocked_request("GET", "/", headers=[("Cookie", line) for line in lines]))  # type: ignore[arg-type]


def test_what_a_browser_sends():
    assert cookies() == ""
    assert cookies("a=b; gateway-language=de") == "de"
    assert cookies("gateway-language=fr;__Host-gateway-language=de") == "de"
    assert cookies("gateway-language=fr", "gateway-language=de") == ""  # one of them was planted
    assert cookies("gateway-language; my-gateway-language=de") == ""


def test_the_cookie_of_https_is_for_one_host():
    response = web.Response()
    set_language_cookie(response, "de", secure=True)
    assert response.headers["Set-Cookie"].startswith("__Host-gateway-language=de; Path=/;")
    assert "; Secure;" in response.headers["Set-Cookie"]


def test_what_is_chosen_in_a_frame_is_chosen_for_that_frame():
    lms, response = Embedding((Origin("https", "lms.example.edu", 443),)), web.Response()
    set_language_cookie(response, "de", secure=True, framed=True)
    line = response.headers["Set-Cookie"]
    assert line.startswith(
        "__Host-gateway-language-framed=de; Path=/; HttpOnly; SameSite=None; Secure; Partitioned; Max-Age=31536000;"
    )

    def read(dest, cookies):
        headers = [("Cookie", cookies), ("Sec-Fetch-Dest", dest)]
        return sent_language(make_mocked_request("GET", "/", headers=headers), lms)  # type: ignore[arg-type]

    both = "__Host-gateway-language=ja; __Host-gateway-language-framed=de"
    assert read("iframe", both) == "de"
    assert read("iframe", "__Host-gateway-language=ja") == "ja"
    assert read("document", both) == "ja"
    assert cookies(both) == "ja"


# --- the switch on a page -------------------------------------------------------------------------


async def page(stage, path="/media/x?a=1&b=2", method="GET", headers=None, **respond):
    async def door(visit):
        return visit.pages.respond(visit.request, "leave.html", step="none", **respond)

    if stage.door is None:
        stage.door = door
    async with stage.client.request(method, path, headers={"Accept": "text/html"} | (headers or {})) as answer:
        return answer, await answer.text()


def way_of(text, language="de"):
    found = re.search(rf'<a href="([^"]*)" lang="{language}"', text)
    return unescape(found[1]) if found else None


def leading_to(path, language="de"):
    return f"/_gateway/language?{urlencode({'language': language, 'to': path})}"


async def test_the_chosen_language_wins_over_the_browsers(stage):
    answer, text = await page(stage, headers={"Accept-Language": "de", "Cookie": "gateway-language=he"})
    assert answer.headers["Content-Language"] == "he"
    assert '<html lang="he" dir="rtl" ' in text
    answer, _ = await page(stage, headers={"Accept-Language": "de", "Cookie": "gateway-language=xx"})
    assert answer.headers["Content-Language"] == "de"


async def test_each_language_is_offered_in_its_own_words(stage):
    _, text = await page(stage)
    for language, direction, name in [("de", "ltr", "Deutsch"), ("he", "rtl", "עברית"), ("ja", "ltr", "日本語")]:
        assert f' lang="{language}" hreflang="{language}" dir="{direction}" rel="nofollow">{name}</a>' in text
    assert ' dir="ltr" rel="nofollow" aria-current="true">English<' in text


async def test_it_leads_back_to_the_page_or_to_the_media(stage):
    assert way_of((await page(stage))[1]) == leading_to("/_gateway/back")
    assert way_of((await page(stage, method="POST", path="/_gateway/leave"))[1]) == leading_to("/_gateway/leave")


async def test_a_page_can_name_another_way_back_or_none(stage):
    assert way_of((await page(stage, again="/_gateway/leave?left"))[1]) == leading_to("/_gateway/leave?left")
    stage.door = None
    assert way_of((await page(stage, again=""))[1]) is None


async def test_a_refused_request_has_a_switch_at_any_path(stage):
    async def door(visit):
        return refuse(visit, Reason.NO_RULE)

    stage.door = door
    answer, text = await page(stage, "/admin/users?id=1")
    assert answer.status == 403
    assert way_of(text) == leading_to("/_gateway/back")  # not where a secret may stand
    assert "<script" not in text


async def test_a_page_at_a_guest_link_keeps_it_out_of_the_history(stage):
    """Also where there is no form yet: it may come later, at this very address."""

    async def door(visit):
        return refuse(visit, Reason.ACCESS_OFF)

    stage.door = door
    answer, text = await page(stage, "/g/abc")
    assert way_of(text) == "?language=de"
    assert "abc" not in text
    assert text.count("data-replace") == len(stage.pages.catalogues.locales)
    script = re.search(r'<script src="([^"]+entry\.js)"></script>', text)
    assert script is not None
    assert f"script-src http://127.0.0.1:{stage.port}{script[1]}" in answer.headers["Content-Security-Policy"]
