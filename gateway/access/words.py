"""What a guest types into the form, and what of it is kept.

Rule: nothing of a posted form has been looked at before `read_words`, which finds every fault at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.access.outcome import Denied
from gateway.config import GuestForm
from gateway.links.answers import Answers, read_answers
from gateway.links.records import Guest
from gateway.links.text import clean, clean_address
from gateway.reasons import Reason


@dataclass(frozen=True, slots=True)
class PostedForm:
    """As it came: nothing in it has been looked at. `answers` to what the form asks besides, by name. `source` is
    where it came from: the network address, as far as guesses are counted by it."""

    name: str
    email: str
    form: str
    shared_device: bool
    answers: Mapping[str, str] = field(default_factory=dict)
    pin: str = field(default="", repr=False)
    ticket: str = field(default="", repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Name, address and answers as they are kept."""

    name: str
    email: str
    answers: Answers


def read_words(posted: PostedForm, form: GuestForm) -> Words | Denied:
    """Name, address and answers as they are kept, or what is wrong with each."""
    errors: dict[str, str] = {}
    name = clean(posted.name)
    if name is None:
        errors["name"] = "entry.error.name"
    email = clean_address(posted.email)
    if email is None:
        errors["email"] = "entry.error.email"
    answers = read_answers(form, posted.answers)
    errors |= answers.errors
    if name is None or email is None or errors:
        return Denied(Reason.FORM_INVALID, ", ".join(errors), errors)
    return Words(name, email, answers)


def same(guest: Guest, words: Words, *, shared_device: bool) -> bool:
    """Whether these words are this guest's. Who adds or takes back "not my device" is treated as somebody else."""
    return (guest.name, guest.email, guest.shared_device) == (words.name, words.email, shared_device)


def digest_of(form: str, words: Words) -> str:
    return hashlib.sha256(f"{form}\0{words.name}\0{words.email}".encode()).hexdigest()[:32]
