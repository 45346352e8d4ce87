"""The gateway's own TLS: a certificate and its key, read from two files into what a listener needs.

Rule: a pair is usable as a whole or not at all, and what is wrong is said in a sentence that names the file
and never shows what is in it. TLS 1.2 and newer, with forward secrecy and authenticated ciphers alone.

Why our own look besides OpenSSL's: its words are codes, it asks for a key's password on the terminal, and it
does not mind a key that everybody can read.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtensionOID

from gateway import files
from gateway.config import Tls
from gateway.errors import BadCertificate

SOON = timedelta(days=14)  # an end that is worth a word
_MAX_FILE = 1_000_000
# All that browsers of the last ten years speak in 1.2; the suites of 1.3 are good as they are.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A usable pair. `names` are the host names (`*.` for one label) and addresses it is made for."""

    context: ssl.SSLContext
    names: tuple[str, ...]
    starts: datetime
    ends: datetime
    fingerprint: str  # SHA-256 of the server's own certificate

    def covers(self, host: str) -> bool:
        """Whether a browser that asks for this host takes it."""
        wanted = _address(host.strip("[]")) or host.lower().removesuffix(".")
        first, _, rest = wanted.partition(".")
        return any(name == wanted or (name == f"*.{rest}" and bool(first) and bool(rest)) for name in self.names)

    def remarks(self, hosts: Iterable[str], now: datetime) -> list[str]:
        """What is wrong with it although it can be used."""
        found = []
        if self.ends <= now:
            found.append(f"has expired on {self.ends:%Y-%m-%d %H:%M} UTC: browsers refuse it")
        elif self.ends - now < SOON:
            found.append(f"expires on {self.ends:%Y-%m-%d %H:%M} UTC")
        if self.starts > now:
            found.append(f"is not valid before {self.starts:%Y-%m-%d %H:%M} UTC: browsers refuse it")
        missing = [host for host in dict.fromkeys(hosts) if not self.covers(host)]
        if missing:
            found.append(f"is not made for {', '.join(missing)} (but for {', '.join(self.names) or 'no name'})")
        return found


def load_certificate(named: Tls) -> Certificate:
    """Read both files. Raises BadCertificate."""
    text, open_to_all = _read("certificate", named.certificate)
    if b"PRIVATE KEY-----" in text and open_to_all is not None:
        raise BadCertificate("certificate", open_to_all)
    secret, open_to_all = _read("key", named.key)
    if open_to_all is not None:
        raise BadCertificate("key", open_to_all)
    chain, key = _chain(named.certificate, text), _key(named.key, secret)
    owner = _public(key.public_key())
    if _public(chain[0].public_key()) != owner:
        later = any(_public(one.public_key()) == owner for one in chain[1:])
        why = "the server's own certificate must come first in that file" if later else "the two do not belong together"
        raise BadCertificate("key", f"{named.key} is not the key of {named.certificate}: {why}")
    context = _context()
    try:
        with _as_file(text) as certificates, _as_file(secret) as private:
            context.load_cert_chain(certificates, private, password="")  # none: it must not ask
    except OSError as error:  # an SSLError, or a file that has just gone
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise BadCertificate("certificate", f"{named.certificate} can't be used: {reason}") from error
    leaf = chain[0]
    return Certificate(
        context,
        _names(leaf),
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
        leaf.fingerprint(hashes.SHA256()).hex(),
    )


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # A client that negotiates anew costs us far more than itself.
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """What was read and checked, for a library that opens files itself: those on the disk may be others by now."""
    if sys.platform == "linux" and Path("/proc/self/fd").is_dir():
        handle = os.memfd_create("tls")
        try:
            os.write(handle, content)
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def _read(which: str, path: Path) -> tuple[bytes, str | None]:
    """What is in the file, and what to say when everybody can read it."""
    try:
        mode, content = files.mode(path), files.content(path)
    except OSError as error:
        raise BadCertificate(which, f"{path} can't be read: {error.strerror or error}") from error
    if len(content) > _MAX_FILE:
        raise BadCertificate(which, f"{path} is larger than {_MAX_FILE} bytes")
    return content, f"{path} can be read by everybody (mode {mode:04o}): chmod 600 {path}" if mode & 0o007 else None


def _chain(path: Path, text: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise BadCertificate("certificate", f"{path} holds no certificate (-----BEGIN CERTIFICATE-----)") from None


def _key(path: Path, text: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(text, None)
    except TypeError:
        plain = f"openssl pkey -in {path} -out plain.key"
        raise BadCertificate("key", f"{path} is locked with a password, which nobody could enter: {plain}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificate("key", f"{path} holds no private key (-----BEGIN PRIVATE KEY-----)") from None


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return ()  # browsers have not looked at the common name for years
    assert isinstance(found, x509.SubjectAlternativeName)
    names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    return (*names, *(str(address) for address in found.get_values_for_type(x509.IPAddress)))


def _address(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None
