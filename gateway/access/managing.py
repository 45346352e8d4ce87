"""What a manager may do, and the record of it: the one way for pages, API and command line.

Rule: every method takes the actor first and asks whether the item is theirs before anything else is
said about it. Whoever may own it is asked of the media server at each change; where the server can't be
asked, what is known from before serves for closing and never for opening. What belongs to others does
not exist: by id it is unknown, by name it is not permitted, and lists leave it out.

Every change that was made is in the audit log before it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gateway.access.index import LinkIndex
from gateway.access.issue import GuestView, IssueRefused, LinkDesk, LinkView
from gateway.access.listing import BadCursor, LinkQuery
from gateway.access.permits import Actor
from gateway.access.poster import Poster
from gateway.access.views import LinkPage, differences
from gateway.ceilings import Ceilings
from gateway.config import GuestForm
from gateway.links.events import Action, Event
from gateway.links.ids import ItemKey, is_guest_id, is_link_id
from gateway.links.invitation import clean_entry
from gateway.links.records import Item
from gateway.links.text import clean_address
from gateway.store.audit import AuditTrail, is_event_id
from gateway.store.links import Seen

_NOT_PERMITTED = "this is not among what you may manage"
# Changes that only take away: they must not need the media server.
_CLOSING = {"enabled": False}


@dataclass(frozen=True, slots=True)
class AccessView:
    """An item with its switch and its links. `allowed`: how many links it may have; `ceilings`: what they must keep
    to."""

    item: Item
    enabled: bool
    links: tuple[LinkView, ...]
    allowed: int
    ceilings: Ceilings = field(default_factory=Ceilings)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a pasted address means."""

    server: str
    item: str
    kind: str | None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines of the audit log; `cursor` is the id of the line before."""

    server: str | None = None
    item: str | None = None
    link: str | None = None
    guest: str | None = None
    who: str | None = None
    action: Action | None = None
    limit: int = 100
    cursor: str | None = None

    def fits(self, event: Event) -> bool:
        wanted = (self.server, self.item, self.link, self.guest, self.who, self.action)
        has = (event.server, event.item, event.link, event.guest, event.who, event.action)
        return all(want is None or want == have for want, have in zip(wanted, has, strict=True))


@dataclass(frozen=True, slots=True)
class AuditPage:
    events: tuple[Event, ...]
    next: str | None


class ManagerDesk:
    """`clock` in ms. Everything may raise StoreDown."""

    def __init__(
        self,
        desk: LinkDesk,
        trail: AuditTrail,
        clock: Callable[[], int],
        index: LinkIndex | None = None,
        form: GuestForm | None = None,
    ) -> None:
        """`index` spares the store where thousands of links are listed; commands go without. `form`: what guests
        are asked now."""
        self.form = form or GuestForm()
        self._desk = desk
        self._trail = trail
        self._clock = clock
        self._index = index

    # --- items ----------------------------------------------------------------------------------

    def recognise(self, actor: Actor, text: str) -> Recognised | IssueRefused:
        """The item a pasted page address (or `server:item`) means, among the servers this manager sees."""
        found = [one for one in self._desk.recognise(text) if actor.sees_server(one[0])]
        if not found:
            return IssueRefused(404, "no media server here knows this address", {"url": "is not the page of an item"})
        server, item, kind = found[0]
        return Recognised(server, item, kind)

    async def access(
        self, actor: Actor, server: str, item: str, *, kind: str | None = None
    ) -> AccessView | IssueRefused:
        """An item's switch and links."""
        found = await self._permitted(actor, server, item, kind=kind, closing=True)
        return found if isinstance(found, IssueRefused) else await self._access_view(found)

    async def set_access(
        self, actor: Actor, server: str, item: str, enabled: bool, *, kind: str | None = None
    ) -> AccessView | IssueRefused:
        found = await self._permitted(actor, server, item, kind=kind, closing=not enabled)
        if isinstance(found, IssueRefused):
            return found
        done = await self._desk.set_access(server, found.item, enabled, kind=kind)
        if isinstance(done, IssueRefused):
            return done
        if found.access is not enabled:
            await self._did(actor, Action.ACCESS_ENABLED if enabled else Action.ACCESS_DISABLED, done)
        return await self._access_view(done)

    def has_poster(self, item: Item) -> bool:
        return self._desk.has_poster(item)

    async def poster(self, actor: Actor, server: str, item: str) -> Poster | None:
        """The item's picture, if there is one and the item is theirs."""
        found = await self._permitted(actor, server, item, closing=True)
        return None if isinstance(found, IssueRefused) else await self._desk.poster(found)

    # --- links ----------------------------------------------------------------------------------

    async def create(
        self, actor: Actor, server: str, item: str, fields: Mapping[str, object], *, kind: str | None = None
    ) -> LinkView | IssueRefused:
        """`fields` as they were typed, see `link_fields`."""
        allowed = await self._permitted(actor, server, item, kind=kind)
        if isinstance(allowed, IssueRefused) and allowed.status in (403, 404):
            return allowed
        # Every other fault is found there, together with those of the fields.
        made = await self._desk.create(
            server,
            item,
            **{"name": None, **fields},
            by=actor.name,
            kind=kind,
        )
        if isinstance(made, IssueRefused):
            return made
        await self._did_to_link(actor, Action.LINK_CREATED, made, {"name": made.link.name})
        return made

    async def links(
        self, actor: Actor, server: str | None = None, item: str | None = None
    ) -> list[LinkView] | IssueRefused:
        """Those this manager may see, by item and creation."""
        if server is not None and not actor.sees_server(server):
            return []
        found = await self._desk.list(server, item)
        return found if isinstance(found, IssueRefused) else [one for one in found if self._seen_by(actor, one)]

    async def find(self, actor: Actor, query: LinkQuery) -> LinkPage | IssueRefused:
        """One page of the links this manager may see."""
        if query.server is not None and query.item is not None:
            query = replace(query, item=self._desk.identity(query.server, query.item))
        try:
            return await self._desk.find(query, lambda seen: self._seen_by(actor, seen), self._index)
        except BadCursor:
            return IssueRefused(400, "that can't be listed", {"cursor": "is not one of this listing"})

    async def beyond(self, actor: Actor) -> int:
        """How many of the links this manager may see go beyond ceilings that are younger than they are."""
        if not any(actor.sees_server(server) for server in self._desk.with_ceilings()):
            return 0
        found = await self.find(actor, LinkQuery(breaks=True, limit=1))
        return 0 if isinstance(found, IssueRefused) else found.total

    async def get(self, actor: Actor, link: str) -> LinkView | IssueRefused:
        found = await self._desk.get(link)
        if isinstance(found, IssueRefused) or not self._seen_by(actor, found):
            return _no_link()
        return found

    async def edit(
        self, actor: Actor, link: str, changes: Mapping[str, object], *, version: int | None = None
    ) -> LinkView | IssueRefused:
        before = await self._to_change(actor, link, closing=dict(changes) == _CLOSING)
        if isinstance(before, IssueRefused):
            return before
        done = await self._desk.edit(link, changes, version=version)
        if isinstance(done, IssueRefused):
            return done
        changed = differences(before.link, done.link)
        if changed.pop("enabled", None) is not None:
            await self._did_to_link(actor, Action.LINK_ENABLED if done.link.enabled else Action.LINK_DISABLED, done)
        if changed:
            await self._did_to_link(actor, Action.LINK_CHANGED, done, changed)
        return done

    async def delete(self, actor: Actor, link: str, *, version: int | None = None) -> LinkView | IssueRefused:
        before = await self._to_change(actor, link, closing=True)
        if isinstance(before, IssueRefused):
            return before
        done = await self._desk.delete(link, version=version)
        if not isinstance(done, IssueRefused):
            await self._did_to_link(actor, Action.LINK_DELETED, done, {"name": done.link.name})
        return done

    # --- guests ---------------------------------------------------------------------------------

    async def guests(
        self, actor: Actor, server: str | None = None, item: str | None = None, link: str | None = None
    ) -> list[GuestView] | IssueRefused:
        """Who came, to items this manager may see; an item without its server is that of any."""
        if link is not None:
            if isinstance(await self.get(actor, link), IssueRefused):
                return _no_link()
        elif server is not None and not actor.sees_server(server):
            return []
        found = await self._desk.guests(server, item if server is not None else None, link)
        if isinstance(found, IssueRefused):
            return found
        if server is None and item is not None:
            found = [one for one in found if one.item == item]
        seen: dict[tuple[str, str], bool] = {}
        for one in found:
            place = (one.server, one.item)
            if place not in seen:
                kept = await self._desk.kept(*place)
                seen[place] = actor.manages(*place, kept.owners if kept else ())
        return [one for one in found if seen[one.server, one.item]]

    async def remove(self, actor: Actor, guest: str, *, erase: bool = False) -> GuestView | IssueRefused:
        """End a guest's grants now; with `erase` nothing that names the person is kept."""
        found = await self._desk.guest(guest) if is_guest_id(guest) else None
        if found is None:
            return _no_guest()
        allowed = await self._permitted(actor, found.server, found.item, closing=True)
        if isinstance(allowed, IssueRefused):
            return _no_guest()
        await self._desk.remove(found.guest, erase=erase)
        action = Action.GUEST_ERASED if erase else Action.GUEST_REMOVED
        await self._trail.append(
            Event(self._clock(), actor.name, action, found.server, found.item, found.guest.link, found.guest.id)
        )
        if erase:
            await self._desk.forget()
        return found

    async def erase(self, actor: Actor, email: str) -> int | IssueRefused:
        """Erase a person by address, in all items this manager may see; how many guests that were."""
        address = clean_address(email)
        if address is None:
            return IssueRefused(400, "that is not an e-mail address", {"email": "is not an e-mail address"})
        guests = await self.guests(actor)
        if isinstance(guests, IssueRefused):
            return guests
        wanted = address.casefold()
        theirs = [one for one in guests if one.guest.email.casefold() == wanted]
        for one in theirs:
            await self._desk.remove(one.guest, erase=True)
            await self._trail.append(
                Event(
                    self._clock(),
                    actor.name,
                    Action.GUEST_ERASED,
                    one.server,
                    one.item,
                    one.guest.link,
                    one.guest.id,
                )
            )
        if theirs:
            await self._desk.forget()
        return len(theirs)

    async def naming(self, actor: Actor, email: str) -> list[LinkView]:
        """The links, among those this manager may see, on whose list an address stands. An erasure leaves lists
        alone: one that lost its last entry would be open to all."""
        entry = clean_entry(email)
        found = await self.links(actor) if entry is not None else []
        return [] if isinstance(found, IssueRefused) else [one for one in found if entry in one.link.emails]

    # --- the record -----------------------------------------------------------------------------

    async def audit(self, actor: Actor, query: AuditQuery) -> AuditPage | IssueRefused:
        """What was done to items this manager may see, and what they did themselves beside items, such as signing
        in; newest first."""
        if query.cursor is not None and not is_event_id(query.cursor):
            return IssueRefused(400, "that can't be listed", {"cursor": "is not one of this listing"})
        may: dict[tuple[str, str], bool] = {}
        found: list[Event] = []
        async for event in self._trail.backwards(query.cursor):
            if not query.fits(event):
                continue
            if not await self._may_read(actor, event, may):
                continue
            if len(found) == query.limit:
                return AuditPage(tuple(found), found[-1].id)
            found.append(event)
        return AuditPage(tuple(found), None)

    async def exported(self, actor: Actor, what: Mapping[str, str]) -> None:
        """Guests' names and addresses left the gateway as a file."""
        detail = {**what, "via": actor.via}
        await self._trail.append(Event(self._clock(), actor.name, Action.GUESTS_EXPORTED, detail=detail))

    # --- steps ----------------------------------------------------------------------------------

    async def _permitted(
        self, actor: Actor, server: str, item: str, *, kind: str | None = None, closing: bool = False
    ) -> Item | IssueRefused:
        """The item, if it is theirs. `closing`: what is known from before will do where the server is silent."""
        if not actor.sees_server(server):
            return IssueRefused(403, _NOT_PERMITTED)
        kept = await self._desk.kept(server, item)
        identity = kept.item if kept is not None else self._desk.identity(server, item)
        if kept is not None and actor.may_always(server, identity):
            return kept
        if not actor.may_as_owner(server) and not actor.may_always(server, identity) and self._desk.certain(server):
            # Not theirs whatever the server would say: how long it takes to say so is not theirs to know either.
            return IssueRefused(403, _NOT_PERMITTED)
        was = kept is not None and actor.manages(server, kept.item, kept.owners)

        def theirs(one: Item) -> bool:
            return was or actor.manages(server, one.item, one.owners)

        asked = await self._desk.ask(server, item, kind=kind, theirs=theirs)
        if isinstance(asked, IssueRefused):
            if kept is not None and was and closing:
                return kept
            return asked if was or actor.may_always(server, identity) else IssueRefused(403, _NOT_PERMITTED)
        if not actor.manages(server, asked.item, asked.owners):
            return IssueRefused(403, _NOT_PERMITTED)
        return asked

    async def _may_read(self, actor: Actor, event: Event, may: dict[tuple[str, str], bool]) -> bool:
        if event.server is None or event.item is None:
            # Signing in and the like: whoever may do everything. A name alone says nothing: who stands under it may
            # be somebody else's manager of that name, vouched for in another way.
            mine = event.who == actor.name and event.detail.get("via") == actor.via
            return mine or actor.may_always("*", "*")
        place = (event.server, event.item)
        if place not in may:
            kept = await self._desk.kept(*place)
            may[place] = actor.manages(*place, kept.owners if kept else ())
        return may[place]

    async def _to_change(self, actor: Actor, link: str, *, closing: bool) -> LinkView | IssueRefused:
        found = await self._desk.get(link) if is_link_id(link) else _no_link()
        if isinstance(found, IssueRefused):
            return found
        allowed = await self._permitted(actor, found.link.server, found.link.item, closing=closing)
        if isinstance(allowed, IssueRefused):
            # Whoever could see it in a list hears why not; to all others it does not exist.
            return allowed if allowed.status >= 500 and self._seen_by(actor, found) else _no_link()
        return found

    async def _access_view(self, item: Item) -> AccessView | IssueRefused:
        links = await self._desk.list(item.server, item.item)
        if isinstance(links, IssueRefused):
            return links
        allowed, ceilings = self._desk.allowed(item.server), self._desk.ceilings(item.server)
        return AccessView(item, item.access is True, tuple(links), allowed, ceilings)

    def _seen_by(self, actor: Actor, view: LinkView | Seen) -> bool:
        owners = view.item.owners if view.item is not None else ()
        return actor.manages(view.link.server, view.link.item, owners)

    async def _did(self, actor: Actor, action: Action, item: Item) -> None:
        if self._index is not None:
            self._index.changed(ItemKey(item.server, item.item).slot)
        await self._trail.append(Event(self._clock(), actor.name, action, item.server, item.item))

    async def _did_to_link(
        self, actor: Actor, action: Action, view: LinkView, detail: Mapping[str, str] | None = None
    ) -> None:
        link = view.link
        if self._index is not None:
            self._index.changed(link.id)
        await self._trail.append(
            Event(self._clock(), actor.name, action, link.server, link.item, link.id, detail=detail or {})
        )


def _no_link() -> IssueRefused:
    return IssueRefused(404, "no such link")


def _no_guest() -> IssueRefused:
    return IssueRefused(404, "no such guest")
