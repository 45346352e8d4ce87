"""Followed manifests and JSON answers through the door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.links.followed import Followed, seal, unseal
from gateway.proxy.templates import filled_place
from gateway.rewrite.numbers import parse_template
from tests.followings import GRANT, following
from tests.followings import KEYS as THEIR_KEYS
from tests.proxy.conftest import IN, KEYS, Stage, opened
from tests.wire import Call

POLICY = """
server: Test server
item: {id: "[a-z0-9]{1,9}"}
patterns: {n: "[0-9]{1,3}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /open/{id}/{n}.m4s
      - request: GET /v/{id}/master.mpd
        follow: {as: dash}
      - request: GET /list/{id}
        follow: {as: dash, to: ["/cdn/{id}/**", "/n/{id}/{n}.m4s", "/q/{id}?n=*"]}
      - request: GET /api/{id}
        follow: {as: json, to: ["/cdn/{id}/**"]}
      - request: GET /hls/{id}/master.m3u8
        follow: {as: hls}
      - request: GET /any/{id}/*
        follow: {as: hls}
"""
SIGNED = re.compile(r"/_gateway/s/(?:[A-Za-z0-9_$%-]+/){1,2}[A-Za-z0-9._$%-]+")
TYPES = {"mpd": "application/dash+xml", "m3u8": "application/vnd.apple.mpegurl", "json": "application/json"}


def server(answers: dict[str, str | bytes], kind: str = "") -> Callable[[Call], object]:
    async def script(call: Call) -> None:
        body = answers.get(call.target)
        ending = call.target.partition("?")[0].rpartition(".")[2]
        if body is None:
            await call.answer(b"no", status="404 Not Found")
        elif isinstance(body, bytes):
            await call.answer(body, headers=f"Content-Type: {kind or 'video/mp4'}\r\n")
        else:
            await call.answer(body.encode(), headers=f"Content-Type: {kind or TYPES.get(ending, 'text/plain')}\r\n")

    return script


def stage(answers: dict[str, str | bytes], kind: str = "", **options: object) -> AbstractAsyncContextManager[Stage]:
    return opened(server(answers, kind), policy_text=POLICY, **options)  # type: ignore[arg-type]


def mpd(template: str, inside: str = "", above: str = "") -> str:
    return (
        f'<MPD>{above}<Period><AdaptationSet>{inside}<SegmentTemplate media="{template}" initialization="i.mp4"/>'
        '<Representation id="r1" bandwidth="7"/></AdaptationSet></Period></MPD>'
    )


def filled(url: str, **numbers: int) -> str:
    """As a player does it."""

    def value(match: re.Match[str]) -> str:
        return str(numbers[match.group(1)]).zfill(int(match.group(2) or 0)) if match.group(1) else "$"

    return re.sub(r"\$\$|\$(\w+)(?:%0(\d+)d)?\$", value, url)


def media_of(body: bytes) -> str:
    (found,) = re.findall(rb' media="([^"]*)"', body)
    return str(found.decode())


class TestManifests:
    @pytest.mark.parametrize(
        ("template", "target", "name"),
        [
            ("$Number%05d$.m4s", "/v/abc/00012.m4s", "00012.m4s"),
            ("seg-$RepresentationID$-$Time$.m4s?t=1", "/v/abc/seg-r1-34.m4s?t=1", "seg-r1-34.m4s"),
            ("$Bandwidth$/$Number$/$Number$-$Time$", "/v/abc/7/12/12-34", "12-34"),
            ("s$Number$p$SubNumber$.m4s", "/v/abc/s12p5.m4s", "s12p5.m4s"),
            ("get?n=$Number$&amp;t=$Time$", "/v/abc/get?n=12&t=34", "get"),
            ("a%20$$b$Number$.m4s", "/v/abc/a%20$b12.m4s", "file"),
            ("9100$Number$$Time$9.m4s", "/v/abc/910012349.m4s", "910012349.m4s"),
            ("x" * 90 + "$Number$", "/v/abc/" + "x" * 90 + "12", "file"),
        ],
    )
    async def test_a_template_is_filled_in_by_the_player_and_judged(
        self, template: str, target: str, name: str
    ) -> None:
        answers = {"/v/abc/master.mpd": mpd(template), target: b"media", "/v/abc/i.mp4": b"init"}
        async with stage(answers) as at, at.client() as guest:
            reply = await guest.get("GET /v/abc/master.mpd", IN)
            assert reply.header("Content-Type") == "application/dash+xml"
            url = filled(media_of(reply.body).replace("&amp;", "&"), Number=12, Time=34, SubNumber=5)
            assert url.rpartition("/")[2] == name
            assert (await guest.get(f"GET {url}", IN)).body == b"media"
            (init,) = re.findall(r'initialization="([^"]*)"', reply.body.decode())
            assert (await guest.get(f"GET {init}", IN)).body == b"init"
            assert (await guest.get("GET /v/abc/master.mpd", IN)).body == reply.body

    @pytest.mark.parametrize("number", ["012", "x", "1-2", "%31x", "1" * 21, "-1", "$Number$", "１", "+1"])
    async def test_nothing_but_a_number_stands_for_one(self, number: str) -> None:
        async with stage({"/v/abc/master.mpd": mpd("$Number$.m4s")}) as at, at.client() as guest:
            url = media_of((await guest.get("GET /v/abc/master.mpd", IN)).body).replace("$Number$", number)
            before = len(at.upstream.calls)
            line = f"GET {url}".encode("ascii", "replace").decode()
            assert (await guest.get(line, IN)).status in (400, 403)
            assert len(at.upstream.calls) == before

    async def test_each_number_is_judged_when_it_comes(self) -> None:
        answers = {"/list/abc": mpd("/n/abc/$Number$.m4s"), "/n/abc/12.m4s": b"media", "/n/abc/1234.m4s": b"no"}
        answers["/list/abc"] = str(answers["/list/abc"]).replace("i.mp4", "/cdn/abc/i.mp4")
        async with stage(answers) as at, at.client() as guest:
            url = media_of((await guest.get("GET /list/abc", IN)).body)
            assert (await guest.get(f"GET {filled(url, Number=12)}", IN)).body == b"media"
            assert (await guest.get(f"GET {filled(url, Number=1234)}", IN)).status == 403, "three digits at most"

    async def test_without_to_a_number_chooses_no_other_folder(self) -> None:
        """Items whose ids are numbers: `/v/1/` is this guest's."""
        one = following(POLICY, "/v/1/master.mpd", sort="dash", item="1")
        for text in ("/v/$Number$/x.m4s", "../$Number$/x.m4s", "/$Number$/1/x.m4s"):
            template = parse_template(text)
            assert template is not None
            assert one.template(template) is None
        inside = parse_template("$Number$/x.m4s")
        assert inside is not None
        assert one.template(inside) is not None
        async with stage({}) as at, at.client() as guest:
            rule = next(rule for rule in at.live.scope.kind.rules if rule.follow)
            followed = Followed("template", 0, rule.follow.mark, 3, "/v/$Number$/x.m4s")
            assert (await guest.get(f"GET /_gateway/s/{seal(KEYS, 'g1', followed)}/1/x.m4s", IN)).status == 403

    async def test_what_a_rule_allows_stays_and_addresses_elsewhere_go(self) -> None:
        answers = {"/v/abc/master.mpd": mpd("../../open/abc/$Number$.m4s")}
        async with stage(answers) as at, at.client() as guest:
            assert media_of((await guest.get("GET /v/abc/master.mpd", IN)).body) == "/open/abc/$Number$.m4s"
        for base in (
            "https://evil.test/",
            "//evil.test/",
            "/v/xyz/",
            "file:///v/abc/",
            "https://u@gateway.test/v/abc/",
        ):
            answers = {"/v/abc/master.mpd": mpd("$Number$.m4s", f"<BaseURL>{base}</BaseURL>")}
            async with stage(answers) as at, at.client() as guest:
                reply = await guest.get("GET /v/abc/master.mpd", IN)
                assert reply.status == 200
                assert b"AdaptationSet" not in reply.body

    async def test_a_live_manifest_is_asked_for_again_for_minutes(self) -> None:
        above = "<Location>/v/abc/now.mpd</Location>"
        text = mpd("$Number$.m4s", above=above)
        async with stage({"/v/abc/master.mpd": text, "/v/abc/now.mpd": text}) as at, at.client() as guest:
            url, bodies = "/v/abc/master.mpd", set()
            for _ in range(20):
                reply = await guest.get(f"GET {url}", IN)
                bodies.add(reply.body)
                (url,) = re.findall("<Location>(.*)</Location>", reply.body.decode())
            assert len(bodies) == 1

    @pytest.mark.parametrize(
        "body",
        [
            '<!DOCTYPE MPD [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><MPD>&b;</MPD>',
            '<!DOCTYPE MPD SYSTEM "file:///etc/passwd"><MPD/>', "<?x y?><MPD/>", "#EXTM3U\n", "", "{}", "<html/>",
            "<MPD>" + "<a>" * 100_000, "\0", '<?xml version="1.0" encoding="utf-7"?><MPD/>',
        ],
    )  # fmt: skip
    async def test_what_is_no_manifest_is_not_delivered(self, body: str) -> None:
        async with stage({"/v/abc/master.mpd": body}) as at, at.client() as guest:
            assert (await guest.get("GET /v/abc/master.mpd", IN)).status == 502
            assert str(at.last.reason) == "follow_refused"
            assert at.last.detail

    @pytest.mark.parametrize("path", ["/v/abc/master.mpd", "/api/abc"])
    async def test_a_credential_in_it_is_not_delivered(self, path: str) -> None:
        token = "s3cr3t/T0ken+value=="
        leaking = {"/v/abc/master.mpd": f"<MPD a='{token}'/>", "/api/abc": json.dumps({"a": token, "b": "s3cr3t\\/T0"})}
        part = f'\nupstream: {{headers: {{X-Key: "{token}"}}}}\n'
        async with stage(leaking, upstream_part=part) as at, at.client() as guest:
            assert (await guest.get(f"GET {path}", IN)).status == 502
            assert str(at.last.reason) == "credential_in_answer"


class TestJson:
    async def test_what_it_names_is_followed_as_what_it_is(self) -> None:
        answers = {
            "/api/abc": json.dumps(
                {
                    "title": "A film", "file": "/cdn/abc/a.mp4", "hls": "http://gateway.test/cdn/abc/a.m3u8",
                    "dash": "/cdn/abc/a.mpd?t=1", "by_type": "/cdn/abc/list", "more": "/cdn/abc/more.json",
                    "theirs": "/cdn/xyz/a.mp4", "bad": ["https://evil.test/a.m3u8"], "page": "/page/abc",
                }
            ),
            "/cdn/abc/a.mp4": b"media", "/cdn/abc/a.m3u8": "#EXTM3U\n#EXTINF:1,\ns.ts\n#EXTINF:1,\nhttps://evil.test/\n",
            "/cdn/abc/a.mpd?t=1": mpd("$Number$.m4s", "<BaseURL>x/</BaseURL>"),
            "/cdn/abc/more.json": json.dumps({"file": "/cdn/abc/a.mp4", "bad": "//evil.test/"}),
        }  # fmt: skip

        async def script(call: Call) -> None:
            if call.target == "/cdn/abc/list":
                await call.answer(b"#EXTM3U\n#EXTINF:1,\ns.ts\n", headers="Content-Type: audio/x-mpegurl\r\n")
            else:
                await server(answers)(call)  # type: ignore[misc]

        async with opened(script, policy_text=POLICY) as at, at.client() as guest:
            reply = await guest.get("GET /api/abc", IN)
            found = json.loads(reply.body)
            assert (found["title"], found["theirs"], found["bad"], found["page"]) == (
                "A film",
                None,
                [None],
                "/page/abc",
            )
            assert found["hls"].endswith("/a.m3u8")
            bodies = {}
            for name in ("file", "hls", "dash", "by_type", "more"):
                answer = await guest.get(f"GET {found[name]}", IN)
                assert answer.status == 200, name
                assert b"evil" not in answer.body
                bodies[name] = answer.body
            assert bodies["file"] == b"media"
            assert SIGNED.findall(bodies["hls"].decode())[0].endswith("/s.ts")
            assert SIGNED.findall(bodies["by_type"].decode())[0].endswith("/s.ts")
            assert "$Number$" in media_of(bodies["dash"])
            more = json.loads(bodies["more"])
            assert more["bad"] is None
            assert (await guest.get(f"GET {more['file']}", IN)).body == b"media"
            assert (await guest.get("GET /api/abc", IN)).body == reply.body

    async def test_three_deep(self) -> None:
        loop = json.dumps({"next": "/cdn/abc/x.json", "file": "/cdn/abc/a.mp4"})
        answers: dict[str, str | bytes] = {"/api/abc": loop, "/cdn/abc/x.json": loop, "/cdn/abc/a.mp4": b"media"}
        async with stage(answers) as at, at.client() as guest:
            url = "/api/abc"
            for _ in range(4):
                found = json.loads((await guest.get(f"GET {url}", IN)).body)
                assert (await guest.get(f"GET {found['file']}", IN)).body == b"media"
                url = found["next"]
            assert (await guest.get(f"GET {url}", IN)).status == 502, "the fourth is none that is followed"

    @pytest.mark.parametrize(
        "body", ["{", "", "NaN", '{"a":1,"a":2}', "[" * 100_000, "<html>", "#EXTM3U", '["\ud800"]', "\0", "'a'"]
    )
    async def test_what_is_no_json_is_not_delivered(self, body: str) -> None:
        raw = body.encode("utf-8", "surrogatepass")
        async with stage({"/api/abc": raw}, "application/json") as at, at.client() as guest:
            assert (await guest.get("GET /api/abc", IN)).status == 502
            assert str(at.last.reason) == "follow_refused"


class TestWhatItSaysOfItself:
    @pytest.mark.parametrize("kind", ["video/mp4", "image/png", "text/vtt", "application/octet-stream", ""])
    async def test_a_list_that_says_it_is_media_is_read_all_the_same(self, kind: str) -> None:
        evil = "#EXTM3U\n#EXTINF:1,\nhttps://evil.test/\n"
        async with stage({"/any/abc/list": evil}, kind or "x/y") as at, at.client() as guest:
            reply = await guest.get("GET /any/abc/list", IN)
            assert (reply.status, b"evil" in reply.body) == (200, False)
        async with stage({"/any/abc/list": b"\x89PNG"}, kind or "x/y") as at, at.client() as guest:
            assert (await guest.get("GET /any/abc/list", IN)).status == 502

    async def test_a_segment_under_the_same_rule_passes(self) -> None:
        async with stage({"/any/abc/a.ts": b"media"}, "application/octet-stream") as at, at.client() as guest:
            assert (await guest.get("GET /any/abc/a.ts", IN)).body == b"media"
        async with stage({"/any/abc/a.ts": b"media"}, "application/x-mpegurl") as at, at.client() as guest:
            assert (await guest.get("GET /any/abc/a.ts", IN)).status == 502

    async def test_data_of_a_session_is_followed_and_a_segment_is_no_json(self) -> None:
        answers: dict[str, str | bytes] = {
            "/hls/abc/master.m3u8": '#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID="x",URI="d.json"\n#EXTINF:1,\ns.json\n',
            "/hls/abc/d.json": '{"a": "https://evil.test/", "b": 1}', "/hls/abc/s.json": '{"a": "https://evil.test/"}',
        }  # fmt: skip
        async with stage(answers) as at, at.client() as guest:
            data, segment = SIGNED.findall((await guest.get("GET /hls/abc/master.m3u8", IN)).body.decode())
            assert json.loads((await guest.get(f"GET {data}", IN)).body) == {"a": None, "b": 1}
            assert (await guest.get(f"GET {segment}", IN)).status == 502


@given(
    st.lists(st.sampled_from(["$Number$", "$Time%04d$", "a", "9", "0", "10", "%4", "1", "/", ".", "?", "$$", "é", "-"]))
)
def test_a_template_stands_for_what_a_player_would_have_asked_for(parts: list[str]) -> None:
    """Whatever stands around the numbers: filled in afterwards or before, it is the same place."""
    template = parse_template("".join(parts))
    assert template is not None
    if not template.numbers:
        return
    one = following(POLICY, "/v/abc/master.mpd", sort="dash")
    found = one.template(template)
    numbers = {"Number": 110, "Time": 9}
    plain = one.address(filled(str(template), **numbers), "file")
    if found is None or not found.startswith("/_gateway/s/"):
        return
    segments = filled(found, **numbers).removeprefix("/_gateway/s/").split("/")
    place = filled_place(unseal(THEIR_KEYS, GRANT, segments))
    if place is not None:
        assert plain is not None
        assert unseal(THEIR_KEYS, GRANT, plain.removeprefix("/_gateway/s/").split("/")).place == place.sent


async def test_fields_are_dropped_from_a_followed_json_answer_too() -> None:
    answer = {"files": ["/cdn/abc/1.mp4"], "trackers": ["/cdn/abc/t"], "a": [{"token": "t", "b": 1}]}
    script = server({"/api/abc": json.dumps(answer)})
    drop = 'drop: [$.trackers, "$.a[*].token"]\n'
    async with opened(script, policy_text=POLICY + drop) as stage, stage.client() as guest:
        reply = await guest.get("GET /api/abc", IN)
        found = json.loads(reply.body)
        assert found.keys() == {"files", "a"}
        assert found["a"] == [{"b": 1}]
        assert SIGNED.fullmatch(found["files"][0])
