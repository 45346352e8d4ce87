"""The entry page over a doorkeeper that does as it is told: what is shown, what is posted, what is set.

What a doorkeeper decides is tested in tests/access; here it is a fake, so that every answer of his
can be had.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.access.outcome import Denied
from gateway.access.reentry import Admitted
from gateway.access.throttle import Guesses
from gateway.access.words import PostedForm
from gateway.config import Prefixes
from gateway.guest.entry import EntryDoor
from gateway.guest.remembered import Remembered
from gateway.links.keys import Keys
from gateway.metrics import Metrics
from gateway.reasons import Reason
from gateway.web.theme import Theme

TOKEN = "t" * 22
COOKIE = "c" * 22
PAGE = {"Accept": "text/html", "Sec-Fetch-Dest": "document"}
EXPIRES = 1_795_000_000_000


def entrance(title="The Third Man", expires_at=None, pin=None, emails=(), full=False) -> Any:
    link = SimpleNamespace(title=title, kind="video", expires_at=expires_at, pin=pin, emails=emails)
    return SimpleNamespace(link=link, item=SimpleNamespace(title=None), full=full, awaits=None)


@dataclass
class FakeDoorkeeper:
    looked: Any = field(default_factory=entrance)
    returned: Any = None
    admitted: Any = None
    posts: list[Any] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    opened: int = 0

    def shown(self, entrance):
        self.opened += 1

    async def look(self, token, server, *, ask=True):
        return self.looked

    async def come_back(self, token, server, grant_ids):
        assert grant_ids
        return self.returned

    def new_form(self, token, cookie, now):
        assert (token, now) == (TOKEN, 1000)
        self.forms.append(cookie)
        return f"signed{len(self.forms)}"

    async def admit(self, token, server, posted, cookie, grant_ids):
        self.posts.append((posted, cookie, grant_ids))
        return self.admitted


class FakeSessions:
    name = "gateway"

    def grant_ids(self, request):
        return ("g1",) if "gateway=known" in request.headers.get("Cookie", "") else ()

    def write(self, request, response, grant_ids, persistent):
        response.headers.add("Set-Cookie", f"gateway={'+'.join(grant_ids)}; persistent={persistent}")


@pytest.fixture
def keeper():
    return FakeDoorkeeper()


@pytest.fixture
def entry(stage, keeper):
    guesses = Guesses(10, lambda: 1000)
    door = EntryDoor(
        keeper,
        FakeSessions(),
        Prefixes(),
        2_000,
        lambda: 1000,
        guesses,
        Metrics(),
        lambda request: "a",
        Remembered(Keys.derive([b"k" * 32]).device_fernets, lambda: 1000),
        90,
    )
    stage.door = door.handle
    return stage


def admitted(location="/watch/abc") -> Admitted:
    live: Any = None
    return Admitted(live, location, ("g1", "g2"), True)


async def get(stage, headers=PAGE, path=f"/g/{TOKEN}", method="GET"):
    async with stage.client.request(method, path, headers=headers, allow_redirects=False) as answer:
        return answer, await answer.text()


async def post(stage, fields, headers=PAGE):
    async with stage.client.post(f"/g/{TOKEN}", data=fields, headers=headers, allow_redirects=False) as answer:
        return answer, await answer.text()


GOOD = {"name": "Zoë", "email": "zoe@example.org", "form": "signed1"}


async def test_the_page_asks_for_a_name_and_an_address(entry, keeper):
    keeper.looked = entrance(expires_at=EXPIRES)
    answer, page = await get(entry)
    assert answer.status == 200
    assert "The Third Man" in page
    assert "Village cinema" in page
    assert re.search(r'<input id="name" name="name" type="text"', page)
    assert re.search(r'<input id="email" name="email" type="email"', page)
    assert '<input type="hidden" name="form" value="signed1">' in page
    assert "This link works until 18 November 2026, 11:06 UTC." in page
    for name in ("name", "email", "not_my_device"):
        assert f'<label for="{name}">' in page
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(r"gateway-form=[0-9A-Za-z]{22}; Path=/; HttpOnly; SameSite=Lax", cookie)
    assert cookie.startswith(f"gateway-form={keeper.forms[0]};")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((), "who is watching. They are used for nothing else."),
        (("name",), "Your name is also passed on to the media server. They"),
        (("email",), "Your address is also passed on to the media server. They"),
        (("name", "email"), "Both are also passed on to the media server. They"),
    ],
)
async def test_the_page_says_what_the_media_server_gets_to_know(entry, told, said):
    entry.kinds["video"] = SimpleNamespace(told=frozenset(told))
    _, page = await get(entry)
    assert said in page
    assert ("passed on" in page) == bool(told)


async def test_one_script_of_ours_may_run_and_none_of_the_media_servers_host(entry):
    answer, page = await get(entry)
    (script,) = re.findall(r"<script[^>]*>", page)
    address = re.search('src="(/_gateway/static/[0-9a-f]+/entry.js)"', script)
    assert address
    policy = answer.headers["Content-Security-Policy"]
    assert f"script-src http://127.0.0.1:{entry.port}{address[1]}" in policy.split("; ")
    assert 'data-back="/_gateway/back"' in page


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
async def test_what_nobody_opened_gets_neither_form_nor_admission_nor_a_word_about_the_token(
    entry, keeper, headers, method
):
    keeper.admitted = keeper.returned = admitted()
    for looked in (entrance(), Denied(Reason.LINK_UNKNOWN)):
        keeper.looked = looked
        answer, page = await get(entry, {**PAGE, "Cookie": "gateway=known", **headers}, method=method)
        assert (answer.status, entry.visits[-1].reason) == (403, Reason.NOT_OPENED)
        assert "<form" not in page
        assert "Set-Cookie" not in answer.headers
    assert keeper.posts == keeper.forms == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Sec-Purpose": "prefetch;anonymous-client-ip"},
        {"Purpose": "prefetch"},
        {"X-Moz": "prefetch"},
        {"X-Purpose": "preview"},
    ],
    ids=str,
)
async def test_ahead_of_time_a_stranger_sees_the_form_and_nobody_comes_back(entry, keeper, headers):
    keeper.returned = admitted()
    assert (await get(entry, {**PAGE, **headers}))[0].status == 200
    answer, _ = await get(entry, {**PAGE, **headers, "Cookie": "gateway=known"})
    assert (answer.status, entry.visits[-1].reason) == (403, Reason.NOT_OPENED)
    assert "Set-Cookie" not in answer.headers
    assert (await get(entry, {**PAGE, "Cookie": "gateway=known"}))[0].status == 303


async def test_a_browser_that_opens_a_link_is_answered_and_noted(entry, keeper):
    opened = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-User": "?1"}
    assert (await get(entry, {**PAGE, **opened}))[0].status == 200
    assert keeper.opened == 1


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch"}, {"Sec-Fetch-Mode": "navigate", "X-Moz": "preview"}],
)
async def test_scanners_previews_and_looks_ahead_are_no_opening(entry, keeper, headers):
    assert (await get(entry, {**PAGE, **headers}))[0].status == 200
    async with entry.client.head(f"/g/{TOKEN}", headers={**PAGE, "Sec-Fetch-Mode": "navigate"}) as answer:
        assert answer.status == 200
    assert keeper.opened == 0


async def test_a_link_that_takes_nobody_is_not_opened(entry, keeper):
    keeper.looked = Denied(Reason.LINK_EXPIRED)
    await get(entry, {**PAGE, "Sec-Fetch-Mode": "navigate"})
    assert keeper.opened == 0


async def test_a_link_without_an_end_names_none(entry):
    assert "This link works until" not in (await get(entry))[1]


async def test_a_second_tab_keeps_the_cookie_of_the_first(entry, keeper):
    answer, _ = await get(entry, {**PAGE, "Cookie": f"gateway-form={COOKIE}"})
    assert keeper.forms == [COOKIE]
    assert answer.headers["Set-Cookie"].startswith(f"gateway-form={COOKIE};")


async def test_head_is_get_without_a_body(entry, keeper):
    shown, page = await get(entry)
    answer, nothing = await get(entry, method="HEAD")
    assert (answer.status, nothing) == (200, "")
    assert int(answer.headers["Content-Length"]) == len(page.encode())
    assert shown.headers.keys() == answer.headers.keys()
    assert keeper.posts == []


async def test_titles_are_escaped(entry, keeper):
    keeper.looked = entrance(title="<script>alert(1)</script>")
    page = (await get(entry))[1]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_who_is_known_goes_straight_to_the_media(entry, keeper):
    keeper.returned = admitted()
    keeper.looked = Denied(Reason.LINK_USED_UP)  # closes the door to new guests only
    answer, _ = await get(entry, {**PAGE, "Cookie": "gateway=known"})
    assert (answer.status, answer.headers["Location"]) == (303, "/watch/abc")
    assert answer.headers["Set-Cookie"] == "gateway=g1+g2; persistent=True"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_who_is_known_but_no_longer_wanted_is_told(entry, keeper):
    keeper.returned = Denied(Reason.ACCESS_OFF)
    answer, page = await get(entry, {**PAGE, "Cookie": "gateway=known"})
    assert answer.status == 410
    assert "turned off" in page


async def test_who_is_not_recognised_gets_the_form(entry):
    answer, page = await get(entry, {**PAGE, "Cookie": "gateway=known"})
    assert answer.status == 200
    assert "<form" in page


@pytest.mark.parametrize(
    "reason",
    [
        Reason.LINK_UNKNOWN,
        Reason.LINK_EXPIRED,
        Reason.LINK_USED_UP,
        Reason.LINK_DELETED,
        Reason.ACCESS_OFF,
        Reason.MEDIA_GONE,
    ],
    ids=str,
)
async def test_a_link_that_cannot_be_used_shows_its_message(entry, keeper, reason):
    keeper.looked = Denied(reason, "for the log")
    answer, page = await get(entry)
    assert answer.status == reason.status
    assert "<form" not in page
    assert (entry.visits[-1].reason, entry.visits[-1].detail) == (reason, "for the log")


@pytest.mark.parametrize("tail", ["", "short", TOKEN + "x", TOKEN + "/", TOKEN + "/x", "%C3%A9" * 22])
async def test_what_is_no_token_is_unknown(entry, tail):
    assert (await get(entry, path=f"/g/{tail}"))[0].status == 404


async def test_a_good_post_leads_to_the_media(entry, keeper):
    keeper.admitted = admitted()
    cookie = f"gateway-form={COOKIE}; gateway=known"
    answer, _ = await post(entry, {**GOOD, "not_my_device": "1"}, {**PAGE, "Cookie": cookie})
    assert (answer.status, answer.headers["Location"]) == (303, "/watch/abc")
    assert answer.headers["Set-Cookie"] == "gateway=g1+g2; persistent=True"
    posted = PostedForm(name="Zoë", email="zoe@example.org", form="signed1", shared_device=True, source="a")
    assert keeper.posts == [(posted, COOKIE, ("g1",))]


async def test_a_browser_that_hides_its_origin_may_post(entry, keeper):
    keeper.admitted = admitted()
    for headers in ({"Origin": "null"}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}):
        assert (await post(entry, GOOD, {**PAGE, **headers}))[0].status == 303


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
async def test_another_site_may_not_post(entry, keeper, headers):
    answer, _ = await post(entry, GOOD, {**PAGE, **headers})
    assert answer.status == 403
    assert entry.visits[-1].reason is Reason.CROSS_SITE
    assert keeper.posts == []


async def test_a_wrong_form_comes_back_filled_in(entry, keeper):
    keeper.admitted = Denied(Reason.FORM_INVALID, "", {"email": "entry.error.email"})
    fields = {**GOOD, "name": '"><b>Zoë', "not_my_device": "1"}
    answer, page = await post(entry, fields, {**PAGE, "Cookie": f"gateway-form={COOKIE}"})
    assert answer.status == 422
    assert html.escape('value="', quote=False) + html.escape('"><b>Zoë').replace("&quot;", "&#34;") in page
    assert 'value="signed1"' in page
    assert 'aria-describedby="email-error email-hint"' in page
    assert 'id="email-error"' in page
    assert 'aria-invalid="true"' in page
    assert 'role="alert" tabindex="-1" autofocus' in page
    assert " checked>" in page
    assert answer.headers["Set-Cookie"].startswith(f"gateway-form={COOKIE};")
    assert entry.visits[-1].reason is Reason.FORM_INVALID


async def test_an_old_form_is_renewed_without_blame(entry, keeper):
    keeper.admitted = Denied(Reason.FORM_STALE)
    answer, page = await post(entry, GOOD)
    assert answer.status == 422
    assert 'value="zoe@example.org"' in page
    assert "open for a while" in page
    assert "aria-invalid" not in page


async def test_a_program_hears_the_faults_as_a_problem(entry, keeper):
    keeper.admitted = Denied(Reason.FORM_INVALID, "", {"email": "entry.error.email"})
    answer, text = await post(entry, GOOD, {"Accept": "application/json"})
    assert answer.status == 422
    assert '"email": "Please enter an email address' in text


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "text/*;q=0.5"}], ids=str)
async def test_who_takes_anything_gets_the_form_again(entry, keeper, headers):
    keeper.admitted = Denied(Reason.FORM_INVALID, "", {"email": "entry.error.email"})
    answer, page = await post(entry, GOOD, headers)
    assert (answer.status, answer.content_type) == (422, "text/html")
    assert 'value="zoe@example.org"' in page


async def test_without_the_cookie_the_guest_is_told_what_to_do(entry, keeper):
    keeper.admitted = Denied(Reason.COOKIES_NEEDED)
    answer, page = await post(entry, GOOD)
    assert answer.status == 403
    assert "Cookies are needed" in page
    assert keeper.posts[0][1] is None


async def test_too_much_is_refused_before_it_is_judged(entry, keeper):
    answer, _ = await post(entry, {**GOOD, "name": "x" * 3_000})
    assert answer.status == 413
    assert keeper.posts == []


async def test_other_methods_are_named(entry):
    answer, _ = await get(entry, method="DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


async def test_who_asks_for_many_links_that_are_not_there_has_to_wait(entry, keeper):
    keeper.looked = Denied(Reason.LINK_UNKNOWN)
    for _ in range(10):
        answer, _ = await get(entry)
        assert answer.status == 404
    answer, page = await get(entry)
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "6"
    assert "<form" not in page


# --- remembered on the guest's own device ---------------------------------------------------------


def guest_cookies(answer) -> list[str]:
    return [line for line in answer.headers.getall("Set-Cookie", []) if line.startswith("gateway-guest=")]


async def remembered(entry, keeper) -> str:
    keeper.admitted = admitted()
    answer, _ = await post(entry, {**GOOD, "remember": "1"})
    (line,) = guest_cookies(answer)
    return line.partition(";")[0]


async def test_who_ticks_it_finds_the_next_form_filled_in(entry, keeper):
    pair = await remembered(entry, keeper)
    _, page = await get(entry, {**PAGE, "Cookie": pair})
    assert 'value="Zoë"' in page
    assert 'value="zoe@example.org"' in page
    assert re.search(r'id="remember"[^>]* checked', page)
    assert 'name="forget"' in page
    _, page = await get(entry)
    assert 'name="email" type="email" value=""' in page
    assert not re.search(r'id="remember"[^>]* checked', page), "nobody is remembered without asking for it"
    assert 'name="forget"' not in page


@pytest.mark.parametrize("more", [{}, {"not_my_device": "1"}, {"not_my_device": "1", "remember": "1"}])
async def test_who_does_not_tick_it_or_uses_anothers_device_is_not_kept(entry, keeper, more):
    keeper.admitted = admitted()
    answer, _ = await post(entry, {**GOOD, **more})
    assert answer.status == 303
    assert guest_cookies(answer) == []
    pair = await remembered(entry, keeper)
    answer, _ = await post(entry, {**GOOD, **more}, {**PAGE, "Cookie": pair})
    (line,) = guest_cookies(answer)
    assert line.startswith("gateway-guest=; Path=/;"), "and what was kept before is gone"


async def test_nobody_is_kept_whom_the_gateway_did_not_let_in(entry, keeper):
    keeper.admitted = Denied(Reason.FORM_INVALID, "", {"email": "entry.error.email"})
    answer, page = await post(entry, {**GOOD, "email": "x", "remember": "1"})
    assert answer.status == 422
    assert guest_cookies(answer) == []
    assert re.search(r'id="remember"[^>]* checked', page), "what was ticked stays ticked"


async def test_forget_empties_the_form_and_admits_nobody(entry, keeper):
    pair = await remembered(entry, keeper)
    keeper.posts.clear()
    answer, _ = await post(entry, {**GOOD, "forget": "1"}, {**PAGE, "Cookie": pair})
    assert (answer.status, answer.headers["Location"]) == (303, f"/g/{TOKEN}")
    (line,) = guest_cookies(answer)
    assert line.startswith("gateway-guest=; Path=/;")
    assert keeper.posts == []


# --- previews -------------------------------------------------------------------------------------


def card(page: str) -> str:
    head = page.partition("</head>")[0]
    assert '<meta property="og:title"' in head
    return head


async def test_a_preview_says_nothing_of_the_item_unless_the_policy_lets_it(entry):
    _, page = await get(entry)
    assert "Third Man" in page
    assert "Third Man" not in card(page), "not in the page's title either: some previews take that"
    assert TOKEN not in card(page)
    assert "og:url" not in page
    assert "og:image" not in page
    entry.preview = "title"
    _, page = await get(entry)
    assert 'property="og:title" content="You’re invited to watch “The Third Man”"' in card(page)
    assert TOKEN not in card(page)


async def test_what_is_kept_how_long_and_who_gets_it_stands_below_the_form(entry):
    _, page = await get(entry)
    assert "are shown to the owner of this media" in page
    assert "They are kept for 90 days after your last visit, then deleted." in page
    assert "Privacy notice" not in page
    theme = Theme(privacy_url="https://example.org/privacy?a=1&b=2")
    entry.pages = replace(entry.pages, theme=theme)
    _, page = await get(entry)
    assert '<a href="https://example.org/privacy?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">' in page
