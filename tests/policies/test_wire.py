"""The ear of these tests hears: a credential in any spelling, a request that went through."""

from __future__ import annotations

import gzip

import pytest

from tests.policies.wire import Line, Stage, line, spellings
from tests.running import ask
from tests.wire import Call, WireServer

SECRET = 'li/s+t&"ener:p<a>ss'


def heard(said: bytes) -> Stage:
    return Stage(None, Line(0, back=bytearray(b"x" * 20_000 + said)), Line(0))  # type: ignore[arg-type]


@pytest.mark.parametrize("spelling", dict.fromkeys(spellings(SECRET)))
@pytest.mark.parametrize("form", ["plain", "packed", "chunked"])
def test_a_secret_is_found(spelling: bytes, form: str) -> None:
    said = b'{"a": "' + spelling + b'"}'
    if form == "packed":
        said = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(said) + b"HTTP/1.1 200 OK\r\n"
    if form == "chunked":
        said = said[:12] + b"\r\n1f\r\n" + said[12:]
    heard(b"nothing of it").keeps(SECRET)
    with pytest.raises(AssertionError):
        heard(said).keeps(SECRET)


async def test_what_went_through_is_known() -> None:
    async def script(call: Call) -> None:
        await call.answer(b"hello")
        call.writer.close()

    async with WireServer(script) as server, line(server.port) as kept:
        assert (await ask(kept.port, "GET /a?b=c")).body == b"hello"
        assert kept.asked == ["GET /a?b=c"]
        assert kept.back.endswith(b"hello")
