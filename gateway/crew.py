"""The parent's workers: started, started again when they die, and kept in step.

Rule: another state of the files is in force either with all workers or with none. All prepare it first;
one that can't keeps all of them with what they have. Who has prepared and then does not follow, or was
not there, is started again and begins with what is in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence

from gateway.errors import GatewayError
from gateway.hangup import hangup_held
from gateway.loading import Loaded
from gateway.worker_line import Answers, Line, Message

_log = logging.getLogger("gateway")

RESTART_SECONDS = 1.0
PREPARE_SECONDS = 30.0
COMMIT_SECONDS = 10.0
OVERTIME_SECONDS = 15.0  # beyond a worker's own patience with running answers


class _Worker:
    """One running worker, as the parent sees it."""

    def __init__(self, process: subprocess.Popen[bytes], line: Line) -> None:
        self.process = process
        self.line = line
        self.answers = Answers()

    async def ended(self) -> int:
        """Hear what it says until it is gone; its exit code. Its end of the line closes with it."""
        while not self.answers.gone:
            self.answers.take(await self.line.receive())
        try:
            return await asyncio.to_thread(self.process.wait, OVERTIME_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)


class Crew:
    """`command` starts a worker with config.yaml's path behind it; its environment `name` holds `handed` as JSON,
    with the number of its end of the line. `ready` counts workers that have begun to serve."""

    def __init__(
        self, found: Loaded, command: Sequence[str], name: str, handed: Mapping[str, float], patience: float
    ) -> None:
        self.found = found
        self.warnings: tuple[str, ...] = ()
        self.ready = asyncio.Semaphore(0)
        self._command = command
        self._name = name
        self._handed = handed
        self._patience = patience
        self._number = 1  # of what is in force
        self._last = 1  # of what was tried last
        self._workers: set[_Worker] = set()

    async def adapt(self, found: Loaded) -> None:
        """Put another state of the files in force with all workers. Raises GatewayError and leaves them as
        they were when one of them can't."""
        self._last += 1
        number, prepare = self._last, self._prepare(self._last, found)
        asked = list(self._workers)
        await asyncio.gather(*(worker.line.send(prepare) for worker in asked))
        done = await asyncio.gather(*(_until(worker, "prepared", number, PREPARE_SECONDS) for worker in asked))
        for worker, good in zip(asked, done, strict=True):
            if not good and not worker.answers.gone:
                raise GatewayError(f"worker {worker.process.pid} can't: {worker.answers.why or 'no answer'}")
        # From here on it is in force; a worker that is started now begins with it.
        self.found, self._number = found, number
        everyone = list(self._workers)
        for worker in everyone:
            if worker not in asked:
                await worker.line.send(prepare)
        await asyncio.gather(*(worker.line.send({"commit": number}) for worker in everyone))
        done = await asyncio.gather(*(_until(worker, "in_force", number, COMMIT_SECONDS) for worker in everyone))
        for worker, good in zip(everyone, done, strict=True):
            if not good and not worker.answers.gone:
                _log.error("worker %d does not follow and is started again", worker.process.pid)
                worker.process.kill()

    def tell(self, warnings: tuple[str, ...]) -> None:
        """What `ready` is to say with every worker."""
        if warnings != self.warnings:
            self.warnings = warnings
            for worker in self._workers:
                worker.line.post({"warnings": warnings})

    def look(self) -> None:
        """Every worker is to look at the certificate now."""
        for worker in self._workers:
            worker.line.post({"look": True})

    async def keep_one(self, stop: asyncio.Event) -> None:
        """One place for a worker: start it, start it again when it dies, end it with the parent."""
        while not stop.is_set():
            worker = await self._start()
            counting = asyncio.create_task(self._count(worker))
            ended = asyncio.create_task(worker.ended())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not ended.done():
                worker.process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(asyncio.shield(ended), self._patience + OVERTIME_SECONDS)
                except TimeoutError:
                    worker.process.kill()
            code = await ended
            self._workers.discard(worker)
            counting.cancel()
            await worker.line.close()
            if not stop.is_set():
                _log.error("worker %d ended with %d and is started again", worker.process.pid, code)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RESTART_SECONDS)

    async def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        handed = {**self._handed, "line": theirs.fileno()}
        with theirs, hangup_held():
            # Not the loop's own way: uvloop's puts every signal's default back in the child.
            process = subprocess.Popen(  # noqa: S603, ASYNC220  # our own interpreter; takes a millisecond
                [*self._command, str(self.found.config.file)],
                env={**os.environ, self._name: json.dumps(handed)},
                pass_fds=[int(number) for name, number in handed.items() if name != "patience"],
                stdin=subprocess.DEVNULL,
            )
        worker = _Worker(process, await Line.over(ours))
        # In one step: whoever commits from now on finds it here.
        self._workers.add(worker)
        worker.line.post(self._prepare(self._number, self.found))
        worker.line.post({"warnings": self.warnings})
        return worker

    async def _count(self, worker: _Worker) -> None:
        if await worker.answers.until("in_force", 1):
            self.ready.release()

    @staticmethod
    def _prepare(number: int, found: Loaded) -> Message:
        return {"prepare": number, "files": found.files.text()}


async def _until(worker: _Worker, name: str, number: int, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await worker.answers.until(name, number)
    except TimeoutError:
        return False
