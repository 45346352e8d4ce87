"""Whoever tries links and cookies learns nothing beyond the status: not from a text, a length, a header or the
time it took; and runs out of tries."""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.running import Answer, Running, ask
from tests.system.stage import (
    ITEM,
    OTHER,
    PAGE,
    SOCKET,
    STREAM,
    Guest,
    Media,
    expire,
    path_of,
    running_worker,
    separate_store,
    store_line,
    write_config,
)

UNKNOWN = "unknown"
HTML = "Accept: text/html,*/*\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


@dataclass
class Closed:
    """The four kinds of links that can't be used, by their name; forms that were shown while they could."""

    running: Running
    links: dict[str, str]
    forms: dict[str, tuple[str, str]]  # form id and cookie


@pytest.fixture
async def closed(gateway: Running) -> Closed:
    links = {name: await gateway.make_link(ITEM, clicks=1) for name in ("expired", "used up", "deleted")}
    forms = {}
    for name, link in links.items():
        browser = Guest(gateway.port)
        forms[name] = (await browser.form(link), browser.cookie)
    await expire(gateway, links["expired"])
    await Guest(gateway.port).enter(links["used up"])
    await gateway.delete(links["deleted"])
    links[UNKNOWN] = f"{gateway.url}/g/{'B' * 22}"
    forms[UNKNOWN] = forms["expired"]
    return Closed(gateway, links, forms)


def posted(form: str = "A" * 51, name: str = "Ada", email: str = "ada@example.org") -> bytes:
    return urlencode({"name": name, "email": email, "form": form}).encode()


WAYS: dict[str, tuple[str, str, bytes | None]] = {
    "page": ("GET", HTML, None),
    "problem": ("GET", "", None),
    "head of the page": ("HEAD", HTML, None),
    "head of the problem": ("HEAD", "", None),
    "another method": ("DELETE", HTML, None),
    "post": ("POST", HTML + FORM, posted()),
    "post for a problem": ("POST", FORM, posted()),
    "post without a name": ("POST", HTML + FORM, posted(name="")),
    "post of nothing": ("POST", HTML + FORM, b"x=y"),
    "post without a body": ("POST", HTML, None),
    "post from elsewhere": ("POST", HTML + FORM + "Origin: https://evil.example\r\n", posted()),
    "post of no form": ("POST", HTML + "Content-Type: text/plain\r\n", posted()),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_links_that_cannot_be_used_differ_in_their_status_alone(
    closed: Closed, way: tuple[str, str, bytes | None]
) -> None:
    method, headers, body = way
    answers = {}
    for name, link in closed.links.items():
        answers[name] = await ask(closed.running.port, f"{method} {path_of(link)}", headers=headers, body=body or b"")
    alike(answers)


async def test_a_form_from_before_tells_no_more(closed: Closed) -> None:
    """A genuine form with its cookie, shown while the link was good. (For the unknown link: another link's.)"""
    for page in (HTML, ""):
        for name in ("Ada", ""):
            answers = {}
            for kind, link in closed.links.items():
                form, cookie = closed.forms[kind]
                answers[kind] = await ask(
                    closed.running.port,
                    f"POST {path_of(link)}",
                    headers=page + FORM,
                    cookie=cookie,
                    body=posted(form, name),
                )
            alike(answers)


def alike(answers: dict[str, Answer]) -> None:
    assert {name: answer.status for name, answer in answers.items()} in (
        {"expired": 410, "used up": 410, "deleted": 410, UNKNOWN: 404},
        dict.fromkeys(answers, answers[UNKNOWN].status),  # refused before the link was looked at
    )
    sizes = {name: (len(answer.body), answer.headers.get("content-length")) for name, answer in answers.items()}
    assert len(set(sizes.values())) == 1, sizes
    said = {
        re.sub(rb'(Reference: |"reference": ")\w{8}', b"", answer.body).replace(
            b'"status": %d' % answer.status, b'"status": 4xx'
        )
        for answer in answers.values()
    }
    assert len(said) == 1, said
    for answer in answers.values():
        answer.headers.pop("date", None)
    heads = {tuple(answer.headers.items()) for answer in answers.values()}
    assert len(heads) == 1, heads
    assert not any(answer.cookies for answer in answers.values())


async def test_each_of_them_asks_the_store_as_often(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    store = closed.running.desk._links.store
    calls: list[object] = []
    run = store.run

    async def counted(work: Callable[..., object]) -> object:
        calls.append(work)
        return await run(work)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "run", counted)
    for method, headers, body in WAYS.values():
        counts = {}
        for name, link in closed.links.items():
            calls.clear()
            await ask(closed.running.port, f"{method} {path_of(link)}", headers=headers, body=body or b"")
            counts[name] = len(calls)
        assert len(set(counts.values())) == 1, (method, counts)


@pytest.mark.parametrize("way", ["page", "problem", "post", "head of the page"])
async def test_each_of_them_takes_as_long(closed: Closed, way: str) -> None:
    """Medians over interleaved questions, so that what else the machine does meets all of them alike. Noise makes
    differences and never hides a steady one, so of three measurements the best counts."""
    method, headers, body = WAYS[way]
    apart = []
    for _ in range(3):
        took: dict[str, list[float]] = {name: [] for name in closed.links}
        for _ in range(100):
            for name, link in random.sample(list(closed.links.items()), len(closed.links)):
                began = time.perf_counter()
                await ask(closed.running.port, f"{method} {path_of(link)}", headers=headers, body=body or b"")
                took[name].append(time.perf_counter() - began)
        medians = {name: statistics.median(seconds) * 1000 for name, seconds in took.items()}
        print(f"\n{way}: " + ", ".join(f"{name} {median:.2f} ms" for name, median in medians.items()))
        apart.append(max(medians.values()) / min(medians.values()))
        if apart[-1] < 1.15:
            return
    assert min(apart) < 1.15, apart


async def test_after_a_change_of_secrets_an_unknown_link_still_asks_as_often(tmp_path: Path, media: Media) -> None:
    """Two secrets, two fingerprints of a token; one question to the store."""
    port = write_config(tmp_path, media)
    for name in ("old", "new"):
        (tmp_path / name).write_text(name * 20)
        (tmp_path / name).chmod(0o600)
    config = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(config + "secrets: [file:old]\n")
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM)
    (tmp_path / "config.yaml").write_text(config + "secrets: [file:new, file:old]\n")
    async with running_worker(tmp_path) as running:
        links = running.desk._links
        counts, here = [], asyncio.current_task()
        for token in (link.rpartition("/")[2], "B" * 22):
            asked = 0
            run = links.store.run

            async def counted(work: Callable[..., object], run: Callable[..., object] = run) -> object:
                nonlocal asked
                asked += asyncio.current_task() is here  # others of the gateway ask for themselves
                return await run(work)  # type: ignore[misc]

            links.store.run = counted  # type: ignore[method-assign, assignment]
            await links.find(token)
            links.store.run = run  # type: ignore[method-assign]
            counts.append(asked)
        assert counts[0] == counts[1] == 2
        assert await Guest(port).status(path_of(link)) == 200


async def test_who_has_guessed_too_often_waits_also_while_the_store_is_down(tmp_path: Path, media: Media) -> None:
    async with separate_store(tmp_path) as store:
        write_config(tmp_path, media, extra=store_line(store), limits="guesses_per_address: 10")
        async with running_worker(tmp_path) as running:
            link = await running.make_link(ITEM)
            inside = await Guest(running.port).enter(link)
            guesser = Guest(running.port)
            tries = [await guesser.status(f"/g/{number:022d}") for number in range(15)]
            assert 10 <= tries.count(404) < 13  # the bucket drains meanwhile
            assert tries[-1] == 429
            assert int(guesser.seen[-1].headers["retry-after"]) <= 60
            # A good link has to wait too: whether it is good would be what he wants to know.
            assert await guesser.status(path_of(link)) == 429
            await store.stop()
            assert [await guesser.status(f"/g/{number:022d}") for number in range(5)] == [429] * 5
            assert [await guesser.status("/g/not-a-token") for _ in range(3)] == [429] * 3
            # Who is in does not go by links.
            assert await inside.status(STREAM) == 200
            await store.start(alone=True)


# --- cookies --------------------------------------------------------------------------------------

PLACES = (PAGE, STREAM, SOCKET, "/api/progress/" + ITEM, "/")


async def let_in(running: Running, cookie: str) -> list[int]:
    """What a browser with this cookie gets that none without it would."""
    statuses = [(await ask(running.port, f"GET {path}", cookie=cookie)).status for path in PLACES[:3]]
    return [status for status in statuses if status != 403]


async def test_a_cookie_that_was_touched_opens_nothing(gateway: Running, media: Media) -> None:
    guest = await Guest(gateway.port).enter(await gateway.make_link(ITEM))
    value = guest.jar["gateway"]
    good = f"gateway={value}"
    assert len(await let_in(gateway, good)) >= 2
    media.asked.clear()
    swapped = "".join(reversed(value))
    touched = [
        *(f"gateway={value[:at]}{'A' if value[at] != 'A' else 'B'}{value[at + 1 :]}" for at in range(0, len(value), 7)),
        *(f"gateway={value[:at]}" for at in (0, 1, 10, len(value) // 2, len(value) - 2, len(value) - 1)),
        *(f"gateway={value}{more}" for more in ("A", "=", "==A", ".", ",", "%00", "\\", value)),
        f"gateway={swapped}", f"gateway={value.upper()}", f'gateway="{value}"', f"gateway= {value[1:]}",
        f"{good}; {good}", f"gateway=x; {good}", f"{good}; gateway=", f"gateway; {good}; {good}",
        f"Gateway={value}", f"gateway ={value}x", f"__Host-gateway={value}", f"gateway-form={value}",
        f"x={good}"[:-1], good.replace("=", ":", 1), good.replace("=", "=%", 1),
    ]  # fmt: skip
    for cookie in touched:
        assert await let_in(gateway, cookie) == [], cookie
    two = f"GET {PAGE} HTTP/1.1\r\nHost: {guest.host}\r\nConnection: close\r\nCookie: {good}\r\nCookie: {good}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(two.encode())
    assert b" 403 " in (await asyncio.wait_for(reader.read(), 5))[:20]
    writer.close()
    assert media.asked == []
    assert len(await let_in(gateway, good)) >= 2


async def test_a_cookie_from_another_link_deployment_or_time_opens_nothing(
    gateway: Running, media: Media, tmp_path: Path
) -> None:
    link = await gateway.make_link(ITEM)
    browser, other = Guest(gateway.port), await gateway.make_link(OTHER)
    assert (await browser.post(other, await browser.form(other))).status == 303
    assert await let_in(gateway, f"gateway={browser.jar['gateway']}") == []

    # Another gateway with the same names, items and even ids, but secrets of its own.
    (tmp_path / "twin").mkdir()
    write_config(tmp_path / "twin", media)
    async with running_worker(tmp_path / "twin") as twin:
        stranger = await Guest(twin.port).enter(await twin.make_link(ITEM))
        assert len(await let_in(twin, stranger.cookie)) >= 2
        assert await let_in(gateway, stranger.cookie) == []

    left = await Guest(gateway.port).enter(link)
    kept = f"gateway={left.jar['gateway']}"
    assert (await left.leave()).status == 200
    assert await let_in(gateway, kept) == []

    removed = await Guest(gateway.port).enter(link)
    kept = f"gateway={removed.jar['gateway']}"
    await gateway.delete(link)
    assert await removed.status(PAGE) == 410
    assert await let_in(gateway, kept) == []
    assert (await ask(gateway.port, f"GET {path_of(link)}", cookie=kept, headers=HTML)).status == 410
