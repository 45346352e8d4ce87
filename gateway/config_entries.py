"""The two lists of config.yaml: media servers and managers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from gateway import config_texts as texts
from gateway import files
from gateway.ceilings import KEYS as CEILINGS
from gateway.ceilings import Ceilings, read_ceilings
from gateway.config import MAIN, PORT_NAME, Manager, Origin, ServerConfig, Theme, Timeouts
from gateway.config_theme import read_theme
from gateway.yaml_section import Section
from gateway.yaml_source import KEY, did_you_mean

_SERVER_KEYS = (
    "name", "upstream", "policy", "guest_access", "public_host", "also_known_as", "behind", "ceilings", "timeouts",
    "theme",
)  # fmt: skip
_MANAGER_KEYS = ("name", "password", "token", "may", "ids")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_POLICY_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MANAGER_NAME = re.compile(r"[^\s\x00-\x1f\x7f:](?:[^\x00-\x1f\x7f:]{0,98}[^\s\x00-\x1f\x7f:])?")
# Who stands in the record besides managers; whatever follows a colon.
_OF_THE_RECORD = frozenset({"cli", "gateway", "guest", "system", "unknown"})
_NOWHERE = Origin("http", "127.0.0.1", 80)  # stands in for an address that can't be read


def shipped_policies() -> Path:
    """The folder of the policies that come with the gateway: in the wheel, or beside the package."""
    package = Path(__file__).parent
    inside = package / "_defaults" / "policies"
    return inside if inside.is_dir() else package.parent / "policies"


def shipped_policy_names() -> list[str]:
    return sorted(path.stem for path in shipped_policies().glob("*.yaml"))


def read_servers(top: Section, public_url: Origin, base: Path, theme: Theme) -> tuple[ServerConfig, ...]:
    entries = list(top.items("servers"))
    found: list[ServerConfig] = []
    names: dict[str, int] = {}
    hosts: dict[str, str] = {}
    for data, way in entries:
        if data is None:
            data = {}
        section = Section(top.source, data, way, _SERVER_KEYS)
        if not isinstance(data, dict):
            continue
        server = _server(section, public_url, base, theme, alone=len(entries) == 1)
        place = top.source.place(way)[0]
        if server.name in names:
            section.fault((*way, "name"), f"{server.name} is taken (the server on line {names[server.name]})")
        elif server.name:
            names[server.name] = place
        if section.has("public_host"):
            host = server.public.netloc
            if host in hosts:
                section.fault((*way, "public_host"), f"{host} is the host of {hosts[host]} already")
            else:
                hosts[host] = server.name
        found.append(server)
    return tuple(found)


def _server(section: Section, public_url: Origin, base: Path, theme: Theme, *, alone: bool) -> ServerConfig:
    name = section.need("name", read_server_name, "")
    upstream, ports = _upstream(section)
    written, path = section.need("policy", partial(read_policy, base=base), ("", base))
    public = public_url
    if section.has("public_host"):
        unread: tuple[str, int | None] = ("", None)
        host, port = section.get("public_host", texts.public_host, unread)
        public = Origin(public_url.scheme, host or public_url.host, port or public_url.port)
    elif not alone:
        section.missing("public_host", "is missing: with several servers the host name tells which one is meant")
    own = read_theme(section, base, theme)
    return ServerConfig(
        name=name,
        upstream=upstream,
        policy=written,
        policy_path=path,
        guest_access=section.get("guest_access", texts.flag, True),
        public=public,
        also_known_as=section.each("also_known_as", texts.origin),
        behind=section.get("behind", _behind, "own_host"),
        ceilings=_ceilings(section),
        timeouts=_timeouts(section),
        theme=own if own != theme else None,
        ports=ports,
    )


def _upstream(section: Section) -> tuple[Origin, tuple[tuple[str, Origin], ...]]:
    """The server's main address, and its further ones by name."""
    written = section.data.get("upstream")
    if not isinstance(written, dict):
        return section.need("upstream", read_upstream, _NOWHERE), ()
    inner = Section(section.source, written, (*section.way, "upstream"), tuple(written))
    main = inner.need(MAIN, read_upstream, _NOWHERE)
    ports = []
    for name in written:
        if name == MAIN:
            continue
        if not PORT_NAME.fullmatch(name):
            inner.fault((*inner.way, name, KEY), "must be small letters, digits, - and _, at most 40")
        ports.append((name, inner.need(name, read_upstream, _NOWHERE)))
    return main, tuple(ports)


def read_server_name(value: Any) -> str:
    name = texts.text(value)
    if not _NAME.fullmatch(name):
        raise ValueError("must be small letters, digits and -, at most 40")
    return name


def read_upstream(value: Any) -> Origin:
    if isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]:
        # The value itself is not repeated: it holds a password.
        raise ValueError("must hold no user name or password; credentials are written in the policy (upstream: basic)")
    return texts.origin(value, "http://127.0.0.1:8096")


def read_policy(value: Any, base: Path) -> tuple[str, Path]:
    """A bare name is a shipped policy; anything else a path relative to config.yaml."""
    written = texts.text(value)
    if _POLICY_NAME.fullmatch(written):
        path = shipped_policies() / f"{written}.yaml"
        if not files.is_file(path):
            hint = did_you_mean(written, shipped_policy_names())
            raise ValueError(f"no policy {written} is shipped{hint}; one of your own is written as ./{written}.yaml")
        return written, path
    path = base / written
    if not files.is_file(path):
        raise ValueError(f"no file {path}")
    return written, path


def _behind(value: Any) -> str:
    return texts.choice(value, known=("own_host", "shared_host", "forward_auth"))


def _ceilings(section: Section) -> Ceilings:
    inner = section.section("ceilings", CEILINGS)
    return read_ceilings(inner.data, lambda way, what: inner.fault((*inner.way, *way), what))


def _timeouts(section: Section) -> Timeouts:
    inner = section.section("timeouts", ("connect", "answer", "idle"))
    usual = Timeouts()
    between = partial(texts.duration_between, least=timedelta(seconds=1), most=timedelta(hours=24))
    return Timeouts(
        connect=inner.get("connect", between, usual.connect),
        answer=inner.get("answer", between, usual.answer),
        idle=inner.get("idle", between, usual.idle),
    )


def read_managers(top: Section, servers: Sequence[ServerConfig], base: Path) -> tuple[Manager, ...]:
    # A misspelt server would make every glob that names it a fault too.
    known = [server.name for server in servers] if all(server.name for server in servers) else []
    found: list[Manager] = []
    names: dict[str, int] = {}
    tokens: dict[str, str] = {}
    for data, way in top.items("managers"):
        section = Section(top.source, {} if data is None else data, way, _MANAGER_KEYS)
        if data is not None and not isinstance(data, dict):
            continue
        name = section.need("name", read_manager_name, "")
        place = top.source.place(way)[0]
        if name in names:
            section.fault((*way, "name"), f"{name} is taken (the manager on line {names[name]})")
        elif name:
            names[name] = place
        password = section.get("password", partial(_hash, base=base, parse=texts.password_hash), None)
        token = section.get("token", partial(_hash, base=base, parse=texts.token_hash), None)
        if token in tokens:
            section.fault((*way, "token"), f"is the token of {tokens[token]} already")
        elif token is not None:
            tokens[token] = name
        if not section.has("password") and not section.has("token"):
            section.missing("password", "is missing (`gateway password`), or token (`gateway token create`)")
        if not section.has("may"):
            section.missing("may", 'is missing: which items, such as ["tv:*"]')
        may = section.each("may", partial(read_may, servers=known))
        found.append(Manager(name, password, token, may, section.each("ids", texts.text)))
    return tuple(found)


def read_manager_name(value: Any) -> str:
    name = texts.text(value)
    if not _MANAGER_NAME.fullmatch(name):
        raise ValueError("must be 1 to 100 characters without : and control characters")
    if is_of_the_record(name):
        raise ValueError("is a name that the record uses itself; take another")
    return name


def is_of_the_record(name: str) -> bool:
    """Whether somebody of this name would look, in the record, like nobody in particular."""
    seen = "".join(one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) not in ("Cf", "Cc"))
    return seen.casefold().partition(":")[0].strip() in _OF_THE_RECORD


def _hash(value: Any, base: Path, parse: Any) -> str:
    return str(parse(texts.secret_text(value, base)))


def read_may(value: Any, servers: Sequence[str]) -> str:
    """`tv:*`, `tv:abc*`, `*:*`, `tv:own`."""
    written = texts.text(value)
    server, colon, item = written.partition(":")
    if not colon or not server or not item:
        raise ValueError('must be server:item, such as "tv:*" or "tv:own"')
    if servers and not any(fnmatchcase(name, server) for name in servers):
        raise ValueError(f"no server {server}{did_you_mean(server, servers)}")
    return written
