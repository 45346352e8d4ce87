"""`serve`: one process, or several on one port.

The parent binds the sockets, owns the embedded store, follows the files and starts the workers; each
worker inherits the sockets, is told what the files hold (`worker_line`) and connects to the store. A
worker that dies is started again. On SIGTERM or SIGINT nothing new is taken, the workers let running
answers finish, and only then the store ends.

Why inherited sockets and not SO_REUSEPORT: with it a worker that ends drops the connections that wait
in its own queue. Why new processes and not forks: a fork takes the parent's event loop with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app import PATIENCE, Sockets, bind, open_gateway, serve_gateway, serve_metrics
from gateway.config import Config
from gateway.crew import Crew
from gateway.files import Files
from gateway.hangup import Hangup, ignore_hangup
from gateway.loading import Loaded, load
from gateway.metrics import Metrics
from gateway.ops import Ops
from gateway.reload import Reloader
from gateway.reload_status import StatusFile
from gateway.store.opening import open_store
from gateway.web.closing import GRACE_SECONDS
from gateway.worker_line import Line

ENVIRONMENT = "GATEWAY_WORKER"  # a worker's own instructions: JSON of file numbers, and its patience

Said = Callable[[str], None]


def run(found: Loaded, *, workers: int = 1, patience: float = PATIENCE, say: Said = lambda text: None) -> None:
    """Serve until told to stop. `say` is called once with a sentence when guests can come; `patience` is for
    answers that run when it is to stop."""
    sockets = bind(found.config)
    _many_files()
    _log_to_stderr()
    with contextlib.closing(sockets):
        if workers == 1:
            _loop(_alone(found, sockets, patience, say))
        else:
            _loop(_supervise(found, sockets, workers, patience, say))
    # The interpreter's own end puts the default back for signals that somebody handles.
    ignore_hangup()


def _many_files() -> None:
    """A guest is two open files, often more; systems start programs with a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _settle() -> None:
    """What is there once all is loaded stays: looking through it again and again (a tenth of a second, most of all
    while another policy is compiled) would hold up guests for nothing."""
    gc.collect()
    gc.freeze()


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _loop(main: Awaitable[None]) -> None:
    async def entry() -> None:
        await main

    try:
        import uvloop
    except ImportError:
        asyncio.run(entry())
    else:
        uvloop.run(entry())


async def _alone(found: Loaded, sockets: Sockets, patience: float, say: Said) -> None:
    stop = _stop_event()
    async with (
        open_gateway(found) as gateway,
        serve_gateway(gateway, sockets, patience=patience),
        serve_metrics(lambda: gateway.doors.ops, sockets),
    ):

        def tell(warnings: tuple[str, ...]) -> None:
            gateway.told = warnings

        async with _following(found, gateway.adapt, tell, gateway.reload):
            _settle()
            say(_ready_sentence(found.config, 1))
            await stop.wait()
        gateway.stop()
        sockets.turn_away()
        await asyncio.sleep(GRACE_SECONDS)


async def _supervise(found: Loaded, sockets: Sockets, workers: int, patience: float, say: Said) -> None:
    stop = _stop_event()
    metrics = found.config.data_dir / "metrics"
    async with open_store(found.config, role="serve"):
        # After the store: whoever holds its lock is the only one to use this folder.
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(mode=0o700, parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        handed = {**sockets.numbers(), "patience": patience}
        crew = Crew(found, [sys.executable, "-m", "gateway.workers"], ENVIRONMENT, handed, patience)
        total = Metrics()

        def ops() -> Ops:
            return Ops(total, list, crew.found.config.prefixes.own, lambda: crew.warnings)

        async with serve_metrics(ops, sockets), asyncio.TaskGroup() as group:
            places = [group.create_task(crew.keep_one(stop)) for _ in range(workers)]
            announce = group.create_task(_announce(crew, workers, found.config, say))
            async with _following(found, crew.adapt, crew.tell, crew.look):
                await stop.wait()
            announce.cancel()
            # One filter for all: the socket is the same in every process.
            sockets.turn_away()
            sockets.close_main()
            await asyncio.wait(places)


@asynccontextmanager
async def _following(
    found: Loaded,
    apply: Callable[[Loaded], Awaitable[None]],
    tell: Callable[[tuple[str, ...]], None],
    look: Callable[[], None],
) -> AsyncIterator[None]:
    """Inside, changes of the files come into force."""
    with contextlib.closing(StatusFile(found.config.data_dir, found.config.file)) as status:
        # Not before the store runs: a child inherits that a signal is ignored, not that somebody listens.
        reloader = Reloader(found, apply=apply, tell=tell, status=status, asked=Hangup().asked, look=look)
        running = asyncio.create_task(reloader.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])


async def _announce(crew: Crew, workers: int, config: Config, say: Said) -> None:
    for _ in range(workers):
        await crew.ready.acquire()
    say(_ready_sentence(config, workers))


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _ready_sentence(config: Config, workers: int) -> str:
    names = ", ".join(f"{server.name} at {server.public}" for server in config.servers)
    by = "" if workers == 1 else f" with {workers} workers"
    managing = "" if config.manage else "; managing is off (no manage: in the config)"
    return f"serving {names}, listening on {config.listen}{by}{managing}"


# --- a worker -----------------------------------------------------------------------------------


async def _worker(path: Path, sockets: Sockets, end: socket.socket, patience: float) -> None:
    stop = _stop_event()
    line = await Line.over(end)
    first = await line.receive()
    if first is None:
        return
    found = load(path, files=Files.of_text(first["files"]))
    async with (
        open_gateway(found, role="command") as gateway,
        serve_gateway(gateway, sockets, patience=patience),
    ):
        prepared: dict[int, Loaded] = {}

        async def follow() -> None:
            while (message := await line.receive()) is not None:
                if "prepare" in message:
                    number = message["prepare"]
                    files = Files.of_text(message["files"])
                    try:
                        prepared[number] = await asyncio.to_thread(load, path, before=gateway.doors.loaded, files=files)
                    except Exception as error:
                        await line.send({"failed": number, "why": str(error) or type(error).__name__})
                    else:
                        await line.send({"prepared": number})
                elif "look" in message:
                    gateway.reload()
                elif "commit" in message:
                    await gateway.adapt(prepared.pop(message["commit"]))
                    prepared.clear()
                    await line.send({"in_force": message["commit"]})
                else:
                    gateway.told = tuple(message["warnings"])
            stop.set()  # the parent is gone

        following = asyncio.create_task(follow())
        following.add_done_callback(lambda done: stop.set())
        _settle()
        await line.send({"in_force": first["prepare"]})
        await stop.wait()
        gateway.stop()
        await asyncio.sleep(GRACE_SECONDS)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await line.close()
    if not following.cancelled() and following.exception() is not None:
        raise following.exception() from None  # type: ignore[misc]  # it is not None


def worker() -> None:
    """`python -m gateway.workers CONFIG`, as the parent starts it."""
    ignore_hangup()  # that is the parent's to hear
    _end_with_parent()
    handed = json.loads(os.environ.pop(ENVIRONMENT))
    patience, end = handed.pop("patience"), socket.socket(fileno=handed.pop("line"))
    sockets = Sockets(**{name: socket.socket(fileno=number) for name, number in handed.items()})
    _log_to_stderr()
    _loop(_worker(Path(sys.argv[1]), sockets, end, patience))


def _end_with_parent() -> None:
    """So that a killed parent leaves no worker behind (Linux; elsewhere the store's end stops them)."""
    if sys.platform != "linux":
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(1)


if __name__ == "__main__":
    worker()
