"""Groups and claims made into permissions."""

from __future__ import annotations

from gateway.access.permits import Actor
from gateway.access.rights import asked_of, entitled, split_groups, texts_of
from gateway.config import Oidc, Right

CONFIG = Oidc(
    issuer="https://id.example.org",
    client_id="gateway",
    client_secret="a secret of the client",
    scopes=("openid",),
    name="preferred_username",
    groups="groups",
    ids=("sub", "email"),
    rights=(
        Right(("tv:*",), group="editors"),
        Right(("radio:own",), claim="department", value="film"),
        Right(("tv:own",), claim="verified", value="true"),
    ),
)


def test_each_right_that_fits_adds_what_it_says() -> None:
    said = {"groups": ["x", "editors"], "department": ["film", "sound"], "sub": 7, "email": "a@example.org"}
    found = entitled(CONFIG, "ada", asked_of(CONFIG, said))
    assert found == Actor("ada", ("tv:*", "radio:own"), ("7", "a@example.org"), "oidc")
    assert entitled(CONFIG, "ada", asked_of(CONFIG, {"verified": True, "sub": "u"})) == Actor(
        "ada", ("tv:own",), ("u",), "oidc"
    )


def test_nothing_is_permitted_by_default() -> None:
    for said in ({}, {"sub": "u", "groups": "Editors"}, {"groups": {"editors": 1}}, {"department": None}):
        assert entitled(CONFIG, "ada", asked_of(CONFIG, said)) is None


def test_of_what_a_provider_says_only_that_is_kept_which_decides_and_not_without_end() -> None:
    said = {"groups": [f"g{n}" for n in range(900)], "phone": "123", "department": "x" * 5_000, "sub": ["u"]}
    kept = asked_of(CONFIG, said)
    assert set(kept) == {"groups", "department", "sub"}
    assert len(kept["groups"]) == 200
    assert kept["department"] == ()


def test_texts_in_claims_and_headers() -> None:
    assert texts_of([True, 3, "a", "", None, ["b"], 1.5]) == ("true", "3", "a")
    assert split_groups(" a, b|c,, d ") == ("a", "b", "c", "d")
