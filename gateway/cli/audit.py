"""`gateway audit`: what was done to guest access, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import bad_usage, config_option, json_option, note, the_server
from gateway.cli.desk import agreed, me, with_desk
from gateway.cli.output import moment, show_json, show_table

if TYPE_CHECKING:
    from gateway.access.managing import ManagerDesk

COLUMNS = ("id", "at", "who", "action", "server", "item", "link", "guest", "detail")


@click.command(short_help="What was done, and by whom.")
@click.option("--server", default=None, help="Only what was done on this server.")
@click.option("--item", default=None, metavar="ID", help="Only what was done to this item.")
@click.option("--link", "link_id", default=None, metavar="LINK", help="Only what was done to this link.")
@click.option("--who", default=None, metavar="NAME", help="Only what they did: a manager, cli:USER or guest.")
@click.option("--action", default=None, metavar="ACTION", help="Only this, such as link_created.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="So many at most.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@config_option
@json_option
def audit(
    server: str | None,
    item: str | None,
    link_id: str | None,
    who: str | None,
    action: str | None,
    limit: int,
    form: str,
    config_path: Path,
    as_json: bool,
) -> None:
    """Show the audit log, newest first: who made, changed, switched, deleted, admitted, removed, exported.

    It names guests by their id alone, and holds no token.

    \b
    Example:
      gateway audit --item aurora --limit 20
    """
    from gateway.access.managing import AuditQuery
    from gateway.access.views import event_json
    from gateway.config_file import load_config
    from gateway.links.events import Action
    from gateway.yaml_source import did_you_mean

    known = [str(one) for one in Action]
    if action is not None and action not in known:
        bad_usage(f"no action {action}{did_you_mean(action, known)}; these are: {', '.join(known)}")
    config = load_config(config_path)
    if server is not None or item is not None:
        server = the_server(config, server).name
    query = AuditQuery(server, item, link_id, None, who, Action(action) if action else None, limit)

    async def act(desk: ManagerDesk) -> list[dict[str, Any]]:
        return [event_json(event) for event in agreed(await desk.audit(me(), query)).events]

    found = with_desk(config, act)
    if as_json or form == "json":
        show_json(found)
    elif form == "csv":
        from gateway.access.spreadsheet import csv_text

        click.echo(csv_text(COLUMNS, [{**one, "detail": _facts(one)} for one in found]), nl=False)
    elif not found:
        note("nothing in the audit log")
    else:
        show_table(
            ["when", "who", "what", "on", "link", "guest", "detail"],
            [
                (
                    moment(one["at"]),
                    one["who"],
                    one["action"],
                    f"{one['server']}:{one['item']}" if one["item"] else "-",
                    one["link"],
                    one["guest"],
                    _facts(one),
                )
                for one in found
            ],
        )


def _facts(event: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in event["detail"].items())
