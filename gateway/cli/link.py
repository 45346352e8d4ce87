"""`gateway link …`: making and minding guest links."""

from __future__ import annotations

import sys
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


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A time with its zone; without one it is meant as it is where the command runs."""
    if value is None or value == "none":
        return value
    from datetime import datetime

    from gateway.access.link_fields import parse_moment

    try:
        found = datetime.fromisoformat(value.strip())
        text = (found if found.tzinfo else found.astimezone()).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        text = ""
    if parse_moment(text) is None:
        raise click.BadParameter(f"{value or 'nothing'} is not a date and time such as 2026-12-01T18:00", ctx, param)
    return text


def _pin(value: str | None) -> str | None:
    """`-` reads it, so that it stands neither in the history nor among the processes."""
    if value != "-":
        return value
    if sys.stdin.isatty():
        return str(click.prompt("PIN", hide_input=True, confirmation_prompt="PIN again", err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _entries(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """An empty list would keep nobody out, so that a variable that is not set opened the link to all."""
    if any(not text.replace(",", " ").split() for text in value):
        raise click.BadParameter("nothing is neither an address nor a domain", ctx, param)
    return value


def _new_pin(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "none":
        raise click.BadParameter("none is no PIN; leave --pin away for a link without one", ctx, param)
    return value


def _options(values: dict[str, Any]) -> dict[str, object]:
    """Those that were given; `none` lifts."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if value is None or value == ():
            continue
        if name == "emails":
            entries = [one for text in value for one in text.replace(",", " ").split()]
            found[name] = None if entries == ["none"] else entries
        elif name != "name" and value == "none":
            found[name] = None
        else:
            found[name] = _pin(value) if name == "pin" else value
    return found


_STARTS = "Nobody is let in before: a time such as 2026-12-01T18:00 (here, or with a zone)"
_PIN_HELP = "A PIN guests must type besides, 4 to 64 characters; - asks for it"
_EMAILS = "Only these addresses, or domains (@example.org); may be repeated"
_VIEWERS = "How many guests may watch at once"
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
@click.option("--item", required=True, metavar="ID", help="The item: its id, or the address of its page.")
@click.option("--name", required=True, help="Who it is for, or what: 1 to 100 characters.")
@click.option("--kind", default=None, help="Where the policy has several kinds and the item does not tell.")
@click.option(
    "--clicks", callback=_number, metavar="N", help="How many guests it admits (default: any, or the ceiling)."
)
@click.option("--days", callback=_number, metavar="N", help="How long it is good (default: for ever, or the ceiling).")
@click.option("--starts-at", callback=_moment, metavar="TIME", help=f"{_STARTS} (default: at once).")
@click.option("--viewers", callback=_number, metavar="N", help=f"{_VIEWERS} (default: any).")
@click.option("--pin", callback=_new_pin, metavar="PIN", help=f"{_PIN_HELP} (default: none).")
@click.option("--email", "emails", multiple=True, callback=_entries, metavar="ENTRY", help=f"{_EMAILS} (default: any).")
@config_option
@json_option
def create(
    server: str | None,
    item: str,
    name: str,
    kind: str | None,
    config_path: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Make a guest link for an item and print its URL.

    The first link of an item turns its guest access on. Works while the gateway runs, and without.

    \b
    Example:
      gateway link create --server tv --item aurora --name "Film club" --clicks 30 --days 7
      gateway link create --item aurora --name Premiere --starts-at 2026-12-01T18:00+01:00 --pin - --viewers 200
    """
    from gateway.config_file import load_config

    config = load_config(config_path)
    chosen = the_server(config, server).name
    fields = {"name": name, **_options(options)}
    made = _one(
        config,
        lambda desk: desk.create(me(), chosen, item, fields, kind=kind),
    )
    _show(made, as_json)


@link.command("list")
@click.option("--server", default=None, help="Only this server's.")
@click.option("--item", default=None, metavar="ID", help="Only this item's.")
@click.option("--state", default=None, help="Only links in this state: active, scheduled, off, expired, used_up.")
@click.option("--breaks", is_flag=True, help="Only links that go beyond the ceilings, which are younger than they are.")
@config_option
@json_option
def list_(
    server: str | None, item: str | None, state: str | None, breaks: bool, config_path: Path, as_json: bool
) -> None:
    """List guest links with their state and how often they were used.

    Links from before the ceilings of their policy or server work on as they are; what goes beyond is named.

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

    async def act(desk: ManagerDesk) -> list[LinkView]:
        return agreed(await desk.links(me(), server, item))

    views = [one for one in with_desk(config, act) if state in (None, str(one.state)) and (one.breaks or not breaks)]
    links = [link_json(one) for one in views]
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
    beyond = [one for one in views if one.breaks]
    if beyond:
        number = "1 link goes" if len(beyond) == 1 else f"{len(beyond)} links go"
        note(f"{number} beyond the ceilings, which are younger; they work on as before:")
        for one in beyond:
            note(f"  {one.link.id}  {', '.join(one.breaks)}")


@link.command("edit")
@_LINK
@click.option("--name", default=None, help="Another name.")
@click.option("--clicks", callback=_limit, metavar="N|none", help="Another limit, or none.")
@click.option("--days", callback=_limit, metavar="N|none", help="Good for so many days from now, or none: for ever.")
@click.option("--starts-at", callback=_moment, metavar="TIME|none", help=f"{_STARTS}, or none: at once.")
@click.option("--viewers", callback=_limit, metavar="N|none", help=f"{_VIEWERS}, or none: any number.")
@click.option("--pin", metavar="PIN|none", help=f"{_PIN_HELP}; or none.")
@click.option(
    "--email",
    "emails",
    multiple=True,
    callback=_entries,
    metavar="ENTRY|none",
    help=f"{_EMAILS}: the list from then on; or none: any.",
)
@config_option
@json_option
def edit(link_id: str, config_path: Path, as_json: bool, **options: Any) -> None:
    """Change a link's name, limits or options; its URL stays. Guests who are in stay in.

    \b
    Example:
      gateway link edit LINK --clicks none --days 14
    """
    changes = _options(options)
    if not changes:
        bad_usage("nothing to change: --name, --clicks, --days, --starts-at, --viewers, --pin or --email")

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
            *_extras(found),
        ]
    )


def _extras(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Options that are set; most links have none."""
    seats = found["viewers"]
    return [
        *([("starts", moment(found["starts_at"]))] if found["starts_at"] else []),
        *([("viewers", f"{seats['now']} of {seats['limit']}")] if seats["limit"] is not None else []),
        *([("pin", "needed")] if found["pin"] else []),
        *([("only for", ", ".join(found["emails"]))] if found["emails"] else []),
        *([("wrong tries", f"{found['wrong_tries']} of late")] if found["wrong_tries"] else []),
    ]


def _clicks(found: dict[str, Any]) -> str:
    clicks = found["clicks"]
    return f"{clicks['used']} of {clicks['limit']}" if clicks["limit"] is not None else f"{clicks['used']}"


def _expiry(found: dict[str, Any]) -> str:
    return moment(found["expires_at"]) if found["expires_at"] else "never"
