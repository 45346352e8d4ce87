"""A reload that a low-latency origin holds when the owner turns the item off: `drain` lets it come, and those after it,
until the guest refreshes; `cut` ends it on every worker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.long_lived import Owner
from tests.running import ask, enter, free_port
from tests.servers.low_latency import EACH, LowLatency
from tests.system.stage import path_of, running_worker, until
from tests.wire import WireClient, WireServer

POLICY = """
server: Low latency
item: {id: "[a-z0-9]+"}
patterns: {n: "[0-9]{1,9}", file: "video-[0-9.]{1,9}m4s"}
kinds:
  live:
    player: {src: "/ll/{id}/video.m3u8"}
    allow:
      - GET /ll/{id}/video.m3u8?_HLS_msn={n}?&_HLS_part={n}?
      - GET /ll/{id}/{file}
guest_access: {on_revoke: WAY}
"""
HELD = "GET /ll/cam1/video.m3u8?_HLS_msn=1&_HLS_part="


@pytest.mark.parametrize("way", ["drain", "cut"])
async def test_what_is_held_when_the_owner_turns_the_item_off(tmp_path: Path, way: str) -> None:
    origin = LowLatency()
    await origin.advance(EACH)
    async with WireServer(origin) as server:
        upstream = f"http://127.0.0.1:{server.port}"
        owner = Owner.of(tmp_path, upstream=upstream, policy=POLICY.replace("WAY", way))
        second, host = free_port(), f"127.0.0.1:{owner.port}"
        async with running_worker(tmp_path), running_worker(tmp_path, second):
            link = await owner.link("cam1")
            cookie, entered = await enter(owner.port, link)
            async with WireClient(owner.port, host) as one, WireClient(second, host) as other:
                for client in (one, other):
                    await client.ask(f"{HELD}0", f"Cookie: {cookie}\r\n")
                await until("both are held", lambda: origin.held == 2)
                began = await owner.turns_off("cam1")
                if way == "cut":
                    for client in (one, other):
                        assert (await asyncio.wait_for(client.reply(), 5)).status == 403
                    await until("the origin is let go", lambda: origin.left == 2)
                    assert time.monotonic() - began < 2
                    return
                for port in (owner.port, second):
                    await until("it is heard", lambda port=port: _closed(port, host, link))
                await origin.advance()
                for client in (one, other):
                    reply = await asyncio.wait_for(client.reply(), 5)
                    assert (reply.status, b"video-1.0.m4s" in reply.body) == (200, True)
                    await client.ask(f"{HELD}1", f"Cookie: {cookie}\r\n")
                await until("the next are held", lambda: origin.held == 2)
                # A refresh ends the grant, and so what is held for it.
                page = await ask(second, f"GET {entered.headers['location']}", host=host, cookie=cookie)
                assert page.status == 410
                for client in (one, other):
                    assert (await asyncio.wait_for(client.reply(), 5)).status == 403
                await until("the origin is let go", lambda: origin.left == 2)


async def _closed(port: int, host: str, link: str) -> bool:
    return (await ask(port, f"GET {path_of(link)}", host=host)).status == 410
