"""A LiveKit server written from its public source (livekit/livekit, 1.13.5) and compared with one that ran: joining and
signalling, the room service, and real picture and data for those in a room.

    python fake_livekit.py livekit.json

It reads the part of the real one's configuration that the tests write. While a file of a room's name lies in the
folder `hosted` beside it, somebody called Ulla Host is in that room and sends a picture; what is written to them by
chat stands in `heard`, and a SendData with the topic `chat` is said by them.

What misleads, with the place it comes from:
- `Authorization` counts before `access_token`; a header that does not begin with `Bearer ` is refused, whatever the
  query has (pkg/service/auth.go)
- two slashes at the beginning are one (pkg/service/utils.go: RemoveDoubleSlashes)
- `publish=x` in the query of /rtc makes a second participant of the same token, `identity#x` (utils.go:
  ValidateConnectRequest); in that of /rtc/v1 it is not read
- the query of /rtc takes `join_request` as well (rtcservice.go: validateInternal)
- metadata and attributes of a join_request are refused without canUpdateOwnMetadata (utils.go)
- whoever joins under an identity ends who had it (roommanager.go: StartSession)
- right after the join, and later, comes a token as good as the one that was used, for ten minutes at least
  (roommanager.go: refreshToken)
- /rtc without a websocket: 404; a room that is not there: 404 and `requested room does not exist`
- the room service says its errors as JSON; ListRooms of a name that is not there is an empty list, and not 404;
  ListParticipants of one likewise (roomservice.go)
- who may not publish gets no answer to an add_track but a refusal in signalling, and goes on (pkg/rtc/participant.go)
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped,unused-ignore]
from livekit.protocol import models, rtc  # type: ignore[import-not-found,unused-ignore]  # of tests/media-servers.lock

from tests.servers.livekit_media import Line, Picture

NO_ROOM = "requested room does not exist"
DENIED = "permissions denied"


def sid(sort: str) -> str:
    return f"{sort}_{secrets.token_hex(6)}"


def signed(claims: dict[str, Any], secret: str) -> str:
    head = _packed(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    text = f"{head}.{_packed(json.dumps(claims).encode())}"
    return f"{text}.{_packed(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(eq=False)
class Person:
    info: Any  # models.ParticipantInfo
    claims: dict[str, Any]
    socket: web.WebSocketResponse | None = None
    line: Any = None
    adding: list[Any] = field(default_factory=list)  # what they said they would send
    tracks: dict[str, Any] = field(default_factory=dict)

    def may(self, what: str) -> bool:
        return bool(self.claims["video"].get(what))

    async def say(self, **message: Any) -> None:
        if self.socket is not None and not self.socket.closed:
            await self.socket.send_bytes(rtc.SignalResponse(**message).SerializeToString())


@dataclass(eq=False)
class Room:
    info: Any  # models.Room
    people: dict[str, Person] = field(default_factory=dict)


class Livekit:
    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self.keys: dict[str, str] = config["keys"]
        self.auto = config["room"]["auto_create"]
        self.folder = folder
        self.rooms: dict[str, Room] = {}
        self.texts: dict[str, tuple[str, str]] = {}  # of streams that come in: who and what so far

    # --- tokens ---

    def claims(self, request: web.Request) -> dict[str, Any] | None:
        """None: nobody said who they are."""
        said = request.headers.get("Authorization", "")
        if said and not said.startswith("Bearer "):
            raise web.HTTPUnauthorized(text="invalid authorization header. Must start with Bearer ")
        token = said.removeprefix("Bearer ") or request.query.get("access_token", "")
        if not token:
            return None
        try:
            text, _, signature = token.rpartition(".")
            claims: dict[str, Any] = json.loads(_unpacked(text.partition(".")[2]))
            secret = self.keys[claims["iss"]]
            wanted = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
            good = hmac.compare_digest(_unpacked(signature), wanted)
        except (ValueError, KeyError, TypeError):
            raise web.HTTPUnauthorized(text="invalid authorization token") from None
        if not good or claims["exp"] < time.time():
            raise web.HTTPUnauthorized(text="invalid authorization token")
        return claims

    # --- joining ---

    def joining(self, request: web.Request) -> tuple[Room, dict[str, Any], Any]:
        """The room, the claims as they then count, and the join_request."""
        v1 = request.path.lstrip("/").split("/")[1:2] == ["v1"]
        claims, query = self.claims(request), request.query
        if claims is None or "video" not in claims:
            raise web.HTTPUnauthorized(text=DENIED)
        said, packed = rtc.JoinRequest(), query.get("join_request", "")
        if not packed and v1:
            raise web.HTTPBadRequest(text="join_request is required")
        if packed:
            try:
                wrapped = rtc.WrappedJoinRequest.FromString(base64.b64decode(packed, b"-_", validate=True))
                inner = gzip.decompress(wrapped.join_request) if wrapped.compression else wrapped.join_request
                said = rtc.JoinRequest.FromString(inner)
            except Exception:
                raise web.HTTPBadRequest(text="cannot unmarshal join request") from None
        video = claims["video"]
        if not video.get("roomJoin"):
            raise web.HTTPUnauthorized(text=DENIED)
        if not claims.get("sub"):
            raise web.HTTPBadRequest(text="identity cannot be empty")
        if query.get("publish") and not packed:
            if not video.get("canPublish"):
                raise web.HTTPUnauthorized(text=DENIED)
            claims["sub"] += f"#{query['publish']}"
        room = self.rooms.get(video["room"]) or (self.create(video["room"]) if self.auto else None)
        if room is None:
            raise web.HTTPNotFound(text=NO_ROOM)
        if (said.metadata or said.participant_attributes or query.get("attributes")) and not video.get(
            "canUpdateOwnMetadata"
        ):
            raise web.HTTPUnauthorized(text=DENIED)
        return room, claims, said

    async def rtc(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=404)
        room, claims, said = self.joining(request)
        me = claims["sub"]
        if (former := room.people.get(me)) is not None:
            await self.out(room, former, models.DUPLICATE_IDENTITY)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if said.reconnect or request.query.get("reconnect"):
            # Nobody resumes here: a browser then joins anew.
            leave = rtc.LeaveRequest(reason=models.STATE_MISMATCH, action=rtc.LeaveRequest.RECONNECT)
            await socket.send_bytes(rtc.SignalResponse(leave=leave).SerializeToString())
            await socket.close()
            return socket
        info = models.ParticipantInfo(
            sid=sid("PA"), identity=me, name=claims.get("name", ""), state=models.ParticipantInfo.ACTIVE,
            permission=models.ParticipantPermission(
                can_subscribe=bool(claims["video"].get("canSubscribe")),
                can_publish=bool(claims["video"].get("canPublish")),
                can_publish_data=bool(claims["video"].get("canPublishData")),
            ),
        )  # fmt: skip
        person = Person(info, claims, socket)
        person.line = Line(lambda data: self.data(room, person, data), lambda track: self.came(room, person, track))
        others = [one.info for one in room.people.values()]
        for one in room.people.values():
            await one.say(update=rtc.ParticipantUpdate(participants=[info]))
        room.people[me] = person
        await person.say(join=rtc.JoinResponse(
            room=room.info, participant=info, other_participants=others, server_version="1.13.5",
            ping_timeout=15, ping_interval=5,
        ))  # fmt: skip
        now = int(time.time())
        fresh = {**claims, "nbf": now, "exp": now + 600}
        await person.say(refresh_token=signed(fresh, self.keys[claims["iss"]]))
        for one in room.people.values():
            for name, track in one.tracks.items():
                if one is not person:
                    person.line.show(one.info.sid, name, track)
        if said.HasField("publisher_offer"):
            await self.answer(person, said.publisher_offer)
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    await self.request(room, person, rtc.SignalRequest.FromString(message.data))
        finally:
            if room.people.get(me) is person:
                await self.out(room, person, models.CLIENT_INITIATED)
        return socket

    async def validate(self, request: web.Request) -> web.StreamResponse:
        self.joining(request)
        return web.Response(text="success")

    # --- in the room ---

    async def request(self, room: Room, person: Person, said: Any) -> None:
        sort = said.WhichOneof("message")
        if sort == "offer":
            await self.answer(person, said.offer)
        elif sort == "trickle":
            await person.line.trickled(said.trickle.candidateInit)
        elif sort == "ping_req":
            await person.say(pong_resp=rtc.Pong(last_ping_timestamp=said.ping_req.timestamp))
        elif sort == "add_track":
            if person.may("canPublish"):
                one = said.add_track
                track = models.TrackInfo(sid=sid("TR"), type=one.type, name=one.name, source=one.source)
                person.adding.append(track)
                await person.say(track_published=rtc.TrackPublishedResponse(cid=one.cid, track=track))
            else:
                await person.say(request_response=rtc.RequestResponse(reason=rtc.RequestResponse.NOT_ALLOWED))
        elif sort == "update_metadata" and person.may("canUpdateOwnMetadata"):
            person.info.name = said.update_metadata.name or person.info.name
            await self.told(room, person)
        elif sort == "leave":
            await self.out(room, person, models.CLIENT_INITIATED)

    async def answer(self, person: Person, offer: Any) -> None:
        sdp, names = await person.line.answer(offer.sdp)
        answer = rtc.SessionDescription(type="answer", sdp=sdp, id=offer.id, mid_to_track_id=names)
        await person.say(answer=answer)

    def came(self, room: Room, person: Person, track: Any) -> None:
        """A browser's offer holds sections in which nothing will ever come; only what was said before counts."""
        want = models.AUDIO if track.kind == "audio" else models.VIDEO
        info = next((one for one in person.adding if one.type == want), None)
        if info is not None:
            person.adding.remove(info)
            asyncio.get_running_loop().create_task(self.shows(room, person, info, track))

    async def shows(self, room: Room, person: Person, info: Any, track: Any) -> None:
        person.info.tracks.append(info)
        person.info.is_publisher = True
        person.tracks[info.sid] = track
        await self.told(room, person)
        for one in room.people.values():
            if one is not person and one.line is not None:
                one.line.show(person.info.sid, info.sid, track)
                few = {"num_videos": 1} if info.type == models.VIDEO else {"num_audios": 1}
                await one.say(media_sections_requirement=rtc.MediaSectionsRequirement(**few))

    async def told(self, room: Room, person: Person) -> None:
        person.info.version += 1
        for one in room.people.values():
            await one.say(update=rtc.ParticipantUpdate(participants=[person.info]))

    def data(self, room: Room, person: Person, data: bytes) -> None:
        if not person.may("canPublishData"):
            return
        packet = models.DataPacket.FromString(data)
        packet.participant_identity, packet.participant_sid = person.info.identity, person.info.sid
        for one in room.people.values():
            if one is not person and one.line is not None:
                one.line.say(packet.SerializeToString())
        self.hosts_hear(room, person, packet)

    async def out(self, room: Room, person: Person, reason: int) -> None:
        room.people.pop(person.info.identity, None)
        person.info.state = models.ParticipantInfo.DISCONNECTED
        leave = rtc.LeaveRequest(reason=reason, action=rtc.LeaveRequest.DISCONNECT)
        await person.say(leave=leave)
        for one in room.people.values():
            await one.say(update=rtc.ParticipantUpdate(participants=[person.info]))
        if person.socket is not None and not person.socket.closed:
            asyncio.get_running_loop().create_task(person.socket.close())
        if person.line is not None:
            await person.line.close()

    # --- the room service ---

    def create(self, name: str) -> Room:
        return self.rooms.setdefault(name, Room(models.Room(sid=sid("RM"), name=name)))

    async def service(self, request: web.Request) -> web.StreamResponse:
        said = await request.json()
        method, claims = request.match_info["method"], self.claims(request)
        video = (claims or {}).get("video") or {}
        name = said.get("room", "")
        admin = bool(video.get("roomAdmin")) and video.get("room") == name
        creator = bool(video.get("roomCreate"))
        may = {"ListRooms": bool(video.get("roomList")), "CreateRoom": creator, "DeleteRoom": creator}
        if not may.get(method, admin):
            return web.json_response({"code": "unauthenticated", "msg": DENIED}, status=401)
        room = self.rooms.get(name)
        if method == "ListRooms":
            wanted = said.get("names") or list(self.rooms)
            return web.json_response({"rooms": [_json(self.rooms[one].info) for one in wanted if one in self.rooms]})
        if method == "CreateRoom":
            return web.json_response(_json(self.create(said["name"]).info))
        if method == "ListParticipants":
            people = room.people.values() if room else ()
            return web.json_response({"participants": [_json(one.info) for one in people]})
        if method == "DeleteRoom" and room is not None:
            for person in list(room.people.values()):
                await self.out(room, person, models.ROOM_DELETED)
            del self.rooms[name]
            return web.json_response({})
        person = room.people.get(said.get("identity", "")) if room else None
        if method == "RemoveParticipant" and room is not None and person is not None:
            await self.out(room, person, models.PARTICIPANT_REMOVED)
            return web.json_response({})
        if method == "SendData" and room is not None and "host" in room.people:
            self.host_says(room, said["data"])
            return web.json_response({})
        return web.json_response({"code": "not_found", "msg": "participant does not exist"}, status=404)

    # --- who is there while a file says so ---

    async def hosts(self) -> None:
        while True:
            wanted = {file.name for file in (self.folder / "hosted").iterdir()}
            for name, room in self.rooms.items():
                host = room.people.get("host")
                if name in wanted and host is None:
                    info = models.ParticipantInfo(sid=sid("PA"), identity="host", name="Ulla Host", state=2)
                    host = room.people["host"] = Person(info, {"video": {}})
                    track = models.TrackInfo(sid=sid("TR"), type=models.VIDEO, source=models.CAMERA, stream="camera")
                    await self.shows(room, host, track, Picture())
                elif name not in wanted and host is not None:
                    await self.out(room, host, models.CLIENT_INITIATED)
            await asyncio.sleep(0.05)

    def host_says(self, room: Room, text: str) -> None:
        host, stream = room.people["host"], secrets.token_hex(8)
        who = {"participant_identity": "host", "participant_sid": host.info.sid}
        head = models.DataStream.Header(
            stream_id=stream, timestamp=int(time.time() * 1000), topic="lk.chat", mime_type="text/plain",
            text_header=models.DataStream.TextHeader(),
        )  # fmt: skip
        chunk = models.DataStream.Chunk(stream_id=stream, chunk_index=0, content=text.encode())
        trailer = models.DataStream.Trailer(stream_id=stream)
        for one in room.people.values():
            if one.line is not None:
                one.line.say(models.DataPacket(stream_header=head, **who).SerializeToString())
                one.line.say(models.DataPacket(stream_chunk=chunk, **who).SerializeToString())
                one.line.say(models.DataPacket(stream_trailer=trailer, **who).SerializeToString())

    def hosts_hear(self, room: Room, person: Person, packet: Any) -> None:
        sort = packet.WhichOneof("value")
        if sort == "stream_header" and packet.stream_header.topic == "lk.chat":
            self.texts[packet.stream_header.stream_id] = (person.info.name, "")
        elif sort == "stream_chunk" and packet.stream_chunk.stream_id in self.texts:
            name, text = self.texts[packet.stream_chunk.stream_id]
            self.texts[packet.stream_chunk.stream_id] = (name, text + packet.stream_chunk.content.decode())
        elif sort == "stream_trailer" and packet.stream_trailer.stream_id in self.texts:
            with (self.folder / "heard" / room.info.name).open("a") as file:
                print(json.dumps(self.texts.pop(packet.stream_trailer.stream_id)), file=file)

    async def health(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="OK")


def _json(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


async def main(file: Path) -> None:
    config = json.loads(file.read_text())
    server = Livekit(config, file.parent)
    app = web.Application()
    for before in ("", "/"):
        app.add_routes([
            web.get(f"{before}/rtc", server.rtc), web.get(f"{before}/rtc/v1", server.rtc),
            web.get(f"{before}/rtc/validate", server.validate), web.get(f"{before}/rtc/v1/validate", server.validate),
        ])  # fmt: skip
    app.add_routes([
        web.get("/", server.health),
        web.post("/twirp/livekit.RoomService/{method}", server.service),
    ])  # fmt: skip
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", config["port"]).start()
    await server.hosts()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
