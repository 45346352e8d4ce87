"""`gateway serve`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.command import config_option, note


@click.command(short_help="Run the gateway.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes on one port.")
@config_option
def serve(workers: int, config_path: Path) -> None:
    """Run the gateway until Ctrl-C.

    \b
    Example:
      gateway serve --config config.yaml --workers 2
    """
    from gateway.cli.check import refuse_shared_hosts, tls_warnings
    from gateway.config_file import read_config

    config, source = read_config(config_path, need_servers=True)
    refuse_shared_hosts(config, source)
    for warning in (*config.warnings, *tls_warnings(config, source)):
        note(f"warning: {warning}")

    from gateway.workers import run  # after the checks: it brings the whole program with it

    run(config, workers=workers, say=note)
