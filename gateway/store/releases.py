"""What is to be released on a media server when a grant ends, in the store: so that it is done by whoever is
there, also when the worker that prepared it is not.

Rule: a job is written before its grant, and taken out when it is done or given up. It is watched while its
grant lives and due from when that has ended; only one script moves it, once. A job that somebody took
comes back by itself after `HIDDEN`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.links.records import Variables
from gateway.store import names
from gateway.store.client import Store

_log = logging.getLogger("gateway.store")

LOOK = 60_000  # ms between two looks at a grant of whose end nobody has told
HIDDEN = 90_000  # ms; longer than all requests of a release may take
_PART = 50


@dataclass(frozen=True, slots=True)
class Release:
    """`done`: how many of the kind's requests need not be made any more; `tries` so far."""

    grant: str
    link: str
    guest: str
    server: str
    item: str
    kind: str
    variables: Variables
    done: int = 0
    tries: int = 0


class ReleaseStore:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def watch(self, release: Release, *, now: int) -> None:
        """Look at the grant in a while: there may be one by then."""
        keys = [names.RELEASES_WATCHED, names.RELEASES_JOBS]
        await self._store.script("watch_release", keys, [release.grant, now + LOOK, _text(release)])

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
        for grant, job, tries in zip(found[::3], found[1::3], found[2::3], strict=True):
            try:
                jobs.append(_read(grant, job, int(tries)))
            except (KeyError, ValueError, TypeError, AttributeError):
                # A later version's, or somebody else's: it comes up again, and holds up no other.
                _log.warning("what is to be released of grant %s can't be read", grant)
        return jobs

    async def _settle(self, release: Release, outcome: str, at: int) -> None:
        keys = [names.RELEASES_WATCHED, names.RELEASES_DUE, names.RELEASES_JOBS]
        await self._store.script("settle_release", keys, [release.grant, outcome, at, _text(release)])


def _text(release: Release) -> str:
    fields = {name: getattr(release, name) for name in Release.__slots__ if name not in ("grant", "tries")}
    return json.dumps({**fields, "variables": {name: list(values) for name, values in release.variables.items()}})


def _read(grant: str, job: str, tries: int) -> Release:
    found = json.loads(job)
    return Release(
        grant=grant,
        link=found["link"],
        guest=found["guest"],
        server=found["server"],
        item=found["item"],
        kind=found["kind"],
        variables={name: tuple(values) for name, values in found["variables"].items()},
        done=found["done"],
        tries=tries,
    )
