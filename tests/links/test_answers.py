"""What a posted form says to its further questions: exactly what it could say, or a fault of that field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Consent, FormField, GuestForm, Wording
from gateway.links.answers import (
    CONSENT_CHANGED,
    MISSING,
    NO_CONSENT,
    NO_OPTION,
    NO_TICK,
    TOO_LONG,
    read_answers,
)


def one(text: str) -> Wording:
    return Wording((("", text),))


ROLES = (one("Staff, paid"), one("<b>Other</b>"), Wording((("de", "Gast"), ("en", "Guest"))))
FORM = GuestForm(
    (
        FormField("company", one("Company"), "text", most=20),
        FormField("role", one("Role"), "choice", options=ROLES),
        FormField("news", one("News"), "checkbox"),
    ),
    Consent(one("I agree"), "2026-11"),
)
NEEDED = GuestForm(
    (
        FormField("company", one("Company"), "text", required=True),
        FormField("role", one("Role"), "choice", required=True, options=ROLES),
        FormField("rules", one("Rules"), "checkbox", required=True),
    ),
    Consent(one("I agree"), "2026-11", required=False),
)
AGREED = {"consent": "2026-11"}


def test_good_answers_are_kept() -> None:
    found = read_answers(FORM, {"company": " Zoë & Söhne ", "role": "Guest", "news": "1", **AGREED})
    assert (found.fields, found.consent, found.errors) == (
        {"company": "Zoë & Söhne", "role": "Guest", "news": True},
        "2026-11",
        {},
    )


def test_what_need_not_be_answered_may_be_left_out() -> None:
    for posted in (AGREED, {"company": " \u200b ", "role": "", "news": "", **AGREED}):
        found = read_answers(FORM, posted)
        assert (found.fields, found.errors) == ({"news": False}, {})


def test_what_must_be_answered_is_missed_field_by_field_and_all_at_once() -> None:
    assert read_answers(NEEDED, {}).errors == {"company": MISSING, "role": NO_OPTION, "rules": NO_TICK}
    assert read_answers(NEEDED, {"company": "\u202e\x00\u2028", "role": "", "rules": ""}).errors.keys() == {
        "company", "role", "rules",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\u202eb\x00c\u2066\r\nd", "abcd"),
        ("=cmd()|'x'!A1", "=cmd()|'x'!A1"),
        ("<script>alert(1)</script>"[:20], "<script>alert(1)</sc"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("half \ud83d", "half"),
    ],
)
def test_text_is_tidied_as_names_are(typed: str, kept: str) -> None:
    assert read_answers(FORM, {"company": typed, **AGREED}).fields["company"] == kept


def test_characters_are_counted_after_tidying() -> None:
    assert read_answers(FORM, {"company": "x" * 20 + "\u202e" * 50, **AGREED}).errors == {}
    assert read_answers(FORM, {"company": "x" * 21, **AGREED}).errors == {"company": TOO_LONG}


@pytest.mark.parametrize(
    "value",
    ["Gast", "guest", "Guest ", " Guest", "Gu\u0435st", "G\u200buest", "\uff27uest", "Staff", "0", "Other",
     "Staff, paid\0"],
)  # fmt: skip
def test_a_choice_is_one_of_its_options_to_the_letter(value: str) -> None:
    found = read_answers(FORM, {"role": value, **AGREED})
    assert found.errors == {"role": NO_OPTION}
    assert "role" not in found.fields


@pytest.mark.parametrize("value", ["on", "true", "0", "false", "no", " 1", "1 ", "\uff11", "10"])
def test_a_box_is_ticked_by_its_own_value_alone(value: str) -> None:
    assert read_answers(FORM, {"news": value, **AGREED}).errors == {"news": NO_TICK}


@pytest.mark.parametrize("value", ["1", "on", "true", "false", "0", "2026-10", "2026-11 ", "\uff12026-11"])
def test_nobody_agrees_to_another_text_than_the_one_in_force(value: str) -> None:
    for form in (FORM, NEEDED):
        found = read_answers(form, {"consent": value})
        assert found.consent is None
        assert found.errors["consent"] == CONSENT_CHANGED


def test_consent_must_be_given_only_where_it_is_required() -> None:
    for posted in ({}, {"consent": ""}):
        assert read_answers(FORM, posted).errors == {"consent": NO_CONSENT}
        assert "consent" not in read_answers(NEEDED, posted).errors
    assert read_answers(NEEDED, AGREED).consent == "2026-11"


def test_what_is_not_asked_is_not_kept() -> None:
    extra = {"admin": "1", "company2": "x", "fields": "{}", **AGREED}
    assert read_answers(FORM, extra).fields == {"news": False}
    assert read_answers(GuestForm(), extra) == read_answers(GuestForm(), {})


@given(st.dictionaries(st.sampled_from(["company", "role", "news", "consent"]), st.text(max_size=40)))
def test_whatever_is_posted_is_an_answer_or_a_fault(posted: dict[str, str]) -> None:
    found = read_answers(FORM, posted)
    assert not found.errors.keys() & found.fields.keys()
    assert found.fields.get("role", "Guest") in {"Staff, paid", "<b>Other</b>", "Guest"}
    assert found.fields.get("news", False) in {True, False}
    assert 0 < len(str(found.fields.get("company", "x"))) <= 20
    assert found.consent in {None, "2026-11"}
