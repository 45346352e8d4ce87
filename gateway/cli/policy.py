"""`gateway policy …`: tools for those who write a policy. They read a recording and never ask a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import BAD_FILE, REFUSED, Refused, bad_usage, fail, json_option, note, safe, shown_path
from gateway.cli.command import unused_config_option as no_config
from gateway.cli.output import show_json
from gateway.cli.subject import GUEST, given_variables, names_to_ask

if TYPE_CHECKING:
    from gateway.policy.har import Recording
    from gateway.policy.model import Policy
    from gateway.policy.replay import Replay, Verdict

_MOST_SHOWN = 50
_CHUNK = 2**20


@click.group()
def policy() -> None:
    """Propose a policy from a browser's recording, and try one with it.

    \b
    Examples:
      gateway policy from-har recording.har --item aurora > cinema.yaml
      gateway policy test ./cinema.yaml recording.har --item aurora
    """


@policy.command("test", short_help="Replay a browser recording against a policy.")
@click.argument("policy_name", metavar="POLICY")
@click.argument("har", type=click.Path(path_type=Path))
@click.option("--item", required=True, metavar="ID", help="The item whose guest asks.")
@click.option("--kind", default=None, help="Where the policy has several kinds.")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of resolve; repeatable.")
@click.option(
    "--host", default=None, metavar="HOST[:PORT]", help="The media server (default: who is asked for the item)."
)
@no_config
@json_option
def test(
    policy_name: str,
    har: Path,
    item: str,
    kind: str | None,
    variables: tuple[str, ...],
    host: str | None,
    as_json: bool,
) -> None:
    """Which requests of a recording pass by which rule, and which are denied and why (exit 1 when any is).

    POLICY is a file (./cinema.yaml) or the name of a policy that is shipped; HAR what a browser's network panel
    saves, with or without bodies, 256 MiB at most. Requests to other hosts are listed apart. What is recorded
    of cookies, credentials and bodies is never shown.

    \b
    Examples:
      gateway policy test ./cinema.yaml recording.har --item aurora
      gateway policy test hls recording.har --item aurora --json
    """
    from gateway.policy.har import names
    from gateway.policy.replay import replay

    rules = _load(policy_name)
    own = rules.item.variables(item)
    if own is None:
        bad_usage(f"{item} is no id of this server: item.id of the policy is {rules.item.pattern.text}")
    chosen = _kind(rules, kind)
    given = given_variables(variables)
    unknown = sorted(names_to_ask(rules, chosen) - {"id"} - set(given))
    if unknown:
        note(f"note: not known without asking the media server: {', '.join(unknown)}; --var says it")
    recording = read_recording(har)
    if host is not None and host.lower() not in recording.hosts():
        bad_usage(f"nothing in {har} was asked of {host}; hosts in it: {', '.join(list(recording.hosts())[:10])}")
    if not names(recording, item):
        note(f"note: nothing in {har} names {item}{_meant(recording, item)}: is it another item's recording?")
    known = {"public_url": ("https://guest.example.org",), **GUEST, **own, **given}
    found = replay(rules, chosen, known, recording, host.lower() if host else None)
    if as_json:
        show_json(_as_json(found, item, chosen))
    else:
        _show(found, item, chosen)
    if not found.good:
        click.get_current_context().exit(REFUSED)


@policy.command("from-har", short_help="Propose a policy from a recording of one item being played.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--item", required=True, metavar="ID", help="The item that was played, as it stands in addresses.")
@click.option("--other", "others", multiple=True, metavar="ID", help="Another item of the recording; repeatable.")
@click.option("--kind", default="video", show_default=True, type=click.Choice(["video", "live", "audio"]))
@click.option("--host", default=None, metavar="HOST[:PORT]", help="The media server (default: who is asked for it).")
@click.option("--own-page", is_flag=True, help="Guests land on the server's page, not on the gateway's player page.")
@no_config
def from_har(file: Path, item: str, others: tuple[str, ...], kind: str, host: str | None, own_page: bool) -> None:
    """Propose a policy for a media server from a browser's recording of one item being played.

    Open the network panel, play the item, open a second one too, and save all as HAR. The policy goes to standard
    output, with comments on what was left out and why. It has been run against the recording: this item's
    requests pass, and no other item's. What a person has to look at is said on standard error too (exit 1).

    \b
    Examples:
      gateway policy from-har recording.har --item aurora > cinema.yaml
      gateway policy from-har recording.har --item aurora --other nocturne --own-page > cinema.yaml
    """
    from gateway.config_entries import shipped_policies
    from gateway.errors import BadFile
    from gateway.policy.har import names, server_host
    from gateway.policy.id_shape import CannotPropose
    from gateway.policy.load import load_policy_text
    from gateway.policy.propose import propose
    from gateway.policy.verify import verify

    if item in others:
        bad_usage("--other names another item than --item")
    recording = read_recording(file, bodies=True)
    if "://" in item:
        bad_usage(f"--item is the id alone, as it stands in that address{_meant(recording, item.rpartition('/')[2])}")
    for other in others:
        if not names(recording, other):
            bad_usage(f"nothing in {file} names {other}{_meant(recording, other)}")
    host = host.lower() if host else server_host(recording, item)
    if host not in recording.hosts():
        bad_usage(f"nothing in {file} was asked of {host}; hosts in it: {', '.join(list(recording.hosts())[:10])}")
    schema = str(shipped_policies() / "policy.schema.json")
    try:
        made = propose(recording, host, item, others=others, kind=kind, schema=schema, own_page=own_page)
    except CannotPropose as error:
        hint = "" if names(recording, item) else _meant(recording, item)
        raise Refused(f"{error}{hint}") from error
    click.echo(made.text, nl=False)
    wrong = list(dict.fromkeys(made.by_hand))
    try:
        wrong += verify(load_policy_text(made.text, name="proposal", environ={}), made, kind, item)
    except BadFile as error:
        wrong += [str(fault) for fault in error.faults]
    for text in wrong:
        note(f"look at this: {text}")
    if made.hints:
        note("note: what the recording only hints at stands in the policy as comments, and is not in force")
    if wrong:
        note("not verified: look at these by hand before this policy is used")
        click.get_current_context().exit(REFUSED)
    passed = len(made.own) + len(made.followed)
    note(
        f"verified: allowed of {item}: {passed}; denied of other items: {len(made.theirs)}, "
        f"and everything of {item} with another id in its place"
    )


def read_recording(path: Path, *, bodies: bool = False) -> Recording:
    """Exit 2 with a sentence when it can't be read."""
    from gateway.policy.har import HarError, read_har

    try:
        return read_har(_chunks(path), bodies=bodies)
    except (OSError, UnicodeDecodeError, HarError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        fail(f"{path}: {'not UTF-8' if isinstance(error, UnicodeDecodeError) else what}")
        click.get_current_context().exit(BAD_FILE)


def _chunks(path: Path) -> Iterator[str]:
    from gateway.policy.har import MAX_BYTES, HarError

    if not path.is_file():
        raise HarError("no such file" if not path.exists() else "not a file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise HarError(f"larger than {MAX_BYTES // 2**20} MiB: record less at a time, or without bodies")
        while chunk := file.read(_CHUNK):
            yield chunk


def _load(name: str) -> Policy:
    """A shipped policy or a file, as `policy:` of a server in config.yaml says it."""
    from gateway.config_entries import read_policy
    from gateway.policy.load import load_policy

    try:
        _, path = read_policy(name, Path())
    except ValueError as error:
        fail(str(error))
        click.get_current_context().exit(BAD_FILE)
    if path.suffix.lower() == ".har":
        bad_usage(f"{name} is a recording; the policy comes first: gateway policy test POLICY HAR")
    return load_policy(path, shown=shown_path(path))


def _meant(recording: Recording, word: str) -> str:
    """A closing remark: what stands in addresses and is written much like it."""
    from gateway.policy.har import words_of
    from gateway.yaml_source import did_you_mean

    found = did_you_mean(word, words_of(recording))
    return found if found.startswith(" (did") else ""


def _kind(rules: Policy, kind: str | None) -> str:
    if kind is not None:
        if kind not in rules.kinds:
            bad_usage(f"the policy {rules.name} has no kind {kind}: {', '.join(rules.kinds)}")
        return kind
    kinds = [name for name, one in rules.kinds.items() if one.guest_access] or list(rules.kinds)
    if len(kinds) > 1:
        note(f"note: taken for a {kinds[0]}; --kind says another ({', '.join(rules.kinds)})")
    return kinds[0]


def _show(found: Replay, item: str, kind: str) -> None:
    from gateway.policy.har import shown, without_secrets

    def say(text: str) -> None:
        click.echo(safe(text).replace("\n", "\\n"))

    count = sum(verdict.times for verdict in found.verdicts)
    lost = sum(verdict.times for verdict in found.denied)
    named = sum(verdict.times for verdict in found.followed)
    way = f", {named} followed" if named else ""
    passed = f"{count - lost - named} allowed{way}"
    say(f"{found.host}: {count} requests for a guest of {item} ({kind}), {passed}, {lost} denied")
    rules = found.by_rule()
    if rules:
        say("allowed by")
        for rule, times in rules:
            say(f"  {times:>5}  {rule.place}  {rule.text}")
    if found.followed:
        say("followed: allowed where a list names it")
        by_rule: dict[tuple[str, str], int] = {}
        for verdict in found.followed:
            if verdict.followed is not None:
                key = (verdict.followed.place, verdict.followed.text)
                by_rule[key] = by_rule.get(key, 0) + verdict.times
        for (place, text), times in by_rule.items():
            say(f"  {times:>5}  {place}  {text}")
    if found.denied:
        say("denied")
        for verdict in found.denied[:_MOST_SHOWN]:
            say(f"  {verdict.times:>5}  {verdict.method} {shown(verdict.target)}")
            say(f"         {_why(verdict)}")
            if not verdict.worker:
                for rule, why in verdict.found.nearest[:1]:
                    say(f"         nearest: {rule.place}  {rule.text}: {without_secrets(why)}")
        if len(found.denied) > _MOST_SHOWN:
            say(f"         and {len(found.denied) - _MOST_SHOWN} others; --json lists all")
    if found.elsewhere:
        say("other hosts, which the gateway does not stand in front of")
        for name, times in list(found.elsewhere.items())[:_MOST_SHOWN]:
            say(f"  {times:>5}  {name}")


def _why(verdict: Verdict) -> str:
    detail = "" if verdict.worker else verdict.found.detail
    return f"{verdict.reason}{f': {detail}' if detail else ''}"


def _as_json(found: Replay, item: str, kind: str) -> dict[str, Any]:
    from gateway.policy.har import shown, without_secrets

    def rule(one: Any) -> dict[str, object]:
        return {"text": one.text, "file": one.file, "line": one.line, "column": one.column}

    return {
        "passed": found.good,
        "host": found.host,
        "item": item,
        "kind": kind,
        "rules": [{**rule(one), "requests": times} for one, times in found.by_rule()],
        "requests": [
            {
                "method": one.method,
                "target": shown(one.target),
                "times": one.times,
                "allowed": one.allowed,
                "followed": one.followed.line if one.followed else None,
                "rule": one.found.rule.line if one.allowed and one.found.rule else None,
                "reason": None if one.allowed or one.followed else str(one.reason),
                "detail": "" if one.worker else one.found.detail,
                "nearest": []
                if one.worker
                else [{**rule(near), "why": without_secrets(why)} for near, why in one.found.nearest],
            }
            for one in found.verdicts
        ],
        "other_hosts": dict(found.elsewhere),
    }
