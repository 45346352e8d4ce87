"""policies/bigbluebutton.yaml before a stand-in for BigBlueButton 3.0, written from its source.

No request after the join names the meeting: a token does, and a cookie that the guest never sees. So most of what
matters is whose token is sent where, and what a guest may say on the two websockets.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.test_guest_path import enter as fill_in
from tests.chromium import chromium
from tests.policies.bigbluebutton import CHAT, CURRENT, HEADERS, JOIN, Guest, came_in, until
from tests.policies.live_servers import spellings
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter
from tests.servers.fake_bbb_rooms import NAME, FakeBbbRooms

ROOT = Path(__file__).parents[2]
ALSO = f"    also_known_as: [https://{NAME}]\n"
ID, OTHER = "seminar 7", "board-meeting"
HAND = (
    "mutation SetRaiseHand($userId: String!, $raiseHand: Boolean!) {\n"
    "  userSetRaiseHand(userId: $userId, raiseHand: $raiseHand)\n}"
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeBbbRooms]:
    fake = FakeBbbRooms()
    async with fake.running():
        yield fake


@pytest.fixture
async def stage(tmp_path: Path, fake: FakeBbbRooms, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("BBB_SECRET", fake.secret)
    port = urlsplit(fake.url).port or 0
    async with between(tmp_path, "bigbluebutton", port, server_extra=ALSO) as stage:
        yield stage


@asynccontextmanager
async def changed(
    tmp_path: Path, fake: FakeBbbRooms, monkeypatch: pytest.MonkeyPatch, interactions: str
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("BBB_SECRET", fake.secret)
    policy = (ROOT / "policies" / "bigbluebutton.yaml").read_text()
    old = "interactions: [chat, hand, reactions, polls]"
    assert old in policy
    async with between(
        tmp_path, policy.replace(old, f"interactions: {interactions}"), urlsplit(fake.url).port or 0, server_extra=ALSO
    ) as stage:
        yield stage


async def test_a_meeting_is_waited_for_and_an_ended_one_is_over(stage: Stage, fake: FakeBbbRooms) -> None:
    link = await stage.gateway.make_link(ID)
    assert (await enter(stage.guest.port, link))[1].status == 200
    meeting = fake.create(ID, "Seminar")
    assert (await enter(stage.guest.port, link))[1].status == 200, "nobody is there who could let them in"
    async with fake.house(ID):
        guest = await came_in(stage, meeting, link=link)
        user = guest.user
        assert (user.name, user.role, user.guest, user.status) == ("Ada Guest", "VIEWER", True, "ALLOW")
        assert user.external not in ("", user.id)
        assert (await enter(stage.guest.port, link, name="Zoë \u202e<b>&=?/"))[1].status == 303
        assert meeting.users[-1].name == "Zoë <b>&=?/"
        await stage.gateway.delete(link)

        # Found by whatever an owner may have at hand, under the id that the server has for it.
        for item in (ID, f"https://{NAME}/bigbluebutton/api/join?meetingID=seminar%207&fullName=x&checksum=ab"):
            made = await stage.gateway.make_link(item)
            assert (await stage.gateway.link(made)).link.item == ID
            await stage.gateway.delete(made)
        joins = [asked for asked in stage.server.asked if "/api/join" in asked]
        assert len(joins) == 2
        assert f"&role=VIEWER&guest=true&createTime={meeting.created}&" in joins[0]
        link = await stage.gateway.make_link(ID)
        meeting.end()
        answer = await ask(stage.guest.port, f"GET /{link.split('/', 3)[3]}", headers="Accept: text/html\r\n")
        assert answer.status == 410
        assert b"has ended" in answer.body
    for item in ("", "x", "a,b", "a/b", "..", "a?b", "a%20b", " a", "a ", f"https://{NAME}/html5client/"):
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)
    passwords = [word for one in fake.meetings.values() for word in (one.moderator_pw, one.attendee_pw)]
    stage.keeps(fake.secret, *passwords)


async def test_the_page_arrives_and_nothing_else(stage: Stage, fake: FakeBbbRooms) -> None:
    meeting, other = fake.create(ID, "Seminar"), fake.create(OTHER, "Board")
    async with fake.house(ID), fake.house(OTHER):
        guest, neighbour = await came_in(stage, meeting), await came_in(stage, other, name="Bob")
        at, cookie, token = stage.guest.port, guest.cookie, guest.user.token
        public = f"127.0.0.1:{at}"

        async def got(path: str, headers: str = "") -> bytes:
            answer = await ask(at, f"GET {path}", cookie=cookie, headers=headers)
            assert answer.status == 200, path
            assert "set-cookie" not in answer.headers
            return answer.body

        assert b"bundle" in await got(f"/html5client/?sessionToken={token}")
        await got("/html5client/")
        await got("/html5client/bundle.4f1c0ffee.js")
        await got("/html5client/locales/en.json")
        index = json.loads(await got("/bigbluebutton/api", "Content-Type: application/json\r\n"))["response"]
        assert index["graphqlWebsocketUrl"] == f"ws://{public}/graphql"
        assert index["graphqlApiUrl"] == f"http://{public}/api/rest"
        assert b"<graphqlApiUrl>http://" + public.encode() in await got("/bigbluebutton/api", "Accept: text/xml\r\n")
        # Whoever's token the page names, its own is asked with.
        theirs = neighbour.user.token
        for named in (token, theirs, ""):
            head = f"X-Session-Token: {named}\r\n" if named else ""
            static = json.loads(await got("/api/rest/meetingStaticData", head))["meeting"][0]
            assert static["meetingId"] == meeting.internal
            sfu = static["clientSettings"]["clientSettingsJson"]["public"]["kurento"]["wsUrl"]
            assert sfu == f"ws://{public}/bbb-webrtc-sfu"
            assert guest.user.id.encode() in await got("/api/rest/userMetadata", head)
            assert b"turns:" in await got(f"/bigbluebutton/api/stuns?sessionToken={named}")
            await got("/api/rest/userMetadata", f"{head}Cookie: JSESSIONID={list(fake.cookies)[-1]}\r\n")
            waits = await got(f"/bigbluebutton/api/guestWait?sessionToken={named}&redirect=false")
            assert json.loads(waits)["response"]["url"] == f"http://{public}/html5client/?sessionToken={token}"
        doubled = f"/bigbluebutton/api/guestWait?sessionToken={theirs}&sessionToken={theirs}"
        assert token.encode() in await got(doubled)

        slide = f"/bigbluebutton/presentation/{meeting.internal}/{meeting.internal}/d2d9a672-1/svg/1"
        assert b"Seminar" in await got(slide)
        foreign = [
            slide.replace(meeting.internal, other.internal), slide.replace(meeting.internal, other.internal, 1),
            f"/bigbluebutton/presentation/{meeting.internal}/{other.internal}/d2d9a672-1/svg/1",
        ]  # fmt: skip
        assert b"Board" in (await ask(urlsplit(fake.url).port or 0, f"GET {foreign[2]}")).body, "open at the server"
        await stage.refuses(cookie, *(f"GET {one}" for one in foreign), *anywhere(slide, foreign[0]))
        await stage.refuses(
            cookie,
            f"GET /html5client/?sessionToken={theirs}", f"GET /html5client/?sessionToken={token}&sessionToken={theirs}",
            f"GET /html5client/?sessiontoken={theirs}", f"GET /html5client/?session_token={theirs}",
            f"GET /html5client/?%73essionToken={theirs}", f"GET /html5client/?x=1&sessionToken={token}",
            f"GET {slide}?sessionToken={theirs}", f"GET {slide}?SessionToken={theirs}", f"POST {slide}",
            f"GET {slide}?x=sessionToken={theirs}", f"GET {slide}?x=a%26sessionToken={theirs}",
            f"GET {slide.replace('/svg/', '/upload/')}", f"GET {slide}/x", f"GET {slide.replace('svg/1', 'svg/1.svg')}",
            f"GET /bigbluebutton/api/stuns?sessiontoken={theirs}", "GET /bigbluebutton/api/stuns?x=1",
            f"GET /bigbluebutton/api/stuns/?sessionToken={token}", "GET /bigbluebutton/api/guestWait?redirect=true",
            "POST /bigbluebutton/api", "POST /bigbluebutton/api/stuns",
            "GET /api/rest/meetingStaticData?sessionToken=x", "GET /api/rest/meetingStaticData/",
            "GET /api/rest/users", "GET /api/rest/", "GET /html5client", "GET /html5client/locales",
            "GET /html5client/index.html?sessionToken=x", "GET /graphql", "POST /graphql", "GET /graphql/v1",
            "GET /bbb-webrtc-sfu", f"GET /bbb-webrtc-sfu?sessionToken={token}",
        )  # fmt: skip
        doors = [
            "/bigbluebutton/api/create?meetingID=x", "/bigbluebutton/api/getMeetings", "/bigbluebutton/connection/x",
            "/bigbluebutton/api/sendChatMessage?message=x", "/bigbluebutton/presentation/x/upload",
            "/livekit/twirp/livekit.RoomService/ListRooms", "/hocuspocus/api/documents", "/pad/p/x", "/playback/x",
            "/learning-analytics-dashboard/", "/recording/x", "/plugin-assets/x", "/bbb-webhooks/x",
        ]  # fmt: skip
        await stage.refuses(cookie, *(f"GET {one}" for door in doors for one in spellings(door)))
        await stage.refuses(cookie, *(f"POST {door}" for door in doors))
        await ignores_what_a_guest_says_of_itself(stage, cookie, "/api/rest/userMetadata")
        sent = bytes(stage.server.there)
        # The neighbour's token went out by the neighbour's own requests, which are none after the join.
        assert theirs.encode() not in sent
    jars = list(fake.cookies)
    port = stage.server.port
    stage.keeps(fake.secret, *jars, meeting.moderator_pw, f"//{NAME}", f"127.0.0.1:{port}", f"localhost:{port}")


async def test_a_guest_is_in_under_their_own_name_and_token_whatever_they_say(stage: Stage, fake: FakeBbbRooms) -> None:
    meeting, other = fake.create(ID), fake.create(OTHER)
    async with fake.house(ID), fake.house(OTHER):
        guest, neighbour = await came_in(stage, meeting), await came_in(stage, other, name="Bob")
        said = {"type": "connection_init", "payload": {"headers": {**HEADERS, "X-Session-Token": neighbour.user.token}}}
        asked = {"headers": {"Cookie": guest.cookie}, "protocols": ("graphql-ws", "graphql-transport-ws")}
        url = guest.url("/graphql")
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(url, **asked) as socket:  # type: ignore[arg-type]
                # What this server would take for the beginning is no message of a guest's.
                for text in (
                    '{"type":"subscribe","id":"connection_init","payload":{"headers":{"X-Session-Token":"T"}}}',
                    '{"type":"ping","x":"connection_init","payload":{"headers":{"X-Session-Token":"T"}}}',
                    '{"type":"connection_init","Type":"x","payload":{}}',
                    '{"type":"connection_init","payload":{"headers":{"X-Session-Token":"T","x-session-token":"T"}}}',
                    '{"type":"connection_init","payload":{"headers":{"X-Session-Token":"T","X-Session-Token":"U"}}}',
                ):
                    await socket.send_str(text.replace('"T"', f'"{neighbour.user.token}"'))
                await socket.send_json(said)
                assert (await socket.receive_json(timeout=30))["type"] == "connection_ack"
                await socket.send_str(guest.subscribe(CURRENT))
                heard = (await socket.receive_json(timeout=30))["payload"]["data"]["user_current"][0]
                assert (heard["userId"], heard["name"]) == (guest.user.id, "Ada Guest")
            # Without the guest's own cookie, with somebody else's, and from another site: nothing.
            for headers, origin, status in (
                ({}, None, 403), ({"Cookie": "JSESSIONID=x"}, None, 403),
                ({"Cookie": guest.cookie}, "https://elsewhere.test", 403),
                ({"Cookie": guest.cookie}, f"https://{NAME}", 403),
            ):  # fmt: skip
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with session.ws_connect(url, headers=headers, origin=origin):
                        pass
                assert refused.value.status == status
        assert [one.sockets for one in (neighbour.user,)] == [0]
        async with guest.talking():
            assert guest.user in meeting.here
            assert guest.user.described()["role"] == "VIEWER"
    stage.keeps(fake.secret, *fake.cookies)


async def test_a_guest_says_what_the_policy_lists_and_nothing_else(stage: Stage, fake: FakeBbbRooms) -> None:
    """Said to a server that reads a mutation's name by a regular expression, and all the rest as GraphQL."""
    meeting = fake.create(ID)
    async with fake.house(ID) as host:
        guest, friend = await came_in(stage, meeting), await came_in(stage, meeting, name="Bob")
        async with guest.talking(), friend.talking():
            eject = f'userEjectFromMeeting(userId: "{friend.user.id}", banUser: true)'
            bare = "userEjectFromMeeting"
            await guest.says_in_vain(
                *map(guest.subscribe, (
                    f"mutation {{ {eject} }}", "mutation { meetingEnd }", "mutation { userSetRole(role: $r) }",
                    f"mutation {{ chatSendMessage {eject} }}", f"mutation {{ chatSendMessage: {eject} }}",
                    f"mutation {{ {bare}: chatSendMessage(chatId: $c) }}",
                    f"mutation M($a: T = {{{eject}}}) {{ chatSendMessage(chatId: $c) }}",
                    f'mutation M($a: String = "{{{bare}(userId: $u)") {{ chatSendMessage(chatId: $c) }}',
                    f"mutation {{, chatSendMessage(chatId: {{{bare}: 1}}) }}",
                    f"mutation {{#{{{bare}\n chatSendMessage }}",
                    f"subscription A {{ user {{ name }} }} mutation B {{ {eject} }}",
                    f"query A {{ user {{ name }} }}\nmutation B {{ {eject} }}", f"\nmutation {{ {eject} }}",
                    f" mutation {{ {eject} }}", f"#\nmutation {{ {eject} }}",
                    f"{{ user {{ name }} }} mutation B {{ {eject} }}",
                    f"mutation {{ ...F }} fragment F on mutation_root {{ {eject} }}",
                    "mutation { cameraBroadcastStart }", "mutation { presentationSetPage }",
                    "mutation { sharedNotesCreateSession }", "mutation { breakoutRoomRequestJoinUrl }",
                    "mutation { pluginDataChannelPushEntry }", "", "mutation",
                )),
                guest.subscribe(f"subscription A {{ user {{ name }} }} mutation B {{ {eject} }}", operationName="B"),
                *(guest.subscribe("query A { user { name } }").replace(old, new) for old, new in (
                    ('"query":', '"Query":"mutation {meetingEnd}","query":'), ('"subscribe"', '"start"'),
                    ('"query":', '"query":"mutation {meetingEnd}","query":'), ('"type"', '"type":"start","type"'),
                    ('"payload"', '"Payload":{},"payload"'),
                )),
                guest.subscribe(CHAT, {"t": "x" * 40_000}),
                guest.subscribe("query A { user { " + "name " * 5_000 + "} }"),
                '{"type":"connection_terminate"}', '{"type":"stop","id":"1"}', '{"type":"next","id":"1"}', '["ping"]',
                "null", "", "{", '{"type":"complete"}', '{"type":"complete","id":"1 2"}', '{"TYPE":"ping"}',
            )  # fmt: skip
            assert guest.socket is not None
            before = guest.dropped()
            await guest.socket.send_bytes(guest.subscribe("mutation { meetingEnd }").encode())
            await until(lambda: guest.dropped() == before + 1)

            # Words of another operation inside a value are words.
            odd = 'x","query":"mutation { meetingEnd }'
            await guest.does(CHAT, {"c": "MAIN-PUBLIC-GROUP-CHAT", "t": odd}, operationName="ChatSendMessage")
            assert meeting.chat[-1] == {"chatId": "MAIN-PUBLIC-GROUP-CHAT", "senderName": "Ada Guest", "message": odd}
            await guest.says(guest.subscribe("subscription S { user { name } }", {"query": "mutation { meetingEnd }"}))
            await guest.does(HAND, {"userId": friend.user.id, "raiseHand": True})
            await until(lambda: guest.user.raised)
            assert not friend.user.raised
            theirs = friend.user.id
            await guest.says_in_vain(
                *(
                    guest.subscribe(
                        f"mutation H {{ userSetRaiseHand({words}) }}",
                        {"userId": theirs, "raiseHand": True, "u": theirs},
                    )
                    for words in (f"userId: {theirs}, raiseHand: $raiseHand", f'userId: "{theirs}"', "raiseHand: true")
                ),
                guest.subscribe(HAND, {"userId": theirs, "raiseHand": "true"}),
            )
            await guest.does(
                "mutation H { userSetRaiseHand(userId: $u, raiseHand: $raiseHand) }", {"raiseHand": True, "u": theirs}
            )
            assert not friend.user.raised
            await guest.does("mutation R($e: String!) { userSetReactionEmoji(reactionEmoji: $e) }", {"e": "👍"})
            assert guest.user.emoji == "👍"
            await guest.does("mutation V($p: String!) { pollSubmitUserVote(pollId: $p) }", {"p": "1"})

            # Also with more rights at the server: a moderator by somebody's mistake does no more than a guest.
            await host.does("userSetRole", userId=guest.user.id, role="MODERATOR")
            await until(lambda: guest.user.role == "MODERATOR")
            await guest.says_in_vain(
                guest.subscribe(f"mutation {{ {eject} }}"), guest.subscribe("mutation { meetingEnd }")
            )
            assert not meeting.ended
            assert friend.user.may_speak
            mine = [(name, said) for who, name, said in meeting.done if who == "Ada Guest"]
            assert [name for name, _ in mine] == [
                "userJoinMeeting", "chatSendMessage", "userSetRaiseHand", "userSetReactionEmoji", "pollSubmitUserVote"
            ]  # fmt: skip
            await guest.does("mutation L { userLeaveMeeting }")
            await until(lambda: guest.user not in meeting.here)
    stage.keeps(fake.secret, *fake.cookies)


async def test_a_guest_hears_and_sees_and_sends_nothing(stage: Stage, fake: FakeBbbRooms) -> None:
    meeting, other = fake.create(ID), fake.create(OTHER)
    async with fake.house(ID), fake.house(OTHER):
        guest, neighbour = await came_in(stage, meeting), await came_in(stage, other, name="Bob")
        url = guest.url(f"/bbb-webrtc-sfu?sessionToken={neighbour.user.token}&sessionToken={neighbour.user.token}")
        async with (
            guest.talking(),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers={"Cookie": guest.cookie}) as socket,
        ):
            before = guest.dropped()
            bad = [
                {"id": "start", "type": "audio", "role": "sendrecv", "sdpOffer": "v=0"},
                {"id": "start", "type": "video", "role": "share", "cameraId": "x", "sdpOffer": "v=0"},
                {"id": "start", "type": "screenshare", "role": "send", "sdpOffer": "v=0"},
                {"id": "start", "type": "audio", "role": ["recv"]}, {"id": "start", "type": "x", "role": "recv"},
                {"id": "start", "Role": "sendrecv", "type": "audio", "role": "recv"}, {"id": "close"}, {"id": "error"},
                {"id": "dtmf", "type": "audio", "tones": "1"}, {"id": "stop", "type": "screenshare", "role": "send"},
                {"id": "stop", "type": "video", "role": "share", "cameraId": "x"}, {"ID": "start"}, {},
            ]  # fmt: skip
            for said in bad:
                await socket.send_json(said)
            await socket.send_str('{"id":"ping","id":"start","type":"audio","role":"sendrecv"}')
            await until(lambda: guest.dropped() == before + len(bad) + 1)
            start = {"id": "start", "role": "recv", "sdpOffer": "v=0", "userId": "w_x", "meetingId": other.internal}
            audio = start | {"type": "audio", "voiceBridge": other.bridge, "sfuUserHeader": {"userId": "w_x"}}
            screen = start | {"type": "screenshare", "voiceBridge": other.bridge, "callerName": "w_x"}
            for said in (audio, screen | {"internalMeetingId": other.internal, "mediaServer": "Other"}):
                await socket.send_json(said)
                assert (await socket.receive_json(timeout=30))["response"] == "accepted"
            await socket.send_json({"id": "ping"})
            assert await socket.receive_json(timeout=30) == {"id": "pong"}
            assert {who for who, _ in fake.sfu} == {guest.user.id}
            first, second = [said for _, said in fake.sfu if said["id"] == "start"]
            assert first == {"id": "start", "type": "audio", "role": "recv", "sdpOffer": "v=0"}
            assert second == {
                "id": "start", "type": "screenshare", "role": "recv", "internalMeetingId": meeting.internal,
                "voiceBridge": meeting.bridge, "callerName": guest.user.id, "sdpOffer": "v=0",
            }  # fmt: skip
            began = time.monotonic()
            await stage.gateway.switch(ID, on=False)
            await until(lambda: (guest.user.id, {"id": "close"}) in fake.sfu)
            assert time.monotonic() - began < 10, "two seconds, on a machine with nothing else to do"
    stage.keeps(fake.secret, *fake.cookies)


async def test_who_may_present_does_and_whose_chat_is_off_does_not(
    tmp_path: Path, fake: FakeBbbRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = fake.create(ID)
    async with changed(tmp_path, fake, monkeypatch, "[present, livekit]") as stage, fake.house(ID):
        guest = await came_in(stage, meeting)
        async with guest.talking():
            hand = guest.subscribe(HAND, {"userId": guest.user.id, "raiseHand": True})
            await guest.says_in_vain(guest.subscribe(CHAT, {"c": "x", "t": "x"}), hand)
            await guest.does("mutation C { cameraBroadcastStart(stream: $stream) }", {"stream": "x"})
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(guest.url("/bbb-webrtc-sfu"), headers={"Cookie": guest.cookie}) as socket,
            ):
                for said in (
                    {"id": "start", "type": "audio", "role": "sendrecv", "sdpOffer": "v=0"},
                    {"id": "start", "type": "video", "role": "share", "cameraId": "x", "sdpOffer": "v=0"},
                ):
                    await socket.send_json(said)
                    assert (await socket.receive_json(timeout=30))["role"] == said["role"]
                before = guest.dropped()
                await socket.send_json({"id": "start", "type": "screenshare", "role": "send", "sdpOffer": "v=0"})
                await until(lambda: guest.dropped() == before + 1)
        mine, theirs = (media_token(who) for who in (guest.user.id, "w_somebody0000"))
        door = "/livekit/rtc/validate?access_token="
        assert (await ask(stage.guest.port, f"GET {door}{mine}&sdk=js", cookie=guest.cookie)).status == 200
        await stage.refuses(
            guest.cookie, f"GET {door}{theirs}", f"GET {door}{mine}&access_token={theirs}", f"GET {door}x",
            f"GET {door}{mine}&Access_Token={theirs}", f"GET /livekit/rtc?access_token={mine}",
            f"POST /livekit/twirp/livekit.RoomService/ListRooms?access_token={mine}",
            f"GET /livekit/rtc/../twirp/x?access_token={mine}", f"GET /livekit/twirp/x?access_token={mine}",
        )  # fmt: skip


def media_token(subject: str) -> str:
    from tests.policy.test_token_claims import token

    return token({"sub": subject, "video": {"room": "x", "roomJoin": True}})


async def test_a_moderator_keeps_a_guest_waiting_and_out_and_who_has_left_comes_back(
    stage: Stage, fake: FakeBbbRooms
) -> None:
    meeting = fake.create(ID, policy="ASK_MODERATOR")
    async with fake.house(ID) as host:
        link = await stage.gateway.make_link(ID)
        guest = await came_in(stage, meeting, link=link)
        old = f"GET /html5client/?sessionToken={guest.user.token}"
        assert (await ask(stage.guest.port, old, cookie=guest.cookie)).status == 200
        assert guest.user.status == "WAIT"
        async with guest.talking(join=False):
            await guest.does(JOIN, {"authToken": guest.user.auth})
            assert not guest.user.joined
            await host.does("guestUsersSubmitApprovalStatus", guests=[{"guest": guest.user.id, "status": "ALLOW"}])
            await until(lambda: guest.user.status == "ALLOW")
            await guest.does(JOIN, {"authToken": guest.user.auth})
            assert guest.user.joined
            await guest.does("mutation L { userLeaveMeeting }")
            await until(lambda: guest.user not in meeting.here)
        fresh = await again(guest, link)
        assert fresh.user is not guest.user
        # The page of before, loaded anew, is the guest's who there is now, on every way.
        assert (await ask(stage.guest.port, old, cookie=guest.cookie)).status == 200
        waits = f"GET /bigbluebutton/api/guestWait?sessionToken={guest.user.token}"
        assert fresh.user.token.encode() in (await ask(stage.guest.port, waits, cookie=guest.cookie)).body
        fresh.user.status = "ALLOW"
        async with fresh.talking():
            assert [one.name for one in meeting.here] == ["Host of the house", "Ada Guest"]
            await host.does("userEjectFromMeeting", userId=fresh.user.id, banUser=True)
        # Whom a moderator has banned is known again, as whoever they come by the link.
        one = await again(guest, link)
        assert one.user not in (guest.user, fresh.user, host.user)
        assert one.user.external in meeting.banned
        one.user.status = "ALLOW"
        async with one.talking(join=False):
            await one.does(JOIN, {"authToken": one.user.auth})
            assert one.user not in meeting.here
    assert len(fake.cookies) == 2, "the jar's cookie went along with the later joins"
    stage.keeps(fake.secret, *fake.cookies)


async def again(guest: Guest, link: str) -> Guest:
    """The same browser, by the link once more."""
    answer = await ask(guest.stage.guest.port, f"GET /{link.split('/', 3)[3]}", cookie=guest.cookie)
    assert answer.status == 303
    place = answer.headers["location"]
    assert (await ask(guest.stage.guest.port, f"GET {place}", cookie=guest.cookie)).status == 200
    (user,) = (one for one in guest.meeting.users if one.token == place.partition("sessionToken=")[2])
    return Guest(guest.stage, guest.cookie, user)


async def test_a_guest_who_is_cut_is_out_and_does_not_come_back(stage: Stage, fake: FakeBbbRooms) -> None:
    meeting = fake.create(ID)
    async with fake.house(ID):
        guest = await came_in(stage, meeting)
        async with guest.talking():
            await stage.server.stop()
            await until(lambda: guest.socket is not None and guest.socket.closed)
        # The server hung up, which ends no grant: the page asks again, with the same session.
        async with guest.talking():
            assert guest.user in meeting.here
            began = time.monotonic()
            await stage.gateway.switch(ID, on=False)
            assert guest.socket is not None
            await until(lambda: guest.socket is not None and guest.socket.closed)
            assert time.monotonic() - began < 10, "two seconds, on a machine with nothing else to do"
        await until(lambda: guest.user not in meeting.here)
        held = f"Cookie: {guest.cookie}; JSESSIONID=x\r\nX-Session-Token: {guest.user.token}\r\n"
        for path in (
            f"/html5client/?sessionToken={guest.user.token}", "/html5client/", "/bigbluebutton/api",
            "/api/rest/userMetadata",
            f"/bigbluebutton/api/stuns?sessionToken={guest.user.token}", "/html5client/bundle.4f1c0ffee.js",
        ):  # fmt: skip
            assert (await ask(stage.guest.port, f"GET {path}", headers=held)).status in (403, 410), path
        for path in ("/graphql", f"/bbb-webrtc-sfu?sessionToken={guest.user.token}"):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with aiohttp.ClientSession() as session:
                    await session.ws_connect(guest.url(path), headers={"Cookie": guest.cookie})
        # At the server itself the token alone opens nothing either: its cookie never left the gateway.
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{fake.url}/graphql") as socket:
            headers = {**HEADERS, "X-Session-Token": guest.user.token}
            await socket.send_json({"type": "connection_init", "payload": {"headers": headers}})
            assert (await socket.receive(timeout=30)).data == 4403


@pytest.mark.browser
async def test_a_browser_waits_comes_in_chats_and_is_cut(stage: Stage, fake: FakeBbbRooms) -> None:
    link = await stage.gateway.make_link(ID)
    async with chromium() as browser:
        page = await (await browser.new_context()).new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await fill_in(page, link)
        await expect(page.locator("main")).to_contain_text("Not yet", timeout=45_000)
        meeting = fake.create(ID, "Seminar on locks")
        async with fake.house(ID) as host:
            await page.wait_for_url("**/html5client/?sessionToken=*", timeout=60_000)
            await expect(page.locator("#state")).to_have_text("is in", timeout=45_000)
            await expect(page.locator("#me")).to_have_text("Ada Guest")
            await expect(page.locator("#room")).to_have_text("Seminar on locks")
            await expect(page.locator("#people")).to_contain_text("Host of the house")
            assert await page.evaluate("document.getElementById('slide').naturalWidth") > 0
            await host.does("chatSendMessage", chatId="MAIN-PUBLIC-GROUP-CHAT", chatMessageInMarkdownFormat="Welcome")
            await page.locator("#text").fill("Good evening from afar")
            await page.locator("#say button").click()
            await expect(page.locator("#chat")).to_contain_text("Ada Guest: Good evening from afar", timeout=45_000)
            await expect(page.locator("#chat")).to_contain_text("Host of the house: Welcome")
            await page.locator("#hand").click()
            await expect(page.locator("#people")).to_contain_text("Ada Guest ✋", timeout=45_000)
            # Loaded anew it is the same guest: no second one, and no second join.
            await page.reload()
            await expect(page.locator("#state")).to_have_text("is in", timeout=45_000)
            assert [one.name for one in meeting.here] == ["Host of the house", "Ada Guest"]
            assert faults == []

            guest = meeting.here[-1]
            began = time.monotonic()
            await stage.gateway.switch(ID, on=False)
            await expect(page.locator("#state")).to_contain_text("closed", timeout=45_000)
            assert time.monotonic() - began < 10, "two seconds, on a machine with nothing else to do"
            await until(lambda: guest not in meeting.here)
            # The page tries again by itself, with all that it holds; so does whoever loads it anew.
            async with asyncio.timeout(45):
                while int(await page.evaluate("document.body.dataset.closed")) < 3:
                    await asyncio.sleep(0.1)
            assert guest not in meeting.here
            answer = await page.reload()
            assert answer is not None
            assert answer.status in (403, 410)
    stage.keeps(fake.secret, *fake.cookies, meeting.moderator_pw)
