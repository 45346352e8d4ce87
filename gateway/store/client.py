"""The connection to the store: one place through which every call goes.

Rule: a call is answered, or fails with StoreDown within a second. Its command runs in a task of its
own, so that a guest who leaves cancels the waiting and never the command: with redis-py a cancelled
command once left its answer on the connection, for the next guest to read. All calls of one request
together wait no longer than its `Patience`.

Rule: that something is not there is believed only of a store that has not lost everything (`intact`):
an emptied one would say of every link that it never was, and end whatever runs.

Why own deadlines: by default redis-py waits for a dead server three seconds and for a hung one a minute,
raises when a hundred calls come at once, and takes a busy loop for a slow server. Here calls queue for a
connection, for as long as the store answers others; when it stops answering, those who wait fail with
those who asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from gateway.errors import StoreDown
from gateway.store import names
from gateway.store.embedded import client_name
from gateway.store.patience import Deadline, QuietClock, Waiting, current_patience

Client = Redis | RedisCluster
FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)  # all that a call to the store may raise
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds for a call in all; and for a connection and an answer where there is another node to try then."""

    connect: float = 0.3
    answer: float = 0.5
    call: float = 0.9

    def alone(self) -> dict[str, float]:
        """As redis-py takes them. Where there is one server only, our own deadline comes before these."""
        return {"socket_connect_timeout": self.call + 2, "socket_timeout": self.call + 2}

    def one_of_many(self) -> dict[str, float]:
        return {"socket_connect_timeout": self.connect, "socket_timeout": self.answer}


GUEST = Deadlines()
# Somebody at a terminal waits rather than hears that a busy machine has no store.
TERMINAL = Deadlines(connect=3.0, answer=5.0, call=9.0)
CONNECTIONS = 32
QUEUE_SECONDS = 10.0  # a call that waits behind others while the store answers …
SLOW_SECONDS, SLOW_QUEUE_SECONDS = 0.2, 0.4  # … and while it takes so long for each answer


class Store:
    """One Redis or Valkey, however it is reached. `url` may be a socket of the embedded server."""

    def __init__(self, url: str, deadlines: Deadlines = GUEST) -> None:
        self._url = url
        self._deadlines = deadlines
        self.client: Client = make_client(url, deadlines)
        self._scripts: dict[str, AsyncScript] = {}
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._calls: set[asyncio.Task[Any]] = set()
        self._answered = self._failed = self._took = 0.0
        self._clock = QuietClock()
        self.lost = False  # whether `intact` has last found nothing there

    async def run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Run `work` with the client. Raises StoreDown; cancelling the caller leaves the command alone."""
        waiting = Waiting(current_patience(), self._clock)
        task = asyncio.create_task(self._call(work, waiting))
        self._calls.add(task)
        task.add_done_callback(self._finish)
        return await waiting.until_done(task)

    async def patiently(self, task: asyncio.Task[T]) -> T:
        """Wait for a task that asks for several requests at once; it goes on when one of them leaves."""
        waiting = Waiting(current_patience(), self._clock)
        with self._clock.running():
            waiting.begin()
            return await waiting.until_done(task)

    async def intact(self) -> None:
        """Raises StoreDown for a store that has lost its data: emptied, or started anew without them."""
        self.check_mark(await self.run(lambda client: client.exists(names.META)))

    def check_mark(self, there: int) -> None:
        """As `intact`, for whoever has asked for the mark with all else."""
        self.lost = not there
        if self.lost:
            raise StoreDown("the store has lost its data")

    async def script(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run `lua/{name}.lua` atomically. All keys share one hash tag."""
        script = self._scripts.get(name)
        if script is None:
            text = resources.files("gateway.store").joinpath("lua", f"{name}.lua").read_text()
            script = self._scripts[name] = self.client.register_script(text)
        loaded = script
        return await self.run(lambda client: loaded(keys=list(keys), args=list(args), client=client))

    async def pipeline(self, fill: Callable[[Any], Any]) -> list[Any]:
        """Send what `fill` puts into a pipeline in one go; not one atomic step."""

        async def send(client: Any) -> list[Any]:
            async with client.pipeline(transaction=False) as pipe:
                fill(pipe)
                answers: list[Any] = await pipe.execute()
                return answers

        return await self.run(send)

    async def rewrite(self) -> bool:
        """Have the append-only file written anew, so that what was deleted is in no file either. False where the
        server does not let us, or keeps no such file. Raises StoreDown."""
        try:
            if isinstance(self.client, RedisCluster):
                nodes = self.client.get_primaries()
                await self.run(lambda client: client.execute_command("BGREWRITEAOF", target_nodes=nodes))
            else:
                await self.run(lambda client: client.bgrewriteaof())
        except StoreDown as error:
            if isinstance(error.__cause__, ResponseError):
                return "in progress" in str(error)  # then the next one comes of itself
            raise
        return True

    def listener(self) -> Redis:
        """A client of its own for the change channel: no deadline for an answer, which may never come.

        In a cluster any node will do: messages reach all of them.
        """
        if isinstance(self.client, RedisCluster):
            node = self.client.get_random_node() if self.client.get_nodes() else self.client.get_default_node()
            options = {**_options(), **_patient(), **_credentials(self._url), **_tls(self._url)}
            return Redis(host=node.host, port=int(node.port), **options)
        client = make_client(self._url, **_patient())
        assert isinstance(client, Redis)
        return client

    async def evicts(self) -> str | None:
        """The policy by which this server throws keys away when its memory is full. Raises StoreDown."""
        info: dict[str, Any] = await self.run(lambda client: client.info("memory"))
        # A cluster answers for each node.
        nodes = list(info.values()) if all(isinstance(one, dict) for one in info.values()) else [info]
        policies = {str(one.get("maxmemory_policy", "noeviction")) for one in nodes} - {"noeviction"}
        return ", ".join(sorted(policies)) or None

    async def close(self) -> None:
        """Let what runs finish, then close all connections."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._deadlines.call)
        await close_client(self.client)

    def _finish(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have left; nobody else need hear of it

    async def _call(self, work: Callable[[Any], Awaitable[T]], waiting: Waiting) -> T:
        asked = time.monotonic()
        async with self._slots:
            began = time.monotonic()
            slow = self._took > SLOW_SECONDS
            # Who stood in the queue while the store stopped answering need not try it again.
            if self._failed > asked and self._failed > self._answered:
                raise StoreDown("the store does not answer")
            if began - asked > (SLOW_QUEUE_SECONDS if slow else QUEUE_SECONDS):
                raise StoreDown("too many calls wait for the store")
            # Standing behind others is no fault of the store, unless it is what makes them stand there.
            try:
                with self._clock.running():
                    waiting.begin(queued=began - asked if slow else 0.0)
                    async with Deadline(self._deadlines.call):
                        answer = await work(self.client)
            except FAILURES as error:
                # Also MISCONF, READONLY, OOM, LOADING, CLUSTERDOWN: a store that can't write admits nobody.
                self._failed = time.monotonic()
                if isinstance(error, TimeoutError):
                    raise StoreDown("no answer in time") from error
                raise StoreDown(f"{type(error).__name__}: {error}".rstrip(": ")) from error
            self._answered = time.monotonic()
            self._took = waiting.took()
            return answer


def make_client(url: str, deadlines: Deadlines = GUEST, **changes: Any) -> Client:
    """A client for redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://."""
    scheme = urlsplit(url).scheme
    options = {**_options(deadlines), **changes}
    if scheme == "redis+cluster":
        return _cluster(url, {**options, **deadlines.one_of_many(), **changes})
    if scheme == "redis+sentinel":
        return _sentinel(url, options, deadlines)
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=deadlines.call, **options
    )
    return Redis.from_pool(pool)


async def close_client(client: Client) -> None:
    """All its connections; those towards sentinels are not closed by redis-py."""
    await client.aclose()
    sentinel = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for one in sentinel.sentinels if sentinel is not None else ():
        await one.aclose()


def _options(deadlines: Deadlines = GUEST) -> dict[str, Any]:
    return {
        "decode_responses": True,
        **deadlines.alone(),
        # None: a script that is sent twice would have to be the same as once, and a second try costs
        # the time in which the guest could have been told.
        "retry": Retry(NoBackoff(), 0),
        "client_name": client_name(),
    }


def _patient() -> dict[str, Any]:
    return {"socket_timeout": None, "socket_connect_timeout": 1.0}


def _nodes(url: str, port: int) -> list[tuple[str, int]]:
    netloc = urlsplit(url).netloc.rpartition("@")[2]
    found = []
    for node in netloc.split(","):
        parts = urlsplit(f"//{node}")
        found.append((parts.hostname or "127.0.0.1", parts.port or port))
    return found


def _credentials(url: str) -> dict[str, Any]:
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    name, _, password = userinfo.partition(":")
    given = {"username": unquote(name), "password": unquote(password)}
    return {key: value for key, value in given.items() if value}


def _tls(url: str) -> dict[str, Any]:
    """`?ssl=true&ssl_ca_certs=…` for the two schemes that redis-py's own URLs do not know."""
    query = dict(parse_qsl(urlsplit(url).query))
    wanted = query.pop("ssl", "").lower() in ("1", "true", "yes")
    kept = {name: value for name, value in query.items() if name.startswith("ssl_")}
    return {"ssl": True, **kept} if wanted else {}


def _cluster(url: str, options: dict[str, Any]) -> RedisCluster:
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _nodes(url, 6379)],
        max_connections=CONNECTIONS * 2,
        **options,
        **_credentials(url),
        **_tls(url),
    )


def _sentinel(url: str, options: dict[str, Any], deadlines: Deadlines) -> Redis:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    secret = _credentials(url)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py has none here
        _nodes(url, 26379), sentinel_kwargs={**_options(deadlines), **deadlines.one_of_many(), **_tls(url)}, **_tls(url)
    )
    found: Redis = sentinel.master_for(service, db=int(database or 0), **options, **secret)
    return found
