"""What a stream request costs, beside nginx proxying the same files in the same run.

Printed, not judged: CPU per request (small files), CPU per GB (large ones), and the ratio to nginx. CPU
time is read from /proc for the process alone, so other load on the machine disturbs it little.

    ./gw bench
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nginx import folder, nginx
from tests.running import enter, free_port

SECONDS = 4
CONNECTIONS = 16
POLICY = """
server: Bench
item: {id: "[a-z0-9]+"}
patterns: {file: "[a-z0-9]+[.]ts"}
kinds: {video: {player: {src: "/hls/{id}/small.ts", as: hls}, allow: ["GET /hls/{id}/{file}"]}}
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, the load generator, is not installed"),
    pytest.mark.timeout(300),
]


@dataclass(frozen=True)
class Figure:
    requests: int
    bytes: int
    cpu: float


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(port: int, path: str, pid: int, cookie: str) -> Figure:
    before = cpu_seconds(pid)
    wrk = await asyncio.create_subprocess_exec(
        "wrk", f"-c{CONNECTIONS}", "-t1", f"-d{SECONDS}s", "-H", f"Cookie: {cookie}",
        f"http://127.0.0.1:{port}{path}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await wrk.communicate()
    text = out.decode()
    assert "Non-2xx" not in text, text
    found = re.search(r"(\d+) requests in [\d.]+s, ([\d.]+)(KB|MB|GB) read", text)
    assert found, text
    scale = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[found[3]]
    return Figure(int(found[1]), int(float(found[2]) * scale), cpu_seconds(pid) - before)


@asynccontextmanager
async def serving(own: Path, upstream: int) -> AsyncIterator[tuple[int, int, str]]:
    """`gateway serve` as operators run it: port, process id, and a guest's cookie."""
    port = free_port()
    own.mkdir()
    (own / "policy.yaml").write_text(POLICY)
    (own / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\nlog: {{access: off}}\n"
        f"servers: [{{name: tv, upstream: 'http://127.0.0.1:{upstream}', policy: ./policy.yaml}}]\n"
    )
    arguments = (sys.executable, "-m", "gateway", "{}", "--config", str(own / "config.yaml"))
    process = await asyncio.create_subprocess_exec(*[a.format("serve") for a in arguments])
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        make = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "link", "create", "--config", str(own / "config.yaml"),
            "--server", "tv", "--item", "abc", "--name", "bench", "--json",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await make.communicate()
        link = re.search(r'"url": "([^"]+)"', out.decode())
        assert link
        cookie, answer = await enter(port, link[1])
        assert answer.status == 303
        yield port, process.pid, cookie
    finally:
        process.terminate()
        await process.wait()


async def test_what_a_stream_request_costs(tmp_path: Path) -> None:
    files = tmp_path / "files" / "abc"
    files.mkdir(parents=True)
    (files / "small.ts").write_bytes(os.urandom(1_000))
    (files / "large.ts").write_bytes(os.urandom(8 << 20))
    async with nginx(tmp_path / "origin", folder(tmp_path / "files", "/hls")) as upstream:
        peer_block = (
            "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; "
            "proxy_buffering on; }"
        )
        peer_http = f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 32; }}"
        async with (
            nginx(tmp_path / "peer", peer_block, http=peer_http) as peer,
            serving(tmp_path / "gateway", upstream) as (port, pid, cookie),
        ):
            worker = int((tmp_path / "peer" / "nginx.pid").read_text())
            children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
            small = await load(port, "/hls/abc/small.ts", pid, cookie)
            small_peer = await load(peer, "/hls/abc/small.ts", int(children[0]), cookie)
            large = await load(port, "/hls/abc/large.ts", pid, cookie)
            large_peer = await load(peer, "/hls/abc/large.ts", int(children[0]), cookie)
    per_request = small.cpu / small.requests * 1e6
    per_request_peer = small_peer.cpu / small_peer.requests * 1e6
    per_gb, per_gb_peer = (figure.cpu / figure.bytes * 1e9 for figure in (large, large_peer))
    print(
        f"\n1 kB files:  gateway {per_request:.0f} µs CPU a request ({small.requests / SECONDS:.0f}/s), "
        f"nginx {per_request_peer:.0f} µs, ratio {per_request / per_request_peer:.1f}"
        f"\n8 MB files:  gateway {per_gb:.2f} s CPU a GB, nginx {per_gb_peer:.2f} s, ratio {per_gb / per_gb_peer:.1f}"
    )
    assert small.requests > 0
    assert large.bytes > 0
