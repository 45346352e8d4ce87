"""What the answers of resolve and prepare steps say. Pure: `upstream` does the asking."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from gateway.policy.jsonpath import AnswerPath

if TYPE_CHECKING:
    from gateway.policy.model import Check, Kind, Policy, Step

MAX_VALUES = 2_000
MAX_TEXT = 4_096


class BadAnswer(Exception):
    """The answer can't be read; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What one step told. `state` is ok, gone, not_started or ended; `id` the one spelling, if given.
    `typed`: the answer could be asked for the item's kind; with `kind` None it is none of the policy's. `was_live`:
    when it was last on the air (ms since 1970), where the answer says so."""

    state: str
    id: str | None = None
    variables: Mapping[str, tuple[str, ...]] | None = None
    kind: str | None = None
    typed: bool = False
    was_live: int | None = None


def read_answer(policy: Policy, step: Step, status: int, content_type: str, body: bytes) -> Learned:
    """Raises BadAnswer when the status is not one the policy speaks of, or the body makes no sense."""
    document = _Document(content_type, body)
    # What is over is not on the air either, and says more.
    for state, checks in (("gone", step.gone), ("ended", step.ended), ("not_started", step.not_started)):
        if any(_holds(check, status, document) for check in checks):
            # What has not begun may be described already: a link made now must bear the id it will have then.
            return Learned(state) if state == "gone" else _learn(policy, step, document, state, lenient=True)
    if not 200 <= status < 300:
        why = (
            " (it does not take the credentials that the policy gives it, or wants some)"
            if status in (401, 403)
            else ""
        )
        raise BadAnswer(f"answered {status}{why}")
    return _learn(policy, step, document, "ok", lenient=False)


def read_prepared(kind: Kind, policy: Policy, step: Step, status: int, content_type: str, body: bytes) -> Learned:
    """As `read_answer`, of a step of prepare: each of its variables must have a value, and none that could be
    more than the value it stands for."""
    learned = read_answer(policy, step, status, content_type, body)
    if learned.state != "ok":
        return learned
    for name, values in (learned.variables or {}).items():
        if not values:
            raise BadAnswer(f"the answer has no {name}")
        for value in values:
            if not usable(value, slashes=name not in kind.segments):
                raise BadAnswer(f"what the answer says for {name} can't be used")
    return learned


def usable(value: str, *, slashes: bool, most: int = MAX_TEXT) -> bool:
    """Whether a text that the media server gave may become a grant's variable: bounded, without controls and
    without what can't be written as UTF-8; a name in a path is no way to another one."""
    if not 0 < len(value) <= most or any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        return False
    return slashes or ("/" not in value and "\\" not in value and value not in (".", ".."))


def one_value(path: AnswerPath, content_type: str, body: bytes) -> str | None:
    """The one text (or number) that a path leads to in an answer. Raises BadAnswer."""
    document = _Document(content_type, body)
    found = path.values(document.parsed(path.xml))
    if len(found) != 1 or not isinstance(found[0], str | int) or isinstance(found[0], bool):
        return None
    return str(found[0])


def _learn(policy: Policy, step: Step, document: _Document, state: str, *, lenient: bool) -> Learned:
    """Id, variables and kind; `lenient`: whatever of them the answer has."""

    def texts(path: AnswerPath) -> tuple[str, ...]:
        if lenient and not document.readable(path.xml):
            return ()
        return _texts(path.values(document.parsed(path.xml)))

    identity = None
    if step.id is not None:
        values = texts(step.id)
        if len(values) == 1:
            identity = values[0]
        elif not lenient:
            raise BadAnswer(f"{step.id.text} names {len(values)} ids")
    variables = {name: texts(path) for name, path in step.vars.items()}
    choice = policy.item.kind_path
    typed = choice is not None and document.readable(choice.xml)
    kind = None
    if choice is not None and typed:
        known = (policy.item.kind_values.get(value) for value in texts(choice))
        kind = next((one for one in known if one is not None), None)
    was_live = max(map(_moment, texts(step.was_live)), default=0) if step.was_live is not None else 0
    return Learned(state, identity, variables, kind, typed, was_live or None)


def _moment(text: str) -> int:
    """A time as RFC 3339 writes it, in ms since 1970; 0 for whatever else stands there: it says nothing then."""
    try:
        moment = datetime.fromisoformat(text)
        return 0 if moment.tzinfo is None else max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        return 0


class _Document:
    """An answer that is parsed when somebody looks into it."""

    def __init__(self, content_type: str, body: bytes) -> None:
        self._type = content_type
        self._body = body
        self._json: Any = None
        self._xml: ElementTree.Element | None = None

    def readable(self, xml: bool) -> bool:
        try:
            self.parsed(xml)
        except BadAnswer:
            return False
        return True

    def parsed(self, xml: bool) -> Any:
        if xml:
            if self._xml is None:
                # No DTD, no entities: neither bombs nor files can be named (there is nothing else in XML
                # that expands).
                if b"<!DOCTYPE" in self._body or b"<!ENTITY" in self._body or b"\0" in self._body:
                    raise BadAnswer("an XML answer with a DTD")
                try:
                    self._xml = ElementTree.fromstring(self._body)  # noqa: S314 (DTDs are refused above)
                except ElementTree.ParseError as error:
                    raise BadAnswer(f"not XML: {error}") from error
            return self._xml
        if self._json is None:
            try:
                self._json = json.loads(self._body)
            except (ValueError, RecursionError) as error:
                raise BadAnswer(f"not JSON: {error}") from error
        return self._json


def _holds(check: Check, status: int, document: _Document) -> bool:
    if check.status is not None:
        return status == check.status
    if check.path is None or not document.readable(check.path.xml):
        return False
    found = check.path.values(document.parsed(check.path.xml))
    if check.value == []:
        # An error is no list with nothing in it.
        return 200 <= status < 300 and all(value in (None, []) for value in found)
    return any(_same(value, check.value) for value in found)


def _same(found: Any, wanted: Any) -> bool:
    """Equal as JSON values; a number or truth value written as text counts too (XML has only text)."""
    if isinstance(found, (dict, list)):
        return False
    return _text(found) == _text(wanted)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _texts(values: list[Any]) -> tuple[str, ...]:
    """Usable texts, in order, each once; null, objects and lists are no texts."""
    found: dict[str, None] = {}
    for value in values:
        if value is None or isinstance(value, (dict, list)):
            continue
        text = _text(value)
        if 0 < len(text) <= MAX_TEXT:
            found[text] = None
        if len(found) > MAX_VALUES:
            raise BadAnswer(f"more than {MAX_VALUES} values")
    return tuple(found)
