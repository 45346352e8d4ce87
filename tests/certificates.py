"""Certificates for tests, made on the spot; each is its own authority."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.config import Tls

HOSTS = ("127.0.0.1", "localhost", "guest.example.org", "*.tv.example.org")


def issue(
    folder: Path,
    hosts: Sequence[str] = HOSTS,
    *,
    days: float = 90,
    starts: float = -1,
    bits: int = 0,
    password: bytes | None = None,
    mode: int = 0o600,
) -> Tls:
    """Write `tls.pem` and `tls.key` into the folder; `bits`: an RSA key, else an elliptic one."""
    key = rsa.generate_private_key(65_537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    # A name of its own: clients look for who signed by name.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(8))])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=min(starts, days - 1)))
        .not_valid_after(now + timedelta(days=days))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(key, hashes.SHA256())
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    files = Tls(folder / "tls.pem", folder / "tls.key")
    folder.mkdir(exist_ok=True)
    files.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    files.key.chmod(mode)
    return files


def serial(files: Tls) -> int:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes()).serial_number


def trusting(*files: Tls) -> ssl.SSLContext:
    """A client that believes these and nobody else."""
    context = ssl.create_default_context()
    for one in files:
        context.load_verify_locations(cadata=one.certificate.read_text())
    return context


def careless() -> ssl.SSLContext:
    """A client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def served_serial(connection: object) -> int:
    """Of the certificate at the other end of an SSL object."""
    der = connection.getpeercert(binary_form=True)  # type: ignore[attr-defined]
    return x509.load_der_x509_certificate(der).serial_number
