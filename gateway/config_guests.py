"""What guests are asked: `fields` and `consent` under the key `guests` of config.yaml.

    guests:
      fields:
        - {name: company, label: Company, type: text, required: true, max: 80, help: As on your badge}
        - {name: role, label: {en: Role, de: Rolle}, type: choice, options: [Staff, {en: Other, de: Andere}]}
        - {name: news, label: Send me news, type: checkbox}
      consent: {text: I agree to …, version: "2026-11", url: https://example.org/privacy, required: true}

Rule: label, option, help, text and url are one text, or one for each language by its tag. Who reads another
language gets English, and where that is missing the first written (`Wording.said`).

What is kept of a choice is the option's English or first text, so that guests of two languages who chose
the same are counted as the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway import config_texts as texts
from gateway.config import Consent, FormField, GuestForm, Wording
from gateway.yaml_section import Section
from gateway.yaml_source import KEY, Way, did_you_mean

MOST_FIELDS = 10
MOST_OPTIONS = 50
_FIELD_KEYS = ("name", "label", "type", "required", "options", "max", "help")
_TYPES = ("text", "choice", "checkbox")
_ONLY_FOR = {"options": "choice", "max": "text"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
# What the form has itself, and names by which scripts in a page would find a form's own parts.
_TAKEN = (
    "name", "email", "form", "pin", "consent", "not_my_device", "remember", "forget", "agree", "ticket", "act",
    "token", "lang", "language", "submit", "reset", "action", "method", "target", "elements", "length", "id",
)  # fmt: skip
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:+-]{0,38}[A-Za-z0-9])?")
_LOCALES = Path(__file__).parent / "locales"
_NOTHING = Wording((("", ""),))  # stands in for a text that can't be read


def read_guest_form(guests: Section) -> GuestForm:
    found: list[FormField] = []
    names: dict[str, int] = {}
    for index, (data, way) in enumerate(guests.items("fields")):
        if index == MOST_FIELDS:
            guests.fault(way, f"is one too many: at most {MOST_FIELDS} fields")
        section = Section(guests.source, {} if data is None else data, way, _FIELD_KEYS)
        if data is not None and not isinstance(data, dict):
            continue
        field = _field(section)
        if field.name in names:
            section.fault((*way, "name"), f"{field.name} is taken (the field on line {names[field.name]})")
        elif field.name:
            names[field.name] = guests.source.place(way)[0]
        found.append(field)
    return GuestForm(tuple(found[:MOST_FIELDS]), _consent(guests))


def _field(section: Section) -> FormField:
    kind = section.need("type", partial(texts.choice, known=_TYPES), "")
    for key, owner in _ONLY_FOR.items():
        if kind and kind != owner and key in section.data:
            section.fault((*section.way, key, KEY), f"is for type: {owner} only")
    return FormField(
        name=section.need("name", _name, ""),
        label=_wording(section, "label", partial(_line, most=200), needed=True) or _NOTHING,
        type=kind or "text",
        required=section.get("required", texts.flag, False),
        options=_options(section) if kind == "choice" else (),
        most=section.get("max", partial(texts.whole, least=1, most=1_000), 100),
        help=_wording(section, "help", partial(_line, most=500)),
    )


def _options(section: Section) -> tuple[Wording, ...]:
    entries = list(section.items("options"))
    if len(entries) < 2 and isinstance(section.data.get("options"), (list, type(None))):
        section.missing("options", "must be a list of two options or more, since this is a choice")
    if len(entries) > MOST_OPTIONS:
        section.fault(entries[MOST_OPTIONS][1], f"is one too many: at most {MOST_OPTIONS} options")
    found: dict[str, Wording] = {}
    for value, way in entries:
        option = _worded(section, value, way, _option)
        if option.plain in found:
            section.fault(way, "stands here twice")
        elif option.plain:
            found[option.plain] = option
    return tuple(found.values())


def _consent(guests: Section) -> Consent | None:
    section = guests.section("consent", ("text", "version", "url", "required"))
    if not section.data:
        return None
    return Consent(
        text=_wording(section, "text", partial(_line, most=2_000), needed=True) or _NOTHING,
        version=section.need("version", _version, ""),
        url=_wording(section, "url", _notice),
        required=section.get("required", texts.flag, True),
    )


def _wording(section: Section, key: str, parse: Callable[[Any], str], *, needed: bool = False) -> Wording | None:
    if not section.has(key):
        if needed:
            section.need(key, parse, "")
        return None
    return _worded(section, section.data[key], (*section.way, key), parse)


def _worded(section: Section, value: Any, way: Way, parse: Callable[[Any], str]) -> Wording:
    if not isinstance(value, dict):
        return Wording((("", section.parsed(value, way, parse, "")),))
    if not value:
        section.fault(way, "must not be empty")
        return _NOTHING
    shipped = sorted(path.stem for path in _LOCALES.glob("*.yaml"))
    found = []
    for tag, text in value.items():
        if tag not in shipped:
            section.fault((*way, tag, KEY), f"there are no pages in this language{did_you_mean(tag, shipped)}")
        found.append((tag, section.parsed(text, (*way, tag), parse, "")))
    return Wording(tuple(found))


def _name(value: Any) -> str:
    name = texts.text(value)
    if not _NAME.fullmatch(name):
        raise ValueError("must be small letters, digits and _, a letter first, at most 32")
    if name in _TAKEN:
        raise ValueError(f"{name} is a name of the form's own; take another, such as your_{name}")
    return name


def _line(value: Any, most: int) -> str:
    """A text of people's, white space and line ends as one space each."""
    line = " ".join(texts.text(value).split())
    if len(line) > most:
        raise ValueError(f"must have at most {most} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in line):
        raise ValueError("must hold no control characters")
    return line


def _option(value: Any) -> str:
    line = _line(value, 100)
    # It is kept with the guest, and what is kept holds none of these.
    if any(unicodedata.category(char) == "Cf" and char not in "\u200c\u200d" for char in line):
        raise ValueError("must hold no format characters (such as marks of direction)")
    return line


def _version(value: Any) -> str:
    version = texts.text(value)
    if not _VERSION.fullmatch(version):
        raise ValueError('must be a short name such as "2026-11": letters, digits and . _ : + -, at most 40')
    return version


def _notice(value: Any) -> str:
    url = texts.text(value).strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme != "https" or not host or port == 0 or any(char <= " " or char in '\\"<>\x7f' for char in url):
        raise ValueError("must be an address such as https://example.org/privacy")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user name or password")
    if len(url) > 2_000:
        raise ValueError("must have at most 2000 characters")
    return url
