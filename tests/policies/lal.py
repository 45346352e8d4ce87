"""A lal for tests: the real one, which Go builds from its module, and the stand-in of tests/servers/fake_lal.py.

Both read the same configuration, which is that of docs/servers/lal.md made careless, and tests of bytes run against
both. The module and what it needs are pinned by tests/policies/go/go.sum; what Go has once compiled it keeps, so that
a machine builds it once. Without Go, or where the module can't be had, the stand-in stands alone.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.policies.live_servers import DOCS, publishing, until
from tests.policies.media_servers import packages, running
from tests.running import ask, free_port

SERVERS = Path(__file__).parents[1] / "servers"
MODULE = Path(__file__).parent / "go"
KEY = "lal-key-6Rm-of-the-house"


def programs() -> list[str]:
    """What there is to run: `fake`, and `lal` where Go can build it."""
    return ["fake", "lal"] if shutil.which("go") else ["fake"]


def lalserver() -> Path:
    """The program, built once for each state of the lock file."""
    name = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    home = Path(sys.prefix) / "go-servers"
    home.mkdir(exist_ok=True)
    done = home / f"lalserver-{name}"
    with (home / ".lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not done.is_file():
            made = subprocess.run(
                ["go", "build", "-trimpath", "-o", home / "part", "github.com/q191201771/lal/app/lalserver"],
                cwd=MODULE, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
                env={**os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"},
            )  # fmt: skip
            if made.returncode != 0:
                # Nothing goes untested for it: the stand-in answers the same.
                pytest.skip(f"lal can't be built here ({made.stderr.strip()[-300:]})")
            (home / "part").rename(done)
    return done


def secret_of(name: str) -> str:
    """What lal asks of whoever publishes a stream, or plays it."""
    return hashlib.md5(f"{KEY}{name}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Lal:
    """A running one, by its ports."""

    program: str
    folder: Path
    http: int
    api: int
    rtmp: int

    async def told(self, name: str) -> Any:
        return json.loads((await ask(self.api, f"GET /api/stat/group?stream_name={name}")).body)

    @asynccontextmanager
    async def publishing(self, *names: str) -> AsyncIterator[None]:
        """Somebody sends these streams until left."""

        async def there() -> bool:
            told = [await self.told(name) for name in names]
            hls = [
                (await ask(self.http, f"GET /hls/{name}.m3u8?session_id=0&lal_secret={secret_of(name)}")).status
                for name in names
            ]
            return all(one["data"] and one["data"]["pub"]["session_id"] for one in told) and set(hls) == {200}

        if self.program == "fake":
            for name in names:
                (self.folder / "published" / name).touch()
            yield
            for name in names:
                (self.folder / "published" / name).unlink()
            return
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()
            for name in names:
                tasks.create_task(self._send(name, over))
            await until(there)
            yield
            over.set()

    async def _send(self, name: str, over: asyncio.Event) -> None:
        async with publishing(f"rtmp://127.0.0.1:{self.rtmp}/live/{name}?lal_secret={secret_of(name)}"):
            await over.wait()


@contextmanager
def lal(own: Path, program: str, *, strict: bool = False) -> Iterator[Lal]:
    """As docs/servers/lal.md says, with segments of a second; and careless: FLV and MPEG-TS below every path, the page
    on. `strict`: it asks players for their stream's secret, and counts those who watch HLS by a session."""
    (own / "published").mkdir(parents=True)
    server = Lal(program, own, free_port(), free_port(), free_port())
    (said,) = re.findall(r"^ *```json\n(.*?)^ *```", (DOCS / "lal.md").read_text(), re.M | re.S)
    config = json.loads(said)
    config["rtmp"]["addr"] = f"127.0.0.1:{server.rtmp}"
    config["default_http"]["http_listen_addr"] = f"127.0.0.1:{server.http}"
    config["http_api"]["addr"] = f"127.0.0.1:{server.api}"
    config["httpflv"]["url_pattern"] = "/"
    config["httpts"] = {"enable": True, "url_pattern": "/"}
    config["hls"] |= {"fragment_duration_ms": 1000, "sub_session_hash_key": "a key of its own" if strict else ""}
    config["simple_auth"] |= {"key": KEY, "sub_httpflv_enable": strict, "hls_m3u8_enable": strict}
    (own / "lalserver.json").write_text(json.dumps(config))
    command: list[Any] = [sys.executable, "-s", SERVERS / "fake_lal.py", own / "lalserver.json"]
    environment = {"PYTHONPATH": f"{packages()}:{SERVERS.parents[1]}"}
    if program != "fake":
        command, environment = [lalserver(), "-c", own / "lalserver.json"], {}
    with running(own, command, server.api, environment):
        yield server
