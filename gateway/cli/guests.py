"""`gateway guests …`: who came by guest links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.command import config_option, json_option, note, the_server
from gateway.cli.desk import agreed, with_desk
from gateway.cli.output import moment, show_json, show_table

if TYPE_CHECKING:
    from gateway.access.issue import GuestView, LinkDesk

COLUMNS = ("id", "link", "link_name", "server", "item", "name", "email", "first_seen", "last_seen")

Function = TypeVar("Function", bound=Callable[..., Any])


def _filters(function: Function) -> Function:
    function = click.option("--link", "link_id", default=None, metavar="LINK", help="Only guests of this link.")(
        function
    )
    function = click.option("--item", default=None, metavar="ID", help="Only guests of this item.")(function)
    return click.option("--server", default=None, help="Only guests of this server.")(function)


@click.group()
def guests() -> None:
    """Who came by guest links, and when."""


@guests.command("list")
@_filters
@config_option
@json_option
def list_(server: str | None, item: str | None, link_id: str | None, config_path: Path, as_json: bool) -> None:
    """List guests with name, address and when they were seen.

    \b
    Example:
      gateway guests list --server tv --item aurora
    """
    found = _guests(config_path, server, item, link_id)
    if as_json:
        show_json(found)
    elif not found:
        note("no guests")
    else:
        show_table(
            ["name", "e-mail", "link", "item", "first seen", "last seen"],
            [
                (
                    one["name"],
                    one["email"],
                    one["link_name"],
                    f"{one['server']}:{one['item']}",
                    moment(one["first_seen"]),
                    moment(one["last_seen"]),
                )
                for one in found
            ],
        )


@guests.command("export")
@_filters
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@config_option
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def export(
    server: str | None, item: str | None, link_id: str | None, form: str, config_path: Path, as_json: bool
) -> None:
    """Write guests as CSV (for a spreadsheet) or JSON to standard output.

    \b
    Example:
      gateway guests export --link LINK > guests.csv
    """
    found = _guests(config_path, server, item, link_id)
    if as_json or form == "json":
        show_json(found)
    else:
        from gateway.access.spreadsheet import csv_text

        click.echo(csv_text(COLUMNS, found), nl=False)


def _guests(config_path: Path, server: str | None, item: str | None, link_id: str | None) -> list[dict[str, Any]]:
    from gateway.access.issue import IssueRefused
    from gateway.config_file import load_config

    config = load_config(config_path)
    if server is not None or item is not None:
        server = the_server(config, server).name

    async def act(desk: LinkDesk) -> list[dict[str, Any]]:
        found: list[GuestView] = agreed(await desk.guests(server, item, link_id))
        names: dict[str, str] = {}
        for of in sorted({view.guest.link for view in found}):
            answer = await desk.get(of)
            if not isinstance(answer, IssueRefused):
                names[of] = answer.link.name
        came = sorted(found, key=lambda view: (view.guest.first_seen, view.guest.id))
        return [_as_json(view, names.get(view.guest.link)) for view in came]

    return with_desk(config, act)


def _as_json(view: GuestView, link_name: str | None) -> dict[str, Any]:
    """A guest of the API, with the words a person looks for beside the ids."""
    from gateway.access.issue import rfc3339

    guest = view.guest
    return {
        "id": guest.id,
        "link": guest.link,
        "link_name": link_name,
        "server": view.server,
        "item": view.item,
        "name": guest.name,
        "email": guest.email,
        "fields": {},
        "first_seen": rfc3339(guest.first_seen),
        "last_seen": rfc3339(guest.last_seen),
    }
