"""Requests that nobody means: lines, heads and bodies, put together with paths by `test_bad_input`."""

from __future__ import annotations

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"

# Request lines; {p} is the path.
LINES = [
    b"GET {p} HTTP/9.9", b"GET {p} HTTP/1.2", b"GET {p} HTTP/2.0", b"GET {p} HTTP/1.1 x", b"GET {p} FTP/1.1",
    b"GET {p}",
    b"GET", b"{p}", b"", b"GET {p}\tHTTP/1.1", b"G\0T {p} HTTP/1.1", b"G(T {p} HTTP/1.1",
    b"G\xffT {p} HTTP/1.1", b"GET {p}\0 HTTP/1.1", b"GET {p}%00 HTTP/1.1", b"GET {p}%zz HTTP/1.1", b"GET {p}% HTTP/1.1",
    b"GET {p}\xff HTTP/1.1", b"GET {p}\xc3\xa9 HTTP/1.1", b"GET {p}%ff HTTP/1.1", b"GET {p}%c0%ae HTTP/1.1",
    b"GET {p}/../x HTTP/1.1", b"GET {p}/%2e%2e/x HTTP/1.1", b"GET {p}//x HTTP/1.1", b"GET {p}\\x HTTP/1.1",
    b"GET {p};x=1 HTTP/1.1", b"GET {p}#x HTTP/1.1", b"GET {p}%0d%0aX:%201 HTTP/1.1",
    b"GET {p}%252e%252e%252fx HTTP/1.1",
    b"GET http://evil.example{p} HTTP/1.1", b"GET evil.example{p} HTTP/1.1", b"GET *{p} HTTP/1.1", b"GET /{p} HTTP/1.1",
    b"GET {p}?_method=DELETE HTTP/1.1", b"GET {p}?x=%00 HTTP/1.1", b"GET {p}?a;b HTTP/1.1", b"GET {p}?%ff HTTP/1.1",
    b"CONNECT {p} HTTP/1.1", b"CONNECT evil.example:443 HTTP/1.1", b"TRACE {p} HTTP/1.1", b"DELETE {p} HTTP/1.1",
    b"PUT {p} HTTP/1.1", b"PROPFIND {p} HTTP/1.1", b"X{p} HTTP/1.1", b"GET {p}" + b"a" * 9_000 + b" HTTP/1.1",
    b"GET {p}?" + b"a=b&" * 2_500 + b" HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM",
]  # fmt: skip

# Heads below `GET {p} HTTP/1.1` and a good Host.
WRONG_HEADS = [
    b"X: a\0b\r\n", b"X : a\r\n", b": a\r\n", b"X\r\n", b"X\xff: a\r\n", b"X y: a\r\n", b"X: a\rb\r\n",
    b"X: " + b"a" * 9_000 + b"\r\n", b"Cookie: " + b"a=b; " * 2_000 + b"\r\n", b"X: a\r\n" * 100,
    b"Content-Length: -1\r\n", b"Content-Length: 1x\r\n", b"Content-Length: +1\r\n", b"Content-Length: \r\n",
    b"Content-Length: 1, 2\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n",
    b"Content-Length: 99999999999999999999999999\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding: foo\r\n", b"Transfer-Encoding: chunked, foo\r\n", b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
]  # fmt: skip
ODD_HEADS = [
    b"X: \xff\xfe\xfa\r\n", b"X: \xc3\xa9\r\n", b" folded: a\r\n", b"Cookie: =;=;;; ;,\r\n", b"Cookie: \x80\xff\r\n",
    b"Cookie:\r\n",
    b"Cookie: gateway=" + b"x" * 7_000 + b"\r\n", b'Cookie: gateway="\\"\r\n', b"Cookie: gateway-form=%00%ff\r\n",
    b"Cookie: $Version=1; gateway={}; $Path=/\r\n", b"Accept: \xff\r\n", b"Accept: " + b"text/html," * 700 + b"\r\n",
    b"Accept-Language: " + b"de-" * 2_000 + b"\r\n", b"Accept-Language: \xff;q=x,;;q=\r\n",
    b"Accept-Language: en;q=nan\r\n",
    b"Accept-Encoding: \xff\r\n", b"Range: bytes=9-1\r\n", b"Range: bytes=" + b"0-0," * 1_000 + b"\r\n",
    b"Range: x\r\n",
    b"If-None-Match: \xff\"\r\n", b"If-Modified-Since: yesterday\r\n", b"Expect: 200-maybe\r\n",
    b"Connection: \xff\r\n",
    b"Connection: close, Host, Cookie\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: AAA\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Sec-WebSocket-Key: x\r\n", b"Origin: \xff\r\n",
    b"Origin: null\r\n",
    b"Sec-Fetch-Site: \xff\r\n", b"Sec-Fetch-Dest: \xff\r\n", b"X-Forwarded-For: ',<>\xff\r\n",
    b"X-Forwarded-Host: evil.example\r\n",
    b"Forwarded: for=_x;;;\r\n", b"Content-Type: \xff\r\n", b"Content-Type: ;;charset=\"\r\n", b"Date: \0x\r\n",
    b"Service-Worker: script\r\n",
    b"Authorization: Basic \xff\r\n", b"X-HTTP-Method-Override: DELETE\r\n", b"Max-Forwards: x\r\n",
    b"Trailer: Host\r\n",
]  # fmt: skip

# Heads and bodies below `POST {p} HTTP/1.1` and a good Host. None of them is a form that anybody may post.
BODIES = [
    (b"", b""), (FORM, b""), (FORM, b"name=Ada"), (FORM, b"&&&&=&=&&;;"), (FORM, b"\0\0\0"), (FORM, b"\xff\xfe"),
    (FORM, b"name=%ff&email=%fe&form=%fd"), (FORM, b"name=%zz&email=%&form=%1"), (FORM, b"name=a&name=b"), (FORM,
    b"a=b&" * 40),
    (FORM, b"form=" + b"A" * 51), (FORM, b"form=" + b"\xc3\xa9" * 51), (FORM, b"form=" + b"-" * 10_000), (FORM,
    b"x" * 20_000),
    (FORM, b"name=" + b"%F0%9F%8E%AC" * 1_000), (FORM, b"grant=%00"), (FORM, b"not_my_device=\xff"), (FORM,
    b"name=%ED%A0%80"),
    (FORM + FORM, b"name=a"), (b"Content-Type: application/json\r\n", b'{"name": 1}'),
    (b"Content-Type: text/plain\r\n", b"name=a"),
    (b"Content-Type: multipart/form-data; boundary=x\r\n",
     b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n-'),
    (b"Content-Type: multipart/form-data\r\n", b"--"),
    (b"Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n", b"\xff\xfea\0"),
    (b"Content-Type: application/x-www-form-urlencoded; charset=nope\r\n", b"name=a"),
    (b"Content-Type: \xff/\xfe\r\n", b"name=a"),
    (FORM + b"Content-Encoding: gzip\r\n", b"\x1f\x8b\x08junk"), (FORM + b"Content-Encoding: x\r\n", b"name=a"),
    (FORM + b"Origin: https://evil.example\r\n", b"name=a"), (FORM + b"Sec-Fetch-Site: cross-site\r\n", b"name=a"),
]  # fmt: skip
CHUNKED = [
    b"zz\r\nabc\r\n0\r\n\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3;ext=\"\r\nabc\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\n",
    b"0\r\nX: \0\r\n\r\n", b"3\nabc\n0\n\n", b"",
]  # fmt: skip
