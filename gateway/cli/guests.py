"""`gateway guests …`: who came by guest links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.command import bad_usage, config_option, json_option, note, the_server
from gateway.cli.desk import agreed, me, with_desk
from gateway.cli.output import moment, show_json, show_table

if TYPE_CHECKING:
    from gateway.access.issue import GuestView, LinkView
    from gateway.access.managing import ManagerDesk

COLUMNS = (
    "id", "link", "link_name", "server", "item", "name", "email", "first_seen", "last_seen", "watched_s", "present",
)  # fmt: skip

Function = TypeVar("Function", bound=Callable[..., Any])


def _filters(function: Function) -> Function:
    function = click.option("--link", "link_id", default=None, metavar="LINK", help="Only guests of this link.")(
        function
    )
    function = click.option("--item", default=None, metavar="ID", help="Only guests of this item.")(function)
    return click.option("--server", default=None, help="Only guests of this server.")(function)


@click.group()
def guests() -> None:
    """Who came by guest links, and when.

    \b
    Example:
      gateway guests list --item aurora
    """


@guests.command("list")
@_filters
@config_option
@json_option
def list_(server: str | None, item: str | None, link_id: str | None, config_path: Path, as_json: bool) -> None:
    """List guests with name, address, answers and when they were seen.

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
        answers = any(one["fields"] or one["consent"] for one in found)
        show_table(
            [
                "name",
                "e-mail",
                *(["answers"] if answers else []),
                "link",
                "item",
                "first seen",
                "last seen",
                "minutes",
                "id",
            ],
            [
                (
                    one["name"],
                    one["email"],
                    *([_answers(one)] if answers else []),
                    one["link_name"],
                    f"{one['server']}:{one['item']}",
                    moment(one["first_seen"]),
                    f"{moment(one['last_seen'])}{' (here now)' if one['present'] else ''}",
                    one["watched_s"] // 60,
                    one["id"],
                )
                for one in found
            ],
        )


@guests.command("export", short_help="Write guests as CSV or JSON.")
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
    found = _guests(config_path, server, item, link_id, exported="json" if as_json else form)
    if as_json or form == "json":
        show_json(found)
    else:
        from gateway.access.spreadsheet import csv_text
        from gateway.access.views import guest_table
        from gateway.config_file import load_config

        asked = load_config(config_path).guest_form
        click.echo(csv_text(*guest_table(COLUMNS, found, asked)), nl=False)


@guests.command("remove")
@click.argument("guest_id", metavar="GUEST")
@config_option
def remove(guest_id: str, config_path: Path) -> None:
    """End everything a guest has open, now. Name and address stay; `guests erase` deletes them.

    \b
    Example:
      gateway guests remove GUEST
    """
    from gateway.config_file import load_config

    async def act(desk: ManagerDesk) -> GuestView:
        return agreed(await desk.remove(me(), guest_id))

    with_desk(load_config(config_path), act)
    note(f"removed {guest_id}")


@guests.command("erase", short_help="Delete a person's name and address.")
@click.option("--email", default=None, metavar="ADDRESS", help="Everybody who came under this address.")
@click.option("--guest", "guest_id", default=None, metavar="GUEST", help="One guest, by id.")
@config_option
@json_option
def erase(email: str | None, guest_id: str | None, config_path: Path, as_json: bool) -> None:
    """Delete a person's name and address everywhere, and end what they have open. This can't be undone.

    The store's file is written anew at once. Backups made before are yours to see to, and so are lists of addresses on
    links: those that name the address are told.

    \b
    Example:
      gateway guests erase --email ada@example.org
    """
    from gateway.config_file import load_config

    if (email is None) == (guest_id is None):
        bad_usage("one of --email and --guest is needed")

    async def act(desk: ManagerDesk) -> tuple[int, list[LinkView]]:
        if email is not None:
            count = agreed(await desk.erase(me(), email))
            return count, await desk.naming(me(), email)
        assert guest_id is not None
        gone = agreed(await desk.remove(me(), guest_id, erase=True))
        return 1, await desk.naming(me(), gone.guest.email)

    count, naming = with_desk(load_config(config_path), act)
    if as_json:
        show_json({"erased": count, "on_lists_of": [one.link.id for one in naming]})
        return
    note(f"erased {count} guest{'s' * (count != 1)}")
    for one in naming:
        note(
            f'the address still stands on the list of link {one.link.id} "{one.link.name}": '
            f"`gateway link edit {one.link.id} --email …` sets another list"
        )


def _guests(
    config_path: Path, server: str | None, item: str | None, link_id: str | None, *, exported: str = ""
) -> list[dict[str, Any]]:
    from gateway.access.issue import IssueRefused
    from gateway.config_file import load_config

    config = load_config(config_path)
    if server is not None or item is not None:
        server = the_server(config, server).name

    async def act(desk: ManagerDesk) -> list[dict[str, Any]]:
        found: list[GuestView] = agreed(await desk.guests(me(), server, item, link_id))
        if exported:
            await desk.exported(me(), {"guests": str(len(found)), "format": exported})
        names: dict[str, str] = {}
        for of in sorted({view.guest.link for view in found}):
            answer = await desk.get(me(), of)
            if not isinstance(answer, IssueRefused):
                names[of] = answer.link.name
        came = sorted(found, key=lambda view: (view.guest.first_seen, view.guest.id))
        return [_as_json(view, names.get(view.guest.link)) for view in came]

    return with_desk(config, act)


def _answers(guest: dict[str, Any]) -> str:
    """`company: ACME; news: yes; consent: 2026-11`."""
    said = {
        name: "yes" if value is True else "no" if value is False else value for name, value in guest["fields"].items()
    }
    if guest["consent"]:
        said["consent"] = f"{guest['consent']['version']} ({moment(guest['consent']['at'])})"
    return "; ".join(f"{name}: {value}" for name, value in said.items())


def _as_json(view: GuestView, link_name: str | None) -> dict[str, Any]:
    """A guest of the API, with the link's name beside its id."""
    from gateway.access.views import guest_json

    found: dict[str, Any] = {}
    for name, value in guest_json(view).items():
        found[name] = value
        if name == "link":
            found["link_name"] = link_name
    return found
