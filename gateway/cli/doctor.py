"""`gateway doctor`: what runs, what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import re
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import REFUSED, config_option, json_option, safe, shown_path
from gateway.cli.output import show_json

if TYPE_CHECKING:
    from gateway.config import Config, ServerConfig
    from gateway.policy.model import Policy

OK, NOTE, PROBLEM = "ok", "note", "problem"
_PATIENCE = 5.0  # seconds for one answer from outside


@dataclass(slots=True)
class Report:
    """What was looked at. A note is worth knowing; only problems make `doctor` exit 1."""

    checks: list[dict[str, str]] = field(default_factory=list)

    def add(self, state: str, name: str, what: str, todo: str = "") -> None:
        self.checks.append({"name": name, "state": state, "what": what, "todo": todo})

    @property
    def problems(self) -> int:
        return sum(check["state"] == PROBLEM for check in self.checks)


@click.command(short_help="Say what runs and what is wrong.")
@click.option("--server", default=None, help="With --item: the server the item is on (default: the only one).")
@click.option("--item", default=None, metavar="ID", help="Also ask for this item's stream as a stranger would.")
@config_option
@json_option
def doctor(server: str | None, item: str | None, config_path: Path, as_json: bool) -> None:
    """Say what runs and what is wrong, with what to do about it. Exit 1 when there is a problem.

    With --item the media server is asked for that item's stream and picture without credentials: what it answers then
    is what anybody can have who reaches the server around the gateway.

    \b
    Examples:
      gateway doctor
      gateway doctor --item aurora --json
    """
    report = Report()
    _look_at_program(report)
    asyncio.run(_look_at_deployment(report, config_path, server, item))
    if as_json:
        show_json({"ok": not report.problems, "checks": report.checks})
    else:
        _show(report)
    if report.problems:
        click.get_current_context().exit(REFUSED)


def _show(report: Report) -> None:
    wide = max(len(check["name"]) for check in report.checks)
    colours = {OK: "green", NOTE: "yellow", PROBLEM: "red"}
    for check in report.checks:
        state = click.style(f"{check['state']:<7}", fg=colours[check["state"]])
        click.echo(f"{state}  {check['name']:<{wide}}  {safe(check['what'])}")
        if check["todo"]:
            click.echo(f"{'':<{wide + 11}}-> {safe(check['todo'])}")
    click.echo("no problems" if not report.problems else f"problems: {report.problems}")


def _look_at_program(report: Report) -> None:
    from importlib.metadata import PackageNotFoundError, version

    import yaml
    from aiohttp import http_parser

    from gateway import __version__
    from gateway.web.statics import FOLDER, LIBRARIES

    report.add(OK, "gateway", f"{__version__}, in {shown_path(Path(__file__).parent.parent)}")
    python = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
    report.add(OK, "python", python)
    for package in ("aiohttp", "redis", "cryptography"):
        try:
            report.add(OK, package, version(package))
        except PackageNotFoundError:
            report.add(PROBLEM, package, "is not installed", "install the gateway anew (pip install, or ./gw)")
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        report.add(
            PROBLEM, "HTTP parser", "aiohttp runs without its C parser: slow, and laxer than what is tested",
            "install aiohttp from a wheel; unset AIOHTTP_NO_EXTENSIONS",
        )  # fmt: skip
    else:
        report.add(OK, "HTTP parser", "aiohttp's C parser")
    if not hasattr(yaml, "CSafeLoader"):
        report.add(NOTE, "YAML", "PyYAML runs without libyaml: large policies load slowly")
    for sort, name, without in (
        ("hls", "hls.js", "plays HLS only where the browser does, else MP4"),
        ("dash", "Shaka Player", "does not play DASH, only a file beside it"),
        ("flv", "mpegts.js", "does not play FLV"),
        ("livekit", "livekit-client", "has no rooms of LiveKit"),
    ):
        if (FOLDER / LIBRARIES[sort]).is_file():
            report.add(OK, name, "present")
        else:
            report.add(
                NOTE, name, f"is missing: the player page {without}", "install with npm at hand, see README.md"
            )  # fmt: skip


async def _look_at_deployment(report: Report, path: Path, name: str | None, item: str | None) -> None:
    from gateway.cli.check import counted, examine
    from gateway.cli.doctor_tls import look_at_certificate
    from gateway.cli.doctor_webhooks import look_at_webhooks
    from gateway.config_file import examine_config, load_config
    from gateway.errors import BadFile

    findings = examine(path)
    for fault in findings.errors:
        report.add(PROBLEM, "check", str(fault))
    for fault in findings.warnings:
        report.add(NOTE, "check", str(fault))
    try:
        config = load_config(path)
    except BadFile:
        report.add(PROBLEM, "config", "is not valid, so nothing more was looked at", "mend what is named above")
        _look_at_serving(report, examine_config(path)[0].data_dir, path)
        return
    if not findings.errors:
        report.add(OK, "config", f"{shown_path(path)}, {counted(len(config.servers), 'server')}")
    for remark in findings.remarks:
        report.add(NOTE, "config", remark)
    _look_at_serving(report, config.data_dir, path)
    _look_at_secrets(report, config)
    await look_at_certificate(report, config)
    await _look_at_store(report, config)
    await look_at_webhooks(report, config)
    for server in config.servers:
        await _look_at_server(report, server)
    await _look_at_public(report, config)
    if item is not None:
        from gateway.cli.command import the_server

        await _look_around(report, the_server(config, name), item)


def _look_at_serving(report: Report, data_dir: Path, path: Path) -> None:
    """Whether a gateway runs with this configuration, and with the files as they are now."""
    from gateway.reload_status import read_status

    serving = read_status(data_dir)
    if serving is None or serving.config != str(path.absolute()):
        return
    since = datetime.fromtimestamp(serving.read_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if not serving.refused:
        report.add(OK, "serving", f"process {serving.pid}, with the files as they are now, read {since}")
        return
    what = f"process {serving.pid} still goes by the files of {since}: they have changed and can't be put in force"
    report.add(PROBLEM, "serving", what, "mend what follows; it is read again by itself")
    for refused in serving.refused:
        report.add(PROBLEM, "serving", refused)


def _look_at_secrets(report: Report, config: Config) -> None:
    """The data folder holds keys and guests' data. (A secret file that others can read is refused by
    whoever reads it.)"""
    if config.secrets:
        report.add(OK, "secrets", f"{len(config.secrets)} in config.yaml")
    if not config.data_dir.exists():
        report.add(NOTE, "data_dir", f"{shown_path(config.data_dir)} is made on first start")
        return
    if not config.data_dir.is_dir():
        report.add(PROBLEM, "data_dir", f"{config.data_dir} is not a folder", "name another data_dir")
        return
    mode = stat.S_IMODE(config.data_dir.stat().st_mode)
    if mode & 0o007:
        what = (
            f"{shown_path(config.data_dir)} is open to everybody (mode {mode:04o}): it holds secrets and guests' names"
        )
        report.add(PROBLEM, "data_dir", what, f"chmod 700 {config.data_dir}")
    else:
        report.add(OK, "data_dir", f"{shown_path(config.data_dir)}, closed to others")


async def _look_at_store(report: Report, config: Config) -> None:
    from gateway.cli.doctor_links import look_at_links
    from gateway.errors import BadSecret, StoreDown, StoreTooNew
    from gateway.store.client import TERMINAL, Store
    from gateway.store.embedded import answers, find_binary, socket_path
    from gateway.store.opening import open_store

    embedded = config.store == "embedded"
    if embedded:
        try:
            report.add(OK, "store binary", f"{find_binary()} ({_version_of(find_binary())})")
        except StoreDown as error:
            report.add(PROBLEM, "store binary", str(error), "name a server in store:, or install valkey-server")
            return
    fresh = not config.data_dir.is_dir()
    if embedded and fresh:
        report.add(NOTE, "store", "embedded, made on first start")
        return
    where = "embedded" if embedded else _without_password(config.store)
    running = embedded and await answers(socket_path(config.data_dir.absolute()))
    evicts = None
    try:
        if fresh and not config.secrets:
            # Looking must not make a secret; so only whether somebody answers.
            store = Store(config.store, TERMINAL)
            try:
                version = await store.run(_store_version)
            finally:
                await store.close()
        else:
            async with open_store(config, "command", TERMINAL) as links:
                version = await links.store.run(_store_version)
                evicts = await links.store.evicts()
                await look_at_links(report, config, links)
    except BadSecret as error:
        # The sentence itself says what to do: which file to close, to restore or to put back.
        report.add(PROBLEM, "store", f"{where}: {error}")
    except StoreTooNew as error:
        report.add(PROBLEM, "store", f"{where}: {error}", "run the version that wrote it, or a later one")
    except StoreDown as error:
        report.add(PROBLEM, "store", f"{where} does not answer: {error}", "is it running, and is store: right?")
    else:
        state = "answers" if running or not embedded else "starts and answers (no gateway is running)"
        report.add(OK, "store", f"{where} {state}, version {version}")
    if evicts is not None:
        what = f"throws keys away when its memory is full (maxmemory-policy {evicts}): links and guests vanish"
        report.add(PROBLEM, "store memory", what, "set maxmemory-policy noeviction on that server")


async def _store_version(client: Any) -> str:
    info = await client.info("server")
    if "redis_version" not in info:  # a cluster answers for each node
        info = next(iter(info.values()))
    return str(info.get("valkey_version") or info["redis_version"])


def _version_of(binary: Path) -> str:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout  # noqa: S603
    found = re.search(r"\bv=(\S+)", said)
    return found[1] if found else "of an unknown version"


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


async def _look_at_server(report: Report, server: ServerConfig) -> None:
    from gateway.errors import UpstreamDown, UpstreamFailed

    name = f"server {server.name}"
    for at, origin in server.addresses.items():
        address = f"{origin} ({at})" if at else str(origin)
        try:
            status = await _status(server, "/", (), at)
        except UpstreamFailed as error:
            what = "can't be reached" if isinstance(error, UpstreamDown) else "is slow to answer"
            report.add(PROBLEM, name, f"{address} {what}: {error}", "is it running, and is upstream: right?")
            continue
        told = "" if at else f", policy {server.policy}, guests at {server.public}"
        report.add(OK, name, f"{address} answers ({status} for /){told}")
    if not server.guest_access:
        report.add(NOTE, name, "guest_access is off: all its links are inactive")
    await _look_at_login(report, server)


async def _look_at_login(report: Report, server: ServerConfig) -> None:
    """Whether the gateway can sign in there, where its policy says so."""
    from gateway.errors import BadFile, UpstreamFailed
    from gateway.policy.load import load_policy
    from gateway.upstream.client import HttpUpstream
    from gateway.upstream.signed_in import SignIn

    try:
        policy = load_policy(server.policy_path)
    except BadFile:
        return  # said before
    if policy.login is None:
        return
    name = f"server {server.name}"
    upstream = HttpUpstream(server.upstream, server.timeouts)
    try:
        await SignIn(upstream, policy.login, policy).secrets()
    except UpstreamFailed as error:
        what = f"{error}: guests get 502 for what needs it"
        report.add(PROBLEM, name, what, "see upstream.login of the policy, and the account it names")
    else:
        report.add(OK, name, "the gateway can sign in there (login)")
    finally:
        await upstream.close()


async def _status(server: ServerConfig, target: str, headers: tuple[tuple[str, str], ...], at: str) -> int:
    from gateway.errors import UpstreamSlow
    from gateway.upstream.client import HttpUpstream

    upstream = HttpUpstream(server.addresses[at], server.timeouts)
    try:
        async with asyncio.timeout(_PATIENCE), upstream.request("GET", target, headers) as answer:
            return answer.status
    except TimeoutError:
        raise UpstreamSlow(f"no answer in {_PATIENCE:g} s") from None
    finally:
        await upstream.close()


async def _look_at_public(report: Report, config: Config) -> None:
    """Whether a gateway answers where guests are sent; it need not run while `doctor` does."""
    import aiohttp

    for server in config.servers:
        url = f"{server.public}{config.prefixes.own}/health/live"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE), trust_env=False) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status == 200:
                    report.add(OK, "public_url", f"the gateway answers at {server.public}")
                else:
                    report.add(
                        PROBLEM, "public_url", f"{server.public} answers {answer.status} for the gateway's health page",
                        f"the front proxy must send all of {server.public.host} to {config.listen}",
                    )  # fmt: skip
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            number = (error.errno if isinstance(error, OSError) else None) or 0
            what = os.strerror(number) if number in errno.errorcode else str(error) or type(error).__name__
            report.add(
                NOTE, "public_url", f"nothing answers at {server.public} now ({what})", "`gateway serve` runs it"
            )


async def _look_around(report: Report, server: ServerConfig, item: str) -> None:
    """Ask for the item's stream as a stranger, without any credential (spec 5); where the server keeps that to itself,
    for the picture too: some servers guard playlists and give the rest away."""
    from gateway.errors import UpstreamFailed
    from gateway.policy.load import load_policy
    from gateway.upstream.client import open_ways
    from gateway.upstream.resolve import resolve_item
    from gateway.upstream.signed_in import signed_in

    policy = load_policy(server.policy_path).at_home(server.home)
    if policy.ats.keys() - server.addresses.keys():
        return  # said by `check`
    try:
        async with open_ways(server.addresses, server.timeouts) as ways:
            resolved = await resolve_item(policy, signed_in(ways, policy), item)
        places = _places(policy, resolved.kind, resolved.variables or {})
        if resolved.state == "gone" or not places:
            report.add(
                NOTE, f"item {item}", f"the server says {resolved.state}: no stream to ask for", "is the id right?"
            )
            return
        found = [(await _status(server, target, (), at), f"{server.addresses[at]}{target}") for target, at in places]
    except UpstreamFailed as error:
        report.add(
            PROBLEM, f"item {item}", f"can't be asked for: {error}",
            "see that the server runs, and takes the credentials that the policy names; until then it has no links",
        )  # fmt: skip
        return
    status, address = next((one for one in found if 200 <= one[0] < 300), found[0])
    if 200 <= status < 300:
        report.add(
            NOTE, f"item {item}", f"{address} answers {status} without credentials: whoever reaches the"
            " server itself can have it", "let only the gateway and account holders reach that port",
        )  # fmt: skip
    else:
        report.add(OK, f"item {item}", f"{address} answers {status} without credentials")


def _places(policy: Policy, kind: str | None, variables: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """The targets of a stream or page, and of a picture, with the address of the server that each is asked for at."""
    from gateway.policy.target import Target, parse_target

    name = kind or next(iter(policy.kinds))
    scope = policy.scope(name, variables)
    player = scope.player()
    places = []
    for text in (player.src, player.poster) if player else (scope.landing(),):
        target = parse_target(text) if text is not None else None
        if isinstance(target, Target):
            rule = scope.decide("GET", target).rule
            places.append((target.sent, rule.at if rule is not None else ""))
    return places
