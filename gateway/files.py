"""The files a configuration is made of: each read once, and seen the same way by everybody afterwards.

Rule: whoever reads a file for config.yaml or a policy does it with `content`, `mode` and `is_file`. Inside
`reading` they look into one `Files`, which remembers what it found. So what was checked is what runs,
however fast the files change; all workers see the same bytes, also one that is started again when the
files have gone bad; and it is known which files to watch, those that are missing included.

Why a context variable: the files are named deep inside the readers of single values, which take a text
and give a value; outside `reading` (commands, tests) they simply read the disk.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

MOST = 1_000_001  # bytes; one more than anybody takes, so that too large a file is seen to be one
_TRIES = 5

Stamp = tuple[int, ...]  # what changes when somebody writes, replaces or chmods a file


@dataclass(frozen=True, slots=True)
class Found:
    """One file as it was; `error` is the errno of one that could not be read."""

    content: bytes = field(default=b"", repr=False)
    mode: int = 0
    error: int = 0
    stamp: Stamp | None = field(default=None, compare=False)


class Files:
    """What was found. `before`: an earlier reading, for what can be read only once (a pipe). `sealed`: the
    disk is not looked at any more."""

    def __init__(
        self, found: Mapping[str, Found] | None = None, *, before: Files | None = None, sealed: bool = False
    ) -> None:
        self.found = dict(found or {})
        self._before = before.found if before else {}
        self._sealed = sealed

    def look(self, path: Path) -> Found:
        name = os.path.join(os.getcwd(), path)
        known = self.found.get(name)
        if known is None:
            earlier = self._before.get(name)
            if self._sealed:
                known = Found(error=errno.ENOENT)
            elif earlier is not None and earlier.error == 0 and not stat.S_ISREG(earlier.mode):
                known = earlier
            else:
                known = _look(name)
            self.found[name] = known
        return known

    def stamps(self) -> dict[str, Stamp | None]:
        """Of those that can be watched: a pipe has no next version."""
        return {name: found.stamp for name, found in self.found.items() if found.error != 0 or stat.S_ISREG(found.mode)}

    def text(self) -> str:
        """For another process; `of_text` reads it."""
        return json.dumps(
            {name: [base64.b64encode(one.content).decode(), one.mode, one.error] for name, one in self.found.items()}
        )

    @classmethod
    def of_text(cls, text: str) -> Files:
        written = json.loads(text).items()
        return cls(
            {name: Found(base64.b64decode(content), mode, error) for name, (content, mode, error) in written},
            sealed=True,
        )

    def __eq__(self, other: object) -> bool:
        """Whether both found the same contents and modes."""
        return isinstance(other, Files) and self.found == other.found

    __hash__ = None  # type: ignore[assignment]  # it grows


def _look(name: str) -> Found:
    for _ in range(_TRIES):
        try:
            with open(name, "rb") as opened:
                before = os.fstat(opened.fileno())
                content = opened.read(MOST)
                after = os.fstat(opened.fileno())
        except OSError as error:
            return Found(error=error.errno or errno.EIO, stamp=stamp(name))
        if _stamp(before) == _stamp(after):
            break
    return Found(content, before.st_mode, 0, _stamp(before))


def stamp(name: str) -> Stamp | None:
    """Of the file as it is now; None where there is none."""
    try:
        return _stamp(os.stat(name))
    except OSError:
        return None


def _stamp(of: os.stat_result) -> Stamp:
    return (of.st_dev, of.st_ino, of.st_mode, of.st_size, of.st_mtime_ns, of.st_ctime_ns)


# --- for readers --------------------------------------------------------------------------------

_reading: ContextVar[Files | None] = ContextVar("_reading", default=None)


@contextmanager
def reading(files: Files) -> Iterator[Files]:
    """Inside, every file is looked up in `files`."""
    token = _reading.set(files)
    try:
        yield files
    finally:
        _reading.reset(token)


def content(path: Path) -> bytes:
    """At most `MOST` bytes of a file. Raises OSError."""
    return _good(path).content


def mode(path: Path) -> int:
    """Its permission bits. Raises OSError."""
    return stat.S_IMODE(_good(path).mode)


def is_file(path: Path) -> bool:
    """Whether there is one (a pipe is one too), readable or not."""
    return _found(path).error not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


def _good(path: Path) -> Found:
    found = _found(path)
    if found.error:
        raise OSError(found.error, os.strerror(found.error), str(path))
    return found


def _found(path: Path) -> Found:
    return (_reading.get() or Files()).look(path)
