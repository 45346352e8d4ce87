"""What `gateway explain` shows."""

from __future__ import annotations

from gateway.policy.explain import explain
from gateway.policy.load import load_policy_text

POLICY = """
server: x
item: {id: "[a-z0-9]+"}
patterns: {n: "[0-9]+"}
kinds: {video: {open: "/m/{id}", allow: ["page GET /m/{id}", "GET /seg/{id}/{n}.ts?q={n}"]}}
upstream: {headers: {X-Key: "secret-secret"}, query: {api_key: "other-secret"}}
"""


def test_allowed_shows_rule_and_what_is_sent_without_secrets() -> None:
    shown = explain(load_policy_text(POLICY), "video", {"id": ("a1",)}, "GET", "/seg/%611/7.ts?q=1")
    assert shown.allowed
    assert shown.rule is not None
    assert shown.rule.place == "policy.yaml:5:62"
    assert shown.sent == "GET /seg/a1/7.ts?q=1&api_key=***"
    assert shown.headers == (("X-Key", "***"),)


def test_denied_shows_what_came_nearest() -> None:
    policy = load_policy_text(POLICY)
    shown = explain(policy, "video", {"id": ("a1",)}, "GET", "/seg/a1/7.ts")
    assert not shown.allowed
    assert shown.nearest[0][0].text.startswith("GET /seg")
    assert shown.nearest[0][1] == "the query lacks q"
    assert explain(policy, "video", {"id": ("a1",)}, "POST", "/m/a1").nearest[0][1] == "it takes GET"
    assert explain(policy, "video", {"id": ("a1",)}, "GET", "/a/../b").detail == "a dot segment"


def test_credentials_hide_in_repr_and_know_their_spellings() -> None:
    policy = load_policy_text(POLICY.replace("secret-secret", "Bearer tok-tok-tok") + "\n")
    assert "tok-tok" not in repr(policy)
    assert set(policy.credentials.spellings()) == {"Bearer tok-tok-tok", "tok-tok-tok", "other-secret"}
    assert policy.credentials.into("/x") == "/x?api_key=other-secret"
