"""Every language that ships is whole, and written as that language is.

What is missing is listed by `.venv/bin/python tools/locales.py`, ready to be filled in.
"""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from gateway.web.catalogue import FOLDER, cldr_of, missing, plural_forms, read_catalogue, troubles
from gateway.web.i18n import Catalogues

ROOT = Path(__file__).parents[2]
ENGLISH = read_catalogue(FOLDER / "en.yaml")
OTHERS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "en")

# Texts that may read as the English ones do: words that a language has taken over, and texts of holes alone.
SAME = {
    "page.title",
    "date.full",
    "player.quality.level",
    "player.speed.rate",
    "player.speed.normal",
    "player.inset",
    "watch.keys.inset",
    "page.links",
    "page.colon",
    "page.comma",
    "entry.consent.version",
    "manage.guests.consented",
    "manage.guests.no",
    "manage.guests.link",
    "manage.guests.name",
    "manage.sign_in.name",
    "manage.links.count.one",
    "manage.links.count.other",
    "manage.column.actions",
    "manage.kind.video",
    "manage.kind.audio",
    "manage.kind.live",
    "player.live",
    "watch.chat",
    "room.chat",
    "room.chat.message",
    "player.volume",
    "player.pause",
    "player.seek",
    "manage.qr",
    "entry.pin",
    "manage.link.pin",
    "manage.link.beyond.pin",
}
# The least of each text that is written in the language's own script
SCRIPTS = {"he": "HEBREW", "ar": "ARABIC", "ja": "CJK|HIRAGANA|KATAKANA"}


@pytest.fixture(params=OTHERS)
def language(request):
    return request.param


@pytest.fixture
def texts(language):
    return read_catalogue(FOLDER / f"{language}.yaml")


def written(texts):
    """Keys and texts without what tells how dates and numbers are written."""
    return [(key, text) for key, text in texts.items() if not key.startswith("format.")]


def test_the_languages_that_ship():
    assert {"de", "fr", "es", "he", "ar", "ja", "pt"} <= set(OTHERS)


def test_nothing_is_missing(language, texts):
    assert missing(language, texts, ENGLISH) == []


def test_keys_holes_and_plural_forms_are_those_of_the_english_texts(language, texts):
    assert list(troubles(language, texts, ENGLISH)) == []


def test_the_english_texts_are_a_catalogue_themselves():
    assert list(troubles("en", ENGLISH, ENGLISH)) == []
    assert missing("en", ENGLISH, ENGLISH) == []


def test_every_text_is_translated(texts):
    same = {key for key, text in written(texts) if ENGLISH.get(key) == text}
    assert same <= SAME


def test_texts_are_in_the_script_of_their_language(language, texts):
    script = SCRIPTS.get(language)
    for key, text in written(texts):
        letters = [unicodedata.name(one, "") for one in re.sub(r"\{\w+\}", "", text) if one.isalpha()]
        if script is not None and letters and key not in SAME:
            assert any(re.match(script, name) for name in letters), (key, text)
        elif script is None:
            assert all(name.startswith(("LATIN", "FEMININE", "MASCULINE")) for name in letters), (key, text)


@pytest.mark.parametrize("language", ["en", *OTHERS])
def test_no_text_has_typewriter_signs(texts):
    for key, text in written(texts):
        assert key in ("page.colon", "page.comma") or not re.search(r"""["'`]|\.\.\.|  |^\s|\s$|\t|--""", text), (
            key,
            text,
        )


FAULTS = {
    "fr": r"(?<![\u202f\w/])[;:!?»]|\w[;!?»]|\w:(?!//)|«(?!\u202f)|[“”„]",
    "de": r"[”«»]|„[^“]*$",
    "es": r"[“”„]|^[^¿]*\?|^[^¡]*!|[«] | [»]",
    "pt": r"[«»„]",
    "en": r"[«»„]",
    "he": r"[«»„]|“[^”]*”|[،؟؛]",
    "ar": r"[\u0600-\u06ff][,;?]|[“”„]|[\u0660-\u0669\u06f0-\u06f9]",
    "ja": r"[?!,;]\s|[\u3040-\u30ff\u4e00-\u9fff][?!,.;]|[“”«»]|[a-z] [\u3040-\u30ff\u4e00-\u9fff]",
}


@pytest.mark.parametrize("language", ["en", *OTHERS])
def test_punctuation_is_that_of_the_language(language, texts):
    wrong = [(key, text) for key, text in written(texts) if re.search(FAULTS[language], text)]
    assert wrong == []


@pytest.mark.parametrize(
    ("language", "number", "date"),
    [
        ("en", "1,234 12,345", "3 November 2026, 14:05 UTC"),
        ("de", "1.234 12.345", "3. November 2026, 14:05 UTC"),
        ("fr", "1\u202f234 12\u202f345", "3 novembre 2026 à 14:05 UTC"),
        ("es", "1234 12.345", "3 de noviembre de 2026, 14:05 UTC"),
        ("pt", "1.234 12.345", "3 de novembro de 2026, 14:05 UTC"),
        ("he", "1,234 12,345", "3 בנובמבר 2026, 14:05 UTC"),
        ("ar", "1,234 12,345", "3 نوفمبر 2026، 14:05 UTC"),
        ("ja", "1,234 12,345", "2026年11月3日 14:05（UTC）"),
    ],
)
def test_numbers_and_dates(language, number, date):
    locale = Catalogues.load().locales[language]
    assert f"{locale.number(1234)} {locale.number(12345)}" == number
    assert locale.date(1_793_714_700_000) == date
    assert (locale.number(0), locale.number(-5), locale.number(999)) == ("0", "-5", "999")


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", {0: "other", 1: "one", 2: "other"}),
        ("fr", {0: "one", 1: "one", 2: "other", 1_000_000: "many"}),
        ("pt", {0: "one", 1: "one", 2: "other", 1_000_000: "many"}),
        ("es", {0: "other", 1: "one", 2: "other", 1_000_000: "many"}),
        ("he", {0: "other", 1: "one", 2: "two", 3: "other", 20: "other"}),
        ("ar", {0: "zero", 1: "one", 2: "two", 3: "few", 11: "many", 100: "other", 103: "few"}),
        ("ja", {0: "other", 1: "other"}),
    ],
)
def test_each_count_takes_its_form(language, forms):
    locale = Catalogues.load().locales[language]
    for count, form in forms.items():
        expected = locale.texts[f"manage.links.count.{form}"].format(count=locale.number(count))
        assert locale.t("manage.links.count", count=count) == expected


def test_scripts_write_as_the_server_does():
    locales = Catalogues.load().locales
    assert locales["en"].intl == "en-GB-u-hc-h23-nu-latn"
    assert locales["ar"].intl == "ar-u-hc-h23-nu-latn"


def test_directions():
    locales = Catalogues.load().locales
    assert {one for one in locales if locales[one].direction == "rtl"} == {"he", "ar"}


# --- what the checks would say --------------------------------------------------------------------


def test_what_is_wrong_with_a_catalogue_is_named():
    english = {"a": "Hello {name}", "n.one": "{count} day", "n.other": "{count} days", "n.note": "A note"}
    arabic = {
        "format.locale": "ar",
        "a": "مرحبا {nome}",
        "b": "x",
        "n.one": "يوم",
        "n.few": "{count} أيام",
        "n.many": "أيام",
        "n.note": "<b>x</b>",
    }
    assert dict(troubles("ar", arabic, english)) == {
        "a": "holes that differ from the English text: name, nome",
        "b": "no text of this name is shown",
        "n.many": "holes that differ from the English text: count",
        "n.note": "markup: texts are shown as they stand",
    }
    assert missing("ar", arabic, english) == ["n.zero", "n.two", "n.other"]
    assert dict(troubles("ja", {"n.one": "日", "a": "{name!r}"}, english)) == {
        "n.one": "ja has no plural form 'one' (but other)",
        "a": "{name} is not a name",
    }
    assert "many" in plural_forms(cldr_of("fr", {}))


def test_a_new_language_is_begun_with_what_the_tool_lists(tmp_path):
    run = [sys.executable, str(ROOT / "tools" / "locales.py")]
    listed = subprocess.run([*run, "pl"], capture_output=True, text=True, timeout=60)
    assert listed.returncode == 1
    (tmp_path / "pl.yaml").write_text(listed.stdout)
    polish = read_catalogue(tmp_path / "pl.yaml")
    assert missing("pl", polish, ENGLISH) == []
    assert list(troubles("pl", polish, ENGLISH)) == []
    unknown = subprocess.run([*run, "qqx"], capture_output=True, text=True, timeout=60)
    assert (unknown.returncode, unknown.stderr) == (2, "CLDR knows no language 'qqx'\n")
