# ruff: noqa: E501  # requests are read best as they are, many to a line
"""Byte sequences that begin or end where nobody agrees, by class.

Each is sent as it stands, then a good request (`after`) on the same connection. Where it can, it carries a request of
its own inside (`INNER`), one that the guest's session would be served: whoever believes it shows that he was led
astray. `{n}` is the sequence's number, by which answers and beliefs are told apart, `{inner}` the length of `INNER`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.attack.policy import A


@dataclass(frozen=True, slots=True)
class Two:
    """Bytes in which, by RFC 9112, the inner request is one of its own: a guest may pipeline."""

    data: bytes


STREAM, PLAY, SOCKET = b"/hls/%s/outer-{n}.ts" % A.encode(), b"/api/play/%s" % A.encode(), b"/ws/%s" % A.encode()
COMMON = b"Host: {host}\r\nCookie: {cookie}\r\n"
INNER = b"GET /hls/%s/inner-{n}.ts HTTP/1.1\r\n" % A.encode() + COMMON + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
INNER_LENGTH = b"Content-Length: {inner}\r\n"


def post(headers: bytes, body: bytes = b"", *, line: bytes = b"POST " + PLAY + b" HTTP/1.1") -> bytes:
    return line + b"\r\n" + COMMON + headers + b"\r\n" + body


def get(headers: bytes, body: bytes = b"", *, line: bytes = b"GET " + STREAM + b" HTTP/1.1") -> bytes:
    return post(headers, body, line=line)


_ENDED = b"0\r\n\r\n" + INNER  # for who believes in chunks the inner one is a request, else it is a body
_AS_CHUNK = b"{inner:x}\r\n" + INNER + b"\r\n0\r\n\r\n"  # and the other way round


# Other spellings of a plain `chunked`, by which a body ends where it says.
_PLAINLY_CHUNKED = (
    b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: Chunked",
    b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
)  # fmt: skip


def _chunked_like(value: bytes) -> list[bytes | Two]:
    """A transfer coding that some take for chunked and some do not, beside a length and without."""
    alone = post(value + b"\r\n", _ENDED)
    return [
        post(value + b"\r\nContent-Length: 5\r\n", _ENDED),
        Two(alone) if value in _PLAINLY_CHUNKED else alone,
        post(value + b"\r\n" + INNER_LENGTH, INNER),
    ]


def _sized(size: bytes) -> bytes:
    return post(CHUNKED, size + b"\r\n" + INNER + b"\r\n0\r\n\r\n")


_UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

SEQUENCES: dict[str, list[bytes | Two]] = {
    "length and chunks": [
        post(first + second, _ENDED)
        for first, second in (
            (CHUNKED, b"Content-Length: 5\r\n"), (b"Content-Length: 5\r\n", CHUNKED), (CHUNKED, INNER_LENGTH),
            (CHUNKED.lower(), b"content-length: 5\r\n"), (CHUNKED + CHUNKED, b""), (b"Content-Length: 0\r\n", CHUNKED),
            (CHUNKED, b"Content-Length: 5\r\nContent-Length: 5\r\n"), (CHUNKED, b"Content-Length: x\r\n"),
        )
    ]
    + [post(CHUNKED + INNER_LENGTH, INNER), post(INNER_LENGTH + CHUNKED, _AS_CHUNK)],
    "transfer codings nobody agrees on": [
        data
        for value in (
            *_PLAINLY_CHUNKED, b"Transfer-Encoding : chunked", b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: gzip, chunked",
            b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chunked;q=1",
            b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding: chunked,",
            b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked chunked", b"Transfer-Encoding: identity",
            b"Transfer-Encoding:", b"Transfer_Encoding: chunked", b"Transfer.Encoding: chunked", b" Transfer-Encoding: chunked",
            b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"X: y\r\n\tTransfer-Encoding: chunked",
            b"Transfer-Encoding\r\n : chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"\x00Transfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked",
            b"Transfer-Encoding: c\xc5\x81hunked", b"Transfer-Encoding: chun\xc2\xadked",
            b"Transfer-Encoding: chunked\xa0",
        )
        for data in _chunked_like(value)
    ],
    "lengths nobody agrees on": [
        post(b"Content-Length: " + value + b"\r\n", INNER)
        for value in (
            b"+{inner}", b"-0", b"-1", b"0x5", b"5_0", b"5 5", b"5,5", b"5, 0", b"0{inner}", b"{inner}.0", b"", b"\xd9\xa5", b"5;",
            b"99999999999999999999999", b"18446744073709551616", b"1e1", b"{inner}\x00", b"\x0b{inner}", b"0, {inner}", b"5\t5",
            b'"{inner}"', b"{inner}\r\n 0", b"4294967296", b"00",
        )
    ]
    + [
        post(value, INNER)
        for value in (
            b"Content-Length: 0\r\nContent-Length: {inner}\r\n", b"Content-Length: {inner}\r\nContent-Length: 0\r\n",
            INNER_LENGTH + INNER_LENGTH, b"Content_Length: {inner}\r\n", b"Content.Length: {inner}\r\n", b"Content-Length : {inner}\r\n",
            b" Content-Length: {inner}\r\n", b"X: y\nContent-Length: {inner}\r\n", b"X: y\rContent-Length: {inner}\r\n",
            b"Content-Length\x00: {inner}\r\n", b"Connection: Content-Length\r\nContent-Length: {inner}\r\n", b"Content-Length {inner}\r\n",
        )
    ],
    "chunk sizes": [
        _sized(size)
        for size in (
            b"0x{inner:x}", b"+{inner:x}", b"-{inner:x}", b"_{inner:x}", b"{inner:x}_", b" {inner:x}", b"\t{inner:x}", b"{inner:x} ",
            b"{inner:x}\t", b"", b"g", b"0{inner:x}", b"00000000000000000{inner:x}", b"1{inner:016x}", b"ffffffffffffffff",
            b"{inner:x}\x00", b"{inner:x},0", b"{inner:x}.0", b"0\x0b", b"\xd9\xa5", b"{inner:x};", b"{inner:X}", b"{inner:x}\x85",
        )
    ],
    "chunk extensions": [
        _sized(b"{inner:x}" + extension)
        for extension in (
            b";a=b", b";a=\nb", b";a=\rb", b";\n", b';a="\r\n"', b" ;a", b";a=\x00", b";" + b"a" * 5_000, b";a=\xff", b"\x20\x20;;a==",
            b';a="', b";\x7f", b";0\r\n0\r\n", b";a\n0\n\n",
        )
    ],
    "chunk ends and trailers": [
        post(CHUNKED, body)
        for body in (
            b"{inner:x}\n" + INNER + b"\n0\n\n", b"{inner:x}\r\n" + INNER + b"0\r\n\r\n", b"{inner:x}\r\n" + INNER + b"XX0\r\n\r\n",
            b"{inner:x}\r\n" + INNER + b"\r0\r\n\r\n", b"5\r\nabcd\r\n0\r\n\r\n" + INNER, b"3\r\nabcd\r\n0\r\n\r\n" + INNER,
            b"0\r\nContent-Length: {inner}\r\n\r\n" + INNER, b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + _AS_CHUNK,
            b"0\r\nHost: evil\r\nCookie: x\r\n\r\n", b"0\r\nX: y\n\r\n", b"0\r\nX y\r\n\r\n", b"0\r\n: x\r\n\r\n", b"0\r\n X: y\r\n\r\n",
            b"0\r\nX: \x00\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"0\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", b"0\n\n", b"0\r\r",
            b"0\r\n" + INNER, b"\r\n0\r\n\r\n", b"0\r\nGET /hls/abc123/inner-{n}.ts HTTP/1.1\r\n\r\n", b"0\r\n\n",
        )
    ],
    "line ends and heads": [
        get(headers, INNER)
        for headers in (
            b"X: a\nY: b\r\n", b"X: a\rY: b\r\n", b"X: a\n\r\n", b"X: a\r\r\n", b"X: a\r\n\r", b"X: a\r\n Y: b\r\n", b" X: a\r\n", b"X : a\r\n",
            b"X\r\n", b": a\r\n", b"X\x00: a\r\n", b"X: a\x00b\r\n", b"X: a\x0bb\r\n", b"X y: a\r\n", b"\xff: a\r\n", b"X: \x7f\r\n", b"\r",
            b"\t\r\n", b"X: a\n\n", b"Host: {host}\r\n", b"X: a\r\n\x00\r\n",
        )
    ],
    "request lines": [
        line + b"\r\n" + COMMON + b"\r\n"
        for line in (
            b"GET  " + STREAM + b" HTTP/1.1", b"GET " + STREAM + b"  HTTP/1.1", b"GET\t" + STREAM + b"\tHTTP/1.1",
            b"GET " + STREAM + b" HTTP/1.1 ", b" GET " + STREAM + b" HTTP/1.1", b"GET " + STREAM + b" HTTP/1.1\rX: y",
            b"GET " + STREAM + b" HTTP/1.1\nX: y", b"GET " + STREAM, b"GET " + STREAM + b" HTTP/0.9", b"GET " + STREAM + b" HTTP/2.0",
            b"GET " + STREAM + b" HTTP/1.1 HTTP/1.1", b"GET " + STREAM + b"\x0bHTTP/1.1", b"GET " + STREAM + b"\x00 HTTP/1.1",
            b"get " + STREAM + b" HTTP/1.1", b"GET " + STREAM + b" http/1.1", b"GET http://{host}" + STREAM + b" HTTP/1.1",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET " + STREAM + b" HTTP/1.1", b"\x16\x03\x01GET " + STREAM + b" HTTP/1.1",
            b"GET " + STREAM + b" HTTP/1.1\r\nGET " + STREAM + b" HTTP/1.1", b"\xef\xbb\xbfGET " + STREAM + b" HTTP/1.1", b"GET",
        )
    ],
    "bodies nobody reads": [
        get(INNER_LENGTH, INNER), get(CHUNKED, _AS_CHUNK), get(CHUNKED, _ENDED), get(b"Content-Length: 1\r\n", b"x" + INNER),
        get(b"Content-Length: 00\r\n", INNER), get(CHUNKED + b"Content-Length: 5\r\n", _ENDED),
        *(get(INNER_LENGTH, INNER, line=line + b" HTTP/1.1")
          for line in (b"HEAD " + STREAM, b"OPTIONS " + STREAM, b"DELETE " + STREAM, b"POST /admin", b"POST " + STREAM, b"PUT " + PLAY,
                       b"POST /hls/../x", b"POST /g/AAAAAAAAAAAAAAAAAAAAAA", b"POST /_gateway/leave?x", b"GET /_gateway/health/live",
                       b"POST /_gateway/health/live", b"POST /_gateway/nothing", b"TRACE " + STREAM, b"FOO " + STREAM)),
        *(get(CHUNKED, _AS_CHUNK, line=line + b" HTTP/1.1")
          for line in (b"HEAD " + STREAM, b"OPTIONS " + STREAM, b"POST /admin", b"POST /hls/../x", b"GET /_gateway/health/live",
                       b"POST /_gateway/health/live", b"POST /g/AAAAAAAAAAAAAAAAAAAAAA", b"POST /_gateway/nothing")),
        post(b"Origin: http://evil.example\r\n" + INNER_LENGTH, INNER), post(b"Service-Worker: script\r\n" + INNER_LENGTH, INNER),
        post(b"Content-Length: 200000\r\n", b"x" * 100_000 + INNER), post(b"Range: a\r\nRange: b\r\n" + INNER_LENGTH, INNER),
        post(INNER_LENGTH, INNER), post(CHUNKED, _AS_CHUNK), post(b"Content-Encoding: gzip\r\n" + INNER_LENGTH, INNER),
    ],
    "expectations": [
        post(b"Expect: 100-continue\r\n" + INNER_LENGTH, INNER), post(b"Expect: 100-continue\r\n" + CHUNKED, _AS_CHUNK),
        get(b"Expect: 100-continue\r\n" + INNER_LENGTH, INNER), post(b"Expect: 200-ok\r\n" + INNER_LENGTH, INNER),
        post(b"Expect : 100-continue\r\n" + INNER_LENGTH, INNER), post(b"Expect: 100-continue\r\nContent-Length: 0\r\n"),
        get(b"Expect: 100-continue\r\n" + INNER_LENGTH, INNER, line=b"POST /admin HTTP/1.1"),
    ],
    "switches that are not made": [
        get(_UPGRADE, INNER), get(_UPGRADE + INNER_LENGTH, INNER), get(_UPGRADE + CHUNKED, _AS_CHUNK),
        *(get(_UPGRADE.replace(old, new), INNER, line=b"GET " + SOCKET + b" HTTP/1.1")
          for old, new in ((b"13", b"8"), (b"Connection: Upgrade\r\n", b""), (b"websocket", b"h2c"), (b"Upgrade: websocket\r\n", b""),
                           (b"dGhlIHNhbXBsZSBub25jZQ==", b"x"), (b"13", b"13\r\nContent-Length: 5"))),
        get(_UPGRADE, INNER, line=b"GET " + SOCKET + b" HTTP/1.1"), get(_UPGRADE, INNER, line=b"GET /ws/xyz789 HTTP/1.1"),
        get(_UPGRADE, INNER, line=b"GET /admin HTTP/1.1"), get(_UPGRADE, INNER, line=b"POST " + PLAY + b" HTTP/1.1"),
        get(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\n", INNER),
        get(b"Upgrade: TLS/1.2\r\nConnection: Upgrade\r\n", INNER), get(_UPGRADE, INNER, line=b"CONNECT {host} HTTP/1.1"),
        get(b"", INNER, line=b"CONNECT 127.0.0.1:80 HTTP/1.1"), get(b"", INNER, line=b"CONNECT " + STREAM + b" HTTP/1.1"),
        get(_UPGRADE, INNER, line=b"GET /_gateway/health/live HTTP/1.1"), get(_UPGRADE, INNER, line=b"GET /hls/../x HTTP/1.1"),
        get(_UPGRADE, b"\x81\x85\x00\x00\x00\x00hello" + INNER, line=b"GET " + SOCKET + b" HTTP/1.1"),
    ],
    "HTTP/1.0": [
        get(headers, body, line=line + b" HTTP/1.0")
        for line, headers, body in (
            (b"POST " + PLAY, CHUNKED, _ENDED), (b"POST " + PLAY, CHUNKED + b"Connection: keep-alive\r\n", _ENDED),
            (b"POST " + PLAY, b"Content-Length: 0\r\nConnection: keep-alive\r\n" + CHUNKED, _ENDED), (b"GET " + STREAM, INNER_LENGTH, INNER),
            (b"GET " + STREAM, b"Connection: keep-alive\r\n" + INNER_LENGTH, INNER), (b"POST " + PLAY, INNER_LENGTH, INNER),
            (b"GET " + SOCKET, _UPGRADE, INNER), (b"GET " + STREAM, b"Connection: keep-alive\r\nKeep-Alive: 5\r\n", b""),
        )
    ],
}  # fmt: skip

# A fair stage serves what is good: both requests of each of these.
PIPELINED = [
    get(b"") + INNER,
    post(b"Content-Length: 0\r\n") + INNER,
    post(CHUNKED, _ENDED),
    post(b"Content-Length: 3\r\n", b"abc") + INNER,
]


def filled(data: bytes, n: int, *, host: str, cookie: str) -> bytes:
    """A sequence with its number, its session and the lengths that follow from them."""

    def names(text: bytes) -> bytes:
        text = text.replace(b"{n}", b"%d" % n).replace(b"{host}", host.encode())
        return text.replace(b"{cookie}", cookie.encode())

    inner = len(names(INNER))
    for mark in (b"{inner}", b"{inner:x}", b"{inner:X}", b"{inner:016x}"):
        data = data.replace(mark, mark.decode().format(inner=inner).encode())
    return names(data)


def good(name: str, n: int, *, host: str, cookie: str) -> bytes:
    return filled(b"GET /hls/%s/%s-{n}.ts HTTP/1.1\r\n" % (A.encode(), name.encode()) + COMMON
                  + b"Connection: close\r\n\r\n", n, host=host, cookie=cookie)  # fmt: skip
