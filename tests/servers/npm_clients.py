"""The servers' own client packages, from npm as tests/servers/clients/package-lock.json says.

clients         session fixture: the node_modules folder; skipped by name where npm is missing
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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
