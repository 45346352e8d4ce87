"""The entry form with fields and consent, over a whole gateway: what is asked, what is kept, what is shown of it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.access.issue import IssueRefused
from gateway.access.spreadsheet import csv_text
from gateway.access.views import GUEST_COLUMNS, guest_json, guest_table
from gateway.links.ids import slot_of
from tests.cli.conftest import POLICY
from tests.running import Answer, Running, ask, free_port, running_gateway

GUESTS = """guests:
  fields:
    - {name: company, label: Company <b>& more, type: text, required: true, max: 20, help: As on your badge}
    - {name: role, label: Your role, type: choice, options: ["Staff, paid", "<i>Other</i>", "=cmd()"]}
    - {name: seat, label: Seat, type: choice, required: true, options: [A, B, C, D, E, F]}
    - {name: news, label: Send me news, type: checkbox}
  consent: {text: I agree to the notice, version: "2026-11", url: "https://example.org/privacy?a=1&b=2"}
"""
GOOD = {
    "name": "Ada", "email": "ada@example.org", "company": "ACME", "role": "Staff, paid", "seat": "F", "news": "1",
    "consent": "2026-11",
}  # fmt: skip
LATER = "2026-12"


@dataclass
class Browser:
    """One guest's browser before one link."""

    port: int
    link: str
    jar: dict[str, str] = field(default_factory=dict)
    form: str = ""

    @property
    def path(self) -> str:
        return "/" + self.link.split("/", 3)[3]

    async def get(self) -> Answer:
        return self._seen(
            await ask(self.port, f"GET {self.path}", cookie=self._cookie, headers="Accept: text/html\r\n")
        )

    async def post(self, fields: dict[str, str] | str, *, accept: str = "text/html", form: str | None = None) -> Answer:
        if isinstance(fields, dict):
            fields = urlencode({**fields, "form": self.form if form is None else form}, errors="surrogatepass")
        headers = f"Accept: {accept}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        headers += f"Origin: http://127.0.0.1:{self.port}\r\n"
        body = fields.encode()
        return self._seen(await ask(self.port, f"POST {self.path}", cookie=self._cookie, headers=headers, body=body))

    @property
    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def _seen(self, answer: Answer) -> Answer:
        self.jar |= {name: value for name, value in answer.cookies.items() if value}
        found = re.search(rb'name="form" value="([^"]+)"', answer.body)
        if found:
            self.form = found[1].decode()
        return answer


@dataclass
class Place:
    running: Running

    async def browser(self, link: str | None = None) -> Browser:
        browser = Browser(self.running.port, link or await self.running.make_link("abc"))
        assert (await browser.get()).status == 200
        return browser

    async def guests(self) -> list[dict[str, Any]]:
        found = await self.running.desk.guests("tv", "abc")
        assert not isinstance(found, IssueRefused)
        return [guest_json(one) for one in found]

    async def clicks(self, browser: Browser) -> int:
        return (await self.running.link(browser.link)).link.clicks_used

    async def reload(self, old: str, new: str) -> None:
        await self.running.reconfigure(old, new)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with running_gateway(tmp_path, POLICY, free_port(), extra=GUESTS) as running:
        yield Place(running)


async def test_the_form_asks_what_config_says(place: Place) -> None:
    page = (await (await place.browser()).get()).body.decode()
    assert "Company &lt;b&gt;&amp; more" in page
    assert re.search(
        r'<input id="answer-company" name="company" type="text" value="" dir="auto" maxlength="20" autocomplete="off"'
        r' required aria-describedby="answer-company-help">',
        page,
    )
    assert page.count('type="radio"') == 4  # three options and "no answer", which is chosen
    assert '<input id="answer-role" name="role" type="radio" value="" checked>' in page
    assert 'value="&lt;i&gt;Other&lt;/i&gt;"' in page
    assert '<select id="answer-seat" name="seat" autocomplete="off" required>' in page
    assert '<option value="">Please choose</option>' in page
    assert '<input id="answer-news" name="news" type="checkbox" value="1">' in page
    assert re.search(r'<input id="consent" name="consent" type="checkbox" value="2026-11"[^>]* required>', page)
    assert 'href="https://example.org/privacy?a=1&amp;b=2" target="_blank" rel="noopener noreferrer"' in page
    assert page.count("(required)") == 3
    assert page.count("(optional)") == 2
    assert "Name and address are required, and so is everything marked as such." in page
    assert "Your name, your address and your answers are shown to the owner" in page


async def test_without_fields_the_form_is_as_it_was(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, POLICY, free_port()) as running:
        page = (await (await Place(running).browser()).get()).body.decode()
    assert "Both are required." in page
    assert not re.search(r"answer-|consent|\((required|optional)\)", page)


async def test_answers_and_consent_are_kept_and_shown_in_attendance(place: Place) -> None:
    browser = await place.browser()
    assert (await browser.post(GOOD)).status == 303
    (guest,) = await place.guests()
    assert guest["fields"] == {"company": "ACME", "role": "Staff, paid", "seat": "F", "news": True}
    assert guest["consent"] == {"version": "2026-11", "at": guest["first_seen"]}
    head, rows = guest_table(GUEST_COLUMNS, [guest], place.running.config.guest_form)
    assert head[-6:] == (
        "consent_version", "consent_at", "fields.company", "fields.role", "fields.seat", "fields.news",
    )  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(csv_text(head, rows), newline=""))
    assert (row["fields.role"], row["fields.news"], row["consent_version"]) == ("Staff, paid", "true", "2026-11")


async def test_a_formula_in_an_answer_is_none_in_a_spreadsheet(place: Place) -> None:
    browser = await place.browser()
    assert (await browser.post({**GOOD, "company": "=cmd()|'x'!A1", "role": "=cmd()"})).status == 303
    table = csv_text(*guest_table(GUEST_COLUMNS, await place.guests(), place.running.config.guest_form))
    assert "'=cmd()|'x'!A1" in table
    assert ",'=cmd()," in table


async def test_what_is_wrong_comes_back_field_by_field_filled_in_and_uses_no_click(place: Place) -> None:
    browser = await place.browser()
    wrong = {**GOOD, "company": "", "role": "<script>", "seat": "G", "news": "on", "consent": "false"}
    answer = await browser.post(wrong)
    page = answer.body.decode()
    assert answer.status == 422
    for name in ("company", "role", "seat", "news"):
        assert f'id="answer-{name}-error"' in page
        assert re.search(rf'aria-describedby="answer-{name}-error', page)
        assert f'<a href="#answer-{name}">' in page
    assert 'aria-describedby="consent-error consent-hint"' in page
    assert '<a href="#consent">' in page
    assert "Please check 5 things:" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;" not in page  # what is not on the list is not said again either
    assert 'value="ada@example.org"' in page
    assert await place.clicks(browser) == 0
    again = await browser.post({**GOOD, "company": 'x"><b>' + "y" * 30, "news": "1"})
    page = again.body.decode()
    assert 'value="x&#34;&gt;&lt;b&gt;' in page
    assert '<option value="F" dir="auto" selected>F</option>' in page
    assert 'type="radio" value="Staff, paid" checked>' in page
    assert re.search(r'name="news" type="checkbox" value="1" checked>', page)
    assert re.search(r'name="consent"[^>]* checked>', page)
    assert (await browser.post(GOOD)).status == 303
    assert await place.clicks(browser) == 1


async def test_a_program_hears_of_each_field_by_name(place: Place) -> None:
    browser = await place.browser()
    answer = await browser.post({"name": "Ada", "email": "x"}, accept="application/json")
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["errors"].keys() == {"email", "company", "seat", "consent"}


@pytest.mark.parametrize("consent", [None, "", "false", "true", "1", "on", "2026-10", "2026-11\u200b", "２026-11"])
async def test_nobody_comes_in_without_consent(place: Place, consent: str | None) -> None:
    browser = await place.browser()
    fields = {name: value for name, value in {**GOOD, "consent": consent}.items() if value is not None}
    answer = await browser.post(fields)
    assert answer.status == 422
    assert "Location" not in answer.headers
    assert await place.guests() == []


async def test_hostile_answers_are_tidied_or_refused(place: Place) -> None:
    browser = await place.browser()
    tricky = "A\x00C\u202eM\u2066E\r\n\u2028\x1b[2J\ufeff"
    assert (await browser.post({**GOOD, "company": tricky})).status == 303
    assert (await place.guests())[0]["fields"]["company"] == "ACME[2J"
    browser = await place.browser(browser.link)
    assert (await browser.post({**GOOD, "company": "half \ud83d"})).status == 400
    twice = urlencode([*GOOD.items(), ("company", "again"), ("form", browser.form)])
    assert (await browser.post(twice)).status == 400
    many = urlencode([*GOOD.items(), *((f"x{n}", "1") for n in range(2_000)), ("form", browser.form)])
    assert (await browser.post(many)).status in (400, 413)
    assert (await browser.post({**GOOD, "company": "x" * 10_000_000})).status == 413
    assert len(await place.guests()) == 1


async def test_what_config_does_not_ask_is_not_kept(place: Place) -> None:
    browser = await place.browser()
    assert (await browser.post({**GOOD, "admin": "1", "fields": "{}", "consent_version": "0"})).status == 303
    (guest,) = await place.guests()
    assert guest["fields"].keys() == {"company", "role", "seat", "news"}
    assert guest["consent"]["version"] == "2026-11"


async def test_the_longest_answers_fit_in_the_form(tmp_path: Path) -> None:
    fields = "".join(f"    - {{name: n{n}, label: L, type: text, max: 1000}}\n" for n in range(10))
    async with running_gateway(tmp_path, POLICY, free_port(), extra=f"guests:\n  fields:\n{fields}") as running:
        place = Place(running)
        browser = await place.browser()
        answers = {f"n{n}": "\U0001f3ac" * 1_000 for n in range(10)}
        assert (await browser.post({"name": "Ada", "email": "ada@example.org", **answers})).status == 303
        assert (await place.guests())[0]["fields"] == answers


async def test_the_same_form_again_is_the_same_admission_whatever_else_it_says(place: Place) -> None:
    browser = await place.browser()
    form = browser.form
    assert (await browser.post(GOOD, form=form)).status == 303
    for other in (GOOD, {**GOOD, "company": "Another"}):
        assert (await browser.post(other, form=form)).status == 303
    (guest,) = await place.guests()
    assert guest["fields"]["company"] == "ACME"
    assert await place.clicks(browser) == 1


async def test_a_form_that_was_open_while_config_changed_loses_nothing(place: Place) -> None:
    browser = await place.browser()
    await place.reload("    - {name: news, label: Send me news, type: checkbox}\n", "")
    assert (await browser.post(GOOD)).status == 303  # with an answer to what is asked no longer
    assert "news" not in (await place.guests())[0]["fields"]

    browser = await place.browser(browser.link)
    await place.reload("  consent:", "    - {name: badge, label: Badge, type: text, required: true}\n  consent:")
    await place.reload("[A, B, C, D, E, F]", "[A, B]")
    answer = await browser.post(GOOD)
    page = answer.body.decode()
    assert answer.status == 422
    assert 'id="answer-badge-error"' in page
    assert 'id="answer-seat-error"' in page
    assert 'value="ACME"' in page
    assert await place.clicks(browser) == 1
    assert (await browser.post({**GOOD, "seat": "B", "badge": "7"})).status == 303


async def test_who_was_shown_another_text_has_not_agreed_to_this_one(place: Place) -> None:
    browser = await place.browser()
    await place.reload('"2026-11"', f'"{LATER}"')
    answer = await browser.post(GOOD)
    page = answer.body.decode()
    assert answer.status == 422
    assert "has changed" in page
    assert re.search(
        rf'name="consent" type="checkbox" value="{LATER}"[^>]*aria-invalid="true">', page
    )  # and not ticked
    assert (await browser.post({**GOOD, "consent": LATER})).status == 303
    assert (await place.guests())[0]["consent"]["version"] == LATER


async def test_who_comes_back_agrees_to_a_new_text_first_and_to_nothing_else(place: Place) -> None:
    browser = await place.browser(await place.running.make_link("abc", clicks=1))
    assert (await browser.post(GOOD)).status == 303
    assert (await browser.get()).status == 303  # as long as the text is the same
    await place.reload('"2026-11"', f'"{LATER}"')
    page = await browser.get()
    assert page.status == 200
    assert b"Please agree once more" in page.body
    assert not re.search(rb'name="(name|email|company|remember)"', page.body)
    for consent in ("", "2026-11", "true"):
        wrong = await browser.post({"agree": "1", "consent": consent})
        assert wrong.status == 422
        assert b'id="consent-error"' in wrong.body
        assert b'name="company"' not in wrong.body
    assert (await place.guests())[0]["consent"]["version"] == "2026-11"
    assert (await browser.post({"agree": "1", "consent": LATER})).status == 303
    (guest,) = await place.guests()
    assert guest["consent"]["version"] == LATER
    assert guest["fields"]["company"] == "ACME"
    assert (await browser.get()).status == 303
    assert await place.clicks(browser) == 1


async def test_agreeing_is_no_way_in_for_strangers(place: Place) -> None:
    known = await place.browser()
    assert (await known.post(GOOD)).status == 303
    await place.reload('"2026-11"', f'"{LATER}"')
    await known.get()
    stranger = await place.browser(known.link)
    answer = await stranger.post({"agree": "1", "consent": LATER})
    assert answer.status == 422
    assert b'name="company"' in answer.body  # the whole form
    thief = Browser(known.port, known.link, {"gateway-form": stranger.jar["gateway-form"]}, stranger.form)
    assert (await thief.post({"agree": "1", "consent": LATER}, form=known.form)).status == 403
    assert (await known.post({"agree": "1", "consent": LATER}, form=stranger.form)).status == 403
    assert (await known.post({"agree": "1", "consent": LATER}, form="nonsense")).status == 422
    assert [one["consent"]["version"] for one in await place.guests()] == ["2026-11"]
    assert await place.clicks(known) == 1
    await place.running.delete(known.link)
    assert (await known.post({"agree": "1", "consent": LATER})).status == 410


async def test_answers_outlast_the_wait_for_a_seat(place: Place) -> None:
    link = await place.running.make_link("abc", viewers=1)
    first, second = await place.browser(link), await place.browser(link)
    assert (await first.post({**GOOD, "name": "First"})).status == 303
    waiting = await second.post({**GOOD, "company": '"ACME" & more'})
    assert waiting.status == 503
    held = held_by(waiting)
    assert (held["company"], held["consent"]) == ('"ACME" & more', "2026-11")
    guests = await place.running.desk.guests("tv", "abc")
    assert not isinstance(guests, IssueRefused)
    await place.running.desk.remove(guests[0].guest, erase=False)
    assert (await second.post(urlencode(held))).status == 303
    assert {one["name"]: one["fields"]["company"] for one in await place.guests()}["Ada"] == '"ACME" & more'


def held_by(answer: Answer) -> dict[str, str]:
    """What a page that waits for a seat sends again."""
    held = re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', answer.body.decode())
    return {name: html.unescape(value) for name, value in held}


async def test_nothing_that_is_asked_can_be_waited_away(place: Place) -> None:
    """PIN, list, fields and consent on one link, before a seat is free and when it is."""
    link = await place.running.make_link("abc", viewers=1, pin="2468", emails=["@example.org"], clicks=9)
    first, second = await place.browser(link), await place.browser(link)
    assert (await first.post({**GOOD, "pin": "2468", "name": "First"})).status == 303
    for missing, status in (("consent", 422), ("seat", 422), ("pin", 403)):
        kept = {name: value for name, value in {**GOOD, "pin": "2468"}.items() if name != missing}
        assert (await second.post(kept)).status == status
    waiting = await second.post({**GOOD, "pin": "2468"})
    held = held_by(waiting)
    assert waiting.status == 503
    assert "pin" not in held
    for missing, status in (("consent", 422), ("seat", 422), ("ticket", 403)):
        again = await second.post(urlencode({name: value for name, value in held.items() if name != missing}))
        assert again.status == status
    other = urlencode({**held, "email": "other@example.org"})
    assert (await second.post(other)).status == 403, "a ticket is for the address that was looked at"

    await place.reload('"2026-11"', f'"{LATER}"')
    anew = await second.post(urlencode(held))
    page = anew.body.decode()
    assert (anew.status, 'id="consent-error"' in page, 'name="pin"' in page) == (422, True, True)
    assert 'value="ACME"' in page
    waiting = await second.post({**GOOD, "pin": "2468", "consent": LATER})
    assert waiting.status == 503
    guests = await place.running.desk.guests("tv", "abc")
    assert not isinstance(guests, IssueRefused)
    await place.running.desk.remove(guests[0].guest, erase=False)
    assert (await second.post(urlencode(held_by(waiting)))).status == 303
    assert [one["consent"]["version"] for one in await place.guests()] == ["2026-11", LATER]
    assert await place.clicks(second) == 2


async def test_who_agrees_anew_while_all_seats_are_taken_waits(place: Place) -> None:
    link = await place.running.make_link("abc")
    first, second = await place.browser(link), await place.browser(link)
    for browser in (first, second):
        assert (await browser.post(GOOD)).status == 303
    view = await place.running.link(link)
    done = await place.running.desk.edit(view.link.id, {"viewers": 1})
    assert not isinstance(done, IssueRefused), done
    visitors = await place.running.gateway.lasting.store.guests.of_item(slot_of(view.link.id))
    assert visitors[1].grant is not None
    await place.running.gateway.grants.end(visitors[1].grant, "test")
    await place.reload('"2026-11"', f'"{LATER}"')
    assert b"Please agree once more" in (await second.get()).body
    waiting = await second.post({"agree": "1", "consent": LATER})
    assert (waiting.status, "retry-after" in waiting.headers) == (503, True)
    assert sorted(one["consent"]["version"] for one in await place.guests()) == ["2026-11", LATER]


async def test_consent_that_is_not_required_keeps_nobody_from_coming_back(place: Place) -> None:
    await place.reload('version: "2026-11"', 'version: "2026-11", required: false')
    browser = await place.browser()
    assert (await browser.post({**GOOD, "consent": ""})).status == 303
    assert (await place.guests())[0]["consent"] is None
    await place.reload('"2026-11"', f'"{LATER}"')
    assert (await browser.get()).status == 303


async def test_a_form_left_open_by_somebody_who_is_in_takes_their_consent_too(place: Place) -> None:
    browser = await place.browser()
    assert (await browser.post(GOOD)).status == 303
    await place.reload('"2026-11"', f'"{LATER}"')
    await browser.get()
    assert (await browser.post({**GOOD, "consent": LATER})).status == 303
    (guest,) = await place.guests()
    assert guest["consent"]["version"] == LATER
    assert await place.clicks(browser) == 1


async def test_answers_are_erased_with_the_person(place: Place) -> None:
    browser = await place.browser()
    await browser.post({**GOOD, "company": "Secret Company"})
    (guest,) = await place.guests()
    found = await place.running.desk.guest(guest["id"])
    assert found is not None
    await place.running.desk.remove(found.guest, erase=True)
    (erased,) = await place.guests()
    assert (erased["name"], erased["fields"], erased["consent"]) == ("", {}, None)
    store = place.running.gateway.lasting.store.store
    kept = await store.run(lambda client: client.keys("*"))
    for key in kept:
        if await store.run(lambda client, key=key: client.type(key)) == "hash":
            assert "Secret Company" not in str(await store.run(lambda client, key=key: client.hgetall(key)))


async def test_answers_stand_in_no_log(place: Place) -> None:
    log = place.running.gateway.doors.log
    log.writer._out = written = io.StringIO()
    browser = await place.browser()
    await browser.post({**GOOD, "company": "x" * 21 + "SECRET"})
    await browser.post({**GOOD, "company": "SECRET"})
    log.close()
    assert "reason=form_invalid detail=company" in written.getvalue()
    assert "status=303" in written.getvalue()
    assert "SECRET" not in written.getvalue()
