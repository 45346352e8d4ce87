"""The servers' own client packages, from npm as tests/servers/clients/package-lock.json says.

clients         session fixture: the node_modules folder; skipped by name where npm is missing
run_client      drives a fake by such a package, in Node: clients/*.mjs
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from asyncio.subprocess import PIPE
from json import loads
from pathlib import Path
from typing import Any

import pytest

from tests.system_parts import need

_CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm, folder = need("npm"), tmp_path_factory.mktemp("clients")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_CLIENTS / name, folder)
    subprocess.run(
        [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, timeout=110
    )
    return folder / "node_modules"


async def run_client(clients: Path, script: str, *arguments: str) -> Any:
    """Run one of the scripts beside the lock file with Node; what its last line says, as JSON."""
    where = shutil.copy(_CLIENTS / script, clients.parent)
    process = await asyncio.create_subprocess_exec("node", where, *arguments, stdout=PIPE, stderr=PIPE)
    try:
        out, failed = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, failed.decode()
    return loads(out.decode().splitlines()[-1])
