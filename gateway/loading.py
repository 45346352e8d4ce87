"""From the files to what a gateway runs on: read, checked, compiled. Whole or not at all.

Rule: `load` gives something that can be put in force as it stands, or raises with every fault of every
file. What must stay as it is while a gateway runs (its addresses, its store) is a fault too when it
differs from `before`: what is in force is always one state of the files, never half of two.

What has not changed is not compiled again, and stays the same object: who holds it sees that nothing
is new.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway import config as config_module
from gateway import files as disk
from gateway.certificate import load_certificate
from gateway.config import MAIN, Config, Manage, ServerConfig
from gateway.config_file import examine_config
from gateway.errors import BadFile
from gateway.files import Files
from gateway.policy.forwarded import not_for_others
from gateway.policy.load import load_policy
from gateway.policy.model import Policy
from gateway.web.theme import Theme, load_theme
from gateway.yaml_section import label
from gateway.yaml_source import KEY, Fault, Source, Way, did_you_mean

_Key = tuple[Path, tuple[str, ...], str]  # a policy's file, whose origins are home, what it held

# What a running gateway can't change: the way to it, and what it says of it.
_FIXED: tuple[tuple[Way, Callable[[Config], object]], ...] = (
    (("listen",), lambda config: config.listen),
    (("manage",), lambda config: _of_manage(config.manage)),
    (("tls",), lambda config: config.tls is None),
    (("admin_listen",), lambda config: config.admin_listen),
    (("data_dir",), lambda config: config.data_dir),
    (("store",), lambda config: config.store),
    (("secrets",), lambda config: config.secrets),
)


def _of_manage(manage: Manage | None) -> object:
    """A listener, and whether TLS is spoken on it."""
    return None if manage is None or manage.listen is None else (manage.listen, manage.url.secure)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`policies` by the name of their server, `themes` likewise of those that have one of their own; `files` is
    what all of it was read from."""

    config: Config
    policies: Mapping[str, Policy]
    theme: Theme
    themes: Mapping[str, Theme]
    files: Files
    warnings: tuple[Fault, ...] = ()  # what is allowed and still unwise
    compiled: Mapping[_Key, Policy] = field(default_factory=dict, repr=False)


def load(path: Path, *, before: Loaded | None = None, files: Files | None = None) -> Loaded:
    """Everything that config.yaml at `path` means. Raises BadFile. `before` is what is in force; `files`
    what to read from, left with all that was looked at, also after a fault."""
    with disk.reading(files if files is not None else Files()) as seen:
        config, source = examine_config(path, need_servers=True)
        there = [server for server in config.servers if disk.is_file(server.policy_path)]
        policies, compiled, faults = _policies(there, before)
        refuse_shared_hosts(config, source, policies)
        refuse_cookie_names(config, source, policies)
        refuse_missing_ports(config, source, policies)
        refuse_forward_auth(config, source, policies)
        theme, themes, broken = load_themes(config, source)
        faults += broken
        if not source.faults and before is not None:
            _refuse_fixed(before.config, config, source)
        if source.faults or faults:
            raise BadFile([*sorted(set(source.faults)), *faults])
        warnings = (
            *config.warnings,
            *port_warnings(config, source, policies),
            *certificate_warnings(config, source),
            *theme_warnings(theme, themes),
        )
    return Loaded(config, policies, theme, themes, seen, warnings, compiled)


def loaded(config: Config) -> Loaded:
    """The rest of what a configuration means that has been read already. Raises BadFile."""
    policies, compiled, faults = _policies(config.servers, None)
    source = Source(str(config.file))
    theme, themes, broken = load_themes(config, source)
    refuse_missing_ports(config, source, policies)
    refuse_forward_auth(config, source, policies)
    if source.faults or faults or broken:
        raise BadFile([*source.faults, *faults, *broken])
    return Loaded(config, policies, theme, themes, Files(), config.warnings, compiled)


def load_themes(config: Config, source: Source) -> tuple[Theme, dict[str, Theme], list[Fault]]:
    """The deployment's theme, those of servers by name, and what is wrong with them at its place: in `source`,
    or in a theme's own files."""
    faults: list[Fault] = []

    def load(written: config_module.Theme, way: Way) -> Theme:
        def blame(key: str, what: str) -> Fault:
            return Fault(source.file, *source.place((*way, key)), f"{label((*way, key))}: {what}")

        try:
            return load_theme(written, blame)
        except BadFile as error:
            faults.extend(error.faults)
            return Theme()

    theme = load(config.theme, ("theme",))
    themes: dict[str, Theme] = {}
    if not faults:  # what a server takes over from the deployment would be said once more
        for index, server in enumerate(config.servers):
            if server.theme is not None:
                themes[server.name] = load(server.theme, ("servers", index, "theme"))
    return theme, themes, faults


def theme_warnings(theme: Theme, themes: Mapping[str, Theme]) -> list[Fault]:
    """What is unwise in them, each said once: a server's theme may have the deployment's folder."""
    return list(dict.fromkeys(warning for one in (theme, *themes.values()) for warning in one.warnings))


def refuse_shared_hosts(config: Config, source: Source, policies: Mapping[str, Policy]) -> None:
    """Note `behind: shared_host` in front of a server that does not protect itself."""
    for index, server in enumerate(config.servers):
        policy = policies.get(server.name)
        if server.behind == "shared_host" and policy is not None and not policy.protects_itself:
            # A guest who drops the cookie would be sent past the gateway, to open streams (spec 5).
            source.fault(
                ("servers", index, "behind"),
                f"servers[{index}].behind: the policy {server.policy} does not say protects_itself: true, so guests"
                " need a host name of their own (behind: own_host)",
            )


def refuse_missing_ports(config: Config, source: Source, policies: Mapping[str, Policy]) -> None:
    """Note what policies ask for at an address that their server has not."""
    for index, server in enumerate(config.servers):
        policy = policies.get(server.name)
        for name, place in policy.ats.items() if policy is not None else ():
            if name not in server.addresses:
                source.fault(
                    ("servers", index, "upstream"),
                    f"servers[{index}].upstream: the policy {server.policy} says at: {name} ({place}), and there is no"
                    f" such address here{did_you_mean(name, [one for one, _ in server.ports])}; written"
                    f" upstream: {{{MAIN}: …, {name}: …}}",
                )


def refuse_forward_auth(config: Config, source: Source, policies: Mapping[str, Policy]) -> None:
    """Note `behind: forward_auth` where another proxy could not keep to the policy, or may not ask."""
    for index, server in enumerate(config.servers):
        policy = policies.get(server.name)
        if server.behind != "forward_auth":
            continue
        way: Way = ("servers", index, "behind")
        if not config.trusted_proxies:
            source.fault(way, f"{label(way)}: forward_auth needs trusted_proxies: only they may ask")
        for what in not_for_others(policy) if policy is not None else ():
            source.fault(way, f"{label(way)}: the policy {server.policy} needs the gateway itself: {what}")


def port_warnings(config: Config, source: Source, policies: Mapping[str, Policy]) -> list[Fault]:
    """Addresses that nothing asks for, and such as lie on another host."""
    found = []
    for index, server in enumerate(config.servers):
        policy = policies.get(server.name)
        for name, origin in server.ports:
            way = ("servers", index, "upstream", name)
            place = (source.file, *source.place((*way, KEY)))
            if policy is not None and name not in policy.ats_named:
                found.append(Fault(*place, f"{label(way)}: no rule of the policy {server.policy} says at: {name}"))
            elif policy is not None and policy.credentials and origin.host != server.upstream.host:
                what = f"{origin.host} is another host than that of {MAIN}, and gets the policy's credentials as well"
                found.append(Fault(*place, f"{label(way)}: {what}"))
    return found


def refuse_cookie_names(config: Config, source: Source, policies: Mapping[str, Policy]) -> None:
    """Note a guest's own cookie of a media server that has a name of ours, whatever prefix it bears."""
    ours = {"gateway", config.session.cookie.lower()}
    for index, server in enumerate(config.servers):
        policy = policies.get(server.name)
        for name in sorted(policy.cookies.guest) if policy is not None else ():
            bare = _PREFIX.sub("", name.lower())
            if any(bare == one or bare.startswith(f"{one}-") for one in ours):
                what = f"servers[{index}].policy: cookies: {name} is a name of the gateway's own, and no guest's"
                source.fault(("servers", index, "policy"), what)


_PREFIX = re.compile(r"__(?:host-http|host|secure|http)-")


def certificate_warnings(config: Config, source: Source) -> list[Fault]:
    """What is wrong with a certificate that can be used all the same."""
    if config.tls is None:
        return []
    remarks = load_certificate(config.tls).remarks(config.tls_hosts, datetime.now(UTC))
    place = source.place(("tls", "certificate"))
    return [Fault(source.file, *place, f"tls.certificate: {config.tls.certificate} {remark}") for remark in remarks]


def _policies(
    servers: Iterable[ServerConfig], before: Loaded | None
) -> tuple[dict[str, Policy], dict[_Key, Policy], list[Fault]]:
    """By server, and by what they were made of; faults of all of them in one list."""
    found: dict[str, Policy] = {}
    compiled: dict[_Key, Policy] = {}
    bare: dict[Path, Policy | None] = {}
    faults: list[Fault] = []
    for server in servers:
        path = server.policy_path
        key = (path, server.home, _digest(path))
        policy = compiled.get(key) or (before.compiled.get(key) if before else None)
        if policy is None:
            if path not in bare:
                bare[path] = _compiled(path, faults)
            plain = bare[path]
            policy = plain.at_home(server.home) if plain is not None else None
        if policy is not None:
            found[server.name] = compiled[key] = policy
    return found, compiled, faults


def _compiled(path: Path, faults: list[Fault]) -> Policy | None:
    try:
        return load_policy(path)
    except BadFile as error:
        faults += sorted(set(error.faults))
        return None


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(disk.content(path)).hexdigest()
    except OSError:
        return ""


def _refuse_fixed(before: Config, now: Config, source: Source) -> None:
    for way, of in _FIXED:
        if of(before) != of(now):
            source.fault(way, f"{way[0]}: a change of it needs a restart; until then nothing here is in force")


def changed_servers(before: Iterable[ServerConfig], now: Iterable[ServerConfig]) -> list[str]:
    """In words for the log: which servers came, went or changed."""
    old, new = {one.name: one for one in before}, {one.name: one for one in now}
    said = [f"{name} added" for name in new if name not in old]
    said += [f"{name} removed" for name in old if name not in new]
    return said + [f"{name} changed" for name in new if name in old and old[name] != new[name]]
