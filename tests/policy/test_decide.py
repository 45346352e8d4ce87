"""Rules, variables and queries of spec 8: who asks what, and the verdict."""

from __future__ import annotations

import pytest

from gateway.policy.decide import Decision, Scope
from gateway.policy.load import load_policy_text
from gateway.policy.target import Ambiguity, parse_target
from gateway.reasons import Reason

POLICY = """
server: Example
item:
  id: "[a-z0-9]{3,32}"
  resolve:
    - request: GET /api/items/{id}
      vars: {media: "$.files[*].url", source: $.source}
patterns:
  n: "[0-9]{1,9}"
  file: "[a-z0-9_-]+[.][a-z0-9]{1,8}"
kinds:
  video:
    open: /media/{id}
    allow:
      - page GET /media/{id}
      - GET /hls/{id}/{file}
      - GET /seg/{id}-{n}.ts
      - GET /any/{id}/*
      - GET /deep/{id}/**
      - GET /api/items?id={id}&*
      - GET /live/{id}/index.m3u8?_HLS_msn={n}?&_HLS_part={n}?
      - GET /free/{id}?*
      - GET /choice?type=a&id={id}&note=*
      - GET /choice?type=b&id={id}
      - GET /flag/{id}?download
      - GET /source/{source}/x
      - GET {media}
      - GET,POST /both/{id}
      - PATCH,DELETE /change/{id}
      - WS /live/{id}/ws
      - GET /odd/テスト/a%20b/{id}
    interactions:
      chat: ["POST /api/chat/{id}"]
      wave: ["POST /api/wave/{id}"]
shared: ["GET /assets/{file}"]
guest_access: {interactions: [chat]}
"""


@pytest.fixture(scope="module")
def scope() -> Scope:
    policy = load_policy_text(POLICY).at_home(("http://127.0.0.1:9000", "https://media.lan:443"))
    media = (
        "/files/one.mp4",
        "http://127.0.0.1:9000/files/two.mp4?sig=1&x=2",
        "https://media.lan/files/three.mp4",
        "https://elsewhere.example/files/four.mp4",
        "/files/../five.mp4",
        "file:///etc/passwd",
    )
    return policy.scope("video", {"id": ("abc123",), "source": ("s1", "s2"), "media": media})


def ask(scope: Scope, line: str) -> Decision:
    method, raw = line.split(" ", 1)
    target = parse_target(raw)
    if isinstance(target, Ambiguity):
        return Decision(None, Reason.AMBIGUOUS_TARGET)
    return scope.decide("GET" if method == "WS" else method, target, websocket=method == "WS")


ALLOWED = """
GET /media/abc123
HEAD /media/abc123
GET /hls/abc123/seg1.ts
GET /hls/%61bc123/seg1.ts
GET /seg/abc123-42.ts
GET /any/abc123/100%25%20%E3%83%86.ts
GET /deep/abc123/a/b/c.ts
GET /api/items?id=abc123
GET /api/items?id=abc123&sort=name&sort=up&flag
GET /api/items?x=%26&id=abc123
GET /live/abc123/index.m3u8
GET /live/abc123/index.m3u8?_HLS_msn=5&_HLS_part=0
GET /free/abc123
GET /free/abc123?a=b
GET /choice?type=a&id=abc123
GET /choice?note=&id=abc123&type=a
GET /choice?id=abc123&type=b
GET /flag/abc123?download
GET /source/s1/x
GET /source/s2/x
GET /files/one.mp4
GET /files/two.mp4?sig=1&x=2
GET /files/three.mp4
POST /both/abc123
DELETE /change/abc123
WS /live/abc123/ws
GET /odd/%E3%83%86%E3%82%B9%E3%83%88/a%20b/abc123
POST /api/chat/abc123
GET /assets/player.js
"""

DENIED = """
GET /
GET /media/xyz789
GET /media/ABC123
GET /media/abc123/
GET /media/abc123?x=1
POST /media/abc123
GET /hls/abc123/sub/seg1.ts
GET /hls/xyz789/seg1.ts
GET /hls/abc123/.htaccess
GET /seg/abc123-x.ts
GET /seg/abc123-1234567890.ts
GET /any/abc123/
GET /any/abc123/a/b
GET /deep/abc123
GET /deep/abc123/
GET /deep/abc123/a/
GET /api/items
GET /api/items?id=xyz789
GET /api/items?id=abc123&id=xyz789
GET /api/items?id=xyz789&id=abc123
GET /api/items?id=abc123&id=abc123
GET /api/items?id=abc123&ID=xyz789
GET /api/items?id=abc123&i_d=xyz789
GET /api/items?id=abc123&id[]=xyz789
GET /api/items?id=abc123&x%5B%5D=1
GET /api/items?id=abc123&x=1%26id%3Dxyz789
GET /api/items?id=abc123&id%3Dxyz789
GET /api/items?id
GET /api/items?ID=abc123
GET /live/abc123/index.m3u8?_HLS_msn=x
GET /live/abc123/index.m3u8?_HLS_msn=5&_HLS_msn=6
GET /live/abc123/index.m3u8?_HLS_skip=YES
GET /free/abc123?type=b
GET /choice?type=c&id=abc123
GET /choice?type=a
GET /choice?type=b&id=abc123&note=x
GET /flag/abc123
GET /flag/abc123?download=1
GET /source/s3/x
GET /files/two.mp4
GET /files/two.mp4?sig=2&x=2
GET /files/two.mp4?x=2&sig=1
GET /files/four.mp4
GET /five.mp4
GET /etc/passwd
PUT /both/abc123
GET /change/abc123
GET /live/abc123/ws
WS /media/abc123
WS /hls/abc123/seg1.ts
OPTIONS /media/abc123
POST /api/wave/abc123
GET /assets/sub/player.js
GET /media/%2e%2e/xyz789
"""


@pytest.mark.parametrize("line", ALLOWED.strip().splitlines())
def test_allowed(scope: Scope, line: str) -> None:
    assert ask(scope, line).allowed


@pytest.mark.parametrize("line", DENIED.strip().splitlines())
def test_denied(scope: Scope, line: str) -> None:
    decision = ask(scope, line)
    assert not decision.allowed
    assert decision.reason is not None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("GET /nothing", Reason.NO_RULE),
        ("PUT /media/abc123", Reason.METHOD_REFUSED),
        ("GET /api/items?id=other", Reason.QUERY_REFUSED),
        ("GET /choice?type=zzz", Reason.QUERY_REFUSED),
        ("GET /api/items?id=abc123&x=a%26id%3Db", Reason.AMBIGUOUS_TARGET),
    ],
)
def test_the_reason_tells_what_did_not_fit(scope: Scope, line: str, reason: Reason) -> None:
    assert ask(scope, line).reason is reason


def test_pages_are_marked_and_win_over_plain_rules() -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]+"}
kinds: {video: {open: "/m/{id}", allow: [GET /m/*, "page GET /m/{id}"]}}
"""
    )
    assert ask(policy.scope("video", {"id": ("a",)}), "GET /m/a").page
    assert not ask(policy.scope("video", {"id": ("a",)}), "GET /m/b").page


def test_ids_with_slashes_cover_as_many_segments() -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "(?P<channel>[a-z]+)/(?P<number>[0-9]+)"}
kinds: {video: {open: "/v/{id}", allow: ["page GET /v/{id}", "GET /c/{channel}/x", "GET /q?id={id}"]}}
examples: {with: {id: abc/12}}
"""
    )
    variables = policy.item.variables("abc/12")
    assert variables == {"id": ("abc/12",), "channel": ("abc",), "number": ("12",)}
    scope = policy.scope("video", variables)
    assert scope.landing() == "/v/abc/12"
    for line, wanted in [
        ("GET /v/abc/12", True),
        ("GET /c/abc/x", True),
        ("GET /q?id=abc/12", True),
        ("GET /q?id=abc%2F12", True),
        ("GET /v/abc%2F12", False),
        ("GET /v/abc", False),
        ("GET /v/abc/12/3", False),
    ]:
        assert ask(scope, line).allowed is wanted, line
    assert policy.item.variables("abc") is None


def test_a_variable_without_a_value_matches_nothing(scope: Scope) -> None:
    policy = load_policy_text(POLICY)
    bare = policy.scope("video", {"id": ("abc123",)})
    assert not ask(bare, "GET /source//x").allowed
    assert not ask(bare, "GET /source/s1/x").allowed
    assert not ask(bare, "GET /files/one.mp4").allowed


def test_like_takes_over_and_replaces() -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]+"}
kinds:
  video: {open: "/m/{id}", allow: ["page GET /m/{id}"], interactions: {chat: ["POST /chat/{id}"]}}
  live: {like: video, open: "/l/{id}", allow: ["page GET /l/{id}"]}
  channel: {guest_access: false}
guest_access: {interactions: [chat]}
"""
    )
    live = policy.scope("live", {"id": ("a",)})
    assert live.landing() == "/l/a"
    assert ask(live, "POST /chat/a").allowed
    assert not ask(live, "GET /m/a").allowed
    assert not policy.kinds["channel"].guest_access


def test_player_sources() -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]+", resolve: [{request: "GET /i/{id}", vars: {hls: $.hls}}]}
kinds:
  video:
    player: {src: "{hls}", poster: "/t/{id}.jpg?size=big", as: hls}
    allow: ["GET {hls}", "GET /t/{id}.jpg?size=*"]
"""
    ).at_home(("http://up:80",))
    sources = policy.scope("video", {"id": ("a b",), "hls": ("http://up/x/m.m3u8?k=1",)}).player()
    assert sources is not None
    assert (sources.src, sources.poster, sources.as_) == ("/x/m.m3u8?k=1", "/t/a%20b.jpg?size=big", "hls")
    assert policy.scope("video", {"id": ("a",), "hls": ("http://elsewhere/x.m3u8",)}).player() is None


def test_a_thousand_rules_are_one_automaton() -> None:
    """The number of characters looked at is what a decision costs, not the number of rules."""
    rules = "".join(f"      - GET /r{n}/{{id}}/{{n}}.ts\n" for n in range(1_000))
    policy = load_policy_text(
        'server: x\nitem: {id: "[a-z0-9]+"}\npatterns: {n: "[0-9]{1,9}"}\nkinds:\n  video:\n    open: /m/{id}\n'
        f"    allow:\n      - page GET /m/{{id}}\n{rules}"
    )
    scope = policy.scope("video", {"id": ("abc",)})
    for n in (0, 499, 999):
        assert ask(scope, f"GET /r{n}/abc/7.ts").allowed
        assert not ask(scope, f"GET /r{n}/abd/7.ts").allowed
    assert not ask(scope, "GET /r1000/abc/7.ts").allowed
