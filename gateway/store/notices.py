"""Notices that wait for their receivers, and who sends them.

Rule: of all gateways on one store one holds the lease, and only whoever holds it puts notices into queues or
takes them out; each script looks at the lease itself. A notice that was taken and of which nothing more is
heard comes back by itself. So each is sent at least once while the store lives, and twice at times, under
the same id.

Rule: a queue is bounded in number and in time; what no receiver takes falls out at the old end and is counted.

Why all keys have one hash tag: making a notice and noting that it was made is one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.store import names
from gateway.store.client import Store

LEASE = 10_000  # ms it is held without a word from its holder
HIDDEN = 20_000  # ms that a notice which was taken is out of sight; longer than any attempt
MOST = 5_000  # notices in one queue
KEPT = 48 * 3_600_000  # ms a queue that nobody looks after stays; longer than notices are tried for
_STATE_KEPT = 90 * 86_400_000


@dataclass(frozen=True, slots=True)
class Queued:
    """A notice for one webhook; `body` as JSON, without a guest's own words."""

    webhook: str
    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A notice that is to be sent now. `tries`: how often that has failed; `since` in ms."""

    id: str
    body: str
    tries: int
    since: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What was taken; `following`: when (ms) the next one is due, among those that are still there."""

    notices: tuple[Taken, ...] = ()
    following: int | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class QueueState:
    """How a webhook fares. Times in ms. `gone` is a digest of the address whose receiver has said so."""

    waiting: int = 0
    oldest: int | None = None
    last_success: int | None = None
    last_failure: int | None = None
    failing_since: int | None = None
    what: str = ""
    sent: int = 0
    failed: int = 0
    given_up: int = 0
    dropped: int = 0
    gone: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Marks to set and to remove, together with what is queued."""

    marks: Mapping[str, str] = field(default_factory=dict)
    over: Sequence[str] = ()


class NoticeQueue:
    """`who`: this process, by a name that nobody else has."""

    def __init__(self, store: Store, who: str) -> None:
        self._store = store
        self._who = who

    async def hold(self) -> bool:
        """Be the one who sends, or stay it. Raises StoreDown, as all here."""
        return bool(await self._store.script("hold_notices", [names.NOTICES_LEASE], [self._who, LEASE]))

    async def give_up(self) -> None:
        await self._store.script("hold_notices", [names.NOTICES_LEASE], [self._who, 0])

    async def marks(self) -> dict[str, str]:
        found: dict[str, str] = await self._store.run(lambda client: client.hgetall(names.NOTICES_MARKS))
        return found

    async def add(
        self, webhooks: Mapping[str, str], notices: Sequence[Queued], progress: Progress, *, now: int
    ) -> dict[str, int] | None:
        """Queue notices and note the progress. `webhooks`: name to digest of the address. How many old notices
        each queue has dropped for it; None without the lease."""
        order = {name: number for number, name in enumerate(webhooks, start=1)}
        keys = [names.NOTICES_LEASE, names.NOTICES_MARKS]
        for name in webhooks:
            keys += names.webhook(name)
        args: list[str | int] = [self._who, now, MOST, KEPT, len(webhooks), *webhooks.values()]
        args += [2 * len(progress.marks), *(word for pair in progress.marks.items() for word in pair)]
        args += [len(progress.over), *progress.over]
        for one in notices:
            args += [order[one.webhook], one.id, one.body]
        found = await self._store.script("queue_notices", keys, args)
        return None if found[0] == "lost" else dict(zip(webhooks, map(int, found[1:]), strict=True))

    async def take(self, webhook: str, *, now: int, count: int) -> Batch:
        due, age, messages, _ = names.webhook(webhook)
        found = await self._store.script(
            "take_notices", [names.NOTICES_LEASE, due, age, messages], [self._who, now, now + HIDDEN, count]
        )
        if found[0] == "lost":
            return Batch(lost=True)
        words = found[2:]
        taken = (
            Taken(words[at], words[at + 1], int(words[at + 2]), int(float(words[at + 3])))
            for at in range(0, len(words), 4)
        )
        return Batch(tuple(taken), int(float(found[1])) if found[1] else None)

    async def settle(
        self, webhook: str, notice: str, outcome: str, *, now: int, due: int = 0, what: str = "", address: str = ""
    ) -> int:
        """sent, retry (`due` again then), given_up, or gone (with all that wait); how many wait now."""
        return int(
            await self._store.script(
                "settle_notice",
                list(names.webhook(webhook)),
                [notice, outcome, now, due, what, address, _STATE_KEPT],
            )
        )

    async def revive(self, webhook: str) -> None:
        """Forget that a receiver has said it is gone."""
        state = names.webhook(webhook)[3]
        await self._store.run(lambda client: client.hdel(state, "gone"))

    async def drop(self, webhook: str) -> None:
        """All of a webhook that is no longer configured."""
        await self._store.run(lambda client: client.delete(*names.webhook(webhook)))

    async def states(self, webhooks: Sequence[str]) -> dict[str, QueueState]:
        """How each of them fares."""

        def ask(pipe: object) -> None:
            for name in webhooks:
                _, age, _, state = names.webhook(name)
                pipe.hgetall(state)  # type: ignore[attr-defined]
                pipe.zcard(age)  # type: ignore[attr-defined]
                pipe.zrange(age, 0, 0, withscores=True)  # type: ignore[attr-defined]

        found = await self._store.pipeline(ask)
        return {
            name: _state(found[3 * number], int(found[3 * number + 1]), found[3 * number + 2])
            for number, name in enumerate(webhooks)
        }


def _state(found: Mapping[str, str], waiting: int, oldest: Sequence[Sequence[object]]) -> QueueState:
    def number(name: str) -> int | None:
        return int(found[name]) if name in found else None

    return QueueState(
        waiting=waiting,
        oldest=int(float(str(oldest[0][1]))) if oldest else None,
        last_success=number("last_success"),
        last_failure=number("last_failure"),
        failing_since=number("failing_since"),
        what=found.get("what", ""),
        sent=number("sent") or 0,
        failed=number("failed") or 0,
        given_up=number("given_up") or 0,
        dropped=number("dropped") or 0,
        gone=found.get("gone"),
    )
