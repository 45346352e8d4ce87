"""Media servers from npm, as tests/policies/node/package-lock.json says, in a folder of the environment that runs the
tests; installed once for each state of the lock file, without any of their scripts."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.policies.live_servers import DOCS, listening, stopped
from tests.running import free_port
from tests.system_parts import missing, need

_OURS = Path(__file__).parent / "node"
USER, PASSWORD, SECRET, SIGNING = "gateway", "nms/pass+word-4Tb", "nms-secret-8Vd", "jwt-secret-2Hs-of-the-server"


def node_modules() -> Path:
    name = hashlib.sha256((_OURS / "package-lock.json").read_bytes()).hexdigest()[:16]
    home = Path(sys.prefix) / "node-servers"
    home.mkdir(exist_ok=True)
    done = home / name
    with (home / ".lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not done.is_dir():
            part = home / "part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(_OURS, part)
            made = subprocess.run(
                [str(need("npm")), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
                cwd=part, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110,
            )  # fmt: skip
            if made.returncode != 0:
                missing(f"tests/policies/node can't be installed ({made.stderr.strip()[-300:]})")
            for old in home.glob("[0-9a-f]*"):
                shutil.rmtree(old)
            part.rename(done)
    return done / "node_modules"


@dataclass(frozen=True)
class Nms:
    """Node-Media-Server."""

    port: int
    rtmp_port: int
    process: asyncio.subprocess.Process

    def rtmp(self, name: str) -> str:
        """Where a publisher sends to, with the signature that the server asks for."""
        until = 4_000_000_000
        path = f"/live/{name}"
        signed = hashlib.md5(f"{path}-{until}-{SECRET}".encode(), usedforsecurity=False).hexdigest()
        return f"rtmp://127.0.0.1:{self.rtmp_port}{path}?sign={until}-{signed}"


@asynccontextmanager
async def node_media_server(own: Path) -> AsyncIterator[Nms]:
    """With the config.json that its document gives to operators, and careless: with the pages for its admin."""
    program = node_modules() / "node-media-server" / "bin" / "app.js"
    port, rtmp_port = free_port(), free_port()
    (said,) = re.findall(r"^ *```json\n(.*?)^ *```", (DOCS / "node-media-server.md").read_text(), re.M | re.S)
    config = json.loads(said)
    config["auth"]["secret"] = SECRET
    config["auth"]["jwt"] |= {"secret": SIGNING, "users": [{**config["auth"]["jwt"]["users"][0], "password": PASSWORD}]}
    config |= {"rtmp": {"port": rtmp_port}, "http": {"port": port}, "webadmin": {"enable": True}}
    config |= {"store": {"path": "./data"}, "record": {"auto": False, "path": "./record"}}
    own.mkdir(parents=True)
    (own / "config.json").write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        "node", str(program), "-c", str(own / "config.json"), cwd=own,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await listening(port, process)
        await listening(rtmp_port, process)
        yield Nms(port, rtmp_port, process)
    finally:
        await stopped(process)
