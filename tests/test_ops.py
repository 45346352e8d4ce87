"""Health and numbers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from gateway.metrics import Metrics
from gateway.ops import Ops
from gateway.reasons import Reason
from gateway.web.edge import EdgeServer
from tests.wire import Reply, WireClient


async def ask(ops: Ops, *lines: str) -> list[Reply]:
    edge = EdgeServer(ops.admin)
    listening = await asyncio.get_running_loop().create_server(edge, "127.0.0.1", 0)
    try:
        async with WireClient(listening.sockets[0].getsockname()[1]) as client:
            return [await client.get(line) for line in lines]
    finally:
        listening.close()
        await edge.shutdown(0.1)


async def test_health_and_numbers() -> None:
    metrics = Metrics()
    metrics.request(None)
    metrics.request(Reason.STORE_DOWN)
    live, ready, numbers, other, posted = await ask(
        Ops(metrics, list),
        "GET /_gateway/health/live",
        "GET /_gateway/health/ready",
        "GET /_gateway/metrics",
        "GET /_gateway/",
        "POST /_gateway/metrics",
    )
    assert (live.status, live.body) == (200, b"ok\n")
    assert (ready.status, json.loads(ready.body)) == (200, {"ready": True, "problems": [], "warnings": []})
    assert b'gateway_requests_total{outcome="served"} 1.0' in numbers.body
    assert b"gateway_store_failures_total 1.0" in numbers.body
    assert numbers.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert (other.status, posted.status) == (404, 405)


async def test_not_ready_says_what_is_wrong() -> None:
    (ready,) = await ask(Ops(Metrics(), lambda: ["the store does not answer"]), "GET /_gateway/health/ready")
    assert (ready.status, json.loads(ready.body)["problems"]) == (503, ["the store does not answer"])
    assert ready.header("Retry-After") == "5"


def test_numbers_of_several_processes_are_added_up(tmp_path: Path) -> None:
    count = "from gateway.metrics import Metrics; m = Metrics(); m.request(None); m.sent(5)"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True)
    asked = subprocess.run(
        [sys.executable, "-c", "from gateway.metrics import Metrics; print(Metrics().text().decode())"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert 'gateway_requests_total{outcome="served"} 2.0' in asked.stdout
    assert "gateway_guest_bytes_total 10.0" in asked.stdout
