"""What a running gateway leaves for `gateway doctor`: `data_dir/serving`, who serves and what is in force.

Rule: the file speaks only while its writer holds the lock on it, so that one left behind by a killed
gateway says nothing. It holds names of files and what is wrong in them, never a value of a secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.yaml_source import Fault

NAME = "serving"
_MOST = 100_000  # bytes; a file full of faults need not be told whole
_log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True)
class Serving:
    """`pid` serves what it read at `read_at` (seconds since 1970); `refused`: what is wrong with the files as
    they are now."""

    pid: int
    config: str
    read_at: float
    refused: tuple[str, ...]


class StatusFile:
    """Written by the process that follows the files. A disk that can't be written to keeps nobody from serving."""

    def __init__(self, data_dir: Path, config: Path) -> None:
        self._config = str(config.absolute())
        self._handle: int | None = None
        self._read_at = time.time()
        self._path = data_dir / NAME
        with self._forgiven():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            self._lock(self._handle)
        self.write(())

    @staticmethod
    def _lock(handle: int) -> None:
        """Somebody who reads holds it for a moment."""
        for left in reversed(range(20)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not left:
                    raise
                time.sleep(0.01)

    def write(self, refused: Sequence[Fault], *, read: bool = False) -> None:
        """`read`: the files have been put in force just now."""
        if read:
            self._read_at = time.time()
        told: list[str] = []
        for fault in map(str, refused):
            if sum(map(len, told)) + len(fault) > _MOST:
                told.append("… and more")
                break
            told.append(fault)
        serving = {"pid": os.getpid(), "config": self._config, "read_at": self._read_at, "refused": told}
        data = json.dumps(serving).encode()
        with self._forgiven():
            if self._handle is not None:
                os.pwrite(self._handle, data, 0)
                os.ftruncate(self._handle, len(data))

    def close(self) -> None:
        if self._handle is not None:
            with self._forgiven():
                self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    @contextlib.contextmanager
    def _forgiven(self) -> Any:
        try:
            yield
        except OSError as error:
            _log.warning("%s can't be written, so `gateway doctor` will not know: %s", self._path, error)


def read_status(data_dir: Path) -> Serving | None:
    """Of the gateway that serves with this data_dir now; None when none does, or none can be asked."""
    try:
        handle = os.open(data_dir / NAME, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None  # nobody holds it: it was left behind
        except BlockingIOError:
            pass
        for _ in range(20):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(os.pread(handle, 2 * _MOST, 0))
                refused = tuple(str(one) for one in said["refused"])
                return Serving(int(said["pid"]), str(said["config"]), float(said["read_at"]), refused)
            time.sleep(0.01)  # it is being written
    except OSError:
        return None
    finally:
        os.close(handle)
    return None
