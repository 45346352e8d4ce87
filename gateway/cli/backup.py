"""`gateway backup` and `gateway restore`: the links as one file, while the gateway serves or without it.

Rule: a backup is written whole or not at all, and restored only after all of it has been checked. Nobody's
name or address is in it: guests are not, since whoever asks to be erased can't be erased from files.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from gateway.cli.command import Refused, actor, bad_usage, config_option, json_option, note, shown_path
from gateway.cli.output import show_json

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.store.backup import Restored
    from gateway.store.backup_file import Backup, BackupWriter
    from gateway.store.links import LinkStore

STANDARD = Path("-")
_SHOWN = 20  # differences that are named one by one

_FILE = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))


@click.command(short_help="Write all links to a file, while the gateway serves.")
@_FILE
@click.option("--with-keys", is_flag=True, help="The gateway's secrets too: whoever has the file can make sessions.")
@config_option
@json_option
def backup(file: Path, with_keys: bool, config_path: Path, as_json: bool) -> None:
    """Write all links, with their switches and used clicks, to FILE (- for standard output).

    Works while the gateway runs, and without. Guests, their visits and sessions are not in it. The tokens
    are sealed: without the gateway's secret (--with-keys, or a copy of it kept elsewhere) nobody can use
    them, you included.

    \b
    Examples:
      gateway backup links.backup
      gateway backup --with-keys - | age -r age1… > links.backup.age
    """
    from gateway.config_file import load_config

    config = load_config(config_path)
    if with_keys:
        note("the file will hold the gateway's keys: whoever reads it can open every link and make sessions")
    done = asyncio.run(_back_up(config, file, with_keys=with_keys))
    found = {"file": str(file), **done.counts.said(), "keys": with_keys}
    if as_json and file != STANDARD:
        show_json(found)
        return
    said = f"{_amounts(done.counts.said())}, {'with' if with_keys else 'without'} keys"
    (note if file == STANDARD else click.echo)(f"{'standard output' if file == STANDARD else file}: {said}")
    if not with_keys:
        note("keep the secret too (data_dir/secret, or what secrets: names): the links open with no other")


async def _back_up(config: Config, file: Path, *, with_keys: bool) -> BackupWriter:
    from datetime import UTC, datetime

    from gateway import __version__
    from gateway.links.events import Action, Event
    from gateway.store.audit import AuditTrail
    from gateway.store.backup import saved_items
    from gateway.store.backup_file import BackupWriter
    from gateway.store.client import TERMINAL
    from gateway.store.opening import open_store
    from gateway.store.secrets_file import own_secret

    async with open_store(config, "command", TERMINAL) as links:
        started = datetime.now(UTC)
        given = (config.secrets or (own_secret(config.data_dir),)) if with_keys else None
        with _output(file) as to:
            writer = BackupWriter(
                to,
                links.keys,
                created=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
                gateway=__version__,
                secrets=given,
            )
            async for one in saved_items(links):
                writer.add(one)
            writer.end()
            # Inside: a copy of the keys that nobody can be asked about is not made.
            detail = {"links": str(writer.counts.links), "keys": "yes" if with_keys else "no"}
            event = Event(int(started.timestamp() * 1000), actor(), Action.BACKUP_MADE, detail=detail)
            await AuditTrail(links.store).append(event)
        return writer


@contextmanager
def _output(file: Path) -> Iterator[BinaryIO]:
    from gateway.store.backup_file import whole_file

    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with whole_file(file) as to:
            yield to
    except OSError as error:
        raise Refused(f"{file} is not written: {error.strerror or error}") from error


@click.command(short_help="Put links of a backup back, while the gateway serves.")
@_FILE
@click.option("--merge", is_flag=True, help="Of links that differ keep the store's, and add what it does not have.")
@click.option("--replace", is_flag=True, help="Of links and switches that differ take the backup's.")
@click.option(
    "--revive", is_flag=True, help="Also links that were deleted since the backup; with --merge or --replace."
)
@config_option
@json_option
def restore(file: Path, merge: bool, replace: bool, revive: bool, config_path: Path, as_json: bool) -> None:
    """Put the links of FILE (- for standard input) back, into an empty store or one in use.

    Where the store knows a link or switch otherwise, nothing is restored and the differences are named,
    unless --merge or --replace says what is to become of them. Used clicks are never lowered, no link is
    deleted. A running gateway follows at once. Guests come in again by the form: who was in is not restored.

    \b
    Examples:
      gateway restore links.backup
      gateway restore --merge links.backup
    """
    from gateway.config_file import load_config
    from gateway.store.backup_file import read_backup

    if merge and replace:
        bad_usage("--merge or --replace, not both")
    if revive and not (merge or replace):
        bad_usage("--revive goes with --merge or --replace")
    config = load_config(config_path)
    saved = read_backup(_input(file))
    done = asyncio.run(_restore(config, saved, agreed=merge or replace, replace=replace, revive=revive))
    counts = _counted(done, replace=replace)
    if as_json:
        show_json({"created": saved.created, **counts})
    else:
        click.echo(", ".join(f"{counts[name]} {what}" for name, what in _SAID.items() if counts[name]) or "nothing new")
    _remark(config, done)


def _input(file: Path) -> bytes:
    from gateway.errors import BadBackup

    try:
        return sys.stdin.buffer.read() if file == STANDARD else file.read_bytes()
    except OSError as error:
        raise BadBackup(f"{file} can't be read: {error.strerror or error}") from error


async def _restore(config: Config, saved: Backup, *, agreed: bool, replace: bool, revive: bool) -> list[Restored]:
    import time

    from gateway.links.events import Action, Event
    from gateway.store import backup as store_backup
    from gateway.store.audit import AuditTrail
    from gateway.store.client import TERMINAL
    from gateway.store.opening import open_store

    now = time.time_ns() // 1_000_000
    wish = store_backup.Wish(replace=replace, revive=revive)
    with _keys_for(config, saved):
        async with open_store(config, "command", TERMINAL) as links:
            _check_keys(links, saved)
            looked = await store_backup.look(links, saved.items, wish, now=now)
            if not agreed:
                _refuse_differences(looked)
            detail = {"created": saved.created, "links": str(saved.counts.links)}
            await AuditTrail(links.store).append(Event(now, actor(), Action.BACKUP_RESTORED, detail=detail))
            return await store_backup.restore(links, looked, wish, now=now)


@contextmanager
def _keys_for(config: Config, saved: Backup) -> Iterator[None]:
    """Where the deployment has no secret yet, the backup's becomes its own; without one nothing is made."""
    from gateway.errors import BadSecret
    from gateway.links.keys import Keys
    from gateway.store.secrets_file import has_secret, install_secret, remove_secret

    if config.secrets or has_secret(config.data_dir):
        yield
        return
    where = f"{shown_path(config.data_dir)}/secret"
    if not saved.secrets:
        raise BadSecret(
            f"this deployment has no secret, and the backup holds none: put the one it was made with (key {saved.key}) "
            f"at {where}, or name its file in secrets:"
        )
    if Keys.derive(saved.secrets).id != saved.key:
        raise BadSecret("the keys in this backup are not those it was sealed with")
    install_secret(config.data_dir, saved.secrets[0])
    try:
        yield
    except BadSecret:
        remove_secret(config.data_dir)  # the store belongs to another
        raise
    note(f"{where} is now the secret of the backup; keep it")


def _check_keys(links: LinkStore, saved: Backup) -> None:
    from gateway.errors import BadBackup, BadSecret

    if saved.key not in links.keys.ids:
        own = "; it holds its secret, on line 2" if saved.secrets else ""
        raise BadSecret(
            f"the backup was sealed with another key (its id is {saved.key}, ours {links.keys.id}): put the secret it "
            f"was made with into a file, and name that behind ours in secrets:{own}"
        )
    if not links.keys.check_backup(saved.digest, saved.signature):
        raise BadBackup("the file was changed by somebody who does not have the gateway's secret")


def _refuse_differences(looked: Sequence[Restored]) -> None:
    found = []
    for one in looked:
        names = {record["id"]: record["name"] for record in (*one.saved.links, *one.saved.deleted)}
        if one.item == "differs":
            item = one.saved.item
            found.append(f"item {item['item']} on {item['server']}: its guest access is switched otherwise")
        for link, outcome in one.links.items():
            if outcome == "differs":
                found.append(f"link {link} ({names[link]}) has been changed")
            elif outcome == "deleted":
                found.append(f"link {link} ({names[link]}) has been deleted since")
    if not found:
        return
    for line in found[:_SHOWN]:
        note(line)
    if len(found) > _SHOWN:
        note(f"… and {len(found) - _SHOWN} more")
    raise Refused(
        "nothing is restored: the store knows these otherwise; --merge keeps what the store has, --replace takes the "
        "backup's, --revive brings back deleted links too"
    )


_SAID = {
    "restored": "restored", "replaced": "replaced", "kept": "kept as they are here", "revived": "revived",
    "deleted": "deleted since", "raised": "with fewer used clicks here, raised", "unchanged": "unchanged",
}  # fmt: skip


def _counted(done: Sequence[Restored], *, replace: bool) -> dict[str, int]:
    """Links by what became of them; those that were deleted when the backup was made are not counted."""
    outcomes = {
        "new": "restored", "differs": "replaced" if replace else "kept", "revived": "revived",
        "deleted": "deleted", "raised": "raised", "same": "unchanged",
    }  # fmt: skip
    counts = dict.fromkeys(_SAID, 0)
    for one in done:
        for record in one.saved.links:
            counts[outcomes[one.links[record["id"]]]] += 1
    return counts


def _remark(config: Config, done: Sequence[Restored]) -> None:
    """What the operator should know besides."""
    unopened = sum(len(one.unopened) for one in done)
    if unopened:
        note(f"sealed with a key that is lost, so their addresses are dead: {unopened}")
    known = {server.name for server in config.servers}
    records = [record for one in done for record in (one.saved.item, *one.saved.links) if record]
    strange = sorted({record["server"] for record in records} - known)
    if strange:
        note(f"not in config.yaml, so their links stay shut: {', '.join(strange)}")


def _amounts(counts: dict[str, int]) -> str:
    def amount(number: int, what: str) -> str:
        return f"{number} {what}{'s' * (number != 1)}"

    deleted = f", {amount(counts['deleted'], 'deleted link')}" if counts["deleted"] else ""
    return f"{amount(counts['links'], 'link')} of {amount(counts['items'], 'item')}{deleted}"
