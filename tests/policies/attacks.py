"""Many requests by one guest against one item, each held against what the media server heard of it.

A policy's test writes its vectors as text, one after the other, in the words of its server; here is what is the same
for all servers: how they are asked, by which headers and bytes besides, and what counts as a hole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.policies.wire import Stage
from tests.running import ask, raw
from tests.servers.asked import Asked, Fake

REFUSED = (400, 403, 404, 405, 410, 421)
# Of the guest's headers these go to the server, where a rule does not set them: they choose nothing there.
SENT_ON = frozenset(
    {"accept", "accept-encoding", "content-type", "if-match", "if-modified-since", "if-none-match", "if-range"}
    | {"range", "user-agent"}
)
HEADERS = """
X-Forwarded-For: 127.0.0.1 | X-Forwarded-Host: evil.test | X-Forwarded-Prefix: /x | X-Forwarded-Proto: https
Forwarded: for=127.0.0.1;host=evil.test | X-Real-IP: 127.0.0.1 | CF-Connecting-IP: 127.0.0.1
True-Client-IP: 127.0.0.1 | X-Original-URL: {other} | X-Rewrite-URL: {other} | X-Original-URI: {other}
Destination: {other} | X-Accel-Redirect: {other} | X-HTTP-Method-Override: DELETE | X-HTTP-Method: DELETE
X-Method-Override: DELETE | Depth: infinity | Translate: f | Connection: close, Authorization, x-immich-share-key
Connection: close, User-Agent, Host | TE: trailers | Via: 1.1 evil.test | Origin: http://evil.test
Referer: http://evil.test/?api_key=evil | User-Agent: evil/1 | Accept: image/webp | Accept-Encoding: br
Authorization: Basic ZXZpbA== | Authorization: Bearer evil | Proxy-Authorization: Basic ZXZpbA== | X-Api-Key: evil
X_Api_Key: evil | Range: bytes=0-0 | Range: bytes=0-0,2-2,4-4 | Range: bytes=-1 | Range: bytes=9-1 | Range: items=0-1
Range: bytes=99999999999999999999- | If-Range: "x" | If-None-Match: *
If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT | If-Match: "x" | If-Unmodified-Since: x | Upgrade: websocket
Upgrade: h2c | HTTP2-Settings: AAMAAABkAAQAAP__ | Sec-WebSocket-Version: 13 | Expect: 100-continue | Max-Forwards: 0
Content-Type: application/json | Content-Encoding: gzip | Early-Data: 1 | Cache-Control: no-cache | Pragma: no-cache
transferMode.dlna.org: Streaming | getcontentFeatures.dlna.org: 1 | Icy-MetaData: 1 | Cookie: token=evil
Service-Worker: script
"""


@dataclass
class Attack:
    stage: Stage
    server: Fake
    cookie: str
    known: dict[str, str]  # what stands for `{a}`, `{other}` … in a vector
    tried: int = field(default=0, init=False)

    def words(self, text: str, at: str | None = None) -> list[str]:
        return [self._filled(one) for one in (text.split(at) if at else text.split()) if one.strip()]

    def _filled(self, text: str) -> str:
        for name, value in self.known.items():
            text = text.replace(f"{{{name}}}", value)
        return text.strip()

    async def plain(self, path: str) -> Asked:
        """What the server hears of an honest request."""
        answer = await ask(self.stage.guest.port, f"GET {path}", cookie=self.cookie)
        assert answer.status == 200, (path, answer)
        return self.server.asked[-1]

    async def refused(self, requests: Iterable[str]) -> None:
        """`/path`, or `METHOD:/path`: nothing of it is asked of the server."""
        holes = []
        for request in requests:
            method, colon, path = request.partition(":/")
            line = f"{method} /{path}" if colon and method.isalpha() else f"GET {request}"
            before = len(self.stage.server.there)
            status = (await ask(self.stage.guest.port, line, cookie=self.cookie)).status
            self.tried += 1
            preflight = method == "OPTIONS" and status == 204  # the gateway's own answer, whatever the path
            if not (status in REFUSED or preflight) or len(self.stage.server.there) != before:
                holes.append((line, status, self.stage.server.asked[-1:]))
        assert not holes, holes

    async def dropped(self, path: str, lies: Iterable[str]) -> None:
        """Whatever of these stands in the query, the server hears the honest request or nothing."""
        holes = []
        honest = await self.plain(path)
        for lie in lies:
            before = len(self.server.asked)
            mark = "&" if "?" in path else "?"
            status = (await ask(self.stage.guest.port, f"GET {path}{mark}{lie}", cookie=self.cookie)).status
            self.tried += 1
            came = [(one.target, one.headers) for one in self.server.asked[before:]]
            if came != ([(honest.target, honest.headers)] if status == 200 else []):
                holes.append((lie, status, came))
        assert not holes, holes

    async def headers(self, path: str, more: str = "", common: str = HEADERS) -> None:
        """None of them changes what is asked, nor as whom, nor arrives in another's name."""
        holes = []
        honest = await self.plain(path)
        for line in self.words((common + more).strip().replace("\n", "|"), "|"):
            before = len(self.server.asked)
            answer = await ask(self.stage.guest.port, f"GET {path}", cookie=self.cookie, headers=f"{line}\r\n")
            self.tried += 1
            for came in self.server.asked[before:]:
                new = {name.lower() for name, _ in set(came.headers) ^ set(honest.headers)}
                if (came.method, came.target, came.body) != ("GET", honest.target, b"") or new - SENT_ON:
                    holes.append((line, answer.status, came))
        assert not holes, holes

    async def bytes(self, path: str) -> None:
        """One request that holds another, or could be read as another: the server hears the honest one or none."""
        honest = f"GET {(await self.plain(path)).target}"
        before = len(self.stage.server.asked)
        port = self.stage.guest.port
        vectors = [
            one.replace("COOKIE", self.cookie).replace("HOST", f"127.0.0.1:{port}")
            for one in spoken(path, self.known["other"])
        ]
        # At once: on many of them the gateway rightly waits for more.
        await asyncio.gather(*(raw(port, one.encode("latin-1"), seconds=1) for one in vectors))
        self.tried += len(vectors)
        came = set(self.stage.server.asked[before:])
        assert came == {honest}, came


def spoken(ok: str, other: str) -> list[str]:
    head = "Host: HOST\r\nCookie: COOKIE\r\n"
    last = f"{head}Connection: close\r\n"
    second = f"GET {other} HTTP/1.1\r\n{last}\r\n"
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    socket = f"Connection: Upgrade\r\nUpgrade: websocket\r\n{key}"
    plain = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    size = f"Content-Length: {len(second)}\r\n"
    chunk = f"{len(second):x}\r\n{second}\r\n0\r\n\r\n"
    return [
        f"GET {ok} HTTP/1.1\r\n{head}\r\n{second}",
        f"GET {ok} HTTP/1.1\r\n{last}{size}\r\n{second}",
        f"HEAD {ok} HTTP/1.1\r\n{head}{size}\r\n{second}",
        f"GET {ok} HTTP/1.1\r\n{last}Transfer-Encoding: chunked\r\n\r\n{chunk}",
        f"GET {ok} HTTP/1.1\r\n{last}Transfer-Encoding: chunked\r\n{size}\r\n{chunk}",
        *(
            f"GET {ok} HTTP/1.1\r\n{last}{odd}\r\n\r\n{chunk}"
            for odd in (
                "Transfer-Encoding : chunked",
                "Transfer-Encoding:\x0bchunked",
                "Transfer-Encoding: chunked, identity",
                "Transfer-Encoding: xchunked",
                "Transfer-Encoding: identity",
                " Transfer-Encoding: chunked",
                "X: y\r\n Transfer-Encoding: chunked",
                "X: y\nTransfer-Encoding: chunked",
                "Transfer_Encoding: chunked",
                "Content-Length: 0\r\nContent-Length: 9",
                "Content-Length: +9",
                "Content-Length: 0x9",
                "Content-Length: -1",
                "Content-Length: 0,9",
                "Content_Length: 9",
                "Trailer: Authorization",
                "Expect: 100-continue",
            )
        ),
        f"GET {ok} HTTP/1.1\r\n{head}{socket}\r\n",
        f"GET {other} HTTP/1.1\r\n{head}{socket}\r\n",
        f"GET /socket HTTP/1.1\r\n{head}{socket}\r\n",
        f"POST {ok} HTTP/1.1\r\n{head}{socket}\r\n",
        f"GET {ok} HTTP/1.1\r\n{head}{plain}\r\n",
        f"GET {other}\r\n",
        f"GET {other} HTTP/1.0\r\nCookie: COOKIE\r\n\r\n",
        f"GET {other} HTTP/0.9\r\n{last}\r\n",
        f"GET {other} HTTP/2.0\r\n{last}\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        f"OPTIONS * HTTP/1.1\r\n{last}\r\n",
        f"GET * HTTP/1.1\r\n{last}\r\n",
        f"CONNECT HOST HTTP/1.1\r\n{last}\r\n",
        f"OPTIONS {ok} HTTP/1.1\r\n{last}\r\n",
        f"GET {ok}\tHTTP/1.1\r\n{last}\r\n",
        f"GET {ok} {other} HTTP/1.1\r\n{last}\r\n",
        f" GET {other} HTTP/1.1\r\n{last}\r\n",
        f"GET\t{other} HTTP/1.1\r\n{last}\r\n",
        f"GET  {other} HTTP/1.1\r\n{last}\r\n",
        f"\r\n\r\nGET {other} HTTP/1.1\r\n{last}\r\n",
        f"GET http://HOST{ok} HTTP/1.1\r\n{last}\r\n",
        f"GET http://x@HOST{other} HTTP/1.1\r\n{last}\r\n",
        f"GET //HOST{other} HTTP/1.1\r\n{last}\r\n",
        f"GET {ok}\xa0 HTTP/1.1\r\n{last}\r\n",
        f"GET {ok}\x00{other} HTTP/1.1\r\n{last}\r\n",
        f"GET {other} HTTP/1.1\r\n{last}Host: HOST\r\n\r\n",
        f"GET {other} HTTP/1.1\r\n{last}Cookie: COOKIE\r\n\r\n",
        f"GET {ok}\r\nX: {other} HTTP/1.1\r\n{last}\r\n",
        f"{'GET ' + other} HTTP/1.1\n{last}\n".replace("\r", ""),
        f"MOVE {ok} HTTP/1.1\r\n{last}Destination: {other}\r\n\r\n",
        f"M-SEARCH * HTTP/1.1\r\n{last}ST: ssdp:all\r\n\r\n",
        f"SUBSCRIBE {ok} HTTP/1.1\r\n{last}CALLBACK: <http://127.0.0.1/>\r\n\r\n",
        f"G\x00ET {other} HTTP/1.1\r\n{last}\r\n",
    ]


def bent(signed: str, other: str, more: Iterable[str]) -> list[str]:
    """A signed address, `/_gateway/s/{ticket}/{sealed}/{name}`, changed in one place; `other`: one of another guest."""
    path, mark, query = signed.partition("?")
    ticket, *sealed, name = path.removeprefix("/_gateway/s/").split("/")
    its, *theirs, named = other.partition("?")[0].removeprefix("/_gateway/s/").split("/")
    whole, away, tail = "/".join(sealed), "/".join(theirs), f"{name}{mark}{query}"
    s = "/_gateway/s"
    vectors = [
        f"{s}/{its}/{whole}/{tail}",
        f"{s}/{ticket}/{away}/{named}",
        f"{s}/{ticket}/{away}/{tail}",
        f"{s}/{whole}/{tail}",
        f"{s}/{ticket}/{tail}",
        f"{s}/{whole}/{ticket}/{tail}",
        f"{s}/{ticket}/{ticket}/{whole}/{tail}",
        f"{s}/{ticket}/{whole}/{whole}/{tail}",
        f"{s}/{ticket}/{whole}/x/{tail}",
        f"{s}/{ticket}/{whole}/",
        f"{s}/{ticket}/{whole}",
        *(
            f"{s}/{ticket}/{whole}/{one}"
            for one in (
                "x.ts",
                f"../{name}",
                f"%2e%2e/{name}",
                f"..%2f{name}",
                f"{name}/",
                f"{name}/x",
                f"{name.upper()}x",
                f"{name}%00",
                f"{name};x=1",
                f"{name}%3fx=1",
                f"x{name}",
                f"{name}.",
                f"{name}%20",
                f"$Number$-{name}",
                *more,
            )
        ),
        *(
            f"{signed}{'&' if mark else '?'}{one}"
            for one in (
                "x=1",
                "_HLS_msn=1",
                "_HLS_skip=YES",
                "_HLS_msn=1&_HLS_msn=2",
                "MediaSourceId=x",
                "key=x",
                "static=true",
                "=",
                "&",
            )
        ),
        *(f"{s}/{_flipped(ticket, at)}/{whole}/{tail}" for at in range(0, len(ticket), 5)),
        *(f"{s}/{ticket}/{_flipped(whole, at)}/{tail}" for at in range(0, len(whole), 9)),
        f"{s}/{ticket[:-1]}/{whole}/{tail}",
        f"{s}/{ticket}=/{whole}/{tail}",
        f"{s}/{ticket.lower()}/{whole}/{tail}",
        f"{s}/{ticket}/{whole[:-1]}/{tail}",
        f"{s}/{ticket}/{whole}=/{tail}",
        f"{s}/{ticket}/{whole.lower()}/{tail}",
        f"/_gateway//s/{ticket}/{whole}/{tail}",
        f"/_GATEWAY/s/{ticket}/{whole}/{tail}",
        f"/_gateway/S/{ticket}/{whole}/{tail}",
        f"/x/..{signed}",
        f"/_gateway/s/../s/{ticket}/{whole}/{tail}",
        f"/_gateway/%73x/{ticket}/{whole}/{tail}",
        *(f"{method}:{signed}" for method in ("POST", "PUT", "DELETE", "PROPFIND", "PATCH")),
    ]
    return [one for one in vectors if one != signed]


def _flipped(text: str, at: int) -> str:
    return f"{text[:at]}{'A' if text[at] != 'A' else 'B'}{text[at + 1 :]}"
