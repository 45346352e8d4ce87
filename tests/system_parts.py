"""Programs of the system that some tests drive: found, or the test is skipped by name and reason.

    nginx = need("nginx")

On a build machine (CI=true) a missing part fails the test: there nothing may be skipped unseen.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# Name of the part -> what it may be called. Debian keeps servers in /usr/sbin, off most people's PATH.
PARTS = {
    "nginx": ("nginx",),
    "ffmpeg": ("ffmpeg",),
    "ffprobe": ("ffprobe",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "redis-server": ("redis-server", "valkey-server"),
    "shellcheck": ("shellcheck",),
    "npm": ("npm",),
}
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def find(part: str) -> Path | None:
    """Where the part is, None where it is not installed."""
    for name in PARTS[part]:
        if found := shutil.which(name, path=_PATH):
            return Path(found)
    return None


def need(part: str) -> Path:
    """Where the part is. Without it the running test ends here: skipped, or failed with CI=true."""
    found = find(part)
    if found is None:
        missing(f"{part} is not installed")
    return found


def missing(why: str) -> NoReturn:
    """End the running test because of something the machine lacks."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{why}, and with CI=true nothing may be missing", pytrace=False)
    pytest.skip(why)
