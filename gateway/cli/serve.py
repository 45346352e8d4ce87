"""`gateway serve`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.command import config_option, note


@click.command(short_help="Run the gateway.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes on one port.")
@click.option(
    "--patience",
    type=click.FloatRange(0, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long running answers may go on when it is to stop.",
)
@config_option
def serve(workers: int, patience: float, config_path: Path) -> None:
    """Run the gateway until Ctrl-C or SIGTERM. Changes of config.yaml, its policies and the files they name
    come into force by themselves, or at once with SIGHUP; a bad file leaves all as it was.

    \b
    Example:
      gateway serve --config config.yaml --workers 2
    """
    from gateway.hangup import ignore_hangup

    ignore_hangup()  # until somebody listens; what is read next is the newest anyway
    from gateway.loading import load

    found = load(config_path)
    for warning in found.warnings:
        note(f"warning: {warning}")

    from gateway.workers import run  # after the checks: it brings the whole program with it

    run(found, workers=workers, patience=patience, say=note)
