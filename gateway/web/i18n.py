"""Every text of the guest pages, in the language the guest's browser asks for.

A catalogue is one YAML file of flat dotted keys, `locales/<language>.yaml`. `en.yaml` is complete;
another may leave keys out and then speaks English there. Values hold `{name}` where something is
filled in, and never markup: templates escape what they get.

Why not gettext: the few hundred sentences need keys, plurals and a date order, not a tool chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path

from gateway import yaml_source
from gateway.errors import BadFile

FALLBACK = "en"
FOLDER = Path(__file__).parent.parent / "locales"

# Plural forms: which of one/two/few/many/other a count takes. Languages that are not here use English's.
_PLURALS: Mapping[str, Callable[[int], str]] = {
    "en": lambda count: "one" if count == 1 else "other",
    "fr": lambda count: "one" if count in (0, 1) else "other",
    "he": lambda count: "one" if count == 1 else "two" if count == 2 else "other",
    "ja": lambda count: "other",
}


@dataclass(frozen=True, slots=True)
class Locale:
    """One language: its texts and how it writes numbers and dates."""

    language: str
    texts: Mapping[str, str] = field(repr=False)
    fallback: Mapping[str, str] = field(repr=False)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, for the dir attribute."""
        return self.t("direction")

    def has(self, key: str) -> bool:
        return key in self.texts or key in self.fallback

    def t(self, key: str, **values: object) -> str:
        """The text of `key`, filled. With a `count` the plural form `key.one`, `key.other` … is taken.

        Raises KeyError for a key or value that is missing: a page that would show a hole is a bug,
        and a test renders them all.
        """
        count = values.get("count")
        if isinstance(count, int) and not self.has(key):
            form = _PLURALS.get(self.language, _PLURALS[FALLBACK])(count)
            key = f"{key}.{form}" if self.has(f"{key}.{form}") else f"{key}.other"
            values = {**values, "count": self.number(count)}
        text = self.texts.get(key)
        return (self.fallback[key] if text is None else text).format_map(values)

    def number(self, value: int) -> str:
        """Digits in groups of three."""
        return f"{value:,}".replace(",", self.t("number.group"))

    def date(self, ms: int, zone: tzinfo = UTC) -> str:
        """Date, time and zone of a moment in milliseconds since 1970."""
        moment = datetime.fromtimestamp(ms / 1000, zone)
        return self.t(
            "date.full",
            day=moment.day,
            month=self.t(f"date.month.{moment.month}"),
            year=moment.year,
            time=moment.strftime("%H:%M"),
            zone=moment.tzname() or "UTC",
        )

    def below(self, prefix: str) -> dict[str, str]:
        """All texts under `prefix.`, without it, unfilled: what a script needs."""
        start = len(prefix) + 1
        both = {**self.fallback, **self.texts}
        return {key[start:]: text for key, text in both.items() if key.startswith(f"{prefix}.")}


@dataclass(frozen=True, slots=True)
class Catalogues:
    """The languages on offer, the preferred one first."""

    locales: Mapping[str, Locale]

    @classmethod
    def load(cls, languages: Sequence[str] = (), folder: Path = FOLDER) -> Catalogues:
        """Read the catalogues of `languages`, or all that are there. Raises BadFile."""
        texts = {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}
        missing = [language for language in languages if language not in texts]
        if missing:
            known = ", ".join(texts)
            fault = yaml_source.Fault(str(folder), 1, 1, f"no texts for {', '.join(missing)} (known: {known})")
            raise BadFile([fault])
        fallback = texts[FALLBACK]
        chosen = languages or [FALLBACK, *(language for language in texts if language != FALLBACK)]
        return cls({language: Locale(language, texts[language], fallback) for language in chosen})

    def choose(self, accept_language: str) -> Locale:
        """The best match for an Accept-Language header; the first on offer where nothing matches."""
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
        if tag.strip() and quality > 0:
            ranked.append((-quality, index, tag.strip()))
    return [tag for _, _, tag in sorted(ranked)]


@lru_cache
def _read(path: Path) -> Mapping[str, str]:
    source = yaml_source.read(path, shown=path.name, environ={})
    if isinstance(source.data, dict):
        for key, text in source.data.items():
            if not isinstance(text, str):
                source.fault((key,), f"{key}: a text must stand here")
    elif not source.faults:
        source.fault((), "keys and texts must stand here")
    if source.faults:
        raise BadFile(source.faults)
    return dict(source.data)
