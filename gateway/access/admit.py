"""The door of a guest link: looking at it, coming in, coming back, leaving.

Rule: only the posted form uses a click, and only when everything else has been settled: the link, the
form's one-time id, the guest's words, and the media server's answer. What must not happen twice is
one script in the store; what is asked before it is asked again there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, replace

from gateway.access.beginning import NOT_NOW, Beginning
from gateway.access.conditions import Conditions, shown
from gateway.access.grants import GrantTable
from gateway.access.live import LiveGrant
from gateway.access.media import Resolve, ask_media, is_open
from gateway.access.outcome import Denied
from gateway.access.preparing import Preparer
from gateway.access.reentry import Admitted, Reentry, closed, no_seat, refused
from gateway.access.seats import full
from gateway.access.servers import MediaServer
from gateway.access.words import PostedForm, Words, digest_of, read_words, same
from gateway.config import GuestForm, Prefixes, SessionConfig
from gateway.errors import StoreDown
from gateway.links.answers import read_agreement
from gateway.links.events import Action, Event
from gateway.links.forms import FormId, FormTrouble, check_form, new_form
from gateway.links.ids import guest_of, new_guest_id, slot_of
from gateway.links.records import Guest, Item, Link
from gateway.links.rules import State, refusal, state
from gateway.reasons import Reason
from gateway.store.audit import AuditTrail
from gateway.store.guests import PRESENT
from gateway.store.links import LinkStore, Seen
from gateway.store.releases import ReleaseStore
from gateway.store.wrong_tries import WrongTries
from gateway.upstream.resolve import Resolved, resolve_item

_OPENING = 100  # links of which is being noted, at once, that somebody opened them


@dataclass(frozen=True, slots=True)
class Entrance:
    """A link that takes guests now, or as soon as a seat is free (`full`) or its item on the air: `awaits`, why it
    is not."""

    link: Link
    item: Item
    server: MediaServer
    state: State
    full: bool = False
    awaits: Reason | None = None


class Doorkeeper:
    """`clock` in ms."""

    def __init__(
        self,
        links: LinkStore,
        grants: GrantTable,
        session: SessionConfig,
        prefixes: Prefixes,
        clock: Callable[[], int],
        *,
        resolve: Resolve = resolve_item,
        trail: AuditTrail | None = None,
        form: GuestForm | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        """`trail`: where admissions and departures are noted. `form`: what guests are asked. `conditions` counts
        wrong tries; one for itself without."""
        self._links = links
        self._grants = grants
        self._trail = trail
        self._clock = clock
        self._resolve = resolve
        self._preparer = Preparer(ReleaseStore(links.store), clock)
        self._reentry = Reentry(links, grants, session, prefixes, clock, resolve, self._preparer)
        self._beginning = Beginning(links, clock)
        self._asked = form or GuestForm()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._conditions = conditions or Conditions(WrongTries(links.store), clock)

    def new_form(self, token: str, cookie: str, now: int) -> str:
        """The hidden one-time id for a form that is shown with this cookie. Nothing is stored."""
        return new_form(self._links.keys, token, cookie, now)

    async def look(self, token: str, server: MediaServer, *, ask: bool = True) -> Entrance | Denied:
        """What a stranger sees of this link; uses nothing up. `ask`: the media server too. Raises StoreDown."""
        seen = await self._at(token, server)
        if isinstance(seen, Denied):
            return seen
        now_state = self._state(seen.link, seen.item, server)
        reason = refusal(now_state, inside=False)
        if reason is not None or seen.item is None:
            return closed(reason or Reason.ACCESS_OFF, seen.link)
        found = await self._asked_of(server, seen) if ask else None
        awaits = found.reason if isinstance(found, Denied) and found.reason in NOT_NOW else None
        if isinstance(found, Denied) and awaits is None:
            return found
        return Entrance(seen.link, seen.item, server, now_state, full=no_seat(seen), awaits=awaits)

    def shown(self, entrance: Entrance) -> None:
        """A browser shows this link's page to somebody. Written once in a link's life, behind the answer's back: a
        page is never later for it, and many who come at once are one task."""
        link = entrance.link
        if link.opened_at is None and link.id not in self._opening and len(self._opening) < _OPENING:
            # Without the patience of the request, which is over by then.
            task = asyncio.create_task(self._first_opened(link), context=Context())
            self._opening[link.id] = task
            task.add_done_callback(lambda _: self._opening.pop(link.id, None))

    async def admit(
        self, token: str, server: MediaServer, posted: PostedForm, cookie: str | None, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied:
        """Take a posted form. One click, unless refused or posted before. Raises StoreDown."""
        seen = await self._at(token, server)
        if isinstance(seen, Denied):
            return seen
        link, now = seen.link, self._clock()
        reason = refusal(self._state(link, seen.item, server), inside=True)
        if reason is not None:
            return closed(reason, link)
        form = check_form(self._links.keys, posted.form, token, cookie, now)
        words = read_words(posted, self._asked)
        used_up = refusal(self._state(link, seen.item, server), inside=False)
        if used_up is not None and (isinstance(form, FormTrouble) or isinstance(words, Denied)):
            # No repetition of an admission, and to anybody else this link says what it says to a look.
            return Denied(used_up)
        if form is FormTrouble.OTHER_BROWSER:
            return Denied(Reason.COOKIES_NEEDED)
        if isinstance(words, Denied):
            return words
        if isinstance(form, FormTrouble):
            return Denied(Reason.FORM_STALE, "not a form id")
        digest = digest_of(form.key, words)
        before = await self._links.guests.used_form(link.id, form.key)
        if before is not None:
            return await self._reentry.again(seen, server, before, digest, grant_ids)
        for visitor in await self._reentry.here_before(seen, grant_ids):
            # A form left open in another tab of a browser that has come in since.
            if same(visitor.guest, words, shared_device=posted.shared_device):
                await self._reentry.agreed(visitor.guest, words.answers.consent)
                return await self._reentry.reenter(seen, server, visitor, grant_ids)
        if form.old:
            return Denied(Reason.FORM_STALE, "older than ten minutes")
        if used_up is not None:
            return Denied(used_up)
        for _ in range(3):
            unmet = await self._unmet(seen.link, token, posted, words, cookie)
            if unmet is not None:
                return unmet
            media = await self._asked_of(server, seen)
            done: Admitted | Denied | None
            if isinstance(media, Denied):
                done = media
            else:
                done = await self._admit(seen, server, words, form, media, posted, grant_ids)
            if isinstance(done, Denied) and done.seat:
                ticket = new_form(self._links.keys, token, cookie or "", now, passed=shown(seen.link, words.email))
                return replace(done, ticket=ticket)
            if done is not None:
                return done
            # Its PIN or list is another one by now.
            again = await self._at(token, server)
            if isinstance(again, Denied):
                return again
            seen = again
        raise StoreDown("the link changed each time it was looked at")

    async def _unmet(
        self, link: Link, token: str, posted: PostedForm, words: Words, cookie: str | None
    ) -> Denied | None:
        """What the link asks for beyond the words, and this guest has not shown."""
        if posted.ticket:
            ticket = check_form(
                self._links.keys, posted.ticket, token, cookie, self._clock(), passed=shown(link, words.email)
            )
            if isinstance(ticket, FormId) and not ticket.old:
                return None
        return await self._conditions.met(link, posted.pin, words.email, posted.source)

    async def _admit(
        self,
        seen: Seen,
        server: MediaServer,
        words: Words,
        form: FormId,
        media: Resolved,
        posted: PostedForm,
        grant_ids: tuple[str, ...],
    ) -> Admitted | Denied | None:
        """The one step that uses a click; None where what the guest was judged by has changed meanwhile."""
        link, digest, now = seen.link, digest_of(form.key, words), self._clock()
        guest = Guest(
            id=new_guest_id(slot_of(link.id)),
            link=link.id,
            name=words.name,
            email=words.email,
            first_seen=now,
            last_seen=now,
            shared_device=posted.shared_device,
            fields=words.answers.fields,
            consent_version=words.answers.consent,
            consent_at=None if words.answers.consent is None else now,
        )
        if server.asks_for(link.kind) and no_seat(seen):
            return full(self._links.keys, link.id, now, inside=False)  # and nothing was made for nobody
        grant = await self._preparer.prepare(server, self._reentry.new_grant(link, guest.id, media, now), guest)
        if isinstance(grant, Denied):
            return self._beginning.told(link, seen.item, grant, inside=False)
        done = await self._links.guests.admit(
            guest,
            grant,
            form=form.key,
            digest=digest,
            server_open=is_open(server, link.kind),
            now=now,
            judged_by=link,
        )
        if done.outcome != "admitted":
            await self._preparer.undo(server, grant)
        if done.outcome == "admitted":
            live = self._grants.adopt(grant, guest, link, seen.item)
            if live is None:
                return Denied(Reason.ACCESS_OFF, "the operator has taken the server or kind away meanwhile")
            if link.opened_at is None:
                await self._first_opened(link)
            await self._note(Action.GUEST_ADMITTED, live, {"clicks_used": str(done.used)})
            return await self._reentry.admitted(live, (*_without(grant_ids, guest.id), grant.id))
        if done.outcome == "again" and done.grant is not None:
            return await self._reentry.again(seen, server, (digest, done.grant), digest, grant_ids)
        if done.outcome == "refused" and done.link is not None:
            return refused(done.link, done.item, server, now=self._clock(), inside=False)
        if done.outcome == "full":
            return full(self._links.keys, link.id, self._clock(), inside=False)
        if done.outcome == "changed":
            return None
        return Denied(Reason.FORM_STALE if done.outcome == "stale" else Reason.LINK_UNKNOWN)

    async def come_back(
        self, token: str, server: MediaServer, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied | Entrance | None:
        """Let in a browser that was admitted through this link before; None when it was not. Uses no
        click; a link that is closed by now ends what the browser had. An entrance: they are recognised, and
        `agree` first to the consent text that is in force by now. Raises StoreDown."""
        seen = await self._at(token, server)
        if isinstance(seen, Denied):
            return None
        known = await self._reentry.here_before(seen, grant_ids)
        if not known:
            return None
        reason = refusal(self._state(seen.link, seen.item, server), inside=True)
        if reason is None and seen.item is not None and self._consent_due(known[0].guest):
            return Entrance(seen.link, seen.item, server, self._state(seen.link, seen.item, server))
        if reason is None:
            return await self._reentry.reenter(seen, server, known[0], grant_ids)
        for visitor in known:
            if visitor.grant is not None:
                await self._grants.end(visitor.grant, str(reason))
        return closed(reason, seen.link)

    async def agree(
        self, token: str, server: MediaServer, posted: PostedForm, cookie: str | None, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied:
        """Take the consent of somebody who comes back, and let them in; uses no click. Raises StoreDown."""
        seen = await self._at(token, server)
        if isinstance(seen, Denied):
            return seen
        reason = refusal(self._state(seen.link, seen.item, server), inside=True)
        if reason is not None:
            return closed(reason, seen.link)
        form = check_form(self._links.keys, posted.form, token, cookie, self._clock())
        if form is FormTrouble.OTHER_BROWSER:
            return Denied(Reason.COOKIES_NEEDED)
        known = await self._reentry.here_before(seen, grant_ids)
        if isinstance(form, FormTrouble) or form.old or not known:
            return Denied(Reason.FORM_STALE, "an old form, or nobody who was here before")
        agreed = read_agreement(self._asked, posted.answers)
        if agreed.errors:
            return Denied(Reason.FORM_INVALID, ", ".join(agreed.errors), agreed.errors)
        await self._reentry.agreed(known[0].guest, agreed.consent)
        return await self._reentry.reenter(seen, server, known[0], grant_ids)

    async def leave(self, grant_ids: tuple[str, ...], only: str | None = None) -> tuple[str, ...]:
        """The guest goes, from all or from one grant's item; what the cookie may keep. Raises StoreDown."""
        leaving = [one for one in grant_ids if only is None or one == only]
        guests = list(dict.fromkeys(map(guest_of, leaving)))
        visitors = await self._links.guests.visitors(guests)
        for guest in guests:
            ended = {one for one in grant_ids if guest_of(one) == guest}
            visitor = visitors.get(guest)
            if visitor is not None:  # without a record of its guest no grant is taken in again
                if visitor.grant is not None:
                    ended.add(visitor.grant)
                await self._links.guests.leave(visitor.guest, sorted(ended), "left", now=self._clock())
                await self._note_leaving(visitor.guest)
            self._grants.ended_elsewhere(ended, "left")
        return tuple(one for one in grant_ids if guest_of(one) not in guests)

    # --- steps ----------------------------------------------------------------------------------

    async def _asked_of(self, server: MediaServer, seen: Seen) -> Resolved | Denied:
        """The media server's word about the link's item, to somebody who is not in."""
        found = await ask_media(self._resolve, server, seen.link.item)
        return await self._beginning.judged(server, seen.link, seen.item, found, inside=False)

    async def _note(self, action: Action, live: LiveGrant, detail: Mapping[str, str]) -> None:
        """Nobody is kept out because the log can't be written."""
        if self._trail is not None:
            grant = live.grant
            await self._trail.note(
                Event(self._clock(), "guest", action, grant.server, grant.item, grant.link, grant.guest, detail)
            )

    async def _first_opened(self, link: Link) -> None:
        """The store decides who was first; nobody waits for it who only looks."""
        if self._trail is None:
            return
        try:
            if await self._links.opened(link.id, now=self._clock()):
                await self._trail.note(
                    Event(self._clock(), "guest", Action.LINK_OPENED, link.server, link.item, link.id)
                )
        except StoreDown:
            return  # then the next one is first

    async def _note_leaving(self, guest: Guest) -> None:
        item = await self._links.item(slot_of(guest.id)) if self._trail is not None else None
        if self._trail is not None and item is not None:
            await self._trail.note(
                Event(self._clock(), "guest", Action.GUEST_LEFT, item.server, item.item, guest.link, guest.id)
            )

    def _consent_due(self, guest: Guest) -> bool:
        consent = self._asked.consent
        return consent is not None and consent.required and guest.consent_version != consent.version

    async def _at(self, token: str, server: MediaServer) -> Seen | Denied:
        """The link, if it is one of this host: elsewhere it does not exist."""
        seen = await self._links.find(token, since=self._clock() - PRESENT)
        if seen is None or seen.link.server != server.config.name:
            return Denied(Reason.LINK_UNKNOWN)
        return seen

    def _state(self, link: Link, item: Item | None, server: MediaServer) -> State:
        return state(link, item, server_open=is_open(server, link.kind), now=self._clock())


def _without(grant_ids: tuple[str, ...], guest: str) -> tuple[str, ...]:
    return tuple(one for one in grant_ids if guest_of(one) != guest)
