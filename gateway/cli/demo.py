"""`gateway demo`: a working guest link in one command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.command import Refused, flush, json_option, note, program, unused_config_option
from gateway.cli.output import show_json

if TYPE_CHECKING:
    from gateway.access.issue import LinkDesk

_PATIENCE = 1.0  # seconds for running answers after Ctrl-C: here nobody is in the middle of a film


@click.command(short_help="A working guest link in one command.")
@click.option("--port", type=click.IntRange(0, 65_535), default=None, help="Where guests come in (default: 8080).")
@unused_config_option
@json_option
def demo(port: int | None, as_json: bool) -> None:
    """A working guest link in one command: a small media server with a real clip, the gateway in front of it.

    Runs until Ctrl-C, then nothing is left. Ports that are in use are passed over.

    \b
    Example:
      gateway demo
    """
    asyncio.run(_run(port, as_json))


async def _run(port: int | None, as_json: bool) -> None:
    from gateway.demo.guest import DemoFailed
    from gateway.demo.run import PORT, run_demo

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    note("starting a media server, the embedded store and the gateway …")
    try:
        async with run_demo(_opened, port=PORT if port is None else port) as running:
            for remark in running.remarks:
                note(remark)
            if as_json:
                show_json(running.facts())
            else:
                click.echo(running.text(program()))
            flush()
            await stop.wait()
            note("ending it all")
    except DemoFailed as error:
        raise Refused(f"the demo does not work here: {error}") from error


@asynccontextmanager
async def _opened(config_path: Path) -> AsyncIterator[LinkDesk]:
    from gateway.app import bind, open_gateway, serve_gateway
    from gateway.config_file import load_config

    config = load_config(config_path, need_servers=True)
    with closing(bind(config)) as sockets:
        async with open_gateway(config) as gateway, serve_gateway(gateway, sockets, patience=_PATIENCE):
            yield gateway.desk
