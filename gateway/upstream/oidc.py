"""The conversation with an OpenID Connect provider (code flow with PKCE; OpenID Connect Core 1.0, RFC 7636).

Rule: everything a token says is checked before it is believed: the signature by the provider's own keys
and one of few algorithms, issuer, audience, time, and the nonce of this very sign-in. Redirects are not
followed, answers are small, and a provider that does not answer is a sign-in that does not happen.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.config import Oidc
from gateway.errors import GatewayError

MAX_ANSWER = 1024 * 1024  # bytes
DEADLINE = 10.0  # seconds for one request to the provider
SKEW = 60  # seconds by which clocks may differ
_KEPT = 3_600.0  # seconds the provider's description and keys are good for
_ANEW = 30.0  # seconds after which unknown keys are asked for again
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LONGEST = 24 * 3_600  # seconds that a token may be old


class ProviderFailed(GatewayError):
    """The provider did not answer as it should, or its token is not to be believed. Says nothing secret."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one sign-in sends along and must get back."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Provider:
    """One provider; needs a running loop, `close` when done."""

    def __init__(self, config: Oidc) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._described: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def address(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to sign in. Raises ProviderFailed."""
        endpoint = await self._endpoint("authorization_endpoint")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._config.client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(self._config.scopes),
                "state": attempt.state,
                "nonce": attempt.nonce,
                "code_challenge": attempt.challenge,
                "code_challenge_method": "S256",
            }
        )
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"

    async def claims(self, attempt: Attempt, code: str, redirect_uri: str) -> dict[str, Any]:
        """Who has signed in: the claims of the ID token, and those of the user information endpoint. Raises
        ProviderFailed."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = {"Accept": "application/json"}
        methods = (await self._description()).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in methods:
            # RFC 6749 2.3.1: each half is form-encoded first.
            pair = f"{quote(self._config.client_id, safe='')}:{quote(self._config.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self._config.client_id, "client_secret": self._config.client_secret}
        answer = await self._ask("POST", await self._endpoint("token_endpoint"), headers, form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("the provider's answer holds no ID token")
        claims = await self._checked(token, attempt)
        return {**await self._user(answer, claims), **claims}

    async def _user(self, answer: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        endpoint, access = (await self._description()).get("userinfo_endpoint"), answer.get("access_token")
        if not isinstance(endpoint, str) or not isinstance(access, str):
            return {}
        headers = {"Accept": "application/json", "Authorization": f"Bearer {access}"}
        user = await self._ask("GET", _address(endpoint), headers)
        if user.get("sub") != claims["sub"]:
            raise ProviderFailed("the user information is about somebody else")  # Core 5.3.2
        return dict(user)

    async def _checked(self, token: str, attempt: Attempt) -> dict[str, Any]:
        """The claims of an ID token that is in order (OpenID Connect Core 3.1.3.7)."""
        try:
            decoded = jwt.decode(token, await self._key_set(), algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            # Perhaps the provider has new keys.
            try:
                decoded = jwt.decode(token, await self._key_set(anew=True), algorithms=_ALGORITHMS)
            except (JoseError, ValueError) as error:
                raise ProviderFailed(f"the ID token is not signed as it should be ({type(error).__name__})") from error
        claims, now = dict(decoded.claims), time.time()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires, issued = claims.get("exp"), claims.get("iat")
        faults = {
            "issuer": claims.get("iss") != self._config.issuer,
            "audience": self._config.client_id not in audiences,
            "authorised party": claims.get("azp", self._config.client_id) != self._config.client_id,
            "expiry": not isinstance(expires, (int, float)) or now > expires + SKEW,
            "time of issue": not isinstance(issued, (int, float)) or not now - _LONGEST < issued < now + SKEW,
            "nonce": claims.get("nonce") != attempt.nonce,
            "subject": not isinstance(claims.get("sub"), str) or not claims["sub"],
        }
        wrong = [name for name, fault in faults.items() if fault]
        if wrong:
            raise ProviderFailed(f"the ID token's {', '.join(wrong)} can't be accepted")
        return claims

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        now = time.monotonic()
        if self._keys is not None and now - self._keys[0] < (_ANEW if anew else _KEPT):
            return self._keys[1]
        found = await self._ask("GET", await self._endpoint("jwks_uri"), {"Accept": "application/json"})
        try:
            keys = KeySet.import_key_set({"keys": [key for key in found["keys"] if key.get("use") in (None, "sig")]})
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderFailed("the provider's keys can't be read") from error
        self._keys = (now, keys)
        return keys

    async def _description(self) -> Mapping[str, Any]:
        now = time.monotonic()
        if self._described is not None and now - self._described[0] < _KEPT:
            return self._described[1]
        address = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await self._ask("GET", address, {"Accept": "application/json"})
        if found.get("issuer") != self._config.issuer:
            raise ProviderFailed("the provider calls itself by another issuer than the configuration")
        self._described = (now, found)
        return found

    async def _endpoint(self, name: str) -> str:
        return _address((await self._description()).get(name))

    async def _ask(
        self, method: str, address: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=8, resolver=aiohttp.ThreadedResolver()),
                trust_env=False,
            )
        try:
            async with (
                asyncio.timeout(DEADLINE),
                self._session.request(method, address, headers=headers, data=form, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(MAX_ANSWER + 1)
                while len(body) <= MAX_ANSWER and (more := await answer.content.read(MAX_ANSWER)):
                    body += more
                if answer.status != 200 or len(body) > MAX_ANSWER:
                    raise ProviderFailed(f"the provider answered {answer.status} on {urlsplit(address).path}")
                found = json.loads(body)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ProviderFailed(f"no usable answer from the provider ({type(error).__name__})") from error
        if not isinstance(found, dict):
            raise ProviderFailed("the provider's answer is no JSON object")
        return found


def _address(value: object) -> str:
    """An endpoint: https, or plain on this machine."""
    text = value if isinstance(value, str) else ""
    parts = urlsplit(text)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not (parts.scheme == "https" or local) or not parts.hostname:
        raise ProviderFailed("the provider names an endpoint that is no https address")
    return text
