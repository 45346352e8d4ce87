"""Rules, variables and queries of spec 8: who asks what, and the verdict."""

from __future__ import annotations

import pytest

from gateway.errors import BadFile
from gateway.policy.decide import Decision, PlayerSources, Scope
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


def test_a_landing_may_tell_the_page_something_that_no_request_says() -> None:
    text = """
server: x
item: {id: "[a-z0-9]+"}
kinds: {room: {open: '/m/{id}?v=1#/a&name="{guest.name}"', allow: ["page GET /m/{id}?v=1"]}}
"""
    policy = load_policy_text(text)
    assert policy.kinds["room"].told == {"name"}
    scope = policy.scope("room", {"id": ("a",), "guest.name": ('Ada & "Bob"#=/?',)})
    assert scope.landing() == "/m/a?v=1"
    assert scope.entrance() == "/m/a?v=1#%2Fa&name=%22Ada%20%26%20%22Bob%22%23%3D%2F%3F%22"
    bare = load_policy_text(text.replace('#/a&name="{guest.name}"', "")).scope("room", {"id": ("a",)})
    assert bare.entrance() == "/m/a?v=1"
    with pytest.raises(BadFile, match="is a pattern"):
        load_policy_text(text.replace("{guest.name}", "{n}") + 'patterns: {n: "[0-9]"}\n')


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


@pytest.mark.parametrize(
    ("address", "as_"),
    [("/x/m.m3u8?k=1", "hls"), ("/x/m.MPD", "dash"), ("/x/m.mp4", "file"), ("/x/m", "file"), ("/x?f=m.m3u8", "file")],
)
def test_a_source_that_a_variable_holds_is_played_by_its_ending(address: str, as_: str) -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]+", resolve: [{request: "GET /i/{id}", vars: {hls: $.hls}}]}
kinds: {video: {player: {src: "{hls}"}, allow: ["GET {hls}"]}}
"""
    )
    sources = policy.scope("video", {"id": ("a",), "hls": (address,)}).player()
    assert sources is not None
    assert (sources.src, sources.as_) == (address, as_)


def test_an_item_that_has_a_file_alone_plays_that() -> None:
    policy = load_policy_text(
        """
server: x
item: {id: "[a-z0-9]+", resolve: [{request: "GET /i/{id}", vars: {hls: $.hls, file: $.file}}]}
kinds:
  video:
    player: {src: "{hls}", file: "{file}", as: hls}
    allow: ["GET {hls}", "GET {file}"]
"""
    )
    both = {"id": ("a",), "hls": ("/x/m.m3u8",), "file": ("/x/m.mp4",)}
    assert policy.scope("video", both).player() == PlayerSources("/x/m.m3u8", None, "/x/m.mp4", "hls")
    assert policy.scope("video", {**both, "hls": ()}).player() == PlayerSources("/x/m.mp4", None, None, "file")
    assert policy.scope("video", {"id": ("a",)}).player() is None


@pytest.mark.parametrize(
    ("src", "as_"),
    [
        ("/a/{id}.m3u8", "hls"), ("/a/{id}.MPD?x=1", "dash"), ("/a/{id}.webm", "file"), ("/a/{id}.opus", "file"),
        ("/a/{id}, as: dash", "dash"), ("/a/{id}.mpd, as: hls", "hls"), ("/a/{id}, as: file", "file"),
    ],
)  # fmt: skip
def test_the_ending_tells_how_it_is_played_unless_the_policy_does(src: str, as_: str) -> None:
    where, _, said = src.partition(", ")
    policy = load_policy_text(
        f"""
server: x
item: {{id: "[a-z]+"}}
kinds: {{video: {{player: {{src: "{where}", {said}}}, allow: ["GET /a/*?x=*"]}}}}
"""
    )
    sources = policy.scope("video", {"id": ("abc",)}).player()
    assert sources is not None
    assert sources.as_ == as_


def downloading(rules: str, on: str = "download", **values: str) -> str | None:
    policy = load_policy_text(
        f"""
server: x
item: {{id: "[a-zü ]+", resolve: [{{request: "GET /i/{{id}}", vars: {{file: $.file, name: $.name}}}}]}}
patterns: {{ending: "[a-z0-9]+"}}
kinds:
  video:
    open: /m/{{id}}
    allow: ["page GET /m/{{id}}"]
    interactions:
      download: [{rules}]
      chat: ["POST /chat/{{id}}"]
guest_access: {{interactions: [{on}]}}
"""
    ).at_home(("http://up:80",))
    return policy.scope("video", {"id": ("büro",), **{name: (value,) for name, value in values.items()}}).download()


@pytest.mark.parametrize(
    ("rules", "address"),
    [
        ('"GET /files/{id}/original"', "/files/b%C3%BCro/original"),
        ('"GET /files/{id}?as=file&who={id}&hint={ending}?&note=*&*"', "/files/b%C3%BCro?as=file&who=b%C3%BCro"),
        ('"GET /files/{id}?raw&x=1"', "/files/b%C3%BCro?raw&x=1"),
        ('"POST /files/{id}", "GET,POST /two/{id}", "GET /three/{id}"', "/two/b%C3%BCro"),
        ('"GET {file}"', "/x/y.mkv?sig=a%2Fb"),
        # What leaves something to choose is for the server's own pages.
        ('"GET /files/{id}.{ending}"', None),
        ('"GET /files/{id}/*"', None),
        ('"GET /files/{id}?as={ending}"', None),
        ('"GET /files/{id}.{ending}", "GET /files/{id}"', None),
        ('"POST /files/{id}"', None),
        ('"GET /files/{name}"', None),  # this item has none
        ('"GET {file}/x"', None),
    ],
)
def test_what_the_player_page_offers_to_take_along(rules: str, address: str | None) -> None:
    assert downloading(rules, file="http://up/x/y.mkv?sig=a%2Fb") == address
    assert downloading(rules, on="chat", file="http://up/x/y.mkv?sig=a%2Fb") is None
    assert downloading(rules, on="", file="http://up/x/y.mkv?sig=a%2Fb") is None


def test_a_token_of_the_gateways_own_is_shown_to_nobody() -> None:
    text = """
server: x
item: {id: "[a-z]+"}
kinds:
  video:
    open: /m/{id}
    allow: ["page GET /m/{id}"]
    interactions: {download: ["GET /f/{id}?t=HOLE"]}
guest_access: {interactions: [download]}
upstream: {jwt: {as: token, key: "0123456789abcdef0123456789abcdef", alg: HS256, minutes: 10, claims: {sub: "{id}"}}}
"""
    values = {"id": ("abc",), "jwt.token": ("eyJ.x.y",)}
    assert load_policy_text(text.replace("HOLE", "{id}")).scope("video", values).download() == "/f/abc?t=abc"
    assert load_policy_text(text.replace("HOLE", "{jwt.token}")).scope("video", values).download() is None


def test_a_file_elsewhere_is_not_offered() -> None:
    assert downloading('"GET {file}"', file="https://elsewhere.example/y.mkv") is None
    assert downloading('"GET {file}"', file="/x/../y.mkv") is None


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
