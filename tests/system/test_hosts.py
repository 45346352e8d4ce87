"""Whose host is asked: several media servers, strangers' names, operations and managing on places of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.access.issue import IssueRefused
from gateway.app import bind, open_gateway, serve_gateway, serve_metrics
from gateway.config_file import load_config
from tests.running import Running, ask, free_port, raw
from tests.system.stage import ITEM, POLICY, STREAM, Guest, Media, media_server, path_of


@dataclass
class Two:
    """Servers `tv` and `uni` behind one gateway; its ports for managing and numbers."""

    running: Running
    uni: Media
    manage: int
    admin: int

    async def link(self, server: str) -> str:
        made = await self.running.desk.create(server, ITEM, name="A test", by="test")
        assert not isinstance(made, IssueRefused)
        assert made.url
        return made.url


@pytest.fixture
async def two(tmp_path: Path, media: Media) -> AsyncIterator[Two]:
    async with media_server() as uni:
        main, manage, admin = free_port(), free_port(), free_port()
        (tmp_path / "policy.yaml").write_text(POLICY % "drain")
        (tmp_path / "config.yaml").write_text(f"""
listen: 127.0.0.1:{main}
public_url: http://127.0.0.1:{main}
manage: {{listen: "127.0.0.1:{manage}", url: "http://127.0.0.1:{manage}"}}
admin_listen: 127.0.0.1:{admin}
servers:
  - {{name: tv, upstream: "http://127.0.0.1:{media.port}", policy: ./policy.yaml, public_host: tv.example.org}}
  - {{name: uni, upstream: "http://127.0.0.1:{uni.port}", policy: ./policy.yaml, public_host: uni.example.org}}
""")
        config = load_config(tmp_path / "config.yaml", need_servers=True)
        with closing(bind(config)) as sockets:
            async with (
                open_gateway(config) as gateway,
                serve_gateway(gateway, sockets, patience=0.2),
                serve_metrics(lambda: gateway.doors.ops, sockets),
            ):
                yield Two(Running(gateway, config, main), uni, manage, admin)


async def test_the_host_tells_which_server_is_meant(two: Two, media: Media) -> None:
    port = two.running.port
    hosts = {name: f"{name}.example.org:{port}" for name in ("tv", "uni")}
    links = {name: await two.link(name) for name in hosts}
    for name, link in links.items():
        assert link.startswith(f"http://{hosts[name]}/g/")
    media.asked.clear()
    two.uni.asked.clear()

    guest = await Guest(port, hosts["uni"]).enter(links["uni"])
    assert await guest.status(STREAM) == 200
    assert media.asked == []
    assert STREAM in two.uni.asked
    # A link and a session are good on their own host alone.
    assert await Guest(port, hosts["tv"]).status(path_of(links["uni"])) == 404
    assert await Guest(port, hosts["tv"], dict(guest.jar)).status(STREAM) == 403
    assert media.asked == []
    # Host names know no case.
    assert await Guest(port, hosts["uni"].upper(), dict(guest.jar)).status(STREAM) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "tv.example.org", "tv.example.org:1", "tv.example.org.:{}", "a@tv.example.org:{}"],
)
async def test_a_host_that_is_not_ours_is_421(two: Two, host: str, media: Media) -> None:
    port = two.running.port
    link = await two.link("tv")
    media.asked.clear()
    for path in ("/", path_of(link), STREAM, "/_gateway/leave"):
        answer = await ask(port, f"GET {path}", host=host.format(port))
        assert answer.status == 421, path
    assert media.asked == []


async def test_none_or_two_hosts_are_ambiguous(two: Two) -> None:
    port = two.running.port
    ours = f"Host: tv.example.org:{port}\r\n"
    for hosts in ("", ours + ours, ours + "Host: evil.example\r\n"):
        answer = await raw(port, f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
        assert answer.split(b" ", 2)[1] == b"400", hosts


async def test_health_is_told_on_any_host_and_the_numbers_on_none_of_the_guests(two: Two) -> None:
    port = two.running.port
    for host in ("tv.example.org", "10.1.2.3", "evil.example"):
        for path in ("/_gateway/health/live", "/_gateway/health/ready"):
            answer = await ask(port, f"GET {path}", host=host)
            assert answer.status == 200, answer
            assert b"example.org" not in answer.body
    for path in ("/_gateway/metrics", "/_gateway/manage", "/_gateway/api/v1/links", "/_gateway/auth", "/_gateway/"):
        assert (await ask(port, f"GET {path}", host=f"tv.example.org:{port}")).status == 404, path


@pytest.mark.parametrize("line", ["GET /", "GET /g/0123456789abcdefghijkl", f"GET {STREAM}", "POST /_gateway/leave"])
async def test_the_managing_address_has_nothing_of_the_guests(two: Two, line: str) -> None:
    answer = await ask(two.manage, line)
    assert answer.status == 404
    assert b"example.org" not in answer.body


async def test_the_managing_address_says_nothing_without_a_sign_in(two: Two) -> None:
    answer = await ask(two.manage, "POST /_gateway/api/v1/links")
    assert answer.status == 401
    assert b"example.org" not in answer.body


async def test_the_numbers_count_on_the_operators_address(two: Two) -> None:
    port = two.running.port
    host = f"tv.example.org:{port}"
    link = await two.link("tv")
    guest = await Guest(port, host).enter(link)
    assert await guest.status(STREAM) == 200
    before = await numbers(two.admin)
    assert before['gateway_admissions_total{result="admitted"}'] == 1
    async with guest.streaming():
        assert (await numbers(two.admin))["gateway_open_streams"] == 1
    for _ in range(3):
        assert await guest.status("/media/xyz789") == 403
    assert await Guest(port, "evil.example").status("/") == 421
    after = await numbers(two.admin)
    for outcome, more in (("no_rule", 3), ("wrong_host", 1), ("served", 1)):
        name = f'gateway_requests_total{{outcome="{outcome}"}}'
        assert after[name] - before[name] == more, outcome
    assert after["gateway_guest_bytes_total"] > before["gateway_guest_bytes_total"]
    assert (await ask(two.admin, "GET /")).status == 404
    assert (await ask(two.admin, "POST /_gateway/metrics")).status == 405


async def numbers(port: int) -> dict[str, float]:
    answer = await ask(port, "GET /_gateway/metrics")
    assert answer.status == 200
    lines = [line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
