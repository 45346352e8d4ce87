"""policies/livekit.yaml before a real LiveKit server where there is one, and a stand-in that reads as loosely.

No address names the room: a token does, which the gateway makes and the guest never has. So what matters is what
reaches the server beside it, what the token lets a guest do, and that they are out when their access ends, although
sound and picture never pass the gateway.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.test_guest_path import enter as fill_in
from tests.chromium import chromium
from tests.policies.live_servers import spellings
from tests.policies.livekit import (
    HOST,
    KEY,
    SECRET,
    Leaves,
    Livekit,
    Signal,
    field,
    join_request,
    livekit,
    programs,
    signalling,
    token,
)
from tests.policies.watching import until
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import ask, enter

ROOT = Path(__file__).parents[2]
HALL, OTHER, CELLAR = "village hall", "other-hall", "cellar"
OLD = "auto_subscribe=1&sdk=js&version=2.23.0&protocol=17"
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
PRESENT = "interactions: [chat, present]"


@pytest.fixture(scope="module", params=programs())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Livekit]:
    with livekit(tmp_path_factory.mktemp("livekit") / "own", request.param) as server:
        yield server


@asynccontextmanager
async def before(
    folder: Path, server: Livekit, monkeypatch: pytest.MonkeyPatch, policy: str = "livekit"
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    for room in (HALL, OTHER):
        await server.open(room)
    async with between(folder, policy, server.port) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path: Path, server: Livekit, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with before(tmp_path, server, monkeypatch) as stage:
        yield stage


@dataclass(frozen=True)
class Guest:
    """Who has come in, by their cookie and the word that their page puts into addresses."""

    stage: Stage
    cookie: str
    grant: str

    @property
    def v1(self) -> str:
        return f"/rtc/v1?grant={self.grant}&access_token=guest&join_request={join_request()}"

    @property
    def v0(self) -> str:
        return f"/rtc?grant={self.grant}&{OLD}"

    @property
    def validate(self) -> str:
        return self.v1.replace("/v1?", "/v1/validate?")

    @asynccontextmanager
    async def joining(self, target: str = "", **headers: str) -> AsyncIterator[Signal]:
        said = {"Cookie": self.cookie, **headers}
        async with signalling(self.stage.guest.port, target or self.v1, said) as signal:
            yield signal

    async def refused(self, target: str = "", **headers: str) -> int:
        """The status with which a handshake is refused, of which the server hears nothing."""
        sent = len(self.stage.server.there)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with self.joining(target, **headers):
                pass
        assert len(self.stage.server.there) == sent, target
        return refused.value.status


async def come(stage: Stage, room: str = HALL, name: str = "Ada Guest", link: str = "") -> Guest:
    """By a link of their own."""
    link = link or await stage.gateway.make_link(room)
    cookie, answer = await enter(stage.guest.port, link, name=name)
    assert answer.status == 303
    return Guest(stage, cookie, answer.headers["location"].rpartition("/")[2])


def tokens(stage: Stage) -> list[dict[str, Any]]:
    """What the tokens say that went to the server, in their order."""
    found = re.findall(rb"(?im)^authorization: bearer [^.\s]+[.]([^.\s]+)[.]", bytes(stage.server.there))
    return [json.loads(urlsafe_b64decode(one + b"=" * (-len(one) % 4))) for one in found]


async def test_a_room_that_is_open_is_found_and_one_that_is_not_is_waited_for(stage: Stage, server: Livekit) -> None:
    for item in (HALL, "/rooms/village%20hall", "https://meet.lan/rooms/village%20hall"):
        made = await stage.gateway.make_link(item)
        view = await stage.gateway.link(made)
        assert (view.link.item, view.item.title) == (HALL, HALL)
        await stage.gateway.delete(made)
    for item in (
        "",
        ".",
        "..",
        "a/b",
        "a%2fb",
        "../hall",
        "hall;x",
        "hall?x=1",
        "hall\\x",
        "#hall",
        "/rtc",
        "/rooms/a/b",
    ):
        with pytest.raises(LookupError):
            await stage.gateway.make_link(item)
    link = await stage.gateway.make_link(CELLAR)
    _, answer = await enter(stage.guest.port, link)
    assert answer.status == 200
    assert b"waiting" in answer.body
    await server.open(CELLAR)
    _, answer = await enter(stage.guest.port, link)
    assert answer.status == 303
    await server.close(CELLAR)
    # Another case is another room, which is not open.
    _, answer = await enter(stage.guest.port, await stage.gateway.make_link("Village hall"))
    assert answer.status == 200
    lists = [one["video"] for one in tokens(stage)]
    assert lists == [{"roomList": True}] * len(lists)


async def test_a_guest_joins_their_room_under_their_name_and_may_do_no_more(stage: Stage, server: Livekit) -> None:
    ada = await come(stage, name="Zoë \u202eGuest\t<b>")
    validated = await ask(stage.guest.port, f"GET {ada.validate}", cookie=ada.cookie)
    assert (validated.status, validated.body) == (200, b"success")
    async with ada.joining() as guest:
        me = await guest.me()
        (person,) = (await server.settled(HALL, "Zoë Guest<b>")).values()
        assert person["identity"].encode() == me[2]
        may = person["permission"]
        assert (may["can_publish"], may["can_publish_data"], may["can_subscribe"]) == (False, True, True)
        assert not any(may[one] for one in ("hidden", "recorder", "agent", "can_update_metadata"))
        # Saying that one will send, and what one is called now.
        await guest.say(4, field(1, "my camera") + field(3, 1) + field(8, 1))
        await guest.say(15, field(1, "{}") + field(2, HOST))
        with pytest.raises(TimeoutError):
            await guest.hears(6, seconds=1)
        (person,) = (await server.people(HALL)).values()
        assert (person["name"], person["metadata"], person["tracks"]) == ("Zoë Guest<b>", "", [])
    said = tokens(stage)[-1]
    assert said["exp"] - said["iat"] == 120
    assert {name: said[name] for name in ("iss", "name", "video")} == {
        "iss": KEY, "name": "Zoë Guest<b>",
        "video": {
            "room": HALL, "roomJoin": True, "canSubscribe": True, "canPublish": False, "canPublishData": True,
            "canPublishSources": ["camera", "microphone"], "canUpdateOwnMetadata": False,
        },
    }  # fmt: skip
    assert set(said) == {"iss", "name", "video", "sub", "iat", "nbf", "exp"}
    stage.keeps(SECRET, f"127.0.0.1:{server.port}")


async def test_what_a_guest_brings_of_their_own_reaches_nobody(stage: Stage, server: Livekit) -> None:
    """Tokens that the server itself would take: for another room, for everything."""
    ada = await come(stage)
    everything = {"roomAdmin": True, "roomCreate": True, "roomList": True, "canPublish": True, "roomJoin": True}
    theirs = token(sub="intruder", name="intruder", video={**everything, "room": OTHER})
    v1 = ada.v1.replace("access_token=guest", f"access_token={theirs}")
    for target in (v1, f"{ada.v0}&access_token={theirs}", f"{v1}&access_token={theirs}"):
        async with ada.joining(target, Authorization=f"Bearer {theirs}", access_token=theirs) as guest:
            await guest.me()
            assert set(await server.people(HALL)) == {"Ada Guest"}
            assert await server.people(OTHER) == {}
    # At the server itself it is good.
    async with signalling(server.port, v1) as intruder:
        await intruder.me()
        assert set(await server.people(OTHER)) == {"intruder"}
    assert b"access_token" not in bytes(stage.server.there).lower()
    assert theirs.encode() not in bytes(stage.server.there)
    await ignores_what_a_guest_says_of_itself(stage, ada.cookie, ada.validate)


async def test_no_way_of_joining_makes_another_person_or_more_of_one(stage: Stage, server: Livekit) -> None:
    ada = await come(stage)
    other = await come(stage, OTHER, name="Bob")

    def saying(*said: bytes) -> str:
        return f"/rtc/v1?grant={ada.grant}&join_request={join_request(*said)}"

    async with other.joining() as bob:
        theirs = (await bob.me())[1]
        assert isinstance(theirs, bytes)
        for said in (field(3, "{}"), field(4, field(1, "lk.role") + field(2, "agent"))):
            # Metadata and attributes: the server looks whether the token lets one say them.
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with ada.joining(saying(said)):
                    pass
        for said in (field(7, 1) + field(9, theirs), field(5, field(1, "c") + field(3, 1) + field(8, 1))):
            # Going on as somebody else, and sending from the first moment: it is the same guest in the same room.
            async with ada.joining(saying(said)) as guest:
                try:
                    assert (await guest.me())[9] == b"Ada Guest"
                except Leaves:
                    continue
                (person,) = (await server.people(HALL)).values()
                assert (person["name"], person["tracks"]) == ("Ada Guest", [])
        assert set(await server.people(OTHER)) == {"Bob"}
    # But the one whose escaped digit is the digit: that is this address.
    otherwise = [one for one in spellings(ada.v1)[1:] if "/v%31" not in one and not one.startswith(f"{ada.v1[:-1]}%")]
    for target in (
        f"{ada.v0}&publish=cam", f"{ada.v0}&attributes=e30%3D", f"{ada.v0}&join_request={join_request()}",
        f"{ada.v0}&metadata=x", f"{ada.v0}&room={OTHER}", f"{ada.v0}&protocol=17", f"{ada.v0}&Publish=cam",
        f"{ada.v0}&sid=PA_x%26publish%3Dcam", f"{ada.v1}&publish=cam", f"{ada.v1}&join_request={join_request()}",
        f"{ada.v1}&room={OTHER}", "/rtc/v1", f"/rtc/v1?grant={ada.grant}&access_token=guest",
        f"/rtc/v1?join_request={join_request()}", f"/rtc/v1?grant={ada.grant}&join_request=x%20y",
        f"/rtc/v1?grant={ada.grant}&join_request=a%00b", other.v1, other.v0, f"{ada.v1}&grant={other.grant}",
        "/agent", "/agent?access_token=guest", "/twirp/livekit.RoomService/ListRooms", *otherwise,
    ):  # fmt: skip
        assert await ada.refused(target) in (400, 403, 404), target
    for foreign in ("http://elsewhere.test", f"http://127.0.0.1:{server.port}", "null"):
        assert await ada.refused(Origin=foreign) == 403, foreign


async def test_one_browser_has_two_rooms_and_each_page_joins_its_own(stage: Stage, server: Livekit) -> None:
    first = await come(stage)
    path = "/" + (await stage.gateway.make_link(OTHER)).split("/", 3)[3]
    html = "Accept: text/html\r\n"
    page = await ask(stage.guest.port, f"GET {path}", cookie=first.cookie, headers=html)
    form = page.body.decode().partition('name="form" value="')[2].partition('"')[0]
    said = urlencode({"name": "Ada Guest", "email": "ada@example.org", "form": form}).encode()
    cookie = "; ".join([first.cookie, *(f"{name}={value}" for name, value in page.cookies.items())])
    post = f"{html}Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://127.0.0.1:{stage.guest.port}\r\n"
    answer = await ask(stage.guest.port, f"POST {path}", cookie=cookie, headers=post, body=said)
    both = f"gateway={answer.cookies['gateway']}"
    second = Guest(stage, both, answer.headers["location"].rpartition("/")[2])
    async with Guest(stage, both, first.grant).joining() as here, second.joining() as there:
        await here.me()
        await there.me()
        assert set(await server.people(HALL)) == set(await server.people(OTHER)) == {"Ada Guest"}


async def test_nothing_else_of_the_server_is_there(stage: Stage) -> None:
    ada = await come(stage)
    cookie, validate, join = ada.cookie, ada.validate, ada.v1
    await stage.refuses(cookie, *anywhere(validate, "/twirp/livekit.RoomService/ListRooms"))
    services = ("RoomService/ListRooms", "RoomService/ListParticipants", "RoomService/RemoveParticipant",
                "RoomService/CreateRoom", "RoomService/SendData", "Egress/StartRoomCompositeEgress",
                "Ingress/CreateIngress", "SIP/CreateSIPParticipant", "AgentDispatchService/CreateDispatch")  # fmt: skip
    doors = [*(f"/twirp/livekit.{one}" for one in services), "/whip/v1", "/agent", "/debug/rooms", "/metrics"]
    await stage.refuses(cookie, *(f"{method} {spelt}" for door in doors for spelt in spellings(door)
                                  for method in ("GET", "POST")))  # fmt: skip
    await stage.refuses(
        cookie, "GET /", "GET /rtc", f"GET {join}", f"POST {join}", f"POST {validate}",
        "PATCH /whip/v1/village%20hall/PA_x",
        "DELETE /whip/v1/village%20hall/PA_x", "GET /settings/regions", "GET /rooms/village%20hall", "PUT /whip/v1/x",
        f"GET {validate}&publish=cam", f"GET {validate}&room={OTHER}",
        f"GET {ada.v0.replace('?', '/validate?')}&publish=cam",
        f"OPTIONS {join} HTTP/1.1\r\nHost: elsewhere.test\r\nCookie: COOKIE\r\nConnection: close\r\n\r\n".encode(),
    )  # fmt: skip
    await stage.refuses("", f"GET {validate}")


async def test_who_is_removed_is_out_at_once_and_does_not_come_back(stage: Stage, server: Livekit) -> None:
    link = await stage.gateway.make_link(HALL)
    ada, other = await come(stage, link=link), await come(stage, name="Bob")
    async with ada.joining() as guest, other.joining() as bob:
        await bob.me()
        await guest.me()
        await server.settled(HALL, "Ada Guest", "Bob")
        began = time.monotonic()
        await stage.gateway.desk.edit((await stage.gateway.link(link)).link.id, {"enabled": False})
        await server.settled(HALL, "Bob")
        assert time.monotonic() - began < 8, "two seconds, on a machine with nothing else to do"
        with pytest.raises(Leaves):
            await guest.hears(99)
        # By the gateway nothing of theirs arrives, not even with a token that the server takes.
        may = {"room": HALL, "roomJoin": True, "canSubscribe": True}
        fresh = token(sub=ada.grant, name="Ada Guest", video=may)
        for target in (ada.v1, ada.v1.replace("=guest&", f"={fresh}&"), f"{ada.v0}&access_token={fresh}"):
            assert await ada.refused(target, Authorization=f"Bearer {fresh}") in (403, 410)
        assert set(await server.people(HALL)) == {"Bob"}
        async with asyncio.timeout(30):
            while not (removing := [one["video"] for one in tokens(stage) if "roomAdmin" in one["video"]]):
                await asyncio.sleep(0.05)
        assert removing == [{"room": HALL, "roomAdmin": True}]


async def test_the_tokens_that_the_server_hands_out_reach_no_guest(stage: Stage, server: Livekit) -> None:
    """One comes with each join, as good as the gateway's own: who was removed would come in with it at the server."""
    ada = await come(stage)
    may = {"room": HALL, "roomJoin": True, "canSubscribe": True}
    async with ada.joining() as guest:
        await guest.me()
        with pytest.raises(TimeoutError):
            await guest.hears(16, seconds=1)
        await guest.say(16, field(1, 7))
        assert await guest.hears(20), "an answer to a ping: all else goes on"
    assert b".eyJ" not in bytes(stage.guest.back)
    # It would have been there.
    own = token(sub="somebody", name="Somebody", video=may)
    async with signalling(server.port, f"/rtc/v1?join_request={join_request()}&access_token={own}") as somebody:
        fresh = await somebody.refreshed()
    async with signalling(server.port, f"/rtc/v1?join_request={join_request()}&access_token={fresh}") as back:
        assert (await back.me())[9] == b"Somebody"


async def test_leaving_takes_a_guest_out_of_the_room(stage: Stage, server: Livekit) -> None:
    ada = await come(stage)
    async with ada.joining() as guest:
        await guest.me()
        await server.settled(HALL, "Ada Guest")
        form, body = "Content-Type: application/x-www-form-urlencoded\r\n", f"grant={ada.grant}".encode()
        answer = await ask(stage.guest.port, "POST /_gateway/leave", cookie=ada.cookie, headers=form, body=body)
        assert answer.status in (200, 303)
        await server.settled(HALL)


SHOWN = "v.videoWidth > 0 && v.getVideoPlaybackQuality().totalVideoFrames"


async def inside(page: Page, link: str) -> None:
    await fill_in(page, link)
    await page.wait_for_url("**/_gateway/watch/**")
    await expect(page.locator(".here")).to_have_text(re.compile("Here now: "), timeout=45_000)


@pytest.mark.browser
async def test_a_guest_sees_a_host_chats_and_is_cut(stage: Stage, server: Livekit) -> None:
    async with chromium(*CAMERA) as browser:
        page = await (await browser.new_context()).new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await inside(page, await stage.gateway.make_link(HALL))
        await expect(page.get_by_role("heading", name=HALL)).to_be_visible()
        await expect(page.get_by_text("Nobody else is here yet")).to_be_visible()
        assert await page.get_by_role("button", name=re.compile("camera|microphone")).count() == 0
        async with server.host(browser, HALL) as host:
            await expect(page.locator(".person .name")).to_contain_text(HOST, timeout=45_000)
            await expect(page.get_by_text("Nobody else is here yet")).to_be_hidden()
            await until(page, f"v && {SHOWN} > 10")
            await expect(page.locator(".here")).to_have_text("Here now: 2")
            await host.says("Good evening <b>village</b>")
            await expect(page.locator(".said .one")).to_contain_text("Good evening <b>village</b>", timeout=45_000)
            await expect(page.locator(".said .who")).to_contain_text(HOST)
            await page.keyboard.press("c")
            await page.keyboard.type("And to you")
            await page.keyboard.press("Enter")
            await host.hears("Ada Guest", "And to you")

            # A second tab is the same guest, who is here once.
            tab = await page.context.new_page()
            await tab.goto(page.url)
            await expect(tab.locator(".person .name")).to_contain_text(HOST, timeout=45_000)
            await expect(page.locator(".trouble")).to_contain_text("another tab", timeout=45_000)
            await tab.close()
            await page.get_by_role("button", name="Join here").click()
            await expect(page.locator(".person .name")).to_contain_text(HOST, timeout=45_000)
            await until(page, f"v && {SHOWN} > 5")

            await stage.gateway.switch(HALL, on=False)
            await server.settled(HALL, HOST)
            await expect(page.locator(".trouble")).to_contain_text("Your access has ended", timeout=45_000)
            assert await page.locator(".person").count() == 0
            answer = await page.reload()
            assert answer is not None
            assert answer.status in (403, 410)
        assert faults == []
    stage.keeps(SECRET)


@pytest.mark.browser
async def test_with_present_a_guest_is_seen_and_a_room_that_closes_says_so(
    tmp_path: Path, server: Livekit, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = (ROOT / "policies" / "livekit.yaml").read_text().replace("interactions: [chat]", PRESENT)
    async with before(tmp_path, server, monkeypatch, policy) as stage, chromium(*CAMERA) as browser:
        page = await browser.new_page()
        await inside(page, await stage.gateway.make_link(OTHER))
        await page.keyboard.press("m")
        await expect(page.get_by_role("button", name="Turn microphone off")).to_be_visible(timeout=45_000)
        if server.program != "fake":
            # A stand-in's media end takes no picture in several sizes, and a browser sends no other.
            await page.get_by_role("button", name="Turn camera on").click()
            await expect(page.get_by_role("button", name="Turn camera off")).to_be_visible(timeout=45_000)
            await expect(page.locator(".person.me .name")).to_contain_text("Ada Guest (you)")
            await until(page, f"v && {SHOWN} > 5")
        wanted = {"MICROPHONE"} if server.program == "fake" else {"MICROPHONE", "CAMERA"}
        async with asyncio.timeout(45):
            while {one["source"] for one in (await server.people(OTHER))["Ada Guest"]["tracks"]} != wanted:
                await asyncio.sleep(0.1)
        await server.close(OTHER)
        await expect(page.locator(".trouble")).to_contain_text("The room has closed", timeout=45_000)
        await expect(page.locator(".person")).to_have_count(0)
