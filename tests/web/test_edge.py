"""The edge against raw sockets: what is late, too large or too much, and what an answer says about us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.web.crowd import Crowd
from gateway.web.edge import Deadlines, EdgeServer, c_parser_loaded, vouch

LARGE = 8 << 20  # more than all buffers between two ends hold


@asynccontextmanager
async def served(server: EdgeServer) -> AsyncIterator[int]:
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def hello(request: web.BaseRequest) -> web.StreamResponse:
    if request.path == "/broken":
        raise RuntimeError("a secret detail")
    if request.path == "/read":
        await request.content.read()
    return web.Response(text="hello", headers={"Server": "x"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with served(EdgeServer(hello, deadlines=Deadlines(head=0.4, body=0.4))) as port:
        yield port


async def test_a_silent_or_trickling_head_is_cut(port: int) -> None:
    async def hold(trickle: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in trickle:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.1)
            assert await reader.read() == b""
        writer.close()
        return time.monotonic() - began

    took = await asyncio.gather(hold(b""), hold(b"GET / HT"), hold(b"GET / HTTP/1.1\r\nHost: a"))
    assert max(took) < 3


async def test_a_second_head_that_trickles_is_cut_too(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(0.6)  # idle between requests is fine
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"hello")
    writer.write(b"GE")
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_refused_heads_and_broken_handlers_say_nothing(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await asyncio.wait_for(reader.read(), 3)
    assert answer.split(b" ")[1] == (b"500" if b"broken" in head else b"400")
    assert b"aiohttp" not in answer
    assert b"Python" not in answer
    assert b"secret" not in answer
    assert len(answer.partition(b"\r\n\r\n")[2]) < 40
    writer.close()


HUGE = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 20_000 + b"\r\n\r\n"


@pytest.mark.parametrize("piece", [500, 4_000, 1 << 20])
@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n"])
async def test_cookies_that_do_not_fit_are_forgotten(port: int, piece: int, before: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if before:
        writer.write(before)
        await reader.readuntil(b"hello")
    for at in range(0, len(HUGE), piece):
        writer.write(HUGE[at : at + piece])
        await asyncio.sleep(0.005)
    answer = await asyncio.wait_for(reader.read(), 3)
    writer.close()
    assert answer.split(b" ")[1] == b"431"
    assert b'\r\nClear-Site-Data: "cookies"\r\n' in answer


@pytest.mark.parametrize(
    "head",
    [
        HUGE.replace(b"GET / ", b"GET /" + b"a" * 9_000 + b" "),
        HUGE.replace(b"Cookie", b"Cookie: a=b\r\nReferer"),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n" + HUGE,
    ],
)
async def test_nobody_loses_cookies_for_another_fault(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await asyncio.wait_for(reader.read(), 3)
    writer.close()
    assert answer.split(b" ")[1] == b"400"
    assert b"Clear-Site-Data" not in answer
    # Such an answer may stand in the entry page's place, with windows around it that know the browser's history.
    assert b"\r\nCross-Origin-Opener-Policy: same-origin\r\n" in answer
    assert b"\r\nReferrer-Policy: no-referrer\r\n" in answer


def test_the_c_parser_is_there() -> None:
    assert c_parser_loaded()


async def test_the_one_that_waits_longest_gives_way_and_workers_do_not() -> None:
    """Three strangers at most: silent ones are closed for new ones, a request at work is not."""
    release = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/slow":
            await release.wait()
        return web.Response(text="hello")

    server = EdgeServer(slow, crowd=Crowd(connections=10, per_address=3))
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(opened[0][0].read(), 2) == b""  # the oldest silent one
    for _, other in (*opened[1:], (reader, writer)):
        other.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.1)
    late, late_writer = await asyncio.open_connection("127.0.0.1", port)
    answer = await asyncio.wait_for(late.read(), 2)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in answer
    release.set()
    assert b"hello" in await asyncio.wait_for(reader.readuntil(b"hello"), 2)
    for _, one in (*opened, (reader, writer), (late, late_writer)):
        one.close()
    await runner.cleanup()
    assert len(server.crowd) == 0


async def test_connections_with_a_session_do_not_count() -> None:
    class One:
        waiting = False

        def give_way(self) -> None:
            raise AssertionError

    crowd = Crowd(connections=5, per_address=2)
    guests = [One() for _ in range(5)]
    for guest in guests[:4]:
        assert crowd.enter(guest, "10.0.0.1")
        crowd.vouch(guest)
    assert crowd.enter(guests[4], "10.0.0.1")
    assert not crowd.enter(One(), "10.0.0.2")  # the total
    crowd.leave(guests[0])
    assert crowd.enter(One(), "10.0.0.1")


async def test_a_body_that_trickles_is_cut(port: int) -> None:
    async def hold(head: bytes, piece: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            writer.write(b"POST /read HTTP/1.1\r\nHost: a\r\n" + head)
            for _ in range(40):
                writer.write(piece)
                await asyncio.sleep(0.1)
                if reader.at_eof():
                    break
            assert await reader.read() == b""
        writer.close()
        return time.monotonic() - began

    took = await asyncio.gather(
        hold(b"Content-Length: 1000\r\n\r\n", b"a"),
        hold(b"Content-Length: 1000\r\n\r\n", b""),
        hold(b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        hold(b"Transfer-Encoding: chunked\r\n\r\n1", b""),
    )
    assert max(took) < 3


@asynccontextmanager
async def unwilling(port: int, path: str) -> AsyncIterator[socket.socket]:
    """Asks for a large answer and does not read it."""
    loop = asyncio.get_running_loop()
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        one.setblocking(False)
        await loop.sock_connect(one, ("127.0.0.1", port))
        await loop.sock_sendall(one, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        yield one


async def whole(one: socket.socket) -> int:
    """Read to the end, now; how many bytes came."""
    loop, size = asyncio.get_running_loop(), 0
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.wait_for(loop.sock_recv(one, 1 << 20), 10):
            size += len(piece)
    return size


async def test_an_answer_nobody_takes_is_given_up_and_a_guests_later() -> None:
    async def large(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/film":
            vouch(request)
        response = web.Response(body=bytes(LARGE))
        response.force_close()
        return response

    server = EdgeServer(large, deadlines=Deadlines(stall=0.3, paused=60))
    async with served(server) as port, unwilling(port, "/film") as film, unwilling(port, "/page") as page:
        await until(lambda: len(server.crowd) == 2)
        await until(lambda: len(server.crowd) == 1)
        await asyncio.sleep(0.6)
        assert len(server.crowd) == 1
        assert await whole(page) < LARGE
        assert await whole(film) > LARGE  # paused, and then taken to its end
        await until(lambda: len(server.crowd) == 0)


async def test_a_connection_whose_last_bytes_are_not_taken_is_given_up() -> None:
    """Less than what makes a writer wait: the handler is done, and the connection would be closing for ever."""

    async def small(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(LARGE)})
        await response.prepare(request)
        transport = request.transport
        assert transport is not None
        transport.set_write_buffer_limits(high=2 * LARGE)
        await response.write(bytes(LARGE))
        response.force_close()
        return response

    server = EdgeServer(small, deadlines=Deadlines(stall=0.3))
    async with served(server) as port, unwilling(port, "/") as one:
        await until(lambda: len(server.crowd) == 1)
        await until(lambda: len(server.crowd) == 0)
        assert await whole(one) < LARGE


async def until(condition: object, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_head_that_is_too_large_as_a_whole_is_refused_before_it_ends(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
    for number in range(8):
        writer.write(f"X-{number}: {'a' * 8_000}\r\n".encode())
        await asyncio.sleep(0.01)
    answer = await asyncio.wait_for(reader.read(), 3)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.count(b"HTTP/1.1") == 1
    writer.close()


async def test_pipelined_requests_wait_in_a_short_queue() -> None:
    """A few dozen are read ahead; then the sender has to wait as well."""
    release = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        await release.wait()
        return web.Response(text="x")

    server = EdgeServer(slow)
    one = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 4_000 + b"\r\n\r\n"
    async with served(server) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        written = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while written < 20_000:
                    writer.write(one)
                    await writer.drain()
                    written += 1
        assert written < 20_000
        (connection,) = server.connections
        assert len(connection._messages) <= 33
        assert server.requests_count == 1
        release.set()
        writer.transport.abort()


@pytest.mark.parametrize("expects", [False, True])
async def test_what_stands_in_an_unread_body_is_no_request(expects: bool) -> None:
    asked = []

    async def deny(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=403)

    trap = b"GET /trap HTTP/1.1\r\nHost: a\r\n\r\n"
    expect = b"Expect: 100-continue\r\n" if expects else b""
    async with served(EdgeServer(deny)) as port:
        for head, body in (
            (b"Content-Length: %d\r\n\r\n" % len(trap), trap),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(trap), trap)),
        ):
            for together in (True, False):
                asked.clear()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"POST /form HTTP/1.1\r\nHost: a\r\n" + expect + head + (body if together else b""))
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
                assert b" 403 " in answer
                with contextlib.suppress(ConnectionError):
                    if not together:
                        assert b"connection: close" in answer.lower()
                        writer.write(body)
                    writer.write(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
                    writer.write_eof()
                    await asyncio.wait_for(reader.read(), 5)
                writer.close()
                assert asked in (["/form"], ["/form", "/next"])
                assert asked == (["/form", "/next"] if together else ["/form"])


async def test_the_surplus_hears_why_also_when_it_has_sent_its_request() -> None:
    block = asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.StreamResponse:
        await block.wait()
        return web.Response()

    server = EdgeServer(wait, crowd=Crowd(connections=2, per_address=99))
    async with served(server) as port:
        busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in busy:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: server.requests_count == 2)

        async def surplus() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + bytes(30_000))
            answer = await asyncio.wait_for(reader.read(), 3)
            writer.close()
            return answer

        began = time.monotonic()
        answers = await asyncio.gather(*(surplus() for _ in range(50)))
        assert time.monotonic() - began < 2.5
        assert {answer.split(b" ", 2)[1] for answer in answers} == {b"503"}
        assert all(b"Retry-After: " in answer for answer in answers)
        block.set()
        for _, writer in busy:
            writer.close()
        await until(lambda: not server.turned_away)


async def test_a_request_whose_body_is_still_to_come_gives_way() -> None:
    server = EdgeServer(hello, crowd=Crowd(connections=99, per_address=2))
    async with served(server) as port:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in slow:
            writer.write(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na")
        await until(lambda: server.requests_count == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"hello"), 3)
        for _, one in (*slow, (reader, writer)):
            one.close()


def test_one_household_of_ipv6_is_one_address() -> None:
    class One:
        waiting = False

        def give_way(self) -> None:
            raise AssertionError

    crowd = Crowd(connections=99, per_address=2)
    assert crowd.enter(One(), "2001:db8::1")
    assert crowd.enter(One(), "2001:db8::ffff:1")
    assert not crowd.enter(One(), "2001:db8::2:3")
    assert crowd.enter(One(), "2001:db8:0:1::1")
    assert crowd.enter(One(), "::ffff:192.0.2.1")
    assert crowd.enter(One(), "192.0.2.1")
    assert not crowd.enter(One(), "192.0.2.1")


async def test_a_guests_stream_counts_as_a_guests_from_its_first_byte() -> None:
    """Not only when it has ended: a lecture hall's live streams must not fill its address's places."""
    release = asyncio.Event()

    async def stream(request: web.BaseRequest) -> web.StreamResponse:
        vouch(request)
        await release.wait()
        return web.Response(text="hello")

    server = EdgeServer(stream, crowd=Crowd(connections=99, per_address=1))
    async with served(server) as port:
        opened = []
        for number in range(5):
            opened.append(await asyncio.open_connection("127.0.0.1", port))
            opened[-1][1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await until(lambda number=number: server.requests_count == number + 1)
        release.set()
        for reader, writer in opened:
            assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"hello"), 3)
            writer.close()


@pytest.mark.parametrize("target", ["http://a:1/x", "ftp://a/x", "http://[::1]/x", "a:1", "*", "//a/x", "http:///x"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT"])
async def test_no_form_of_target_breaks_the_connection_without_an_answer(port: int, method: str, target: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 3)
    assert answer.split(b" ", 2)[1] in (b"200", b"400")
    writer.close()


def test_without_the_c_parser_nothing_starts() -> None:
    code = (
        "import asyncio, gateway.app as a\nasync def go():\n async with a.open_gateway(None): pass\nasyncio.run(go())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"}, capture_output=True, text=True
    )
    assert ran.returncode != 0
    assert "C parser is not there" in ran.stderr
