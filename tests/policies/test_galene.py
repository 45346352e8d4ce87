"""policies/galene.yaml before a real Galene where there is one, and a stand-in that reads messages as loosely.

One websocket serves all rooms of the server, so nearly all that matters is said in its messages: what a guest says is
sent through the gateway, and what came of it is heard by a member who sits in the room at the server itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.test_guest_path import enter as fill_in
from tests.chromium import chromium
from tests.policies.rooms import HOST, PASSWORD, Member, galene, host, programs, talking
from tests.policies.watching import until
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, ask, enter

ROOT = Path(__file__).parents[2]
KEY = "the village hall's key, 32 chars"
HALL, OTHER = "village hall", "other-hall"
ASSETS = ["common.css", "galene.css", "protocol.js", "settings.js", "filter.js", "galene.js"]
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module", params=programs())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    # Both rooms have the same key, so that nothing but a token's own words keeps it to one room.
    folder = tmp_path_factory.mktemp("galene") / "own"
    with galene(folder, {HALL: KEY, OTHER: KEY}, program=request.param) as port:
        yield port


@pytest.fixture
async def stage(tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("GALENE_KEY", KEY)
    async with between(tmp_path, "galene", server) as stage:
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
        """Each of these texts is dropped, and the next word arrives all the same."""
        before = self.dropped()
        for text in frames:
            await self.member.socket.send_str(text)
        await self.member.say(type="ping")
        async with asyncio.timeout(30):
            while self.dropped() < before + len(frames):
                await asyncio.sleep(0.02)
        assert self.dropped() == before + len(frames)

    async def join(self, **more: object) -> dict[str, object]:
        said = {"type": "join", "kind": "join", "group": HALL, "username": "who I like", "token": "theirs"}
        await self.member.say(**(said | more))
        return await self.member.hears(lambda said: said["type"] == "joined")


@asynccontextmanager
async def coming(stage: Stage, room: str = HALL, *, name: str = "Ada Guest", cookie: str = "") -> AsyncIterator[Guest]:
    if not cookie:
        cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(room), name=name)
    async with talking(f"ws://127.0.0.1:{stage.guest.port}/ws", headers={"Cookie": cookie}) as member:
        yield Guest(stage, member)


async def test_a_room_is_found_and_one_that_is_not_there_is_gone(stage: Stage) -> None:
    for item in (HALL, "/group/village%20hall/", "https://galene.lan:8443/group/village%20hall/", OTHER):
        made = await stage.gateway.make_link(item)
        assert (await stage.gateway.link(made)).link.item in (HALL, OTHER)
        await stage.gateway.delete(made)
    for item in (
        "no-such-room", "Village Hall", "village hall/", "village hall/..", "../village hall", ".village", "a/b", "",
        "village%20hall", "village\\hall", "village hall;x", "https://galene.lan/", "https://galene.lan/recordings/x",
        f"{HALL}?token=x", "..", ".status",
    ):  # fmt: skip
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)


async def test_the_page_arrives_and_nothing_else(stage: Stage, server: int) -> None:
    at = stage.guest.port
    cookie, answer = await enter(at, await stage.gateway.make_link(HALL))
    page = "/group/village%20hall/"
    assert answer.headers["location"] == page

    async def got(path: str) -> Answer:
        return await ask(at, f"GET {path}", cookie=cookie)

    assert b"galene.js" in (await got(page)).body
    status = json.loads((await got(f"{page}.status")).body)
    assert status["name"] == HALL
    assert not {"location", "endpoint", "authServer", "authPortal"} & set(status)
    for name in ASSETS:
        assert (await got(f"/{name}")).status == 200, name
    assert (await got("/third-party/toastify/toastify.js")).status == 200

    # The server itself gives these to anybody, or does what they say.
    other = f"/group/{OTHER}/"
    loose = [other, f"{other}.status", "/group/%6fther-hall/", "/public-groups.json", "/", "/index.html", "/stats.html"]
    for target in loose:
        assert (await ask(server, f"GET {target}")).status == 200, target
    await stage.refuses(cookie, *(f"GET {target}" for target in loose))
    await stage.refuses(cookie, *anywhere(page, other), *anywhere(f"{page}.status", f"{other}.status"))
    await stage.refuses(
        cookie,
        f"GET {page}?token=x", f"GET {page}?username=x&token=y", f"GET {page.rstrip('/')}", f"GET {page}x/",
        f"POST {page}.whip", f"PATCH {page}.whip/x", f"DELETE {page}.whip/x",
        f"GET {page}.status.json", f"GET {page}.token", f"GET {page}.users", f"HEAD {page}../{OTHER}/",
        "GET /galene-api/v0/.stats", "GET /galene-api/v0/.groups/", "PUT /galene-api/v0/.groups/new",
        "POST /galene-api/v0/.groups/village%20hall/.tokens/", "GET /recordings", "GET /recordings/",
        "POST /recordings/village%20hall/?q=delete", "GET /change-password.html", "GET /stats.json", "GET /ws",
        "POST /ws", "GET /ws?group=other-hall", "GET /third-party/", "GET /third-party/fontawesome/",
        "GET /third-party/toastify/../../index.html", "GET /third-party/fontawesome/css/%2e%2e/%2e%2e/x.js",
        "GET /Galene.js", "GET /galene.js?x=1", "GET /example/example.js", "GET /background-blur-worker.js",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, f"{page}.status")
    port = stage.server.port
    stage.keeps(KEY, f"127.0.0.1:{port}", f"localhost:{port}")


async def test_a_guest_joins_this_room_under_their_own_name_whatever_they_say(stage: Stage, server: int) -> None:
    name = "Zoë \u202eGuest\t<b>"
    async with host(server, HALL) as member, host(server, OTHER) as elsewhere, coming(stage, name=name) as guest:
        joined = await guest.join(password=PASSWORD, data={"raisehand": True}, permissions=["op"], id="x")
        assert joined["kind"] == "join"
        assert joined["permissions"] == ["message"]
        said = await member.hears(lambda one: one["type"] == "user" and one["id"] == guest.member.id)
        assert said["username"] == joined["username"] == "Zoë Guest<b>"
        assert not said.get("data")
        # Leaving names the room as well: not another one, and not this one for somebody else.
        await guest.member.say(type="join", kind="leave", group=OTHER)
        await guest.member.hears(lambda one: one["type"] == "joined" and one["kind"] == "leave")
        await guest.join(group=OTHER)
        assert HOST in member.people()
        assert [name for name in elsewhere.people() if name != HOST] == []
    stage.keeps(KEY)


async def test_another_room_is_reached_by_no_spelling_of_a_message(stage: Stage, server: int) -> None:
    """A Go server takes the last of two keys, and a key in any case."""
    async with host(server, OTHER) as elsewhere, coming(stage) as guest:
        await guest.says_in_vain(
            f'{{"type":"join","kind":"join","group":"{HALL}","Group":"{OTHER}"}}',
            f'{{"type":"join","kind":"join","group":"{HALL}","group":"{OTHER}"}}',
            f'{{"type":"join","kind":"join","GROUP":"{OTHER}"}}',
            f'{{"type":"join","kind":"join","gro\\u0075p":"{HALL}","group":"{OTHER}"}}',
            f'{{"type":"join","kind":"join","group":"{HALL}","Kind":"join"}}',
            f'{{"type":"ping","Type":"join","kind":"join","group":"{OTHER}"}}',
            f'{{"Type":"join","kind":"join","group":"{OTHER}"}}',
            f'{{"type":"join","kind":"change","group":"{OTHER}"}}',
            f'["join","{OTHER}"]', '"join"', "null", "", "{", '{"type":"join","kind":"join"}}',
            f'{{"type":"join","kind":"join","group":"{OTHER}"}}{{"type":"ping"}}',
        )  # fmt: skip
        await guest.member.socket.send_bytes(f'{{"type":"join","kind":"join","group":"{OTHER}"}}'.encode())
        assert not [said for said in guest.member.heard if said["type"] == "joined"]
        # This one is written anew: the room is the guest's own, the key that was not asked for is gone.
        await guest.member.say(type="join", kind="join", group=OTHER, username=HOST, password=PASSWORD)
        joined = await guest.member.hears(lambda said: said["type"] == "joined")
        assert (joined["kind"], joined["group"], joined["permissions"]) == ("join", HALL, ["message"])
        assert list(elsewhere.people()) == [HOST]


async def test_a_guest_chats_and_does_nothing_else(stage: Stage, server: int) -> None:
    async with host(server, HALL) as member, coming(stage) as guest, coming(stage, name="Bob") as other:
        await guest.join()
        await other.join()
        me, name = guest.member.id, "Ada Guest"
        them = f'"source":"{me}","username":"{name}"'
        offer = f'{{"type":"offer","kind":"","id":"{"a" * 32}","label":"camera",{them},"sdp":"v=0"}}'
        await guest.says_in_vain(
            offer, offer.replace('"offer"', '"Offer"'), offer.replace('{"type"', '{"type":"ping","type"'),
            offer.replace('"type":"offer"', '"type":"ping","TYPE":"offer"'),
            offer.replace('"kind":""', '"kind":"renegotiate"'),
            f'{{"type":"close","id":"{"a" * 32}"}}',
            *(f'{{"type":"useraction","kind":"{kind}",{them},"dest":"{other.member.id}"}}' for kind in
              ("kick", "op", "unop", "present", "unpresent", "shutup", "unshutup", "identify", "setdata")),
            f'{{"type":"useraction","kind":"setdata",{them},"dest":"{me}","value":{{"raisehand":true}}}}',
            *(f'{{"type":"groupaction","kind":"{kind}",{them}}}' for kind in
              ("lock", "unlock", "record", "unrecord", "clearchat", "subgroups", "setdata", "maketoken", "edittoken",
               "listtokens")),
            f'{{"type":"groupaction","kind":"maketoken",{them},"value":{{"group":"{HALL}","permissions":["message"]}}}}',
            *(f'{{"type":"usermessage","kind":"{kind}",{them},"dest":"","value":"x"}}' for kind in
              ("mute", "warning", "error", "kicked", "clearchat", "token", "filetransfer", "info", "")),
            f'{{"type":"chat","kind":"caption",{them},"dest":"","value":"x"}}',
            f'{{"type":"chat","Type":"usermessage","kind":"",{them},"dest":"","value":"x"}}',
            f'{{"type":"chat","kind":"",{them},"dest":"","value":{{"a":1}}}}',
            f'{{"type":"chat","kind":"",{them},"dest":"","value":"{"x" * 9000}"}}',
            f'{{"type":"joined","kind":"join","group":"{HALL}"}}', '{"type":"user","kind":"add"}',
            '{"type":"permissions","permissions":["op"]}', f'{{"type":"handshake","version":["2"],"id":"{HOST}"}}',
        )  # fmt: skip
        await guest.member.say(
            type="chat", kind="", source=me, username=name, dest="", value="Good evening <b>", privileged=True,
            noecho=True, id="mine", time="1970-01-01T00:00:00Z",
        )  # fmt: skip
        for one in (member, other.member, guest.member):
            said = await one.hears(lambda said: said["type"] == "chat" and said.get("value"))
            assert (said["value"], said["username"], said["source"]) == ("Good evening <b>", name, me)
            assert not said.get("privileged")
            assert said["time"] > "2000"
        # Nothing of all the rest was heard by anybody, and nobody became or lost anything.
        chatted = [said for said in member.heard if said["type"] in ("chat", "usermessage")]
        assert len(chatted) == 1, chatted
        assert not [said for said in guest.member.heard if said["type"] in ("abort", "usermessage")]
        assert {who: "op" in may for who, may in member.people().items()} == {HOST: True, name: False, "Bob": False}
        assert not [said for said in member.heard if said.get("data")]
        await guest.member.say(type="chat", kind="me", source=me, username=name, dest=member.id, value="waves")
        assert (await member.hears(lambda said: said.get("value") == "waves"))["kind"] == "me"
        # Nobody speaks for another: Galene ends the websocket of whoever tries.
        await guest.member.say(type="chat", kind="", source=other.member.id, username="Bob", dest="", value="I am Bob")
        async with asyncio.timeout(30):
            while not guest.member.socket.closed:
                await asyncio.sleep(0.02)
        assert not [said for said in member.heard if said.get("value") == "I am Bob"]


async def test_no_subprotocol_makes_a_guest_more(stage: Stage) -> None:
    cookie, _ = await enter(stage.guest.port, await stage.gateway.make_link(HALL))
    before = len(stage.server.there)
    url = f"ws://127.0.0.1:{stage.guest.port}/ws"
    asked = {"headers": {"Cookie": cookie}, "protocols": ("publisher", "op")}
    async with aiohttp.ClientSession() as session, session.ws_connect(url, **asked) as socket:  # type: ignore[arg-type]
        assert socket.protocol is None
    assert b"sec-websocket-protocol" not in bytes(stage.server.there[before:]).lower()
    for foreign in ("http://elsewhere.test", f"http://127.0.0.1:{stage.server.port}", "null"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(url, headers={"Cookie": cookie}, origin=foreign),
            ):
                pass
        assert refused.value.status == 403, foreign


async def test_a_token_is_good_for_this_room_alone(stage: Stage, server: int) -> None:
    """The token of one room, taken from the server's side of the wire, opens no other, and not for long."""
    async with coming(stage) as guest:
        await guest.join()
        token = next(iter(minted(stage)))
    async with talking(f"ws://127.0.0.1:{server}/ws") as thief:
        await thief.say(type="join", kind="join", group=OTHER, token=token)
        joined = await thief.hears(lambda said: said["type"] == "joined")
        assert joined["kind"] == "fail", joined
    stage.keeps(token)


def minted(stage: Stage) -> list[str]:
    """Tokens as they went to the server: a client's frames are masked, each with four bytes of its own."""
    data, found = bytes(stage.server.there), []
    for at in range(len(data) - 8):
        if data[at] == 0x81 and data[at + 1] == 0xFE:
            length = int.from_bytes(data[at + 2 : at + 4])
            mask, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
            text = bytes(octet ^ mask[place % 4] for place, octet in enumerate(body))
            if text.startswith(b'{"type":"join"'):
                found.append(json.loads(text)["token"])
    assert found
    return found


async def test_a_guest_who_is_cut_is_out_of_the_room_within_two_seconds(stage: Stage, server: int) -> None:
    link = await stage.gateway.make_link(HALL)
    cookie, _ = await enter(stage.guest.port, link)
    async with host(server, HALL) as member, coming(stage, cookie=cookie) as guest:
        await guest.join()
        await member.hears(lambda said: said["type"] == "user" and said["id"] == guest.member.id)
        began = time.monotonic()
        await stage.gateway.switch(HALL, on=False)
        await member.hears(
            lambda said: said["type"] == "user" and said["kind"] == "delete" and said["id"] == guest.member.id
        )
        assert time.monotonic() - began < 10, "two seconds, on a machine with nothing else to do"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with coming(stage, cookie=cookie):
                pass
    stage.keeps(KEY)


async def test_with_chat_off_a_guest_only_watches(tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALENE_KEY", KEY)
    policy = (ROOT / "policies" / "galene.yaml").read_text().replace("interactions: [chat]", "interactions: [hand]")
    async with between(tmp_path, policy, server) as stage, host(server, HALL) as member, coming(stage) as guest:
        await guest.join()
        me = {"source": guest.member.id, "username": "Ada Guest"}
        await guest.says_in_vain(json.dumps({"type": "chat", "kind": "", **me, "dest": "", "value": "x"}))
        up = {"type": "useraction", "kind": "setdata", "dest": guest.member.id, **me}
        await guest.says_in_vain(
            json.dumps({**up, "value": {"raisehand": 7}}), json.dumps({**up, "kind": "kick", "value": {}})
        )
        await guest.member.say(**up, value={"raisehand": True, "op": True})
        said = await member.hears(lambda said: said["type"] == "user" and said.get("data"))
        assert said["data"] == {"raisehand": True}
        assert [said for said in member.heard if said["type"] == "chat"] == []


@asynccontextmanager
async def publishing(browser: Browser, server: int) -> AsyncIterator[Page]:
    """Somebody of the house, at Galene's own page, with a camera that shows a test picture."""
    context = await browser.new_context(permissions=["camera", "microphone"])
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server}/group/village%20hall/")
    await page.locator("#username").fill(HOST)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("#presentboth").check(force=True)
    await page.locator("#connectbutton").click()
    await page.locator("#peers video").first.wait_for(timeout=45_000)
    yield page
    await context.close()


SHOWN = "v.videoWidth > 0 && !v.paused && v.getVideoPlaybackQuality().totalVideoFrames"


@pytest.mark.browser
async def test_a_browser_comes_in_sees_the_stream_chats_and_is_cut(stage: Stage, server: int) -> None:
    async with chromium(*CAMERA) as browser, publishing(browser, server) as house:
        page = await (await browser.new_context()).new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await fill_in(page, await stage.gateway.make_link(HALL))
        await page.wait_for_url("**/group/village%20hall/")
        # No name and no password is asked for; the click lets the browser play sound.
        await expect(page.locator("#connectbutton")).to_be_visible(timeout=45_000)
        await expect(page.locator("#password")).to_be_hidden()
        await page.locator("#connectbutton").click()
        await page.locator("#peers video").first.wait_for(timeout=45_000)
        await until(page, f"{SHOWN} > 20")
        await expect(page.locator("#presentbutton")).to_be_hidden()

        await page.locator("#input").fill("Good evening from afar")
        await page.locator("#inputbutton").click()
        for one in (house, page):
            await expect(one.locator("#box")).to_contain_text("Good evening from afar", timeout=45_000)
            await expect(one.locator("#box")).to_contain_text("Ada Guest")
        await expect(house.locator("#users")).to_contain_text("Ada Guest")

        # Loaded anew it comes in again, whatever was kept of the first time.
        await page.reload()
        await page.locator("#connectbutton").click(timeout=45_000)
        await page.locator("#peers video").first.wait_for(timeout=45_000)
        await until(page, f"{SHOWN} > 20")
        assert faults == []

        await stage.gateway.switch(HALL, on=False)
        await expect(house.locator("#users")).not_to_contain_text("Ada Guest", timeout=45_000)
        await expect(page.locator("#peers video")).to_have_count(0, timeout=45_000)
        answer = await page.reload()
        assert answer is not None
        assert answer.status in (403, 410)
        await expect(house.locator("#peers video")).to_have_count(1)
    stage.keeps(KEY, f"127.0.0.1:{stage.server.port}")


@pytest.mark.browser
async def test_who_may_present_is_seen_by_the_house(
    tmp_path: Path, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two changes that docs/servers/galene.md names."""
    monkeypatch.setenv("GALENE_KEY", KEY)
    policy = (ROOT / "policies" / "galene.yaml").read_text()
    for old, new in (("permissions: [message]", "permissions: [message, present]"), ("[chat]", "[chat, present]")):
        assert old in policy
        policy = policy.replace(old, new)
    async with between(tmp_path, policy, server) as stage, chromium(*CAMERA) as browser:
        context = await browser.new_context(permissions=["camera", "microphone"])
        page = await context.new_page()
        await fill_in(page, await stage.gateway.make_link(HALL))
        await expect(page.locator("#connectbutton")).to_be_visible(timeout=45_000)
        await page.locator("#presentboth").check(force=True)
        await page.locator("#connectbutton").click()
        await page.locator("#peers video").first.wait_for(timeout=45_000)
        house = await (await browser.new_context()).new_page()
        await house.goto(f"http://127.0.0.1:{server}/group/village%20hall/")
        await house.locator("#username").fill(HOST)
        await house.locator("#password").fill(PASSWORD)
        await house.locator("#connectbutton").click()
        await house.locator("#peers video").first.wait_for(timeout=45_000)
        await until(house, f"{SHOWN} > 20")
        # Cut, what they send ends as well.
        await stage.gateway.switch(HALL, on=False)
        await expect(house.locator("#peers video")).to_have_count(0, timeout=45_000)


async def test_a_room_without_a_key(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, server: int, request: pytest.FixtureRequest
) -> None:
    """What docs/servers/galene.md says of groups that let everybody in: still one room, and the guest's own name."""
    program = request.node.callspec.params["server"]
    page = (ROOT / "docs" / "servers" / "galene.md").read_text()
    (line,) = [line.strip() for line in page.splitlines() if line.startswith("- {type: join")]
    policy = (ROOT / "policies" / "galene.yaml").read_text()
    before, _, rest = policy.partition("upstream:\n")
    policy = before + "examples:" + rest.partition("examples:")[2]
    for old in [one.strip() for one in policy.splitlines() if "{type: join" in one]:
        policy = policy.replace(old, line)
    policy = policy.replace('replace: {"let token = null": "let token = 1"}\n', "")
    open_to_all = {"wildcard-user": {"password": {"type": "wildcard"}, "permissions": ["message"]}, "authKeys": []}
    folder = tmp_path_factory.mktemp("open") / "own"
    with galene(folder, {HALL: KEY, OTHER: KEY}, program=program, more=open_to_all) as port:
        async with between(tmp_path, policy, port) as stage, coming(stage) as guest:
            joined = await guest.join(group=OTHER, username=HOST, password=PASSWORD)
            assert (joined["kind"], joined["group"], joined["permissions"]) == ("join", HALL, ["message"])
            assert joined["username"] == "Ada Guest"
