"""The gateway's own TLS on real sockets: what speaks, what is closed, and a new certificate while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from gateway.certificate import load_certificate
from gateway.web.crowd import Crowd
from gateway.web.doorstep import TlsSite
from gateway.web.edge import Deadlines, EdgeServer
from gateway.web.tls import CertificateKeeper
from tests.certificates import careless, issue, serial, served_serial, trusting

HELLO = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Stage:
    server: EdgeServer
    keeper: CertificateKeeper
    site: TlsSite
    port: int
    hold: asyncio.Event

    async def connect(self, context: ssl.SSLContext | None = None) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context or careless())

    async def plain(self) -> Streams:
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def stage(
    folder: Path, *, crowd: Crowd | None = None, deadlines: Deadlines | None = None
) -> AsyncIterator[Stage]:
    hold = asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.secure
        if request.path != "/hold":
            return web.Response(text="hello")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun ")
        await hold.wait()
        await response.write(b"ended")
        return response

    keeper = CertificateKeeper(issue(folder))
    server = EdgeServer(answer, crowd=crowd, deadlines=deadlines)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    site = TlsSite(runner, server, listening, keeper.context)
    await site.start()
    yield Stage(server, keeper, site, listening.getsockname()[1], hold)
    await runner.cleanup()
    assert site.shaking == 0


async def gone(reader: asyncio.StreamReader, seconds: float = 5.0) -> float:
    """How long until the other side has closed."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(seconds):
            while await reader.read(65_536):
                pass
    return time.monotonic() - began


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_browsers_of_today_are_served(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async with stage(tmp_path) as on:
        context = trusting(issue(tmp_path))
        assert on.keeper.reload()
        context.minimum_version = context.maximum_version = version
        for _ in range(20):  # the first request may come together with the end of the handshake
            reader, writer = await on.connect(context)
            writer.write(HELLO + HELLO)
            assert (await asyncio.wait_for(reader.readuntil(b"hello"), 5)).startswith(b"HTTP/1.1 200 ")
            assert await asyncio.wait_for(reader.readuntil(b"hello"), 5)
            writer.close()
            await writer.wait_closed()


async def test_old_versions_and_plain_http_are_closed_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path) as on:
        old = careless()
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="is deprecated"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await on.connect(old)
        reader, writer = await on.plain()
        writer.write(HELLO)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"HTTP" not in answer
        writer.close()
        reader, writer = await on.connect()
        writer.write(HELLO)
        assert b"200" in await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_silence_is_closed_at_each_step_of_the_same_time(tmp_path: Path) -> None:
    """Before the handshake, in the middle of it, after it, and in a head: one deadline from the first moment."""
    async with stage(tmp_path, deadlines=Deadlines(head=1.0)) as on:

        async def silent() -> float:
            reader, writer = await on.plain()
            took = await gone(reader)
            writer.close()
            return took

        async def trickling() -> float:
            reader, writer = await on.plain()
            began, ended = time.monotonic(), asyncio.create_task(gone(reader))
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(90):
                with contextlib.suppress(ConnectionError):
                    writer.write(bytes([byte]))
                await asyncio.wait([ended], timeout=0.1)
                if ended.done():
                    break
            writer.close()
            return time.monotonic() - began

        async def after() -> float:
            began = time.monotonic()
            await asyncio.sleep(0)
            reader, writer = await on.connect()
            writer.write(b"GET / HT")
            await gone(reader)
            writer.close()
            return time.monotonic() - began

        took = await asyncio.gather(*(each() for each in (silent, trickling, after) for _ in range(5)))
        assert max(took) < 2.5
        assert min(took) > 0.5
        await asyncio.sleep(0.1)
        assert len(on.server.crowd) == 0


async def test_a_late_handshake_leaves_less_for_the_head(tmp_path: Path) -> None:
    async with stage(tmp_path, deadlines=Deadlines(head=4.0)) as on:
        one = socket.create_connection(("127.0.0.1", on.port))
        await asyncio.sleep(2.5)
        reader, writer = await asyncio.open_connection(sock=one, ssl=careless(), server_hostname="localhost")
        assert await gone(reader, 10) < 3
        writer.close()


async def test_handshakes_count_and_give_way(tmp_path: Path) -> None:
    async with stage(tmp_path, crowd=Crowd(connections=99, per_address=3)) as on:
        silent = [await on.plain() for _ in range(3)]
        await asyncio.sleep(0.1)
        assert len(on.server.crowd) == 3
        reader, writer = await on.connect()
        writer.write(HELLO)
        assert b"200" in await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        assert await gone(silent[0][0], 2) < 1.5
        assert len(on.server.crowd) == 3
        for _, one in (*silent, (reader, writer)):
            one.close()


async def test_the_surplus_hears_503_and_a_flood_of_it_costs_no_handshakes(tmp_path: Path) -> None:
    async with stage(tmp_path, crowd=Crowd(connections=2, per_address=99)) as on:
        busy = [await on.connect() for _ in range(2)]
        for reader, writer in busy:
            writer.write(HELLO.replace(b"/x", b"/hold"))
            await asyncio.wait_for(reader.readuntil(b"begun"), 5)
        reader, writer = await on.connect()
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
        writer.close()
        flood = [await on.plain() for _ in range(80)]
        await asyncio.sleep(0.1)
        assert on.site.shaking == 64
        on.hold.set()
        for reader, writer in busy:
            await asyncio.wait_for(reader.readuntil(b"ended"), 5)
            writer.close()
        for _, writer in flood:
            writer.close()


async def test_a_new_certificate_serves_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        first = serial(on.keeper._files)
        reader, writer = await on.connect()
        writer.write(HELLO.replace(b"/x", b"/hold"))
        await asyncio.wait_for(reader.readuntil(b"begun"), 5)
        second = serial(issue(tmp_path))
        assert on.keeper.reload()
        other, other_writer = await on.connect()
        assert served_serial(other_writer.get_extra_info("ssl_object")) == second != first
        other_writer.write(HELLO)
        assert b"200" in await asyncio.wait_for(other.readuntil(b"hello"), 5)
        on.hold.set()
        await asyncio.wait_for(reader.readuntil(b"ended"), 5)
        writer.write(HELLO)  # and serves on
        assert b"200" in await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        assert served_serial(writer.get_extra_info("ssl_object")) == first
        for one in (writer, other_writer):
            one.close()


async def test_the_files_are_followed_and_half_a_pair_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    files = issue(tmp_path)
    keeper = CertificateKeeper(files)
    first = keeper.current
    following = asyncio.create_task(keeper.run(0.05))
    try:
        fresh = issue(tmp_path / "fresh")
        shutil.copy(fresh.certificate, files.certificate)
        await until(lambda: keeper.fault is not None)
        assert keeper.current is first
        assert "is not the key of" in str(keeper.fault)
        await asyncio.sleep(0.5)
        assert len([one for one in caplog.records if one.levelno >= logging.ERROR]) == 1  # once, not each time
        shutil.copy(fresh.key, files.key)
        await until(lambda: keeper.current is not first)
        assert keeper.fault is None
        # As certbot does it: the names stay, what they point to changes.
        files.certificate.unlink()
        files.key.unlink()
        await until(lambda: keeper.fault is not None)
        last = issue(tmp_path / "last")
        files.certificate.symlink_to(last.certificate)
        files.key.symlink_to(last.key)
        await until(lambda: keeper.fault is None)
    finally:
        following.cancel()


async def until(condition: object, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_pair_that_is_being_written_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = issue(tmp_path)
    keeper = CertificateKeeper(files)
    first, fresh = keeper.current, issue(tmp_path / "fresh")
    seen = await keeper.look(keeper._read)
    shutil.copy(fresh.certificate, files.certificate)
    seen = await keeper.look(seen)
    shutil.copy(fresh.key, files.key)
    seen = await keeper.look(seen)
    assert keeper.current is first
    await keeper.look(seen)
    assert keeper.current.fingerprint == load_certificate(fresh).fingerprint
    assert keeper.fault is None
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_expired_one_does_not_replace_one_that_is_good(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    files = issue(tmp_path)
    keeper = CertificateKeeper(files, clock=lambda: now)
    good = keeper.current
    issue(tmp_path, days=-2)
    assert not keeper.reload()
    assert keeper.current is good
    assert "has expired" in str(keeper.fault)
    now += timedelta(days=100)  # that one has expired as well
    assert keeper.reload()
    assert keeper.current is not good


def test_reload_takes_other_files_and_stays_with_the_old_ones_when_they_are_bad(tmp_path: Path) -> None:
    keeper = CertificateKeeper(issue(tmp_path))
    other = issue(tmp_path / "other")
    assert keeper.reload(other)
    assert keeper._files == other
    other.key.chmod(0o604)
    assert not keeper.reload(other)
    assert "can be read by everybody" in str(keeper.fault)
    assert not keeper.reload(type(other)(other.certificate, tmp_path / "none.key"))
    assert keeper._files == other


async def test_who_is_shaking_hands_when_the_gateway_stops_is_still_answered(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        reader, writer = await on.plain()
        silent, silent_writer = await on.plain()
        await until(lambda: on.site.shaking == 2)
        stopping = asyncio.create_task(on.site.stop())
        await asyncio.sleep(0.1)
        context = careless()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await asyncio.wait_for(reader.read(65_536), 5))
        client.write(HELLO)
        writer.write(outgoing.read())  # the end of the handshake and the request in one packet
        answer = b""
        while b"hello" not in answer:
            incoming.write(await asyncio.wait_for(reader.read(65_536), 5))
            with contextlib.suppress(ssl.SSLWantReadError):
                while piece := client.read(65_536):
                    answer += piece
        assert b" 200 " in answer
        assert await gone(silent) < 4
        await stopping
        on.site._runner._reg_site(on.site)  # cleanup stops it again
        for one in (writer, silent_writer):
            one.close()
