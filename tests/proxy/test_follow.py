"""Followed playlists through the door: what they name is reachable for this guest, and nothing else is."""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from gateway.config import Origin, Timeouts
from gateway.links.followed import Followed, beside, seal, unseal
from gateway.links.keys import Keys
from gateway.upstream.client import HttpUpstream
from tests.proxy.conftest import IN, KEYS, Stage, opened
from tests.wire import Call, WireServer

TOKEN = "s3cr3t/T0ken+value=="
POLICY = """
server: Test server
item: {id: "[a-z0-9]{3,9}"}
patterns: {n: "[0-9]{1,3}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /open/{id}/{n}.ts
      - GET /q/{id}?id={id}
      - request: GET /v/{id}/master.m3u8
        follow: {as: hls}
      - request: GET /list/{id}
        follow: {as: hls, to: ["/cdn/{id}/**", ELSEWHERE]}
"""
HLS = "Content-Type: application/vnd.apple.mpegurl\r\n"
SIGNED = re.compile(r"/_gateway/s/(?:[A-Za-z0-9_-]+/){1,2}[A-Za-z0-9._-]+")


def texts(answers: dict[str, str | bytes], *, headers: str = HLS) -> Callable[[Call], object]:
    async def script(call: Call) -> None:
        body = answers.get(call.target)
        if body is None:
            await call.answer(b"no", status="404 Not Found")
        elif isinstance(body, bytes):
            await call.answer(body, headers="Content-Type: video/mp2t\r\n")
        else:
            await call.answer(body.encode(), headers=headers)

    return script


def stage(answers: dict[str, str | bytes], **options: object) -> AbstractAsyncContextManager[Stage]:
    text = POLICY.replace(", ELSEWHERE", "")
    return opened(texts(answers), policy_text=text, **options)  # type: ignore[arg-type]


def followed_mark(at: Stage) -> bytes:
    """The mark of the rule that is followed without `to`."""
    return next(rule.follow.mark for rule in at.live.scope.kind.rules if rule.follow and rule.follow.graph is None)


def playlist(*lines: str) -> str:
    return "\n".join(("#EXTM3U", *lines, ""))


async def test_what_a_playlist_names_beside_itself_is_reachable_and_nothing_else_is() -> None:
    answers = {"/v/abc/master.m3u8": playlist("#EXTINF:4,", "seg1.ts"), "/v/abc/seg1.ts": b"media"}
    async with stage(answers) as at, at.client() as guest:
        reply = await guest.get("GET /v/abc/master.m3u8", IN)
        (signed,) = SIGNED.findall(reply.body.decode())
        assert signed.endswith("/seg1.ts")
        assert reply.header("Content-Length") == str(len(reply.body))
        assert (await guest.get(f"GET {signed}", IN)).body == b"media"
        assert (await guest.get("GET /v/abc/seg1.ts", IN)).status == 403, "named, but by no rule"
        again = await guest.get("GET /v/abc/master.m3u8", IN)
        assert again.body == reply.body, "the same each time"


async def test_a_segment_keeps_its_ranges_and_a_playlist_is_asked_for_whole() -> None:
    answers = {"/v/abc/master.m3u8": playlist("#EXTINF:4,", "seg1.ts"), "/v/abc/seg1.ts": b"media"}
    async with stage(answers) as at, at.client() as guest:
        wanted = 'Range: bytes=0-3\r\nIf-None-Match: "a"\r\nAccept-Encoding: gzip\r\n'
        reply = await guest.get("GET /v/abc/master.m3u8", IN + wanted)
        call = at.upstream.calls[-1]
        assert (reply.status, call.header("Range"), call.header("If-None-Match")) == (200, None, None)
        assert call.header("Accept-Encoding") == "identity"
        (signed,) = SIGNED.findall(reply.body.decode())
        await guest.get(f"GET {signed}", IN + wanted)
        assert at.upstream.calls[-1].header("Range") == "bytes=0-3"


async def test_what_a_rule_allows_stays_as_it_is_and_what_lies_elsewhere_goes() -> None:
    answers = {
        "/v/abc/master.m3u8": playlist(
            "#EXTINF:4,", "../../open/abc/1.ts", "#EXTINF:4,", "/open/xyz/1.ts", "#EXTINF:4,", "https://evil.test/x.ts",
            "#EXTINF:4,", "//evil.test/x.ts", "#EXTINF:4,", "../xyz/seg.ts", "#EXTINF:4,", "file:///etc/passwd",
            "#EXTINF:4,", "/q/abc?id=abc", "#EXTINF:4,", "sub/a.ts?id=xyz", "#EXTINF:4,", "..%2fxyz/a.ts",
            '#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain;base64,AAAA"', "#EXTINF:4,", "/v/abc/z.ts",
        )
    }  # fmt: skip
    async with stage(answers) as at, at.client() as guest:
        body = (await guest.get("GET /v/abc/master.m3u8", IN)).body.decode()
        lines = [line for line in body.splitlines() if not line.startswith("#")]
        assert lines[:2] == ["../../open/abc/1.ts", "/q/abc?id=abc"]
        assert [line.rpartition("/")[2] for line in lines[2:]] == ["z.ts"]
        assert body.count("#EXTINF") == 3
        assert "evil" not in body
        assert "passwd" not in body
        assert "KEY" not in body


async def test_playlists_are_followed_three_deep_also_one_that_names_itself() -> None:
    loop = playlist("#EXT-X-STREAM-INF:BANDWIDTH=1", "loop.m3u8", "#EXTINF:4,", "a.ts")
    answers = {"/v/abc/master.m3u8": loop, "/v/abc/loop.m3u8": loop, "/v/abc/a.ts": b"media"}
    async with stage(answers) as at, at.client() as guest:
        url, depth = "/v/abc/master.m3u8", 0
        while True:
            body = (await guest.get(f"GET {url}", IN)).body.decode()
            found = SIGNED.findall(body)
            assert found[-1].endswith("/a.ts")
            assert (await guest.get(f"GET {found[-1]}", IN)).body == b"media"
            if len(found) == 1:
                break
            url, depth = found[0], depth + 1
        assert depth == 3


@pytest.mark.parametrize(
    "how",
    [
        "flipped",
        "cut",
        "unsigned",
        "moved",
        "small",
        "renamed",
        "query",
        "post",
        "upper",
        "other",
        "longer",
        "no cookie",
    ],
)
async def test_a_signed_url_that_was_not_written_like_this_opens_nothing(how: str) -> None:
    answers = {"/v/abc/master.m3u8": playlist("#EXTINF:4,", "seg1.ts"), "/v/abc/seg1.ts": b"media"}
    async with stage(answers) as at, at.client() as guest:
        (signed,) = SIGNED.findall((await guest.get("GET /v/abc/master.m3u8", IN)).body.decode())
        head, _, name = signed.rpartition("/")
        line, cookie = f"GET {signed}", IN
        match how:
            case "flipped":
                for at_ in range(len("/_gateway/s/"), len(head)):
                    other = "A" if head[at_] != "A" else "B"
                    wrong = f"{head[:at_]}{other}{head[at_ + 1 :]}/{name}"
                    assert (await guest.get(f"GET {wrong}", IN)).status == 403
                return
            case "cut":
                line = f"GET {head[:-2]}/{name}"
            case "unsigned":
                line = f"GET {head.rpartition('/')[0]}/{name}"
            case "moved":
                there = Followed("folder", 0, followed_mark(at), 3, "/v/abc/sub/")
                line = f"GET /_gateway/s/{seal(KEYS, 'g1', there)}/{head.rpartition('/')[2]}/{name}"
            case "small":
                line = f"GET {head.rpartition('/')[0]}/{head.rpartition('/')[2].upper()}/{name}"
            case "renamed":
                line = f"GET {head}/seg2.ts"
            case "query":
                line += "?id=xyz"
            case "post":
                line = f"POST {signed}"
            case "upper":
                line = f"GET {head}/SEG1.TS"
            case "other":
                theirs = Followed("folder", 0, followed_mark(at), 3, "/v/abc/")
                line = "GET " + beside(KEYS, "g2", theirs, "/_gateway/s/")("seg1.ts")
            case "longer":
                line = f"GET {signed}/x"
            case _:
                cookie = ""
        before = len(at.upstream.calls)
        assert (await guest.get(line, cookie)).status == 403
        assert len(at.upstream.calls) == before


async def test_a_sealed_place_outside_what_is_followed_now_opens_nothing() -> None:
    """As after a change of the policy: signed once is not allowed for ever."""
    async with stage({}) as at, at.client() as guest:
        rule = next(rule for rule in at.live.scope.kind.rules if rule.follow and rule.follow.graph is not None)
        for place in ("/cdn/xyz/a.ts", "/cdn/abc/../xyz/a.ts", "https://cdn.test/a.ts", "//cdn.test/a.ts", "x"):
            sealed = seal(KEYS, "g1", Followed("file", 0, rule.follow.mark, 3, place))
            assert (await guest.get(f"GET /_gateway/s/{sealed}/a.ts", IN)).status == 403
            folder = Followed("folder", 0, rule.follow.mark, 3, place.removesuffix("a.ts"))
            url = beside(KEYS, "g1", folder, "/_gateway/s/")("a.ts")
            assert (await guest.get(f"GET {url}", IN)).status == 403
        assert at.upstream.calls == []


async def test_a_live_playlist_is_asked_for_its_next_part() -> None:
    answers = {
        "/v/abc/master.m3u8": playlist("#EXT-X-STREAM-INF:BANDWIDTH=1", "live.m3u8?t=1"),
        "/v/abc/live.m3u8?t=1&_HLS_msn=4&_HLS_part=0": playlist("#EXTINF:1,", "a.ts"),
    }
    async with stage(answers) as at, at.client() as guest:
        (signed,) = SIGNED.findall((await guest.get("GET /v/abc/master.m3u8", IN)).body.decode())
        assert (await guest.get(f"GET {signed}?_HLS_msn=4&_HLS_part=0", IN)).status == 200
        for query in ("_HLS_msn=x", "_HLS_msn=1&_HLS_msn=2", "_HLS_skip=no", "t=2", "_HLS_msn"):
            assert (await guest.get(f"GET {signed}?{query}", IN)).status == 403


async def test_a_token_in_a_followed_address_is_never_shown() -> None:
    answers = {
        "/v/abc/master.m3u8": playlist("#EXTINF:4,", "seg1.ts?key=s3cr3t%2FT0ken%2Bvalue%3D%3D"),
        "/v/abc/seg1.ts?key=s3cr3t%2FT0ken%2Bvalue%3D%3D": b"media",
    }
    part = f'\nupstream: {{headers: {{X-Key: "{TOKEN}"}}}}\n'
    async with stage(answers, upstream_part=part) as at, at.client() as guest:
        body = (await guest.get("GET /v/abc/master.m3u8", IN)).body.decode()
        (signed,) = SIGNED.findall(body)
        assert "s3cr3t" not in body
        assert (await guest.get(f"GET {signed}", IN)).body == b"media"
    leaking = {"/v/abc/master.m3u8": playlist(f"#EXT-X-NOTE:{TOKEN}", "#EXTINF:4,", "seg1.ts")}
    async with stage(leaking, upstream_part=part) as at, at.client() as guest:
        assert (await guest.get("GET /v/abc/master.m3u8", IN)).status == 502
        assert str(at.last.reason) == "credential_in_answer"


async def test_an_address_that_a_rule_allows_without_the_servers_echo_of_a_token_stands_without_it() -> None:
    """As in Jellyfin's playlists; what no rule allows may keep it where it is sealed, and no answer tells it."""
    echo = "key=s3cr3t%2FT0ken%2Bvalue%3D%3D"
    answers = {
        "/v/abc/master.m3u8": playlist(
            "#EXTINF:4,", f"/q/abc?id=abc&{echo}", "#EXTINF:4,", f"/q/abc?{echo}&id=abc&{echo}", "#EXTINF:4,",
            f"../../open/abc/1.ts?{echo}", "#EXTINF:4,", f"/q/abc?id=xyz&{echo}", "#EXTINF:4,",
            f"/q/abc?id=abc&x={echo}",
            "#EXTINF:4,", f"https://evil.test/q/abc?id=abc&{echo}", "#EXTINF:4,", f"a.ts?{echo}&id=xyz",
            "#EXTINF:4,", "/q/abc?id=abc",
        )
    }  # fmt: skip
    part = f'\nupstream: {{headers: {{X-Key: "{TOKEN}"}}}}\n'
    async with stage(answers, upstream_part=part) as at, at.client() as guest:
        body = (await guest.get("GET /v/abc/master.m3u8", IN)).body.decode()
        assert [line for line in body.splitlines() if line[0] != "#"] == [
            "/q/abc?id=abc", "/q/abc?id=abc", "../../open/abc/1.ts", "/q/abc?id=abc", "/q/abc?id=abc"
        ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"#EXTM3U\0", b"#EXTM3U\n\xff\xfe", b"#EXTM3Ux", b"\n#EXTM3U", b"#EXTM3U\n" + b"a" * 70_000],
)
async def test_an_answer_that_is_no_playlist_is_not_delivered(body: bytes) -> None:
    async def script(call: Call) -> None:
        await call.answer(body, headers=HLS)

    async with opened(script, policy_text=POLICY.replace(", ELSEWHERE", "")) as at, at.client() as guest:
        assert (await guest.get("GET /list/abc", IN)).status == 502
        assert str(at.last.reason) == "follow_refused"


async def test_packed_playlists_are_unpacked_within_bounds() -> None:
    packed = {"/list/abc": gzip.compress(playlist("#EXTINF:4,", "/cdn/abc/a.ts").encode())}

    async def script(call: Call) -> None:
        await call.answer(packed["/list/abc"], headers=HLS + "Content-Encoding: gzip\r\n")

    async with opened(script, policy_text=POLICY.replace(", ELSEWHERE", "")) as at, at.client() as guest:
        reply = await guest.get("GET /list/abc", IN)
        assert len(SIGNED.findall(reply.body.decode())) == 1
        assert reply.header("Content-Encoding") is None
        packed["/list/abc"] = gzip.compress(b"#EXTM3U\n" + b"#" * 40_000_000)
        assert len(packed["/list/abc"]) < 100_000
        assert (await guest.get("GET /list/abc", IN)).status == 502
        assert str(at.last.reason) == "answer_too_large"


@pytest.mark.parametrize(
    "line",
    [
        b"x\n",
        b"#EXTINF:1,\n",
        b'#EXT-X-KEY:METHOD=A,URI="https://evil.test/"\n',
        b"#EXT-X-A:" + b'A="' * 20_000 + b"\n",
    ],
)
async def test_ten_megabytes_of_nonsense_hold_up_nobody_else(line: bytes) -> None:
    body = b"#EXTM3U\n" + line * (10_000_000 // len(line))

    async def script(call: Call) -> None:
        await call.answer(body, headers=HLS)

    async with opened(script, policy_text=POLICY.replace(", ELSEWHERE", "")) as at, at.client() as guest:
        asked = asyncio.create_task(guest.get("GET /list/abc", IN))
        longest, before = 0.0, time.perf_counter()
        while not asked.done():
            await asyncio.sleep(0)
            longest, before = max(longest, time.perf_counter() - before), time.perf_counter()
        reply = await asked
        assert reply.status in (200, 502)
        assert b"evil" not in reply.body
        assert longest < 3  # some hundredths on an idle machine


async def test_a_head_tells_nothing_of_the_servers_text() -> None:
    async def script(call: Call) -> None:
        await call.say(f"HTTP/1.1 200 OK\r\n{HLS}Content-Length: 40\r\nETag: a\r\n\r\n")

    async with opened(script, policy_text=POLICY.replace(", ELSEWHERE", "")) as at, at.client() as guest:
        await guest.ask("HEAD /list/abc", IN)
        reply = await guest.reply(head_only=True)
        assert reply.status == 200
        assert (reply.header("ETag"), reply.header("Content-Length")) != ("a", "40")
        assert at.call.line.startswith("HEAD ")


async def test_redirects_of_followed_answers_are_judged_in_the_same_way() -> None:
    led = {"to": "/cdn/abc/real.m3u8"}

    async def script(call: Call) -> None:
        if call.target == "/cdn/abc/real.m3u8":
            await call.answer(playlist("#EXTINF:4,", "a.ts").encode(), headers=HLS)
        else:
            await call.answer(status="302 Found", headers=f"Location: {led['to']}\r\n")

    async with opened(script, policy_text=POLICY.replace(", ELSEWHERE", "")) as at, at.client() as guest:
        reply = await guest.get("GET /list/abc", IN)
        location = reply.header("Location") or ""
        assert (reply.status, SIGNED.fullmatch(location) is not None) == (302, True)
        assert len(SIGNED.findall((await guest.get(f"GET {location}", IN)).body.decode())) == 1
        for away in ("/cdn/xyz/real.m3u8", "https://evil.test/", "//evil.test/x", "/cdn/abc/../xyz/a"):
            led["to"] = away
            assert (await guest.get("GET /list/abc", IN)).status == 502


@pytest.mark.parametrize(
    "name", ["_seg_.ts", "-1-.ts", "a..b.ts", "x" * 120 + ".ts", "a%20b.ts", "%C3%A9.ts", "a.ts?t=" + "x" * 3_000]
)
async def test_odd_names_and_long_queries_come_back_as_they_were(name: str) -> None:
    answers = {"/v/abc/master.m3u8": playlist("#EXTINF:4,", name), f"/v/abc/{name}": b"media"}
    async with stage(answers) as at, at.client() as guest:
        (signed,) = SIGNED.findall((await guest.get("GET /v/abc/master.m3u8", IN)).body.decode())
        assert (await guest.get(f"GET {signed}", IN)).body == b"media"


class TestOtherOrigins:
    async def test_a_credential_that_the_server_writes_into_an_address_there_stays_here(self) -> None:
        text = POLICY.replace("ELSEWHERE", '"https://cdn.test/v/**"') + '\norigins: ["https://cdn.test"]\n'
        text += f'\nupstream: {{headers: {{X-Key: "{TOKEN}"}}}}\n'
        leaking = "https://cdn.test/v/a.ts?key=s3cr3t%2FT0ken%2Bvalue%3D%3D"
        answers = {"/list/abc": playlist("#EXTINF:4,", leaking, "#EXTINF:4,", "https://cdn.test/v/b.ts?key=other")}
        async with opened(texts(answers), policy_text=text) as at, at.client() as guest:  # type: ignore[arg-type]
            (signed,) = SIGNED.findall((await guest.get("GET /list/abc", IN)).body.decode())
            assert signed.endswith("/b.ts")

    async def test_they_get_no_credential_no_cookie_and_no_word_of_the_guest(self) -> None:
        async def cdn(call: Call) -> None:
            if call.target.startswith("/v/away"):
                await call.answer(status="302 Found", headers="Location: https://evil.test/x\r\n")
            elif call.target.startswith("/v/home"):
                await call.answer(status="302 Found", headers="Location: /v/seg2.ts\r\n")
            else:
                await call.answer(b"media", headers="Content-Type: video/mp2t\r\nSet-Cookie: a=b\r\n")

        async with WireServer(cdn) as other:  # type: ignore[arg-type]
            origin = f"http://127.0.0.1:{other.port}"
            text = POLICY.replace("ELSEWHERE", f'"{origin}/v/**"') + f'\norigins: ["{origin}"]\n'
            text += f'\nupstream: {{headers: {{X-Key: "{TOKEN}"}}}}\n'
            names = ("seg1.ts?t=1", "away", "home", "../w/x.ts")
            answers = {
                "/list/abc": playlist(*(line for name in names for line in ("#EXTINF:4,", f"{origin}/v/{name}")))
            }
            way = HttpUpstream(Origin("http", "127.0.0.1", other.port), Timeouts(answer=timedelta(seconds=5)))
            async with (
                opened(texts(answers), policy_text=text, elsewhere={origin: way}) as at,  # type: ignore[arg-type]
                at.client() as guest,
            ):
                body = (await guest.get("GET /list/abc", IN)).body.decode()
                signed = SIGNED.findall(body)
                assert [url.rpartition("/")[2] for url in signed] == ["seg1.ts", "away", "home"]
                assert "127.0.0.1" not in body
                sent = "Range: bytes=0-\r\nUser-Agent: mine\r\nAccept-Language: de\r\nReferer: http://x/\r\n"
                reply = await guest.get(f"GET {signed[0]}", IN + sent)
                assert reply.body == b"media"
                assert reply.header("Set-Cookie") is None
                call = other.calls[-1]
                assert call.target == "/v/seg1.ts?t=1"
                assert dict(call.headers) == {
                    "Host": f"127.0.0.1:{other.port}", "User-Agent": "guest-gateway", "Range": "bytes=0-",
                }  # fmt: skip
                assert (await guest.get(f"GET {signed[1]}", IN)).status == 502
                led = (await guest.get(f"GET {signed[2]}", IN)).header("Location") or ""
                assert (await guest.get(f"GET {led}", IN)).body == b"media"
            await way.close()


def test_any_key_of_the_list_opens_and_the_newest_seals() -> None:
    old, new = b"the older secret of two, long enough", b"the newer secret of two, long enough"
    followed = Followed("hls", 2, b"abcdef", 3, "/v/abc/x.m3u8?t=1")
    of_old = Keys.derive([old])
    sealed = seal(of_old, "g1", followed)
    both = Keys.derive([new, old])
    assert unseal(both, "g1", [sealed, "x.m3u8"]) == followed
    assert seal(both, "g1", followed) == seal(Keys.derive([new]), "g1", followed) != sealed
    folder = Followed("folder", 0, b"abcdef", 3, "/v/abc/?t=1")
    url = beside(of_old, "g1", folder, "")("x.ts")
    assert unseal(both, "g1", url.split("/")) == Followed("file", 0, b"abcdef", 3, "/v/abc/x.ts?t=1")
    assert beside(both, "g1", folder, "")("x.ts") != url
