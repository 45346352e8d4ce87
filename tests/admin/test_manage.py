"""The window "Manage guest access", as plain pages: each behaviour the article states."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.admin.conftest import ManagerBrowser, Managing, form_of
from tests.running import Answer, ask, enter

HOME = "/_gateway/manage"
WINDOW = f"{HOME}?server=tv&item=abc123"


async def do(browser: ManagerBrowser, act: str, **fields: str) -> Answer:
    """Post a form of the window, and come back to it."""
    page = await browser.get(WINDOW)
    answer = await browser.post(HOME, {"form": form_of(page), "server": "tv", "item": "abc123", "act": act, **fields})
    return await browser.get(answer.headers["location"]) if answer.status == 303 else answer


def text(answer: Answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.body.decode()))


def link_ids(answer: Answer) -> list[str]:
    return list(dict.fromkeys(re.findall(r'name="link" value="([0-9A-Za-z]{19})"', answer.body.decode())))


def urls(answer: Answer) -> list[str]:
    return re.findall(r'data-copy="([^"]+)"', answer.body.decode())


@pytest.mark.parametrize(
    "pasted",
    ["{media}/media/abc123", "{media}/web/#/details?id=abc123&serverId=7", "http://elsewhere.lan/media/abc123"],
)
async def test_the_address_of_a_media_page_leads_to_its_window(managing: Managing, pasted: str) -> None:
    browser = await managing.signed_in()
    url = pasted.format(media=f"http://127.0.0.1:{managing.library.port}")
    answer = await browser.get(f"{HOME}?url={quote(url, safe='')}")
    assert answer.status == 303
    assert answer.headers["location"] == f"{WINDOW}&kind=video"
    page = await browser.get(answer.headers["location"])
    assert page.status == 200
    assert "Film abc123" in text(page)


async def test_another_address_is_said_to_be_none(managing: Managing) -> None:
    browser = await managing.signed_in()
    answer = await browser.get(f"{HOME}?url=https%3A%2F%2Fexample.org%2F%22%3E%3Cscript%3E")
    assert answer.status == 404
    assert b"<script>" not in answer.body
    assert "isn’t the page of something you can share" in text(answer)


async def test_the_window_before_any_link(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = text(await browser.get(WINDOW))
    assert "Allow link-based access without sign-in. Up to 3 guest links available." in page
    for part in ("Enable guest access", "No links added", "Create new link"):
        assert part in page


async def test_the_switch_a_link_with_its_limits_and_the_list(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "access_on")
    assert 'aria-checked="true"' in page.body.decode()
    form = text(await browser.get(f"{WINDOW}&view=new"))
    assert "Allow anyone with this link to access the media without signing in." in form
    page = await do(browser, "create", name="Webinar invite", clicks="30", days="7")
    assert "Webinar invite" in text(page)
    assert "0 of 30" in text(page)
    assert re.search(r"\d+ [A-Z][a-z]+ 20\d\d, \d\d:\d\d UTC", text(page))
    assert "1 of 3" in text(page)
    (url,) = urls(page)
    assert url.startswith(managing.running.url + "/g/")
    _, answer = await enter(managing.running.port, url)
    assert answer.status == 303
    assert "1 of 30" in text(await browser.get(WINDOW))


async def test_without_limits_a_link_never_ends(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = text(await do(browser, "create", name="For ever", clicks="", days=""))
    assert "Never" in page
    assert "unlimited" in page


async def test_the_fourth_link_is_refused_and_the_window_says_so_before(managing: Managing) -> None:
    browser = await managing.signed_in()
    for number in range(3):
        page = await do(browser, "create", name=f"Link {number}")
    assert "These are all 3 links" in text(page)
    assert "view=new" not in page.body.decode()
    assert (await do(browser, "create", name="Fourth")).status == 409


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": ""}, "name"), ({"name": "x", "clicks": "0"}, "clicks"), ({"name": "x", "days": "1.5"}, "days"),
     ({"name": "x", "clicks": "-1"}, "clicks"), ({"name": "x" * 101}, "name"), ({"name": "x", "days": "many"}, "days")],
)  # fmt: skip
async def test_what_was_typed_wrong_is_shown_again_beside_its_fault(
    managing: Managing, fields: dict[str, str], field: str
) -> None:
    browser = await managing.signed_in()
    answer = await do(browser, "create", **fields)
    assert answer.status == 400
    page = answer.body.decode()
    assert f'id="{field}-error"' in page
    assert page.count('aria-invalid="true"') == 1
    for value in fields.values():
        assert f'value="{value}"' in page or not value
    assert "No links added" in text(answer)


async def test_further_conditions_are_set_shown_kept_and_lifted(managing: Managing) -> None:
    browser = await managing.signed_in()
    typed = {"starts_at": "2099-12-24T18:00", "zone": "60", "viewers": "20", "pin": "741852"}
    page = await do(browser, "create", name="One", emails="Anna@Example.org\r\n@club.example", **typed)
    (link,) = link_ids(page)
    for said in ("scheduled", "24 December 2099, 17:00 UTC", "0 of 20", "PIN", "2 addresses"):
        assert said.casefold() in text(page).casefold(), said

    form = (await browser.get(f"{WINDOW}&view=edit&link={link}")).body.decode()
    for field in ('value="2099-12-24T17:00"', 'data-utc="2099-12-24T17:00:00Z"', 'value="20"', "anna@example.org"):
        assert field in form, field
    assert "741852" not in form
    # As the form brings it along, without a script that knows a zone: nothing is changed but the name.
    same = {
        "starts_at": "2099-12-24T17:00",
        "zone": "",
        "viewers": "20",
        "pin": "",
        "emails": "anna@example.org @club.example",
    }
    await do(browser, "save", link=link, version="1", name="Two", **same)
    seen = (await managing.running.desk.get(link)).link  # type: ignore[union-attr]
    assert (seen.name, seen.starts_at, seen.viewers_limit) == ("Two", 4_101_814_800_000, 20)
    assert seen.emails == ("anna@example.org", "@club.example")
    assert seen.pin is not None
    assert seen.pin.startswith("$argon2id$")

    none = {"starts_at": "", "zone": "", "viewers": "", "no_pin": "1", "emails": " "}
    await do(browser, "save", link=link, version="2", name="Two", **none)
    seen = (await managing.running.desk.get(link)).link  # type: ignore[union-attr]
    assert (seen.starts_at, seen.viewers_limit, seen.pin, seen.emails) == (None, None, None, ())


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"starts_at": "soon"}, "starts_at"), ({"viewers": "0"}, "viewers"), ({"viewers": "some"}, "viewers"),
     ({"pin": "123"}, "pin"), ({"starts_at": "2099-12-24T18:00", "days": "1"}, "starts_at")],
)  # fmt: skip
async def test_a_condition_that_cannot_be_is_named_beside_its_field(
    managing: Managing, fields: dict[str, str], field: str
) -> None:
    answer = await do(await managing.signed_in(), "create", name="x", **fields)
    assert answer.status == 400
    assert f'id="{field}-error"' in answer.body.decode()
    assert "<details" in answer.body.decode()
    assert " open>" in answer.body.decode(), "what is wrong is not folded away"


async def test_a_pin_is_not_lost_without_a_word_when_something_else_is_wrong(managing: Managing) -> None:
    browser = await managing.signed_in()
    answer = await do(browser, "create", name="", pin="741852")
    assert answer.status == 400
    assert "741852" not in answer.body.decode()
    assert "Please type the PIN again" in text(answer)
    assert 'aria-describedby="pin-error pin-hint"' in answer.body.decode()
    wrong = await do(browser, "create", name="x", pin="123")
    assert "Please type the PIN again" not in text(wrong)
    assert "Please enter 4 to 64 characters" in text(wrong)


async def test_wrong_pins_are_shown_at_their_link(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name="One", pin="741852")
    assert "of late" not in text(page)
    (url,) = urls(page)
    for _ in range(3):
        _, answer = await enter(managing.running.port, url, pin="0000")
        assert answer.status == 403
    assert "Wrong PINs or addresses of late: 3" in text(await browser.get(WINDOW))


async def test_of_two_words_at_once_the_narrower_counts(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name="One", days="3", pin="741852")
    (link,) = link_ids(page)
    await do(browser, "save", link=link, version="1", name="One", days="9", lift="1", pin="852963", no_pin="1")
    seen = await managing.running.desk.get(link)
    assert seen.link.pin is not None  # type: ignore[union-attr]
    assert seen.link.expires_at is not None  # type: ignore[union-attr]
    page = await do(browser, "save", link=link, version="2", name="", no_pin="1", lift="1")
    assert page.body.decode().count('value="1" checked') == 2
    await do(browser, "save", link=link, version="2", name="One", no_pin="1", lift="1")
    seen = await managing.running.desk.get(link)
    assert (seen.link.pin, seen.link.expires_at) == (None, None)  # type: ignore[union-attr]


async def test_what_of_a_list_is_no_address_is_shown(managing: Managing) -> None:
    browser = await managing.signed_in()
    typed = "anna@example.org; @club.example,\r\nben@@example.org *@example.org <script>"
    answer = await do(browser, "create", name="x", emails=typed)
    assert answer.status == 400
    fault = re.search(r'id="emails-error">(.*?)</p>', answer.body.decode(), re.S)
    assert fault is not None
    assert re.findall(r"<bdi>(.*?)</bdi>", fault[1]) == ["ben@@example.org", "*@example.org", "&lt;script&gt;"]


async def test_a_change_shows_and_the_address_stays(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name="Before", clicks="3", days="3")
    (link,), (url,) = link_ids(page), urls(page)
    form = await browser.get(f"{WINDOW}&view=edit&link={link}")
    version = re.search(r'name="version" value="(\d+)"', form.body.decode())
    assert version is not None
    page = await do(browser, "save", link=link, version=version[1], name="After", clicks="", days="", lift="1")
    assert "After" in text(page)
    assert "Before" not in text(page)
    assert "Never" in text(page)
    assert urls(page) == [url]
    # Saved by somebody who still had the old form: nothing is lost, and it is said.
    late = await do(browser, "save", link=link, version=version[1], name="Too late", clicks="9")
    assert late.status == 412
    assert "Somebody else has changed this link" in text(late)
    assert "Too late" not in text(await browser.get(WINDOW))


async def test_deleting_asks_first_and_cannot_be_undone(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name="Doomed")
    (link,), (url,) = link_ids(page), urls(page)
    asked = await browser.get(f"{WINDOW}&view=delete&link={link}")
    assert "can’t be undone" in text(asked)
    assert (await ask(managing.running.port, "GET /g/" + url.rpartition("/")[2])).status == 200
    page = await do(browser, "delete", link=link)
    assert "No links added" in text(page)
    assert (await ask(managing.running.port, "GET /g/" + url.rpartition("/")[2])).status == 410
    for act in ("delete", "save", "enable"):
        again = await do(browser, act, link=link, name="x")
        assert "deleted in the meantime" in text(again), act
        assert again.status in (404, 410)


async def test_off_existing_guests_stay_until_they_refresh_and_new_ones_cannot_join(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name="Friends")
    (url,) = urls(page)
    cookie, _ = await enter(managing.running.port, url)
    page = await do(browser, "access_off")
    assert "all links are inactive" in text(page)
    assert (await ask(managing.running.port, "GET /hls/abc123/seg1.ts", cookie=cookie)).status == 200
    assert (await ask(managing.running.port, "GET /g/" + url.rpartition("/")[2])).status == 410
    assert (await ask(managing.running.port, "GET /media/abc123", cookie=cookie)).status == 410
    assert (await ask(managing.running.port, "GET /hls/abc123/seg1.ts", cookie=cookie)).status == 403


async def test_one_link_can_be_switched_off_alone(managing: Managing) -> None:
    browser = await managing.signed_in()
    await do(browser, "create", name="One")
    page = await do(browser, "create", name="Two")
    await do(browser, "disable", link=link_ids(page)[0])
    states = {url: (await ask(managing.running.port, "GET /g/" + url.rpartition("/")[2])).status for url in urls(page)}
    assert sorted(states.values()) == [200, 410]


async def test_only_owners_see_an_item_that_is_only_for_owners(managing: Managing) -> None:
    browser = await managing.signed_in("owen")
    refused = await browser.get(WINDOW)
    assert refused.status == 403
    assert "Film" not in text(refused)
    managing.library.owners["abc123"] = "owen-there"
    assert (await browser.get(WINDOW)).status == 200


@pytest.mark.parametrize(
    ("item", "status", "said"),
    [("folder1", 409, "channel"), ("gone01", 410, "not there"), ("..", 410, "not there"), ("<b>", 410, "not there")],
)
async def test_what_cannot_be_shared_is_said(managing: Managing, item: str, status: int, said: str) -> None:
    managing.library.gone.add("gone01")
    browser = await managing.signed_in()
    answer = await browser.get(f"{HOME}?server=tv&item={quote(item, safe='')}")
    assert answer.status == status
    assert said in text(answer)
    assert "<b>" not in answer.body.decode()


async def test_a_hostile_name_is_shown_as_text(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name='"><script>alert(1)</script>')
    assert "<script>alert" not in page.body.decode()


async def test_the_qr_code_is_drawn_by_us(managing: Managing) -> None:
    browser = await managing.signed_in()
    page = await do(browser, "create", name="Poster")
    (link,) = link_ids(page)
    shown = (await browser.get(f"{WINDOW}&view=qr&link={link}")).body.decode()
    assert "<svg" in shown.partition("qr-frame")[2]
    assert "http" not in shown.partition("qr-frame")[2].partition("</svg>")[0].replace("http://www.w3.org", "")


async def test_a_link_of_another_item_is_not_opened_in_this_window(managing: Managing) -> None:
    browser = await managing.signed_in()
    made = await browser.post(
        HOME,
        {
            "form": form_of(await browser.get(WINDOW)),
            "server": "tv",
            "item": "other1",
            "act": "create",
            "name": "There",
        },
    )
    other = link_ids(await browser.get(made.headers["location"]))[0]
    assert "There" not in text(await browser.get(f"{WINDOW}&view=edit&link={other}"))
