"""The manager's desk: only what is theirs, and a line in the audit log for everything done."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.access.issue import IssueRefused, LinkView
from gateway.access.managing import AccessView, AuditPage, AuditQuery, ManagerDesk, Recognised
from gateway.access.permits import Actor, everything
from gateway.errors import StoreDown, UpstreamDown
from gateway.links.events import Action, Event
from gateway.store.audit import AuditTrail
from gateway.store.client import Store
from tests.access.world import World, make_world

ALICE = Actor("alice", ("tv:*",))
RITA = Actor("rita", ("radio:*",))
OWEN = Actor("owen", ("tv:own",), ("u1",))
ALL = everything("cli:root")


@dataclass
class Office:
    world: World
    desk: ManagerDesk
    trail: AuditTrail

    async def link(self, actor: Actor = ALICE, item: str = "film1", **fields: object) -> LinkView:
        made = await self.desk.create(actor, "tv", item, {"name": "Friends", **fields})
        assert isinstance(made, LinkView), made
        return made

    async def log(self) -> list[Event]:
        return [event async for event in self.trail.backwards()]

    def owned_by(self, *owners: str) -> None:
        self.world.media.variables["owner"] = owners


@pytest.fixture
async def office(store: Store) -> Office:
    world = await make_world(store)
    trail = AuditTrail(store)
    return Office(world, ManagerDesk(world.desk, trail, world.clock), trail)


def status(answer: object) -> int:
    assert isinstance(answer, IssueRefused), answer
    return answer.status


async def test_what_is_not_theirs_is_not_permitted_by_name_and_unknown_by_id(office: Office) -> None:
    made = await office.link()
    desk = office.desk
    assert status(await desk.create(RITA, "tv", "film1", {"name": "x"})) == 403
    assert status(await desk.access(RITA, "tv", "film1")) == 403
    assert status(await desk.set_access(RITA, "tv", "film1", False)) == 403
    assert status(await desk.get(RITA, made.link.id)) == 404
    assert status(await desk.edit(RITA, made.link.id, {"name": "mine"})) == 404
    assert status(await desk.delete(RITA, made.link.id)) == 404
    assert await desk.links(RITA) == [] == await desk.links(RITA, "tv")
    assert await desk.guests(RITA) == []
    assert status(await desk.guests(RITA, link=made.link.id)) == 404
    assert [view.link.id for view in await desk.links(ALICE)] == [made.link.id]  # type: ignore[union-attr]


async def test_an_owner_manages_his_own_items_as_the_media_server_says_now(office: Office) -> None:
    office.owned_by("u1")
    made = await office.link(OWEN)
    assert made.link.created_by == "owen"
    office.owned_by("u2")  # sold since
    assert status(await office.desk.edit(OWEN, made.link.id, {"clicks": 5})) == 404
    assert status(await office.desk.create(OWEN, "tv", "film1", {"name": "x"})) == 403
    # The question has also taught the lists.
    assert await office.desk.links(OWEN) == []


async def test_closing_works_with_the_media_server_down_and_opening_does_not(office: Office) -> None:
    office.owned_by("u1")
    made = await office.link(OWEN)
    office.world.media.failure = UpstreamDown("no connection")
    assert status(await office.desk.edit(OWEN, made.link.id, {"days": 9})) == 502
    assert isinstance(await office.desk.edit(OWEN, made.link.id, {"enabled": False}), LinkView)
    closed = await office.desk.set_access(OWEN, "tv", "film1", False)
    assert isinstance(closed, AccessView)
    assert closed.enabled is False
    assert status(await office.desk.set_access(OWEN, "tv", "film1", True)) == 502
    assert isinstance(await office.desk.delete(OWEN, made.link.id), LinkView)


async def test_everything_done_stands_in_the_audit_log_and_no_token_does(office: Office) -> None:
    made = await office.link(clicks=3)
    await office.desk.edit(ALICE, made.link.id, {"name": "Foes", "clicks": None})
    await office.desk.edit(ALICE, made.link.id, {"enabled": False})
    await office.desk.edit(ALICE, made.link.id, {"enabled": False})  # nothing changes: no line
    await office.desk.set_access(ALICE, "tv", "film1", False)
    await office.desk.delete(ALL, made.link.id)
    log = await office.log()
    assert [(event.who, event.action) for event in reversed(log)] == [
        ("alice", Action.LINK_CREATED),
        ("alice", Action.LINK_CHANGED),
        ("alice", Action.LINK_DISABLED),
        ("alice", Action.ACCESS_DISABLED),
        ("cli:root", Action.LINK_DELETED),
    ]
    assert log[3].detail == {"name": "Foes", "clicks_limit": "none"}
    assert made.url is not None
    token = made.url.rpartition("/")[2]
    assert token not in repr(log)


async def test_a_refused_change_leaves_no_line(office: Office) -> None:
    made = await office.link()
    before = len(await office.log())
    assert status(await office.desk.edit(ALICE, made.link.id, {"clicks": 0})) == 400
    assert status(await office.desk.edit(ALICE, made.link.id, {"name": "x"}, version=99)) == 412
    assert status(await office.desk.create(ALICE, "tv", "film1", {"name": ""})) == 400
    assert len(await office.log()) == before


async def test_a_line_that_cannot_be_written_is_said(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(event: Event) -> None:
        raise StoreDown("full")

    office.trail.append = broken  # type: ignore[method-assign]
    with pytest.raises(StoreDown):
        await office.link()


async def test_the_log_is_read_backwards_page_by_page(store: Store) -> None:
    trail = AuditTrail(store)
    for at in range(1, 1_203):
        await trail.append(Event(at, "alice", Action.LINK_CREATED, "tv", detail={"n": str(at)}))
    found = [event async for event in trail.backwards()]
    assert [event.at for event in found] == list(range(1_202, 0, -1))
    older = [event async for event in trail.backwards(before=found[9].id)]
    assert [event.at for event in older] == list(range(1_192, 0, -1))


async def test_what_can_never_be_theirs_is_refused_without_asking_the_media_server(office: Office) -> None:
    """How long the answer took would have said whether the item exists."""
    few = Actor("few", ("tv:other*",), ("u1",))
    for item in ("film1", "nofilm"):
        assert status(await office.desk.access(few, "tv", item)) == 403
        assert status(await office.desk.create(few, "tv", item, {"name": "x"})) == 403
    assert office.world.media.asked == 0
    nobody = Actor("own", ("tv:own",))  # without ids nothing is theirs
    assert status(await office.desk.access(nobody, "tv", "film1")) == 403
    assert office.world.media.asked == 0
    assert isinstance(await office.desk.access(few, "tv", "other1"), AccessView)


async def test_a_name_alone_reads_nobody_elses_lines(office: Office) -> None:
    await office.link()
    await office.desk.exported(ALICE, {"format": "csv"})

    async def read(actor: Actor) -> list[Action]:
        page = await office.desk.audit(actor, AuditQuery())
        assert isinstance(page, AuditPage)
        return [event.action for event in page.events]

    assert await read(ALICE) == [Action.GUESTS_EXPORTED, Action.LINK_CREATED]
    narrowed = Actor("alice", ("radio:*",))
    assert await read(narrowed) == [Action.GUESTS_EXPORTED]
    namesake = Actor("alice", ("radio:*",), via="oidc")
    assert await read(namesake) == []
    assert await read(ALL) == [Action.GUESTS_EXPORTED, Action.LINK_CREATED]


async def test_an_address_means_the_item_of_the_server_it_names(office: Office) -> None:
    found = office.desk.recognise(ALICE, "https://tv.example.org/watch/film1?t=9")
    assert found == Recognised("tv", "film1", "video")
    # Another server has the same kind of address; its manager may not learn what ours are called.
    assert office.desk.recognise(RITA, "https://radio.example.org/watch/show1") == Recognised("radio", "show1", "video")
    assert status(office.desk.recognise(RITA, "https://tv.example.org/watch/film1")) == 404
    assert status(office.desk.recognise(ALICE, "https://tv.example.org/elsewhere")) == 404


async def test_a_removed_guest_does_not_come_back_and_an_erased_one_has_no_name(office: Office) -> None:
    made = await office.link()
    assert made.url is not None
    token = made.url.rpartition("/")[2]
    async with office.world.worker() as worker:
        admitted = await worker.admitted(token)
        guest = admitted.live.guest.id
        assert status(await office.desk.remove(RITA, guest)) == 404
        done = await office.desk.remove(ALICE, guest)
        assert not isinstance(done, IssueRefused)
        assert await worker.door.come_back(token, worker.server, admitted.grant_ids) is None
        again = await worker.admitted(token, name="Bob", email="bob@example.org")
        await office.desk.remove(ALICE, again.live.guest.id, erase=True)
        guests = await office.desk.guests(ALICE)
        assert isinstance(guests, list)
        assert [view.guest.name for view in guests] == ["Ada", ""]
    assert [event.action for event in await office.log()][:2] == [Action.GUEST_ERASED, Action.GUEST_REMOVED]
    raw = await office.world.store.run(
        lambda client: client.hgetall(f"gw:{{{again.live.guest.id[:11]}}}:guest:{again.live.guest.id}")
    )
    assert "bob" not in repr(raw).lower()
