"""`serve`: one process, or several on one port.

The parent binds the sockets, owns the embedded store and starts the workers; each worker inherits the
sockets, reads config.yaml itself and connects to the store. A worker that dies is started again. On
SIGTERM or SIGINT the workers stop listening, let running answers finish, and only then the store ends.

Why inherited sockets and not SO_REUSEPORT: with it a worker that ends drops the connections that wait
in its own queue. Why new processes and not forks: a fork takes the parent's event loop with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app import Sockets, bind, open_gateway, serve_gateway, serve_metrics
from gateway.config import Config
from gateway.config_file import load_config
from gateway.store.opening import open_store

_log = logging.getLogger("gateway")

ENVIRONMENT = "GATEWAY_WORKER"  # a worker's own instructions: JSON of file numbers
RESTART_SECONDS = 1.0
STOP_SECONDS = 45.0  # more than a worker's own patience with running answers

Said = Callable[[str], None]


def run(config: Config, *, workers: int = 1, say: Said = lambda text: None) -> None:
    """Serve until told to stop. `say` is called once with a sentence when guests can come."""
    sockets = bind(config)
    _many_files()
    with contextlib.closing(sockets):
        if workers == 1:
            _loop(_alone(config, sockets, say))
        else:
            _loop(_supervise(config, sockets, workers, say))


def _many_files() -> None:
    """A guest is two open files, often more; systems start programs with a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop(main: Awaitable[None]) -> None:
    async def entry() -> None:
        await main

    try:
        import uvloop
    except ImportError:
        asyncio.run(entry())
    else:
        uvloop.run(entry())


async def _alone(config: Config, sockets: Sockets, say: Said) -> None:
    stop = _stop_event()
    async with open_gateway(config) as gateway, serve_gateway(gateway, sockets), serve_metrics(gateway, sockets):
        say(_ready_sentence(config, 1))
        _on_hangup(gateway.reload)
        await stop.wait()
        gateway.stopping = True


async def _supervise(config: Config, sockets: Sockets, workers: int, say: Said) -> None:
    stop = _stop_event()
    processes: set[asyncio.subprocess.Process] = set()
    _on_hangup(lambda: _pass_on(signal.SIGHUP, processes))
    metrics = config.data_dir / "metrics"
    async with open_store(config, role="serve"):
        # After the store: whoever holds its lock is the only one to use this folder.
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(mode=0o700)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        ready = asyncio.Semaphore(0)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(serve_metrics(None, sockets))
            async with asyncio.TaskGroup() as group:
                crew = [group.create_task(_keep_one(config, sockets, stop, ready, processes)) for _ in range(workers)]
                announce = group.create_task(_announce(ready, workers, config, say))
                await stop.wait()
                announce.cancel()
                await asyncio.wait(crew)


async def _announce(ready: asyncio.Semaphore, workers: int, config: Config, say: Said) -> None:
    for _ in range(workers):
        await ready.acquire()
    say(_ready_sentence(config, workers))


async def _keep_one(
    config: Config,
    sockets: Sockets,
    stop: asyncio.Event,
    ready: asyncio.Semaphore,
    processes: set[asyncio.subprocess.Process],
) -> None:
    """One place for a worker: start it, start it again when it dies, end it with the parent. It stands in
    `processes` while it serves."""
    while not stop.is_set():
        ours, theirs = os.pipe()
        handed = {**sockets.numbers(), "ready": theirs}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.workers",
            str(config.file),
            env={**os.environ, ENVIRONMENT: json.dumps(handed)},
            pass_fds=tuple(handed.values()),
            stdin=asyncio.subprocess.DEVNULL,
        )
        os.close(theirs)
        told = asyncio.create_task(_told_ready(ours, ready))
        told.add_done_callback(lambda done, mine=process: processes.add(mine) if mine.returncode is None else None)  # type: ignore[misc]
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(ended), STOP_SECONDS)
            except TimeoutError:
                process.kill()
        code = await ended
        told.cancel()
        processes.discard(process)
        if not stop.is_set():
            _log.error("worker %d ended with %d and is started again", process.pid, code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RESTART_SECONDS)


async def _told_ready(pipe: int, ready: asyncio.Semaphore) -> None:
    """A worker writes one byte when it serves."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(pipe, arrived.set)
    try:
        await arrived.wait()
        if os.read(pipe, 1):
            ready.release()
    finally:
        loop.remove_reader(pipe)
        os.close(pipe)


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _pass_on(number: int, processes: set[asyncio.subprocess.Process]) -> None:
    for process in processes:
        process.send_signal(number)


def _on_hangup(call: Callable[[], object]) -> None:
    """SIGHUP: look at the files now. Its default would end the process."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, call)


def _ready_sentence(config: Config, workers: int) -> str:
    names = ", ".join(f"{server.name} at {server.public}" for server in config.servers)
    by = "" if workers == 1 else f" with {workers} workers"
    managing = "" if config.manage else "; managing is off (no manage: in the config)"
    return f"serving {names}, listening on {config.listen}{by}{managing}"


# --- a worker -----------------------------------------------------------------------------------


async def _worker(config: Config, sockets: Sockets, ready: int) -> None:
    stop = _stop_event()
    async with open_gateway(config, role="command") as gateway, serve_gateway(gateway, sockets):
        _on_hangup(gateway.reload)
        os.write(ready, b".")
        os.close(ready)
        await stop.wait()
        gateway.stopping = True


def worker() -> None:
    """`python -m gateway.workers CONFIG`, as the parent starts it."""
    _end_with_parent()
    handed: dict[str, int] = json.loads(os.environ.pop(ENVIRONMENT))
    ready = handed.pop("ready")
    sockets = Sockets(**{name: socket.socket(fileno=number) for name, number in handed.items()})
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    config = load_config(Path(sys.argv[1]), need_servers=True)
    _loop(_worker(config, sockets, ready))


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
