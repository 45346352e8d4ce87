"""The command line: `gateway.cli:main`.

Every command has `--config` and an example in its `--help`. Exit 0: ok; 1: refused, denied or not
reachable; 2: wrong usage or a bad file; 130: Ctrl-C. stdout holds the result alone.

Why imports inside the commands: `--help` and `secret` should not wait for aiohttp and the store.
"""

from __future__ import annotations

import click

from gateway import __version__
from gateway.cli.access import access
from gateway.cli.audit import audit
from gateway.cli.backup import backup, restore
from gateway.cli.check import check
from gateway.cli.command import Root
from gateway.cli.demo import demo
from gateway.cli.doctor import doctor
from gateway.cli.explain import explain
from gateway.cli.guests import guests
from gateway.cli.init import init
from gateway.cli.link import link
from gateway.cli.policy import policy
from gateway.cli.secrets import password, secret, token
from gateway.cli.serve import serve
from gateway.cli.webhook import webhook

__all__ = ["main"]

main = Root(
    name="gateway",
    help="""Guest links for the media server you already run: one item, one link, nothing else.

    \b
    Examples:
    gateway demo                     a working guest link in one command
    gateway init --help              a config.yaml for your own server
    """,
    commands=[
        demo,
        serve,
        init,
        check,
        explain,
        policy,
        access,
        link,
        guests,
        audit,
        webhook,
        secret,
        password,
        token,
        doctor,
        backup,
        restore,
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, message="gateway %(version)s")(main)
