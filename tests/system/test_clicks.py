"""One admission, one click: not for looking, not twice for one form, not for a form that is not one's own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gateway.links.forms import MAX_AGE, new_form
from tests.running import EMAIL, NAME, Answer, Running
from tests.system.stage import (
    ITEM,
    OTHER,
    PAGE,
    Guest,
    Media,
    clicks,
    form_id,
    path_of,
    records,
    running_worker,
    write_config,
)

SCANNERS = (
    "User-Agent: Mozilla/5.0 (compatible; Microsoft Office; ms-office)\r\n",
    "User-Agent: Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)\r\nAccept: */*\r\n",
    "User-Agent: facebookexternalhit/1.1\r\nRange: bytes=0-524287\r\n",
    "Purpose: prefetch\r\nX-Moz: prefetch\r\nSec-Purpose: prefetch;prerender\r\nSec-Fetch-Dest: document\r\n",
    "X-HTTP-Method-Override: POST\r\nX-Method-Override: POST\r\n",
)


async def test_looking_two_hundred_times_uses_no_click(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=1)

    async def look(number: int) -> None:
        method = "HEAD" if number % 3 == 0 else "GET"
        headers = SCANNERS[number % len(SCANNERS)] if number % 2 else ""
        answer = await Guest(gateway.port).ask(f"{method} {path_of(link)}", headers=headers)
        assert answer.status == 200
        assert bool(answer.body) == (method == "GET")

    for start in range(0, 200, 20):
        await asyncio.gather(*(look(number) for number in range(start, start + 20)))
    assert await clicks(gateway, link) == 0
    await Guest(gateway.port).enter(link)
    assert await clicks(gateway, link) == 1


async def test_of_a_thousand_guests_at_once_exactly_as_many_come_in_as_there_are_clicks(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=10)
    guests = [Guest(gateway.port) for _ in range(1_000)]
    forms: list[str] = []
    for start in range(0, 1_000, 100):
        forms += await asyncio.gather(*(guest.form(link) for guest in guests[start : start + 100]))
    answers = await asyncio.gather(
        *(
            guest.post(link, form, name=f"Guest {number}", page=False)
            for number, (guest, form) in enumerate(zip(guests, forms, strict=True))
        )
    )
    statuses = [answer.status for answer in answers]
    assert {status: statuses.count(status) for status in set(statuses)} == {303: 10, 410: 990}
    assert await clicks(gateway, link) == 10
    found = await gateway.desk.guests("tv")
    assert len(found) == 10  # type: ignore[arg-type]
    for guest, answer in zip(guests, answers, strict=True):
        if answer.status == 303:
            assert await guest.status(PAGE) == 200


async def test_a_lecture_hall_behind_one_address_comes_in(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media, limits="")
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM)
        mistyped = [Guest(running.port) for _ in range(30)]
        for start in range(0, 500, 50):
            await asyncio.gather(*(Guest(running.port).enter(link) for _ in range(50)))
            for guest in mistyped[start // 50 :: 10]:
                assert await guest.status(path_of(link)[:-1] + "~") == 404
        assert await clicks(running, link) == 500


async def test_one_form_posted_twenty_times_at_once_is_one_click_and_one_guest(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=5)
    first = Guest(gateway.port)
    form = await first.form(link)
    tabs = [Guest(gateway.port, jar=dict(first.jar)) for _ in range(20)]
    answers = await asyncio.gather(*(tab.post(link, form) for tab in tabs))
    assert {answer.status for answer in answers} == {303}
    assert await clicks(gateway, link) == 1
    assert len(await gateway.desk.guests("tv")) == 1  # type: ignore[arg-type]
    assert {await tab.status(PAGE) for tab in tabs} == {200}


async def test_one_form_with_other_words_admits_nobody_else(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=5)
    first = Guest(gateway.port)
    form = await first.form(link)
    other = Guest(gateway.port, jar=dict(first.jar))
    assert (await first.post(link, form)).status == 303
    assert (await other.post(link, form, name="Somebody Else")).status == 422
    assert await clicks(gateway, link) == 1


async def test_the_last_click_posted_again_is_still_the_same_admission(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    first = Guest(gateway.port)
    form = await first.form(link)
    lost = Guest(gateway.port, jar=dict(first.jar))  # the answer with the session never arrived
    assert (await first.post(link, form)).status == 303
    assert (await lost.post(link, form)).status == 303
    assert await lost.status(PAGE) == 200


@pytest.mark.parametrize("cookie", ["none", "another's", "two"])
async def test_a_form_without_its_cookie_is_refused_and_uses_no_click(gateway: Running, cookie: str) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest, other = Guest(gateway.port), Guest(gateway.port)
    form, _ = await guest.form(link), await other.form(link)
    thief = Guest(gateway.port, jar={"another's": dict(other.jar), "none": {}, "two": {}}[cookie])
    if cookie == "two":
        (name, mine), (_, theirs) = *guest.jar.items(), *other.jar.items()
        thief.jar = {name: f"{mine}; {name}={theirs}"}
    answer = await thief.post(link, form)
    assert answer.status == 403
    assert b"Cookies are needed" in answer.body
    assert await clicks(gateway, link) == 0
    assert (await guest.post(link, form)).status == 303


async def test_the_form_of_another_link_is_refused(gateway: Running) -> None:
    link, other = await gateway.make_link(ITEM, clicks=1), await gateway.make_link(OTHER, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    assert (await guest.post(other, form)).status == 403
    assert (await clicks(gateway, link), await clicks(gateway, other)) == (0, 0)


async def test_an_old_form_comes_back_filled_in_and_works_the_second_time(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    await guest.form(link)
    token, cookie = link.rpartition("/")[2], guest.jar["gateway-form"]
    old = new_form(records(gateway).keys, token, cookie, int(time.time() * 1000) - MAX_AGE - 1_000)
    answer = await guest.post(link, old, not_my_device="1")
    filled_in(answer, NAME, EMAIL)
    assert b"open for a while" in answer.body
    assert b" checked" in answer.body
    assert await clicks(gateway, link) == 0
    assert (await guest.post(link, form_id(answer))).status == 303


@pytest.mark.parametrize(
    ("name", "email", "shown"),
    [
        ("", EMAIL, ""),
        ("   ", EMAIL, "   "),
        ("\u202e\u200b", EMAIL, None),
        ("x" * 101, EMAIL, "x" * 101),
        (NAME, "", ""),
        (NAME, "ada", "ada"),
        (NAME, "ada@@example.org", "ada@@example.org"),
        (NAME, f"{'a' * 250}@example.org", None),
        ('"><script>alert(1)</script>', "no", "&#34;&gt;&lt;script&gt;"),
    ],
)
async def test_a_wrong_name_or_address_comes_back_filled_in_and_uses_no_click(
    gateway: Running, name: str, email: str, shown: str | None
) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    answer = await guest.post(link, form, name=name, email=email)
    assert answer.status == 422
    assert b'aria-invalid="true"' in answer.body
    assert b"<script>" not in answer.body
    if shown is not None:
        assert f'value="{shown}' in answer.body.decode()
    if name == NAME:
        assert f'value="{NAME}"'.encode() in answer.body
    assert (await guest.post(link, form, name=name, email=email, page=False)).status == 422
    assert await clicks(gateway, link) == 0
    assert (await guest.post(link, form_id(answer))).status == 303


@pytest.mark.parametrize(
    "header",
    [
        "Origin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin",
    ],
)
async def test_a_form_posted_by_another_site_uses_no_click(gateway: Running, header: str) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    answer = await guest.ask(
        f"POST {path_of(link)}",
        headers=f"Content-Type: application/x-www-form-urlencoded\r\n{header}\r\n",
        body=f"name=Ada&email=ada%40example.org&form={form}".encode(),
    )
    assert answer.status == 403
    assert await clicks(gateway, link) == 0


async def test_a_browser_that_posts_origin_null_comes_in(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    answer = await guest.ask(
        f"POST {path_of(link)}",
        headers="Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\n",
        body=f"name=Ada&email=ada%40example.org&form={form}".encode(),
    )
    assert answer.status == 303


def filled_in(answer: Answer, name: str, email: str) -> None:
    assert answer.status == 422
    assert f'value="{name}"'.encode() in answer.body
    assert f'value="{email}"'.encode() in answer.body
