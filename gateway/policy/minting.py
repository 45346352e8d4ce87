"""`jwt`: a token of a few minutes that the gateway makes for each grant, for servers that trust its key.

    jwt: {as: token, key: "${KEY}", alg: HS256, minutes: 10, claims: {sub: "{guest.id}", video: {room: "{id}"}}}

Stands as `{jwt.token}`. A server may want several: what a guest may is not what the gateway asks for itself. Pure:
the time is given. What says when a token begins and ends is ours; all other claims are the policy's, texts in them
filled with the grant's variables.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gateway.policy.request import filled_json, names_in
from gateway.policy.template import Values

JWT = "jwt."
ALGORITHMS = ("HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA")
OURS = ("iat", "nbf", "exp")
_EARLIER = 60  # seconds that a token is good before now, for servers whose clock is late

MintingKey = OctKey | RSAKey | ECKey | OKPKey


class BadKey(ValueError):
    """The key does not fit the algorithm; says so without the key."""


@dataclass(frozen=True, slots=True)
class Minter:
    """`name` is that of the variable."""

    name: str
    alg: str
    minutes: int
    claims: Mapping[str, Any]
    key: MintingKey = field(repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)  # of the key, as it must not come back

    @property
    def variables(self) -> frozenset[str]:
        """What the claims tell of a grant."""
        return frozenset(names_in(self.claims))

    def subject(self, values: Values) -> str | None:
        """Who its tokens say that somebody is."""
        found = filled_json(self.claims.get("sub"), values)
        return found if isinstance(found, str) and found else None

    def mint(self, values: Values, now: int) -> tuple[str, int, int] | None:
        """A token, from when another one is to be used, and its end; times in ms. None when a variable is missing."""
        claims = filled_json(self.claims, values)
        if claims is None:
            return None
        seconds, life = now // 1000, 60 * self.minutes
        claims = {**claims, "iat": seconds, "nbf": seconds - _EARLIER, "exp": seconds + life}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            token = jwt.encode({"alg": self.alg, "typ": "JWT"}, claims, self.key, algorithms=[self.alg])
        return token, 1000 * (seconds + life - max(30, life // 5)), 1000 * (seconds + life)


def minted(minters: Iterable[Minter], values: Values, now: int) -> dict[str, tuple[str, ...]]:
    """Of each that these values are enough for, a new token, by the name of its variable."""
    made = ((minter.name, minter.mint(values, now)) for minter in minters)
    return {name: (token[0],) for name, token in made if token is not None}


def key_texts(text: str) -> list[str]:
    """Of a key what would give it away: all of it, or the lines of a PEM."""
    lines = text.replace("\\n", "\n").splitlines()
    return (
        [text]
        if len(lines) < 2
        else [line.strip() for line in lines if len(line.strip()) >= 20 and "-----" not in line]
    )


def read_key(alg: str, text: str) -> MintingKey:
    """Raises BadKey."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            if alg.startswith("HS"):
                return OctKey.import_key(text)
            # An environment often can't hold line ends.
            pem = text.replace("\\n", "\n").encode()
            found: RSAKey | ECKey | OKPKey
            if alg == "RS256":
                found = RSAKey.import_key(pem)
            elif alg == "ES256":
                found = ECKey.import_key(pem)
            else:
                found = OKPKey.import_key(pem)
            jwt.encode({"alg": alg}, {}, found, algorithms=[alg])
            return found
    except (JoseError, ValueError, TypeError, AttributeError) as error:
        kind = {"RS256": "an RSA", "ES256": "a P-256", "EdDSA": "an Ed25519"}.get(alg, "a")
        raise BadKey(f"is not {kind} private key in PEM") from error
