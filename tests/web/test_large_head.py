from __future__ import annotations

import pytest

from gateway.web.large_head import FORGET_COOKIES, ROOM, cookies_too_long

LIMIT = 100


@pytest.mark.parametrize(
    ("head", "too_long"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 101, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\ncOOKIE:" + b"x" * 101, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 50, False),
        (b"GET / HTTP/1.1\r\nCookie: a\r\nReferer: " + b"x" * 200, False),
        (b"GET / HTTP/1.1\r\nCookie: " + b"x" * 101 + b"\r\nX: y", True),
        (b"GET / HTTP/1.1\r\nCookie: " + b"x" * 50 + b"\r\nX: " + b"y" * 99, False),
        (b"GET /?\nCookie: " + b"x" * 200, False),
        (b"GET /" + b"x" * (ROOM + 1) + b" HTTP/1.1\r\nCookie: " + b"x" * 101, False),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n\r\nCookie: " + b"x" * 200, False),
        (b"", False),
    ],
)
def test_only_cookies_that_are_too_long_are_forgotten(head, too_long):
    assert cookies_too_long(head, LIMIT) is too_long


def test_what_is_said():
    head, _, body = FORGET_COOKIES.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b'\r\nClear-Site-Data: "cookies"\r\n' in head
    assert b"\r\nCross-Origin-Opener-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n" in head
    assert b"\r\nContent-Length: %d" % len(body) in head
