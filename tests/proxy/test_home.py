"""Absolute addresses in a server's texts: a guest reads ours."""

from __future__ import annotations

import gzip
from functools import partial

import pytest

from gateway.config import Origin
from gateway.proxy.home import brought_home, ours, reach, spelled
from gateway.proxy.rewriting import Exchanging, FlowingWords
from tests.proxy.conftest import IN, opened
from tests.wire import Call

OWN = (Origin("http", "10.0.0.5", 8096), Origin("https", "media.lan", 443))
PUBLIC = Origin("https", "guest.example.org", 443)
ODD = Origin("http", "guest.example.org", 8080)


@pytest.mark.parametrize(
    ("came", "wanted"),
    [
        ("http://10.0.0.5:8096/a", "https://guest.example.org/a"),
        ("HTTP://10.0.0.5:8096", "https://guest.example.org"),
        ("https://media.lan/a https://MEDIA.lan:443/b", "https://guest.example.org/a https://guest.example.org/b"),
        ('"ws://10.0.0.5:8096/s"', '"wss://guest.example.org/s"'),
        ("src=//media.lan/x", "src=//guest.example.org/x"),
        (r'"http:\/\/10.0.0.5:8096\/a"', r'"https:\/\/guest.example.org\/a"'),
        ("?u=http%3A%2F%2F10.0.0.5%3A8096%2Fa", "?u=https%3A%2F%2Fguest.example.org%2Fa"),
        ("http://10.0.0.5:80960/", "http://10.0.0.5:80960/"),
        ("http://10.0.0.5/", "http://10.0.0.5/"),
        ("https://media.lan.evil.example/", "https://media.lan.evil.example/"),
        ("https://media.lan@evil.example/", "https://media.lan@evil.example/"),
        ("https://evil-media.lan/ https://a.media.lan/", "https://evil-media.lan/ https://a.media.lan/"),
        ("rtsp://media.lan/a rtmp%3A%2F%2Fmedia.lan", "rtsp://media.lan/a rtmp%3A%2F%2Fmedia.lan"),
        ("media.lan, 10.0.0.5:8096", "media.lan, 10.0.0.5:8096"),
        ("see https://media.lan.", "see https://guest.example.org."),
    ],
)
def test_addresses_of_the_server_become_ours(came: str, wanted: str) -> None:
    assert brought_home(came.encode(), spelled(OWN), PUBLIC, OWN).decode() == wanted


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_they_become_ours_however_the_text_comes(size: int) -> None:
    pieces = [
        "http://10.0.0.5:8096/a", "rtsp://media.lan/a", "https://media.lan.evil.example/",
        "x", r'"http:\/\/10.0.0.5:8096\/a"',
        "?u=http%3A%2F%2F10.0.0.5%3A8096%2Fa", "https://media.lan@evil.example", "//media.lan", "https://media.lan:443",
        "https://media.lan:44", "y" * 200, "HTTPS://media.lan",
    ]  # fmt: skip
    text = " ".join([*pieces, *reversed(pieces)]).encode() + b"https://media.lan"
    flow = FlowingWords(Exchanging(spelled(OWN), partial(ours, PUBLIC), reach(OWN)))
    came = [flow.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert b"".join(came) + flow.finish() == brought_home(text, spelled(OWN), PUBLIC, OWN)


def test_our_port_is_written_as_the_rest_is() -> None:
    assert brought_home(b"http%3A%2F%2Fmedia.lan", spelled(OWN), ODD, OWN) == b"http%3A%2F%2Fguest.example.org%3A8080"
    assert brought_home(b"http://media.lan", spelled(OWN), ODD, OWN) == b"http://guest.example.org:8080"
    assert brought_home(b"http://media.lan", spelled(()), ODD, ()) == b"http://media.lan"


@pytest.mark.parametrize("part", ["", 'upstream: {basic: "user:secret-word"}\n', 'replace: {"xyz": "abc"}\n'])
@pytest.mark.parametrize("kind", ["text/html", "application/json", "application/vnd.apple.mpegurl", "text/javascript"])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_text_is_brought_home_and_speaks_of_its_new_bytes(part: str, kind: str, packed: bool) -> None:
    async def script(call: Call) -> None:
        text = f"http://127.0.0.1:{call.header('Host').rpartition(':')[2]}/a".encode()
        zipped = packed and call.header("Accept-Encoding") != "identity"
        coding = "Content-Encoding: gzip\r\n" if zipped else ""
        await call.answer(
            gzip.compress(text) if zipped else text, headers=f'Content-Type: {kind}\r\nETag: "1"\r\n{coding}'
        )

    async with opened(script, upstream_part=part) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/some", IN)
        assert (reply.status, reply.body) == (200, b"http://gateway.test/a")
        assert (reply.header("ETag"), reply.header("Content-Encoding")) == (None, None)


async def test_a_text_without_one_arrives_as_it_was() -> None:
    zipped = gzip.compress(b"http://elsewhere.test/a")

    async def script(call: Call) -> None:
        await call.answer(zipped, headers='Content-Type: text/html\r\nETag: "1"\r\nContent-Encoding: gzip\r\n')

    async with opened(script) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/some", IN)
        assert (reply.status, reply.body) == (200, zipped)
        assert (reply.header("ETag"), reply.header("Content-Encoding")) == ('"1"', "gzip")


async def test_other_names_of_the_server_have_every_text_asked_for_whole() -> None:
    async def script(call: Call) -> None:
        asked = call.header("Range"), call.header("If-None-Match"), call.header("Accept-Encoding")
        assert asked == (None, None, "identity")
        await call.answer(b"https://media.lan/a", headers='Content-Type: text/vtt\r\nETag: "1"\r\n')

    async with opened(script, also=(OWN[1],)) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.vtt", IN + 'Range: bytes=0-3\r\nIf-None-Match: "1"\r\n')
        assert (reply.status, reply.body, reply.header("ETag")) == (200, b"http://gateway.test/a", None)


async def test_media_is_never_looked_into() -> None:
    async def script(call: Call) -> None:
        await call.answer(b"https://media.lan/a", headers="Content-Type: video/mp4\r\n")

    async with opened(script, also=(OWN[1],)) as stage, stage.client() as guest:
        assert (await guest.get("GET /v/abc/x.mp4", IN)).body == b"https://media.lan/a"


@pytest.mark.parametrize("words", ["", 'replace: {"xyz": "abc"}\n'])
async def test_a_text_of_unknown_length_is_brought_home_as_it_comes(words: str) -> None:
    async def script(call: Call) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
        text = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in (b"https:/", b"/media.l", b"an/a xy", b"z "))
        await call.say(head.encode() + text + b"0\r\n\r\n")

    also = (Origin("https", "media.lan", 443),)
    async with opened(script, upstream_part=words, also=also) as stage, stage.client() as guest:
        reply = await guest.get("GET /v/abc/x.html", IN)
        assert reply.status == 200
        assert reply.body == b"http://gateway.test/a " + (b"abc " if words else b"xyz ")
