"""From what happens to what receivers hear: on the real store, with a clock that moves only when told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest

from gateway.access.admit import Doorkeeper, Entrance
from gateway.access.delivering import Lane, address_digest
from gateway.access.grants import GrantTable
from gateway.access.index import LinkIndex
from gateway.access.managing import ManagerDesk
from gateway.access.noticing import Audience, Noticing
from gateway.access.permits import everything
from gateway.access.reentry import Admitted
from gateway.access.servers import Servers
from gateway.access.views import rfc3339
from gateway.access.words import PostedForm
from gateway.config import NoticeEvent, Prefixes, Webhook
from gateway.errors import StoreTooNew
from gateway.links.events import Action, Event
from gateway.links.records import SCHEMA
from gateway.metrics import Metrics
from gateway.store import names
from gateway.store import notices as store_notices
from gateway.store.audit import AuditTrail
from gateway.store.client import Store
from gateway.store.links import LinkStore
from gateway.store.notices import HIDDEN, LEASE, NoticeQueue, QueueState
from gateway.upstream.receiver import Reply, Trouble
from tests.access.world import COOKIE, World, make_server, make_world
from tests.fakes import ShiftedClock
from tests.receivers import SECRET, Got

ME = everything("alice")
HOUR, DAY = 3_600_000, 86_400_000


class SetClock(ShiftedClock):
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.at = super().__call__()

    def __call__(self) -> int:
        return self.at + self.ahead

    def forward(self, ms: int) -> None:
        self.at += ms


@dataclass
class FakeReceiver:
    """Takes everything, unless `replies` say otherwise."""

    got: list[Got] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    always: Reply | None = None
    refuses: set[str] = field(default_factory=set)  # events
    breaks: bool = False

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        self.got.append(Got(dict(headers), body))
        await asyncio.sleep(0)
        if self.breaks:
            raise LookupError("a fault of ours")
        if self.got[-1].event in self.refuses:
            return REFUSED
        if self.replies:
            return self.replies.pop(0)
        return self.always or Reply(None, 0.01, 204)

    @property
    def events(self) -> list[str]:
        return [one.event for one in self.got]


REFUSED = Reply(Trouble.STATUS, 0.01, 500)
NOBODY = Reply(Trouble.CONNECTION, 0.01)


@dataclass
class Post:
    """Everything between a happening and a receiver, in one process."""

    world: World
    clock: SetClock
    queue: NoticeQueue
    noticing: Noticing
    audience: Audience
    desk: ManagerDesk
    door: Doorkeeper
    trail: AuditTrail
    links: LinkStore
    metrics: Metrics = field(default_factory=Metrics)
    receiver: FakeReceiver = field(default_factory=FakeReceiver)
    servers: Servers | None = None
    lanes: dict[str, Lane] = field(default_factory=dict)

    def lane(self, name: str = "hook") -> Lane:
        if name not in self.lanes:
            webhook = next(one for one in self.audience.webhooks if one.name == name)
            self.lanes[name] = Lane(
                webhook, self.receiver, self.queue, self.links.guests, self.metrics, self.clock, chance=lambda: 0.5
            )
        return self.lanes[name]

    async def hear(self, *, ahead: bool = False) -> None:
        await self.noticing.read_log(self.audience, self.servers or self.world.servers)
        if ahead:
            await self.noticing.look_ahead(self.audience, self.servers or self.world.servers)

    async def send(self, name: str = "hook") -> float:
        """Until nothing more is due; how long there is nothing to do."""
        while not (wait := await self.lane(name).round()):
            pass
        return wait

    async def told(self, *, ahead: bool = False) -> list[str]:
        """What the receiver has heard of since the last time."""
        await self.hear(ahead=ahead)
        before = len(self.receiver.got)
        await self.send()
        return self.receiver.events[before:]

    async def state(self, name: str = "hook") -> QueueState:
        return (await self.queue.states([name]))[name]

    async def link(self, **fields: Any) -> tuple[str, str]:
        """A new link's id and token, made by a manager."""
        made: Any = await self.desk.create(ME, "tv", "film1", {"name": "Friends", **fields})
        return made.link.id, made.url.rpartition("/")[2]

    async def admit(self, token: str, name: str = "Ada", email: str = "ada@example.org") -> Admitted:
        form = self.door.new_form(token, COOKIE, self.clock())
        done = await self.door.admit(token, self.world.servers.all[0], PostedForm(name, email, form, False), COOKIE, ())
        assert isinstance(done, Admitted), done
        return done


def webhook(name: str = "hook", **options: Any) -> Webhook:
    return Webhook(name=name, url=f"https://hooks.example.org/{name}", secrets=(SECRET,), **options)


def audience(*webhooks: Webhook) -> Audience:
    return Audience(webhooks, {one.name: address_digest(one) for one in webhooks})


Making = Callable[..., Any]


@pytest.fixture
async def make_post(store: Store) -> AsyncIterator[Making]:
    world = await make_world(store)
    tasks = []

    clock = SetClock()

    async def make(*webhooks: Webhook, who: str = "one", begin: bool = True) -> Post:
        links = LinkStore(store, world.desk._links.keys, retention=90 * DAY)
        trail = AuditTrail(store)
        world.clock = clock
        world.desk._clock = clock
        table = GrantTable(links, world.servers, world.session, clock, resolve=world.media.resolve)
        tasks.append(asyncio.create_task(table.run()))
        while table.unheard() > 0.5 or not table.caught_up:
            await asyncio.sleep(0.01)
        door = Doorkeeper(links, table, world.session, Prefixes(), clock, resolve=world.media.resolve, trail=trail)
        queue = NoticeQueue(store, who)
        metrics = Metrics()
        noticing = Noticing(links, trail, LinkIndex(links, clock), queue, clock, metrics.webhook_dropped)
        heard = audience(*(webhooks or (webhook(),)))
        post = Post(
            world, clock, queue, noticing, heard, ManagerDesk(world.desk, trail, clock), door, trail, links, metrics
        )
        if begin:
            assert await queue.hold()
            await noticing.begin(heard)
        return post

    yield make
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def post(make_post: Making) -> Post:
    made: Post = await make_post()
    return made


# --- what is told ---------------------------------------------------------------------------------


async def test_each_guest_and_the_last_click(post: Post) -> None:
    link, token = await post.link(clicks=2)
    await post.admit(token, "Ada")
    assert await post.told() == ["link_opened", "guest_admitted"]
    await post.admit(token, "Ben", "ben@example.org")
    assert sorted(await post.told()) == ["guest_admitted", "link_used_up"]
    assert await post.told() == []
    said = post.receiver.got[-1].json
    assert said["link"] == {
        "id": link,
        "name": "Friends",
        "state": "used_up",
        "clicks": {"limit": 2, "used": 2},
        "expires_at": None,
    }
    assert (said["server"], said["item"], said["title"]) == ("tv", "film1", "Ein Film")
    assert all(one.signed_by(SECRET) for one in post.receiver.got)


async def test_a_limit_set_to_what_is_used_uses_a_link_up(post: Post) -> None:
    link, token = await post.link(clicks=5)
    await post.admit(token)
    await post.told()
    await post.desk.edit(ME, link, {"clicks": 1})
    assert await post.told() == ["link_used_up"]
    await post.desk.edit(ME, link, {"clicks": 2})
    assert await post.told() == []
    await post.admit(token, "Ben", "ben@example.org")
    assert sorted(await post.told()) == ["guest_admitted", "link_used_up"], "the limit is new, and reached"


async def test_switches_removal_erasure_and_deletion(post: Post) -> None:
    link, token = await post.link()
    one, two = await post.admit(token), await post.admit(token, "Ben", "ben@example.org")
    await post.told()
    await post.desk.edit(ME, link, {"enabled": False})
    await post.desk.edit(ME, link, {"enabled": True})
    assert await post.told() == ["link_disabled"]
    await post.desk.set_access(ME, "tv", "film1", False)
    await post.desk.set_access(ME, "tv", "film1", False)
    assert await post.told() == ["access_disabled"]
    said = post.receiver.got[-1].json
    assert (said["item"], said["title"], said["link"], said["guest"]) == ("film1", "Ein Film", None, None)
    await post.desk.remove(ME, one.live.guest.id)
    assert await post.told() == ["guest_removed"]
    assert post.receiver.got[-1].json["guest"] == {"id": one.live.guest.id}
    await post.desk.erase(ME, "ben@example.org")
    assert await post.told() == ["guest_erased"]
    assert post.receiver.got[-1].json["guest"] == {"id": two.live.guest.id}
    await post.desk.delete(ME, link)
    assert await post.told() == ["link_deleted"]
    assert post.receiver.got[-1].json["link"]["state"] == "deleted"


async def test_no_notice_holds_a_token_an_address_or_a_name(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post.receiver.replies = [REFUSED] * 3
    link, token = await post.link(clicks=1)
    done = await post.admit(token, "Ada Lovelace", "ada@example.org")
    await post.hear()
    stored = await post.world.store.run(lambda client: client.hgetall(names.webhook("hook")[2]))
    for _ in range(4):
        await post.send()
        post.clock.forward(HOUR)
    await post.desk.remove(ME, done.live.guest.id)
    await post.desk.delete(ME, link)
    await post.told()
    said = b"".join(one.body for one in post.receiver.got).decode() + json.dumps(stored) + caplog.text
    assert "guest_removed" in said
    for secret in (token, "Lovelace", "ada@", "/g/", "hooks.example.org", SECRET.decode()):
        assert secret not in said


async def test_guests_words_are_told_where_the_operator_says_so_and_as_they_are_now(make_post: Making) -> None:
    post = await make_post(webhook(include_guests=True), webhook("plain"))
    _, token = await post.link()
    one, _ = await post.admit(token), await post.admit(token, "Ben", "ben@example.org")
    await post.hear()
    stored = await post.world.store.run(lambda client: client.hgetall(names.webhook("hook")[2]))
    assert "ada@example.org" not in json.dumps(stored), "not even where they wait"
    await post.desk.remove(ME, one.live.guest.id, erase=True)
    await post.send()
    guests = [got.json["guest"] for got in post.receiver.got if got.event == "guest_admitted"]
    assert {"id": one.live.guest.id, "name": None, "email": None, "fields": {}} in guests
    assert [(guest["name"], guest["email"]) for guest in guests if guest["name"]] == [("Ben", "ben@example.org")]
    post.receiver.got.clear()
    await post.send("plain")
    assert all(got.json["guest"] is None or set(got.json["guest"]) == {"id"} for got in post.receiver.got)


async def test_only_what_a_webhook_asked_for(make_post: Making) -> None:
    post = await make_post(
        webhook(events=frozenset({NoticeEvent.LINK_DELETED})),
        webhook("elsewhere", servers=("radio",)),
        webhook("here", servers=("tv",), events=frozenset({NoticeEvent.GUEST_ADMITTED})),
    )
    link, token = await post.link()
    await post.admit(token)
    await post.desk.delete(ME, link)
    await post.hear()
    assert [(await post.state(name)).waiting for name in ("hook", "elsewhere", "here")] == [1, 0, 1]


async def test_what_was_before_the_webhook_is_not_told(make_post: Making) -> None:
    post = await make_post(begin=False)
    _, token = await post.link()
    await post.admit(token)
    assert await post.queue.hold()
    await post.noticing.begin(post.audience)
    assert await post.told() == []
    await post.admit(token, "Ben", "ben@example.org")
    assert await post.told() == ["guest_admitted"]


async def test_what_is_older_than_a_day_is_no_news(post: Post) -> None:
    _, token = await post.link()
    await post.admit(token)
    post.clock.forward(DAY + 1)
    await post.admit(token, "Ben", "ben@example.org")
    assert await post.told() == ["guest_admitted"]


# --- the first opening ----------------------------------------------------------------------------


async def opened(post: Post, token: str) -> None:
    entrance = await post.door.look(token, post.world.servers.all[0])
    assert isinstance(entrance, Entrance)
    post.door.shown(entrance)
    while post.door._opening:
        await asyncio.sleep(0.01)


async def test_a_link_is_opened_for_the_first_time_once(post: Post) -> None:
    _, token = await post.link()
    await asyncio.gather(*(opened(post, token) for _ in range(5)))
    assert await post.told() == ["link_opened"]
    await opened(post, token)
    await post.admit(token)
    assert await post.told() == ["guest_admitted"]


async def test_many_who_look_at_once_on_many_workers_are_one_opening(make_post: Making, store: Store) -> None:
    post = await make_post()
    link, _ = await post.link()
    found = await asyncio.gather(*(post.links.opened(link, now=post.clock()) for _ in range(50)))
    assert sum(found) == 1
    await post.desk.delete(ME, link)
    assert not await post.links.opened(link, now=post.clock())
    assert not await post.links.opened(link[:-1] + "x", now=post.clock())
    assert not await store.run(lambda client: client.exists(names.link(link[:-1] + "x"))), "nothing is made by looking"


async def test_looking_alone_writes_nothing(post: Post) -> None:
    link, token = await post.link()
    for _ in range(3):
        assert isinstance(await post.door.look(token, post.world.servers.all[0]), Entrance)
    seen = await post.links.get(link)
    assert seen is not None
    assert seen.link.opened_at is None
    assert await post.told() == []


# --- dates and the operator's switch -----------------------------------------------------------------


async def test_a_day_before_the_end_once_for_each_end(post: Post) -> None:
    link, _ = await post.link(days=3)
    assert await post.told(ahead=True) == []
    post.clock.forward(2 * DAY - 1_000)
    assert await post.told(ahead=True) == []
    post.clock.forward(2_000)
    assert await post.told(ahead=True) == ["link_expires_soon"]
    assert await post.told(ahead=True) == []
    await post.desk.edit(ME, link, {"days": 2})
    assert await post.told(ahead=True) == []
    post.clock.forward(DAY + 1_000)
    assert await post.told(ahead=True) == ["link_expires_soon"], "another end"
    assert len({one.id for one in post.receiver.got}) == 2
    post.clock.forward(DAY)
    assert await post.told(ahead=True) == []
    marks = await post.queue.marks()
    assert not [name for name in marks if name.startswith("expires:")], "and nothing is kept of it"


async def test_who_has_just_said_that_it_ends_in_a_day_is_not_told(post: Post) -> None:
    link, _ = await post.link(days=1)
    other, _ = await post.link(days=9)
    assert await post.told(ahead=True) == []
    post.clock.forward(DAY + HOUR)
    await post.desk.edit(ME, other, {"days": 1})
    await post.hear()
    post.clock.forward(HOUR)
    assert await post.told(ahead=True) == []
    assert link != other


async def test_a_link_that_nobody_can_use_does_not_end_soon(post: Post) -> None:
    link, _ = await post.link(days=2)
    await post.desk.edit(ME, link, {"enabled": False})
    post.clock.forward(DAY + HOUR)
    assert await post.told(ahead=True) == [], "what was turned off a day ago is no news either"
    await post.desk.edit(ME, link, {"enabled": True})
    assert await post.told(ahead=True) == ["link_expires_soon"], "it is on again, in time"


async def test_a_link_that_has_not_begun_ends_soon_too_and_says_so(post: Post) -> None:
    link, _ = await post.link(days=2)
    starts = post.clock() + 2 * DAY - HOUR
    await post.desk.edit(ME, link, {"starts_at": rfc3339(starts)})
    post.clock.forward(DAY + HOUR)
    assert await post.told(ahead=True) == ["link_expires_soon"]
    assert post.receiver.got[-1].json["link"]["state"] == "scheduled"


async def test_the_operators_switch_of_a_server(post: Post) -> None:
    assert await post.told(ahead=True) == []
    post.servers = Servers([make_server("tv", access=False), make_server("radio", host="radio.example.org")])
    assert await post.told(ahead=True) == ["server_disabled"]
    said = post.receiver.got[-1].json
    assert (said["server"], said["item"], said["link"]) == ("tv", None, None)
    assert await post.told(ahead=True) == []
    post.servers = None
    assert await post.told(ahead=True) == []


# --- sending --------------------------------------------------------------------------------------


async def test_a_notice_is_tried_again_ever_more_seldom_for_a_day_under_one_id(post: Post) -> None:
    post.receiver.always = REFUSED
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    began, at = post.clock(), []
    while (await post.state()).waiting:
        before = len(post.receiver.got)
        await post.send()
        if len(post.receiver.got) > before:
            at.append((post.clock() - began) / 1000)
        post.clock.forward(5_000 if len(at) < 3 else 60_000)
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps == sorted(gaps)
    assert gaps[0] <= 10
    assert at[-1] <= DAY / 1000
    assert 8 <= len(at) <= 11, at
    assert len({one.id for one in post.receiver.got}) == 1
    assert len({one.headers["webhook-timestamp"] for one in post.receiver.got}) > 5, "signed anew each time"
    assert all(one.signed_by(SECRET) for one in post.receiver.got)
    state = await post.state()
    assert (state.given_up, state.sent) == (1, 0)
    assert state.failing_since is not None


async def test_one_notice_that_is_refused_does_not_hold_up_those_behind_it(post: Post) -> None:
    post.receiver.refuses = {"link_deleted"}
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    for _ in range(4):
        other, _ = await post.link()
        await post.desk.edit(ME, other, {"enabled": False})
        await post.hear()
        for _ in range(10):
            await post.send()
            post.clock.forward(6_000)
        await post.desk.delete(ME, other)
    assert post.receiver.events.count("link_disabled") == 4
    assert 4 <= post.receiver.events.count("link_deleted") < 30


async def test_a_receiver_that_fails_is_left_alone_and_then_asked_with_one(post: Post) -> None:
    post.receiver.always = NOBODY
    for _ in range(5):
        link, _ = await post.link()
        await post.desk.delete(ME, link)
    await post.hear()
    wait = await post.lane().round()
    assert wait == 0.0
    assert len(post.receiver.got) == 2, "two at once, to begin with"
    assert 0 < await post.lane().round() <= 12
    assert len(post.receiver.got) == 2
    post.clock.forward(15_000)
    await post.lane().round()
    assert len(post.receiver.got) == 3
    post.receiver.always = None
    for _ in range(10):
        post.clock.forward(5 * 60_000)
        await post.send()
    assert (await post.state()).waiting == 0


async def test_how_long_it_asks_for_is_granted_within_bounds(post: Post) -> None:
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    post.receiver.replies = [replace(REFUSED, status=503, retry_after=3600.0), replace(REFUSED, retry_after=1e12)]
    await post.send()
    post.clock.forward(HOUR - 60_000)
    await post.send()
    assert len(post.receiver.got) == 1
    post.clock.forward(61_000)
    await post.send()
    assert len(post.receiver.got) == 2
    post.clock.forward(6 * HOUR + 1_000)
    await post.send()
    assert len(post.receiver.got) == 3


async def test_a_receiver_that_is_gone_gets_nothing_more_at_this_address(post: Post) -> None:
    link, _ = await post.link()
    await post.desk.edit(ME, link, {"enabled": False})
    await post.desk.delete(ME, link)
    await post.hear()
    post.receiver.replies = [replace(REFUSED, status=410)] * 2
    await post.send()
    state = await post.state()
    assert (state.waiting, state.gone) == (0, address_digest(webhook()))
    again, _ = await post.link()
    await post.desk.delete(ME, again)
    await post.hear()
    assert (await post.state()).waiting == 0
    await post.queue.revive("hook")
    third, _ = await post.link()
    await post.desk.delete(ME, third)
    await post.hear()
    assert (await post.state()).waiting == 1


async def test_two_secrets_sign_both(make_post: Making) -> None:
    new, old = b"n" * 32, b"o" * 32
    post = await make_post(replace(webhook(), secrets=(new, old)))
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.told()
    got = post.receiver.got[0]
    assert got.signed_by(new)
    assert got.signed_by(old)
    assert not got.signed_by(SECRET)
    assert len(got.headers["webhook-signature"].split(" ")) == 2


async def test_a_fault_of_ours_ends_no_lane_and_loses_no_notice(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    post.receiver.breaks = True
    task = asyncio.create_task(post.lane().run())
    while "sending broke" not in caplog.text:
        await asyncio.sleep(0.01)
    assert not task.done()
    post.receiver.breaks = False
    post.clock.forward(HIDDEN + 1)
    post.lane().wake()
    while (await post.state()).waiting:
        await asyncio.sleep(0.01)
    post.lane().stop()
    await asyncio.wait_for(task, 5)


# --- the queue --------------------------------------------------------------------------------------


async def test_a_full_queue_drops_its_oldest_and_counts_them(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_notices, "MOST", 3)
    for number in range(5):
        await post.trail.append(Event(post.clock(), "alice", Action.LINK_DELETED, "tv", f"film{number}"))
        post.clock.forward(10)
        await post.hear()
    state = await post.state()
    assert (state.waiting, state.dropped) == (3, 2)
    await post.send()
    assert [one.json["item"] for one in post.receiver.got] == ["film2", "film3", "film4"]
    assert b'gateway_webhook_notices_total{result="dropped",webhook="hook"} 2.0' in post.metrics.text()


async def test_a_notice_that_was_taken_by_somebody_who_died_comes_back(make_post: Making) -> None:
    post = await make_post()
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    batch = await post.queue.take("hook", now=post.clock(), count=2)
    assert len(batch.notices) == 1
    await post.send()
    assert not post.receiver.got
    post.clock.forward(HIDDEN + 1)
    await post.send()
    assert [one.id for one in post.receiver.got] == [batch.notices[0].id]
    assert (await post.state()).waiting == 0


async def test_only_one_of_two_makes_and_sends(make_post: Making, store: Store) -> None:
    one = await make_post()
    two = await make_post(who="two", begin=False)
    assert not await two.queue.hold()
    _, token = await one.link()
    await one.admit(token)
    await two.hear()
    await two.send()
    assert not two.receiver.got
    assert (await one.state()).waiting == 0
    assert sorted(await one.told()) == ["guest_admitted", "link_opened"]
    await one.queue.give_up()
    assert await two.queue.hold()
    await one.admit(token, "Ben", "ben@example.org")
    await one.hear()
    await two.hear()
    assert await one.send() > 1
    assert await two.send() > 1
    assert (len(one.receiver.got), two.receiver.events) == (2, ["guest_admitted"])
    assert 0 < await store.run(lambda client: client.pttl(names.NOTICES_LEASE)) <= LEASE


async def test_a_line_of_a_later_version_is_not_guessed_at_nor_skipped(post: Post) -> None:
    link, _ = await post.link()
    await post.world.store.run(lambda client: client.xadd(names.AUDIT, {"v": str(SCHEMA + 1), "what": "new"}))
    with pytest.raises(StoreTooNew):
        await post.hear()
    assert (await post.queue.marks())["cursor"] < await post.trail.latest()
    assert link


async def test_the_same_lines_read_twice_are_the_same_notices(post: Post) -> None:
    """As after a crash between the store and us: the mark is part of the same step, and ids do not change."""
    cursor = (await post.queue.marks())["cursor"]
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    await post.world.store.run(lambda client: client.hset(names.NOTICES_MARKS, "cursor", cursor))
    await post.hear()
    assert (await post.state()).waiting == 1


async def test_the_queue_of_a_webhook_that_was_taken_away_goes_with_it(make_post: Making, store: Store) -> None:
    post = await make_post(webhook(), webhook("other"))
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    await post.noticing.begin(audience(webhook("other")))
    assert (await post.state()).waiting == 0
    assert (await post.state("other")).waiting == 1
    assert not await store.run(lambda client: client.keys("gw:{notices}:*:hook"))
    await post.noticing.begin(audience())
    assert not await store.run(lambda client: client.keys("gw:{notices}:*:other"))


async def test_nothing_of_a_queue_stays_for_ever(post: Post, store: Store) -> None:
    link, _ = await post.link()
    await post.desk.delete(ME, link)
    await post.hear()
    post.receiver.replies = [REFUSED]
    await post.send()
    for key in await store.run(lambda client: client.keys("gw:{notices}:*")):
        assert await store.run(lambda client, key=key: client.pttl(key)) > 0, key
