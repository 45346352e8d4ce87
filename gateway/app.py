"""Composition: it opens what a process needs, builds its doors, serves them, and puts other settings in force.

Everything it opens is closed in the reverse order when its contexts are left; who leaves them decides
when (`workers`, the demo, a test).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Literal

from aiohttp import web

from gateway.access.grants import GrantTable
from gateway.access.index import LinkIndex
from gateway.access.issue import LinkDesk
from gateway.access.managing import ManagerDesk
from gateway.access.notices import Notices
from gateway.access.preparing import Releasing
from gateway.access.servers import MediaServer, Servers
from gateway.config import Config, Listen
from gateway.doors import Lasting, make_doors, now, try_limits
from gateway.errors import GatewayError
from gateway.files import reading
from gateway.loading import Loaded, loaded
from gateway.metrics import Metrics
from gateway.ops import Ops
from gateway.proxy.following import as_origin
from gateway.store.audit import AuditTrail
from gateway.store.client import TERMINAL
from gateway.store.links import LinkStore
from gateway.store.opening import open_store
from gateway.upstream.client import HttpUpstream, Upstream
from gateway.upstream.oidc import Provider
from gateway.upstream.receiver import Receiver
from gateway.web.closing import turn_away
from gateway.web.doorstep import TlsSite
from gateway.web.edge import Deadlines, EdgeServer, c_parser_loaded
from gateway.web.tls import CertificateKeeper

_log = logging.getLogger("gateway")

PATIENCE = 30.0  # seconds that running answers get when the gateway stops
CUT_SECONDS = 1.0  # what they have, after that, to hear that they are cut
BACKLOG = 1_024
RESTART_SECONDS = 0.5
STORE_SILENCE = 3.0  # seconds without a word from the store after which a worker is not ready


# --- what a gateway is made of --------------------------------------------------------------------


class Gateway:
    """One process. `stopping` is what `ready` says while running answers finish; `told` what it says besides."""

    def __init__(self, found: Loaded, store: LinkStore) -> None:
        servers = _servers(found, None)
        self.releasing = Releasing(
            store,
            lambda: self.doors.servers,
            lambda: self.config.session.leave_after // timedelta(milliseconds=1),
            now,
        )
        self.lasting = Lasting.begin(
            found.config,
            store,
            servers,
            managers=lambda: self.doors.managers,
            problems=self.problems,
            warnings=self.warnings,
            heard_end=self.releasing.heard_end,
        )
        self.doors = make_doors(found, servers, self.lasting, None)
        self.notices = Notices(
            store,
            self.lasting.trail,
            self.lasting.index,
            self.lasting.metrics,
            lambda: self.doors.servers,
            lambda webhook: Receiver(webhook.url, allow_internal=webhook.allow_internal),
            now,
        )
        self.notices.adapt(found.config.webhooks)
        self.stopping = False
        self.told: tuple[str, ...] = ()
        self.tls: CertificateKeeper | None = None
        self._edges: list[EdgeServer] = []
        self._retired: set[HttpUpstream] = set()
        self._providers: list[Provider] = []  # that managers signed in with before

    async def adapt(self, found: Loaded) -> None:
        """Put another state of the files in force: at once and as a whole, between two requests."""
        before, config, lasting = self.doors, found.config, self.lasting
        servers = _servers(found, before.servers)
        self.doors = make_doors(found, servers, lasting, before)
        lasting.grants.adapt(servers, config.session)
        lasting.guesses.allow(config.limits.guesses_per_address)
        lasting.conditions.allow(try_limits(config.limits))
        lasting.crowd.fit(config.limits.connections, config.limits.connections_per_address)
        lasting.store.keep_for(config.retention // timedelta(milliseconds=1))
        self.notices.adapt(config.webhooks)
        for edge in self._edges:
            self._fit(edge)
        with reading(found.files):
            self.reload()
        used = {way for server in servers.all for way in server.ways}
        gone = {way for server in before.servers.all for way in server.ways} - used
        self._retired = {one for one in self._retired | gone if isinstance(one, HttpUpstream) and not one.closed}
        for upstream in tuple(self._retired):
            await upstream.retire()
        if before.signing.provider not in (None, self.doors.signing.provider):
            # Somebody may be signing in there just now.
            self._providers.append(before.signing.provider)

    def listens(self, edge: EdgeServer) -> None:
        """This one answers guests or managers, and follows the settings."""
        self._edges.append(edge)
        self._fit(edge)

    def _fit(self, edge: EdgeServer) -> None:
        limits = self.config.limits
        edge.spared, edge.head = self.doors.trusted.trusts, limits.head
        edge.deadlines = Deadlines(paused=limits.paused.total_seconds())

    def keep_certificate(self) -> CertificateKeeper | None:
        """The certificate as it was read with the settings, and whoever follows it from now on."""
        if self.config.tls is not None:
            with reading(self.doors.loaded.files):
                self.tls = CertificateKeeper(self.config.tls)
        return self.tls

    def reload(self) -> None:
        """Look at the certificate now; it is followed without being asked as well."""
        if self.tls is not None:
            self.tls.reload(self.config.tls)

    def stop(self) -> None:
        """Say everywhere that this process goes: in `ready`, and in answers, whose connections end with them."""
        self.stopping = True
        for edge in self._edges:
            edge.closing = True

    async def close(self) -> None:
        """The connections towards media servers and providers."""
        for upstream in {*self._retired, *(way for server in self.servers.all for way in server.ways)}:
            await upstream.close()
        for provider in (*self._providers, self.doors.signing.provider):
            if provider is not None:
                await provider.close()

    @property
    def config(self) -> Config:
        return self.doors.loaded.config

    @property
    def servers(self) -> Servers:
        return self.doors.servers

    @property
    def desk(self) -> LinkDesk:
        return self.doors.desk

    @property
    def grants(self) -> GrantTable:
        return self.lasting.grants

    @property
    def index(self) -> LinkIndex:
        return self.lasting.index

    @property
    def metrics(self) -> Metrics:
        return self.lasting.metrics

    def problems(self) -> list[str]:
        """What keeps this process from serving guests."""
        found = ["stopping"] if self.stopping else []
        if self.grants.unheard() > STORE_SILENCE:
            found.append("the store does not answer")
        elif self.grants.store_lost:
            found.append("the store has lost its data")
        return found

    def warnings(self) -> tuple[str, ...]:
        """What an operator should look at while guests are served."""
        if self.tls is not None and self.tls.fault is not None:
            return (*self.told, "tls: the files have changed and can't be used (the log and `gateway doctor` say why)")
        return self.told


def _servers(found: Loaded, before: Servers | None) -> Servers:
    """The media servers with their policies, and the connections towards them. Those that are as before stay
    the same objects."""
    servers = []
    for config in found.config.servers:
        policy, old = found.policies[config.name], before.named(config.name) if before else None
        if old is not None and (old.config, old.policy) == (config, policy) and old.policy is policy:
            servers.append(old)
            continue
        same = old is not None and (old.config.upstream, old.config.timeouts) == (config.upstream, config.timeouts)
        line = old.line if old is not None and same else HttpUpstream(config.upstream, config.timeouts)
        ports: dict[str, Upstream] = {}
        for name, origin in config.ports:
            was = old.ports.get(name) if old is not None and old.config.timeouts == config.timeouts else None
            ports[name] = was if was is not None and was.origin == origin else HttpUpstream(origin, config.timeouts)
        held = old.elsewhere if old is not None and old.config.timeouts == config.timeouts else {}
        elsewhere = {
            origin: held.get(origin) or HttpUpstream(as_origin(origin), config.timeouts) for origin in policy.origins
        }
        servers.append(MediaServer(config, policy, line, ports, elsewhere))
    return Servers(servers)


@asynccontextmanager
async def open_servers(config: Config) -> AsyncIterator[Servers]:
    """Media servers without a gateway in front of them."""
    servers = _servers(loaded(config), None)
    try:
        yield servers
    finally:
        for server in servers.all:
            for way in server.ways:
                await way.close()


@asynccontextmanager
async def open_desk(config: Config) -> AsyncIterator[ManagerDesk]:
    """Links without a gateway around them: what the commands use, also while one runs."""
    async with open_servers(config) as servers, open_store(config, "command", TERMINAL) as store:
        links = LinkDesk(store, servers, config.prefixes, clock=now)
        yield ManagerDesk(links, AuditTrail(store.store), now, form=config.guest_form)


@asynccontextmanager
async def open_gateway(
    config: Config | Loaded, *, role: Literal["serve", "command"] = "serve"
) -> AsyncIterator[Gateway]:
    """All doors of one process. Raises BadFile, BadSecret, StoreDown or StoreTooNew.

    `role`: whether this process owns the embedded store (`serve`) or only uses it (a worker).
    """
    if not c_parser_loaded():
        # Half a dozen of aiohttp's advisories concern its other parser alone.
        raise GatewayError("aiohttp's C parser is not there: install aiohttp from a wheel, or with a C compiler")
    found = loaded(config) if isinstance(config, Config) else config
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(found.config, role=role))
        gateway = Gateway(found, store)
        stack.push_async_callback(gateway.close)
        stack.callback(gateway.doors.log.close)
        for watch in (gateway.grants.run, gateway.index.run, gateway.notices.run, gateway.releasing.run):
            stack.push_async_callback(_ended, asyncio.create_task(_kept_running(watch)))
        yield gateway


async def _kept_running(watch: Callable[[], Awaitable[None]]) -> None:
    """A fault in there must neither go unseen nor leave the worker deaf: without it everything fails closed,
    but guests would be turned away for nothing."""
    while True:
        try:
            await watch()
        except Exception:
            _log.exception("a watch over the store's changes broke and is started again")
        await asyncio.sleep(RESTART_SECONDS)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


# --- listening ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sockets:
    """Listening sockets, bound before anything else so that a taken port is the first thing said."""

    main: socket.socket
    manage: socket.socket | None = None
    admin: socket.socket | None = None

    def numbers(self) -> dict[str, int]:
        """Name to file number, for workers that inherit them."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: one.fileno() for name, one in found.items() if one is not None}

    def turn_away(self) -> None:
        """No new guests, for every process that listens here; those under way still come through."""
        for one in (self.main, self.manage):
            if one is not None:
                turn_away(one)

    def close_main(self) -> None:
        """Leave guests to the processes that have inherited these sockets."""
        for one in (self.main, self.manage):
            if one is not None:
                one.close()

    def close(self) -> None:
        for one in (self.main, self.manage, self.admin):
            if one is not None:
                one.close()


def bind(config: Config) -> Sockets:
    """Raises OSError with a sentence that names the address."""
    manage = config.manage.listen if config.manage else None
    return Sockets(
        main=_bound(config.listen, "listen"),
        manage=_bound(manage, "manage.listen") if manage else None,
        admin=_bound(config.admin_listen, "admin_listen") if config.admin_listen else None,
    )


def _bound(at: Listen, what: str) -> socket.socket:
    host = at.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, at.port), family=family, backlog=BACKLOG)
    except OSError as error:
        # create_server puts the address behind the reason once more.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        taken = "; another program listens there, perhaps a gateway" if error.errno == errno.EADDRINUSE else ""
        raise OSError(f"can't listen on {at} ({what}): {reason}{taken}") from error


_Answering = list[tuple[web.ServerRunner, EdgeServer, web.BaseSite]]


@asynccontextmanager
async def serve_gateway(gateway: Gateway, sockets: Sockets, *, patience: float = PATIENCE) -> AsyncIterator[None]:
    """Answer on these sockets until left. Then nothing new is taken, websockets are told that we go away, and
    running answers get `patience` seconds; what runs still is cut."""
    manage, answering = gateway.config.manage, _Answering()
    async with AsyncExitStack() as stack:
        keeper = gateway.keep_certificate()
        if keeper is not None:
            stack.push_async_callback(_ended, asyncio.create_task(keeper.run()))
        # Managers may well come by loopback and plain HTTP while guests come by TLS.
        own = manage is not None and manage.url.secure
        stack.push_async_callback(_stop, gateway, answering, patience)
        for handler, at, secure in (
            (lambda request: gateway.doors.guests(request), sockets.main, True),
            (lambda request: gateway.doors.manage(request), sockets.manage, own),
        ):
            if at is None:
                continue
            edge = EdgeServer(
                handler,
                crowd=gateway.lasting.crowd,
                refused=lambda request, response, fault: gateway.doors.refused_at_edge(request, response, fault),
            )
            gateway.listens(edge)
            runner = web.ServerRunner(edge, shutdown_timeout=CUT_SECONDS)
            await runner.setup()
            site: web.BaseSite = web.SockSite(runner, at, backlog=BACKLOG)
            if keeper is not None and secure:
                site = TlsSite(runner, edge, at, keeper.context)
            answering.append((runner, edge, site))
            await site.start()
        yield


async def _stop(gateway: Gateway, answering: _Answering, patience: float) -> None:
    for _, _, site in answering:
        await site.stop()
    await gateway.doors.proxy.close()
    await asyncio.gather(*(edge.drain(patience) for _, edge, _ in answering))
    gateway.doors.proxy.cut()
    for runner, _, _ in answering:
        await runner.cleanup()


@asynccontextmanager
async def serve_metrics(ops: Callable[[], Ops], sockets: Sockets) -> AsyncIterator[None]:
    """Numbers and health on the operators' own address. `ops` tells whose they are now."""
    if sockets.admin is None:
        yield
        return
    runner = web.ServerRunner(EdgeServer(lambda request: ops().admin(request)))
    await runner.setup()
    try:
        await web.SockSite(runner, sockets.admin, backlog=BACKLOG).start()
        yield
    finally:
        await runner.cleanup()
