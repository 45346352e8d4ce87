"""policies/owncast.yaml before a real Owncast where there is one, and a stand-in that reads as loosely.

One stream and one chat of the whole server: what matters is that a guest reaches nothing else of it, and is nobody else
in the chat than who they said at the door. Who hears what they say sits in the chat at the server itself.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.test_guest_path import enter as fill_in
from tests.chromium import chromium
from tests.policies.live_servers import spellings
from tests.policies.live_servers import until as true
from tests.policies.owncast import PASSWORD, Member, Owncast, owncast, programs, talking
from tests.policies.watching import plays
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself, unpacked
from tests.running import Answer, ask, enter

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "policies" / "owncast.yaml").read_text()
# What docs/servers/owncast.md says for whoever wants no chat.
NO_CHAT = re.sub(r" +# Of the group chat[.]\n.*?(?=  deny:)", "", POLICY, flags=re.S)
NO_CHAT = NO_CHAT.replace("interactions: [chat]", "interactions: []")
STREAM = "/hls/stream.m3u8"
CHAT = "/embed/chat/readwrite/"
NOT_YET, NOT_NOW = b"as soon as it begins", b"If it goes on"
ADDRESS = "/ws?accessToken=guest"


@pytest.fixture(scope="module", params=programs())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owncast]:
    """On the air."""
    with owncast(tmp_path_factory.mktemp("owncast") / "own", request.param) as server, server.publishing():
        yield server


@pytest.fixture
async def stage(tmp_path: Path, server: Owncast) -> AsyncIterator[Stage]:
    await server.live()
    async with between(tmp_path, "owncast", server.port) as stage:
        yield stage


@asynccontextmanager
async def chatting(stage: Stage, cookie: str, address: str = ADDRESS, **options: object) -> AsyncIterator[Member]:
    """A guest's websocket, as their page opens it."""
    url = f"ws://127.0.0.1:{stage.guest.port}{address}"
    async with talking(url, headers={"Cookie": cookie}, **options) as member:
        await member.hears(lambda said: said["type"] == "CONNECTED_USER_INFO")
        yield member


async def come_in(stage: Stage, name: str = "Ada Guest") -> str:
    cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link("main"), name=name)
    assert answer.headers["location"].startswith("/_gateway/watch/")
    return cookie


def registered(stage: Stage) -> int:
    return bytes(stage.server.there).count(b"POST /api/chat/register HTTP/1.1\r\n")


def tokens(stage: Stage) -> list[str]:
    """As they stood in what was sent to the server, in the order of their first use."""
    found = re.findall(rb"[?&]accessToken=([^ &]+) HTTP", bytes(stage.server.there))
    return list(dict.fromkeys(unquote(one.decode()) for one in found))


async def handshake(stage: Stage, cookie: str, address: str = ADDRESS) -> int:
    """What a websocket is answered that is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with chatting(stage, cookie, address):
            pass
    return refused.value.status


def dropped(stage: Stage) -> int:
    for line in stage.gateway.gateway.metrics.text().decode().splitlines():
        if line.startswith("gateway_dropped_messages_total "):
            return int(float(line.rpartition(" ")[2]))
    return 0


async def test_before_a_stream_and_after_it(tmp_path: Path, server: Owncast) -> None:
    with owncast(tmp_path / "own", server.program) as own:
        async with between(tmp_path, "owncast", own.port) as stage:
            at = stage.guest.port
            for item in ("main", "/", "http://stream.lan", "https://stream.lan:8080/", "/embed/video", STREAM, CHAT):
                made = await stage.gateway.make_link(item)
                assert (await stage.gateway.link(made)).link.item == "main"
                await stage.gateway.delete(made)
            for item in ("", "Main", "main/", "../main", "main;x", "/admin/", "/hls/0/stream.m3u8", "main?x", "*"):
                with pytest.raises(LookupError):
                    await stage.gateway.make_link(item)
            link = await stage.gateway.make_link("main")
            _, answer = await enter(at, link)
            assert (answer.status, NOT_YET in answer.body) == (200, True)
            assert registered(stage) == 0
            with own.publishing():
                await own.live()

            async def over() -> bool:
                return not await own.online()

            await true(over)
            # Over, or a break: no guest was there, but Owncast says when it was. A later link's is another page again.
            _, answer = await enter(at, link, name="Bob")
            assert (answer.status, NOT_NOW in answer.body) == (200, True)
            _, answer = await enter(at, await stage.gateway.make_link("main"))
            assert (answer.status, NOT_YET in answer.body) == (200, True)


# What Owncast gives to anybody, or asks a password for.
OPEN = [
    "/", "/index.html", "/embed/video/", "/embed/chat/readonly/", "/api/ping", "/api/followers",
    "/api/socialplatforms", "/api/video/variants", "/customjavascript",
]  # fmt: skip
CLOSED = ["/admin/", "/api/admin/status", "/api/integrations/chat"]
MORE = [
    "/admin", "/api/yp", "/api/admin/serverconfig", "/api/moderation/chat/user/x", "/api/auth/indieauth",
    "/api/auth/provider/indieauth", "/api/remotefollow", "/federation/user/live", "/.well-known/webfinger",
    "/nodeinfo/2.0", "/api/v1/instance", "/public/x.txt", "/debug/vars", "/robots.txt", "/preview.gif", "/sw.js",
    "/serviceWorker.js", "/logo/external", "/embed/chat", "/embed/chat/readwrite", "/hls/", "/hls/0/", "/hls/0/x.mp4",
    "/api/metrics/playback", "/api/notifications/register", "/api", "/api/", "/ws", "/_next/static/", "/img/",
]  # fmt: skip
CHANGES = [
    "POST /api/admin/config/streamkeys", "POST /api/admin/chat/users/setmoderator", "POST /api/admin/disconnect",
    "POST /api/chat/messagevisibility?accessToken=guest", "POST /api/chat/users/setenabled?accessToken=guest",
    "POST /api/chat?accessToken=guest", "PUT /api/chat/register", "GET /api/chat/register", "POST /api/config",
    "POST /api/status", "POST /api/emoji", "POST /api/integrations/chat/send", "POST /api/remotefollow",
    "POST /api/notifications/register?accessToken=guest", "POST /federation/user/live/inbox", "POST /api/ping",
    "POST /ws?accessToken=guest", "DELETE /hls/0/stream.m3u8", "PUT /hls/0/new.ts", "POST /api/chat/register?x=1",
]  # fmt: skip


async def test_the_stream_and_the_chat_page_arrive_and_nothing_else(stage: Stage, server: Owncast) -> None:
    at = stage.guest.port
    await server.administer("config/sockethostoverride", {"value": "https://chat.elsewhere.test"})
    cookie = await come_in(stage)

    async def got(target: str, method: str = "GET") -> Answer:
        return await ask(at, f"{method} {target}", cookie=cookie)

    master = await got(STREAM)
    (variant,) = [line for line in master.body.decode().splitlines() if line.endswith("m3u8")]
    (*_, last) = [line for line in (await got(f"/hls/{variant}")).body.decode().splitlines() if line.endswith(".ts")]
    segment = await got(f"/hls/{variant.partition('/')[0]}/{last}")
    assert (segment.status, segment.body[:1]) == (200, b"G")
    assert (await got("/thumbnail.jpg")).status in (200, 404)
    page = await got(CHAT)
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    scripts = re.findall(rb'<script[^>]* src="(/_next/static/[^"]+)"', page.body)
    assert scripts
    for script in {one.decode() for one in scripts}:
        assert (await got(script)).status == 200, script
    config = json.loads((await got("/api/config")).body)
    assert "name" in config
    assert "socketHostOverride" not in config
    assert b"elsewhere.test" in (await ask(server.port, "GET /api/config")).body
    packed = await ask(at, "GET /api/config", cookie=cookie, headers="Accept-Encoding: br, zstd, gzip, deflate\r\n")
    assert packed.headers.get("content-encoding") in (None, "gzip"), "it was read, however the server packs it"
    assert b"elsewhere.test" not in unpacked(packed.body)

    for path in OPEN:
        assert (await ask(server.port, f"GET {path}")).status == 200, path
    for path in CLOSED:
        assert (await ask(server.port, f"GET {path}")).status == 401, path
    doors = [*OPEN[2:], *CLOSED, *MORE]
    await stage.refuses(cookie, *(f"GET {path}" for path in (*OPEN[:2], *doors)), *CHANGES)
    await stage.refuses(cookie, *(f"GET {spelt}" for door in CLOSED for spelt in spellings(door)))
    await stage.refuses(cookie, *anywhere(STREAM, "/admin/"), *anywhere(CHAT, "/embed/chat/readonly/"))
    await stage.refuses(
        cookie,
        "GET /hls/../config.ts", "GET /hls/0/..%2f..%2fowncast.ts", "GET /hls/0/%2e%2e/1/stream.m3u8",
        "GET /hls/0//stream.m3u8", "GET /hls/0/a/b.ts", "GET /hls/0/.ts", f"GET {STREAM}?x=1",
        "GET /hls/000/stream.m3u8", "GET /hls/0/stream.TS",
        "GET /_next/static/../../admin/", "GET /_next/static/%2e%2e/%2e%2e/admin/index.html",
        "GET /img/emoji/../../admin/", "GET /img/emoji/..%2f..%2fadmin%2f", "GET /img/../admin/", "WS /api/status",
        "WS /ws", "WS /ws/?accessToken=guest", "GET /embed/chat/readwrite/index.html", f"GET {CHAT}?x=1",
        "GET /api/chat/?accessToken=guest", "GET /api/config?x=1", "GET /API/config",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, "/api/config")
    stage.keeps("elsewhere.test", *tokens(stage), f"127.0.0.1:{stage.server.port}")


async def test_a_guest_chats_under_their_name_and_does_nothing_else(stage: Stage, server: Owncast) -> None:
    at = stage.guest.port
    cookie = await come_in(stage, "Zoë \u202eGuest\t<i>")
    assert registered(stage) == 1
    sent = "Content-Type: application/json\r\nX-Forwarded-User: Moderator\r\nX_Forwarded_User: Moderator\r\n"
    for body in (b"{}", b'{"displayName": "Moderator"}', b""):
        answer = await ask(at, "POST /api/chat/register", cookie=cookie, headers=sent, body=body)
        told = json.loads(answer.body)
        assert (told["accessToken"], told["displayName"]) == ("guest", "Zoë Guest"), body
        assert answer.set_cookies == []
    assert registered(stage) == 1, "the gateway answers"
    async with server.member() as house, chatting(stage, cookie) as guest:
        own = (await guest.hears(lambda said: said["type"] == "CONNECTED_USER_INFO"))["user"]
        assert (own["displayName"], own["id"]) == ("Zoë Guest", told["id"])
        frames = [
            '{"type":"NAME_CHANGE","newName":"Moderator"}', '{"type":"COLOR_CHANGE","newColor":1}',
            '{"type":"CHAT","type":"NAME_CHANGE","body":"x","newName":"Moderator"}',
            '{"type":"NAME_CHANGE","type":"CHAT","body":"x","newName":"Moderator"}',
            '{"Type":"NAME_CHANGE","type":"CHAT","body":"x"}', '{"type":"CHAT","body":"said","Body":"odd"}',
            '{"type":"CHAT","BODY":"odd"}', '{"type":"chat","body":"odd"}', '{"type":"CHAT","body":{"a":1}}',
            '{"type":"CHAT"}', '{"type":"SYSTEM","body":"odd"}', '{"type":"VISIBILITY-UPDATE","ids":["x"]}',
            '{"type":"PONG"}', '{"type":"PING"}', '{"type":"CHAT_ACTION","body":"odd"}', '["CHAT","odd"]', '"CHAT"',
            "null", "", "{", '{"type":"CHAT","body":"odd"}\n{"type":"NAME_CHANGE","newName":"Moderator"}',
            '{"type":"CHAT","body":"' + "o" * 2100 + '"}', '{"type":"USER_JOINED"}', '{"body":"odd"}',
        ]  # fmt: skip
        for text in frames:
            await guest.socket.send_str(text)
        await guest.socket.send_bytes(b'{"type":"CHAT","body":"odd"}')
        # Keys that are not asked for are gone; whose message it is the server looks at.
        await guest.say(
            "Good evening <b> &\n\\ \U0001f44b", user={"displayName": "Moderator"}, visible=False, id="mine",
            timestamp="1970-01-01T00:00:00Z", newName="Moderator",
        )  # fmt: skip
        said = await house.hears_said("Good evening")
        assert (said["user"]["displayName"], said["user"]["id"]) == ("Zoë Guest", own["id"])
        assert said["id"] != "mine"
        assert "\U0001f44b" in said["body"]
        assert said["timestamp"] > "2026"
        assert dropped(stage) == len(frames) + 1
        await guest.hears_said("Good evening")
        assert (len(house.chatted), len(guest.chatted)) == (1, 1)
        assert "Moderator" not in await server.names()
        assert not [one for one in house.heard if one["type"] == "NAME_CHANGE"]
        history = json.loads((await ask(at, "GET /api/chat?accessToken=guest", cookie=cookie, headers=sent)).body)
        assert history[-1]["user"]["displayName"] == "Zoë Guest"
        assert not re.search(rb"(?i)x[-_.]forwarded[-_.]user", bytes(stage.server.there))
    stage.keeps(*tokens(stage))


async def test_whoever_s_token_is_sent_it_is_the_guest_s_own_that_arrives(stage: Stage, server: Owncast) -> None:
    moderator, stranger = await server.register("Mod of the house"), await server.register("Somebody")
    await server.administer("chat/users/setmoderator", {"userId": moderator["id"], "isModerator": True})
    cookie, other = await come_in(stage), await come_in(stage, "Bob")
    async with chatting(stage, other):
        pass
    (others,) = tokens(stage)
    addresses = [
        ADDRESS, "/ws?accessToken=", f"/ws?accessToken={others}", f"/ws?accessToken={quote(moderator['accessToken'])}",
        f"/ws?accessToken={stranger['accessToken']}&accessToken={quote(moderator['accessToken'])}",
    ]  # fmt: skip
    for address in addresses:
        async with chatting(stage, cookie, address) as guest:
            own = await guest.hears(lambda said: said["type"] == "CONNECTED_USER_INFO")
            assert own["user"]["displayName"] == "Ada Guest", address
            assert not own["user"].get("scopes")
    token = quote(moderator["accessToken"])
    before = len(stage.server.asked)
    for address in (f"/ws?AccessToken={token}", f"/ws?accessToken=guest&x=accessToken={token}", f"/ws?{token}", "/ws/"):
        assert await handshake(stage, cookie, address) in (400, 403), address
    assert await handshake(stage, "", f"/ws?accessToken={others}") in (401, 403)
    assert await handshake(stage, "", f"/ws?accessToken={token}") in (401, 403)
    hide = f"?accessToken={token}"
    await stage.refuses(
        cookie,
        f"POST /api/chat/messagevisibility{hide}", f"POST /api/chat/users/setenabled{hide}",
        f"GET /api/moderation/chat/user/x{hide}", f"GET /api/chat?AccessToken={token}",
    )  # fmt: skip
    assert len(stage.server.asked) == before
    headers = f"Authorization: Bearer {moderator['accessToken']}\r\n"
    answer = await ask(
        stage.guest.port, f"GET /api/chat?accessToken={token}",
        cookie=f"{cookie}; owncast_chat_token={moderator['accessToken']}", headers=headers,
    )  # fmt: skip
    assert answer.status == 200
    sent = bytes(stage.server.there)
    for one in (moderator, stranger):
        assert one["accessToken"].encode() not in sent
        assert quote(one["accessToken"]).encode() not in sent
    # No subprotocol and no other page opens it.
    async with chatting(stage, cookie, protocols=("moderator", "op")) as guest:
        assert guest.socket.protocol is None
    assert b"sec-websocket-protocol" not in bytes(stage.server.there).lower()
    for foreign in ("http://elsewhere.test", f"http://127.0.0.1:{server.port}", "null"):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with chatting(stage, cookie, origin=foreign):
                pass
    stage.keeps(*tokens(stage))


async def test_who_is_removed_is_out_and_stays_out(stage: Stage, server: Owncast) -> None:
    at = stage.guest.port
    cookie, other = await come_in(stage), await come_in(stage, "Bob")
    variant = "/hls/0/stream.m3u8"
    async with server.member() as house, chatting(stage, cookie) as guest, chatting(stage, other) as bob:
        await true(lambda: _among(server, "Ada Guest"))
        (first, *_) = tokens(stage)
        guests = await stage.gateway.desk.guests("tv", "main")
        (ada,) = [one.guest for one in guests if one.guest.name == "Ada Guest"]  # type: ignore[union-attr]
        began = time.monotonic()
        await stage.gateway.desk.remove(ada, erase=False)
        await guest.ended()
        await true(lambda: _gone(server, "Ada Guest"))
        assert time.monotonic() - began < 10, "two seconds, on a machine with nothing else to do"
        # With everything their browser still holds, and what it never held.
        for address in (ADDRESS, f"/ws?accessToken={quote(first)}"):
            assert await handshake(stage, cookie, address) == 403
        for target in (STREAM, variant, CHAT, "/api/chat?accessToken=guest", "/api/config", "/thumbnail.jpg"):
            assert (await ask(at, f"GET {target}", cookie=cookie)).status == 403, target
        assert (await ask(at, "POST /api/chat/register", cookie=cookie, body=b"{}")).status == 403
        # In another guest's hands it makes nobody Ada.
        async with chatting(stage, other, f"/ws?accessToken={quote(first)}") as again:
            own = await again.hears(lambda said: said["type"] == "CONNECTED_USER_INFO")
            assert own["user"]["displayName"] == "Bob"
        await bob.say("still here")
        assert (await house.hears_said("still here"))["user"]["displayName"] == "Bob"
        assert (await ask(at, f"GET {variant}", cookie=other)).status == 200
        # A link that is turned off ends the rest.
        await stage.gateway.switch("main", on=False)
        await bob.ended()
        assert await handshake(stage, other) in (403, 410)
    stage.keeps(*tokens(stage), PASSWORD)


async def _among(server: Owncast, name: str) -> bool:
    return name in await server.names()


async def _gone(server: Owncast, name: str) -> bool:
    return name not in await server.names()


async def test_with_chat_off_there_is_none(tmp_path: Path, server: Owncast) -> None:
    await server.live()
    async with between(tmp_path, NO_CHAT, server.port) as stage:
        link = await stage.gateway.make_link("main")
        form = await ask(stage.guest.port, f"GET /{link.split('/', 3)[3]}", headers="Accept: text/html\r\n")
        cookie, answer = await enter(stage.guest.port, link)
        page = (await ask(stage.guest.port, f"GET {answer.headers['location']}", cookie=cookie)).body
        assert b"/embed/chat" not in page
        assert b"<iframe" not in page
        assert (await ask(stage.guest.port, f"GET {STREAM}", cookie=cookie)).status == 200
        assert await handshake(stage, cookie) == 403
        # Nobody is registered, and so the guest is not told that the server learns their name.
        told = (await ask(stage.guest.port, f"GET /{link.split('/', 3)[3]}", headers="Accept: text/html\r\n")).body
        assert told.count(b"<form") == form.body.count(b"<form")
        await stage.refuses(
            cookie, f"GET {CHAT}", "POST /api/chat/register", "GET /api/chat?accessToken=guest", "GET /api/config",
            "GET /api/status", "GET /api/emoji", "GET /_next/static/chunks/chat.js", "GET /logo",
            *(f"GET {spelt}" for spelt in spellings(CHAT)),
        )  # fmt: skip
        assert registered(stage) == 0
        # Turned on while somebody is in, it is there for them too, from their next page on.
        await stage.gateway.reconfigure("policy: ./policy.yaml", "policy: owncast")
        assert await handshake(stage, cookie) == 403
        page = (await ask(stage.guest.port, f"GET {answer.headers['location']}", cookie=cookie)).body
        assert b"/embed/chat" in page
        async with chatting(stage, cookie) as guest:
            own = await guest.hears(lambda said: said["type"] == "CONNECTED_USER_INFO")
            assert own["user"]["displayName"] == "Ada Guest"
        for _ in range(2):
            assert (await ask(stage.guest.port, f"GET {CHAT}", cookie=cookie)).status == 200
        assert registered(stage) == 1


async def test_a_chat_that_fails_keeps_nobody_from_the_stream(stage: Stage, server: Owncast) -> None:
    at = stage.guest.port
    # A name of which Owncast leaves nothing: newer ones register nobody, older ones think of a name.
    cookie = await come_in(stage, "<script>")
    assert (await ask(at, f"GET {STREAM}", cookie=cookie)).status == 200
    answer = await ask(at, "POST /api/chat/register", cookie=cookie, body=b"{}")
    if server.program == "fake":
        assert answer.status == 403
        assert await handshake(stage, cookie) == 403
        await stage.refuses(cookie, "GET /api/chat?accessToken=guest")
    # Who is shut out of the chat by the house can't register anew.
    cookie = await come_in(stage, "Rude")
    async with chatting(stage, cookie) as rude:
        own = (await rude.hears(lambda said: said["type"] == "CONNECTED_USER_INFO"))["user"]
        await server.administer("chat/users/setenabled", {"userId": own["id"], "enabled": False})
        await rude.ended()
    before = registered(stage)
    assert (await ask(at, "POST /api/chat/register", cookie=cookie, body=b"{}")).status == 200
    async with talking(f"ws://127.0.0.1:{at}{ADDRESS}", headers={"Cookie": cookie}) as rude:
        await rude.hears(lambda said: said["type"] == "ERROR_USER_DISABLED")
        await rude.ended()
    assert registered(stage) == before
    # With the chat turned off there the stream goes on.
    await server.administer("config/chat/disable", {"value": True})
    try:
        assert await handshake(stage, cookie) >= 400
        assert (await ask(at, f"GET {STREAM}", cookie=cookie)).status == 200
    finally:
        await server.administer("config/chat/disable", {"value": False})


@pytest.mark.browser
async def test_a_browser_waits_watches_chats_and_is_cut(tmp_path: Path, server: Owncast) -> None:
    with owncast(tmp_path / "own", server.program) as own:
        async with between(tmp_path, "owncast", own.port) as stage, chromium() as browser:
            page = await browser.new_page()
            await page.clock.install()  # pages that wait a little are hurried
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            await fill_in(page, await stage.gateway.make_link("main"))
            await expect(page.get_by_role("heading", name="Not yet")).to_be_visible()
            with own.publishing():
                await own.live()
                await page.clock.fast_forward(6_000)
                await page.wait_for_url("**/_gateway/watch/**", timeout=60_000)
                await page.locator("video").wait_for(state="attached")
                await plays(page)
                chat = page.frame_locator("#chat iframe")
                await chat.locator("#chat-input-content-editable").wait_for(timeout=45_000)
                async with own.member() as house:
                    await true(lambda: _among(own, "Ada Guest"))
                    await chat.locator("#chat-input-content-editable").click()
                    await page.keyboard.type("Good evening from afar")
                    await page.keyboard.press("Enter")
                    said = await house.hears_said("Good evening from afar")
                    assert said["user"]["displayName"] == "Ada Guest"
                    await house.say("Welcome, Ada")
                    await expect(chat.locator("#chat-container").first).to_contain_text("Welcome, Ada", timeout=45_000)
                    await expect(chat.locator("#chat-container").first).to_contain_text("Good evening from afar")
                    # A service worker starts nowhere on this host, and the page does without.
                    assert [fault for fault in faults if "ServiceWorker" not in fault] == []

            # A break: the page waits, and comes back by itself as the same guest in the same chat.
            await expect(page.get_by_text("there is a break")).to_be_visible(timeout=60_000)
            await page.clock.fast_forward(15_000)
            await expect(page.get_by_role("heading", name="live right now")).to_be_visible(timeout=60_000)
            with own.publishing():
                await own.live()
                await page.clock.fast_forward(6_000)
                await page.wait_for_url("**/_gateway/watch/**", timeout=60_000)
                await page.locator("video").wait_for(state="attached")
                await plays(page)
                async with own.member() as house:
                    await expect(chat.locator("#chat-container").first).to_contain_text("Welcome, Ada", timeout=45_000)
                    await true(lambda: _among(own, "Ada Guest"))

                    await stage.gateway.switch("main", on=False)
                    await true(lambda: _gone(own, "Ada Guest"))
                    await expect(page.locator(".trouble")).to_contain_text("Your access has ended", timeout=45_000)
                    await expect(page.locator("#chat")).to_have_count(0)
                    await house.say("Gone")
                    await house.hears_said("Gone")
                answer = await page.reload()
                assert answer is not None
                assert answer.status in (403, 410)
            if server.program == "fake":  # the real one packs in ways that are not looked into here
                stage.keeps(*tokens(stage))
