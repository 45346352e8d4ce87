# ruff: noqa: E501  # heads of messages are read best as they are
"""What the policy injects reaches the server and never the guest."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from tests.proxy.conftest import IN, opened
from tests.wire import BrokenOff, Call

TOKEN = "s3cr3t/T0ken+value=="
HEADER = f"""
upstream:
  headers: {{Authorization: "Bearer {TOKEN}", User-Agent: "gateway/guest"}}
"""
QUERY = f"""
upstream:
  query: {{api_key: "{TOKEN}"}}
"""
BASIC = """
upstream:
  basic: "robot:correct-horse"
"""
SPELLED = "s3cr3t%2FT0ken%2Bvalue%3D%3D"


async def test_they_are_sent_to_the_server_in_place_of_the_guests() -> None:
    async def script(call: Call) -> None:
        await call.answer(b"ok", headers="Content-Type: video/mp4\r\n")

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/x.mp4", IN + "Authorization: Basic mine\r\nUser-Agent: mine\r\n")
        assert stage.call.header("Authorization") == f"Bearer {TOKEN}"
        assert stage.call.header("User-Agent") == "gateway/guest"
    async with opened(script, upstream_part=QUERY) as stage, stage.client() as guest:
        await guest.get("GET /q/abc?a=1", IN)
        assert stage.call.target == f"/q/abc?a=1&api_key={SPELLED}"
    async with opened(script, upstream_part=BASIC) as stage, stage.client() as guest:
        await guest.get("GET /v/abc/x.mp4", IN)
        assert stage.call.header("Authorization") == "Basic " + base64.b64encode(b"robot:correct-horse").decode()


@pytest.mark.parametrize(
    "leak",
    [
        TOKEN,
        SPELLED,
        SPELLED.lower().replace("s3cr3t%2ft0ken", "s3cr3t%2fT0ken"),
        json.dumps(TOKEN).replace("/", "\\/"),
        TOKEN.replace("=", "&#61;"),
        base64.b64encode(f"x:{TOKEN}".encode()).decode(),
    ],
)
@pytest.mark.parametrize("content_type", ["text/html", "application/json", "application/vnd.apple.mpegurl", ""])
async def test_a_text_that_holds_one_is_not_delivered(leak: str, content_type: str) -> None:
    async def script(call: Call) -> None:
        await call.answer(
            f"#EXTM3U {leak} x".encode(), headers=f"Content-Type: {content_type}\r\n" if content_type else ""
        )

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/list", IN)
        assert (reply.status, str(stage.last.reason)) == (502, "credential_in_answer")
        assert leak.encode() not in reply.body
        assert TOKEN not in stage.last.detail


async def test_the_password_of_a_basic_pair_counts() -> None:
    async def script(call: Call) -> None:
        await call.answer(b'{"pw": "correct-horse"}', headers="Content-Type: application/json\r\n")

    async with opened(script, upstream_part=BASIC) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x", IN)).status == 502


async def test_other_texts_arrive_whole_with_their_length() -> None:
    body = b"#EXTM3U\nseg-1.ts\n" * 20_000  # large enough for the thread

    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: audio/mpegurl\r\nTransfer-Encoding: chunked\r\n\r\n")
        await call.say(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.m3u8", IN)
        assert (reply.status, reply.body, reply.header("Content-Length")) == (200, body, str(len(body)))


class TestPieces:
    """A guest must not get a credential in pieces that hold nothing suspicious each."""

    @staticmethod
    async def _server(call: Call) -> None:
        body = f'{{"token": "{TOKEN}"}}'.encode()
        kind = "Content-Type: application/json\r\n"
        wanted = call.header("Range")
        if wanted is not None and "," in wanted:
            await call.answer(
                b"--b\r\n\r\n" + body[11:15] + b"\r\n--b--",
                status="206 Partial Content",
                headers="Content-Type: multipart/byteranges; boundary=b\r\n",
            )
        elif wanted is not None:
            first, last = wanted.removeprefix("bytes=").split("-")
            part = body[int(first) : int(last) + 1]
            await call.answer(part, status="206 Partial Content", headers=kind + "Content-Range: bytes x\r\n")
        elif "gzip" in (call.header("Accept-Encoding") or ""):
            await call.answer(gzip.compress(body), headers=kind + "Content-Encoding: gzip\r\n")
        else:
            await call.answer(body, headers=kind)

    @pytest.mark.parametrize(
        "headers", ["Range: bytes=11-14\r\n", "Range: bytes=11-14,16-18\r\n", "Accept-Encoding: gzip\r\n"]
    )
    @pytest.mark.parametrize("name", ["list", "list.json"])
    async def test_the_whole_plain_text_is_asked_for(self, headers: str, name: str) -> None:
        async with opened(self._server, upstream_part=HEADER) as stage, stage.client() as guest:
            assert (await guest.get(f"GET /v/abc/{name}", IN + headers)).status == 502
            last = stage.upstream.calls[-1]
            assert (last.header("Range"), last.header("Accept-Encoding")) == (None, "identity")
            # Where the name tells, the server is asked once.
            assert len(stage.upstream.calls) == (1 if name == "list.json" else 2)

    async def test_conditions_are_left_out_for_a_text(self) -> None:
        async with opened(self._server, upstream_part=HEADER) as stage, stage.client() as guest:
            await guest.get("GET /v/abc/list.json", IN + 'If-None-Match: "x"\r\nIf-Modified-Since: y\r\n')
            assert (stage.call.header("If-None-Match"), stage.call.header("If-Modified-Since")) == (None, None)

    async def test_a_server_that_packs_all_the_same_is_refused(self) -> None:
        async def script(call: Call) -> None:
            await call.answer(b"\x1f\x8b", headers="Content-Type: text/css\r\nContent-Encoding: gzip\r\n")

        async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
            assert (await guest.get("GET /v/abc/x", IN)).status == 502

    async def test_media_keep_their_ranges(self) -> None:
        async def script(call: Call) -> None:
            assert call.header("Range") == "bytes=0-3"
            await call.answer(b"\0\0\0\1", status="206 Partial Content", headers="Content-Type: video/mp4\r\n")

        async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
            reply = await guest.get("GET /v/abc/x.mp4", IN + "Range: bytes=0-3\r\n")
            assert (reply.status, reply.body, len(stage.upstream.calls)) == (206, b"\0\0\0\1", 1)


async def test_a_text_of_another_status_is_searched_too() -> None:
    async def script(call: Call) -> None:
        await call.answer(TOKEN.encode(), status="500 Oops", headers="Content-Type: text/plain\r\n")

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        assert TOKEN.encode() not in (await guest.get("GET /v/abc/x", IN)).body


@pytest.mark.parametrize("status", ["400 No", "401 No", "404 No", "416 No"])
@pytest.mark.parametrize("content_type", ["video/mp4", "image/jpeg", "application/octet-stream", ""])
async def test_a_refusal_is_searched_of_whatever_type_the_server_meant_its_answer_to_be(
    status: str, content_type: str
) -> None:
    """Frameworks keep the type that was set before a file could not be read, and write what went wrong behind it."""

    async def script(call: Call) -> None:
        said = f'{{"message": "no /srv/x?key={SPELLED}"}}'.encode()
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        if "gzip" in (call.header("Accept-Encoding") or ""):
            said, kind = gzip.compress(said), f"{kind}Content-Encoding: gzip\r\n"
        await call.answer(said, status=status, headers=kind)

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        for headers in ("", "Accept-Encoding: gzip\r\n", "Range: bytes=0-9\r\n"):
            reply = await guest.get("GET /v/abc/x.mp4", IN + headers)
            assert (reply.status, str(stage.last.reason)) == (502, "credential_in_answer")
            assert SPELLED.encode() not in reply.body


async def test_a_refusal_that_holds_none_arrives_as_it_came() -> None:
    picture = b"\xff\xd8 not here \xff\xd9"

    async def script(call: Call) -> None:
        await call.answer(picture, status="404 No", headers="Content-Type: image/jpeg\r\n")

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.jpg", IN)
        assert (reply.status, reply.body, reply.header("Content-Type")) == (404, picture, "image/jpeg")


async def test_a_text_larger_than_the_limit_is_not_delivered() -> None:
    async def script(call: Call) -> None:
        await call.say("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(17):
            await call.say(b"100000\r\n" + b"x" * 1_048_576 + b"\r\n")
        await call.say(b"0\r\n\r\n")

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x", IN)).status == 502
        assert str(stage.last.reason) == "answer_too_large"


async def test_headers_that_hold_one_are_dropped() -> None:
    async def script(call: Call) -> None:
        await call.answer(
            b"ok",
            headers=f'Content-Type: video/mp4\r\nX-Echo: {TOKEN}\r\nLink: </x?k={SPELLED}>\r\nETag: "{TOKEN}"\r\nX-Other: 1\r\n',
        )

    async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.mp4", IN)
        assert (reply.header("X-Echo"), reply.header("Link"), reply.header("ETag")) == (None, None, None)
        assert (reply.status, reply.header("X-Other")) == (200, "1")
        assert "s3cr3t" not in reply.head


async def test_a_redirect_that_repeats_our_query_is_relieved_of_it() -> None:
    async def script(call: Call) -> None:
        where = {"/q/abc": "/q/abc?b=2&api_key=" + SPELLED, "/v/abc/a": f"/v/abc/{SPELLED}"}[
            call.target.partition("?")[0]
        ]
        await call.answer(status="302 Found", headers=f"Location: {where}\r\n")

    async with opened(script, upstream_part=QUERY) as stage, stage.client() as guest:
        assert (await guest.get("GET /q/abc?a=1", IN)).header("Location") == "/q/abc?b=2"
        refused = await guest.get("GET /v/abc/a", IN)
        assert (refused.status, refused.header("Location")) == (502, None)


class TestEndlessTexts:
    async def test_events_flow_as_they_come(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n")
            await call.reader.read(1)

        async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/events", IN)
            assert (await guest.head()).status == 200
            assert await guest.reader.readuntil(b"\n\n\r\n") == b"b\r\ndata: one\n\n\r\n"

    async def test_media_without_a_type_and_an_end_is_not_waited_for(self) -> None:
        """As Node-Media-Server sends FLV: taken for a text it would be read to an end that never comes."""

        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nFLV\r\n")
            await call.gone()

        async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/camera.flv", IN)
            assert (await guest.head()).status == 200
            assert await guest.reader.readuntil(b"FLV\r\n") == b"3\r\nFLV\r\n"

    async def test_they_are_cut_when_one_turns_up(self) -> None:
        async def script(call: Call) -> None:
            await call.say("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n{}\n")
            await call.say(f'{{"a": "{TOKEN[:7]}')
            await call.say(f'{TOKEN[7:]}"}}\n')
            await call.gone()

        async with opened(script, upstream_part=HEADER) as stage, stage.client() as guest:
            await guest.ask("GET /v/abc/events", IN)
            with pytest.raises(BrokenOff):
                await guest.reply()
            assert stage.last.detail == "a credential in an endless text"


async def test_without_credentials_texts_are_media_like_any_other() -> None:
    async def script(call: Call) -> None:
        await call.answer(
            b"part", status="206 Partial Content", headers="Content-Type: text/vtt\r\nContent-Encoding: gzip\r\n"
        )

    async with opened(script) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.vtt", IN + "Range: bytes=0-3\r\n")
        assert (reply.status, reply.body, reply.header("Content-Encoding")) == (206, b"part", "gzip")
