"""What is prepared on a media server for a guest, and released again, however that guest's grant ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.running import NAME, Running
from tests.system.processes import make_link, served
from tests.system.sessions import ITEM, KEY, POLICY, Sessions, sessions_server, write_config
from tests.system.stage import Guest, clicks, expire, path_of, running_worker, until


@pytest.fixture
async def server() -> AsyncIterator[Sessions]:
    async with sessions_server() as server:
        yield server


@pytest.fixture
async def gateway(tmp_path: Path, server: Sessions) -> AsyncIterator[Running]:
    write_config(tmp_path, server)
    async with running_worker(tmp_path) as running:
        yield running


async def enter(gateway: Running, link: str) -> Guest:
    guest = Guest(gateway.port)
    answer = await guest.post(link, await guest.form(link))
    assert answer.status == 303, answer
    return guest


async def test_each_admission_is_prepared_once_and_reaches_its_own_session_only(
    gateway: Running, server: Sessions
) -> None:
    link = await gateway.make_link(ITEM)
    one, two = await enter(gateway, link), await enter(gateway, link)
    assert server.made == 2
    body = server.open["s1"]
    assert (body["client"], body["nested"]) == ("guest-gateway", [{"who": NAME}])
    assert body["device"] != server.open["s2"]["device"]
    assert server.heads[0]["X-Device"].startswith("guest ")
    assert server.heads[0]["Content-Type"] == "application/json"
    assert await one.status("/hls/s1/a.ts") == 200
    assert await one.status("/hls/s2/a.ts") == 403
    assert await two.status("/hls/s2/a.ts") == 200
    # A reload, a second tab and a page ask for nothing new.
    assert (await one.get(path_of(link))).status == 303
    assert await one.status(f"/media/{ITEM}") == 200
    assert server.made == 2
    assert await one.status("/hls/s1/a.ts") == 200
    assert not any(KEY.encode() in answer.body for answer in (*one.seen, *two.seen))


@pytest.mark.parametrize(
    ("says", "fails", "status"),
    [
        (None, 500, 502),
        (None, 401, 502),
        (None, 302, 502),
        (None, 404, 410),
        (None, 410, 410),
        ([], 0, 502),
        ({"a": "b"}, 0, 502),
        ("../../admin", 0, 502),
        ("..", 0, 502),
        ("a/b", 0, 502),
        ("a\\b", 0, 502),
        ("a\r\nX: y", 0, 502),
        ("\ud800", 0, 502),
        ("x" * 5_000, 0, 502),
    ],
)
async def test_when_it_fails_no_click_is_used_and_nobody_is_in(
    gateway: Running, server: Sessions, says: object, fails: int, status: int
) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    server.says, server.fails = says, fails
    answer = await guest.post(link, form)
    assert answer.status == status
    assert b"nothing of this" not in answer.body
    assert await clicks(gateway, link) == 0
    assert await guest.status(f"/media/{ITEM}") == 403
    # The same form is good as soon as the server is.
    server.says, server.fails = None, 0
    assert (await guest.post(link, form)).status == 303
    assert await clicks(gateway, link) == 1


async def test_a_server_that_does_not_answer_in_time_is_said_to_be_slow(gateway: Running, server: Sessions) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    server.waits = 5
    assert (await guest.post(link, form)).status == 504
    assert await clicks(gateway, link) == 0


async def test_many_for_few_clicks_leave_no_session_of_those_refused(gateway: Running, server: Sessions) -> None:
    link = await gateway.make_link(ITEM, clicks=3)
    guests = [Guest(gateway.port) for _ in range(12)]
    forms = [await guest.form(link) for guest in guests]
    server.waits = 0.2
    answers = await asyncio.gather(*(guest.post(link, form) for guest, form in zip(guests, forms, strict=True)))
    assert sorted(answer.status for answer in answers) == [303] * 3 + [410] * 9
    assert await clicks(gateway, link) == 3
    await until("the others are released", lambda: len(server.open) == 3, 15)
    assert len(set(server.deleted)) == len(server.deleted) == server.made - 3


async def test_a_double_tap_is_one_admission_and_one_session(gateway: Running, server: Sessions) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    server.waits = 0.2
    answers = await asyncio.gather(*(guest.post(link, form) for _ in range(4)))
    assert [answer.status for answer in answers] == [303] * 4
    await until("one is left", lambda: len(server.open) == 1, 15)
    (left,) = server.open
    assert await guest.status(f"/hls/{left}/a.ts") == 200


@pytest.mark.parametrize("way", ["left", "removed", "erased", "deleted", "off", "expired"])
async def test_a_grant_that_ends_is_released_once(tmp_path: Path, server: Sessions, way: str) -> None:
    write_config(tmp_path, server, on_revoke="cut")
    async with running_worker(tmp_path) as gateway, running_worker(tmp_path, port=0):
        link = await gateway.make_link(ITEM)
        guest, other = await enter(gateway, link), None
        if way in ("left", "removed", "erased"):
            other = await enter(gateway, link)
        if way == "left":
            await guest.leave()
        elif way in ("removed", "erased"):
            guests = await gateway.desk.guests("tv", ITEM)
            assert isinstance(guests, list)
            first = min(guests, key=lambda one: one.guest.first_seen).guest
            await gateway.desk.remove(first, erase=way == "erased")
        elif way == "deleted":
            await gateway.delete(link)
        elif way == "off":
            await gateway.switch(ITEM, on=False)
        else:
            await expire(gateway, link)
        await until("it is released", lambda: server.deleted == ["s1"], 10)
        await asyncio.sleep(1.5)
        assert server.deleted == ["s1"]
        assert list(server.open) == ([] if other is None else ["s2"])


async def test_age_ends_and_releases_and_coming_back_prepares_anew(tmp_path: Path, server: Sessions) -> None:
    write_config(tmp_path, server)
    async with running_worker(tmp_path, max_age=2) as gateway:
        link = await gateway.make_link(ITEM, clicks=1)
        guest = await enter(gateway, link)
        await until("it is released", lambda: server.deleted == ["s1"], 10)
        assert (await guest.get(path_of(link))).status == 303
        assert list(server.open) == ["s2"]
        assert await guest.status("/hls/s2/a.ts") == 200
        assert await guest.status("/hls/s1/a.ts") == 403
        assert await clicks(gateway, link) == 1


async def test_a_release_that_fails_blocks_nobody_and_is_tried_again(gateway: Running, server: Sessions) -> None:
    link = await gateway.make_link(ITEM)
    guest = await enter(gateway, link)
    server.refuses_delete = 1
    assert (await guest.leave()).status == 200
    await until("it is tried again", lambda: server.deleted == ["s1", "s1"], 15)
    assert server.open == {}
    await enter(gateway, link)


async def test_a_guest_who_leaves_during_prepare_holds_nothing(gateway: Running, server: Sessions) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = await guest.form(link)
    server.waits = 0.7
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await guest.post(link, form)
    await until("the server has made a session", lambda: server.made == 1)
    await asyncio.sleep(1)
    # The same form is still that guest's, and no other click is used for it.
    server.waits = 0
    assert (await guest.post(link, form)).status == 303
    assert await clicks(gateway, link) == 1


async def test_what_a_killed_gateway_held_is_released_by_the_next(tmp_path: Path, server: Sessions) -> None:
    port = write_config(tmp_path, server, on_revoke="cut")
    async with served(tmp_path, port, workers=1) as gateway:
        made = await make_link(tmp_path)
        guest = Guest(port)
        assert (await guest.post(made["url"], await guest.form(made["url"]))).status == 303
        gateway.process.kill()
        await gateway.process.wait()
    assert list(server.open) == ["s1"]
    async with running_worker(tmp_path) as running:
        await running.delete(made["url"])
        hasten = running.gateway.releasing.heard_end
        grant = server.open["s1"]["device"]
        hasten(grant)  # rather than wait for the next look
        await until("it is released", lambda: server.deleted == ["s1"], 10)


async def test_a_value_of_the_server_is_nothing_but_a_value(tmp_path: Path, server: Sessions) -> None:
    """Encoded where it is sent: no further segment, query or path comes of it."""
    write_config(tmp_path, server, policy=POLICY)
    server.says = "a?b=c&d#e%2F"
    async with running_worker(tmp_path) as gateway:
        link = await gateway.make_link(ITEM)
        guest = Guest(gateway.port)
        answer = await guest.post(link, await guest.form(link))
        assert answer.status == 303
        assert await guest.status("/hls/a?b=c&d") == 403
        assert await guest.status("/hls/s1/a.ts") == 403
