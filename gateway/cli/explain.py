"""`gateway explain`: the decision a guest of one item would get for one request, and why."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import REFUSED, bad_usage, config_option, json_option, note, shown_path, the_server
from gateway.cli.output import show_json, show_pairs
from gateway.cli.subject import GUEST, given_variables, names_to_ask

if TYPE_CHECKING:
    from gateway.config import Config, ServerConfig
    from gateway.policy.explain import Explanation
    from gateway.policy.model import Policy, Rule
    from gateway.reasons import Reason

_HOLE = re.compile("%7B([a-z0-9_]+)%7D")  # a name that stands for its value
_URL = re.compile(r"(?:https?|wss?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a grant of the item would give. `reason`: why there would be none."""

    item: str
    kind: str
    variables: Mapping[str, tuple[str, ...]]
    reason: Reason | None = None
    detail: str = ""


@click.command(short_help="Why a request is allowed or denied.")
@click.argument("method")
@click.argument("url")
@click.option("--item", required=True, metavar="ID", help="The item whose guest asks.")
@click.option("--server", default=None, help="The server's name (default: the URL's host, or the only one).")
@click.option("--kind", default=None, help="Where the policy has several kinds and the item does not tell.")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of resolve or prepare; repeatable."
)
@click.option("--offline", is_flag=True, help="Never ask the media server for what is not given.")
@config_option
@json_option
def explain(
    method: str,
    url: str,
    item: str,
    server: str | None,
    kind: str | None,
    variables: tuple[str, ...],
    offline: bool,
    config_path: Path,
    as_json: bool,
) -> None:
    """Which rule allows a request and what is sent upstream, or why it is denied (exit 1).

    METHOD is GET, POST … or WS for a websocket; URL a path or a whole address as the guest's browser shows
    it. Variables that `resolve` finds are taken from --var, else the media server is asked for them; those of
    `prepare` from --var, else from the policy's examples of this item, else they stand as {name}.

    \b
    Examples:
      gateway explain GET /hls/aurora/master.m3u8 --item aurora
      gateway explain GET "https://guest.example.org/hls/other/v0/seg-00001.ts" --item aurora --json
    """
    from gateway.config_file import load_config
    from gateway.policy.explain import explain as judge
    from gateway.policy.load import load_policy
    from gateway.reasons import Reason

    config = load_config(config_path)
    chosen, target = _place(config, url, server)
    refuse = partial(_show_refusal, method=method, as_json=as_json, server=chosen, item=item, kind=kind)
    if chosen is None:
        refuse(Reason.WRONG_HOST, f"no server has the host of {url}")
        return
    policy = load_policy(chosen.policy_path, shown=shown_path(chosen.policy_path)).at_home(chosen.home)
    own = _own_path(config, target)
    if own is not None:
        refuse(Reason.NO_RULE, f"{own}… belongs to the gateway and is never sent upstream")
        return
    subject = _subject(policy, chosen, item, kind, given_variables(variables), offline=offline)
    if subject.reason is not None:
        refuse(subject.reason, subject.detail)
        return
    if not chosen.guest_access or not policy.kinds[subject.kind].guest_access:
        where = "the server" if not chosen.guest_access else f"the kind {subject.kind}"
        note(f"note: {where} is without guest access, so nobody would have a grant")
    known = {"public_url": (str(chosen.public),), **GUEST, **subject.variables}
    found = judge(policy, subject.kind, known, method.upper(), target)
    if found.sent is not None:
        found = replace(found, sent=_HOLE.sub(r"{\1}", found.sent))
    if as_json:
        show_json(_as_json(found, chosen, subject))
    else:
        _show(found, chosen)
    if not found.allowed:
        click.get_current_context().exit(REFUSED)


def _place(config: Config, url: str, name: str | None) -> tuple[ServerConfig | None, str]:
    """The server and the target as it would stand in the request line."""
    from gateway.config_texts import host_and_port

    whole = _URL.fullmatch(url)
    if whole is None:
        if not url.startswith("/"):
            bad_usage("URL begins with / or is a whole address")
        return the_server(config, name), url
    target = whole.group(2) if whole.group(2).startswith("/") else f"/{whole.group(2)}"
    try:
        host, port = host_and_port(whole.group(1))
    except ValueError:
        return None, target
    secure = url[:5].lower() in ("https", "wss:/")
    asked = (host, port or (443 if secure else 80))
    for server in config.servers:
        if (server.public.host, server.public.port) == asked and name in (None, server.name):
            return server, target
    return None, target


def _own_path(config: Config, target: str) -> str | None:
    """The prefix of the gateway's own under which a target lies."""
    from gateway.policy.target import Target, parse_target

    parsed = parse_target(target)
    if isinstance(parsed, Target):
        for prefix in (config.prefixes.link, config.prefixes.own):
            if parsed.path.startswith(f"{prefix}/") or parsed.path == config.prefixes.own == prefix:
                return prefix
    return None


def _subject(
    policy: Policy,
    server: ServerConfig,
    item: str,
    kind: str | None,
    given: Mapping[str, tuple[str, ...]],
    *,
    offline: bool,
) -> _Subject:
    from gateway.errors import UpstreamFailed
    from gateway.reasons import Reason

    if kind is not None and kind not in policy.kinds:
        bad_usage(f"the policy {policy.name} has no kind {kind}: {', '.join(policy.kinds)}")
    own = policy.item.variables(item)
    if own is None:
        return _Subject(item, "", {}, Reason.MEDIA_GONE, f"{item} is no id of this server (item.id of the policy)")
    only = next(iter(policy.kinds)) if len(policy.kinds) == 1 else None
    chosen = kind or only
    asked = names_to_ask(policy, chosen) - set(given)
    if not offline and (asked or chosen is None):
        try:
            resolved = asyncio.run(_resolve(policy, server, item))
        except UpstreamFailed as error:
            missing = ", ".join(sorted(asked)) or "the kind"
            note(f"note: {server.upstream} was asked for {missing} and did not tell ({error}); --var and --kind say it")
        else:
            if resolved.state in ("gone", "ended"):
                reason = Reason.MEDIA_GONE if resolved.state == "gone" else Reason.MEDIA_ENDED
                return _Subject(
                    resolved.id, "", {}, reason, f"{server.upstream} says that the item is {resolved.state}"
                )
            if resolved.state == "not_started":
                note(f"note: {server.upstream} says that the item has not started, so nobody would have a grant yet")
            chosen = chosen or resolved.kind
            own = {**own, **(resolved.variables or {})}
    elif asked:
        note(f"note: not asked for: {', '.join(sorted(asked))}; --var says it")
    if chosen is None:
        # As in a policy's examples, where nothing says which kind is meant.
        open_kinds = [name for name, one in policy.kinds.items() if one.guest_access] or list(policy.kinds)
        chosen = open_kinds[0]
        note(f"note: taken for a {chosen}; --kind says another ({', '.join(policy.kinds)})")
    variables = {**own, **given}
    made = {name for step in policy.kinds[chosen].prepare for name in step.vars} - set(variables)
    if made:
        variables = {**variables, **_stand_ins(policy, variables["id"][0], made)}
    return _Subject(variables["id"][0], chosen, variables)


def _stand_ins(policy: Policy, item: str, names: set[str]) -> dict[str, tuple[str, ...]]:
    """What stands for that which prepare would bring: what the policy's examples say of this item, else the names
    themselves, so that what is sent can be shown."""
    from gateway.policy.examples import DEFAULT_ITEM

    examples = policy.examples
    told = examples.vars if item == (examples.id.text if examples.id else DEFAULT_ITEM) else {}
    found = {name: told[name] for name in names if told.get(name)}
    rest = sorted(names - set(found))
    if found:
        note(f"note: as in the policy's examples: {', '.join(f'{name}={found[name][0]}' for name in sorted(found))}")
    if rest:
        named = ", ".join(f"{{{name}}}" for name in rest)
        stay = "stands as it is" if len(rest) == 1 else "stand as they are"
        note(f"note: prepare is not asked, since that opens a session; {named} {stay}, --var says a value")
    return {**found, **{name: (f"{{{name}}}",) for name in rest}}


async def _resolve(policy: Policy, server: ServerConfig, item: str) -> Any:
    from gateway.upstream.client import open_ways
    from gateway.upstream.resolve import resolve_item
    from gateway.upstream.signed_in import signed_in

    async with open_ways(server.addresses, server.timeouts) as ways:
        return await resolve_item(policy, signed_in(ways, policy), item)


def _show(found: Explanation, server: ServerConfig) -> None:
    if found.allowed and found.rule is not None:
        method, _, target = (found.sent or "").partition(" ")
        lines: list[tuple[str, object]] = [
            ("allowed", f"{found.method} {found.canonical}"),
            ("rule", f"{found.rule.place}  {found.rule.text}"),
        ]
        if found.sent is None:
            lines.append(("answered", found.body))
        else:
            lines.append(("sent", f"{method} {_address(found.rule, server)}{target}"))
            lines += [("at", found.rule.at)] if found.rule.at else []
            lines += [("", f"{name}: {value}") for name, value in found.headers]
            lines += [("body", found.body)] if found.body else []
        if found.rule.follow is not None:
            to = ", ".join(found.rule.follow.texts) or "the answer's own folder and below"
            lines.append(("follows", f"as {found.rule.follow.as_}, to {to}"))
        show_pairs(lines)
        return
    reason = found.reason
    lines = [
        ("denied", f"{found.method} {found.canonical or '(not canonical)'}"),
        ("reason", _reason(reason, found.detail)),
    ]
    lines += [
        ("nearest" if index == 0 else "", f"{rule.place}  {rule.text}: {why}")
        for index, (rule, why) in enumerate(found.nearest)
    ]
    show_pairs(lines)


def _reason(reason: Reason | None, detail: str) -> str:
    if reason is None:
        return detail
    return f"{reason} ({reason.status}){f': {detail}' if detail else ''}"


def _show_refusal(
    reason: Reason,
    detail: str,
    method: str,
    as_json: bool,
    *,
    server: ServerConfig | None,
    item: str,
    kind: str | None,
) -> None:
    """A denial that no rule was asked for, in the same form as any other."""
    if as_json:
        show_json(
            {
                "allowed": False,
                "server": server.name if server else None,
                "item": item,
                "kind": kind,
                "method": method.upper(),
                "target": None,
                "rule": None,
                "sent": None,
                "reason": str(reason),
                "status": reason.status,
                "detail": detail,
                "nearest": [],
            }
        )
    else:
        show_pairs([("denied", method.upper()), ("reason", _reason(reason, detail))])
    click.get_current_context().exit(REFUSED)


def _as_json(found: Explanation, server: ServerConfig, subject: _Subject) -> dict[str, object]:
    method, _, target = (found.sent or "").partition(" ")
    sent = {"method": method, "url": f"{_address(found.rule, server)}{target}", "headers": dict(found.headers)}
    if found.body:
        sent["body"] = found.body
    return {
        "allowed": found.allowed,
        "server": server.name,
        "item": subject.item,
        "kind": subject.kind,
        "method": found.method,
        "target": found.canonical,
        "rule": _rule_json(found.rule) if found.rule else None,
        "sent": sent if found.sent is not None else None,
        "reason": str(found.reason) if found.reason else None,
        "status": found.reason.status if found.reason else None,
        "detail": found.detail or (found.body if found.sent is None else ""),
        "nearest": [{**_rule_json(rule), "why": why} for rule, why in found.nearest],
    }


def _address(rule: Rule | None, server: ServerConfig) -> str:
    """Where a rule's requests go."""
    at = rule.at if rule is not None else ""
    return str(server.addresses.get(at) or f"(no address {at} in config.yaml)")


def _rule_json(rule: Rule) -> dict[str, object]:
    from gateway.config import MAIN

    follow = rule.follow
    return {
        "text": rule.text,
        "file": rule.file,
        "line": rule.line,
        "column": rule.column,
        "page": rule.page,
        "at": rule.at or MAIN,
        "follow": {"as": follow.as_, "to": list(follow.texts)} if follow is not None else None,
    }
