"""A small XML document as a tree, read in one way or not at all, and written anew. Pure.

Rule: elements, attributes and text are all there is. A document type, an entity, a processing instruction, another
encoding than UTF-8, deep nesting and too many elements are refused; comments are left out. Nothing is ever loaded.
Names keep their prefixes, as some players look for `cenc:pssh` to the letter; `local` is the name without.

Why expat with handlers, and no library for safe XML: what it would refuse is refused here in four lines, and a tree
that keeps prefixes has to be made by hand anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from gateway.rewrite.addresses import NotFollowed

MAX_DEPTH = 40
MAX_ELEMENTS = 200_000
MAX_ATTRIBUTES = 256  # of one element
MAX_ATTRIBUTE = 65_536  # characters
MAX_TEXT = 4 * 1024 * 1024  # characters of all text: what protects the media and events may be long
_ENCODINGS = frozenset({"", "utf-8", "utf8", "us-ascii"})
_IN_ATTRIBUTES = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}


@dataclass(slots=True, eq=False)
class Element:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    @property
    def local(self) -> str:
        return self.name.rpartition(":")[2]

    def elements(self) -> list[Element]:
        return [child for child in self.children if isinstance(child, Element)]

    @property
    def text(self) -> str:
        """Of its own, without that of the elements in it."""
        return "".join(child for child in self.children if isinstance(child, str))


def parse(body: bytes) -> Element:
    """Raises NotFollowed."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotFollowed("not UTF-8") from error
    builder = _Builder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.XmlDeclHandler = builder.declaration
    parser.StartDoctypeDeclHandler = _refusing("a document type")
    parser.EntityDeclHandler = _refusing("an entity")
    parser.ExternalEntityRefHandler = _refusing("an external entity")
    parser.SkippedEntityHandler = _refusing("an entity")
    parser.ProcessingInstructionHandler = _refusing("a processing instruction")
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise NotFollowed(f"not XML: {error}") from error
    root = builder.root
    if root is None:
        raise NotFollowed("not XML: nothing in it")
    return root


def written(root: Element) -> Iterator[str]:
    """The document in pieces."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    todo: list[Element | str] = [root]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
            continue
        attributes = "".join(f' {name}="{escape(value, _IN_ATTRIBUTES)}"' for name, value in one.attributes.items())
        if not one.children:
            yield f"<{one.name}{attributes}/>"
            continue
        yield f"<{one.name}{attributes}>"
        todo.append(f"</{one.name}>")
        todo.extend(escape(child) if isinstance(child, str) else child for child in reversed(one.children))


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._left = MAX_ELEMENTS
        self._room = MAX_TEXT

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotFollowed(f"more than {MAX_ELEMENTS} elements")
        if len(self._open) >= MAX_DEPTH:
            raise NotFollowed(f"elements more than {MAX_DEPTH} deep")
        if len(attributes) > MAX_ATTRIBUTES or any(len(value) > MAX_ATTRIBUTE for value in attributes.values()):
            raise NotFollowed("holds more attributes, or a longer one, than a manifest has")
        element = Element(name, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise NotFollowed("holds more text than a manifest has")
        self._open[-1].children.append(text)

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if (encoding or "").lower() not in _ENCODINGS:
            raise NotFollowed("says that it is not UTF-8")


def _refusing(what: str) -> Any:
    def refuse(*_: object) -> None:
        raise NotFollowed(f"holds {what}")

    return refuse
