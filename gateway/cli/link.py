"""`gateway link …`: making and minding guest links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import bad_usage, config_option, json_option, note, the_server
from gateway.cli.desk import agreed, me, with_desk
from gateway.cli.output import moment, show_json, show_pairs, show_table

if TYPE_CHECKING:
    from gateway.access.issue import IssueRefused, LinkView
    from gateway.access.managing import ManagerDesk
    from gateway.config import Config

    Answer = Awaitable[LinkView | IssueRefused]


def _limit(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """A whole number of at least 1, or `none` to lift the limit."""
    return value if value == "none" else _number(ctx, param, value, ", or none")


def _number(ctx: click.Context, param: click.Parameter, value: str | None, hint: str = "") -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 1_000 or int(value) < 1:
        raise click.BadParameter(f"{value or 'nothing'} is not a whole number from 1{hint}", ctx, param)
    return int(value)


_LINK = click.argument("link_id", metavar="LINK")


@click.group()
def link() -> None:
    """Make, list, change and end guest links.

    \b
    Example:
      gateway link create --item aurora --name "Film club" --clicks 30
    """


@link.command("create")
@click.option("--server", default=None, help="The server's name (default: the only one).")
@click.option("--item", required=True, metavar="ID", help="The item, by its id on the media server.")
@click.option("--name", required=True, help="Who it is for, or what: 1 to 100 characters.")
@click.option("--kind", default=None, help="Where the policy has several kinds and the item does not tell.")
@click.option("--clicks", callback=_number, metavar="N", help="How many guests it admits (default: any).")
@click.option("--days", callback=_number, metavar="N", help="How long it is good (default: for ever).")
@config_option
@json_option
def create(
    server: str | None,
    item: str,
    name: str,
    kind: str | None,
    clicks: int | None,
    days: int | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """Make a guest link for an item and print its URL.

    The first link of an item turns its guest access on. Works while the gateway runs, and without.

    \b
    Example:
      gateway link create --server tv --item aurora --name "Film club" --clicks 30 --days 7
    """
    from gateway.config_file import load_config

    config = load_config(config_path)
    chosen = the_server(config, server).name
    made = _one(
        config,
        lambda desk: desk.create(me(), chosen, item, {"name": name, "clicks": clicks, "days": days}, kind=kind),
    )
    _show(made, as_json)


@link.command("list")
@click.option("--server", default=None, help="Only this server's.")
@click.option("--item", default=None, metavar="ID", help="Only this item's.")
@click.option("--state", default=None, help="Only links in this state: active, off, expired, used_up.")
@config_option
@json_option
def list_(server: str | None, item: str | None, state: str | None, config_path: Path, as_json: bool) -> None:
    """List guest links with their state and how often they were used.

    \b
    Example:
      gateway link list --server tv --item aurora
    """
    from gateway.access.issue import link_json
    from gateway.config_file import load_config
    from gateway.links.rules import State

    if state is not None and state not in [one.value for one in State]:
        bad_usage(f"--state is one of {', '.join(one.value for one in State)}")
    config = load_config(config_path)
    if server is not None or item is not None:
        server = the_server(config, server).name

    async def act(desk: ManagerDesk) -> list[dict[str, Any]]:
        return [link_json(view) for view in agreed(await desk.links(me(), server, item))]

    links = [one for one in with_desk(config, act) if state in (None, one["state"])]
    if as_json:
        show_json(links)
        return
    if not links:
        note("no links")
        return
    show_table(
        ["link", "server", "item", "name", "state", "clicks", "expires", "url"],
        [
            (one["id"], one["server"], one["item"], one["name"], one["state"], _clicks(one), _expiry(one), one["url"])
            for one in links
        ],
    )


@link.command("edit")
@_LINK
@click.option("--name", default=None, help="Another name.")
@click.option("--clicks", callback=_limit, metavar="N|none", help="Another limit, or none.")
@click.option("--days", callback=_limit, metavar="N|none", help="Good for so many days from now, or none: for ever.")
@config_option
@json_option
def edit(link_id: str, name: str | None, clicks: Any, days: Any, config_path: Path, as_json: bool) -> None:
    """Change a link's name or limits; its URL stays.

    \b
    Example:
      gateway link edit LINK --clicks none --days 14
    """
    changes: dict[str, object] = {} if name is None else {"name": name}
    for key, value in (("clicks", clicks), ("days", days)):
        if value is not None:
            changes[key] = None if value == "none" else value
    if not changes:
        bad_usage("nothing to change: --name, --clicks or --days")

    _change(config_path, lambda desk: desk.edit(me(), link_id, changes), as_json)


@link.command("enable")
@_LINK
@config_option
@json_option
def enable(link_id: str, config_path: Path, as_json: bool) -> None:
    """Turn a link on again.

    \b
    Example:
      gateway link enable LINK
    """
    _change(config_path, lambda desk: desk.edit(me(), link_id, {"enabled": True}), as_json)


@link.command("disable")
@_LINK
@config_option
@json_option
def disable(link_id: str, config_path: Path, as_json: bool) -> None:
    """Turn a link off. Guests who are in stay until they reload or leave (or as the policy's on_revoke says).

    \b
    Example:
      gateway link disable LINK
    """
    _change(config_path, lambda desk: desk.edit(me(), link_id, {"enabled": False}), as_json)


@link.command("delete")
@_LINK
@config_option
@json_option
def delete(link_id: str, config_path: Path, as_json: bool) -> None:
    """Delete a link for good; it can't be restored.

    \b
    Example:
      gateway link delete LINK
    """
    _change(config_path, lambda desk: desk.delete(me(), link_id), as_json)


def _change(config_path: Path, act: Callable[[ManagerDesk], Answer], as_json: bool) -> None:
    from gateway.config_file import load_config

    _show(_one(load_config(config_path), act), as_json)


def _one(config: Config, act: Callable[[ManagerDesk], Answer]) -> dict[str, Any]:
    """What `act` made of one link."""
    from gateway.access.issue import link_json

    async def ask(desk: ManagerDesk) -> LinkView:
        return agreed(await act(desk))

    return link_json(with_desk(config, ask))


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    show_pairs(
        [
            ("url", found["url"]),
            ("link", found["id"]),
            ("name", found["name"]),
            ("item", f"{found['item']} on {found['server']} ({found['kind']})"),
            ("title", found["title"]),
            ("state", found["state"]),
            ("clicks", _clicks(found)),
            ("expires", _expiry(found)),
        ]
    )


def _clicks(found: dict[str, Any]) -> str:
    clicks = found["clicks"]
    return f"{clicks['used']} of {clicks['limit']}" if clicks["limit"] is not None else f"{clicks['used']}"


def _expiry(found: dict[str, Any]) -> str:
    return moment(found["expires_at"]) if found["expires_at"] else "never"
