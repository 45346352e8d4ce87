"""`gateway webhook …`: the receivers of notices, tried and looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from gateway.cli.command import REFUSED, bad_usage, config_option, json_option, note, safe
from gateway.cli.output import moment, show_json, show_table

if TYPE_CHECKING:
    from gateway.config import Config, Webhook
    from gateway.store.notices import QueueState
    from gateway.upstream.receiver import Reply

_HINTS = {
    "NAME": "is the host name right, and can this machine look names up?",
    "INTERNAL": "allow_internal: true lets notices go there, if that is what you want",
    "CONNECTION": "does it listen there, and does a firewall let this machine out?",
    "TLS": "is the certificate of a public authority, and for this name? SSL_CERT_FILE names authorities of your own",
    "SLOW": "a receiver answers within ten seconds: it should take the notice first and work on it later",
    "BROKEN": "is it a web server that listens on this port, and is it https?",
    "REDIRECT": "write the address it redirects to",
}
_STATUS_HINTS = {
    400: "it did not like the notice: its own log says why",
    401: "does it verify with the same secret, and over the body as it came?",
    403: "does it verify with the same secret, and over the body as it came?",
    404: "is the path right?",
    405: "it must take POST at this path",
    410: "it says that it is gone for good: nothing more is sent to this address",
    429: "it wants fewer notices",
}


@click.group()
def webhook() -> None:
    """Receivers of notices: the list `webhooks` of config.yaml.

    \b
    Example:
      gateway webhook test
    """


@webhook.command("test", short_help="Send a test notice now.")
@click.argument("name", required=False)
@config_option
@json_option
def test(name: str | None, config_path: Path, as_json: bool) -> None:
    """Send a notice of the event `test` now, to one webhook or to all, and say what came back. It is signed like
    all others, and not repeated. Exit 1 when one was not taken.

    \b
    Examples:
      gateway webhook test
      gateway webhook test calendar --json
    """
    from gateway.config_file import load_config

    config = load_config(config_path)
    wanted = _wanted(config, name)
    replies = asyncio.run(_send(config, wanted))
    if as_json:
        show_json([_reply_json(one, reply) for one, reply in zip(wanted, replies, strict=True)])
    else:
        for one, reply in zip(wanted, replies, strict=True):
            good = reply.trouble is None
            said = f"took it ({reply.status})" if good else str(reply)
            click.echo(f"{one.name}: {safe(said)}, after {reply.took:.2f} s")
            hint = None if good else _hint(reply)
            if hint:
                note(f"  -> {hint}")
    if any(reply.trouble is not None for reply in replies):
        click.get_current_context().exit(REFUSED)


@webhook.command("list", short_help="Show webhooks and how they fare.")
@config_option
@json_option
def list_(config_path: Path, as_json: bool) -> None:
    """List the webhooks with their hosts, what waits for them and when they last took or refused a notice.

    \b
    Example:
      gateway webhook list
    """
    from gateway.config_file import load_config

    config = load_config(config_path)
    if not config.webhooks:
        if as_json:
            show_json([])
        else:
            note("no webhooks in config.yaml")
        return
    found = [_state_json(one, state) for one, state in zip(config.webhooks, _states(config), strict=True)]
    if as_json:
        show_json(found)
        return
    show_table(
        ["name", "host", "waiting", "last taken", "last failure", "what", "sent", "failed", "given up", "dropped"],
        [
            (
                one["name"],
                one["host"],
                one["waiting"],
                moment(one["last_success"]) if one["last_success"] else None,
                moment(one["last_failure"]) if one["last_failure"] else None,
                one["what"] or None,
                one["sent"],
                one["failed"],
                one["given_up"],
                one["dropped"],
            )
            for one in found
        ],
    )


def _wanted(config: Config, name: str | None) -> tuple[Webhook, ...]:
    from gateway.yaml_source import did_you_mean

    if not config.webhooks:
        bad_usage(f"{config.file} has no webhooks")
    found = tuple(one for one in config.webhooks if name in (None, one.name))
    if not found:
        bad_usage(f"no webhook {name} in {config.file}{did_you_mean(str(name), [one.name for one in config.webhooks])}")
    return found


async def _send(config: Config, webhooks: Sequence[Webhook]) -> list[Reply]:
    import secrets

    from gateway.access.delivering import send
    from gateway.access.notice_payload import TEST, payload
    from gateway.doors import now
    from gateway.upstream.receiver import Receiver

    async def one(webhook: Webhook) -> Reply:
        identifier, at = f"msg_{secrets.token_hex(16)}", now()
        receiver = Receiver(webhook.url, allow_internal=webhook.allow_internal)
        return await send(webhook, receiver, identifier, payload(TEST, identifier, at), at)

    replies = await asyncio.gather(*map(one, webhooks))
    took = [one.name for one, reply in zip(webhooks, replies, strict=True) if reply.trouble is None]
    if config.store != "embedded" or config.data_dir.is_dir():
        await _revive(config, took)
    return replies


async def _revive(config: Config, names: Sequence[str]) -> None:
    """Whoever takes a notice is not gone, whatever they said before."""
    from gateway.errors import StoreDown
    from gateway.store.client import TERMINAL
    from gateway.store.notices import NoticeQueue
    from gateway.store.opening import open_store

    if not names:
        return
    try:
        async with open_store(config, "command", TERMINAL) as links:
            queue = NoticeQueue(links.store, "")
            for name in names:
                await queue.revive(name)
    except StoreDown as error:
        note(f"the store does not answer ({error}): a receiver that said it was gone stays so")


def _states(config: Config) -> list[QueueState]:
    from gateway.store.client import TERMINAL
    from gateway.store.notices import NoticeQueue
    from gateway.store.opening import open_store

    async def ask() -> Mapping[str, QueueState]:
        async with open_store(config, "command", TERMINAL) as links:
            return await NoticeQueue(links.store, "").states([one.name for one in config.webhooks])

    found = asyncio.run(ask())
    return [found[one.name] for one in config.webhooks]


def _hint(reply: Reply) -> str | None:
    assert reply.trouble is not None
    if reply.status is not None and reply.trouble.name == "STATUS":
        server = "its own log says why" if reply.status >= 500 else None
        return _STATUS_HINTS.get(reply.status, server)
    return _HINTS.get(reply.trouble.name)


def _reply_json(webhook: Webhook, reply: Reply) -> dict[str, Any]:
    return {
        "name": webhook.name,
        "taken": reply.trouble is None,
        "status": reply.status,
        "seconds": round(reply.took, 3),
        "trouble": None if reply.trouble is None else str(reply),
        "hint": None if reply.trouble is None else _hint(reply),
    }


def _state_json(webhook: Webhook, state: QueueState) -> dict[str, Any]:
    from gateway.access.views import rfc3339

    return {
        "name": webhook.name,
        # Not the URL: many services put a token into it.
        "host": urlsplit(webhook.url).netloc,
        "events": sorted(map(str, webhook.events)),
        "servers": list(webhook.servers) or None,
        "include_guests": webhook.include_guests,
        "waiting": state.waiting,
        "oldest": rfc3339(state.oldest),
        "last_success": rfc3339(state.last_success),
        "last_failure": rfc3339(state.last_failure),
        "failing_since": rfc3339(state.failing_since),
        "what": state.what if state.failing_since is not None else "",
        "gone": _is_gone(webhook, state),
        "sent": state.sent,
        "failed": state.failed,
        "given_up": state.given_up,
        "dropped": state.dropped,
    }


def _is_gone(webhook: Webhook, state: QueueState) -> bool:
    from gateway.access.delivering import address_digest

    return state.gone == address_digest(webhook)
