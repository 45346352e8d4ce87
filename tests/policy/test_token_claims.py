"""Tokens in paths and queries: one claim is this item's, in the one reading that a token has."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from gateway.errors import BadFile
from gateway.policy.decide import Scope
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target
from gateway.policy.token_claims import claims_of

POLICY = """
server: Test server
item: {id: "[A-Za-z0-9]{3,10}", resolve: [{request: "GET /{id}", vars: {folder: $.folder}}]}
patterns:
  sid: {jwt: {sid: "{id}"}}
  album: {jwt: {room: "album-{id}"}}
  n: "[0-9]{1,4}"
kinds:
  audio:
    open: /share/{id}
    allow:
      - page GET /share/{id}
      - GET /share/s/{sid}
      - GET /share/img/{sid}?size={n}?
      - GET /dl?t={sid}
      - GET /al/{album}
      - GET /in/{folder}/{sid}/{folder}/x
      - GET /two/{sid}/{album}
paths: {ignore_case: IGNORE}
"""


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(claims: Any, head: Any = None) -> str:
    return f"{part(head or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{part(b'signature')}"


def scope(ignore_case: bool = False, **variables: tuple[str, ...]) -> Scope:
    policy = load_policy_text(POLICY.replace("IGNORE", str(ignore_case).lower()))
    return policy.scope("audio", {"id": ("Abc1",), "folder": ("a", "a/b"), **variables})


def passes(path: str, of: Scope | None = None) -> bool:
    target = parse_target(path)
    return isinstance(target, Target) and (of or scope()).decide("GET", target).allowed


OURS = token({"sid": "Abc1", "id": "track", "exp": 1})


def test_a_token_of_this_item_passes_and_one_of_another_does_not() -> None:
    assert passes(f"/share/s/{OURS}")
    for other in ("Abc2", "abc1", "Abc1 ", "", None, ["Abc1"], {"a": "Abc1"}, True):
        assert not passes(f"/share/s/{token({'sid': other})}"), other
    assert not passes(f"/share/s/{token({'id': 'Abc1'})}")
    assert passes(f"/share/img/{OURS}?size=300")
    assert not passes(f"/share/img/{token({'sid': 'Abc2'})}?size=300")
    assert passes(f"/dl?t={OURS}")
    assert not passes(f"/dl?t={token({'sid': 'Abc2'})}")
    assert not passes(f"/dl?t={OURS}&t={OURS}")


def test_a_number_is_the_id_that_is_written_with_its_digits() -> None:
    of = scope(id=("1234",))
    assert passes(f"/share/s/{token({'sid': 1234})}", of)
    for other in (1234.0, "01234", "1234.0", 12345):
        assert not passes(f"/share/s/{token({'sid': other})}", of), other


def test_text_around_a_variable_and_variables_that_hold_slashes() -> None:
    album = token({"room": "album-Abc1"})
    assert passes(f"/al/{album}")
    assert not passes(f"/al/{token({'room': 'album-Abc12'})}")
    assert passes(f"/in/a/{OURS}/a/b/x")
    assert not passes(f"/in/a/{token({'sid': 'x'})}/a/b/x")
    assert passes(f"/two/{OURS}/{album}")
    assert not passes(f"/two/{OURS}/{OURS}")


def test_where_literals_match_in_any_case_tokens_stay_exact() -> None:
    of = scope(ignore_case=True)
    assert passes(f"/SHARE/S/{OURS}", of)
    assert not passes(f"/SHARE/S/{token({'sid': 'Abc2'})}", of)


@pytest.mark.parametrize(
    "odd",
    [
        OURS.rpartition(".")[0],
        OURS.rpartition(".")[0] + ".",
        OURS + ".x",
        "." + OURS,
        OURS.replace(".", "..", 1),
        token(b'{"sid":"Abc2","sid":"Abc1"}'),
        token(b'{"sid":"Abc1","SID":"Abc2"}'),
        token('{"sid":"Abc1","s\u0131d":"Abc2"}'.encode()),
        token('{"sid":"Abc1","S\u0130D":"Abc2"}'.encode()),
        token(b'{"sid":"Abc1","x":{"a":1,"a":2}}'),
        token(b'\xef\xbb\xbf{"sid":"Abc1"}'),
        token(b'{"sid":"Abc1"}\xff'),
        token(b'{"sid":"Abc1"} x'),
        token(b'{"sid":"Abc1","x":NaN}'),
        token(b'["sid","Abc1"]'),
        token(b'"Abc1"'),
        token({"sid": "Abc1"}, {"alg": "HS256", "b64": False, "crit": ["b64"]}),
        token({"sid": "Abc1"}, {"alg": "HS256", "zip": "DEF"}),
        token({"sid": "Abc1"}, [1]),
        token({"sid": "Abc1"}, b"no"),
        token({"sid": "Abc1", "pad": "x" * 5_000}),
        token(b"[" * 1_500 + b'{"sid":"Abc1"}' + b"]" * 1_500),
    ],
)
def test_a_token_with_two_readings_is_none(odd: str) -> None:
    assert not passes(f"/share/s/{odd}")


def test_the_spelling_is_the_one_that_base64url_has() -> None:
    head, claims, signature = OURS.split(".")
    claims = part(b'{"sid":"Abc1"} ')  # whose last character has bits to spare
    good = f"{head}.{claims}.{signature}"
    assert passes(f"/share/s/{good}")
    # Of 16 bytes the last character stands for two bits alone.
    claims = part(b'{"sid":"Abc1"}  ')
    assert passes(f"/share/s/{head}.{claims}.{signature}")
    odd = claims[:-1] + chr(ord(claims[-1]) + 1)
    assert not claims_of(f"{head}.{odd}.{signature}")
    for spelled in (good + "=", good.replace(".", "%2E"), f"{head}.{claims}=.{signature}", f"{head}.{claims}\n"):
        target = parse_target(f"/dl?t={spelled}")
        if isinstance(target, Target) and target.pairs[0][1] != good:
            assert not passes(f"/dl?t={spelled}"), spelled


def test_a_token_stands_in_rules_alone_and_fills_what_it_stands_in() -> None:
    def fault(was: str, now: str) -> str:
        assert was in POLICY
        with pytest.raises(BadFile) as caught:
            load_policy_text(POLICY.replace("IGNORE", "false").replace(was, now))
        return str(caught.value)

    assert "fills a whole segment" in fault("/share/s/{sid}", "/share/s-{sid}")
    assert "fills a whole segment" in fault("/share/s/{sid}", "/share/{sid}.ts")
    assert "fills a whole segment" in fault("/share/s/{sid}", "/share/{id}{sid}")
    assert "fills a whole value" in fault("t={sid}", "t=x{sid}")
    for was, now in (
        ("open: /share/{id}", "open: /share/{sid}"),
        ("page GET /share/{id}", "{request: GET /z, send: {query: {a: '{sid}'}}}"),
        ("page GET /share/{id}", "{request: POST /z, json: {a: '{sid}'}}"),
        ("page GET /share/{id}", "{request: 'GET /z/{id}/a', follow: {as: hls, to: ['/z/{sid}']}}"),
        ("page GET /share/{id}", "{request: 'GET /z/{id}/a', capture: {v: 'Location: /{sid}/{v}'}}"),
        ("open: /share/{id}", "open: /share/{id}\n    page_urls: ['/x/{id}/{sid}']"),
    ):
        assert "{sid} is a token: it stands in a rule's path or query, and not here" in fault(was, now)
    assert "is a variable already" in fault("  sid: {jwt", "  folder: {jwt")


def test_what_a_claim_tells_of_the_guest_is_reported() -> None:
    policy = load_policy_text(POLICY.replace("IGNORE", "false").replace('"album-{id}"', '"{guest.name}-{id}"'))
    assert policy.kinds["audio"].told == {"name"}


def test_a_long_path_costs_a_moment() -> None:
    of = scope()
    began = time.perf_counter()
    for _ in range(20):
        assert not passes("/share/s/" + "a" * 2_000 + "." + "b" * 2_000 + "." + "c" * 3_000, of)
        assert not passes("/two/" + "a.b.c" * 800 + "/" + "a.b.c" * 800, of)
    assert time.perf_counter() - began < 5
