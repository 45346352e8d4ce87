"""Shapes of JSON: what of a guest's text passes, written anew from the policy.

    {item: "{id}", position: number, note: "string?", rate: [0.5, 1, 2], device: {name: string, beta: false}}

string, number, boolean, any: what came, if it is of that type; `?` behind it: it may be missing. A list of values:
one of them. The name of a pattern in braces: a text that matches it, or a GraphQL document that does (see `graphql`).
Variables, other texts, numbers, true, false and null stand in the result whatever came, or when nothing came. A
mapping: an object with these fields.

Rule: a text that two parsers could read in two ways does not pass at all (a key twice, a key in another case, NaN, half
a surrogate pair, bytes that are no UTF-8), unknown fields are left out, and what is sent are not the guest's bytes.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.policy.graphql import Operations
from gateway.policy.pattern import Pattern
from gateway.policy.template import (
    GraphqlHole,
    Hole,
    NameFinder,
    Part,
    Some,
    TemplateError,
    Text,
    Values,
    Variable,
    filled,
    split_parts,
)
from gateway.strict_json import Misfit, folded_key
from gateway.yaml_source import KEY, Way, did_you_mean

Note = Callable[[Way, str], None]

TYPES = ("string", "number", "boolean", "any")
# What people write for a type who come from elsewhere; as a literal it would stand in for everything.
_ALMOST = {
    "str": "string", "text": "string", "int": "number", "integer": "number", "float": "number", "bool": "boolean",
    "object": "any", "array": "any", "list": "any", "null": "any", "uuid": "string", "date": "string",
}  # fmt: skip
_MAX_DEPTH = 32


class _Absent:
    """Nothing stands here."""


_ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Typed:
    """A value of the guest's."""

    sort: str  # one of TYPES
    optional: bool
    pattern: Pattern | Operations | None = None

    def fits(self, value: Any) -> bool:
        if self.sort == "any":
            return True
        if self.sort == "boolean":
            return isinstance(value, bool)
        if self.sort == "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        return isinstance(value, str) and (self.pattern is None or self.pattern.matches(value))


@dataclass(frozen=True, slots=True)
class OneOf:
    choices: tuple[Any, ...]

    def fits(self, value: Any) -> bool:
        return any(same_value(value, choice) for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The policy's own: a text with variables, or another value."""

    parts: tuple[Part, ...] | None
    value: Any = None

    def filled(self, values: Values) -> Any:
        if self.parts is None:
            return self.value
        text = filled(self.parts, values)
        if text is None:
            raise Misfit("a variable has no value")
        return text

    @property
    def literal(self) -> bool:
        return self.parts is None or not any(isinstance(part, Variable) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Fields:
    """An object."""

    fields: Mapping[str, Shape]

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for shape in self.fields.values() for name in variables_of(shape))

    def written(self, came: Any, values: Values) -> dict[str, Any]:
        """The object that is sent. Raises Misfit."""
        if not isinstance(came, dict):
            raise Misfit("not an object")
        folded = {folded_key(name) for name in self.fields}
        for name in came:
            if name not in self.fields and folded_key(name) in folded:
                raise Misfit("a field in another case")
        out: dict[str, Any] = {}
        for name, shape in self.fields.items():
            value = _written(name, shape, came.get(name, _ABSENT), values)
            if value is not _ABSENT:
                out[name] = value
        return out

    def described(self, values: Values) -> dict[str, Any]:
        """For people: values that stand there in any case, and the types of the others."""
        out: dict[str, Any] = {}
        for name, shape in self.fields.items():
            if isinstance(shape, Fields):
                out[name] = shape.described(values)
            elif isinstance(shape, Fixed):
                try:
                    out[name] = shape.filled(values)
                except Misfit:
                    out[name] = "(no value)"
            elif isinstance(shape, Items):
                out[name] = "(list)"
            elif isinstance(shape, OneOf):
                out[name] = f"({' | '.join(json.dumps(choice) for choice in shape.choices)})"
            else:
                sort = shape.pattern.described if isinstance(shape.pattern, Operations) else shape.sort
                out[name] = f"({sort}{'?' if shape.optional else ''})"
        return out


@dataclass(frozen=True, slots=True)
class Items:
    """A list of the policy's own, in an answer that the gateway gives itself."""

    shapes: tuple[Shape, ...]


Shape = Typed | OneOf | Fixed | Fields | Items


def variables_of(shape: Shape) -> tuple[str, ...]:
    if isinstance(shape, Fields):
        return shape.variables
    if isinstance(shape, Items):
        return tuple(name for one in shape.shapes for name in variables_of(one))
    return (
        tuple(part.name for part in shape.parts or () if isinstance(part, Variable)) if isinstance(shape, Fixed) else ()
    )


def own_value(shape: Shape, values: Values) -> Any:
    """What a shape stands for in which nothing is a guest's (`read_own`). Raises Misfit where a variable has no
    value."""
    if isinstance(shape, Fields):
        return {name: own_value(one, values) for name, one in shape.fields.items()}
    if isinstance(shape, Items):
        return [own_value(one, values) for one in shape.shapes]
    return shape.filled(values) if isinstance(shape, Fixed) else None


def _written(name: str, shape: Shape, came: Any, values: Values) -> Any:
    if isinstance(shape, Fixed):
        return shape.filled(values)
    if isinstance(shape, Fields):
        if came is _ABSENT:
            return _ABSENT if _may_miss(shape) else shape.written({}, values)
        return shape.written(came, values)
    if isinstance(shape, Items):
        return own_value(shape, values)
    if came is _ABSENT:
        if isinstance(shape, Typed) and shape.optional:
            return _ABSENT
        raise Misfit(f"{name} is missing")
    if not shape.fits(came):
        raise Misfit(f"{name} is of another type")
    return came


def _may_miss(shape: Fields) -> bool:
    return all(
        _may_miss(field) if isinstance(field, Fields) else isinstance(field, Typed) and field.optional
        for field in shape.fields.values()
    )


def same_value(one: Any, other: Any) -> bool:
    """Python takes True for 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


# --- from the policy -----------------------------------------------------------------------------


def read_fields(data: Any, way: Way, find: NameFinder, note: Note, *, fixed: bool = False) -> Fields:
    """`fixed`: nothing of a guest's stands here."""
    if not isinstance(data, dict):
        note(way, "must be a mapping (field: type or value)")
        return Fields({})
    out: dict[str, Shape] = {}
    seen: dict[str, str] = {}
    for name, value in data.items():
        folded = folded_key(name)
        if folded in seen:
            note((*way, name, KEY), f"{name}: is {seen[folded]} for many servers, which is here already")
        seen[folded] = name
        out[name] = _read(value, (*way, name), find, note, fixed)
    return Fields(out)


def read_own(data: Any, way: Way, find: NameFinder, note: Note) -> Shape:
    """Any JSON value in which nothing is a guest's: what the gateway answers itself."""
    return _read(data, way, find, note, True)


def _read(value: Any, way: Way, find: NameFinder, note: Note, fixed: bool) -> Shape:
    if len(way) > _MAX_DEPTH:
        note(way, "nested too deep")
        return Fixed(None)
    if isinstance(value, dict):
        return read_fields(value, way, find, note, fixed=fixed)
    if isinstance(value, list):
        if fixed:
            return Items(tuple(_read(one, (*way, index), find, note, True) for index, one in enumerate(value)))
        if not value or any(isinstance(one, dict | list) for one in value):
            note(way, "a list names the texts and numbers that may stand here: [low, high]")
        return OneOf(tuple(value))
    if not isinstance(value, str):
        return Fixed(None, value)
    if not fixed:
        optional = value.endswith("?")
        word = value.removesuffix("?")
        if word in TYPES:
            return Typed(word, optional)
        meant = _meant_type(word.lower())
        if meant is not None:
            note(way, f"{word}: no type (did you mean {meant}?); as a text to be sent it is written [{word}]")
        elif optional and "{" not in word:
            note(
                way,
                f"{value}: only a type may be missing (string?, number?, boolean?, any?){did_you_mean(word, TYPES)}",
            )
    else:
        optional, word = False, value
    return _template(value, word, optional, way, find, note, fixed)


def _meant_type(word: str) -> str | None:
    """The type that somebody meant who wrote another language's word for it, or a slip of the pen."""
    if word in TYPES or word in _ALMOST:
        return _ALMOST.get(word, word)
    # Of shorter words too many are near `any`.
    return next(iter(difflib.get_close_matches(word, TYPES, 1, cutoff=0.8)), None) if len(word) > 4 else None


def _template(value: str, word: str, optional: bool, way: Way, find: NameFinder, note: Note, fixed: bool) -> Shape:
    try:
        parts = split_parts(word if optional and word.endswith("}") else value, find, stars=False, escapes=False)
    except TemplateError as error:
        note(way, str(error))
        return Fixed(None)
    holes = [part for part in parts if isinstance(part, Hole)]
    if len(parts) == 1 and holes and not fixed:
        (hole,) = holes
        return Typed("string", optional, hole.operations if isinstance(hole, GraphqlHole) else hole.pattern)
    for part in parts:
        if isinstance(part, Hole | Some):
            what = part.name if isinstance(part, Hole) else "*"
            note(way, f"{{{what}}} is a pattern; it stands alone, or not at all")
            return Fixed(None)
    return Fixed(parts or (Text(""),))
