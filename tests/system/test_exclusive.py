"""A server whose requests do not name the item: a browser holds one grant of it at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.policy.load import load_policy_text
from tests.running import Running, free_port
from tests.system.sessions import ITEM, POLICY, Sessions, sessions_server, write_config
from tests.system.stage import Guest, clicks, path_of, running_worker, until

OTHER = "xyz789"
EXCLUSIVE = POLICY.replace("    open: /media", "    exclusive: true\n    open: /media")


@pytest.fixture
async def server() -> AsyncIterator[Sessions]:
    async with sessions_server() as server:
        yield server


@pytest.fixture
async def gateway(tmp_path: Path, server: Sessions) -> AsyncIterator[Running]:
    write_config(tmp_path, server, policy=EXCLUSIVE)
    async with running_worker(tmp_path) as running:
        yield running


async def enter(guest: Guest, link: str) -> None:
    assert (await guest.post(link, await guest.form(link))).status == 303


async def test_a_second_item_ends_the_first_and_opening_the_first_changes_back(
    tmp_path: Path, gateway: Running, server: Sessions
) -> None:
    one, two = await gateway.make_link(ITEM, clicks=1), await gateway.make_link(OTHER, clicks=1)
    async with running_worker(tmp_path, port=free_port()) as second:
        guest = Guest(gateway.port)
        await enter(guest, one)
        assert await guest.status(f"/media/{ITEM}") == 200
        await enter(guest, two)
        elsewhere = Guest(second.port, host=guest.host, jar=guest.jar)
        for at in (guest, elsewhere):
            assert await at.status(f"/media/{OTHER}") == 200
            assert await at.status(f"/media/{ITEM}") == 403
            assert await at.status("/hls/s1/a.ts") == 403
            assert await at.status("/hls/s2/a.ts") == 200
        await until("the first is released", lambda: server.deleted == ["s1"], 10)

        # A second browser is somebody else.
        stranger = Guest(gateway.port)
        assert (await stranger.get(path_of(one))).status == 410

        assert (await guest.get(path_of(one))).status == 303
        assert await guest.status(f"/media/{ITEM}") == 200
        assert await guest.status(f"/media/{OTHER}") == 403
        assert [await clicks(gateway, link) for link in (one, two)] == [1, 1]


async def test_a_cookie_from_before_opens_nothing_of_the_first(gateway: Running) -> None:
    one, two = await gateway.make_link(ITEM), await gateway.make_link(OTHER)
    guest = Guest(gateway.port)
    await enter(guest, one)
    before = Guest(gateway.port, jar=dict(guest.jar))
    await enter(guest, two)
    assert await before.status(f"/media/{ITEM}") == 403
    assert await before.status("/hls/s1/a.ts") == 403


async def test_tabs_and_reloads_of_one_item_go_on(gateway: Running) -> None:
    link = await gateway.make_link(ITEM)
    guest = Guest(gateway.port)
    await enter(guest, link)
    for _ in range(3):
        assert (await guest.get(path_of(link))).status == 303
        assert await guest.status("/hls/s1/a.ts") == 200


async def test_where_requests_name_the_item_both_stay(tmp_path: Path, server: Sessions) -> None:
    write_config(tmp_path, server)
    async with running_worker(tmp_path) as gateway:
        guest = Guest(gateway.port)
        for item in (ITEM, OTHER):
            await enter(guest, await gateway.make_link(item))
        for item in (ITEM, OTHER):
            assert await guest.status(f"/media/{item}") == 200


def test_kinds_that_are_alike_are_so_in_this_too() -> None:
    text = (EXCLUSIVE % "drain").replace("guest_access:", "  live: {like: video}\nguest_access:", 1)
    made = load_policy_text(text, environ={})
    assert made.kinds["live"].exclusive
    assert (
        not load_policy_text(text.replace("{like: video}", "{like: video, exclusive: false}")).kinds["live"].exclusive
    )
