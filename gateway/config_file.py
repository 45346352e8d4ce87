"""Reading config.yaml (spec 7) into `config.Config`.

    listen: 127.0.0.1:8080            host:port
    public_url: https://…             needed; scheme, host and port that guests see
    manage: url  |  {listen, url}     absent: managing is off
    admin_listen: host:port           metrics
    data_dir: folder                  default data
    store: embedded | redis:// | rediss:// | unix:// | redis+sentinel:// | redis+cluster://
    secrets: [file:PATH]              newest first; empty: made in data_dir
    trusted_proxies: [address or network]
    tls: {certificate, key}           files; absent: plain HTTP
    servers: [{name, upstream, policy, guest_access, public_host, also_known_as, behind, timeouts}]
    managers: [{name, password, token, may, ids}]
    sign_in: password | {trusted_header: {…}} | {oidc: {…}}     see config_sign_in
    guests: {retention_days, fields, consent}     see config_guests
    session: {max_age, leave_after, store_grace, cookie, embed_origins}
    prefixes: {link, own}
    limits: {form, head, connections, connections_per_address, connections_per_guest, guesses_per_address,
             wrong_tries_per_link, wrong_tries_per_address, paused}
    theme: {name, notice, logo, …}    see config_theme
    languages: [en]
    log: {format: text|json, access: all|off|0…1}
    webhooks: [{name, url, secret, events, servers, allow_internal, include_guests}]     see config_webhooks

Rule: every mistake at once, each at its place. Paths are relative to the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from gateway import config_texts as texts
from gateway import files
from gateway.certificate import load_certificate
from gateway.config import (
    Config,
    Limits,
    Listen,
    LogConfig,
    Manage,
    Origin,
    Prefixes,
    ServerConfig,
    SessionConfig,
    Theme,
    Tls,
    Webhook,
)
from gateway.config_entries import read_managers, read_servers
from gateway.config_guests import read_guest_form
from gateway.config_sign_in import read_sign_in
from gateway.config_theme import read_theme
from gateway.config_webhooks import read_webhooks
from gateway.errors import BadCertificate, BadFile
from gateway.yaml_section import Section
from gateway.yaml_source import Fault, Source, Way, read

_KNOWN = (
    "listen", "public_url", "manage", "data_dir", "store", "secrets", "trusted_proxies", "admin_listen", "servers",
    "managers", "guests", "session", "prefixes", "limits", "theme", "languages", "log", "sign_in", "tls",
    "webhooks",
)  # fmt: skip
_COOKIE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_MOST_FRAMING = 24  # origins; some front proxies have 4 kB for a whole head
_HERE = Origin("http", "127.0.0.1", 8080)  # stands in for an address that can't be read
_LOCALES = Path(__file__).parent / "locales"


def load_config(path: Path, environ: Mapping[str, str] | None = None, *, need_servers: bool = False) -> Config:
    """Raises BadFile with every fault. `need_servers`: a file without a server is one (`serve`)."""
    return read_config(path, environ, need_servers=need_servers)[0]


def read_config(
    path: Path, environ: Mapping[str, str] | None = None, *, need_servers: bool = False
) -> tuple[Config, Source]:
    """As `load_config`, with the source for whoever has more to say about a place in it."""
    config, source = examine_config(path, environ, need_servers=need_servers)
    if source.faults:
        raise BadFile(sorted(source.faults))
    return config, source


def examine_config(
    path: Path, environ: Mapping[str, str] | None = None, *, need_servers: bool = False
) -> tuple[Config, Source]:
    """For `check`, which has more to examine: never raises; where the source has faults something
    harmless stands in the config, which must not be used for anything else."""
    source = read(path, environ=environ)
    broken = list(source.faults) if source.data is None else []
    source.report_unset()
    config = _Reader(source, path).config(need_servers)
    if broken:
        source.faults[:] = broken  # not readable at all: what would be missing is no news then
    return config, source


def examine_tls(config: Config, source: Source) -> None:
    """Note what is wrong with the certificate and its key. Not part of reading the file: a command that only
    makes a link needs neither, and may run for somebody who can't read them."""
    if config.tls is None:
        return
    try:
        load_certificate(config.tls)
    except BadCertificate as error:
        source.fault(("tls", error.which), f"tls.{error.which}: {error}")


class _Reader:
    def __init__(self, source: Source, path: Path) -> None:
        self.source = source
        self.path = path
        self.base = path.absolute().parent
        self.top = Section(source, source.data, (), _KNOWN)
        self.warnings: list[Fault] = []

    def config(self, need_servers: bool) -> Config:
        top = self.top
        public_url = top.need("public_url", texts.origin, _HERE)
        self._warn_http(public_url, ("public_url",))
        theme = read_theme(top, self.base, Theme())
        servers = read_servers(top, public_url, self.base, theme)
        if need_servers and not servers and not self.source.faults:
            self.source.fault(("servers",), "servers: no servers: there is nothing to stand in front of")
        guests = top.section("guests", ("retention_days", "fields", "consent"))
        usual = Limits()
        limits = top.section("limits", tuple(one.name for one in fields(Limits)))
        config = Config(
            file=self.path,
            listen=top.get("listen", texts.listen, Listen("127.0.0.1", 8080)),
            public_url=public_url,
            manage=self._manage(),
            data_dir=self.base / top.get("data_dir", texts.text, "data"),
            store=self._store(),
            secrets=self._secrets(),
            trusted_proxies=top.each("trusted_proxies", texts.network),
            tls=self._tls(public_url),
            admin_listen=top.get("admin_listen", texts.listen, None),
            servers=servers,
            managers=read_managers(top, servers, self.base),
            sign_in=read_sign_in(top, servers, self.base),
            retention=timedelta(days=guests.get("retention_days", partial(texts.whole, least=1, most=3_650), 90)),
            guest_form=read_guest_form(guests),
            session=self._session(public_url, servers),
            prefixes=self._prefixes(),
            theme=theme,
            languages=top.each("languages", _language),
            log=self._log(),
            webhooks=self._webhooks([server.name for server in servers]),
            limits=Limits(
                form=limits.get("form", partial(texts.size, least=1_024, most=1_048_576), usual.form),
                head=limits.get("head", partial(texts.size, least=1_024, most=65_536), usual.head),
                connections=limits.get("connections", partial(texts.whole, least=8, most=1_000_000), usual.connections),
                connections_per_address=limits.get(
                    "connections_per_address",
                    partial(texts.whole, least=4, most=1_000_000),
                    usual.connections_per_address,
                ),
                connections_per_guest=limits.get(
                    "connections_per_guest", partial(texts.whole, least=8, most=1_000_000), usual.connections_per_guest
                ),
                guesses_per_address=limits.get(
                    "guesses_per_address", partial(texts.whole, least=1, most=1_000_000), usual.guesses_per_address
                ),
                wrong_tries_per_link=limits.get(
                    "wrong_tries_per_link", partial(texts.whole, least=3, most=1_000_000), usual.wrong_tries_per_link
                ),
                wrong_tries_per_address=limits.get(
                    "wrong_tries_per_address",
                    partial(texts.whole, least=3, most=1_000_000),
                    usual.wrong_tries_per_address,
                ),
                paused=limits.get(
                    "paused",
                    partial(texts.duration_between, least=timedelta(seconds=20), most=timedelta(days=1)),
                    usual.paused,
                ),
            ),
        )
        self._addresses(config)
        if need_servers:
            examine_tls(config, self.source)
        for server in servers:
            if server.public != public_url:
                self._warn_http(server.public, ("servers", servers.index(server), "public_host"))
        return replace(config, warnings=tuple(sorted(self.warnings)))

    def _manage(self) -> Manage | None:
        if not self.top.has("manage"):
            return None
        way: Way = ("manage",)
        if isinstance(self.top.data["manage"], str):
            url = self.top.get("manage", texts.origin, None)
            found = Manage(url, None) if url else None
        else:
            section = self.top.section("manage", ("listen", "url"))
            if not section.data:
                return None
            way = ("manage", "url")
            url = section.need("url", texts.origin, None)
            found = Manage(url, section.get("listen", texts.listen, None)) if url else None
        if found:
            self._warn_http(found.url, way)
        return found

    def _tls(self, public_url: Origin) -> Tls | None:
        section = self.top.section("tls", ("certificate", "key"))
        if not section.data:
            return None
        certificate = section.need("certificate", texts.file_name, "")
        key = section.need("key", texts.file_name, "")
        if not public_url.secure and self.top.has("public_url"):
            self.top.fault(("public_url",), "must begin with https://, since tls: is set")
        return Tls(self.base / certificate, self.base / key) if certificate and key else None

    def _addresses(self, config: Config) -> None:
        """Managing has an origin of its own, and no two listeners share an address."""
        manage, top = config.manage, self.top
        way: Way = ("manage",) if isinstance(top.data.get("manage"), str) else ("manage", "url")
        if manage is not None:
            public = [server.public for server in config.servers] or [config.public_url]
            if manage.url in public:
                top.fault(way, "must differ from the guests' address: scripts of the media server's pages run there")
            elif manage.listen is None and manage.url.host in [origin.host for origin in public]:
                top.fault(way, "must have a host name of its own, or a listen address (manage: {listen: …, url: …})")
        used = {config.listen: "listen"} if config.listen.port else {}
        for listen, where in ((manage.listen if manage else None, ("manage", "listen")),
                              (config.admin_listen, ("admin_listen",))):  # fmt: skip
            if listen is None or not listen.port:
                continue
            if listen in used:
                top.fault(where, f"{listen} is the address of {used[listen]} already")
            used.setdefault(listen, ".".join(where))

    def _store(self) -> str:
        way = ("store",)
        found = self.top.get("store", lambda value: texts.store_url(texts.secret_text(value, self.base)), "embedded")
        # A password in a file that everybody can read is everybody's password.
        inline = "@" in found and not str(self.top.data.get("store")).startswith("file:")
        if inline and not self.source.filled(way) and self._readable_by_all():
            self._warn(way, f"the URL may hold a password, and everybody can read this file: chmod o-rwx {self.path}")
        return found

    def _secrets(self) -> tuple[bytes, ...]:
        for item, way in self.top.items("secrets"):
            inline = isinstance(item, str) and not item.startswith("file:") and not self.source.filled(way)
            if inline and self._readable_by_all():
                self.top.fault(way, f"everybody can read this file: write file:PATH, or chmod o-rwx {self.path}")
        return self.top.each("secrets", partial(texts.key, base=self.base))

    def _webhooks(self, servers: Sequence[str]) -> tuple[Webhook, ...]:
        inline: list[Way] = []
        found = read_webhooks(self.top, servers, self.base, inline.append)
        for way in inline:
            if not self.source.filled(way) and self._readable_by_all():
                self.top.fault(way, f"everybody can read this file: write file:PATH, or chmod o-rwx {self.path}")
        return found

    def _readable_by_all(self) -> bool:
        try:
            return bool(files.mode(self.path) & 0o007)
        except OSError:
            return False

    def _session(self, public_url: Origin, servers: tuple[ServerConfig, ...]) -> SessionConfig:
        usual = SessionConfig()
        section = self.top.section("session", ("max_age", "leave_after", "store_grace", "cookie", "embed_origins"))
        minute, day = timedelta(minutes=1), timedelta(days=1)

        def between(key: str, default: timedelta, least: timedelta, most: timedelta) -> timedelta:
            return section.get(key, partial(texts.duration_between, least=least, most=most), default)

        return SessionConfig(
            max_age=between("max_age", usual.max_age, minute, 90 * day),
            leave_after=between("leave_after", usual.leave_after, timedelta(seconds=5), day),
            store_grace=between("store_grace", usual.store_grace, timedelta(0), day),
            cookie=section.get("cookie", _cookie, usual.cookie),
            embed_origins=self._embed_origins(section, [public_url, *(server.public for server in servers)]),
        )

    def _embed_origins(self, section: Section, own: list[Origin]) -> tuple[Origin, ...]:
        def one(value: object) -> Origin:
            found = texts.embed_origin(value)
            if found in own:
                raise ValueError("is the guests' own address: pages of the media server would look into the entry page")
            return found

        found, way = section.each("embed_origins", one), ("session", "embed_origins")
        if found and not own[0].secure and self.top.has("public_url"):
            section.fault(way, "needs a public_url that begins with https://: browsers keep no cookies in frames else")
        if len(found) > _MOST_FRAMING:
            section.fault(way, f"more than {_MOST_FRAMING}: they stand in the head of every page")
        return found

    def _prefixes(self) -> Prefixes:
        section = self.top.section("prefixes", ("link", "own"))
        found = Prefixes(section.get("link", texts.prefix, "/g"), section.get("own", texts.prefix, "/_gateway"))
        link, own = f"{found.link}/", f"{found.own}/"
        if link.startswith(own) or own.startswith(link):
            section.fault(("prefixes",), "link and own must not lie inside one another")
        return found

    def _log(self) -> LogConfig:
        section = self.top.section("log", ("format", "access"))
        formats = partial(texts.choice, known=("text", "json"))
        return LogConfig(section.get("format", formats, "text"), section.get("access", texts.share, 1.0))

    def _warn_http(self, origin: Origin, way: Way) -> None:
        if not origin.secure and not texts.is_loopback(origin.host):
            self._warn(way, f"{origin} is not https: names, addresses and links of guests can be read on their way")

    def _warn(self, way: Way, what: str) -> None:
        named = ".".join(str(step) for step in way)
        self.warnings.append(Fault(self.source.file, *self.source.place(way), f"{named}: {what}"))


def _cookie(value: object) -> str:
    name = texts.text(value)
    if not _COOKIE.fullmatch(name):
        raise ValueError("must be letters, digits, _ and - (on https the cookie is __Host- and this)")
    return name


def _language(value: object) -> str:
    name = texts.text(value)
    shipped = sorted(path.stem for path in _LOCALES.glob("*.yaml"))
    if name not in shipped:
        raise ValueError(f"this version does not implement the language {name!r} (known: {', '.join(shipped)})")
    return name
