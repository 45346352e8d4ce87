"""Who is in stays in until they refresh or leave; what has ended opens nothing any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.running import Running
from tests.system.stage import (
    ENDLESS,
    ITEM,
    OTHER,
    PAGE,
    STREAM,
    Guest,
    Media,
    clicks,
    expire,
    path_of,
    running_worker,
    until,
    write_config,
)


async def test_drain_lets_those_in_go_on_until_they_refresh(gateway: Running, media: Media) -> None:
    link = await gateway.make_link(ITEM)
    guest = await Guest(gateway.port).enter(link)
    async with guest.streaming() as stream, guest.talking() as socket:
        await gateway.switch(ITEM, on=False)
        assert await stream.flows(1.2)
        await socket.send_str("still here")
        assert await socket.receive_str(timeout=2) == "you said still here"
        assert await guest.status(STREAM) == 200
        async with guest.streaming() as second:
            assert await second.flows()

        assert await guest.status(PAGE) == 410
        assert await stream.ended(2) < 2
        assert (await socket.receive(timeout=2)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1008
    assert await guest.status(STREAM) == 403
    assert await guest.status(ENDLESS) == 403
    await until("the server is let go", lambda: media.open == 0)

    # Turned on again the old grant stays dead; the same browser gets a fresh one without a click.
    await gateway.switch(ITEM, on=True)
    assert await guest.status(STREAM) == 403
    assert (await guest.get(path_of(link))).status == 303
    assert await guest.status(STREAM) == 200
    assert await clicks(gateway, link) == 1


@pytest.mark.parametrize("way", ["off", "deleted", "expired"])
async def test_cut_ends_everything_within_two_seconds(tmp_path: Path, media: Media, way: str) -> None:
    write_config(tmp_path, media, on_revoke="cut")
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM)
        untouched = await Guest(running.port).enter(await running.make_link(ITEM))
        guest = await Guest(running.port).enter(link)
        async with guest.streaming() as stream, guest.talking() as socket, untouched.streaming() as others:
            assert await stream.flows()
            identifier = (await running.link(link)).link.id
            if way == "off":
                await running.desk.disable(identifier)
            elif way == "deleted":
                await running.desk.delete(identifier)
            else:
                await expire(running, link)
            assert await stream.ended(2) < 2
            assert (await socket.receive(timeout=2)).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1008
            assert await others.flows()
        assert await guest.status(STREAM) == 403
        assert await untouched.status(STREAM) == 200


async def test_a_used_up_link_cuts_nobody(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media, on_revoke="cut")
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM, clicks=1)
        guest = await Guest(running.port).enter(link)
        async with guest.streaming() as stream:
            assert await stream.flows(1.2)
        assert await guest.status(PAGE) == 200


async def test_leaving_ends_streams_and_the_cookie_from_before_opens_nothing(gateway: Running, media: Media) -> None:
    link = await gateway.make_link(ITEM, clicks=2)
    guest = await Guest(gateway.port).enter(link)
    kept = Guest(gateway.port, jar=dict(guest.jar))
    async with guest.streaming() as stream, guest.talking() as socket:
        answer = await guest.leave()
        assert answer.status == 200
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert await stream.ended(2) < 2
        assert (await socket.receive(timeout=2)).type is aiohttp.WSMsgType.CLOSE
    for replay in (kept, guest):
        assert [await replay.status(path) for path in (STREAM, PAGE, ENDLESS)] == [403, 403, 403]
    assert (await kept.get(path_of(link))).status == 200  # no longer recognised: the form
    assert await clicks(gateway, link) == 1


async def test_leaving_needs_our_own_page_and_a_get_ends_nothing(gateway: Running) -> None:
    guest = await Guest(gateway.port).enter(await gateway.make_link(ITEM))
    assert (await guest.get("/_gateway/leave")).status == 200
    assert (await guest.ask("POST /_gateway/leave", headers="Origin: https://evil.example\r\n")).status == 403
    assert await guest.status(STREAM) == 200


async def test_at_its_greatest_age_a_grant_ends_with_all_it_has_open(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path, max_age=1.5) as running:
        link = await running.make_link(ITEM, clicks=1)
        guest = await Guest(running.port).enter(link)
        async with guest.streaming() as stream, guest.talking() as socket:
            assert await stream.flows(0.3)
            assert 0.3 < await stream.ended(4) < 3
            assert (await socket.receive(timeout=2)).type is aiohttp.WSMsgType.CLOSE
        assert await guest.status(STREAM) == 403
        assert await guest.status(PAGE) == 403
        assert (await guest.get(path_of(link))).status == 303
        assert await guest.status(PAGE) == 200
        assert await clicks(running, link) == 1


async def test_a_closed_links_grant_ends_when_it_is_left_and_not_while_something_is_open(
    tmp_path: Path, media: Media
) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path, leave_after=1) as running:
        link = await running.make_link(ITEM)
        idle, watching, talking = [await Guest(running.port).enter(link) for _ in range(3)]
        await running.switch(ITEM, on=False)
        async with watching.streaming() as stream, talking.talking() as socket:
            assert await stream.flows(3)
            assert await idle.status(STREAM) == 403
            assert await watching.status(STREAM) == 200
            assert await talking.status(STREAM) == 200
            await socket.send_str("on")
            assert await socket.receive_str(timeout=2) == "you said on"
        await asyncio.sleep(2)
        assert await watching.status(STREAM) == 403
        assert await talking.status(STREAM) == 403


async def test_an_open_links_grant_outlives_a_pause(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path, leave_after=1) as running:
        guest = await Guest(running.port).enter(await running.make_link(ITEM))
        await asyncio.sleep(2.2)
        assert await guest.status(STREAM) == 200


async def test_a_returning_browser_needs_neither_form_nor_click_and_others_do(gateway: Running) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = await Guest(gateway.port).enter(link)
    again = await guest.get(path_of(link))
    assert (again.status, again.headers["location"]) == (303, PAGE)
    assert await Guest(gateway.port).status(path_of(link)) == 410  # used up for everybody else
    assert await clicks(gateway, link) == 1
    await gateway.delete(link)
    assert await guest.status(path_of(link)) == 410
    assert await guest.status(STREAM) == 403


async def test_not_my_device_ends_with_the_browser_and_otherwise_the_cookie_stays(gateway: Running) -> None:
    link = await gateway.make_link(ITEM)
    for own in (True, False):
        guest = Guest(gateway.port)
        form = await guest.form(link)
        answer = await guest.post(link, form, **({} if own else {"not_my_device": "1"}))
        cookie = answer.headers["set-cookie"]
        assert ("Max-Age" in cookie, "Expires" in cookie) == (own, own)
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert (await guest.get(path_of(link))).status == 303
        assert ("Max-Age" in guest.seen[-1].headers["set-cookie"]) is own
        assert await guest.status(STREAM) == 200


async def test_a_second_link_joins_the_first_in_one_cookie(gateway: Running) -> None:
    guest = await Guest(gateway.port).enter(await gateway.make_link(ITEM))
    link = await gateway.make_link(OTHER)
    assert (await guest.post(link, await guest.form(link))).status == 303
    assert [await guest.status(f"/hls/{item}/seg1.ts") for item in (ITEM, OTHER)] == [200, 200]
    assert len(guest.jar["gateway"]) < 1_000


async def test_a_cookie_that_is_not_exactly_ours_opens_nothing(gateway: Running, tmp_path: Path, media: Media) -> None:
    guest = await Guest(gateway.port).enter(await gateway.make_link(ITEM))
    good = guest.jar["gateway"]
    (tmp_path / "other").mkdir()
    write_config(tmp_path / "other", media)
    async with running_worker(tmp_path / "other") as other:
        foreign = (await Guest(other.port).enter(await other.make_link(ITEM))).jar["gateway"]
    middle = len(good) // 2
    flipped = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
    for bad in (
        good[:-1],
        good[: len(good) // 2],
        good + "A",
        good + "==",
        good + good,
        good[1:],
        flipped,
        good.swapcase(),
        f'"{good}"',
        f"{good}; gateway={good}",
        f"{good}; gateway=",
        foreign,
        "x" * 5_000,
        "%00",
        "",
    ):
        thief = Guest(gateway.port, jar={"gateway": bad})
        assert await thief.status(STREAM) == 403, bad
        assert await thief.status(PAGE) == 403, bad
    assert await guest.status(STREAM) == 200
    # Other cookies beside it do no harm.
    assert await Guest(gateway.port, jar={"a": "b", "gateway": good, "gateways": "x"}).status(STREAM) == 200
