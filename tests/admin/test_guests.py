"""Who is here, who came: the guests' room."""

from __future__ import annotations

import json

from tests.admin.conftest import Managing, form_of
from tests.admin.test_manage import text
from tests.running import ask, enter

ROOM = "/_gateway/manage/guests"


async def link(managing: Managing, item: str = "abc123") -> str:
    return await managing.running.make_link(item)


async def test_guests_are_shown_with_what_they_watched(managing: Managing) -> None:
    url = await link(managing)
    cookie, _ = await enter(managing.running.port, url, name="Ada <b>Lovelace</b>")
    assert (await ask(managing.running.port, "GET /hls/abc123/seg1.ts", cookie=cookie)).status == 200
    browser = await managing.signed_in()
    page = await browser.get(ROOM)
    assert "Ada &lt;b&gt;Lovelace" in page.body.decode()
    assert "ada@example.org" in text(page)
    assert "Watching now: 1" in text(page)
    numbers = json.loads(
        (
            await browser.get(
                f"{ROOM}/live?server=tv&item=abc123", headers="Sec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n"
            )
        ).body
    )
    assert (numbers["present"], numbers["total"]) == (1, 1)
    assert "1 guest " in text(await browser.get(f"{ROOM}?q=lovelace"))
    assert "0 guests" in text(await browser.get(f"{ROOM}?q=nobody"))


async def test_a_removed_guest_is_out_at_once(managing: Managing) -> None:
    cookie, _ = await enter(managing.running.port, await link(managing))
    browser = await managing.signed_in()
    guest = (await browser.get(ROOM)).body.decode().partition('data-guest="')[2].partition('"')[0]
    asked = await browser.get(f"{ROOM}?view=remove&guest={guest}")
    assert "Everything they have open ends now" in text(asked)
    done = await browser.post(ROOM, {"form": form_of(asked), "act": "remove", "guest": guest})
    assert "The guest has been removed." in text(await browser.get(done.headers["location"]))
    assert (await ask(managing.running.port, "GET /hls/abc123/seg1.ts", cookie=cookie)).status == 403
    again = await browser.post(ROOM, {"form": form_of(asked), "act": "remove", "guest": "0" * 22})
    assert again.status == 404


async def test_files_are_safe_for_spreadsheets_and_recorded(managing: Managing) -> None:
    await enter(managing.running.port, await link(managing), name="=cmd()|'x'!A1")
    browser = await managing.signed_in()
    table = await browser.get(f"{ROOM}/export?format=csv")
    assert table.headers["content-disposition"] == 'attachment; filename="guests.csv"'
    assert "'=cmd()" in table.body.decode("utf-8-sig")
    rows = json.loads((await browser.get(f"{ROOM}/export?format=json")).body)
    assert rows[0]["name"] == "=cmd()|'x'!A1"
    record = text(await browser.get("/_gateway/manage/record"))
    assert record.count("guests exported") >= 2
    assert "ada@example.org" not in record


ASKED = """guests:
  fields:
    - {name: company, label: {en: Company <b>, de: Firma}, type: text}
    - {name: role, label: Role, type: choice, options: [{en: Staff, de: Personal}, Visitor]}
    - {name: news, label: News, type: checkbox}
  consent: {text: I agree, version: "notice-7"}
servers:
"""


async def test_answers_are_shown_searched_taken_along_and_erased(managing: Managing) -> None:
    running = managing.running
    await running.reconfigure("servers:\n", ASKED)
    said = {"company": "=ACME <i>", "role": "Staff", "news": "1", "consent": "notice-7"}
    assert (await enter(running.port, await link(managing), name="Ada", **said))[1].status == 303
    assert (await enter(running.port, await link(managing), name="Bo", consent="notice-7"))[1].status == 303
    browser = await managing.signed_in()
    page = await browser.get(ROOM)
    for seen in ("Company &lt;b&gt;", "=ACME &lt;i&gt;", "<bdi>Staff</bdi>", "<bdi>yes</bdi>", "version notice-7, "):
        assert seen in page.body.decode()
    german = (await browser.get(ROOM, headers="Accept-Language: de\r\n")).body.decode()
    assert "<bdi>Firma</bdi>" in german
    assert "<bdi>Personal</bdi>" in german
    assert "1 guest " in text(await browser.get(f"{ROOM}?q=acme"))

    await running.reconfigure("    - {name: news, label: News, type: checkbox}\n", "")
    table = (await browser.get(f"{ROOM}/export?format=csv")).body.decode("utf-8-sig")
    assert table.splitlines()[0].endswith(",present,consent_version,consent_at,fields.company,fields.role,fields.news")
    assert ",'=ACME <i>,Staff,true" in table
    rows = json.loads((await browser.get(f"{ROOM}/export?format=json")).body)
    assert {one["name"]: one["fields"] for one in rows} == {
        "Ada": {"company": "=ACME <i>", "role": "Staff", "news": True},
        "Bo": {"news": False},
    }
    assert "<bdi>news</bdi>" in (await browser.get(ROOM)).body.decode()  # its label has gone
    page = await browser.get(ROOM)
    await browser.post(ROOM, {"form": form_of(page), "act": "erase_person", "email": "ada@example.org"})
    for place in (ROOM, f"{ROOM}/export?format=csv", f"{ROOM}/export?format=json"):
        body = (await browser.get(place)).body.decode()
        assert "ACME" not in body
        assert "notice-7" not in body
    assert "ACME" not in text(await browser.get("/_gateway/manage/record"))


async def test_a_person_is_erased_by_address(managing: Managing) -> None:
    for item in ("abc123", "other1"):
        await enter(managing.running.port, await link(managing, item), name="Eve", email="Eve@example.org")
    await enter(managing.running.port, await link(managing), name="Ada", email="ada@example.org")
    browser = await managing.signed_in()
    page = await browser.get(ROOM)
    wrong = await browser.post(ROOM, {"form": form_of(page), "act": "erase_person", "email": "nonsense"})
    assert wrong.status == 400
    done = await browser.post(ROOM, {"form": form_of(page), "act": "erase_person", "email": "eve@EXAMPLE.org"})
    shown = text(await browser.get(done.headers["location"]))
    assert "2 guests have been erased" in shown
    assert "Eve" not in shown
    assert "Ada" in shown


async def test_an_erasure_leads_to_the_lists_on_which_the_address_stands(managing: Managing) -> None:
    listed = await managing.running.make_link("abc123", emails=["eve@example.org", "@club.example"])
    await enter(managing.running.port, listed, name="Eve", email="Eve@example.org")
    identifier = (await managing.running.link(listed)).link.id
    browser = await managing.signed_in()
    page = await browser.get(ROOM)
    done = await browser.post(ROOM, {"form": form_of(page), "act": "erase_person", "email": "eve@EXAMPLE.org"})
    assert "example" not in done.headers["location"].lower()
    shown = await browser.get(done.headers["location"])
    assert "still stands on the lists of these links" in text(shown)
    assert f"view=edit&amp;link={identifier}" in shown.body.decode()


async def test_owners_see_their_own_guests_only(managing: Managing) -> None:
    managing.library.owners["other1"] = "owen-there"
    await enter(managing.running.port, await link(managing), name="Secret Guest", email="secret@example.org")
    await enter(managing.running.port, await link(managing, "other1"), name="My Guest", email="mine@example.org")
    browser = await managing.signed_in("owen")
    shown = text(await browser.get(ROOM))
    assert "My Guest" in shown
    assert "Secret" not in shown
    assert b"secret" not in (await browser.get(f"{ROOM}/export?format=json")).body.lower()
    numbers = json.loads((await browser.get(f"{ROOM}/live")).body)
    assert numbers["total"] == 1
    page = await browser.get(ROOM)
    await browser.post(ROOM, {"form": form_of(page), "act": "erase_person", "email": "secret@example.org"})
    assert "Secret Guest" in text(await (await managing.signed_in()).get(ROOM))


async def test_what_is_no_act_of_the_room_removes_nobody(managing: Managing) -> None:
    cookie, _ = await enter(managing.running.port, await link(managing))
    browser = await managing.signed_in()
    page = await browser.get(ROOM)
    guest = page.body.decode().partition('data-guest="')[2].partition('"')[0]
    for act in ("", "removed", "erase_everybody"):
        await browser.post(ROOM, {"form": form_of(page), "act": act, "guest": guest})
    assert (await ask(managing.running.port, "GET /hls/abc123/seg1.ts", cookie=cookie)).status == 200


async def test_a_file_is_taken_along_by_our_own_pages_and_by_hand_only(managing: Managing) -> None:
    browser = await managing.signed_in()
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        headers = f"Sec-Fetch-Dest: document\r\nSec-Fetch-Site: {site}\r\n"
        assert (await browser.get(f"{ROOM}/export?format=csv", headers=headers)).status == status, site


async def test_numbers_are_for_our_own_pages(managing: Managing) -> None:
    browser = await managing.signed_in()
    for site in ("cross-site", "same-site", "none"):
        answer = await browser.get(f"{ROOM}/live", headers=f"Sec-Fetch-Dest: empty\r\nSec-Fetch-Site: {site}\r\n")
        assert answer.status == 403
    assert (await managing.browser().get(f"{ROOM}/live")).status == 401
