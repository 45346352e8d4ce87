"""The gateway's keys, derived from its secrets, newest first.

Rule: one secret, one key per purpose (HKDF-SHA256, RFC 5869), so that what is learned about one use
says nothing about another. The newest secret writes; every secret of the list still reads, which is
how they are rotated. `id` names the newest secret without telling anything about it: the store keeps
it, so that a gateway with another key refuses to start instead of finding no link.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET = 32  # bytes
_NONCE = 12


class Unsealable(ValueError):
    """No key of this gateway opens it."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Made by `derive`. Tuples are newest first."""

    ids: tuple[str, ...]
    session_fernets: MultiFernet = field(repr=False)
    device_fernets: MultiFernet = field(repr=False)  # what a guest's own device keeps for the next form
    _finding: tuple[bytes, ...] = field(repr=False)
    _sealing: tuple[AESGCM, ...] = field(repr=False)
    _forms: tuple[bytes, ...] = field(repr=False)
    _backups: tuple[bytes, ...] = field(repr=False)
    _devices: tuple[bytes, ...] = field(repr=False)
    _followed: tuple[AESSIV, ...] = field(repr=False)
    _beside: tuple[bytes, ...] = field(repr=False)
    _casts: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def derive(cls, secrets: Sequence[bytes]) -> Keys:
        """Raises ValueError without a secret, or with one that is too short to be guessed at never."""
        if not secrets or any(len(secret) < MIN_SECRET for secret in secrets):
            raise ValueError(f"secrets of at least {MIN_SECRET} bytes are needed")
        return cls(
            ids=tuple(_derived(secret, b"id").hex()[:16] for secret in secrets),
            session_fernets=_fernets(secrets, b"session"),
            device_fernets=_fernets(secrets, b"device"),
            _finding=tuple(_derived(secret, b"fingerprint") for secret in secrets),
            _sealing=tuple(AESGCM(_derived(secret, b"seal")) for secret in secrets),
            _forms=tuple(_derived(secret, b"form") for secret in secrets),
            _backups=tuple(_derived(secret, b"backup") for secret in secrets),
            _devices=tuple(_derived(secret, b"device") for secret in secrets),
            _followed=tuple(AESSIV(_derived(secret, b"followed", 64)) for secret in secrets),
            _beside=tuple(_derived(secret, b"followed name") for secret in secrets),
            _casts=tuple(_derived(secret, b"cast") for secret in secrets),
        )

    @property
    def id(self) -> str:
        return self.ids[0]

    def fingerprint(self, token: str) -> str:
        """The keyed hash by which a token is found; whoever reads the store learns no token from it."""
        return self.fingerprints(token)[0]

    def fingerprints(self, token: str) -> tuple[str, ...]:
        return tuple(hmac.digest(key, token.encode(), "sha256").hex()[:40] for key in self._finding)

    def seal(self, token: str) -> bytes:
        """The encrypted copy of a token, from which its URL is shown again. Base64 text."""
        nonce = random.token_bytes(_NONCE)
        return base64.urlsafe_b64encode(nonce + self._sealing[0].encrypt(nonce, token.encode(), None))

    def unseal(self, sealed: bytes) -> str:
        """Raises Unsealable."""
        try:
            raw = base64.urlsafe_b64decode(sealed)
        except ValueError as error:
            raise Unsealable("not a sealed token") from error
        for key in self._sealing:
            try:
                return key.decrypt(raw[:_NONCE], raw[_NONCE:], None).decode()
            except (InvalidTag, ValueError):
                continue
        raise Unsealable("sealed with a key that is not among the secrets")

    def sign_form(self, message: bytes) -> bytes:
        return hmac.digest(self._forms[0], message, "sha256")[:16]

    def check_form(self, message: bytes, signature: bytes) -> bool:
        return any(hmac.compare_digest(hmac.digest(key, message, "sha256")[:16], signature) for key in self._forms)

    def sign_device(self, message: bytes) -> bytes:
        return hmac.digest(self._devices[0], message, "sha256")[:16]

    def check_device(self, message: bytes, signature: bytes) -> bool:
        return any(hmac.compare_digest(hmac.digest(key, message, "sha256")[:16], signature) for key in self._devices)

    def seal_followed(self, grant: bytes, place: bytes) -> bytes:
        """A place that one grant may ask for, encrypted and signed: the same text each time (RFC 5297), as a player
        knows what it has loaded by its URL. Base64 text without padding."""
        return base64.urlsafe_b64encode(self._followed[0].encrypt(place, [grant])).rstrip(b"=")

    def unseal_followed(self, grant: bytes, sealed: str) -> bytes:
        """Raises Unsealable, also for a spelling that is not the one that was written."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise Unsealable("not a sealed place") from error
        if len(raw) <= 16 or base64.urlsafe_b64encode(raw).rstrip(b"=") != sealed.encode():
            raise Unsealable("not a sealed place")
        for key in self._followed:
            try:
                return key.decrypt(raw, [grant])
            except InvalidTag:
                continue
        raise Unsealable("not sealed for this grant")

    def signs_beside(self, grant: bytes, sealed: bytes) -> hashlib.blake2b:
        """What signs the names of files whose folder is `sealed`: take a copy, update it with the name, and the
        128 bits are its `hexdigest`. Keyed BLAKE2b, as a playlist holds a thousand names."""
        return _beside(self._beside[0], grant, sealed)

    def check_beside(self, grant: bytes, sealed: bytes, name: bytes, signature: str) -> bool:
        for key in self._beside:
            signing = _beside(key, grant, sealed)
            signing.update(name)
            if hmac.compare_digest(signing.hexdigest().encode(), signature.encode()):
                return True
        return False

    def sign_cast(self, message: bytes) -> bytes:
        return hmac.digest(self._casts[0], message, "sha256")[:16]

    def check_cast(self, message: bytes, signature: str) -> bool:
        """`signature` in hex, as it was written."""
        wanted = (hmac.digest(key, message, "sha256")[:16].hex().encode() for key in self._casts)
        return any(hmac.compare_digest(one, signature.encode()) for one in wanted)

    def sign_backup(self, digest: bytes) -> bytes:
        """Shows that a backup came from whoever holds the secret: a link that is restored opens an item."""
        return hmac.digest(self._backups[0], digest, "sha256")

    def check_backup(self, digest: bytes, signature: bytes) -> bool:
        return any(hmac.compare_digest(hmac.digest(key, digest, "sha256"), signature) for key in self._backups)


def _beside(key: bytes, grant: bytes, sealed: bytes) -> hashlib.blake2b:
    # Neither holds a NUL, so no other three texts are hashed alike.
    return hashlib.blake2b(b"\0".join((grant, sealed, b"")), key=key, digest_size=16)


def _fernets(secrets: Sequence[bytes], purpose: bytes) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(secret, purpose))) for secret in secrets])


def _derived(secret: bytes, purpose: bytes, length: int = 32) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"guest-gateway/1/" + purpose).derive(secret)
