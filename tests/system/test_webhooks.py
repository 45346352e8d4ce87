"""A whole gateway and real receivers: what arrives, what is not held up, and what survives whose death."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.access.managing import ManagerDesk
from gateway.access.permits import everything
from gateway.doors import now
from gateway.loading import load
from gateway.store.notices import NoticeQueue
from tests import receivers
from tests.receivers import SECRET, GoodReceiver, good_receiver, wire_receiver
from tests.running import Running, free_port
from tests.system.processes import make_link, served
from tests.system.stage import (
    ITEM,
    Guest,
    Media,
    media_server,
    path_of,
    running_worker,
    separate_store,
    store_line,
    until,
    write_config,
)

ME = everything("alice")
DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"


def webhooks(**urls: str) -> str:
    lines = [
        f"  - {{name: {name}, url: '{url}', secret: '{SECRET.decode()}', allow_internal: true}}\n"
        for name, url in urls.items()
    ]
    return "webhooks:\n" + "".join(lines)


def configure(folder: Path, media: Media, extra: str = "", **urls: str) -> int:
    (folder / "config.yaml").touch(mode=0o600)
    return write_config(folder, media, extra=extra + webhooks(**urls))


def desk(running: Running) -> ManagerDesk:
    return ManagerDesk(running.desk, running.gateway.lasting.trail, now)


async def link_of(running: Running, **limits: object) -> tuple[str, str]:
    made: Any = await desk(running).create(ME, "tv", ITEM, {"name": "Film club", **limits})
    return made.link.id, made.url


async def heard(receiver: GoodReceiver, *events: str, seconds: float = 20) -> None:
    await until(f"{events} arrive", lambda: set(events) <= set(receiver.events), seconds)


@dataclass
class Example:
    """What docs/webhooks.md gives to receivers."""

    verified: Callable[..., bool]
    notice: str


@pytest.fixture
def example() -> Example:
    text = DOCUMENT.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S)
    notice = re.search(r"```json\n(.*?)```", text, re.S)
    assert code
    assert notice
    names: dict[str, Any] = {}
    exec(code[1], names)
    return Example(names["verified"], notice[1])


@pytest.fixture
async def media() -> AsyncIterator[Media]:
    async with media_server() as media:
        yield media


async def test_what_happens_arrives_and_verifies_as_documented(tmp_path: Path, media: Media, example: Example) -> None:
    async with good_receiver() as receiver:
        configure(tmp_path, media, hook=receiver.url)
        async with running_worker(tmp_path) as running:
            await until("it begins", lambda: running.gateway.notices._lanes)
            link, url = await link_of(running, clicks=1)
            browser = Guest(running.port)
            await browser.ask(f"GET {path_of(url)}", headers="Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n")
            await heard(receiver, "link_opened")
            await browser.enter(url)
            await heard(receiver, "guest_admitted", "link_used_up")
            await desk(running).edit(ME, link, {"enabled": False})
            await desk(running).set_access(ME, "tv", ITEM, False)
            (guest,) = await desk(running).guests(ME)  # type: ignore[misc]
            await desk(running).remove(ME, guest.guest.id)
            await desk(running).delete(ME, link)
            await heard(receiver, "link_disabled", "access_disabled", "guest_removed", "link_deleted")
            counted = b'gateway_webhook_notices_total{result="sent",webhook="hook"} 7.0'
            await until("all are counted", lambda: counted in running.gateway.metrics.text(), 20)
    assert sorted(receiver.events) == sorted({*receiver.events}), "each once"
    assert len({one.id for one in receiver.got}) == len(receiver.got)
    for one in receiver.got:
        assert one.headers["content-type"] == "application/json"
        assert example.verified(SECRET.decode(), one.headers, one.body)
        assert not example.verified(SECRET.decode(), one.headers, one.body + b" ")
        assert not example.verified("another secret, of 16 and more", one.headers, one.body)
        late = {**one.headers, "webhook-timestamp": str(int(time.time()) - 400)}
        assert not example.verified(SECRET.decode(), late, one.body)
        said = one.body.decode()
        assert url.rpartition("/")[2] not in said
        assert "Ada" not in said


async def test_a_notice_has_the_keys_of_the_documented_one(tmp_path: Path, media: Media, example: Example) -> None:
    def shape(value: object) -> object:
        return {name: shape(one) for name, one in value.items()} if isinstance(value, dict) else None

    async with good_receiver() as receiver:
        configure(tmp_path, media, hook=receiver.url)
        async with running_worker(tmp_path) as running:
            await until("it begins", lambda: running.gateway.notices._lanes)
            _, url = await link_of(running, clicks=30, days=7)
            await Guest(running.port).enter(url)
            await heard(receiver, "guest_admitted")
    told = next(one for one in receiver.got if one.event == "guest_admitted")
    assert shape(told.json) == shape(json.loads(example.notice))
    assert list(told.json) == list(json.loads(example.notice))


async def test_the_entry_page_says_where_what_is_typed_goes(tmp_path: Path, media: Media) -> None:
    said = b"also sent to another program"
    async with good_receiver() as receiver:
        configure(tmp_path, media, hook=receiver.url)
        for include, expected in (("", False), (", include_guests: true", True)):
            text = (tmp_path / "config.yaml").read_text()
            (tmp_path / "config.yaml").write_text(
                text.replace("allow_internal: true", f"allow_internal: true{include}")
            )
            async with running_worker(tmp_path) as running:
                await until("it begins", lambda: running.gateway.notices._lanes)
                _, url = await link_of(running)
                guest = Guest(running.port)
                assert (said in (await guest.get(path_of(url))).body) is expected
                await guest.enter(url)
                await until("they are told of", lambda: "guest_admitted" in receiver.events, 20)
            told = next(one for one in receiver.got if one.event == "guest_admitted").json["guest"]
            assert ("name" in told) is expected
            receiver.got.clear()


@pytest.mark.parametrize(
    "talk",
    [receivers.never_answers, receivers.trickles_its_head, receivers.has_an_endless_header],
    ids=lambda talk: talk.__name__,
)
async def test_a_hanging_receiver_holds_up_neither_guests_nor_other_receivers(
    tmp_path: Path, media: Media, talk: receivers.Wire
) -> None:
    async with good_receiver() as receiver, wire_receiver(talk) as port:
        configure(tmp_path, media, bad=f"http://127.0.0.1:{port}/", good=receiver.url)
        async with running_worker(tmp_path) as running:
            await until("it begins", lambda: len(running.gateway.notices._lanes) == 2)
            _, url = await link_of(running)
            for number in range(6):
                await Guest(running.port).enter(url, name=f"Guest {number}")
            await until("all are told", lambda: receiver.events.count("guest_admitted") == 6, 9)


async def test_what_fails_is_repeated_under_its_id(tmp_path: Path, media: Media) -> None:
    async with good_receiver(next=[500]) as receiver:
        configure(tmp_path, media, hook=receiver.url)
        async with running_worker(tmp_path) as running:
            await until("it begins", lambda: running.gateway.notices._lanes)
            link, _ = await link_of(running)
            await desk(running).delete(ME, link)
            await until("it comes again", lambda: len(receiver.got) == 2, 30)
    one, two = receiver.got
    assert (one.id, one.body) == (two.id, two.body)
    assert one.headers["webhook-timestamp"] != two.headers["webhook-timestamp"]
    assert two.signed_by(SECRET)


async def test_of_two_gateways_on_one_store_one_sends_and_the_other_follows_it(tmp_path: Path, media: Media) -> None:
    async with good_receiver() as receiver:
        configure(tmp_path, media, hook=receiver.url)
        async with running_worker(tmp_path) as first:
            await until("it begins", lambda: first.gateway.notices._lanes)
            async with running_worker(tmp_path, free_port()) as second:
                _, url = await link_of(first)
                for number in range(5):
                    await Guest((first, second)[number % 2].port, first.port and f"127.0.0.1:{first.port}").enter(url)
                await until("all are told", lambda: receiver.events.count("guest_admitted") == 5, 20)
                assert not second.gateway.notices._lanes
                assert len({one.id for one in receiver.got}) == len(receiver.got) == 6
                # The first one falls silent, as if its machine had died: nobody gives the lease back.
                notices = first.gateway.notices
                notices._queue._who = "nobody any more"
                notices._queue.hold = _never  # type: ignore[method-assign]
                link, _ = await link_of(second)
                await desk(second).delete(ME, link)
                await heard(receiver, "link_deleted", seconds=40)
                assert second.gateway.notices._lanes
        assert receiver.events.count("link_deleted") == 1


async def _never() -> bool:
    return False


async def test_a_gateway_killed_in_the_middle_of_it_sends_again_when_it_is_back(tmp_path: Path, media: Media) -> None:
    async with good_receiver(hold=asyncio.Event()) as receiver:
        port = configure(tmp_path, media, hook=receiver.url)
        link = ""
        async with served(tmp_path, port, workers=1) as gateway:
            await asyncio.sleep(2)
            link = (await make_link(tmp_path))["url"]
            await Guest(port).enter(link)
            await until("it is being sent", lambda: len(receiver.got) == 2, 20)
            gateway.process.send_signal(signal.SIGKILL)
            await gateway.process.wait()
        assert receiver.hold is not None
        receiver.hold.set()
        before = [one.id for one in receiver.got]
        async with served(tmp_path, port, workers=2):
            await until("it comes again", lambda: len(receiver.got) == 4, 60)
            assert sorted(one.id for one in receiver.got[2:]) == sorted(before)


async def test_a_store_that_dies_and_comes_back_has_kept_what_was_waiting(tmp_path: Path, media: Media) -> None:
    async with good_receiver(next=[503]) as receiver, separate_store(tmp_path) as store:
        configure(tmp_path, media, extra=store_line(store), hook=receiver.url)
        async with running_worker(tmp_path) as running:
            await until("it begins", lambda: running.gateway.notices._lanes)
            link, _ = await link_of(running)
            await desk(running).edit(ME, link, {"enabled": False})
            await until("it was refused", lambda: len(receiver.got) == 1, 20)
            await store.stop()
            await asyncio.sleep(6)
            await store.start(alone=True)
            await until("it comes again", lambda: len(receiver.got) >= 2, 60)
            await until("nothing waits", lambda: _empty(running), 30)


async def _empty(running: Running) -> bool:
    queue = NoticeQueue(running.desk._links.store, "")
    return (await queue.states(["hook"]))["hook"].waiting == 0


@asynccontextmanager
async def two_receivers() -> AsyncIterator[tuple[GoodReceiver, GoodReceiver]]:
    async with good_receiver() as one, good_receiver() as two:
        yield one, two


async def test_other_settings_come_into_force(tmp_path: Path, media: Media) -> None:
    async with two_receivers() as (one, two):
        configure(tmp_path, media, hook=one.url)
        async with running_worker(tmp_path) as running:
            found = running.gateway.doors.loaded
            await until("it begins", lambda: running.gateway.notices._lanes)
            link, _ = await link_of(running)
            await desk(running).edit(ME, link, {"enabled": False})
            await heard(one, "link_disabled")

            async def put(text: str) -> None:
                nonlocal found
                path = tmp_path / "config.yaml"
                path.write_text(path.read_text().partition("webhooks:")[0] + text)
                found = load(path, before=found)
                await running.gateway.adapt(found)

            await put(webhooks(hook=two.url))
            await desk(running).delete(ME, link)
            await heard(two, "link_deleted")
            assert one.events == ["link_disabled"]
            await put("")
            await until("it ends", lambda: not running.gateway.notices._lanes, 10)
            queue = NoticeQueue(running.desk._links.store, "")
            await until("its marks go", lambda: _no_marks(queue), 10)
            again, _ = await link_of(running)
            await desk(running).delete(ME, again)
            await put(webhooks(hook=one.url))
            await until("it begins anew", lambda: running.gateway.notices._lanes, 10)
            third, _ = await link_of(running)
            await desk(running).delete(ME, third)
            await heard(one, "link_deleted")


async def _no_marks(queue: NoticeQueue) -> bool:
    return not [name for name in await queue.marks() if name.startswith("webhook:")]
