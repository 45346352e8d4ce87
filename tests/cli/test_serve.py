"""`gateway serve` as an operator runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ask, free_port


@pytest.mark.parametrize("workers", [1, 2])
async def test_it_says_when_guests_can_come_and_ends_on_ctrl_c(deployment: Path, workers: int) -> None:
    port = free_port()
    config = deployment / "config.yaml"
    config.write_text(config.read_text().replace("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{port}"))
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=deployment,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert f"listening on 127.0.0.1:{port}" in line
        assert "managing is off" in line
        assert (await ask(port, "GET /_gateway/health/live")).status == 200
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, ""), err
    assert "Traceback" not in err


def test_a_port_in_use_is_a_sentence(run, deployment: Path) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config = deployment / "config.yaml"
        port = other.getsockname()[1]
        config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        found = run("serve")
    assert (found.exit_code, found.stdout) == (1, "")
    assert str(port) in found.stderr
    assert "Traceback" not in found.stderr
