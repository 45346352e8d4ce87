"""`at`: other addresses of the same server, and no request that could go to two of them."""

from __future__ import annotations

import time

import pytest

from gateway.errors import BadFile
from gateway.policy.load import load_policy_text
from gateway.policy.model import Policy

POLICY = """
server: x
item: {id: "ITEM"}
patterns: {n: "[0-9]{1,3}", file: "[a-z0-9]+[.]ts", any: "[^/]+"}
MORE
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - ONE
      - {request: "OTHER", at: webrtc}
"""


def policy(one: str, other: str, *, item: str = "[a-z0-9]{3,9}", more: str = "") -> Policy:
    text = POLICY.replace("ONE", one).replace("OTHER", other).replace("ITEM", item).replace("MORE", more)
    return load_policy_text(text, name="p")


def changed(was: str, now: str) -> Policy:
    text = POLICY.replace("ITEM", "[a-z]+").replace("MORE", "").replace("ONE", "GET /v/{id}")
    assert was in text
    return load_policy_text(text.replace(was, now).replace("OTHER", "GET /w/{id}"), name="p")


def overlap(one: str, other: str, **options: str) -> bool:
    try:
        policy(one, other, **options)
    except BadFile as error:
        found = [fault.what for fault in error.faults]
    else:
        return False
    assert all("go to different addresses" in what for what in found), found
    return True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /v/{id}/a.ts", "GET /v/{id}/a.ts"),
        ("GET /v/{id}/{file}", "GET /v/{id}/a1.ts"),
        ("GET /v/{id}/{file}", "GET /v/{id}/{any}"),
        ("GET /v/{id}/**", "GET /v/{id}/a/b"),
        ("GET /v/{id}/*", "HEAD /v/{id}/a"),
        ("GET,POST /v/{id}", "POST,PUT /v/{id}"),
        ("GET /v/abc", "GET /v/{id}"),
        ("GET /v/{guest.name}", "GET /v/{id}"),
        ("GET /{guest.name}/x", "GET /a/b/c/x"),
        ("GET /v/{id}?a={n}", "GET /v/{id}?a={n}"),
        ("GET /v/{id}?a={n}?", "GET /v/{id}?b={n}?"),
        ("GET /v/{id}?a=1", "GET /v/{id}?*"),
        ("GET /v/{id}?a=1", "GET /v/{id}?a={any}"),
        ("WS /v/{id}", "WS /v/{id}"),
        ("GET {public_url}", "GET /v/{id}"),
    ],
)
def test_two_rules_that_one_request_could_fit_go_to_one_address(one: str, other: str) -> None:
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GET /v/{id}/{file}", "GET /v/{id}/a1.m3u8"),
        ("GET /v/{id}", "GET /w/{id}"),
        ("GET /v/{id}", "POST /v/{id}"),
        ("GET /v/{id}", "WS /v/{id}"),
        ("GET /v/{id}", "GET /v/ABC"),
        ("GET /v/{id}/{n}", "GET /v/{id}/{n}.ts"),
        ("GET /v/{id}/*", "GET /v/{id}/a/b"),
        ("GET /v/{grant.id}/x", "GET /v/a/b/x"),
        ("GET /v/{id}?a=1", "GET /v/{id}?a=2"),
        ("GET /v/{id}?a=1", "GET /v/{id}"),
        ("GET /v/{id}?a={n}", "GET /v/{id}?b={n}"),
        ("GET /{id}/a", "GET /{id}/b"),
    ],
)
def test_rules_that_no_request_fits_both_of_may_go_to_two(one: str, other: str) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)


def test_what_an_id_may_hold_counts() -> None:
    rules = ("GET /v/{id}", "GET /v/{any}/x")
    assert not overlap(*rules)
    assert overlap(*rules, item="[a-z]+/[a-z]+")


def test_case_counts_as_the_policy_says() -> None:
    rules = ("GET /v/{id}/A", "GET /V/{id}/a")
    assert not overlap(*rules)
    assert overlap(*rules, more="paths: {ignore_case: true}")


def test_a_name_that_send_drops_tells_nothing_apart() -> None:
    assert overlap('{request: "GET /v/{id}", send: {query: {a: "1"}}}', "GET /v/{id}?a=2")


def test_large_patterns_are_compared_soon() -> None:
    """Beyond a number of steps they are taken to overlap, whether they do or not."""
    one, other = "([a-z]{1,40}[a-c]){1,40}", "([b-z]{1,40}[b-d]){1,40}1"
    more = f'patterns: {{one: "{one}", two: "{other}"}}'
    text = POLICY.replace('patterns: {n: "[0-9]{1,3}", file: "[a-z0-9]+[.]ts", any: "[^/]+"}', more)
    text = text.replace("MORE", "").replace("ITEM", "[a-z]+")
    started = time.perf_counter()
    with pytest.raises(BadFile, match="go to different addresses"):
        load_policy_text(text.replace("ONE", "GET /v/{one}").replace("OTHER", "GET /v/{two}"))
    assert time.perf_counter() - started < 10


def test_the_fault_names_both_rules_and_comes_once_for_kinds_that_share_them() -> None:
    text = POLICY.replace("ONE", "GET /v/{id}").replace("OTHER", "GET /v/{id}").replace("ITEM", "[a-z]+")
    text = text.replace("MORE", "") + "  live: {like: video}\n"
    with pytest.raises(BadFile) as caught:
        load_policy_text(text, name="p")
    (fault,) = caught.value.faults
    assert (fault.line, fault.column) == (11, 9)
    assert "line 12 (GET /v/{id})" in fault.what
    assert "main and webrtc" in fault.what


def test_a_group_that_is_off_counts_as_well() -> None:
    with pytest.raises(BadFile):
        load_policy_text(
            POLICY.replace("ONE", "GET /v/{id}").replace("OTHER", "GET /w/{id}").replace("ITEM", "[a-z]+")
            .replace("MORE", "") + '    interactions: {chat: [{request: "GET /v/{id}", at: api}]}\n'
        )  # fmt: skip


@pytest.mark.parametrize("name", ["Web RTC", "x" * 41, "../x", "1"])
def test_a_name_is_one_that_config_can_have(name: str) -> None:
    with pytest.raises(BadFile, match="at: a name of config"):
        changed("webrtc", f'"{name}"')


def test_main_is_what_is_meant_where_nothing_is_said() -> None:
    found = changed('{request: "OTHER", at: webrtc}', '{request: "GET /v/{id}", at: main}')
    assert {rule.at for rule in found.kinds["video"].rules} == {""}
    assert found.ats == {}


def test_the_gateway_itself_has_no_addresses() -> None:
    with pytest.raises(BadFile, match="at: the gateway answers this itself"):
        changed("at: webrtc", "at: webrtc, answer: {status: 204}")


STEPS = """
server: x
item: {id: "[a-z]+", resolve: [{request: "GET /v3/{id}", at: api}]}
kinds:
  live:
    open: /page/{id}
    prepare: [{request: POST /new, at: api, vars: {play: $.id}}]
    release: [{request: "DELETE /old/{play}", at: admin}]
    allow:
      - page GET /page/{id}
      - {request: "POST /whep/{id}", at: webrtc, capture: {s: "Location: /whep/{id}/{s}"}}
      - DELETE /whep/{id}/{s}
    interactions: {chat: [{request: "WS /chat", at: chat}]}
"""


def test_a_policy_knows_which_addresses_it_needs_and_where_it_says_so() -> None:
    found = load_policy_text(STEPS, name="p")
    assert found.ats == {"api": "p.yaml:3:62", "admin": "p.yaml:8:51", "webrtc": "p.yaml:11:42"}
    assert found.ats_named == {"api", "admin", "webrtc", "chat"}


def test_a_value_that_is_brought_to_another_address_than_it_came_from_is_warned_of() -> None:
    said = [str(one) for one in load_policy_text(STEPS, name="p").warnings]
    assert said == ["p.yaml:12:9: {s} comes from at: webrtc, and this rule goes to main"]
