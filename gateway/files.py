"""The files a configuration is made of: each read once, and seen the same way by everybody afterwards.

Rule: whoever reads a file for config.yaml or a policy does it with `content`, `mode`, `is_file` and `entries`. Inside
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

MOST = 1_000_001  # bytes; one more than anybody takes, so that too large a file is seen to be one
MOST_NAMES = 200  # of one folder
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
        return self._look(os.path.join(os.getcwd(), path), _look)

    def look_in(self, path: Path, within: Path) -> Found:
        """A folder; what is found is a list of names, see `entries`."""
        root = os.path.join(os.getcwd(), within)
        return self._look(os.path.join(os.getcwd(), path, ""), lambda name: _look_in(name, root))

    def _look(self, name: str, look: Callable[[str], Found]) -> Found:
        known = self.found.get(name)
        if known is None:
            earlier = self._before.get(name)
            if self._sealed:
                known = Found(error=errno.ENOENT)
            elif earlier is not None and earlier.error == 0 and _unlike_files(earlier.mode):
                known = earlier
            else:
                known = look(name)
            self.found[name] = known
        return known

    def stamps(self) -> dict[str, Stamp | None]:
        """Of those that can be watched: a pipe has no next version."""
        return {name: found.stamp for name, found in self.found.items() if found.error or not _unlike_files(found.mode)}

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


def _unlike_files(mode: int) -> bool:
    """What can be read only once: a pipe, as a shell makes them for `<(…)`."""
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _look_in(name: str, root: str) -> Found:
    try:
        before = os.stat(name)
        inside = os.path.join(os.path.realpath(root), "")
        found = []
        with os.scandir(name) as seen:
            for entry in islice(seen, MOST_NAMES + 1):
                real = os.path.realpath(entry.path)
                sort = "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
                found.append([entry.name, sort if real.startswith(inside) else "outside"])
    except OSError as error:
        return Found(error=error.errno or errno.EIO, stamp=stamp(name))
    # A name that comes or goes from here on changes the folder's time, and it is looked at again.
    return Found(json.dumps(sorted(found)).encode(), before.st_mode, 0, _stamp(before))


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


def entries(path: Path, within: Path) -> dict[str, str]:
    """What is in a folder, by name: `file`, `folder`, `other` (a pipe, a link to nothing), or `outside` for a link
    that leads out of `within`. At most one more than `MOST_NAMES`. Raises OSError."""
    known = (_reading.get() or Files()).look_in(path, within)
    if known.error:
        raise OSError(known.error, os.strerror(known.error), str(path))
    return dict(json.loads(known.content))


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
