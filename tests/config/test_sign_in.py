"""`sign_in` in config.yaml: read whole, with every fault at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config_file import load_config
from gateway.errors import BadFile

BASE = "public_url: http://127.0.0.1:8080\n"


def load(tmp_path: Path, text: str):  # type: ignore[no-untyped-def]
    (tmp_path / "config.yaml").write_text(BASE + text)
    return load_config(tmp_path / "config.yaml", {})


def test_a_provider(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a client's secret\n")
    secret.chmod(0o600)
    found = load(
        tmp_path,
        "sign_in:\n  oidc:\n    issuer: https://id.example.org/realm\n    client_id: gateway\n"
        "    client_secret: file:secret\n    scopes: [profile]\n    ids: [sub, email]\n"
        '    rights: [{group: staff, may: ["tv:own"]}, {claim: department, value: film, may: ["tv:*"]}]\n',
    ).sign_in.oidc
    assert found is not None
    assert (found.issuer, found.client_secret, found.scopes) == (
        "https://id.example.org/realm", "a client's secret", ("openid", "profile"),
    )  # fmt: skip
    assert [(right.group, right.claim, right.value, right.may) for right in found.rights] == [
        ("staff", None, None, ("tv:own",)), (None, "department", "film", ("tv:*",)),
    ]  # fmt: skip
    assert "a client's secret" not in repr(found)


def test_a_proxys_word(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "sign_in:\n  trusted_header:\n    user: X-Remote-User\n    groups: X-Groups\n    from: [10.0.0.0/8]\n"
        '    rights: [{group: staff, may: ["tv:*"]}]\n',
    ).sign_in.trusted_header
    assert found is not None
    assert (found.user, found.groups, found.peers) == ("X-Remote-User", "X-Groups", ("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sign_in: ldap\n", "2:10: sign_in: must be password, or a mapping"),
        ("sign_in: {oidc: {issuer: x}}\n", "sign_in.oidc.client_id: is missing"),
        ("sign_in:\n  oidc: {issuer: 'http://id.example.org', client_id: a, client_secret: b, rights: []}\n",
         "3:18: sign_in.oidc.issuer: must be a URL such as https://id.example.org"),
        ("sign_in:\n  trusted_header: {user: X-User}\n", "sign_in.trusted_header.from: is missing"),
        ("sign_in:\n  trusted_header: {user: X_User, from: [127.0.0.1], rights: [{group: a, may: ['tv:*']}]}\n",
         "3:26: sign_in.trusted_header.user: must be a header's name"),
        ("sign_in:\n  trusted_header: {user: X-U, from: [127.0.0.1], rights: [{claim: a, value: b, may: ['tv:*']}]}\n",
         "a header carries no claims"),
        ("sign_in:\n  oidc: {}\n  trusted_header: {}\n", "one way only"),
        ("sign_in:\n  oidc: {issuer: 'https://a.example', client_id: a, client_secret: b, rights: [{may: [x]}]}\n",
         "must be server:item"),
    ],
)  # fmt: skip
def test_faults_are_named_at_their_place(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(BadFile) as caught:
        load(tmp_path, text)
    assert what in str(caught.value)
