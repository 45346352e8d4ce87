"""What is prepared anew while a grant lives: at each page, or after a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

import gateway.access.anew as anew
from gateway.access.anew import KEPT
from tests.running import Running, free_port
from tests.system.sessions import ITEM, POLICY, Sessions, sessions_server, write_config
from tests.system.stage import Guest, path_of, running_worker, until

VARS = "vars: {play: $.session}"
PAGE = POLICY.replace(VARS, f"{VARS}\n        each: page")
WITH_CHAT = (
    PAGE.replace("open: /media/{id}", "player: {src: '/hls/{play}/a.ts', as: file, chat: '/chat/{id}'}")
    .replace("- page GET /media/{id}\n", "- GET /media/{id}\n")
    .replace(
        "guest_access: {", "    interactions: {chat: ['page GET /chat/{id}']}\nguest_access: {interactions: [chat], "
    )
)
RENEW = POLICY.replace(VARS, f"{VARS}\n        renew: 1m")


@pytest.fixture
async def server() -> AsyncIterator[Sessions]:
    async with sessions_server() as server:
        yield server


@pytest.fixture
async def gateway(tmp_path: Path, server: Sessions) -> AsyncIterator[Running]:
    write_config(tmp_path, server, policy=PAGE)
    async with running_worker(tmp_path) as running:
        yield running


async def enter(gateway: Running) -> tuple[Guest, str]:
    link = await gateway.make_link(ITEM)
    guest = Guest(gateway.port)
    assert (await guest.post(link, await guest.form(link))).status == 303
    return guest, link


async def test_each_page_has_a_session_of_its_own_and_the_first_that_of_the_admission(
    gateway: Running, server: Sessions
) -> None:
    guest, _ = await enter(gateway)
    assert await guest.status(f"/media/{ITEM}") == 200
    assert server.made == 1
    assert await guest.status(f"/media/{ITEM}") == 200
    assert server.made == 2
    # The other tab plays on.
    assert await guest.status("/hls/s1/a.ts") == 200
    assert await guest.status("/hls/s2/a.ts") == 200
    stranger, _ = await enter(gateway)
    assert await stranger.status("/hls/s1/a.ts") == 403
    # Streams ask for nothing.
    assert server.made == 3


async def test_each_visit_by_the_link_has_a_session_of_its_own(tmp_path: Path, server: Sessions) -> None:
    write_config(tmp_path, server, policy=POLICY.replace(VARS, f"{VARS}\n        each: visit"))
    async with running_worker(tmp_path) as gateway:
        guest, link = await enter(gateway)
        # Somebody who follows the link twice before they have seen a page.
        assert (await guest.get(path_of(link))).status == 303
        assert server.made == 1
        for _ in range(2):
            assert await guest.status(f"/media/{ITEM}") == 200
        assert server.made == 1
        assert (await guest.get(path_of(link))).status == 303
        assert await guest.status(f"/media/{ITEM}") == 200
        assert server.made == 2
        for session in ("s1", "s2"):
            assert await guest.status(f"/hls/{session}/a.ts") == 200
        server.fails = 500
        assert (await guest.get(path_of(link))).status == 502
        assert await guest.status(f"/media/{ITEM}") == 200
        server.fails = 0
        await guest.leave()
        await until("all are released", lambda: not server.open, 10)
        assert sorted(server.deleted) == ["s1", "s2"]


async def test_a_chat_beside_the_player_comes_into_a_page_that_is_open(tmp_path: Path, server: Sessions) -> None:
    write_config(tmp_path, server, policy=WITH_CHAT)
    async with running_worker(tmp_path) as gateway:
        guest, link = await enter(gateway)
        page = await guest.get((await guest.get(path_of(link))).headers["location"])
        assert b"/hls/s1/a.ts" in page.body
        for _ in range(KEPT + 2):
            assert await guest.status(f"/chat/{ITEM}") == 200
        assert server.made == 1
        assert await guest.status("/hls/s1/a.ts") == 200
        await gateway.delete(link)
        assert await guest.status(f"/chat/{ITEM}") == 410, "it is a page all the same"


async def test_only_the_latest_stay_and_all_are_released(gateway: Running, server: Sessions) -> None:
    guest, _ = await enter(gateway)
    for _ in range(KEPT + 2):
        assert await guest.status(f"/media/{ITEM}") == 200
    made = KEPT + 2
    assert server.made == made
    await until("those before the latest are released", lambda: server.deleted == ["s1", "s2"], 10)
    assert await guest.status("/hls/s2/a.ts") == 403
    assert await guest.status("/hls/s3/a.ts") == 200
    await guest.leave()
    await until("the rest is too", lambda: not server.open, 10)
    assert sorted(server.deleted) == sorted(f"s{number}" for number in range(1, made + 1))


async def test_pages_opened_at_the_same_moment_are_one_question(gateway: Running, server: Sessions) -> None:
    guest, _ = await enter(gateway)
    await guest.status(f"/media/{ITEM}")
    server.waits = 0.3
    assert await asyncio.gather(*(guest.status(f"/media/{ITEM}") for _ in range(8))) == [200] * 8
    assert server.made == 2


async def test_a_server_that_fails_refuses_the_page_and_leaves_the_rest(gateway: Running, server: Sessions) -> None:
    guest, link = await enter(gateway)
    await guest.status(f"/media/{ITEM}")
    for fails, status in [(500, 502), (404, 502)]:
        server.fails = fails
        assert await guest.status(f"/media/{ITEM}") == status
    server.fails = 0
    assert await guest.status("/hls/s1/a.ts") == 200
    assert (await guest.get(path_of(link))).status == 303
    assert await guest.status(f"/media/{ITEM}") == 200


async def test_a_guest_who_leaves_while_it_is_asked_holds_nothing(gateway: Running, server: Sessions) -> None:
    guest, _ = await enter(gateway)
    await guest.status(f"/media/{ITEM}")
    server.waits = 0.5
    page = asyncio.create_task(guest.status(f"/media/{ITEM}"))
    await until("it is asked", lambda: server.made == 2, 5)
    await guest.leave()
    assert await page in (403, 200, 302)
    await until("all is released", lambda: not server.open, 20)


async def test_a_renewal_is_asked_once_by_one_of_many_workers(
    tmp_path: Path, server: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anew, "_LOOK", 0.1)
    monkeypatch.setattr("gateway.policy.compile_steps._RENEW_LEAST", timedelta(seconds=1))
    write_config(tmp_path, server, policy=RENEW.replace("renew: 1m", "renew: 3s"))
    async with running_worker(tmp_path) as one, running_worker(tmp_path, port=free_port()) as two:
        guest, _ = await enter(one)
        other = Guest(two.port, guest.host)
        other.jar = guest.jar
        assert await other.status("/hls/s1/a.ts") == 200
        await until("it is renewed", lambda: server.made == 2, 10)
        await asyncio.sleep(1)
        assert server.made == 2
        for way in (guest, other):
            assert await way.status("/hls/s2/a.ts") == 200
            assert await way.status("/hls/s1/a.ts") == 200
        server.fails = 500
        heard = len(server.heads)
        await until("it is asked again", lambda: len(server.heads) > heard, 10)
        await asyncio.sleep(1)
        assert len(server.heads) == heard + 1, "and after a failure not before a minute"
        assert await guest.status("/hls/s2/a.ts") == 200
        server.fails = 0
        await guest.leave()
        await until("both are released", lambda: not server.open, 10)
