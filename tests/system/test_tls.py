"""`serve` with a certificate of its own, as processes: guests over https, silence, renewal, and what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.config import Tls
from tests.certificates import careless, issue, serial, served_serial, trusting
from tests.running import free_port
from tests.system.processes import ROOT, make_link, served
from tests.system.stage import ENDLESS, Media, path_of, write_config

SILENT = 100


def secure(folder: Path, media: Media, extra: str = "") -> tuple[int, Tls]:
    """config.yaml with its own TLS and a pair beside it."""
    files = issue(folder)
    port = write_config(folder, media, extra=f"tls: {{certificate: tls.pem, key: tls.key}}\n{extra}")
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("public_url: http://", "public_url: https://"))
    return port, files


def gateway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *words, "--config", str(folder / "config.yaml")],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


async def ask(port: int, context: ssl.SSLContext, line: str, headers: str = "", body: bytes = b"") -> tuple[bytes, int]:
    """The whole answer, and the serial number of the certificate it came with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{length}{headers}\r\n"
        writer.write(head.encode() + body)
        number = served_serial(writer.get_extra_info("ssl_object"))
        return await asyncio.wait_for(reader.read(), 10), number
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until_served(port: int, number: int, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        # Both workers: whichever takes the connection answers.
        found = {(await ask(port, careless(), "GET /_gateway/health/live"))[1] for _ in range(8)}
        if found == {number}:
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)


async def enter(port: int, context: ssl.SSLContext, link: str) -> str:
    """Come in; the session cookie."""
    page, _ = await ask(port, context, f"GET {path_of(link)}", "Accept: text/html\r\n")
    form = page.decode().partition('name="form" value="')[2].partition('"')[0]
    bound = cookie_of(page, "__Host-Http-gateway-form")
    answer, _ = await ask(
        port,
        context,
        f"POST {path_of(link)}",
        "Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Origin: https://127.0.0.1:{port}\r\nCookie: {bound}\r\n",
        f"name=Ada&email=ada%40example.org&form={form}".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 303 "), answer[:500]
    return cookie_of(answer, "__Host-gateway=")


def cookie_of(answer: bytes, name: str) -> str:
    """The pair whose name begins so, with a value."""
    lines = [line for line in answer.decode().split("\r\n") if line.startswith(f"Set-Cookie: {name}")]
    pairs = [line.removeprefix("Set-Cookie: ").partition(";")[0] for line in lines if "Max-Age=0" not in line]
    assert all("; Secure" in line for line in lines)
    (pair,) = [pair for pair in pairs if pair.partition("=")[2].strip('"')]
    return pair


async def test_a_guests_stream_runs_on_while_certificates_come_and_go(tmp_path: Path, media: Media) -> None:
    port, files = secure(tmp_path, media)
    first = serial(files)
    fresh = issue(tmp_path / "fresh")
    trusted = trusting(files, fresh)
    async with served(tmp_path, port, workers=2) as running:
        link = (await make_link(tmp_path))["url"]
        assert link.startswith(f"https://127.0.0.1:{port}/g/")
        cookie = await enter(port, trusted, link)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted)
        writer.write(f"GET {ENDLESS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 200 ")

        failed: list[object] = []
        asked = 0
        stop = asyncio.Event()

        async def keep_asking() -> None:
            nonlocal asked
            while not stop.is_set():
                try:
                    answer, _ = await ask(port, trusted, f"GET {path_of(link)}")
                    if not answer.startswith(b"HTTP/1.1 200 "):
                        failed.append(answer[:200])
                except OSError as error:
                    failed.append(error)
                asked += 1

        asking = [asyncio.create_task(keep_asking()) for _ in range(3)]
        # Half a pair: nothing changes, and it is said.
        shutil.copy(fresh.certificate, files.certificate)
        running.process.send_signal(signal.SIGHUP)
        await until_said(lambda: running.said, "the certificate in force stays")
        await until_served(port, first)
        report = json.loads(gateway(tmp_path, "doctor", "--json").stdout)["checks"]
        assert any(one["state"] == "problem" and "is not the key of" in one["what"] for one in report)
        assert any("goes on with the pair it read last" in one["what"] for one in report)
        # The other half, found without being told.
        shutil.copy(fresh.key, files.key)
        await until_served(port, serial(fresh))
        # And at once when told.
        third = issue(tmp_path)
        trusted.load_verify_locations(cadata=third.certificate.read_text())
        running.process.send_signal(signal.SIGHUP)
        await until_served(port, serial(third))
        report = json.loads(gateway(tmp_path, "doctor", "--json").stdout)["checks"]
        assert [one["state"] for one in report if one["name"] == "certificate"] == ["ok"]

        stop.set()
        await asyncio.gather(*asking)
        assert failed == []
        assert asked > 20
        for _ in range(5):
            assert await asyncio.wait_for(reader.read(100), 5)
        assert served_serial(writer.get_extra_info("ssl_object")) == first
        writer.close()
        assert await running.stop() == 0
        assert "Traceback" not in running.said


async def until_said(said: object, what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while what not in said():  # type: ignore[operator]
        assert time.monotonic() < deadline, said()  # type: ignore[operator]
        await asyncio.sleep(0.1)


async def test_silent_tls_connections_are_closed_in_time_and_others_are_served(tmp_path: Path, media: Media) -> None:
    """At the real deadline: before, in and after the handshake, on the guests' and the managers' listener."""
    manage = free_port()
    port, files = secure(tmp_path, media, f"manage: {{listen: 127.0.0.1:{manage}, url: https://127.0.0.1:{manage}}}\n")
    async with served(tmp_path, port, workers=1):

        async def silent(at: int, hello: bytes) -> float:
            reader, writer = await asyncio.open_connection("127.0.0.1", at)
            began, ended = time.monotonic(), asyncio.create_task(_closed(reader))
            with contextlib.suppress(ConnectionError):
                for byte in hello or b"":
                    writer.write(bytes([byte]))
                    await asyncio.wait([ended], timeout=0.5)
                await ended
            writer.close()
            return time.monotonic() - began

        async def shaken(at: int) -> float:
            began = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", at, ssl=careless())
            await _closed(reader)
            writer.close()
            return time.monotonic() - began

        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(30)
        waiting = [
            asyncio.create_task(one)
            for at in (port, manage)
            for _ in range(SILENT // 6)
            for one in (silent(at, b""), silent(at, hello), shaken(at))
        ]
        waits = []
        while not all(task.done() for task in waiting):
            began = time.monotonic()
            answer, _ = await ask(port, trusting(files), "GET /_gateway/health/ready")
            assert answer.startswith(b"HTTP/1.1 200 ")
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.3)
        took = [task.result() for task in waiting]
        usual = statistics.median(waits)
        print(f"\n{len(took)} closed after {max(took):.1f} s at the latest; meanwhile served in {usual:.2f} s")
        assert max(took) < 12
        assert statistics.median(waits) < 3
        assert max(waits) < 9
        # The managers' listener speaks TLS as well, and no plain HTTP.
        answer, _ = await ask(manage, trusting(files), "GET /_gateway/nothing")
        assert answer.startswith(b"HTTP/1.1 4")


async def _closed(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65_536):
            pass


async def test_a_manage_address_of_plain_http_stays_plain(tmp_path: Path, media: Media) -> None:
    manage = free_port()
    port, _ = secure(tmp_path, media, f"manage: {{listen: 127.0.0.1:{manage}, url: http://127.0.0.1:{manage}}}\n")
    async with served(tmp_path, port, workers=1):
        reader, writer = await asyncio.open_connection("127.0.0.1", manage)
        writer.write(f"GET /x HTTP/1.1\r\nHost: 127.0.0.1:{manage}\r\nConnection: close\r\n\r\n".encode())
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 4")
        writer.close()


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_bad_pair_is_a_fault_with_its_place(tmp_path: Path, command: str) -> None:
    media = Media()
    media.port = 9
    _, files = secure(tmp_path, media)
    (tmp_path / "config.yaml").write_text((tmp_path / "config.yaml").read_text())
    line = (tmp_path / "config.yaml").read_text().split("\n").index("tls: {certificate: tls.pem, key: tls.key}") + 1
    files.key.chmod(0o644)
    ran = gateway(tmp_path, command)
    assert ran.returncode == 2
    assert f"config.yaml:{line}:34: tls.key: {files.key} can be read by everybody" in ran.stdout + ran.stderr
    issue(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "tls.pem", files.certificate)
    files.key.chmod(0o600)
    ran = gateway(tmp_path, command)
    assert ran.returncode == 2
    assert f"config.yaml:{line}:34: tls.key: {files.key} is not the key of" in ran.stdout + ran.stderr
    # Commands that need neither go on.
    assert gateway(tmp_path, "link", "list").returncode == 0


def test_what_browsers_will_refuse_is_a_warning(tmp_path: Path) -> None:
    media = Media()
    media.port = 9
    secure(tmp_path, media)
    issue(tmp_path, ["else.example.org"], days=3)
    ran = gateway(tmp_path, "check")
    assert ran.returncode == 0
    assert "tls.certificate: " in ran.stdout
    assert " expires on " in ran.stdout
    assert "is not made for 127.0.0.1 (but for else.example.org)" in ran.stdout


def test_with_a_certificate_the_public_address_is_https(tmp_path: Path) -> None:
    media = Media()
    media.port = 9
    secure(tmp_path, media)
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("public_url: https://", "public_url: http://"))
    ran = gateway(tmp_path, "check")
    assert ran.returncode == 2
    assert "config.yaml:2:13: public_url: must begin with https://, since tls: is set" in ran.stdout
