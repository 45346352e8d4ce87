from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from gateway.errors import BadFile
from gateway.web.i18n import Catalogues, Locale


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "en.yaml").write_text(
        'format.locale: en-GB\nhello: "Hello, {name}"\n'
        'things.one: one thing\nthings.other: "{count} things"\n'
        'date.full: "{date}, {time} {zone}"\n'
    )
    (tmp_path / "he.yaml").write_text('hello: "שלום {name}"\n')
    (tmp_path / "pt-BR.yaml").write_text('hello: "Olá, {name}"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("he", "he"),
        ("he-IL,en;q=0.8", "he"),
        ("fr, he;q=0.3, en;q=0.5", "en"),
        ("PT-br", "pt-BR"),
        ("pt", "en"),
        ("he;q=0, xx", "en"),
        ("he;q=high", "en"),
        (",;=,;q=," * 400, "en"),
        ("iw", "he"),
        ("iw-IL, en;q=0.5", "he"),
        ("zh-TW,zh;q=0.9", "en"),
        ("*", "en"),
    ],
)
def test_the_browser_chooses(folder, header, language):
    assert Catalogues.load(folder=folder).choose(header).language == language


def test_the_deployment_chooses_before_the_browser_does(folder):
    chosen = Catalogues.load(["he", "en"], folder)
    assert chosen.choose("fr").language == "he"
    assert chosen.choose("pt-BR").language == "he"


def test_what_is_chosen_by_hand_wins_while_it_is_on_offer(folder):
    on_offer = Catalogues.load(["en", "he"], folder)
    assert on_offer.choose("he", "en").language == "en"
    assert on_offer.choose("en", "he").language == "he"
    for other in ("", "pt-BR", "HE", "he-IL", "../he", "he\n"):
        assert on_offer.choose("en", other).language == "en"


def test_languages_are_named_in_their_own_words(folder):
    names = {locale.language: locale.name for locale in Catalogues.load(folder=folder).locales.values()}
    assert names == {"en": "English", "he": "עברית", "pt-BR": "Português (Brasil)"}


def test_what_a_language_leaves_out_is_english(folder):
    hebrew = Catalogues.load(folder=folder).locales["he"]
    assert hebrew.direction == "rtl"
    assert hebrew.t("hello", name="Noa") == "שלום Noa"
    assert hebrew.t("things", count=2) == "2 things"


def test_plurals_and_numbers(folder):
    english = Catalogues.load(folder=folder).locales["en"]
    assert english.t("things", count=1) == "one thing"
    assert english.t("things", count=0) == "0 things"
    assert english.t("things", count=12_345) == "12,345 things"


def test_dates_have_a_zone(folder):
    english = Catalogues.load(folder=folder).locales["en"]
    assert english.date(1_795_000_000_000) == "18 November 2026, 11:06 UTC"
    assert english.date(1_795_000_000_000, timezone(timedelta(hours=9), "JST")) == "18 November 2026, 20:06 JST"


def test_braces_in_what_a_guest_wrote_stay_as_they_are(folder):
    english = Catalogues.load(folder=folder).locales["en"]
    assert english.t("hello", name="{name.__class__}") == "Hello, {name.__class__}"


def test_a_hole_in_a_page_is_a_bug():
    with pytest.raises(KeyError):
        Locale("en", {}, {}).t("no.such.key")


def test_a_plural_is_taken_whole_from_one_language(folder):
    """Not the English `one` because a catalogue has only `other`."""
    (folder / "de.yaml").write_text('things.other: "Sachen: {count}"\n')
    assert Catalogues.load(folder=folder).locales["de"].t("things", count=1) == "Sachen: 1"


def test_a_catalogue_of_a_language_that_there_is_not_is_named(folder):
    (folder / "qqx.yaml").write_text("hello: x\n")
    with pytest.raises(BadFile, match=r"qqx.yaml:1:1: CLDR knows no such language"):
        Catalogues.load(folder=folder)


def test_an_unknown_language_is_named(folder):
    with pytest.raises(BadFile, match="no texts for tlh"):
        Catalogues.load(["tlh"], folder)


def test_a_text_that_is_none_is_named(folder):
    (folder / "he.yaml").write_text("bye: x\nhello: [1]\n")
    with pytest.raises(BadFile, match=r"he.yaml:2:8: hello: a text must stand here"):
        Catalogues.load(folder=folder)
