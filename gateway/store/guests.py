"""Guests, their admissions and grants in the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import StoreTooNew
from gateway.links.ids import guest_of, slot_of
from gateway.links.records import SCHEMA, Grant, Guest, Item, Link, Variables
from gateway.policy.jar import KEPT_COOKIE
from gateway.store import names
from gateway.store.client import Store
from gateway.store.records import (
    check_version,
    emails_text,
    flat,
    grant_hash,
    guest_hash,
    read_grant,
    read_guest,
    read_item,
    read_link,
    read_variables,
    unflat,
    variables_text,
)

FORM_LIFE = 900_000  # ms a used form id is remembered; longer than one is good for, clocks included
PRESENT = 90_000  # ms without activity after which a grant no longer counts as a viewer, and its seat is free
_GRANT_LIFE = 86_400_000  # ms the record of a grant stays after its latest end
_PART = 100
BROUGHT = 16  # values of one variable that a grant has from the media server


@dataclass(frozen=True, slots=True)
class Admission:
    """admitted (`used`: clicks of the link by then), again (`grant`: the one the same form made before), stale,
    refused (`link`, `item` as they were then), changed (what the guest was judged by), full or missing."""

    outcome: str
    grant: str | None = None
    link: Link | None = None
    item: Item | None = None
    used: int = 0


@dataclass(frozen=True, slots=True)
class Visitor:
    """A guest's record and the grant it names: the latest one."""

    guest: Guest
    grant: str | None


@dataclass(frozen=True, slots=True)
class Active:
    """What a grant did lately: its last activity (ms) and, as offsets from the guest's first, the half minutes in
    which something was watched."""

    grant: str
    link: str
    last_seen: int
    watched: tuple[int, ...] = ()


class GuestStore:
    """`retention` in ms from a guest's last activity."""

    def __init__(self, store: Store, *, retention: int) -> None:
        self._store = store
        self._retention = retention

    def keep_for(self, retention: int) -> None:
        self._retention = retention

    async def used_form(self, link_id: str, form: str) -> tuple[str, str] | None:
        """Digest of name and address, and the grant, of what this form id has admitted."""
        name = names.form(slot_of(link_id), form)
        found: list[str | None] = await self._store.run(lambda client: client.hmget(name, ["digest", "grant", "v"]))
        digest, grant, version = found
        if version is not None:  # a form remembered without one is older than all
            check_version({"v": version}, "a form")
        return None if digest is None or grant is None else (digest, grant)

    async def admit(
        self,
        guest: Guest,
        grant: Grant,
        *,
        form: str,
        digest: str,
        server_open: bool,
        now: int,
        judged_by: Link | None = None,
    ) -> Admission:
        """`judged_by`: the link whose PIN and list of addresses the guest has passed; None: it had neither."""
        slot = slot_of(grant.id)
        found = await self._store.script(
            "admit",
            [
                names.item(slot),
                names.link(grant.link),
                names.form(slot, form),
                names.guest(guest.id),
                names.guests(slot),
                names.grant(grant.id),
                names.live(grant.link),
            ],
            [
                SCHEMA,
                now,
                int(server_open),
                digest,
                FORM_LIFE,
                self._retention,
                grant.ends_at - now + _GRANT_LIFE,
                guest.id,
                grant.id,
                (judged_by.pin if judged_by else None) or "",
                (emails_text(judged_by.emails) if judged_by else None) or "",
                now - PRESENT,
                *flat(guest_hash(guest)),
                *flat(grant_hash(grant)),
            ],
        )
        if found[0] == "again":
            return Admission("again", found[1])
        if found[0] == "admitted":
            return Admission("admitted", used=int(found[1]))
        if found[0] == "missing":
            await self._store.intact()
        return _admission(found)

    async def come_back(self, grant: Grant, *, named: str | None, server_open: bool, now: int) -> Admission:
        """live (the grant that the guest's record names is good), fresh (`grant` was written), again
        (somebody else was faster), gone, refused or missing."""
        slot = slot_of(grant.id)
        found = await self._store.script(
            "return_guest",
            [
                names.item(slot),
                names.link(grant.link),
                names.guest(grant.guest),
                names.grant(named or grant.id),
                names.grant(grant.id),
                names.live(grant.link),
            ],
            [
                SCHEMA,
                now,
                int(server_open),
                grant.ends_at - now + _GRANT_LIFE,
                named or "",
                grant.id,
                now - PRESENT,
                *flat(grant_hash(grant)),
            ],
        )
        if found[0] in ("missing", "gone"):
            await self._store.intact()
        return _admission(found)

    async def take_seat(self, grant: Grant, seats: int, *, now: int) -> bool:
        """Keep the seat of a grant that opens a page, or take one; False when all are others'."""
        found = await self._store.script(
            "take_seat",
            [names.grant(grant.id), names.live(grant.link)],
            [SCHEMA, now, grant.id, seats, now - PRESENT],
        )
        _check(found)
        return bool(found[0] != "full")

    async def visitors(self, ids: Iterable[str]) -> dict[str, Visitor]:
        """The guests of these guest or grant ids, by guest id; those that are not there are left out."""
        wanted = list(dict.fromkeys(map(guest_of, ids)))
        found = await self._store.pipeline(lambda pipe: [pipe.hgetall(names.guest(one)) for one in wanted])
        guests = [(read_guest(one), one.get("grant")) for one in found]
        if any(guest is None for guest, _ in guests):
            await self._store.intact()
        return {guest.id: Visitor(guest, grant) for guest, grant in guests if guest is not None}

    async def grants(self, ids: Sequence[str]) -> dict[str, tuple[Grant, Guest]]:
        """Grants with their guests; those that are not there are left out."""
        found: list[dict[str, str]] = []
        for at in range(0, len(ids), _PART):
            part = ids[at : at + _PART]

            def ask(pipe: Any, part: Sequence[str] = part) -> None:
                for one in part:
                    pipe.hgetall(names.grant(one))
                    pipe.hgetall(names.guest(one))

            found += await self._store.pipeline(ask)
        if not all(found):
            await self._store.intact()
        records = zip(ids, map(read_grant, found[::2]), map(read_guest, found[1::2]), strict=True)
        return {one: (grant, guest) for one, grant, guest in records if grant is not None and guest is not None}

    async def end(self, grant: str, link: str, reason: str, *, now: int, unless_after: int | None = None) -> int | None:
        """End a grant for good, `unless_after`: only if its last activity (ms) is not later; then that
        activity is returned, and None when the grant is over."""
        found = await self._store.script(
            "end_grant",
            [names.grant(grant), names.live(link)],
            [now, grant, reason, "" if unless_after is None else unless_after, SCHEMA],
        )
        _check(found)
        return int(found[1]) if found[0] == "busy" else None

    async def leave(self, guest: Guest, grants: Sequence[str], reason: str, *, now: int) -> None:
        """The guest goes for good, with all grants named (of this guest)."""
        keys = [names.guest(guest.id), names.live(guest.link), *map(names.grant, grants)]
        _check(await self._store.script("leave", keys, [SCHEMA, now, reason, *grants]))

    async def agree(self, guest: str, version: str, *, now: int) -> None:
        """Note the version of the consent text that a guest has agreed to now."""
        _check(await self._store.script("agree", [names.guest(guest)], [SCHEMA, version, now]))

    async def erase(self, guest: str) -> None:
        """Take the words that name a person out of the record; that somebody was here stays."""
        _check(await self._store.script("erase_guest", [names.guest(guest)], [SCHEMA]))

    async def touch(self, seen: Sequence[Active]) -> set[str]:
        """Note what grants did last, and when their guests watched. Returns those that are over."""
        by_slot: dict[str, list[Active]] = {}
        for one in seen:
            by_slot.setdefault(slot_of(one.grant), []).append(one)
        over: set[str] = set()
        for entries in by_slot.values():
            for at in range(0, len(entries), _PART):
                part = entries[at : at + _PART]
                keys: list[str] = []
                words: list[str | int] = []
                for one in part:
                    keys += [
                        names.grant(one.grant),
                        names.guest(one.grant),
                        names.live(one.link),
                        names.watched(one.grant),
                        names.link(one.link),
                    ]
                    words += [one.grant, one.last_seen, len(one.watched), *one.watched]
                over |= set(await self._store.script("touch", keys, [SCHEMA, self._retention, PRESENT, *words]))
        if over:
            await self._store.intact()
        return over

    async def attendance(self, visitors: Sequence[Visitor], *, since: int) -> list[tuple[int, bool]]:
        """Of each the half minutes watched, and whether their grant was active from `since` (ms) on."""
        found: list[tuple[int, bool]] = []
        for at in range(0, len(visitors), _PART):
            part = visitors[at : at + _PART]

            def ask(pipe: Any, part: Sequence[Visitor] = part) -> None:
                for one in part:
                    pipe.bitcount(names.watched(one.guest.id))
                    pipe.zscore(names.live(one.guest.link), one.grant or "")

            answers = await self._store.pipeline(ask)
            found += [
                (int(count), last is not None and float(last) >= since)
                for count, last in zip(answers[::2], answers[1::2], strict=True)
            ]
        return found

    async def renew(self, grant: str, variables: Variables) -> None:
        _check(await self._store.script("renew", [names.grant(grant)], [SCHEMA, grant, variables_text(variables)]))

    async def bring(
        self, grant: str, values: Variables, sets: int | None = None, *, renewed_at: int | None = None
    ) -> Variables | None:
        """Variables that the media server gave for this grant: before those it has, of each name the latest
        `BROUGHT`, or with `sets` those of so many times. `renewed_at` (ms): they are a renewal's. All it has by now;
        None when it has ended."""
        most = {name: BROUGHT if sets is None else sets * len(found) for name, found in values.items()}
        most |= {name: 1 for name in values if name.startswith(KEPT_COOKIE)}
        found = await self._store.script(
            "bring",
            [names.grant(grant)],
            [SCHEMA, grant, variables_text(values), json.dumps(most), "" if renewed_at is None else renewed_at],
        )
        _check(found)
        return read_variables(found[1]) if found[0] == "ok" else None

    async def claim_renewal(self, grant: str, *, seen: int | None, at: int) -> bool:
        """Whoever says first that a grant's variables are as of `at` (ms), when they were as of `seen`, may ask."""
        found = await self._store.script(
            "claim_renewal", [names.grant(grant)], [SCHEMA, "" if seen is None else seen, at]
        )
        _check(found)
        return bool(found[0] == "ok")

    async def of_item(self, slot: str) -> list[Visitor]:
        """All guests of an item by first admission; names of records that have expired are swept out."""
        ids: list[str] = await self._store.run(lambda client: client.zrange(names.guests(slot), 0, -1))
        found: list[Visitor] = []
        for at in range(0, len(ids), _PART):
            part = ids[at : at + _PART]
            there = await self.visitors(part)
            found += there.values()
            expired = [one for one in part if one not in there]
            if expired:
                await self._store.run(lambda client, expired=expired: client.zrem(names.guests(slot), *expired))  # type: ignore[misc]
        return found


def _admission(found: list[Any]) -> Admission:
    _check(found)
    if found[0] == "refused":
        return Admission("refused", None, read_link(unflat(found[2])), read_item(unflat(found[1])))
    return Admission(found[0])


def _check(found: list[Any]) -> None:
    if found[0] == "newer":
        raise StoreTooNew("what is kept of a guest or their link was written by a later version of this program")
