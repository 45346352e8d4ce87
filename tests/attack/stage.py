"""A whole gateway in a thread of its own, with a recorder behind it, for tests that speak plain sockets.

Why a thread: one gateway serves a whole file of attacks, and hypothesis can drive it from plain functions.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.attack.heads import Head
from tests.attack.policy import POLICY, A, B
from tests.attack.recording import Recorder, outside
from tests.running import enter, running_gateway


@dataclass
class Stage:
    """`cookie` is the guest's session for item A, who came by `link`; `strange` another guest's for item B.

    `recorder` is the media server, `other` a server nobody may be led to.
    """

    port: int
    cookie: str
    strange: str
    link: str
    recorder: Recorder
    other: Recorder

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def text(self, head: Head) -> bytes:
        return head.text(host=self.host, cookie=self.cookie, strange=self.strange, other=f"127.0.0.1:{self.other.port}")

    def ask(self, head: Head) -> tuple[int, list[bytes]]:
        """The status of the answer (0: closed without one) and what the media server was asked."""
        answer = self.send(self.text(head))
        return status_of(answer), self.recorder.take()

    def send(self, data: bytes, *, seconds: float = 5.0) -> bytes:
        """The first whole answer, or what comes until the gateway closes."""
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection,
            suppress(ConnectionError),
        ):
            connection.sendall(data)
            while not whole(answer, data.startswith(b"HEAD ")) and (piece := connection.recv(65_536)):
                answer += piece
        return answer

    def outside(self, head: bytes) -> str | None:
        return outside(head, host=f"127.0.0.1:{self.recorder.port}", public=self.host)


def status_of(answer: bytes) -> int:
    """0 where there is none, -1 where it is no HTTP."""
    if answer.startswith(b"HTTP/1.1 100 "):
        return status_of(answer.partition(b"\r\n\r\n")[2])
    if not answer:
        return 0
    parts = answer.split(b" ", 2)
    return int(parts[1]) if answer.startswith(b"HTTP/") and len(parts) > 1 and parts[1].isdigit() else -1


def whole(answer: bytes, bodiless: bool) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if head.startswith(b"HTTP/1.1 100 "):
        return whole(body, bodiless)
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bodiless or b" 204 " in head[:16] or (length is not None and len(body) >= int(length[1]))


@contextmanager
def standing(folder: Path, policy: str = POLICY) -> Iterator[Stage]:
    ready: Future[Stage] = Future()
    done: Future[asyncio.Event] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        done.set_result(stop)
        recorder, other = Recorder(), Recorder()
        await recorder.start()
        await other.start()
        async with running_gateway(folder, policy, recorder.port) as running:
            link = await running.make_link(A)
            cookie, first = await enter(running.port, link)
            strange, second = await enter(running.port, await running.make_link(B))
            assert (first.status, second.status) == (303, 303)
            recorder.take()
            ready.set_result(Stage(running.port, cookie, strange, link, recorder, other))
            await stop.wait()
        recorder.stop()
        other.stop()

    loops: Future[asyncio.AbstractEventLoop] = Future()

    def thread() -> None:
        async def main() -> None:
            loops.set_result(asyncio.get_running_loop())
            await run()

        try:
            asyncio.run(main())
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    worker = threading.Thread(target=thread, name="gateway under attack")
    worker.start()
    try:
        yield ready.result(30)
    finally:
        loops.result(30).call_soon_threadsafe(done.result(30).set)
        worker.join(30)
