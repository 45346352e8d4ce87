"""`gateway init`: a config.yaml with one server and one manager."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.command import Refused, bad_usage, config_option, note, program, shown_path
from gateway.cli.output import show_pairs
from gateway.cli.secrets import new_token

if TYPE_CHECKING:
    from gateway.config import Origin

# The sample that lies in a checkout is nobody's work as long as nobody has touched it (a test compares).
SAMPLE_SHA256 = "9a01cc03633f0b9f070c0ac1e75a9ca7d5676a59cebff4757db9cdfc038f8b72"

_TEMPLATE = """\
# Written by `gateway init`. `gateway check` names every mistake by line; all keys are in docs/config.md.
listen: {listen}
public_url: {public}
manage: {{listen: {manage}, url: http://{manage}}}
data_dir: data
store: embedded

servers:
  - name: {name}
    upstream: {upstream}
    policy: {policy}

managers:
  - name: {manager}
    password: "{password}"
    token: "{token}"
    may: [{may}]
"""


@click.command(short_help="Write a config.yaml for your server.")
@click.option("--upstream", required=True, metavar="URL", help="Your media server: scheme, host and port.")
@click.option("--policy", required=True, metavar="NAME", help="A shipped policy, or the path of your own.")
@click.option("--public-url", required=True, metavar="URL", help="What guests see: scheme, host and port.")
@click.option("--name", default="media", show_default=True, help="What the server is called here.")
@click.option("--manager", default=None, help="The manager's name (default: yours).")
@config_option
def init(upstream: str, policy: str, public_url: str, name: str, manager: str | None, config_path: Path) -> None:
    """Write a config.yaml with one server and one manager, and print the manager's password and token.

    They are shown this once; the file keeps only their hashes. An existing file is never overwritten, except
    for the untouched sample that comes with the source.

    \b
    Example:
      gateway init --upstream http://127.0.0.1:8096 --policy hls --public-url https://guest.example.org
    """
    from gateway import config_entries, config_texts
    from gateway.access.passwords import hash_password
    from gateway.config_file import load_config

    public = _read("--public-url", config_texts.origin, public_url)
    server = _read("--upstream", config_entries.read_upstream, upstream)
    _read("--name", config_entries.read_server_name, name)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", policy):
        # Written relative to the file, given relative to here.
        policy = os.path.join(".", os.path.relpath(policy, config_path.absolute().parent))
    _read("--policy", lambda value: config_entries.read_policy(value, config_path.absolute().parent), policy)
    who = _read("--manager", config_entries.read_manager_name, manager or _own_name())
    listen = _listen(public)
    password = secrets.token_urlsafe(12)
    token, kept = new_token()
    text = _TEMPLATE.format(
        listen=json.dumps(listen),
        public=public,
        manage="127.0.0.1:8082" if listen.endswith(":8081") else "127.0.0.1:8081",
        name=json.dumps(name),
        upstream=server,
        policy=json.dumps(policy, ensure_ascii=False),
        manager=json.dumps(who, ensure_ascii=False),
        password=hash_password(password),
        token=kept,
        may=json.dumps(f"{name}:*"),
    )
    _write(config_path, text)
    config = load_config(config_path)
    note(f"wrote {shown_path(config_path)}; the password and the token are shown this once")
    show_pairs([("manager", who), ("password", password), ("token", token)])
    for warning in config.warnings:
        note(f"warning: {warning}")
    where = "" if str(config_path) == "config.yaml" else f" --config {shown_path(config_path)}"
    note(f"next: {program()} serve{where}, then {program()} link create{where} --item ID --name NAME")
    if config.manage is not None:
        note(f"or in a browser on this machine: {config.manage.url}{config.prefixes.own}/manage")


def _read(option: str, parse: Callable[[Any], Any], value: str) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        bad_usage(f"{option}: {error}")


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "owner"


def _listen(public: Origin) -> str:
    """Behind a front proxy on this machine for https; for plain http where the guests come in."""
    from gateway.config_texts import is_loopback

    if public.secure:
        return "127.0.0.1:8080"
    if is_loopback(public.host):
        host = public.host if public.host.startswith(("[", "127.")) else "127.0.0.1"
        return f"{host}:{public.port}"
    return f"0.0.0.0:{public.port}"


def _write(path: Path, text: str) -> None:
    """Mode 0600; never over somebody's work."""
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != SAMPLE_SHA256:
        raise Refused(f"{path} exists and is not overwritten; name another file with --config, or remove it")
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
        if path.exists():
            fresh.replace(path)
        else:
            # A link refuses where somebody was faster; a rename would not.
            os.link(fresh, path)
    except FileExistsError:
        raise Refused(f"{path} exists and is not overwritten") from None
    except OSError as error:
        raise Refused(f"{path} can't be written: {error.strerror or error}") from None
    finally:
        fresh.unlink(missing_ok=True)
