"""One language's texts as a file, and what can be wrong with it.

A catalogue is one YAML file of flat dotted keys, `<language>.yaml`, named by the language's tag (`de`,
`pt-BR`). Values hold `{name}` where something is filled in, and never markup: templates escape what they
get. Where a count decides, a key has one text per plural form (`key.one`, `key.other` …); which forms a
language has, its dates and its numbers are CLDR's to say (Babel), so a language is one file and no code.

    format.locale     whose dates and numbers, where that is not the file's own name
    format.grouping   how many digits stand before the first group separator at least; 1 unless said

Why not gettext: the few hundred sentences need keys and plurals, not a tool chain.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from babel import Locale as Cldr
from babel import UnknownLocaleError

from gateway import yaml_source
from gateway.errors import BadFile
from gateway.yaml_source import Fault

FALLBACK = "en"
FOLDER = Path(__file__).parent.parent / "locales"
FORMS = ("zero", "one", "two", "few", "many", "other")

_FORMAT = ("format.locale", "format.grouping")


@lru_cache
def read_catalogue(path: Path) -> Mapping[str, str]:
    """The texts of a file. Raises BadFile."""
    source = yaml_source.read(path, shown=path.name, environ={})
    if isinstance(source.data, dict):
        for key, text in source.data.items():
            if not isinstance(text, str):
                source.fault((key,), f"{key}: a text must stand here")
        if not source.faults and cldr_of(path.stem, source.data) is None:
            source.fault((_FORMAT[0],), "CLDR knows no such language")
    elif not source.faults:
        source.fault((), "keys and texts must stand here")
    if source.faults:
        raise BadFile(source.faults)
    return dict(source.data)


def cldr_of(language: str, texts: Mapping[str, str]) -> Cldr | None:
    """What CLDR says about this language; None where it does not know it."""
    return _cldr(texts.get("format.locale", language))


@lru_cache
def _cldr(tag: str) -> Cldr | None:
    try:
        return Cldr.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None


def no_texts(folder: Path, missing: list[str], known: list[str]) -> BadFile:
    """For languages that are asked for and not there."""
    return BadFile([Fault(str(folder), 1, 1, f"no texts for {', '.join(missing)} (known: {', '.join(known)})")])


def plural_forms(cldr: Cldr) -> frozenset[str]:
    """The forms that counts take in this language."""
    return frozenset({*cldr.plural_form.tags, "other"})


def holes(text: str) -> frozenset[str]:
    """The names that are filled into a text. Raises ValueError for braces that are no hole."""
    found = set()
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError("{" + name + "} is not a name")
        found.add(name)
    return frozenset(found)


def troubles(language: str, texts: Mapping[str, str], english: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the texts of `language`, as pairs of key and fault; keys it leaves out are not among
    it, see `missing`. One form of a plural may say its count in words (`one`, `zero`, `two`)."""
    cldr = cldr_of(language, texts)
    assert cldr is not None  # read_catalogue has seen to it
    plurals = _plurals(english)
    forms = plural_forms(cldr)
    for key, text in texts.items():
        if key in _FORMAT:
            continue
        stem, _, form = key.rpartition(".")
        plural = stem in plurals and form in FORMS
        if key not in english and not plural:
            yield key, "no text of this name is shown"
            continue
        if plural and form not in forms:
            yield key, f"{language} has no plural form {form!r} (but {', '.join(f for f in FORMS if f in forms)})"
            continue
        if "<" in text or "&" in text:
            yield key, "markup: texts are shown as they stand"
        model = english[f"{stem}.other"] if plural else english[key]
        try:
            differing = holes(text) ^ holes(model)
        except ValueError as error:
            yield key, str(error)
            continue
        if plural and form in ("zero", "one", "two"):
            differing -= {"count"}
        if differing:
            yield key, "holes that differ from the English text: " + ", ".join(sorted(differing))


def missing(language: str, texts: Mapping[str, str], english: Mapping[str, str]) -> list[str]:
    """The keys this language has no text for, each plural form its own."""
    cldr = cldr_of(language, texts)
    assert cldr is not None
    plurals = _plurals(english)
    wanted: dict[str, None] = {}
    for key in english:
        stem, _, form = key.rpartition(".")
        if key in _FORMAT:
            continue
        if stem in plurals and form in FORMS:
            wanted |= dict.fromkeys(f"{stem}.{form}" for form in FORMS if form in plural_forms(cldr))
        else:
            wanted[key] = None
    return [key for key in wanted if key not in texts]


def _plurals(english: Mapping[str, str]) -> frozenset[str]:
    """The keys whose text depends on a count."""
    return frozenset(
        stem
        for key in english
        for stem, _, form in [key.rpartition(".")]
        if form == "other" and f"{stem}.one" in english
    )
