"""`jwt`: what a token says, how it is signed, and where it may stand."""

from __future__ import annotations

import warnings

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.errors import BadFile
from gateway.policy.explain import explain
from gateway.policy.load import load_policy_text
from gateway.policy.minting import Minter, minted
from gateway.policy.model import Policy

SECRET = "0123456789abcdef0123456789abcdef"
POLICY = """
server: Rooms
item: {id: "[a-z0-9]{3,20}"}
kinds:
  room:
    open: /room/{id}
    allow:
      - page GET /room/{id}
      - WS /ws/{id}
upstream:
  headers: {Authorization: "Bearer {jwt.token}"}
  jwt:
    as: token
    key: "KEY"
    alg: ALG
    minutes: 10
    claims:
      iss: gateway
      sub: "{guest.id}"
      name: "{guest.name}"
      video: {room: "{id}", roomJoin: true, canPublish: false, level: 3, list: ["{id}", null]}
"""
VALUES = {"id": ("abc",), "guest.id": ("g1",), "guest.name": ('Ada \u2028 "q"',)}
NOW = 1_800_000_000_123


def policy(text: str = POLICY, *, alg: str = "HS256", key: str = SECRET) -> Policy:
    return load_policy_text(text.replace('"KEY"', '"${KEY}"').replace("ALG", alg), environ={"KEY": key})


def minter(**options: str) -> Minter:
    (found,) = policy(**options).jwts
    return found


def test_what_it_says() -> None:
    made = minter().mint(VALUES, NOW)
    assert made is not None
    token, until, end = made
    said = jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"])
    assert said.header == {"alg": "HS256", "typ": "JWT"}
    assert said.claims == {
        "iss": "gateway",
        "sub": "g1",
        "name": 'Ada \u2028 "q"',
        "video": {"room": "abc", "roomJoin": True, "canPublish": False, "level": 3, "list": ["abc", None]},
        "iat": 1_800_000_000,
        "nbf": 1_800_000_000 - 60,
        "exp": 1_800_000_600,
    }
    assert (until, end) == (1_800_000_480_000, 1_800_000_600_000)


def test_without_a_value_there_is_none() -> None:
    assert minter().mint({"id": ("abc",)}, NOW) is None


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"])
def test_each_algorithm(alg: str) -> None:
    text, public = SECRET * 2, None
    private = {
        "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }.get(alg)
    if private is not None:
        key = private()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kinds = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
    for written in dict.fromkeys((text, text.replace("\n", "\\n"))):
        made = minter(alg=alg, key=written).mint(VALUES, NOW)
        assert made is not None
        check = kinds[alg].import_key(public) if public is not None else OctKey.import_key(text)
        warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has a newer name, which servers don't know
        assert jwt.decode(made[0], check, algorithms=[alg]).claims["sub"] == "g1"


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_key_of_another_kind_is_refused_and_not_repeated(alg: str) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    text = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for key in (text, public, "no key at all", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"):
        with pytest.raises(BadFile, match="private key in PEM") as caught:
            policy(alg=alg, key=key)
        assert key not in str(caught.value)


def test_the_key_and_the_lines_of_a_pem_are_looked_for_in_answers() -> None:
    assert SECRET in policy().credentials.spellings()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    lines = [line for line in pem.splitlines() if "-----" not in line and len(line) >= 20]
    assert lines
    assert set(lines) <= set(policy(alg="ES256", key=pem).credentials.spellings())
    shown = repr(policy(alg="ES256", key=pem)) + repr(policy())
    assert SECRET not in shown
    assert lines[0] not in shown


def test_what_it_tells_of_a_guest_is_reported() -> None:
    found = policy()
    assert found.kinds["room"].told == {"name"}
    assert [fault.line for fault in found.warnings] == [18]


def test_a_short_key_is_worth_a_word() -> None:
    assert "shorter than 32 characters" in " ".join(map(str, policy(key="eightchr").warnings))


def test_in_the_address_of_the_guests_page_it_is_his_and_check_says_so() -> None:
    page = POLICY.replace("open: /room/{id}", 'open: "/room/{id}?jwt={jwt.token}"')
    page = page.replace("page GET /room/{id}", "page GET /room/{id}?jwt={jwt.token}")
    found = policy(page)
    assert found.kinds["room"].shown_tokens == {"jwt.token"}
    assert any("the guest has it" in fault.what for fault in found.warnings)
    scope = found.scope("room", {**VALUES, "jwt.token": ("new.to.ken", "old.to.ken")})
    assert scope.landing() == "/room/abc?jwt=new.to.ken"
    for token, wanted in (("new.to.ken", True), ("old.to.ken", True), ("other", False)):
        assert explain_allowed(found, f"/room/abc?jwt={token}", ("new.to.ken", "old.to.ken")) is wanted
    assert not policy().kinds["room"].shown_tokens


def explain_allowed(found: Policy, path: str, tokens: tuple[str, ...]) -> bool:
    from gateway.policy.target import Target, parse_target

    target = parse_target(path)
    assert isinstance(target, Target)
    return found.scope("room", {**VALUES, "jwt.token": tokens}).decide("GET", target).allowed


def test_explain_shows_stars() -> None:
    send = POLICY.replace(
        "- page GET /room/{id}", "- {request: 'page GET /room/{id}', send: {query: {t: '{jwt.token}'}}}"
    )
    found = explain(policy(send), "room", VALUES, "GET", "/room/abc")
    assert found.sent == "GET /room/abc?t=***"
    assert found.headers == (("Authorization", "***"),)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("- WS /ws/{id}", "- WS /ws/{jwt.token}"),
        ("- WS /ws/{id}", "- {request: 'GET /a', answer: {json: {t: '{jwt.token}'}}}"),
        ("- WS /ws/{id}", "- {request: 'GET /a', capture: {v: 'X: {jwt.token}-{v}'}}"),
        ("upstream:", "replace: {old-text: '{jwt.token}'}\nupstream:"),
        ("open: /room/{id}", "open: /room/{id}\n    page_urls: ['/room/{id}/{jwt.token}']"),
    ],
)
def test_elsewhere_it_would_reach_the_guest(was: str, now: str) -> None:
    with pytest.raises(BadFile, match="a secret between gateway and server, and can't stand here"):
        policy(POLICY.replace(was, now))


TWO = (
    POLICY.replace("  jwt:\n    as: token", "  jwt:\n  - as: token")
    + """  - as: admin
    key: "KEY"
    claims: {iss: gateway, video: {room: "{id}", roomAdmin: true}}
"""
)
ASKS = "resolve: [{request: 'GET /rooms/{id}', headers: {Authorization: 'Bearer {jwt.NAME}'}}]}"


def test_two_of_them_and_each_says_its_own() -> None:
    found = policy(TWO)
    assert [one.name for one in found.jwts] == ["jwt.token", "jwt.admin"]
    made = minted(found.jwts, {"id": ("abc",)}, NOW)
    assert made.keys() == {"jwt.admin"}, "of nobody there is no token of a guest"
    claims = jwt.decode(made["jwt.admin"][0], OctKey.import_key(SECRET), algorithms=["HS256"]).claims
    assert claims["video"] == {"room": "abc", "roomAdmin": True}
    with pytest.raises(BadFile, match="another jwt is named token already"):
        policy(TWO.replace("as: admin", "as: token"))
    with pytest.raises(BadFile, match=r"unknown name {jwt.amdin} .did you mean jwt.admin"):
        policy(TWO.replace("Bearer {jwt.token}", "Bearer {jwt.amdin}"))


def test_resolve_asks_with_one_that_says_nothing_of_a_guest() -> None:
    asking = TWO.replace('{3,20}"}', '{3,20}", ' + ASKS)
    (step,) = policy(asking.replace("NAME", "admin")).item.steps
    written = step.request.written({"id": ("abc",), "jwt.admin": ("x.y.z",)})
    assert written is not None
    assert ("Authorization", "Bearer x.y.z") in written.headers
    assert step.request.written({"id": ("abc",)}) is None
    with pytest.raises(BadFile, match=r"{jwt.token} says something of a guest, and resolve asks before there is one"):
        policy(asking.replace("NAME", "token"))


GROUPS = """    interactions:
      chat: []
      hand: ["GET /hand/{id}"]
upstream:"""
SWITCHED = POLICY.replace("upstream:", GROUPS).replace("canPublish: false", 'chat: "{interactions.chat}"')


@pytest.mark.parametrize("on", [True, False])
def test_a_claim_says_whether_a_group_is_on(on: bool) -> None:
    found = policy(SWITCHED + ("guest_access: {interactions: [chat]}" if on else ""))
    (one,) = found.jwts
    made = one.mint(VALUES, NOW)
    assert made is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        claims = jwt.decode(made[0], OctKey.import_key(SECRET), algorithms=["HS256"]).claims
    assert claims["video"]["chat"] is on
    assert found.kinds["room"].groups == ({"chat"} if on else set())


def test_a_group_that_switches_nothing_is_a_fault() -> None:
    with pytest.raises(BadFile, match=r"chat: no rule is in it, and no claim of a jwt says {interactions.chat}"):
        policy(POLICY.replace("upstream:", GROUPS))
    with pytest.raises(BadFile, match=r"no kind has interactions named chta .did you mean chat"):
        policy(SWITCHED.replace("{interactions.chat}", "{interactions.chta}"))
