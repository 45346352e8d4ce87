# ruff: noqa: E501  # requests are read best as they are, many to a line
"""Hostile heads by class: what stands beside the request line.

`{host}`, `{cookie}`, `{strange}` (a good session of somebody else, for item B) and `{other}` (a server that nobody
may be led to) are filled in when a head is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.attack.policy import A, B


@dataclass(frozen=True, slots=True)
class Head:
    """A request. `status`: what it must be answered with; empty: whatever, as long as what arrives is harmless."""

    line: str
    headers: str = ""
    status: tuple[int, ...] = ()
    version: str = "HTTP/1.1"
    host: str = "Host: {host}\r\n"
    cookie: str = "Cookie: {cookie}\r\n"
    body: str = ""

    def text(self, **filled: str) -> bytes:
        line, host, headers, cookie = self.line, self.host, self.headers, self.cookie
        for name, value in filled.items():
            mark = f"{{{name}}}"
            line, host, cookie = line.replace(mark, value), host.replace(mark, value), cookie.replace(mark, value)
            headers = headers.replace(mark, value)
        if "\nconnection:" not in f"\n{headers.lower()}":
            headers += "Connection: close\r\n"
        return f"{line} {self.version}\r\n{host}{headers}{cookie}\r\n{self.body}".encode("latin-1")


STREAM, PAGE, LIST, PLAY, SOCKET = (
    f"GET /hls/{A}/seg1.ts", f"GET /media/{A}", f"GET /api/items?id={A}", f"POST /api/play/{A}", f"GET /ws/{A}"
)  # fmt: skip


def _spellings(name: str) -> tuple[str, ...]:
    """As servers that put headers into CGI variables fold them, and one that trims what it should not."""
    spelt = (name, name.replace("-", "_"), name.replace("-", "."), name.upper(), name.replace("-", "_", 1))
    return tuple(dict.fromkeys(spelt))


def _each(names: tuple[str, ...], value: str, *lines: str) -> list[Head]:
    return [Head(line, f"{spelling}: {value}\r\n") for name in names for spelling in _spellings(name) for line in lines]


HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def _broken(old: str, new: str, status: tuple[int, ...] = (400,)) -> Head:
    assert old in HANDSHAKE
    return Head(SOCKET, HANDSHAKE.replace(old, new), status)


HEADS: dict[str, list[Head]] = {
    "method override in headers": _each(
        ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"), "DELETE", STREAM, PLAY
    ),
    "rewrite headers": _each(
        ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Original-URI", "X-Forwarded-Path", "X-Forwarded-Prefix"),
        "/admin",
        STREAM,
    )
    + _each(("X-Sendfile", "X-Accel-Redirect", "Destination", "X-HTTP-Destinationurl"), f"/hls/{B}/seg1.ts", LIST)
    + [Head(f"GET /hls/{B}/seg1.ts", f"{name}: /hls/{A}/seg1.ts\r\n", (403,))
       for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X_Forwarded_Uri", "X-Original-URI")],
    "forwarded headers": _each(
        ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "X-Forwarded-Server", "X-Client-IP"),
        "198.51.100.66",
        STREAM,
    )
    + _each(("Forwarded",), "for=198.51.100.66;host=evil.example", STREAM)
    + _each(("X-Host", "X-Forwarded-Port", "True-Client-IP", "CF-Connecting-IP", "Via"), "evil.example", STREAM),
    "identity headers": _each(
        ("Authorization", "Proxy-Authorization", "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User",
         "X-Emby-Token", "X-Authenticated-User"),
        "admin", STREAM,
    )
    + _each(("X-MediaBrowser-Token", "X-Api-Key"), "0123456789abcdef", LIST)
    + [Head(f"GET /hls/{B}/seg1.ts", f"{name}: 1\r\n", (403,))
       for name in ("User-Agent", "X-Forwarded-User", "Authorization", "X-Internal")],
    "hop-by-hop tricks": [
        Head(STREAM, f"Connection: close, {names}\r\n{more}")
        for names in (
            "X-Forwarded-For", "Host", "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto", "Cookie", "Range",
            "Content-Length", "X-Forwarded-Proto", "Transfer-Encoding", "keep-alive", "upgrade", "User-Agent", ",,;", "\xff",
        )
        for more in ("", "X-Forwarded-For: 198.51.100.66\r\n")
    ]
    + [
        Head(STREAM, f"Connection: close\r\n{more}")
        for more in (
            "Keep-Alive: timeout=9\r\n", "TE: trailers\r\n", "Trailer: X\r\n", "Proxy-Connection: keep-alive\r\n",
            "Proxy-Authenticate: x\r\n", "Connection: X-Forwarded-For\r\n", "Max-Forwards: 0\r\n",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", "Content-Length: 0\r\n", "Connection_: Host\r\n",
        )
    ],
    "headers repeated or oddly spelt": [
        Head(STREAM, headers, (400,))
        for headers in (
            "Range: bytes=0-1\r\nRange: bytes=2-3\r\n", "If-Range: a\r\nif-range: b\r\n", "User-Agent: a\r\nUser-Agent: b\r\n",
            "Content-Type: a/b\r\nContent-Type: c/d\r\n", "If-Modified-Since: a\r\nIf-Modified-Since: b\r\n",
            "Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n", "RANGE: bytes=0-1\r\nrange: bytes=0-1\r\n",
        )
    ]
    + [
        Head(STREAM, headers)
        for headers in (
            "If_Range: x\r\n", "If.Range: x\r\n", "User_Agent: x\r\n", "Range_: x\r\n", "X-Range: x\r\n", "Accept_: x\r\n",
            "Range: \xff\r\n", "User-Agent: \xc3\xa9\r\n", "Accept: a\x80b\r\n", "User-Agent: a\tb\r\n", "Cookie2: x=1\r\n",
            "Content_Length: 5\r\n", "Transfer_Encoding: chunked\r\n", "Transfer.Encoding: chunked\r\n", "Host_: evil\r\n",
            "HTTP_HOST: evil\r\n", "Expect: 100-continue\r\n", "Referer: http://{host}/g/secret\r\n", "Content-Encoding: gzip\r\n",
        )
    ]
    + [
        Head(STREAM, headers, (400,))
        for headers in (
            "Range : bytes=0-1\r\n", "X y: 1\r\n", ": x\r\n", "X\r\n", "X: a\x00b\r\n", "X: a\rb\r\n", "X\x00: a\r\n",
            " Range: x\r\n", "X(: y\r\n", "X\xff: y\r\n", "X: a\r\n folded\r\n",
        )
    ],
    "bodies where none may be": [
        Head(line, headers, (400,), body=body)
        for line in (STREAM, f"HEAD /hls/{A}/seg1.ts", PAGE, "GET /_gateway/watch/x", "GET /g/AAAAAAAAAAAAAAAAAAAAAA",
                     "HEAD /_gateway/watch/x", "HEAD /g/AAAAAAAAAAAAAAAAAAAAAA")
        for headers, body in (
            ("Content-Length: 3\r\n", "abc"), ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), ("Content-Length: 00\r\n", ""),
        )
    ]
    + [Head(PLAY, HANDSHAKE + "Content-Length: 3\r\n", (400,), body="abc"),
       Head(PLAY, HANDSHAKE + "Transfer-Encoding: chunked\r\n", (400,), body="0\r\n\r\n"),
       Head(SOCKET, HANDSHAKE + "Content-Length: 3\r\n", (400,), body="abc"),
       Head(SOCKET, HANDSHAKE + "Transfer-Encoding: chunked\r\n", (400,), body="0\r\n\r\n")],
    "an upgrade where none may be": [
        Head(line, f"Connection: Upgrade, close\r\nUpgrade: {what}\r\n{more}")
        for line in (STREAM, PAGE, LIST, PLAY)
        for what, more in (
            ("websocket", ""), ("websocket", "Sec-WebSocket-Version: 13\r\n" + _KEY), ("h2c", ""), ("TLS/1.2", ""),
            ("h2c", "HTTP2-Settings: AAMAAABk\r\n"), ("WebSocket, h2c", _KEY), ("foo", ""),
        )
    ]
    + [Head(f"GET /hls/{B}/seg1.ts", HANDSHAKE, (403,)), Head(f"GET /ws/{B}", HANDSHAKE, (403,)),
       Head("GET /admin", HANDSHAKE, (403,)), Head(f"GET /ws/{A}/x", HANDSHAKE, (403,)),
       Head(f"GET /ws/{A}?id={B}", HANDSHAKE, (403,)), Head(f"GET /ws/../ws/{A}", HANDSHAKE, (400,))],
    "half a handshake": [
        _broken("13", "8"), _broken("13", "13, 8"), _broken("13", ""),
        _broken("Sec-WebSocket-Version: 13\r\n", ""), _broken("Sec-WebSocket-Version: 13\r\n", 2 * "Sec-WebSocket-Version: 13\r\n"),
        _broken("dGhlIHNhbXBsZSBub25jZQ==", "short"), _broken("dGhlIHNhbXBsZSBub25jZQ==", "A" * 24),
        _broken("dGhlIHNhbXBsZSBub25jZQ==", "!" * 22 + "=="), _broken("dGhlIHNhbXBsZSBub25jZQ==", "\xff" * 24),
        _broken("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ== x"), _broken(_KEY, ""), _broken(_KEY, _KEY * 2),
        _broken("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEyMw=="),
        _broken("Connection: Upgrade\r\n", ""), _broken("Connection: Upgrade", "Connection: close"),
        _broken("Connection: Upgrade", "Connection: Upgradex"), _broken("Upgrade: websocket\r\n", ""),
        _broken("Upgrade: websocket", "Upgrade: websocket, h2c"), _broken("Upgrade: websocket", "Upgrade: h2c"),
        _broken("Upgrade: websocket\r\n", 2 * "Upgrade: websocket\r\n"), _broken("Upgrade: websocket", "Upgrade: web socket"),
        Head(SOCKET, HANDSHAKE, (400,), version="HTTP/1.0"), Head(f"POST /ws/{A}", HANDSHAKE, (400,)),
        Head(f"HEAD /ws/{A}", HANDSHAKE, (400,)), Head(f"OPTIONS /ws/{A}", HANDSHAKE, (204, 400)),
    ],
    "other sites": [
        Head(line, headers, (403,))
        for line in (PLAY,)
        for headers in (
            "Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n",
            "Origin: http://{host}\r\nSec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: none\r\n",
            "Origin: http://{host}\r\nOrigin: http://evil.example\r\n", "Origin: http://{host}.evil.example\r\n",
            "Origin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\n", "Origin: https://{host}\r\n", "Origin: \r\n",
            "Origin: null\r\nSec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
            "Origin: http://{host}/\r\n", "Origin: http://{host} http://evil.example\r\n", "Origin: \xff\r\n",
        )
    ]
    + [Head(SOCKET, HANDSHAKE + headers, (403,))
       for headers in ("Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n",
                       "Origin: http://{host}.evil.example\r\n", "Origin: https://{host}\r\n")],
    "questions from other sites": [
        Head(f"OPTIONS {target}", f"Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n", (204,))
        for target in (f"/hls/{A}/seg1.ts", f"/api/play/{A}", f"/media/{B}", "/admin", f"/ws/{A}", f"/api/items?id={B}")
        for origin, method in (("http://evil.example", "GET"), ("null", "DELETE"), ("http://{host}", "POST"))
    ]
    + [Head(f"OPTIONS /api/items?id={A}&x=1%26id={B}", "", (400,)), Head(f"OPTIONS /hls/{A}/../x", "", (400,))],
    "service workers": [
        Head(STREAM, headers, (403,))
        for headers in (
            "Service-Worker: script\r\n", "service-worker: SCRIPT\r\n", "Sec-Fetch-Dest: serviceworker\r\n",
            "Sec-Fetch-Dest: ServiceWorker\r\n", "Service-Worker: x, script\r\n", "Service-Worker: x\r\nService-Worker: script\r\n",
        )
    ],
    "Hosts": [
        Head(STREAM, "", (400, 421), host=host)
        for host in (
            "", "Host: \r\n", "Host: evil.example\r\n", "Host: {host}\r\nHost: {host}\r\n", "Host: {host}\r\nHost: evil.example\r\n",
            "Host: evil.example\r\nHost: {host}\r\n", "Host: {host}, evil.example\r\n", "Host: {host}.evil.example\r\n",
            "Host: evil.example@{host}\r\n", "Host: {host}@evil.example\r\n", "Host: {host}.\r\n", "Host: {host}/\r\n",
            "Host: {host}#x\r\n", "Host: {host}?x\r\n", "Host: {host}:80\r\n", "Host: 127.0.0.1\r\n", "Host: localhost\r\n",
            "Host: {host} x\r\n", "Host: http://{host}\r\n", "Host: {other}\r\n", "Host: [::1]\r\n", "Host: 127.1:80\r\n",
            "Host: %31{host}\r\n", "Host:\t\x0b{host}\r\n", "Host : {host}\r\n", "Host: {host}\r\n\thost\r\n", "Host: \xff{host}\r\n",
            "X-Forwarded-Host: {host}\r\n", "Host: evil.example\r\nX-Forwarded-Host: {host}\r\n",
        )
    ]
    + [Head("GET http://{host}/media/" + A, "", (400,), host="Host: evil.example\r\n"),
       Head(STREAM, "", (400,), version="HTTP/1.0", host=""), Head("GET /_gateway/watch/x", "", (400,), version="HTTP/1.0", host="")],
    "the gateway's own paths": [
        Head(f"{method} {path}", "", (403, 404, 405) if path == "/_gateway/watch" else (404,))
        for method in ("GET", "HEAD", "POST")
        for path in (
            "/_gateway", "/_gateway/", f"/_gateway/{A}.bin", "/_gateway/x", "/_gateway/watch", "/_gateway/watchx", "/_gateway/leave/x",
            "/_gateway/static", "/_gateway/health", "/_gateway/health/live/x", "/_gateway/metrics", "/_gateway/manage", "/_gateway/api/v1/links",
            f"/g/{A}.bin", f"/g/{A}", "/g/",
        )
    ]
    + [Head(f"GET {path}", "", status, host="Host: evil.example\r\n")
       for path, status in (("/_gateway/health/live", (200,)), ("/_gateway/health/live/", (421,)), ("/_gateway/healthx", (421,)),
                            ("/_gateway/static/guest.css", (421,)), (f"/g/{A}", (421,)))]
    + [Head("HEAD /_gateway/health/live", "", (200,)), Head("POST /_gateway/health/live", "", (405,)),
       Head("GET /_gateway/static/../x", "", (400,)),
       Head(f"GET /_GATEWAY/{B}.bin", "", (403,)), Head(f"GET /_gateway%2f{A}.bin", "", (400,)), Head("GET /_gateway/leave", "", (200,))],
    "versions": [
        Head(STREAM, "", (400,), version=version)
        for version in (
            "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/1.10", "HTTP/01.1", "HTTP/1", "http/1.1", "FTP/1.1", "HTTP/1.1x",
            "HTTP/9.9", "HTTP/1.-1", "HTTP/0.0", "HTTP /1.1", "HTTPS/1.1", "ICY/1.1",
        )
    ],
    "cookies doubled, tossed and forged": [
        Head(STREAM, "", (403,), cookie=cookie)
        for cookie in (
            "", "Cookie: \r\n", "Cookie: {cookie}; {cookie}\r\n", "Cookie: {cookie}\r\nCookie: {cookie}\r\n",
            "Cookie: gateway=x; {cookie}\r\n", "Cookie: {cookie}; gateway=x\r\n", "Cookie: gateway=; {cookie}\r\n",
            "Cookie: {cookie}; {strange}\r\n", "Cookie: {strange}; {cookie}\r\n", "Cookie: {strange}\r\nCookie: {cookie}\r\n",
            "Cookie: {cookie}x\r\n", "Cookie: {cookie}=\r\n", "Cookie: {cookie}%00\r\n", "Cookie: x{cookie}\r\n", "Cookie: {strange}\r\n",
            "Cookie: __Host-{cookie}\r\n", "Cookie: __Secure-{cookie}\r\n", "Cookie: gateway\r\n", "Cookie: gateway=\r\n",
            "Cookie: gateway=gAAAAABh\r\n", "Cookie: Gateway=x\r\n", 'Cookie: x="a; {cookie}; gateway=x"\r\n', "Cookie: gateway={}\r\n",
            "Cookie2: {cookie}\r\n", "X-Cookie: {cookie}\r\n", "Set-Cookie: {cookie}\r\n", "Cookie_: {cookie}\r\n",
            "Cookie: gateway =x; {cookie}, {strange}\r\n", 'Cookie: $Version=1; {cookie}"\r\n', "Cookie: gateway=" + "A" * 5_000 + "\r\n",
            "Cookie: \xe2\x80\x80{cookie}\r\n", "Cookie: a={cookie}\r\n", "Cookie: {cookie},\r\n", "Authorization: Bearer {cookie}\r\n",
        )
    ]
    + [Head(f"GET /hls/{B}/seg1.ts", "", (403,), cookie=cookie)
       for cookie in ("Cookie: {cookie}; {strange}\r\n", "Cookie: {strange}; {cookie}\r\n",
                      "Cookie: {strange}\r\nCookie: {cookie}\r\n")],
    "long heads": [
        Head(STREAM, "X: " + "a" * 9_000 + "\r\n", (400, 431)),
        Head(STREAM, "X" * 9_000 + ": a\r\n", (400, 431)),
        Head(STREAM, "X: a\r\n" * 100, (400, 431)),
        Head(STREAM, "Range: bytes=" + "0-0," * 3_000 + "\r\n", (400, 431)),
        Head(STREAM, "", (400, 431), cookie="Cookie: a=" + "b" * 9_000 + "; {cookie}\r\n"),
        Head(STREAM, "", (400, 431), host="Host: " + "a" * 9_000 + "\r\n"),
        Head(STREAM, "".join(f"X-{n}: a\r\n" for n in range(70)), (400, 431)),
        Head(STREAM, "Accept: " + "a/b," * 2_500 + "\r\n", (400, 431)),
    ],
}  # fmt: skip
