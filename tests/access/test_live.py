"""What a grant in memory has of its own: the token that its server's `jwt` makes for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey

from gateway.access.live import TOKENS, LiveGrant, with_token
from gateway.access.servers import MediaServer
from gateway.config import Origin, ServerConfig
from gateway.links.records import Grant, Guest
from gateway.policy.load import load_policy_text
from tests.fakes import FixedClock

SECRET = "0123456789abcdef0123456789abcdef"
POLICY = f"""
server: Rooms
item: {{id: "[a-z0-9]{{3,20}}", resolve: [{{request: "GET /{{id}}", vars: {{wing: $.wing}}}}]}}
kinds:
  room:
    open: "/room/{{id}}?jwt={{jwt.token}}"
    allow: ["page GET /room/{{id}}?jwt={{jwt.token}}", "GET /{{wing}}/x"]
upstream:
  headers: {{Authorization: "Bearer {{jwt.token}}"}}
  jwt: {{key: "{SECRET}", minutes: 10, claims: {{sub: "{{guest.id}}", room: "{{id}}", wing: "{{wing}}"}}}}
"""


def live_of(clock: FixedClock, **variables: tuple[str, ...]) -> LiveGrant:
    config = ServerConfig(
        "tv", Origin("http", "127.0.0.1", 9), "p", Path("p.yaml"), True, Origin("https", "tv.example.org", 443)
    )
    upstream: Any = SimpleNamespace()
    server = MediaServer(config, load_policy_text(POLICY), upstream)
    grant = Grant("gr1", "l1", "g1", "tv", "abc", "room", {"wing": ("east",), **variables}, 0, 0, clock())
    return LiveGrant(grant, Guest("g1", "l1", "Ada", "a@x.org", 0, 0), server, clock=clock, stir=lambda live: None)


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"]).claims


def test_a_token_is_made_once_and_again_shortly_before_it_ends() -> None:
    clock = FixedClock()
    live = live_of(clock)
    scope = live.scope
    (token,) = live.tokens
    assert claims(token) | {"sub": "g1", "room": "abc", "wing": "east"} == claims(token)
    assert scope.landing() == f"/room/abc?jwt={token}"
    clock.forward(minutes=7)
    assert live.scope is scope
    clock.forward(minutes=1, seconds=1)
    assert live.scope is not scope
    new, old = live.tokens
    assert old == token
    assert live.scope.variables["jwt.token"] == (new, old)
    clock.forward(minutes=3)
    assert live.scope.landing() == f"/room/abc?jwt={new}"


def test_other_variables_make_another_only_where_it_says_them() -> None:
    live = live_of(FixedClock())
    assert live.scope
    (token,) = live.tokens
    live.rebind(replace(live.grant, brought={"play": ("p1",)}))
    assert live.scope.variables["play"] == ("p1",)
    assert live.tokens == (token,)
    live.rebind(replace(live.grant, variables={"wing": ("west",)}))
    assert claims(live.scope.variables["jwt.token"][0])["wing"] == "west"


def test_only_so_many_are_remembered() -> None:
    clock = FixedClock()
    live = live_of(clock)
    for _ in range(10):
        assert live.scope
        clock.forward(minutes=9)
    assert len(live.tokens) == TOKENS


def test_without_a_value_for_a_claim_there_is_none() -> None:
    live = live_of(FixedClock(), wing=())
    assert live.scope.variables["jwt.token"] == ()
    assert live.scope.landing() is None
    assert live.tokens == ()


def test_requests_of_the_gateways_own_get_one_too() -> None:
    clock = FixedClock()
    live = live_of(clock)
    values = {"id": ("abc",), "wing": ("east",), "guest.id": ("g1",)}
    assert claims(with_token(live.server, values, clock())["jwt.token"][0])["room"] == "abc"
    assert with_token(live.server, {"id": ("abc",)}, clock()) == {"id": ("abc",)}
