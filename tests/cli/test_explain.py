"""`gateway explain` says what a guest would get, and why; credentials never show."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

RESOLVING = """\
server: One that tells about its items
item:
  id: "[a-z0-9]{3,12}"
  resolve:
    - request: GET /api/items/{id}
      id: $.uuid
      gone: [404]
      not_started: [{$.online: false}]
      vars: {source: $.source, title: $.name}
  kind: {$.type: {Movie: video, Channel: live}}
kinds:
  video:
    player: {src: "/hls/{id}/index.m3u8"}
    allow: ["GET /hls/{id}/index.m3u8", "GET /src/{source}/a.ts"]
  live:
    player: {src: "/live/{id}/index.m3u8"}
    allow: ["GET /live/{id}/index.m3u8"]
examples: {with: {vars: {source: s1}}}
"""


def test_an_allowed_request(run) -> None:
    found = run("explain", "get", "/hls/abc/%73eg1.ts", "--item", "abc")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == [
        "allowed  GET /hls/abc/seg1.ts",
        "rule     policy.yaml:10:9  GET /hls/{id}/{file}",
        "sent     GET http://127.0.0.1:9/hls/abc/seg1.ts?api_key=***",
        "         Authorization: ***",
    ]
    assert "secret" not in found.output


def test_a_denied_request_shows_the_nearest_rule(run) -> None:
    found = run("explain", "GET", "/hls/other/seg1.ts", "--item", "abc")
    assert found.exit_code == 1
    assert found.stdout.splitlines()[:3] == [
        "denied   GET /hls/other/seg1.ts",
        "reason   no_rule (403)",
        "nearest  policy.yaml:10:9  GET /hls/{id}/{file}: a value or name does not match exactly",
    ]


def test_json(run) -> None:
    allowed = json.loads(run("explain", "WS", "/live/abc/ws", "--item", "abc", "--json").stdout)
    assert allowed == {
        "allowed": True, "server": "tv", "item": "abc", "kind": "video", "method": "WS", "target": "/live/abc/ws",
        "rule": {
            "text": "WS /live/{id}/ws",
            "file": "policy.yaml",
            "line": 12,
            "column": 9,
            "page": False,
            "at": "main",
            "follow": None,
        },
        "sent": {"method": "GET", "url": "http://127.0.0.1:9/live/abc/ws?api_key=***",
                 "headers": {"Authorization": "***"}},
        "reason": None, "status": None, "detail": "", "nearest": [],
    }  # fmt: skip
    denied = json.loads(run("explain", "GET", "/a/../b", "--item", "abc", "--json").stdout)
    assert (denied["allowed"], denied["reason"], denied["status"]) == (False, "ambiguous_target", 400)


@pytest.mark.parametrize(
    ("url", "item"),
    [("/nowhere", "abc"), ("/a/../b", "abc"), ("/g/abc", "abc"), ("http://else/x", "abc"), ("/x", "../x")],
)
def test_every_denial_has_the_same_keys(run, url: str, item: str) -> None:
    allowed = json.loads(run("explain", "GET", "/hls/abc/seg1.ts", "--item", "abc", "--json").stdout)
    denied = json.loads(run("explain", "GET", url, "--item", item, "--json").stdout)
    assert list(denied) == list(allowed)
    assert (denied["allowed"], denied["item"], denied["rule"], denied["sent"]) == (False, item, None, None)


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("http://guest.localhost:8080/hls/abc/seg1.ts", 0, "allowed"),
        ("http://Guest.Localhost:8080/hls/abc/seg1.ts", 0, "allowed"),
        ("ws://guest.localhost:8080/hls/abc/seg1.ts", 0, "allowed"),
        ("http://guest.localhost/hls/abc/seg1.ts", 1, "wrong_host (421)"),
        ("https://other.example.org/hls/abc/seg1.ts", 1, "wrong_host (421)"),
        ("http://guest.localhost:8080", 1, "no_rule"),
        ("/g/abc", 1, "/g… belongs to the gateway"),
        ("/_gateway/health/live", 1, "/_gateway… belongs to the gateway"),
        ("/hls/abc/seg1.ts#x", 1, "ambiguous_target (400): a fragment"),
        ("/media/abc?tab=1", 0, "policy.yaml:11:9"),
        ("/media/abc?id=1", 1, "query_refused"),
    ],
)
def test_urls(run, url: str, code: int, said: str) -> None:
    found = run("explain", "GET", url, "--item", "abc")
    assert (found.exit_code, said in found.stdout) == (code, True), found.output


def test_an_id_that_is_none(run) -> None:
    found = run("explain", "GET", "/x", "--item", "../x")
    assert found.exit_code == 1
    assert "media_gone (410): ../x is no id of this server" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("GET", "hls/abc"), "URL begins with / or is a whole address"),
        (("GET", "/x", "--kind", "audio"), "the policy policy has no kind audio: video"),
        (("GET", "/x", "--var", "source"), "--var is written NAME=VALUE"),
        (("GET", "/x", "--server", "tb"), "no server tb"),
    ],
)
def test_wrong_usage(run, arguments: tuple[str, ...], said: str) -> None:
    found = run("explain", *arguments, "--item", "abc")
    assert (found.exit_code, said in found.stderr) == (2, True), found.output


@pytest.fixture
async def resolving(deployment: Path) -> AsyncIterator[TestServer]:
    """A media server that knows two items."""

    async def item(request: web.Request) -> web.Response:
        if request.match_info["id"] == "soon":
            return web.json_response({"uuid": "soon", "type": "Channel", "online": False})
        kinds = {"abc": "Movie", "old": "Movie", "cam": "Channel"}
        name = request.match_info["id"]
        if name not in kinds:
            return web.Response(status=404)
        return web.json_response({"uuid": "abc" if name == "old" else name, "type": kinds[name], "source": "s9"})

    app = web.Application()
    app.router.add_get("/api/items/{id}", item)
    (deployment / "policy.yaml").write_text(RESOLVING)
    async with TestServer(app) as server:
        config = deployment / "config.yaml"
        config.write_text(config.read_text().replace("127.0.0.1:9\n", f"127.0.0.1:{server.port}\n"))
        yield server


async def in_thread(run, *arguments: str):
    import asyncio

    return await asyncio.to_thread(run, "explain", *arguments)


async def test_the_media_server_tells_variables_and_kind(run, resolving: TestServer) -> None:
    assert (await in_thread(run, "GET", "/src/s9/a.ts", "--item", "abc")).exit_code == 0
    assert (await in_thread(run, "GET", "/src/s8/a.ts", "--item", "abc")).exit_code == 1
    assert (await in_thread(run, "GET", "/hls/abc/index.m3u8", "--item", "old")).exit_code == 0
    found = await in_thread(run, "GET", "/live/cam/index.m3u8", "--item", "cam", "--json")
    assert json.loads(found.stdout)["kind"] == "live"
    soon = await in_thread(run, "GET", "/live/soon/index.m3u8", "--item", "soon")
    assert (soon.exit_code, "has not started" in soon.stderr) == (0, True)
    gone = await in_thread(run, "GET", "/live/xyz/index.m3u8", "--item", "xyz")
    assert gone.exit_code == 1
    assert "media_gone (410)" in gone.stdout


def test_given_variables_need_no_media_server(run, deployment: Path) -> None:
    (deployment / "policy.yaml").write_text(RESOLVING)
    given = ("--item", "abc", "--kind", "video", "--var", "source=s1", "--var", "source=s2", "--var", "id=abc")
    found = run("explain", "GET", "/src/s2/a.ts", *given)
    assert (found.exit_code, found.stderr) == (0, "")


def test_a_media_server_that_is_down_is_said(run, deployment: Path) -> None:
    (deployment / "policy.yaml").write_text(RESOLVING)
    found = run("explain", "GET", "/hls/abc/index.m3u8", "--item", "abc", "--kind", "video")
    assert found.exit_code == 0
    assert "http://127.0.0.1:9 was asked for id, source and did not tell" in found.stderr
    found = run("explain", "GET", "/x", "--item", "abc", "--offline")
    assert found.exit_code == 1
    assert "note: taken for a video; --kind says another" in found.stderr


PREPARING = """\
server: One with a session for each guest
item: {id: "[a-z0-9]{3,12}"}
kinds:
  video:
    open: /m/{id}
    prepare: [{request: "POST /play/{id}", vars: {play: $.session}}]
    allow:
      - page GET /m/{id}
      - {request: "GET /s/{id}/a.m3u8", send: {query: {session: "{play}", source: "{id}"}}}
      - {request: "POST /w/{id}", capture: {seat: $.seat}}
      - DELETE /w/{id}/{seat}
examples: {with: {id: abc, vars: {play: p1}}}
"""


def test_what_prepare_would_bring_stands_for_itself(run, deployment: Path) -> None:
    (deployment / "policy.yaml").write_text(PREPARING)
    found = run("explain", "GET", "/s/film/a.m3u8?session=mine", "--item", "film")
    assert found.exit_code == 0, found.output
    assert "http://127.0.0.1:9/s/film/a.m3u8?session={play}&source=film" in found.stdout
    assert "{play} stands as it is" in found.stderr
    found = run("explain", "GET", "/s/abc/a.m3u8", "--item", "abc", "--json")
    assert json.loads(found.stdout)["sent"]["url"] == "http://127.0.0.1:9/s/abc/a.m3u8?session=p1&source=abc"
    assert "play=p1" in found.stderr
    found = run("explain", "GET", "/s/abc/a.m3u8", "--item", "abc", "--var", "play=x")
    assert "?session=x&source=abc" in found.stdout


def test_what_no_answer_has_brought_yet_is_named(run, deployment: Path) -> None:
    (deployment / "policy.yaml").write_text(PREPARING)
    found = run("explain", "DELETE", "/w/abc/1", "--item", "abc")
    assert (found.exit_code, "nothing is known for {seat}" in found.stdout) == (1, True)
    found = run("explain", "GET", "/s/abc/a.m3u8?session=1&more=2", "--item", "abc")
    assert "the query may not hold more" in found.stdout
