"""Following the files: a change of config.yaml, or of anything it was read from, comes into force by itself.

Rule: one state of the files is in force, as a whole. A changed one is read, checked and compiled beside
the running gateway, and put in force only if nothing in it is wrong; else the one before stays, and who
looks is told: in the log every fault with its place, in `ready` that there is something, in `gateway
doctor` every fault again.

Why looking twice a second and not waiting for the system's word: it works on every file system, behind
links that are moved, and costs a `stat` for each file. A change counts when two looks have seen the
same, since editors write in pieces; SIGHUP does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gateway.errors import BadFile, GatewayError
from gateway.files import Files, Stamp, stamp
from gateway.loading import Loaded, load
from gateway.reload_status import StatusFile
from gateway.yaml_source import Fault

_log = logging.getLogger("gateway")

LOOK_SECONDS = 0.5

Stamps = dict[str, Stamp | None]


class Reloader:
    """`apply` puts a state of the files in force, or raises GatewayError and leaves all as it was; `tell`
    takes what `ready` is to say; `look` is called when somebody asks, for what is followed elsewhere (the
    certificate)."""

    def __init__(
        self,
        found: Loaded,
        *,
        apply: Callable[[Loaded], Awaitable[None]],
        tell: Callable[[tuple[str, ...]], None],
        status: StatusFile,
        asked: asyncio.Event | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.found = found
        self._apply = apply
        self._tell = tell
        self._status = status
        self._asked = asked or asyncio.Event()
        self._look = look
        self._seen: Stamps = found.files.stamps()  # of the files as they were last read
        self._refused: list[Fault] = []

    async def run(self) -> None:
        """Until cancelled."""
        before: Stamps | None = None
        while True:
            asked = await self._wait()
            try:
                stamps = await asyncio.to_thread(_stamps, tuple(self._seen))
                if asked:
                    self._look()
                if asked or (stamps != self._seen and stamps == before):
                    await self.reload(asked=asked)
                before = stamps
            except Exception:
                # A fault of ours must not leave the gateway deaf to its files.
                _log.exception("the files could not be followed")

    async def reload(self, *, asked: bool = False) -> None:
        """Read the files, and put them in force if they are good and say something else."""
        files = Files(before=self.found.files)
        path = self.found.config.file
        try:
            found = await asyncio.to_thread(load, path, before=self.found, files=files)
            news = found.files != self.found.files
            if news:
                await self._apply(found)
        except BadFile as error:
            self._refuse(error.faults)
        except GatewayError as error:
            self._refuse([Fault(str(path), 1, 1, f"could not be put in force: {error}")])
        except Exception as error:
            _log.exception("a change of the files could not be put in force")
            self._refuse([Fault(str(path), 1, 1, f"could not be put in force: {type(error).__name__}")])
        else:
            self.found = found
            if news:
                for warning in found.warnings:
                    _log.warning("%s", warning)
                _log.info("%s and what it names have been read again and are in force", path)
            elif self._refused:
                _log.info("%s and what it names are again what is in force", path)
            elif asked:
                _log.info("%s and what it names have not changed", path)
            self._refused = []
            self._tell(())
            self._status.write((), read=True)
        self._seen = {**self.found.files.stamps(), **files.stamps()}

    def _refuse(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            _log.error("%s", fault)
        _log.error("the change is not in force; the gateway goes on as before")
        self._refused = list(faults)
        self._tell((_short(self.found.config.file, self._refused),))
        self._status.write(self._refused)

    async def _wait(self) -> bool:
        """Whether somebody asks for a reload; else it is time to look."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._asked.wait()
        asked = self._asked.is_set()
        self._asked.clear()
        return asked


def _short(path: Path, faults: Sequence[Fault]) -> str:
    """For `ready`, which strangers may read: no names but config.yaml's own, and no words of the file."""
    own = any(fault.file == str(path) for fault in faults)
    count = f"{len(faults)} fault{'s' * (len(faults) != 1)}"
    where = path.name if own else "a file it names"
    return f"{path.name}: a change is not in force ({count} in {where}; the log and `gateway doctor` name them)"


def _stamps(names: Sequence[str]) -> Stamps:
    return {name: stamp(name) for name in names}
