"""Whatever a stranger posts is a form or a clear 4xx; nothing waits for ever."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.outcome import Denied
from gateway.web.form import parse_form, read_form
from gateway.web.refuse import refuse

LIMIT = 1_000
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@pytest.fixture
def form(stage):
    """A door that answers with the fields it read."""

    async def door(visit):
        fields = await read_form(visit.request, LIMIT, deadline=0.5)
        if isinstance(fields, Denied):
            return refuse(visit, fields.reason, detail=fields.detail)
        return web.json_response(dict(fields))

    stage.door = door
    return stage


async def post(stage, body, kind=FORM, **headers):
    async with stage.client.post("/x", data=body, headers={"Content-Type": kind, **headers}) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"name=Zo%C3%AB+B&email=a%40b.org", {"name": "Zoë B", "email": "a@b.org"}),
        ("name=Zoë".encode(), {"name": "Zoë"}),
        (b"name=&form=x", {"name": "", "form": "x"}),
        (b"name=100%25&email=%zz", {"name": "100%", "email": "%zz"}),
        (b"name=a;b=c", {"name": "a;b=c"}),
        (b"name=%00", {"name": "\0"}),
    ],
)
async def test_a_form_is_read(form, body, fields):
    assert await post(form, body) == (200, fields)


async def test_utf_8_may_be_said(form):
    assert await post(form, b"name=x", f"{FORM}; charset=UTF-8") == (200, {"name": "x"})


async def test_no_body_is_an_empty_form(form):
    async with form.client.post("/x") as answer:
        assert (answer.status, await answer.json()) == (200, {})


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"name=a&name=b", FORM, 400),
        (b"name=%ff", FORM, 400),
        (b"name=\xff", FORM, 400),
        (b"&".join(b"f%d=" % n for n in range(40)), FORM, 400),
        (b"name=" + b"x" * LIMIT, FORM, 413),
        (b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--b--\r\n', MULTIPART, 400),
        (b'{"name": "x"}', "application/json", 400),
        (b"name=x", "text/plain", 400),
        (b"name=x", f"{FORM}; charset=utf-16", 400),
    ],
)  # fmt: skip
async def test_anything_else_is_refused(form, body, kind, status):
    assert (await post(form, body, kind))[0] == status


async def test_an_encoded_body_is_refused(form):
    assert (await post(form, gzip.compress(b"name=x"), **{"Content-Encoding": "gzip"}))[0] == 400


async def test_a_body_without_a_length_meets_the_same_limit(form):
    async def endless():
        for _ in range(100):
            yield b"x" * 100

    assert (await post(form, endless()))[0] == 413


@given(
    st.lists(
        st.sampled_from([b"&", b"=", b"%", b"%ED%A0%80", b"%00", b"+", b"name", b"\xff", b";"]) | st.binary(max_size=4)
    )
)
def test_any_bytes_are_a_form_of_clean_text_or_a_refusal(pieces):
    fields = parse_form(b"".join(pieces))
    if not isinstance(fields, Denied):
        for name, value in fields.items():
            (name + value).encode("utf-8")


async def raw(stage, text, *more):
    """Send bytes as they are; the answer's status line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(text)
    for pause, piece in more:
        await asyncio.sleep(pause)
        writer.write(piece)
    answer = await asyncio.wait_for(reader.readline(), 3)
    writer.close()
    return answer


def head(*lines):
    start = f"POST /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: {FORM}\r\n"
    return (start + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


async def test_who_waits_for_a_hundred_gets_it(form):
    reader, writer = await asyncio.open_connection("127.0.0.1", form.port)
    writer.write(head("Content-Length: 6", "Expect: 100-continue"))
    assert await asyncio.wait_for(reader.readline(), 2) == b"HTTP/1.1 100 Continue\r\n"
    assert await reader.readline() == b"\r\n"
    writer.write(b"name=x")
    answer = await asyncio.wait_for(reader.read(), 2)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"name": "x"}')
    writer.close()


async def test_a_refused_body_is_not_asked_for(form):
    answer = await raw(form, head("Content-Length: 5000", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_slow_body_ends_at_the_deadline(form):
    began = asyncio.get_running_loop().time()
    answer = await raw(form, head("Content-Length: 100"), (0.2, b"name="), (0.2, b"x"), (0.3, b"y"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert asyncio.get_running_loop().time() - began < 2


@pytest.mark.parametrize("body", [b"zz\r\nname=x\r\n0\r\n\r\n", b"-1\r\n", b"6\r\nname=xEXTRA\r\n0\r\n\r\n"])
async def test_broken_chunks_are_a_400(form, body):
    answer = await raw(form, head("Transfer-Encoding: chunked") + body)
    assert answer.split()[1] == b"400"
