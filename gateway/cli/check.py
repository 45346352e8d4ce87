"""`gateway check`: everything an operator wrote, and every shipped policy, before a guest meets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import BAD_FILE, bad_usage, config_option, hint_at_config, json_option, note, safe, shown_path
from gateway.cli.output import show_json

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.policy.model import Policy
    from gateway.yaml_source import Fault


@dataclass(slots=True)
class Findings:
    errors: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    used: int = 0  # policies of servers
    shipped: int = 0  # further ones that come with the gateway


@click.command(short_help="Find every mistake in config and policies.")
@click.argument("policies", nargs=-1, metavar="[POLICY]...")
@config_option
@json_option
def check(policies: tuple[str, ...], config_path: Path, as_json: bool) -> None:
    """Read config.yaml, its policies and all shipped ones, and run the examples in them.

    With POLICY, a file (./cinema.yaml) or the name of a shipped one: these alone, and no config.yaml. Errors come as
    file:line:column: what, all at once. Exit 2 when there are any.

    \b
    Examples:
      gateway check --config config.yaml
      gateway check ./cinema.yaml
    """
    findings = examine_policies(policies) if policies else examine(config_path)
    if as_json:
        show_json(
            {
                "ok": not findings.errors,
                "errors": [_as_json(fault) for fault in findings.errors],
                "warnings": [_as_json(fault) for fault in findings.warnings],
                "remarks": findings.remarks,
            }
        )
    else:
        for fault in findings.errors:
            click.echo(safe(str(fault)))
        for fault in findings.warnings:
            click.echo(safe(f"warning: {fault}"))
        for remark in findings.remarks:
            click.echo(safe(remark))
        if findings.errors:
            note(f"{counted(len(findings.errors), 'error')}")
            hint_at_config(findings.errors)
        elif policies:
            click.echo(f"ok: {counted(findings.used, 'policy')}; examples pass")
        else:
            click.echo(
                f"ok: {shown_path(config_path)}, {counted(findings.used, 'policy')} of its servers and "
                f"{findings.shipped} more that are shipped; examples pass"
            )
    if findings.errors:
        click.get_current_context().exit(BAD_FILE)


def examine_policies(names: Sequence[str]) -> Findings:
    """These alone, as they would be read for a server."""
    from gateway.config_entries import read_policy
    from gateway.errors import BadFile
    from gateway.policy.load import load_policy

    found = Findings()
    for name in dict.fromkeys(names):
        try:
            _, path = read_policy(name, Path())
        except ValueError as error:
            bad_usage(str(error))
        try:
            found.warnings += load_policy(path, shown=shown_path(path)).warnings
            found.used += 1
        except BadFile as error:
            found.errors += error.faults
    return found


def examine(config_path: Path) -> Findings:
    """Everything there is to say about a configuration and the policies."""
    from gateway.config_entries import shipped_policies
    from gateway.config_file import examine_config, examine_tls
    from gateway.errors import BadFile
    from gateway.loading import (
        certificate_warnings,
        load_themes,
        port_warnings,
        refuse_cookie_names,
        refuse_forward_auth,
        refuse_missing_ports,
        refuse_shared_hosts,
        theme_warnings,
    )
    from gateway.policy.load import load_policy

    found = Findings()
    config, source = examine_config(config_path)
    # In the order of the servers, each file once; several servers may share a policy.
    paths = dict.fromkeys(server.policy_path for server in config.servers if server.policy_path.is_file())
    policies: dict[Path, Policy] = {}
    problems: list[Fault] = []
    for path in [*paths, *sorted(shipped_policies().glob("*.yaml"))]:
        if path in policies:
            continue
        try:
            # An environment name that is not set matters only in a policy somebody uses.
            policy = load_policy(path, shown=shown_path(path), strict_env=path in paths)
        except BadFile as error:
            problems += [fault for fault in error.faults if fault not in problems]
            continue
        policies[path] = policy
        if path in paths:  # what one that nobody uses would do is no news
            found.warnings += policy.warnings
    by_server = {one.name: policies[one.policy_path] for one in config.servers if one.policy_path in policies}
    refuse_shared_hosts(config, source, by_server)
    refuse_cookie_names(config, source, by_server)
    refuse_missing_ports(config, source, by_server)
    refuse_forward_auth(config, source, by_server)
    examine_tls(config, source)
    theme, themes, broken = load_themes(config, source)
    found.errors = sorted(set(source.faults)) + problems + broken
    ports = port_warnings(config, source, by_server)
    found.warnings = [*config.warnings, *ports, *found.warnings, *theme_warnings(theme, themes)]
    found.used = sum(path in paths for path in policies)
    found.shipped = len(policies) - found.used
    if not source.faults:
        found.warnings += certificate_warnings(config, source)
        found.remarks += _remarks(config)
    return found


def _remarks(config: Config) -> Sequence[str]:
    remarks = []
    if not config.servers:
        remarks.append("there are no servers: `serve` has nothing to stand in front of")
    if config.manage is None:
        remarks.append("managing is off: there is no manage: (links are made with `gateway link create`)")
    elif not config.managers:
        remarks.append("nobody can sign in to manage: there are no managers:")
    for webhook in config.webhooks:
        if any(webhook.tells_of_guests(server.name) for server in config.servers):
            remarks.append(f"webhook {webhook.name} is told guests' names and addresses; the entry page says so")
    return remarks


def _as_json(fault: Fault) -> dict[str, object]:
    return {"file": fault.file, "line": fault.line, "column": fault.column, "what": fault.what}


def counted(number: int, what: str) -> str:
    plural = "policies" if what == "policy" else f"{what}s"
    return f"{number} {what if number == 1 else plural}"
