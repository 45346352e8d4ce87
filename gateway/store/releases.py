"""What is to be released on a media server when a grant ends, in the store: so that it is done by whoever is
there, also when the worker that prepared it is not.

Rule: a job is written before its grant, and taken out when it is done or given up. It is watched while its
grant lives and due from when that has ended; only one script moves it, once. A job that somebody took
comes back by itself after `HIDDEN`.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.links.records import Variables
from gateway.store import names
from gateway.store.client import Store
from gateway.store.records import read_variables, variables_text

_log = logging.getLogger("gateway.store")

LOOK = 60_000  # ms between two looks at a grant of whose end nobody has told
HIDDEN = 90_000  # ms; longer than all requests of a release may take
_PART = 50


@dataclass(frozen=True, slots=True)
class Release:
    """`done`: how many of the requests need not be made any more; `tries` so far. `sets`: further variables, each of
    which is to be released like `variables`. `part` tells a grant's jobs apart. `captured`: what the server handed to
    the grant while it lived; with `only` nothing but what needs that is to be released. `again`: all of it has been
    done once, and what is not bound to such a value is done once more."""

    grant: str
    link: str
    guest: str
    server: str
    item: str
    kind: str
    variables: Variables
    done: int = 0
    tries: int = 0
    sets: tuple[Variables, ...] = ()
    part: str = ""
    captured: Variables = field(default_factory=dict)
    only: bool = False
    again: bool = False

    @property
    def id(self) -> str:
        return f"{self.grant}/{self.part}" if self.part else self.grant


class ReleaseStore:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def watch(self, release: Release, *, now: int) -> None:
        """Look at the grant in a while: there may be one by then."""
        keys = [names.RELEASES_WATCHED, names.RELEASES_JOBS]
        await self._store.script("watch_release", keys, [release.grant, now + LOOK, _text(release)])

    async def add(self, release: Release, *, kept: int, now: int) -> None:
        """Another set of variables for a grant that lives; of all its sets the latest `kept` stay, and the one before
        them is due now."""
        keys = [names.RELEASES_WATCHED, names.RELEASES_DUE, names.RELEASES_JOBS]
        one = (now + LOOK, now, _text(release), variables_text(release.variables))
        await self._store.script("add_release", keys, [release.grant, *one, kept, secrets.token_urlsafe(6)])

    async def captured(self, release: Release, values: Variables, *, kept: int, now: int) -> None:
        """The server has handed these to a grant. Of each name the latest `kept` wait for its end, others are due."""
        keys = [names.RELEASES_WATCHED, names.RELEASES_DUE, names.RELEASES_JOBS]
        jobs = (_text(release), _text(replace(release, only=True)), secrets.token_urlsafe(6))
        await self._store.script("capture_release", keys, [release.grant, variables_text(values), kept, now, *jobs])

    async def hasten(self, grants: Sequence[str], *, now: int) -> None:
        """These may have ended: look at those that are watched now."""
        for at in range(0, len(grants), _PART):
            due = dict.fromkeys(grants[at : at + _PART], now)
            await self._store.run(lambda client, due=due: client.zadd(names.RELEASES_WATCHED, due, xx=True, lt=True))  # type: ignore[misc]

    async def to_look_at(self, *, now: int) -> list[Release]:
        return await self._take(names.RELEASES_WATCHED, now, now + LOOK)

    async def due(self, *, now: int) -> list[Release]:
        return await self._take(names.RELEASES_DUE, now, now + HIDDEN)

    async def over(self, release: Release, *, now: int) -> None:
        """The grant has ended, or there never was one."""
        await self._settle(release, "over", now)

    async def retry(self, release: Release, *, at: int) -> None:
        await self._settle(release, "retry", at)

    async def done(self, release: Release) -> None:
        await self._settle(release, "done", 0)

    async def _take(self, name: str, now: int, until: int) -> list[Release]:
        found = await self._store.script("take_releases", [name, names.RELEASES_JOBS], [now, until, _PART])
        jobs = []
        for grant, job, tries, captured in zip(*(found[at::4] for at in range(4)), strict=True):
            try:
                jobs.append(_read(grant, job, int(tries), captured))
            except (KeyError, ValueError, TypeError, AttributeError):
                # A later version's, or somebody else's: it comes up again, and holds up no other.
                _log.warning("what is to be released of grant %s can't be read", grant)
        return jobs

    async def _settle(self, release: Release, outcome: str, at: int) -> None:
        keys = [names.RELEASES_WATCHED, names.RELEASES_DUE, names.RELEASES_JOBS]
        await self._store.script("settle_release", keys, [release.id, outcome, at, _text(release)])


def _text(release: Release) -> str:
    own = ("grant", "tries", "part", "variables", "sets", "captured")
    fields = {name: getattr(release, name) for name in Release.__slots__ if name not in own}
    sets = [_plain(one) for one in release.sets]
    return json.dumps({**fields, "variables": _plain(release.variables), **({"sets": sets} if sets else {})})


def _plain(variables: Variables) -> dict[str, list[str]]:
    return {name: list(values) for name, values in variables.items()}


def _read_variables(found: dict[str, list[str]]) -> Variables:
    return {name: tuple(values) for name, values in found.items()}


def _read(identifier: str, job: str, tries: int, captured: str) -> Release:
    found = json.loads(job)
    grant, _, part = identifier.partition("/")
    return Release(
        grant=grant,
        part=part,
        link=found["link"],
        guest=found["guest"],
        server=found["server"],
        item=found["item"],
        kind=found["kind"],
        variables=_read_variables(found["variables"]),
        sets=tuple(map(_read_variables, found.get("sets", ()))),
        done=found["done"],
        tries=tries,
        captured=read_variables(captured),
        only=found.get("only", False),
        again=found.get("again", False),
    )
