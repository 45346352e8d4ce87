"""What answers: all doors of one process, made of one state of the files. Here every room meets.

Rule: a request is answered by the doors it came in by, so other settings come into force between two
requests and as a whole. What must outlive them is in `Lasting`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from aiohttp import web

from gateway.access.admit import Doorkeeper
from gateway.access.authorize import Authorizer
from gateway.access.casting import Casting, cast_address
from gateway.access.conditions import Conditions, TryLimits
from gateway.access.devices import Devices
from gateway.access.grants import GrantTable
from gateway.access.index import LinkIndex
from gateway.access.issue import LinkDesk
from gateway.access.live import LiveGrant
from gateway.access.managers import Managers
from gateway.access.managing import ManagerDesk
from gateway.access.seats import Seats
from gateway.access.servers import MediaServer, Servers
from gateway.access.signing_in import SignIn, Tries
from gateway.access.throttle import Guesses
from gateway.admin.guests import GuestsDoor
from gateway.admin.links import LinksDoor
from gateway.admin.manage import ManageDoor
from gateway.admin.oidc import OidcDoor, attempt_cookie_name
from gateway.admin.poster import PosterDoor
from gateway.admin.record import RecordDoor
from gateway.admin.session import Desk
from gateway.admin.signing_in import SignInDoor
from gateway.admin.trusted_header import HeaderDoor, HeaderReader
from gateway.api.door import ApiDoor
from gateway.config import Config, Limits, Origin, Prefixes, SignInConfig
from gateway.dispatch import Dispatcher, NothingHere, OwnPath
from gateway.forwardauth.door import ForwardAuthDoor
from gateway.guest.back import BackDoor
from gateway.guest.entry import EntryDoor
from gateway.guest.form_cookie import form_cookie_name
from gateway.guest.leave import LeaveDoor
from gateway.guest.remembered import Remembered, remembered_cookie_name
from gateway.guest.seat import SeatDoor
from gateway.loading import Loaded
from gateway.manage_dispatch import HostSwitch, ManageDispatcher, ManagePath
from gateway.metrics import Metrics
from gateway.ops import Ops
from gateway.player.watch import WatchDoor
from gateway.policy.decide import PlayerSources
from gateway.proxy.door import ProxyDoor
from gateway.proxy.following import Sealer
from gateway.proxy.headers import has_body, refused_for
from gateway.proxy.relay import Open
from gateway.store.audit import AuditTrail
from gateway.store.cast import CastAddresses
from gateway.store.links import LinkStore
from gateway.store.manager_sessions import ManagerSessions
from gateway.store.sign_in_attempts import SignInAttempts
from gateway.store.wrong_tries import WrongTries
from gateway.upstream.oidc import Provider
from gateway.web.accesslog import AccessLog
from gateway.web.client_address import TrustedProxies, client_address
from gateway.web.crowd import Crowd
from gateway.web.edge import Handler, Refused
from gateway.web.embedding import Embedding, framed_name
from gateway.web.i18n import Catalogues
from gateway.web.language import language_cookie_name
from gateway.web.language_door import LanguageDoor
from gateway.web.pages import Pages
from gateway.web.session import SessionCookie
from gateway.web.static_door import StaticDoor

WRONG_TOKENS = 20  # a minute, from one address


def now() -> int:
    """Milliseconds since 1970: the clock of everything below this file."""
    return time.time_ns() // 1_000_000


def try_limits(limits: Limits) -> TryLimits:
    return TryLimits(at_link=limits.wrong_tries_per_link, from_source=limits.wrong_tries_per_address)


@dataclass(frozen=True, slots=True)
class Lasting:
    """What stays when other settings come into force: connections, clocks, counts, and what is open.
    `managers` are those of the settings in force; `problems` and `warnings` are for `ready`."""

    store: LinkStore
    grants: GrantTable
    metrics: Metrics
    guesses: Guesses
    crowd: Crowd
    index: LinkIndex
    trail: AuditTrail
    wrong_tokens: Guesses
    tries: Tries
    conditions: Conditions
    managers: Callable[[], Managers]
    problems: Callable[[], list[str]]
    warnings: Callable[[], tuple[str, ...]]
    casting: Casting
    open: Open = field(default_factory=Open)

    @classmethod
    def begin(
        cls,
        config: Config,
        store: LinkStore,
        servers: Servers,
        *,
        managers: Callable[[], Managers],
        problems: Callable[[], list[str]],
        warnings: Callable[[], tuple[str, ...]],
        heard_end: Callable[[str], None],
    ) -> Lasting:
        limits, trail = config.limits, AuditTrail(store.store)
        return cls(
            store=store,
            grants=GrantTable(store, servers, config.session, clock=now, heard_end=heard_end),
            metrics=Metrics(),
            guesses=Guesses(limits.guesses_per_address, now),
            crowd=Crowd(limits.connections, limits.connections_per_address),
            index=LinkIndex(store, now),
            trail=trail,
            wrong_tokens=Guesses(WRONG_TOKENS, now),
            tries=Tries(now),
            conditions=Conditions(WrongTries(store.store), now, try_limits(limits), trail),
            managers=managers,
            problems=problems,
            warnings=warnings,
            casting=Casting(CastAddresses(store.store), now),
        )


@dataclass(frozen=True, slots=True)
class Signing:
    """How managers sign in: their own passwords, a provider, or a proxy's word."""

    config: SignInConfig
    sign_in: SignIn
    provider: Provider | None

    @classmethod
    def by(cls, config: SignInConfig, lasting: Lasting, before: Signing | None) -> Signing:
        if before is not None and before.config == config:
            return before
        sign_in = SignIn(
            ManagerSessions(lasting.store.store),
            lasting.managers,
            lasting.trail,
            now,
            config=config,
            tries=lasting.tries,
            devices=Devices(lasting.store.keys, now),
        )
        return cls(config, sign_in, Provider(config.oidc) if config.oidc is not None else None)


@dataclass(frozen=True, slots=True)
class Doors:
    """`guests` and `manage` take every request of their listener; `plain` are our pages without a theme's files."""

    loaded: Loaded
    servers: Servers
    desk: LinkDesk
    sessions: SessionCookie
    managers: Managers
    signing: Signing
    guests: Handler
    manage: Handler
    refused_at_edge: Refused
    proxy: ProxyDoor
    plain: Pages
    log: AccessLog
    ops: Ops
    trusted: TrustedProxies


def make_doors(found: Loaded, servers: Servers, lasting: Lasting, before: Doors | None) -> Doors:
    """The doors for this state of the files. `before`: those in force; what they hold that has not changed is
    used on."""
    config, store, grants, metrics = found.config, lasting.store, lasting.grants, lasting.metrics
    trusted = TrustedProxies(config.trusted_proxies)
    plain, embedding = _plain_pages(found, before), Embedding(config.session.embed_origins)
    framed = replace(plain, embedding=embedding)  # managers' pages are in no frame
    pages = framed.dressed(found.theme)
    themed = {name: framed.dressed(theme) for name, theme in found.themes.items()}

    def client(request: web.BaseRequest) -> str:
        return client_address(request.remote, request.headers.getall("X-Forwarded-For", ()), trusted)

    sessions = before.sessions if before and _cookie_of(before.loaded.config) == _cookie_of(config) else None
    if sessions is None:
        cookie, secure = config.session.cookie, config.public_url.secure
        sessions = SessionCookie(store.keys.session_fernets, cookie, secure=secure, clock=now, embedding=embedding)
    asked = config.guest_form
    doorkeeper = Doorkeeper(
        store,
        grants,
        config.session,
        config.prefixes,
        clock=now,
        trail=lasting.trail,
        form=asked,
        conditions=lasting.conditions,
    )

    def way_back(server: MediaServer, grant_ids: tuple[str, ...]) -> str | None:
        mine = grants.certain(grant_ids, server=server.config.name)
        return (mine[-1].scope.entrance() or f"{config.prefixes.own}/watch/{mine[-1].grant.id}") if mine else None

    sealer = Sealer(store.keys, config.prefixes.own)
    proxy = ProxyDoor(
        sessions,
        Authorizer(grants),
        client,
        metrics,
        way_back=way_back,
        open=lasting.open,
        embedding=embedding,
        bring=grants.bring,
        sealer=sealer,
        casting=lasting.casting,
        now=now,
        most=config.limits.connections_per_guest,
    )
    entry = EntryDoor(
        doorkeeper,
        sessions,
        config.prefixes,
        config.limits.form,
        now,
        lasting.guesses,
        metrics,
        client,
        Remembered(store.keys.device_fernets, now),
        config.retention.days,
        asked,
        frozenset(
            one.name for one in config.servers if any(hook.tells_of_guests(one.name) for hook in config.webhooks)
        ),
    )
    leave = LeaveDoor(doorkeeper, grants, sessions, config.limits.form)

    def cast(live: LiveGrant, player: PlayerSources) -> str | None:
        return cast_address(store.keys, config.prefixes.own, live, player.src, player.as_, now())

    watch = WatchDoor(grants, sessions, config.prefixes, way_back, sealer.elsewhere, cast)
    statics = StaticDoor()
    ops = Ops(metrics, lasting.problems, config.prefixes.own, lasting.warnings)
    writer = before.log.writer if before else None
    log = AccessLog(config.log, config.prefixes, client=client, metrics=metrics, writer=writer)
    health = {f"{config.prefixes.own}/health/live": ops.live, f"{config.prefixes.own}/health/ready": ops.ready}
    dispatcher = Dispatcher(
        servers=servers,
        prefixes=config.prefixes,
        pages=pages,
        themed=themed,
        log=log,
        entry=entry.handle,
        proxy=proxy.handle,
        own=(
            OwnPath("/s", proxy.signed, below=True),
            OwnPath("/watch", watch.handle, below=True),
            OwnPath("/leave", leave.handle),
            OwnPath("/language", LanguageDoor().handle),
            OwnPath("/seat", SeatDoor(Seats(store, servers, now), config.limits.form).handle),
            OwnPath("/back", BackDoor(grants, sessions, way_back).handle),
            OwnPath("/static", statics.static, below=True),
            OwnPath("/theme/logo", statics.logo),
        ),
        cookies=(
            *_names(
                (
                    sessions.name,
                    form_cookie_name(config.public_url),
                    language_cookie_name(secure=config.public_url.secure),
                ),
                embedding,
            ),
            remembered_cookie_name(config.public_url),
        ),
        health=health,
        auth=ForwardAuthDoor(
            servers,
            config.prefixes,
            trusted,
            sessions,
            Authorizer(grants),
            fault=_unclear,
        ),
    )
    desk = LinkDesk(store, servers, config.prefixes, clock=now)
    managers = before.managers if before and before.loaded.config.managers == config.managers else None
    signing = Signing.by(config.sign_in, lasting, before.signing if before else None)
    managing = None
    if config.manage is not None:
        managing = _managing(_Shared(config, plain, log, client, health), lasting, desk, signing)
    # A host name of its own on the guests' listener, or a listener of its own.
    switched = managing is not None and config.manage is not None and config.manage.listen is None
    return Doors(
        loaded=found,
        servers=servers,
        desk=desk,
        sessions=sessions,
        managers=managers or Managers(config.managers),
        signing=signing,
        guests=HostSwitch(managing, dispatcher) if managing is not None and switched else dispatcher,
        manage=managing or NothingHere(plain),
        refused_at_edge=dispatcher.refused_at_edge,
        proxy=proxy,
        plain=plain,
        log=log,
        ops=ops,
        trusted=trusted,
    )


def _unclear(request: web.BaseRequest) -> str | None:
    if has_body(request.headers):
        return "a body"
    twice = refused_for(request.headers)
    return None if twice is None else f"{twice} more than once"


def _cookie_of(config: Config) -> tuple[str, bool, bool]:
    return config.session.cookie, config.public_url.secure, bool(config.session.embed_origins)


def _names(cookies: tuple[str, ...], embedding: Embedding) -> tuple[str, ...]:
    return (*cookies, *map(framed_name, cookies)) if embedding else cookies


def _plain_pages(found: Loaded, before: Doors | None) -> Pages:
    config, catalogues = found.config, Catalogues.load(found.config.languages)
    if before is None:
        return Pages(found.theme.for_managers, config.prefixes, catalogues)
    # Our own files are the program's: read and packed once.
    return replace(before.plain, theme=found.theme.for_managers, prefixes=config.prefixes, catalogues=catalogues)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the doors of guests and of managers have in common."""

    config: Config
    pages: Pages
    log: AccessLog
    client: Callable[[web.BaseRequest], str]
    health: Mapping[str, Handler]


def _managing(shared: _Shared, lasting: Lasting, links: LinkDesk, signing: Signing) -> ManageDispatcher:
    """What is on the managing origin."""
    config, pages = shared.config, shared.pages
    assert config.manage is not None
    items = ManagerDesk(links, lasting.trail, now, lasting.index, config.guest_form)
    api = ApiDoor(items, lasting.managers, lasting.wrong_tokens, config.prefixes)
    desk, signing_in = _sign_in(signing, config.manage.url, config.prefixes, lasting)
    manage, statics = ManageDoor(desk, items), StaticDoor()
    guests = GuestsDoor(desk, items)
    return ManageDispatcher(
        origin=config.manage.url,
        prefixes=config.prefixes,
        pages=pages,
        log=shared.log,
        client=shared.client,
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
            ManagePath("/language", LanguageDoor(config.manage.url).handle_manager),
            *signing_in,
            ManagePath("/static", statics.static, below=True),
            ManagePath("/theme/logo", statics.logo),
        ),
        cookies=(
            desk.cookie,
            desk.device_cookie,
            attempt_cookie_name(config.manage.url),
            language_cookie_name(secure=config.manage.url.secure),
        ),
        health=shared.health,
    )


def _sign_in(
    signing: Signing, origin: Origin, prefixes: Prefixes, lasting: Lasting
) -> tuple[Desk, tuple[ManagePath, ...]]:
    header = signing.config.trusted_header
    reader = HeaderReader(header, TrustedProxies(header.peers)) if header is not None else None
    desk = Desk(signing.sign_in, origin, prefixes, reader.actor if reader is not None else None)
    out = ManagePath("/manage/sign-out", SignInDoor(desk).sign_out)
    if signing.config.oidc is not None and signing.provider is not None:
        door = OidcDoor(desk, signing.config.oidc, signing.provider, SignInAttempts(lasting.store.store))
        return desk, (
            ManagePath("/manage/sign-in", door.handle),
            ManagePath("/manage/sign-in/callback", door.callback),
            out,
        )
    if reader is not None:
        return desk, (ManagePath("/manage/sign-in", HeaderDoor(desk, reader).handle), out)
    return desk, (ManagePath("/manage/sign-in", SignInDoor(desk).handle), out)
