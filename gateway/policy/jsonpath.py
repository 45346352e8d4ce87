"""Small paths into an answer: `$.a.b`, `$.list[*].id`, `$.list[0]`, `$['odd name']` for JSON,
`/response/url` and `/response/@status` for XML.

Why not a JSONPath library: six forms are enough to read an id and a title from an answer, and filters
or scripts in an operator's file would be a second language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

EACH = object()


class PathError(Exception):
    """The path is not one of the forms above."""


@dataclass(frozen=True, slots=True)
class AnswerPath:
    """A compiled path; `steps` are names, indices or EACH."""

    text: str
    steps: tuple[Any, ...]
    xml: bool = False

    def values(self, document: Any) -> list[Any]:
        """All values the path leads to, in document order; [] where there is none."""
        return _in_xml(document, self.steps) if self.xml else _in_json(document, self.steps)


def parse_answer_path(text: str) -> AnswerPath:
    if text.startswith("/"):
        names = text[1:].split("/")
        if not all(names):
            raise PathError("an XML path is written /response/url or /response/@attribute")
        return AnswerPath(text, tuple(names), xml=True)
    if not text.startswith("$"):
        raise PathError("a path into an answer begins with $ (JSON) or / (XML)")
    steps: list[Any] = []
    at = 1
    while at < len(text):
        if text[at] == ".":
            end = at + 1
            while end < len(text) and text[end] not in ".[":
                end += 1
            name = text[at + 1 : end]
            if not name:
                raise PathError("a name is missing behind the dot")
            steps.append(EACH if name == "*" else name)
            at = end
        elif text[at] == "[":
            end = text.find("]", at)
            inner = text[at + 1 : end] if end > 0 else ""
            if inner == "*":
                steps.append(EACH)
            elif inner.isascii() and inner.isdigit():
                steps.append(int(inner))
            elif len(inner) > 2 and inner[0] == inner[-1] and inner[0] in "'\"":
                steps.append(inner[1:-1])
            else:
                raise PathError("in brackets stands *, a number or 'a name'")
            at = end + 1
        else:
            raise PathError("written like $.name.other[*].id")
    return AnswerPath(text, tuple(steps))


def _in_json(document: Any, steps: Sequence[Any]) -> list[Any]:
    found = [document]
    for step in steps:
        following: list[Any] = []
        for value in found:
            if step is EACH:
                if isinstance(value, list):
                    following += value
                elif isinstance(value, dict):
                    following += value.values()
            elif isinstance(step, int):
                if isinstance(value, list) and step < len(value):
                    following.append(value[step])
            elif isinstance(value, dict) and step in value:
                following.append(value[step])
        found = following
    return found


def _in_xml(document: ElementTree.Element, steps: Sequence[str]) -> list[Any]:
    if not steps or _local(document.tag) != steps[0]:
        return []
    found = [document]
    for index, step in enumerate(steps[1:], start=1):
        if step.startswith("@"):
            if index != len(steps) - 1:
                return []
            return [element.attrib[step[1:]] for element in found if step[1:] in element.attrib]
        found = [child for element in found for child in element if _local(child.tag) == step]
    return [(element.text or "").strip() for element in found]


def _local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]
