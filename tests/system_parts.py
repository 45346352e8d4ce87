"""Programs of the system that some tests drive: found, or the test is skipped by name and reason.

    program = need("nginx")         in a test or fixture
    pytestmark = needs_nginx        for a whole file

On a build machine (CI=true) a missing part fails the test: there nothing may be skipped unseen.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# Name of the part -> what it may be called, or where it may lie. Debian keeps servers in /usr/sbin, off most people's
# PATH.
PARTS = {
    "nginx": ("nginx",),
    "nginx rtmp module": ("/usr/lib/nginx/modules/ngx_rtmp_module.so", "/usr/lib64/nginx/modules/ngx_rtmp_module.so"),
    "icecast2": ("icecast2", "icecast"),
    "prosody": ("prosody",),
    "caddy": ("caddy",),
    "lighttpd": ("lighttpd",),
    "ffmpeg": ("ffmpeg",),
    "ffprobe": ("ffprobe",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "redis-server": ("redis-server", "valkey-server"),
    "minidlnad": ("minidlnad",),
    "shellcheck": ("shellcheck",),
    "npm": ("npm",),
    "unshare": ("unshare",),
    "systemd-analyze": ("systemd-analyze",),
    "docker compose": ("docker-compose",),
}
# For everything that tests start, not for the look-up alone.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

ON_BUILD_MACHINE = os.environ.get("CI", "").lower() in ("true", "1")


def find(part: str) -> Path | None:
    """Where the part is, None where it is not installed."""
    for name in PARTS[part]:
        if name.startswith("/"):
            if Path(name).is_file():
                return Path(name)
        elif found := shutil.which(name):
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
    if ON_BUILD_MACHINE:
        pytest.fail(f"{why}, and with CI=true nothing may be missing", pytrace=False)
    pytest.skip(why)


def _mark(part: str) -> pytest.MarkDecorator:
    """On a build machine the tests run whatever is there, and fail by not finding it."""
    return pytest.mark.skipif(find(part) is None and not ON_BUILD_MACHINE, reason=f"{part} is not installed")


needs_nginx = _mark("nginx")
needs_chromium = _mark("chromium")
needs_redis = _mark("redis-server")
