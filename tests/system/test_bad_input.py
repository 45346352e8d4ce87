"""Whatever is sent, on whichever path: a clear 4xx or a closed connection, never a 500, never a word about how
this is made or what is behind it.

`wrong` requests must be refused; `odd` ones may be answered in any way but with a 5xx.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.running import Running
from tests.system.bad import BODIES, CHUNKED, FORM, LINES, ODD_HEADS, WRONG_HEADS
from tests.system.stage import ITEM, PAGE, SOCKET, STREAM, Guest, Media, clicks, path_of

GOOD_HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def paths(link: str, grant: str) -> list[str]:
    return [
        "/", PAGE, STREAM, SOCKET, path_of(link), f"/g/{'A' * 22}", "/g/", "/g/x", f"{path_of(link)}/x", "/_gateway",
        "/_gateway/",
        f"/_gateway/watch/{grant}", "/_gateway/watch/", "/_gateway/watch/%F0%9F%8E%AC", "/_gateway/leave",
        "/_gateway/static/guest.css",
        "/_gateway/static/", "/_gateway/theme/logo", "/_gateway/s/x/y", "/_gateway/auth", "/_gateway/manage",
        "/_gateway/health/live",
    ]  # fmt: skip


def requests(path: str, host: bytes, cookie: bytes) -> Iterator[tuple[bool, bytes]]:
    """Whether it must be refused, and its bytes."""
    at = path.encode()
    common = b"Host: " + host + b"\r\nConnection: close\r\n"
    session = b"Cookie: " + cookie + b"\r\n"
    for line in LINES:
        yield True, line.replace(b"{p}", at) + b"\r\n" + common + session + b"\r\n"
    for method in (b"GET", b"POST"):
        yield True, method + b" " + at + b" HTTP/1.1\r\n\r\n"
        for head in WRONG_HEADS:
            yield True, method + b" " + at + b" HTTP/1.1\r\n" + common + session + head + b"\r\n"
    yield False, b"GET  " + at + b"  HTTP/1.1\r\n" + common + session + b"\r\n"
    for head in ODD_HEADS:
        mine = b"" if head.startswith(b"Cookie") else session
        yield False, b"GET " + at + b" HTTP/1.1\r\n" + common + mine + b"Accept: text/html\r\n" + head + b"\r\n"
    leave = at == b"/_gateway/leave"  # without a session there is nothing to leave, which it says with 200
    for head, body in BODIES:
        length = b"Content-Length: %d\r\n" % len(body)
        yield not leave, b"POST " + at + b" HTTP/1.1\r\n" + common + head + length + b"\r\n" + body
    for body in CHUNKED:
        coded = b"Transfer-Encoding: chunked\r\n"
        yield not leave, b"POST " + at + b" HTTP/1.1\r\n" + common + FORM + coded + b"\r\n" + body
    yield (
        not at.startswith(b"/_gateway/health"),
        b"GET " + at + b" HTTP/1.1\r\n" + common + session + b"Content-Length: 3\r\n\r\nabc",
    )


async def exchange(port: int, sent: bytes, *, patience: float = 1.0) -> bytes:
    """All that comes back until the other side closes. When it waits for more, ours is closed for writing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    answer = b""
    try:
        writer.write(sent)
        while True:
            try:
                async with asyncio.timeout(patience):
                    piece = await reader.read(65_536)
            except TimeoutError:
                assert not writer.is_closing()
                assert writer.can_write_eof()
                writer.write_eof()
                async with asyncio.timeout(5):
                    return answer + await reader.read()
            if not piece:
                return answer
            answer += piece
    except ConnectionError:
        return answer
    finally:
        writer.close()


async def test_bad_input_is_refused_in_few_words(
    gateway: Running, media: Media, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    link = await gateway.make_link(ITEM, clicks=2)
    guest = await Guest(gateway.port).enter(link)
    grant = next(iter(gateway.gateway.grants._live))
    host, cookie = guest.host.encode(), f"gateway={guest.jar['gateway']}".encode()
    secrets = [
        str(media.port).encode(),
        b"upstream",
        b"media server",
        b"aiohttp",
        b"python",
        b"traceback",
        b"exception",
    ]
    counts: Counter[str] = Counter()
    faults: list[str] = []

    few = asyncio.Semaphore(150)

    async def one(wrong: bool, sent: bytes) -> None:
        try:
            async with few:
                answer = await exchange(gateway.port, sent)
        except TimeoutError:
            faults.append(f"no end: {sent[:200]!r}")
            return
        # A request of another version is answered in that version, by aiohttp's habit.
        status = answer.split(b" ", 2)[1].decode() if answer.startswith(b"HTTP/") else "no HTTP" if answer else "closed"
        counts[status] += 1
        fine = status == "closed" or status[0] == "4" or (not wrong and status[0] in "23")
        told = [word for word in secrets if word in answer.lower()]
        if not fine or told:
            faults.append(f"{status} {told}: {sent[:300]!r} -> {answer[:200]!r}")

    caplog.set_level(logging.WARNING)
    every = [request for path in paths(link, grant) for request in requests(path, host, cookie)]
    await asyncio.gather(*(one(*request) for request in every))
    print(f"\n{len(every)} requests: {dict(counts)}")
    assert faults == [], f"{len(faults)} faults:\n" + "\n".join(faults[:40])
    assert counts["closed"] < len(every) / 20
    broken = [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert broken == []
    assert "Traceback" not in capsys.readouterr().err
    # Nobody came in, nothing broke.
    assert await clicks(gateway, link) == 1
    guest.jar.pop("gateway-form", None)
    assert await Guest(gateway.port).status(path_of(link)) == 200


@pytest.mark.parametrize(
    "head",
    [
        GOOD_HANDSHAKE.replace(b"13", b"8"),
        GOOD_HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        GOOD_HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"\xff" * 24),
        GOOD_HANDSHAKE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        GOOD_HANDSHAKE.replace(b"Connection: Upgrade\r\n", b""),
        GOOD_HANDSHAKE.replace(b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
        GOOD_HANDSHAKE + b"Content-Length: 1\r\n",
        GOOD_HANDSHAKE + b"Origin: https://evil.example\r\n",
    ],
)
async def test_a_handshake_that_is_not_whole_never_reaches_the_server(
    gateway: Running, media: Media, head: bytes
) -> None:
    guest = await Guest(gateway.port).enter(await gateway.make_link(ITEM))
    media.asked.clear()
    sent = f"GET {SOCKET} HTTP/1.1\r\nHost: {guest.host}\r\nCookie: {guest.cookie}\r\n".encode() + head + b"\r\n"
    answer = await exchange(gateway.port, sent)
    assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer
    assert media.asked == []


async def test_a_form_that_never_ends_or_is_too_large_is_given_up(gateway: Running) -> None:
    link = await gateway.make_link(ITEM)
    head = f"POST {path_of(link)} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n".encode() + FORM
    large = head + b"Content-Length: 10000000\r\n\r\n" + b"a" * 1_000
    assert (await exchange(gateway.port, large)).split(b" ", 2)[1] == b"413"
    endless = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"a" * 0x1000 + b"\r\n"
    assert (await exchange(gateway.port, endless + 8 * (b"1000\r\n" + b"a" * 0x1000 + b"\r\n"))).split(b" ", 2)[
        1
    ] == b"413"
