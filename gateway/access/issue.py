"""Making and changing guest links: what the command line does now, and the API and the pages later.

Rule: a refusal is a value with the HTTP status it amounts to, and names every fault at once by field.
The media server's own spelling of an item's id replaces what was typed, so that an item is counted,
switched and found under one name alone. Turning off works with the media server down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from gateway.access.ceilings import broken, completed, faults_of_change, faults_of_new
from gateway.access.index import LinkIndex
from gateway.access.link_fields import (
    NEVER_OPEN,
    never_open,
    read_changes,
    read_new,
    refusal,
)
from gateway.access.listing import LinkQuery, select
from gateway.access.media import Resolve, is_open
from gateway.access.passwords import hash_pin
from gateway.access.poster import Poster, fetch_poster, has_poster
from gateway.access.servers import MediaServer, Servers
from gateway.access.views import GuestView, IssueRefused, LinkPage, LinkView, link_json, rfc3339
from gateway.ceilings import Ceilings
from gateway.config import Prefixes
from gateway.errors import UpstreamFailed
from gateway.links.attendance import watched_seconds
from gateway.links.ids import ItemKey, is_link_id, new_link_id, new_token, slot_of
from gateway.links.keys import Unsealable
from gateway.links.records import Guest, Item, Link
from gateway.links.rules import State, state
from gateway.policy.model import Policy
from gateway.store.guests import PRESENT
from gateway.store.links import Changed, LinkStore, Seen
from gateway.upstream.resolve import Resolved, resolve_item

__all__ = ["GuestView", "IssueRefused", "LinkDesk", "LinkView", "link_json", "rfc3339"]


# Named here because the desk has a method `list`.
LinkViews = list[LinkView]
GuestViews = list[GuestView]
Slots = list[str]
Places = list[tuple[str, str, str | None]]
_TRIES = 20  # of a change, while others change the link as well


class LinkDesk:
    """`clock` in ms. Everything may raise StoreDown."""

    def __init__(
        self,
        links: LinkStore,
        servers: Servers,
        prefixes: Prefixes,
        clock: Callable[[], int],
        *,
        resolve: Resolve = resolve_item,
    ) -> None:
        self._links = links
        self._servers = servers
        self._prefix = prefixes.link
        self._clock = clock
        self._resolve = resolve

    # --- links ----------------------------------------------------------------------------------

    async def create(
        self,
        server: str,
        item: str,
        *,
        name: object,
        by: str,
        kind: str | None = None,
        **more: object,
    ) -> LinkView | IssueRefused:
        """A new link. `item` is an id or the address of its page; `by` goes into the record; `more`: the other
        fields that a link may have (`link_fields`)."""
        now = self._clock()
        ceilings = self.ceilings(server)
        said = completed({"name": name, **more}, ceilings)
        fields, faults = read_new(said, now=now)
        faults = {**faults_of_new(said, ceilings), **faults}
        values = dict(fields.values)
        expires, starts = _number(values["expires_at"]), _number(values["starts_at"])
        if never_open(starts, expires):
            faults |= NEVER_OPEN
        media = self._servers.named(server)
        if media is None:
            faults["server"] = f"no server {server}"
        elif kind is not None and kind not in media.policy.kinds:
            faults["kind"] = f"{media.policy.name} knows {', '.join(media.policy.kinds)}"
        refused = refusal(faults)
        if refused is not None or media is None:
            return refused or IssueRefused(404, f"no server {server}")
        found = await self._settle(media, item, kind)
        if isinstance(found, IssueRefused):
            return found

        key = ItemKey(server, found.item)
        token = new_token()
        emails = values["emails"]
        link = Link(
            id=new_link_id(key.slot),
            server=server,
            item=found.item,
            kind=found.kind,
            title=found.title,
            name=str(values["name"]),
            clicks_limit=_number(values["clicks_limit"]),
            clicks_used=0,
            created_at=now,
            created_by=by,
            expires_at=expires,
            enabled=True,
            deleted_at=None,
            version=1,
            sealed=self._links.keys.seal(token),
            starts_at=starts,
            viewers_limit=_number(values["viewers_limit"]),
            pin=None if fields.pin is None else await asyncio.to_thread(hash_pin, fields.pin),
            emails=emails if isinstance(emails, tuple) else (),
        )
        allowed = media.policy.links_per_item
        done = await self._links.create(link, found, token, allowed=allowed, now=now)
        if done.outcome == "off":
            return IssueRefused(409, "guest access to this item is turned off; turn it on first")
        if done.outcome == "full":
            return IssueRefused(409, f"this item has {allowed} link{'s' * (allowed != 1)} already; delete one first")
        return self._view(Seen(link, done.item))

    async def list(self, server: str | None = None, item: str | None = None) -> LinkViews | IssueRefused:
        """Links that are not deleted, by item and creation; all, of a server, or of an item."""
        slots = await self._slots(server, item)
        if isinstance(slots, IssueRefused):
            return slots
        seen = await self._links.of_items(slots, now=self._clock())
        return [self._view(one) for one in seen if server is None or one.link.server == server]

    async def find(self, query: LinkQuery, visible: Callable[[Seen], bool], index: LinkIndex | None) -> LinkPage:
        """One page of many. Raises BadCursor."""
        if index is not None:
            links = await index.all()
        else:
            links = await self._links.of_items(await self._links.slots(), now=self._clock(), count=False)
        found = select(links, query, visible=visible, state_of=self._state, breaks=lambda one: bool(self._breaks(one)))
        seen = await self._links.counted(found.seen, now=self._clock())
        return LinkPage(tuple(map(self._view, seen)), found.next, found.total)

    async def get(self, link: str) -> LinkView | IssueRefused:
        seen = await self._links.get(link, since=self._clock() - PRESENT) if is_link_id(link) else None
        return _unknown() if seen is None else self._view(seen)

    async def edit(
        self, link: str, changes: Mapping[str, object], *, version: int | None = None
    ) -> LinkView | IssueRefused:
        """Change what is named, days counting from now; None lifts a limit.
        With `version`: only if nobody has changed it since."""
        now = self._clock()
        fields, faults = read_changes(changes, now=now)
        refused = refusal(faults)
        if refused is not None:
            return refused
        if not changes:
            return await self.get(link)
        if not is_link_id(link):
            return _unknown()
        values = dict(fields.values)
        if fields.pin is not None:
            values["pin"] = await asyncio.to_thread(hash_pin, fields.pin)
        for _ in range(_TRIES):
            refused, judged = await self._judged(link, changes, values)
            if refused is not None:
                return refused
            done = await self._links.edit(link, values, version=judged if version is None else version)
            if version is not None or done.outcome != "changed":
                break
            # What it was judged by has changed meanwhile.
        return await self._told(done)

    async def _judged(
        self, link: str, changes: Mapping[str, object], values: Mapping[str, object]
    ) -> tuple[IssueRefused | None, int | None]:
        """Whether these changes go together with what the link has besides; and the version for which that holds, None
        for any."""
        if not {"starts_at", "expires_at", "clicks_limit", "pin"} & values.keys():
            return None, None
        seen = await self._links.get(link)
        if seen is None:
            return _unknown(), None
        refused = refusal(faults_of_change(changes, self.ceilings(seen.link.server), seen.link))
        starts = _number(values.get("starts_at", seen.link.starts_at))
        if refused is None and never_open(starts, _number(values.get("expires_at", seen.link.expires_at))):
            refused = refusal(NEVER_OPEN)
        return refused, seen.link.version

    async def enable(self, link: str) -> LinkView | IssueRefused:
        return await self.edit(link, {"enabled": True})

    async def disable(self, link: str) -> LinkView | IssueRefused:
        return await self.edit(link, {"enabled": False})

    async def delete(self, link: str, *, version: int | None = None) -> LinkView | IssueRefused:
        """For good. Who is in stays in as the policy's `on_revoke` says."""
        if not is_link_id(link):
            return _unknown()
        return await self._told(await self._links.delete(link, now=self._clock(), version=version))

    # --- items and guests -----------------------------------------------------------------------

    async def set_access(
        self, server: str, item: str, enabled: bool, *, kind: str | None = None
    ) -> Item | IssueRefused:
        """Turn an item's guest access on or off."""
        media = self._servers.named(server)
        if media is None:
            return IssueRefused(404, f"no server {server}")
        found: Item | IssueRefused | None = await self._recorded(media, item)
        if found is None:
            found = await self._settle(media, item, kind)
        return found if isinstance(found, IssueRefused) else await self._links.set_access(found, enabled)

    async def access(self, server: str, item: str, *, kind: str | None = None) -> Item | IssueRefused:
        """The item and its switch (None: nobody has touched it)."""
        media = self._servers.named(server)
        if media is None:
            return IssueRefused(404, f"no server {server}")
        return await self._recorded(media, item) or await self._settle(media, item, kind)

    async def ask(
        self, server: str, item: str, *, kind: str | None = None, theirs: Callable[[Item], bool] = lambda _: True
    ) -> Item | IssueRefused:
        """The item as the media server describes it now, with its switch as it is kept here, unless it is not
        `theirs`: for those nothing more is looked up, since that would take a time of its own."""
        media = self._servers.named(server)
        if media is None:
            return IssueRefused(404, f"no server {server}")
        found = await self._settle(media, item, kind)
        if isinstance(found, IssueRefused) or not theirs(found):
            return found
        kept = await self._links.item(ItemKey(server, found.item).slot)
        if kept is None:
            return found
        if (kept.title, kept.owners) != (found.title, found.owners):
            await self._links.describe(found)
        return replace(found, access=kept.access, version=kept.version)

    async def kept(self, server: str, item: str) -> Item | None:
        """The item as it is kept here, without asking the media server; by its one spelling or its page's address."""
        media = self._servers.named(server)
        return None if media is None else await self._recorded(media, item)

    async def guests(
        self, server: str | None = None, item: str | None = None, link: str | None = None
    ) -> GuestViews | IssueRefused:
        """Who was admitted, by first admission within an item; also through links deleted since."""
        if link is not None:
            if not is_link_id(link):
                return _unknown()
            slots: Slots | IssueRefused = [slot_of(link)]
        else:
            slots = await self._slots(server, item)
        if isinstance(slots, IssueRefused):
            return slots
        found = []
        for slot in slots:
            of = await self._links.item(slot)
            if of is None or (server is not None and of.server != server):
                continue
            visitors = [one for one in await self._links.guests.of_item(slot) if link in (None, one.guest.link)]
            counted = await self._links.guests.attendance(visitors, since=self._clock() - PRESENT)
            found += [
                GuestView(visitor.guest, of.server, of.item, watched_seconds(slots), present)
                for visitor, (slots, present) in zip(visitors, counted, strict=True)
            ]
        return found

    async def guest(self, guest: str) -> GuestView | None:
        visitor = (await self._links.guests.visitors([guest])).get(guest)
        of = await self._links.item(slot_of(guest)) if visitor is not None else None
        return None if visitor is None or of is None else GuestView(visitor.guest, of.server, of.item)

    async def remove(self, guest: Guest, *, erase: bool) -> None:
        """End all a guest has, for good; with `erase` name and address are kept no longer."""
        visitor = (await self._links.guests.visitors([guest.id])).get(guest.id)
        grants = [visitor.grant] if visitor is not None and visitor.grant is not None else []
        await self._links.guests.leave(guest, grants, "removed", now=self._clock())
        if erase:
            await self._links.guests.erase(guest.id)

    async def forget(self) -> bool:
        """After an erasure: that no file of the store holds what was erased. False where the store's operator has
        to see to it."""
        return await self._links.store.rewrite()

    # --- what pages need to know ------------------------------------------------------------------

    def recognise(self, text: str) -> Places:
        """What a pasted address may mean, as server, item and kind. A host that is some server's names it; one
        that nobody has been told of (an owner's bookmark of an internal name) leaves it to the path."""
        found = [
            (media, *hit) for media in self._servers.all if (hit := media.policy.recognise(text.strip())) is not None
        ]
        host = urlsplit(text.strip()).netloc.lower()
        named = [one for one in found if host and host in _netlocs(one[0])]
        return [(media.config.name, item, kind) for media, item, kind in named or found]

    def has_poster(self, item: Item) -> bool:
        media = self._servers.named(item.server)
        return media is not None and has_poster(media, item.kind)

    async def poster(self, item: Item) -> Poster | None:
        media = self._servers.named(item.server)
        return None if media is None else await fetch_poster(self._resolve, media, item)

    def identity(self, server: str, text: str) -> str:
        """The id in what was typed: an id, or the address of its page."""
        media = self._servers.named(server)
        return text if media is None else _pasted(media.policy, text)[0]

    def certain(self, server: str) -> bool:
        """Whether an id is the only spelling of itself: the server never names another instead."""
        media = self._servers.named(server)
        return media is not None and all(step.id is None for step in media.policy.item.steps)

    def allowed(self, server: str) -> int:
        """How many links an item of this server may have."""
        media = self._servers.named(server)
        return 0 if media is None else media.policy.links_per_item

    def with_ceilings(self) -> tuple[str, ...]:
        """The servers whose links must keep to something."""
        return tuple(media.config.name for media in self._servers.all if media.ceilings)

    def ceilings(self, server: str) -> Ceilings:
        """What links of this server must keep to."""
        media = self._servers.named(server)
        return Ceilings() if media is None else media.ceilings

    # --- steps ----------------------------------------------------------------------------------

    async def _settle(self, server: MediaServer, text: str, kind: str | None) -> Item | IssueRefused:
        """The item that was meant, by its one spelling and kind, if guests may have it at all."""
        if not server.config.guest_access:
            return IssueRefused(409, f"guest access is turned off for the whole server {server.config.name}")
        text, pasted = _pasted(server.policy, text)
        try:
            media: Resolved = await self._resolve(server.policy, server.at, text)
        except UpstreamFailed as error:
            return IssueRefused(502, f"the media server could not be asked: {error}")
        if media.state in ("gone", "ended"):
            what = "is not on the media server" if media.state == "gone" else "has ended"
            return IssueRefused(410, f"item {text} {what}", {"item": what})
        kinds = server.policy.kinds
        named = media.kind or kind or pasted
        if named is None and len(kinds) == 1:
            named = next(iter(kinds))
        if named is None:
            return IssueRefused(400, "the kind is needed", {"kind": f"one of {', '.join(kinds)}"})
        if kind is not None and kind != named:
            return IssueRefused(400, "the kind does not fit", {"kind": f"the media server says it is {named}"})
        if named not in kinds or not kinds[named].guest_access:
            return IssueRefused(409, f"items of kind {named} can't be opened to guests", {"kind": "no guest access"})
        begun = media.state == "ok" and server.policy.begins(kinds[named])
        return Item(
            server.config.name,
            media.id,
            named,
            media.title,
            access=None,
            owners=media.owners,
            live_at=self._clock() if begun else None,
        )

    async def _recorded(self, server: MediaServer, text: str) -> Item | None:
        """The item, if it is known here by this very id."""
        return await self._links.item(ItemKey(server.config.name, _pasted(server.policy, text)[0]).slot)

    async def _slots(self, server: str | None, item: str | None) -> Slots | IssueRefused:
        if server is not None and self._servers.named(server) is None:
            return IssueRefused(404, f"no server {server}")
        if item is None:
            return await self._links.slots()
        if server is None:
            return IssueRefused(400, "an item needs its server", {"server": "is missing"})
        media = self._servers.named(server)
        assert media is not None
        found: Item | IssueRefused | None = await self._recorded(media, item)
        if found is None:
            # Perhaps another spelling of an id that is known; if nobody can say, it has no links.
            found = await self._settle(media, item, None)
        return [] if isinstance(found, IssueRefused) else [ItemKey(server, found.item).slot]

    async def _told(self, done: Changed) -> LinkView | IssueRefused:
        if done.outcome == "changed":
            return IssueRefused(412, "somebody else has changed this link; look at it again")
        if done.outcome == "deleted":
            return IssueRefused(410, "this link has been deleted")
        if done.outcome != "ok" or done.link is None:
            return _unknown()
        seen = await self._links.get(done.link.id, since=self._clock() - PRESENT)
        return self._view(replace(seen, link=done.link) if seen else Seen(done.link, None))

    def _view(self, seen: Seen) -> LinkView:
        link, server = seen.link, self._servers.named(seen.link.server)
        url = None
        if server is not None:
            try:
                url = f"{server.config.public}{self._prefix}/{self._links.keys.unseal(link.sealed)}"
            except Unsealable:
                url = None
        return LinkView(link, seen.item, self._state(seen), seen.viewers, url, self._breaks(seen), seen.misses)

    def _breaks(self, seen: Seen) -> tuple[str, ...]:
        return broken(seen.link, self.ceilings(seen.link.server), now=self._clock())

    def _state(self, seen: Seen) -> State:
        server = self._servers.named(seen.link.server)
        server_open = server is not None and is_open(server, seen.link.kind)
        return state(seen.link, seen.item, server_open=server_open, now=self._clock())


def _pasted(policy: Policy, text: str) -> tuple[str, str | None]:
    """An id, and the kind where the address of a page told it."""
    text = policy.item.spelled(text)
    if policy.item.variables(text) is None:
        found = policy.recognise(text)
        if found is not None:
            return found
    return text, None


def _netlocs(media: MediaServer) -> frozenset[str]:
    config = media.config
    return frozenset(origin.netloc for origin in (*config.addresses.values(), config.public, *config.also_known_as))


def _number(value: object) -> int | None:
    """A number of the fields, which are of several types."""
    return value if isinstance(value, int) else None


def _unknown() -> IssueRefused:
    return IssueRefused(404, "no such link")
