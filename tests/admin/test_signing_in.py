"""Managers sign in and out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.access.passwords import hash_password
from gateway.config_file import load_config
from gateway.loading import loaded
from tests.admin.conftest import PASSWORDS, ManagerBrowser, Managing, form_of
from tests.library import POLICY, Library
from tests.running import Answer, Running, ask, free_port, running_gateway

HOME = "/_gateway/manage"


async def test_without_a_sign_in_every_page_leads_to_it_and_back(managing: Managing) -> None:
    browser = managing.browser()
    answer = await browser.get(f"{HOME}?url=http%3A%2F%2Ftv%2Fmedia%2Fabc123")
    assert answer.status == 303
    to_sign_in = answer.headers["location"]
    assert to_sign_in.startswith(f"{HOME}/sign-in?to=")
    page = await browser.get(to_sign_in)
    assert page.status == 200
    wanted = page.body.decode().partition('name="to" value="')[2].partition('"')[0].replace("&amp;", "&")
    answer = await browser.sign_in(to=wanted)
    assert (answer.status, answer.headers["location"]) == (303, f"{HOME}?url=http%3A%2F%2Ftv%2Fmedia%2Fabc123")
    page = await browser.get(HOME)
    assert page.status == 200
    assert b"alice" in page.body


async def test_the_cookie_is_kept_from_scripts_and_the_pages_from_frames(managing: Managing) -> None:
    browser = managing.browser()
    answer = await browser.sign_in()
    session, device = (set(line.split("; ")) for line in answer.set_cookies)
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= session
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=15552000"} <= device
    page = await browser.get(HOME)
    for name, value in {
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
    }.items():
        assert page.headers[name] == value
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "guess-of-it"), ("nobody", "correct horse battery"), ("", "")]
)
async def test_a_wrong_name_or_password_says_one_thing(managing: Managing, name: str, password: str) -> None:
    browser = managing.browser()
    answer = await browser.sign_in(name, password or " ")
    assert answer.status == 401
    assert b"Name or password are wrong" in answer.body
    assert not browser.cookies
    assert password.encode() not in answer.body or password == ""


async def test_guessing_passwords_has_to_wait(managing: Managing) -> None:
    browser = managing.browser()
    statuses = []
    while 429 not in statuses and len(statuses) < 40:
        statuses.append((await browser.sign_in("alice", f"guess{len(statuses)}")).status)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert (await browser.sign_in()).status == 429  # also with the right one, for a moment


@dataclass
class Crowd:
    """Browsers behind a proxy of ours, at any address they like."""

    running: Running
    port: int

    def browser(self, address: str, cookies: dict[str, str] | None = None) -> Far:
        return Far(self.port, dict(cookies or {}), address=address)


@dataclass
class Far(ManagerBrowser):
    address: str = ""

    async def sign_in(self, name: str = "alice", password: str | None = None, to: str = "") -> Answer:
        headers = f"Origin: http://127.0.0.1:{self.port}\r\nX-Forwarded-For: {self.address}\r\n"
        fields = {"name": name, "password": password or PASSWORDS[name], "to": to}
        return await self.post(f"{HOME}/sign-in", fields, headers=headers)


@pytest.fixture
async def crowd(library: Library, hashes: dict[str, str], tmp_path: Path) -> AsyncIterator[Crowd]:
    port = free_port()
    extra = f"trusted_proxies: [127.0.0.1]\nmanage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\n"
    extra += "managers:\n"
    for name in ("alice", "owen"):
        extra += f'  - name: {name}\n    password: "{hashes[name]}"\n    may: ["tv:*"]\n'
    async with running_gateway(tmp_path, POLICY, library.port, extra=extra) as running:
        yield Crowd(running, port)


async def test_strangers_who_guess_keep_nobody_out_of_a_browser_they_have_used(crowd: Crowd) -> None:
    known = crowd.browser("198.51.100.1")
    assert (await known.sign_in()).status == 303
    del known.cookies["gateway-manager"]
    guesses = [(await crowd.browser(f"203.0.113.{n}").sign_in("alice", f"guess{n}")).status for n in range(14)]
    assert guesses[0] == 401
    assert guesses[-1] == 429  # from however many addresses
    assert (await crowd.browser("198.51.100.2").sign_in()).status == 429  # a browser nobody knows waits with them
    # One that is known does not, wherever it is now, also at the strangers' address.
    known.address = "203.0.113.1"
    assert (await known.sign_in()).status == 303


async def test_a_known_browser_is_known_for_one_name_and_has_a_limit_of_its_own(crowd: Crowd) -> None:
    known = crowd.browser("198.51.100.1")
    assert (await known.sign_in("owen")).status == 303
    for n in range(14):
        await crowd.browser(f"203.0.113.{n}").sign_in("alice", "guess")
    assert (await known.sign_in("alice")).status == 429
    statuses = [(await known.sign_in("owen", "guess")).status for _ in range(14)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert (await crowd.browser("198.51.100.2").sign_in("owen")).status == 303  # nobody else waits for it


async def test_two_managers_of_one_browser_are_both_known_there(crowd: Crowd) -> None:
    shared = crowd.browser("198.51.100.1")
    for name in ("alice", "owen", "alice"):
        assert (await shared.sign_in(name)).status == 303
    for n in range(14):
        await crowd.browser(f"203.0.113.{n}").sign_in("owen", "guess")
    assert (await shared.sign_in("owen")).status == 303


async def test_of_many_guesses_at_once_no_more_are_looked_at_than_one_by_one(crowd: Crowd) -> None:
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(crowd.browser(f"203.0.113.{n}").sign_in("alice", f"guess{n}") for n in range(40))
        )
    statuses = [answer.status for answer in answers]
    assert statuses.count(401) <= 11
    assert set(statuses) <= {401, 429, 503}


async def test_a_flood_of_guesses_hardly_delays_a_known_browser_and_leaves_few_lines(crowd: Crowd) -> None:
    known = crowd.browser("198.51.100.1")
    begun = time.perf_counter()
    assert (await known.sign_in()).status == 303
    alone = time.perf_counter() - begun
    answers: list[int] = []

    async def guess(guesser: int) -> None:
        for n in range(10_000):
            browser = crowd.browser(f"203.0.{guesser}.{n % 250}")
            answer = await browser.sign_in(f"nobody{guesser}-{n}", "guess")
            answers.append(answer.status)
            if answer.status == 503:
                assert answer.headers["retry-after"] == "3"
                await asyncio.sleep(0.05)

    guessers = [asyncio.create_task(guess(n)) for n in range(40)]
    try:
        while answers.count(401) < 4:
            await asyncio.sleep(0.05)
        took = []
        for _ in range(4):
            begun = time.perf_counter()
            assert (await known.sign_in()).status == 303
            took.append(time.perf_counter() - begun)
    finally:
        for one in guessers:
            one.cancel()
        await asyncio.gather(*guessers, return_exceptions=True)
    assert answers.count(503) > 10  # the line has an end
    # The check under way, one's own, and what forty busy guessers take of the same loop.
    assert sorted(took)[1] < 5 * alone + 2, (alone, took)
    lines = await crowd.running.gateway.lasting.trail._store.run(lambda client: client.xrange("gw:audit"))
    refused = [fields for _, fields in lines if fields["action"] == "sign_in_refused"]
    assert 1 <= len(refused) <= 8


async def test_another_password_ends_sessions_and_known_browsers(
    managing: Managing, library: Library, hashes: dict[str, str]
) -> None:
    browser = await managing.signed_in()
    file = managing.running.config.file
    file.write_text(file.read_text().replace(hashes["alice"], hash_password("another one")))
    await managing.running.gateway.adapt(loaded(load_config(file, need_servers=True)))
    assert (await browser.get(HOME)).status == 303
    for n in range(14):
        await managing.browser().sign_in("alice", f"guess{n}")
    assert (await browser.sign_in("alice", "another one")).status == 429


async def test_sessions_end_with_the_way_they_began_in(managing: Managing) -> None:
    browser = await managing.signed_in()
    file = managing.running.config.file
    way = 'user: X-User, groups: X-Groups, from: [127.0.0.1], rights: [{group: a, may: ["tv:*"]}]'
    file.write_text(f"{file.read_text()}sign_in: {{trusted_header: {{{way}}}}}\n")
    await managing.running.gateway.adapt(loaded(load_config(file, need_servers=True)))
    said = "X-User: alice\r\nX-Groups: a\r\nSec-Fetch-Dest: document\r\n"
    assert (await browser.get(HOME, headers=said)).status == 303
    assert (await browser.get(f"{HOME}/sign-in", headers=said)).status == 303
    assert (await browser.get(HOME, headers=said)).status == 200


async def test_a_managers_rights_are_those_of_the_configuration_in_force(managing: Managing) -> None:
    browser = await managing.signed_in()
    window = f"{HOME}?server=tv&item=abc123"
    assert (await browser.get(window)).status == 200
    file = managing.running.config.file
    file.write_text(file.read_text().replace('may: ["tv:*"]', 'may: ["tv:other*"]'))
    await managing.running.gateway.adapt(loaded(load_config(file, need_servers=True)))
    assert (await browser.get(window)).status == 403


async def test_each_sign_in_is_a_new_session_and_ends_the_one_before(managing: Managing) -> None:
    browser = await managing.signed_in()
    old = dict(browser.cookies)
    await browser.sign_in()
    assert browser.cookies != old
    assert (await ManagerBrowser(managing.port, old).get(HOME)).status == 303
    assert (await browser.get(HOME)).status == 200


async def test_signing_out_ends_the_session_whatever_cookie_is_kept(managing: Managing) -> None:
    browser = await managing.signed_in()
    kept = dict(browser.cookies)
    page = await browser.get(HOME)
    assert (await browser.get(f"{HOME}/sign-out")).status == 405
    assert (await browser.get(HOME)).status == 200
    answer = await browser.post(f"{HOME}/sign-out", {"form": form_of(page)})
    assert answer.status == 303
    assert list(browser.cookies) == ["gateway-device"]  # it opens nothing, and is of use at the next sign-in
    assert (await ManagerBrowser(managing.port, kept).get(HOME)).status == 303


async def test_posts_from_elsewhere_and_without_the_forms_token_do_nothing(managing: Managing) -> None:
    browser = await managing.signed_in()
    token = form_of(await browser.get(HOME))
    own = f"Origin: http://127.0.0.1:{managing.port}\r\n"
    for fields, headers in (
        ({}, own),
        ({"form": "x"}, own),
        ({"form": token}, "Origin: https://evil.example\r\n"),
        ({"form": token}, f"Origin: http://127.0.0.1:{managing.running.port}\r\n"),  # the guests' host
        ({"form": token}, "Origin: null\r\n"),
        ({"form": token}, own + "Sec-Fetch-Site: same-site\r\n"),
    ):
        answer = await browser.post(f"{HOME}/sign-out", fields, headers=headers)
        assert answer.status == 403, (fields, headers)
    assert (await browser.get(HOME)).status == 200
    # A browser leaves the cookie out of such a post; the answer must not delete it.
    stranger = await managing.browser().post(f"{HOME}/sign-out", {}, headers="Origin: https://evil.example\r\n")
    assert stranger.status == 403
    assert "set-cookie" not in stranger.headers
    foreign = await managing.browser().post(
        f"{HOME}/sign-in", {"name": "alice", "password": "x"}, headers="Origin: https://evil.example\r\n"
    )
    assert foreign.status == 403


@pytest.mark.parametrize("dest", ["empty", "iframe", "image", "script", "object", "embed"])
async def test_pages_are_answered_to_navigations_only(managing: Managing, dest: str) -> None:
    browser = await managing.signed_in()
    for path in (HOME, f"{HOME}/sign-in"):
        answer = await browser.get(path, headers=f"Sec-Fetch-Dest: {dest}\r\n")
        assert answer.status == 403
        assert b"alice" not in answer.body


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "/_gateway/manage/../../x", "javascript:alert(1)",
        "/_gateway/managed", "/g/x", "/_gateway/manage/sign-out", "/_gateway/manage\r\nSet-Cookie: x=1", "",
        "/%5cevil.example", "/_gateway/manage/%2e%2e/x", "http:/evil", "\t/evil",
    ],
)  # fmt: skip
async def test_a_sign_in_leads_to_our_own_pages_only(managing: Managing, to: str) -> None:
    answer = await managing.browser().sign_in(to=to)
    assert answer.headers["location"] == HOME


async def test_several_cookies_count_only_where_one_is_live(managing: Managing) -> None:
    browser = await managing.signed_in()
    other = await managing.signed_in("owen")
    name = "gateway-manager"
    mine = browser.cookies[name]
    theirs = other.cookies[name]
    headers = "Accept: text/html\r\nSec-Fetch-Dest: document\r\n"

    async def status(cookie: str) -> int:
        return (await ask(managing.port, f"GET {HOME}", cookie=cookie, headers=headers)).status

    assert await status(f"{name}={'x' * 32}; {name}={mine}") == 200
    assert await status(f"{name}={theirs}; {name}={mine}") == 303
    assert await status(f"{name}={mine[:-1]}") == 303
    assert await status(f"{name}={mine}x") == 303


async def test_the_record_says_who_signed_in_and_never_with_what(managing: Managing) -> None:
    await managing.browser().sign_in("alice", "secret-guess")
    await managing.signed_in()
    trail = managing.running.gateway.desk._links.store
    lines = await trail.run(lambda client: client.xrange("gw:audit"))
    assert [fields["action"] for _, fields in lines] == ["sign_in_refused", "signed_in"]
    assert "secret-guess" not in repr(lines)
    dump = await trail.run(lambda client: client.keys("gw:manager:*"))
    assert len(dump) == 1


async def test_cookies_that_were_planted_are_told_to_go_and_keep_nobody_out(managing: Managing) -> None:
    """More of them than are looked up, before ours, as those of longer paths come first."""
    browser = await managing.signed_in()
    name = "gateway-manager"
    mine = browser.cookies[name]
    planted = "; ".join(f"{name}={n:032}" for n in range(9))
    headers = "Accept: text/html\r\nSec-Fetch-Dest: document\r\n"
    for path in (f"{HOME}/links", f"{HOME}/sign-in", "/_gateway/nothing"):
        answer = await ask(managing.port, f"GET {path}", cookie=f"{planted}; {name}={mine}", headers=headers)
        gone = [line for line in answer.set_cookies if line.startswith(f"{name}=;")]
        assert len(gone) >= 3
        assert not [line for line in gone if "Path=/;" in line and "Domain" not in line]
    assert (await browser.get(HOME)).status == 200


async def test_sign_ins_at_the_same_moment_are_all_answered_and_the_next_ones_too(managing: Managing) -> None:
    """Two computations at once would have waited for each other for ever."""
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(managing.browser().sign_in("alice" if number % 2 else "owen") for number in range(6)),
            managing.browser().sign_in("alice", "wrong"),
            managing.browser().sign_in("nobody", "wrong"),
        )
    assert [answer.status for answer in answers] == [303] * 6 + [401, 401]
    assert (await managing.browser().sign_in()).status == 303
