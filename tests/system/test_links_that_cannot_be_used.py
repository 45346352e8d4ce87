"""The table of cases and statuses, row by row: on the entry page, its form, the media's page and its streams.

`entry`, `post` are a stranger's; `page`, `stream` those of a guest who came in while all was well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import Answer, Running, free_port
from tests.system.stage import (
    ITEM,
    PAGE,
    STREAM,
    Guest,
    Media,
    clicks,
    expire,
    form_id,
    path_of,
    records,
    running_worker,
    separate_store,
    store_line,
    until,
    write_config,
)

INVALID, OFF, GONE = "no longer valid", "Access is turned off", "no longer available"
DOWN, SLOW, UNCHECKED, ENDED = "can’t be reached", "taking too long", "can’t check", "Your access has ended"


async def nothing(running: Running, media: Media, link: str) -> None:
    pass


async def item_off(running: Running, media: Media, link: str) -> None:
    await running.switch(ITEM, on=False)


async def link_off(running: Running, media: Media, link: str) -> None:
    await running.desk.disable((await running.link(link)).link.id)


async def expired(running: Running, media: Media, link: str) -> None:
    await expire(running, link)


async def deleted(running: Running, media: Media, link: str) -> None:
    await running.delete(link)


async def used_up(running: Running, media: Media, link: str) -> None:
    await running.desk.edit((await running.link(link)).link.id, {"clicks": 1})


async def media_gone(running: Running, media: Media, link: str) -> None:
    media.mode = "gone"


async def server_down(running: Running, media: Media, link: str) -> None:
    await media.stop()


async def server_slow(running: Running, media: Media, link: str) -> None:
    media.mode = "slow"


@dataclass(frozen=True)
class Row:
    happens: Callable[[Running, Media, str], Awaitable[None]]
    entry: tuple[int, str]
    post: tuple[int, str]
    page: tuple[int, str]
    stream: int  # after the page was opened
    before: int = 200  # a stream before the page is opened: who is in stays in until they refresh


ROWS = [
    Row(nothing, (200, "Continue"), (303, ""), (200, "page of"), 200),
    Row(item_off, (410, OFF), (410, OFF), (410, OFF), 403),
    Row(link_off, (410, OFF), (410, OFF), (410, OFF), 403),
    Row(expired, (410, INVALID), (410, INVALID), (410, INVALID), 403),
    Row(deleted, (410, INVALID), (410, INVALID), (410, INVALID), 403),
    Row(used_up, (410, INVALID), (410, INVALID), (200, "page of"), 200),
    Row(media_gone, (410, GONE), (410, GONE), (410, GONE), 403, before=404),
    Row(server_down, (502, DOWN), (502, DOWN), (502, DOWN), 502, before=502),
    Row(server_slow, (504, SLOW), (504, SLOW), (504, SLOW), 504, before=504),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.happens.__name__)
async def test_each_case_has_its_status_and_message_and_uses_no_click(gateway: Running, media: Media, row: Row) -> None:
    link = await gateway.make_link(ITEM, clicks=5)
    identifier = (await gateway.link(link)).link.id
    inside = await Guest(gateway.port).enter(link)
    stranger = Guest(gateway.port)
    form = await stranger.form(link)
    await row.happens(gateway, media, link)

    assert (await inside.get(STREAM, page=False)).status == row.before
    await shows(stranger, f"GET {path_of(link)}", row.entry, media)
    assert (await Guest(gateway.port).ask(f"HEAD {path_of(link)}")).status == row.entry[0]
    await shows(inside, f"GET {PAGE}", row.page, media)
    assert (await inside.get(STREAM, page=False)).status == row.stream
    if row.page[0] == 410:
        await shows(inside, f"GET {STREAM}", (403, ENDED), media)
    answer = await stranger.post(link, form, page=False)
    says(answer, row.post, media)
    assert (await records(gateway).get(identifier)).link.clicks_used == (2 if row.post[0] == 303 else 1)  # type: ignore[union-attr]


async def test_a_link_that_never_existed_is_not_found(gateway: Running, media: Media) -> None:
    link = f"{gateway.url}/g/{'A' * 22}"
    stranger = Guest(gateway.port)
    await shows(stranger, f"GET {path_of(link)}", (404, INVALID), media)
    says(await stranger.post(link, "A" * 51), (404, INVALID), media)
    says(await stranger.post(link, "A" * 51, page=False), (404, INVALID), media)
    assert media.asked == []


async def test_without_a_session_the_media_says_that_a_link_is_needed(gateway: Running, media: Media) -> None:
    for path in ("/", PAGE, STREAM, "/favicon.ico"):
        await shows(Guest(gateway.port), f"GET {path}", (403, "need a guest link"), media)
    assert media.asked == []


async def test_the_servers_master_switch_turns_all_its_links_off(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM)
        inside = await Guest(running.port).enter(link)
    config = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(config + "    guest_access: false\n")
    async with running_worker(tmp_path) as running:
        await shows(Guest(running.port), f"GET {path_of(link)}", (410, OFF), media)
        await shows(inside, f"GET {path_of(link)}", (410, OFF), media)
        assert await inside.status(STREAM) == 403
        assert (await inside.get(PAGE)).status == 403


async def test_unknown_expired_used_up_and_deleted_read_the_same(gateway: Running, media: Media) -> None:
    links = [await gateway.make_link(ITEM, clicks=1) for _ in range(3)]
    await Guest(gateway.port).enter(links[0])
    await expired(gateway, media, links[1])
    await deleted(gateway, media, links[2])
    links.append(f"{gateway.url}/g/{'B' * 22}")
    pages, problems = set(), set()
    for link in links:
        page = await Guest(gateway.port).get(path_of(link))
        pages.add(re.sub(r"Reference: \w+", "", page.body.decode()))
        problems.add(json.loads((await Guest(gateway.port).get(path_of(link), page=False)).body)["detail"])
    assert len(pages) == 1
    assert len(problems) == 1


async def test_with_the_store_down_nobody_new_comes_in_and_who_is_known_goes_on(tmp_path: Path, media: Media) -> None:
    async with separate_store(tmp_path) as store:
        write_config(tmp_path, media, extra=store_line(store))
        async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
            link = await running.make_link(ITEM, clicks=5)
            inside = await Guest(running.port).enter(link)
            elsewhere = Guest(other.port, inside.host, dict(inside.jar))
            stranger = Guest(running.port)
            form = await stranger.form(link)
            await store.stop()

            assert await inside.status(STREAM) == 200
            for path in (path_of(link), PAGE):
                await shows(inside, f"GET {path}", (503, UNCHECKED), media)
            await shows(stranger, f"GET {path_of(link)}", (503, UNCHECKED), media)
            for page in (True, False):
                says(await stranger.post(link, form, page=page), (503, UNCHECKED), media)
            await shows(elsewhere, f"GET {STREAM}", (503, UNCHECKED), media)
            assert (await inside.leave()).status == 503
            assert await stranger.status("/_gateway/health/live") == 200
            await until("not ready", lambda: _is(stranger, "/_gateway/health/ready", 503))

            await store.start(alone=True)
            await until("ready", lambda: _is(stranger, "/_gateway/health/ready", 200))
            assert await inside.status(PAGE) == 200
            assert await elsewhere.status(STREAM) == 200
            assert await clicks(running, link) == 1
            assert (await stranger.post(link, form)).status == 303


async def test_an_unreachable_server_ends_no_grant(gateway: Running, media: Media) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = await Guest(gateway.port).enter(link)
    await media.stop()
    assert await guest.status(PAGE) == 502
    await media.start()
    assert await guest.status(PAGE) == 200
    media.mode = "slow"
    assert await guest.status(PAGE) == 504
    media.mode = "ok"
    assert await guest.status(STREAM) == 200


async def test_the_form_admits_once_the_server_is_back(gateway: Running, media: Media) -> None:
    link = await gateway.make_link(ITEM, clicks=1)
    guest = Guest(gateway.port)
    form = form_id(await guest.get(path_of(link)))
    await media.stop()
    assert (await guest.post(link, form)).status == 502
    wrong = await guest.post(link, form, email="ada")  # what was typed is not lost for it
    assert wrong.status == 422
    assert b'value="ada"' in wrong.body
    await media.start()
    assert (await guest.post(link, form)).status == 303


async def shows(guest: Guest, line: str, wanted: tuple[int, str], media: Media) -> None:
    """To a browser and to a program alike."""
    says(await guest.ask(line), wanted, media)
    if wanted[0] >= 400:
        again = (403, ENDED) if wanted[0] == 410 and PAGE in line else wanted  # the first refusal ended the grant
        says(await guest.ask(line, page=False), again, media)


def says(answer: Answer, wanted: tuple[int, str], media: Media) -> None:
    status, text = wanted
    body = answer.body.decode()
    assert answer.status == status, answer
    kind = answer.headers.get("content-type", "")
    if status >= 400:
        if kind == "application/problem+json":
            problem = json.loads(body)
            assert problem["status"] == status
            assert problem["reference"]
            assert problem["detail"]
        else:
            assert kind.startswith("text/html"), kind
            assert text in body, body
            assert "Reference: " in body
        assert ("retry-after" in answer.headers) == (status == 503)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in answer.headers["x-robots-tag"]
    heads = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    for word in (str(media.port), "upstream", "media server", "aiohttp", "python", "traceback"):
        assert word not in (heads + body).lower(), word


async def _is(guest: Guest, path: str, status: int) -> bool:
    return await guest.status(path) == status
