"""What an ID token must be before it is believed (OpenID Connect Core 3.1.3.7)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from gateway.config import Oidc
from gateway.upstream.oidc import Attempt, Provider, ProviderFailed

ISSUER = "https://id.example.org"
ATTEMPT = Attempt("state", "nonce", "verifier")
CONFIG = Oidc(ISSUER, "gateway", "secret", ("openid",), "name", "groups", ("sub",), ())
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


class Scripted(Provider):
    """A provider whose answers a test writes."""

    def __init__(
        self, token: str, *, keys: Any = None, described: Mapping[str, Any] | None = None, user: Any = None
    ) -> None:
        super().__init__(CONFIG)
        self.token = token
        self.keys = [KEY.as_dict(private=False)] if keys is None else keys
        self.described = described or {}
        self.user = user
        self.sent: list[tuple[str, Mapping[str, str], Mapping[str, str] | None]] = []

    async def _ask(
        self, method: str, address: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        self.sent.append((address, headers, form))
        if address.endswith("openid-configuration"):
            return {
                "issuer": ISSUER,
                "authorization_endpoint": f"{ISSUER}/auth",
                "token_endpoint": f"{ISSUER}/token",
                "jwks_uri": f"{ISSUER}/keys",
                "userinfo_endpoint": f"{ISSUER}/me",
                **self.described,
            }
        if address.endswith("/token"):
            return {"id_token": self.token, "access_token": "access"}
        if address.endswith("/me"):
            return dict(self.user or {"sub": "ada", "groups": ["a"]})
        return {"keys": self.keys}


def token(key: Any = KEY, alg: str = "RS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "gateway", "sub": "ada", "nonce": "nonce", "iat": now, "exp": now + 60, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": "one"}, claims, key, algorithms=[alg])


async def claims(provider: Provider) -> dict[str, Any]:
    return await provider.claims(ATTEMPT, "code", "https://manage.example.org/callback")


async def test_a_token_in_order_is_believed_and_the_secret_goes_to_the_provider_alone() -> None:
    provider = Scripted(token())
    assert (await claims(provider))["groups"] == ["a"]
    _, headers, form = next(one for one in provider.sent if one[0].endswith("/token"))
    assert headers["Authorization"].startswith("Basic ")
    assert form is not None
    assert form["code_verifier"] == "verifier"
    assert "secret" not in repr(form)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another"}, {"aud": ["another"]}, {"aud": None},
        {"azp": "another"}, {"exp": int(time.time()) - 120}, {"exp": None}, {"exp": "soon"}, {"iat": None},
        {"iat": int(time.time()) + 10_000_000}, {"iat": 1}, {"nonce": "another"}, {"nonce": None},
        {"sub": ""}, {"sub": None}, {"sub": 7},
    ],
)  # fmt: skip
async def test_a_token_for_somebody_or_something_else_is_not(changes: dict[str, Any]) -> None:
    with pytest.raises(ProviderFailed):
        await claims(Scripted(token(**changes)))


async def test_an_audience_may_be_a_list_that_holds_us() -> None:
    assert (await claims(Scripted(token(aud=["another", "gateway"], azp="gateway"))))["sub"] == "ada"


async def test_a_signature_counts_by_the_providers_keys_alone() -> None:
    for forged in (
        token(OTHER),
        token().rpartition(".")[0] + ".",
        token()[:-8] + "AAAAAAAA",
        # A symmetric signature, by a secret that everybody has.
        token(OctKey.import_key("gateway of no importance"), "HS256"),
        "e30.e30.e30",
        "nonsense",
        "eyJhbGciOiJub25lIn0." + token().split(".")[1] + ".",
    ):
        with pytest.raises(ProviderFailed):
            await claims(Scripted(forged))


async def test_new_keys_are_asked_for_once() -> None:
    provider = Scripted(token(OTHER))
    provider.keys = [KEY.as_dict(private=False)]
    with pytest.raises(ProviderFailed):
        await claims(provider)
    asked = [one for one, _, _ in provider.sent if one.endswith("/keys")]
    assert len(asked) <= 2


async def test_a_provider_of_another_name_or_without_https_is_not_talked_to() -> None:
    for described in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example.org/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ):
        with pytest.raises(ProviderFailed):
            await claims(Scripted(token(), described=described))


async def test_user_information_about_somebody_else_is_refused() -> None:
    with pytest.raises(ProviderFailed):
        await claims(Scripted(token(), user={"sub": "eve", "groups": ["admins"]}))


async def test_claims_of_the_signed_token_come_before_those_of_the_endpoint() -> None:
    found = await claims(Scripted(token(groups=["signed"]), user={"sub": "ada", "groups": ["endpoint"]}))
    assert found["groups"] == ["signed"]
