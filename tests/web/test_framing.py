"""Heads that have two readings, against a real edge: what the parser lets through, we don't; and whatever came
before them on the connection, nothing of theirs becomes a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.http import HttpVersion, HttpVersion10, HttpVersion11
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.web.edge import EdgeServer
from gateway.web.framing import fault_of

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    # versions
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "0.9": b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "1.10": b"GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower case": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    # lengths
    "length twice": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "plus": POST + b"Content-Length: +3\r\n\r\nabc",
    "minus": POST + b"Content-Length: -3\r\n\r\nabc",
    "leading zero": POST + b"Content-Length: 03\r\n\r\nabc",
    "hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "underscore": POST + b"Content-Length: 1_0\r\n\r\nabcdefghij",
    "point": POST + b"Content-Length: 3.0\r\n\r\nabc",
    "two numbers": POST + b"Content-Length: 3 3\r\n\r\nabc",
    "empty length": POST + b"Content-Length:\r\n\r\n",
    "huge length": POST + b"Content-Length: 18446744073709551619\r\n\r\nabc",
    "other digits": POST + "Content-Length: \u0663\r\n\r\nabc".encode(),
    # codings
    "both": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, the other way": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "coding twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "gzip too": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    "empty coding": POST + b"Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc",
    "empty coding alone": POST + b"Transfer-Encoding:\r\n\r\n",
    "parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "quoted": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "no-break space": POST + b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
    "long s": POST + "Transfer-Encoding: chunked\u017f\r\n\r\n0\r\n\r\n".encode(),
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "in 1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # names
    "underscored length": POST + b"Content_Length: 3\r\n\r\n",
    "dotted coding": POST + b"Transfer.Encoding: chunked\r\n\r\n",
    "space before colon": POST + b"Content-Length : 3\r\n\r\nabc",
    "tab before colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "high byte": GET + b"X\xff: y\r\n\r\n",
    "bracket": GET + b"X(: y\r\n\r\n",
    "empty name": GET + b": y\r\n\r\n",
    "no colon": GET + b"X\r\n\r\n",
    "NUL in a name": GET + b"X\0: y\r\n\r\n",
    "space in a name": GET + b"X Y: y\r\n\r\n",
    # lines and values
    "folded": GET + b"X: y\r\n z\r\n\r\n",
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "folded first": b"GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
    "line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "one line feed": GET + b"X: y\nZ: z\r\n\r\n",
    "carriage return": GET + b"X: y\rZ: z\r\n\r\n",
    "NUL": GET + b"X: y\0z\r\n\r\n",
    "escape": GET + b"X: \x1b[0m\r\n\r\n",
    "delete": GET + b"X: \x7f\r\n\r\n",
    "two hosts": GET + b"Host: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "space behind": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "space before": b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tabs": b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "four words": b"GET / /x HTTP/1.1\r\nHost: a\r\n\r\n",
}
# The head is good, the body's own lengths are not: its request fails, and nothing behind it is one.
BROKEN_CHUNKS = {
    "line feeds": b"3\nabc\n0\n\n",
    "line feed in an extension": b"3;a\nabc\r\n0\r\n\r\n",
    "prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "minus": b"-1\r\n\r\n",
    "underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
    "space": b"3 \r\nabc\r\n0\r\n\r\n",
    "tab": b"3\t\r\nabc\r\n0\r\n\r\n",
    "too long": b"2\r\nabc\r\n0\r\n\r\n",
    "not ended": b"3\r\nabcXX0\r\n\r\n",
    "huge": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "empty size": b"\r\nabc\r\n0\r\n\r\n",
    "a length as trailer": b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a coding as trailer": b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
}
TRAP = b"GET /trap HTTP/1.1\r\nHost: a\r\n\r\n"


class Seen:
    port = 0

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.faults: list[str] = []


@pytest.fixture
async def seen() -> AsyncIterator[Seen]:
    seen = Seen()

    async def note(request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.content.read()
        except (web.RequestPayloadError, ConnectionError):
            return web.Response(status=400)
        seen.requests.append((request.raw_path, body))
        return web.Response(text="seen")

    runner = web.ServerRunner(EdgeServer(note, refused=lambda request, response, fault: seen.faults.append(fault)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    seen.port = runner.addresses[0][1]
    yield seen
    await runner.cleanup()


async def exchange(port: int, sent: bytes) -> bytes:
    """All that comes until the other side closes, or has said nothing for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = b""
    try:
        while piece := await asyncio.wait_for(reader.read(65_536), 0.5):
            answer += piece
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED.keys())
async def test_a_head_with_two_readings_is_refused_and_ends_its_connection(seen: Seen, sent: bytes) -> None:
    answer = await exchange(seen.port, sent + TRAP)
    assert seen.requests == []
    assert answer.count(b"HTTP/1.") == 1
    assert answer.split(b" ", 2)[1] == b"400"
    assert b"connection: close" in answer.lower() or answer.startswith(b"HTTP/1.0")
    assert len(seen.faults) == 1


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED.keys())
async def test_a_good_request_before_it_changes_nothing(seen: Seen, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", seen.port)
    writer.write(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"200" in await asyncio.wait_for(reader.readuntil(b"seen"), 5)
    writer.write(sent + TRAP)
    assert b"400 Bad Request" in await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert seen.requests == [("/first", b"")]


@pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0", b"9.9"])
async def test_another_version_is_refused_in_ours(seen: Seen, version: bytes) -> None:
    answer = await exchange(seen.port, b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % version)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert seen.requests == []


@pytest.mark.parametrize("body", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
async def test_a_broken_chunk_leaves_nothing_behind_it(seen: Seen, body: bytes) -> None:
    answer = await exchange(seen.port, CHUNKED + body + TRAP)
    assert [path for path, _ in seen.requests if path != "/"] == []
    assert answer == b"" or answer.split(b" ", 2)[1] == b"400"
    assert answer.count(b"HTTP/1.") <= 1


@pytest.mark.parametrize(
    ("sent", "bodies"),
    [
        (GET + b"\r\n" + GET + b"\r\n", [b"", b""]),
        (POST + b"Content-Length: 3\r\n\r\nabc" + GET + b"\r\n", [b"abc", b""]),
        (POST + b"Content-Length: 0\r\n\r\n" + GET + b"\r\n", [b"", b""]),
        (POST + b"transfer-encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + GET + b"\r\n", [b"abc", b""]),
        (CHUNKED + b"3;name=value\r\nabc\r\n0\r\nX: trailer\r\n\r\n" + GET + b"\r\n", [b"abc", b""]),
        (GET + b"X-Odd_name.1: \xc3\xa9\tx\r\nCookie: a=b\r\n\r\n", [b""]),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", [b""]),
        (POST + b"Content-Length: %d\r\n\r\n" % len(TRAP) + TRAP, [TRAP]),
    ],
)
async def test_good_framing_passes_and_each_request_is_its_own(seen: Seen, sent: bytes, bodies: list[bytes]) -> None:
    await exchange(seen.port, sent)
    assert [body for _, body in seen.requests] == bodies
    assert {path for path, _ in seen.requests} == {"/"}
    assert seen.faults == []


@pytest.mark.parametrize(
    ("version", "headers", "fault"),
    [
        (HttpVersion11, [("Host", "a")], None),
        (HttpVersion10, [("Content-Length", "0")], None),
        (HttpVersion(1, 2), [], "HTTP version"),
        (HttpVersion11, [("X", "a\rb")], "a control byte in a header"),
        (HttpVersion11, [("X", "a\nb")], "a control byte in a header"),
        (HttpVersion11, [("X", "a\0b")], "a control byte in a header"),
        (HttpVersion11, [("", "a")], "an odd byte in a header's name"),
        (HttpVersion11, [("X Y", "a")], "an odd byte in a header's name"),
        (HttpVersion11, [("X:", "a")], "an odd byte in a header's name"),
        (HttpVersion11, [("H.o.s.t", "a")], None),
        (HttpVersion11, [("Content.Length", "1")], "a header spelt like one that frames"),
        (HttpVersion11, [("Content-Length", "1"), ("content-length", "1")], "not one plain Content-Length"),
        (HttpVersion11, [("Content-Length", "1 ")], "not one plain Content-Length"),
        (HttpVersion11, [("Content-Length", "9" * 19)], "not one plain Content-Length"),
        (HttpVersion11, [("Content-Length", "1"), ("Transfer-Encoding", "x")], "a length and a transfer coding"),
        (HttpVersion11, [("Transfer-Encoding", "")], "not one Transfer-Encoding: chunked"),
        (HttpVersion10, [("Transfer-Encoding", "chunked")], "a transfer coding in HTTP/1.0"),
    ],
)
def test_what_a_parser_may_let_through_one_day_is_refused(
    version: HttpVersion, headers: list[tuple[str, str]], fault: str | None
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    assert fault_of(version, CIMultiDictProxy(CIMultiDict(headers)), raw) == fault
