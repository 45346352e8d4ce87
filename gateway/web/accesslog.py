"""One line per request.

Rule: no query, no token, no signature, no name or address of a guest stands in a line; every value is
written so that it can't begin a second line or a second field. A refusal always gets its line, with the
reference the guest was shown; other requests by the share that `log.access` says.

Why not `logging`: its formatter costs more than the rest of a media segment's request. Lines go to a
thread that writes them, through a queue with an end: a full disk or a stopped reader of our output
loses lines (which is counted), and never holds up a guest.
"""

from __future__ import annotations

import json
import queue
import random
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from aiohttp import web

from gateway.config import LogConfig, Prefixes
from gateway.links.ids import TOKEN_LENGTH
from gateway.metrics import Metrics
from gateway.web.manage_visit import ManageVisit
from gateway.web.visit import Visit

if TYPE_CHECKING:
    from gateway.reasons import Reason

_WAITING = 10_000  # lines that may wait for the disk
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")  # visible, without quote, equals sign and backslash
_TOKEN_LIKE = re.compile(rf"[0-9A-Za-z]{{{TOKEN_LENGTH},}}")
_HIDDEN = "***"
_MAX_PATH = 2_000

LEFT = "the guest left"
"""The detail of an answer nobody waited for: every seek of a player is one, so it is nothing special."""


class AccessLog:
    """`write` is for the loop's thread; `close` waits until the lines are out."""

    def __init__(
        self,
        config: LogConfig,
        prefixes: Prefixes,
        *,
        client: Callable[[web.BaseRequest], str],
        metrics: Metrics,
        out: TextIO | None = None,
        writer: LineWriter | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`client` tells a request's address; `metrics` counts outcomes and lost lines; `clock` in seconds.
        `writer`: that of a log before this one, so that lines keep their order."""
        self._share = config.access
        self._spell = _as_json if config.format == "json" else _as_text
        self._link = prefixes.link.lower() + "/"
        self._signed = prefixes.own.lower() + "/s/"
        self._client = client
        self._metrics = metrics
        self._clock = clock
        self._second, self._stamp = -1, ""
        self.writer = writer or LineWriter(out or sys.stderr)

    def write(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse | None,
        visit: Visit | ManageVisit | None,
        reason: Reason | None,
        ref: str,
        seconds: float,
        *,
        detail: str = "",
    ) -> None:
        """`reason` and `detail` for requests that never became a visit; `response` None: the guest left
        before one."""
        if visit is not None and visit.reason is not None:
            reason = visit.reason
        detail = visit.detail if visit is not None else detail
        self._metrics.request(reason)
        # A random number decides only which lines are kept.
        usual = reason is None and detail in ("", LEFT)
        if usual and self._share < 1 and random.random() >= self._share:  # noqa: S311
            return
        path = visit.target.path if visit is not None else request.raw_path.partition("?")[0]
        fields: dict[str, str | int | float] = {
            "time": self._now(),
            "client": self._client(request),
            "method": request.method,
            "path": self._shown(path, judged=visit is not None),
            "status": response.status if response is not None else 499,
            "bytes": request.writer.output_size or _length(response),
            "ms": round(seconds * 1000, 1),
        }
        if reason is not None:
            fields["reason"] = str(reason)
        if detail:
            fields["detail"] = detail
        fields["ref"] = ref
        if isinstance(visit, Visit):
            fields["server"] = visit.server.config.name
            if visit.at:
                fields["at"] = visit.at
            if visit.grant:
                fields["grant"] = visit.grant
        elif visit is not None and visit.who:
            fields["manager"] = visit.who
        if dropped := self.writer.put(self._spell(fields)):
            self._metrics.lost_lines(dropped)

    def close(self) -> None:
        self.writer.close()

    def _shown(self, path: str, *, judged: bool) -> str:
        if not judged:
            # Nobody knows which part is which: hide all that may be a token.
            return _TOKEN_LIKE.sub(_HIDDEN, path[:_MAX_PATH])
        lower = path.lower()
        for prefix in (self._link, self._signed):
            if lower.startswith(prefix):
                return path[: len(prefix)] + _HIDDEN
        return path[:_MAX_PATH]

    def _now(self) -> str:
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((now - second) * 1000):03d}Z"


def _length(response: web.StreamResponse | None) -> int:
    """Of an answer that is written after its line: pages and refusals."""
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, (bytes, bytearray)) else 0


def _as_json(fields: dict[str, str | int | float]) -> str:
    # Escapes control characters and all that is not ASCII, line separators and half characters included.
    return json.dumps(fields, separators=(",", ":"))


def _as_text(fields: dict[str, str | int | float]) -> str:
    return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def _value(value: str | int | float) -> str:
    if not isinstance(value, str) or _PLAIN.fullmatch(value):
        return str(value)
    return json.dumps(value)


class LineWriter:
    """A thread that writes lines; started with the first one."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failed = 0

    def put(self, line: str) -> int:
        """Take a line; how many have been dropped since it was last asked."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
            self._thread.start()
        dropped, self._failed = self._failed, 0
        if self._lines.qsize() >= _WAITING:
            return dropped + 1
        self._lines.put(line)
        return dropped

    def close(self) -> None:
        if self._thread is not None:
            self._lines.put(None)
            self._thread.join(timeout=2)
            self._thread = None

    def _run(self) -> None:
        while True:
            batch = [self._lines.get()]
            while len(batch) < 256 and not self._lines.empty():
                batch.append(self._lines.get())
            lines = [line for line in batch if line is not None]
            try:
                if lines:
                    self._out.write("\n".join(lines) + "\n")
                    self._out.flush()
            except (OSError, ValueError):
                self._failed += len(lines)
            if len(lines) < len(batch):
                return
