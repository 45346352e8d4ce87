"""`guests.fields` and `guests.consent`: each mistake at its place and all at once; what is right becomes a form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import config_guests
from gateway.config import Consent, FormField, Wording
from tests.config.test_config_file import PUBLIC, SERVER, faults, load

NAME = "must be small letters, digits and _, a letter first, at most 32"
VERSION = 'must be a short name such as "2026-11": letters, digits and . _ : + -, at most 40'
NOTICE = "must be an address such as https://example.org/privacy"
TEXT = "name: a, label: A, type: text"
CHOICE = "name: a, label: A, type: choice"
GOOD = 'text: I agree, version: "1"'

# A field, and what is wrong with it (behind `guests.fields[0]`), at its column in the line.
WRONG_FIELDS = {
    "label: A, type: text": "19: .name: is missing",
    "name: a, type: text": "19: .label: is missing",
    "name: a, label: A": "19: .type: is missing",
    "name: 1, label: A, type: text": "26: .name: must be text, not a number; write it in quotes",
    "name: A, label: A, type: text": f"26: .name: {NAME}",
    "name: a-b, label: A, type: text": f"26: .name: {NAME}",
    "name: __proto__, label: A, type: text": f"26: .name: {NAME}",
    f"name: {'a' * 33}, label: A, type: text": f"26: .name: {NAME}",
    "name: email, label: A, type: text":
        "26: .name: email is a name of the form's own; take another, such as your_email",
    "name: pin, label: A, type: text": "26: .name: pin is a name of the form's own; take another, such as your_pin",
    "name: a, label: '', type: text": "36: .label: must not be empty",
    "name: a, label: {}, type: text": "36: .label: must not be empty",
    "name: a, label: {en: A, xx: B}, type: text": "44: .label.xx: there are no pages in this language",
    "name: a, label: {en: ''}, type: text": "41: .label.en: must not be empty",
    "name: a, label: [A], type: text": "36: .label: must be text, not a list",
    f"name: a, label: {'A' * 201}, type: text": "36: .label: must have at most 200 characters",
    'name: a, label: "A\\0B", type: text': "36: .label: must hold no control characters",
    "name: a, label: A, type: date": "45: .type: must be text or choice or checkbox",
    f"{TEXT}, max: 0": "56: .max: must be a whole number from 1 to 1000",
    f"{TEXT}, max: 1001": "56: .max: must be a whole number from 1 to 1000",
    f"{TEXT}, required: maybe": "61: .required: must be true or false",
    f"{TEXT}, options: [a, b]": "51: .options: is for type: choice only",
    f"{TEXT}, placeholder: x": "51: .placeholder: unknown key",
    f"{TEXT}, help: ''": "57: .help: must not be empty",
    f"{CHOICE}, max: 3, options: [a, b]": "53: .max: is for type: text only",
    CHOICE: "19: .options: must be a list of two options or more, since this is a choice",
    f"{CHOICE}, options: [a]": "19: .options: must be a list of two options or more, since this is a choice",
    f"{CHOICE}, options: a": "62: .options: must be a list ([a, b], or lines that begin with -)",
    f"{CHOICE}, options: [a, b, a]": "69: .options[2]: stands here twice",
    f"{CHOICE}, options: [a, {{en: a}}]": "66: .options[1]: stands here twice",
    f"{CHOICE}, options: [a, 'b\u202e']":
        "66: .options[1]: must hold no format characters (such as marks of direction)",
    f"{CHOICE}, options: [a, {'b' * 101}]": "66: .options[1]: must have at most 100 characters",
}  # fmt: skip


@pytest.mark.parametrize("written", WRONG_FIELDS)
def test_a_mistake_in_a_field_is_named_at_its_place(tmp_path: Path, written: str) -> None:
    column, _, what = WRONG_FIELDS[written].partition(": ")
    found = faults(tmp_path, f"{PUBLIC}{SERVER}guests: {{fields: [{{{written}}}]}}\n")
    assert len(found) == 1, found
    # Which keys and languages there are is said too, where that is a short list.
    assert found[0].startswith(f"3:{column}: guests.fields[0]{what}")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("{text: I agree}", "3:19: guests.consent.version: is missing"),
        ('{version: "1"}', "3:19: guests.consent.text: is missing"),
        ("{text: I agree, version: }", "3:44: guests.consent.version: must not be empty"),
        ("{text: I agree, version: 1}", "3:44: guests.consent.version: must be text, not a number; write it in quotes"),
        ("{text: I agree, version: '<b>'}", f"3:44: guests.consent.version: {VERSION}"),
        (f"{{text: I agree, version: '{'1' * 41}'}}", f"3:44: guests.consent.version: {VERSION}"),
        (f"{{{GOOD}, url: http://example.org/x}}", f"3:54: guests.consent.url: {NOTICE}"),
        (f"{{{GOOD}, url: 'javascript:alert(1)'}}", f"3:54: guests.consent.url: {NOTICE}"),
        (f"{{{GOOD}, url: 'https:///x'}}", f"3:54: guests.consent.url: {NOTICE}"),
        (f"{{{GOOD}, url: 'https://u:p@example.org'}}", "3:54: guests.consent.url: must hold no user name or password"),
        (f"{{{GOOD}, required: 1}}", "3:59: guests.consent.required: must be true or false"),
        (f"{{{GOOD}, notice: x}}", "3:49: guests.consent.notice: unknown key"),
    ],
)
def test_a_mistake_in_the_consent_is_named_at_its_place(tmp_path: Path, written: str, fault: str) -> None:
    (found,) = faults(tmp_path, f"{PUBLIC}{SERVER}guests: {{consent: {written}}}\n")
    assert found.startswith(fault)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = (
        f"{PUBLIC}{SERVER}guests:\n  consent: {{text: 5}}\n  fields:\n    - {{name: form}}\n    - {{type: x, max: 0}}\n"
    )
    assert len(faults(tmp_path, text)) == 9


def test_two_fields_have_two_names_and_an_eleventh_is_one_too_many(tmp_path: Path) -> None:
    field = "    - {name: NAME, label: A, type: text}\n"
    text = f"{PUBLIC}{SERVER}guests:\n  fields:\n" + field.replace("NAME", "same") * 2
    assert faults(tmp_path, text) == ["6:14: guests.fields[1].name: same is taken (the field on line 5)"]
    fields = "".join(field.replace("NAME", f"n{number}") for number in range(11))
    assert faults(tmp_path, f"{PUBLIC}{SERVER}guests:\n  fields:\n{fields}") == [
        "15:7: guests.fields[10]: is one too many: at most 10 fields"
    ]


def test_no_field_can_stand_for_one_of_the_forms_own() -> None:
    """What its pages have or its door reads."""
    root = Path(config_guests.__file__).parent
    own: set[str] = set()
    for page in ("entry", "entry_consent", "agree", "waiting"):
        own |= set(re.findall(r' name="([a-z_]+)"', (root / "templates" / f"{page}.html").read_text()))
    own |= set(re.findall(r"field\('([a-z_]+)'", (root / "templates" / "entry.html").read_text()))
    door = (root / "guest" / "entry.py").read_text()
    own |= set(re.findall(r'fields\.get\("([a-z_]+)"', door)) | set(re.findall(r'"([a-z_]+)" in fields', door))
    own.discard("description")  # of the page, in its head
    assert {"name", "email", "form", "pin", "ticket", "consent", "agree", "remember"} <= own
    assert own <= set(config_guests._TAKEN)


def test_nothing_written_asks_for_nothing(tmp_path: Path) -> None:
    for text in ("", "guests:\n", "guests: {fields: [], consent: {}}\n"):
        form = load(tmp_path, PUBLIC + SERVER + text).guest_form
        assert (form.fields, form.consent, form.room) == ((), None, 0)


def test_what_is_written_is_what_guests_are_asked(tmp_path: Path) -> None:
    text = """guests:
  fields:
    - {name: company, label: Company, type: text, required: true, max: 80, help: "As on\\n your badge"}
    - name: role
      label: {en: Your role}
      type: choice
      options: ["Staff, paid", {en: <b>Other</b>}]
    - {name: news, label: Send me news, type: checkbox}
  consent:
    text: >
      I agree
      to this.
    version: 2026-11
    url: https://example.org/privacy?x=1
"""
    form = load(tmp_path, PUBLIC + SERVER + text).guest_form
    assert form.fields == (
        FormField("company", _one("Company"), "text", required=True, most=80, help=_one("As on your badge")),
        FormField(
            "role", Wording((("en", "Your role"),)), "choice",
            options=(_one("Staff, paid"), Wording((("en", "<b>Other</b>"),))),
        ),
        FormField("news", _one("Send me news"), "checkbox"),
    )  # fmt: skip
    assert form.consent == Consent(_one("I agree to this."), "2026-11", _one("https://example.org/privacy?x=1"))
    assert form.consent.required


def test_a_text_is_said_in_the_pages_language_or_the_nearest() -> None:
    both = Wording((("de", "Rolle"), ("en", "Role"), ("pt", "Papel")))
    assert both.said("de") == ("Rolle", "de")
    assert both.said("de-AT") == ("Rolle", "de")
    assert both.said("pt-BR") == ("Papel", "pt")
    assert both.said("ja") == ("Role", "en")
    assert Wording((("de", "Rolle"), ("fr", "Fonction"))).said("ja") == ("Rolle", "de")
    assert _one("Role").said("he") == ("Role", "")
    assert (both.plain, Wording((("de", "Rolle"),)).plain) == ("Role", "Rolle")


def _one(text: str) -> Wording:
    return Wording((("", text),))
