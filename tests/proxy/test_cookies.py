"""`cookies` between a real server and a real client: kept ones stay here, the guest's own pass both ways."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.http_websocket import WS_KEY

from gateway.errors import StoreDown
from gateway.links.records import Variables
from tests.proxy.conftest import IN, POLICY, FakeLive, Stage, opened
from tests.wire import Call

COOKIES = "\ncookies: [session, {theme: guest}, {__Host-pref: guest}]\n"
LONG = "0123456789abcdef0123"


@dataclass(frozen=True)
class FakeGrant:
    id: str = "g1"
    brought: Variables = field(default_factory=dict)
    ends_at: int = field(default_factory=lambda: time.time_ns() // 1_000_000 + 3_600_000)


@dataclass
class Media:
    sets: list[str] = field(default_factory=list)
    status: str = "200 OK"
    kind: str = "video/mp4"
    more: str = ""
    body: bytes = b"ok"
    seen: list[Call] = field(default_factory=list)

    async def script(self, call: Call) -> None:
        self.seen.append(call)
        lines = "".join(f"Set-Cookie: {one}\r\n" for one in self.sets)
        body = b"" if self.status.startswith("304") else self.body
        await call.answer(body, status=self.status, headers=f"Content-Type: {self.kind}\r\n{lines}{self.more}")


@asynccontextmanager
async def stage_of(
    media: Media, policy: str = POLICY + COOKIES, **options: Any
) -> AsyncIterator[tuple[Stage, list[Variables]]]:
    brought: list[Variables] = []
    async with opened(media.script, policy_text=policy, **options) as stage:
        stage.live.grant = FakeGrant()

        async def bring(live: FakeLive, values: Variables) -> None:
            brought.append(values)
            live.grant = dataclasses.replace(live.grant, brought={**live.grant.brought, **values})

        object.__setattr__(stage.door, "bring", bring)
        object.__setattr__(stage.door.session, "in_frame", lambda request: False)
        yield stage, brought


@pytest.mark.parametrize("status", ["200 OK", "206 Partial Content", "304 Not Modified", "404 Not Found", "302 Found"])
async def test_a_kept_cookie_goes_back_whatever_the_answer_was_and_never_to_the_guest(status: str) -> None:
    media = Media([f"session={LONG}; Path=/; HttpOnly", "other=1; Path=/"], status, more="Location: /v/abc/y\r\n")
    async with stage_of(media) as (stage, brought), stage.client() as guest:
        reply = await guest.get("GET /v/abc/x", IN)
        assert reply.all("Set-Cookie") == []
        assert LONG not in reply.head
        await guest.get("GET /v/abc/x", IN + "Cookie: session=mine; other=2\r\n")
        assert media.seen[0].header("Cookie") is None
        assert media.seen[1].header("Cookie") == f"session={LONG}"
        assert len(brought) == 1, "what is the same is not written again"
        media.sets = ["session=; Path=/; Max-Age=0"]
        await guest.get("GET /v/abc/x", IN)
        await guest.get("GET /v/abc/x", IN)
        assert media.seen[3].header("Cookie") is None


async def test_its_value_is_looked_for_in_texts_and_headers() -> None:
    media = Media([f"session={LONG}; Path=/"], kind="text/html", body=f"<p>{LONG}".encode())
    async with stage_of(media) as (stage, _), stage.client() as guest:
        assert (await guest.get("GET /v/abc/x.html", IN)).status == 502
        media.body, media.more = b"fine", f"X-Echo: {LONG}\r\n"
        reply = await guest.get("GET /v/abc/x.html", IN)
        assert (reply.status, reply.header("X-Echo")) == (200, None)


async def test_with_the_store_down_it_counts_here() -> None:
    media = Media(["session=abc; Path=/"])
    async with stage_of(media) as (stage, _), stage.client() as guest:

        async def down(live: FakeLive, values: Variables) -> None:
            raise StoreDown("no")

        def keep(values: Variables) -> None:
            stage.live.grant = dataclasses.replace(stage.live.grant, brought=values)

        object.__setattr__(stage.door, "bring", down)
        stage.live.keep = keep  # type: ignore[attr-defined]
        assert (await guest.get("GET /v/abc/x", IN)).status == 200
        await guest.get("GET /v/abc/x", IN)
        assert media.seen[1].header("Cookie") == "session=abc"


async def test_the_guests_own_passes_both_ways_in_our_form() -> None:
    media = Media(
        ["theme=dark; Path=/deep; Domain=tv.lan; HttpOnly; Max-Age=99999999", "__Host-pref=1; Path=/; Secure"]
    )
    async with stage_of(media) as (stage, brought), stage.client() as guest:
        reply = await guest.get("GET /v/abc/x", "Cookie: gateway=in; theme=light; __Host-pref=2\r\n")
        assert media.seen[0].header("Cookie") == "__Host-pref=2; theme=light"
        (line,) = reply.all("Set-Cookie")  # a __Host- cookie is none without https
        said, _, age = line.rpartition("=")
        assert said == "theme=dark; Path=/; HttpOnly; SameSite=Lax; Max-Age"
        assert 3_500 < int(age) <= 3_600, "no longer than the grant"
        assert brought == []
        media.sets = ["theme=; Max-Age=0", 'theme="a"']
        (line,) = (await guest.get("GET /v/abc/x", IN)).all("Set-Cookie")
        assert line == "theme=; Path=/; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


async def test_a_guest_who_writes_a_kept_name_is_not_heard() -> None:
    media = Media()
    async with stage_of(media) as (stage, _), stage.client() as guest:
        stage.live.grant = FakeGrant(brought={"cookie session /": ("0:real",)})
        for cookie in (
            "session=mine",
            'theme="; session=mine; x="',
            "theme=a,session=mine",
            "theme=a; session=mine; SESSION=mine",
            "theme=a\tsession=mine",
            "$Version=1; session=mine",
        ):
            await guest.get("GET /v/abc/x", f"Cookie: gateway=in; {cookie}\r\n")
            sent = media.seen[-1].header("Cookie") or ""
            assert "mine" not in sent
            assert sent.startswith("session=real")


async def test_a_credential_in_a_guests_cookie_stays_here() -> None:
    media = Media(["theme=s3cr3t-T0ken-value; Path=/"])
    upstream = '\nupstream: {headers: {X-Key: "s3cr3t-T0ken-value"}}\n'
    async with stage_of(media, POLICY + COOKIES + upstream) as (stage, _), stage.client() as guest:
        assert (await guest.get("GET /v/abc/x", IN)).all("Set-Cookie") == []


async def test_in_a_frame_it_is_for_that_frame() -> None:
    media = Media(["theme=dark"])
    async with stage_of(media) as (stage, _):
        facing = stage.door._facing(stage.live.server)
        config = dataclasses.replace(
            facing.server.config, public=dataclasses.replace(facing.server.config.public, scheme="https")
        )
        secure = dataclasses.replace(
            facing, server=SimpleNamespace(policy=facing.server.policy, config=config, sign_in=None)
        )
        live: Any = stage.live
        secure = secure.towards(live)
        assert secure.cookie_lines(["theme=a"], framed=True) == ["theme=a; Path=/; SameSite=None; Secure; Partitioned"]
        assert secure.cookie_lines(["theme=a"], framed=False) == ["theme=a; Path=/; SameSite=Lax; Secure"]
        assert secure.cookie_lines(["__Host-pref=a; SameSite=Strict"], framed=False) == [
            "__Host-pref=a; Path=/; SameSite=Strict; Secure"
        ]


async def test_a_websockets_101_sets_them_too() -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="

    async def script(call: Call) -> None:

        asked = (call.header("Sec-WebSocket-Key") or "").encode()
        accept = base64.b64encode(hashlib.sha1(asked + WS_KEY).digest()).decode()  # RFC 6455
        cookies.append(call.header("Cookie"))
        await call.say(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSet-Cookie: session=ws1; Path=/\r\nSet-Cookie: theme=ws\r\n\r\n"
        )
        await call.gone()

    cookies: list[str | None] = []
    media = Media()
    media.script = script  # type: ignore[method-assign]
    async with stage_of(media) as (stage, brought):
        for _ in range(2):
            async with stage.client() as guest:
                await guest.ask(
                    "GET /ws/abc",
                    "Cookie: gateway=in; theme=mine; session=mine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
                )
                head = await guest.head()
                assert head.status == 101
                assert head.all("Set-Cookie") == ["theme=ws; Path=/; SameSite=Lax"]
        assert cookies == ["theme=mine", "session=ws1; theme=mine"]
        assert len(brought) == 1
