"""The live half of a BigBlueButton 3.0 server: meetings, behind nginx with a name of its own.

    fake = FakeBbbRooms()
    async with fake.running() as url:
        fake.create("seminar", "A seminar")          what a front end does; fake.secret signs calls of the API
        async with fake.house("seminar") as host: …  a moderator, who joins at the server itself

What misleads, with the place it comes from (bigbluebutton/bigbluebutton):
- one secret opens everything: create, end, join as whoever one likes (ParamsUtil, docs/development/api.md)
- getMeetingInfo holds the moderator's password and everybody who is there (MeetingInfo template)
- a join that fails is answered with a redirect, also with redirect=false (ApiController.groovy, `invalid`)
- what a session may ask needs its token *and* the cookie of the join (ConnectionController.groovy); the token of the
  query is the first that stands there (ParamsUtil.getSessionToken), and one cookie may hold several tokens
- slides ask nobody, and the second of the two meeting ids chooses the file (nginx-confs/presentation-slides.nginx)
- nginx decodes and tidies a path before it is compared, and its locations are prefixes: /livekit/ is all of LiveKit,
  /api/rest/meetingStaticData is whatever begins so (build/packages-template/*/*.nginx)
- every address that the server writes names it by its own host (graphqlWebsocketUrl, url of join)
- the SFU takes who somebody is from nginx's headers, and role and kind from the message (bbb-webrtc-sfu)
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

import aiohttp
from aiohttp import WSMsgType, web

from tests.servers.asked import Asked, Fake, wants_websocket
from tests.servers.bbb_api import checked, signed
from tests.servers.bbb_graphql import Conversation
from tests.servers.bbb_meetings import Meeting, User
from tests.servers.nginx_paths import folder, page, tidied

PAGES = Path(__file__).parent / "pages" / "bbb-html5client"
NAME = "bbb.example.org"
_SLIDE = re.compile(
    r"/bigbluebutton/presentation/([A-Za-z0-9-]+)/([A-Za-z0-9-]+)/([A-Za-z0-9-]+)/(svg|png|thumbnail|textfiles)/(\d+)"
)
_DOORS = (
    "/bigbluebutton/presentation", "/bigbluebutton/connection", "/bigbluebutton/fileUpload", "/bigbluebutton/rtt-check",
    "/livekit/", "/hocuspocus", "/pad", "/playback", "/presentation", "/podcast", "/recording", "/notes",
    "/learning-analytics-dashboard", "/bbb-webhooks", "/plugin-assets",
)  # fmt: skip


class FakeBbbRooms(Fake):
    def __init__(self, *, left_after: float = 0.3) -> None:
        super().__init__()
        self.secret = secrets.token_hex(20)
        self.meetings: dict[str, Meeting] = {}
        self.cookies: dict[str, dict[str, User]] = {}
        self.sfu: list[tuple[str, dict[str, Any]]] = []
        """What the SFU was told: whose websocket (user id), and the message; `{"id": "close"}` when it ended."""
        self._left_after = left_after
        self._last = 0

    def create(self, external: str, name: str = "A meeting", **more: Any) -> Meeting:
        self._last = max(self._last + 1, time.time_ns() // 1_000_000)
        made = Meeting(external, name, self._last, left_after=self._left_after, **more)
        self.meetings[external] = made
        return made

    def found(self, internal: str) -> Meeting | None:
        return next((one for one in self.meetings.values() if one.internal == internal), None)

    def session(self, request: web.Request, token: str | None) -> User | None:
        """checkAuthorization: the token, and the cookie of the join that gave it."""
        return self.cookies.get(request.cookies.get("JSESSIONID", ""), {}).get(token or "")

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        path = tidied(asked.path)
        if path is None:
            return web.Response(status=400)
        if call := re.fullmatch(r"/bigbluebutton/api(?:/(\w*))?/?", path):
            return await self._api(request, asked, call[1] or "")
        if path.startswith("/api/rest/"):
            return self._rest(request, path)
        if path.startswith("/graphql"):
            return await self._graphql(request)
        if path.startswith("/bbb-webrtc-sfu"):
            return await self._sfu(request, asked)
        if slide := _SLIDE.fullmatch(path):
            return self._slide(slide)
        if path.startswith("/html5client"):
            rest = path.removeprefix("/html5client")
            if rest == "/locales/":  # autoindex_format json
                return web.json_response([{"name": "en.json", "type": "file"}])
            return page(PAGES / "index.html") if rest == "/" else folder(request, PAGES / rest.lstrip("/"), path)
        if path.startswith(_DOORS):
            return web.Response(text=f"{request.method} {path}: done")
        return web.Response(text="Greenlight" if path == "/" else "", status=200 if path == "/" else 404)

    # --- /bigbluebutton/api ------------------------------------------------------------------------

    async def _api(self, request: web.Request, asked: Asked, call: str) -> web.StreamResponse:
        query = asked.query
        if request.method == "POST" and "form-urlencoded" in request.headers.get("Content-Type", ""):
            query = "&".join(one for one in (query, asked.body.decode()) if one)
        said = dict(parse_qsl(query))
        if call == "":
            own = {"returncode": "SUCCESS", "version": "2.0", "apiVersion": "2.0", "bbbVersion": ""}
            own |= {"graphqlWebsocketUrl": f"wss://{NAME}/graphql", "graphqlApiUrl": f"https://{NAME}/api/rest"}
            if "json" in request.headers.get("Content-Type", "") + request.headers.get("Accept", ""):
                return web.json_response({"response": own})
            return _xml("".join(f"<{name}>{escape(text)}</{name}>" for name, text in own.items()))
        if call in ("stuns", "guestWait"):
            return self._of_a_session(request, asked, call)
        if not checked(call, query, self.secret):
            return _failed("checksumError", "Checksums do not match", redirect=call == "join")
        meeting = self.meetings.get(said.get("meetingID", "").strip())
        if call == "create":
            meeting = meeting or self.create(said["meetingID"].strip(), said.get("name", ""))
            return _xml(f"<returncode>SUCCESS</returncode><createTime>{meeting.created}</createTime>")
        if call == "isMeetingRunning":
            running = meeting is not None and meeting.running
            return _xml(f"<returncode>SUCCESS</returncode><running>{str(running).lower()}</running>")
        if call == "getMeetings":
            return _xml("<returncode>SUCCESS</returncode>" + "".join(map(_info, self.meetings.values())))
        if meeting is None:
            return _failed(
                "invalidMeetingIdentifier" if call == "join" else "notFound", "A meeting with that ID does not exist",
                redirect=call == "join",
            )  # fmt: skip
        if call == "join":
            return self._join(request, meeting, said)
        if call == "end":
            meeting.end()
        return _xml(f"<returncode>SUCCESS</returncode>{_info(meeting)}")

    def _join(self, request: web.Request, meeting: Meeting, said: dict[str, str]) -> web.StreamResponse:
        role = {"MODERATOR": "MODERATOR", "VIEWER": "VIEWER"}.get(said.get("role", "").upper()) or {
            meeting.moderator_pw: "MODERATOR", meeting.attendee_pw: "VIEWER"
        }.get(said.get("password", ""))  # fmt: skip
        name = said.get("fullName", "").strip()
        if "createTime" in said and said["createTime"] != str(meeting.created):
            return _failed("mismatchCreateTimeParam", "The createTime parameter mismatches", redirect=True)
        if meeting.ended:
            return _failed("meetingForciblyEnded", "You can not re-join a meeting that has ended", redirect=True)
        if role is None or not name:
            return _failed("invalidPassword", "You did not supply a password or a role", redirect=True)
        user = meeting.registered(
            name, role, guest=said.get("guest") == "true", external=said.get("userID", "")
        )  # fmt: skip
        cookie = request.cookies.get("JSESSIONID", "")
        if cookie not in self.cookies:
            cookie = secrets.token_hex(16).upper()
        self.cookies.setdefault(cookie, {})[user.token] = user
        url = f"https://{NAME}/html5client/?sessionToken={user.token}"
        if said.get("redirect") == "false":
            answer: web.Response = _xml(
                "<returncode>SUCCESS</returncode><messageKey>successfullyJoined</messageKey>"
                f"<message>You have joined successfully.</message><meeting_id>{meeting.internal}</meeting_id>"
                f"<user_id>{user.id}</user_id><auth_token>{user.auth}</auth_token>"
                f"<session_token>{user.token}</session_token><guestStatus>{user.status}</guestStatus><url>{url}</url>"
            )
        else:
            answer = web.Response(status=302, headers={"Location": url})
        answer.headers["Set-Cookie"] = f"JSESSIONID={cookie}; Path=/; Secure; HttpOnly"
        return answer

    def _of_a_session(self, request: web.Request, asked: Asked, call: str) -> web.StreamResponse:
        user = self.session(request, token_of(asked.query))
        if user is None:
            return _failed("missingSession", "Invalid session token")
        if call == "guestWait":
            waits = {"returncode": "SUCCESS", "messageKey": "guestWait", "guestStatus": user.status}
            url = f"https://{NAME}/html5client/?sessionToken={user.token}"
            return web.json_response({"response": waits | {"url": url}})
        turn = {"username": f"{int(time.time()) + 86400}:turn", "password": secrets.token_hex(8), "ttl": 86400}
        return web.json_response({"stunServers": [], "turnServers": [turn | {"url": f"turns:{NAME}:443"}]})

    # --- the rest ----------------------------------------------------------------------------------

    def _rest(self, request: web.Request, path: str) -> web.StreamResponse:
        user = self.session(request, request.headers.get("X-Session-Token"))
        if user is None:
            return web.Response(status=401, text='{"response":"unauthorized"}')
        kurento = {"wsUrl": f"wss://{NAME}/bbb-webrtc-sfu"}
        if path.startswith(("/api/rest/meetingStaticData", "/api/rest/clientSettings")):
            settings = {"clientSettingsJson": {"public": {"kurento": kurento, "app": {"bbbWebBase": "bigbluebutton"}}}}
            own = {"meetingId": user.meeting.internal, "name": user.meeting.name, "logoutUrl": f"https://{NAME}"}
            return web.json_response({"meeting": [own | {"clientSettings": settings}]})
        if path.startswith("/api/rest/userMetadata"):
            return web.json_response({"user_metadata": [{"parameter": "who", "value": user.id}]})
        return web.Response(text=f"{path}: of Hasura")

    def _slide(self, slide: re.Match[str]) -> web.StreamResponse:
        """`alias /var/bigbluebutton/$meeting_id_2/$meeting_id_2/…`: the first is never looked at."""
        meeting = self.found(slide[2])
        if meeting is None:
            return web.Response(status=404)
        picture = f'<svg xmlns="http://www.w3.org/2000/svg"><text>{escape(meeting.name)} {slide[5]}</text></svg>'
        return web.Response(text=picture, content_type="image/svg+xml")

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        if not wants_websocket(request):
            return web.Response(status=426)
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("Host"):
            return web.Response(status=403, text="request Origin is not authorized")
        socket = web.WebSocketResponse(protocols=("graphql-transport-ws",))
        await socket.prepare(request)
        mine = self.cookies.get(request.cookies.get("JSESSIONID", ""), {})
        await Conversation(socket, mine).run()
        return socket

    async def _sfu(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        user = self.session(request, token_of(asked.query))
        if user is None or not wants_websocket(request):
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                said = json.loads(message.data)
                self.sfu.append((user.id, said))
                if said.get("id") == "ping":
                    await socket.send_json({"id": "pong"})
                elif said.get("id") == "start":
                    accepted = {"id": "startResponse", "type": said.get("type"), "role": said.get("role")}
                    await socket.send_json(accepted | {"response": "accepted", "sdpAnswer": "v=0"})
        finally:
            self.sfu.append((user.id, {"id": "close"}))
        return socket

    @asynccontextmanager
    async def house(self, external: str, name: str = "Host of the house") -> AsyncIterator[House]:
        """A moderator, who comes by a front end of the house: a signed address, and its cookie."""
        query = urlencode({"fullName": name, "meetingID": external, "role": "MODERATOR", "redirect": "false"})
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[self.url])  # type: ignore[list-item]
        async with aiohttp.ClientSession(self.url, cookie_jar=jar) as session:
            async with session.get(f"/bigbluebutton/api/join?{signed('join', query, self.secret)}") as answer:
                assert "<returncode>SUCCESS" in await answer.text()
            user = self.meetings[external].users[-1]
            async with session.ws_connect("/graphql", protocols=("graphql-transport-ws",)) as socket:
                house = House(socket, user)
                await house.begin()
                yield house


class House:
    """Somebody in the room by a websocket of their own; `say` waits until it is done."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, user: User) -> None:
        self.socket, self.user = socket, user
        self._number = 0

    async def begin(self) -> None:
        headers = {"X-Session-Token": self.user.token, "X-ClientSessionUUID": "u", "X-ClientType": "HTML5"}
        await self.socket.send_json(
            {"type": "connection_init", "payload": {"headers": headers | {"X-ClientIsMobile": "false"}}}
        )
        assert (await self.socket.receive_json())["type"] == "connection_ack"
        await self.does("userJoinMeeting", authToken=self.user.auth)

    async def does(self, name: str, **said: Any) -> None:
        self._number += 1
        given = ", ".join(f"{key}: ${key}" for key in said)
        query = f"mutation M {{ {name}{f'({given})' if said else ''} }}"
        payload = {"query": query, "variables": said}
        await self.socket.send_str(
            json.dumps({"id": str(self._number), "type": "subscribe", "payload": payload}, separators=(",", ":"))
        )
        while (await self.socket.receive_json())["type"] != "complete":
            pass


def token_of(query: str) -> str | None:
    """ParamsUtil.getSessionToken: the first of that name."""
    found = re.search(r"(?:^|&)sessionToken=([^&]*)", query)
    return found[1] if found else None


def _info(meeting: Meeting) -> str:
    people = "".join(
        f"<attendee><userID>{escape(one.external)}</userID><fullName>{escape(one.name)}</fullName>"
        f"<role>{one.role}</role></attendee>"
        for one in meeting.here
    )
    return (
        f"<meetingName>{escape(meeting.name)}</meetingName><meetingID>{escape(meeting.external)}</meetingID>"
        f"<internalMeetingID>{meeting.internal}</internalMeetingID><createTime>{meeting.created}</createTime>"
        f"<voiceBridge>{meeting.bridge}</voiceBridge><attendeePW>{meeting.attendee_pw}</attendeePW>"
        f"<moderatorPW>{meeting.moderator_pw}</moderatorPW><running>{str(meeting.running).lower()}</running>"
        f"<hasBeenForciblyEnded>{str(meeting.ended).lower()}</hasBeenForciblyEnded>"
        f"<participantCount>{len(meeting.here)}</participantCount><attendees>{people}</attendees>"
    )


def _xml(body: str) -> web.Response:
    return web.Response(text=f"<response>{body}</response>", content_type="text/xml")


def _failed(key: str, message: str, *, redirect: bool = False) -> web.Response:
    if redirect:
        said = urlencode({"errors": json.dumps([{"key": key, "message": message}])})
        return web.Response(status=302, headers={"Location": f"https://{NAME}/?{said}"})
    return _xml(f"<returncode>FAILED</returncode><messageKey>{key}</messageKey><message>{message}</message>")
