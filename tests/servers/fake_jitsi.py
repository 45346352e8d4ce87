"""A stand-in for Jitsi Meet: nginx with the page, prosody's websocket with rooms that ask for tokens, and the bridge's.

    python fake_jitsi.py -http 127.0.0.1:8000 -domain meet.test -secret … -static pages/jitsi

Written from jitsi/jitsi-meet of January 2026 (609eab5f) and prosody 0.12.3; that prosody with Jitsi's plugins was asked
the same things by hand (README.md). It misleads where they do:

- nginx (doc/debian/jitsi-meet/jitsi-meet.example): an unknown first segment is a tenant, so that `/x/config.js`,
  `/x/xmpp-websocket`, `/x/http-bind`, `/x/conference-request/v1` and `/x/_api/room-info` are the ones at the root, and
  `/x/anything` is a page. config.js stands inside the page, with addresses of the house's own front end.
- mod_auth_token, mod_jitsi_session: of a query the last value of a name counts, also `customusername` and `previd`.
- mod_token_verification: a presence that holds `initiator` (jigasi) or a transcriber's feature is asked for no token's
  room. Other services (lobby, the bridges' own room `jvbbrewery`) are asked for none at all.
- `open` names the virtual host: guests.DOMAIN is one for people without a token, whom the rooms let in (util.lib.lua,
  verify_room: no room in the session, no check).
- mod_websocket: several stanzas may come in one frame, and one in several. It answers 501 without the subprotocol.
- mod_smacks: whoever said `enable` with `resume` stays in the room for a minute when the websocket is gone, and comes
  back by `resume` over a websocket that says `previd`, whatever room its token is for. After `close` nothing stays.
- The name that others see is the one in `nick`, as somebody's own page sends it; only `identity` is of the token.
- Jicofo's conference-request starts whatever room the body names.
- docker-jitsi-meet's nginx takes an address from /colibri-ws/{address}/….
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
import sys
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from aiohttp import WSMsgType, web

CLIENT, FRAMING, SASL = "jabber:client", "urn:ietf:params:xml:ns:xmpp-framing", "urn:ietf:params:xml:ns:xmpp-sasl"
MUC, SM, STREAMS = "http://jabber.org/protocol/muc", "urn:xmpp:sm:3", "http://etherx.jabber.org/streams"
JIGASI = "{http://jitsi.org/protocol/jigasi}initiator"
TENANT = re.compile(r"^/([^/?&:'\"]+)/(.*)$")
STAYS = 60.0


def claims_of(token: str, secret: str, app: str) -> dict[str, Any] | None:
    """token/util.lib.lua: the signature, `exp`, `nbf`, `iss`, and that there is a room."""
    try:
        head, body, signature = token.split(".")
        wanted = hmac.digest(secret.encode(), f"{head}.{body}".encode(), "sha256")
        good = hmac.compare_digest(urlsafe_b64decode(signature + "=="), wanted)
        claims: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=="))
    except ValueError:
        return None
    now = time.time()
    fresh = claims.get("exp", now + 1) > now >= claims.get("nbf", now)
    return claims if good and fresh and claims.get("iss") == app and "room" in claims else None


@dataclass(eq=False)
class Session:
    """A stream, which may outlive its websocket."""

    jitsi: Jitsi
    query: dict[str, str]
    socket: web.WebSocketResponse | None
    jid: str = ""
    host: str = ""
    claims: dict[str, Any] | None = None
    resumable: str = ""
    rooms: dict[str, str] = field(default_factory=dict)  # room -> nick
    signed_in: bool = False
    shown: str = ""  # what they said of themselves, as it is handed on

    async def say(self, text: str) -> None:
        if self.socket is not None and not self.socket.closed:
            await self.socket.send_str(text)

    # --- the stream ---------------------------------------------------------------------------

    async def open(self, to: str) -> None:
        self.host = to
        await self.say(f"<open xmlns='{FRAMING}' from={quoteattr(to)} id='{secrets.token_hex(4)}' version='1.0'/>")
        offers = (
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='{SM}'/>"
            if self.signed_in
            else f"<mechanisms xmlns='{SASL}'><mechanism>ANONYMOUS</mechanism></mechanisms>"
        )
        await self.say(f"<stream:features xmlns:stream='{STREAMS}' xmlns='{CLIENT}'>{offers}</stream:features>")

    async def hear(self, stanza: ElementTree.Element) -> None:
        space, _, name = stanza.tag[1:].partition("}")
        if name == "auth":
            await self.sign_in()
        elif not self.signed_in:
            await self.say(f"<stream:error xmlns:stream='{STREAMS}'/>")
        elif name == "enable":
            again = stanza.get("resume") in ("true", "1")
            self.resumable = secrets.token_hex(8) if again else ""
            mark = f" id='{self.resumable}' resume='true'" if again else ""
            await self.say(f"<enabled xmlns='{SM}'{mark}/>")
        elif name == "resume":
            await self.resume(stanza.get("previd", ""))
        elif space == CLIENT:
            await {"iq": self.asked, "presence": self.present, "message": self.speak}[name](stanza)

    async def sign_in(self) -> None:
        self.claims = claims_of(self.query.get("token", ""), self.jitsi.secret, self.jitsi.app)
        if self.claims is None and self.host == self.jitsi.domain:
            await self.say(f"<failure xmlns='{SASL}'><not-allowed/><text>token required</text></failure>")
            return
        self.signed_in = True
        name = self.query.get("customusername") or secrets.token_hex(8)
        self.jid = f"{name}@{self.host}/{secrets.token_hex(4)}"
        await self.say(f"<success xmlns='{SASL}'/>")

    async def resume(self, previous: str) -> None:
        found = next((one for one in self.jitsi.sessions if one.resumable and one.resumable == previous), None)
        if found is None or self.query.get("previd") != previous:
            await self.say(f"<failed xmlns='{SM}'/>")
            return
        self.jitsi.sessions.remove(found)
        self.jid, self.rooms, self.resumable = found.jid, found.rooms, previous
        await self.say(f"<resumed xmlns='{SM}' previd='{previous}' h='0'/>")

    # --- stanzas ------------------------------------------------------------------------------

    async def asked(self, stanza: ElementTree.Element) -> None:
        kind, number, to = (stanza.get(key, "") for key in ("type", "id", "to"))
        if kind not in ("get", "set"):
            return
        said = f"<iq xmlns='{CLIENT}' type='result' id={quoteattr(number)} from={quoteattr(to)}>%s</iq>"
        if stanza.find("{urn:ietf:params:xml:ns:xmpp-bind}bind") is not None:
            inside = f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{self.jid}</jid></bind>"
            await self.say(said % inside)
            return
        conference = stanza.find("{http://jitsi.org/protocol/focus}conference")
        if conference is not None:
            self.jitsi.begun.append(conference.get("room", ""))
            await self.say(said % "<conference xmlns='http://jitsi.org/protocol/focus' ready='true'/>")
            return
        self.jitsi.heard.append(f"iq {to} {' '.join(child.tag for child in stanza)}")
        await self.say(said % "")

    async def present(self, stanza: ElementTree.Element) -> None:
        room, _, nick = stanza.get("to", "").lower().partition("/")
        name, _, service = room.partition("@")
        if stanza.get("type") == "unavailable":
            await self.leave(room)
            return
        asks = service == f"conference.{self.jitsi.domain}" and self.claims is not None
        features = [one.get("var") for one in stanza.iterfind("{jabber:client}features/{jabber:client}feature")]
        excused = stanza.find(JIGASI) is not None or "http://jitsi.org/protocol/transcriber" in features
        if asks and not excused and (self.claims or {})["room"].lower() != name:
            error = "<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
            await self.say(f"<presence xmlns='{CLIENT}' type='error' from={quoteattr(room)}>{error}</presence>")
            return
        said = [one for one in stanza if one.tag.endswith(("}nick", "}email", "}features", "}initiator"))]
        self.shown = "".join(ElementTree.tostring(one, encoding="unicode") for one in said)
        if room not in self.rooms:
            for one in self.jitsi.within(room):
                await self.say(one.seen(room))
        self.rooms[room] = nick
        for one in self.jitsi.within(room):
            await one.say(self.seen(room))

    def seen(self, room: str, more: str = "") -> str:
        user = ((self.claims or {}).get("context") or {}).get("user") or {}
        inside = "".join(f"<{key}>{escape(str(value).lower())}</{key}>" if isinstance(value, bool) else
                         f"<{key}>{escape(str(value))}</{key}>" for key, value in user.items())  # fmt: skip
        place = quoteattr(f"{room}/{self.rooms[room]}")
        identity = f"<identity><user>{inside}</user></identity>"
        return f"<presence xmlns='{CLIENT}' from={place}{more}>{identity}{self.shown}</presence>"

    async def speak(self, stanza: ElementTree.Element) -> None:
        room, _, nick = stanza.get("to", "").lower().partition("/")
        self.jitsi.heard.append(f"message {room}")
        if room not in self.rooms:
            return
        text = stanza.findtext("{jabber:client}body") or ""
        place = quoteattr(f"{room}/{self.rooms[room]}")
        for one in self.jitsi.within(room):
            if not nick or one.rooms[room].lower() == nick:
                body = f"<body>{escape(text)}</body>"
                await one.say(f"<message xmlns='{CLIENT}' type='groupchat' from={place}>{body}</message>")

    async def leave(self, room: str) -> None:
        if room in self.rooms:
            said = self.seen(room, " type='unavailable'")
            del self.rooms[room]
            for one in self.jitsi.within(room):
                await one.say(said)

    async def end(self) -> None:
        for room in list(self.rooms):
            await self.leave(room)
        if self in self.jitsi.sessions:
            self.jitsi.sessions.remove(self)


@dataclass
class Jitsi:
    domain: str
    secret: str
    app: str
    static: Path
    sessions: list[Session] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)  # rooms that Jicofo was asked for
    heard: list[str] = field(default_factory=list)  # what was said to services

    def within(self, room: str) -> list[Session]:
        return [one for one in self.sessions if room in one.rooms]

    # --- nginx --------------------------------------------------------------------------------

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{anything:.*}", self.answer)
        return application

    async def answer(self, request: web.Request) -> web.StreamResponse:
        return await self.at(unquote(request.raw_path.partition("?")[0]), request)

    async def at(self, path: str, request: web.Request) -> web.StreamResponse:
        if path in ("/", "/config.js", "/interface_config.js"):
            return self.page() if path == "/" else web.Response(text=self.config(), content_type="text/javascript")
        if path == "/xmpp-websocket":
            return await self.talk(request)
        if path == "/http-bind":
            return await self.bind(request)
        if path.startswith("/conference-request/v1"):
            self.begun.append((await request.json())["room"])
            return web.json_response({"ready": True, "focusJid": f"focus@auth.{self.domain}", "properties": {}})
        if path.startswith("/colibri-ws/"):
            return await self.bridge(request)
        if path.startswith(("/_api/", "/_unlock", "/test/")):
            # /test/ is not Jitsi's: what was begun and heard, for tests.
            return web.json_response({"begun": self.begun, "heard": self.heard})
        if path.startswith(("/libs/", "/css/", "/static/", "/images/", "/lang/", "/sounds/", "/fonts/")) or (
            path in ("/manifest.json", "/pwa-worker.js", "/external_api.js")
        ):
            file = (self.static / path[1:]).resolve()
            good = file.is_file() and file.is_relative_to(self.static.resolve())
            return web.FileResponse(file) if good else web.Response(status=404, text="Not found")
        tenant = TENANT.match(path)
        return await self.at("/" + tenant[2], request) if tenant else self.page()

    def config(self) -> str:
        front = f"//{self.domain}"
        return (
            f"var config = {{hosts: {{domain: '{self.domain}', muc: 'conference.{self.domain}'}},\n"
            f" bosh: 'https:{front}/http-bind', websocket: 'wss:{front}/xmpp-websocket',\n"
            f" conferenceRequestUrl: 'https:{front}/conference-request/v1'}};\n"
        )

    def page(self) -> web.Response:
        text = (self.static / "index.html").read_text()
        return web.Response(text=text.replace("/* config.js */", self.config()), content_type="text/html")

    # --- prosody ------------------------------------------------------------------------------

    async def bind(self, request: web.Request) -> web.Response:
        query = dict(parse_qsl(request.query_string))
        claims = claims_of(query.get("token", ""), self.secret, self.app)
        inside = "condition='not-authorized' type='terminate'" if claims is None else f"sid='{secrets.token_hex(8)}'"
        text = f"<body xmlns='http://jabber.org/protocol/httpbind' {inside}/>"
        return web.Response(text=text, content_type="text/xml")

    async def talk(self, request: web.Request) -> web.StreamResponse:
        if "Sec-WebSocket-Key" not in request.headers:
            return web.Response(text="It works! Now point your WebSocket client to this URL")
        if "xmpp" not in request.headers.get("Sec-WebSocket-Protocol", ""):
            return web.Response(status=501)
        socket = web.WebSocketResponse(protocols=("xmpp",), max_msg_size=1 << 20)
        await socket.prepare(request)
        session = Session(self, dict(parse_qsl(request.query_string)), socket)
        self.sessions.append(session)
        closed = False
        try:
            closed = await self._conversation(session, socket)
        except ElementTree.ParseError:
            await socket.close()
        session.socket = None
        if closed or not session.resumable:
            await session.end()
        else:
            later = asyncio.get_running_loop()
            later.call_later(STAYS, lambda: later.create_task(session.end()))
        return socket

    async def _conversation(self, session: Session, socket: web.WebSocketResponse) -> bool:
        """Whether it was closed by a word, not only by the websocket."""
        stream: ElementTree.XMLPullParser | None = None
        depth = 0
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            if FRAMING in frame.data:
                framing = ElementTree.fromstring(frame.data)
                if framing.tag.endswith("}close"):
                    await session.say(f"<close xmlns='{FRAMING}'/>")
                    await socket.close()
                    return True
                stream, depth = ElementTree.XMLPullParser(("start", "end")), 0
                stream.feed(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>")
                await session.open(framing.get("to", ""))
                continue
            if stream is None:
                return False
            stream.feed(frame.data)
            for event, element in stream.read_events():
                assert isinstance(element, ElementTree.Element)
                depth += 1 if event == "start" else -1
                if event == "end" and depth == 1:
                    await session.hear(element)
        return False

    # --- the bridge ---------------------------------------------------------------------------

    async def bridge(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        place = request.path.split("/")[2]
        await socket.send_json({"colibriClass": "ServerHello", "at": place})
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await socket.send_str(frame.data)
        return socket


async def main(words: list[str]) -> None:
    said = {words[at]: words[at + 1] for at in range(len(words) - 1) if words[at].startswith("-")}
    host, _, port = said["-http"].rpartition(":")
    jitsi = Jitsi(said["-domain"], said["-secret"], said["-app"], Path(said["-static"]))
    runner = web.AppRunner(jitsi.application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, int(port)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
