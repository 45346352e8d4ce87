"""What a guest answered to the form's further questions, and whether they agreed. Pure.

Rule: what is kept is exactly one of the things the form could send. A choice is one of its options to the
letter, a tick is the one value its box has, a text is tidied as names are; anything else is a fault of that
field. A box for consent bears the version of its text, so nobody agrees to a text they were not shown:
not by `false`, and not by a form that was open while the text changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.config import FormField, GuestForm
from gateway.links.text import tidy

TICKED = "1"
CONSENT = "consent"
MISSING = "entry.error.field.missing"
TOO_LONG = "entry.error.field.long"
NO_OPTION = "entry.error.field.option"
NO_TICK = "entry.error.field.tick"
NO_CONSENT = "entry.error.consent"
CONSENT_CHANGED = "entry.error.consent.changed"


@dataclass(frozen=True, slots=True)
class Answers:
    """`fields` are those that were answered, `consent` the version agreed to; `errors` maps a field to the key of
    what is wrong with it."""

    fields: Mapping[str, str | bool] = field(repr=False, default_factory=dict)
    consent: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


def read_answers(form: GuestForm, posted: Mapping[str, str]) -> Answers:
    """Names the form does not have are none of its answers."""
    kept: dict[str, str | bool] = {}
    errors: dict[str, str] = {}
    for asked in form.fields:
        value, error = _read(asked, posted.get(asked.name, ""))
        if error is not None:
            errors[asked.name] = error
        elif value != "":
            kept[asked.name] = value
    agreement = read_agreement(form, posted)
    return Answers(kept, agreement.consent, {**errors, **agreement.errors})


def read_agreement(form: GuestForm, posted: Mapping[str, str]) -> Answers:
    """Of the consent alone."""
    consent, ticked = form.consent, posted.get(CONSENT, "")
    if consent is None or (not ticked and not consent.required):
        return Answers()
    if ticked == consent.version:
        return Answers(consent=consent.version)
    return Answers(errors={CONSENT: CONSENT_CHANGED if ticked else NO_CONSENT})


def _read(asked: FormField, posted: str) -> tuple[str | bool, str | None]:
    if asked.type == "checkbox":
        if posted not in ("", TICKED) or (asked.required and not posted):
            return False, NO_TICK
        return posted == TICKED, None
    if asked.type == "choice":
        if posted and posted not in {option.plain for option in asked.options}:
            return "", NO_OPTION
        return posted, NO_OPTION if asked.required and not posted else None
    text = tidy(posted)
    if len(text) > asked.most:
        return "", TOO_LONG
    return text, MISSING if asked.required and not text else None
