"""Reading a certificate and its key: what is wrong is said in a sentence, at the file that is at fault."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.certificate import load_certificate
from gateway.config import Tls
from gateway.errors import BadCertificate
from tests.certificates import issue


def other_key(files: Tls) -> None:
    shutil.copy(issue(files.key.parent / "other").key, files.key)


def chain_reversed(files: Tls) -> None:
    other = issue(files.key.parent / "other").certificate.read_bytes()
    files.certificate.write_bytes(other + files.certificate.read_bytes())


def both_in_one(files: Tls) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())


BAD: dict[str, tuple[Callable[[Tls], object], str, str]] = {
    "no certificate file": (lambda files: files.certificate.unlink(), "certificate", "can't be read: No such file"),
    "no key file": (lambda files: files.key.unlink(), "key", "can't be read: No such file"),
    "a folder": (lambda files: (files.key.unlink(), files.key.mkdir()), "key", "can't be read: Is a directory"),
    "readable key": (lambda files: files.key.chmod(0o644), "key", "can be read by everybody (mode 0644): chmod 600"),
    "key in a readable file": (both_in_one, "certificate", "can be read by everybody (mode 0644)"),
    "empty certificate": (lambda files: files.certificate.write_text(""), "certificate", "holds no certificate"),
    "junk": (lambda files: files.certificate.write_bytes(b"\xff" * 99), "certificate", "holds no certificate"),
    "key for certificate": (
        lambda files: shutil.copy(files.key, files.certificate),
        "certificate",
        "holds no certificate",
    ),
    "certificate for key": (lambda files: shutil.copyfile(files.certificate, files.key), "key", "holds no private key"),
    "cut key": (lambda files: files.key.write_bytes(files.key.read_bytes()[:99]), "key", "holds no private key"),
    "another key": (other_key, "key", "is not the key of"),
    "chain the wrong way": (chain_reversed, "key", "the server's own certificate must come first"),
    "locked": (lambda files: issue(files.key.parent, password=b"x"), "key", "is locked with a password"),
    "weak": (lambda files: issue(files.key.parent, bits=1024), "certificate", "can't be used: EE_KEY_TOO_SMALL"),
    "huge": (lambda files: files.certificate.write_bytes(b"x" * 1_048_577), "certificate", "is larger than"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_pair_says_which_file_and_why(tmp_path: Path, case: tuple[Callable[[Tls], object], str, str]) -> None:
    spoil, which, says = case
    files = issue(tmp_path)
    files.certificate.chmod(0o644)
    spoil(files)
    with pytest.raises(BadCertificate) as caught:
        load_certificate(files)
    assert caught.value.which == which
    assert says in str(caught.value)
    assert str(getattr(files, which)) in str(caught.value)
    assert "BEGIN P" not in str(caught.value).replace("-----BEGIN PRIVATE KEY-----", "")


@pytest.mark.parametrize("bits", [0, 2048])
def test_a_good_pair_is_used_with_good_defaults(tmp_path: Path, bits: int) -> None:
    files = issue(tmp_path, bits=bits, mode=0o640)
    context = load_certificate(files).context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    ciphers = [one["name"] for one in context.get_ciphers()]
    assert ciphers
    assert all(name.startswith(("TLS_", "ECDHE-")) for name in ciphers)
    assert not any(word in name for name in ciphers for word in ("CBC", "SHA1", "RC4", "3DES", "NULL"))


def test_both_may_lie_in_one_closed_file(tmp_path: Path) -> None:
    files = issue(tmp_path)
    both_in_one(files)
    files.certificate.chmod(0o600)
    assert load_certificate(Tls(files.certificate, files.certificate)).names


def test_it_says_for_whom_it_is_made(tmp_path: Path) -> None:
    found = load_certificate(issue(tmp_path, ["a.example.org", "*.tv.example.org", "192.0.2.7", "2001:db8::1"]))
    for host in ("a.example.org", "A.Example.ORG", "x.tv.example.org", "192.0.2.7", "[2001:db8:0::1]"):
        assert found.covers(host), host
    for host in (
        "b.example.org",
        "tv.example.org",
        "x.y.tv.example.org",
        "192.0.2.8",
        "example.org",
        ".tv.example.org",
    ):
        assert not found.covers(host), host
    (remark,) = found.remarks(["a.example.org", "b.example.org", "b.example.org"], datetime.now(UTC))
    assert remark.startswith("is not made for b.example.org (but for a.example.org, ")
    assert not load_certificate(issue(tmp_path, [])).covers("a.example.org")


def test_it_says_when_its_time_is_over_or_near(tmp_path: Path) -> None:
    found = load_certificate(issue(tmp_path, days=30))
    now = datetime.now(UTC)
    assert found.remarks(["localhost"], now) == []
    assert found.remarks(["localhost"], now + timedelta(days=20))[0].startswith("expires on ")
    assert found.remarks(["localhost"], now + timedelta(days=31))[0].startswith("has expired on ")
    assert found.remarks(["localhost"], now - timedelta(days=3))[0].startswith("is not valid before ")
