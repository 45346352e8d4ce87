"""`gateway secret`, `gateway password`, `gateway token create`: what config.yaml needs."""

from __future__ import annotations

import sys

import click

from gateway.cli.command import Refused, note, unused_config_option

MIN_PASSWORD = 8
_MAX_PASSWORD = 1_024


def new_secret() -> str:
    """256 random bits as text, for a file that `secrets:` names."""
    import secrets

    return secrets.token_urlsafe(32)


def new_token() -> tuple[str, str]:
    """A manager's token, shown once, and what config.yaml keeps of it."""
    import hashlib
    import secrets

    # The beginning lets secret scanners recognise one that was published by mistake.
    token = f"gwt_{secrets.token_urlsafe(32)}"
    return token, f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


@click.command(short_help="Make a secret for config.yaml.")
@unused_config_option
def secret() -> None:
    """Print a new random secret, for a file that `secrets:` in config.yaml names.

    \b
    Example:
      (umask 077; gateway secret > gateway.key)     then secrets: [file:gateway.key]
    """
    click.echo(new_secret())


@click.command(short_help="Make the hash of a password.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from standard input instead of asking.")
@unused_config_option
def password(from_stdin: bool) -> None:
    """Print the hash of a manager's password, for `password:` in config.yaml.

    \b
    Example:
      gateway password
    """
    if from_stdin:
        chosen = sys.stdin.readline().rstrip("\r\n")
    else:
        chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if not MIN_PASSWORD <= len(chosen) <= _MAX_PASSWORD:
        raise Refused(f"a password has {MIN_PASSWORD} to {_MAX_PASSWORD} characters")
    from gateway.access.passwords import hash_password

    click.echo(hash_password(chosen))


@click.group()
def token() -> None:
    """Tokens with which programs manage guest access.

    \b
    Example:
      gateway token create
    """


@token.command("create", short_help="Make a token for a manager.")
@unused_config_option
def token_create() -> None:
    """Print a new token, once, and the line for `token:` of its manager in config.yaml.

    \b
    Example:
      gateway token create
    """
    made, kept = new_token()
    note("The token, shown this once, and the line for its manager in config.yaml:")
    click.echo(made)
    click.echo(f'token: "{kept}"')
