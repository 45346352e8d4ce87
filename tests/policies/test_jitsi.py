"""policies/jitsi.yaml before a stand-in whose rooms ask for tokens and forget to, and before Debian's prosody.

Which room somebody is in is said in stanzas, so what a guest says is sent through the gateway, and what came of it is
heard by somebody who sits in the room, or in another one, at the server itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import aiohttp
import pytest
from playwright.async_api import expect

from gateway.policy.load import load_policy
from tests.browser.test_guest_path import enter as fill_in
from tests.chromium import chromium
from tests.policies.conference import (
    APP,
    CLOSE,
    DOMAIN,
    FRAMING,
    OPEN,
    SECRET,
    Member,
    host,
    jitsi,
    prosody,
    talking,
    token,
)  # fmt: skip
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, ask, enter

HALL, OTHER = "village-hall", "other-hall"
KNOWN = f"    also_known_as: [https://{DOMAIN}]\n"
ENABLE = '<enable xmlns="urn:xmpp:sm:3" resume="true"/>'
INITIATOR = '<initiator xmlns="http://jitsi.org/protocol/jigasi"/>'
TRANSCRIBER = '<features><feature var="http://jitsi.org/protocol/transcriber"/></features>'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with jitsi(tmp_path_factory.mktemp("jitsi") / "own") as port:
        yield port


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("DOMAIN", DOMAIN), ("APP_ID", APP), ("APP_SECRET", SECRET)):
        monkeypatch.setenv(f"JITSI_{name}", value)


@pytest.fixture
async def stage(tmp_path: Path, server: int) -> AsyncIterator[Stage]:
    async with between(tmp_path, "jitsi", server, server_extra=KNOWN) as stage:
        yield stage


@dataclass
class Guest:
    """Who has come in by a link, and their websocket."""

    stage: Stage
    member: Member

    def dropped(self) -> int:
        for line in self.stage.gateway.gateway.metrics.text().decode().splitlines():
            if line.startswith("gateway_dropped_messages_total "):
                return int(float(line.rpartition(" ")[2]))
        return 0

    async def says_in_vain(self, *frames: str) -> None:
        """Each of these texts is dropped."""
        before = self.dropped()
        await self.member.say(*frames)
        async with asyncio.timeout(30):
            while self.dropped() < before + len(frames):
                await asyncio.sleep(0.02)
        assert self.dropped() == before + len(frames)


@asynccontextmanager
async def coming(
    stage: Stage, room: str = HALL, *, name: str = "Ada Guest", cookie: str = "", query: str = ""
) -> AsyncIterator[Guest]:
    if not cookie:
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(room), name=name)
    url = f"ws://127.0.0.1:{stage.guest.port}/xmpp-websocket?room={room}{query}"
    async with talking(url, "ada", headers={"Cookie": cookie}) as member:
        yield Guest(stage, member)


async def test_a_room_is_pasted_in_any_case_and_kept_in_one(stage: Stage) -> None:
    for item in (
        HALL,
        "Village-Hall",
        "/Village-hall",
        "https://Meet.test/VILLAGE-HALL",
        f" https://x.test/{HALL}#config.x=1",
    ):
        made = await stage.gateway.make_link(item)
        assert (await stage.gateway.link(made)).link.item == HALL, item
        await stage.gateway.delete(made)
    for item in (
        "", "/", "a/b", "x/village-hall", "config.js", "_unlock", "..", "*", "[x]village-hall", "village hall",
        "réunion", "village%2dhall/", f"{HALL}@conference.{DOMAIN}", "https://meet.test/", "https://meet.test/x/village-hall",
    ):  # fmt: skip
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)


async def test_the_page_arrives_and_nothing_else(stage: Stage, server: int) -> None:
    at = stage.guest.port
    cookie, answer = await enter(at, await stage.gateway.make_link(HALL))
    page = f"/{HALL}"
    assert answer.headers["location"] == f"{page}#userInfo.displayName=%22Ada%20Guest%22"

    async def got(path: str, method: str = "GET") -> Answer:
        return await ask(at, f"{method} {path}", cookie=cookie)

    # Its addresses are the gateway's.
    for path in (page, "/config.js", "/config.js?v=1"):
        text = (await got(path)).body.decode()
        assert f"websocket: 'ws://127.0.0.1:{at}/xmpp-websocket'" in text, text
        assert f"conferenceRequestUrl: 'http://127.0.0.1:{at}/conference-request/v1'" in text
        assert f"//{DOMAIN}" not in text
    for path in ("/libs/app.bundle.min.js?v=139", "/css/all.css", "/lang/main.json", "/images/favicon.svg?v=1"):
        assert (await got(path)).status == 200, path
    before = len(stage.server.there)
    assert (await got(f"/xmpp-websocket?room={HALL}")).status == (await got("/_unlock")).status == 204
    assert len(stage.server.there) == before

    # The server itself gives these to anybody: what follows an unknown first segment is taken from the root.
    loose = [
        f"/{OTHER}",
        "/x/config.js",
        "/x/xmpp-websocket",
        "/x/_api/room-info",
        "/_api/room-info?room=x",
        "/",
        "/x/y/z",
    ]
    for target in loose:
        assert (await ask(server, f"GET {target}")).status == 200, target
    await stage.refuses(cookie, *(f"GET {target}" for target in loose), *anywhere(page, f"/{OTHER}"))
    await stage.refuses(cookie, *anywhere("/config.js", f"/{OTHER}/config.js"))
    await stage.refuses(
        cookie,
        f"GET {page}?jwt=x", f"GET {page}?token=x", f"GET {page}/", f"GET {page}/{OTHER}", f"GET {page}/config.js",
        "GET /Village-Hall", f"GET /x/{HALL}", "GET /pwa-worker.js", "GET /external_api.js", "GET /static/oauth.html",
        "GET /_api/public/x", f"GET /room-size?room={OTHER}", "GET /conference-request/v1", "GET /http-bind",
        "GET /colibri/conferences", "GET /about/health", "GET /.well-known/x", "GET /robots.txt",
        f"GET /xmpp-websocket?room={HALL}&prefix=x", "GET /xmpp-websocket/", "POST /xmpp-websocket",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, page)
    stage.keeps(SECRET, f"127.0.0.1:{stage.server.port}", f"localhost:{stage.server.port}")


async def refused(stage: Stage, cookie: str, path: str, status: int = 403, **options: object) -> None:
    before = len(stage.server.there)
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        async with talking(
            f"ws://127.0.0.1:{stage.guest.port}{path}", "x", signs_in=False,
            headers={"Cookie": cookie}, **options,
        ):  # fmt: skip
            pass
    assert error.value.status == status, path
    assert len(stage.server.there) == before, path


async def test_the_gateway_writes_the_token_and_the_guest_never_has_it(stage: Stage, server: int) -> None:
    cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(HALL))
    theirs = token(OTHER)
    query = f"&token={theirs}&room={OTHER}&previd=x&token=&previd="
    async with coming(stage, cookie=cookie, query=query) as guest:
        await guest.member.enter(HALL)
        asked = [line for line in stage.server.asked if "/xmpp-websocket" in line][-1]
        sent = parse_qs(asked.partition("?")[2])
        assert sent["room"] == [HALL]
        assert set(sent) == {"room", "token"}
        (made,) = sent["token"]
        assert theirs not in asked
    stage.keeps(made, SECRET)
    # Taken from the wire behind the gateway it opens this room and no other; the stand-in and prosody check it alike.
    async with talking(f"ws://127.0.0.1:{server}/xmpp-websocket?token={made}", "thief") as thief:
        await thief.say(thief.presence(OTHER))
        await thief.hears("not-allowed")
        await thief.enter(HALL)
    for path in (
        "/xmpp-websocket?prefix=x", "/xmpp-websocket?vnode=v1", "/xmpp-websocket?customusername=focus",
        "/xmpp-websocket/", "/x/xmpp-websocket", f"/{HALL}/xmpp-websocket", "/xmpp-websocket?Token=x",
        "/xmpp-websocket?room%00=x",
        "/xmpp-websocket?x=%26prefix=x", "/XMPP-websocket", "/http-bind", "/",
        "/colibri-ws/10.0.0.1/abc/def?pwd=x", "/colibri-ws/default-id/abc/def", "/colibri-ws/default-id/abc/d/e?pwd=x",
        "/colibri-ws/default-id/abc/def?pwd=x&pwd=y",
    ):  # fmt: skip
        await refused(stage, cookie, path, 400 if "%00" in path else 403)
    for foreign in ("http://elsewhere.test", f"https://{DOMAIN}", "null"):
        await refused(stage, cookie, "/xmpp-websocket", origin=foreign)
    url = f"ws://127.0.0.1:{stage.guest.port}/colibri-ws/default-id/8b3b6e7c/abcdef12?pwd=6a7b"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers={"Cookie": cookie}) as bridge:
        assert (await bridge.receive_json())["at"] == "default-id"


async def test_another_room_is_reached_by_no_stanza(stage: Stage, server: int) -> None:
    """What prosody itself lets pass, seen from the other room."""
    async with host(server, OTHER) as elsewhere, host(server, HALL) as member, coming(stage) as guest:
        # At the server itself a token for this room enters the other one like this.
        async with talking(f"ws://127.0.0.1:{server}/xmpp-websocket?token={token(HALL)}", "loose") as loose:
            await loose.say(loose.presence(OTHER, INITIATOR))
            await elsewhere.hears("/loose")
        me = guest.member
        there = me.presence(OTHER)
        spaced = there.replace('xmlns="jabber:client"', 'xmlns="jabber:server"')
        await guest.says_in_vain(
            there, me.presence(OTHER, INITIATOR), me.presence(OTHER, TRANSCRIBER), me.presence(f"[x]{HALL}"),
            me.presence(OTHER.upper()), me.presence(HALL.upper()), me.presence(f"{OTHER}&#47;"),
            me.presence(f" {HALL}"),
            me.presence(HALL, service="conference.x"), me.presence(HALL, service="internal.auth"), spaced,
            me.presence("jvbbrewery", service="internal.auth"), me.presence(OTHER, service="lobby"),
            me.presence("x", service="breakout"), me.message(OTHER, "hi"), me.message(f"{OTHER}/x", "hi"),
            there + me.presence(HALL), me.presence(HALL) + there, me.presence(HALL)[:-3], "<presence", " ", "",
            f"<?xml version='1.0'?>{me.presence(HALL)}", f"<!--x-->{me.presence(HALL)}", f"{me.presence(HALL)}<?x?>",
            f'<!DOCTYPE x [<!ENTITY r "{OTHER}">]>' + me.presence("&r;"), me.presence("&r;"),
            f"<![CDATA[{there}]]>", f"</stream:stream>{there}", f"<stream:stream>{there}", f"{me.presence(HALL)}\0",
            there.replace(' to="', f' to="{HALL}@conference.{DOMAIN}/x" to="'),
            there.replace(' to="', f' TO="{HALL}@conference.{DOMAIN}/x" to="'),
            f'<presence xmlns="jabber:client" xmlns:c="x" c:to="{HALL}@conference.{DOMAIN}/x" to="{OTHER}@x"/>',
            f'<x:presence xmlns:x="jabber:client" to="{OTHER}@conference.{DOMAIN}/ada"/>',
            f'<presence xmlns="jabber:client" to="{HALL}@conference.{DOMAIN}/"/>', '<presence xmlns="jabber:client"/>',
            f'<presence xmlns="jabber:client" to="/{HALL}@conference.{DOMAIN}"/>',
            f'<message xmlns="jabber:client" to="{elsewhere.jid}"><body>hi</body></message>',
            '<message xmlns="jabber:client"><body>hi</body></message>',
            OPEN.replace(DOMAIN, f"guests.{DOMAIN}"), OPEN.replace(DOMAIN, f"auth.{DOMAIN}"),
            f'<open xmlns="{FRAMING}"/>',
        )  # fmt: skip
        await me.socket.send_bytes(there.encode())
        # These are written anew: what a telephone gateway says of itself is left out.
        nick = '<nick xmlns="http://jabber.org/protocol/nick">Host of the house</nick>'
        more = "<email>host@house.test</email><nick>Host</nick><identity><user><name>Host</name></user></identity>"
        await me.say(me.presence(HALL, f"{INITIATOR}{TRANSCRIBER}{nick}{more}<videomuted>x &lt; y</videomuted>"))
        said = await member.hears("/ada")
        assert "<name>Ada Guest</name>" in said
        assert said.count(">Ada Guest</") == 3, "in the token's word and in both of theirs"
        assert "Host" not in said
        assert "transcriber" not in said
        assert "host@house.test" not in said
        assert "jigasi" not in bytes(stage.server.there).decode("latin-1")
        assert not elsewhere.knows("/ada")
        assert not elsewhere.knows("<body>")


async def test_a_guest_chats_and_does_nothing_else(stage: Stage, server: int) -> None:
    name = "Zoë \u202eGuest\t<b>"
    async with host(server, HALL) as member, coming(stage, name=name) as guest:
        await guest.member.enter(HALL)
        assert "<name>Zoë Guest&lt;b&gt;</name>" in await member.hears("/ada")
        assert "<moderator>false</moderator>" in await member.hears("/ada")
        room = f"{HALL}@conference.{DOMAIN}"
        admin = '<query xmlns="http://jabber.org/protocol/muc#admin"><item nick="x" role="none"/></query>'
        services = ("endconference", "avmoderation", "conference", "metadata", "polls", "filesharing", "auth")

        def iq(to: str, inside: str) -> str:
            return f'<iq xmlns="jabber:client" type="set" id="1" to="{to}">{inside}</iq>'

        focus = '<conference xmlns="http://jitsi.org/protocol/focus" room="{}"/>'
        await guest.says_in_vain(
            *(f'<message xmlns="jabber:client" to="{one}.{DOMAIN}"><x xmlns="http://jitsi.org/jitmeet"/></message>'
              for one in (*services, "breakout", "lobby")),
            *(iq(f"{one}.{DOMAIN}", admin) for one in services),
            iq(f"focus.{DOMAIN}", focus.format(f"{OTHER}@conference.{DOMAIN}")),
            iq(f"focus.{DOMAIN}", f"<x>{focus.format(f'{OTHER}@conference.{DOMAIN}')}</x>"),
            *(iq(f"x@{one}.{DOMAIN}", admin) for one in ("lobby", "breakout")),
            iq(f"focus@auth.{DOMAIN}/x", admin), iq(member.jid, admin),
            '<resume xmlns="urn:xmpp:sm:3" previd="x" h="0"/>',
            '<starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls"/>', '{"type": "x"}',
        )  # fmt: skip
        # Of these the part that is not a guest's is left out.
        mute = '<mute xmlns="http://jitsi.org/jitmeet/audio" jid="x">true</mute>'
        jibri = '<jibri xmlns="http://jitsi.org/protocol/jibri" action="start"/>'
        owner = '<query xmlns="http://jabber.org/protocol/muc#owner"><x xmlns="jabber:x:data" type="submit"/></query>'
        invite = '<x xmlns="http://jabber.org/protocol/muc#user"><invite to="x@y"/></x>'
        await guest.member.say(
            *(iq(to, inside) for to in (room, f"{room}/focus") for inside in (admin, mute, jibri, owner))
        )
        await guest.member.say(iq(room, f'{mute}<jingle xmlns="urn:xmpp:jingle:1" action="session-accept"/>'))
        await guest.member.say(iq(f"focus.{DOMAIN}", focus.format(room)))
        said = guest.member.message(HALL, "Good evening &lt;b>").replace("</mess", f"{invite}</mess")
        await guest.member.say(said.replace(' type="', f' from="{room}/focus" type="'))
        for one in (member, guest.member):
            assert "<body>Good evening &lt;b&gt;</body>" in await one.hears("<body>")
        told = json.loads((await ask(server, "GET /test/")).body)
        assert set(told["heard"]) >= {f"iq {room} ", f"iq {room} {{urn:xmpp:jingle:1}}jingle"}
        assert [one for one in told["heard"] if "muc#" in one or "mute" in one or "jibri" in one] == []
        assert OTHER not in json.dumps(told["begun"])


async def test_a_conference_is_asked_for_in_this_room_whatever_is_said(stage: Stage, server: int) -> None:
    cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(HALL))
    path = f"/conference-request/v1?room={OTHER}&token=x"
    other = f"{OTHER}@conference.{DOMAIN}"

    async def asked(body: str) -> Answer:
        return await ask(
            stage.guest.port, f"POST {path}", cookie=cookie, headers="Content-Type: application/json\r\n",
            body=body.encode(),
        )  # fmt: skip

    for said in ({"room": other}, {}, {"room": other, "roomName": other, "properties": {"visitor": True, "x": {}}}):
        before = len(stage.server.there)
        assert (await asked(json.dumps({"properties": {}, **said}))).status == 200
        came = bytes(stage.server.there[before:]).decode()
        assert f"?room={HALL} " in came
        assert json.loads(came.partition("\r\n\r\n")[2]) == {"room": f"{HALL}@conference.{DOMAIN}", "properties": {}}
    before = len(stage.server.there)
    for text in ('{"room": 1, "Room": "x"}', f'{{"room": "{other}", "room": "{other}"}}', "[]", "", '{"ROOM": "x"}'):
        assert (await asked(text)).status in (400, 403, 415), text
    assert len(stage.server.there) == before


async def test_who_is_cut_is_out_and_comes_back_by_nothing(stage: Stage, server: int) -> None:
    """Also with what was kept of another time in the room, over a link to another room."""
    link = await stage.gateway.make_link(HALL)
    cookie, _ = await enter(stage.guest.port, link)
    async with host(server, HALL) as member:
        async with coming(stage, cookie=cookie) as guest:
            await guest.member.say(ENABLE)
            assert "id=" not in await guest.member.hears("<enabled"), "nothing to come back by"
            await guest.member.enter(HALL)
            await member.hears("/ada")
            began = time.monotonic()
            await stage.gateway.switch(HALL, on=False)
            await member.hears("/ada", "unavailable")
            assert time.monotonic() - began < 10, "two seconds, on a machine with nothing else to do"
        await refused(stage, cookie, f"/xmpp-websocket?room={HALL}")
        # At the server itself a session that may be resumed is, with a token for whatever room.
        url = f"ws://127.0.0.1:{server}/xmpp-websocket?token="
        async with talking(url + token(HALL), "kept") as kept:
            await kept.enter(HALL)
            await kept.say(ENABLE)
            number = (await kept.hears("<enabled")).partition("id='")[2].partition("'")[0]
        resume = f'<resume xmlns="urn:xmpp:sm:3" h="0" previd="{number}"/>'
        assert not member.knows("/kept", "unavailable")
        async with coming(stage, OTHER, query=f"&previd={number}") as guest:
            await guest.says_in_vain(resume)
        async with talking(f"{url}{token(OTHER)}&previd={number}", "kept") as kept:
            await kept.say(resume)
            await kept.hears("resumed")
            await kept.say(CLOSE)


def test_rooms_may_be_at_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """docker-jitsi-meet has them at muc.meet.jitsi."""
    monkeypatch.setenv("JITSI_DOMAIN", "meet.jitsi")
    monkeypatch.setenv("JITSI_ROOMS", "muc")
    policy = load_policy(Path(__file__).parents[2] / "policies" / "jitsi.yaml")
    values = {"id": ("hall",), "guest.name": ("Ada",)}
    said = '<presence xmlns="jabber:client" to="hall@{}.meet.jitsi/a"/>'
    rules = [rule.messages for rule in policy.kinds["room"].rules if rule.messages is not None]
    assert [one.written(said.format("muc"), values) for one in rules].count(said.format("muc")) == 1
    assert [one.written(said.format("conference"), values) for one in rules] == [None] * len(rules)


async def test_two_guests_leave_by_themselves_and_are_out_at_once(stage: Stage, server: int) -> None:
    """One says goodbye, one is lost: with nothing to resume it is the same."""
    async with host(server, HALL) as member:
        for name, words in (("Ada", CLOSE), ("Bob", "")):
            async with coming(stage, name=name) as guest:
                before = len(member.heard)
                await guest.member.say(ENABLE)
                await guest.member.enter(HALL)
                await member.hears(f"<name>{name}</name>", after=before)
                if words:
                    await guest.member.say(words)
            await member.hears("/ada", "unavailable", after=before)


async def test_a_page_without_a_websocket_has_bosh_where_it_is_turned_on(tmp_path: Path, server: int) -> None:
    policy = (Path(__file__).parents[2] / "policies" / "jitsi.yaml").read_text()
    assert "interactions: [chat]" in policy
    on = policy.replace("interactions: [chat]", "interactions: [chat, bosh]")
    async with between(tmp_path, on, server, server_extra=KNOWN) as stage:
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(HALL))
        headers = "Content-Type: text/xml; charset=utf-8\r\n"
        body = b"<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='meet.test'/>"
        theirs = token(OTHER)
        path = f"/http-bind?room={OTHER}&token={theirs}&previd=x"
        answer = await ask(stage.guest.port, f"POST {path}", cookie=cookie, headers=headers, body=body)
        assert (answer.status, b"sid=" in answer.body) == (200, True)
        asked = stage.server.asked[-1]
        assert parse_qs(asked.partition("?")[2])["room"] == [HALL]
        assert "previd" not in asked
        assert theirs not in asked
        await stage.refuses(cookie, "POST /x/http-bind", f"POST /http-bind?prefix=x&room={HALL}", "GET /http-bind")
        stage.keeps(asked.partition("token=")[2].partition("&")[0])


async def test_prosody_itself_keeps_guests_in_their_room_though_it_asks_for_no_token(tmp_path: Path) -> None:
    with prosody(tmp_path / "prosody") as port:
        async with (
            between(tmp_path, "jitsi", port, server_extra=KNOWN) as stage,
            host(port, HALL) as member,
            host(port, OTHER) as elsewhere,
            coming(stage) as guest,
        ):
            me = guest.member
            await guest.says_in_vain(me.presence(OTHER))
            await me.say(ENABLE)
            assert "id=" not in await me.hears("<enabled")
            await me.enter(HALL)
            await me.say('<r xmlns="urn:xmpp:sm:3"/>')
            await me.hears("<a ", "h=")
            await member.hears(f"{HALL}@conference.{DOMAIN}/ada")
            ping = f'<iq xmlns="jabber:client" type="get" id="p" to="{DOMAIN}"><ping xmlns="urn:xmpp:ping"/></iq>'
            await me.say(ping, me.message(HALL, "Good evening &amp; &lt;hello> \u00e9 \U0001f44b"))
            await me.hears("result", '"p"' if '"p"' in "".join(me.heard) else "'p'")
            for one in (member, me):
                assert "Good evening &amp; &lt;hello&gt; \u00e9 \U0001f44b" in await one.hears("Good evening")
            began = time.monotonic()
            await stage.gateway.switch(HALL, on=False)
            await member.hears("/ada", "unavailable")
            assert time.monotonic() - began < 10
            assert not elsewhere.knows("/ada")


@pytest.mark.browser
async def test_a_browser_comes_in_chats_and_is_cut(stage: Stage, server: int) -> None:
    async with chromium() as browser, host(server, HALL) as house:
        page = await (await browser.new_context()).new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await fill_in(page, await stage.gateway.make_link("Village-Hall"))
        await page.wait_for_url(f"**/{HALL}#userInfo.*")
        await expect(page.locator("#words")).to_have_attribute("placeholder", "As Ada Guest")
        await expect(page.locator("#state")).to_have_text("In the room", timeout=45_000)
        await expect(page.locator("#people")).to_contain_text("Ada Guest")
        await expect(page.locator("#people")).to_contain_text("Host of the house")
        await house.hears("<name>Ada Guest</name>")
        await page.locator("#words").fill("Good evening from afar <b>")
        await page.locator("#say button").click()
        await house.hears("Good evening from afar &lt;b&gt;")
        await house.say(house.message(HALL, "Welcome"))
        await expect(page.locator("#chat")).to_contain_text("Host of the house: Welcome", timeout=45_000)

        # Loaded anew it comes in again, under no other name.
        before = len(house.heard)
        await page.evaluate("location.hash = 'userInfo.displayName=%22Host%22'")
        await page.reload()
        await expect(page.locator("#state")).to_have_text("In the room", timeout=45_000)
        assert "Host" not in await house.hears("<name>Ada Guest</name>", ":nick>", after=before)
        assert faults == []

        await stage.gateway.switch(HALL, on=False)
        await expect(page.locator("#state")).to_have_text("Out of the room", timeout=45_000)
        await house.hears("unavailable", after=before)
        answer = await page.reload()
        assert answer is not None
        assert answer.status in (403, 410)
    stage.keeps(SECRET, f"127.0.0.1:{stage.server.port}")
