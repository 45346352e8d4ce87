"""Smuggling: byte sequences that nobody agrees on, sent to a gateway with each of three kinds of server behind it.

Judged by what the server believed it was asked, by what the guest was answered, and by the next request: on the
guest's own connection, and on the connection to the server that all guests share. Nobody may find the inner request.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.attack.backends import Backend, Leaning, Lenient, lenient, read_one, readings, real_nginx, strict
from tests.attack.framing import PIPELINED, SEQUENCES, Two, filled, good
from tests.attack.policy import POLICY, A
from tests.attack.tally import report
from tests.running import Running, enter, raw, running_gateway
from tests.system_parts import needs_nginx

_SILENCE = 0.2  # seconds after which a sequence counts as one that waits for more; a late answer is judged all the same
_ECHO = re.compile(rf"(GET|HEAD|POST) /hls/{A}/(\w+)-(\d+)\.ts".encode())


@asynccontextmanager
async def standing(folder: Path, kind: str) -> AsyncIterator[tuple[Running, Backend, str]]:
    async with AsyncExitStack() as stack:
        backend: Backend = await stack.enter_async_context(
            real_nginx(folder / "nginx") if kind == "nginx" else strict() if kind == "strict" else lenient()
        )
        running = await stack.enter_async_context(running_gateway(folder, POLICY, backend.port))
        cookie, answer = await enter(running.port, await running.make_link(A))
        assert answer.status == 303
        backend.take()
        yield running, backend, cookie


async def exchange(port: int, data: bytes) -> bytes:
    """What comes back until the gateway closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    answer = b""
    try:
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65_536), _SILENCE):
            answer += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


@pytest.mark.parametrize("kind", ["strict", "lenient", pytest.param("nginx", marks=needs_nginx)])
async def test_nobody_finds_the_request_inside(tmp_path: Path, kind: str) -> None:
    faults: list[str] = []
    numbered = list(enumerate(sequence for group in SEQUENCES.values() for sequence in group))
    both = {n for n, sequence in numbered if isinstance(sequence, Two)}
    few = asyncio.Semaphore(8)
    async with standing(tmp_path, kind) as (running, backend, cookie):
        host = f"127.0.0.1:{running.port}"

        async def one(n: int, sequence: bytes | Two) -> None:
            data = filled(sequence.data if isinstance(sequence, Two) else sequence, n, host=host, cookie=cookie)
            async with few:
                answer = await exchange(running.port, data + good("after", n, host=host, cookie=cookie))
                probe = await raw(running.port, good("probe", n, host=host, cookie=cookie))
            told = [(name.decode(), int(number)) for _, name, number in _ECHO.findall(answer)]
            statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] ([2-5]\d\d) ", answer)]
            if not set(told) <= {("outer", n), ("after", n)} | ({("inner", n)} if n in both else set()):
                faults.append(f"answered {told}: {short(data)}")
            if 400 in statuses[:-1]:
                faults.append(f"the connection went on after a 400, {statuses}: {short(data)}")
            if any(status >= 500 and status != 502 for status in statuses) or len(statuses) > 2 + (n in both):
                faults.append(f"answered {statuses}: {short(data)}")
            if not probe.startswith(b"HTTP/1.1 200 ") or not probe.endswith(f"GET /hls/{A}/probe-{n}.ts".encode()):
                faults.append(f"the next guest was answered {probe[:300]!r}: {short(data)}")

        await asyncio.gather(*(one(n, sequence) for n, sequence in numbered))
        believed = backend.take()
    faults += [f"believed {request}" for request in believed if not expected(request, both)]
    numbers = [request for request in believed if request[1] not in (f"/api/play/{A}", f"/ws/{A}")]
    faults += [f"asked twice {request}" for request, times in Counter(numbers).items() if times > 1]
    assert {n for method, target, _ in believed if (n := number_of(target, "probe")) is not None} == {
        n for n, _ in numbered
    }
    assert {number_of(target, "inner") for _, target, _ in believed} - {None} == both, "who may pipeline is served"
    if isinstance(backend, Lenient):
        for stream in backend.streams:
            found = list(readings(bytes(stream)))
            if any(reading != found[0] for reading in found):
                faults.append(f"read in more than one way: {stream!r}")
            faults += [f"believed {request}" for request in found[0] if not expected(request, both)]
    assert faults == [], f"{len(faults)} faults:\n" + "\n".join(fault[:900] for fault in faults[:30])


def short(data: bytes) -> str:
    """A sequence as it can be read in a report: without the cookie, and not all of a long one."""
    return str(re.sub(rb"gateway=[\w-]{20,}", b"...", data)[:400])[1:]


def expected(request: tuple[str, str, bytes], both: set[int]) -> bool:
    method, target, body = request
    if body:
        return False
    if target in (f"/media/{A}", f"/ws/{A}"):
        return method == "GET"
    if target == f"/api/play/{A}":
        return method == "POST"
    inner = number_of(target, "inner")
    return method == "GET" and (
        inner in both if inner is not None else number_of(target, "(?:outer|after|probe)") is not None
    )


def number_of(target: str, name: str) -> int | None:
    found = re.fullmatch(rf"/hls/{A}/{name}-(\d+)\.ts", target)
    return int(found[1]) if found else None


async def test_two_good_requests_are_two(tmp_path: Path) -> None:
    """The stage is fair: who may pipeline is served, and the inner request would have been."""
    async with standing(tmp_path, "lenient") as (running, backend, cookie):
        host = f"127.0.0.1:{running.port}"
        for n, data in enumerate(PIPELINED):
            sent = filled(data, n, host=host, cookie=cookie) + good("after", n, host=host, cookie=cookie)
            answer = await exchange(running.port, sent)
            assert answer.count(b"HTTP/1.1 200 ") == 3, answer
            assert [number_of(target, "inner") for _, target, _ in backend.take()].count(n) == 1


def test_there_are_enough_of_them() -> None:
    every = [sequence for group in SEQUENCES.values() for sequence in group]
    assert len(every) >= 100
    assert len(set(every)) == len(every), "none counts twice"
    assert (
        f"{len(every)} malformed and smuggling sequences"
        in (Path(__file__).parents[2] / "docs/security.md").read_text()
    )
    report("malformed and smuggling sequences", {name: len(group) for name, group in SEQUENCES.items()})


@pytest.mark.parametrize(
    ("data", "requests"),
    [
        (b"GET /a HTTP/1.1\nX : 1\n\nGET /b HTTP/1.1\r\n\r\n", 2),
        (b"POST /a HTTP/1.1\r\nContent_Length: 2\r\n\r\nabGET /b HTTP/1.1\r\n\r\n", 2),
        (b"POST /a HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 2),
        (b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 2),
        (b"POST /a HTTP/1.1\r\nContent-Length: +2\r\n\r\nab", 1),
    ],
)
def test_the_lenient_server_is_lenient(data: bytes, requests: int) -> None:
    found = 0
    while (one := read_one(data, Leaning())) is not None:
        found, data = found + 1, one[1]
    assert found == requests


def test_leanings_differ_where_servers_do() -> None:
    smuggled = (
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
    )
    assert {tuple(target for _, target, _ in found) for found in readings(smuggled)} == {("/a", "/b")}
    hidden = smuggled.replace(b"Length: 5", b"Length: 24")
    assert {tuple(target for _, target, _ in found) for found in readings(hidden)} == {("/a", "/b"), ("/a",)}
    bodied = b"GET /a HTTP/1.1\r\nContent-Length: 19\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
    assert {len(found) for found in readings(bodied)} == {1, 2}
