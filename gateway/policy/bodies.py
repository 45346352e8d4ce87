"""What of a request's body passes, and what is answered in the server's place.

Rule: without `json` or `body` nothing passes. A JSON body is written anew from its shape; a raw one passes within its
type and its size, and the type that is sent is the policy's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from gateway.config_texts import size
from gateway.policy.shapes import Fields, Shape, own_value, read_fields, read_own, variables_of
from gateway.policy.template import NameFinder, Values
from gateway.policy.written import AnswerDocument, BodyDocument, RuleDocument
from gateway.strict_json import Misfit, parse_json, to_json
from gateway.yaml_source import KEY, Way

Note = Callable[[Way, str], None]

DEFAULT_MAX = 65_536
MOST = 16 * 1024 * 1024
_MARKS = {'"': "&quot;", "'": "&apos;"}
_WITH_BODY = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_TYPE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-")


@dataclass(frozen=True, slots=True)
class JsonBody:
    shape: Fields
    limit: int

    type = "application/json"

    @property
    def variables(self) -> tuple[str, ...]:
        return self.shape.variables

    def sent(self, came: bytes, said: str, values: Values) -> bytes:
        """What goes to the server in place of what came. `said`: the guest's Content-Type. Raises Misfit."""
        if len(came) > self.limit:
            raise Misfit("too large")
        return to_json(self.shape.written(parse_json(came), values))

    def described(self, values: Values) -> str:
        return f"JSON, written anew: {json.dumps(self.shape.described(values), ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class RawBody:
    type: str
    limit: int

    variables = ()

    def sent(self, came: bytes, said: str, values: Values) -> bytes:
        if len(came) > self.limit:
            raise Misfit("too large")
        if said.partition(";")[0].strip().lower() != self.type:
            raise Misfit("of another type")
        return came

    def described(self, values: Values) -> str:
        return f"{self.type}, at most {self.limit} bytes, as it comes"


Body = JsonBody | RawBody


@dataclass(frozen=True, slots=True)
class Answering:
    """What the gateway answers; the server is not asked. `xml`: the shape is one text, of XML."""

    status: int
    shape: Shape | None
    xml: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        return ()  # they go to the guest himself

    def ready(self, values: Values) -> bool:
        """Whether every variable in it has a value."""
        return self.shape is None or all(values.get(name) for name in variables_of(self.shape))

    def body(self, values: Values) -> bytes | None:
        if self.shape is None:
            return None
        if self.xml:
            return _xml_text(self.shape, values).encode()
        return to_json(own_value(self.shape, values))

    @property
    def type(self) -> str:
        return "application/xml" if self.xml else "application/json"


def _xml_text(shape: Shape, values: Values) -> str:
    """A variable's value stands as text, whatever marks are in it. By the five names of XML: not all readers of
    players know the numbers."""
    written = {name: tuple(escape(one, _MARKS) for one in values.get(name, ())) for name in variables_of(shape)}
    return str(own_value(shape, written))


def compile_body(rule: RuleDocument, find: NameFinder, note: Note) -> Body | None:
    document = rule.body
    if document is None:
        return None
    first = (*document.way, "json" if document.has_json else "body", KEY)
    wrong = [method for method in rule.methods if method not in _WITH_BODY]
    if document.has_json and document.has_type:
        note(first, "json and body: one of them, not both")
    elif not document.has_json and not document.has_type:
        note((*document.way, "max", KEY), "max: there is no json whose size it could bound")
    elif wrong:
        note(first, f"{first[-2]}: a request of {wrong[0]} has no body")
    limit = _limit(document, note)
    if document.has_type:
        return RawBody(_media_type(document, note), limit)
    return JsonBody(read_fields(document.json, (*document.way, "json"), find, note), limit)


def _limit(document: BodyDocument, note: Note) -> int:
    if document.max is None:
        return DEFAULT_MAX
    try:
        return size(document.max, 1, MOST)
    except ValueError as error:
        note(document.max_way, f"max: {error}")
        return DEFAULT_MAX


def _media_type(document: BodyDocument, note: Note) -> str:
    said = document.type
    if said is None:
        note((*document.way, "body"), "type: is missing")
        return "application/octet-stream"
    kind = said.text.lower()
    main, slash, sub = kind.partition("/")
    if not (slash and main and sub and _TYPE.issuperset(main) and _TYPE.issuperset(sub)):
        note(said.way, f"type: {said.text}: no media type such as application/sdp")
    elif sub == "json" or sub.endswith("+json"):
        note(said.way, "type: for JSON write json:, which says which fields pass")
    elif main == "multipart" or sub == "x-www-form-urlencoded":
        note(said.way, "type: a form may name other items, and can't pass as it comes")
    return kind


def compile_answer(rule: RuleDocument, find: NameFinder, note: Note) -> Answering | None:
    document = rule.answer
    if document is None:
        return None
    way = (*document.way, KEY)
    if rule.page:
        note(way, "answer: a page is the server's")
    if "WS" in rule.methods:
        note(way, "answer: a websocket is the server's")
    for key, there in (("send", rule.send), ("body", rule.body), ("messages", rule.socket)):
        if there is not None:
            note(way, f"answer: nothing is sent to the server, so {_named(rule, key)} has no use")
    shape = None
    if document.xml is not None:
        return Answering(_status(document, note), _read_xml(document, find, note), xml=True)
    if document.json is not None:
        shape = read_own(document.json, (*document.way, "json"), find, note)
    return Answering(_status(document, note), shape)


def _read_xml(document: AnswerDocument, find: NameFinder, note: Note) -> Shape | None:
    way = (*document.way, "xml")
    if document.json is not None:
        note((*way, KEY), "json and xml: one of them, not both")
    if not isinstance(document.xml, str):
        note(way, "xml: a text, like <a>{id}</a>")
        return None
    shape = read_own(document.xml, way, find, note)
    if "<!" in document.xml:
        note(way, "xml: elements and text, and nothing that begins with <!")
        return shape
    try:
        ElementTree.fromstring(_xml_text(shape, dict.fromkeys(variables_of(shape), ("x",))))  # noqa: S314 - the policy's own text
    except ElementTree.ParseError as error:
        note(way, f"xml: {error}")
    return shape


def _named(rule: RuleDocument, key: str) -> str:
    if key == "body" and rule.body is not None and not rule.body.has_type:
        return "json" if rule.body.has_json else "max"
    return key


def _status(document: AnswerDocument, note: Note) -> int:
    status: Any = document.status
    if status is None:
        return 204 if document.json is None and document.xml is None else 200
    way = (*document.way, "status")
    if isinstance(status, bool) or not isinstance(status, int) or not (200 <= status < 300 or 400 <= status < 600):
        note(way, "status: from 200 to 299 or from 400 to 599")
        return 204
    for key, there in (("json", document.json), ("xml", document.xml)):
        if status in (204, 205) and there is not None:
            note(way, f"status: an answer with {status} has no {key}")
    if status == 206:
        note(way, "status: 206 is part of something else")
    return status
