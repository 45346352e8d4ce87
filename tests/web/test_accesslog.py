"""Lines that hold what is needed, nothing secret, and never more than one line."""

from __future__ import annotations

import io
import json
import shlex
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.config import LogConfig, Prefixes
from gateway.metrics import Metrics
from gateway.policy.target import Target, parse_target
from gateway.reasons import Reason
from gateway.web.accesslog import AccessLog
from gateway.web.visit import Visit

TOKEN = "AbCdEfGhIjKlMnOpQrSt01"


class Lines:
    """An access log that writes to memory; `lines` ends it."""

    def __init__(self, config: LogConfig | None = None, out: Any = None) -> None:
        self.out = out or io.StringIO()
        self.metrics = Metrics()
        self.log = AccessLog(
            config or LogConfig(),
            Prefixes(),
            client=lambda request: request.client,
            metrics=self.metrics,
            out=self.out,
            clock=lambda: 1_700_000_000.25,
        )

    def write(
        self, raw: str = "/v/x.ts?q=secret", *, status: int = 200, reason: Reason | None = None, **visit: str
    ) -> None:
        request: Any = SimpleNamespace(
            method="GET", raw_path=raw, client="192.0.2.1", writer=SimpleNamespace(output_size=1234)
        )
        target = parse_target(raw)
        server: Any = SimpleNamespace(config=SimpleNamespace(name="tv"))
        made = Visit(request, target, server, "ABCD2345", **visit) if isinstance(target, Target) else None  # type: ignore[arg-type]
        response: Any = SimpleNamespace(status=status)
        self.log.write(request, response, made, reason, "ABCD2345", 0.0123)

    @property
    def lines(self) -> list[str]:
        self.log.close()
        return self.out.getvalue().splitlines()  # type: ignore[no-any-return]


def test_a_line_of_text() -> None:
    log = Lines()
    log.write(grant="g1")
    assert log.lines == [
        "time=2023-11-14T22:13:20.250Z client=192.0.2.1 method=GET path=/v/x.ts status=200 bytes=1234 ms=12.3"
        " ref=ABCD2345 server=tv grant=g1"
    ]


def test_a_line_of_json() -> None:
    log = Lines(LogConfig(format="json"))
    log.write(reason=Reason.NO_RULE, status=403, detail="why")
    (line,) = log.lines
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/v/x.ts",
        "status": 403,
        "bytes": 1234,
        "ms": 12.3,
        "reason": "no_rule",
        "detail": "why",
        "ref": "ABCD2345",
        "server": "tv",
    }


@pytest.mark.parametrize(
    "raw",
    [
        f"/g/{TOKEN}",
        f"/G/{TOKEN}/",
        f"/%67/{TOKEN}",
        f"/_gateway/s/{TOKEN}/seg.ts",
        f"//g/{TOKEN}",
        f"/g/{TOKEN};x",
        f"http://host/g/{TOKEN}?x",
        f"/v/x?t={TOKEN}",
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_token_and_no_query_stands_in_a_line(raw: str, form: str) -> None:
    log = Lines(LogConfig(format=form))
    log.write(raw)
    (line,) = log.lines
    assert TOKEN not in line


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "evil", ["/a b\nstatus=200", "/a\r\nx", '/a" status=200', "/\x1b[31m", "/\u2028x", "/\udcff", "/a=b\\"]
)
def test_no_value_begins_another_line_or_field(evil: str, form: str) -> None:
    log = Lines(LogConfig(format=form))
    log.write(evil, detail=evil)
    (line,) = log.lines
    assert line.isascii()
    assert line.isprintable()
    if form == "text":
        names = [field.partition("=")[0] for field in shlex.split(line)]
        assert names[:7] == ["time", "client", "method", "path", "status", "bytes", "ms"]
        assert len(names) == len(set(names))


def test_refusals_are_always_written_the_rest_by_its_share() -> None:
    log = Lines(LogConfig(access=0))
    log.write()
    log.write(reason=Reason.NO_RULE)
    log.write(detail="the server broke off")
    log.write(detail="the guest left")
    assert len(log.lines) == 2
    counted = log.metrics.text().decode()
    assert 'gateway_requests_total{outcome="served"} 3.0' in counted
    assert 'gateway_requests_total{outcome="no_rule"} 1.0' in counted


def test_the_end_of_the_guest_before_an_answer_has_a_line() -> None:
    log = Lines()
    request: Any = SimpleNamespace(method="GET", raw_path="/x", client="", writer=SimpleNamespace(output_size=0))
    log.log.write(request, None, None, None, "ABCD2345", 1)
    (line,) = log.lines
    assert "status=499" in line
    assert 'client=""' in line


def test_a_full_disk_loses_lines_and_nothing_else() -> None:
    class Full(io.StringIO):
        tried = threading.Event()

        def write(self, text: str) -> int:
            self.tried.set()
            raise OSError(28, "No space left on device")

    log = Lines(out=Full())
    log.write()
    assert Full.tried.wait(2)
    log.log.close()
    log.write()
    log.log.close()
    assert "gateway_lost_log_lines_total 1.0" in log.metrics.text().decode()


def test_a_reader_that_stopped_never_holds_up_a_request() -> None:
    go = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            go.wait(10)
            return super().write(text)

    log = Lines(out=Stuck())
    for _ in range(11_000):
        log.write()
    lost = [
        line for line in log.metrics.text().decode().splitlines() if line.startswith("gateway_lost_log_lines_total")
    ]
    assert float(lost[0].rpartition(" ")[2]) > 0
    go.set()
    log.log.close()
