"""What the media server is asked for a grant before there is one, and what it is asked for when it has ended.

Rule: `prepare` comes before the step that counts the click, so that a failure needs nothing undone, also not
when the gateway is killed in between. What was prepared for somebody who is then refused is released, and
what is to be released stands in the store before the grant does: whichever worker lives then does it.

Why a grant is looked at instead of believing whoever ends it: it ends in a dozen ways, some of which nobody
is there for (an age, a worker that was killed). A word that it has ended only makes the look come at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import replace
from itertools import islice, product

from gateway.access.live import variables_of, with_token
from gateway.access.outcome import Denied
from gateway.access.servers import MediaServer, Servers
from gateway.access.watched import Watched
from gateway.errors import GatewayError, StoreDown, UpstreamFailed, UpstreamSlow
from gateway.links.records import Grant, Guest, Variables
from gateway.links.rules import grant_over, idle_over
from gateway.policy.jar import KEPT_COOKIE
from gateway.policy.model import Kind, Step
from gateway.policy.request import StepRequest
from gateway.reasons import Reason
from gateway.store.guests import GuestStore
from gateway.store.links import LinkStore
from gateway.store.releases import Release, ReleaseStore
from gateway.upstream.steps import prepare, release

_log = logging.getLogger("gateway")

_TICK = 0.5  # seconds between two looks at what is due, where a policy has something to release
_REST = 30.0  # and where none has: jobs of a policy from before may wait
_RELEASE_SECONDS = 60.0  # for all requests of one release; less than others wait for whoever took it
_AT_ONCE = 8
_MOST_COMBINATIONS = 256  # of values that were handed out, where a request uses several
TRIES = 6
AGAIN = 8_000  # ms after which it is done once more; longer than any worker goes without hearing that a grant has ended
_PACE = (2, 10, 30, 120, 600)  # seconds before the second try, the third …
_REFUSED = {"gone": Reason.MEDIA_GONE, "not_started": Reason.NOT_STARTED, "ended": Reason.MEDIA_ENDED}


class Preparer:
    """`clock` in ms."""

    def __init__(self, releases: ReleaseStore, clock: Callable[[], int]) -> None:
        self._releases = releases
        self._clock = clock
        self._asking: set[asyncio.Task[Grant | Denied]] = set()

    async def prepare(self, server: MediaServer, grant: Grant, guest: Guest) -> Grant | Denied:
        """The grant with what its kind's prepare brings. Raises StoreDown.

        Goes on when whoever waits for it has left: what the server has made then is known and released."""
        kind = server.policy.kinds.get(grant.kind)
        if kind is None or not (kind.prepare or kind.release):
            return grant
        task = asyncio.create_task(self._ask(server, grant, guest), context=Context())
        self._asking.add(task)
        task.add_done_callback(self._asked)
        return await asyncio.shield(task)

    async def undo(self, server: MediaServer, grant: Grant) -> None:
        """There will be no grant. Nobody is refused in another way because this can't be noted: it is looked
        at anyhow."""
        kind = server.policy.kinds.get(grant.kind)
        if kind is not None and kind.release:
            with contextlib.suppress(StoreDown):
                await self._releases.over(release_of(grant), now=self._clock())

    async def _ask(self, server: MediaServer, grant: Grant, guest: Guest) -> Grant | Denied:
        kind = server.policy.kinds[grant.kind]
        if kind.prepare:
            found = await ask_steps(server, grant, guest, kind.prepare, now=self._clock())
            if isinstance(found, Denied):
                return found
            grant = replace(grant, brought=found)
        if kind.release:
            await self._releases.watch(release_of(grant), now=self._clock())
        return grant

    def _asked(self, task: asyncio.Task[Grant | Denied]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # who waited has heard it, or has left


async def ask_steps(
    server: MediaServer, grant: Grant, guest: Guest, steps: Sequence[Step], *, now: int
) -> Variables | Denied:
    """What these steps of the kind's prepare bring for this grant."""
    kind = server.policy.kinds[grant.kind]
    values = with_token(server, variables_of(server, grant, guest), now)
    try:
        found = await prepare(server.policy, kind, server.at, values, steps)
    except UpstreamSlow as error:
        return Denied(Reason.UPSTREAM_SLOW, str(error))
    except UpstreamFailed as error:
        return Denied(Reason.UPSTREAM_DOWN, str(error))
    return found.variables if found.state == "ok" else Denied(_REFUSED[found.state], f"prepare: {found.state}")


def release_of(grant: Grant) -> Release:
    """What there is to be released when this grant ends."""
    variables = {**grant.variables, **grant.brought}
    return Release(grant.id, grant.link, grant.guest, grant.server, grant.item, grant.kind, variables)


class Releasing:
    """One per worker; `run` must be running. `leave_after` in ms, of the settings in force."""

    def __init__(
        self,
        links: LinkStore,
        servers: Callable[[], Servers],
        leave_after: Callable[[], int],
        clock: Callable[[], int],
    ) -> None:
        self._links = links
        self._guests: GuestStore = links.guests
        self._releases = ReleaseStore(links.store)
        self._servers = servers
        self._leave_after = leave_after
        self._clock = clock
        self._ended: set[str] = set()
        self._work = asyncio.Event()

    def heard_end(self, grant: str) -> None:
        """A grant has ended, on whatever worker."""
        if self._needed:
            self._ended.add(grant)
            self._work.set()

    @property
    def _needed(self) -> bool:
        return any(kind.release for server in self._servers().all for kind in server.policy.kinds.values())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._round()
            except GatewayError as error:
                _log.warning("releases wait: %s", error)
                await asyncio.sleep(_TICK)
            self._work.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK if self._needed else _REST):
                    await self._work.wait()

    async def _round(self) -> None:
        ended, self._ended = self._ended, set()
        try:
            await self._releases.hasten(sorted(ended), now=self._clock())
        except StoreDown:
            self._ended |= ended
            raise
        await self._look(await self._releases.to_look_at(now=self._clock()))
        due = await self._releases.due(now=self._clock())
        for at in range(0, len(due), _AT_ONCE):
            await asyncio.gather(*map(self._release, due[at : at + _AT_ONCE]))

    # --- which grants are over --------------------------------------------------------------------

    async def _look(self, jobs: list[Release]) -> None:
        if not jobs:
            return
        records = await self._guests.grants([job.grant for job in jobs])
        links = {seen.link.id: seen for seen in await self._links.many(list({job.link for job in jobs}))}
        now = self._clock()
        for job in jobs:
            record, seen, server = records.get(job.grant), links.get(job.link), self._servers().named(job.server)
            over = record is None or grant_over(record[0], now=now) or record[1].gone_at is not None
            if not over and record is not None and server is not None:
                reason = "deleted" if seen is None else Watched(seen.link, seen.item, server).closed(now)
                if reason is not None:
                    over = await self._end_if_left(server, record[0], str(reason), now)
            if over:
                await self._releases.over(job, now=now)

    async def _end_if_left(self, server: MediaServer, grant: Grant, reason: str, now: int) -> bool:
        """A grant whose link is closed, and which no worker may know any more."""
        after = self._leave_after()
        if server.policy.on_revoke == "cut":
            await self._guests.end(grant.id, grant.link, reason, now=now)
            return True
        if not idle_over(last_seen=grant.last_seen, leave_after=after, now=now):
            return False
        return await self._guests.end(grant.id, grant.link, "left", now=now, unless_after=now - after) is None

    async def _cookies(self, grant: str) -> Variables:
        """Those that were kept last: the job knows what there was when it was written."""
        record = (await self._guests.grants([grant])).get(grant)
        return _kept(record[0]) if record is not None else {}

    # --- what they held ---------------------------------------------------------------------------

    async def _release(self, job: Release) -> None:
        server = self._servers().named(job.server)
        kind = server.policy.kinds.get(job.kind) if server is not None else None
        done, failure = job.done, ""
        if server is not None and kind is not None:
            sets = [
                with_token(server, _variables(server, job, one), self._clock()) for one in (job.variables, *job.sets)
            ]
            if server.policy.cookies.kept and not job.sets and (job.only or not job.part):
                # Of several sets each goes with the cookies that it came with.
                cookies = await self._cookies(job.grant)
                sets = [{**one, **cookies} for one in sets]
            asked = releases_of(kind, sets, job.captured, only=job.only)
            if job.again:
                asked = [(variables, request) for variables, request in asked if not request.variables & kind.captured]
            try:
                async with asyncio.timeout(_RELEASE_SECONDS):
                    for variables, request in asked[job.done :]:
                        failure = await release(server.policy, request, server.at, variables)
                        if failure:
                            break
                        done += 1
            except UpstreamFailed as error:
                failure = str(error)
            except TimeoutError:
                failure = "took too long"
        if not failure and kind is not None and not (job.again or job.only) and _comes_back(kind):
            await self._releases.retry(replace(job, done=0, again=True), at=self._clock() + AGAIN)
        elif not failure:
            await self._releases.done(job)
        elif job.tries + 1 >= TRIES:
            _log.warning("release of grant %s on %s is given up: %s", job.grant, job.server, failure)
            await self._releases.done(job)
        else:
            at = self._clock() + 1000 * _PACE[min(job.tries, len(_PACE) - 1)]
            await self._releases.retry(replace(job, done=done), at=at)


def releases_of(
    kind: Kind, sets: Sequence[Variables], captured: Variables, *, only: bool
) -> list[tuple[Variables, StepRequest]]:
    """Each request of a kind's release with its variables, once: for every set, and for every value that was handed to
    the grant. `only`: those that use such a value. One whose variables have no value comes too, and asks nothing."""
    asked: dict[object, tuple[Variables, StepRequest]] = {}
    for variables in sets:
        for number, request in enumerate(kind.release):
            if only and not request.variables & kind.captured:
                continue
            names = sorted(request.variables & captured.keys())
            for values in islice(product(*(captured[name] for name in names)), _MOST_COMBINATIONS):
                filled = {**variables, **{name: (value,) for name, value in zip(names, values, strict=True)}}
                used = tuple(filled.get(name, ())[:1] for name in sorted(request.variables))
                asked.setdefault((number, used), (filled, request))
    return list(asked.values())


def _comes_back(kind: Kind) -> bool:
    """Whether somebody may be there again after a release: one that names a person (a room's participant) ends whom the
    server knows at that moment, and a worker that hears of the end last may let the same one in after that."""
    return kind.beside == "webrtc" and any(not request.variables & kind.captured for request in kind.release)


def _kept(grant: Grant) -> dict[str, tuple[str, ...]]:
    return {name: values for name, values in grant.brought.items() if name.startswith(KEPT_COOKIE)}


def _variables(server: MediaServer, job: Release, brought: Variables) -> dict[str, tuple[str, ...]]:
    """As those of the grant, without what the guest has typed."""
    grant = Grant(job.grant, job.link, job.guest, job.server, job.item, job.kind, {}, 0, 0, 0, brought=brought)
    guest = Guest(job.guest, job.link, "", "", 0, 0)
    known = variables_of(server, grant, guest)
    return {name: values for name, values in known.items() if name not in ("guest.name", "guest.email")}
