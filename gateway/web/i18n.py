"""Every text of our pages, in the language the browser asks for or the guest has chosen.

Rule: a language chosen by hand wins if it is on offer; then what the browser prefers; then the first on
offer. A text that a language leaves out is English. How plurals, dates and numbers are written is CLDR's
to say (see `catalogue`); times are those of a 24-hour clock with their zone, digits are 0-9 everywhere:
they stand beside addresses and codes, and scripts on the page write the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path

from babel import Locale as Cldr
from babel.dates import get_date_format
from babel.numbers import format_decimal
from babel.units import format_unit

from gateway.web.catalogue import FALLBACK, FOLDER, cldr_of, no_texts, read_catalogue

# What some programs still call these languages (Java before 17, old Androids)
_FORMER = {"iw": "he", "in": "id", "ji": "yi"}


@dataclass(frozen=True, slots=True)
class Locale:
    """One language: its texts and how it writes numbers and dates."""

    language: str
    texts: Mapping[str, str] = field(repr=False)
    fallback: Mapping[str, str] = field(repr=False)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, for the dir attribute."""
        return _direction(self._cldr)

    @property
    def intl(self) -> str:
        """For `Intl` in scripts on the page: dates and numbers as they are here."""
        return f"{str(self._cldr).replace('_', '-')}-u-hc-h23-nu-latn"

    @property
    def name(self) -> str:
        """What its speakers call it."""
        return _name(self.language)

    def t(self, key: str, **values: object) -> str:
        """The text of `key`, filled. With a `count` the plural form `key.one`, `key.other` … is taken.

        Raises KeyError for a key or value that is missing: a page that would show a hole is a bug,
        and a test renders them all.
        """
        text = self.texts.get(key) or self.fallback.get(key)
        count = values.get("count")
        if isinstance(count, int):
            values = {**values, "count": self.number(count)}
            text = text or self._plural(key, count)
        if text is None:
            raise KeyError(key)
        return text.format_map(values)

    def number(self, value: int) -> str:
        """In groups of digits."""
        if abs(value) < 10 ** (2 + int(self.texts.get("format.grouping", "1"))):
            return str(value)
        return format_decimal(value, locale=self._cldr)

    def span(self, ms: int) -> str:
        """A length of time, in the largest unit that it is whole in: hours, else minutes."""
        minutes = round(ms / 60_000)
        hours, rest = divmod(minutes, 60)
        amount, unit = (minutes, "minute") if rest else (hours, "hour")
        return format_unit(amount, f"duration-{unit}", locale=self._cldr)

    def date(self, ms: int, zone: tzinfo = UTC) -> str:
        """Date, time and zone of a moment in milliseconds since 1970."""
        moment = datetime.fromtimestamp(ms / 1000, zone)
        return self.t(
            "date.full",
            date=get_date_format("long", self._cldr).apply(moment, self._cldr),
            time=moment.strftime("%H:%M"),
            zone=moment.tzname() or "UTC",
        )

    def below(self, prefix: str) -> dict[str, str]:
        """All texts under `prefix.`, without it, unfilled: what a script needs."""
        start = len(prefix) + 1
        both = {**self.fallback, **self.texts}
        return {key[start:]: text for key, text in both.items() if key.startswith(f"{prefix}.")}

    @property
    def _cldr(self) -> Cldr:
        found = cldr_of(self.language, self.texts)
        assert found is not None  # a catalogue that CLDR does not know is not read
        return found

    def _plural(self, key: str, count: int) -> str | None:
        for texts, cldr in ((self.texts, self._cldr), (self.fallback, Cldr.parse(FALLBACK))):
            if f"{key}.other" in texts:
                return texts.get(f"{key}.{cldr.plural_form(count)}", texts[f"{key}.other"])
        return None


# Each of these is in the head of every page, once for every language.


@lru_cache
def _direction(cldr: Cldr) -> str:
    return cldr.text_direction


@lru_cache
def _name(language: str) -> str:
    name = Cldr.parse(language, sep="-").get_display_name() or language
    return name[:1].upper() + name[1:]


@dataclass(frozen=True, slots=True)
class Catalogues:
    """The languages on offer, the preferred one first."""

    locales: Mapping[str, Locale]

    @classmethod
    def load(cls, languages: Sequence[str] = (), folder: Path = FOLDER) -> Catalogues:
        """Read the catalogues of `languages`, or all that are there. Raises BadFile."""
        texts = {path.stem: read_catalogue(path) for path in sorted(folder.glob("*.yaml"))}
        if missing := [language for language in languages if language not in texts]:
            raise no_texts(folder, missing, list(texts))
        fallback = texts[FALLBACK]
        chosen = languages or [FALLBACK, *(language for language in texts if language != FALLBACK)]
        locales = {language: Locale(language, texts[language], fallback) for language in chosen}
        for locale in locales.values():
            locale.date(0)  # CLDR's files, read now and not while the first guest waits
            _name(locale.language)
        return cls(locales)

    def choose(self, accept_language: str, by_hand: str = "") -> Locale:
        """The language chosen by hand where it is on offer; else the best match for an Accept-Language header;
        the first on offer where nothing matches."""
        if by_hand in self.locales:
            return self.locales[by_hand]
        for tag in _by_preference(accept_language):
            while tag:
                for language, locale in self.locales.items():
                    if language.lower() == tag:
                        return locale
                tag = tag.rpartition("-")[0]
        return next(iter(self.locales.values()))


def _by_preference(header: str) -> list[str]:
    ranked: list[tuple[float, int, str]] = []
    for index, part in enumerate(header[:1000].split(",")[:32]):
        tag, _, parameter = part.strip().lower().partition(";")
        name, _, written = parameter.strip().partition("=")
        try:
            quality = float(written) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        language, dash, rest = tag.strip().partition("-")
        if language and quality > 0:
            ranked.append((-quality, index, f"{_FORMER.get(language, language)}{dash}{rest}"))
    return [tag for _, _, tag in sorted(ranked)]
