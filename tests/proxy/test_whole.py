# ruff: noqa: E501  # heads of messages are read best as they are
"""The door with everything real around it: a guest comes through the form, and the owner ends it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.proxy.test_websocket import CLOSE, WHOLE, accept, read_frame
from tests.running import EMAIL, NAME, Running, running_gateway
from tests.wire import Call, WireClient, WireServer

POLICY = """
server: Test server
verified: from documentation
item:
  id: "[a-z]{3,9}"
  resolve: [{request: "GET /api/{id}", gone: [404]}]
patterns: {file: "[a-z0-9.]{1,99}"}
kinds:
  live:
    open: /page/{id}
    allow: ["page GET /page/{id}", "GET /v/{id}/{file}", "WS /ws/{id}"]
upstream: {headers: {X-Key: "topsecretkey"}}
guest_access: {on_revoke: MODE}
"""


async def media(call: Call) -> None:
    assert call.header("X-Key") == "topsecretkey"
    assert call.header("Cookie") is None
    path = call.target
    if path.startswith("/api/"):
        await call.answer(
            b"{}" if path == "/api/abc" else b"", status="200 OK" if path == "/api/abc" else "404 Not Found"
        )
    elif path == "/v/abc/endless":
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await call.say(b"3\r\nabc\r\n")
            await asyncio.sleep(0.02)
    elif path == "/ws/abc":
        await accept(call)
        await call.gone()
    else:
        await call.answer(b"<p>page", headers="Content-Type: text/html\r\n")


async def admitted(gateway: Running, link: str) -> str:
    """The header line of a guest who has filled in the form."""
    host = f"127.0.0.1:{gateway.port}"
    async with WireClient(gateway.port, host=host) as browser:
        path = link.removeprefix(gateway.url)
        entry = await browser.get(f"GET {path}", "Accept: text/html\r\n")
        jar = [line.partition(";")[0] for line in entry.all("Set-Cookie")]
        form = re.search(rb'name="form" value="([^"]+)"', entry.body)
        assert form, entry.body
        body = urlencode({"name": NAME, "email": EMAIL, "form": form[1].decode()}).encode()
        posted = await browser.get(
            f"POST {path}",
            f"Cookie: {'; '.join(jar)}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n",
            body,
        )
        assert (posted.status, posted.header("Location")) == (303, "/page/abc")
        session = next(line for line in posted.all("Set-Cookie") if line.startswith("gateway="))
        return f"Cookie: {session.partition(';')[0]}\r\n"


@pytest.mark.parametrize("mode", ["cut", "drain"])
async def test_what_a_guest_has_open_when_access_is_turned_off(mode: str, tmp_path: Path) -> None:
    async with (
        WireServer(media) as server,
        running_gateway(tmp_path, POLICY.replace("MODE", mode), server.port) as gateway,
    ):
        cookie = await admitted(gateway, await gateway.make_link("abc"))
        host = f"127.0.0.1:{gateway.port}"
        async with WireClient(gateway.port, host=host) as stream, WireClient(gateway.port, host=host) as socket:
            page = await stream.get("GET /page/abc", cookie)
            assert (page.status, page.body) == (200, b"<p>page")
            assert (await stream.get("GET /page/xyz", cookie)).status == 403
            await stream.ask("GET /v/abc/endless", cookie)
            assert (await stream.head()).status == 200
            await socket.ask("GET /ws/abc", cookie + WHOLE + f"Origin: http://{host}\r\n")
            assert (await socket.head()).status == 101
            await gateway.switch("abc", on=False)
            heard = asyncio.create_task(read_frame(socket.reader))
            if mode == "drain":
                await asyncio.sleep(1)
                assert not heard.done()
                async with WireClient(gateway.port, host=host) as other:
                    assert (await other.get("GET /v/abc/x.ts", cookie)).status == 200
                    # Who asks for a page is checked anew, and that ends everything.
                    assert (await other.get("GET /page/abc", cookie)).status == 410
            assert (await asyncio.wait_for(heard, 2))[0] == CLOSE
            async with asyncio.timeout(2):
                rest = b""
                try:
                    while piece := await stream.reader.read(65_536):
                        rest = piece
                except ConnectionError:
                    pass
            assert not rest.endswith(b"\r\n0\r\n\r\n"), "a clean end"
        async with WireClient(gateway.port, host=host) as late:
            assert (await late.get("GET /v/abc/x.ts", cookie)).status == 403
