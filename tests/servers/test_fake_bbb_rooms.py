"""The fake BigBlueButton's meetings are open where the real ones are, and each trap is there to fall into."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.servers.asking import ask
from tests.servers.bbb_api import signed
from tests.servers.bbb_graphql import named_by_middleware, operations
from tests.servers.fake_bbb_rooms import NAME, FakeBbbRooms


@pytest.fixture
async def fake() -> AsyncIterator[FakeBbbRooms]:
    fake = FakeBbbRooms(left_after=0.05)
    async with fake.running():
        fake.create("m1", "First")
        fake.create("m2", "Second")
        yield fake


def call(fake: FakeBbbRooms, name: str, **said: str) -> str:
    return f"/bigbluebutton/api/{name}?{signed(name, urlencode(said), fake.secret)}"


async def joined(fake: FakeBbbRooms, **more: str) -> dict[str, str]:
    """The cookie and token of a viewer."""
    said = {"fullName": "Ada", "meetingID": "m1", "role": "VIEWER", "redirect": "false", **more}
    answer = await ask(fake.url, call(fake, "join", **said))
    assert "<returncode>SUCCESS" in answer.text
    token = answer.text.partition("<session_token>")[2].partition("<")[0]
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0], "X-Session-Token": token}


async def test_one_secret_opens_everything_and_nothing_goes_without_it(fake: FakeBbbRooms) -> None:
    info = await ask(fake.url, call(fake, "getMeetingInfo", meetingID="m1"))
    assert fake.meetings["m1"].moderator_pw in info.text
    assert "<running>false" in info.text
    for wrong in ("/bigbluebutton/api/getMeetings", call(fake, "getMeetings") + "&x=1"):
        assert "checksumError" in (await ask(fake.url, wrong)).text
    await ask(fake.url, call(fake, "end", meetingID="m2"))
    assert fake.meetings["m2"].ended
    # A join that fails is a redirect with the name of the server, whatever was asked for.
    for said in ({"meetingID": "no"}, {"meetingID": "m2"}, {"createTime": "1"}):
        answer = await ask(
            fake.url, call(fake, "join", **{"fullName": "x", "meetingID": "m1", "role": "VIEWER", **said})
        )
        assert answer.status == 302
        assert answer.headers["location"].startswith(f"https://{NAME}/?errors=")
    made = await ask(
        fake.url, call(fake, "join", fullName="x", meetingID="m1", password=fake.meetings["m1"].moderator_pw)
    )
    assert made.headers["location"].startswith(f"https://{NAME}/html5client/?sessionToken=")
    assert fake.meetings["m1"].users[-1].role == "MODERATOR"


async def test_a_session_is_its_token_and_its_cookie(fake: FakeBbbRooms) -> None:
    one, other = await joined(fake), await joined(fake, fullName="Bob")
    assert (await ask(fake.url, "/api/rest/userMetadata", headers=one)).status == 200
    for headers in (
        {"Cookie": one["Cookie"]},
        {"X-Session-Token": one["X-Session-Token"]},
        {**one, "Cookie": other["Cookie"]},
    ):
        assert (await ask(fake.url, "/api/rest/userMetadata", headers=headers)).status == 401
    # The first token of a query counts, and one cookie may hold several.
    mine, theirs = one["X-Session-Token"], other["X-Session-Token"]
    for query, good in (
        (f"sessionToken={mine}&sessionToken={theirs}", True),
        (f"sessionToken={theirs}&sessionToken={mine}", False),
    ):
        answer = await ask(fake.url, f"/bigbluebutton/api/stuns?{query}", headers={"Cookie": one["Cookie"]})
        assert ("turnServers" in answer.text) is good


async def test_paths_are_tidied_and_locations_are_prefixes(fake: FakeBbbRooms) -> None:
    first, second = (fake.meetings[name].internal for name in ("m1", "m2"))
    slide = await ask(fake.url, f"/bigbluebutton/presentation/{first}/{second}/d2-1/svg/1")
    assert "Second" in slide.text, "the second id chooses, and nobody is asked who they are"
    for path in (
        "/x/..%2flivekit/twirp/livekit.RoomService/ListRooms",
        "/livekit//twirp",
        "/html5client/../hocuspocus/api",
    ):
        assert "done" in (await ask(fake.url, path)).text
    one = await joined(fake)
    assert (await ask(fake.url, "/api/rest/meetingStaticDataInternal", headers=one)).status == 200
    index = await ask(fake.url, "/bigbluebutton/api", headers={"Content-Type": "application/json"})
    assert json.loads(index.text)["response"]["graphqlWebsocketUrl"] == f"wss://{NAME}/graphql"


async def test_what_looks_into_messages_is_easily_misled(fake: FakeBbbRooms) -> None:
    assert named_by_middleware("mutation M($a: T = {userEject: 1}) { chat(a: $a) }", {})[0] == "userEject"
    assert named_by_middleware("mutation { chat: userEject(userId: $u) }", {"u": "x"}) == ("chat", {"userId": "x"})
    assert [one[:3] for one in operations('query A { b c: d(e: "}") { f } } mutation G { h(i: {j: 1}) }')] == [
        ("query", "A", ["b", "d"]), ("mutation", "G", ["h"])
    ]  # fmt: skip
    meeting = fake.meetings["m1"]
    async with fake.house("m1") as host:
        one = await joined(fake)
        headers = {
            "X-Session-Token": one["X-Session-Token"],
            "X-ClientSessionUUID": "u",
            "X-ClientType": "H",
            "X-ClientIsMobile": "x",
        }
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(f"{fake.url}/graphql", origin="https://elsewhere.test")
            async with session.ws_connect(f"{fake.url}/graphql", headers={"Cookie": one["Cookie"]}) as socket:

                async def says(**said: Any) -> None:
                    await socket.send_str(json.dumps({"type": "subscribe", "id": "1", **said}, separators=(",", ":")))
                    while (await socket.receive_json(timeout=10))["type"] not in ("complete", "connection_ack"):
                        pass

                await says(x="connection_init", payload={"headers": headers})
                await says(
                    payload={
                        "query": "mutation J { userJoinMeeting(authToken: $a) }",
                        "variables": {"a": meeting.users[-1].auth},
                    }
                )
                assert meeting.running
                # Several operations: the one that is named. A mutation that begins with a blank is Hasura's.
                say = 'chatSendMessage(chatMessageInMarkdownFormat: "%s")'
                await says(
                    payload={"query": f"query A {{ user {{ name }} }} mutation B {{ {say % 1} }}", "operationName": "B"}
                )
                await says(payload={"query": f" mutation {{ {say % 2} }}"})
                await says(payload={"query": f"mutation {{ {say % 3} }}"})
                assert [one["message"].strip('"') for one in meeting.chat] == ["1", "2", "3"]
                await says(payload={"query": "mutation { meetingEnd }"})
                assert not meeting.ended, "a viewer"
                await host.does("userSetRole", userId=meeting.users[-1].id, role="MODERATOR")
                await says(payload={"query": "mutation { meetingEnd }"})
                assert meeting.ended
        async with asyncio.timeout(10):
            while meeting.users[-1].joined:
                await asyncio.sleep(0.01)
