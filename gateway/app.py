"""Composition: the only file that knows every room. It builds the doors of one process, and serves them.

Everything it opens is closed in the reverse order when its contexts are left; who leaves them decides
when (`workers`, the demo, a test).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from typing import Literal

from aiohttp import web

from gateway.access.admit import Doorkeeper
from gateway.access.authorize import Authorizer
from gateway.access.grants import GrantTable
from gateway.access.index import LinkIndex
from gateway.access.issue import LinkDesk
from gateway.access.managers import Managers
from gateway.access.managing import ManagerDesk
from gateway.access.servers import MediaServer, Servers
from gateway.access.signing_in import SignIn
from gateway.access.throttle import Guesses
from gateway.admin.guests import GuestsDoor
from gateway.admin.links import LinksDoor
from gateway.admin.manage import ManageDoor
from gateway.admin.oidc import OidcDoor
from gateway.admin.poster import PosterDoor
from gateway.admin.record import RecordDoor
from gateway.admin.session import Desk
from gateway.admin.signing_in import SignInDoor
from gateway.admin.trusted_header import HeaderDoor, HeaderReader
from gateway.api.door import ApiDoor
from gateway.config import Config, Listen, Origin
from gateway.dispatch import Dispatcher, NothingHere, OwnPath
from gateway.errors import BadFile, GatewayError
from gateway.guest.back import BackDoor
from gateway.guest.entry import EntryDoor
from gateway.guest.form_cookie import form_cookie_name
from gateway.guest.leave import LeaveDoor
from gateway.manage_dispatch import HostSwitch, ManageDispatcher, ManagePath
from gateway.metrics import Metrics
from gateway.ops import Ops
from gateway.player.watch import WatchDoor
from gateway.policy.load import load_policy
from gateway.policy.model import Policy
from gateway.proxy.door import ProxyDoor
from gateway.store.audit import AuditTrail
from gateway.store.links import LinkStore
from gateway.store.manager_sessions import ManagerSessions
from gateway.store.opening import open_store
from gateway.store.sign_in_attempts import SignInAttempts
from gateway.upstream.client import HttpUpstream
from gateway.upstream.oidc import Provider
from gateway.web.accesslog import AccessLog
from gateway.web.client_address import TrustedProxies, client_address
from gateway.web.crowd import Crowd
from gateway.web.doorstep import TlsSite
from gateway.web.edge import Deadlines, EdgeServer, Handler, c_parser_loaded
from gateway.web.i18n import Catalogues
from gateway.web.pages import Pages
from gateway.web.session import SessionCookie
from gateway.web.static_door import StaticDoor
from gateway.web.theme import load_theme
from gateway.web.tls import CertificateKeeper
from gateway.yaml_source import Fault

_log = logging.getLogger("gateway")

PATIENCE = 30.0  # seconds that running answers get when the gateway stops
BACKLOG = 1_024
WRONG_TOKENS = 20  # a minute, from one address
RESTART_SECONDS = 0.5
STORE_SILENCE = 3.0  # seconds without a word from the store after which a worker is not ready


def now() -> int:
    """Milliseconds since 1970: the clock of everything below this file."""
    return time.time_ns() // 1_000_000


# --- what a gateway is made of --------------------------------------------------------------------


@dataclass(slots=True)
class Gateway:
    """One process's doors. `stopping` is what `ready` says while running answers finish."""

    config: Config
    servers: Servers
    desk: LinkDesk
    grants: GrantTable
    dispatcher: Dispatcher
    manage: ManageDispatcher | NothingHere
    index: LinkIndex
    proxy: ProxyDoor
    metrics: Metrics
    tls: CertificateKeeper | None = None
    stopping: bool = False

    def reload(self) -> None:
        """Look at the certificate now; it is followed without being asked as well."""
        if self.tls is not None:
            self.tls.reload()

    def problems(self) -> list[str]:
        """What keeps this process from serving guests."""
        found = ["stopping"] if self.stopping else []
        if self.grants.unheard() > STORE_SILENCE:
            found.append("the store does not answer")
        return found


def load_policies(config: Config) -> dict[str, Policy]:
    """The policy of each server, by the server's name. Raises BadFile with the faults of all of them."""
    faults: list[Fault] = []
    found: dict[str, Policy] = {}
    for server in config.servers:
        try:
            policy = load_policy(server.policy_path)
        except BadFile as error:
            faults += error.faults
            continue
        found[server.name] = policy.at_home(server.home)
    if faults:
        raise BadFile(sorted(set(faults)))
    return found


@asynccontextmanager
async def open_servers(config: Config) -> AsyncIterator[Servers]:
    """The media servers with their policies, and the connections towards them."""
    policies = load_policies(config)
    async with AsyncExitStack() as stack:
        servers = []
        for server in config.servers:
            upstream = HttpUpstream(server.upstream, server.timeouts)
            stack.push_async_callback(upstream.close)
            servers.append(MediaServer(server, policies[server.name], upstream))
        yield Servers(servers)


@asynccontextmanager
async def open_desk(config: Config) -> AsyncIterator[ManagerDesk]:
    """Links without a gateway around them: what the commands use, also while one runs."""
    async with open_servers(config) as servers, open_store(config, role="command") as store:
        links = LinkDesk(store, servers, config.prefixes, clock=now)
        yield ManagerDesk(links, AuditTrail(store.store), now)


@asynccontextmanager
async def open_gateway(config: Config, *, role: Literal["serve", "command"] = "serve") -> AsyncIterator[Gateway]:
    """All doors of one process. Raises BadFile, BadSecret, StoreDown or StoreTooNew.

    `role`: whether this process owns the embedded store (`serve`) or only uses it (a worker).
    """
    if not c_parser_loaded():
        # Half a dozen of aiohttp's advisories concern its other parser alone.
        raise GatewayError("aiohttp's C parser is not there: install aiohttp from a wheel, or with a C compiler")
    theme = load_theme(config.theme)
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(open_servers(config))
        store = await stack.enter_async_context(open_store(config, role=role))
        pages = Pages(theme, config.prefixes, Catalogues.load(config.languages))
        gateway = _compose(config, servers, store, pages, stack)
        stack.callback(gateway.dispatcher.log.close)
        for watch in (gateway.grants.run, gateway.index.run):
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


def _compose(config: Config, servers: Servers, store: LinkStore, pages: Pages, closing: AsyncExitStack) -> Gateway:
    metrics = Metrics()
    trusted = TrustedProxies(config.trusted_proxies)

    def client(request: web.BaseRequest) -> str:
        return client_address(request.remote, request.headers.getall("X-Forwarded-For", ()), trusted)

    sessions = SessionCookie(
        store.keys.session_fernets, config.session.cookie, secure=config.public_url.secure, clock=now
    )
    grants = GrantTable(store, servers, config.session, clock=now)
    doorkeeper = Doorkeeper(store, grants, config.session, config.prefixes, clock=now, trail=AuditTrail(store.store))

    def way_back(server: MediaServer, grant_ids: tuple[str, ...]) -> str | None:
        mine = grants.certain(grant_ids, server=server.config.name)
        return (mine[-1].scope.landing() or f"{config.prefixes.own}/watch/{mine[-1].grant.id}") if mine else None

    proxy = ProxyDoor(sessions, Authorizer(grants), client, metrics, way_back=way_back)
    guesses = Guesses(config.limits.guesses_per_address, now)
    entry = EntryDoor(doorkeeper, sessions, config.prefixes, config.limits.form, now, guesses, metrics, client)
    leave = LeaveDoor(doorkeeper, grants, sessions, config.limits.form)
    watch = WatchDoor(grants, sessions, config.prefixes, way_back)
    statics = StaticDoor(pages)
    gateway: Gateway
    ops = Ops(metrics, lambda: gateway.problems(), config.prefixes.own)
    log = AccessLog(config.log, config.prefixes, client=client, metrics=metrics)
    health = {f"{config.prefixes.own}/health/live": ops.live, f"{config.prefixes.own}/health/ready": ops.ready}
    dispatcher = Dispatcher(
        servers=servers,
        prefixes=config.prefixes,
        pages=pages,
        log=log,
        entry=entry.handle,
        proxy=proxy.handle,
        own=(
            OwnPath("/watch", watch.handle, below=True),
            OwnPath("/leave", leave.handle),
            OwnPath("/back", BackDoor(grants, sessions, way_back).handle),
            OwnPath("/static", statics.static, below=True),
            OwnPath("/theme/logo", statics.logo),
        ),
        cookies=(sessions.name, form_cookie_name(config.public_url)),
        health=health,
    )
    desk = LinkDesk(store, servers, config.prefixes, clock=now)
    index = LinkIndex(store, now)
    manage: ManageDispatcher | NothingHere = NothingHere(pages)
    if config.manage is not None:
        manage = _compose_managing(config, config.manage.url, desk, index, store, pages, log, client, health, closing)
    gateway = Gateway(config, servers, desk, grants, dispatcher, manage, index, proxy, metrics)
    return gateway


def _compose_managing(
    config: Config,
    origin: Origin,
    links: LinkDesk,
    index: LinkIndex,
    store: LinkStore,
    pages: Pages,
    log: AccessLog,
    client: Callable[[web.BaseRequest], str],
    health: Mapping[str, Handler],
    closing: AsyncExitStack,
) -> ManageDispatcher:
    """What is on the managing origin."""
    managers, trail = Managers(config.managers), AuditTrail(store.store)
    items = ManagerDesk(links, trail, now, index)
    api = ApiDoor(items, lambda: managers, Guesses(WRONG_TOKENS, now), config.prefixes)
    desk, signing_in = _compose_sign_in(config, origin, store, managers, trail, closing)
    guests = GuestsDoor(desk, items)
    manage, statics = ManageDoor(desk, items), StaticDoor(pages)
    return ManageDispatcher(
        origin=origin,
        prefixes=config.prefixes,
        pages=pages,
        log=log,
        client=client,
        api=api.handle,
        failed=api.failed,
        own=(
            ManagePath("/manage", manage.handle),
            ManagePath("/manage/links", LinksDoor(desk, items).handle),
            ManagePath("/manage/record", RecordDoor(desk, items).handle),
            ManagePath("/manage/guests", guests.handle),
            ManagePath("/manage/guests/export", guests.export),
            ManagePath("/manage/guests/live", guests.live),
            ManagePath("/manage/poster", PosterDoor(desk, items).handle),
            *signing_in,
            ManagePath("/static", statics.static, below=True),
            ManagePath("/theme/logo", statics.logo),
        ),
        health=health,
    )


def _compose_sign_in(
    config: Config,
    origin: Origin,
    store: LinkStore,
    managers: Managers,
    trail: AuditTrail,
    closing: AsyncExitStack,
) -> tuple[Desk, tuple[ManagePath, ...]]:
    """How managers sign in, by the configuration: their own passwords, a provider, or a proxy's word."""
    oidc, header = config.sign_in.oidc, config.sign_in.trusted_header
    way = "oidc" if oidc is not None else "trusted_header" if header is not None else "password"
    sign_in = SignIn(ManagerSessions(store.store), lambda: managers, trail, now, way=way)
    reader = HeaderReader(header, TrustedProxies(header.peers)) if header is not None else None
    desk = Desk(sign_in, origin, config.prefixes, reader.name if reader is not None else None)
    out = ManagePath("/manage/sign-out", SignInDoor(desk).sign_out)
    if oidc is not None:
        provider = Provider(oidc)
        closing.push_async_callback(provider.close)
        door = OidcDoor(desk, oidc, provider, SignInAttempts(store.store))
        return desk, (
            ManagePath("/manage/sign-in", door.handle),
            ManagePath("/manage/sign-in/callback", door.callback),
            out,
        )
    if reader is not None:
        return desk, (ManagePath("/manage/sign-in", HeaderDoor(desk, reader).handle), out)
    return desk, (ManagePath("/manage/sign-in", SignInDoor(desk).handle), out)


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
        raise OSError(f"can't listen on {at} ({what}): {error.strerror or error}") from error


@asynccontextmanager
async def serve_gateway(gateway: Gateway, sockets: Sockets, *, patience: float = PATIENCE) -> AsyncIterator[None]:
    """Answer on these sockets until left. Then nothing new is taken, websockets are told that we go away, and
    running answers get `patience` seconds."""
    limits = gateway.config.limits
    trusted = TrustedProxies(gateway.config.trusted_proxies)
    crowd = Crowd(limits.connections, limits.connections_per_address)
    manage = gateway.config.manage
    async with AsyncExitStack() as stack:
        keeper = None
        if gateway.config.tls is not None:
            keeper = gateway.tls = CertificateKeeper(gateway.config.tls)
            stack.push_async_callback(_ended, asyncio.create_task(keeper.run()))
        guests: Handler = gateway.dispatcher
        if sockets.manage is None and isinstance(gateway.manage, ManageDispatcher):
            guests = HostSwitch(gateway.manage, gateway.dispatcher)
        # Managers may well come by loopback and plain HTTP while guests come by TLS.
        own = manage is not None and manage.url.secure
        for handler, at, secure in ((guests, sockets.main, True), (gateway.manage, sockets.manage, own)):
            if at is None:
                continue
            edge = EdgeServer(
                handler,
                crowd=crowd,
                spared=trusted.trusts,
                head=limits.head,
                deadlines=Deadlines(paused=limits.paused.total_seconds()),
                refused=gateway.dispatcher.refused_at_edge,
            )
            runner = web.ServerRunner(edge, shutdown_timeout=patience)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site: web.BaseSite = web.SockSite(runner, at, backlog=BACKLOG)
            if keeper is not None and secure:
                site = TlsSite(runner, edge, at, keeper.context)
            await site.start()
        # Last in, first out: before the listeners' patience begins.
        stack.push_async_callback(gateway.proxy.close)
        yield


@asynccontextmanager
async def serve_metrics(gateway: Gateway | None, sockets: Sockets) -> AsyncIterator[None]:
    """Numbers and health on the operators' own address. Without a gateway: of all workers together."""
    if sockets.admin is None:
        yield
        return
    metrics, problems = (gateway.metrics, gateway.problems) if gateway else (Metrics(), list)
    own = gateway.config.prefixes.own if gateway else "/_gateway"
    runner = web.ServerRunner(EdgeServer(Ops(metrics, problems, own).admin))
    await runner.setup()
    try:
        await web.SockSite(runner, sockets.admin, backlog=BACKLOG).start()
        yield
    finally:
        await runner.cleanup()
