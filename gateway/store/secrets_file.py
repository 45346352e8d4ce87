"""The secret that a gateway makes for itself on its first start, where config.yaml names none.

Rule: no default key and none that can be guessed; a secret that others can read is refused rather than
used. It lies beside the embedded store but not in it, so that a copy of the store alone opens nothing.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
from pathlib import Path

from gateway.errors import BadSecret
from gateway.links.keys import MIN_SECRET

NAME = "secret"


def own_secret(data_dir: Path) -> bytes:
    """Read `data_dir/secret`, making it (mode 0600) when there is none. Raises BadSecret."""
    path = data_dir / NAME
    try:
        if not path.exists():
            _make(path, base64.b64encode(secrets.token_bytes(32)))
        with path.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read(65_536).strip()
    except OSError as error:
        raise BadSecret(f"{path} can't be made or read: {error.strerror or error}") from error
    if mode & 0o007:
        raise BadSecret(f"{path} can be read by everybody (mode {mode:04o}): chmod 600 {path}")
    if len(content) < MIN_SECRET:
        raise BadSecret(
            f"{path} holds {len(content)} bytes, at least {MIN_SECRET} are needed; restore it from a backup"
        )
    return content


def has_secret(data_dir: Path) -> bool:
    return (data_dir / NAME).exists()


def install_secret(data_dir: Path, secret: bytes) -> None:
    """Make the secret of a backup this deployment's own. Raises BadSecret where there is another."""
    try:
        _make(data_dir / NAME, secret)
    except OSError as error:
        raise BadSecret(f"{data_dir / NAME} can't be made: {error.strerror or error}") from error
    if own_secret(data_dir) != secret:
        raise BadSecret(f"{data_dir} has a secret of its own by now")


def remove_secret(data_dir: Path) -> None:
    """Take back what was just installed."""
    (data_dir / NAME).unlink(missing_ok=True)


def _make(path: Path, secret: bytes) -> None:
    """Whole or not at all, also when two processes start at once: the first one's secret stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{NAME}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(secret + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
