"""What a guest may say on a websocket that speaks XMPP (RFC 7395): stanzas to these addresses, each written anew.

    stanzas:
      - {open: meet.example.com}                                the domain that is signed in to
      - {presence: any, to: "{id}@conference.meet.example.com"}
      - {iq: ["urn:xmpp:ping"], to: meet.example.com}           what may stand in it, by its namespace
      - {iq: ["urn:ietf:params:xml:ns:xmpp-bind"]}              to nobody: to the server itself
      - {iq: any, to: focus.meet.example.com, attributes: {room: "{id}@conference.meet.example.com"}}
      - {message: any, to: "{id}@conference.meet.example.com", texts: {nick: "{guest.name}"}}

Rule: a frame is one whole element, read strictly. The sign-in (`auth`, `response`, `abort`) and `close` pass; `iq`,
`presence`, `message` and `open` pass where an entry takes them, to an address or to somebody at it (`address/name`).
In a stanza, elements of other namespaces than the entry names are left out. Acknowledgements pass (XEP-0198: `enable`
without its wish to be resumed, `r`, `a`). All else goes no further: an address in another case, a document type, a
second element, `resume`.

Why: in a chat room's server the room stands in each stanza, and what checks it there has exceptions that a guest can
write. Why no resumption: a session that outlives its websocket goes on being in the room when the guest has been
removed, and can be taken up again over a websocket that was opened for another room.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from gateway.policy.messages import Messages, Note, compile_messages
from gateway.policy.template import (
    Hole,
    NameFinder,
    TemplateError,
    Text,
    Values,
    ValueTemplate,
    Variable,
    filled,
    named_in,
    split_parts,
)
from gateway.policy.written import RuleDocument
from gateway.yaml_source import KEY, Way, did_you_mean

# More than a browser's offer with many candidates needs, and little enough to be read in milliseconds.
MOST = 128 * 1024
MAX_DEPTH = 40
MAX_ELEMENTS = 3_000
MAX_ATTRIBUTES = 64
CLIENT, FRAMING, SASL = "jabber:client", "urn:ietf:params:xml:ns:xmpp-framing", "urn:ietf:params:xml:ns:xmpp-sasl"
_XML = "http://www.w3.org/XML/1998/namespace"
KINDS = ("iq", "presence", "message", "open")
SM = "urn:xmpp:sm:3"
_SIGN_IN = frozenset({(SASL, "auth"), (SASL, "response"), (SASL, "abort"), (FRAMING, "close")})
# Of acknowledgements, with the attributes that pass. A client may wait for the answer to its `enable`.
_ACKNOWLEDGED: Mapping[str, frozenset[str]] = {"enable": frozenset(), "r": frozenset(), "a": frozenset({"h"})}
_TEXT = {ord(one): f"&#{ord(one)};" for one in "<>&\r"}
_AS_REFERENCES = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


class NotAStanza(Exception):
    """The text is not one element of XML, or not one that is passed on."""


@dataclass(slots=True)
class Element:
    space: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def all(self) -> Iterator[Element]:
        todo: list[Element | str] = [self]
        while todo:
            one = todo.pop()
            if isinstance(one, Element):
                yield one
                todo += one.children


@dataclass(frozen=True, slots=True)
class Stanza:
    """One entry. `within`: the namespaces its children may have, besides that of stanzas; None: any. No `to`: without
    an address."""

    kind: str
    within: frozenset[str] | None
    to: tuple[ValueTemplate, ...]
    attributes: Mapping[str, ValueTemplate]
    texts: Mapping[str, ValueTemplate]

    def written(self, stanza: Element, values: Values) -> Element | None:
        """What is sent of one of this kind: without what has no place in it. None where it is none of these."""
        to = stanza.attributes.get("to")
        if (to is None) != (not self.to):
            return None
        if to is not None and not any(_addressed(one, to, values) for one in self.to):
            return None
        inside = [child for child in stanza.children if isinstance(child, Element)]
        if self.within is not None:
            inside = [child for child in inside if child.space == CLIENT or child.space in self.within]
        # Who says it the server knows.
        attributes = {name: value for name, value in stanza.attributes.items() if name != "from"}
        found = Element(stanza.space, stanza.name, attributes, [*inside])
        for name, template in self.attributes.items():
            wanted = filled(template.parts, values)
            if any(one.attributes.get(name, wanted) != wanted for one in found.all()):
                return None
        for one in found.all():
            if one is not found and one.name in self.texts:
                text = filled(self.texts[one.name].parts, values)
                one.children[:] = [text] if text else []
        return found


@dataclass(frozen=True, slots=True)
class Stanzas:
    """Takes the place of `Messages`."""

    entries: tuple[Stanza, ...]
    binary: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        entries = self.entries
        templates = (part for one in entries for part in (*one.to, *one.attributes.values(), *one.texts.values()))
        return tuple(name for template in templates for name in named_in(template.parts))

    def written(self, text: str, values: Values) -> str | None:
        """What is sent in place of a text frame; None: nothing."""
        if len(text) > MOST:
            return None
        try:
            stanza = parse(text)
        except NotAStanza:
            return None
        if (stanza.space, stanza.name) in _SIGN_IN:
            alone = all(isinstance(child, str) for child in stanza.children)
            return "".join(_pieces(stanza)) if alone else None
        if stanza.space == SM and stanza.name in _ACKNOWLEDGED:
            passed = _ACKNOWLEDGED[stanza.name]
            kept = {name: value for name, value in stanza.attributes.items() if name in passed}
            return "".join(_pieces(Element(SM, stanza.name, kept)))
        if stanza.space != (FRAMING if stanza.name == "open" else CLIENT):
            return None
        for one in self.entries:
            found = one.written(stanza, values) if one.kind == stanza.name else None
            if found is not None:
                return "".join(_pieces(found))
        return None

    def described(self, values: Values) -> str:
        said = [
            f"{one.kind}{' to ' if one.to else ''}{' or '.join(_shown(to, values) for to in one.to)}"
            for one in self.entries
        ]
        return f"stanzas, written anew: {', '.join(said) or 'none'}"


def parse(text: str) -> Element:
    """Raises NotAStanza. One element, without anything that is read before or beside it."""
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    for what in ("XmlDecl", "StartDoctypeDecl", "ProcessingInstruction", "Comment", "SkippedEntity"):
        setattr(parser, f"{what}Handler", _refuse)
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise NotAStanza from error
    if builder.root is None:
        raise NotAStanza
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._left = MAX_ELEMENTS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0 or len(self._open) >= MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise NotAStanza
        kept = {}
        for key, value in attributes.items():
            space, _, local = key.rpartition(" ")
            if space not in ("", _XML):
                raise NotAStanza
            kept[f"xml:{local}" if space else local] = value
        space, _, local = name.rpartition(" ")
        element = Element(space, local, kept)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        self._open[-1].children.append(text)


def _refuse(*_: object) -> None:
    raise NotAStanza


def _pieces(element: Element, around: str | None = None) -> Iterator[str]:
    """Without prefixes: each namespace is the default one of its elements."""
    space = "" if element.space == around else f" xmlns={quoteattr(element.space)}"
    more = "".join(f" {name}={quoteattr(value, _AS_REFERENCES)}" for name, value in element.attributes.items())
    if not element.children:
        yield f"<{element.name}{space}{more}/>"
        return
    yield f"<{element.name}{space}{more}>"
    for child in element.children:
        if isinstance(child, str):
            yield child.translate(_TEXT)
        else:
            yield from _pieces(child, element.space)
    yield f"</{element.name}>"


def _addressed(template: ValueTemplate, to: str, values: Values) -> bool:
    """This address, or somebody at it. Letters count as they are: what a server would fold together is not it."""
    bare, slash, resource = to.partition("/")
    if slash and not resource:
        return False
    if any(isinstance(part, Hole) for part in template.parts):
        return template.matches(bare, values)
    return bool(bare) and bare == filled(template.parts, values)


def _shown(template: ValueTemplate, values: Values) -> str:
    return "".join(
        part.text if isinstance(part, Text) else f"({part.name})" if isinstance(part, Hole) else (
            (values.get(part.name) or (f"({part.name})",))[0] if isinstance(part, Variable) else ""
        )
        for part in template.parts
    )  # fmt: skip


# --- from the policy -----------------------------------------------------------------------------


def compile_frames(rule: RuleDocument, find: NameFinder, upstream: NameFinder, note: Note) -> Messages | Stanzas | None:
    """What a rule lets guests say on a websocket. `upstream`: a finder of what only the server may see."""
    messages = compile_messages(rule, upstream, note)
    document = rule.socket
    if document is None or document.stanzas is None:
        return messages
    if document.messages is not None or document.binary:
        note((*document.way, "stanzas", KEY), "stanzas: stand alone, without messages and binary")
    return Stanzas(tuple(one for data, way in document.stanzas if (one := _entry(data, way, find, note)) is not None))


def _entry(data: Any, way: Way, find: NameFinder, note: Note) -> Stanza | None:
    kinds = [kind for kind in KINDS if isinstance(data, dict) and kind in data]
    if not isinstance(data, dict) or len(kinds) != 1:
        note(way, "a stanza is a mapping with one of iq, presence, message or open")
        return None
    kind = kinds[0]
    known = (kind,) if kind == "open" else (kind, "to", "attributes", "texts")
    for key in data:
        if key not in known:
            note((*way, key, KEY), f"{key}: unknown key{did_you_mean(str(key), known)}")
    within, to = None, data.get("to")
    if kind == "open":
        within, to = frozenset[str](), data[kind]
    elif data[kind] != "any":
        spaces = _list(data[kind])
        if spaces is None:
            note((*way, kind), f"{kind}: any, or a list of the namespaces that may stand in it")
            return None
        within = frozenset(spaces)
    addresses = () if to is None else _list(to)
    if addresses is None or (to is not None and not addresses):
        note((*way, kind if kind == "open" else "to"), "an address, or a list of some")
        return None
    read = [_template(one, (*way, kind if kind == "open" else "to"), find, note) for one in addresses]
    attributes, texts = (_values(data.get(key), (*way, key), find, note) for key in ("attributes", "texts"))
    return Stanza(kind, within, tuple(read), attributes, texts)


def _values(data: Any, way: Way, find: NameFinder, note: Note) -> dict[str, ValueTemplate]:
    """What attributes or texts of these names are."""
    if data is not None and not isinstance(data, dict):
        note(way, f"{way[-1]}: must be a mapping (name: value)")
        return {}
    found = {}
    for name, value in (data or {}).items():
        found[str(name)] = template = _template("" if value is None else str(value), (*way, name), find, note)
        if any(isinstance(part, Hole) for part in template.parts):
            note((*way, name), "a pattern stands in an address; here is one value")
    return found


def _list(data: Any) -> tuple[str, ...] | None:
    found = [data] if isinstance(data, str) else data
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        return None
    return tuple(found)


def _template(text: str, way: Way, find: NameFinder, note: Note) -> ValueTemplate:
    try:
        parts = split_parts(text, find, stars=False, escapes=False)
    except TemplateError as error:
        note(way, str(error))
        return ValueTemplate(())
    return ValueTemplate(parts)
