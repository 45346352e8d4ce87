"""What `follow` may say, what it makes reachable, and each mistake at its place."""

from __future__ import annotations

import pytest

from gateway.errors import BadFile
from gateway.policy.explain import explain
from gateway.policy.follow import Place
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target

HEAD = """server: x
item: {id: "[a-z]+"}
origins: ["https://cdn.example.net", "https://other.example.net:8443"]
kinds:
  video:
    open: /m/{id}
    allow:
      - page GET /m/{id}
      - GET /one?id={id}
      - GET /two?n={id}
      - request: """


def holds(to: str, place: str, *, folder: str = "/l/") -> bool:
    policy = load_policy_text(HEAD + f"GET /l/{{id}}.m3u8\n        follow: {{as: hls{to}}}\n")
    scope = policy.scope("video", {"id": ("abc",)})
    rule = next(rule for rule in scope.kind.rules if rule.follow)
    origin, path = (
        ("", place) if place.startswith("/") else (place[: place.index("/", 8)], place[place.index("/", 8) :])
    )
    target = parse_target(path)
    assert isinstance(target, Target)
    return scope.reach(rule).holds(Place(origin, target), folder)


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("/v/abc/x.ts", True), ("/v/abc/a/b/x.ts", True), ("/v/abc/", False), ("/v/abc", False), ("/v/xyz/x.ts", False),
        ("/V/abc/x.ts", False), ("/v/abc/x.ts?t=1", True), ("/v/abc/x.ts?id=abc", True), ("/v/abc/x.ts?id=xyz", False),
        ("/v/abc/x.ts?ID=xyz", False), ("/v/abc/x.ts?id=abc&id=abc", False), ("/v/abc/x.ts?t=%26id%3Dxyz", False),
        ("https://cdn.example.net/v/abc/x.ts", True), ("https://cdn.example.net/v/abc/x.ts?sig=a%2Fb", True),
        ("https://cdn.example.net/w/x.ts", False), ("http://cdn.example.net/v/abc/x.ts", False),
        ("https://cdn.example.net:444/v/abc/x.ts", False), ("https://other.example.net:8443/v/abc/x.ts", False),
        ("/q/abc?id=abc&more=1", True), ("/q/abc?more=1", False),
    ],
)  # fmt: skip
def test_what_lies_within_to(place: str, wanted: bool) -> None:
    to = ', to: ["/v/{id}/**", "https://cdn.example.net/v/{id}/**", "/q/{id}?id={id}&*"]'
    assert holds(to, place) == wanted


def test_without_to_it_is_the_own_folder_and_below() -> None:
    assert holds("", "/l/a/b.ts")
    assert not holds("", "/lx/b.ts")
    assert not holds("", "https://cdn.example.net/l/a.ts")


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("GET /l/{id}\n        follow: {}", "12:17: as: is missing"),
        ("GET /l/{id}\n        follow: {as: hsl}", "12:22: as: hls, dash or json (did you mean hls?)"),
        ("GET /l/{id}\n        follow: {as: hls, into: []}", "12:27: into: unknown key"),
        ("GET /l/{id}\n        follow: {as: hls, to: []}", "12:31: to: names nothing"),
        ("GET /l/{id}\n        follow: {as: hls, to: [v]}", "12:32: to: a path"),
        (
            "GET /l/{id}\n        follow: {as: hls, to: ['https://cdn.example.com/*']}",
            "not among the policy's origins",
        ),
        ("GET /l/{id}\n        follow: {as: hls, to: ['https://u@cdn.example.net/**']}", "no user name"),
        ("GET /l/{id}\n        follow: {as: hls, to: ['/v/{idd}/x']}", "12:32: to: unknown name {idd}"),
        ("GET /l/{id}\n        follow: {as: hls, to: ['/v/../x']}", "12:32: to: can never be asked for"),
        ("POST /l/{id}\n        follow: {as: hls}", "12:17: follow: only answers to GET are followed"),
        ("page GET /l/{id}\n        follow: {as: hls}", "12:17: follow: a page is shown as it is"),
        ("GET /{id}\n        follow: {as: hls}", "12:17: follow: the answer's own folder would be the whole server"),
    ],
)
def test_each_mistake_at_its_place(rule: str, wanted: str) -> None:
    with pytest.raises(BadFile) as found:
        load_policy_text(HEAD + rule + "\n", name="p")
    assert any(wanted in str(fault) for fault in found.value.faults), found.value.faults


@pytest.mark.parametrize("origin", ["http://cdn.example.net", "https://cdn.example.net/v", "cdn", "https://u:p@cdn"])
def test_origins_are_https_hosts(origin: str) -> None:
    with pytest.raises(BadFile, match="origins:"):
        load_policy_text(HEAD.replace("https://cdn.example.net", origin) + "GET /x/{id}\n")


def test_a_folder_of_several_items_is_warned_of() -> None:
    policy = load_policy_text(HEAD + "GET /l/{id}.m3u8\n        follow: {as: hls}\n")
    assert "not one item's alone" in str(policy.warnings[0])
    assert load_policy_text(HEAD + "GET /l/{id}/x.m3u8\n        follow: {as: hls}\n").warnings == ()


def test_explain_has_the_rule_that_follows() -> None:
    policy = load_policy_text(HEAD + "GET /l/{id}\n        follow: {as: hls, to: ['/v/**']}\n")
    rule = explain(policy, "video", {"id": ("abc",)}, "GET", "/l/abc").rule
    assert rule is not None
    assert rule.follow is not None
    assert (rule.follow.as_, rule.follow.texts) == ("hls", ("/v/**",))
