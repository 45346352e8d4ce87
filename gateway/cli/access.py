"""`gateway access on|off`: the guest-access switch of one item."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import config_option, json_option, the_server
from gateway.cli.desk import agreed, me, with_desk
from gateway.cli.output import show_json, show_pairs

if TYPE_CHECKING:
    from gateway.access.managing import AccessView, ManagerDesk


@click.command(short_help="Turn guest access of an item on or off.")
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.option("--server", default=None, help="The server's name (default: the only one).")
@click.option("--item", required=True, metavar="ID", help="The item: its id, or the address of its page.")
@click.option("--kind", default=None, help="Where the policy has several kinds and the item does not tell.")
@config_option
@json_option
def access(switch: str, server: str | None, item: str, kind: str | None, config_path: Path, as_json: bool) -> None:
    """Turn guest access of an item on or off; off, all its links are inactive until it is on again.

    \b
    Example:
      gateway access off --server tv --item aurora
    """
    from gateway.config_file import load_config

    config = load_config(config_path)
    name = the_server(config, server).name

    async def act(desk: ManagerDesk) -> AccessView:
        return agreed(await desk.set_access(me(), name, item, switch == "on", kind=kind))

    view = with_desk(config, act)
    found, enabled = view.item, view.enabled
    if as_json:
        show_json({"server": found.server, "item": found.item, "enabled": enabled})
    else:
        show_pairs([("item", f"{found.item} on {found.server}"), ("guest access", "on" if enabled else "off")])
