"""The door of a guest link: looking at it, coming in, coming back, leaving.

Rule: only the posted form uses a click, and only when everything else has been settled: the link, the
form's one-time id, the guest's words, and the media server's answer. What must not happen twice is
one script in the store; what is asked before it is asked again there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.access.conditions import Conditions, shown
from gateway.access.grants import GrantTable
from gateway.access.live import LiveGrant
from gateway.access.media import Resolve, ask_media, is_open
from gateway.access.outcome import Denied
from gateway.access.seats import full
from gateway.access.servers import MediaServer
from gateway.config import GuestForm, Prefixes, SessionConfig
from gateway.errors import StoreDown
from gateway.links.answers import Answers, read_agreement, read_answers
from gateway.links.events import Action, Event
from gateway.links.forms import FormId, FormTrouble, check_form, new_form
from gateway.links.ids import GRANTS_PER_BROWSER, guest_of, new_grant_id, new_guest_id, slot_of
from gateway.links.records import Grant, Guest, Item, Link
from gateway.links.rules import State, refusal, state
from gateway.links.text import clean, clean_address
from gateway.reasons import Reason
from gateway.store.audit import AuditTrail
from gateway.store.guests import PRESENT, Visitor
from gateway.store.links import LinkStore, Seen
from gateway.store.wrong_tries import WrongTries
from gateway.upstream.resolve import Resolved, resolve_item

_OPENING = 100  # links of which is being noted, at once, that somebody opened them
RECOGNISED = 90 * 86_400_000  # ms after the first admission a browser is let in without the form


@dataclass(frozen=True, slots=True)
class PostedForm:
    """As it came: nothing in it has been looked at. `answers` to what the form asks besides, by name. `source` is
    where it came from: the network address, as far as guesses are counted by it."""

    name: str
    email: str
    form: str
    shared_device: bool
    answers: Mapping[str, str] = field(default_factory=dict)
    pin: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Entrance:
    """A link that takes guests now, or as soon as a seat is free (`full`)."""

    link: Link
    item: Item
    server: MediaServer
    state: State
    full: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody is in. `location` is a path of our own origin, `grant_ids` what the session cookie is to
    hold, latest admission last; not `persistent`: it ends with the browser."""

    live: LiveGrant
    location: str
    grant_ids: tuple[str, ...]
    persistent: bool


@dataclass(frozen=True, slots=True)
class _Words:
    """Name, address and answers as they are kept."""

    name: str
    email: str
    answers: Answers


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
        self._max_age = session.max_age // timedelta(milliseconds=1)
        self._own = prefixes.own
        self._clock = clock
        self._resolve = resolve
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
        found = await ask_media(self._resolve, server, seen.link.item) if ask else None
        if isinstance(found, Denied):
            return found
        seats = seen.link.viewers_limit
        return Entrance(seen.link, seen.item, server, now_state, full=seats is not None and seen.viewers >= seats)

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
        digest = _digest(form.key, words)
        before = await self._links.guests.used_form(link.id, form.key)
        if before is not None:
            return await self._again(seen, server, before, digest, grant_ids)
        for visitor in await self._here_before(seen, grant_ids):
            # A form left open in another tab of a browser that has come in since.
            if _same(visitor.guest, words, shared_device=posted.shared_device):
                await self._agreed(visitor.guest, words.answers.consent)
                return await self._reenter(seen, server, visitor, grant_ids)
        if form.old:
            return Denied(Reason.FORM_STALE, "older than ten minutes")
        if used_up is not None:
            return Denied(used_up)
        for _ in range(3):
            unmet = await self._unmet(seen.link, token, posted, words, cookie)
            if unmet is not None:
                return unmet
            media = await ask_media(self._resolve, server, link.item)
            if isinstance(media, Denied):
                return media
            done = await self._admit(seen, server, words, form, media, posted, grant_ids)
            if isinstance(done, Denied) and done.reason is Reason.FULL:
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
        self, link: Link, token: str, posted: PostedForm, words: _Words, cookie: str | None
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
        words: _Words,
        form: FormId,
        media: Resolved,
        posted: PostedForm,
        grant_ids: tuple[str, ...],
    ) -> Admitted | Denied | None:
        """The one step that uses a click; None where what the guest was judged by has changed meanwhile."""
        link, digest, now = seen.link, _digest(form.key, words), self._clock()
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
        grant = self._grant(link, guest.id, media, now)
        done = await self._links.guests.admit(
            guest,
            grant,
            form=form.key,
            digest=digest,
            server_open=is_open(server, link.kind),
            now=now,
            judged_by=link,
        )
        if done.outcome == "admitted":
            live = self._grants.adopt(grant, guest, link, seen.item)
            if live is None:
                return Denied(Reason.ACCESS_OFF, "the operator has taken the server or kind away meanwhile")
            if link.opened_at is None:
                await self._first_opened(link)
            await self._note(Action.GUEST_ADMITTED, live, {"clicks_used": str(done.used)})
            return await self._admitted(live, (*_without(grant_ids, guest.id), grant.id))
        if done.outcome == "again" and done.grant is not None:
            return await self._again(seen, server, (digest, done.grant), digest, grant_ids)
        if done.outcome == "refused" and done.link is not None:
            return self._refused(done.link, done.item, server, inside=False)
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
        known = await self._here_before(seen, grant_ids)
        if not known:
            return None
        reason = refusal(self._state(seen.link, seen.item, server), inside=True)
        if reason is None and seen.item is not None and self._consent_due(known[0].guest):
            return Entrance(seen.link, seen.item, server, self._state(seen.link, seen.item, server))
        if reason is None:
            return await self._reenter(seen, server, known[0], grant_ids)
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
        known = await self._here_before(seen, grant_ids)
        if isinstance(form, FormTrouble) or form.old or not known:
            return Denied(Reason.FORM_STALE, "an old form, or nobody who was here before")
        agreed = read_agreement(self._asked, posted.answers)
        if agreed.errors:
            return Denied(Reason.FORM_INVALID, ", ".join(agreed.errors), agreed.errors)
        await self._agreed(known[0].guest, agreed.consent)
        return await self._reenter(seen, server, known[0], grant_ids)

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

    async def _agreed(self, guest: Guest, version: str | None) -> None:
        if version is not None and guest.consent_version != version:
            await self._links.guests.agree(guest.id, version, now=self._clock())

    async def _at(self, token: str, server: MediaServer) -> Seen | Denied:
        """The link, if it is one of this host: elsewhere it does not exist."""
        seen = await self._links.find(token, since=self._clock() - PRESENT)
        if seen is None or seen.link.server != server.config.name:
            return Denied(Reason.LINK_UNKNOWN)
        return seen

    def _state(self, link: Link, item: Item | None, server: MediaServer) -> State:
        return state(link, item, server_open=is_open(server, link.kind), now=self._clock())

    def _refused(self, link: Link, item: Item | None, server: MediaServer, *, inside: bool) -> Denied:
        """Why the store's script refused; it has seen the link later than we did."""
        return closed(refusal(self._state(link, item, server), inside=inside) or Reason.ACCESS_OFF, link)

    def _recognised(self, visitor: Visitor, link: Link) -> bool:
        guest = visitor.guest
        return guest.link == link.id and guest.gone_at is None and self._clock() - guest.first_seen < RECOGNISED

    async def _here_before(self, seen: Seen, grant_ids: tuple[str, ...]) -> list[Visitor]:
        """The guests of this link that this browser is recognised as, the latest first."""
        mine = [one for one in grant_ids if slot_of(one) == slot_of(seen.link.id)]
        if not mine:
            return []
        visitors = await self._links.guests.visitors(mine)
        return [
            visitors[one]
            for one in dict.fromkeys(map(guest_of, reversed(mine)))
            if one in visitors and self._recognised(visitors[one], seen.link)
        ]

    async def _again(
        self, seen: Seen, server: MediaServer, before: tuple[str, str], digest: str, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied:
        """A form id that has admitted somebody: the same words again mean the same admission."""
        if before[0] != digest:
            return Denied(Reason.FORM_STALE, "the form has admitted somebody else")
        visitor = (await self._links.guests.visitors([before[1]])).get(guest_of(before[1]))
        if visitor is None or not self._recognised(visitor, seen.link):
            return Denied(Reason.FORM_STALE, "the guest has left")
        return await self._reenter(seen, server, visitor, grant_ids)

    async def _reenter(
        self, seen: Seen, server: MediaServer, visitor: Visitor, grant_ids: tuple[str, ...]
    ) -> Admitted | Denied:
        """The guest's live grant, or a fresh one."""
        link = seen.link
        media = await ask_media(self._resolve, server, link.item)
        if isinstance(media, Denied):
            if media.reason is Reason.MEDIA_GONE and visitor.grant is not None:
                await self._grants.end(visitor.grant, str(media.reason))
            return media
        for _ in range(5):
            now = self._clock()
            fresh = self._grant(link, visitor.guest.id, media, now)
            done = await self._links.guests.come_back(
                fresh, named=visitor.grant, server_open=is_open(server, link.kind), now=now
            )
            if done.outcome == "refused" and done.link is not None:
                return self._refused(done.link, done.item, server, inside=True)
            if done.outcome == "full":
                return full(self._links.keys, link.id, self._clock(), inside=True)
            live = None
            if done.outcome == "fresh":
                live = self._grants.adopt(fresh, visitor.guest, link, seen.item)
            elif done.outcome == "live" and visitor.grant is not None:
                lives = self._grants.known((visitor.grant,)) or await self._grants.load((visitor.grant,))
                live = next(iter(lives), None)
            if live is not None:
                await self._grants.renew(live, media.variables)
                live.touch()
                return await self._admitted(live, _in_place(grant_ids, live.grant.id))
            # Another tab was faster, or the grant ended meanwhile: look at the guest anew.
            found = (await self._links.guests.visitors([visitor.guest.id])).get(visitor.guest.id)
            if found is None or not self._recognised(found, link):
                return Denied(Reason.GRANT_ENDED)
            visitor = found
        raise StoreDown("the guest's grant changed each time it was looked at")

    def _grant(self, link: Link, guest: str, media: Resolved, now: int) -> Grant:
        return Grant(
            id=new_grant_id(guest),
            link=link.id,
            guest=guest,
            server=link.server,
            item=link.item,
            kind=link.kind,
            variables=dict(media.variables or {}),
            created_at=now,
            ends_at=now + self._max_age,
            last_seen=now,
        )

    async def _admitted(self, live: LiveGrant, grant_ids: tuple[str, ...]) -> Admitted:
        grant_ids = grant_ids[-GRANTS_PER_BROWSER:]
        shared = live.guest.shared_device
        others = [one for one in grant_ids if one != live.grant.id]
        if others and not shared:
            # One cookie for all: it lives no longer than the most careful of its guests wanted.
            visitors = await self._links.guests.visitors(others)
            shared = any(visitor.guest.shared_device for visitor in visitors.values())
        location = live.scope.landing() or f"{self._own}/watch/{live.grant.id}"
        return Admitted(live, location, grant_ids, persistent=not shared)


def closed(reason: Reason, link: Link) -> Denied:
    """A link that lets nobody in now; with its start where that is why."""
    return Denied(reason, starts_at=link.starts_at if reason is Reason.NOT_OPEN_YET else None)


def read_words(posted: PostedForm, form: GuestForm) -> _Words | Denied:
    """Name, address and answers as they are kept, or what is wrong with each."""
    errors: dict[str, str] = {}
    name = clean(posted.name)
    if name is None:
        errors["name"] = "entry.error.name"
    email = clean_address(posted.email)
    if email is None:
        errors["email"] = "entry.error.email"
    answers = read_answers(form, posted.answers)
    errors |= answers.errors
    if name is None or email is None or errors:
        return Denied(Reason.FORM_INVALID, ", ".join(errors), errors)
    return _Words(name, email, answers)


def _same(guest: Guest, words: _Words, *, shared_device: bool) -> bool:
    """Whether these words are this guest's. Who adds or takes back "not my device" is treated as somebody else."""
    return (guest.name, guest.email, guest.shared_device) == (words.name, words.email, shared_device)


def _digest(form: str, words: _Words) -> str:
    return hashlib.sha256(f"{form}\0{words.name}\0{words.email}".encode()).hexdigest()[:32]


def _without(grant_ids: tuple[str, ...], guest: str) -> tuple[str, ...]:
    return tuple(one for one in grant_ids if guest_of(one) != guest)


def _in_place(grant_ids: tuple[str, ...], grant: str) -> tuple[str, ...]:
    """The guest's grant where the guest's former one stood: coming back is no later admission."""
    guest, found = guest_of(grant), []
    for one in grant_ids:
        same = guest_of(one) == guest
        if not same or grant not in found:
            found.append(grant if same else one)
    return tuple(found) if grant in found else (*found, grant)
