# ruff: noqa: E501  # lines of requests are read best as they are
"""Forward-auth in a whole gateway: yes, no session, no; and nothing to whoever may not ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.errors import BadFile
from gateway.loading import load
from tests.running import Running, free_port
from tests.system.stage import running_worker
from tests.wire import Reply, WireClient

POLICY = """
server: A server
item: {id: "[a-z0-9]{3,9}"}
patterns: {n: "[0-9]{1,3}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /v/{id}/{n}.ts
      - GET /q/{id}?n={n}
      - WS /ws/{id}
      - GET /both/{id}
      - WS /both/{id}
"""
CONFIG = """
listen: 127.0.0.1:{port}
public_url: http://guest.test
data_dir: data
trusted_proxies: [127.0.0.1]
servers:
  - name: tv
    upstream: http://127.0.0.1:9
    policy: ./policy.yaml
    behind: forward_auth
"""
HOST = "guest.test"


@dataclass
class Asked:
    running: Running
    cookie: str

    async def ask(self, headers: str, path: str = "/_gateway/auth", method: str = "GET", source: str = "") -> int:
        return (await self.reply(headers, path, method, source)).status

    async def reply(self, headers: str, path: str = "/_gateway/auth", method: str = "GET", source: str = "") -> Reply:
        async with WireClient(self.running.port, host="") as client:
            await client.send(f"{method} {path} HTTP/1.1\r\n{headers}\r\n")
            return await client.reply(head_only=method == "HEAD")

    def nginx(self, target: str, method: str = "GET", *, cookie: bool = True) -> str:
        session = self.cookie if cookie else ""
        return f"Host: {HOST}\r\nX-Original-URI: {target}\r\nX-Original-Method: {method}\r\n{session}"


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=free_port()))
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with running_worker(tmp_path) as running:
        link = await running.make_link("abc")
        path = link.removeprefix("http://guest.test")
        async with WireClient(running.port, host=HOST) as client:
            page = await client.get(f"GET {path}", "Accept: text/html\r\n")
            form = page.body.decode().partition('name="form" value="')[2].partition('"')[0]
            body = f"name=Ada&email=ada%40example.org&form={form}".encode()
            tied = "; ".join(one.partition(";")[0] for one in page.all("Set-Cookie"))
            reply = await client.get(
                f"POST {path}",
                "Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                f"Cookie: {tied}\r\nContent-Length: {len(body)}\r\n",
                body,
            )
        assert reply.status == 303, reply
        session = next(one.partition(";")[0] for one in reply.all("Set-Cookie") if one.startswith("gateway="))
        yield Asked(running, f"Cookie: {session}\r\n")


async def test_each_dialect_gets_the_same_three_answers(asked: Asked) -> None:
    for target, method, status in (
        ("/v/abc/1.ts", "GET", 204), ("/v/abc/1.ts", "HEAD", 204), ("/page/abc", "GET", 204), ("/q/abc?n=7", "GET", 204),
        ("/v/xyz/1.ts", "GET", 403), ("/v/abc/1.ts", "POST", 403), ("/admin", "GET", 403), ("/q/abc", "GET", 403),
    ):  # fmt: skip
        forwarded = (
            f"Host: 127.0.0.1:1\r\nX-Forwarded-Host: {HOST}\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Method: {method}\r\n"
            f"X-Forwarded-Uri: {target}\r\n{asked.cookie}"
        )
        assert await asked.ask(asked.nginx(target, method)) == status, target
        assert await asked.ask(forwarded) == status, target
        envoy = await asked.ask(f"Host: {HOST}\r\n{asked.cookie}", f"/_gateway/auth{target}", method)
        assert envoy == status, target
    assert await asked.ask(asked.nginx("/v/abc/1.ts", cookie=False)) == 401
    told = await asked.reply(asked.nginx("/v/abc/1.ts"))
    assert told.body == b""
    assert "Set-Cookie" not in told.head


@pytest.mark.parametrize(
    "target",
    [
        "/v/abc/../abc/1.ts", "/v//abc/1.ts", "/v/ab%63/1.ts", "/v/abc/1.ts?", "/v/abc/1%2Ets", "/v/abc/./1.ts", "v/abc/1.ts",
        "http://guest.test/v/abc/1.ts", "/v/abc/1.ts#x", "/v/abc%2f1.ts", "/v/abc/1.ts;x", "/g/x", "/_gateway/leave", "", "//",
        "/v/abc/1.ts/..;/", "/q/abc?n=7&n=8", "/%",
    ],
)  # fmt: skip
async def test_a_target_that_is_not_canonical_is_refused_and_so_are_our_own_paths(asked: Asked, target: str) -> None:
    assert await asked.ask(asked.nginx(target)) == 403
    if target.startswith("/") and "#" not in target:
        assert await asked.ask(f"Host: {HOST}\r\n{asked.cookie}", f"/_gateway/auth{target}") == 403


async def test_a_websocket_has_the_rules_of_one_and_a_plain_request_never(asked: Asked) -> None:
    upgrade = "Upgrade: websocket\r\n"
    assert await asked.ask(asked.nginx("/ws/abc") + upgrade) == 204
    assert (
        await asked.ask(asked.nginx("/ws/abc") + upgrade + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
        == 204
    )
    assert await asked.ask(asked.nginx("/ws/abc")) == 403
    assert await asked.ask(asked.nginx("/v/abc/1.ts") + upgrade) == 403, "the upgrade would go on to the server"
    assert await asked.ask(asked.nginx("/both/abc") + upgrade) == 204
    assert await asked.ask(asked.nginx("/ws/abc", "POST") + upgrade) == 403
    assert await asked.ask(asked.nginx("/ws/abc") + upgrade + "Origin: https://evil.example\r\n") == 403
    assert await asked.ask(asked.nginx("/ws/abc") + upgrade + "Origin: http://guest.test\r\n") == 204


@pytest.mark.parametrize(
    "extra",
    [
        "X-Forwarded-Uri: /v/abc/2.ts\r\n", "X-Original-URI: /v/abc/1.ts\r\n", "X-Original-Method: GET\r\n",
        "X-Original-URL: /x\r\n", "x_original_uri: /v/abc/1.ts\r\n", "Service-Worker: script\r\n", "Range: bytes=0-1\r\nRange: x\r\n",
        "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Upgrade: h2c\r\n",
    ],
)  # fmt: skip
async def test_what_a_guest_smuggles_in_harms_nobody_but_himself(asked: Asked, extra: str) -> None:
    assert await asked.ask(asked.nginx("/v/abc/1.ts") + extra) == 403


async def test_the_host_chooses_the_server_and_two_hosts_are_none(asked: Asked) -> None:
    def told(host: str, forwarded: str, proto: str = "http") -> str:
        return (
            f"Host: {host}\r\nX-Forwarded-Host: {forwarded}\r\nX-Forwarded-Proto: {proto}\r\nX-Forwarded-Method: GET\r\n"
            f"X-Forwarded-Uri: /v/abc/1.ts\r\n{asked.cookie}"
        )

    assert await asked.ask(told(HOST, HOST)) == 204
    assert await asked.ask(told(HOST, "other.test")) == 403
    assert await asked.ask(told(HOST, f"{HOST}, evil.test")) == 403
    assert await asked.ask(told(HOST, HOST, "https")) == 403
    assert await asked.ask(asked.nginx("/v/abc/1.ts").replace(HOST, "other.test")) == 403


async def test_whoever_may_not_ask_finds_nothing(asked: Asked) -> None:
    await asked.running.reconfigure("trusted_proxies: [127.0.0.1]", "trusted_proxies: [127.0.0.2]")
    assert await asked.ask(asked.nginx("/v/abc/1.ts")) == 404
    assert await asked.ask(f"Host: {HOST}\r\n{asked.cookie}", "/_gateway/auth/v/abc/1.ts") == 404


async def test_a_gateway_that_no_proxy_asks_has_no_such_path(asked: Asked) -> None:
    await asked.running.reconfigure("behind: forward_auth", "behind: own_host")
    assert await asked.ask(asked.nginx("/v/abc/1.ts")) == 404


async def test_a_page_looks_at_the_link_and_streams_go_on_until_then(asked: Asked) -> None:
    view = (await asked.running.desk.list("tv"))[0]  # type: ignore[index]
    await asked.running.desk.edit(view.link.id, {"enabled": False})
    assert await asked.ask(asked.nginx("/v/abc/1.ts")) == 204
    assert await asked.ask(asked.nginx("/page/abc")) == 403
    assert await asked.ask(asked.nginx("/v/abc/1.ts")) == 401


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [
        ("GET /v/{id}/{n}.ts", '{request: "GET /v/{id}/{n}.ts", send: {query: {a: b}}}', "send"),
        ("GET /v/{id}/{n}.ts", '{request: "GET /v/{id}/i.m3u8", follow: {as: hls}}', "follow"),
        ("GET /v/{id}/{n}.ts", '{request: "GET /v/{id}", capture: {s: $.s}}', "capture"),
        ("GET /v/{id}/{n}.ts", '{request: "POST /v/{id}", json: {a: string}}', "json or body"),
        ("GET /v/{id}/{n}.ts", '{request: "GET /v/{id}", answer: {status: 204}}', "answer"),
        ("GET /v/{id}/{n}.ts", "POST /v/{id}", "POST, whose bodies it would have to see"),
        ("GET /v/{id}/{n}.ts", '{request: "WS /v/{id}", protocol: x}', "protocol"),
        ("GET /v/{id}/{n}.ts", '{request: "WS /v/{id}", messages: [{type: A}]}', "messages"),
        ("kinds:", "upstream: {basic: 'user:password'}\nkinds:", "upstream: credentials"),
        (
            "kinds:",
            'upstream: {login: {request: POST /auth, json: {u: someone, p: "a password"}, secrets: {token: $.token}}}\nkinds:',
            "upstream: login",
        ),
        (
            "kinds:",
            'upstream: {jwt: {as: token, key: "0123456789abcdef0123456789abcdef", claims: {i: "{id}"}}}\nkinds:',
            "upstream: jwt",
        ),
        ("kinds:", "cookies: [session]\nkinds:", "cookies"),
        ("kinds:", "drop: [$.a]\nkinds:", "drop"),
        ("kinds:", "replace: {'old/host/of/it': b}\nkinds:", "replace"),
        ("kinds:", "pass: [x-a]\nkinds:", "pass"),
        ("kinds:", "paths: {ignore_case: true}\nkinds:", "paths: ignore_case"),
        ("kinds:", "guest_access: {on_revoke: cut}\nkinds:", "on_revoke: cut"),
    ],
)
def test_a_policy_that_only_the_gateway_can_keep_is_a_fault(tmp_path: Path, was: str, now: str, what: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=8080))
    assert was in POLICY
    (tmp_path / "policy.yaml").write_text(POLICY.replace(was, now))
    with pytest.raises(BadFile) as caught:
        load(tmp_path / "config.yaml")
    assert {(fault.line, fault.column) for fault in caught.value.faults} == {(10, 13)}
    said = f"the policy ./policy.yaml needs the gateway itself: {what}"
    assert [fault for fault in caught.value.faults if said in fault.what]


def test_somebody_must_be_trusted_to_ask(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(port=8080).replace("trusted_proxies: [127.0.0.1]\n", ""))
    (tmp_path / "policy.yaml").write_text(POLICY)
    with pytest.raises(BadFile, match="forward_auth needs trusted_proxies"):
        load(tmp_path / "config.yaml")
